//! What was read of a stream that carries no times: each piece with the moments between which it came, held until it is handed on.
//!
//! Must not be here: reading, what pieces mean beyond where an entry begins.

use crate::capture::source::Output;
use bytes::Bytes;
use perch_media::h264::annex_b::nal_units;
use perch_media::h264::nal_unit::NalUnitType;
use std::collections::VecDeque;
use std::time::Duration;

/// Size asked for the pipe of standard output, in bytes: the most an unprivileged process gets (`/proc/sys/fs/pipe-max-size`, pipe(7)), so
/// that a slow moment of ours does not block the child.
pub(super) const PIPE: usize = 1 << 20;
/// How long bytes may wait until they are handed on: work on several pictures together costs hardly more than work on one, whose code and
/// data are no longer in the processor's caches. Those that carry their times wait in the pipe, where they cost no wake-up; the others are
/// read as they come and held, but for entries ([`Held`]). At rates that would fill a quarter of the pipe meanwhile none wait.
pub(super) const LINGER: Duration = Duration::from_millis(200);
/// Bytes of a piece in which an entry shows: delimiter and parameter sets come first.
const HEAD: usize = 64;

/// Bytes that came between two moments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) data: Bytes,
    pub(super) since: Duration,
    pub(super) read_at: Duration,
}

impl From<Piece> for Output {
    fn from(Piece { data, since, read_at }: Piece) -> Self {
        Self::Stream { data, since, read_at }
    }
}

/// The pieces, in order.
#[derive(Debug, Default)]
pub(super) struct Held {
    pieces: VecDeque<Piece>,
    bytes: usize,
    /// When the oldest was read.
    since: Duration,
    /// The newest picture is an entry, which ends a segment. It is whole when the next picture begins, and goes on with that at once.
    entry_came: bool,
    is_handed_on: bool,
}

impl Held {
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Takes the next piece in.
    pub(super) fn push(&mut self, piece: Piece) {
        if self.pieces.is_empty() {
            (self.bytes, self.since) = (0, piece.read_at);
        }
        self.bytes += piece.data.len();
        if let Some(is_entry) = begins_entry(&piece.data) {
            self.is_handed_on |= std::mem::replace(&mut self.entry_came, is_entry);
        }
        self.is_handed_on |= piece.read_at >= self.since + LINGER || self.bytes >= PIPE / 4;
        self.pieces.push_back(piece);
    }

    /// All pieces are given out, whenever they came.
    pub(super) const fn hand_on(&mut self) {
        self.is_handed_on = true;
    }

    /// The next piece, when it is time.
    pub(super) fn take(&mut self) -> Option<Piece> {
        let piece = if self.is_handed_on { self.pieces.pop_front() } else { None };
        self.is_handed_on &= piece.is_some();
        piece
    }
}

/// Whether the picture with which `data` begins is an entry; `None` where it begins within a picture.
fn begins_entry(data: &[u8]) -> Option<bool> {
    let ([0, 0, 1, ..] | [0, 0, 0, 1, ..]) = data else { return None };
    let is_entry = |unit_type| matches!(unit_type, NalUnitType::SPS | NalUnitType::IDR_SLICE);
    Some(nal_units(&data[..data.len().min(HEAD)]).any(|unit| is_entry(unit.unit_type())))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIMITER: &[u8] = &[0, 0, 0, 1, 9, 0xf0];
    const SPS: &[u8] = &[0, 0, 0, 1, 0x67, 66];
    const SLICE: &[u8] = &[0, 0, 0, 1, 0x41, 0x9a];
    const REST: &[u8] = &[7; 20];

    fn piece(milliseconds: u64, data: &[&[u8]]) -> Piece {
        let read_at = Duration::from_millis(milliseconds);
        Piece { data: data.concat().into(), since: read_at, read_at }
    }

    fn taken(held: &mut Held) -> Vec<u64> {
        let pieces = std::iter::from_fn(|| held.take());
        pieces.map(|piece| piece.read_at.as_millis() as u64).collect()
    }

    #[test]
    fn pieces_keep_their_moments_and_go_on_together_when_the_first_has_waited() {
        let mut held = Held::default();
        for at in (0..200).step_by(40) {
            held.push(piece(at, &[SLICE]));
            assert_eq!(taken(&mut held), [0_u64; 0]);
        }
        held.push(piece(200, &[SLICE]));
        assert_eq!(taken(&mut held), [0, 40, 80, 120, 160, 200]);
        assert!(held.is_empty());
        held.push(piece(240, &[SLICE]));
        assert_eq!(taken(&mut held), [0_u64; 0], "the next one waits again");
        held.hand_on();
        assert_eq!(taken(&mut held), [240]);
    }

    #[test]
    fn an_entry_waits_for_nothing_but_its_end() {
        let mut held = Held::default();
        for (at, data) in [(0, &[SLICE][..]), (40, &[DELIMITER, SPS, REST]), (41, &[REST]), (42, &[REST])] {
            held.push(piece(at, data));
            assert_eq!(taken(&mut held), [0_u64; 0], "not whole at {at}");
        }
        held.push(piece(80, &[DELIMITER, SLICE]));
        assert_eq!(taken(&mut held), [0, 40, 41, 42, 80]);
        held.push(piece(120, &[SLICE]));
        assert_eq!(taken(&mut held), [0_u64; 0]);
    }

    #[test]
    fn a_flood_is_not_held() {
        let mut held = Held::default();
        held.push(piece(0, &[&vec![0xff; PIPE / 4 - 1]]));
        assert_eq!(taken(&mut held).len(), 0);
        held.push(piece(0, &[&[0xff]]));
        assert_eq!(taken(&mut held).len(), 2);
    }
}
