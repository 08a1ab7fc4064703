//! Takes a foreign transport stream apart (ISO/IEC 13818-1): finds the first program's H.264 and gives out its PES packets with their true times.
//!
//! Bytes may come in pieces of any size. What is damaged, lost or scrambled is left out and told ([`Found::Lost`]), so that nobody decodes
//! what refers to it. Memory is bounded by one picture and one piece.
//!
//! Must not be here: what the pictures hold, clocks, waiting.

use super::PACKET_BYTES;
use super::section::{SectionReader, program_map_pid, streams};
use crate::h264::picture_splitter::MAX_PICTURE_BYTES;
use crate::time::{MediaDuration, MediaTime, Unwrapper};
use bytes::Bytes;
use std::collections::VecDeque;

const SYNC_BYTE: u8 = 0x47;
const PAT_PID: u16 = 0;
/// `stream_type` of H.264 (Table 2-34).
const H264: u8 = 0x1b;
/// PES header up to `PES_header_data_length` (§2.4.3.6).
const PES_HEADER_BYTES: usize = 9;
/// One round of the 33-bit times, and half of it.
const ROUND: i64 = 1 << 33;

/// A PES packet of the video: an access unit, as every live muxer packs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedPicture {
    /// Annex B.
    pub data: Bytes,
    /// Presentation time, unwrapped; the zero is the source's own.
    pub pts: MediaTime,
    /// Decoding time, unwrapped; equal to `pts` where the stream names none.
    pub dts: MediaTime,
}

/// What came out of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next picture.
    Picture(TimedPicture),
    /// At least one picture is missing here: what follows may refer to it.
    Lost,
}

/// Why a stream gives no pictures. Each says what a person can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportStreamError {
    /// No PAT, or no PMT.
    #[error("it writes an MPEG transport stream without program tables")]
    NoProgram,
    /// A program without H.264.
    #[error("it writes an MPEG transport stream with {0} and no H.264: have it code the picture as H.264")]
    NoH264(String),
    /// `transport_scrambling_control` is set.
    #[error("its MPEG transport stream is scrambled: switch the encryption off")]
    Scrambled,
    /// H.264 without times.
    #[error("its MPEG transport stream carries no presentation times")]
    NoTimes,
}

/// What was left out since the demuxer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemuxerCounters {
    /// Bytes outside packets.
    pub garbage_bytes: u64,
    /// Packets of the program that are missing by their counters, or are flagged as damaged.
    pub lost_packets: u64,
    /// Packets of the video that are scrambled.
    pub scrambled: u64,
    /// PES packets of the video that are damaged, too large or without times.
    pub discarded_pictures: u64,
}

/// Whether a source's first bytes begin a transport stream. `None`: a packet and a byte are needed to tell.
pub fn is_transport_stream(first: &[u8]) -> Option<bool> {
    match (first.first(), first.get(PACKET_BYTES)) {
        (None, _) | (Some(&SYNC_BYTE), None) => None,
        (Some(&first), next) => Some(first == SYNC_BYTE && next == Some(&SYNC_BYTE)),
    }
}

/// One source's transport stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    /// The beginning of a packet whose rest is to come.
    partial: Vec<u8>,
    in_sync: bool,
    pat: SectionReader,
    pmt: SectionReader,
    pmt_pid: Option<u16>,
    /// What the PMT announces, types and PIDs; `None` before there is one.
    streams: Option<Vec<(u8, u16)>>,
    video: Video,
    found: VecDeque<Found>,
    counters: DemuxerCounters,
}

/// The video's PID and the PES packet that is being collected.
#[derive(Debug, Default)]
struct Video {
    pid: Option<u16>,
    continuity: Option<u8>,
    /// Header included. `None` before the first beginning, and after a loss.
    pes: Option<Vec<u8>>,
    has_pictures: bool,
    dts: Unwrapper,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Condition {
    Good,
    /// `transport_error_indicator`.
    Damaged,
    Scrambled,
}

/// One packet's header (§2.4.3.2) and payload.
struct Packet<'a> {
    condition: Condition,
    starts: bool,
    pid: u16,
    continuity: u8,
    /// `discontinuity_indicator` of the adaptation field.
    is_discontinuous: bool,
    payload: Option<&'a [u8]>,
}

impl Demuxer {
    /// At the beginning of a stream, or anywhere in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// What was left out so far.
    pub const fn counters(&self) -> DemuxerCounters {
        self.counters
    }

    /// Takes the next bytes. Call [`Self::next_found`] until it gives `None` before the next piece.
    pub fn push(&mut self, bytes: &[u8]) {
        let mut held = std::mem::take(&mut self.partial);
        held.extend_from_slice(bytes);
        let left = self.take_packets(&held);
        held.drain(..held.len() - left);
        self.partial = held;
    }

