//! The fan-out of one live stream: a ring of the newest GOPs, written by one capture thread, read by any number of readers.
//!
//! Readers pull with a cursor of their own; nothing ever pushes back on the camera. Who is overtaken is told how much it
//! missed and goes on at the next IDR. Only one message travels the other way: *force a key frame*.
//!
//! Must not be here: what readers do with the pictures, who captures them, HTTP.

mod rhythm;

use perch_media::access_unit::AccessUnit;
use perch_media::time::MediaTime;
use rhythm::Rhythm;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Bytes that a ring keeps at most for a reader that is behind: [`KEEP_TICKS`] at 8 Mb/s.
const KEEP_BYTES: usize = 8 << 20;
/// Media time that a ring keeps at most for a reader that is behind, in ticks: 8 s, longer than the stalls of SD cards that are
/// known. It is memory only while a reader needs it.
const KEEP_TICKS: i64 = 8 * MediaTime::HZ;

/// An access unit and when it left the encoder.
#[derive(Clone, Debug)]
pub struct Published {
    /// The coded picture; cloning shares its bytes.
    pub unit: AccessUnit,
    /// When it was published, on the monotonic clock (not when its frame was captured: that is its PTS).
    pub published_at: Duration,
}

/// What a reader gets.
#[derive(Clone, Debug)]
pub enum Item {
    /// The next access unit.
    Unit(Published),
    /// The reader was overtaken: `dropped` access units are gone for it; the next item is an IDR.
    Lagged {
        /// How many.
        dropped: u64,
    },
}

/// Makes the two ends of a broadcast.
pub fn channel() -> (Publisher, Broadcast) {
    let shared = Arc::new(Shared::default());
    let (batch_end, batch_end_seen) = watch::channel(0);
    (Publisher { shared: shared.clone(), batch_end }, Broadcast { shared, batch_end: batch_end_seen })
}

#[derive(Debug, Default)]
struct Shared {
    ring: Mutex<Ring>,
    key_frame_wanted: AtomicBool,
}

impl Shared {
    /// A panic while the ring was locked cannot leave it half changed: what follows the last fallible step is plain
    /// bookkeeping, so the data stays usable.
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest GOP, for who comes next, and before it what the slowest reader has yet to take, within bounds. Access units are
/// numbered since the stream's start; the ring is empty, or its oldest is an IDR.
#[derive(Debug, Default)]
struct Ring {
    units: VecDeque<Published>,
    /// Number of `units`' oldest.
    first: u64,
    /// Numbers of the IDRs in `units`.
    idrs: VecDeque<u64>,
    bytes: usize,
    /// What each reader takes next, by the reader's key.
    cursors: BTreeMap<u64, u64>,
    next_key: u64,
    rhythm: Rhythm,
}

impl Ring {
    /// The number that the next access unit gets.
    fn end(&self) -> u64 {
        self.first + self.units.len() as u64
    }

    fn push(&mut self, unit: Published) {
        if unit.unit.is_idr {
            self.idrs.push_back(self.end());
        } else if self.units.is_empty() {
            // Cannot be decoded by anybody: its IDR was evicted (or never came).
            self.first += 1;
            return;
        }
        self.bytes += unit.unit.data.len();
        self.units.push_back(unit);
        while self.is_over() {
            self.evict_gop();
        }
        self.let_go();
    }

    /// What nobody needs any more.
    fn let_go(&mut self) {
        while self.is_taken() {
            self.evict_gop();
        }
    }

    /// Whether every reader is past the oldest GOP, and it is not the newest.
    fn is_taken(&self) -> bool {
        let second = self.idrs.get(1);
        second.is_some_and(|second| self.cursors.values().all(|next| next >= second))
    }

    /// Whether the oldest GOP has to go. The only GOP may be as long as the source makes it, but never larger than the bound.
    fn is_over(&self) -> bool {
        let (Some(oldest), Some(newest)) = (self.units.front(), self.units.back()) else { return false };
        self.bytes > KEEP_BYTES
            || (self.idrs.len() > 1 && newest.unit.dts.ticks() - oldest.unit.dts.ticks() > KEEP_TICKS)
    }

