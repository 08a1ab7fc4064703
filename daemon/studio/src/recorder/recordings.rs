//! All recordings: what exists, where the files are, and how much of the card they take.
//!
//! The store has a row for each. While a recording grows, its length and size are known here; the store is written at the beginning, with each part
//! and at the end, because each of its writes syncs the card.

use super::folder::Folder;
use super::keeping::{Card, Limits, used};
use super::names;
use super::part::PartFiles;
use super::recovery::{self, Recovered};
use super::sidecar;
use super::storage::Storage;
use super::storyboard_sizes::StoryboardSizes;
use super::trash::Trash;
use super::trouble::Trouble;
use super::troubles::Troubles;
use super::wear::{Disk, Disks};
use crate::clock::{Clock, wall};
use crate::config;
use crate::faults::Faults;
use crate::settled_clock::SettledClock;
use crate::tell::Tell;
use perch_device::local_time;
use perch_store::{Recording, RecordingQuery, RecordingState, Store, StoreError, StreamId, Timestamp};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 2026-01-01, in milliseconds since the Unix epoch: a clock that shows an earlier time was never set.
const CLOCK_IS_SET: i64 = 1_767_225_600_000;

/// The files of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFiles {
    /// At least one, in order.
    pub parts: Vec<PartFiles>,
    /// True if the last part is growing: its index may end in a record that is being written, but names no bytes that the media lack.
    pub is_growing: bool,
    /// Number of recoveries in this run of the daemon. After each, what was read of a part's end before may no longer be true.
    pub recovered: u32,
}

impl RecordingFiles {
    /// File of its storyboard, once there is one.
    pub fn storyboard(&self) -> Option<PathBuf> {
        self.parts.first().map(|first| first.media.with_extension(names::STORYBOARD))
    }
}

/// Size and length of a recording that is growing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Growth {
    pub(super) parts: u32,
    pub(super) bytes: u64,
    pub(super) duration_ms: u64,
}

impl Growth {
    pub(super) const fn of(recording: &Recording) -> Self {
        Self { parts: recording.parts, bytes: recording.bytes, duration_ms: recording.duration_ms }
    }

    const fn put_into(self, recording: &mut Recording) {
        recording.parts = self.parts;
        recording.bytes = self.bytes;
        recording.duration_ms = self.duration_ms;
    }
}

/// A handle to all recordings; clones share them. Calls block: they use the store and the card.
#[derive(Clone)]
pub struct Recordings(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) folder: Folder,
    pub(super) settings: config::Recording,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    wall_clock: Mutex<SettledClock>,
    growing: Mutex<BTreeMap<StreamId, Growth>>,
    /// Number of recoveries of each recording that had any.
    recovered: Mutex<BTreeMap<StreamId, u32>>,
    troubles: Troubles,
    disks: Disks,
    /// Recordings that were deleted a moment ago, whose files still exist.
    pub(super) trash: Mutex<Trash>,
    /// Held while files are deleted or renamed, so that two callers do not count on the same free space.
    tidying: Mutex<()>,
    storyboards: StoryboardSizes,
}

impl std::fmt::Debug for Recordings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recordings").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

impl Recordings {
    /// The recordings of a store, in the configured folder or in `data_dir`. Reads nothing yet.
    pub fn new(
        settings: &config::Recording,
        data_dir: &Path,
        store: Arc<Store>,
        clock: Arc<dyn Clock>,
        faults: Faults,
    ) -> Self {
        let folder = match &settings.folder {
            Some(folder) => Folder::new(folder.clone(), false),
            None => Folder::new(data_dir.join("recordings"), true),
        };
        let settings = settings.clone();
        Self(Arc::new(Inner {
            folder,
            settings,
            disks: Disks::new(Path::new("/"), data_dir),
            troubles: Troubles::new(store.clone(), clock.clone(), faults),
            store,
            wall_clock: Mutex::new(SettledClock::new(&*clock)),
            clock,
            growing: Mutex::default(),
            recovered: Mutex::default(),
            trash: Mutex::default(),
            tidying: Mutex::default(),
            storyboards: StoryboardSizes::default(),
        }))
    }

