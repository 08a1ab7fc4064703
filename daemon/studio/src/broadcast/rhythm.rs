//! When readers are woken, and until when nobody will be.
//!
//! A reader is woken for every IDR, which may end a segment, and three times in two seconds between. So nothing is late when what is published
//! between is left with its source until then: a wake-up of the capture thread costs several times what is done with a picture in it.
//!
//! Must not be here: waiting, and whether a source can keep anything.

use std::time::Duration;

/// Between two wake-ups of readers. Nobody is shown less than a segment yet; this spreads the work on it, and keeps short what is left of
/// it at an IDR. Parts of low-latency HLS will want it as long as a part.
const BATCH: Duration = Duration::from_millis(650);
/// An IDR may come so much earlier than it is expected and is still seen at once: nearly two pictures at 30 a second.
const EARLY: Duration = Duration::from_millis(60);

/// See the module. Times are those at which access units were published.
#[derive(Debug, Default)]
pub(super) struct Rhythm {
    woken_at: Option<Duration>,
    idr_at: Option<Duration>,
    /// From the IDR before the last to the last.
    gop: Option<Duration>,
    /// Known while IDRs come regularly.
    next_idr: Option<Duration>,
}

impl Rhythm {
    /// Notes an access unit. Whether it is one that readers are woken for.
    pub(super) fn note(&mut self, is_idr: bool, published_at: Duration) -> bool {
        if is_idr {
            let gop = self.idr_at.replace(published_at).map(|before| published_at.saturating_sub(before));
            let is_regular = self.gop.zip(gop).is_some_and(|(before, gop)| before.abs_diff(gop) <= EARLY);
            self.next_idr = gop.filter(|_| is_regular).map(|gop| published_at + gop);
            self.gop = gop;
        }
        let is_due = self.woken_at.is_none_or(|last| published_at.saturating_sub(last) >= BATCH);
        let idr_is_near = self.next_idr.is_some_and(|next| next.abs_diff(published_at) <= EARLY);
        let wakes = is_idr || is_due && !idr_is_near;
        if wakes {
            self.woken_at = Some(published_at);
        }
        wakes
    }

    /// No reader is going to be woken before this, as far as can be foreseen. `None` where it cannot: at the start and while IDRs
    /// come as they like.
    pub(super) fn quiet_until(&self) -> Option<Duration> {
        Some((self.woken_at? + BATCH).min(self.next_idr?.saturating_sub(EARLY)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: Duration = Duration::from_millis(40);

    /// Notes picture after picture, IDRs at these numbers; gives the numbers of those that wake, and the rhythm after the last.
    fn play(pictures: u32, idrs: &[u32]) -> (Vec<u32>, Rhythm) {
        let mut rhythm = Rhythm::default();
        let wakes = (0..pictures).filter(|n| rhythm.note(idrs.contains(n), PICTURE * *n)).collect();
        (wakes, rhythm)
    }

    #[test]
    fn readers_wake_for_idrs_and_now_and_then_between() {
        assert_eq!(play(60, &[0, 20]).0, [0, 17, 20, 37, 54]);
    }

    #[test]
    fn they_do_not_wake_twice_when_an_idr_is_near() {
        assert_eq!(play(69, &[0, 17, 34, 51, 68]).0, [0, 17, 34, 51, 68]);
        assert_eq!(play(57, &[0, 17, 34]).0, [0, 17, 34, 53], "an IDR that does not come is not waited for");
    }

    #[test]
    fn it_is_quiet_until_the_next_batch_or_shortly_before_the_next_idr() {
        let quiet = |pictures| play(pictures, &[0, 25, 50]).1.quiet_until();
        assert_eq!(quiet(50), None, "one GOP says nothing of the next");
        assert_eq!(quiet(51), Some(PICTURE * 50 + BATCH));
        assert_eq!(quiet(68), Some((PICTURE * 75).abs_diff(EARLY)));
        assert_eq!(
            quiet(80),
            Some((PICTURE * 75).abs_diff(EARLY)),
            "an IDR that is late is waited for picture by picture"
        );
    }

    #[test]
    fn nothing_is_foreseen_while_idrs_come_as_they_like() {
        assert_eq!(play(60, &[0, 25, 30]).1.quiet_until(), None);
        assert_eq!(play(60, &[0, 20, 25, 45, 50]).1.quiet_until(), None);
        assert!(
            play(60, &[0, 20, 25, 30, 36]).1.quiet_until().is_some(),
            "a picture more or less is regular"
        );
    }
}
