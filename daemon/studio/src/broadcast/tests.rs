//! Broadcasts with one, two and many readers. Time is passed in, a reader's waker counts.

use super::ring::Ring;
use super::*;
use crate::capture::testing::access_unit;
use crate::memory_budget::{MemoryBudget, Part};
use perch_media::audio_format::AudioFormat;
use perch_media::sample::AudioFrame;
use perch_media::time::{MediaTime, Times};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Wake, Waker};

/// What a reader that shows pictures at once wants.
const AT_ONCE: Want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Newest };

const USUAL_LIMIT: usize = 8 << 20;

/// What is there now, without waiting.
fn now(reader: &mut Reader) -> Poll<Option<Item>> {
    pin!(reader.next()).poll(&mut Context::from_waker(Waker::noop()))
}

fn ticks(item: Poll<Option<Item>>) -> i64 {
    match item {
        Poll::Ready(Some(Item::Sample(published))) => published.sample.times().dts.ticks(),
        other => panic!("no access unit but {other:?}"),
    }
}

fn publish(publisher: &Publisher, second: i64, is_idr: bool, bytes: usize) {
    publisher.publish([access_unit(second * 90_000, is_idr, bytes)], Duration::from_secs(second as u64));
}

fn held(broadcast: &Broadcast) -> (usize, usize) {
    broadcast.shared.ring().held()
}

#[test]
fn a_reader_starts_where_it_wants() {
    let (publisher, broadcast) = channel();
    let mut keeps = broadcast.subscribe(Want { start: Start::Next, ..AT_ONCE });
    for second in 0..6 {
        publish(&publisher, second, second % 2 == 0, 10);
    }
    let mut newest = broadcast.subscribe(AT_ONCE);
    let mut oldest = broadcast.subscribe(Want { start: Start::Oldest, ..AT_ONCE });
    let mut next = broadcast.subscribe(Want { start: Start::Next, ..AT_ONCE });
    assert_eq!(ticks(now(&mut keeps)), 0);
    assert_eq!(ticks(now(&mut oldest)), 0);
    assert_eq!([ticks(now(&mut newest)), ticks(now(&mut newest))], [4 * 90_000, 5 * 90_000]);
    assert!(now(&mut newest).is_pending() && now(&mut next).is_pending());
    publish(&publisher, 6, false, 10);
    assert!(now(&mut next).is_pending());
    publish(&publisher, 7, true, 10);
    assert_eq!(ticks(now(&mut next)), 7 * 90_000, "nothing is missing before the first picture");
    assert!(!publisher.take_key_frame_request());
}

#[test]
fn a_reader_of_an_empty_broadcast_waits_for_the_first_idr() {
    let (publisher, broadcast) = channel();
    let mut reader = broadcast.subscribe(AT_ONCE);
    publish(&publisher, 0, false, 10);
    assert!(now(&mut reader).is_pending(), "nothing decodable yet");
    publish(&publisher, 1, true, 10);
    assert_eq!(ticks(now(&mut reader)), 90_000);
}

/// ffmpeg's default for x264 is 250 pictures, 10 s at 25 a second; a configured interval may be as long.
#[test]
fn a_long_gop_loses_nothing_while_its_reader_keeps_up() {
    let (publisher, broadcast) = channel();
    let mut reader = broadcast.subscribe(Want { patience: Duration::from_millis(650), ..AT_ONCE });
    // Three GOPs of 16 s and 16 MiB, read every 4 pictures.
    let mut taken = 0;
    for second in 0..48 {
        publish(&publisher, second, second % 16 == 0, 1 << 20);
        while second % 4 == 3
            && let Poll::Ready(item) = now(&mut reader)
        {
            assert_eq!(ticks(Poll::Ready(item)), taken * 90_000);
            taken += 1;
        }
        assert!(held(&broadcast).1 <= USUAL_LIMIT);
    }
    assert_eq!(taken, 48);
}

