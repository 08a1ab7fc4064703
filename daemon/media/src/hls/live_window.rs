//! The segments that the playlist offers now, and the few that it offered just before (RFC 8216bis §6.2.2).

use super::media_playlist::{MediaPlaylist, MediaSegment, ServerControl};
use super::multivariant_playlist::Variant;
use super::segment_name::segment_name;
use super::segmenter::Segment;
use crate::time::MediaTime;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// Players begin this many target durations from the playlist's end (HOLD-BACK; RFC 8216bis §4.4.3.8 requires at least
/// three).
const HOLD_BACK_TARGETS: u32 = 3;
/// A playlist keeps at least this many target durations: those that players begin from (§6.2.2), and two more for one
/// that falls behind.
const FEWEST_TARGETS: u32 = HOLD_BACK_TARGETS + 2;
/// Segments that left the playlist are kept for at least this many target durations, for clients with an older
/// playlist. (The RFC requires the duration of the playlist itself, which would double the memory; a player at the very
/// tail of the window loses a segment.)
const KEPT_TARGETS: u32 = 1;

/// Limits of the window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveWindowConfig {
    /// Prefix of the segments' names; unique for ever.
    pub run: String,
    /// EXT-X-TARGETDURATION, which the cutter obeys. Never changes once a segment is offered (§4.4.3.1).
    pub target_duration: u64,
    /// Duration of the playlist at most. Five target durations are kept in any case.
    pub window: Duration,
    /// Bytes of the offered segments at most; high bit rates shorten the window. Five target durations are kept in any
    /// case.
    pub max_bytes: usize,
    /// Media sequence number of the first segment, equal to the segmenter's.
    pub first_sequence: u64,
    /// First EXT-X-DISCONTINUITY-SEQUENCE. hls.js takes time in proportion to it: at 286 million the page stood still
    /// for 17 s.
    pub first_discontinuity: u64,
}

/// The difference from media time to wall time, in milliseconds since 1970. It changes when the clock is set by more
/// than players tolerate: all dates of the playlist move with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallOffset {
    milliseconds: i64,
}

impl WallOffset {
    /// Computed from both clocks, read at one moment.
    pub const fn new(unix_milliseconds: i64, at: MediaTime) -> Self {
        Self { milliseconds: unix_milliseconds.saturating_sub(at.ticks() / (MediaTime::HZ / 1000)) }
    }

    /// Wall time at `time`, in milliseconds since 1970.
    pub const fn unix_milliseconds(self, time: MediaTime) -> i64 {
        self.milliseconds.saturating_add(time.ticks() / (MediaTime::HZ / 1000))
    }
}

/// The sliding window over one stream's segments.
#[derive(Debug)]
pub struct LiveWindow<D = Bytes> {
    config: LiveWindowConfig,
    /// True once a segment that is not independent was offered: the playlist then no longer claims that all are.
    has_dependent: bool,
    offered: VecDeque<Segment<D>>,
    kept: VecDeque<Segment<D>>,
    /// Sums over `offered`.
    duration: Duration,
    bytes: usize,
    media_sequence: u64,
    discontinuity_sequence: u64,
}

impl<D> LiveWindow<D> {
    /// An empty window.
    pub fn new(config: LiveWindowConfig) -> Self {
        let (first_sequence, discontinuity_sequence) = (config.first_sequence, config.first_discontinuity);
        Self {
            config,
            has_dependent: false,
            offered: VecDeque::new(),
            kept: VecDeque::new(),
            duration: Duration::ZERO,
            bytes: 0,
            media_sequence: first_sequence,
            discontinuity_sequence,
        }
    }

    /// Sets EXT-X-TARGETDURATION as the first segment fixed it; without effect once a segment is offered.
    pub fn fix_target_duration(&mut self, target_duration: u64) {
        if self.offered.is_empty() && self.kept.is_empty() {
            self.config.target_duration = target_duration;
        }
    }

