//! Cuts an Annex B byte stream without timestamps into pictures (ITU-T H.264 §7.4.1.2.3 and §7.4.1.2.4).
//!
//! A picture is known to be whole when the next one begins, so it is returned one frame interval late unless the stream
//! is flushed.

use super::annex_b::{find_start_code, without_trailing_zeros};
use super::nal_unit::NalUnitType;
use super::slice_header::{SLICE_HEADER_BYTES, SliceHeader, is_first_slice};
use super::sps::Sps;
use crate::time::{MediaDuration, MediaTime};
use bytes::{Buf, Bytes, BytesMut};
use std::ops::RangeInclusive;

/// The most bytes kept of a picture that does not end: an IDR of 1080p at 50 Mb/s has a tenth of this.
pub const MAX_PICTURE_BYTES: usize = 4 << 20;

/// Takes the stream chunk by chunk, and returns whole pictures.
#[derive(Debug)]
pub struct PictureSplitter {
    /// The picture being received; begins with its first start code unless `resyncing`.
    buffer: BytesMut,
    /// True if `buffer` consists of several chunks.
    is_joined: bool,
    /// A whole picture, ended by a chunk that begins with the next one.
    ended: Option<(Bytes, MediaTime)>,
    /// Start codes before this offset have been handled.
    scanned: usize,
    /// Offset of the header of the picture's first slice, once there is one.
    first_slice: Option<usize>,
    sps: Option<Sps>,
    /// True while no picture has begun: at the start, and after one that was too large.
    resyncing: bool,
    picture_at: MediaTime,
    /// The newest chunk's length, and the time span in which it arrived.
    chunk_bytes: usize,
    chunk_came: RangeInclusive<MediaTime>,
}

/// A picture grew beyond [`MAX_PICTURE_BYTES`] and was dropped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PictureTooLarge {
    /// Its first bytes, which may contain parameter sets that come only once.
    pub beginning: Bytes,
}

/// Bytes kept of a picture that was too large.
const BEGINNING_BYTES: usize = 4 << 10;

enum Verdict {
    /// More bytes are needed to decide.
    Wait,
    /// The NAL unit belongs to the picture being received.
    SamePicture,
    /// The NAL unit is the first of another access unit.
    NewPicture,
}

impl Default for PictureSplitter {
    fn default() -> Self {
        Self {
            buffer: BytesMut::new(),
            is_joined: false,
            ended: None,
            scanned: 0,
            first_slice: None,
            sps: None,
            resyncing: true,
            picture_at: MediaTime::default(),
            chunk_bytes: 0,
            chunk_came: MediaTime::default()..=MediaTime::default(),
        }
    }
}

impl PictureSplitter {
    /// Takes a chunk that arrived between two moments. Call [`Self::next_picture`] until it returns `None` before the
    /// next chunk.
    pub fn push(&mut self, chunk: Bytes, came: RangeInclusive<MediaTime>) {
        self.chunk_bytes = chunk.len();
        self.chunk_came = came;
        if self.is_ended_by(&chunk) {
            let picture = self.split_off(self.buffer.len());
            let at = std::mem::replace(&mut self.picture_at, *self.chunk_came.start());
            self.ended = Some((picture, at));
            (self.buffer, self.is_joined) = (chunk.into(), false);
            (self.scanned, self.first_slice) = (0, None);
        } else if self.buffer.is_empty() {
            (self.buffer, self.is_joined) = (chunk.into(), false);
        } else {
            self.buffer.extend_from_slice(&chunk);
            self.is_joined = true;
        }
    }

    /// True if the chunk certainly begins with the picture after the received one, which is then complete. Most
    /// programs write like this, and it saves joining chunks.
    fn is_ended_by(&self, chunk: &[u8]) -> bool {
        let ([0, 0, 0, 1, header, payload, ..] | [0, 0, 1, header, payload, ..]) = chunk else {
            return false;
        };
        let unit_type = NalUnitType::from_header(*header);
        let opens = unit_type.opens_access_unit() || unit_type.has_slice_header() && is_first_slice(*payload);
        let all_is_judged = || find_start_code(&self.buffer, self.scanned).is_none();
        opens
            && self.first_slice.is_some()
            && self.buffer.last().is_some_and(|&last| last != 0)
            && all_is_judged()
    }

    /// The next whole picture, and the arrival time of its first byte.
    pub fn next_picture(&mut self) -> Option<Result<(Bytes, MediaTime), PictureTooLarge>> {
        if let Some(ended) = self.ended.take() {
            return Some(Ok(ended));
        }
        while let Some(code) = find_start_code(&self.buffer, self.scanned) {
            let verdict = self.judge(code + 3);
            self.scanned = code;
            match verdict {
                Verdict::Wait => return self.give_up_if_too_large(),
                Verdict::NewPicture if self.resyncing => self.begin_picture(code),
                Verdict::SamePicture if self.resyncing => self.scanned = code + 3,
                Verdict::NewPicture if self.first_slice.is_some() => {
                    let end = code - self.zero_byte_before(code);
                    let next_at = self.came_at(end);
                    let at = std::mem::replace(&mut self.picture_at, next_at);
                    let picture = self.split_off(end);
                    self.scanned = 0;
                    self.first_slice = None;
                    return Some(Ok((picture, at)));
                }
                Verdict::NewPicture | Verdict::SamePicture => self.take_in(code + 3),
            }
        }
        // A start code may lie across the boundary of two chunks.
        self.scanned = self.scanned.max(self.buffer.len().saturating_sub(2));
        if self.resyncing {
            self.buffer.advance(self.scanned);
            self.scanned = 0;
        }
        self.give_up_if_too_large()
    }

