use super::*;
use crate::capture::testing;
use crate::clock::HandClock;
use crate::config;
use crate::faults::Faults;
use image::RgbImage;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::cmaf::{FragmentBuilder, init_segment};
use perch_media::recording::index::{Encoder, Header, Reader};
use perch_media::recording::storyboard::{Record, Storyboard};
use perch_media::recording::{Break, Mark};
use perch_media::time::{MediaDuration, Times};
use perch_store::{
    NewStream, NewUser, PasswordHash, Recording, RecordingState, Role, Store, Timestamp, VideoMode,
    Visibility,
};
use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;

struct House {
    dir: tempfile::TempDir,
    store: Arc<Store>,
    clock: Arc<HandClock>,
    recordings: Recordings,
}

fn house(keep_free: u64) -> House {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("recordings")).unwrap();
    let store = Arc::new(Store::open(&dir.path().join("perch.redb")).unwrap());
    let clock = Arc::new(HandClock::at_wall(Duration::from_mins(29_930_850)));
    let settings = config::Recording { keep_free, ..config::Recording::default() };
    let recordings = Recordings::new(&settings, dir.path(), store.clone(), clock.clone(), Faults::default());
    House { dir, store, clock, recordings }
}

/// Seconds, and the size of their pictures.
type Part = (Range<u32>, (u32, u32));

/// The brightness at a second.
fn luma(second: u32) -> u8 {
    (30 + second * 37 % 180) as u8
}

fn unit(second: u32, (width, height): (u32, u32)) -> AccessUnit {
    let coded = testing::grey(width, height, luma(second));
    AccessUnitAssembler::new(0).push_picture(&coded, Times::default()).unwrap().unwrap()
}

impl House {
    /// A recording that has ended, of a picture a second, each a key frame.
    fn recording(&self, parts: &[Part]) -> Recording {
        let new = NewUser {
            username: "ann".to_owned(),
            full_name: String::new(),
            email: String::new(),
            password: PasswordHash::new("x"),
        };
        let now = Timestamp::from_unix_millis(0);
        let user = self.store.add_user(&new, Role::Streamer, now).unwrap().id;
        let new = NewStream {
            user,
            title: "Nest box".to_owned(),
            description: String::new(),
            topics: Vec::new(),
            camera: "front".to_owned(),
            mode: VideoMode { width: 64, height: 48, frames_per_second: 1, bitrate_kbps: 500 },
            duration_seconds: None,
            record: true,
            visibility: Visibility::Public,
            relays: Vec::new(),
        };
        let stream = self.store.start_stream(&new, now).unwrap().facts.id;
        let recording = Recording {
            stream,
            name: format!("Nest box {}", &stream.to_string()[20..]),
            parts: parts.len() as u32,
            bytes: 1000,
            duration_ms: parts.iter().map(|(seconds, _)| seconds.len() as u64 * 1000).sum(),
            started_at: now,
            state: RecordingState::Ended,
            is_pinned: false,
            is_date_provisional: false,
            is_name_outdated: false,
        };
        self.store.put_recording(&recording).unwrap();
        let files = self.recordings.files(stream).unwrap().unwrap();
        for (number, (files, (seconds, size))) in (1..).zip(files.parts.iter().zip(parts)) {
            let format = unit(0, *size).format;
            let mut media = init_segment(&format, None);
            let init_bytes = media.len() as u32;
            let header = Header { stream: stream.number().to_be_bytes(), part: number, init_bytes };
            let (mut index, mut encoder) = (header.encode(), Encoder::new(&header));
            let mut builder = FragmentBuilder::new(format, None);
            for second in seconds.clone() {
                builder.push_video(&unit(second, *size), MediaDuration::from_ticks(90_000));
                let mark = Mark { before: Break::None, ..Mark::default() };
                let fragment = builder.finish(mark, media.len() as u64, &mut media).unwrap();
                encoder.push(&fragment, &mut index);
            }
            std::fs::write(&files.media, media).unwrap();
            std::fs::write(&files.index, index).unwrap();
        }
        recording
    }

    fn making(&self, recording: &Recording) -> Making {
        Making::begin(&self.recordings, recording.stream).unwrap().unwrap()
    }

    fn make(&self, recording: &Recording) -> Step {
        let mut making = self.making(recording);
        loop {
            let step = making.step().unwrap();
            if step != Step::On {
                return step;
            }
        }
    }

    fn file(&self, recording: &Recording) -> PathBuf {
        self.dir.path().join("recordings").join(format!("{}.storyboard", recording.name))
    }

    fn records(&self, recording: &Recording) -> Vec<Record> {
        let mut file = File::open(self.file(recording)).unwrap();
        Storyboard::read(&mut file, recording.stream.number().to_be_bytes()).unwrap().records
    }

    fn times(&self, recording: &Recording) -> Vec<u64> {
        let records = self.records(recording).into_iter();
        records.flat_map(|record| record.sheet.times_ms).map(|ms| ms / 1000).collect()
    }

