//! The length-prefixed form of an access unit (ISO/IEC 14496-15 §5.3.3, "AVCC"), as MP4 and RTMP carry it. It is written from Annex B
//! without a copy: each NAL unit is lent out after the four bytes of its length.

use super::annex_b::{NalUnits, nal_units};

/// Bytes of the length in front of a NAL unit: `lengthSizeMinusOne` is 3.
pub const LENGTH_BYTES: usize = 4;

/// The NAL units of an Annex B access unit, each after its length in big-endian order.
pub fn length_prefixed(annex_b: &[u8]) -> LengthPrefixed<'_> {
    LengthPrefixed { units: nal_units(annex_b) }
}

/// Number of bytes that [`length_prefixed`] makes of `annex_b`.
pub fn length_prefixed_len(annex_b: &[u8]) -> usize {
    nal_units(annex_b).map(|unit| LENGTH_BYTES + unit.bytes.len()).sum()
}

/// The way back: puts a start code in place of each length. False where the lengths do not fit the bytes; these are garbage then.
pub fn into_annex_b(avcc: &mut [u8]) -> bool {
    let mut at = 0;
    while at < avcc.len() {
        let Some(length) = avcc[at..].first_chunk_mut::<LENGTH_BYTES>() else { return false };
        let bytes = u32::from_be_bytes(*length) as usize;
        *length = [0, 0, 0, 1];
        // Within 32 bits on 32-bit boards.
        at = at.saturating_add(LENGTH_BYTES).saturating_add(bytes);
    }
    at == avcc.len()
}

/// Iterator made by [`length_prefixed`].
#[derive(Clone, Debug)]
pub struct LengthPrefixed<'a> {
    units: NalUnits<'a>,
}

impl<'a> Iterator for LengthPrefixed<'a> {
    type Item = ([u8; LENGTH_BYTES], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        // A length beyond 32 bits is impossible: access units are bounded far below.
        let bytes = self.units.next()?.bytes;
        Some((u32::try_from(bytes.len()).ok()?.to_be_bytes(), bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::super::annex_b::tests::a_nal_unit;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn start_codes_of_both_lengths_become_lengths_and_the_payload_is_lent() {
        let data = [0, 0, 0, 1, 6, 5, 0, 0, 1, 0x65, 1, 2, 3, 0, 0];
        let units: Vec<_> = length_prefixed(&data).collect();
        assert_eq!(units, [([0, 0, 0, 2], &[6, 5][..]), ([0, 0, 0, 4], &[0x65, 1, 2, 3])]);
        assert!(units.iter().all(|(_, unit)| data.as_ptr_range().contains(&unit.as_ptr())));
        assert_eq!(length_prefixed_len(&data), 14);
        assert_eq!(length_prefixed(&[]).count(), 0);
    }

    proptest! {
        #[test]
        fn a_reader_of_lengths_finds_the_same_nal_units(units in prop::collection::vec(a_nal_unit(), 0..8)) {
            let annex_b: Vec<u8> = units.iter().flat_map(|unit| [&[0, 0, 1], &unit[..]].concat()).collect();
            let avcc: Vec<u8> =
                length_prefixed(&annex_b).flat_map(|(length, unit)| [&length[..], unit].concat()).collect();
            prop_assert_eq!(avcc.len(), length_prefixed_len(&annex_b));
            let (mut rest, mut found) = (&avcc[..], Vec::new());
            while let Some((length, after)) = rest.split_first_chunk::<LENGTH_BYTES>() {
                let (unit, after) = after.split_at(u32::from_be_bytes(*length) as usize);
                found.push(unit.to_vec());
                rest = after;
            }
            prop_assert_eq!(found, &units[..]);
            let mut back = avcc.clone();
            prop_assert!(into_annex_b(&mut back));
            let again: Vec<_> = nal_units(&back).map(|unit| unit.bytes.to_vec()).collect();
            prop_assert_eq!(again, units);
        }

        #[test]
        fn lengths_that_lie_are_refused(bytes in prop::collection::vec(any::<u8>(), 1..40)) {
            let mut back = bytes.clone();
            let fits = into_annex_b(&mut back);
            prop_assert_eq!(back.len(), bytes.len());
            prop_assert!(!fits || nal_units(&back).count() <= bytes.len() / 4);
        }
    }
}
