//! The segments that the playlist offers now, and the few that were offered just before (RFC 8216bis §6.2.2).

use super::media_playlist::{MediaPlaylist, MediaSegment, ServerControl};
use super::multivariant_playlist::Variant;
use super::segment_name;
use super::segmenter::Segment;
use crate::time::MediaTime;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// A playlist is not cut below so many target durations (RFC 8216bis §6.2.2), and players begin as far from its end.
const FEWEST_TARGETS: u32 = 3;

/// How much is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiveWindowConfig {
    /// The longest segment that is to be expected: the segmenter's target or the key-frame interval, whichever is more.
    /// EXT-X-TARGETDURATION is this, rounded up. It only ever grows, by a source whose GOPs are longer than was configured and
    /// that does not listen to requests for a key frame; the RFC would have it never change, players follow it.
    pub target: Duration,
    /// What the playlist covers at most. Three target durations are kept in any case.
    pub window: Duration,
    /// Bytes of the segments offered at most; at high bitrates the window gets shorter. Three target durations are kept in any case.
    pub max_bytes: usize,
    /// Segments no longer offered are kept for clients that hold an older playlist until they make up this much time. (The RFC asks for
    /// as long as the playlist itself, which would double the memory; who plays from the very tail of the window loses a segment.)
    pub keep: Duration,
    /// Media sequence number of the first segment to come, as given to the segmenter.
    pub first_sequence: u64,
}

/// What is added to media time to get wall time, in milliseconds since 1970. Changed when the clock is set, and not for less
/// than a player would notice: all dates of the playlist move with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallOffset {
    milliseconds: i64,
}

impl WallOffset {
    /// From both clocks read at one moment.
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
    target_duration: u64,
    offered: VecDeque<Segment<D>>,
    kept: VecDeque<Segment<D>>,
    /// Sums over `offered`.
    duration: Duration,
    bytes: usize,
    media_sequence: u64,
    /// Begins at the first sequence number of this run: it cannot have grown beyond that in the runs before, so it never goes back,
    /// and a player that goes on playing over a restart sees a discontinuity.
    discontinuity_sequence: u64,
}

impl<D> LiveWindow<D> {
    /// An empty window.
    pub fn new(config: LiveWindowConfig) -> Self {
        Self {
            config,
            target_duration: (config.target.as_secs() + u64::from(config.target.subsec_nanos() > 0)).max(1),
            offered: VecDeque::new(),
            kept: VecDeque::new(),
            duration: Duration::ZERO,
            bytes: 0,
            media_sequence: config.first_sequence,
            discontinuity_sequence: config.first_sequence,
        }
    }

    /// From the next segment on, the segments on offer keep to so many bytes. Three target durations are kept in any case.
    pub const fn keep_within(&mut self, max_bytes: usize) {
        self.config.max_bytes = max_bytes;
    }

    /// Takes the next segment in; old ones leave.
    pub fn push(&mut self, segment: Segment<D>) {
        self.target_duration = self.target_duration.max(rounded_seconds(segment.duration));
        self.duration += segment.duration;
        self.bytes += segment.bytes;
        self.offered.push_back(segment);
        let fewest = Duration::from_secs(self.target_duration) * FEWEST_TARGETS;
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
        while kept > self.config.keep {
            kept -= self.kept.pop_front().map_or(kept, |gone| gone.duration);
        }
    }

    /// A segment that is offered, or was until just now.
    pub fn segment(&self, sequence: u64) -> Option<&Segment<D>> {
        self.kept.iter().chain(&self.offered).find(|segment| segment.sequence == sequence)
    }

    /// Segments on offer, oldest first.
    pub fn segments(&self) -> impl Iterator<Item = &Segment<D>> {
        self.offered.iter()
    }

    /// Number of the next segment to come.
    pub fn next_sequence(&self) -> u64 {
        self.offered.back().map_or(self.media_sequence, |newest| newest.sequence + 1)
    }

    /// EXT-X-TARGETDURATION, in seconds.
    pub const fn target_duration(&self) -> u64 {
        self.target_duration
    }

    /// Time that the playlist covers.
    pub const fn duration(&self) -> Duration {
        self.duration
    }

    /// Bytes of the segments on offer.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// The media playlist as it stands.
    pub fn playlist(&self, wall: WallOffset, ended: bool) -> MediaPlaylist {
        MediaPlaylist {
            target_duration: self.target_duration,
            media_sequence: self.media_sequence,
            discontinuity_sequence: self.discontinuity_sequence,
            server_control: Some(ServerControl {
                can_block_reload: true,
                hold_back: Duration::from_secs(self.target_duration) * FEWEST_TARGETS,
            }),
            segments: self
                .offered
                .iter()
                .map(|segment| MediaSegment {
                    uri: segment_name(segment.sequence),
                    duration: segment.duration,
                    discontinuity: segment.discontinuity,
                    program_date_time: wall.unix_milliseconds(segment.start),
                })
                .collect(),
            ended,
        }
    }

    /// The stream as a multivariant playlist names it; `uri` is the media playlist's. `None` while there is no segment.
    pub fn variant(&self, uri: &str) -> Option<Variant> {
        let newest = self.offered.back()?;
        let pictures: u32 = self.offered.iter().map(|segment| segment.pictures).sum();
        let seconds = self.duration.as_secs_f64().max(f64::EPSILON);
        Some(Variant {
            uri: uri.to_owned(),
            bandwidth: self.offered.iter().map(Segment::bitrate).max()?,
            average_bandwidth: (self.bytes as f64 * 8.0 / seconds).round() as u64,
            codecs: newest.format.codecs(),
            resolution: (newest.format.width, newest.format.height),
            frame_rate: f64::from(pictures) / seconds,
        })
    }
}

/// To the nearest second, as EXTINF is compared with EXT-X-TARGETDURATION (RFC 8216bis §4.4.3.1).
fn rounded_seconds(duration: Duration) -> u64 {
    (duration + Duration::from_millis(500)).as_secs()
}
