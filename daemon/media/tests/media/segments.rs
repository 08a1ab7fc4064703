//! Segments: where they are cut, how long they are, and what a seam does.

use crate::demuxer::Demuxer;
use crate::h264_writer::{Sps, annex_b, picture, pps};
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::hls::{CutterConfig, Segment, SegmentError, SegmentWriter, Segmenter};
use perch_media::mpegts::Muxer;
use perch_media::time::{MediaDuration, MediaTime, Times};
use proptest::prelude::*;
use std::time::Duration;

const FRAME: i64 = 3000;

/// A camera at 30 frames per second.
struct Camera {
    assembler: AccessUnitAssembler,
    sps: Sps,
    now: i64,
    number: u32,
}

impl Camera {
    fn new(epoch: u32, now: i64) -> Self {
        Self { assembler: AccessUnitAssembler::new(epoch), sps: Sps::default(), now, number: 0 }
    }

    fn shoot(&mut self, is_idr: bool) -> AccessUnit {
        self.shoot_of(is_idr, 300)
    }

    /// With a slice of so many bytes.
    fn shoot_of(&mut self, is_idr: bool, bytes: usize) -> AccessUnit {
        let mut units = if is_idr { vec![self.sps.nal_unit(), pps(0)] } else { Vec::new() };
        units.extend(picture(is_idr, self.number, 1, bytes));
        let at = MediaTime::from_ticks(self.now);
        self.now += FRAME;
        self.number += 1;
        self.assembler.push_picture(&annex_b(&units).into(), Times::at(at)).unwrap().expect("an access unit")
    }
}

const CONFIG: CutterConfig =
    CutterConfig { segment: Duration::from_secs(2), target_duration: 2, part: Duration::from_millis(250) };
const FIRST: u64 = 100;

fn segmenter() -> Segmenter {
    Segmenter::new(CONFIG, FIRST)
}

/// Runs `pictures` through; an IDR comes every `gop` pictures, and `latency` pictures after it was asked for.
fn run(
    segmenter: &mut Segmenter,
    camera: &mut Camera,
    pictures: u32,
    gop: u32,
    latency: Option<u32>,
) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut until_forced = None;
    for number in 0..pictures {
        let is_idr = number % gop == 0 || until_forced == Some(0);
        segments.extend(segmenter.push(&camera.shoot(is_idr)).unwrap());
        until_forced = until_forced.filter(|&left| left > 0).map(|left| left - 1);
        if segmenter.wants_key_frame() && until_forced.is_none() {
            until_forced = latency;
        }
    }
    segments
}

fn milliseconds(segments: &[Segment]) -> Vec<u128> {
    segments.iter().map(|segment| segment.duration.as_millis()).collect()
}

#[test]
fn the_first_segments_are_short_when_the_encoder_listens() {
    let segments = run(&mut segmenter(), &mut Camera::new(0, 0), 300, 60, Some(1));
    let durations = milliseconds(&segments);
    assert!(durations[0] <= 600 && durations[1] <= 600 && durations[2] <= 1100, "{durations:?}");
    assert!(durations[3..].iter().all(|&duration| (1500..2100).contains(&duration)), "{durations:?}");
}

#[test]
fn an_encoder_that_does_not_listen_gets_segments_as_long_as_its_gops() {
    let mut segmenter = segmenter();
    let segments = run(&mut segmenter, &mut Camera::new(0, 0), 1000, 150, None);
    assert_eq!((milliseconds(&segments), segmenter.target_duration()), (vec![5000; 6], 5));
    assert!(segments.iter().all(|segment| segment.independent && !segment.discontinuity));
}

#[test]
fn short_gops_are_gathered_up_to_the_target() {
    let segments = run(&mut segmenter(), &mut Camera::new(0, 0), 600, 10, None);
    let durations = milliseconds(&segments);
    assert_eq!(durations[..3], [666, 666, 1000]);
    assert!(durations[3..].iter().all(|&duration| (1500..=2000).contains(&duration)), "{durations:?}");
}

