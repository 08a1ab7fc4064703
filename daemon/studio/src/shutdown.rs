//! Steps of the daemon's shutdown that each have a deadline (design §2), and the deadlines of the studio's steps.

use std::future::Future;
use std::time::Duration;

/// Time for the capture threads to drain their encoders and end.
pub const CAPTURE: Duration = Duration::from_secs(3);
/// Time for the hls reader to write `EXT-X-ENDLIST`.
pub const READERS: Duration = Duration::from_secs(1);

/// Runs one step of the shutdown; one that takes longer than its deadline is left behind and logged.
pub async fn step<T>(what: &str, deadline: Duration, work: impl Future<Output = T>) -> Option<T> {
    let done = tokio::time::timeout(deadline, work).await.ok();
    if done.is_none() {
        tracing::warn!("{what} took longer than {} s and was left behind", deadline.as_secs());
    }
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_step_that_hangs_is_left_behind_at_its_deadline() {
        let before = tokio::time::Instant::now();
        assert_eq!(step("hanging", CAPTURE, std::future::pending::<()>()).await, None);
        assert_eq!(before.elapsed().as_secs(), CAPTURE.as_secs());
        assert_eq!(step("quick", CAPTURE, async { 7 }).await, Some(7));
    }
}
