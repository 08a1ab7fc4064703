use super::*;
use crate::recording::{Mark, Run, SampleEntry};
use m3u8_rs::{MediaPlaylist, Playlist as Read};
use proptest::prelude::*;

/// 2026-11-28T07:30:00Z.
const WALL: i64 = 1_795_851_000_000;
const SECOND: u64 = 90_000;

/// A recording being written: fragments of pictures that last 3000 ticks each, unless a test says otherwise.
struct Writing {
    playlist: Playlist,
    at: u64,
    offset_ms: u64,
}

impl Writing {
    fn new() -> Self {
        let mut playlist = Playlist::default();
        playlist.set_target(2);
        Self { playlist, at: 0, offset_ms: 0 }
    }

    fn part(mut self, number: u32) -> Self {
        self.playlist.begin_part(&Header { stream: [1; 16], part: number, init_bytes: 800 });
        self.at = 800;
        self
    }

    fn fragment(self, begins_segment: bool, ticks: u64) -> Self {
        self.fragment_after(begins_segment, ticks, Break::None, 0)
    }

    /// `pause_ms`: pause between the previous fragment and this one, on the stream's and the wall clock.
    fn fragment_after(mut self, begins_segment: bool, ticks: u64, before: Break, pause_ms: u64) -> Self {
        let duration = u32::try_from(ticks).unwrap();
        let sample = SampleEntry { bytes: 900, duration, composition_offset: 0, is_key: begins_segment };
        self.offset_ms += pause_ms;
        self.playlist.push(&Fragment {
            at: self.at,
            bytes: 1000,
            mark: Mark {
                begins_segment,
                is_independent: begins_segment,
                before,
                stream_offset_ms: self.offset_ms,
                wall_ms: WALL + self.offset_ms.cast_signed(),
            },
            video: Run { decode_time: 0, data_at: 100, samples: vec![sample] },
            audio: None,
        });
        self.at += 1000;
        self.offset_ms += ticks / 90;
        self
    }

    fn ended(mut self) -> Playlist {
        self.playlist.end();
        self.playlist
    }
}

/// Parses the text with a foreign parser.
fn read(playlist: &Playlist) -> MediaPlaylist {
    let text = playlist.text(false);
    match m3u8_rs::parse_playlist_res(text.as_bytes()) {
        Ok(Read::MediaPlaylist(playlist)) => playlist,
        other => panic!("{other:?} of {text}"),
    }
}

fn range_of(playlist: &MediaPlaylist, segment: usize) -> (u64, u64) {
    let range = playlist.segments[segment].byte_range.as_ref().unwrap();
    (range.offset.unwrap(), range.length)
}

#[test]
fn one_segment_is_the_bytes_of_its_fragments() {
    let playlist = Writing::new().part(1).fragment(true, SECOND).fragment(false, SECOND / 2).ended();
    assert_eq!(
        playlist.text(false),
        "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-MEDIA-SEQUENCE:0\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"1.mp4\",BYTERANGE=\"800@0\"\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-28T07:30:00.000Z\n#EXTINF:1.50000,\n#EXT-X-BYTERANGE:2000@800\n1.mp4\n\
         #EXT-X-ENDLIST\n"
    );
    assert_eq!(playlist.duration(), Duration::from_millis(1500));
}

#[test]
fn with_headers_inside_the_first_segment_of_each_further_part_begins_with_its_header() {
    let playlist = Writing::new().part(1).fragment(true, SECOND).part(2).fragment(true, SECOND);
    let playlist = playlist.fragment(true, SECOND).ended();
    let text = playlist.text_with_headers_inside();
    let ranges: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("#EXT-X-BYTERANGE:")).collect();
    assert_eq!(ranges, ["1000@800", "1800@0", "1000@1800"]);
    let others = |text: &str| -> Vec<String> {
        text.lines().filter(|line| !line.starts_with("#EXT-X-BYTERANGE")).map(str::to_owned).collect()
    };
    assert_eq!(others(&text), others(&playlist.text(false)));
}

#[test]
fn a_recording_of_nothing_has_no_segments() {
    let nothing = Writing::new().part(1).ended();
    assert!(nothing.is_empty() && nothing.bandwidth().is_none() && nothing.jumps().is_empty());
    let playlist = read(&nothing);
    assert!(playlist.end_list && playlist.segments.is_empty());
}

#[test]
fn a_segment_is_listed_when_the_next_one_begins() {
    let growing = Writing::new().part(1).fragment(true, SECOND).fragment(false, SECOND);
    assert!(growing.playlist.is_empty());
    let growing = growing.fragment(true, SECOND);
    let playlist = read(&growing.playlist);
    assert_eq!((playlist.segments.len(), playlist.end_list), (1, false));
    assert_eq!(range_of(&playlist, 0), (800, 2000));
    assert_eq!(growing.playlist.duration(), Duration::from_secs(3));
    assert_eq!(read(&growing.ended()).segments.len(), 2);
}

#[test]
fn parts_are_discontinuities_and_seams_and_gaps_are_not() {
    let playlist = Writing::new()
        .part(1)
        .fragment(true, SECOND)
        .fragment_after(true, SECOND, Break::Seam, 60_000)
        .fragment_after(true, SECOND, Break::Gap, 4000)
        .part(2)
        .fragment(true, SECOND)
        .ended();
    let read = read(&playlist);
    let seen: Vec<_> = read
        .segments
        .iter()
        .map(|segment| {
            let is_dated = segment.program_date_time.is_some();
            (segment.uri.as_str(), segment.discontinuity, segment.map.is_some(), is_dated)
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("1.mp4", false, true, true),
            ("1.mp4", false, false, true),
            ("1.mp4", false, false, true),
            ("2.mp4", true, true, true)
        ]
    );
    assert_eq!(read.segments[3].map.as_ref().unwrap().uri, "2.mp4");
    assert_eq!(range_of(&read, 3), (800, 1000));
}

