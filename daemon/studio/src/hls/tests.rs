//! The hls reader between a broadcast and its handle, with a clock that the test sets.

use super::*;
use crate::broadcast::{self, Publisher};
use crate::capture::testing::access_unit;
use crate::clock::HandClock;
use crate::log_lines::LogLines;
use crate::memory_budget::{MemoryBudget, Part};
use perch_media::hls::SegmentWriter;
use std::collections::BTreeSet;
use tokio::task::JoinHandle;

/// 50 s into 2026: numbers begin at 500.
const WALL: Duration = Duration::from_millis(1_767_225_650_007);

fn settings() -> HlsSettings {
    HlsSettings {
        segment: Duration::from_secs(2),
        window: Duration::from_mins(1),
        keyframe_interval: Duration::from_secs(2),
    }
}

struct Live {
    publisher: Publisher,
    handle: HlsHandle,
    task: JoinHandle<Result<(), HlsError>>,
    clock: Arc<HandClock>,
}

fn live() -> Live {
    live_within(StreamShare::usual())
}

fn live_within(share: StreamShare) -> Live {
    live_writing(share, InKernel::default())
}

fn live_writing<W: Writer + Send + 'static>(share: StreamShare, writer: W) -> Live {
    let (publisher, broadcast) = broadcast::channel();
    broadcast.keep_within(share);
    let clock = Arc::new(HandClock::at_wall(WALL));
    let (handle, reading) = read(&broadcast, settings(), clock.clone(), Arc::default(), writer).unwrap();
    let task = tokio::spawn(reading); // with the paused time of the test
    Live { publisher, handle, task, clock }
}

impl Live {
    /// Publishes ten pictures a second, the first of them an IDR, and lets the reader run.
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
    let mut live = live();
    assert!(!live.handle.is_ready());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..2).await;
    live.handle.ready().await;
    let name = text(&live.handle).lines().last().unwrap().to_owned();
    let run = name.strip_suffix("-500.ts").expect("the first number of this run");
    let segment = live.handle.segment(&name).expect("it is listed").data;
    assert_eq!((segment.len() % 188, segment[0]), (0, 0x47));
    for other in [
        format!("{run}-501.ts"),
        format!("{run}-499.ts"),
        format!("{run}-0500.ts"),
        "x-500.ts".into(),
        "500.ts".into(),
    ] {
        assert!(live.handle.segment(&other).is_none(), "{other}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_of_a_stream_share_no_name_and_the_second_has_the_higher_numbers() {
    let (mut names, mut numbers) = (Vec::new(), Vec::new());
    for wall in [WALL, WALL + Duration::from_secs(2000)] {
        let (publisher, broadcast) = broadcast::channel();
        let clock = Arc::new(HandClock::at_wall(wall));
        let (handle, reading) =
            read(&broadcast, settings(), clock.clone(), Arc::default(), InKernel::default()).unwrap();
        let mut live = Live { publisher, handle, task: tokio::spawn(reading), clock };
        let mut of_run = BTreeSet::new();
        for half_a_minute in 0..67 {
            live.seconds(half_a_minute * 30..(half_a_minute + 1) * 30).await;
            of_run
                .extend(text(&live.handle).lines().filter(|line| !line.starts_with('#')).map(str::to_owned));
        }
        let offer = live.handle.offer();
        numbers.push(offer.next_sequence - of_run.len() as u64..offer.next_sequence);
        names.push(of_run);
    }
    assert!(names[0].len() > 1000 && numbers[1].start > numbers[0].end, "{numbers:?}");
    assert!(names[0].is_disjoint(&names[1]), "{:?}", names[0].intersection(&names[1]).next());
}

#[tokio::test(start_paused = true)]
async fn what_came_before_a_pause_is_listed_when_nothing_follows() {
    let mut live = live();
    live.seconds(0..5).await;
    let before = live.handle.offer().next_sequence;
    assert!(live.handle.wait_for(before, Duration::from_secs(1)).await.is_none(), "it may still go on");
    let offer =
        live.handle.wait_for(before, Duration::from_secs(3)).await.expect("the segment in the making");
    assert_eq!((offer.next_sequence, offer.has_ended), (before + 1, false));
    live.seconds(8..12).await;
    assert!(text(&live.handle).contains("#EXT-X-DISCONTINUITY\n"), "it goes on after a seam");
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_key_frames_stop_keeps_to_the_target_duration() {
    let live = live();
    for tenth in 0..600 {
        live.clock.turn(Duration::from_millis(100));
        live.publisher.publish(
            [access_unit(tenth * 9000, tenth < 30 && tenth % 10 == 0, 1000)],
            live.clock.monotonic(),
        );
        tokio::task::yield_now().await;
    }
    let playlist = m3u8_rs::parse_media_playlist_res(&live.handle.offer().playlist).expect("a playlist");
    assert_eq!(playlist.target_duration, 2);
    assert!(playlist.segments.len() > 20 && playlist.segments.iter().all(|segment| segment.duration < 2.5));
    assert!(!playlist.independent_segments);
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_segment_wakes_when_it_is_listed() {
    let mut live = live();
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
    let mut live = live();
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..5).await;
    let Live { publisher, handle, task, .. } = live;
    let before = handle.offer().next_sequence;
    drop(publisher);
    task.await.unwrap().unwrap();
    assert!(text(&handle).ends_with("#EXT-X-ENDLIST\n"));
    assert_eq!(handle.offer().next_sequence, before + 1);
    assert!(handle.wait_for(u64::MAX, Duration::from_secs(1)).await.expect("no use to wait").has_ended);
}

#[tokio::test(start_paused = true)]
async fn memory_and_playlist_hold_a_window_and_not_more() {
    let mut live = live();
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..600).await;
    let offer = live.handle.offer();
    // 60 s are offered and 4 s kept, in segments of 2 s, and two more because of rounding.
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
async fn dates_follow_the_clock_when_it_is_set_but_not_when_it_is_slewed() {
    let clock = Arc::new(HandClock::at_wall(WALL));
    let told = Told { offer: watch::channel(Arc::default()).0, fault: watch::channel(None).0 };
    let (run, share) = ("a".to_owned(), StreamShare::usual());
    let mut stream =
        Stream::new(settings(), run, told, Arc::default(), clock.clone(), share, InKernel::default());
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
    let mut live = live_within(budget.admit_stream(0).unwrap());
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
    let mut live = live_within(budget.admit_stream(0).unwrap());
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..4).await;
    let name =
        text(&live.handle).lines().find(|line| line.ends_with("-500.ts")).expect("it is listed").to_owned();
    let answer = live.handle.segment(&name).expect("it is listed").data.slice(188..);
    live.seconds(4..10).await;
    assert_eq!(budget.used(Part::Retired), 0, "it is still listed");
    live.seconds(10..90).await;
    assert!(live.handle.segment(&name).is_none());
    assert_eq!(budget.used(Part::Retired), answer.len() as u64 + 188);
    drop(answer);
    assert_eq!(budget.used(Part::Retired), 0);
    let Live { publisher, handle, task, .. } = live;
    drop(publisher);
    task.await.unwrap().unwrap();
    assert!(budget.used(Part::Windows) > 0, "the end can be watched for a while");
    drop(handle);
    assert_eq!(Part::ALL.map(|part| budget.used(part)), [0; Part::ALL.len()]);
}

/// A writer that runs out of memory while the test says so.
struct OutOfMemory(Arc<AtomicBool>, InKernel);

impl SegmentWriter for OutOfMemory {
    type Whole = SegmentBytes;
    type Error = io::Error;

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.write(bytes)
    }

    fn finish(&mut self) -> io::Result<SegmentBytes> {
        if self.0.load(Ordering::Relaxed) { Err(io::ErrorKind::OutOfMemory.into()) } else { self.1.finish() }
    }

    fn discard(&mut self) {
        self.1.discard();
    }
}

