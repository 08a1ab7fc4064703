use super::*;
use std::collections::VecDeque;
use std::fmt::Write as _;

/// Samples that one coded frame holds; the resampler makes them at once.
const CHUNK: usize = 1024;
/// Input frames by which a sinc of 64 points delays.
const DELAY: f64 = 32.0;
const OUTPUT: u32 = 48_000;
const START: f64 = 1_000_000.0;

/// A microphone and the sound that is made of it: every frame remembers when it was taken.
struct Room {
    line: Line,
    /// The rate of the device in frames a second of our clock.
    rate: f64,
    now: f64,
    position: u64,
    /// Runs of frames in the queue and held back: the time of the first one, `None` for silence, and their number.
    queue: VecDeque<(Option<f64>, f64)>,
    held: VecDeque<(Option<f64>, f64)>,
    ratio: f64,
    /// The part of an input frame that the resampler has read.
    part: f64,
    begins_at: f64,
    made: u64,
    random: u64,
    /// The time that the sound is stamped with less the time at which it was taken, by chunk, seconds.
    off: Vec<f64>,
}

impl Room {
    fn new(said: u32, rate: f64) -> Self {
        Self {
            line: Line::new(said, OUTPUT),
            rate,
            now: START,
            position: 0,
            queue: VecDeque::new(),
            held: VecDeque::new(),
            ratio: f64::from(OUTPUT) / f64::from(said),
            part: 0.0,
            begins_at: 0.0,
            made: 0,
            random: 1,
            off: Vec::new(),
        }
    }

    /// A number from 0 to 1, the same in every run (xorshift64).
    fn random(&mut self) -> f64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The device delivers for so many seconds, 20 ms at a time. The kernel's times are up to 4 ms late.
    fn records(&mut self, seconds: f64) {
        let until = self.now + seconds;
        while self.now < until {
            self.delivers(0.02, false);
        }
    }

    fn delivers(&mut self, seconds: f64, lost: bool) {
        let frames = (seconds * self.rate).round();
        let taken_from = self.now;
        self.now += frames / self.rate;
        self.position += frames as u64;
        let at = Duration::from_secs_f64(self.now + 0.004 * self.random());
        let placing = self.line.place(frames as usize, Some(Stamp { position: self.position, at }), lost);
        self.place(placing, (Some(taken_from), frames));
        self.resample();
    }

    /// Frames are taken that nobody gets to see.
    fn loses(&mut self, seconds: f64) {
        self.now += seconds;
    }

    /// What `track` does with samples.
    fn place(&mut self, placing: Placing, block: (Option<f64>, f64)) {
        if placing.begins_anew {
            self.queue.clear();
            self.held.clear();
        }
        if placing.held_first {
            self.queue.append(&mut self.held);
        }
        if placing.silence > 0 {
            self.queue.push_back((None, placing.silence as f64));
        }
        self.held.push_back(block);
        let cut = self.take_from(true, placing.cut as f64);
        self.line.was_cut(cut as usize);
        if !placing.hold {
            self.queue.append(&mut self.held);
        }
    }

    /// Removes frames from the front of the queue, or of what is held back; returns their number.
    fn take_from(&mut self, held: bool, frames: f64) -> f64 {
        let rate = self.rate;
        let from = if held { &mut self.held } else { &mut self.queue };
        let mut left = frames;
        while left > 0.0
            && let Some((taken, count)) = from.front_mut()
        {
            let now = left.min(*count);
            (left, *count) = (left - now, *count - now);
            *taken = taken.map(|taken| taken + now / rate);
            if *count <= 0.0 {
                from.pop_front();
            }
        }
        frames - left
    }

    fn queued(&self) -> f64 {
        self.queue.iter().map(|(_, count)| count).sum()
    }