#[test]
fn two_gops_that_would_be_too_long_for_the_target_duration_become_two_segments() {
    let segments = run(&mut segmenter(), &mut Camera::new(0, 0), 600, 40, None);
    assert_eq!(milliseconds(&segments[..10]), [1333; 10]);
    let segments = run(&mut segmenter(), &mut Camera::new(0, 0), 600, 36, None);
    assert_eq!(milliseconds(&segments[3..6]), [2400; 3]);
}

#[test]
fn every_segment_is_a_stream_of_its_own_and_the_counters_go_on() {
    let mut camera = Camera::new(0, (1 << 33) - 100_000);
    let segments = run(&mut segmenter(), &mut camera, 400, 30, None);
    let mut demuxer = Demuxer::default();
    let mut pictures = 0;
    for (sequence, segment) in (100..).zip(&segments) {
        let found = demuxer.read(&segment.data);
        assert_eq!(segment.data[..2], [0x47, 0x40], "opens with the PAT");
        assert_eq!((found.tables, segment.sequence), (1, sequence));
        assert!(found.pes[0].random_access);
        assert_eq!(found.pes.len(), segment.pictures as usize);
        assert_eq!(segment.data.len() % 188, 0);
        pictures += found.pes.len();
    }
    assert_eq!(pictures % 30, 0);
    assert!(pictures > 300);
}

#[test]
fn a_replugged_camera_is_a_seam_and_its_segment_ends_where_its_pictures_do() {
    let mut segmenter = segmenter();
    run(&mut segmenter, &mut Camera::new(0, 0), 15, 60, None);
    let replugged = Camera::new(1, 900_000).shoot(true);
    let cut = segmenter.push(&replugged).unwrap().expect("the old camera's last segment");
    assert_eq!((cut.duration.as_millis(), cut.discontinuity), (500, false));
    let after = segmenter.finish().unwrap().unwrap();
    assert_eq!((after.discontinuity, after.start, after.sequence), (true, replugged.times.pts, 101));
    assert!(Demuxer::default().read(&after.data).pes[0].discontinuity);
    assert_eq!(segmenter.counters().seams, 1);
}

#[test]
fn another_size_is_a_seam_even_within_a_source() {
    let mut segmenter = segmenter();
    let mut camera = Camera::new(0, 0);
    run(&mut segmenter, &mut camera, 10, 60, None);
    camera.sps.width_in_macroblocks = 40;
    let before = segmenter.push(&camera.shoot(true)).unwrap().expect("a seam");
    let after = segmenter.finish().unwrap().unwrap();
    assert_eq!((before.format.width, after.format.width, after.discontinuity), (1280, 640, true));
}

#[test]
fn a_hole_in_time_is_a_seam_and_not_a_long_segment() {
    let mut segmenter = segmenter();
    let mut camera = Camera::new(0, 0);
    run(&mut segmenter, &mut camera, 30, 60, None);
    camera.now += 3 * 90_000;
    let before = segmenter.push(&camera.shoot(true)).unwrap().expect("a seam");
    assert_eq!(before.duration.as_millis(), 1000);
    assert!(segmenter.finish().unwrap().unwrap().discontinuity);
}

#[test]
fn after_a_seam_nothing_is_written_before_an_idr_and_one_is_asked_for() {
    let mut segmenter = segmenter();
    run(&mut segmenter, &mut Camera::new(0, 0), 10, 60, None);
    let mut other = Camera::new(1, 90_000);
    other.shoot(true); // overtaken: the reader never saw it
    assert!(segmenter.push(&other.shoot(false)).unwrap().is_some());
    assert!(segmenter.wants_key_frame());
    assert!(segmenter.push(&other.shoot(false)).unwrap().is_none());
    assert!(segmenter.finish().unwrap().is_none());
    assert_eq!(segmenter.counters().before_entry, 2);
    assert!(segmenter.push(&other.shoot(true)).unwrap().is_none());
    assert!(segmenter.finish().unwrap().unwrap().discontinuity);
}

