//! Segments with sound: ffmpeg codes it, ffprobe reads the segments.

use crate::demuxer::Demuxer;
use crate::foreign_transport_stream::{demux, ffmpeg, pictures, run};
use bytes::Bytes;
use mpeg2ts_reader::StreamType;
use perch_media::access_unit::{AccessUnit, AccessUnitAssembler};
use perch_media::audio_format::AudioFormat;
use perch_media::hls::{CutterConfig, Segment, Segmenter};
use perch_media::mpegts::{AUDIO_PID, DECODING_DELAY, Muxer, VIDEO_PID};
use perch_media::sample::{AudioFrame, Sample};
use perch_media::time::{MediaDuration, MediaTime, Times};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const SECOND: i64 = MediaTime::HZ;

/// Pictures of x264 with B-frames, a key frame each second, that begin at `start` ticks.
fn picture_track(start: i64, seconds: u32) -> Vec<AccessUnit> {
    let source = format!("testsrc2=s=160x90:r=25:d={seconds}");
    let coded = ["-c:v", "libx264", "-bf", "2", "-g", "25", "-preset", "fast", "-f", "mpegts", "-"];
    let found = demux(&ffmpeg(&[&["-f", "lavfi", "-i", &source][..], &coded].concat(), &[]), 4096).0;
    let found = pictures(&found);
    let zero = found[0].dts;
    let mut assembler = AccessUnitAssembler::new(0);
    let begin = MediaTime::from_ticks(start);
    found
        .iter()
        .map(|picture| {
            let times = Times { pts: begin + (picture.pts - zero), dts: begin + (picture.dts - zero) };
            assembler.push_picture(&picture.data, times).unwrap().expect("x264 begins with an IDR")
        })
        .collect()
}

/// A tone as ADTS.
fn tone(sample_rate: u32, channels: u8, seconds: u32) -> Vec<u8> {
    let source = format!("sine=d={seconds}:r={sample_rate}");
    let [rate, channels] = [sample_rate.to_string(), channels.to_string()];
    let coded = ["-c:a", "aac", "-b:a", "64k", "-ar", &rate, "-ac", &channels, "-f", "adts", "-"];
    ffmpeg(&[&["-f", "lavfi", "-i", &source][..], &coded].concat(), &[])
}

/// The frames of an ADTS stream, the first at `start` ticks.
fn sound_track(adts: &[u8], format: AudioFormat, start: i64) -> Vec<AudioFrame> {
    let format = Arc::new(format);
    let (mut frames, mut at) = (Vec::new(), 0);
    while let Some(header) = adts.get(at..at + 7) {
        let bytes =
            usize::from(header[3] & 3) << 11 | usize::from(header[4]) << 3 | usize::from(header[5] >> 5);
        let pts = MediaTime::from_ticks(start) + format.offset(frames.len() as u64);
        let data = Bytes::copy_from_slice(&adts[at + 7..at + bytes]);
        frames.push(AudioFrame { times: Times::at(pts), epoch: 0, data, format: Arc::clone(&format) });
        at += bytes;
    }
    frames
}

/// Both tracks in the order of their decoding times, as a feed gives them.
fn interleaved(units: &[AccessUnit], frames: &[AudioFrame]) -> Vec<Sample> {
    let mut samples: Vec<Sample> = units.iter().cloned().map(Sample::from).collect();
    samples.extend(frames.iter().cloned().map(Sample::from));
    samples.sort_by_key(|sample| sample.times().dts);
    samples
}

fn segments(samples: &[Sample]) -> Vec<Segment> {
    let (segment, part) = (Duration::from_secs(1), Duration::from_millis(250));
    let mut segmenter = Segmenter::new(CutterConfig { segment, target_duration: 1, part }, 0);
    let mut segments = Vec::new();
    for sample in samples {
        match sample {
            Sample::Video(unit) => segments.extend(segmenter.push(unit).unwrap()),
            Sample::Audio(frame) => segmenter.push_sound(frame).unwrap(),
        }
    }
    segments.extend(segmenter.finish().unwrap());
    segments
}

fn joined(segments: &[Segment]) -> Vec<u8> {
    segments.iter().flat_map(|segment| segment.data.to_vec()).collect()
}

/// What ffprobe says of a stream that it gets on its standard input, line by line.
fn ffprobe(arguments: &[&str], stream: &[u8]) -> Vec<String> {
    let arguments = [&["-loglevel", "error", "-of", "csv=p=0"], arguments, &["-"]].concat();
    let said = String::from_utf8(run(Command::new("ffprobe").args(arguments), stream)).unwrap();
    said.lines().map(|line| line.trim_end_matches(',').to_owned()).filter(|line| !line.is_empty()).collect()
}

fn probed_times(stream: &[u8], track: &str) -> Vec<i64> {
    let said = ffprobe(&["-select_streams", track, "-show_entries", "packet=pts"], stream);
    said.iter().map(|line| line.parse().unwrap()).collect()
}

/// Every picture says that this sound goes with it.
fn with_sound(units: &mut [AccessUnit], format: AudioFormat) {
    let format = Arc::new(format);
    for unit in units {
        unit.sound = Some(Arc::clone(&format));
    }
}