    fn resample(&mut self) {
        loop {
            let needed = (CHUNK as f64 / self.ratio).ceil();
            if self.queued() < needed + DELAY {
                return;
            }
            let Some(chunk) = self.line.chunk(DELAY) else { return };
            if let Some(begins_at) = chunk.begins_at {
                (self.begins_at, self.made) = (begins_at.as_secs_f64(), 0);
            }
            if let Some((Some(taken), _)) = self.queue.front() {
                let stamped = self.begins_at + self.made as f64 / f64::from(OUTPUT);
                self.off.push(stamped - (taken - DELAY / self.rate));
            }
            self.ratio = chunk.ratio;
            let reads = CHUNK as f64 / self.ratio + self.part;
            let read = reads.floor();
            self.part = reads - read;
            self.take_from(false, read);
            self.line.resampled(read as usize, CHUNK);
            self.made += CHUNK as u64;
        }
    }

    fn worst(&self) -> f64 {
        self.off.iter().fold(0.0, |worst: f64, off| worst.max(off.abs()))
    }
}

fn fast(ppm: f64) -> f64 {
    48_000.0 * (1.0 + ppm / 1e6)
}

#[test]
fn sound_stays_with_its_picture_at_any_drift() {
    for ppm in [-1000.0, -100.0, 0.0, 100.0, 1000.0] {
        let mut room = Room::new(48_000, fast(ppm));
        room.records(300.0);
        assert!(room.off.len() > 13_900 && room.worst() < 0.010, "{ppm}: {} s", room.worst());
        assert!((room.line.drift().unwrap() - ppm).abs() < 1.0, "{ppm}: {:?}", room.line.drift());
        assert_eq!(room.line.mended(), 0);
    }
}

#[test]
fn a_rate_that_changes_in_mid_stream_is_followed() {
    let mut room = Room::new(48_000, fast(0.0));
    room.records(60.0);
    room.rate = fast(1000.0);
    room.records(120.0);
    assert!(room.worst() < 0.020, "{} s", room.worst());
    assert!((room.line.drift().unwrap() - 1000.0).abs() < 20.0, "{:?}", room.line.drift());
}

#[test]
fn lost_frames_become_silence_whether_or_not_the_kernel_tells() {
    for (seconds, told) in [(0.03, true), (0.3, true), (0.9, true), (0.05, false), (0.3, false), (0.9, false)]
    {
        let mut room = Room::new(48_000, fast(200.0));
        room.records(30.0);
        for _ in 0..3 {
            room.loses(seconds);
            room.delivers(0.02, told);
            room.records(10.0);
        }
        assert_eq!(room.line.mended(), 3, "{seconds} s, told: {told}");
        assert!(room.worst() < 0.025, "{seconds} s, told: {told}: {} s", room.worst());
    }
}

#[test]
fn frames_that_are_too_many_are_cut() {
    let mut room = Room::new(48_000, fast(0.0));
    room.records(30.0);
    // A tenth of a second comes twice.
    room.position += 4800;
    let again = room.now - 0.1;
    let stamp = Stamp { position: room.position, at: Duration::from_secs_f64(room.now) };
    let placing = room.line.place(4800, Some(stamp), false);
    room.place(placing, (Some(again), 4800.0));
    room.resample();
    room.records(30.0);
    assert_eq!(room.line.mended(), 1);
    // The frames that come twice are stamped with the time of their second coming.
    let late: Vec<_> = room.off.iter().filter(|off| off.abs() > 0.025).collect();
    assert!(late.len() <= 6, "{late:?}");
}

#[test]
fn after_a_long_hole_the_sound_begins_anew() {
    let mut room = Room::new(44_100, 44_100.0 * 1.000_3);
    room.records(60.0);
    room.loses(3600.0);
    room.delivers(0.02, true);
    room.records(60.0);
    assert_eq!(room.line.mended(), 1);
    assert!(room.worst() < 0.010, "{} s", room.worst());
    assert!((room.line.drift().unwrap() - 300.0).abs() < 2.0);
}

#[test]
fn a_device_that_lies_about_its_rate_is_found_out() {
    for (said, rate) in [(48_000, 44_100.0), (44_100, 48_000.0), (48_000, 16_000.0), (48_000, 51_840.0)] {
        let mut room = Room::new(said, rate);
        room.records(30.0);
        let (real, measured) = (room.line.real_rate().unwrap(), room.line.clock.rate());
        assert!((real / rate - 1.0).abs() < 0.02, "{said} {rate}: {real}");
        assert!((measured / rate - 1.0).abs() < 1e-4, "{said} {rate}: {measured}");
        // The first moments are off; then it is known.
        let later = room.off.split_off(room.off.len() / 2);
        let worst = later.iter().fold(0.0, |worst: f64, off| worst.max(off.abs()));
        assert!(worst < 0.020, "{said} {rate}: {worst} s");
    }
}

