//! Memory that is not needed any more goes back to the board.

use perch_device::{heap, program_text};
use std::time::Duration;
use tokio::time::sleep;

/// By then everything runs that will.
const STARTED: Duration = Duration::from_secs(20);
/// Between two looks through the heap, which take it about a millisecond.
const PERIOD: Duration = Duration::from_mins(10);

/// Runs until it is aborted.
pub async fn give_back() {
    sleep(STARTED).await;
    if let Err(error) = program_text::let_go() {
        tracing::debug!(%error, "what starting needed stays in memory");
    }
    loop {
        heap::trim();
        sleep(PERIOD).await;
    }
}
