use super::*;
use perch_device::microphone::Stamp;
use std::f64::consts::TAU;
use std::time::Duration;

const START: Duration = Duration::from_secs(5000);

/// A device that hears a click (a short burst of a tone) at the beginning of each second of the monotonic clock.
struct Clicks {
    rate: f64,
    position: u64,
    /// Seconds that it did not hear.
    lost: f64,
}

impl Clicks {
    fn new(rate: f64) -> Self {
        Self { rate, position: 0, lost: 0.0 }
    }

    /// Frames of the next 20 ms, and when they were complete.
    fn hear(&mut self) -> (Block, Planes) {
        let frames = (self.rate * 0.02) as usize;
        let first = self.position as f64 / self.rate + self.lost;
        let sample = |n: usize| {
            let at = (first + n as f64 / self.rate).fract();
            if at < 0.01 { (0.5 * (TAU * 2000.0 * at).sin()) as f32 } else { 0.0 }
        };
        let left: Vec<f32> = (0..frames).map(sample).collect();
        self.position += frames as u64;
        let at = START + Duration::from_secs_f64(self.position as f64 / self.rate + self.lost);
        let stamp = Some(Stamp { position: self.position, at });
        (Block { frames, stamp, lost: false }, Planes { right: left.clone(), left })
    }
}

fn seconds(
    track: &mut Track,
    device: &mut Clicks,
    seconds: u32,
    settings: MicrophoneSettings,
) -> Vec<AudioFrame> {
    let mut out = Vec::new();
    for _ in 0..seconds * 50 {
        let (block, mut samples) = device.hear();
        track.take(block, &mut samples, settings, &mut out).unwrap();
        assert!(samples.is_empty());
    }
    out
}

/// Milliseconds of the monotonic clock, within a second, at which each click begins.
fn clicks(frames: &[AudioFrame]) -> Vec<f64> {
    let adts = |frame: &AudioFrame| syom::wrap_adts_au(&frame.data, SAMPLE_RATE, 2).unwrap();
    let stream: Vec<u8> = frames.iter().flat_map(adts).collect();
    let samples =
        syom::decode_with(&stream, &syom::DecodeOptions::unbounded()).unwrap().channels.swap_remove(0);
    let zero = frames[0].times.pts.ticks() as f64 / 90.0;
    let mut found: Vec<f64> = Vec::new();
    let loud = samples.iter().enumerate().filter(|(_, sample)| sample.abs() > 0.15);
    for at in loud.map(|(n, _)| zero + n as f64 / 48.0) {
        if found.last().is_none_or(|last| at > last + 500.0) {
            found.push(at);
        }
    }
    found.into_iter().map(|at| (at + 500.0).rem_euclid(1000.0) - 500.0).collect()
}

#[test]
fn a_click_is_heard_when_it_was_made_at_any_rate_of_the_device() {
    for rate in [48_000.0, 44_100.0, 16_000.0, 8000.0, 96_000.0, 48_048.0, 47_952.0] {
        let said = if (rate - 48_000.0_f64).abs() < 100.0 { 48_000 } else { rate as u32 };
        let (mut track, mut device) = (Track::new(said, None).unwrap(), Clicks::new(rate));
        let frames = seconds(&mut track, &mut device, 8, MicrophoneSettings::default());
        let heard = clicks(&frames);
        assert!((6..=8).contains(&heard.len()), "{rate}: {heard:?}");
        assert!(heard.iter().all(|off| off.abs() < 4.0), "{rate}: {heard:?}");
        let frame = 1024 * MediaTime::HZ / i64::from(SAMPLE_RATE);
        assert!(frames.windows(2).all(|pair| (pair[1].times.dts - pair[0].times.dts).ticks() == frame));
    }
}

#[test]
fn a_click_after_lost_sound_is_heard_when_it_was_made() {
    let (mut track, mut device) = (Track::new(48_000, None).unwrap(), Clicks::new(48_000.0));
    let settings = MicrophoneSettings::default();
    let mut frames = seconds(&mut track, &mut device, 3, settings);
    device.lost += 0.3;
    frames.extend(seconds(&mut track, &mut device, 4, settings));
    let heard = clicks(&frames);
    assert!(heard.len() >= 6 && heard.iter().all(|off| off.abs() < 4.0), "{heard:?}");
    assert_eq!(track.line().mended(), 1);
}

#[test]
fn sound_that_begins_anew_never_goes_back() {
    let (mut track, mut device) = (Track::new(48_000, None).unwrap(), Clicks::new(48_000.0));
    let settings = MicrophoneSettings::default();
    let mut frames = seconds(&mut track, &mut device, 3, settings);
    for lost in [1.5, 5.0, -3.0, 20.0] {
        device.lost += lost;
        frames.extend(seconds(&mut track, &mut device, 3, settings));
    }
    assert!(frames.windows(2).all(|pair| pair[0].times.dts < pair[1].times.dts));
    // Also in a track after this one.
    let after = track.newest();
    let mut next = Track::new(48_000, after).unwrap();
    let frames = seconds(&mut next, &mut Clicks::new(48_000.0), 3, settings);
    assert!(frames.iter().all(|frame| Some(frame.times.dts) > after));
}

#[test]
fn gain_makes_louder_and_mute_makes_silent() {
    let peak = |gain_db, muted| {
        let (mut track, mut device) = (Track::new(48_000, None).unwrap(), Clicks::new(48_000.0));
        let frames = seconds(&mut track, &mut device, 3, MicrophoneSettings { muted, gain_db });
        // The last click is a second old.
        assert!(track.levels().0 <= crate::capture::sound::levels::SILENCE);
        let adts = |frame: &AudioFrame| syom::wrap_adts_au(&frame.data, SAMPLE_RATE, 2).unwrap();
        let stream: Vec<u8> = frames.iter().flat_map(adts).collect();
        let decoded = syom::decode_with(&stream, &syom::DecodeOptions::unbounded()).unwrap();
        decoded.channels[0].iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()))
    };
    assert!((0.4..0.6).contains(&peak(0, false)), "{}", peak(0, false));
    assert!((0.2..0.3).contains(&peak(-6, false)), "{}", peak(-6, false));
    assert!(peak(30, false) <= 1.3, "limited");
    assert!(peak(0, true) < 0.001);
}