    /// Sets the way for notifications to open pages. Called once, at the start.
    pub fn tell_through(&self, tell: Tell) {
        self.0.troubles.tell_through(tell);
    }

    /// The recording of a stream, if it has one.
    pub fn recording(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        let known = self.known(stream)?;
        Ok(self.with_storyboards(known.into_iter().collect()).pop())
    }

    /// The same, with the bytes of its parts alone.
    pub(super) fn known(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        Ok(self.as_they_grow(self.0.store.recording(stream)?.into_iter().collect()).pop())
    }

    /// All recordings, those of the newest streams first.
    pub fn recordings(&self, query: RecordingQuery) -> Result<Vec<Recording>, StoreError> {
        Ok(self.with_storyboards(self.as_they_grow(self.0.store.recordings(query)?)))
    }

    /// Pins a recording, which is then kept regardless of age and budget, or unpins it.
    pub fn pin(&self, stream: StreamId, is_pinned: bool) -> Result<Recording, StoreError> {
        let mut recording = self.0.store.pin_recording(stream, is_pinned)?;
        if let Some(growth) = self.growing().get(&stream) {
            growth.put_into(&mut recording);
        }
        Ok(self.with_storyboards(vec![recording]).remove(0))
    }

    /// The files of a stream's recording; `None` if it has none.
    pub fn files(&self, stream: StreamId) -> Result<Option<RecordingFiles>, StoreError> {
        let Some(recording) = self.known(stream)? else { return Ok(None) };
        let is_growing = self.growing().contains_key(&stream);
        let recovered = self.recovered().get(&stream).copied().unwrap_or_default();
        let parts: Vec<_> = (1..=recording.parts).map(|part| self.part(&recording.name, part)).collect();
        Ok((!parts.is_empty()).then_some(RecordingFiles { parts, is_growing, recovered }))
    }

    /// Why a stream that should be recorded is not, in words.
    pub fn trouble(&self, stream: StreamId) -> Option<String> {
        self.0.troubles.of(stream)
    }

    /// How much of the card recordings take, and how long it lasts.
    pub fn storage(&self) -> Result<Storage, StoreError> {
        let all = self.with_storyboards(self.all()?);
        let card = self.0.folder.card().ok();
        let now = wall(&*self.0.clock);
        let path = self.0.folder.path().to_owned();
        let mut storage = Storage::new(path, card, &self.0.settings, &all, now);
        storage.trouble = self.0.troubles.any();
        storage.disk = self.disk();
        storage.is_read_only = self.0.folder.is_read_only()
            || self.0.troubles.is_read_only()
            || storage.disk.as_ref().is_some_and(|disk| disk.health.is_read_only);
        Ok(storage)
    }

    /// Reads the health of the folder's disk, and counts the bytes written to it.
    fn disk(&self) -> Option<Disk> {
        self.0.disks.look(self.0.folder.device().ok()?, self.0.clock.since_boot())
    }

    /// The limits that apply now. `all`: the recordings on the card.
    pub(super) fn limits(&self, card: Card, all: &[Recording]) -> Limits {
        let newest = all.iter().map(|recording| recording.started_at).max();
        let mut wall_clock = self.0.wall_clock.lock().unwrap_or_else(PoisonError::into_inner);
        Limits::new(&self.0.settings, card, used(all), wall_clock.now(&*self.0.clock, newest))
    }

    /// A row for a recording that begins now.
    pub(super) fn new_recording(&self, stream: StreamId) -> Result<Recording, StoreError> {
        let title = self.0.store.stream(stream)?.details.title;
        let started_at = wall(&*self.0.clock);
        Ok(Recording {
            stream,
            name: Self::name_of(started_at, &title, stream),
            parts: 0,
            bytes: 0,
            duration_ms: 0,
            started_at,
            state: RecordingState::Recording,
            is_pinned: false,
            is_date_provisional: started_at.unix_millis() < CLOCK_IS_SET,
            is_name_outdated: false,
        })
    }