#[test]
fn an_overtaken_reader_is_told_and_resumes_at_an_idr() {
    let (publisher, broadcast) = channel();
    let mut reader = broadcast.subscribe(AT_ONCE);
    publish(&publisher, 0, true, 1 << 20);
    assert_eq!(ticks(now(&mut reader)), 0);
    for second in 1..40 {
        publish(&publisher, second, second % 2 == 0, 1 << 20);
    }
    let Poll::Ready(Some(Item::Lagged { dropped })) = now(&mut reader) else { panic!("not told") };
    let Poll::Ready(Some(Item::Sample(resumed))) = now(&mut reader) else { panic!("no unit") };
    assert!(resumed.sample.entry().is_clean());
    assert_eq!(resumed.sample.times().dts.ticks(), (1 + dropped.cast_signed()) * 90_000);
    assert!(!publisher.take_key_frame_request(), "an IDR is there already");
}

#[test]
fn sound_travels_between_pictures_and_nobody_starts_at_it() {
    let (publisher, broadcast) = channel();
    let format = Arc::new(AudioFormat::new(48_000, 2).unwrap());
    let sound = |ticks| AudioFrame {
        times: Times::at(MediaTime::from_ticks(ticks)),
        epoch: 0,
        data: vec![0; 10].into(),
        format: format.clone(),
    };
    let mut reader = broadcast.subscribe(AT_ONCE);
    publisher.publish([sound(0)], Duration::ZERO);
    publish(&publisher, 1, true, 10);
    publisher.publish([sound(90_001), sound(90_002)], Duration::from_secs(1));
    let taken: Vec<_> = (0..3).map(|_| ticks(now(&mut reader))).collect();
    assert_eq!(taken, [90_000, 90_001, 90_002]);
}

#[test]
fn a_slow_reader_is_overtaken_and_the_other_misses_nothing() {
    let (publisher, broadcast) = channel();
    let (mut quick, mut slow) = (broadcast.subscribe(AT_ONCE), broadcast.subscribe(AT_ONCE));
    publish(&publisher, 0, true, 1 << 20);
    assert_eq!([ticks(now(&mut quick)), ticks(now(&mut slow))], [0, 0]);
    for second in 1..20 {
        publish(&publisher, second, false, 1 << 20);
        assert_eq!(ticks(now(&mut quick)), second * 90_000);
        assert!(held(&broadcast).1 <= USUAL_LIMIT);
    }
    assert!(publisher.take_key_frame_request(), "only an IDR helps the slow one");
    assert!(!publisher.take_key_frame_request(), "asked once, not with each picture");
    assert!(now(&mut slow).is_pending(), "it is told when it can go on");
    publish(&publisher, 20, true, 10);
    assert!(matches!(now(&mut slow), Poll::Ready(Some(Item::Lagged { dropped: 19 }))));
    assert_eq!([ticks(now(&mut slow)), ticks(now(&mut quick))], [20 * 90_000; 2]);
}

#[test]
fn who_comes_when_the_newest_gop_had_to_be_forgotten_gets_a_new_one() {
    let (publisher, broadcast) = channel();
    for second in 0..20 {
        publish(&publisher, second, second == 0, 1 << 20);
    }
    assert_eq!(held(&broadcast), (0, 0), "nobody can use its rest");
    assert_eq!(
        broadcast.newest_entry_point().map(|idr| idr.unit.times.dts.ticks()),
        Some(0),
        "good for a snapshot"
    );
    let mut reader = broadcast.subscribe(AT_ONCE);
    assert!(publisher.take_key_frame_request());
    publish(&publisher, 20, true, 10);
    assert_eq!(ticks(now(&mut reader)), 20 * 90_000);
}

