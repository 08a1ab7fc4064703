//! Writes access units as transport packets: PES (ISO/IEC 13818-1 §2.4.3.6), PCR, continuity counters.
//!
//! Every picture is one PES packet of open length. An access unit delimiter comes before every picture, and the
//! parameter sets come before every IDR and wherever they changed, whatever the source did. The video always carries
//! the PCR, with or without sound.

use super::packet::{PACKET_BYTES, PAYLOAD_BYTES, Packet, push_full_header, render};
use super::pids::VIDEO_PID;
use super::psi::{AAC, H264, tables};
use super::sound::Sound;
use super::wire_time::wire_timestamp;
use crate::access_unit::{AccessUnit, VideoFormat};
use crate::h264::annex_b::START_CODE;
use crate::sample::AudioFrame;
use crate::time::{MediaDuration, MediaTime};
use mpeg2ts::es::StreamId;
use mpeg2ts::pes::PesHeader;
use mpeg2ts::time::ClockReference;
use mpeg2ts::ts::payload::{Bytes as PayloadBytes, Pes};
use mpeg2ts::ts::{AdaptationField, TsPayload};
use std::sync::Arc;

/// Longest interval between PCRs (§2.7.2).
const PCR_PERIOD: MediaDuration = MediaDuration::from_millis(100);
/// Interval of packets with only a PCR, between slow pictures.
const PCR_STEP: MediaDuration = MediaDuration::from_millis(90);
/// After a longer pause no clock has to be kept up, because nothing was sent.
const LONGEST_PCR_BRIDGE: MediaDuration = MediaDuration::from_millis(2_000);

/// `primary_pic_type` 7: the picture may have slices of any type (H.264 §7.4.2.4).
const ACCESS_UNIT_DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

/// PES header: start code, stream id, length, flags; and one time.
const PES_HEADER_BYTES: usize = 9;
const TIMESTAMP_BYTES: usize = 5;
/// Adaptation field: length and flags; and the PCR.
const ADAPTATION_FIELD_BYTES: usize = 2;
const PCR_BYTES: usize = 6;

/// One transport stream. Continuity counters continue across segments.
#[derive(Debug)]
pub struct Muxer {
    tables: [Packet; 2],
    /// `version_number` of the PMT.
    version: u8,
    has_sound: bool,
    sound: Sound,
    table_continuity: u8,
    video_continuity: u8,
    last_pcr: Option<MediaTime>,
    last_dts: Option<MediaTime>,
    at_seam: bool,
    written_format: Option<Arc<VideoFormat>>,
    /// Delimiter and parameter sets of the picture being written; kept for its allocation.
    prefix: Vec<u8>,
}

impl Default for Muxer {
    fn default() -> Self {
        Self::new()
    }
}

impl Muxer {
    /// A stream with one H.264 track, and no sound until that is announced.
    pub fn new() -> Self {
        Self {
            tables: tables(&[H264], 0),
            version: 0,
            has_sound: false,
            sound: Sound::default(),
            table_continuity: 0,
            video_continuity: 0,
            last_pcr: None,
            last_dts: None,
            at_seam: false,
            written_format: None,
            prefix: Vec::new(),
        }
    }

    /// Appends PAT and PMT. Every segment begins with them.
    pub fn write_tables(&mut self, out: &mut Vec<u8>) {
        for table in &self.tables {
            let start = out.len();
            out.extend_from_slice(table);
            out[start + 3] |= self.table_continuity;
        }
        self.table_continuity = (self.table_continuity + 1) & 0x0f;
    }

    /// Announces sound, or none, from the next tables on. A PMT that announces other streams than the previous one has
    /// a new version.
    pub fn announce_sound(&mut self, has_sound: bool) {
        if self.has_sound == has_sound {
            return;
        }
        self.has_sound = has_sound;
        self.version = self.version.wrapping_add(1);
        self.tables = tables(if has_sound { &[H264, AAC] } else { &[H264] }, self.version);
    }

    /// Reports that the next picture's times do not continue from the last one's: it will carry the
    /// `discontinuity_indicator`.
    pub fn mark_seam(&mut self) {
        self.sound.discard();
        self.at_seam = true;
        self.last_pcr = None;
        self.last_dts = None;
    }

    /// Takes a frame of sound, which must have been announced. It is appended with the frames that follow: several
    /// share a PES packet.
    pub fn write_sound(&mut self, frame: &AudioFrame, out: &mut Vec<u8>) {
        if self.has_sound {
            self.sound.push(frame, out);
        }
    }

    /// Appends the waiting frames of sound.
    pub fn flush_sound(&mut self, out: &mut Vec<u8>) {
        self.sound.flush(out);
    }

    /// Appends a picture.
    pub fn write(&mut self, unit: &AccessUnit, out: &mut Vec<u8>) {
        self.sound.flush_before(unit.times.dts, out);
        self.bridge_clock(unit.times.dts, out);
        self.make_prefix(unit);
        let prefix = std::mem::take(&mut self.prefix);
        let mut payload = Payload { prefix: &prefix, picture: &unit.data };
        let packets =
            (payload.len() + ADAPTATION_FIELD_BYTES + PCR_BYTES + PES_HEADER_BYTES + 2 * TIMESTAMP_BYTES)
                .div_ceil(PAYLOAD_BYTES);
        out.reserve(packets * PACKET_BYTES);
        self.write_first_packet(unit, &mut payload, out);
        while payload.len() >= PAYLOAD_BYTES {
            push_full_header(VIDEO_PID, self.next_continuity(), out);
            payload.append_to(out, PAYLOAD_BYTES);
        }
        if payload.len() > 0 {
            let rest = payload.take(payload.len());
            render(VIDEO_PID, self.next_continuity(), None, Some(TsPayload::PesContinuation(rest)), out);
        }
        self.prefix = prefix;
        self.last_dts = Some(unit.times.dts);
    }