    fn worker(&self) -> Worker {
        Worker {
            recordings: self.recordings.clone(),
            snapshots: Arc::default(),
            clock: self.clock.clone(),
            stop: Arc::default(),
            looked: BTreeMap::new(),
        }
    }
}

#[test]
fn every_picture_on_a_sheet_is_the_one_of_its_second() {
    let house = house(0);
    // Of another size from the 70th second on.
    let recording = house.recording(&[(0..70, (64, 48)), (70..140, (320, 160))]);
    assert_eq!(house.make(&recording), Step::Done);
    let bytes = std::fs::read(house.file(&recording)).unwrap();
    let records = house.records(&recording);
    let sheets: Vec<_> =
        records.iter().map(|record| (record.sheet.times_ms.len(), record.sheet.size)).collect();
    assert_eq!(sheets, [(30, (64, 48)), (5, (64, 48)), (29, (160, 80))]);
    for record in &records {
        let Range { start, end } = record.range();
        let jpeg = record.jpeg(&bytes[start as usize..end as usize]).unwrap();
        let sheet: RgbImage =
            image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().into_rgb8();
        let (width, height) = record.sheet.size;
        assert_eq!(sheet.dimensions(), (6 * width, record.sheet.times_ms.len().div_ceil(6) as u32 * height));
        for (index, time) in record.sheet.times_ms.iter().enumerate() {
            let (left, top) = record.sheet.place(index);
            let seen = sheet.get_pixel(left + width / 2, top + height / 2).0[1];
            // Limited range.
            let expected = (i32::from(luma(*time as u32 / 1000)) - 16) * 255 / 219;
            assert!((i32::from(seen) - expected).abs() < 9, "{time} ms: {seen}, not {expected}");
        }
    }
    let expected: Vec<u64> = (0..120).step_by(2).chain((120..140).step_by(5)).collect();
    assert_eq!(house.times(&recording), expected, "closer at the beginning");
}

#[test]
fn what_cannot_be_shown_is_passed_over() {
    let house = house(0);
    let recording = house.recording(&[(0..12, (64, 48)), (12..20, (64, 48)), (20..26, (64, 48))]);
    let files = house.recordings.files(recording.stream).unwrap().unwrap();
    let mut key_frames = key_frames::KeyFrames::new(files.clone()).map(Result::unwrap);
    let damaged = key_frames.nth(4).unwrap();
    assert_eq!(damaged.time_ms, 4000);
    let mut media = std::fs::read(&files.parts[0].media).unwrap();
    media[damaged.at as usize..(damaged.at + u64::from(damaged.bytes)) as usize].fill(0xff);
    std::fs::write(&files.parts[0].media, media).unwrap();
    std::fs::write(&files.parts[1].index, b"garbage").unwrap();
    assert_eq!(house.make(&recording), Step::Done);
    // The part that cannot be read has no time of its own in the playlist either.
    assert_eq!(house.times(&recording), [0, 2, 5, 7, 9, 11, 13, 15, 17]);
}

#[test]
fn a_recording_that_cannot_be_shown_at_all_is_given_up_and_one_picture_is_enough() {
    let house = house(0);
    let recording = house.recording(&[(0..60, (64, 48))]);
    let files = house.recordings.files(recording.stream).unwrap().unwrap();
    let whole = std::fs::read(&files.parts[0].media).unwrap();
    let first = key_frames::KeyFrames::new(files.clone()).next().unwrap().unwrap();
    let mut media = whole.clone();
    media[first.at as usize..].fill(0xff);
    std::fs::write(&files.parts[0].media, media).unwrap();
    let mut making = house.making(&recording);
    let steps = std::iter::from_fn(|| Some(making.step().unwrap())).take_while(|step| *step == Step::On);
    assert!(steps.count() <= 21);
    assert!(!house.file(&recording).exists());
    // A recording of one picture.
    let index = std::fs::read(&files.parts[0].index).unwrap();
    std::fs::write(&files.parts[0].media, &whole).unwrap();
    let mut reader = Reader::new(index.as_slice()).unwrap();
    reader.next().unwrap().unwrap();
    std::fs::write(&files.parts[0].index, &index[..reader.index_bytes() as usize]).unwrap();
    assert_eq!(house.make(&recording), Step::Done);
    assert_eq!(house.times(&recording), [0]);
    std::fs::remove_file(&files.parts[0].index).unwrap();
    assert!(Making::begin(&house.recordings, recording.stream).unwrap().unwrap().step().is_err());
}

