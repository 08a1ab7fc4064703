//! The supervisor on its own thread: a source that follows a script, and a clock that advances when somebody waits.

use super::*;
use crate::broadcast::{Item, Reader, Start, Want};

/// Reads each picture when it comes.
const AT_ONCE: Want = Want { patience: Duration::ZERO, at_entry_points: true, start: Start::Newest };

use crate::capture::source::SourceDescription;
use crate::capture::testing::{coded_pictures, white_over_black};
use crate::clock::HandClock;
use bytes::Bytes;
use perch_device::CodedPicture;
use perch_media::access_unit::AccessUnit;
use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

/// Interval of pictures.
const FRAME: Duration = Duration::from_millis(40);

/// The steps of a source, one for each call; at its script's end it gives nothing more.
#[derive(Clone)]
enum Step {
    /// A picture, taken just now, one frame after the previous one.
    Picture(Bytes),
    /// A picture, stamped by a clock that is this much off.
    PictureOff(Bytes, Duration),
    /// A picture before which the driver lost one.
    PictureAfterLoss(Bytes),
    /// A chunk of a byte stream, and how long it took to arrive.
    Bytes(Bytes, Duration),
    Fail,
    Panic,
    /// The supervisor gets a request to stop.
    Stop,
}

/// The result of an opening: a source with its script, or none.
enum Opening {
    Source(Vec<Step>),
    Missing,
}

struct Script {
    openings: VecDeque<Opening>,
    clock: Arc<HandClock>,
    stop: Arc<Mutex<Arc<AtomicBool>>>,
    opened_at: Arc<Mutex<Vec<Duration>>>,
    key_frames_forced: Arc<AtomicU64>,
    reader: Arc<Mutex<Option<DiligentReader>>>,
    /// The reasons for waiting, at each opening except the first.
    reasons: Arc<Mutex<Vec<String>>>,
}

/// Takes all published pictures before the ring drops them.
struct DiligentReader {
    reader: Reader,
    state: watch::Receiver<CameraState>,
    units: Vec<AccessUnit>,
}

impl DiligentReader {
    fn read(&mut self) {
        while let Poll::Ready(Some(item)) =
            pin!(self.reader.next()).poll(&mut Context::from_waker(Waker::noop()))
        {
            match item {
                Item::Sample(published) => {
                    self.units.extend(published.sample.video().cloned());
                }
                Item::Lagged { .. } => panic!("it reads after every picture"),
            }
        }
    }
}

struct ScriptedSource {
    reader: Arc<Mutex<Option<DiligentReader>>>,
    steps: VecDeque<Step>,
    clock: Arc<HandClock>,
    stop: Arc<Mutex<Arc<AtomicBool>>>,
    key_frames_forced: Arc<AtomicU64>,
}

impl Opener for Script {
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError> {
        self.opened_at.lock().unwrap().push(self.clock.monotonic());
        if let Some(reader) = &*self.reader.lock().unwrap()
            && let CameraState::Waiting { reason } = &*reader.state.borrow()
        {
            self.reasons.lock().unwrap().push(reason.clone());
        }
        match self.openings.pop_front() {
            Some(Opening::Source(steps)) => Ok(Box::new(ScriptedSource {
                reader: self.reader.clone(),
                steps: steps.into(),
                clock: self.clock.clone(),
                stop: self.stop.clone(),
                key_frames_forced: self.key_frames_forced.clone(),
            })),
            Some(Opening::Missing) => Err(SourceError::Missing("plug it in".to_owned())),
            None => {
                self.stop.lock().unwrap().store(true, Ordering::Relaxed);
                Err(SourceError::Missing("the script is at its end".to_owned()))
            }
        }
    }
}

impl CodedSource for ScriptedSource {
    fn next(&mut self, timeout: Duration) -> Result<Output, SourceError> {
        if let Some(reader) = &mut *self.reader.lock().unwrap() {
            reader.read();
        }
        let picture = |data, off, after_loss| {
            self.clock.turn(FRAME);
            let captured_at = self.clock.monotonic() + off;
            Ok(Output::Picture(CodedPicture { data, captured_at, after_loss }))
        };
        match self.steps.pop_front() {
            Some(Step::Picture(data)) => picture(data, Duration::ZERO, false),
            Some(Step::PictureOff(data, off)) => picture(data, off, false),
            Some(Step::PictureAfterLoss(data)) => picture(data, Duration::ZERO, true),
            Some(Step::Bytes(data, took)) => {
                self.clock.turn(took);
                let now = self.clock.monotonic();
                Ok(Output::Stream { data, since: now, read_at: now })
            }
            Some(Step::Fail) => Err(SourceError::Failed("unplugged".to_owned())),
            Some(Step::Panic) => panic!("this test panics here on purpose"),
            Some(Step::Stop) => {
                self.stop.lock().unwrap().store(true, Ordering::Relaxed);
                Ok(Output::Nothing)
            }
            None => {
                self.clock.turn(timeout);
                Ok(Output::Nothing)
            }
        }
    }

