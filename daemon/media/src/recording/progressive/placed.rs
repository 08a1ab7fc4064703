//! Where the fragments of a file are: in the recording's time, in their part, and in the file's `mdat`.

use crate::recording::Fragment;
use crate::recording::index::IndexError;

/// Where a fragment is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) part: usize,
    /// Of the fragment, in the recording's time.
    pub(super) begins: u64,
    /// Of its part, likewise.
    pub(super) part_begins: u64,
    /// Of the file, likewise.
    pub(super) file_begins: u64,
    /// Of the fragment's first byte in the file's `mdat`.
    pub(super) at: u64,
}

/// Finds out where fragments are, as they are gone through.
#[derive(Default)]
pub(super) struct Walk {
    /// Of the next fragment.
    pub(super) next: Place,
    /// Bytes of the `mdat` before the part.
    before_part: u64,
    /// Where the `mdat`'s bytes of the part begin in the part's file.
    part_from: Option<u64>,
}

impl Walk {
    /// The next fragment is in this part.
    pub(super) fn enter(&mut self, part: usize) {
        if part != self.next.part {
            (self.next.part, self.next.part_begins) = (part, self.next.begins);
            (self.before_part, self.part_from) = (self.next.at, None);
        }
    }

    /// The file begins with the next fragment.
    pub(super) fn begin_file(&mut self) {
        (self.next.file_begins, self.next.at) = (self.next.begins, 0);
        (self.before_part, self.part_from) = (0, None);
    }

    /// Goes past the fragment; where it is.
    pub(super) fn pass(&mut self, fragment: &Fragment) -> Place {
        let from = *self.part_from.get_or_insert(fragment.at);
        let at = self.before_part + fragment.at - from;
        let here = Place { at, ..self.next };
        self.next.at = at + u64::from(fragment.bytes);
        self.next.begins += fragment.video.duration();
        here
    }
}

/// A file's fragments, and where they are.
pub(super) struct Placed<I> {
    /// Of the recording, up to the file's end.
    fragments: std::iter::Take<I>,
    walk: Walk,
    /// Fragments of the recording that were gone past, and those before the file.
    passed: usize,
    first: usize,
}

impl<I> Placed<I> {
    /// `fragments`: those of the recording up to the file's end, of which `first` lie before the file.
    pub(super) fn new(fragments: std::iter::Take<I>, first: usize) -> Self {
        Self { fragments, walk: Walk::default(), passed: 0, first }
    }
}

impl<I: Iterator<Item = Result<(usize, Fragment), IndexError>>> Iterator for Placed<I> {
    type Item = Result<(Fragment, Place), IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (part, fragment) = match self.fragments.next()? {
                Ok(found) => found,
                Err(error) => return Some(Err(error)),
            };
            self.walk.enter(part);
            if self.passed == self.first {
                self.walk.begin_file();
            }
            self.passed += 1;
            let place = self.walk.pass(&fragment);
            if self.passed > self.first {
                return Some(Ok((fragment, place)));
            }
        }
    }
}
