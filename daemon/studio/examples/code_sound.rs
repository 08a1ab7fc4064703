//! Codes a file as a microphone's sound is coded, for `make bench`: interleaved stereo of 16 bits becomes AAC in ADTS.
//!
//!     code_sound IN.raw RATE OUT.aac

use perch_device::microphone::{Block, Planes, Stamp};
use perch_studio::capture::microphones::MicrophoneSettings;
use perch_studio::capture::sound::Track;
use std::io::Write as _;
use std::time::Duration;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [input, rate, output] = &*arguments else { return Err("code_sound IN.raw RATE OUT.aac".into()) };
    let rate: u32 = rate.parse()?;
    let pcm = std::fs::read(input)?;
    let mut out = std::io::BufWriter::new(std::fs::File::create(output)?);
    let mut track = Track::new(rate, None)?;
    let (mut samples, mut coded, mut position) = (Planes::default(), Vec::new(), 0);
    // As the kernel delivers them: every 20 ms.
    for bytes in pcm.chunks((rate / 50 * 4) as usize) {
        for frame in bytes.chunks_exact(4) {
            samples.left.push(f32::from(i16::from_le_bytes([frame[0], frame[1]])) / 32_768.0);
            samples.right.push(f32::from(i16::from_le_bytes([frame[2], frame[3]])) / 32_768.0);
        }
        let frames = samples.len();
        position += frames as u64;
        let at = Duration::from_secs(1000) + Duration::from_secs_f64(position as f64 / f64::from(rate));
        let block = Block { frames, stamp: Some(Stamp { position, at }), lost: false };
        track.take(block, &mut samples, MicrophoneSettings::default(), &mut coded)?;
        for frame in coded.drain(..) {
            out.write_all(&syom::wrap_adts_au(
                &frame.data,
                frame.format.sample_rate(),
                frame.format.channels().into(),
            )?)?;
        }
    }
    out.flush()?;
    Ok(())
}