    fn evict_gop(&mut self) {
        self.idrs.pop_front();
        let until = self.idrs.front().copied().unwrap_or(self.end());
        for unit in self.units.drain(..(until - self.first) as usize) {
            self.bytes -= unit.unit.data.len();
        }
        self.first = until;
    }
}

/// The capture thread's end. Dropping it closes the broadcast.
#[derive(Debug)]
pub struct Publisher {
    shared: Arc<Shared>,
    batch_end: watch::Sender<u64>,
}

impl Publisher {
    /// Hands access units that came together to every reader. Never waits for any of them.
    pub fn publish(&self, units: impl IntoIterator<Item = AccessUnit>, published_at: Duration) {
        let mut wakes = false;
        let mut ring = self.shared.ring();
        for unit in units {
            wakes |= ring.rhythm.note(unit.is_idr, published_at);
            ring.push(Published { unit, published_at });
        }
        let (end, is_empty) = (ring.end(), ring.units.is_empty());
        drop(ring);
        if is_empty {
            // One GOP alone burst the bound: only a new IDR lets readers go on.
            self.shared.key_frame_wanted.store(true, Ordering::Relaxed);
        }
        if wakes {
            self.batch_end.send_replace(end);
        }
    }

    /// Until then no reader is going to be woken, as far as can be foreseen: what can be left with the source until then may be.
    /// `None` where each access unit is wanted as it comes.
    pub fn quiet_until(&self) -> Option<Duration> {
        self.shared.ring().rhythm.quiet_until()
    }

    /// Whether a reader asked for a key frame since the last call.
    pub fn take_key_frame_request(&self) -> bool {
        self.shared.key_frame_wanted.swap(false, Ordering::Relaxed)
    }
}

/// A handle to a live stream; clones are the same stream.
#[derive(Clone, Debug)]
pub struct Broadcast {
    shared: Arc<Shared>,
    batch_end: watch::Receiver<u64>,
}

impl Broadcast {
    /// A reader that starts at the newest IDR, or at the first to come. It is woken for every IDR and three times in two seconds between,
    /// and then gets all that has come since: thirty wake-ups a second would cost more than what is done in them.
    pub fn subscribe(&self) -> Reader {
        let mut ring = self.shared.ring();
        let next = ring.idrs.back().copied().unwrap_or(ring.end());
        let key = ring.next_key;
        ring.next_key += 1;
        ring.cursors.insert(key, next);
        drop(ring);
        Reader {
            shared: self.shared.clone(),
            batch_end: self.batch_end.clone(),
            key,
            next,
            has_started: false,
        }
    }
}

impl Broadcast {
    /// The newest access unit from which decoding can start, for who wants one picture: nothing is kept in the ring for it.
    pub fn newest_idr(&self) -> Option<Published> {
        let ring = self.shared.ring();
        let newest = ring.idrs.back()? - ring.first;
        ring.units.get(newest as usize).cloned()
    }
}

/// One reader's cursor.
#[derive(Debug)]
pub struct Reader {
    shared: Arc<Shared>,
    batch_end: watch::Receiver<u64>,
    key: u64,
    next: u64,
    has_started: bool,
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.ring().cursors.remove(&self.key);
    }
}

impl Reader {
    /// The next item; waits for it. `None` when the broadcast is closed and everything was read. Safe to cancel.
    pub async fn next(&mut self) -> Option<Item> {
        loop {
            self.batch_end.borrow_and_update();
            if let Some(item) = self.take() {
                return Some(item);
            }
            // An error says that the publisher is gone; what it published last is still to be read.
            if self.batch_end.changed().await.is_err() {
                return self.take();
            }
        }
    }

    /// Asks the camera for an IDR as soon as may be.
    pub fn force_key_frame(&self) {
        self.shared.key_frame_wanted.store(true, Ordering::Relaxed);
    }

