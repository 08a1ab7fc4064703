//! Records hardware encoders that failed recently. One that failed repeatedly is not used for a minute, so that the
//! stream returns by another way. A camera's sources and its opener share the record.

use super::choice::Excluded;
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// This many failures …
const FAILURES: usize = 3;
/// … within this time exclude an encoder, until this time has passed since the first of them.
const LATELY: Duration = Duration::from_mins(1);
/// The most failures that are remembered.
const KEPT: usize = 16;

/// The failures of the last minute.
#[derive(Clone, Debug, Default)]
pub(super) struct EncoderRecord(Arc<Mutex<VecDeque<Failure>>>);

#[derive(Debug)]
struct Failure {
    at: Duration,
    path: PathBuf,
    why: String,
}

impl EncoderRecord {
    /// Records that the encoder at `path` failed at `now`, on the monotonic clock; `why` in words.
    pub(super) fn failed(&self, path: &Path, why: String, now: Duration) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() == KEPT {
            failures.pop_front();
        }
        failures.push_back(Failure { at: now, path: path.into(), why });
    }

    /// The encoders not to be used at `now`.
    pub(super) fn excluded(&self, now: Duration) -> Vec<Excluded> {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|failure| now.saturating_sub(failure.at) < LATELY);
        let mut excluded: Vec<Excluded> = Vec::new();
        for last in failures.iter().rev() {
            let times = failures.iter().filter(|failure| failure.path == last.path).count();
            if times >= FAILURES && excluded.iter().all(|known| known.path != last.path) {
                let why = format!("it failed {times} times in the last minute, at last: {}", last.why);
                excluded.push(Excluded { path: last.path.clone(), why });
            }
        }
        excluded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECONDS: fn(u64) -> Duration = Duration::from_secs;

    #[test]
    fn an_encoder_is_left_alone_after_three_failures_and_for_a_minute() {
        let record = EncoderRecord::default();
        let encoder = Path::new("/dev/video11");
        record.failed(encoder, "stuck".to_owned(), SECONDS(10));
        record.failed(encoder, "stuck".to_owned(), SECONDS(20));
        record.failed(Path::new("/dev/video31"), "no memory".to_owned(), SECONDS(21));
        assert!(record.excluded(SECONDS(21)).is_empty());
        record.failed(encoder, "no memory".to_owned(), SECONDS(30));
        let excluded = record.excluded(SECONDS(31));
        assert_eq!(excluded.len(), 1);
        assert_eq!(excluded[0].path, encoder);
        assert_eq!(excluded[0].why, "it failed 3 times in the last minute, at last: no memory");
        assert!(record.excluded(SECONDS(71)).is_empty(), "the first is a minute ago");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let record = EncoderRecord::default();
        for _ in 0..100 {
            record.failed(Path::new("/dev/video11"), "stuck".to_owned(), SECONDS(1));
        }
        assert_eq!(record.0.lock().unwrap().len(), KEPT);
    }
}
