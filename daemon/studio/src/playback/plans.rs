//! Keeps the plans of the latest downloads: players ask for a file in many ranges, and planning reads the whole index. Plans hold no file open.

use perch_media::recording::progressive::{Clip, Progressive, ProgressiveError};
use perch_store::StreamId;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Number of plans kept.
const KEPT: usize = 16;
/// Largest sum of the parts of all plans kept: each part takes half a kilobyte of memory.
const MOST_PARTS: usize = 256;

/// The plans in the order of their last use, the latest at the end.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<Vec<(Request, Arc<Progressive>)>>);

/// The facts that a plan depends on.
#[derive(Debug, PartialEq)]
pub(super) struct Request {
    pub(super) stream: StreamId,
    pub(super) clip: Option<Clip>,
    /// Number of fragments to read; all if `None`.
    pub(super) until: Option<usize>,
    pub(super) indexes: Vec<Stamp>,
}

/// Shows whether a file has changed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self {
            device: found.dev(),
            inode: found.ino(),
            bytes: found.len(),
            modified: (found.mtime(), found.mtime_nsec()),
        })
    }
}

impl Plans {
    /// The plan for this request, or a new one. Nobody waits while another plan is made.
    pub(super) fn get_or_make(
        &self,
        request: Request,
        make: impl FnOnce() -> Result<Progressive, ProgressiveError>,
    ) -> Result<Arc<Progressive>, ProgressiveError> {
        let known = {
            let mut all = self.all();
            let at = all.iter().position(|(known, _)| *known == request);
            at.map(|at| all.remove(at).1)
        };
        let plan = known.map_or_else(|| make().map(Arc::new), Ok)?;
        let mut all = self.all();
        // Removes, for example, the plan of an index that has grown since.
        all.retain(|(known, _)| {
            (known.stream, known.clip, known.until) != (request.stream, request.clip, request.until)
        });
        all.push((request, Arc::clone(&plan)));
        while all.len() > KEPT || all.iter().map(|(_, plan)| plan.parts()).sum::<usize>() > MOST_PARTS {
            all.remove(0);
        }
        Ok(plan)
    }

    fn all(&self) -> MutexGuard<'_, Vec<(Request, Arc<Progressive>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_media::cmaf::Description;
    use perch_media::recording::index::IndexError;
    use perch_media::recording::progressive::Fragments;
    use perch_media::recording::{Fragment, Mark, Run, SampleEntry};

    /// One picture.
    struct Picture;

    impl Fragments for Picture {
        type Iter = std::iter::Once<Result<(usize, Fragment), IndexError>>;

        fn read(&self) -> Result<Self::Iter, IndexError> {
            let sample = SampleEntry { bytes: 9, duration: 3000, composition_offset: 0, is_key: true };
            let video = Run { decode_time: 0, data_at: 1, samples: vec![sample] };
            Ok(std::iter::once(Ok((
                0,
                Fragment { at: 0, bytes: 10, mark: Mark::default(), video, audio: None },
            ))))
        }
    }

    fn plan(parts: usize) -> Result<Progressive, ProgressiveError> {
        let part = Description { video: vec![0; 100], width: 16, height: 16, audio: None };
        Progressive::plan(vec![part; parts], &Picture, None)
    }

    fn request(stream: u128, until: Option<usize>, bytes: u64) -> Request {
        let index = Stamp { device: 1, inode: 1, bytes, modified: (0, 0) };
        Request { stream: StreamId::from_number(stream), clip: None, until, indexes: vec![index] }
    }

    fn is_made(plans: &Plans, request: Request, parts: usize) -> bool {
        let mut is_made = false;
        let made = plans.get_or_make(request, || {
            is_made = true;
            plan(parts)
        });
        made.unwrap();
        is_made
    }

    #[test]
    fn a_plan_is_made_once_until_its_index_changes() {
        let plans = Plans::default();
        assert!(is_made(&plans, request(1, None, 5), 1));
        assert!(!is_made(&plans, request(1, None, 5), 1));
        assert!(is_made(&plans, request(1, Some(3), 5), 1), "of an earlier moment");
        assert!(is_made(&plans, request(1, None, 6), 1), "it has grown");
        assert!(is_made(&plans, request(1, None, 5), 1), "one of a recording is kept");
        assert!(!is_made(&plans, request(1, Some(3), 5), 1));
        let nothing = plans.get_or_make(request(2, None, 5), || Err(ProgressiveError::Nothing));
        assert!(nothing.is_err() && is_made(&plans, request(2, None, 5), 1));
    }

    #[test]
    fn they_are_bounded_in_number_and_in_parts() {
        let plans = Plans::default();
        for stream in 0..100 {
            assert!(is_made(&plans, request(stream, None, 5), 1));
        }
        assert_eq!(plans.all().len(), KEPT);
        assert!(!is_made(&plans, request(99, None, 5), 1));
        assert!(is_made(&plans, request(100, None, 5), MOST_PARTS - 2));
        assert_eq!(plans.all().len(), 3);
        assert!(is_made(&plans, request(101, None, 5), MOST_PARTS + 1));
        assert!(is_made(&plans, request(101, None, 5), MOST_PARTS + 1), "too large to keep");
    }
}
