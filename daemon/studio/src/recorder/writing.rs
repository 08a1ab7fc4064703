//! Writes one stream's recording: reads the broadcast and appends to the file, and copes with a card that fails.
//!
//! While the card fails, samples are read and dropped, so that they do not fill the broadcast's ring; every [`RETRY`] the recorder tries to continue
//! after the last whole fragment, with a gap. A stall during which the ring can hold all samples loses nothing.

use super::packer::{Packer, Piece};
use super::part::Part;
use super::recordings::{Growth, Recordings};
use super::recovery::{Recovered, SoFar, milliseconds};
use super::trouble::Trouble;
use crate::broadcast::{Item, Published, Reader, Start, Want};
use crate::clock::{Clock, wall};
use crate::hls::HlsSettings;
use crate::memory_budget::{Held, Part as MemoryPart, StreamShare};
use perch_media::access_unit::VideoFormat;
use perch_media::audio_format::AudioFormat;
use perch_media::cmaf::{FragmentBuilder, init_segment};
use perch_media::recording::index::Header;
use perch_media::recording::{Break, Mark, VIDEO_TIMESCALE};
use perch_media::time::MediaTime;
use perch_store::{Recording, StreamId};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

/// A fragment is a second long, so there is nothing to write more often.
pub(super) const WANT: Want =
    Want { patience: Duration::from_secs(1), at_entry_points: false, start: Start::Oldest };
/// After this long without a sample, the gathered ones become a fragment: the cutter takes a pause of 1.5 s for a seam.
const PAUSE: Duration = Duration::from_millis(1750);
/// Interval at which a failing card is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// A sync that takes at least this long is reported. Cards often stall for a second or two.
const SLOW: Duration = Duration::from_secs(5);
/// Space that is made at a time: enough for some seconds of any stream.
const ROOM: u64 = 16 << 20;

/// A piece is in memory up to three times: its samples, their copy in the builder, whose buffer grows by doubling, and the fragment being written.
const COPIES: usize = 3;

/// Milliseconds into the stream at a monotonic time.
pub(crate) type OffsetOf = Arc<dyn Fn(Duration) -> u64 + Send + Sync>;

/// The stream to record.
#[derive(Clone)]
pub(crate) struct About {
    pub(crate) stream: StreamId,
    /// Settings of HLS: a recording's segments begin where those of HLS begin.
    pub(crate) cuts: HlsSettings,
    pub(crate) offset_ms: OffsetOf,
    /// The share of memory that its buffers count against.
    pub(crate) share: StreamShare,
}

/// The recorder's state.
pub(super) struct Writing {
    recordings: Recordings,
    about: About,
    clock: Arc<dyn Clock>,
    packer: Packer,
    /// `None` before the first fragment.
    recording: Option<Recording>,
    /// The store has it, unless somebody deletes it.
    is_known: bool,
    part: Option<Growing>,
    /// True if the last part was closed without an error, and is counted in `before`.
    is_last_closed: bool,
    /// Bytes and ticks of the parts before the last one.
    before: Option<(u64, u64)>,
    /// A break before the next fragment that the packer does not know of.
    break_before: Break,
    /// Monotonic time of the last failure of the card; set until a write succeeds.
    in_trouble_since: Option<Duration>,
    synced_at: Duration,
    /// Bytes that may be written before space must be made again.
    room: u64,
    last_offset_ms: u64,
    /// Format of the latest sound.
    audio: Option<AudioFormat>,
    /// Bytes of its buffers, as counted in the memory budget.
    held: Held,
    is_deleted: bool,
}

/// The part being written.
struct Growing {
    number: u32,
    part: Part,
    builder: FragmentBuilder,
    /// Duration of the synced pictures, in ticks: a power cut cannot take them any more.
    synced_ticks: u64,
}

impl Growing {
    fn new(number: u32, part: Part, builder: FragmentBuilder) -> Self {
        let synced_ticks = builder.video_end();
        Self { number, part, builder, synced_ticks }
    }
}

