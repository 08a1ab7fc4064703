//! The header before each AAC frame in a transport stream: ADTS (ISO/IEC 14496-3 §1.A.3.2.1, ISO/IEC 13818-7 §6.2).
//!
//! Must not be here: the frames' bits, and times.

use crate::audio_format::{AudioFormat, AudioFormatError};

/// Length without the checksum, which only foreign streams have.
pub(super) const HEADER_BYTES: usize = 7;
/// Length of `crc_check`, present if `protection_absent` is 0.
const CRC_BYTES: usize = 2;
/// `aac_frame_length` has 13 bits and counts the header.
const LONGEST_FRAME: usize = (1 << 13) - 1;
/// `profile` of AAC-LC: the audio object type less one.
const AAC_LC: u8 = 1;

/// The header of a frame of `raw_bytes`; `None` if ADTS cannot carry such a frame.
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
        // adts_buffer_fullness of all ones: variable rate. One raw_data_block.
        length_low << 2 & 0xe0 | 0x1f,
        0xfc,
    ])
}

/// The content of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) format: Result<AudioFormat, AudioFormatError>,
    /// Bytes before the frame itself, in bytes.
    pub(super) before: usize,
    /// Bytes including the header.
    pub(super) whole: usize,
}

/// Reads the header at the start of `bytes`, of which at least [`HEADER_BYTES`] must be there; `None` if it is not a
/// header.
pub(super) fn read(bytes: &[u8]) -> Option<Header> {
    let &[sync, flags, coding, channels, length, low, blocks, ..] = bytes else { return None };
    // syncword and layer 0; the bit between them distinguishes MPEG-2 from MPEG-4, whose AAC-LC is the same.
    if sync != 0xff || flags & 0xf6 != 0xf0 {
        return None;
    }
    let header_bytes = HEADER_BYTES + if flags & 1 == 0 { CRC_BYTES } else { 0 };
    let frame_bytes = usize::from(channels & 3) << 11 | usize::from(length) << 3 | usize::from(low >> 5);
    if frame_bytes <= header_bytes {
        return None;
    }
    let object_type = u32::from(coding >> 6) + 1;
    // number_of_raw_data_blocks_in_frame, less one.
    let further = blocks & 3;
    let format = if further == 0 {
        AudioFormat::from_header(object_type, coding >> 2 & 0x0f, (coding & 1) << 2 | channels >> 6)
    } else {
        Err(AudioFormatError::Frame)
    };
    Some(Header { format, before: header_bytes, whole: frame_bytes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_header_is_what_ffmpeg_writes() {
        // Output of `ffmpeg -f lavfi -i sine -c:a aac -f adts`: 44,100 Hz, one channel, 23 bytes.
        let format = AudioFormat::new(44_100, 1).unwrap();
        assert_eq!(header(format, 16), Some([0xff, 0xf1, 0x50, 0x40, 0x02, 0xff, 0xfc]));
        assert_eq!(header(format, 8185), None, "13 bits");
        assert_eq!(header(AudioFormat::new(47_000, 2).unwrap(), 16), None, "a rate without an index");
    }

    #[test]
    fn what_is_not_supported_has_its_reason() {
        let format = |bytes: [u8; 7]| read(&bytes).map(|header| header.format);
        let stereo = [0xff, 0xf1, 0x4c, 0x80, 0x02, 0xff, 0xfc];
        assert_eq!(format(stereo), Some(Ok(AudioFormat::new(48_000, 2).unwrap())));
        let changed = |at: usize, byte: u8| {
            let mut bytes = stereo;
            bytes[at] = byte;
            format(bytes)
        };
        assert_eq!(changed(2, 0x0c), Some(Err(AudioFormatError::ObjectType(1))));
        assert_eq!(changed(3, 0x00), Some(Err(AudioFormatError::Channels(0))));
        assert_eq!(changed(6, 0xfd), Some(Err(AudioFormatError::Frame)), "two raw data blocks");
        assert_eq!(changed(1, 0xf3), None, "layer 1");
        assert_eq!(read(&[0xff, 0xf0, 0x4c, 0x80, 0x02, 0xff, 0xfc]).unwrap().before, 9);
    }

    proptest! {
        #[test]
        fn a_header_is_read_back(index in 0_usize..13, channels in 1_u8..=6, raw_bytes in 1_usize..=8184) {
            let rates = [96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025, 8000, 7350];
            let format = AudioFormat::new(rates[index], channels).unwrap();
            let read = read(&header(format, raw_bytes).unwrap()).unwrap();
            prop_assert_eq!(read, Header { format: Ok(format), before: 7, whole: 7 + raw_bytes });
        }
    }
}