    fn force_key_frame(&mut self) {
        self.key_frames_forced.fetch_add(1, Ordering::Relaxed);
    }

    fn description(&self) -> SourceDescription {
        Self::what_it_is()
    }
}

impl ScriptedSource {
    fn what_it_is() -> SourceDescription {
        SourceDescription {
            camera: "script".to_owned(),
            encoder: "script".to_owned(),
            width: 32,
            height: 32,
            frames_per_second: 25.0,
        }
    }
}

/// Results of a run from its start to the script's end.
struct Run {
    units: Vec<AccessUnit>,
    handle: FeedStatus,
    opened_at: Vec<Duration>,
    key_frames_forced: u64,
    reasons: Vec<String>,
    ended_at: Duration,
}

impl Run {
    fn count(&self, of: fn(&CaptureCounters) -> &AtomicU64) -> u64 {
        of(self.handle.counters()).load(Ordering::Relaxed)
    }

    /// Times between openings.
    fn waits(&self) -> Vec<Duration> {
        self.opened_at.windows(2).map(|pair| pair[1].abs_diff(pair[0])).collect()
    }

    fn times_go_forward(&self) -> bool {
        self.units.windows(2).all(|pair| pair[0].times.dts < pair[1].times.dts)
    }
}

fn run(openings: Vec<Opening>) -> Run {
    run_asking_for_key_frames(openings, false)
}

fn run_asking_for_key_frames(openings: Vec<Opening>, ask: bool) -> Run {
    let clock = Arc::new(HandClock::default());
    clock.turn(Duration::from_secs(1000));
    let stop = Arc::<Mutex<Arc<AtomicBool>>>::default();
    let (opened_at, key_frames_forced) =
        (Arc::<Mutex<Vec<Duration>>>::default(), Arc::<AtomicU64>::default());
    let reader = Arc::<Mutex<Option<DiligentReader>>>::default();
    let reasons = Arc::<Mutex<Vec<String>>>::default();
    let script = Script {
        openings: openings.into(),
        clock: clock.clone(),
        stop: stop.clone(),
        opened_at: opened_at.clone(),
        key_frames_forced: key_frames_forced.clone(),
        reader: reader.clone(),
        reasons: reasons.clone(),
    };
    let (publisher, broadcast) = crate::broadcast::channel();
    let (supervisor, handle) =
        Supervisor::new("front", Box::new(script), Arc::default(), clock.clone(), publisher, broadcast);
    *stop.lock().unwrap() = supervisor.stop.clone();
    *reader.lock().unwrap() = Some(DiligentReader {
        reader: handle.broadcast().subscribe(AT_ONCE),
        state: handle.state().clone(),
        units: Vec::new(),
    });
    if ask {
        handle.broadcast().subscribe(AT_ONCE).force_key_frame();
    }
    supervisor.run();
    let mut reader = reader.lock().unwrap().take().expect("the reader is taken once");
    reader.read();
    let units = reader.units;
    let opened_at = opened_at.lock().unwrap().clone();
    let key_frames_forced = key_frames_forced.load(Ordering::Relaxed);
    let reasons = reasons.lock().unwrap().clone();
    Run { units, handle, opened_at, key_frames_forced, reasons, ended_at: clock.monotonic() }
}

/// `count` pictures, the first of them an IDR.
fn pictures(count: usize) -> Vec<Step> {
    coded_pictures(count).into_iter().map(Step::Picture).collect()
}

fn then(mut steps: Vec<Step>, last: Step) -> Opening {
    steps.push(last);
    Opening::Source(steps)
}

#[test]
fn a_camera_that_fails_is_opened_anew_and_the_seam_is_told() {
    let run = run(vec![then(pictures(150), Step::Fail), then(pictures(3), Step::Stop)]);
    assert_eq!(run.units.len(), 153);
    let epochs: Vec<_> = run.units.iter().map(|unit| unit.epoch).collect();
    assert_eq!((epochs[149], epochs[150], epochs[152]), (0, 1, 1));
    assert!(run.units[150].is_idr() && run.times_go_forward());
    assert_eq!(run.waits()[0], FRAME * 150, "at once: it was proven");
    assert_eq!((run.count(|c| &c.seams), run.count(|c| &c.reopened)), (1, 1));
    assert_eq!(run.count(|c| &c.access_units), 153);
    assert_eq!(*run.handle.state().borrow(), CameraState::Stopped);
}

