//! One MP4 file of a recording's parts, or of a clip: read back by ffprobe and ffmpeg.

use crate::fragmented_mp4::{UNITS, close, hashes, packets, part, sound};
use crate::reordering::{PERIOD, RATE, assemble, clip_with_container, run};
use perch_media::access_unit::AccessUnit;
use perch_media::cmaf::Description;
use perch_media::recording::index::IndexError;
use perch_media::recording::progressive::{Clip, Fragments, Progressive, ProgressiveError};
use perch_media::recording::{Fragment, Mark, Run, SampleEntry};
use perch_media::sample::AudioFrame;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A recording's parts in memory.
struct Recorded {
    files: Vec<Vec<u8>>,
    fragments: Vec<Vec<Fragment>>,
}

impl Recorded {
    fn of(parts: &[(&[AccessUnit], &[AudioFrame])]) -> Self {
        let (files, fragments) = parts.iter().map(|(units, sound)| part(units, sound, 15)).unzip();
        Self { files, fragments }
    }

    fn descriptions(&self) -> Vec<Description> {
        let head = |(file, fragments): (&Vec<u8>, &Vec<Fragment>)| {
            Description::read(&file[..fragments[0].at as usize]).unwrap()
        };
        self.files.iter().zip(&self.fragments).map(head).collect()
    }

    fn plan(&self, clip: Option<Clip>) -> Result<Progressive, ProgressiveError> {
        Progressive::plan(self.descriptions(), self, clip)
    }

    /// The file, written where ffprobe finds it.
    fn write(&self, name: &str, clip: Option<Clip>) -> PathBuf {
        let plan = self.plan(clip).unwrap();
        let mut file = whole_head(&plan, self);
        for range in plan.media() {
            file.extend_from_slice(&self.files[range.part][range.from as usize..range.to as usize]);
        }
        assert_eq!(file.len() as u64, plan.bytes());
        let path = std::env::temp_dir().join(format!("perch-{name}-{}.mp4", std::process::id()));
        std::fs::write(&path, file).unwrap();
        path
    }
}

impl Fragments for Recorded {
    type Iter = std::vec::IntoIter<Result<(usize, Fragment), IndexError>>;

    fn read(&self) -> Result<Self::Iter, IndexError> {
        let parts = self.fragments.iter().enumerate();
        let all =
            parts.flat_map(|(part, some)| some.iter().map(move |fragment| Ok((part, fragment.clone()))));
        Ok(all.collect::<Vec<_>>().into_iter())
    }
}

/// The head in one piece; checks that it comes out the same in small pieces, and from wherever it is begun.
fn whole_head(plan: &Progressive, fragments: &impl Fragments) -> Vec<u8> {
    let length = usize::try_from(plan.head_bytes()).unwrap();
    let whole = plan.head(fragments).read(length + 1).unwrap();
    assert_eq!(whole.len(), length);
    let (mut head, mut pieces) = (plan.head(fragments), Vec::new());
    loop {
        let piece = head.read(1000).unwrap();
        assert!(piece.len() >= 1000.min(length - pieces.len()));
        if piece.is_empty() {
            break;
        }
        pieces.extend(piece);
    }
    assert!(pieces == whole);
    for from in (0..length).step_by(length / 7 + 1).chain([1, length - 16, length - 1, length]) {
        let mut head = plan.head(fragments);
        head.skip(from as u64);
        let most = 100.min(length - from);
        assert_eq!(head.read(100).unwrap()[..most], whole[from..from + most], "from {from}");
    }
    whole
}

fn duration(path: &Path) -> f64 {
    let said = run("ffprobe", &format!("-show_entries format=duration -of csv=p=0 {}", path.display()));
    String::from_utf8(said).unwrap().trim().parse().unwrap()
}