#[test]
fn pictures_that_every_reader_has_taken_are_let_go_but_for_the_newest_gop() {
    let (publisher, broadcast) = channel();
    let (mut quick, mut slow) = (broadcast.subscribe(AT_ONCE), broadcast.subscribe(AT_ONCE));
    for second in 0..6 {
        publish(&publisher, second, second % 2 == 0, 10);
        assert_eq!(ticks(now(&mut quick)), second * 90_000);
    }
    assert_eq!(held(&broadcast).0, 6, "the slow reader has yet to take them");
    for second in 0..3 {
        assert_eq!(ticks(now(&mut slow)), second * 90_000);
    }
    assert_eq!(held(&broadcast).0, 3);
    drop(slow);
    assert_eq!(held(&broadcast).0, 2, "nobody keeps the others");
    assert_eq!(ticks(now(&mut broadcast.subscribe(AT_ONCE))), 4 * 90_000);
}

#[test]
fn a_long_gop_of_few_bytes_is_kept_whole() {
    let (publisher, broadcast) = channel();
    for second in 0..60 {
        publish(&publisher, second, second == 0, 10);
    }
    assert_eq!(ticks(now(&mut broadcast.subscribe(AT_ONCE))), 0);
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Sleeper {
    reader: Reader,
    woken: Arc<Woken>,
    waker: Waker,
    last: u32,
    taken: usize,
}

impl Sleeper {
    fn new(broadcast: &Broadcast, want: Want) -> Self {
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let mut sleeper = Self { reader: broadcast.subscribe(want), woken, waker, last: 0, taken: 0 };
        sleeper.take_all();
        sleeper
    }

    /// How often it was woken since the last call; it then takes all that is there. Each item that was taken is a picture.
    fn wakes(&mut self) -> u32 {
        let woken = self.woken.0.load(Ordering::Relaxed);
        let wakes = woken - std::mem::replace(&mut self.last, woken);
        if wakes > 0 {
            self.take_all();
        }
        wakes
    }

    fn take_all(&mut self) {
        while let Poll::Ready(item) = pin!(self.reader.next()).poll(&mut Context::from_waker(&self.waker)) {
            match item {
                Some(Item::Sample(_)) => self.taken += 1,
                Some(Item::Lagged { .. }) => panic!("nobody is overtaken here"),
                None => return,
            }
        }
    }
}

/// Publishes so many pictures, 30 a second, IDRs every two seconds; gives each reader's wake-ups in all.
fn play(publisher: &Publisher, pictures: u32, sleepers: &mut [Sleeper]) -> Vec<u32> {
    let mut wakes = vec![0; sleepers.len()];
    for picture in 0..pictures {
        let unit = access_unit(i64::from(picture) * 3000, picture % 60 == 0, 10);
        publisher.publish([unit], Duration::from_secs(1) * picture / 30);
        for (sleeper, wakes) in sleepers.iter_mut().zip(&mut wakes) {
            let now = sleeper.wakes();
            assert!(now <= 1, "once a picture at most");
            *wakes += now;
        }
    }
    wakes
}

#[test]
fn a_reader_is_woken_for_entry_points_and_as_its_patience_ends_between() {
    let (publisher, broadcast) = channel();
    let live = Want { patience: Duration::from_millis(650), ..AT_ONCE };
    let mut live = [Sleeper::new(&broadcast, live)];
    // The IDR and two more in each 2 s.
    assert_eq!(play(&publisher, 600, &mut live), [30]);
    drop(publisher);
    assert_eq!(live[0].wakes(), 1, "the end wakes it, too");
    assert_eq!(live[0].taken, 600);
}

#[test]
fn each_reader_is_woken_by_its_own_patience() {
    let (publisher, broadcast) = channel();
    let each = Sleeper::new(&broadcast, AT_ONCE);
    let recorder = Want { patience: Duration::from_secs(2), at_entry_points: false, start: Start::Newest };
    let recorder = Sleeper::new(&broadcast, recorder);
    let idrs = Want { patience: Duration::MAX, ..AT_ONCE };
    let idrs = Sleeper::new(&broadcast, idrs);
    // 20 s. A picture that comes just after a wake-up waits the whole patience.
    let wakes = play(&publisher, 600, &mut [each, recorder, idrs]);
    assert_eq!(wakes, [600, 9, 10]);
}

#[test]
fn sixteen_readers_are_woken_no_more_often_than_one() {
    let (publisher, broadcast) = channel();
    let live = Want { patience: Duration::from_millis(650), ..AT_ONCE };
    let mut sleepers: Vec<_> = (0..16).map(|_| Sleeper::new(&broadcast, live)).collect();
    assert_eq!(play(&publisher, 600, &mut sleepers), [30; 16]);
}

#[test]
fn a_patient_reader_is_woken_before_it_would_be_overtaken() {
    let (publisher, broadcast) = channel();
    let mut sleeper = Sleeper::new(&broadcast, Want { patience: Duration::MAX, ..AT_ONCE });
    for second in 0..40 {
        publish(&publisher, second, second == 0, 1 << 20);
        sleeper.wakes();
    }
    assert!(sleeper.taken > 30, "{}", sleeper.taken);
}

#[test]
fn another_streams_start_shrinks_a_ring_and_its_slowest_reader_lags_first() {
    let budget = MemoryBudget::of(32 << 20);
    let (publisher, broadcast) = channel();
    broadcast.keep_within(budget.admit_stream(0).unwrap());
    let (mut quick, mut slow) = (broadcast.subscribe(AT_ONCE), broadcast.subscribe(AT_ONCE));
    for second in 0..5 {
        publish(&publisher, second, second % 2 == 0, 1 << 20);
        assert_eq!(ticks(now(&mut quick)), second * 90_000);
        if second == 0 {
            assert_eq!(ticks(now(&mut slow)), 0);
        }
    }
    assert_eq!(budget.used(Part::Rings), 4 << 20);
    let _others: Vec<_> = (0..3).map(|_| budget.admit_stream(0).unwrap()).collect();
    publish(&publisher, 5, false, 10);
    assert_eq!(ticks(now(&mut quick)), 5 * 90_000);
    assert!(matches!(now(&mut slow), Poll::Ready(Some(Item::Lagged { .. })) | Poll::Pending));
    assert!(budget.used(Part::Rings) <= (5 << 20) / 4);
    drop((publisher, broadcast, quick, slow));
    assert_eq!(budget.used(Part::Rings), 0);
}

#[test]
fn a_closed_broadcast_is_read_to_its_end() {
    let (publisher, broadcast) = channel();
    let mut reader = broadcast.subscribe(AT_ONCE);
    publish(&publisher, 0, true, 10);
    drop(publisher);
    assert_eq!(ticks(now(&mut reader)), 0);
    assert!(matches!(now(&mut reader), Poll::Ready(None)));
}

#[tokio::test]
async fn a_waiting_reader_wakes_when_something_is_published() {
    let (publisher, broadcast) = channel();
    let mut reader = broadcast.subscribe(AT_ONCE);
    let waiting = tokio::spawn(async move { reader.next().await });
    tokio::task::yield_now().await;
    publish(&publisher, 3, true, 10);
    let item = waiting.await.expect("the reader does not panic");
    assert_eq!(ticks(Poll::Ready(item)), 3 * 90_000);
}

#[test]
fn readers_ask_for_key_frames_once() {
    let (publisher, broadcast) = channel();
    broadcast.subscribe(AT_ONCE).force_key_frame();
    broadcast.subscribe(AT_ONCE).force_key_frame();
    assert!(publisher.take_key_frame_request());
    assert!(!publisher.take_key_frame_request());
}

/// What happens to a ring.
#[derive(Clone, Debug)]
enum Step {
    Publish { is_idr: bool, bytes: usize },
    Subscribe(Start),
    Unsubscribe(prop::sample::Index),
    Take { reader: prop::sample::Index, items: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let start = prop::sample::select(vec![Start::Newest, Start::Oldest, Start::Next]);
    let step = prop_oneof![
        6 => (prop::bool::weighted(0.2), 5_usize..200)
            .prop_map(|(is_idr, bytes)| Step::Publish { is_idr, bytes }),
        1 => start.prop_map(Step::Subscribe),
        1 => any::<prop::sample::Index>().prop_map(Step::Unsubscribe),
        6 => (any::<prop::sample::Index>(), 1_usize..8)
            .prop_map(|(reader, items)| Step::Take { reader, items }),
    ];
    prop::collection::vec(step, 1..200)
}

/// What a model knows of one reader.
#[derive(Default)]
struct Seen {
    /// The picture after the last that it took or was told missing; `None` before the first.
    next: Option<usize>,
    after_gap: bool,
}

const SMALL: usize = 1000;

proptest! {
    /// Whatever is published and however many readers there are: each gets pictures in order; a gap begins with a notice of how many
    /// are missing and ends with an IDR; only a reader that is further behind than the ring's limit has gaps; and memory stays within it.
    #[test]
    fn every_picture_is_read_or_told_missing(steps in steps()) {
        // A quarter of what there is for streams, which is five eighths.
        let budget = MemoryBudget::of(SMALL as u64 * 4 / 5 * 8);
        let mut ring = Ring::within(budget.admit_stream(0).expect("it needs nothing"));
        // Every picture that was published: whether it is an IDR, and its bytes.
        let mut published: Vec<(bool, usize)> = Vec::new();
        let mut readers: BTreeMap<u64, Seen> = BTreeMap::new();
        // The readers that were too far behind at some time since they took all there was.
        let mut behind: BTreeMap<u64, bool> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Publish { is_idr, bytes } => {
                    let unit = access_unit(published.len().cast_signed() as i64, is_idr, bytes);
                    published.push((is_idr, bytes));
                    ring.push(Published { sample: unit.into(), published_at: Duration::ZERO });
                    for (key, seen) in &readers {
                        let waiting = &published[seen.next.unwrap_or(published.len())..];
                        let bytes: usize = waiting.iter().map(|(_, bytes)| bytes).sum();
                        *behind.entry(*key).or_default() |= bytes > SMALL;
                    }
                }
                Step::Subscribe(start) => {
                    let key = ring.subscribe(Want { start, ..AT_ONCE });
                    readers.insert(key, Seen::default());
                }
                Step::Unsubscribe(_) | Step::Take { .. } if readers.is_empty() => {}
                Step::Unsubscribe(index) => {
                    let key = *readers.keys().nth(index.index(readers.len())).expect("an index of it");
                    readers.remove(&key);
                    ring.unsubscribe(key);
                }
                Step::Take { reader, items } => {
                    let of_all = reader.index(readers.len());
                    let (key, seen) = readers.iter_mut().nth(of_all).expect("an index of it");
                    for _ in 0..items {
                        match ring.poll_take(*key, Waker::noop()) {
                            Poll::Ready(Some(Item::Lagged { dropped })) => {
                                prop_assert!(behind.insert(*key, false) == Some(true), "it kept up");
                                let next = seen.next.as_mut().expect("it has started");
                                *next += usize::try_from(dropped).expect("a few");
                                seen.after_gap = true;
                            }
                            Poll::Ready(Some(Item::Sample(picture))) => {
                                let number = usize::try_from(picture.sample.times().dts.ticks()).expect("a few");
                                prop_assert_eq!(number, seen.next.unwrap_or(number));
                                let must_be_idr = seen.next.is_none() || seen.after_gap;
                                prop_assert!(picture.sample.entry().is_clean() || !must_be_idr);
                                (seen.next, seen.after_gap) = (Some(number + 1), false);
                            }
                            Poll::Ready(None) => prop_assert!(false, "it is not closed"),
                            Poll::Pending => break,
                        }
                    }
                }
            }
            let (held, bytes) = ring.held();
            prop_assert!(bytes <= SMALL);
            prop_assert_eq!(budget.used(Part::Rings), bytes as u64);
            // Nothing is kept but from the newest IDR on, or from the slowest reader on.
            let newest_idr = published.iter().rposition(|(is_idr, _)| *is_idr).unwrap_or(published.len());
            let slowest = readers.values().filter_map(|seen| seen.next).min().unwrap_or(published.len());
            let fresh = readers.values().any(|seen| seen.next.is_none());
            prop_assert!(fresh || held <= published.len() - newest_idr.min(slowest));
        }
    }
}
