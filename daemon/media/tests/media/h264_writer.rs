//! Writes just enough H.264 to test with (ITU-T H.264 §7.3): parameter sets and slice headers with opaque slice data.

/// Bits, most significant first.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    used: u32,
}

impl Bits {
    fn bits(&mut self, count: u32, value: u32) -> &mut Self {
        for place in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let bit = (value >> place & 1) as u8;
            *self.bytes.last_mut().unwrap() |= bit << (7 - self.used % 8);
            self.used += 1;
        }
        self
    }

    /// Exp-Golomb code.
    fn ue(&mut self, value: u32) -> &mut Self {
        let width = (value + 1).ilog2();
        self.bits(width, 0).bits(width + 1, value + 1)
    }

    /// The NAL unit: stop bit, emulation prevention, header.
    fn nal_unit(&mut self, header: u8) -> Vec<u8> {
        self.bits(1, 1);
        nal_unit(header, &self.bytes)
    }
}

/// Header and payload with emulation prevention (§7.4.1).
pub(crate) fn nal_unit(header: u8, payload: &[u8]) -> Vec<u8> {
    let mut unit = vec![header];
    for &byte in payload {
        if byte <= 3 && unit.ends_with(&[0, 0]) {
            unit.push(3);
        }
        unit.push(byte);
    }
    unit
}

/// What the tests vary in an SPS.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sps {
    pub(crate) id: u32,
    pub(crate) level: u8,
    pub(crate) width_in_macroblocks: u32,
    pub(crate) height_in_macroblocks: u32,
    /// Cropped from the right and from the bottom, in units of two pixels.
    pub(crate) crop: (u32, u32),
    /// `num_units_in_tick` and `time_scale`.
    pub(crate) timing: Option<(u32, u32)>,
}

/// Bits of `frame_num` and of `pic_order_cnt_lsb` in our slices.
const FRAME_NUM_BITS: u32 = 4;
const ORDER_COUNT_BITS: u32 = 5;

impl Default for Sps {
    fn default() -> Self {
        Self {
            id: 0,
            level: 31,
            width_in_macroblocks: 80,
            height_in_macroblocks: 45,
            crop: (0, 0),
            timing: Some((1, 60)),
        }
    }
}

impl Sps {
    /// Constrained baseline, picture order count type 0.
    pub(crate) fn nal_unit(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.bits(8, 66).bits(8, 0xc0).bits(8, u32::from(self.level));
        bits.ue(self.id).ue(FRAME_NUM_BITS - 4).ue(0).ue(ORDER_COUNT_BITS - 4).ue(1).bits(1, 0);
        bits.ue(self.width_in_macroblocks - 1).ue(self.height_in_macroblocks - 1);
        bits.bits(1, 1).bits(1, 1); // frames only, direct 8x8
        if self.crop == (0, 0) {
            bits.bits(1, 0);
        } else {
            bits.bits(1, 1).ue(0).ue(self.crop.0).ue(0).ue(self.crop.1);
        }
        match self.timing {
            None => bits.bits(1, 0),
            // VUI: no aspect ratio, overscan, signal type, chroma location; timing; no HRD, no structure, no restrictions.
            Some((units, scale)) => {
                bits.bits(1, 1).bits(4, 0).bits(1, 1).bits(32, units).bits(32, scale).bits(1, 1).bits(4, 0)
            }
        };
        bits.nal_unit(0x67)
    }
}

/// A picture parameter set with this id, of the sequence parameter set 0.
pub(crate) fn pps(id: u32) -> Vec<u8> {
    pps_of(id, 0)
}

/// A picture parameter set with this id, of another sequence parameter set.
pub(crate) fn pps_of(id: u32, sps_id: u32) -> Vec<u8> {
    let mut bits = Bits::default();
    bits.ue(id).ue(sps_id).bits(2, 0).ue(0).ue(0).ue(0).bits(3, 0).ue(0).ue(0).ue(0).bits(3, 0b100);
    bits.nal_unit(0x68)
}

/// A slice of a picture.
#[derive(Clone, Debug)]
pub(crate) struct Slice {
    pub(crate) pps_id: u32,
    pub(crate) is_idr: bool,
    pub(crate) first_macroblock: u32,
    pub(crate) frame_num: u32,
    pub(crate) idr_pic_id: u32,
    pub(crate) data: Vec<u8>,
}

impl Slice {
    pub(crate) fn nal_unit(&self) -> Vec<u8> {
        let mut bits = Bits::default();
        bits.ue(self.first_macroblock).ue(if self.is_idr { 7 } else { 5 }).ue(self.pps_id);
        bits.bits(FRAME_NUM_BITS, self.frame_num % (1 << FRAME_NUM_BITS));
        if self.is_idr {
            bits.ue(self.idr_pic_id);
        }
        bits.bits(ORDER_COUNT_BITS, 2 * self.frame_num % (1 << ORDER_COUNT_BITS));
        for &byte in &self.data {
            bits.bits(8, u32::from(byte));
        }
        bits.nal_unit(if self.is_idr { 0x65 } else { 0x41 })
    }
}

/// A picture of `slices` slices, each with `bytes` bytes of data.
pub(crate) fn picture(is_idr: bool, frame_num: u32, slices: u32, bytes: usize) -> Vec<Vec<u8>> {
    (0..slices)
        .map(|slice| {
            let data = (0..bytes).map(|at| (at as u32 * 7 + frame_num) as u8 % 5).collect();
            Slice { pps_id: 0, is_idr, first_macroblock: slice * 10, frame_num, idr_pic_id: frame_num, data }
                .nal_unit()
        })
        .collect()
}

/// NAL units with start codes of 4 bytes.
pub(crate) fn annex_b<'a>(units: impl IntoIterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    units.into_iter().flat_map(|unit| [&[0, 0, 0, 1], &unit[..]].concat()).collect()
}