    pub(super) fn name_of(started_at: Timestamp, title: &str, stream: StreamId) -> String {
        let offset = local_time::offset_seconds(started_at.unix_millis().div_euclid(1000));
        names::name(started_at, offset, title, stream)
    }

    /// The files of a part.
    pub(super) fn part(&self, name: &str, part: u32) -> PartFiles {
        let file = |extension| names::file(self.0.folder.path(), name, part, extension);
        PartFiles { media: file("mp4"), index: file("index") }
    }

    /// Finds out which fragments of a part are whole.
    pub(super) fn recover(&self, name: &str, part: u32, stream: StreamId) -> io::Result<Option<Recovered>> {
        // Counted afterwards: whoever asks for the files from now on reads them again.
        let recovered = recovery::recover(&self.part(name, part), part, stream);
        *self.recovered().entry(stream).or_default() += 1;
        recovered
    }

    /// Changes a recording's row in the store.
    pub(super) fn put(&self, recording: &Recording) -> Result<(), StoreError> {
        self.0.store.put_recording(recording)
    }

    /// The folder of the recordings.
    pub(super) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// Checks that the folder exists and takes writes.
    pub(super) fn find_folder(&self) -> io::Result<()> {
        self.0.folder.find()
    }

    /// Syncs the folder.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.0.folder.sync()
    }

    /// Largest size of a part in bytes, if the file system has a limit.
    pub(super) fn longest_part(&self) -> Option<u64> {
        self.0.folder.longest_part()
    }

    /// Interval from one sync of a recording to the next.
    pub(super) fn sync_interval(&self) -> Duration {
        Duration::from_secs_f64(self.0.settings.sync_seconds)
    }

    /// The recording that a resumed stream continues, recovered if that has not been done yet. From now on the caller is responsible for it.
    pub(super) fn take_up(&self, stream: StreamId) -> Result<Option<Recording>, Trouble> {
        let _tidying = self.tidying();
        let Some(mut recording) = self.0.store.recording(stream)? else { return Ok(None) };
        if recording.state == RecordingState::Recording {
            let Some(growth) = self.close(&recording)? else {
                self.0.store.delete_recording(stream)?;
                self.remove(&recording)?;
                return Ok(None);
            };
            growth.put_into(&mut recording);
        }
        self.growing().insert(stream, Growth::of(&recording));
        Ok(Some(recording))
    }

    /// Notes, also in the store, that a part is about to begin or to continue. `is_known`: the store had the recording before; one that was
    /// deleted since does not come back (`NotFound`).
    pub(crate) fn grows(&self, recording: &Recording, is_known: bool) -> Result<(), StoreError> {
        // First, so that the row is not taken for one that a power cut left.
        self.growing().insert(recording.stream, Growth::of(recording));
        let written = if is_known {
            let change = |known: &mut Recording| {
                Growth::of(recording).put_into(known);
                known.state = RecordingState::Recording;
            };
            self.0.store.change_recording(recording.stream, change).map(drop)
        } else {
            self.0.store.put_recording(recording)
        };
        if written.is_err() {
            self.growing().remove(&recording.stream);
        }
        written
    }

    /// Notes an appended fragment. Returns false if the recording was deleted.
    pub(super) fn grew(&self, stream: StreamId, growth: Growth) -> bool {
        self.growing().get_mut(&stream).map(|known| *known = growth).is_some()
    }

    /// Notes that a recording was closed. If the store cannot be written, the end is read from the files later.
    pub(crate) fn ended(&self, stream: StreamId) {
        let _tidying = self.tidying();
        let Some(growth) = self.growing().remove(&stream) else { return };
        match self.write_end(stream, growth) {
            // It was deleted in the meantime.
            Ok(()) | Err(StoreError::Refused(_)) => {}
            Err(error) => tracing::warn!(%stream, "that a recording has ended is written later: {error}"),
        }
    }

    /// Notes that a recording could not be closed: it is closed later.
    pub(super) fn ended_badly(&self, stream: StreamId) {
        self.growing().remove(&stream);
    }

    pub(super) fn write_end(&self, stream: StreamId, growth: Growth) -> Result<(), StoreError> {
        let ended = self.0.store.change_recording(stream, |known| {
            growth.put_into(known);
            known.state = RecordingState::Ended;
        })?;
        self.describe(&ended);
        Ok(())
    }

    /// Reports that a stream is not recorded for now.
    pub(super) fn is_in_trouble(&self, stream: StreamId, trouble: &Trouble) {
        self.0.troubles.begins(stream, trouble, self.0.folder.path());
    }

    /// The present troubles.
    pub(super) fn troubles(&self) -> &Troubles {
        &self.0.troubles
    }

    /// Does the upkeep: at the start and every minute.
    pub fn tend(&self) -> Result<(), StoreError> {
        self.0.troubles.tell_what_is_due();
        self.0.troubles.forget_slow_disk();
        self.close_what_was_left()?;
        self.correct_names()?;
        self.remove_what_is_deleted()?;
        self.0.storyboards.measure(&self.0.folder);
        self.disk();
        self.keep_within_limits()
    }

    /// Closes a recording by recovering its parts. `None` if no picture of it is left.
    pub(super) fn close(&self, recording: &Recording) -> io::Result<Option<Growth>> {
        let (mut growth, mut ticks) = (Growth::default(), 0);
        for part in 1..=recording.parts {
            if let Some(found) = self.recover(&recording.name, part, recording.stream)? {
                ticks += found.so_far.ticks;
                growth.parts = part;
                growth.bytes += found.bytes();
                found.close(&self.part(&recording.name, part))?;
            }
        }
        growth.duration_ms = recovery::milliseconds(ticks);
        tracing::info!(
            recording = recording.name,
            "closed a recording that was cut off after {} s",
            growth.duration_ms / 1000
        );
        Ok((ticks > 0).then_some(growth))
    }

    /// Writes the sidecar, for people and programs that find the files without Perch.
    pub(super) fn describe(&self, recording: &Recording) {
        let written = self.0.store.stream(recording.stream).and_then(|stream| {
            let streamer = self.0.store.user(stream.facts.user)?;
            Ok(sidecar::text(recording, &stream, &streamer))
        });
        let path = names::file(self.0.folder.path(), &recording.name, 1, "json");
        match written {
            Ok(text) => {
                if let Err(error) = std::fs::write(&path, text) {
                    tracing::warn!("cannot write {}: {error}", path.display());
                }
            }
            Err(error) => tracing::warn!("cannot say what a recording is: {error}"),
        }
    }

    /// The sizes of storyboards.
    pub(super) fn storyboards(&self) -> &StoryboardSizes {
        &self.0.storyboards
    }

    /// All recordings that are not deleted, with the bytes of their parts alone.
    pub(super) fn all(&self) -> Result<Vec<Recording>, StoreError> {
        let mut all = self.0.store.all_recordings()?;
        all.retain(|recording| recording.state != RecordingState::Deleted);
        Ok(self.as_they_grow(all))
    }

    fn as_they_grow(&self, mut all: Vec<Recording>) -> Vec<Recording> {
        let growing = self.growing();
        for recording in &mut all {
            if let Some(growth) = growing.get(&recording.stream) {
                growth.put_into(recording);
            }
        }
        all
    }

    /// Each change under the lock is one step: a panic leaves nothing half done.
    pub(super) fn growing(&self) -> MutexGuard<'_, BTreeMap<StreamId, Growth>> {
        self.0.growing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn recovered(&self) -> MutexGuard<'_, BTreeMap<StreamId, u32>> {
        self.0.recovered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Guards no value.
    pub(super) fn tidying(&self) -> MutexGuard<'_, ()> {
        self.0.tidying.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
