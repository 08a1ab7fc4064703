//! Transport streams that somebody else wrote: ffmpeg makes them, ffprobe says what is in them, and damage is done to them here.

use perch_media::mpegts::{
    Demuxer, Found, PACKET_BYTES, TimedPicture, TimedSound, TransportStreamError, is_transport_stream,
};
use proptest::prelude::*;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// ffmpeg's standard output.
pub(crate) fn ffmpeg(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    run(Command::new("ffmpeg").args(["-loglevel", "error", "-nostdin"]).args(arguments), input)
}

pub(crate) fn run(program: &mut Command, input: &[u8]) -> Vec<u8> {
    let mut child =
        program.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("ffmpeg is installed");
    let mut stdin = child.stdin.take().expect("piped");
    std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input).expect("it reads all"));
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success());
        output.stdout
    })
}

/// Two seconds of x264 with B-frames, and a tone beside them.
fn with_b_frames() -> &'static [u8] {
    static CLIP: OnceLock<Vec<u8>> = OnceLock::new();
    CLIP.get_or_init(|| {
        let video = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=2", "-f", "lavfi", "-i", "sine=d=2"];
        let coded = ["-c:v", "libx264", "-bf", "3", "-g", "25", "-c:a", "aac", "-f", "mpegts", "-"];
        ffmpeg(&[&video[..], &coded].concat(), &[])
    })
}

/// Everything that comes out, whatever the size of the pieces.
pub(crate) fn demux(stream: &[u8], piece_bytes: usize) -> (Vec<Found>, Demuxer) {
    let mut demuxer = Demuxer::new();
    let mut found = Vec::new();
    for piece in stream.chunks(piece_bytes.max(1)) {
        demuxer.push(piece);
        found.extend(std::iter::from_fn(|| demuxer.next_found()));
    }
    demuxer.flush();
    found.extend(std::iter::from_fn(|| demuxer.next_found()));
    (found, demuxer)
}

pub(crate) fn pictures(found: &[Found]) -> Vec<&TimedPicture> {
    found
        .iter()
        .filter_map(|found| if let Found::Picture(picture) = found { Some(picture) } else { None })
        .collect()
}

#[test]
fn times_and_bytes_are_those_that_ffprobe_finds() {
    let stream = with_b_frames();
    let probe = [
        "-loglevel",
        "error",
        "-select_streams",
        "v",
        "-show_entries",
        "packet=pts,dts",
        "-of",
        "csv=p=0",
        "-",
    ];
    let said = String::from_utf8(run(Command::new("ffprobe").args(probe), stream)).unwrap();
    let theirs: Vec<(i64, i64)> = said
        .lines()
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut times = line.split(',').map(|time| time.parse().unwrap());
            (times.next().unwrap(), times.next().unwrap())
        })
        .collect();
    let (found, demuxer) = demux(stream, 1000);
    let ours: Vec<_> =
        pictures(&found).iter().map(|picture| (picture.pts.ticks(), picture.dts.ticks())).collect();
    assert_eq!(ours, theirs);
    assert!(ours.iter().any(|(pts, dts)| pts != dts), "there are B-frames");
    assert_eq!(
        (demuxer.counters(), demuxer.problem()),
        (perch_media::mpegts::DemuxerCounters::default(), None)
    );

    let elementary =
        ffmpeg(&["-f", "mpegts", "-i", "-", "-map", "0:v", "-c", "copy", "-f", "h264", "-"], stream);
    let bytes: Vec<u8> = pictures(&found).iter().flat_map(|picture| picture.data.to_vec()).collect();
    assert_eq!(bytes, elementary);
}

#[test]
fn one_byte_at_a_time_is_the_same() {
    let stream = with_b_frames();
    assert_eq!(demux(stream, 1).0, demux(stream, usize::MAX).0);
}

#[test]
fn the_first_bytes_tell_a_transport_stream() {
    let stream = with_b_frames();
    assert_eq!(is_transport_stream(&stream[..188]), None, "a sync byte alone may be anything");
    assert_eq!(is_transport_stream(&stream[..189]), Some(true));
    assert_eq!(is_transport_stream(&[0, 0, 0, 1, 0x67]), Some(false));
    assert_eq!(is_transport_stream(&[0x47; 10]), None);
    assert_eq!(is_transport_stream(&[]), None);
    assert_eq!(is_transport_stream(&[&[0x47][..], &[5; 10_000]].concat()), Some(false));
    for junk in [1, 88, 187, 188, 4096] {
        let stream = [&vec![5; junk][..], stream].concat();
        assert_eq!(is_transport_stream(&stream[..junk + 564]), None, "{junk}");
        assert_eq!(is_transport_stream(&stream[..junk + 565]), Some(true), "{junk}");
    }
    assert_eq!(is_transport_stream(&[&[5; 4097][..], stream].concat()), Some(false));
}

