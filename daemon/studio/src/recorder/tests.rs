//! Recording a broadcast into real files: their content, what a power cut leaves, and what happens when the card fails.

mod deleting;

use super::*;
use crate::broadcast::{self, Publisher};
use crate::capture::testing::access_unit;
use crate::clock::{Clock, HandClock};
use crate::config;
use crate::faults::Faults;
use crate::hls::HlsSettings;
use crate::log_lines::LogLines;
use crate::memory_budget::{MemoryBudget, Part as MemoryPart, StreamShare};
use perch_media::recording::index::Reader;
use perch_media::recording::{Break, Fragment};
use perch_store::{
    EndReason, NewStream, NewUser, PasswordHash, RecordingState, RecordingTrouble, Role, Store, StreamId,
    Timestamp, UserId, VideoMode, Visibility,
};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;

mod faults;

/// 2026-11-28, 07:30 UTC.
const WALL: Duration = Duration::from_mins(29_930_850);

struct House {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    clock: Arc<HandClock>,
    faults: Faults,
    user: UserId,
    settings: config::Recording,
    recordings: Recordings,
}

fn house_with(settings: &config::Recording) -> House {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
    let new = NewUser {
        username: "ann".to_owned(),
        full_name: String::new(),
        email: String::new(),
        password: PasswordHash::new("x"),
    };
    let user = store.add_user(&new, Role::Streamer, Timestamp::from_unix_millis(0)).unwrap().id;
    let (clock, faults) = (Arc::new(HandClock::at_wall(WALL)), Faults::default());
    let recordings = Recordings::new(settings, dir.path(), store.clone(), clock.clone(), faults.clone());
    House { dir, store, clock, faults, user, settings: settings.clone(), recordings }
}

fn house() -> House {
    house_with(&config::Recording { keep_free: 0, ..config::Recording::default() })
}

/// A stream that is being recorded.
struct Live<'a> {
    house: &'a House,
    stream: StreamId,
    publisher: Publisher,
    task: JoinHandle<()>,
}

impl House {
    fn stream(&self, camera: &str) -> StreamId {
        let new = NewStream {
            user: self.user,
            title: "Nest: box?".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            camera: camera.to_owned(),
            mode: VideoMode { width: 640, height: 360, frames_per_second: 10, bitrate_kbps: 500 },
            duration_seconds: None,
            record: true,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        let now = crate::clock::wall(&*self.clock);
        self.store.start_stream(&new, now).unwrap().facts.id
    }

    fn record(&self, stream: StreamId) -> Live<'_> {
        self.record_within(stream, StreamShare::usual())
    }

    fn writing(&self, stream: StreamId, share: StreamShare) -> writing::Writing {
        self.writing_by(stream, share, self.clock.clone())
    }

    fn writing_by(&self, stream: StreamId, share: StreamShare, clock: Arc<dyn Clock>) -> writing::Writing {
        let second = Duration::from_secs(1);
        let cuts = HlsSettings { segment: second * 2, window: second * 60, keyframe_interval: second * 2 };
        let about = About { stream, cuts, offset_ms: Arc::new(|at| at.as_millis() as u64), share };
        writing::Writing::new(self.recordings.clone(), about, clock)
    }

