//! Reads a microphone.

use super::error::{MicrophoneError, node_of};
use super::samples::{Planes, SampleFormat};
use alsa::pcm::{Access, HwParams, PCM, TstampType};
use alsa::{Direction, ValueOr};
use std::time::Duration;

/// The rate that is asked for; the nearest one of the device is taken.
const WANTED_RATE: u32 = 48_000;
/// How often the kernel wakes us, microseconds.
const PERIOD: u32 = 20_000;
/// What the kernel keeps for a reader that is late, microseconds. A board that stalls for longer loses sound.
const BUFFER: u32 = 500_000;
/// Frames of one read: more than a period has at any rate.
const MOST_FRAMES: usize = 8192;
/// More channels than any microphone has that is meant for recording.
const MOST_CHANNELS: u32 = 8;

/// What a microphone delivers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrophoneFormat {
    /// Frames per second, as the device says.
    pub rate: u32,
    /// Samples in a frame.
    pub channels: u32,
    /// ALSA's name of the sample format.
    pub samples: &'static str,
}

impl std::fmt::Display for MicrophoneFormat {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let channels =
            if self.channels == 1 { "mono".to_owned() } else { format!("{} channels", self.channels) };
        write!(f, "{} Hz, {channels}, {}", self.rate, self.samples)
    }
}

/// The time at which a microphone had taken so many frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Frames since the opening, without those that were lost.
    pub position: u64,
    /// The kernel's monotonic clock.
    pub at: Duration,
}

/// What one read gave.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// Frames appended.
    pub frames: usize,
    /// The newest time that the kernel has noted.
    pub stamp: Option<Stamp>,
    /// True if frames were lost before these, because nobody read in time (xrun) or the machine was suspended.
    pub lost: bool,
}

/// An open microphone.
pub struct Microphone {
    name: String,
    pcm: PCM,
    format: MicrophoneFormat,
    samples: SampleFormat,
    /// Frames read since the opening.
    position: u64,
    lost: bool,
    /// One read's bytes. Reused between calls.
    bytes: Vec<u8>,
}

impl Microphone {
    /// Opens the device with ALSA's name for it, such as `hw:CARD=C920,DEV=0`, and starts it.
    pub fn open(name: &str) -> Result<Self, MicrophoneError> {
        let unnamed = || MicrophoneError::Missing { name: name.escape_debug().to_string() };
        let c_name = std::ffi::CString::new(name).map_err(|_| unnamed())?;
        // alsa-lib writes its complaints to standard error otherwise. Each call makes a new buffer for them and drops the one before.
        let _ = alsa::Output::local_error_handler();
        // Non-blocking: a device without frames must not hold the thread.
        let opened = PCM::open(&c_name, Direction::Capture, true);
        // alsa-lib keeps its parsed configuration, some hundred kilobytes, until it is told not to.
        let _ = alsa::config::update_free_global();
        let pcm = opened.map_err(|error| {
            MicrophoneError::opening(name, node_of(name, &super::list()).as_deref(), error)
        })?;
        let (format, samples) = set_up(name, &pcm)?;
        let failed = |operation| move |error| MicrophoneError::working(name, operation, error);
        pcm.prepare().map_err(failed("preparing it"))?;
        pcm.start().map_err(failed("starting it"))?;
        let bytes = vec![0; MOST_FRAMES * samples.bytes() * format.channels as usize];
        Ok(Self { name: name.to_owned(), pcm, format, samples, position: 0, lost: false, bytes })
    }

    /// What it delivers.
    pub const fn format(&self) -> &MicrophoneFormat {
        &self.format
    }

    /// Appends the frames that have come to `out`, waiting for `timeout` at most. Lost frames are told once and reading goes on; after
    /// [`MicrophoneError::Gone`] it must be opened anew.
    pub fn read(&mut self, timeout: Duration, out: &mut Planes) -> Result<Block, MicrophoneError> {
        let milliseconds = timeout.as_millis().try_into().unwrap_or(u32::MAX);
        if let Err(error) = self.pcm.wait(Some(milliseconds)) {
            self.recover(error)?;
            return Ok(Block::default());
        }
        let status = self.pcm.status().map_err(|error| self.failed("asking for its state", error))?;
        let available = usize::try_from(status.get_avail()).unwrap_or(0);
        let at = status.get_htstamp();
        let at = Duration::new(at.tv_sec.try_into().unwrap_or(0), at.tv_nsec.try_into().unwrap_or(0));
        if available == 0 {
            return Ok(Block::default());
        }
        let size = self.samples.bytes() * self.format.channels as usize;
        let bytes = &mut self.bytes[..available.min(MOST_FRAMES) * size];
        let read = self.pcm.io_bytes().readi(bytes);
        let frames = match read {
            Ok(frames) => frames,
            Err(error) if error.errno() == libc::EAGAIN => 0,
            Err(error) => {
                self.recover(error)?;
                return Ok(Block::default());
            }
        };
        let read = self.bytes.get(..frames * size).unwrap_or_default();
        self.samples.read(read, self.format.channels as usize, out);
        // The kernel notes the time together with the number of frames that are there.
        let stamp = Stamp { position: self.position + available as u64, at };
        self.position += frames as u64;
        let stamp = (!at.is_zero()).then_some(stamp);
        Ok(Block { frames, stamp, lost: std::mem::take(&mut self.lost) })
    }

