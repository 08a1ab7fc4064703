//! One progressive MP4 file of a whole recording, or of a clip: a head that is computed from the indexes, in front of the parts' own bytes. All
//! that lies between the first and the last fragment goes into one `mdat`, tables of fragments included, to which nothing in the head points.
//!
//! The head is measured in one pass over the indexes, and made in one pass for each table, piece by piece as it is asked for. So memory does not
//! grow with the length, and nothing waits for a slow client but the state of its head.
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

/// How a file is made.
#[derive(Debug)]
pub struct Progressive {
    plan: Arc<Plan>,
    head_bytes: u64,
}

impl Progressive {
    /// Plans a file. `parts`: what the heads of all parts say. A clip begins with the last fragment before its beginning that decoding can begin
    /// with, and an edit list has players show it from the moment that was asked for.
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

    /// What follows the head.
    pub fn media(&self) -> &[MediaRange] {
        &self.plan.media
    }

    /// Length of the file.
    pub fn bytes(&self) -> u64 {
        self.head_bytes + self.plan.media_bytes()
    }

    /// The first moment of the recording that the file has bytes of, in ticks: no later than the clip's beginning.
    pub fn begins(&self) -> u64 {
        self.plan.begins
    }

    /// What players show, in ticks.
    pub fn shown(&self) -> u64 {
        self.plan.shown.end - self.plan.shown.start
    }

    /// Fragments of the recording up to the file's end.
    pub fn fragments(&self) -> usize {
        self.plan.fragments
    }

    /// Tells files of equal length apart.
    pub fn check_sum(&self) -> u32 {
        self.plan.check_sum
    }

    /// Parts that were planned for, whether or not the file has bytes of them.
    pub fn parts(&self) -> usize {
        self.plan.parts.len()
    }

    /// The head, [`Self::head_bytes`] long, to be made from the fragments that it was planned with.
    pub fn head<F: Fragments>(&self, fragments: F) -> Head<F> {
        Head::new(Arc::clone(&self.plan), self.head_bytes, fragments)
    }
}
