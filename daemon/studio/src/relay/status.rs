//! How a relay is doing, as everybody may see it.

use std::sync::Arc;
use std::time::Duration;

/// What a relay does now. Times are of the monotonic clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RelayState {
    /// It opens a connection, or has sent nothing yet that was taken.
    Connecting {
        /// Why the connection before failed, in words.
        before: Option<String>,
    },
    /// The far end takes the stream.
    Live {
        /// Kilobits (1000 bits) a second that it took in the last seconds.
        kbps: u32,
        /// When it acknowledged something last.
        acknowledged: Duration,
    },
    /// The connection failed.
    Retrying {
        /// When the next one is opened.
        at: Duration,
        /// In words.
        why: String,
    },
    /// The server does not take the stream: a wrong key, as a rule. It is tried again all the same: a server may hold on to a connection that is gone.
    Refused {
        /// When it is asked again.
        at: Duration,
        /// In words.
        why: String,
    },
    /// The stream has ended, or is no longer sent there.
    Ended,
}

impl RelayState {
    /// The word for it in the API and in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Connecting { .. } => "connecting",
            Self::Live { .. } => "live",
            Self::Retrying { .. } => "retrying",
            Self::Refused { .. } => "refused",
            Self::Ended => "ended",
        }
    }
}

/// One relay of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayStatus {
    /// As configured.
    pub name: Arc<str>,
    /// What it does now.
    pub state: RelayState,
    /// When pictures were left out last because the way to the server is too slow; `None`: never.
    pub slow: Option<Duration>,
    /// Samples that were left out for that.
    pub dropped: u64,
    /// Connections that were opened.
    pub connections: u64,
    /// Bytes that the far end has taken, over all connections.
    pub taken_bytes: u64,
}

impl RelayStatus {
    pub(super) const fn new(name: Arc<str>) -> Self {
        Self {
            name,
            state: RelayState::Connecting { before: None },
            slow: None,
            dropped: 0,
            connections: 0,
            taken_bytes: 0,
        }
    }
}
