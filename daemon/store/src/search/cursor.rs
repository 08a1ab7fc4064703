//! Where a page of a list ended.

use std::fmt;
use std::str::FromStr;

/// Where a page ended: the sort key of its last stream, or of the last one looked at. As text, 64 hexadecimal digits without meaning to the client; a forged
/// one only starts elsewhere. A stream whose views change between two pages may be listed twice or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor {
    pub(crate) first: u64,
    pub(crate) newest: u64,
    pub(crate) id: u128,
}

/// The text is not a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: take next_cursor from the previous page")]
pub struct CursorError;

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{:016x}{:032x}", self.first, self.newest, self.id)
    }
}

impl FromStr for Cursor {
    type Err = CursorError;

    fn from_str(text: &str) -> Result<Self, CursorError> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(CursorError);
        }
        let number = |digits: &str| u64::from_str_radix(digits, 16).map_err(|_| CursorError);
        Ok(Self {
            first: number(&text[..16])?,
            newest: number(&text[16..32])?,
            id: u128::from_str_radix(&text[32..], 16).map_err(|_| CursorError)?,
        })
    }
}