    fn take(&mut self) -> Option<Item> {
        let mut ring = self.shared.ring();
        if ring.units.is_empty() {
            return None; // what was missed is told together with the IDR that ends it
        }
        if self.next < ring.first {
            let dropped = ring.first - self.next;
            self.next = ring.first;
            if self.has_started {
                return Some(Item::Lagged { dropped });
            }
        }
        let published = ring.units.get((self.next - ring.first) as usize)?.clone();
        self.next += 1;
        ring.cursors.insert(self.key, self.next);
        ring.let_go(); // now and not with the next picture, which may be half a second away
        self.has_started = true;
        Some(Item::Unit(published))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing::access_unit;
    use proptest::prelude::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What is there now, without waiting.
    fn now(reader: &mut Reader) -> Poll<Option<Item>> {
        pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn ticks(item: Poll<Option<Item>>) -> i64 {
        match item {
            Poll::Ready(Some(Item::Unit(published))) => published.unit.dts.ticks(),
            other => panic!("no access unit but {other:?}"),
        }
    }

    fn publish(publisher: &Publisher, second: i64, is_idr: bool, bytes: usize) {
        publisher.publish([access_unit(second * 90_000, is_idr, bytes)], Duration::from_secs(second as u64));
    }

    #[test]
    fn a_reader_starts_at_the_newest_idr() {
        let (publisher, broadcast) = channel();
        for second in 0..6 {
            publish(&publisher, second, second % 2 == 0, 10);
        }
        let mut reader = broadcast.subscribe();
        assert_eq!(ticks(now(&mut reader)), 4 * 90_000);
        assert_eq!(ticks(now(&mut reader)), 5 * 90_000);
        assert!(now(&mut reader).is_pending());
    }

    #[test]
    fn a_reader_of_an_empty_broadcast_waits_for_the_first_idr() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        publish(&publisher, 0, false, 10);
        assert!(now(&mut reader).is_pending(), "nothing decodable yet");
        publish(&publisher, 1, true, 10);
        assert_eq!(ticks(now(&mut reader)), 90_000);
    }

    #[test]
    fn an_overtaken_reader_is_told_and_goes_on_at_an_idr() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        publish(&publisher, 0, true, 10);
        assert_eq!(ticks(now(&mut reader)), 0);
        for second in 1..40 {
            publish(&publisher, second, second % 2 == 0, 10);
        }
        let Poll::Ready(Some(Item::Lagged { dropped })) = now(&mut reader) else { panic!("not told") };
        let Poll::Ready(Some(Item::Unit(resumed))) = now(&mut reader) else { panic!("no unit") };
        assert!(resumed.unit.is_idr);
        assert_eq!(
            resumed.unit.dts.ticks(),
            (1 + dropped.cast_signed()) * 90_000,
            "as many as are said are missing"
        );
    }

    #[test]
    fn what_every_reader_has_taken_is_let_go_but_for_the_newest_gop() {
        let (publisher, broadcast) = channel();
        let (mut quick, mut slow) = (broadcast.subscribe(), broadcast.subscribe());
        let held = || broadcast.shared.ring().units.len();
        for second in 0..6 {
            publish(&publisher, second, second % 2 == 0, 10);
            assert_eq!(ticks(now(&mut quick)), second * 90_000);
        }
        assert_eq!(held(), 6, "the slow reader has yet to take them");
        for second in 0..3 {
            assert_eq!(ticks(now(&mut slow)), second * 90_000);
        }
        publish(&publisher, 6, true, 10);
        assert_eq!(held(), 5, "the first GOP has gone");
        drop(slow);
        assert_eq!(ticks(now(&mut quick)), 6 * 90_000);
        publish(&publisher, 7, false, 10);
        assert_eq!(held(), 2, "nobody keeps the others");
        assert_eq!(ticks(now(&mut broadcast.subscribe())), 6 * 90_000);
    }

