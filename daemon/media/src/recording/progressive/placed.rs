//! The places of a file's fragments: in the recording's time, in their part, and in the file's `mdat`.

use crate::recording::Fragment;
use crate::recording::index::IndexError;

/// The place of a fragment.
#[derive(Clone, Copy, Default)]
pub(super) struct Place {
    pub(super) part: usize,
    /// Beginning of the fragment, in the recording's time.
    pub(super) begins: u64,
    /// Beginning of its part, likewise.
    pub(super) part_begins: u64,
    /// Beginning of the file, likewise.
    pub(super) file_begins: u64,
    /// Offset of its first byte in the file's `mdat`.
    pub(super) at: u64,
}

/// Computes the places of fragments while they are read in order.
#[derive(Default)]
pub(super) struct Walk {
    /// Beginning of the next fragment.
    pub(super) next: Place,
    /// Bytes of the `mdat` before the part.
    before_part: u64,
    /// First byte of the part's file that is in the `mdat`.
    part_from: Option<u64>,
}

impl Walk {
    /// Sets the part of the next fragment.
    pub(super) fn enter(&mut self, part: usize) {
        if part != self.next.part {
            (self.next.part, self.next.part_begins) = (part, self.next.begins);
            (self.before_part, self.part_from) = (self.next.at, None);
        }
    }

    /// Lets the file begin with the next fragment.
    pub(super) fn begin_file(&mut self) {
        (self.next.file_begins, self.next.at) = (self.next.begins, 0);
        (self.before_part, self.part_from) = (0, None);
    }

    /// Advances past the fragment; returns its place.
    pub(super) fn pass(&mut self, fragment: &Fragment) -> Place {
        let from = *self.part_from.get_or_insert(fragment.at);
        let at = self.before_part + fragment.at - from;
        let here = Place { at, ..self.next };
        self.next.at = at + u64::from(fragment.bytes);
        self.next.begins += fragment.video.duration();
        here
    }
}

/// A file's fragments and their places.
pub(super) struct Placed<I> {
    /// Fragments of the recording up to the file's end.
    fragments: std::iter::Take<I>,
    walk: Walk,
    /// Number of fragments read, and of those before the file.
    passed: usize,
    first: usize,
}

impl<I> Placed<I> {
    /// `fragments`: number of the recording's fragments up to the file's end, of which `first` lie before the file.
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