/// Presentation times of the pictures that ffmpeg decodes, edit list applied.
fn shown(path: &Path) -> Vec<f64> {
    let said = run(
        "ffprobe",
        &format!(
            "-select_streams v -show_entries frame=best_effort_timestamp_time -of csv=p=0 {}",
            path.display()
        ),
    );
    let said = String::from_utf8(said).unwrap();
    // Side data stand in further fields, and in lines of their own.
    let mut times: Vec<f64> = said.lines().filter_map(|line| line.split(',').next()?.parse().ok()).collect();
    times.sort_by(f64::total_cmp);
    times
}

const STEP: f64 = 1.0 / RATE as f64;

#[test]
fn a_whole_recording_has_the_encoders_pictures_and_the_sound() {
    for (name, options) in [("whole", "-bf 0 -g 30"), ("whole-b", "-bf 2 -g 30")] {
        let (stream, _, container) = clip_with_container(name, options);
        let (units, _) = assemble(&stream, |_| 0);
        let recorded = Recorded::of(&[(&units, &sound(9000))]);
        let path = recorded.write(name, None);
        assert_eq!(hashes(&path.display().to_string()), hashes(&container.display().to_string()));
        let times = shown(&path);
        assert_eq!(times.len(), units.len());
        for (number, time) in times.iter().enumerate() {
            assert!(close(*time, number as f64 * STEP), "{number}: {time}");
        }
        assert!((duration(&path) - 4.0).abs() < STEP, "{}", duration(&path));
        let keys = packets(&path, "v").iter().filter(|packet| packet.4).count();
        assert_eq!(keys, 4);
        let heard = packets(&path, "a");
        assert!((heard[0].0 - 0.1).abs() < 0.07, "with its delay: {}", heard[0].0);
        run("ffmpeg", &format!("-i {} -f null -", path.display()));
        std::fs::remove_dir_all(container.parent().unwrap()).unwrap();
        std::fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_clip_is_shown_from_the_moment_that_was_asked_for() {
    let recorded = Recorded::of(&[(&UNITS, &sound(0))]);
    let moment = |frame: i64| (frame * PERIOD).cast_unsigned();
    for (from, to, first_key) in [(45, 75, 30), (30, 60, 30), (0, 200, 0), (119, 120, 90), (29, 31, 0)] {
        let clip = Clip { from: moment(from), to: moment(to) };
        let plan = recorded.plan(Some(clip)).unwrap();
        assert_eq!(plan.begins(), moment(first_key));
        let path = recorded.write("clip", Some(clip));
        let to = to.min(120);
        assert!(close(plan.shown() as f64 / 90_000.0, (to - from) as f64 * STEP));
        assert!(
            (duration(&path) - (to - from) as f64 * STEP).abs() < 0.03,
            "{from} {to}: {}",
            duration(&path)
        );
        let times = shown(&path);
        let in_view =
            times.iter().filter(|time| **time >= -0.001 && **time < (to - from) as f64 * STEP - 0.001);
        assert_eq!(i64::try_from(in_view.count()).unwrap(), to - from, "{from} {to}: {times:?}");
        // Players that know no edit lists end with it, too.
        assert_eq!(i64::try_from(packets(&path, "v").len()).unwrap(), to - first_key);
        let heard = packets(&path, "a");
        assert!(heard.last().unwrap().0 < (to - from) as f64 * STEP, "{from} {to}");
        assert_eq!(hashes(&path.display().to_string())[0], hashes_of_all()[first_key as usize]);
        std::fs::remove_file(path).unwrap();
    }
    let nothing = |from, to| matches!(recorded.plan(Some(Clip { from, to })), Err(ProgressiveError::Nothing));
    assert!(nothing(moment(120), moment(130)) && nothing(9000, 9000) && nothing(9000, 3000));
}

fn hashes_of_all() -> Vec<String> {
    let path = Recorded::of(&[(&UNITS, &[])]).write("all", None);
    let all = hashes(&path.display().to_string());
    std::fs::remove_file(path).unwrap();
    all
}

#[test]
fn parts_of_different_sizes_with_and_without_sound_are_one_file() {
    let (stream, _, container) = clip_with_container("parts", "-bf 0 -g 30 -vf scale=80:48");
    std::fs::remove_dir_all(container.parent().unwrap()).unwrap();
    let (small, _) = assemble(&stream, |_| 0);
    let tone = sound(0);
    let recorded = Recorded::of(&[(&UNITS, &[]), (&small, &tone), (&UNITS[..60], &tone[..86])]);
    let path = recorded.write("parts", None);
    assert_eq!(packets(&path, "v").len(), 300);
    assert!((duration(&path) - 10.0).abs() < 0.05, "{}", duration(&path));
    let heard = packets(&path, "a");
    assert!((heard[0].0 - 4.0).abs() < 0.05, "after the silence: {}", heard[0].0);
    let third = heard.iter().find(|packet| packet.0 > 7.9).unwrap();
    assert!((third.0 - 8.0).abs() < 0.05, "{}", third.0);
    // A decoder takes all of it, across the changes of size.
    assert_eq!(shown(&path).len(), 300);
    std::fs::remove_file(path).unwrap();

    let clip = Clip { from: 5 * 90_000, to: 9 * 90_000 };
    let path = recorded.write("parts-clip", Some(clip));
    assert!((duration(&path) - 4.0).abs() < 0.05, "{}", duration(&path));
    std::fs::remove_file(path).unwrap();
}

/// Ten hours at 30 pictures and 4.6 Mb a second: 20 GB. Counts the fragments that are read.
#[derive(Default)]
struct TenHours(Rc<Cell<usize>>);

impl Fragments for TenHours {
    type Iter = Box<dyn Iterator<Item = Result<(usize, Fragment), IndexError>>>;

    fn read(&self) -> Result<Self::Iter, IndexError> {
        let read = Rc::clone(&self.0);
        Ok(Box::new((0..36_000_u64).map(move |number| {
            read.set(read.get() + 1);
            let sample = SampleEntry { bytes: 19_000, duration: 3000, composition_offset: 0, is_key: false };
            let mut samples = vec![sample; 30];
            samples[0].is_key = true;
            let video = Run { decode_time: number * 90_000, data_at: 400, samples };
            let mark = Mark { is_independent: true, ..Mark::default() };
            Ok((0, Fragment { at: 800 + number * 570_400, bytes: 570_400, mark, video, audio: None }))
        })))
    }
}

#[test]
fn ten_hours_and_20_gb_have_a_head_too() {
    let descriptions = Recorded::of(&[(&UNITS, &[])]).descriptions();
    let hours = TenHours::default();
    let plan = Progressive::plan(descriptions.clone(), &hours, None).unwrap();
    let head = whole_head(&plan, &hours);
    assert_eq!(plan.bytes(), head.len() as u64 + 36_000 * 570_400);
    // The last chunk's offset, and the length of the `mdat`.
    let end = u64::from_be_bytes(head[head.len() - 24..head.len() - 16].try_into().unwrap());
    assert_eq!(end, head.len() as u64 + 35_999 * 570_400 + 400);
    let mdat = u64::from_be_bytes(head[head.len() - 8..].try_into().unwrap());
    assert_eq!(mdat, 16 + 36_000 * 570_400);
    let clip = Clip { from: 9 * 3600 * 90_000 + 45_000, to: 9 * 3600 * 90_000 + 10 * 90_000 };
    let clip = Progressive::plan(descriptions, &hours, Some(clip)).unwrap();
    assert_eq!((clip.begins(), clip.media()[0].to - clip.media()[0].from), (9 * 3600 * 90_000, 10 * 570_400));

    // Once each for the key frames, the lengths and the offsets: of durations and chunks, which are all the same, the plan knows how many there are.
    hours.0.set(0);
    plan.head(&hours).read(usize::MAX).unwrap();
    assert!(hours.0.get() < 3 * 36_000 + 10, "{} fragments were read", hours.0.get());
}