    #[tokio::test]
    async fn a_reader_wakes_for_idrs_and_now_and_then_between() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        let mut taken = 0;
        for picture in 0..60_u32 {
            let is_idr = picture == 0 || picture == 50;
            let unit = access_unit(i64::from(picture) * 3000, is_idr, 10);
            publisher.publish([unit], Duration::from_millis(33) * picture);
            let awake = reader.batch_end.has_changed().expect("the publisher is there");
            assert_eq!(awake, matches!(picture, 0 | 20 | 40 | 50), "{picture}");
            while awake && now(&mut reader).is_ready() {
                taken += 1;
            }
        }
        assert_eq!(taken, 51, "all up to the last wake-up");
        drop(publisher);
        while reader.next().await.is_some() {
            taken += 1;
        }
        assert_eq!(taken, 60, "the rest at the end");
    }

    #[test]
    fn memory_is_bounded_in_bytes_even_by_one_endless_gop() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        publish(&publisher, 0, true, 1 << 20);
        assert_eq!(ticks(now(&mut reader)), 0);
        for second in 1..20 {
            publish(&publisher, second, false, 1 << 20);
            assert!(broadcast.shared.ring().bytes <= KEEP_BYTES);
        }
        assert!(publisher.take_key_frame_request(), "only an IDR helps");
        assert!(now(&mut reader).is_pending());
        publish(&publisher, 20, true, 10);
        assert!(matches!(now(&mut reader), Poll::Ready(Some(Item::Lagged { dropped: 19 }))));
        assert_eq!(ticks(now(&mut reader)), 20 * 90_000);
    }

    #[test]
    fn a_long_gop_of_few_bytes_is_kept_whole() {
        let (publisher, broadcast) = channel();
        for second in 0..60 {
            publish(&publisher, second, second == 0, 10);
        }
        assert_eq!(ticks(now(&mut broadcast.subscribe())), 0);
    }

    #[test]
    fn a_closed_broadcast_is_read_to_its_end() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        publish(&publisher, 0, true, 10);
        drop(publisher);
        assert_eq!(ticks(now(&mut reader)), 0);
        assert!(matches!(now(&mut reader), Poll::Ready(None)));
    }

    #[tokio::test]
    async fn a_waiting_reader_wakes_when_something_is_published() {
        let (publisher, broadcast) = channel();
        let mut reader = broadcast.subscribe();
        let waiting = tokio::spawn(async move { reader.next().await });
        tokio::task::yield_now().await;
        publish(&publisher, 3, true, 10);
        let item = waiting.await.expect("the reader does not panic");
        assert_eq!(ticks(Poll::Ready(item)), 3 * 90_000);
    }

    #[test]
    fn readers_ask_for_key_frames_once() {
        let (publisher, broadcast) = channel();
        broadcast.subscribe().force_key_frame();
        broadcast.subscribe().force_key_frame();
        assert!(publisher.take_key_frame_request());
        assert!(!publisher.take_key_frame_request());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))] // each moves tens of megabytes

        /// Whatever is published and however slow a reader is: it gets pictures in order, each gap begins with a notice that says
        /// how many are missing and ends with an IDR, and at the end nothing is unaccounted for.
        #[test]
        fn every_picture_is_read_or_told_missing(
            pictures in prop::collection::vec((any::<bool>(), 0_usize..1 << 20, 0_usize..3), 1..100),
        ) {
            let (publisher, broadcast) = channel();
            publish(&publisher, 0, true, 10);
            let mut reader = broadcast.subscribe();
            prop_assert_eq!(ticks(now(&mut reader)), 0);
            let (mut seen, mut dropped, mut last, mut after_gap) = (1, 0, 0, false);
            for (i, (is_idr, bytes, reads)) in pictures.iter().enumerate() {
                // A tenth of a second apart: bytes and time both bound the ring.
                let at = 1 + i as u64;
                let unit = access_unit(at.cast_signed() * 9000, *is_idr, *bytes);
                publisher.publish([unit], Duration::from_millis(100 * at));
                prop_assert!(broadcast.shared.ring().bytes <= KEEP_BYTES);
                let reads = if i + 1 == pictures.len() { usize::MAX } else { *reads };
                for _ in 0..reads {
                    match now(&mut reader) {
                        Poll::Ready(Some(Item::Lagged { dropped: some })) => {
                            dropped += some;
                            after_gap = true;
                        }
                        Poll::Ready(Some(Item::Unit(published))) => {
                            prop_assert!(published.unit.is_idr || !after_gap);
                            prop_assert!(published.unit.dts.ticks() > last);
                            (seen, last, after_gap) = (seen + 1, published.unit.dts.ticks(), false);
                        }
                        Poll::Ready(None) => prop_assert!(false, "it is not closed"),
                        Poll::Pending => break,
                    }
                }
            }
            // What follows the last IDR that was evicted is told with the next one.
            let unfinished = broadcast.shared.ring().units.is_empty();
            prop_assert!(unfinished || seen + dropped == pictures.len() as u64 + 1);
        }
    }
}