#[test]
fn a_camera_that_fails_again_and_again_is_not_opened_in_a_busy_loop() {
    let run = run((0..10).map(|_| then(pictures(1), Step::Fail)).collect());
    assert_eq!(run.opened_at.len(), 11);
    let waits = run.waits();
    assert!(waits[9] >= BACKOFF_LONGEST && waits[9] < BACKOFF_LONGEST + Duration::from_secs(1), "{waits:?}");
    assert!(waits.is_sorted(), "{waits:?}");
}

#[test]
fn a_missing_camera_is_waited_for_with_its_reason_and_a_beating_heart() {
    let run = run((0..20).map(|_| Opening::Missing).collect());
    assert!(run.waits().iter().all(|&wait| wait <= BACKOFF_LONGEST));
    assert_eq!(run.handle.heartbeat().last_progress(), run.ended_at);
    assert_eq!(run.count(|c| &c.access_units), 0);
}

#[test]
fn a_camera_that_comes_back_has_no_seam_when_nothing_was_seen_before() {
    let run = run(vec![Opening::Missing, then(pictures(3), Step::Stop)]);
    assert_eq!(run.units.iter().map(|unit| unit.epoch).collect::<Vec<_>>(), [0, 0, 0]);
    assert_eq!(run.count(|c| &c.seams), 0);
}

#[test]
fn a_silent_source_is_closed_and_opened_anew_within_five_seconds() {
    let run = run(vec![Opening::Source(pictures(150)), then(pictures(1), Step::Stop)]);
    let back = run.waits()[0].saturating_sub(FRAME * 150);
    assert!(back > SILENCE && back < SILENCE + Duration::from_secs(1), "{back:?}");
}

#[test]
fn a_source_that_gives_nothing_usable_is_given_up() {
    let garbage = (0..1000).map(|_| Step::Picture(Bytes::from_static(b"no H.264 at all"))).collect();
    let run = run(vec![Opening::Source(garbage)]);
    assert_eq!(run.opened_at.len(), 2);
    assert!(run.waits()[0] < FIRST_PICTURE + Duration::from_secs(1));
    assert_eq!(run.count(|c| &c.discarded), (FIRST_PICTURE.as_millis() / FRAME.as_millis()) as u64 + 1);
}

#[test]
fn a_program_that_writes_no_h264_is_told_so() {
    let text = Bytes::from_static(b"usage: camera [OPTIONS]\n");
    let ended = vec![Step::Bytes(text.clone(), FRAME), Step::Fail];
    let goes_on = (0..300).map(|_| Step::Bytes(text.clone(), FRAME)).collect();
    let run = run(vec![Opening::Source(ended), Opening::Source(goes_on), Opening::Source(Vec::new())]);
    let [ended, goes_on, silent] = &run.reasons[..] else { panic!("{:?}", run.reasons) };
    for reason in [ended, goes_on] {
        assert!(reason.contains("it writes, but no H.264: it looks like text (\"usage: camera"), "{reason}");
    }
    assert!(ended.contains("unplugged"), "{ended}");
    assert!(silent.contains("it gave nothing for 8 s"), "{silent}");
}

#[test]
fn a_flood_of_garbage_is_given_up_long_before_a_slow_start_is() {
    let megabyte = Bytes::from(vec![0x55; 1 << 20]);
    let flood = || Opening::Source(vec![Step::Bytes(megabyte.clone(), Duration::from_millis(10)); 1000]);
    let run = run((0..6).map(|_| flood()).collect());
    let waits = run.waits();
    assert!(waits[0] < Duration::from_millis(500), "{waits:?}");
    assert!(waits[5] > BACKOFF_LONGEST, "then it is left alone most of the time: {waits:?}");
    assert!(run.reasons.iter().all(|reason| reason.contains("no H.264")), "{:?}", run.reasons);
}

#[test]
fn a_panic_in_a_source_costs_that_source_alone() {
    let run = run(vec![then(pictures(2), Step::Panic), then(pictures(2), Step::Stop)]);
    assert_eq!(run.units.len(), 4);
}

#[test]
fn a_device_that_stamps_by_another_clock_is_put_on_ours() {
    for off in [Duration::from_secs(10), Duration::from_secs(1_000_000)] {
        let steps = coded_pictures(50).into_iter().map(|data| Step::PictureOff(data, off)).collect();
        let run = run(vec![then(pictures(2), Step::Fail), then(steps, Step::Stop)]);
        assert!(run.times_go_forward());
        let last = Duration::from_nanos(run.units[51].times.dts.ticks() as u64 * 100_000 / 9);
        assert!(
            last.abs_diff(run.ended_at) < Duration::from_millis(150),
            "{last:?} is not {:?}",
            run.ended_at
        );
        let first_two = run.units[3].times.dts - run.units[2].times.dts;
        assert_eq!(first_two.ticks(), 3600, "the source keeps its own intervals");
    }
}

#[test]
fn requests_for_key_frames_reach_the_source_and_are_not_repeated() {
    let run = run_asking_for_key_frames(vec![then(pictures(20), Step::Stop)], true);
    assert_eq!(run.key_frames_forced, 1);
}

