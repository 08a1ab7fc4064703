//! Writes frames of sound, AAC in ADTS, as PES packets of several frames each (ISO/IEC 13818-1 §2.4.3.6).

use super::adts;
use super::packet::{PAYLOAD_BYTES, push_full_header, render};
use super::pids::AUDIO_PID;
use super::wire_time::wire_timestamp;
use crate::sample::AudioFrame;
use crate::time::{MediaDuration, MediaTime};
use mpeg2ts::es::StreamId;
use mpeg2ts::pes::PesHeader;
use mpeg2ts::ts::TsPayload;
use mpeg2ts::ts::payload::{Bytes as PayloadBytes, Pes};

/// Longest duration of the frames in one PES packet, four frames at 48 kHz. A frame of 64 kb/s has 170 bytes: in its
/// own PES packet it would take two packets of 188, more than twice its size; four frames take four or five packets, a
/// sixth above their size. More would save little. The first frame waits for the last, which must take much less than
/// [`DECODING_DELAY`](super::DECODING_DELAY): many sources deliver sound later than the picture that it belongs to.
const LONGEST: MediaDuration = MediaDuration::from_millis(100);
/// A frame that begins further than this from the end of the previous one, in ticks, needs a time of its own.
const TOLERANCE: i64 = MediaTime::HZ / 1000;
/// Length of a PES header with a PTS alone.
const PES_HEADER_BYTES: usize = 14;
/// Bytes of the header that `PES_packet_length` counts.
const COUNTED_HEADER_BYTES: usize = PES_HEADER_BYTES - 6;
/// `PES_packet_length` has 16 bits; only video may leave it open (§2.4.3.7).
const LONGEST_PAYLOAD: usize = u16::MAX as usize - COUNTED_HEADER_BYTES;

/// The sound of one transport stream.
#[derive(Debug, Default)]
pub(super) struct Sound {
    continuity: u8,
    /// Frames with their headers for the next PES packet; kept for its allocation.
    payload: Vec<u8>,
    /// The time of the first gathered frame, and their number.
    gathered: Option<(MediaTime, u64)>,
}

impl Sound {
    /// Takes the next frame. One that ADTS cannot carry is left out.
    pub(super) fn push(&mut self, frame: &AudioFrame, out: &mut Vec<u8>) {
        let Some(header) = adts::header(*frame.format, frame.data.len()) else { return };
        let pts = frame.times.pts;
        if let Some((first, count)) = self.gathered {
            let gap = pts - (first + frame.format.offset(count));
            let bytes = self.payload.len() + header.len() + frame.data.len();
            if gap.ticks().abs() > TOLERANCE || bytes > LONGEST_PAYLOAD {
                self.flush(out);
            }
        }
        let (first, before) = self.gathered.unwrap_or((pts, 0));
        self.payload.extend_from_slice(&header);
        self.payload.extend_from_slice(&frame.data);
        self.gathered = Some((first, before + 1));
        if frame.format.offset(before + 2) > LONGEST {
            self.flush(out);
        }
    }

    /// Writes sound that has waited long, before a picture at `dts`.
    pub(super) fn flush_before(&mut self, dts: MediaTime, out: &mut Vec<u8>) {
        if self.gathered.is_some_and(|(first, _)| dts - first >= LONGEST) {
            self.flush(out);
        }
    }

    /// Drops the gathered frames, because their segment was lost.
    pub(super) fn discard(&mut self) {
        self.gathered = None;
        self.payload.clear();
    }

    /// Writes the gathered frames.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        let Some((pts, _)) = self.gathered.take() else { return };
        let payload = std::mem::take(&mut self.payload);
        let (first, mut rest) = payload.split_at(payload.len().min(PAYLOAD_BYTES - PES_HEADER_BYTES));
        let header = PesHeader {
            stream_id: StreamId::new_audio(StreamId::AUDIO_MIN).expect("the first of the audio stream ids"),
            priority: false,
            data_alignment_indicator: true,
            copyright: false,
            original_or_copy: false,
            pts: Some(wire_timestamp(pts)),
            dts: None,
            escr: None,
        };
        let length = u16::try_from(COUNTED_HEADER_BYTES + payload.len()).expect("the payload is bounded");
        let pes = Pes { header, pes_packet_len: length, data: bytes(first) };
        render(AUDIO_PID, self.next_continuity(), None, Some(TsPayload::PesStart(pes)), out);
        while let Some((full, left)) = rest.split_at_checked(PAYLOAD_BYTES) {
            push_full_header(AUDIO_PID, self.next_continuity(), out);
            out.extend_from_slice(full);
            rest = left;
        }
        if !rest.is_empty() {
            let last = TsPayload::PesContinuation(bytes(rest));
            render(AUDIO_PID, self.next_continuity(), None, Some(last), out);
        }
        self.payload = payload;
        self.payload.clear();
    }

    const fn next_continuity(&mut self) -> u8 {
        let continuity = self.continuity;
        self.continuity = (continuity + 1) & 0x0f;
        continuity
    }
}

fn bytes(of: &[u8]) -> PayloadBytes {
    PayloadBytes::new(of).expect("no longer than a packet's payload")
}
