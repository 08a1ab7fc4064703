//! Reads AAC frames from the sound's PES packets. A frame may begin in one PES packet and end in another.
//!
//! Must not be here: the choice of the sound's stream (`demuxer`), decoding.

use super::adts::{self, HEADER_BYTES, Header};
use super::pes::Payload;
use crate::audio_format::{AudioFormat, AudioFormatError};
use crate::time::{MediaTime, Times, Unwrapper};
use bytes::Bytes;
use std::sync::Arc;

/// A frame of sound with its presentation time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedSound {
    /// A `raw_data_block`, without ADTS header.
    pub data: Bytes,
    /// Equal times, unwrapped; their zero is the source's, shared with the pictures.
    pub times: Times,
    /// The format in its header.
    pub format: Arc<AudioFormat>,
}

/// Reads one stream's frames.
#[derive(Debug, Default)]
pub(super) struct SoundReader {
    /// The beginning of a frame whose rest is still to come.
    partial: Vec<u8>,
    /// The newest PTS, and the number of frames that have begun since.
    clock: Option<(MediaTime, u64)>,
    format: Option<Arc<AudioFormat>>,
    unsupported: Option<AudioFormatError>,
}

impl SoundReader {
    /// Takes the payload of the next PES packet.
    pub(super) fn push(
        &mut self,
        payload: &Payload,
        line: &mut Unwrapper,
        mut found: impl FnMut(TimedSound),
    ) {
        // The PTS belongs to the first frame that begins in the packet (§2.4.3.7): an earlier frame keeps its own.
        let begun_before = self.partial.len();
        let mut pts = payload.pts.map(|pts| line.unwrap(pts));
        let mut bytes = std::mem::take(&mut self.partial);
        bytes.extend_from_slice(&payload.data);
        let bytes = Bytes::from(bytes);
        let mut at = 0;
        while let Some(left) = bytes.get(at..).filter(|left| left.len() >= HEADER_BYTES) {
            let Some(header) = adts::read(left) else {
                at += 1;
                continue;
            };
            let Some(next) = at.checked_add(header.whole).filter(|next| *next <= bytes.len()) else {
                break;
            };
            if at >= begun_before
                && let Some(pts) = pts.take()
            {
                self.clock = Some((pts, 0));
            }
            self.give(&header, bytes.slice(at + header.before..next), &mut found);
            at = next;
        }
        // A frame that begins here and ends in the next packet has this packet's time, if it is the first.
        if let Some(pts) = pts.filter(|_| at >= begun_before && at < bytes.len()) {
            self.clock = Some((pts, 0));
        }
        self.partial = bytes[at..].to_vec();
    }

    /// Notes a loss: the next frame begins with a PES packet.
    pub(super) fn lose(&mut self) {
        self.partial.clear();
        self.clock = None;
    }

    /// Why there is no sound although there are frames.
    pub(super) const fn unsupported(&self) -> Option<AudioFormatError> {
        self.unsupported
    }

    fn give(&mut self, header: &Header, data: Bytes, found: &mut impl FnMut(TimedSound)) {
        let format = match header.format {
            Ok(format) => format,
            Err(error) => {
                self.unsupported = Some(error);
                return;
            }
        };
        if self.format.as_deref() != Some(&format) {
            // From here on frames have another duration.
            self.clock = self.clock.map(|(pts, begun)| match self.format.as_deref() {
                Some(before) => (pts + before.offset(begun), 0),
                None => (pts, begun),
            });
            self.format = Some(Arc::new(format));
        }
        // Without a time, the picture it belongs to is unknown.
        let (Some(format), Some((pts, begun))) = (self.format.clone(), &mut self.clock) else { return };
        let times = Times::at(*pts + format.offset(*begun));
        *begun += 1;
        self.unsupported = None;
        found(TimedSound { data, times, format });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(bytes: usize) -> Vec<u8> {
        let header = adts::header(AudioFormat::new(48_000, 2).unwrap(), bytes).unwrap();
        [&header[..], &vec![0x21; bytes]].concat()
    }

    fn read(packets: &[(Option<u64>, &[u8])]) -> Vec<(i64, usize)> {
        let (mut reader, mut line, mut found) = (SoundReader::default(), Unwrapper::new(), Vec::new());
        for &(pts, data) in packets {
            let payload = Payload { data: Bytes::copy_from_slice(data), pts, dts: None };
            reader.push(&payload, &mut line, |sound| found.push((sound.times.pts.ticks(), sound.data.len())));
        }
        found
    }

    #[test]
    fn frames_follow_the_first_ones_time() {
        let three = [frame(100), frame(110), frame(120)].concat();
        assert_eq!(read(&[(Some(900), &three)]), [(900, 100), (2820, 110), (4740, 120)]);
        assert_eq!(read(&[(None, &three)]), [], "no time, no sound");
    }

    #[test]
    fn a_frame_over_two_packets_keeps_the_time_of_the_one_in_which_it_began() {
        let three = [frame(100), frame(110), frame(120)].concat();
        let expected = [(900, 100), (2820, 110), (9000, 120)];
        for cut in [108, 110, 200] {
            let packets = [(Some(900), &three[..cut]), (Some(9000), &three[cut..])];
            assert_eq!(read(&packets), expected, "cut at {cut}");
        }
        let whole_in_the_second = [(Some(900), &three[..5]), (Some(9000), &three[5..])];
        assert_eq!(read(&whole_in_the_second)[..2], [(900, 100), (9000, 110)]);
    }

    #[test]
    fn what_stands_between_frames_is_passed_over() {
        let damaged = [&[0xff, 0x55, 0, 0][..], &frame(100), &[1, 2, 3], &frame(110)].concat();
        assert_eq!(read(&[(Some(0), &damaged)]), [(0, 100), (1920, 110)]);
    }
}
