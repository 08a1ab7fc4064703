//! Plays a chirp of 100 ms at the beginning of each second of the wall clock on an ALSA device, for the lab: what is recorded from the device's other end is
//! then compared with a picture that flashes at the same moments.
//!
//!     play_chirps CARD SHIFT SECONDS
//!
//! SHIFT is snd-aloop's "PCM Rate Shift 100000": 100100 makes its clock slow by 1,000 ppm. The device's own clock is measured, so the chirps stay on the wall's.

use alsa::ctl::{Ctl, ElemId, ElemIface, ElemType, ElemValue};
use alsa::pcm::{Access, Format, HwParams, PCM};
use alsa::{Direction, ValueOr};
use rustix::time::{ClockId, clock_gettime};
use std::f64::consts::{PI, TAU};

const RATE: u32 = 48_000;
/// Frames that are written at once.
const CHUNK: usize = 480;
/// The chirp: its length in seconds, and its lowest and highest frequency.
const LENGTH: f64 = 0.1;
const LOW: f64 = 500.0;
const HIGH: f64 = 4500.0;

fn now(clock: ClockId) -> f64 {
    let time = clock_gettime(clock);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn chirp(at: f64) -> f64 {
    if at >= LENGTH {
        return 0.0;
    }
    let window = (PI * at / LENGTH).sin().powi(2);
    0.5 * window * (TAU * (LOW + (HIGH - LOW) * at / LENGTH / 2.0) * at).sin()
}

fn set_shift(card: &str, shift: i32) -> alsa::Result<()> {
    let ctl = Ctl::new(&format!("hw:CARD={card}"), false)?;
    let mut id = ElemId::new(ElemIface::PCM);
    id.set_name(c"PCM Rate Shift 100000");
    id.set_device(1);
    let mut value = ElemValue::new(ElemType::Integer)?;
    value.set_id(&id);
    value.set_integer(0, shift);
    ctl.elem_write(&value)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [card, shift, seconds] = &*arguments else { return Err("play_chirps CARD SHIFT SECONDS".into()) };
    set_shift(card, shift.parse()?)?;
    let seconds: f64 = seconds.parse()?;
    let pcm = PCM::new(&format!("hw:CARD={card},DEV=0"), Direction::Playback, false)?;
    let params = HwParams::any(&pcm)?;
    params.set_access(Access::RWInterleaved)?;
    params.set_format(Format::S16LE)?;
    params.set_channels(2)?;
    params.set_rate(RATE, ValueOr::Nearest)?;
    params.set_buffer_time_near(200_000, ValueOr::Nearest)?;
    params.set_period_time_near(10_000, ValueOr::Nearest)?;
    pcm.hw_params(&params)?;
    let io = pcm.io_i16()?;
    let (mut written, mut began) = (0_u64, None::<(f64, f64)>);
    // When the frame 0 was played, by the wall clock, if the rate is `rate` since.
    let (mut zero, mut rate) = (None::<f64>, f64::from(RATE));
    let end = now(ClockId::Monotonic) + seconds;
    let mut samples = vec![0_i16; 2 * CHUNK];
    while now(ClockId::Monotonic) < end {
        if written > 0 {
            let (heard, at) = (written as f64 - pcm.delay()? as f64, now(ClockId::Realtime));
            let (first, since) = *began.get_or_insert((heard, at));
            if at - since > 2.0 {
                let measured = (heard - first) / (at - since);
                // The frame heard now stays where it is.
                zero = zero.map(|zero| zero + heard / rate - heard / measured);
                rate = measured;
            }
            let seen = at - heard / rate;
            zero = Some(zero.map_or(seen, |zero| zero + 0.02 * (seen - zero)));
        }
        for (n, frame) in samples.chunks_exact_mut(2).enumerate() {
            let at = zero.map_or(LENGTH, |zero| (zero + (written + n as u64) as f64 / rate).fract());
            frame.fill((chirp(at) * 32_767.0) as i16);
        }
        written += io.writei(&samples)? as u64;
    }
    println!("played {written} frames, {rate:.2} a second");
    Ok(())
}
