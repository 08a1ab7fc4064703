//! One progressive MP4 file of a whole recording, or of a clip: a head that is computed from the indexes, in front of the parts' own bytes. All
//! that lies between the first and the last fragment goes into one `mdat`, tables of fragments included, to which nothing in the head points.
//!
//! The head is reckoned in one pass over the indexes, and written in one pass for each table, so that memory does not grow with the length.
//!
//! Must not be here: files, HTTP, names of files.

mod head;
mod plan;
mod runs;

pub use plan::{Clip, Fragments, MediaRange, ProgressiveError};

use crate::cmaf::Description;
use head::HeadWriter;
use plan::Plan;
use std::io::Write;

/// How a file is made.
#[derive(Debug)]
pub struct Progressive {
    plan: Plan,
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
        Ok(Self { head_bytes: head::length(&plan), plan })
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
    pub const fn begins(&self) -> u64 {
        self.plan.begins
    }

    /// What players show, in ticks.
    pub const fn shown(&self) -> u64 {
        self.plan.shown.end - self.plan.shown.start
    }

    /// Writes the head, [`Self::head_bytes`] long.
    pub fn write_head(
        &self,
        fragments: &impl Fragments,
        out: &mut impl Write,
    ) -> Result<(), ProgressiveError> {
        HeadWriter::new(&self.plan, self.head_bytes, out).write(fragments)
    }
}