    fn record_within(&self, stream: StreamId, share: StreamShare) -> Live<'_> {
        let (publisher, broadcast) = broadcast::channel();
        broadcast.keep_within(share.clone());
        let task = tokio::spawn(self.writing(stream, share).run(broadcast.subscribe(writing::WANT)));
        Live { house: self, stream, publisher, task }
    }

    /// The state after a power cut and a restart of the daemon.
    fn after_a_restart(self) -> Self {
        let recordings = Recordings::new(
            &self.settings,
            self.dir.path(),
            self.store.clone(),
            self.clock.clone(),
            Faults::default(),
        );
        recordings.tend().unwrap();
        Self { recordings, ..self }
    }

    fn files(&self, stream: StreamId) -> RecordingFiles {
        self.recordings.files(stream).unwrap().unwrap()
    }

    fn fragments(&self, stream: StreamId) -> Vec<Vec<Fragment>> {
        let read = |part: &PartFiles| {
            let index = std::fs::read(&part.index).unwrap();
            Reader::new(index.as_slice()).unwrap().map(Result::unwrap).collect()
        };
        self.files(stream).parts.iter().map(read).collect()
    }

    fn seconds(&self, stream: StreamId) -> u64 {
        self.recordings.recording(stream).unwrap().unwrap().duration_ms / 1000
    }

    fn listed(&self) -> Vec<PathBuf> {
        std::fs::read_dir(self.dir.path().join("recordings"))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .collect()
    }
}

