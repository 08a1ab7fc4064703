//! The media playlist (RFC 8216bis §4.4) as typed data, and its one writer.

use super::date_time::DateTime;
use std::fmt;
use std::time::Duration;

/// The playlist that a client fetches again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaPlaylist {
    /// EXT-X-TARGETDURATION, in seconds: no segment's rounded duration exceeds it.
    pub target_duration: u64,
    /// EXT-X-MEDIA-SEQUENCE: number of the first segment.
    pub media_sequence: u64,
    /// EXT-X-DISCONTINUITY-SEQUENCE: discontinuities before the first segment.
    pub discontinuity_sequence: u64,
    /// EXT-X-SERVER-CONTROL.
    pub server_control: Option<ServerControl>,
    /// EXT-X-INDEPENDENT-SEGMENTS: every segment of the stream so far begins at an entry point.
    pub independent_segments: bool,
    /// The segments, in order.
    pub segments: Vec<MediaSegment>,
    /// EXT-X-ENDLIST: no segment will be added.
    pub ended: bool,
}

/// Abilities of the server (RFC 8216bis §4.4.3.8).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerControl {
    /// True if `_HLS_msn` is understood.
    pub can_block_reload: bool,
    /// Distance from the end at which players begin by default: at least three target durations.
    pub hold_back: Duration,
}

/// One segment's entry.
#[derive(Clone, Debug, PartialEq)]
pub struct MediaSegment {
    /// Address of the segment, relative to the playlist.
    pub uri: String,
    /// EXTINF, the duration.
    pub duration: Duration,
    /// True for an EXT-X-DISCONTINUITY before it.
    pub discontinuity: bool,
    /// EXT-X-PROGRAM-DATE-TIME of its first picture, in milliseconds since 1970.
    pub program_date_time: i64,
}

impl fmt::Display for MediaPlaylist {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Version 6 is the highest that a media playlist without EXT-X-SKIP or variables needs (§8).
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:{}", self.target_duration)?;
        if let Some(ServerControl { can_block_reload, hold_back }) = self.server_control {
            let can_block = if can_block_reload { "CAN-BLOCK-RELOAD=YES," } else { "" };
            writeln!(out, "#EXT-X-SERVER-CONTROL:{can_block}HOLD-BACK={:.3}", hold_back.as_secs_f64())?;
        }
        writeln!(out, "#EXT-X-MEDIA-SEQUENCE:{}", self.media_sequence)?;
        writeln!(out, "#EXT-X-DISCONTINUITY-SEQUENCE:{}", self.discontinuity_sequence)?;
        if self.independent_segments {
            writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        for segment in &self.segments {
            write!(out, "{segment}")?;
        }
        if self.ended {
            writeln!(out, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

impl fmt::Display for MediaSegment {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.discontinuity {
            writeln!(out, "#EXT-X-DISCONTINUITY")?;
        }
        writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", DateTime(self.program_date_time))?;
        writeln!(out, "#EXTINF:{:.5},\n{}", self.duration.as_secs_f64(), self.uri)
    }
}
