//! Streams that should be recorded and are not. This is shown with the stream and among the daemon's faults, and the people concerned are notified
//! once.

use super::telling::{News, Telling};
use super::trouble::Trouble;
use crate::clock::{Clock, wall};
use crate::faults::{Faults, RECORDING, SLOW_DISK};
use crate::tell::Tell;
use perch_store::{RecordingTrouble, Store, StreamId};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// A slow disk is reported for this long after it was slow last.
const SLOW_FOR: Duration = Duration::from_mins(10);

/// The present troubles of all streams, and of the disk.
pub(super) struct Troubles {
    store: Arc<Store>,
    clock: Arc<dyn Clock>,
    faults: Faults,
    /// The troubles in words.
    now: Mutex<BTreeMap<StreamId, String>>,
    telling: Mutex<Telling>,
    /// Monotonic time at which the disk was slow last, while that is reported.
    slow_at: Mutex<Option<Duration>>,
    /// Brings notifications to open pages; not set if there are no pages.
    tell: OnceLock<Tell>,
}

impl Troubles {
    pub(super) fn new(store: Arc<Store>, clock: Arc<dyn Clock>, faults: Faults) -> Self {
        Self {
            store,
            clock,
            faults,
            now: Mutex::default(),
            telling: Mutex::default(),
            slow_at: Mutex::default(),
            tell: OnceLock::new(),
        }
    }

    /// Sets the way for notifications to open pages. Only the first call has an effect.
    pub(super) fn tell_through(&self, tell: Tell) {
        let _ = self.tell.set(tell);
    }

    /// Why a stream is not recorded just now, in words.
    pub(super) fn of(&self, stream: StreamId) -> Option<String> {
        self.now().get(&stream).cloned()
    }

    /// Why some stream is not recorded just now, in words.
    pub(super) fn any(&self) -> Option<String> {
        self.faults.of(RECORDING)
    }

    /// True if the card refused a write because it is read-only. After an error ext4 refuses writes without showing that among its mount flags.
    pub(super) fn is_read_only(&self) -> bool {
        self.telling().has(RecordingTrouble::ReadOnly)
    }

    /// Reports that a stream is not recorded for now. `folder` is the recordings'.
    pub(super) fn begins(&self, stream: StreamId, trouble: &Trouble, folder: &Path) {
        let words = trouble.in_words(folder);
        tracing::debug!(%stream, "{trouble:?}");
        self.now().insert(stream, words.clone());
        let is_news = self.telling().fails(stream, trouble.kind());
        // Last: whoever reads it in the log and asks finds the rest.
        self.faults.tell(RECORDING, &words);
        if is_news {
            self.tell_what_is_due();
        }
    }

    /// Reports that it is recorded again.
    pub(super) fn is_over(&self, stream: StreamId) {
        self.telling().works(stream, self.clock.monotonic());
        self.clear(stream);
    }

    /// Forgets a stream that has ended.
    pub(super) fn ended(&self, stream: StreamId) {
        self.telling().ended(stream);
        self.clear(stream);
    }

    fn clear(&self, stream: StreamId) {
        let mut now = self.now();
        now.remove(&stream);
        match now.values().next() {
            Some(words) => self.faults.tell(RECORDING, words),
            None => self.faults.clear(RECORDING),
        }
    }

    /// Reports that the disk took no writes for this long.
    pub(super) fn disk_was_slow(&self, took: Duration) {
        *self.slow_at() = Some(self.clock.monotonic());
        let seconds = took.as_secs();
        let words = format!(
            "The disk of the recordings took no writes for {seconds} s: it is slow, or failing. If it stops for longer, pictures will be missing from \
             the recording. The live stream is not affected."
        );
        self.faults.tell(SLOW_DISK, &words);
    }

    /// Stops reporting a slow disk once it has been fast for a while.
    pub(super) fn forget_slow_disk(&self) {
        let mut slow_at = self.slow_at();
        if slow_at.take_if(|at| self.clock.monotonic().saturating_sub(*at) >= SLOW_FOR).is_some() {
            self.faults.clear(SLOW_DISK);
        }
    }

    /// Notifies the streams' users and the owners of recordings that stopped growing or are growing again. If the store cannot be written, they are
    /// notified later.
    pub(super) fn tell_what_is_due(&self) {
        let due = self.telling().take_due(self.clock.monotonic());
        let now = wall(&*self.clock);
        for (stream, news) in due {
            let written = match news {
                News::Paused(trouble) => self.store.recording_paused(stream, trouble, now),
                News::WentOn => self.store.recording_went_on(stream, now),
            };
            match (written, self.tell.get()) {
                (Ok(deliveries), Some(tell)) => tell(deliveries),
                (Ok(_), None) => {}
                (Err(error), _) => {
                    tracing::warn!(%stream, "people are told later about its recording: {error}");
                    self.telling().not_told(stream, news, self.clock.monotonic());
                }
            }
        }
    }

    /// Each change under the lock is one step: a panic leaves nothing half done.
    fn now(&self) -> MutexGuard<'_, BTreeMap<StreamId, String>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn slow_at(&self) -> MutexGuard<'_, Option<Duration>> {
        self.slow_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn telling(&self) -> MutexGuard<'_, Telling> {
        self.telling.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
