//! The `AVCDecoderConfigurationRecord` (ISO/IEC 14496-15 §5.3.3.1): what MP4 and FLV tell a decoder before the first picture.

use super::unit::VideoFormat;
use crate::h264::sps::Chroma;
use bytes::Bytes;

impl VideoFormat {
    /// The record of this format; NAL units have lengths of 4 bytes.
    pub fn decoder_configuration(&self) -> Vec<u8> {
        let mut out = vec![1, self.profile, self.constraints, self.level, 0xff, 0xe1];
        put_parameter_set(&mut out, &self.sps);
        out.push(1 + self.further_pps.len() as u8);
        put_parameter_set(&mut out, &self.pps);
        self.further_pps.iter().for_each(|pps| put_parameter_set(&mut out, pps));
        if matches!(self.profile, 100 | 110 | 122 | 144) {
            let chroma = match self.chroma {
                Chroma::Monochrome => 0,
                Chroma::Yuv420 => 1,
                Chroma::Yuv422 => 2,
                Chroma::Yuv444 => 3,
            };
            let depth = 0xf8 | self.bit_depth.saturating_sub(8);
            out.extend_from_slice(&[0xfc | chroma, depth, depth, 0]);
        }
        out
    }
}

fn put_parameter_set(out: &mut Vec<u8>, set: &Bytes) {
    out.extend_from_slice(&(set.len() as u16).to_be_bytes());
    out.extend_from_slice(set);
}
