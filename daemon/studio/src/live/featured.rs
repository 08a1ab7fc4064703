//! The stream at `/media/live/`.

use super::on_air::OnAir;
use perch_store::{StreamState, Visibility};

/// The featured stream: the one that the owner pinned, else the public one that has been live longest. A live one
/// precedes one that is interrupted or starting, and a public one precedes a members-only one, which needs a login.
/// When all have ended: the last one, whose playlist says so.
pub fn featured(on_air: &[OnAir]) -> Option<&OnAir> {
    let running = on_air.iter().filter(|on_air| on_air.state != StreamState::Ended);
    let best = running.min_by_key(|on_air| {
        let state = match on_air.state {
            StreamState::Live => 0,
            StreamState::Interrupted => 1,
            StreamState::Starting | StreamState::Ended => 2,
        };
        (!on_air.is_pinned, on_air.visibility != Visibility::Public, state, on_air.zero)
    });
    best.or(on_air.last())
}
