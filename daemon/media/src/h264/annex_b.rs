//! The byte stream format (ITU-T H.264 Annex B): NAL units after start codes of 3 or 4 bytes.

use super::nal_unit::NalUnitType;
use memchr::memmem;
use std::ops::Range;
use std::sync::LazyLock;

/// The start code that we write: 4 bytes, as the first NAL unit of an access unit and parameter sets need it (§B.1.2).
pub const START_CODE: [u8; 4] = [0, 0, 0, 1];

static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(&[0, 0, 1]));

/// Offset of the next start code's `00 00 01`, at `from` or after it.
pub fn find_start_code(data: &[u8], from: usize) -> Option<usize> {
    FINDER.find(data.get(from..)?).map(|at| from + at)
}

/// A NAL unit never ends in a zero: zeros before the next start code are its zero byte or `trailing_zero_8bits`.
pub fn without_trailing_zeros(nal_unit: &[u8]) -> &[u8] {
    let end = nal_unit.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    &nal_unit[..end]
}

/// A NAL unit's position in a byte stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NalUnit<'a> {
    /// Header and payload, without start code and trailing zeros; never empty.
    pub bytes: &'a [u8],
    /// Range of the NAL unit in the stream, with its start code and that one's zero byte, if there is one.
    pub with_start_code: Range<usize>,
}

impl NalUnit<'_> {
    /// The type of the NAL unit.
    pub fn unit_type(&self) -> NalUnitType {
        NalUnitType::from_header(self.bytes[0])
    }
}

/// The NAL units of a byte stream, in order. Bytes before the first start code are skipped, and so are NAL units
/// without a byte in them.
pub fn nal_units(data: &[u8]) -> NalUnits<'_> {
    NalUnits { data, next: find_start_code(data, 0) }
}

/// Iterator made by [`nal_units`].
#[derive(Clone, Debug)]
pub struct NalUnits<'a> {
    data: &'a [u8],
    /// Offset of the next `00 00 01`.
    next: Option<usize>,
}

impl<'a> Iterator for NalUnits<'a> {
    type Item = NalUnit<'a>;

    fn next(&mut self) -> Option<NalUnit<'a>> {
        loop {
            let code = self.next?;
            let start = code + 3;
            self.next = find_start_code(self.data, start);
            let bytes = without_trailing_zeros(&self.data[start..self.next.unwrap_or(self.data.len())]);
            if bytes.is_empty() {
                continue;
            }
            let zero_byte = usize::from(code > 0 && self.data[code - 1] == 0);
            return Some(NalUnit { bytes, with_start_code: code - zero_byte..start + bytes.len() });
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(data: &[u8]) -> Vec<&[u8]> {
        nal_units(data).map(|unit| unit.bytes).collect()
    }

    #[test]
    fn both_start_codes_separate_nal_units() {
        let data = [0, 0, 0, 1, 9, 0xf0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x65, 7];
        assert_eq!(bytes(&data), [&[9, 0xf0][..], &[0x67, 1, 2], &[0x65, 7]]);
        let ranges: Vec<_> = nal_units(&data).map(|unit| unit.with_start_code).collect();
        assert_eq!(ranges, [0..6, 6..12, 12..18]);
    }

    #[test]
    fn garbage_before_trailing_zeros_and_empty_units_are_passed_over() {
        assert_eq!(bytes(&[5, 6, 0, 0, 1, 0x41, 3, 0, 0, 0, 0]), [&[0x41, 3][..]]);
        assert_eq!(bytes(&[0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0x41]), [&[0x41][..]]);
        assert!(bytes(&[0, 0, 1]).is_empty());
        assert!(bytes(&[]).is_empty());
    }

    /// A NAL unit as an encoder may emit it: no start code inside (emulation prevention), no zero at its end.
    pub(crate) fn a_nal_unit() -> impl Strategy<Value = Vec<u8>> {
        (1u8..=0x7f, prop::collection::vec(0u8..=4, 0..40)).prop_map(|(header, payload)| {
            let mut unit = vec![header];
            for byte in payload {
                if byte <= 3 && unit.ends_with(&[0, 0]) {
                    unit.push(3);
                }
                unit.push(byte);
            }
            while unit.ends_with(&[0]) {
                unit.pop();
            }
            unit
        })
    }

    proptest! {
        #[test]
        fn what_is_joined_comes_apart_again(units in prop::collection::vec((a_nal_unit(), any::<bool>(), 0usize..3), 0..12)) {
            let mut stream = Vec::new();
            for (unit, long, trailing_zeros) in &units {
                stream.extend_from_slice(if *long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                stream.extend_from_slice(unit);
                stream.extend(std::iter::repeat_n(0, *trailing_zeros));
            }
            let expected: Vec<&[u8]> = units.iter().map(|(unit, ..)| &unit[..]).collect();
            prop_assert_eq!(bytes(&stream), expected);
        }

        #[test]
        fn any_bytes_are_survived_and_ranges_lie_in_order(data in prop::collection::vec(0u8..3, 0..200)) {
            let mut end = 0;
            for unit in nal_units(&data) {
                prop_assert!(unit.with_start_code.start >= end && unit.with_start_code.end <= data.len());
                prop_assert!(!unit.bytes.is_empty());
                end = unit.with_start_code.end;
            }
        }
    }
}
