//! The media playlist of a recording (RFC 8216bis §4.4): byte ranges of its parts, from their indexes alone. It grows with a recording that is
//! still being written, and is rendered on every request. A segment takes 40 bytes of memory, whatever its length.

use super::index::Header;
use super::{Break, Fragment, VIDEO_TIMESCALE};
use crate::hls::DateTime;
use std::fmt;
use std::time::Duration;

/// A date is written again if it differs by more than this from the date before it plus the durations since: the clock
/// was set, or the stream paused.
const DATE_TOLERANCE_MS: i64 = 500;
/// A [`Playlist::jumps`] entry is added if the stream's time differs by more than this. A smaller error in the chat is
/// not noticed.
const OFFSET_TOLERANCE_MS: u64 = 250;
/// Updates may leave out segments older than this many target durations; fewer are not allowed (RFC 8216bis §4.4.3.8).
const SKIP_TARGETS: u64 = 6;

/// The facts that a recording's playlist is made from: its parts and segments, in order.
#[derive(Clone, Debug, Default)]
pub struct Playlist {
    parts: Vec<Part>,
    segments: Vec<Segment>,
    /// True if the next fragment begins a segment, whatever its mark says.
    is_cut: bool,
    has_ended: bool,
    /// EXT-X-TARGETDURATION may not change while a playlist grows.
    target: u64,
}

#[derive(Clone, Copy, Debug)]
struct Part {
    number: u32,
    init_bytes: u32,
    /// Index of its first segment.
    first_segment: usize,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    at: u64,
    bytes: u64,
    /// Duration of its pictures, in ticks of the video's timescale.
    duration: u64,
    wall_ms: i64,
    stream_offset_ms: u64,
    discontinuity: bool,
    is_independent: bool,
}

/// A point where a recording's time and its stream's time diverge: a pause at a seam, or pictures lost in a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jump {
    /// Position in the recording, in milliseconds from its start.
    pub at_ms: u64,
    /// Position in the stream, in milliseconds from its start, at the same picture.
    pub stream_offset_ms: u64,
}

/// Bit rates, in bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Rate of the segment with the highest one.
    pub peak: u64,
    /// Mean rate over the whole recording.
    pub average: u64,
}

impl Playlist {
    /// Sets the longest duration of a segment, in seconds, rounded: EXT-X-TARGETDURATION while the recording grows.
    pub fn set_target(&mut self, seconds: u64) {
        self.target = self.target.max(seconds);
    }

    /// Starts a part: the fragments that follow belong to it.
    pub fn begin_part(&mut self, header: &Header) {
        let first_segment = self.segments.len();
        self.parts.push(Part { number: header.part, init_bytes: header.init_bytes, first_segment });
        self.is_cut = true;
    }

    /// Adds the part's next fragment.
    pub fn push(&mut self, fragment: &Fragment) {
        let Fragment { at, bytes, mark, video, .. } = fragment;
        let (bytes, duration) = (u64::from(*bytes), video.duration());
        let begins = self.is_cut || mark.begins_segment || mark.before != Break::None;
        // A seam within a part is none: tracks, formats and decode times go on (RFC 8216bis §4.4.4.3), and VLC 3.0 stops at one because it
        // does not load the header again.
        let discontinuity = !self.segments.is_empty() && self.is_cut;
        match self.segments.last_mut() {
            // A segment reaches to its last byte: foreign bytes between two fragments are sent as well, and players
            // skip unknown boxes.
            Some(open) if !begins => {
                open.bytes = (at + bytes).saturating_sub(open.at);
                open.duration += duration;
            }
            _ => self.segments.push(Segment {
                at: *at,
                bytes,
                duration,
                wall_ms: mark.wall_ms,
                stream_offset_ms: mark.stream_offset_ms,
                discontinuity,
                is_independent: mark.is_independent,
            }),
        }
        self.is_cut = false;
    }

    /// Marks the end of the recording: the last segment is complete, and the playlist ends with it.
    pub const fn end(&mut self) {
        self.has_ended = true;
    }

    /// Segments that players see. The newest one may still grow while the recording does.
    fn listed(&self) -> &[Segment] {
        let open = usize::from(!self.has_ended);
        &self.segments[..self.segments.len().saturating_sub(open)]
    }

    /// True before there is a complete segment.
    pub fn is_empty(&self) -> bool {
        self.listed().is_empty()
    }

    /// Number of listed segments.
    pub fn len(&self) -> usize {
        self.listed().len()
    }

    /// Duration of all pictures, including those of a segment that is not complete yet.
    pub fn duration(&self) -> Duration {
        time(self.segments.iter().map(|segment| segment.duration).sum())
    }

    /// Rates of all segments, the headers of MP4 included. `None` before there is one.
    pub fn bandwidth(&self) -> Option<Bandwidth> {
        let rate = |bytes: u64, ticks: u64| (bytes * 8).saturating_mul(VIDEO_TIMESCALE.into()) / ticks.max(1);
        let peak = self.segments.iter().map(|segment| rate(segment.bytes, segment.duration)).max()?;
        let sum = |of: fn(&Segment) -> u64| self.segments.iter().map(of).sum();
        Some(Bandwidth { peak, average: rate(sum(|segment| segment.bytes), sum(|segment| segment.duration)) })
    }

