//! The hls reader between a broadcast and its handle, with a clock turned by hand.

use super::*;
use crate::broadcast::{self, Publisher};
use crate::capture::testing::access_unit;
use crate::clock::HandClock;
use crate::memory_budget::{MemoryBudget, Part};
use std::sync::atomic::AtomicU64;

const WALL: Duration = Duration::from_millis(1_795_368_483_007);

fn settings() -> HlsSettings {
    HlsSettings {
        segment: Duration::from_secs(2),
        window: Duration::from_mins(1),
        keyframe_interval: Duration::from_secs(2),
    }
}

/// Counts on from 500, as a store that was used before.
fn reserve() -> ReserveSequence {
    let next = AtomicU64::new(500);
    Arc::new(move |count| Ok(next.fetch_add(count, Ordering::Relaxed)))
}

struct Live {
    publisher: Publisher,
    handle: HlsHandle,
    task: JoinHandle<()>,
    clock: Arc<HandClock>,
}

fn live(reserve: ReserveSequence) -> Live {
    live_within(StreamShare::usual(), reserve)
}

fn live_within(share: StreamShare, reserve: ReserveSequence) -> Live {
    let (publisher, broadcast) = broadcast::channel();
    broadcast.keep_within(share);
    let clock = Arc::new(HandClock::at_wall(WALL));
    let (handle, reading) = read(&broadcast, settings(), reserve, clock.clone(), Arc::default());
    let task = tokio::spawn(reading); // with the paused time of the test
    Live { publisher, handle, task, clock }
}

impl Live {
    /// Ten pictures a second, an IDR first in each; leaves time to the reader.
    async fn seconds(&mut self, seconds: std::ops::Range<i64>) {
        for tenth in seconds.start * 10..seconds.end * 10 {
            self.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            self.publisher.publish([unit], self.clock.monotonic());
            tokio::task::yield_now().await;
        }
    }
}

