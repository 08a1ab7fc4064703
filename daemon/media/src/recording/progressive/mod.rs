//! A recording or a clip as one progressive MP4 file: a head computed from the indexes, followed by bytes of the parts. Everything from the first to
//! the last fragment goes into one `mdat`, including the fragments' own tables, to which nothing in the head points.
//!
//! One pass over the indexes measures the head; another pass for each table makes it, piece by piece on request. So memory does not grow with the
//! length, and a slow client occupies only the state of its head.
//!
//! Must not be here: files, HTTP, names of files.

mod head;
mod placed;
mod plan;
mod runs;

pub use head::Head;
pub use plan::{Clip, Fragments, MediaRange, ProgressiveError};

use crate::cmaf::Description;
use plan::Plan;
use std::sync::Arc;

/// The plan of a file.
#[derive(Debug)]
pub struct Progressive {
    plan: Arc<Plan>,
    head_bytes: u64,
}

impl Progressive {
    /// Plans a file. `parts`: the descriptions of all parts. A clip starts with the last fragment before its beginning at which decoding can start; an
    /// edit list makes players show it from the requested moment.
    pub fn plan(
        parts: Vec<Description>,
        fragments: &impl Fragments,
        clip: Option<Clip>,
    ) -> Result<Self, ProgressiveError> {
        let plan = Plan::new(parts, fragments, clip)?;
        Ok(Self { head_bytes: head::length(&plan), plan: Arc::new(plan) })
    }

    /// Length of the head.
    pub const fn head_bytes(&self) -> u64 {
        self.head_bytes
    }

    /// The byte ranges after the head.
    pub fn media(&self) -> &[MediaRange] {
        &self.plan.media
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.head_bytes + self.plan.media_bytes()
    }

    /// The first moment of the recording in the file, in ticks: at or before the clip's beginning.
    pub fn begins(&self) -> u64 {
        self.plan.begins
    }

    /// Duration that players show, in ticks.
    pub fn shown(&self) -> u64 {
        self.plan.shown.end - self.plan.shown.start
    }

    /// Fragments of the recording up to the file's end.
    pub fn fragments(&self) -> usize {
        self.plan.fragments
    }

    /// A check sum that distinguishes files of equal length.
    pub fn check_sum(&self) -> u32 {
        self.plan.check_sum
    }

    /// Number of parts planned for, whether or not the file has bytes of them.
    pub fn parts(&self) -> usize {
        self.plan.parts.len()
    }

    /// The head, [`Self::head_bytes`] long, to be made from the same fragments.
    pub fn head<F: Fragments>(&self, fragments: F) -> Head<F> {
        Head::new(Arc::clone(&self.plan), self.head_bytes, fragments)
    }
}