#[test]
fn a_key_frame_is_asked_for_once_when_due_and_again_every_half_second() {
    let mut segmenter = segmenter();
    let mut camera = Camera::new(0, 0);
    let asked: Vec<_> = (0..60)
        .filter(|number| {
            segmenter.push(&camera.shoot(*number == 0)).unwrap();
            segmenter.wants_key_frame()
        })
        .collect();
    assert_eq!(asked, [16, 31, 46]);
}

#[test]
fn the_last_segment_ends_one_picture_after_its_last_picture() {
    let mut segmenter = segmenter();
    assert!(segmenter.finish().unwrap().is_none());
    run(&mut segmenter, &mut Camera::new(0, 0), 12, 60, None);
    let last = segmenter.finish().unwrap().unwrap();
    assert_eq!((last.duration.as_millis(), last.pictures), (400, 12));
    assert!((last.frames_per_second() - 30.0).abs() < 0.01);
    assert_eq!(last.bitrate(), last.data.len() as u64 * 8 * 10 / 4);
}

#[derive(Clone, Debug)]
enum Event {
    Pictures { count: u32, gop: u32 },
    Hole { ticks: i64 },
    Replug { back: i64 },
    End,
}

fn an_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (1u32..200, 1u32..200).prop_map(|(count, gop)| Event::Pictures { count, gop }),
        1 => (0i64..400_000).prop_map(|ticks| Event::Hole { ticks }),
        1 => (-90_000i64..900_000).prop_map(|back| Event::Replug { back }),
        1 => Just(Event::End),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn whatever_happens_segments_follow_each_other(events in prop::collection::vec(an_event(), 1..12)) {
        let mut segmenter = segmenter();
        let mut camera = Camera::new(0, 1_000_000);
        let mut segments = Vec::new();
        for event in events {
            match event {
                Event::Pictures { count, gop } => segments.extend(run(&mut segmenter, &mut camera, count, gop, None)),
                Event::Hole { ticks } => camera.now += ticks,
                Event::Replug { back } => camera = Camera::new(camera.number + 1, camera.now + back),
                Event::End => segments.extend(segmenter.finish().unwrap()),
            }
        }
        segments.extend(segmenter.finish().unwrap());
        let mut demuxer = Demuxer::default();
        for (sequence, segment) in (100..).zip(&segments) {
            prop_assert_eq!(segment.sequence, sequence);
            prop_assert!(segment.duration > Duration::ZERO);
            let found = demuxer.read(&segment.data);
            prop_assert_eq!((found.tables, found.pes.len()), (1, segment.pictures as usize));
            prop_assert_eq!(found.pes[0].random_access, segment.independent);
            prop_assert!(segment.duration < Duration::from_millis(segmenter.target_duration() * 1000 + 500));
            prop_assert_eq!(found.pes[0].discontinuity, segment.discontinuity);
        }
        for pair in segments.windows(2) {
            let end = pair[0].start + MediaDuration::from(pair[0].duration);
            prop_assert!(pair[1].discontinuity || (pair[1].start - end).ticks() == 0, "{:?}", pair[1].start - end);
        }
    }
}

/// Notes what it is told, and fails when it is asked to.
#[derive(Default)]
struct Noting {
    begun: Vec<u8>,
    writes: usize,
    discarded: Vec<usize>,
    finished: usize,
    /// Counted in finished segments.
    fails_at: Option<usize>,
}

#[derive(Debug, PartialEq, thiserror::Error)]
#[error("no room")]
struct NoRoom;

impl SegmentWriter for Noting {
    /// The bytes and in how many pieces they came.
    type Whole = (Vec<u8>, usize);
    type Error = NoRoom;

    fn write(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        self.begun.extend_from_slice(bytes);
        self.writes += 1;
        if self.fails_at == Some(self.finished) && self.writes == 2 { Err(NoRoom) } else { Ok(()) }
    }

    fn finish(&mut self) -> Result<Self::Whole, NoRoom> {
        self.finished += 1;
        if self.fails_at == Some(self.finished - 1) {
            return Err(NoRoom);
        }
        Ok((std::mem::take(&mut self.begun), std::mem::take(&mut self.writes)))
    }