impl Writing {
    pub(super) fn new(recordings: Recordings, about: About, clock: Arc<dyn Clock>) -> Self {
        Self {
            recordings,
            packer: Packer::new(
                about.cuts.segment,
                about.cuts.target_duration(),
                about.share.recorder_bytes() / COPIES,
            ),
            held: about.share.hold(MemoryPart::Recorders, 0),
            about,
            recording: None,
            is_known: false,
            part: None,
            is_last_closed: false,
            before: None,
            break_before: Break::None,
            in_trouble_since: None,
            synced_at: clock.monotonic(),
            clock,
            room: 0,
            last_offset_ms: 0,
            audio: None,
            is_deleted: false,
        }
    }

    /// The state after a panic, which was already reported: it waits before the first try.
    pub(super) fn after_a_fault(self) -> Self {
        Self { in_trouble_since: Some(self.clock.monotonic()), ..self }
    }

    /// Records until the broadcast closes.
    pub(super) async fn run(mut self, mut reader: Reader) {
        let mut heard_at = Instant::now();
        loop {
            if self.catch_up(&mut reader) {
                heard_at = Instant::now();
            }
            let pause_at = heard_at + PAUSE;
            let wakes_at = pause_at.min(Instant::now() + self.until_sync());
            match timeout_at(wakes_at, reader.next()).await {
                Ok(Some(item)) => {
                    heard_at = Instant::now();
                    self.take(&item);
                }
                Ok(None) => break,
                Err(_) if wakes_at == pause_at => {
                    // The broadcast wakes nobody for the last pictures before a pause: they are taken before it counts as a pause.
                    if !self.catch_up(&mut reader) {
                        let piece = self.packer.pause();
                        self.keep(piece);
                    }
                    heard_at = Instant::now();
                }
                Err(_) => {}
            }
        }
        let piece = self.packer.finish();
        self.keep(piece);
        self.end();
    }

    /// Takes all samples that are there, then syncs if a sync is due, so that it covers the fragment that has just ended. Returns false if there were
    /// none.
    pub(super) fn catch_up(&mut self, reader: &mut Reader) -> bool {
        let mut was_anything = false;
        while self.take_next(reader) {
            was_anything = true;
        }
        self.sync_when_due();
        was_anything
    }

    /// Takes the next item; returns false if there is none.
    pub(super) fn take_next(&mut self, reader: &mut Reader) -> bool {
        let Some(item) = reader.next_of_those_there() else { return false };
        self.take(&item);
        true
    }

    /// Duration of the fragments written since the last sync.
    pub(super) fn unsynced(&self) -> Duration {
        self.part.as_ref().map_or(Duration::ZERO, |growing| {
            let ticks = growing.builder.video_end().saturating_sub(growing.synced_ticks);
            Duration::from_millis(milliseconds(ticks))
        })
    }

    fn take(&mut self, item: &Item) {
        let piece = match item {
            Item::Lagged { dropped } => {
                tracing::warn!(
                    stream = %self.about.stream,
                    "{dropped} pictures are missing from the recording: the card did not take them in time"
                );
                self.packer.lose()
            }
            Item::Sample(Published { sample, .. }) => {
                // Noted before the first piece is complete, so that the first part has a track for the sound.
                self.audio = sample.audio().map(|frame| *frame.format).or(self.audio);
                self.packer.push(sample)
            }
        };
        self.keep(piece);
        self.held.set(self.packer.bytes() as u64);
    }

    /// Writes a piece, or drops it.
    fn keep(&mut self, piece: Option<Piece>) {
        let Some(piece) = piece.filter(|_| !self.is_deleted) else { return };
        let now = self.clock.monotonic();
        let waits = self.in_trouble_since.is_some_and(|since| now.saturating_sub(since) < RETRY);
        // After a gap players need a picture at which decoding can start.
        if waits || (self.part.is_none() && !piece.is_independent) {
            if self.recording.is_some() {
                self.break_before = Break::Gap;
            }
            return;
        }
        match self.write(piece) {
            Ok(()) => {
                self.break_before = Break::None;
                if self.in_trouble_since.take().is_some() {
                    self.recordings.troubles().is_over(self.about.stream);
                }
            }
            Err(Trouble::Deleted) => {
                self.part = None;
                self.is_deleted = true;
                self.recordings.troubles().ended(self.about.stream);
            }
            Err(trouble) => self.fail(&trouble),
        }
    }