impl Live<'_> {
    /// Publishes ten pictures a second, the first of them an IDR, and lets the recorder run.
    async fn seconds(&mut self, seconds: std::ops::Range<i64>) {
        for tenth in seconds.start * 10..seconds.end * 10 {
            self.house.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            self.publisher.publish([unit], self.house.clock.monotonic());
            tokio::task::yield_now().await;
        }
    }

    async fn end(self) {
        drop(self.publisher);
        self.task.await.unwrap();
        self.house
            .store
            .end_stream(self.stream, EndReason::User, crate::clock::wall(&*self.house.clock))
            .unwrap();
    }

    /// Publishes three pictures of 200 kB a second without letting the recorder run, as if the card stalled.
    fn stall(&mut self, seconds: std::ops::Range<i64>) {
        for third in seconds.start * 3..seconds.end * 3 {
            self.house.clock.turn(Duration::from_millis(333));
            let unit = access_unit(third * 30_000, third % 3 == 0, 200_000);
            self.publisher.publish([unit], self.house.clock.monotonic());
        }
    }

    /// As a power cut would.
    fn cut(self) {
        self.task.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn one_two_and_eight_streams_are_recorded_at_a_time() {
    for count in [1, 2, 8] {
        let house = house();
        let streams: Vec<_> = (0..count).map(|number: i32| house.stream(&number.to_string())).collect();
        let mut live: Vec<_> = streams.iter().map(|stream| house.record(*stream)).collect();
        for second in 0..6 {
            for one in &mut live {
                one.seconds(second..second + 1).await;
            }
        }
        assert!(streams.iter().all(|stream| house.files(*stream).is_growing));
        for one in live {
            one.end().await;
        }
        for stream in streams {
            let recording = house.store.recording(stream).unwrap().unwrap();
            assert_eq!(
                (recording.state, recording.parts, recording.duration_ms),
                (RecordingState::Ended, 1, 6000)
            );
            let files = house.files(stream);
            assert!(!files.is_growing);
            let bytes = |path: &PathBuf| std::fs::metadata(path).unwrap().len();
            assert_eq!(recording.bytes, bytes(&files.parts[0].media) + bytes(&files.parts[0].index));
            let fragments = house.fragments(stream).remove(0);
            assert!(fragments.iter().all(|fragment| fragment.mark.before == Break::None));
            let media = files.parts[0].media.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(media.starts_with("2026-11-28 ") && media.contains(" Nest box "), "{media}");
            assert!(files.parts[0].media.with_extension("json").exists());
        }
        assert!(!house.faults.any());
    }
}

#[test]
fn a_sync_covers_the_fragment_that_has_just_ended_and_what_was_written_waits_no_longer_than_the_interval() {
    let house = house();
    let (publisher, broadcast) = broadcast::channel();
    let mut writing = house.writing(house.stream("front"), StreamShare::usual());
    let mut reader = broadcast.subscribe(writing::WANT);
    let mut waits_after = |tenths: std::ops::Range<i64>| {
        for tenth in tenths {
            house.clock.turn(Duration::from_millis(100));
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
            publisher.publish([unit], house.clock.monotonic());
        }
        assert!(writing.catch_up(&mut reader));
        writing.until_sync().as_millis()
    };
    let nothing_waits = 1750;
    assert_eq!(waits_after(0..11), 900);
    assert_eq!(waits_after(11..20), nothing_waits, "synced, and the second fragment has not ended");
    assert_eq!(waits_after(20..31), 900);
    assert_eq!(waits_after(31..41), nothing_waits, "synced after the fragment that ended at 4.0 s");
}

/// After a stall many fragments are written at once: a power cut at that moment may take at most a sync interval and one fragment.
#[test]
fn after_a_stall_no_more_than_an_interval_and_a_fragment_is_written_between_two_syncs() {
    let house = house();
    let (publisher, broadcast) = broadcast::channel();
    let mut writing = house.writing(house.stream("front"), StreamShare::usual());
    let mut reader = broadcast.subscribe(writing::WANT);
    // The card stalls for 20 s.
    for tenth in 0..=200 {
        house.clock.turn(Duration::from_millis(100));
        let unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
        publisher.publish([unit], house.clock.monotonic());
    }
    let (mut most, mut taken) = (Duration::ZERO, 0);
    while writing.take_next(&mut reader) {
        taken += 1;
        most = most.max(writing.unsynced());
    }
    assert_eq!((taken, most), (201, Duration::from_secs(3)), "the interval is 2 s, a fragment 1 s");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_never_showed_a_picture_has_no_recording() {
    let house = house();
    let stream = house.stream("front");
    house.record(stream).end().await;
    assert_eq!(house.store.all_recordings().unwrap(), []);
    assert_eq!(house.recordings.files(stream).unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_vanishes_is_told_and_recording_goes_on_when_it_is_back() {
    let disk = tempfile::tempdir().unwrap();
    let folder = disk.path().join("perch");
    let settings =
        config::Recording { folder: Some(folder.clone()), keep_free: 0, ..config::Recording::default() };
    let house = house_with(&settings);
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..3).await;
    let words = house.recordings.trouble(stream).unwrap();
    assert!(words.contains("is not there: is its disk plugged in?"), "{words}");
    assert_eq!(house.faults.in_words(), [words]);
    let told = || {
        let all = house.store.notifications(house.user, None, 10).unwrap();
        all.into_iter().map(|told| told.kind).collect::<Vec<_>>()
    };
    let paused =
        perch_store::NotificationKind::RecordingPaused { stream, trouble: RecordingTrouble::Missing };
    assert_eq!(told(), std::slice::from_ref(&paused), "once, though it was tried again");
    std::fs::create_dir(&folder).unwrap();
    live.seconds(3..20).await;
    assert_eq!((house.recordings.trouble(stream), house.faults.any()), (None, false));
    let before = house.seconds(stream);
    assert!(before > 8);
    house.recordings.tend().unwrap();
    assert_eq!(told().len(), 1, "it is not settled yet");
    live.seconds(20..90).await;
    house.recordings.tend().unwrap();
    assert_eq!(told(), [perch_store::NotificationKind::RecordingWentOn { stream }, paused]);
    live.end().await;
    assert_eq!(house.fragments(stream)[0][0].mark.before, Break::None);
}

#[tokio::test(start_paused = true)]
async fn a_stall_that_the_ring_bridges_loses_nothing_and_a_longer_one_is_a_gap() {
    for (stalled, lost) in [(10, false), (40, true)] {
        let log = LogLines::keep();
        let house = house();
        let stream = house.stream("front");
        let mut live = house.record(stream);
        live.seconds(0..5).await;
        live.stall(5..5 + stalled);
        live.seconds(5 + stalled..20 + stalled).await;
        live.end().await;
        let fragments = house.fragments(stream).remove(0);
        let gaps = fragments.iter().filter(|fragment| fragment.mark.before == Break::Gap).count();
        assert_eq!(
            (gaps > 0, house.seconds(stream) < 20 + stalled.cast_unsigned()),
            (lost, lost),
            "{stalled} s"
        );
        assert!(house.seconds(stream) >= 20 + 10, "what the ring had is kept");
        let gap = fragments.iter().find(|fragment| fragment.mark.before == Break::Gap);
        assert!(gap.is_none_or(|gap| gap.mark.is_independent && gap.mark.begins_segment));
        assert!(!house.faults.any());
        let words = "pictures are missing from the recording: the card did not take them in time";
        assert_eq!(log.with(words).len(), usize::from(lost));
    }
}

#[tokio::test(start_paused = true)]
async fn a_recording_that_finds_no_room_waits_and_goes_on_after_a_gap() {
    let settings = config::Recording { keep_free: u64::MAX / 2, ..config::Recording::default() };
    let house = house_with(&settings);
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..4).await;
    assert!(house.recordings.trouble(stream).unwrap().contains("no room left for recordings"));
    live.end().await;
    assert!(!house.faults.any(), "the stream has ended");
    assert_eq!(house.store.all_recordings().unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_recording_is_renamed_once_the_clock_is_set() {
    let house = house();
    house.clock.set_wall(Duration::from_mins(1));
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..4).await;
    let correction = perch_store::ClockCorrection {
        provisional: Timestamp::from_unix_millis(0)..Timestamp::from_unix_millis(600_000),
        behind_ms: 1_795_851_000_000,
        login_lasts_ms: 0,
    };
    assert!(house.recordings.recording(stream).unwrap().unwrap().is_date_provisional);
    house.store.correct_times(&correction).unwrap();
    house.recordings.tend().unwrap();
    live.seconds(4..8).await;
    assert!(house.files(stream).parts[0].media.to_str().unwrap().contains("1970-"), "not while it grows");
    live.end().await;
    house.recordings.tend().unwrap();
    let media = house.files(stream).parts.remove(0).media;
    assert!(media.exists() && media.to_str().unwrap().contains("2026-11-28"), "{}", media.display());
    assert_eq!(house.listed().len(), 3);
    assert_eq!(house.seconds(stream), 8);
}

#[tokio::test(start_paused = true)]
async fn what_is_damaged_is_named_and_indexes_and_rows_are_made_anew() {
    let house = house();
    let mut streams = Vec::new();
    for number in 0..3 {
        let stream = house.stream("front");
        let mut live = house.record(stream);
        live.seconds(number * 100..number * 100 + 6).await;
        live.end().await;
        streams.push(stream);
    }
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());
    let rows: Vec<_> =
        streams.iter().map(|stream| house.store.recording(*stream).unwrap().unwrap()).collect();

    let damage = |path: &PathBuf, at: usize| {
        let mut bytes = std::fs::read(path).unwrap();
        bytes[at] ^= 1;
        std::fs::write(path, bytes).unwrap();
    };
    let [first, second, _] = [0, 1, 2].map(|number| house.files(streams[number]).parts.remove(0));
    damage(&first.media, 30_000);
    damage(&second.index, 60);
    // A store from before the third recording, as a backup is.
    house.store.delete_recording(streams[2]).unwrap();
    house.store.forget_recording(streams[2]).unwrap();
    let wrong = house.recordings.verify().unwrap();
    let expected =
        ["are not the ones that were recorded", "its index differs", "Perch knows no recording of it"];
    assert_eq!(wrong.len(), 3, "{wrong:?}");
    assert!(expected.iter().all(|what| wrong.iter().any(|found| found.contains(what))), "{wrong:?}");

    house.recordings.rebuild().unwrap();
    let wrong = house.recordings.verify().unwrap();
    assert!(wrong.len() <= 2 && wrong.iter().all(|what| what.contains(&rows[0].name)), "{wrong:?}");
    for (row, stream) in rows.iter().zip(&streams).skip(1) {
        let again = house.store.recording(*stream).unwrap().unwrap();
        assert_eq!((&again.name, again.bytes, again.duration_ms), (&row.name, row.bytes, row.duration_ms));
    }
}

#[tokio::test(start_paused = true)]
async fn another_picture_size_begins_another_part_of_the_recording() {
    let house = house();
    let stream = house.stream("front");
    let mut live = house.record(stream);
    live.seconds(0..4).await;
    for tenth in 40..80 {
        house.clock.turn(Duration::from_millis(100));
        let mut unit = access_unit(tenth * 9000, tenth % 10 == 0, 1000);
        let mut format = (*unit.format).clone();
        format.width = 1280;
        unit.format = Arc::new(format);
        live.publisher.publish([unit], house.clock.monotonic());
        tokio::task::yield_now().await;
    }
    assert!(house.files(stream).is_growing);
    live.end().await;
    let recording = house.store.recording(stream).unwrap().unwrap();
    assert_eq!((recording.parts, recording.duration_ms), (2, 8000));
    let parts = house.fragments(stream);
    assert_eq!((parts[1][0].video.decode_time, parts[1][0].mark.before), (0, Break::Seam));
    let bytes: u64 = house.listed().iter().map(|path| std::fs::metadata(path).unwrap().len()).sum();
    let sidecar = house.files(stream).parts[0].media.with_extension("json");
    assert_eq!(recording.bytes, bytes - std::fs::metadata(&sidecar).unwrap().len());
    assert!(std::fs::read_to_string(sidecar).unwrap().contains(" part 2.mp4"));
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());

    // After a restart it continues with the second size, and its length includes all parts.
    let house = house.after_a_restart();
    let mut live = house.record(stream);
    live.seconds(100..104).await;
    live.end().await;
    assert_eq!((house.seconds(stream), house.fragments(stream).len()), (12, 3));
    assert_eq!(house.recordings.verify().unwrap(), Vec::<String>::new());
}

/// The streams have ten times the bitrate that they were admitted with.
#[tokio::test(start_paused = true)]
async fn fragments_of_sixteen_recordings_keep_to_the_memory_that_was_set_aside() {
    const RECORDER: u64 = 512 << 10;
    let (house, budget) = (house(), MemoryBudget::of(64 << 20));
    assert_eq!(MemoryBudget::of_recorder(500), RECORDER);
    let streams: Vec<_> = (0..16).map(|number| house.stream(&number.to_string())).collect();
    let mut live: Vec<_> = streams
        .iter()
        .map(|stream| house.record_within(*stream, budget.admit_recorded(1 << 20, RECORDER).unwrap()))
        .collect();
    let mut most = 0;
    for tenth in 0..50 {
        for one in &mut live {
            let unit = access_unit(tenth * 9000, tenth % 10 == 0, 60_000);
            one.publisher.publish([unit], house.clock.monotonic());
        }
        house.clock.turn(Duration::from_millis(100));
        tokio::task::yield_now().await;
        most = most.max(budget.used(MemoryPart::Recorders));
    }
    assert!(most > 16 * 60_000 && most <= 16 * RECORDER / 3, "{most}");
    assert!(budget.used(MemoryPart::Rings) <= budget.bytes() / 8 * 5 - 16 * RECORDER);
    for one in live {
        one.end().await;
    }
    assert_eq!(budget.used(MemoryPart::Recorders), 0);
    for stream in streams {
        let fragments = house.fragments(stream).remove(0);
        assert_eq!(fragments.iter().map(|fragment| fragment.video.samples.len()).sum::<usize>(), 50);
        assert!(fragments.iter().all(|fragment| fragment.mark.before == Break::None));
        // A fragment is in memory three times while it is written.
        assert!(fragments.iter().all(|fragment| u64::from(fragment.bytes) * 3 < RECORDER + 4096));
    }
}
