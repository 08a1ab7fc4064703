//! Playlists: what the window offers, and how a parser that we did not write reads it.

use bytes::Bytes;
use m3u8_rs::{MasterPlaylist, Playlist};
use perch_media::access_unit::VideoFormat;
use perch_media::h264::sps::Chroma;
use perch_media::hls::{
    LiveWindow, LiveWindowConfig, MultivariantPlaylist, Segment, WallOffset, parse_segment_name, segment_name,
};
use perch_media::time::{MediaDuration, MediaTime};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;

const FIRST: u64 = 5000;

fn config() -> LiveWindowConfig {
    LiveWindowConfig {
        run: "a1".to_owned(),
        target_duration: 2,
        window: Duration::from_mins(1),
        max_bytes: 1 << 30,
        first_sequence: FIRST,
        first_discontinuity: 7,
    }
}

/// 2026-11-22T17:34:56.007Z at media time 0.
const WALL: WallOffset = WallOffset::new(1_795_368_896_007, MediaTime::from_ticks(0));

/// Segments that follow each other.
struct Stream {
    sequence: u64,
    start: MediaTime,
}

impl Stream {
    fn new() -> Self {
        Self { sequence: FIRST, start: MediaTime::default() }
    }

    fn segment(&mut self, milliseconds: u64, bytes: usize, discontinuity: bool) -> Segment {
        let duration = Duration::from_millis(milliseconds);
        let segment = Segment {
            data: Bytes::from(vec![0x47; bytes]),
            bytes,
            sequence: self.sequence,
            duration,
            start: self.start,
            discontinuity,
            independent: true,
            pictures: (milliseconds * 30 / 1000) as u32,
            sound: None,
            format: Arc::new(VideoFormat {
                sps: Bytes::new(),
                pps: Bytes::new(),
                further_pps: Vec::new(),
                width: 1280,
                height: 720,
                profile: 66,
                constraints: 0xc0,
                level: 31,
                frames_per_second: Some(30.0),
                chroma: Chroma::Yuv420,
                bit_depth: 8,
                may_be_interlaced: false,
            }),
        };
        self.sequence += 1;
        self.start = self.start + MediaDuration::from(duration);
        segment
    }
}

fn read(text: &str) -> m3u8_rs::MediaPlaylist {
    match m3u8_rs::parse_playlist_res(text.as_bytes()) {
        Ok(Playlist::MediaPlaylist(playlist)) => playlist,
        other => panic!("{other:?} out of {text}"),
    }
}

/// What an entry tells a player.
fn entry(segment: &m3u8_rs::MediaSegment) -> (String, f32, bool, Option<i64>) {
    let date = segment.program_date_time.map(|date| date.timestamp_millis());
    (segment.uri.clone(), segment.duration, segment.discontinuity, date)
}

fn read_window(window: &LiveWindow) -> m3u8_rs::MediaPlaylist {
    read(&window.playlist(WALL, false).to_string())
}

#[test]
fn the_text_is_what_the_rfc_says() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    window.push(stream.segment(500, 1000, false));
    window.push(stream.segment(2000, 1000, true));
    let text = window.playlist(WALL, true).to_string();
    assert_eq!(
        text,
        "#EXTM3U\n\
         #EXT-X-VERSION:6\n\
         #EXT-X-TARGETDURATION:2\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,HOLD-BACK=6.000\n\
         #EXT-X-MEDIA-SEQUENCE:5000\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:7\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:34:56.007Z\n\
         #EXTINF:0.50000,\n\
         a1-5000.ts\n\
         #EXT-X-DISCONTINUITY\n\
         #EXT-X-PROGRAM-DATE-TIME:2026-11-22T17:34:56.507Z\n\
         #EXTINF:2.00000,\n\
         a1-5001.ts\n\
         #EXT-X-ENDLIST\n"
    );
}

#[test]
fn an_empty_window_says_where_it_will_begin() {
    let window = LiveWindow::new(config());
    let playlist = read_window(&window);
    assert_eq!((playlist.media_sequence, playlist.segments.len()), (FIRST, 0));
    assert_eq!(window.next_sequence(), FIRST);
    assert!(window.variant("index.m3u8").is_none());
}

#[test]
fn a_parser_that_we_did_not_write_reads_it() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    for number in 0..40 {
        window.push(stream.segment(2000, 500_000, number == 15));
    }
    let playlist = read_window(&window);
    assert_eq!((playlist.version, playlist.target_duration, playlist.end_list), (Some(6), 2, false));
    assert!(playlist.independent_segments);
    // The parser leaves tags that it does not know to the segment after them.
    assert!(playlist.segments[0].unknown_tags.iter().any(|tag| tag.tag == "X-SERVER-CONTROL"));
    assert_eq!((playlist.media_sequence, playlist.segments.len()), (FIRST + 10, 30));
    let discontinuities: Vec<_> = (0..30).filter(|&at| playlist.segments[at].discontinuity).collect();
    assert_eq!((playlist.discontinuity_sequence, discontinuities), (7, vec![5]));
    let first = &playlist.segments[0];
    assert_eq!((first.uri.as_str(), first.duration), ("a1-5010.ts", 2.0));
    let date = first.program_date_time.expect("Safari hangs without it");
    assert_eq!(date.timestamp_millis(), 1_795_368_896_007 + 20_000);
}

#[test]
fn a_discontinuity_that_leaves_is_counted() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    for number in 0..60 {
        window.push(stream.segment(2000, 1000, number == 15 || number == 35));
    }
    assert_eq!(read_window(&window).discontinuity_sequence, 7 + 1);
}

