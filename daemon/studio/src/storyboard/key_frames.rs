//! The key frames of a recording, from the indexes beside its parts, and their bytes from the parts.

use crate::recorder::RecordingFiles;
use perch_media::cmaf::Description;
use perch_media::h264::avcc;
use perch_media::recording::index::{IndexError, Reader};
use perch_media::recording::{Fragment, VIDEO_TIMESCALE};
use rustix::fs::{Advice, fadvise};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt as _;

/// No header of a part is longer: it has no samples.
const LONGEST_HEADER: u32 = 64 << 10;
/// Bytes of a key frame at most: a 4K picture at a very high rate has fewer.
const LONGEST_PICTURE: u32 = 8 << 20;
const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Where a key frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyFrame {
    /// From 0.
    pub(super) part: usize,
    /// In the part's file.
    pub(super) at: u64,
    pub(super) bytes: u32,
    /// Milliseconds of the recording.
    pub(super) time_ms: u64,
}

/// All key frames of a recording, in order.
pub(super) struct KeyFrames {
    files: RecordingFiles,
    part: usize,
    reader: Option<Reader<BufReader<File>>>,
    /// Ticks of the fragments so far.
    ticks: u64,
    read: VecDeque<KeyFrame>,
}

impl KeyFrames {
    pub(super) const fn new(files: RecordingFiles) -> Self {
        Self { files, part: 0, reader: None, ticks: 0, read: VecDeque::new() }
    }

    /// The next fragment of a part whose index can be read. What is torn at an index's end is left out.
    fn fragment(&mut self) -> io::Result<Option<Fragment>> {
        while let Some(files) = self.files.parts.get(self.part) {
            if self.reader.is_none() {
                match Reader::new(BufReader::new(File::open(&files.index)?)) {
                    Ok(reader) => self.reader = Some(reader),
                    Err(IndexError::Io(error)) => return Err(error),
                    Err(_) => {}
                }
            }
            match self.reader.as_mut().and_then(Iterator::next) {
                Some(Ok(fragment)) => return Ok(Some(fragment)),
                Some(Err(IndexError::Io(error))) => return Err(error),
                _ => {
                    self.part += 1;
                    self.reader = None;
                }
            }
        }
        Ok(None)
    }

    fn take(&mut self, fragment: &Fragment) {
        let (mut at, mut ticks) = (fragment.at + u64::from(fragment.video.data_at), self.ticks);
        for sample in &fragment.video.samples {
            if sample.is_key {
                let time_ms = ticks * 1000 / u64::from(VIDEO_TIMESCALE);
                self.read.push_back(KeyFrame { part: self.part, at, bytes: sample.bytes, time_ms });
            }
            at += u64::from(sample.bytes);
            ticks += u64::from(sample.duration);
        }
        self.ticks = ticks;
    }
}

impl Iterator for KeyFrames {
    type Item = io::Result<KeyFrame>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.read.pop_front() {
                return Some(Ok(found));
            }
            match self.fragment() {
                Ok(Some(fragment)) => self.take(&fragment),
                Ok(None) => return None,
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// A part whose key frames are read.
pub(super) struct OpenPart {
    pub(super) number: usize,
    file: File,
    pub(super) sps: Vec<u8>,
    /// In Annex B.
    parameter_sets: Vec<u8>,
}

impl OpenPart {
    /// `None`: it has no header of ours.
    pub(super) fn open(files: &RecordingFiles, number: usize) -> io::Result<Option<Self>> {
        let Some(part) = files.parts.get(number) else { return Ok(None) };
        let Ok(index) = Reader::new(BufReader::new(File::open(&part.index)?)) else { return Ok(None) };
        let file = File::open(&part.media)?;
        // One picture out of some megabytes: what lies behind it is not read ahead.
        let _ = fadvise(&file, 0, None, Advice::Random);
        let mut head = vec![0; index.header().init_bytes.min(LONGEST_HEADER) as usize];
        file.read_exact_at(&mut head, 0)?;
        let description = Description::read(&head);
        let Some(sets) = description.as_ref().and_then(Description::parameter_sets) else { return Ok(None) };
        let sps = sets[0].to_vec();
        let parameter_sets = sets.iter().flat_map(|set| [&START_CODE[..], set].concat()).collect();
        Ok(Some(Self { number, file, sps, parameter_sets }))
    }

    /// A key frame in Annex B, behind its parameter sets. `None`: its bytes are damaged.
    pub(super) fn read(&self, key_frame: &KeyFrame) -> io::Result<Option<Vec<u8>>> {
        if key_frame.bytes > LONGEST_PICTURE {
            return Ok(None);
        }
        let mut coded = self.parameter_sets.clone();
        let begin = coded.len();
        coded.resize(begin + key_frame.bytes as usize, 0);
        self.file.read_exact_at(&mut coded[begin..], key_frame.at)?;
        Ok(avcc::into_annex_b(&mut coded[begin..]).then_some(coded))
    }
}