    /// What came out, in order.
    pub fn next_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// The stream has ended, or paused: gives out the picture that is whole as far as can be known.
    pub fn flush(&mut self) {
        self.end_picture();
    }

    /// Why there are no pictures, as far as what came until now tells.
    pub fn problem(&self) -> Option<TransportStreamError> {
        if self.video.has_pictures {
            return None;
        }
        if self.counters.scrambled > 0 {
            return Some(TransportStreamError::Scrambled);
        }
        let Some(streams) = &self.streams else { return Some(TransportStreamError::NoProgram) };
        if self.video.pid.is_some() {
            return (self.counters.discarded_pictures > 0).then_some(TransportStreamError::NoTimes);
        }
        let names: Vec<_> = streams.iter().map(|(stream_type, _)| name_of(*stream_type)).collect();
        let names = if names.is_empty() { "nothing in its program".to_owned() } else { names.join(", ") };
        Some(TransportStreamError::NoH264(names))
    }

    /// Takes the whole packets; gives the number of bytes at the end that are to be kept.
    fn take_packets(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some(packet) = bytes.get(at..at + PACKET_BYTES) {
            if packet[0] != SYNC_BYTE {
                self.in_sync = false;
                self.counters.garbage_bytes += 1;
                at += 1;
                continue;
            }
            if !self.in_sync {
                // A sync byte may stand in a payload, too: the next packet has to follow (§2.4.3.2 leaves the way to the decoder).
                match bytes.get(at + PACKET_BYTES) {
                    Some(&SYNC_BYTE) => self.in_sync = true,
                    Some(_) => {
                        self.counters.garbage_bytes += 1;
                        at += 1;
                        continue;
                    }
                    None => break,
                }
            }
            self.take_packet(packet);
            at += PACKET_BYTES;
        }
        bytes.len() - at
    }

    fn take_packet(&mut self, bytes: &[u8]) {
        let Some(packet) = Packet::read(bytes) else { return };
        if packet.pid == PAT_PID {
            self.take_pat(&packet);
        } else if Some(packet.pid) == self.pmt_pid {
            self.take_pmt(&packet);
        } else if Some(packet.pid) == self.video.pid {
            self.take_video(&packet);
        }
    }

    fn take_pat(&mut self, packet: &Packet<'_>) {
        let Some(payload) = packet.payload.filter(|_| packet.condition == Condition::Good) else {
            return self.pat.discard();
        };
        let mut pid = None;
        self.pat.push(payload, packet.starts, |section| pid = program_map_pid(section).or(pid));
        if pid.is_some() && pid != self.pmt_pid {
            self.pmt_pid = pid;
            self.pmt.discard();
        }
    }

    fn take_pmt(&mut self, packet: &Packet<'_>) {
        let Some(payload) = packet.payload.filter(|_| packet.condition == Condition::Good) else {
            return self.pmt.discard();
        };
        let mut announced = None;
        self.pmt.push(payload, packet.starts, |section| announced = streams(section).or(announced.take()));
        let Some(announced) = announced else { return };
        let pid = announced.iter().find(|(stream_type, _)| *stream_type == H264).map(|(_, pid)| *pid);
        if pid != self.video.pid {
            self.end_picture();
            (self.video.pid, self.video.continuity, self.video.pes) = (pid, None, None);
        }
        self.streams = Some(announced);
    }

    fn take_video(&mut self, packet: &Packet<'_>) {
        if packet.condition == Condition::Scrambled {
            self.counters.scrambled += 1;
            return self.lose();
        }
        if packet.condition == Condition::Damaged {
            self.counters.lost_packets += 1;
            return self.lose();
        }
        // A packet without payload does not count, and one may come twice (§2.4.3.3).
        let Some(payload) = packet.payload else { return };
        let last = self.video.continuity.replace(packet.continuity);
        if last == Some(packet.continuity) && !packet.is_discontinuous {
            return;
        }
        let missing = last.map_or(0, |last| packet.continuity.wrapping_sub(last + 1) & 0x0f);
        if missing > 0 && !packet.is_discontinuous {
            self.counters.lost_packets += u64::from(missing);
            self.lose();
        }
        if packet.starts {
            self.end_picture();
            self.video.pes = Some(payload.to_vec());
        } else if let Some(pes) = &mut self.video.pes {
            pes.extend_from_slice(payload);
        } else {
            return;
        }
        self.look_for_the_end();
    }

