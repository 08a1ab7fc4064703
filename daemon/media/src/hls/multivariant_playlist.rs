//! The multivariant playlist (RFC 8216bis §4.4.6) as typed data, and its one writer.

use std::fmt;

/// The playlist that a client fetches first: it lists the streams.
#[derive(Clone, Debug, PartialEq)]
pub struct MultivariantPlaylist {
    /// The streams, at least one.
    pub variants: Vec<Variant>,
}

/// EXT-X-STREAM-INF.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Address of the media playlist, relative to this one.
    pub uri: String,
    /// Peak bits per second over a segment.
    pub bandwidth: u64,
    /// Mean bits per second.
    pub average_bandwidth: u64,
    /// The codecs (RFC 6381), as `avc1.42c01f,mp4a.40.2`.
    pub codecs: String,
    /// Width and height in pixels.
    pub resolution: (u32, u32),
    /// Pictures per second.
    pub frame_rate: f64,
}

impl fmt::Display for MultivariantPlaylist {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:6")?;
        // No EXT-X-INDEPENDENT-SEGMENTS: clients fetch this once, and a later segment may not be independent. The media
        // playlist says it.
        for Variant { uri, bandwidth, average_bandwidth, codecs, resolution: (width, height), frame_rate } in
            &self.variants
        {
            writeln!(
                out,
                "#EXT-X-STREAM-INF:BANDWIDTH={bandwidth},AVERAGE-BANDWIDTH={average_bandwidth},CODECS=\"{codecs}\",\
                 RESOLUTION={width}x{height},FRAME-RATE={frame_rate:.3}\n{uri}"
            )?;
        }
        Ok(())
    }
}