#[test]
fn garbage_before_and_between_packets_is_passed_over() {
    let stream = with_b_frames();
    let whole = demux(stream, 4096).0;
    let garbage = [0x47, 1, 2, 3, 0x47, 5];
    let before = [&garbage[..], stream].concat();
    assert_eq!(demux(&before, 4096).0, whole);
    let middle = stream.len() / PACKET_BYTES / 2 * PACKET_BYTES;
    let between = [&stream[..middle], &[0xaa; 100], &stream[middle..]].concat();
    let (found, demuxer) = demux(&between, 4096);
    assert_eq!((found, demuxer.counters().garbage_bytes), (whole, 100));
}

/// The stream's packets that carry the video (ffmpeg's first stream is on PID 0x100).
fn video_packets(stream: &[u8]) -> Vec<usize> {
    let places = (0..stream.len()).step_by(PACKET_BYTES);
    places.filter(|at| u16::from_be_bytes([stream[at + 1] & 0x1f, stream[at + 2]]) == 0x100).collect()
}

#[test]
fn a_lost_packet_costs_its_picture_and_is_told() {
    let stream = with_b_frames();
    let whole = demux(stream, 4096).0;
    let packets = video_packets(stream);
    let at = packets[packets.len() / 2];
    let (found, demuxer) = demux(&[&stream[..at], &stream[at + PACKET_BYTES..]].concat(), 4096);
    assert_eq!(demuxer.counters().lost_packets, 1);
    assert_eq!(found.iter().filter(|found| **found == Found::Lost).count(), 1);
    let missing = pictures(&whole).len() - pictures(&found).len();
    assert!((1..=2).contains(&missing), "{missing}");
    let loss = found.iter().position(|found| *found == Found::Lost).unwrap();
    assert_eq!(found[..loss], whole[..loss], "what came before is given out");
}

#[test]
fn losses_without_a_picture_between_them_are_told_once_however_the_bytes_come() {
    let mut stream = with_b_frames().to_vec();
    let packets = video_packets(&stream);
    for at in &packets[packets.len() / 2..packets.len() / 2 + 4] {
        stream[at + 1] |= 0x80; // transport_error_indicator
    }
    let (whole, in_pieces) = (demux(&stream, usize::MAX).0, demux(&stream, PACKET_BYTES).0);
    assert_eq!(in_pieces, whole);
    assert_eq!(whole.iter().filter(|found| **found == Found::Lost).count(), 1);
}

#[test]
fn a_packet_that_comes_twice_counts_once() {
    let stream = with_b_frames();
    let at = video_packets(stream)[20];
    let twice = [&stream[..at + PACKET_BYTES], &stream[at..]].concat();
    assert_eq!(demux(&twice, 4096).0, demux(stream, 4096).0);
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let problem = |stream: &[u8]| demux(stream, 4096).1.problem();
    assert_eq!(problem(&[0x47; 188 * 4]), Some(TransportStreamError::NoProgram));

    let picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=0.4"];
    let hevc = ffmpeg(
        &[&picture[..], &["-c:v", "libx265", "-x265-params", "log-level=none", "-f", "mpegts", "-"]].concat(),
        &[],
    );
    assert_eq!(problem(&hevc), Some(TransportStreamError::NoH264("H.265 (HEVC)".to_owned())));
    let sound = ffmpeg(&["-f", "lavfi", "-i", "sine=d=1", "-c:a", "aac", "-f", "mpegts", "-"], &[]);
    let said = problem(&sound).unwrap().to_string();
    assert!(said.contains("AAC") && said.contains("no H.264"), "{said}");

    let mut scrambled = with_b_frames().to_vec();
    for at in video_packets(&scrambled) {
        scrambled[at + 3] |= 0x80;
    }
    assert_eq!(problem(&scrambled), Some(TransportStreamError::Scrambled));

    let mut moved = with_b_frames().to_vec();
    for at in video_packets(&moved) {
        moved[at + 2] ^= 0x80;
    }
    assert_eq!(problem(&moved), Some(TransportStreamError::NothingOnPid(256)));

    let mut untimed = with_b_frames().to_vec();
    for at in video_packets(&untimed) {
        let field = if untimed[at + 3] & 0x20 == 0 { 0 } else { 1 + usize::from(untimed[at + 4]) };
        if untimed[at + 1] & 0x40 != 0 {
            untimed[at + 4 + field + 7] &= 0x3f;
        }
    }
    assert_eq!(problem(&untimed), Some(TransportStreamError::NoTimes));
}

