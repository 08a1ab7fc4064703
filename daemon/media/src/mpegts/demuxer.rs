//! Demuxes foreign transport streams (ISO/IEC 13818-1): finds the first program's H.264 and AAC, and returns pictures and frames of sound with their
//! true times.
//!
//! Bytes may arrive in pieces of any size. Damaged, lost or scrambled data are left out and reported ([`Found::Lost`]), so that no picture is decoded
//! that refers to them. Memory is bounded by one picture, one PES packet of sound and one piece.
//!
//! Must not be here: the content of pictures, PES packets (`pes`), AAC frames (`sound_reader`), clocks, waiting.

use super::PACKET_BYTES;
use super::packet_header::{Condition, PacketHeader};
use super::pes::{self, Event, PesReader};
use super::section::{Announced, SectionReader, program_map_pid, streams};
use super::sound_reader::{SoundReader, TimedSound};
use crate::audio_format::AudioFormatError;
use crate::h264::picture_splitter::MAX_PICTURE_BYTES;
use crate::time::{MediaDuration, MediaTime, Unwrapper};
use bytes::Bytes;
use std::collections::VecDeque;

const SYNC_BYTE: u8 = 0x47;
const PAT_PID: u16 = 0;
/// `stream_type` of H.264 (Table 2-34).
const H264: u8 = 0x1b;
/// `stream_type` of AAC in ADTS.
const AAC_IN_ADTS: u8 = 0x0f;
/// `stream_type` of AAC in LATM.
const AAC_IN_LATM: u8 = 0x11;
/// Longest PES packet of sound: its length has 16 bits.
const MAX_SOUND_BYTES: usize = 6 + u16::MAX as usize;
/// Period of the 33-bit times, and half of it.
const ROUND: i64 = 1 << 33;

/// A PES packet of the video: an access unit, as every live muxer packs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedPicture {
    /// Annex B.
    pub data: Bytes,
    /// Presentation time, unwrapped; its zero is the source's.
    pub pts: MediaTime,
    /// Decoding time, unwrapped; equal to `pts` if the stream has none.
    pub dts: MediaTime,
}

/// An item of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The next picture.
    Picture(TimedPicture),
    /// The next frame of sound.
    Sound(TimedSound),
    /// At least one picture is missing here, to which later ones may refer.
    Lost,
}

/// Why a stream gives no pictures. Each text says what a user can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportStreamError {
    /// No PAT, or no PMT.
    #[error("it writes an MPEG transport stream without program tables")]
    NoProgram,
    /// A program without H.264.
    #[error("it writes an MPEG transport stream with {0} and no H.264: have it code the picture as H.264")]
    NoH264(String),
    /// H.264 is announced on a PID that has no packets.
    #[error("its MPEG transport stream announces H.264 as PID {0}, and no packet has that PID")]
    NothingOnPid(u16),
    /// `transport_scrambling_control` is set.
    #[error("its MPEG transport stream is scrambled: switch the encryption off")]
    Scrambled,
    /// H.264 without times.
    #[error("its MPEG transport stream carries no presentation times")]
    NoTimes,
}

/// Why a stream with pictures has no sound. Each text says what a user can do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SoundProblem {
    /// It has another codec.
    #[error("its sound is {0} and is left out: have it code the sound as AAC in ADTS (ffmpeg: -c:a aac)")]
    NotAac(&'static str),
    /// It is a kind of AAC that not all browsers play.
    #[error("its sound is left out: {0}; have it code the sound as AAC-LC (ffmpeg: -c:a aac)")]
    Unsupported(AudioFormatError),
}

/// Counts of data left out since the demuxer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DemuxerCounters {
    /// Bytes outside packets.
    pub garbage_bytes: u64,
    /// Packets of the program that are missing according to their counters, or flagged as damaged.
    pub lost_packets: u64,
    /// Packets of the video that are scrambled.
    pub scrambled: u64,
    /// PES packets of the video that are damaged, too large, or without times.
    pub discarded_pictures: u64,
}

/// Bytes of other data that may precede a transport stream: a program's greeting, or the rest of a packet.
const MOST_JUNK: usize = 4096;
/// Number of consecutive sync bytes that distinguish packets from junk.
const SYNC_BYTES: usize = 4;

/// True if a source's first bytes begin a transport stream, or one follows soon; `None` if more bytes are needed. A stream that begins with a start
/// code of H.264 is none, and two sync bytes suffice at the very beginning.
pub fn is_transport_stream(first: &[u8]) -> Option<bool> {
    if first.starts_with(&[0, 0, 1]) || first.starts_with(&[0, 0, 0, 1]) {
        return Some(false);
    }
    let mut is_certain = true;
    for at in 0..=MOST_JUNK {
        let wanted = if at == 0 { 2 } else { SYNC_BYTES };
        let packets = first.get(at..).unwrap_or_default().iter().step_by(PACKET_BYTES).take(wanted);
        let syncs = packets.clone().take_while(|byte| **byte == SYNC_BYTE).count();
        if syncs == wanted {
            return Some(true);
        }
        is_certain &= syncs < packets.count();
    }
    is_certain.then_some(false)
}

