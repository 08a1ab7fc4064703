//! The text of a playlist. Ten hours take a megabyte, and a fifth of that compressed.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};

/// A playlist's text, ready to be sent.
#[derive(Clone, Debug)]
pub struct PlaylistText {
    /// The text, possibly compressed.
    pub bytes: Bytes,
    /// True if it is compressed with gzip (RFC 1952).
    pub is_gzip: bool,
    /// Identifies the text; for the entity tag.
    pub tag: u64,
}

impl From<String> for PlaylistText {
    fn from(text: String) -> Self {
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        Self { bytes: text.into(), is_gzip: false, tag: hasher.finish() }
    }
}

impl PlaylistText {
    /// The same text, compressed at the fastest level, because somebody waits for it on a slow board.
    pub(super) fn packed(self) -> io::Result<Self> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&self.bytes)?;
        Ok(Self { bytes: out.finish()?.into(), is_gzip: true, ..self })
    }
}