#[test]
fn a_rate_that_turns_wrong_by_much_is_found_out_however_seldom_times_come() {
    for apart in [0.02, 0.1, 0.25] {
        let mut room = Room::new(48_000, fast(-1000.0));
        room.records(30.0);
        room.rate = 51_840.0;
        for _ in 0..(30.0 / apart) as u32 {
            room.delivers(apart, false);
        }
        let (real, measured) = (room.line.real_rate(), room.line.clock.rate());
        assert!(real.is_some_and(|real| (real / 51_840.0 - 1.0).abs() < 0.02), "{apart}: {real:?}");
        assert!((measured / 51_840.0 - 1.0).abs() < 1e-3, "{apart}: {measured}");
        let later = room.off.split_off(room.off.len() * 3 / 4);
        let worst = later.iter().fold(0.0, |worst: f64, off| worst.max(off.abs()));
        assert!(worst < 0.020, "{apart}: {worst} s");
    }
}

#[test]
fn frames_without_times_wait_for_one() {
    let mut line = Line::new(48_000, OUTPUT);
    assert_eq!(line.place(960, None, false), Placing::default());
    assert_eq!((line.chunk(DELAY), line.drift()), (None, None));
    line.place(960, Some(Stamp { position: 1920, at: Duration::from_secs(10) }), false);
    let begins_at = line.chunk(DELAY).unwrap().begins_at.unwrap().as_secs_f64();
    assert!((begins_at - (10.0 - (1920.0 + DELAY) / 48_000.0)).abs() < 1e-6, "{begins_at}");
}

/// A day of sound at the greatest drifts, with mishaps each hour. With `PERCH_TABLE`, the name of a file, also without mishaps, and the table is written there.
#[test]
fn a_day_of_sound_stays_in_step() {
    let mut table = String::from(
        "Sound and picture over 24 hours of stream time, in virtual time (make sound-in-step).\n\
         The greatest |A-V| of each hour, milliseconds. The kernel's times are up to 4 ms late, 2 ms on average.\n\
         Mishaps: each hour 30 ms of sound lost and not told, an overrun of 300 ms, a suspend of 10 minutes, and a jump of the drift by 100 ppm.\n\n",
    );
    let _ = writeln!(
        table,
        "{:>6} {:>9}  {}   worst  mended",
        "ppm",
        "mishaps",
        (1..=24).fold(String::new(), |hours, hour| hours + &format!("{hour:>4}"))
    );
    let file = std::env::var_os("PERCH_TABLE");
    let calm: &[_] =
        if file.is_some() { &[(0.0, false), (100.0, false), (-1000.0, false), (1000.0, false)] } else { &[] };
    for &(ppm, mishaps) in calm.iter().chain(&[(-1000.0, true), (1000.0, true)]) {
        let mut room = Room::new(48_000, fast(ppm));
        let (mut worst, mut hours) = (0.0_f64, String::new());
        for hour in 0..24 {
            if mishaps {
                room.records(900.0);
                room.loses(0.03);
                room.records(900.0);
                room.loses(0.3);
                room.delivers(0.02, true);
                room.records(900.0);
                room.loses(600.0);
                room.delivers(0.02, true);
                room.rate = fast(if hour % 2 == 0 { ppm * 0.9 } else { ppm });
                room.records(300.0);
            } else {
                room.records(3600.0);
            }
            let _ = write!(hours, "{:>4.0}", room.worst() * 1000.0);
            worst = worst.max(room.worst());
            room.off.clear();
        }
        let words = if mishaps { "yes" } else { "no" };
        let mended = room.line.mended();
        let _ = writeln!(table, "{ppm:>6} {words:>9}  {hours}  {:>6.1}  {mended:>6}", worst * 1000.0);
        assert!(worst < 0.040, "{table}");
    }
    println!("{table}");
    if let Some(file) = file {
        std::fs::write(file, table).unwrap();
    }
}
