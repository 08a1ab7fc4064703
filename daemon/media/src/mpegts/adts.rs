//! The header before each AAC frame in a transport stream: ADTS (ISO/IEC 14496-3 §1.A.3.2.1, ISO/IEC 13818-7 §6.2).
//!
//! Must not be here: the frames' bits, times.

use crate::sample::AudioFormat;

/// Without the check sum, which only foreign streams have.
pub(super) const HEADER_BYTES: usize = 7;
/// `aac_frame_length` has 13 bits and counts the header.
const LONGEST_FRAME: usize = (1 << 13) - 1;
/// `profile` of AAC-LC: the audio object type less one.
const AAC_LC: u8 = 1;

/// The header of a frame of `raw_bytes`; `None` where ADTS cannot carry such a frame.
pub(super) fn header(format: AudioFormat, raw_bytes: usize) -> Option<[u8; HEADER_BYTES]> {
    let index = format.sampling_frequency_index()?;
    let channels = format.channel_configuration();
    let length = u16::try_from(HEADER_BYTES + raw_bytes)
        .ok()
        .filter(|&length| usize::from(length) <= LONGEST_FRAME)?;
    let [length_high, length_low] = (length << 3).to_be_bytes();
    Some([
        // syncword, MPEG-4, no CRC.
        0xff,
        0xf1,
        AAC_LC << 6 | index << 2 | channels >> 2,
        channels << 6 | length_high >> 6,
        length_high << 2 | length_low >> 6,
        // adts_buffer_fullness of all ones: the rate varies. One raw_data_block.
        length_low << 2 & 0xe0 | 0x1f,
        0xfc,
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_what_ffmpeg_writes() {
        // Of `ffmpeg -f lavfi -i sine -c:a aac -f adts`: 44,100 Hz, one channel, 23 bytes.
        let format = AudioFormat::new(44_100, 1).unwrap();
        assert_eq!(header(format, 16), Some([0xff, 0xf1, 0x50, 0x40, 0x02, 0xff, 0xfc]));
        assert_eq!(header(format, 8185), None, "13 bits");
        assert_eq!(header(AudioFormat::new(47_000, 2).unwrap(), 16), None, "a rate without an index");
    }
}
