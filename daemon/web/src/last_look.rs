//! The last board report, kept for a moment, so that many requests cause few queries.

use perch_site::Site;
use perch_site::appliance::board::BoardReport;
use std::sync::Mutex;
use std::time::Duration;

/// How long a report is valid.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The last report, and its time on the monotonic clock.
#[derive(Default)]
pub(super) struct LastLook(Mutex<Option<(Duration, BoardReport)>>);

impl LastLook {
    /// Reports on the board; queries it if the last report is older than 2 s. Blocks.
    pub(super) fn again(&self, site: &Site) -> BoardReport {
        let mut last = self.0.lock().expect("nothing panics while it holds the lock");
        let now = site.clock.monotonic();
        match &*last {
            Some((at, report)) if now.saturating_sub(*at) < LOOK_AGAIN => report.clone(),
            _ => last.insert((now, site.board.report())).1.clone(),
        }
    }
}
