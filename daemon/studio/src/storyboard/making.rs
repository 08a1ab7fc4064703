//! Makes the sheets that a recording's storyboard lacks, a picture at a time.

use super::key_frames::{KeyFrame, KeyFrames, OpenPart};
use super::painting::{self, Painting};
use crate::recorder::{Appended, RecordingFiles, Recordings};
use crate::snapshot::decode;
use perch_media::recording::storyboard::{self, Storyboard};
use perch_store::StreamId;
use std::fs::File;
use std::io;

/// Pictures of a sheet: while a recording grows, its storyboard lags behind by so many.
pub(super) const PICTURES: usize = 30;
/// When so many key frames one after the other show nothing, the rest will not either: OpenH264 does not know every profile.
const HOPELESS: u32 = 20;

/// Milliseconds from a picture to the next one: short recordings are looked at closely, and ten hours have 3,700 pictures.
pub(super) const fn spacing_ms(at_ms: u64) -> u64 {
    match at_ms {
        0..120_000 => 2000,
        120_000..600_000 => 5000,
        _ => 10_000,
    }
}

/// How far a step came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more to do.
    On,
    /// There is nothing more to do for now.
    Done,
    /// There is no room for it.
    NoRoom,
}

/// The storyboard of one recording, while its next sheets are made.
pub(super) struct Making {
    recordings: Recordings,
    stream: StreamId,
    files: RecordingFiles,
    key_frames: KeyFrames,
    part: Option<OpenPart>,
    /// Where the next sheet goes in the file.
    end: u64,
    /// The next picture is to be taken here or later, milliseconds of the recording.
    next_ms: u64,
    /// The same after the last sheet that was written.
    resume_ms: u64,
    painting: Option<Painting>,
    failures: u32,
    has_written: bool,
}

impl Making {
    /// Finds out what there is already. `None`: there is no such recording.
    pub(super) fn begin(recordings: &Recordings, stream: StreamId) -> io::Result<Option<Self>> {
        let Some(files) = recordings.files(stream).map_err(io::Error::other)? else { return Ok(None) };
        let board = match files.storyboard().map(File::open) {
            Some(Ok(mut file)) => Storyboard::read(&mut file, stream.number().to_be_bytes())?,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => Storyboard::default(),
        };
        let next_ms = board.last_ms().map_or(0, |last| last + spacing_ms(last));
        Ok(Some(Self {
            recordings: recordings.clone(),
            stream,
            key_frames: KeyFrames::new(files.clone()),
            files,
            part: None,
            end: board.end,
            next_ms,
            resume_ms: next_ms,
            painting: None,
            failures: 0,
            has_written: false,
        }))
    }

    /// When the next picture is due, milliseconds of the recording.
    pub(super) const fn next_ms(&self) -> u64 {
        self.next_ms
    }

    /// The same, when all that was not written is made again.
    pub(super) const fn resume_ms(&self) -> u64 {
        self.resume_ms
    }

    /// There is a sheet that was not there before.
    pub(super) const fn has_written(&self) -> bool {
        self.has_written
    }

    /// There are pictures that no sheet was written of.
    pub(super) const fn has_unwritten(&self) -> bool {
        self.painting.is_some()
    }

    /// Does the work of one picture.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        let next_ms = self.next_ms;
        let found =
            self.key_frames.find(|found| found.as_ref().map_or(true, |found| found.time_ms >= next_ms));
        let Some(key_frame) = found.filter(|_| self.failures < HOPELESS).transpose()? else {
            // The last sheet of a recording that grows is made when it is full.
            let may_append = !self.files.is_growing;
            return if may_append { self.append(Step::Done) } else { Ok(Step::Done) };
        };
        let Some(picture) = self.decode(&key_frame)? else {
            self.failures += 1;
            return Ok(Step::On);
        };
        self.failures = 0;
        if self.painting.as_ref().is_some_and(|painting| !painting.takes(&picture)) {
            // Of another shape.
            match self.append(Step::On)? {
                Step::On => {}
                other => return Ok(other),
            }
        }
        let painting = self.painting.get_or_insert_with(|| Painting::new(&picture));
        painting.add(&picture, key_frame.time_ms);
        self.next_ms = key_frame.time_ms + spacing_ms(key_frame.time_ms);
        if painting.len() >= PICTURES { self.append(Step::On) } else { Ok(Step::On) }
    }

    /// `None`: it cannot be shown.
    fn decode(&mut self, key_frame: &KeyFrame) -> io::Result<Option<image::RgbImage>> {
        if self.part.as_ref().is_none_or(|part| part.number != key_frame.part) {
            self.part = OpenPart::open(&self.files, key_frame.part)?;
        }
        let Some(part) = &self.part else { return Ok(None) };
        // A place of the card that cannot be read costs one picture.
        let coded = part.read(key_frame).inspect_err(|error| tracing::debug!("no small picture: {error}"));
        let Some(coded) = coded.ok().flatten() else { return Ok(None) };
        match decode::picture(&coded, &part.sps, painting::WIDTH) {
            Ok(picture) => Ok(Some(painting::small(picture))),
            Err(error) => {
                tracing::debug!("no small picture: {error}");
                Ok(None)
            }
        }
    }

    /// Writes the sheet, if there is one, and goes on as `then` says.
    fn append(&mut self, then: Step) -> io::Result<Step> {
        let Some(painting) = self.painting.take() else { return Ok(then) };
        let (sheet, jpeg) = painting.finish().map_err(io::Error::other)?;
        let last = sheet.times_ms.last().copied();
        let mut bytes =
            if self.end == 0 { storyboard::header(self.stream.number().to_be_bytes()) } else { Vec::new() };
        storyboard::encode(&sheet, &jpeg, &mut bytes);
        match self.recordings.append_to_storyboard(self.stream, self.end, &bytes)? {
            Appended::Kept => {
                self.has_written = true;
                self.end += bytes.len() as u64;
                self.resume_ms = last.map_or(0, |last| last + spacing_ms(last));
                Ok(then)
            }
            Appended::NoRoom => Ok(Step::NoRoom),
            Appended::Deleted => Ok(Step::Done),
        }
    }
}