    fn write(&mut self, piece: Piece) -> Result<(), Trouble> {
        self.audio = piece.audio().or(self.audio);
        let longest = self.recordings.longest_part();
        let audio = self.audio;
        // A part ends at a picture at which decoding can start, except when the picture format changes.
        let goes_on = |growing: &Growing| {
            let has_room = longest.is_none_or(|longest| growing.part.end() < longest);
            let may_end = piece.is_independent && !(growing.builder.takes_sound(audio) && has_room);
            growing.builder.takes(piece.format()) && !may_end
        };
        if self.part.as_ref().is_some_and(|growing| !goes_on(growing)) {
            self.close_part()?;
        }
        if self.part.is_none() {
            self.open_part(piece.format(), longest)?;
        }
        // After a stall many pieces are written at once.
        if self.unsynced() > self.recordings.sync_interval() {
            self.sync()?;
        }
        let mark = self.mark(&piece);
        let Some(growing) = &mut self.part else { return Ok(()) };
        self.held.set((self.packer.bytes() + COPIES * piece.bytes()) as u64);
        let (pictures, sound) = piece.into_timed();
        for (unit, duration) in pictures {
            growing.builder.push_video(&unit, duration);
        }
        for frame in sound {
            growing.builder.push_audio(&frame);
        }
        let mut bytes = Vec::new();
        let Some(fragment) = growing.builder.finish(mark, growing.part.end(), &mut bytes) else {
            return Ok(());
        };
        growing.part.append(&fragment, &bytes)?;
        self.room = self.room.saturating_sub(fragment.bytes.into());
        let (bytes, ticks) = self.before.unwrap_or_default();
        let growth = Growth {
            parts: growing.number,
            bytes: bytes + growing.part.bytes(),
            duration_ms: milliseconds(ticks + growing.builder.video_end()),
        };
        if self.recordings.grew(self.about.stream, growth) { Ok(()) } else { Err(Trouble::Deleted) }
    }

    fn mark(&mut self, piece: &Piece) -> Mark {
        let now = self.clock.monotonic();
        let age = MediaTime::from_monotonic(now) - piece.pictures[0].times.pts;
        let age = Duration::from(age);
        // The stream's start is final only once it is live.
        self.last_offset_ms = self.last_offset_ms.max((self.about.offset_ms)(now.saturating_sub(age)));
        Mark {
            begins_segment: piece.begins_segment || self.break_before != Break::None,
            is_independent: piece.is_independent,
            before: if self.break_before == Break::None { piece.before } else { self.break_before },
            stream_offset_ms: self.last_offset_ms,
            wall_ms: wall(&*self.clock).unix_millis().saturating_sub(age.as_millis() as i64),
        }
    }

    /// Continues the last part after its last whole fragment, or begins another one.
    fn open_part(&mut self, format: &Arc<VideoFormat>, longest: Option<u64>) -> Result<(), Trouble> {
        self.recordings.find_folder()?;
        self.make_room()?;
        let init = init_segment(format, self.audio);
        let builder = |part, SoFar { fragments, ticks, audio_end }| {
            let builder =
                FragmentBuilder::going_on(Arc::clone(format), self.audio, fragments, ticks, audio_end);
            if part == 1 { builder } else { builder.repeating_sets() }
        };
        let stream = self.about.stream;
        let recording = match &mut self.recording {
            Some(recording) => recording,
            none => {
                let known = self.recordings.take_up(stream)?;
                if known.is_some() {
                    self.break_before = Break::Seam;
                    self.is_known = true;
                }
                none.insert(known.map_or_else(|| self.recordings.new_recording(stream), Ok)?)
            }
        };
        let files = |part| self.recordings.part(&recording.name, part);
        let is_closed = std::mem::take(&mut self.is_last_closed) || recording.parts == 0;
        let found = if is_closed {
            None
        } else {
            self.recordings.recover(&recording.name, recording.parts, stream)?
        };
        let is_last_gone = found.is_none() && !is_closed;
        let (found_bytes, found_ticks) =
            found.as_ref().map_or((0, 0), |found| (found.bytes(), found.so_far.ticks));
        let recorded_ticks = recording.duration_ms * u64::from(VIDEO_TIMESCALE) / 1000;
        let before = self.before.get_or_insert((
            recording.bytes.saturating_sub(found_bytes),
            recorded_ticks.saturating_sub(found_ticks),
        ));
        let goes_on = |found: &Recovered| {
            found.init == init
                && found.may_be_cut()
                && longest.is_none_or(|longest| found.ends.media < longest)
        };
        let growing = match found {
            Some(found) if goes_on(&found) => {
                self.recordings.grows(recording, self.is_known)?;
                let part = Part::reopen(&files(recording.parts), found.ends)?;
                Growing::new(recording.parts, part, builder(recording.parts, found.so_far))
            }
            found => {
                if let Some(found) = found {
                    found.close(&files(recording.parts))?;
                    *before = (before.0 + found_bytes, before.1 + found_ticks);
                }
                if !is_last_gone {
                    recording.parts += 1;
                }
                // Before the file is created, so that the store knows every file.
                self.recordings.grows(recording, self.is_known)?;
                self.is_known = true;
                let part = recording.parts;
                let header =
                    Header { stream: stream.number().to_be_bytes(), part, init_bytes: init.len() as u32 };
                let files = self.recordings.part(&recording.name, part);
                let begun = Part::create(&files, &header, &init)?;
                self.recordings.sync_folder()?;
                Growing::new(part, begun, builder(part, SoFar::default()))
            }
        };
        self.part = Some(growing);
        Ok(())
    }

