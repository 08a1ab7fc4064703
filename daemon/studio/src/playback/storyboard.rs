//! Serves a recording's storyboard to players.

use crate::recorder::RecordingFiles;
use bytes::Bytes;
use perch_media::recording::storyboard::Storyboard;
use perch_store::StreamId;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

/// A sheet of small pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sheet {
    /// The JPEG file.
    pub jpeg: Bytes,
    /// Differs from sheet to sheet; for the entity tag.
    pub check_sum: u32,
}

/// The `WebVTT` track; `duration` is the recording's.
pub(super) fn web_vtt(
    stream: StreamId,
    files: &RecordingFiles,
    duration: Duration,
    address: impl Fn(usize) -> String,
) -> io::Result<Option<String>> {
    let Some((_, board)) = open(stream, files)? else { return Ok(None) };
    Ok((!board.records.is_empty()).then(|| board.web_vtt(duration, address)))
}

/// A sheet of a recording by its number, from 1; `None` if there is no such sheet, or it is damaged. Reads the card, and blocks.
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

fn open(stream: StreamId, files: &RecordingFiles) -> io::Result<Option<(File, Storyboard)>> {
    let Some(path) = files.storyboard() else { return Ok(None) };
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    let board = Storyboard::read(&mut file, stream.number().to_be_bytes())?;
    Ok(Some((file, board)))
}