#[test]
fn what_a_restart_cut_short_is_made_later() {
    let house = house(0);
    let recording = house.recording(&[(0..140, (64, 48))]);
    let mut making = house.making(&recording);
    for _ in 0..45 {
        assert_eq!(making.step().unwrap(), Step::On);
    }
    drop(making);
    assert_eq!(house.records(&recording).len(), 1, "half a sheet is not kept");
    // Torn by a power cut besides.
    let mut torn = std::fs::read(house.file(&recording)).unwrap();
    torn.extend_from_slice(&[0; 300]);
    std::fs::write(house.file(&recording), torn).unwrap();
    assert_eq!(house.make(&recording), Step::Done);
    let expected: Vec<u64> = (0..120).step_by(2).chain((120..140).step_by(5)).collect();
    assert_eq!(house.times(&recording), expected);
    let before = std::fs::read(house.file(&recording)).unwrap();
    assert_eq!(house.make(&recording), Step::Done);
    assert_eq!(std::fs::read(house.file(&recording)).unwrap(), before, "nothing is missing");
}

#[test]
fn a_recording_that_grows_gets_whole_sheets_and_the_rest_at_its_end() {
    let house = house(0);
    let recording = house.recording(&[(0..140, (64, 48))]);
    let growing = Recording { state: RecordingState::Recording, ..recording.clone() };
    house.recordings.grows(&growing, true).unwrap();
    let mut worker = house.worker();
    while let Some(wanting) = worker.next() {
        assert!(wanting.is_growing);
        worker.look_at(wanting);
    }
    assert_eq!(house.times(&recording).len(), 60);
    house.recordings.ended(recording.stream);
    let wanting = worker.next().unwrap();
    worker.look_at(wanting);
    assert_eq!(house.times(&recording).len(), 64);
    assert_eq!(worker.next(), None, "everything has been looked at");
    assert_eq!(house.worker().next().map(|wanting| wanting.is_growing), Some(false), "after a restart");
}

#[test]
fn nothing_is_written_where_there_is_no_room_and_nothing_is_deleted_for_it() {
    let house = house(u64::MAX);
    let recording = house.recording(&[(0..10, (64, 48))]);
    assert_eq!(house.make(&recording), Step::NoRoom);
    assert!(!house.file(&recording).exists());
    assert!(house.recordings.recording(recording.stream).unwrap().is_some());
    let mut worker = house.worker();
    let wanting = worker.next().unwrap();
    worker.look_at(wanting);
    assert_eq!(worker.next(), None);
    house.clock.turn(RETRY);
    assert!(worker.next().is_some(), "tried again later");
}

#[test]
fn storyboards_count_and_go_with_their_recordings() {
    let house = house(0);
    let recording = house.recording(&[(0..10, (64, 48))]);
    let bytes = || house.recordings.recording(recording.stream).unwrap().unwrap().bytes;
    assert_eq!(bytes(), 1000);
    let mut half = house.making(&recording);
    half.step().unwrap();
    house.make(&recording);
    let length = std::fs::metadata(house.file(&recording)).unwrap().len();
    assert_eq!((bytes(), house.recordings.storage().unwrap().used), (1000 + length, 1000 + length));
    house.recordings.delete(recording.stream).unwrap();
    while half.step().unwrap() == Step::On {}
    assert_eq!(
        std::fs::metadata(house.file(&recording)).unwrap().len(),
        length,
        "what is deleted is left alone"
    );
    house.recordings.restore(recording.stream).unwrap();
    assert_eq!(bytes(), 1000 + length, "deleted and back, with its pictures");
    house.recordings.delete(recording.stream).unwrap();
    house.clock.turn(Duration::from_hours(24));
    house.recordings.remove_what_is_deleted().unwrap();
    assert!(!house.file(&recording).exists());
    assert_eq!(house.worker().next(), None);
}

#[test]
fn it_rests_nine_times_as_long_as_it_worked() {
    let house = house(0);
    house.recording(&[(0..40, (640, 480))]);
    let mut worker = house.worker();
    let wanting = worker.next().unwrap();
    let (begun, used) = (house.clock.monotonic(), clock::used_by_this_thread());
    worker.look_at(wanting);
    // What is rested turns the clock. The little between the pictures is not counted.
    let (rested, used) =
        (house.clock.monotonic().saturating_sub(begun), clock::used_by_this_thread().saturating_sub(used));
    assert!(rested >= used * (REST - 1), "{rested:?} for {used:?}");
}

#[test]
#[ignore = "a measurement, not a test: run it with --ignored --nocapture"]
fn what_small_pictures_take() {
    for size in [(1280, 720), (1920, 1080)] {
        let house = self::house(0);
        let recording = house.recording(&[(0..240, size)]);
        let used = clock::used_by_this_thread();
        assert_eq!(house.make(&recording), Step::Done);
        let used = clock::used_by_this_thread().saturating_sub(used);
        let count = house.times(&recording).len() as u32;
        let bytes = std::fs::metadata(house.file(&recording)).unwrap().len();
        println!(
            "{size:?}: {count} pictures, {:?} and {} bytes each",
            used / count,
            bytes / u64::from(count)
        );
    }
}