fn text(handle: &HlsHandle) -> String {
    String::from_utf8(handle.offer().playlist.to_vec()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_first_segment_is_served_as_soon_as_it_is_whole() {
    let mut live = live(reserve());
    assert!(!live.handle.is_ready());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..2).await;
    live.handle.ready().await;
    let name = text(&live.handle).lines().last().unwrap().to_owned();
    assert_eq!(name, "500.ts");
    let segment = live.handle.segment(&name).expect("it is listed").data;
    assert_eq!((segment.len() % 188, segment[0]), (0, 0x47));
    for other in ["501.ts", "499.ts", "0500.ts", "x.ts", ""] {
        assert!(live.handle.segment(other).is_none(), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_segment_wakes_when_it_is_listed() {
    let mut live = live(reserve());
    let handle = live.handle.clone();
    let waiting = tokio::spawn(async move { handle.wait_for(503, Duration::from_secs(6)).await });
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..10).await;
    let offer = waiting.await.unwrap().expect("in time");
    assert_eq!(offer.next_sequence, 504);
    assert!(offer.segment(503).is_some());
    assert!(live.handle.wait_for(10_000, Duration::from_secs(6)).await.is_none(), "too long");
}

#[tokio::test(start_paused = true)]
async fn a_closed_broadcast_ends_the_playlist_with_its_last_pictures() {
    let mut live = live(reserve());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..5).await;
    let Live { publisher, handle, task, .. } = live;
    let before = handle.offer().next_sequence;
    drop(publisher);
    task.await.unwrap();
    assert!(text(&handle).ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(handle.offer().next_sequence, before + 1);
    assert!(handle.wait_for(u64::MAX, Duration::from_secs(1)).await.expect("no use to wait").has_ended);
}

#[tokio::test(start_paused = true)]
async fn memory_and_playlist_hold_a_window_and_not_more() {
    let mut live = live(reserve());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..600).await;
    let offer = live.handle.offer();
    // 60 s on offer and 4 s kept, of 2 s each; two more for what does not divide.
    assert!(offer.segments.len() <= 34, "{} segments in memory", offer.segments.len());
    let playlist = m3u8_rs::parse_media_playlist_res(&offer.playlist).expect("a playlist");
    let seconds: f32 = playlist.segments.iter().map(|segment| segment.duration).sum();
    assert!((55.0..=60.0).contains(&seconds), "{seconds}");
    let left = playlist.media_sequence - 1;
    assert!(offer.segment(left).is_some(), "who has an older playlist still gets its segments");
    for segment in &playlist.segments {
        assert!(live.handle.segment(&segment.uri).is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn sequence_numbers_are_reserved_before_they_are_used() {
    let reserved = Arc::new(AtomicU64::new(0));
    let count = reserved.clone();
    let mut live = live(Arc::new(move |block| Ok(count.fetch_add(block, Ordering::Relaxed))));
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    for minute in 0..40 {
        live.seconds(minute * 60..minute * 60 + 60).await;
        live.handle.wait_for(u64::MAX, Duration::from_millis(1)).await; // lets the blocking call be done
        assert!(live.handle.offer().next_sequence <= reserved.load(Ordering::Relaxed));
    }
    assert_eq!(reserved.load(Ordering::Relaxed), 2 * RESERVE);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_at_first_only_delays_the_stream() {
    let calls = AtomicU64::new(0);
    let mut live = live(Arc::new(move |_| match calls.fetch_add(1, Ordering::Relaxed) {
        0 | 1 => anyhow::bail!("the card stalls"),
        _ => Ok(7),
    }));
    live.handle.wait_for(0, Duration::from_secs(1)).await;
    live.seconds(0..2).await;
    live.handle.ready().await;
    assert_eq!(live.handle.offer().first_sequence, 7);
}

#[tokio::test(start_paused = true)]
async fn dates_follow_the_clock_when_it_is_set_but_not_when_it_is_slewed() {
    let clock = Arc::new(HandClock::at_wall(WALL));
    let (offer, _) = watch::channel(Arc::default());
    let mut stream = Stream::new(settings(), 0, offer, Arc::default(), clock.clone(), StreamShare::usual());
    stream.sample_wall_clock();
    let first = stream.wall;
    clock.turn(Duration::from_secs(5));
    clock.set_wall(WALL + Duration::from_millis(5400));
    stream.sample_wall_clock();
    assert_eq!(stream.wall, first);
    clock.set_wall(WALL + Duration::from_hours(1));
    stream.sample_wall_clock();
    assert_eq!(stream.wall.unwrap().unix_milliseconds(MediaTime::from_ticks(5 * 90_000)), {
        (WALL + Duration::from_hours(1)).as_millis() as i64
    });
}

#[tokio::test(start_paused = true)]
async fn a_window_keeps_to_the_streams_share_of_memory() {
    let budget = MemoryBudget::of(1 << 20);
    let mut live = live_within(budget.admit_stream(0).unwrap(), reserve());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..60).await;
    let alone = budget.used(Part::Windows);
    assert!(alone > 400_000 && alone <= (1 << 20) * 5 / 8 * 3 / 4 + 25_000, "{alone}");
    let _other = budget.admit_stream(0).unwrap();
    live.seconds(60..62).await;
    assert!(budget.used(Part::Windows) <= alone / 2 + 50_000, "it shrinks for another stream");
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_a_viewer_still_takes_is_counted_until_it_is_taken() {
    let budget = MemoryBudget::of(64 << 20);
    let mut live = live_within(budget.admit_stream(0).unwrap(), reserve());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..4).await;
    let answer = live.handle.segment("500.ts").expect("it is listed").data.slice(188..);
    live.seconds(4..10).await;
    assert_eq!(budget.used(Part::Retired), 0, "it is still listed");
    live.seconds(10..90).await;
    assert!(live.handle.segment("500.ts").is_none());
    assert_eq!(budget.used(Part::Retired), answer.len() as u64 + 188);
    drop(answer);
    assert_eq!(budget.used(Part::Retired), 0);
    let Live { publisher, handle, task, .. } = live;
    drop(publisher);
    task.await.unwrap();
    assert!(budget.used(Part::Windows) > 0, "the end can be watched for a while");
    drop(handle);
    assert_eq!(Part::ALL.map(|part| budget.used(part)), [0; 4]);
}