#[test]
fn segments_are_kept_a_little_longer_than_they_are_offered() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    (0..40).for_each(|_| window.push(stream.segment(2000, 1000, false)));
    let has = |sequence| window.segment(sequence).is_some();
    assert!(has(FIRST + 39) && has(FIRST + 10), "offered");
    assert!(has(FIRST + 9), "kept for a target duration");
    assert!(!has(FIRST + 8) && !has(FIRST + 40));
    assert_eq!((window.bytes(), window.duration()), (30_000, Duration::from_mins(1)));
}

#[test]
fn at_high_bitrates_the_window_gets_shorter_but_never_below_five_targets() {
    let mut window = LiveWindow::new(LiveWindowConfig { max_bytes: 10_000, ..config() });
    let mut stream = Stream::new();
    (0..20).for_each(|_| window.push(stream.segment(2000, 1600, false)));
    assert_eq!(window.segments().count(), 6);
    (0..20).for_each(|_| window.push(stream.segment(2000, 9000, false)));
    assert_eq!(window.segments().count(), 5, "two targets more than players begin from the end");
}

#[test]
fn long_segments_are_kept_after_they_leave_too() {
    let long = LiveWindowConfig { target_duration: 10, window: Duration::from_secs(6), ..config() };
    let mut window = LiveWindow::new(long);
    let mut stream = Stream::new();
    (0..10).for_each(|_| window.push(stream.segment(10_000, 1000, false)));
    assert_eq!(window.segments().count(), 5, "a window below five targets is none");
    assert!(window.segment(FIRST + 4).is_some() && window.segment(FIRST + 3).is_none());
}

#[test]
fn a_playlist_says_that_segments_are_independent_as_long_as_all_were() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    window.push(stream.segment(2000, 1000, false));
    assert!(read_window(&window).independent_segments);
    window.push(Segment { independent: false, ..stream.segment(2000, 1000, false) });
    (0..100).for_each(|_| window.push(stream.segment(2000, 1000, false)));
    assert!(!read_window(&window).independent_segments, "also when that segment has left");
}

#[test]
fn the_multivariant_playlist_tells_size_codecs_and_rates() {
    let mut window = LiveWindow::new(config());
    let mut stream = Stream::new();
    window.push(stream.segment(1000, 250_000, false));
    window.push(stream.segment(2000, 250_000, false));
    let playlist = MultivariantPlaylist { variants: vec![window.variant("index.m3u8").unwrap()] };
    let text = playlist.to_string();
    let read: MasterPlaylist = match m3u8_rs::parse_playlist_res(text.as_bytes()) {
        Ok(Playlist::MasterPlaylist(playlist)) => playlist,
        other => panic!("{other:?} out of {text}"),
    };
    let [variant] = &read.variants[..] else { panic!("one variant: {text}") };
    assert_eq!((variant.uri.as_str(), read.independent_segments), ("index.m3u8", false));
    assert_eq!((variant.bandwidth, variant.average_bandwidth), (2_000_000, Some(1_333_333)));
    assert_eq!(variant.codecs.as_deref(), Some("avc1.42c01f"));
    let resolution = variant.resolution.expect("RESOLUTION");
    assert_eq!((resolution.width, resolution.height, variant.frame_rate), (1280, 720, Some(30.0)));
}

#[test]
fn a_segment_has_one_name() {
    assert_eq!(parse_segment_name(&segment_name("b-2", u64::MAX)), Some(("b-2", u64::MAX)));
    for other in [
        "",
        ".ts",
        "7",
        "7.ts",
        "a-07.ts",
        "a-+7.ts",
        "a--.ts",
        "a-7.ts.ts",
        "a-18446744073709551616.ts",
        "a-7.TS",
    ] {
        assert_eq!(parse_segment_name(other), None, "{other}");
    }
}

#[test]
fn wall_time_is_media_time_and_an_offset() {
    let wall = WallOffset::new(1_000_000, MediaTime::from_ticks(90 * 400));
    assert_eq!(wall.unix_milliseconds(MediaTime::from_ticks(90 * 500)), 1_000_100);
}

proptest! {
    #[test]
    fn the_window_slides_and_never_goes_back(
        segments in prop::collection::vec((100u64..2499, 0usize..4000, any::<bool>()), 1..120),
        window_seconds in 1u64..60,
        max_bytes in 1000usize..60_000,
    ) {
        let config = LiveWindowConfig { window: Duration::from_secs(window_seconds), max_bytes, ..config() };
        let mut window = LiveWindow::new(config.clone());
        let mut stream = Stream::new();
        let mut before = read_window(&window);
        for (milliseconds, bytes, discontinuity) in segments {
            window.push(stream.segment(milliseconds, bytes, discontinuity));
            let now = read_window(&window);
            prop_assert!(now.media_sequence >= before.media_sequence);
            prop_assert!(now.discontinuity_sequence >= before.discontinuity_sequence);
            prop_assert_eq!(now.target_duration, before.target_duration);
            prop_assert_eq!(now.media_sequence + now.segments.len() as u64, window.next_sequence());
            // Within the limits, or as short as it may be.
            let fewest = Duration::from_secs(5 * now.target_duration);
            let oldest = window.segments().next().unwrap().duration;
            let within = window.duration() <= config.window && window.bytes() <= max_bytes;
            prop_assert!(within || window.duration() < fewest + oldest);
            prop_assert_eq!(window.bytes(), window.segments().map(|segment| segment.data.len()).sum::<usize>());
            // What both playlists offer is the same segment under the same name, with as many discontinuities before it.
            for (place, segment) in (now.media_sequence..).zip(&now.segments) {
                let old = place.checked_sub(before.media_sequence).and_then(|at| before.segments.get(at as usize));
                prop_assert_eq!(entry(old.unwrap_or(segment)), entry(segment));
            }
            before = now;
        }
    }
}