    /// Goes on after an overrun (`EPIPE`) or a suspend (`ESTRPIPE`).
    fn recover(&mut self, error: alsa::Error) -> Result<(), MicrophoneError> {
        match error.errno() {
            libc::EPIPE | libc::ESTRPIPE => {
                self.lost = true;
                // Not every driver can resume; all can be prepared anew.
                self.pcm.prepare().map_err(|error| self.failed("preparing it again", error))?;
                self.pcm.start().map_err(|error| self.failed("starting it again", error))
            }
            libc::EINTR | libc::EAGAIN => Ok(()),
            _ => Err(self.failed("reading", error)),
        }
    }

    fn failed(&self, operation: &'static str, error: alsa::Error) -> MicrophoneError {
        MicrophoneError::working(&*self.name, operation, error)
    }
}

/// Chooses the format, the nearest rate to 48 kHz and the nearest number of channels to 2, and switches the kernel's times on.
fn set_up(name: &str, pcm: &PCM) -> Result<(MicrophoneFormat, SampleFormat), MicrophoneError> {
    let failed = |operation| move |error| MicrophoneError::working(name, operation, error);
    let lacks = |lacks: String| MicrophoneError::Unsupported { name: name.to_owned(), lacks };
    let params = HwParams::any(pcm).map_err(failed("asking for its abilities"))?;
    // Where `name` is a plug-in: resampling is ours to do.
    let _ = params.set_rate_resample(false);
    params
        .set_access(Access::RWInterleaved)
        .map_err(|_| lacks("delivers no interleaved samples".to_owned()))?;
    let samples = SampleFormat::ALL
        .into_iter()
        .find(|format| params.test_format(format.for_alsa()).is_ok())
        .ok_or_else(|| {
            lacks("has no sample format that Perch can read (S16, S24, S32, FLOAT, U8)".to_owned())
        })?;
    params.set_format(samples.for_alsa()).map_err(failed("setting the sample format"))?;
    let channels = params.set_channels_near(2).map_err(failed("setting the number of channels"))?;
    if channels > MOST_CHANNELS {
        return Err(lacks(format!(
            "has {channels} channels at least, and Perch reads {MOST_CHANNELS} at most"
        )));
    }
    let rate = params.set_rate_near(WANTED_RATE, ValueOr::Nearest).map_err(failed("setting the rate"))?;
    if !(4000..=384_000).contains(&rate) {
        return Err(lacks(format!("has no rate between 4 and 384 kHz: it offers {rate} Hz")));
    }
    // Near to these; any size works.
    let _ = params.set_buffer_time_near(BUFFER, ValueOr::Nearest);
    let _ = params.set_period_time_near(PERIOD, ValueOr::Nearest);
    pcm.hw_params(&params).map_err(failed("setting it up"))?;
    let period = params.get_period_size().map_err(failed("asking for its period"))?;
    let switches = pcm.sw_params_current().map_err(failed("asking for its switches"))?;
    switches.set_avail_min(period).map_err(failed("setting its wake-up"))?;
    switches.set_tstamp_mode(true).map_err(failed("switching its times on"))?;
    switches.set_tstamp_type(TstampType::Monotonic).map_err(failed("choosing its clock"))?;
    pcm.sw_params(&switches).map_err(failed("setting its switches"))?;
    Ok((MicrophoneFormat { rate, channels, samples: samples.name() }, samples))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_not_there_is_missing() {
        for name in ["hw:CARD=none_such,DEV=0", "hw:31", "a\0b"] {
            let error = Microphone::open(name).err().unwrap();
            assert!(matches!(error, MicrophoneError::Missing { .. }), "{name:?}: {error}");
        }
    }

    #[test]
    fn alsas_null_device_delivers_silence() {
        let mut microphone = Microphone::open("null").unwrap();
        let mut heard = Planes::default();
        let block = microphone.read(Duration::from_millis(100), &mut heard).unwrap();
        assert_eq!(block.frames, heard.len());
        assert!(!block.lost && heard.left.iter().chain(&heard.right).all(|sample| *sample == 0.0));
    }
}