    /// Points where the stream's time jumps; between them it advances with the recording's. The first is at the start.
    pub fn jumps(&self) -> Vec<Jump> {
        let mut jumps: Vec<Jump> = Vec::new();
        let mut ticks = 0;
        for segment in &self.segments {
            let at_ms = milliseconds(ticks);
            let offset = segment.stream_offset_ms;
            let is_as_expected = jumps.last().is_some_and(|last| {
                (last.stream_offset_ms + at_ms - last.at_ms).abs_diff(offset) <= OFFSET_TOLERANCE_MS
            });
            if !is_as_expected {
                jumps.push(Jump { at_ms, stream_offset_ms: offset });
            }
            ticks += segment.duration;
        }
        jumps
    }

    /// The playlist's text. `is_update`: the client has an earlier one and asks only for what is new (`_HLS_skip=YES`).
    pub fn text(&self, is_update: bool) -> String {
        Text { of: self, is_update, has_headers_inside: false }.to_string()
    }

    /// The text for a player that heeds only the first EXT-X-MAP: the first segment of each further part begins with the part's header.
    pub fn text_with_headers_inside(&self) -> String {
        Text { of: self, is_update: false, has_headers_inside: true }.to_string()
    }

    /// EXT-X-TARGETDURATION: no segment's rounded duration exceeds it.
    fn target_duration(&self) -> u64 {
        let longest = self.listed().iter().map(|segment| segment.duration).max().unwrap_or(0);
        let rounded = (longest + u64::from(VIDEO_TIMESCALE) / 2) / u64::from(VIDEO_TIMESCALE);
        if self.has_ended { rounded.max(1) } else { rounded.max(self.target).max(1) }
    }

    /// Number of the oldest segments that an update leaves out.
    fn skipped(&self, target: u64) -> usize {
        let mut kept = 0;
        let until = SKIP_TARGETS * target * u64::from(VIDEO_TIMESCALE);
        let listed = self.listed();
        let newest = listed.iter().rev().take_while(|segment| {
            let is_kept = kept < until;
            kept += segment.duration;
            is_kept
        });
        listed.len() - newest.count()
    }
}

struct Text<'a> {
    of: &'a Playlist,
    is_update: bool,
    has_headers_inside: bool,
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Playlist { parts, has_ended, .. } = self.of;
        let segments = self.of.listed();
        let target = self.of.target_duration();
        let skipped = if self.is_update && !has_ended { self.of.skipped(target) } else { 0 };
        // EXT-X-SKIP needs version 9; EXT-X-MAP in a playlist of pictures needs 6 (§8).
        let version = if skipped > 0 { 9 } else { 6 };
        writeln!(out, "#EXTM3U\n#EXT-X-VERSION:{version}\n#EXT-X-TARGETDURATION:{target}")?;
        if *has_ended {
            writeln!(out, "#EXT-X-PLAYLIST-TYPE:VOD")?;
        } else {
            writeln!(out, "#EXT-X-PLAYLIST-TYPE:EVENT")?;
            writeln!(out, "#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL={}", SKIP_TARGETS * target)?;
        }
        writeln!(out, "#EXT-X-MEDIA-SEQUENCE:0")?;
        if segments.iter().all(|segment| segment.is_independent) {
            writeln!(out, "#EXT-X-INDEPENDENT-SEGMENTS")?;
        }
        if skipped > 0 {
            writeln!(out, "#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}")?;
        }
        let mut next_parts = parts.iter().peekable();
        let mut part = 0;
        let mut ticks = 0;
        let mut expected_wall: Option<i64> = None;
        for (number, segment) in segments.iter().enumerate() {
            let mut map = None;
            while let Some(begun) = next_parts.next_if(|next| next.first_segment <= number) {
                (part, map) = (begun.number, Some(begun));
            }
            let (from, until) = (ticks, ticks + segment.duration);
            let is_dated = !segment.discontinuity
                && expected_wall.is_some_and(|expected| {
                    expected.abs_diff(segment.wall_ms).cast_signed() <= DATE_TOLERANCE_MS
                });
            if number >= skipped {
                if segment.discontinuity {
                    writeln!(out, "#EXT-X-DISCONTINUITY")?;
                }
                if let Some(Part { number, init_bytes, .. }) = map {
                    writeln!(out, "#EXT-X-MAP:URI=\"{number}.mp4\",BYTERANGE=\"{init_bytes}@0\"")?;
                }
                if !is_dated {
                    writeln!(out, "#EXT-X-PROGRAM-DATE-TIME:{}", DateTime(segment.wall_ms))?;
                }
                // Ends are rounded instead of durations, so errors do not add up over hours.
                let duration = time(until).saturating_sub(time(from));
                writeln!(out, "#EXTINF:{}.{:05},", duration.as_secs(), duration.subsec_micros() / 10)?;
                let begins =
                    if self.has_headers_inside && map.is_some() && number > 0 { 0 } else { segment.at };
                let bytes = segment.at + segment.bytes - begins;
                writeln!(out, "#EXT-X-BYTERANGE:{bytes}@{begins}\n{part}.mp4")?;
            }
            let date = if is_dated { expected_wall.unwrap_or(segment.wall_ms) } else { segment.wall_ms };
            expected_wall = Some(date + (milliseconds(until) - milliseconds(from)).cast_signed());
            ticks = until;
        }
        if *has_ended {
            writeln!(out, "#EXT-X-ENDLIST")?;
        }
        Ok(())
    }
}

/// Rounds to the nearest hundredth of a millisecond, the precision of a playlist.
const fn time(ticks: u64) -> Duration {
    // Of 90,000 ticks a second, nine are a tenth of a millisecond.
    Duration::from_micros((ticks * 10 + 4) / 9 * 10)
}

const fn milliseconds(ticks: u64) -> u64 {
    ticks / 90
}

#[cfg(test)]
#[path = "playlist/tests.rs"]
mod tests;
