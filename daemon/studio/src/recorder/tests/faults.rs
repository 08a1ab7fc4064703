//! Panics, clocks that jump, disks that are swapped or slow, and power cuts.

use super::*;
use crate::faults::RECORDING;

#[tokio::test]
async fn a_panic_is_told_and_the_recording_goes_on_after_a_seam() {
    let house = house();
    let stream = house.stream("front");
    let (publisher, broadcast) = broadcast::channel();
    let second = Duration::from_secs(1);
    let cuts = HlsSettings { segment: second * 2, window: second * 60, keyframe_interval: second * 2 };
    // Called once for each fragment.
    let asked = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let (of_thread, panics_at) = (asked.clone(), 4);
    let offset_ms: OffsetOf = Arc::new(move |at| {
        let times = of_thread.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        assert_ne!(times, panics_at, "a fault in the recorder");
        at.as_millis() as u64
    });
    let about = About { stream, cuts, offset_ms, share: StreamShare::usual() };
    let ended = spawn(&broadcast, &house.recordings, about, house.clock.clone()).unwrap();
    let mut tenth = 0;
    let mut publish_until = async |is_reached: &dyn Fn() -> bool| {
        while !is_reached() {
            house.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            publisher.publish([unit], house.clock.monotonic());
            tenth += 1;
            // Lets the recorder's thread run. Samples that it misses nevertheless are a gap.
            std::thread::yield_now();
            tokio::task::yield_now().await;
        }
    };
    // The clock goes faster than the disk, which therefore counts as slow: that is a fault, too.
    publish_until(&|| house.recordings.trouble(stream).is_some()).await;
    assert!(house.recordings.trouble(stream).unwrap().contains("a fault in Perch"));
    let before = house.seconds(stream);
    publish_until(&|| house.seconds(stream) > before + 3).await;
    assert_eq!((house.recordings.trouble(stream), house.faults.of(RECORDING)), (None, None));
    drop(publisher);
    ended.await.unwrap();
    assert!(!house.files(stream).is_growing);
    assert_eq!(house.store.recording(stream).unwrap().unwrap().state, RecordingState::Ended);
    let fragments = house.fragments(stream).remove(0);
    let seams = fragments.iter().filter(|fragment| fragment.mark.before == Break::Seam);
    assert_eq!(seams.count(), 1);
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn another_disk_in_the_place_of_one_makes_no_recording_unknown() {
    let disk = tempfile::tempdir().unwrap();
    let (folder, pulled) = (disk.path().join("perch"), disk.path().join("pulled"));
    std::fs::create_dir(&folder).unwrap();
    let house = house_with(&config::Recording {
        folder: Some(folder.clone()),
        keep_free: 0,
        ..config::Recording::default()
    });
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..6).await;
    live.cut();
    std::fs::rename(&folder, &pulled).unwrap();
    std::fs::create_dir(&folder).unwrap();
    let house = house.after_a_restart();
    assert!(house.store.recording(stream).unwrap().is_some(), "it may come back");
    std::fs::remove_dir(&folder).unwrap();
    std::fs::rename(&pulled, &folder).unwrap();
    house.recordings.tend().unwrap();
    let recording = house.store.recording(stream).unwrap().unwrap();
    assert_eq!((recording.state, recording.duration_ms), (RecordingState::Ended, 5000));
}

/// A clock that advances by `step` whenever it is read: whatever is timed with it takes that long.
#[derive(Debug)]
struct SteppingClock {
    hand: Arc<HandClock>,
    step: std::sync::Mutex<Duration>,
}

impl Clock for SteppingClock {
    fn monotonic(&self) -> Duration {
        let now = self.hand.monotonic();
        self.hand.turn(*self.step.lock().unwrap());
        now
    }

    fn since_boot(&self) -> Duration {
        self.monotonic()
    }

    fn wall(&self) -> std::time::SystemTime {
        self.hand.wall()
    }

    fn park(&self, at_most: Duration) {
        self.hand.park(at_most);
    }
}

#[test]
fn a_slow_disk_is_told_for_ten_minutes_and_not_for_a_short_pause() {
    let house = house();
    let clock = Arc::new(SteppingClock { hand: house.clock.clone(), step: std::sync::Mutex::default() });
    let (publisher, broadcast) = broadcast::channel();
    let mut writing = house.writing_by(house.stream("front"), StreamShare::usual(), clock.clone());
    let mut reader = broadcast.subscribe(writing::WANT);
    let mut tenth = 0;
    let mut record = |seconds: i64, writing: &mut writing::Writing| {
        for _ in 0..seconds * 10 {
            house.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            publisher.publish([unit], house.clock.monotonic());
            tenth += 1;
        }
        writing.catch_up(&mut reader);
    };
    record(3, &mut writing);
    for (took, is_told) in [(4, false), (6, true)] {
        *clock.step.lock().unwrap() = Duration::from_secs(took);
        record(3, &mut writing);
        *clock.step.lock().unwrap() = Duration::ZERO;
        assert_eq!(house.faults.any(), is_told, "{took} s");
    }
    let words = house.faults.in_words().remove(0);
    assert!(words.starts_with("The disk of the recordings took no writes for 6 s: it is slow"), "{words}");
    house.clock.turn(Duration::from_mins(9));
    house.recordings.tend().unwrap();
    assert!(house.faults.any());
    house.clock.turn(Duration::from_mins(1));
    house.recordings.tend().unwrap();
    assert!(!house.faults.any());
}