#[test]
fn times_go_on_past_33_bits() {
    // 2^33 ticks are 95,443.7 s.
    let clip = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=2", "-c:v", "libx264", "-bf", "2"];
    let late = ["-output_ts_offset", "95443", "-muxdelay", "0", "-f", "mpegts", "-"];
    let (found, _) = demux(&ffmpeg(&[&clip[..], &late].concat(), &[]), 4096);
    let dts: Vec<_> = pictures(&found).iter().map(|picture| picture.dts.ticks()).collect();
    assert!(dts.windows(2).all(|pair| pair[1] - pair[0] == 3600), "{dts:?}");
    assert!(dts.last() > Some(&(1 << 33)), "{dts:?}");
    assert!(
        pictures(&found).iter().all(|picture| (0..90_000).contains(&(picture.pts - picture.dts).ticks()))
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn damage_anywhere_is_survived_and_never_makes_pictures_up(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        piece in 1..2000_usize,
    ) {
        let mut stream = with_b_frames().to_vec();
        let intact = demux(&stream, 4096).0;
        for (at, byte) in damage {
            let at = at.index(stream.len());
            stream[at] = byte;
        }
        let (found, _) = demux(&stream, piece);
        prop_assert!(pictures(&found).len() <= pictures(&intact).len() + 1);
    }

    #[test]
    fn any_bytes_are_survived(bytes in prop::collection::vec(prop_oneof![Just(0x47_u8), any::<u8>()], 0..4000), piece in 1..400_usize) {
        let (in_pieces, one) = (demux(&bytes, piece), demux(&bytes, usize::MAX));
        prop_assert_eq!(in_pieces.0, one.0);
    }
}

/// Presentation times of one kind of packets, in ticks, by ffprobe.
fn probed(stream: &[u8], kind: &str) -> Vec<i64> {
    let arguments =
        ["-loglevel", "error", "-select_streams", kind, "-show_entries", "packet=pts", "-of", "csv=p=0", "-"];
    let said = String::from_utf8(run(Command::new("ffprobe").args(arguments), stream)).unwrap();
    said.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect()
}

fn sounds(found: &[Found]) -> Vec<&TimedSound> {
    found
        .iter()
        .filter_map(|found| if let Found::Sound(sound) = found { Some(sound) } else { None })
        .collect()
}

#[test]
fn sound_has_the_times_that_ffprobe_finds_and_its_own_bytes() {
    for rate in ["48000", "44100", "22050"] {
        let inputs = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=3", "-f", "lavfi", "-i", "sine=d=3"];
        let coded = ["-c:v", "libx264", "-c:a", "aac", "-ar", rate, "-ac", "2", "-f", "mpegts", "-"];
        let stream = ffmpeg(&[&inputs[..], &coded].concat(), &[]);
        let (found, demuxer) = demux(&stream, 1000);
        let ours = sounds(&found);
        let format = &ours[0].format;
        assert_eq!((format.sample_rate().to_string().as_str(), format.channels()), (rate, 2));
        let theirs = probed(&stream, "a");
        assert_eq!(ours.len(), theirs.len());
        // ffprobe adds up rounded durations within a PES packet.
        let far =
            ours.iter().zip(&theirs).filter(|(ours, theirs)| (ours.times.pts.ticks() - **theirs).abs() > 8);
        assert_eq!(far.count(), 0);
        assert!(demuxer.announces_sound() && demuxer.sound_problem().is_none());
        let frames = ffmpeg(&["-i", "-", "-map", "0:a", "-c", "copy", "-f", "data", "-"], &stream);
        let bytes: Vec<u8> = ours.iter().flat_map(|sound| sound.data.to_vec()).collect();
        assert!(
            bytes.len() + 9 * ours.len() >= frames.len() && bytes.len() < frames.len(),
            "ADTS headers are off"
        );
    }
}

#[test]
fn lost_sound_costs_no_picture() {
    let stream = with_b_frames();
    let places = (0..stream.len()).step_by(PACKET_BYTES);
    let packets: Vec<_> =
        places.filter(|at| u16::from_be_bytes([stream[at + 1] & 0x1f, stream[at + 2]]) == 0x101).collect();
    let at = packets[packets.len() / 2];
    let whole = demux(stream, 4096).0;
    let (found, demuxer) = demux(&[&stream[..at], &stream[at + PACKET_BYTES..]].concat(), 4096);
    assert_eq!(pictures(&found), pictures(&whole));
    assert_eq!(demuxer.counters().lost_packets, 1);
    let (left, all) = (sounds(&found), sounds(&whole));
    assert!(
        left.len() < all.len() && left.iter().all(|sound| all.contains(sound)),
        "{} of {}",
        left.len(),
        all.len()
    );
}

#[test]
fn sound_that_is_left_out_is_said_in_words() {
    let inputs = ["-f", "lavfi", "-i", "testsrc2=s=64x64:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1:r=48000"];
    let words = |coding: &[&str]| {
        let stream =
            ffmpeg(&[&inputs[..], &["-c:v", "libx264"], coding, &["-f", "mpegts", "-"]].concat(), &[]);
        let (found, demuxer) = demux(&stream, 4096);
        assert!(!pictures(&found).is_empty() && sounds(&found).is_empty() && !demuxer.announces_sound());
        demuxer.sound_problem().expect("there is sound").to_string()
    };
    for (coding, named) in [
        (&["-c:a", "mp2"][..], "MP2"),
        (&["-c:a", "ac3"], "AC-3"),
        (&["-c:a", "ac3", "-mpegts_flags", "system_b"], "AC-3"),
        (&["-c:a", "libopus"], "Opus"),
        (&["-c:a", "aac", "-mpegts_flags", "latm"], "LATM"),
        (&["-c:a", "aac", "-profile:a", "aac_main"], "object type 1"),
    ] {
        let words = words(coding);
        assert!(words.contains(named) && words.contains("-c:a aac"), "{words}");
    }
}
