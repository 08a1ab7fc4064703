//! What the log says of relays: changes, and losses no more often than the connection is looked at.

use super::status::{RelayState, RelayStatus};

/// A relay has come into another state.
pub(super) fn news(status: &RelayStatus, server: &str) {
    let relay = &*status.name;
    match &status.state {
        RelayState::Connecting { .. } => tracing::debug!(relay, "connecting to {server}"),
        RelayState::Live { .. } => tracing::info!(relay, "{server} takes the stream"),
        RelayState::Retrying { why, .. } => tracing::warn!(relay, "the stream is not sent on: {why}"),
        RelayState::Refused { why, .. } => tracing::error!(relay, "the stream is not sent on: {why}"),
        RelayState::Ended => tracing::info!(relay, "the stream is no longer sent on"),
    }
}

/// Pictures were left out.
pub(super) fn slow(status: &RelayStatus) {
    tracing::warn!(
        relay = &*status.name,
        "the way to the server is too slow for the stream: {} pictures and frames of sound were left out so far",
        status.dropped
    );
}