/// One source's transport stream.
#[derive(Debug, Default)]
pub struct Demuxer {
    /// The beginning of a packet whose rest has not arrived.
    partial: Vec<u8>,
    in_sync: bool,
    pat: SectionReader,
    pmt: SectionReader,
    pmt_pid: Option<u16>,
    /// The PMT's announcement; `None` before there is one.
    streams: Option<Vec<Announced>>,
    video: Option<PesReader>,
    has_pictures: bool,
    /// True if the latest item about pictures was a loss.
    has_told_loss: bool,
    sound: Option<PesReader>,
    frames: SoundReader,
    /// Unwraps the decoding times of both tracks, so that a wrap is the same for both.
    line: Unwrapper,
    found: VecDeque<Found>,
    counters: DemuxerCounters,
}

impl Demuxer {
    /// A demuxer for a stream from its beginning, or from anywhere in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts of data left out so far.
    pub const fn counters(&self) -> DemuxerCounters {
        self.counters
    }

    /// Takes the next bytes. Call [`Self::next_found`] until it returns `None` before the next piece.
    pub fn push(&mut self, mut bytes: &[u8]) {
        if !self.partial.is_empty() {
            // A packet and a byte are always enough to continue, so the rest then lies in `bytes` alone.
            let next = &bytes[..bytes.len().min(PACKET_BYTES + 1)];
            let mut held = std::mem::take(&mut self.partial);
            held.extend_from_slice(next);
            let left = self.take_packets(&held);
            if left > next.len() {
                held.drain(..held.len() - left);
                self.partial = held;
                return;
            }
            bytes = &bytes[next.len() - left..];
        }
        let left = self.take_packets(bytes);
        self.partial.extend_from_slice(&bytes[bytes.len() - left..]);
    }

    /// The next item, in order.
    pub fn next_found(&mut self) -> Option<Found> {
        self.found.pop_front()
    }

    /// Returns the last picture, because the stream has ended or paused; as far as can be known, it is whole.
    pub fn flush(&mut self) {
        let [picture, sound] = [&mut self.video, &mut self.sound].map(|reader| reader.as_mut()?.end());
        if let Some(sound) = sound {
            self.take_sound(Event::Packet(sound));
        }
        if let Some(picture) = picture {
            self.take_picture(Event::Packet(picture));
        }
    }

    /// True if the program has usable sound, according to its map.
    pub const fn announces_sound(&self) -> bool {
        self.sound.is_some() && self.frames.unsupported().is_none()
    }

    /// Why the program's sound, if it has any, is not returned.
    pub fn sound_problem(&self) -> Option<SoundProblem> {
        if self.sound.is_some() {
            return self.frames.unsupported().map(SoundProblem::Unsupported);
        }
        let mut streams = self.streams.iter().flatten();
        streams.find_map(sound_name).map(SoundProblem::NotAac)
    }

    /// Why there are no pictures, as far as is known by now.
    pub fn problem(&self) -> Option<TransportStreamError> {
        if self.has_pictures {
            return None;
        }
        if self.counters.scrambled > 0 {
            return Some(TransportStreamError::Scrambled);
        }
        let Some(streams) = &self.streams else { return Some(TransportStreamError::NoProgram) };
        if let Some(video) = &self.video {
            if video.has_seen_nothing() {
                return Some(TransportStreamError::NothingOnPid(video.pid));
            }
            return (self.counters.discarded_pictures > 0).then_some(TransportStreamError::NoTimes);
        }
        let names: Vec<_> = streams.iter().map(name_of).collect();
        let names = if names.is_empty() { "nothing in its program".to_owned() } else { names.join(", ") };
        Some(TransportStreamError::NoH264(names))
    }

    /// Takes the whole packets; returns the number of bytes at the end to keep.
    fn take_packets(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while let Some((packet, ahead)) = bytes[at..].split_at_checked(PACKET_BYTES) {
            if packet[0] != SYNC_BYTE {
                self.in_sync = false;
                self.counters.garbage_bytes += 1;
                at += 1;
                continue;
            }
            if !self.in_sync {
                // A payload may contain a sync byte, so the next packet must follow (§2.4.3.2 leaves the method to the decoder).
                match ahead.first() {
                    Some(&SYNC_BYTE) => self.in_sync = true,
                    Some(_) => {
                        self.counters.garbage_bytes += 1;
                        at += 1;
                        continue;
                    }
                    None => break,
                }
            }
            self.take_packet(packet, ahead);
            at += PACKET_BYTES;
        }
        bytes.len() - at
    }

    /// `ahead`: the bytes after the packet.
    fn take_packet(&mut self, bytes: &[u8], ahead: &[u8]) {
        let Some(packet) = PacketHeader::read(bytes) else { return };
        let is_of =
            |reader: &Option<PesReader>| reader.as_ref().is_some_and(|reader| reader.pid == packet.pid);
        if packet.pid == PAT_PID {
            self.take_pat(&packet);
        } else if Some(packet.pid) == self.pmt_pid {
            self.take_pmt(&packet);
        } else if is_of(&self.video) {
            for event in events(self.video.as_mut(), &packet, ahead) {
                self.take_picture(event);
            }
        } else if is_of(&self.sound) {
            for event in events(self.sound.as_mut(), &packet, ahead) {
                self.take_sound(event);
            }
        }
    }

