//! The states of a stream, and the transitions between them.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The state of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamState {
    /// It has the camera; no picture yet.
    Starting,
    /// On the air.
    Live,
    /// Off the air for now: the camera is gone, or the board lost power.
    Interrupted,
    /// Over for good.
    Ended,
}

impl StreamState {
    /// A transition to the same state is allowed. A stream returns from an interruption, but not from its end.
    pub(crate) fn may_become(self, to: Self) -> bool {
        self == to
            || match self {
                Self::Starting => true,
                Self::Live | Self::Interrupted => to != Self::Starting,
                Self::Ended => false,
            }
    }
}

impl fmt::Display for StreamState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Starting => "starting",
            Self::Live => "live",
            Self::Interrupted => "interrupted",
            Self::Ended => "ended",
        })
    }
}