#[tokio::test(start_paused = true)]
async fn a_writers_error_is_told_until_segments_are_listed_again() {
    let fails = Arc::<AtomicBool>::default();
    let mut live = live_writing(StreamShare::usual(), OutOfMemory(fails.clone(), InKernel::default()));
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..6).await;
    assert!(live.handle.fault().is_none());
    fails.store(true, Ordering::Relaxed);
    live.seconds(6..12).await;
    let mut handle = live.handle.clone();
    handle.fault_changed().await;
    let fault = handle.fault().expect("segments are missing");
    assert!(matches!(&fault, HlsError::Writer(error) if error.kind() == io::ErrorKind::OutOfMemory));
    assert!(fault.to_string().contains("could not be kept in memory: out of memory"), "{fault}");
    fails.store(false, Ordering::Relaxed);
    live.seconds(12..18).await;
    handle.fault_changed().await;
    assert!(handle.fault().is_none());
    assert!(text(&handle).contains("#EXT-X-DISCONTINUITY\n"), "it goes on after a seam");
    // The owner of the reader gets the error of the last segment.
    fails.store(true, Ordering::Relaxed);
    let Live { publisher, task, .. } = live;
    drop(publisher);
    assert!(matches!(task.await.unwrap(), Err(HlsError::Writer(_))));
}

#[tokio::test(start_paused = true)]
async fn a_writer_that_fails_for_long_is_tried_again_with_each_segment() {
    let fails = Arc::new(AtomicBool::new(true));
    let mut live = live_writing(StreamShare::usual(), OutOfMemory(fails.clone(), InKernel::default()));
    live.handle.wait_for(0, Duration::from_millis(1)).await;
    live.seconds(0..600).await;
    assert!(live.handle.fault().is_some() && !live.handle.is_ready() && !live.task.is_finished());
    fails.store(false, Ordering::Relaxed);
    live.seconds(600..606).await;
    assert!(live.handle.fault().is_none() && live.handle.is_ready(), "the next segment is listed");
    let listed = text(&live.handle).matches("#EXTINF").count();
    assert!(listed >= 2, "{listed}");
}

/// The line once said only that the hls reader was overtaken, which told an owner nothing.
#[tokio::test(start_paused = true)]
async fn a_reader_that_fell_behind_says_how_much_is_missing_and_why() {
    let log = LogLines::keep();
    let (publisher, broadcast) = broadcast::channel();
    let (clock, metrics) = (Arc::new(HandClock::at_wall(WALL)), Arc::<HlsMetrics>::default());
    let (handle, reading) =
        read(&broadcast, settings(), clock.clone(), metrics.clone(), InKernel::default()).unwrap();
    let mut live = Live { publisher, handle, task: tokio::spawn(reading), clock };
    live.seconds(0..4).await;
    assert_eq!(log.with("missing"), [""; 0]);
    // 20 MB arrive while the reader's thread does not run: more than the ring holds.
    for second in 4..24 {
        live.clock.turn(Duration::from_secs(1));
        live.publisher.publish([access_unit(second * 90_000, true, 1 << 20)], live.clock.monotonic());
    }
    live.seconds(24..28).await;
    let lines = log.with("missing");
    let lost = metrics.lagged.load(Ordering::Relaxed);
    assert!(lost >= 12, "{lost}");
    let words = format!(
        "WARN perch_studio::hls: {lost} pictures and frames of sound are missing from the stream: making segments fell too far behind the camera, \
         and went on at the next key frame"
    );
    assert!(lines.len() == 1 && lines[0].ends_with(&words), "{lines:?}");
}