const DAY: Duration = Duration::from_hours(24);

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_by_twenty_years_deletes_nothing_and_leaves_times_alone() {
    let house =
        house_with(&config::Recording { keep_free: 0, keep_days: 30, ..config::Recording::default() });
    let (old, stream) = (house.stream("front"), house.stream("back"));
    let mut live = house.record(old);
    live.seconds(0..4).await;
    live.end().await;
    house.recordings.tend().unwrap();

    let mut live = house.record(stream);
    live.seconds(100..105).await;
    let years = DAY * 365 * 20;
    house.clock.set_wall(WALL + years);
    live.seconds(105..110).await;
    for _ in 0..20 {
        house.recordings.tend().unwrap();
        house.clock.turn(DAY / 24);
    }
    assert!(house.store.recording(old).unwrap().is_some(), "nothing is a day old by any watch");
    // The same after a restart with this clock.
    let restarted = Recordings::new(
        &house.settings,
        house.dir.path(),
        house.store.clone(),
        house.clock.clone(),
        Faults::default(),
    );
    restarted.keep_within_limits().unwrap();
    assert!(house.store.recording(old).unwrap().is_some());
    // The clock is corrected.
    house.clock.set_wall(WALL + DAY);
    live.seconds(110..115).await;
    live.end().await;
    house.recordings.tend().unwrap();

    let recording = house.store.recording(stream).unwrap().unwrap();
    assert_eq!((recording.duration_ms, recording.parts), (15_000, 1));
    assert!(recording.name.starts_with("2026-11-28 "), "{}", recording.name);
    let fragments = house.fragments(stream).remove(0);
    let offsets: Vec<_> = fragments.iter().map(|fragment| fragment.mark.stream_offset_ms).collect();
    assert!(
        offsets.is_sorted() && offsets.last().unwrap() - offsets[0] < 20 * 3_600_000 + 60_000,
        "{offsets:?}"
    );
    assert!(fragments.iter().all(|fragment| fragment.mark.before != Break::Gap));
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());

    // A month later on a correct clock they are too old.
    house.clock.turn(DAY * 31);
    house.recordings.tend().unwrap();
    assert_eq!(house.store.all_recordings().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_recording_of_an_unknown_date_is_not_too_old() {
    let house = house_with(&config::Recording { keep_free: 0, keep_days: 1, ..config::Recording::default() });
    house.clock.set_wall(Duration::from_mins(1));
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..4).await;
    live.end().await;
    // The power failed before the network gave the time; only the next run has it.
    house.clock.set_wall(WALL);
    let house = house.after_a_restart();
    house.clock.turn(DAY * 2);
    house.recordings.tend().unwrap();
    assert!(house.store.recording(stream).unwrap().unwrap().is_date_provisional);
}

#[tokio::test(start_paused = true)]
async fn what_a_power_cut_left_is_closed_and_gone_on_with_after_a_seam() {
    for torn in [0, 1, 700, 11_000, 25_000] {
        let mut house = house();
        let stream = house.stream("front");
        let mut live = house.record(stream);
        live.seconds(0..30).await;
        live.cut();
        let part = house.files(stream).parts.remove(0);
        let media = std::fs::File::options().write(true).open(&part.media).unwrap();
        let length = media.metadata().unwrap().len();
        media.set_len(length - torn).unwrap();
        if torn == 700 {
            std::fs::remove_file(&part.index).unwrap();
        }
        house = house.after_a_restart();
        let lost = if torn == 0 { 0 } else { 1 + torn / 11_000 };
        // The last second was not written as a fragment yet.
        assert_eq!(house.seconds(stream), 29 - lost, "{torn}");
        assert_eq!(house.store.recording(stream).unwrap().unwrap().state, RecordingState::Ended);
        let fragments = house.fragments(stream).remove(0);
        let end = fragments.last().map(|fragment| fragment.at + u64::from(fragment.bytes)).unwrap();
        assert_eq!(std::fs::metadata(&part.media).unwrap().len(), end, "what is torn is cut off");

        let mut live = house.record(stream);
        live.seconds(100..105).await;
        live.end().await;
        assert_eq!(house.seconds(stream), 29 - lost + 5);
        let all = house.fragments(stream).remove(0);
        let after = &all[fragments.len()..];
        assert_eq!(after[0].mark.before, Break::Seam);
        assert_eq!(after[0].video.decode_time, (29 - lost) * 90_000, "time goes on without a hole");
        assert!(after[1..].iter().all(|fragment| fragment.mark.before == Break::None));
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_never_got_its_header_is_begun_anew() {
    let mut house = house();
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..3).await;
    live.cut();
    let part = house.files(stream).parts.remove(0);
    std::fs::File::options().write(true).open(&part.media).unwrap().set_len(20).unwrap();
    house = house.after_a_restart();
    assert_eq!(house.store.recording(stream).unwrap(), None, "nothing was kept of it");
    assert_eq!(house.listed(), Vec::<PathBuf>::new());
    let mut live = house.record(stream);
    live.seconds(0..3).await;
    live.end().await;
    assert_eq!(house.seconds(stream), 3);
}
