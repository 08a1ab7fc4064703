//! PES packets of one elementary stream, assembled from transport packets (ISO/IEC 13818-1 §2.4.3.6).
//!
//! Must not be here: the content of PES packets.

use super::packet::PACKET_BYTES;
use super::packet_header::{Condition, PacketHeader};
use bytes::Bytes;

/// PES header up to `PES_header_data_length`.
const HEADER_BYTES: usize = 9;

/// Events in one elementary stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A PES packet, header included, of the announced or actual length.
    Packet(Vec<u8>),
    /// This many transport packets are missing or damaged, and with them the PES packet being collected.
    Lost(u64),
    /// A packet is scrambled.
    Scrambled,
    /// The PES packet exceeded the allowed size and was dropped.
    TooLong,
}

/// Collects the PES packets of one PID.
#[derive(Debug)]
pub(super) struct PesReader {
    pub(super) pid: u16,
    continuity: Option<u8>,
    /// The packet being collected, header included. `None` before the first one begins, and after a loss.
    pes: Option<Vec<u8>>,
    most_bytes: usize,
}

impl PesReader {
    /// A reader for this PID; a PES packet may have `most_bytes`.
    pub(super) const fn new(pid: u16, most_bytes: usize) -> Self {
        Self { pid, continuity: None, pes: None, most_bytes }
    }

    /// True until a whole packet with a payload has come on its PID.
    pub(super) const fn has_seen_nothing(&self) -> bool {
        self.continuity.is_none()
    }

    /// Takes a transport packet of this PID. `ahead`: the bytes that have arrived after it.
    pub(super) fn push(&mut self, packet: &PacketHeader<'_>, ahead: &[u8], mut happened: impl FnMut(Event)) {
        match packet.condition {
            Condition::Good => {}
            Condition::Scrambled => {
                self.pes = None;
                return happened(Event::Scrambled);
            }
            Condition::Damaged => {
                self.pes = None;
                return happened(Event::Lost(1));
            }
        }
        // A packet without payload is not counted, and a packet may come twice (§2.4.3.3).
        let Some(payload) = packet.payload else { return };
        let last = self.continuity.replace(packet.continuity);
        if last == Some(packet.continuity) && !packet.is_discontinuous {
            return;
        }
        let missing = last.map_or(0, |last| packet.continuity.wrapping_sub(last + 1) & 0x0f);
        if missing > 0 && !packet.is_discontinuous {
            self.pes = None;
            happened(Event::Lost(missing.into()));
        }
        if packet.starts {
            if let Some(whole) = self.end() {
                happened(Event::Packet(whole));
            }
            let mut pes = Vec::with_capacity(payload.len() + self.payload_in(ahead));
            pes.extend_from_slice(payload);
            self.pes = Some(pes);
        } else if let Some(pes) = &mut self.pes {
            pes.extend_from_slice(payload);
        } else {
            return;
        }
        // A PES packet of known length ends with its last byte; one of open length (0) ends where the next begins.
        let Some(pes) = &self.pes else { return };
        let length =
            pes.get(4..6).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
        if length > 0 && pes.len() >= 6 + length {
            if let Some(whole) = self.end() {
                happened(Event::Packet(whole));
            }
        } else if pes.len() > self.most_bytes {
            self.pes = None;
            happened(Event::TooLong);
        }
    }

    /// Bytes that may belong to the PES packet that begins before `ahead`, as far as they have come: readers keep its bytes for long, so it
    /// takes no more room than it needs, and is copied once.
    fn payload_in(&self, ahead: &[u8]) -> usize {
        let packets = ahead.chunks_exact(PACKET_BYTES).filter_map(PacketHeader::read);
        let own = packets.filter(|packet| packet.pid == self.pid).take_while(|packet| !packet.starts);
        own.filter_map(|packet| packet.payload).map(<[u8]>::len).sum()
    }

    /// Returns the collected packet: nothing more belongs to it.
    pub(super) fn end(&mut self) -> Option<Vec<u8>> {
        self.pes.take()
    }
}

/// A PES packet's payload and its times, as transmitted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) data: Bytes,
    pub(super) pts: Option<u64>,
    pub(super) dts: Option<u64>,
}

/// Reads a whole PES packet whose `stream_id` is among `ids`; `None` if it is not one, is scrambled or is empty.
pub(super) fn read(pes: Vec<u8>, ids: std::ops::RangeInclusive<u8>) -> Option<Payload> {
    let header = pes.get(..HEADER_BYTES)?;
    // After the length come the bits '10', then PES_scrambling_control, which must be 0.
    if header[..3] != [0, 0, 1] || !ids.contains(&header[3]) || header[6] & 0xf0 != 0x80 {
        return None;
    }
    // PTS_DTS_flags.
    let (is_timed, is_reordered) = (header[7] & 0x80 != 0, header[7] & 0x40 != 0);
    let begin = HEADER_BYTES + usize::from(header[8]);
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let end = if length == 0 { pes.len() } else { (6 + length).min(pes.len()) };
    if begin >= end {
        return None;
    }
    let pts = is_timed.then(|| timestamp(&pes, HEADER_BYTES)).flatten();
    let dts = is_reordered.then(|| timestamp(&pes, HEADER_BYTES + 5)).flatten();
    Some(Payload { data: Bytes::from(pes).slice(begin..end), pts, dts })
}

/// Reads 33 bits from five bytes; a marker bit follows each part (§2.4.3.7).
fn timestamp(pes: &[u8], at: usize) -> Option<u64> {
    let &[first, b, c, d, e] = pes.get(at..at + 5)? else { return None };
    let part = |high: u8, low: u8| u64::from(u16::from_be_bytes([high, low]) >> 1);
    Some(u64::from(first >> 1 & 0x07) << 30 | part(b, c) << 15 | part(d, e))
}