    /// A PES packet whose length is known is over with its last byte; one of open length (0) with the next beginning.
    fn look_for_the_end(&mut self) {
        let Some(pes) = &self.video.pes else { return };
        let length =
            pes.get(4..6).map_or(0, |length| usize::from(u16::from_be_bytes([length[0], length[1]])));
        if length > 0 && pes.len() >= 6 + length {
            self.end_picture();
        } else if pes.len() > MAX_PICTURE_BYTES {
            self.counters.discarded_pictures += 1;
            self.lose();
        }
    }

    fn end_picture(&mut self) {
        let Some(pes) = self.video.pes.take() else { return };
        if let Some(picture) = picture(pes, &mut self.video.dts) {
            self.video.has_pictures = true;
            self.found.push_back(Found::Picture(picture));
        } else {
            self.counters.discarded_pictures += 1;
            self.lose();
        }
    }

    fn lose(&mut self) {
        self.video.pes = None;
        if self.video.has_pictures && self.found.back() != Some(&Found::Lost) {
            self.found.push_back(Found::Lost);
        }
    }
}

impl<'a> Packet<'a> {
    fn read(bytes: &'a [u8]) -> Option<Self> {
        let [_, flags, low, control, rest @ ..] = bytes else { return None };
        let (has_adaptation_field, has_payload) = (control & 0x20 != 0, control & 0x10 != 0);
        let (field, payload) = if has_adaptation_field {
            let (length, rest) = rest.split_first()?;
            rest.split_at_checked(usize::from(*length))?
        } else {
            (&[][..], rest)
        };
        Some(Self {
            condition: match (flags & 0x80, control & 0xc0) {
                (0, 0) => Condition::Good,
                (0, _) => Condition::Scrambled,
                _ => Condition::Damaged,
            },
            starts: flags & 0x40 != 0,
            pid: u16::from_be_bytes([flags & 0x1f, *low]),
            continuity: control & 0x0f,
            is_discontinuous: field.first().is_some_and(|flags| flags & 0x80 != 0),
            payload: has_payload.then_some(payload),
        })
    }
}

/// Reads a whole PES packet; `None` where it has no PTS or is none.
fn picture(pes: Vec<u8>, line: &mut Unwrapper) -> Option<TimedPicture> {
    let header = pes.get(..PES_HEADER_BYTES)?;
    let is_video = header[..3] == [0, 0, 1] && header[3] & 0xf0 == 0xe0;
    // '10', then PES_scrambling_control, which has to be 0.
    if !is_video || header[6] & 0xf0 != 0x80 {
        return None;
    }
    // PTS_DTS_flags.
    let (is_timed, is_reordered) = (header[7] & 0x80 != 0, header[7] & 0x40 != 0);
    let begin = PES_HEADER_BYTES + usize::from(header[8]);
    let length = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let end = if length == 0 { pes.len() } else { (6 + length).min(pes.len()) };
    let pts = is_timed.then(|| timestamp(&pes, PES_HEADER_BYTES)).flatten()?;
    let dts = if is_reordered { timestamp(&pes, PES_HEADER_BYTES + 5)? } else { pts };
    let dts_on_line = line.unwrap(dts);
    // Presentation is later than decoding by frames, not hours: the nearest time after it.
    let ahead = (pts.cast_signed() - dts.cast_signed()).rem_euclid(ROUND);
    let ahead = if ahead < ROUND / 2 { ahead } else { ahead - ROUND };
    if begin >= end {
        return None;
    }
    let data = Bytes::from(pes).slice(begin..end);
    Some(TimedPicture { data, pts: dts_on_line + MediaDuration::from_ticks(ahead), dts: dts_on_line })
}

/// 33 bits in five bytes, each part followed by a marker bit (§2.4.3.7).
fn timestamp(pes: &[u8], at: usize) -> Option<u64> {
    let &[first, b, c, d, e] = pes.get(at..at + 5)? else { return None };
    let part = |high: u8, low: u8| u64::from(u16::from_be_bytes([high, low]) >> 1);
    Some(u64::from(first >> 1 & 0x07) << 30 | part(b, c) << 15 | part(d, e))
}

/// What people call a `stream_type` (Table 2-34 and its amendments).
fn name_of(stream_type: u8) -> String {
    match stream_type {
        0x01 | 0x02 => "MPEG-2 video".to_owned(),
        0x03 | 0x04 => "MPEG audio".to_owned(),
        0x0f | 0x11 => "AAC".to_owned(),
        0x10 => "MPEG-4 video".to_owned(),
        0x24 => "H.265 (HEVC)".to_owned(),
        0x33 => "H.266 (VVC)".to_owned(),
        other => format!("streams of type {other:#04x}"),
    }
}
