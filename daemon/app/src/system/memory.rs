//! Returns the heap's free pages to the kernel from time to time.

use perch_device::memory::heap;
use std::time::Duration;
use tokio::time::sleep;

/// After this time everything has started.
const STARTED: Duration = Duration::from_secs(20);
/// Pause between two passes over the heap, each of about a millisecond.
const PERIOD: Duration = Duration::from_mins(10);

/// Runs until it is aborted.
pub async fn give_back() {
    sleep(STARTED).await;
    loop {
        heap::trim();
        sleep(PERIOD).await;
    }
}