    /// Limits the offered segments to this many bytes from the next segment on. Five target durations are kept in any
    /// case.
    pub const fn keep_within(&mut self, max_bytes: usize) {
        self.config.max_bytes = max_bytes;
    }

    /// Adds the next segment; old ones leave.
    pub fn push(&mut self, segment: Segment<D>) {
        self.has_dependent |= !segment.independent;
        self.duration += segment.duration;
        self.bytes += segment.bytes;
        self.offered.push_back(segment);
        let fewest = self.targets(FEWEST_TARGETS);
        while (self.duration > self.config.window || self.bytes > self.config.max_bytes)
            && self
                .offered
                .front()
                .is_some_and(|oldest| self.duration.saturating_sub(oldest.duration) >= fewest)
        {
            self.retire_oldest();
        }
    }

    fn retire_oldest(&mut self) {
        let Some(oldest) = self.offered.pop_front() else { return };
        self.duration -= oldest.duration;
        self.bytes -= oldest.bytes;
        self.media_sequence = oldest.sequence + 1;
        self.discontinuity_sequence += u64::from(oldest.discontinuity);
        self.kept.push_back(oldest);
        let mut kept: Duration = self.kept.iter().map(|segment| segment.duration).sum();
        let least = self.targets(KEPT_TARGETS);
        while let Some(oldest) = self.kept.front().filter(|oldest| kept >= oldest.duration + least) {
            kept -= oldest.duration;
            self.kept.pop_front();
        }
    }

    /// A segment that is offered, or was offered until just now.
    pub fn segment(&self, sequence: u64) -> Option<&Segment<D>> {
        self.kept.iter().chain(&self.offered).find(|segment| segment.sequence == sequence)
    }

    /// The offered segments, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment<D>> {
        self.offered.iter()
    }

    /// Media sequence number of the next segment.
    pub fn next_sequence(&self) -> u64 {
        self.offered.back().map_or(self.media_sequence, |newest| newest.sequence + 1)
    }

    /// Prefix of the segments' names.
    pub fn run(&self) -> &str {
        &self.config.run
    }

    /// EXT-X-TARGETDURATION, in seconds.
    pub const fn target_duration(&self) -> u64 {
        self.config.target_duration
    }

    fn targets(&self, count: u32) -> Duration {
        Duration::from_secs(self.config.target_duration) * count
    }

    /// Duration of the playlist.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// Bytes of the offered segments.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The present media playlist.
    pub fn playlist(&self, wall: WallOffset, ended: bool) -> MediaPlaylist {
        MediaPlaylist {
            target_duration: self.config.target_duration,
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            server_control: Some(ServerControl {
                can_block_reload: true,
                hold_back: self.targets(HOLD_BACK_TARGETS),
            }),
            independent_segments: !self.has_dependent,
            segments: self
                .offered
                .iter()
                .map(|segment| MediaSegment {
                    uri: segment_name(&self.config.run, segment.sequence),
                    duration: segment.duration,
                    discontinuity: segment.discontinuity,
                    program_date_time: wall.unix_milliseconds(segment.start),
                })
                .collect(),
            ended,
        }
    }

    /// The stream's entry in a multivariant playlist; `uri` is the media playlist's. `None` while there is no segment.
    pub fn variant(&self, uri: &str) -> Option<Variant> {
        let newest = self.offered.back()?;
        let pictures: u32 = self.offered.iter().map(|segment| segment.pictures).sum();
        let seconds = self.duration.as_secs_f64().max(f64::EPSILON);
        Some(Variant {
            uri: uri.to_owned(),
            bandwidth: self.offered.iter().map(Segment::bitrate).max()?,
            average_bandwidth: (self.bytes as f64 * 8.0 / seconds).round() as u64,
            codecs: newest.codecs(),
            resolution: (newest.format.width, newest.format.height),
            frame_rate: f64::from(pictures) / seconds,
        })
    }
}