#[test]
fn ffprobe_reads_pictures_and_sound_with_the_times_they_came_with() {
    for (sample_rate, channels) in [(48_000, 2), (44_100, 1), (16_000, 1)] {
        let format = AudioFormat::new(sample_rate, channels).unwrap();
        let adts = tone(sample_rate, channels, 4);
        let (mut units, frames) =
            (picture_track(10 * SECOND, 4), sound_track(&adts, format, 10 * SECOND + 777));
        with_sound(&mut units, format);
        let segments = segments(&interleaved(&units, &frames));
        assert!(segments.len() >= 4 && segments.iter().all(|segment| !segment.discontinuity));
        assert!(segments.iter().all(|segment| segment.codecs().ends_with(",mp4a.40.2")));
        let stream = joined(&segments);

        let entries = "stream=codec_name,profile,sample_rate,channels";
        let said = ffprobe(&["-select_streams", "a", "-show_entries", entries], &stream);
        assert_eq!(said.last().unwrap(), &format!("aac,LC,{sample_rate},{channels}"));
        let delayed = |time: MediaTime| (time + DECODING_DELAY).ticks();
        let expected: Vec<_> = units.iter().map(|unit| delayed(unit.times.pts)).collect();
        assert_eq!(probed_times(&stream, "v"), expected);
        let expected: Vec<_> = frames.iter().map(|frame| delayed(frame.times.pts)).collect();
        let found = probed_times(&stream, "a");
        assert_eq!(found.len(), expected.len());
        // ffprobe adds up rounded durations within a PES packet.
        assert!(found.iter().zip(&expected).all(|(found, expected)| (found - expected).abs() <= 4));
        let sound = ffmpeg(&["-i", "-", "-map", "0:a", "-c", "copy", "-f", "adts", "-"], &stream);
        assert_eq!(sound, adts, "the headers are ffmpeg's own, and so are the frames");
    }
}

#[test]
fn sound_that_begins_later_and_ends_is_a_seam_with_another_version_of_the_map() {
    let format = AudioFormat::new(48_000, 2).unwrap();
    let (mut units, frames) = (picture_track(0, 9), sound_track(&tone(48_000, 2, 3), format, 3 * SECOND));
    // Known a little later than a key frame, lost a little before one.
    with_sound(&mut units[80..160], format);
    let segments = segments(&interleaved(&units, &frames));
    let mut demuxer = Demuxer::default();
    let found: Vec<_> = segments.iter().map(|segment| demuxer.read(&segment.data)).collect();
    let seams: Vec<_> = (0..segments.len()).filter(|at| segments[*at].discontinuity).collect();
    let [begins, ends] = seams[..] else { panic!("{seams:?}") };
    for (at, (segment, found)) in segments.iter().zip(&found).enumerate() {
        let has_sound = (begins..ends).contains(&at);
        let mut streams = vec![(VIDEO_PID, StreamType::H264)];
        streams.extend(has_sound.then_some((AUDIO_PID, StreamType::ADTS)));
        assert_eq!((found.tables, &found.streams), (1, &streams));
        assert_eq!(segment.codecs().contains("mp4a.40.2"), has_sound);
        assert_eq!(found.version, u8::from(at >= begins) + u8::from(at >= ends));
        assert!(has_sound || found.sound.is_empty());
        assert_eq!(found.pes[0].discontinuity, seams.contains(&at));
    }
    assert!(!found[begins].sound.is_empty());
    // From the first key frame after it was known.
    assert_eq!(segments[begins].start.ticks() / SECOND, 4);
}

#[test]
fn several_frames_share_a_packet_and_none_waits_longer_than_a_tenth_of_a_second() {
    let format = AudioFormat::new(48_000, 1).unwrap();
    let frames = sound_track(&tone(48_000, 1, 10), format, 0);
    let mut muxer = Muxer::new();
    muxer.announce_sound(true);
    let mut out = Vec::new();
    let tables = {
        muxer.write_tables(&mut out);
        out.len()
    };
    let mut waiting = 0;
    for frame in &frames {
        let before = out.len();
        muxer.write_sound(frame, &mut out);
        waiting = if out.len() > before { 0 } else { waiting + 1 };
        assert!(format.offset(waiting + 1) <= MediaDuration::from_millis(100));
    }
    muxer.flush_sound(&mut out);
    let elementary: usize = frames.iter().map(|frame| frame.data.len()).sum();
    let ratio = (out.len() - tables) as f64 / elementary as f64;
    assert!(ratio < 1.18, "{ratio}");
}

#[test]
fn a_gap_in_the_sound_is_kept() {
    let format = AudioFormat::new(48_000, 2).unwrap();
    let mut units = picture_track(0, 3);
    with_sound(&mut units, format);
    let mut frames = sound_track(&tone(48_000, 2, 3), format, 0);
    frames.drain(50..61);
    let stream = joined(&segments(&interleaved(&units, &frames)));
    let expected: Vec<_> = frames.iter().map(|frame| (frame.times.pts + DECODING_DELAY).ticks()).collect();
    assert_eq!(probed_times(&stream, "a"), expected);
}

#[test]
fn sound_of_another_epoch_or_format_than_the_segments_is_left_out() {
    let format = AudioFormat::new(48_000, 2).unwrap();
    let mut units = picture_track(0, 2);
    with_sound(&mut units, format);
    let mut frames = sound_track(&tone(48_000, 2, 2), format, 0);
    frames[10].epoch = 1;
    frames[20].format = Arc::new(AudioFormat::new(44_100, 2).unwrap());
    let stream = joined(&segments(&interleaved(&units, &frames)));
    assert_eq!(probed_times(&stream, "a").len(), frames.len() - 2);
}
