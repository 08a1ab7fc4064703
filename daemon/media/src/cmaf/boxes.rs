//! The boxes of MP4 (ISO/IEC 14496-12 §4.2): a length, a type, and the content.

/// Appends a box; `fill` appends its content. A box here is far below 4 GiB.
pub(super) fn put(out: &mut Vec<u8>, kind: [u8; 4], fill: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&kind);
    fill(out);
    let length = (out.len() - at) as u32;
    out[at..at + 4].copy_from_slice(&length.to_be_bytes());
}

/// Appends a box with version and flags.
pub(super) fn put_full(
    out: &mut Vec<u8>,
    kind: [u8; 4],
    version: u8,
    flags: u32,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    put(out, kind, |out| {
        put_u32(out, u32::from(version) << 24 | flags);
        fill(out);
    });
}

pub(super) fn put_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_be_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_be_bytes());
}

/// Reads numbers from the beginning of a slice; `None` at its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.bytes().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.bytes().map(u64::from_be_bytes)
    }

    /// The next box: its type and its content.
    pub(super) fn next_box(&mut self) -> Option<([u8; 4], Fields<'a>)> {
        let mut head = *self;
        let length = usize::try_from(head.u32()?).ok()?;
        let kind = head.bytes()?;
        let (whole, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, Self(whole.get(8..)?)))
    }

    /// The content of the next box of this type; others are skipped.
    pub(super) fn find(mut self, kind: [u8; 4]) -> Option<Fields<'a>> {
        loop {
            let (found, inside) = self.next_box()?;
            if found == kind {
                return Some(inside);
            }
        }
    }
}
