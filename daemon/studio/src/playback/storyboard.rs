//! The small pictures along a recording's time line, as players want them.

use super::Playback;
use crate::recorder::RecordingFiles;
use bytes::Bytes;
use perch_media::recording::storyboard::Storyboard;
use perch_store::StreamId;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;

/// A sheet of small pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The file.
    pub jpeg: Bytes,
    /// Another sheet has another.
    pub check_sum: u32,
}

impl Playback {
    /// Which small picture belongs to which seconds, as WebVTT. `address` is that of a sheet, from 1. `None`: none has been made yet.
    pub fn web_vtt(
        &self,
        stream: StreamId,
        files: &RecordingFiles,
        address: impl Fn(usize) -> String,
    ) -> io::Result<Option<String>> {
        let Some((_, board)) = open(stream, files)? else { return Ok(None) };
        let duration = self.outline(stream, files)?.duration;
        Ok((!board.records.is_empty()).then(|| board.web_vtt(duration, address)))
    }

    /// A sheet by its number, from 1. `None`: there is none of this number, or it is damaged.
    pub fn sheet(stream: StreamId, files: &RecordingFiles, number: usize) -> io::Result<Option<Sheet>> {
        let Some((file, board)) = open(stream, files)? else { return Ok(None) };
        let record = number.checked_sub(1).and_then(|index| board.records.get(index));
        let Some(record) = record else { return Ok(None) };
        let range = record.range();
        let mut bytes = vec![0; (range.end - range.start) as usize];
        file.read_exact_at(&mut bytes, range.start)?;
        let jpeg = record.jpeg(&bytes).map(Bytes::copy_from_slice);
        Ok(jpeg.map(|jpeg| Sheet { jpeg, check_sum: record.check_sum() }))
    }
}

fn open(stream: StreamId, files: &RecordingFiles) -> io::Result<Option<(File, Storyboard)>> {
    let Some(path) = files.storyboard() else { return Ok(None) };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let board = Storyboard::read(&mut file, stream.number().to_be_bytes())?;
    Ok(Some((file, board)))
}