    /// Returns the rest of the stream at its end, as a picture.
    pub fn flush(&mut self) -> Option<(Bytes, MediaTime)> {
        let mut rest = std::mem::take(self);
        self.sps = rest.sps.take();
        rest.first_slice.map(|_| (rest.split_off(rest.buffer.len()), rest.picture_at))
    }

    /// Splits off the first `count` bytes. Joined chunks are copied out: one buffer then serves the whole stream, and
    /// its spare capacity is not kept with each picture.
    fn split_off(&mut self, count: usize) -> Bytes {
        if !self.is_joined {
            return self.buffer.split_to(count).freeze();
        }
        let picture = Bytes::copy_from_slice(&self.buffer[..count]);
        self.buffer.advance(count);
        picture
    }

    /// Decides whether the NAL unit whose header is at `header` opens an access unit.
    fn judge(&self, header: usize) -> Verdict {
        let [first, rest @ ..] = &self.buffer[header..] else { return Verdict::Wait };
        let unit_type = NalUnitType::from_header(*first);
        if unit_type == NalUnitType::SPS && find_start_code(rest, 0).is_none() {
            return Verdict::Wait; // it can be read once it is whole
        }
        if unit_type == NalUnitType::PREFIX {
            // It belongs to the slice after it.
            return find_start_code(rest, 0).map_or(Verdict::Wait, |code| self.judge(header + 1 + code + 3));
        }
        if !unit_type.is_slice() {
            return if unit_type.opens_access_unit() { Verdict::NewPicture } else { Verdict::SamePicture };
        }
        let Some(&payload) = rest.first() else { return Verdict::Wait };
        if !unit_type.has_slice_header() {
            Verdict::SamePicture
        } else if is_first_slice(payload) {
            Verdict::NewPicture
        } else {
            self.compare_slices(header)
        }
    }

    /// Compares a later slice: does it belong to the same picture, or to one whose first slice was lost?
    fn compare_slices(&self, header: usize) -> Verdict {
        let (Some(first), Some(sps)) = (self.first_slice, &self.sps) else { return Verdict::SamePicture };
        let Some(slice) = self.beginning_of_slice(header) else { return Verdict::Wait };
        let first = self.beginning_of_slice(first).and_then(|slice| SliceHeader::read(slice, sps));
        match (first, SliceHeader::read(slice, sps)) {
            (Some(first), Some(slice)) if !first.is_same_picture(&slice) => Verdict::NewPicture,
            _ => Verdict::SamePicture,
        }
    }

    /// The bytes of the slice at `header` that its slice header can occupy; `None` until they have arrived.
    fn beginning_of_slice(&self, header: usize) -> Option<&[u8]> {
        let slice = &self.buffer[header..];
        let beginning = &slice[..slice.len().min(SLICE_HEADER_BYTES)];
        match find_start_code(beginning, 0) {
            Some(end) => Some(&beginning[..end]),
            None => (beginning.len() == SLICE_HEADER_BYTES).then_some(beginning),
        }
    }

    /// Notes the effect of the NAL unit at `header` on later ones.
    fn take_in(&mut self, header: usize) {
        let unit_type = NalUnitType::from_header(self.buffer[header]);
        if unit_type == NalUnitType::SPS {
            let unit = &self.buffer[header..];
            let end = find_start_code(unit, 0).unwrap_or(unit.len());
            // An unreadable one is counted by the assembler; here it only prevents the comparison of slices.
            self.sps = Sps::read(without_trailing_zeros(&unit[..end])).ok();
        } else if unit_type.is_slice() && self.first_slice.is_none() {
            self.first_slice = Some(header);
        }
        self.scanned = header;
    }

    /// Drops everything before the start code at `code`, where a picture begins.
    fn begin_picture(&mut self, code: usize) {
        let start = code - self.zero_byte_before(code);
        self.picture_at = self.came_at(start);
        self.buffer.advance(start);
        self.scanned = 0;
        self.resyncing = false;
    }

    /// Arrival time of the byte at `place`: pictures that were read together arrived one after the other.
    fn came_at(&self, place: usize) -> MediaTime {
        let (since, until) = (*self.chunk_came.start(), *self.chunk_came.end());
        let into_chunk = (place + self.chunk_bytes).saturating_sub(self.buffer.len());
        let part = into_chunk as f64 / self.chunk_bytes.max(1) as f64;
        since + MediaDuration::from_ticks(((until - since).ticks() as f64 * part) as i64)
    }

    fn zero_byte_before(&self, code: usize) -> usize {
        usize::from(code > 0 && self.buffer[code - 1] == 0)
    }

    fn give_up_if_too_large<T>(&mut self) -> Option<Result<T, PictureTooLarge>> {
        if self.buffer.len() <= MAX_PICTURE_BYTES {
            return None;
        }
        let beginning = Bytes::copy_from_slice(&self.buffer[..BEGINNING_BYTES]);
        self.buffer = BytesMut::new();
        self.scanned = 0;
        self.first_slice = None;
        self.resyncing = true;
        Some(Err(PictureTooLarge { beginning }))
    }
}
