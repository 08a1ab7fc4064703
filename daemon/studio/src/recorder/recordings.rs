//! All recordings: which there are, where their files are, and what they take of the card.
//!
//! The store has a row for each. What grows is known here as it grows; the store learns of it at the beginning, with each part and at the
//! end, because each of its writes syncs the card.

use super::folder::Folder;
use super::keeping::{Card, Limits, WallClock, used};
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
use crate::tell::Tell;
use perch_device::local_time;
use perch_store::{Recording, RecordingQuery, RecordingState, Store, StoreError, StreamId, Timestamp};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// 2026-01-01, in milliseconds since the Unix epoch: a clock that shows less was not set.
const CLOCK_IS_SET: i64 = 1_767_225_600_000;

/// The files of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordingFiles {
    /// One at least, in their order.
    pub parts: Vec<PartFiles>,
    /// The last part grows: its index may end in a record that is being written, and names no bytes that the part does not have.
    pub is_growing: bool,
    /// How often parts were recovered in this run of the daemon: each time, what was read of their ends before may be true no longer.
    pub recovered: u32,
}

impl RecordingFiles {
    /// Where the small pictures along its time line are, once there are any.
    pub fn storyboard(&self) -> Option<PathBuf> {
        self.parts.first().map(|first| first.media.with_extension(names::STORYBOARD))
    }
}

/// How far a recording has grown.
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

/// All recordings; clones are the same. Calls ask the store and the card, and block.
#[derive(Clone)]
pub struct Recordings(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) folder: Folder,
    pub(super) settings: config::Recording,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<dyn Clock>,
    wall_clock: Mutex<WallClock>,
    growing: Mutex<BTreeMap<StreamId, Growth>>,
    /// How often parts of recordings were recovered, where they were.
    recovered: Mutex<BTreeMap<StreamId, u32>>,
    troubles: Troubles,
    disks: Disks,
    /// Deleted a moment ago: their files are still there.
    pub(super) trash: Mutex<Trash>,
    /// Held while files are deleted or renamed, so that two do not reckon with the same room.
    tidying: Mutex<()>,
    storyboards: StoryboardSizes,
}

impl std::fmt::Debug for Recordings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recordings").field("folder", &self.0.folder).finish_non_exhaustive()
    }
}