    fn write_first_packet(&mut self, unit: &AccessUnit, payload: &mut Payload<'_>, out: &mut Vec<u8>) {
        let pcr = self.pcr_is_due(unit);
        if pcr {
            self.last_pcr = Some(unit.times.dts);
        }
        let adaptation_field = (pcr || unit.is_entry()).then(|| AdaptationField {
            random_access_indicator: unit.is_entry(),
            ..adaptation_field(std::mem::take(&mut self.at_seam), pcr.then_some(unit.times.dts))
        });
        let dts = (unit.times.dts != unit.times.pts).then_some(unit.times.dts);
        let header = PesHeader {
            stream_id: StreamId::new_video(StreamId::VIDEO_MIN).expect("the first of the video stream ids"),
            priority: false,
            data_alignment_indicator: true,
            copyright: false,
            original_or_copy: false,
            pts: Some(wire_timestamp(unit.times.pts)),
            dts: dts.map(wire_timestamp),
            escr: None,
        };
        let overhead = PES_HEADER_BYTES
            + TIMESTAMP_BYTES * (1 + usize::from(dts.is_some()))
            + if adaptation_field.is_some() { ADAPTATION_FIELD_BYTES } else { 0 }
            + if pcr { PCR_BYTES } else { 0 };
        let data = payload.take(payload.len().min(PAYLOAD_BYTES - overhead));
        let pes = Pes { header, pes_packet_len: 0, data };
        let continuity = self.next_continuity();
        render(VIDEO_PID, continuity, adaptation_field, Some(TsPayload::PesStart(pes)), out);
    }

    /// The PCR goes with an IDR, and with a picture after which the next one could come too late for it.
    fn pcr_is_due(&self, unit: &AccessUnit) -> bool {
        let (Some(last_pcr), Some(last_dts)) = (self.last_pcr, self.last_dts) else { return true };
        let next = unit.times.dts + (unit.times.dts - last_dts);
        unit.is_entry() || next - last_pcr > PCR_PERIOD
    }

    /// Appends packets with only a PCR if pictures are too far apart.
    fn bridge_clock(&mut self, until: MediaTime, out: &mut Vec<u8>) {
        let Some(mut last_pcr) = self.last_pcr else { return };
        if until - last_pcr > LONGEST_PCR_BRIDGE {
            return;
        }
        // It repeats the previous packet's counter, because packets without payload are not counted (§2.4.3.3).
        let continuity = self.video_continuity.wrapping_sub(1);
        while until - last_pcr > PCR_PERIOD {
            last_pcr = last_pcr + PCR_STEP;
            render(VIDEO_PID, continuity, Some(adaptation_field(false, Some(last_pcr))), None, out);
        }
        self.last_pcr = Some(last_pcr);
    }

    fn make_prefix(&mut self, unit: &AccessUnit) {
        self.prefix.clear();
        self.prefix.extend_from_slice(&ACCESS_UNIT_DELIMITER);
        let format_changed =
            !self.written_format.as_ref().is_some_and(|written| Arc::ptr_eq(written, &unit.format));
        if unit.is_entry() || format_changed {
            for parameter_set in unit.format.parameter_sets() {
                self.prefix.extend_from_slice(&START_CODE);
                self.prefix.extend_from_slice(parameter_set);
            }
            self.written_format = Some(Arc::clone(&unit.format));
        }
    }

    const fn next_continuity(&mut self) -> u8 {
        let continuity = self.video_continuity;
        self.video_continuity = (continuity + 1) & 0x0f;
        continuity
    }
}

fn adaptation_field(discontinuity: bool, pcr: Option<MediaTime>) -> AdaptationField {
    AdaptationField {
        discontinuity_indicator: discontinuity,
        random_access_indicator: false,
        es_priority_indicator: false,
        pcr: pcr.map(|time| ClockReference::new(time.wrapped() * 300).expect("33 bits and a zero extension")),
        opcr: None,
        splice_countdown: None,
        transport_private_data: Vec::new(),
        extension: None,
    }
}

/// The part of a picture that is still to be written.
struct Payload<'a> {
    prefix: &'a [u8],
    picture: &'a [u8],
}

impl Payload<'_> {
    const fn len(&self) -> usize {
        self.prefix.len() + self.picture.len()
    }

    /// Splits off the next `count` bytes from both parts; `count` is at most `len`.
    fn split(&mut self, count: usize) -> (&[u8], &[u8]) {
        let (first, prefix) = self.prefix.split_at(count.min(self.prefix.len()));
        let (second, picture) = self.picture.split_at(count - first.len());
        (self.prefix, self.picture) = (prefix, picture);
        (first, second)
    }

    fn append_to(&mut self, out: &mut Vec<u8>, count: usize) {
        let (first, second) = self.split(count);
        out.extend_from_slice(first);
        out.extend_from_slice(second);
    }

    /// Takes bytes for packets that the crate writes; `count` is at most a packet's payload.
    fn take(&mut self, count: usize) -> PayloadBytes {
        let mut bytes = [0; PAYLOAD_BYTES];
        let (first, second) = self.split(count);
        bytes[..first.len()].copy_from_slice(first);
        bytes[first.len()..count].copy_from_slice(second);
        PayloadBytes::new(&bytes[..count]).expect("no longer than a packet's payload")
    }
}