    fn discard(&mut self) {
        self.discarded.push(std::mem::take(&mut self.begun).len());
        self.writes = 0;
        self.fails_at = None;
    }
}

fn noting() -> Segmenter<Noting> {
    Segmenter::with_writer(CONFIG, FIRST, Muxer::new(), Noting::default())
}

#[test]
fn a_writer_gets_the_segments_bytes_in_large_pieces() {
    let (mut whole, mut in_pieces) = (segmenter(), noting());
    let (mut one, mut other) = (Camera::new(0, 0), Camera::new(0, 0));
    let mut most = 0;
    for number in 0..1000 {
        let is_idr = number % 60 == 0;
        let expected = whole.push(&one.shoot_of(is_idr, 20_000)).unwrap();
        let Some(segment) = in_pieces.push(&other.shoot_of(is_idr, 20_000)).unwrap() else {
            assert!(expected.is_none());
            continue;
        };
        let (data, writes) = segment.data;
        assert_eq!(data, expected.expect("cut at the same pictures").data);
        assert_eq!(segment.bytes, data.len());
        assert!(writes <= 1 + data.len() / 65_536, "{writes} pieces of {} bytes", data.len());
        most = most.max(writes);
    }
    assert!(most > 1, "none was large enough to come in pieces");
}

type Pushed = Result<Segment<(Vec<u8>, usize)>, SegmentError<NoRoom>>;

/// A writer that fails in the second segment, where it is written (large pictures) or where it is finished (small ones).
fn segments_around_a_failure(picture_bytes: usize) -> Vec<Pushed> {
    let writer = Noting { fails_at: Some(1), ..Noting::default() };
    let mut segmenter = Segmenter::with_writer(CONFIG, FIRST, Muxer::new(), writer);
    let mut camera = Camera::new(0, 0);
    let pushed = (0..300).map(|number| segmenter.push(&camera.shoot_of(number % 15 == 0, picture_bytes)));
    pushed.filter_map(Result::transpose).collect()
}

#[test]
fn a_segment_that_cannot_be_kept_is_told_and_the_stream_goes_on_after_a_seam() {
    for picture_bytes in [100, 20_000] {
        let segments = segments_around_a_failure(picture_bytes);
        assert!(matches!(segments[1], Err(SegmentError::Writer(NoRoom))), "{picture_bytes}");
        let kept: Vec<_> = segments.iter().filter_map(|segment| segment.as_ref().ok()).collect();
        assert_eq!(kept.len(), segments.len() - 1);
        let sequences: Vec<_> = kept.iter().map(|segment| segment.sequence).collect();
        assert!(sequences.is_sorted() && sequences[..2] == [FIRST, FIRST + 1], "{sequences:?}");
        let seams: Vec<_> = kept.iter().map(|segment| segment.discontinuity).collect();
        assert_eq!(seams.iter().filter(|seam| **seam).count(), 1, "{seams:?}");
        assert!(seams[1]);
        let mut demuxer = Demuxer::default();
        demuxer.read(&kept[0].data.0);
        assert!(Demuxer::default().read(&kept[1].data.0).pes[0].discontinuity);
    }
}

#[test]
fn a_segment_beyond_all_measure_is_dropped_before_it_takes_the_memory() {
    let (mut segmenter, mut camera) = (noting(), Camera::new(0, 0));
    let pushed: Vec<_> =
        (0..12).map(|number| segmenter.push(&camera.shoot_of(number == 0, 3 << 20))).collect();
    assert!(pushed.iter().any(|pushed| matches!(pushed, Err(SegmentError::TooLarge))));
    assert_eq!(segmenter.writer().discarded.len(), 1);
    segmenter.push(&camera.shoot(true)).unwrap();
    let next = segmenter.finish().unwrap().expect("the picture that came after");
    assert_eq!((next.sequence, next.discontinuity, &next.data.0[..2]), (FIRST, true, &[0x47, 0x40][..]));
}
