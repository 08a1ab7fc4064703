//! Samples as the kernel delivers them (interleaved, little-endian) as two planes of numbers from −1 to 1.

use alsa::pcm::Format;

/// The left and the right channel; a single channel is on both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planes {
    /// Left.
    pub left: Vec<f32>,
    /// Right, of the same length.
    pub right: Vec<f32>,
}

impl Planes {
    /// Number of frames: a frame is one sample of each channel.
    pub fn len(&self) -> usize {
        self.left.len()
    }

    /// True without any frame.
    pub fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Removes all frames.
    pub fn clear(&mut self) {
        self.left.clear();
        self.right.clear();
    }
}

/// A sample format that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleFormat {
    S16,
    /// Three bytes for each sample.
    S24In3,
    /// The lower three bytes of four.
    S24,
    S32,
    Float,
    U8,
}

impl SampleFormat {
    /// All of them, in the order in which they are asked for: 16 bits are enough, and cost the bus the least.
    pub(super) const ALL: [Self; 6] = [Self::S16, Self::S24In3, Self::S32, Self::S24, Self::Float, Self::U8];

    pub(super) const fn for_alsa(self) -> Format {
        match self {
            Self::S16 => Format::S16LE,
            Self::S24In3 => Format::S243LE,
            Self::S24 => Format::S24LE,
            Self::S32 => Format::S32LE,
            Self::Float => Format::FloatLE,
            Self::U8 => Format::U8,
        }
    }

    /// Bytes of one sample.
    pub(super) const fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::S16 => 2,
            Self::S24In3 => 3,
            Self::S24 | Self::S32 | Self::Float => 4,
        }
    }

    /// ALSA's name of it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::S16 => "S16_LE",
            Self::S24In3 => "S24_3LE",
            Self::S24 => "S24_LE",
            Self::S32 => "S32_LE",
            Self::Float => "FLOAT_LE",
            Self::U8 => "U8",
        }
    }

    fn sample(self, bytes: &[u8]) -> f32 {
        let at = |index: usize| bytes.get(index).copied().unwrap_or_default();
        match self {
            Self::U8 => (f32::from(at(0)) - 128.0) / 128.0,
            Self::S16 => f32::from(i16::from_le_bytes([at(0), at(1)])) / 32_768.0,
            // In the upper three bytes, so that the sign is where it belongs.
            Self::S24In3 | Self::S24 => of_32_bits(i32::from_le_bytes([0, at(0), at(1), at(2)])),
            Self::S32 => of_32_bits(i32::from_le_bytes([at(0), at(1), at(2), at(3)])),
            Self::Float => {
                let sample = f32::from_le_bytes([at(0), at(1), at(2), at(3)]);
                if sample.is_finite() { sample } else { 0.0 }
            }
        }
    }

    /// Appends the whole frames in `bytes` to `out`. Of more than two channels, the first two count: microphone arrays put their microphones, or what they
    /// made of them, there.
    pub(super) fn read(self, bytes: &[u8], channels: usize, out: &mut Planes) {
        let size = self.bytes();
        for frame in bytes.chunks_exact(size * channels.max(1)) {
            let left = self.sample(frame);
            out.left.push(left);
            out.right.push(if channels > 1 { self.sample(&frame[size..]) } else { left });
        }
    }
}

fn of_32_bits(sample: i32) -> f32 {
    (f64::from(sample) / 2_147_483_648.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(format: SampleFormat, bytes: &[u8], channels: usize) -> Planes {
        let mut planes = Planes::default();
        format.read(bytes, channels, &mut planes);
        planes
    }

    #[test]
    fn half_of_full_scale_is_the_same_in_every_format() {
        for (format, plus, minus) in [
            (SampleFormat::U8, vec![192], vec![64]),
            (SampleFormat::S16, vec![0, 0x40], vec![0, 0xC0]),
            (SampleFormat::S24In3, vec![0, 0, 0x40], vec![0, 0, 0xC0]),
            // Some drivers leave the fourth byte without the sign.
            (SampleFormat::S24, vec![0, 0, 0x40, 0], vec![0, 0, 0xC0, 0]),
            (SampleFormat::S32, vec![0, 0, 0, 0x40], vec![0, 0, 0, 0xC0]),
            (SampleFormat::Float, 0.5_f32.to_le_bytes().to_vec(), (-0.5_f32).to_le_bytes().to_vec()),
        ] {
            let bytes = [plus, minus].concat();
            assert_eq!(read(format, &bytes, 2), Planes { left: vec![0.5], right: vec![-0.5] }, "{format:?}");
            let mono = Planes { left: vec![0.5, -0.5], right: vec![0.5, -0.5] };
            assert_eq!(read(format, &bytes, 1), mono, "{format:?}");
        }
    }

    #[test]
    fn of_eight_channels_the_first_two_are_heard() {
        let frame: Vec<u8> = (0..8_i16).flat_map(|channel| (channel * 1024).to_le_bytes()).collect();
        let planes = read(SampleFormat::S16, &frame.repeat(3), 8);
        assert_eq!((planes.left, planes.right), (vec![0.0; 3], vec![1024.0 / 32_768.0; 3]));
    }

    proptest! {
        #[test]
        fn any_bytes_are_samples_that_are_numbers(bytes in prop::collection::vec(any::<u8>(), 0..200), channels in 0_usize..9) {
            for format in SampleFormat::ALL {
                let planes = read(format, &bytes, channels);
                prop_assert_eq!(planes.left.len(), bytes.len() / (format.bytes() * channels.max(1)));
                prop_assert_eq!(planes.left.len(), planes.right.len());
                prop_assert!(planes.left.iter().chain(&planes.right).all(|sample| sample.is_finite()));
            }
        }
    }
}
