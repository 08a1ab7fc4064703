//! What goes through a broadcast, and what a reader wants of it.

use perch_media::access_unit::AccessUnit;
use perch_media::sample::Sample;
use std::time::Duration;

/// A sample and when it left the encoder or came from a publisher.
#[derive(Clone, Debug)]
pub struct Published {
    /// The coded picture or sound; cloning shares its bytes.
    pub sample: Sample,
    /// When it was published, on the monotonic clock (not when it was captured: that is its PTS).
    pub published_at: Duration,
}

/// A picture that can be decoded by itself.
#[derive(Clone, Debug)]
pub struct EntryPoint {
    /// The coded picture.
    pub unit: AccessUnit,
    /// When it was published, on the monotonic clock.
    pub published_at: Duration,
}

impl Published {
    /// The picture, if decoding can start here.
    pub(super) fn entry_point(&self) -> Option<EntryPoint> {
        let unit = self.sample.video().filter(|unit| unit.is_entry())?;
        Some(EntryPoint { unit: unit.clone(), published_at: self.published_at })
    }

    pub(super) fn bytes(&self) -> usize {
        self.sample.data().len()
    }
}

/// What a reader wants of a broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Want {
    /// How long a sample may lie in the ring before this reader is woken for it. Zero: each as it comes. Nobody is woken while
    /// nothing is published: whoever has to act then keeps a timer of its own.
    pub patience: Duration,
    /// Also wake it at once for every entry point: live HLS can list a segment as soon as it sees the picture after its last one.
    pub at_entry_points: bool,
    /// Where it starts.
    pub start: Start,
}

/// Where a reader starts. Always at a picture that can be decoded by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// At the newest entry point that is kept; where none is, at the first to come.
    Newest,
    /// At the oldest entry point that is kept; where none is, at the first to come.
    Oldest,
    /// At the first entry point to come.
    Next,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Item {
    /// The next sample.
    Sample(Published),
    /// The reader was overtaken: `dropped` samples are gone for it; the next item is an entry point, if any more come.
    Lagged {
        /// How many.
        dropped: u64,
    },
}
