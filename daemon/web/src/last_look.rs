//! The last look at the board, kept so that it is looked at rarely, however many ask.

use perch_site::Site;
use perch_site::appliance::board::BoardReport;
use std::sync::Mutex;
use std::time::Duration;

/// How long a look is good.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The last look at the board, and when that was on the monotonic clock.
#[derive(Default)]
pub(super) struct LastLook(Mutex<Option<(Duration, BoardReport)>>);

impl LastLook {
    /// Looks at the board, unless that was done within 2 s. Blocks.
    pub(super) fn again(&self, site: &Site) -> BoardReport {
        let mut last = self.0.lock().expect("nothing panics while it holds the lock");
        let now = site.clock.monotonic();
        match &*last {
            Some((at, report)) if now.saturating_sub(*at) < LOOK_AGAIN => report.clone(),
            _ => last.insert((now, site.board.report())).1.clone(),
        }
    }
}