#[test]
fn a_stream_that_starts_without_idr_asks_for_one_but_not_with_every_picture() {
    let without_idr = coded_pictures(26).split_off(1).into_iter().map(Step::Picture).collect();
    let run = run(vec![then(without_idr, Step::Stop)]);
    assert_eq!(run.units.len(), 0);
    assert_eq!(run.key_frames_forced, 4, "a second of pictures, {KEY_FRAME_REQUESTS_APART:?} apart");
}

#[test]
fn after_a_lost_picture_nothing_is_shown_before_an_idr_which_is_asked_for() {
    let mut coded = coded_pictures(30).into_iter();
    let mut steps: Vec<_> = coded.by_ref().take(10).map(Step::Picture).collect();
    steps.push(Step::PictureAfterLoss(coded.nth(1).unwrap()));
    steps.extend(coded.take(3).map(Step::Picture));
    steps.extend(pictures(5));
    let run = run(vec![then(steps, Step::Stop)]);
    assert_eq!(run.units.len(), 15, "ten before the loss, five from the IDR on");
    assert!(run.units[10].is_idr() && run.units.iter().all(|unit| unit.epoch == 0), "no seam");
    assert_eq!(run.key_frames_forced, 1);
    assert_eq!(run.count(|c| &c.discarded), 4);
}

#[test]
fn an_idr_after_a_lost_picture_is_shown_at_once() {
    let mut steps = pictures(10);
    steps.extend(
        coded_pictures(5).into_iter().enumerate().map(|(number, data)| {
            if number == 0 { Step::PictureAfterLoss(data) } else { Step::Picture(data) }
        }),
    );
    let run = run(vec![then(steps, Step::Stop)]);
    assert_eq!((run.units.len(), run.key_frames_forced), (15, 0));
}

/// Repro 04: one IDR, and no other.
#[test]
fn a_source_whose_key_frames_stop_coming_is_a_fault_in_words_within_twenty_seconds() {
    let run = run(vec![then(pictures(600), Step::Stop), then(pictures(40), Step::Fail)]);
    let opened_again = run.waits()[0];
    assert!(
        opened_again > Duration::from_secs(19) && opened_again < Duration::from_secs(21),
        "{opened_again:?}"
    );
}

#[test]
fn what_keeps_viewers_out_is_said_in_words() {
    let mut source = Pictures::new(0, 25.0, false, Duration::ZERO);
    let mut now = Duration::ZERO;
    for data in coded_pictures(502) {
        assert!(source.fault(now).is_none());
        now += FRAME;
        let picture = perch_device::CodedPicture { data, captured_at: now, after_loss: false };
        source.take(Output::Picture(picture), now, &CaptureCounters::default(), |_| {});
    }
    let words = source.fault(now).expect("no key frame for 20 s").to_string();
    assert!(words.contains("key frame") && words.contains("every 2 seconds"), "{words}");
}

#[test]
fn the_size_that_is_told_is_that_of_the_newest_pictures() {
    let mut source = Pictures::new(0, 25.0, false, Duration::ZERO);
    let mut told = SourceDescription {
        camera: "front".to_owned(),
        encoder: String::new(),
        width: 640,
        height: 360,
        frames_per_second: 25.0,
    };
    for (number, size) in [(48, 32), (48, 32), (64, 48)].into_iter().enumerate() {
        let (data, now) = (white_over_black(size.0, size.1), FRAME * number as u32);
        let picture = CodedPicture { data, captured_at: now, after_loss: false };
        source.take(Output::Picture(picture), now, &CaptureCounters::default(), |_| {});
        assert_eq!(source.has_news(), number != 1);
        source.describe(&mut told);
        assert_eq!((told.width, told.height), size);
    }
}

struct Never;

impl Opener for Never {
    fn open(&mut self) -> Result<Box<dyn CodedSource>, SourceError> {
        Err(SourceError::Missing("never there".to_owned()))
    }
}

#[tokio::test]
async fn a_thread_that_is_told_to_stop_ends_and_closes_its_broadcast() {
    let clock = Arc::new(crate::clock::SystemClock);
    let (publisher, broadcast) = crate::broadcast::channel();
    let camera =
        CameraFeed { name: "front".to_owned(), opener: Box::new(Never), counters: Arc::default(), clock };
    let thread = Box::new(camera).start(publisher, broadcast).unwrap();
    let mut state = thread.status.state().clone();
    state.wait_for(|state| matches!(state, CameraState::Waiting { .. })).await.unwrap();
    let mut reader = thread.status.broadcast().subscribe(AT_ONCE);
    assert!(thread.stop(Duration::from_secs(10)).await);
    assert!(reader.next().await.is_none());
    assert_eq!(*state.borrow(), CameraState::Stopped);
}
