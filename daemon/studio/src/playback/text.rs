//! The text of a playlist as it is sent: ten hours take a megabyte, and a fifth of that compressed.

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};

/// A playlist to be sent.
#[derive(Clone, Debug)]
pub struct PlaylistText {
    /// The text, or the text compressed.
    pub bytes: Bytes,
    /// Compressed with gzip (RFC 1952).
    pub is_gzip: bool,
    /// Names the text.
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
    /// The same, compressed. Fast rather than small: a slow board does it while somebody waits.
    pub(super) fn packed(self) -> io::Result<Self> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&self.bytes)?;
        Ok(Self { bytes: out.finish()?.into(), is_gzip: true, ..self })
    }
}