impl Recordings {
    /// The recordings of a store, in the configured folder or in `data_dir`. Nothing is looked at yet.
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
            wall_clock: Mutex::new(WallClock::new(&*clock)),
            clock,
            growing: Mutex::default(),
            recovered: Mutex::default(),
            trash: Mutex::default(),
            tidying: Mutex::default(),
            storyboards: StoryboardSizes::default(),
        }))
    }

    /// Notifications of recordings go through this to open pages. Once, at the start.
    pub fn tell_through(&self, tell: Tell) {
        self.0.troubles.tell_through(tell);
    }

    /// The recording of a stream, if it has one.
    pub fn recording(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        let known = self.known(stream)?;
        Ok(self.with_storyboards(known.into_iter().collect()).pop())
    }

    /// The same; its bytes are those of the parts alone.
    pub(super) fn known(&self, stream: StreamId) -> Result<Option<Recording>, StoreError> {
        Ok(self.as_they_grow(self.0.store.recording(stream)?.into_iter().collect()).pop())
    }

    /// Recordings, those of the newest streams first.
    pub fn recordings(&self, query: RecordingQuery) -> Result<Vec<Recording>, StoreError> {
        Ok(self.with_storyboards(self.as_they_grow(self.0.store.recordings(query)?)))
    }

    /// Keeps a recording whatever its age and the room on the card, or no longer.
    pub fn pin(&self, stream: StreamId, is_pinned: bool) -> Result<Recording, StoreError> {
        let mut recording = self.0.store.pin_recording(stream, is_pinned)?;
        if let Some(growth) = self.growing().get(&stream) {
            growth.put_into(&mut recording);
        }
        Ok(self.with_storyboards(vec![recording]).remove(0))
    }

    /// Where the files of a stream's recording are. `None`: it has none.
    pub fn files(&self, stream: StreamId) -> Result<Option<RecordingFiles>, StoreError> {
        let Some(recording) = self.known(stream)? else { return Ok(None) };
        let is_growing = self.growing().contains_key(&stream);
        let recovered = self.recovered().get(&stream).copied().unwrap_or_default();
        let parts: Vec<_> = (1..=recording.parts).map(|part| self.part(&recording.name, part)).collect();
        Ok((!parts.is_empty()).then_some(RecordingFiles { parts, is_growing, recovered }))
    }

    /// Why a stream that is to be recorded is not being recorded just now, in words.
    pub fn trouble(&self, stream: StreamId) -> Option<String> {
        self.0.troubles.of(stream)
    }

    /// What recordings take of the card, and how long it lasts.
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

    /// Looks at the disk that the folder is on, and counts what was written to it.
    fn disk(&self) -> Option<Disk> {
        self.0.disks.look(self.0.folder.device().ok()?, self.0.clock.since_boot())
    }

    /// What may be written to the card now. `all`: the recordings on it.
    pub(super) fn limits(&self, card: Card, all: &[Recording]) -> Limits {
        let mut wall_clock = self.0.wall_clock.lock().unwrap_or_else(PoisonError::into_inner);
        Limits::new(&self.0.settings, card, used(all), wall_clock.now(&*self.0.clock, all))
    }

    /// Names a recording that begins now.
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

    /// Where a part lies.
    pub(super) fn part(&self, name: &str, part: u32) -> PartFiles {
        let file = |extension| names::file(self.0.folder.path(), name, part, extension);
        PartFiles { media: file("mp4"), index: file("index") }
    }

    /// Finds out what is whole of a part.
    pub(super) fn recover(&self, name: &str, part: u32, stream: StreamId) -> io::Result<Option<Recovered>> {
        // Afterwards: who asks for its files from here on reads them anew.
        let recovered = recovery::recover(&self.part(name, part), part, stream);
        *self.recovered().entry(stream).or_default() += 1;
        recovered
    }

    /// Writes what is known of a recording.
    pub(super) fn put(&self, recording: &Recording) -> Result<(), StoreError> {
        self.0.store.put_recording(recording)
    }

    /// Where recordings lie.
    pub(super) fn folder(&self) -> &Folder {
        &self.0.folder
    }

    /// Makes sure that the folder is there.
    pub(super) fn find_folder(&self) -> io::Result<()> {
        self.0.folder.find()
    }

    /// Puts on the card which files there are.
    pub(super) fn sync_folder(&self) -> io::Result<()> {
        self.0.folder.sync()
    }

    /// Bytes of a part at most, where its file system has a limit.
    pub(super) fn longest_part(&self) -> Option<u64> {
        self.0.folder.longest_part()
    }

    /// From one sync of a recording to the next.
    pub(super) fn sync_interval(&self) -> Duration {
        Duration::from_secs_f64(self.0.settings.sync_seconds)
    }

    /// The recording of a stream that goes on with it, closed from its own bytes if nobody has done that yet. From here on it is looked after by
    /// who goes on with it.
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

    /// A part is about to begin or to go on: the store knows of it from here on. `is_known`: the store had the recording before; one that was
    /// deleted since does not come back (`NotFound`).
    pub(crate) fn grows(&self, recording: &Recording, is_known: bool) -> Result<(), StoreError> {
        // First, so that nobody takes the row for one that a power cut left.
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

    /// A fragment was appended. Says whether the recording is still wanted.
    pub(super) fn grew(&self, stream: StreamId, growth: Growth) -> bool {
        self.growing().get_mut(&stream).map(|known| *known = growth).is_some()
    }

    /// A recording was closed. Where the store does not take that, its end is found out later from its files.
    pub(crate) fn ended(&self, stream: StreamId) {
        let _tidying = self.tidying();
        let Some(growth) = self.growing().remove(&stream) else { return };
        match self.write_end(stream, growth) {
            // It was deleted meanwhile.
            Ok(()) | Err(StoreError::Refused(_)) => {}
            Err(error) => tracing::warn!(%stream, "that a recording has ended is written later: {error}"),
        }
    }

    /// A recording could not be closed: that is done later.
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

    /// Nothing is written for a while.
    pub(super) fn is_in_trouble(&self, stream: StreamId, trouble: &Trouble) {
        self.0.troubles.begins(stream, trouble, self.0.folder.path());
    }

    /// What does not work just now.
    pub(super) fn troubles(&self) -> &Troubles {
        &self.0.troubles
    }

    /// Looks after everything: at the start, and every minute.
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

    /// Closes a recording from its own bytes. `None`: not one picture of it is left.
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

    /// Writes beside a recording what it is, for people and programs that find it without Perch.
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

    /// What storyboards take of the card.
    pub(super) fn storyboards(&self) -> &StoryboardSizes {
        &self.0.storyboards
    }

    /// All that are not deleted; their bytes are those of the parts alone.
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