    fn take_pat(&mut self, packet: &PacketHeader<'_>) {
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

    fn take_pmt(&mut self, packet: &PacketHeader<'_>) {
        let Some(payload) = packet.payload.filter(|_| packet.condition == Condition::Good) else {
            return self.pmt.discard();
        };
        let mut announced = None;
        self.pmt.push(payload, packet.starts, |section| announced = streams(section).or(announced.take()));
        let Some(announced) = announced else { return };
        let pid_of =
            |wanted| announced.iter().find(|stream| stream.stream_type == wanted).map(|stream| stream.pid);
        let (video, sound) = (pid_of(H264), pid_of(AAC_IN_ADTS));
        if video != self.video.as_ref().map(|reader| reader.pid) {
            if let Some(picture) = self.video.take().and_then(|mut before| before.end()) {
                self.take_picture(Event::Packet(picture));
            }
            self.video = video.map(|pid| PesReader::new(pid, MAX_PICTURE_BYTES));
        }
        if sound != self.sound.as_ref().map(|reader| reader.pid) {
            self.sound = sound.map(|pid| PesReader::new(pid, MAX_SOUND_BYTES));
            self.frames = SoundReader::default();
        }
        self.streams = Some(announced);
    }

    fn take_picture(&mut self, event: Event) {
        match event {
            Event::Packet(pes) => {
                if let Some(picture) = picture(pes, &mut self.line) {
                    (self.has_pictures, self.has_told_loss) = (true, false);
                    self.found.push_back(Found::Picture(picture));
                    return;
                }
                self.counters.discarded_pictures += 1;
            }
            Event::Lost(packets) => self.counters.lost_packets += packets,
            Event::Scrambled => self.counters.scrambled += 1,
            Event::TooLong => self.counters.discarded_pictures += 1,
        }
        if self.has_pictures && !std::mem::replace(&mut self.has_told_loss, true) {
            self.found.push_back(Found::Lost);
        }
    }

    /// Lost sound affects nothing else.
    fn take_sound(&mut self, event: Event) {
        match event {
            Event::Packet(pes) => {
                if let Some(payload) = pes::read(pes, 0xc0..=0xdf) {
                    let Self { frames, line, found, .. } = self;
                    return frames.push(&payload, line, |sound| found.push_back(Found::Sound(sound)));
                }
            }
            Event::Lost(packets) => self.counters.lost_packets += packets,
            Event::Scrambled | Event::TooLong => {}
        }
        self.frames.lose();
    }
}

/// The items that a packet brings: at most two, a packet that ends and a loss.
fn events(
    reader: Option<&mut PesReader>,
    packet: &PacketHeader<'_>,
    ahead: &[u8],
) -> impl Iterator<Item = Event> + use<> {
    let mut events = [None, None];
    if let Some(reader) = reader {
        let mut places = events.iter_mut();
        reader.push(packet, ahead, |event| {
            if let Some(place) = places.next() {
                *place = Some(event);
            }
        });
    }
    events.into_iter().flatten()
}

/// Reads a whole PES packet; `None` if it has no PTS or is none.
fn picture(pes: Vec<u8>, line: &mut Unwrapper) -> Option<TimedPicture> {
    let pes = pes::read(pes, 0xe0..=0xef)?;
    let pts = pes.pts?;
    let dts = pes.dts.unwrap_or(pts);
    let dts_on_line = line.unwrap(dts);
    // Presentation follows decoding by frames, not hours, so the nearest later time is right.
    let ahead = (pts.cast_signed() - dts.cast_signed()).rem_euclid(ROUND);
    let ahead = if ahead < ROUND / 2 { ahead } else { ahead - ROUND };
    Some(TimedPicture {
        data: pes.data,
        pts: dts_on_line + MediaDuration::from_ticks(ahead),
        dts: dts_on_line,
    })
}

/// Usual name of sound that is left out.
fn sound_name(stream: &Announced) -> Option<&'static str> {
    match stream.stream_type {
        0x03 | 0x04 => Some("MPEG audio (MP2 or MP3)"),
        AAC_IN_LATM => Some("AAC in LATM"),
        // ATSC A/53 Part 3 and SCTE 128, as written by ffmpeg.
        0x81 => Some("AC-3"),
        0x87 => Some("E-AC-3"),
        0x82 | 0x8a => Some("DTS"),
        _ => stream.private_sound,
    }
}

/// Usual name of a `stream_type` (Table 2-34 and its amendments).
fn name_of(stream: &Announced) -> String {
    let name = match stream.stream_type {
        0x01 | 0x02 => "MPEG-2 video",
        AAC_IN_ADTS => "AAC",
        0x10 => "MPEG-4 video",
        0x24 => "H.265 (HEVC)",
        0x33 => "H.266 (VVC)",
        other => match sound_name(stream) {
            Some(sound) => sound,
            None => return format!("streams of type {other:#04x}"),
        },
    };
    name.to_owned()
}