    fn make_room(&mut self) -> Result<(), Trouble> {
        if self.room < ROOM / 2 {
            if !self.recordings.make_room(ROOM)? {
                return Err(Trouble::NoRoom);
            }
            self.room = ROOM;
        }
        Ok(())
    }

    fn close_part(&mut self) -> Result<(), Trouble> {
        let Some(growing) = self.part.take() else { return Ok(()) };
        // A part that is closed without an error is not recovered later, so it is counted now.
        let (bytes, ticks) = (growing.part.bytes(), growing.builder.video_end());
        growing.part.close()?;
        if let Some(recording) = &mut self.recording {
            let before = self.before.get_or_insert_default();
            *before = (before.0 + bytes, before.1 + ticks);
            recording.bytes = before.0;
            recording.duration_ms = milliseconds(before.1);
            self.is_last_closed = true;
        }
        Ok(())
    }

    /// Time until the next sync is due; [`PAUSE`] if nothing is unsynced.
    pub(super) fn until_sync(&self) -> Duration {
        if !self.part.as_ref().is_some_and(|growing| growing.part.has_unsynced()) {
            return PAUSE;
        }
        (self.synced_at + self.recordings.sync_interval()).saturating_sub(self.clock.monotonic())
    }

    /// The interval counts from one sync's beginning to the next one's, so a slow card is not asked more often. While a recorder catches up, an
    /// interval's fragments are synced each time.
    fn sync_when_due(&mut self) {
        if self.clock.monotonic().saturating_sub(self.synced_at) < self.recordings.sync_interval() {
            return;
        }
        if let Err(trouble) = self.sync() {
            self.fail(&trouble);
        }
    }

    fn sync(&mut self) -> Result<(), Trouble> {
        let now = self.clock.monotonic();
        self.synced_at = now;
        let Some(growing) = &mut self.part else { return Ok(()) };
        let synced = growing.part.sync().and_then(|()| self.recordings.find_folder());
        let took = self.clock.monotonic().saturating_sub(now);
        if took >= SLOW {
            self.recordings.troubles().disk_was_slow(took);
        }
        synced?;
        growing.synced_ticks = growing.builder.video_end();
        self.make_room()
    }

    /// Drops the part after a failure. It is continued after its last whole fragment once the card takes writes.
    fn fail(&mut self, trouble: &Trouble) {
        self.part = None;
        self.room = 0;
        if self.recording.is_some() {
            self.break_before = Break::Gap;
        }
        self.in_trouble_since = Some(self.clock.monotonic());
        self.recordings.is_in_trouble(self.about.stream, trouble);
    }

    fn end(mut self) {
        let stream = self.about.stream;
        let was_writing = self.part.is_some();
        let closed = self.close_part();
        self.recordings.troubles().ended(stream);
        if self.recording.is_none() || self.is_deleted {
            return;
        }
        match closed {
            Ok(()) if was_writing => self.recordings.ended(stream),
            // It is recovered and closed once the card works.
            _ => self.recordings.ended_badly(stream),
        }
    }
}