#[test]
fn a_gap_and_a_seam_begin_a_segment_even_where_the_mark_does_not_say_so() {
    let writing = Writing::new().part(1).fragment(true, SECOND);
    let playlist = writing
        .fragment_after(false, SECOND, Break::Gap, 4000)
        .fragment_after(false, SECOND, Break::Seam, 4000)
        .ended();
    assert_eq!(playlist.len(), 3);
    assert!(!playlist.text(false).contains("INDEPENDENT-SEGMENTS"));
}

#[test]
fn chat_finds_its_time_across_pauses() {
    let playlist = Writing::new()
        .part(1)
        .fragment(true, SECOND)
        .fragment(true, SECOND)
        .fragment_after(true, SECOND, Break::Seam, 60_000)
        .fragment(true, SECOND)
        .fragment_after(true, SECOND, Break::Gap, 4000)
        .ended();
    assert_eq!(
        playlist.jumps(),
        [
            Jump { at_ms: 0, stream_offset_ms: 0 },
            Jump { at_ms: 2000, stream_offset_ms: 62_000 },
            Jump { at_ms: 4000, stream_offset_ms: 68_000 }
        ]
    );
}

#[test]
fn a_clock_that_is_set_in_the_middle_is_dated_anew() {
    let mut writing = Writing::new().part(1).fragment(true, SECOND);
    let set = Mark {
        begins_segment: true,
        is_independent: true,
        before: Break::None,
        stream_offset_ms: 1000,
        wall_ms: WALL + 20 * 365 * 86_400_000,
    };
    let sample = SampleEntry { bytes: 900, duration: 90_000, composition_offset: 0, is_key: true };
    let video = Run { decode_time: SECOND, data_at: 100, samples: vec![sample] };
    writing.playlist.push(&Fragment { at: 1800, bytes: 1000, mark: set, video, audio: None });
    let playlist = writing.ended();
    let dated = read(&playlist).segments.iter().filter(|segment| segment.program_date_time.is_some()).count();
    assert_eq!((dated, playlist.jumps().len()), (2, 1));
}

#[test]
fn the_peak_is_that_of_the_richest_segment() {
    let playlist = Writing::new().part(1).fragment(true, SECOND).fragment(true, SECOND / 2).ended();
    assert_eq!(playlist.bandwidth(), Some(Bandwidth { peak: 16_000, average: 10_666 }));
}

#[test]
fn an_update_leaves_out_what_is_old() {
    let hour = (0..3600).fold(Writing::new().part(1), |writing, _| writing.fragment(true, SECOND));
    let (whole, update) = (hour.playlist.text(false), hour.playlist.text(true));
    assert!(whole.contains("#EXT-X-SERVER-CONTROL:CAN-SKIP-UNTIL=12\n"), "{}", &whole[..200]);
    assert!(update.contains("#EXT-X-VERSION:9\n") && update.contains("#EXT-X-SKIP:SKIPPED-SEGMENTS=3587\n"));
    let tail = &update[update.find("#EXTINF").unwrap()..];
    assert!(whole.ends_with(tail) && tail.matches("#EXTINF").count() == 12, "{update}");
    assert!(!hour.ended().text(true).contains("EXT-X-SKIP"), "an ended playlist is always whole");
}

#[test]
fn the_target_duration_of_a_growing_playlist_stays() {
    let short = Writing::new().part(1).fragment(true, SECOND).fragment(true, SECOND);
    assert_eq!(read(&short.playlist).target_duration, 2);
    assert_eq!(read(&short.ended()).target_duration, 1);
}

proptest! {
    #[test]
    fn durations_written_add_up_to_those_of_the_pictures(ticks in prop::collection::vec(1_u64..200_000, 1..200)) {
        let begin = Writing::new().part(1);
        let playlist = ticks.iter().fold(begin, |writing, ticks| writing.fragment(true, *ticks)).ended();
        let text = playlist.text(false);
        let written = text.lines().filter_map(|line| line.strip_prefix("#EXTINF:")?.strip_suffix(','));
        let sum: u64 = written.map(|seconds| seconds.replace('.', "").parse::<u64>().unwrap()).sum();
        prop_assert_eq!(sum, (ticks.iter().sum::<u64>() * 10 + 4) / 9);
        let longest = ticks.iter().max().unwrap();
        prop_assert!(read(&playlist).target_duration >= (longest + 45_000) / 90_000);
    }

    #[test]
    fn segments_follow_each_other_without_a_hole(begins in prop::collection::vec(any::<bool>(), 1..100)) {
        let begin = Writing::new().part(1);
        let playlist = read(&begins.iter().fold(begin, |writing, begins| writing.fragment(*begins, 3000)).ended());
        let mut end = 800;
        for segment in 0..playlist.segments.len() {
            let (offset, length) = range_of(&playlist, segment);
            prop_assert_eq!(offset, end);
            end += length;
        }
        prop_assert_eq!(end, 800 + 1000 * begins.len() as u64);
    }
}
