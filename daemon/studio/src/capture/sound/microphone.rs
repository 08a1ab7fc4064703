//! The thread of a microphone: finds it, opens it, codes what it hears, and looks for it again when it is gone.

use super::track::{Track, TrackError};
use crate::capture::microphones::{MicrophoneState, SharedMicrophone};
use crate::capture::source::{SoundSource, SourceError};
use crate::clock::Clock;
use crate::config::MicrophoneChoice;
use perch_device::microphone::{self, Microphone, MicrophoneError, MicrophoneReport, Planes};
use perch_media::sample::AudioFrame;
use perch_media::time::MediaTime;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::Thread;
use std::time::Duration;

/// Coded frames that wait for the camera's thread: 1.4 s at 48 kHz. It takes them with each picture, every 200 ms at least.
const WAITING_MOST: usize = 64;
/// Longest wait for samples, so that the thread notices its end in time.
const POLL: Duration = Duration::from_millis(100);
/// A microphone that gives no samples for this long is opened again.
const SILENT: Duration = Duration::from_secs(3);
/// Pause between two looks for a microphone that is missing or busy.
const LOOK: Duration = Duration::from_secs(1);

/// The microphone that goes with a camera.
#[derive(Clone, Debug)]
pub(in crate::capture) struct Wanted {
    /// The camera's name, for the log.
    pub(in crate::capture) camera: String,
    /// The configuration.
    pub(in crate::capture) choice: MicrophoneChoice,
    /// The USB device that the camera is a part of, in `/sys`.
    pub(in crate::capture) usb: Option<PathBuf>,
}

impl Wanted {
    /// True if there can be a microphone: a camera without USB has none of its own.
    pub(in crate::capture) fn is_possible(&self) -> bool {
        match self.choice {
            MicrophoneChoice::Auto => self.usb.is_some(),
            MicrophoneChoice::None => false,
            MicrophoneChoice::Device(_) => true,
        }
    }

    /// ALSA's name of the microphone, and its name for people; `None` while it is not there.
    fn find(&self, there: &[MicrophoneReport]) -> Option<(String, String)> {
        let is_it = |report: &&MicrophoneReport| match &self.choice {
            MicrophoneChoice::Auto => self.usb.is_some() && report.usb == self.usb,
            MicrophoneChoice::None => false,
            MicrophoneChoice::Device(name) => report.is_named(name),
        };
        let found = there.iter().find(is_it)?;
        Some((found.name.clone(), format!("{} ({})", found.card, found.name)))
    }

    fn missing(&self) -> String {
        match &self.choice {
            MicrophoneChoice::Device(name) => MicrophoneError::Missing { name: name.clone() }.to_string(),
            _ => "the camera has no microphone of its own: name one with microphone = \"hw:CARD=…\" (perchd probe lists them)".to_owned(),
        }
    }
}

/// The sound of a microphone. Its thread ends with it.
pub(in crate::capture) struct MicrophoneSound {
    frames: Receiver<AudioFrame>,
    stop: Arc<AtomicBool>,
    thread: Thread,
    is_expected: bool,
}

impl MicrophoneSound {
    /// Starts the thread. It never fails for want of a microphone: `shared` says what is missing.
    pub(in crate::capture) fn start(
        wanted: Wanted,
        shared: Arc<SharedMicrophone>,
        clock: Arc<dyn Clock>,
    ) -> std::io::Result<Self> {
        let is_expected = wanted.find(&microphone::list()).is_some();
        let (sender, frames) = sync_channel(WAITING_MOST);
        let stop = Arc::<AtomicBool>::default();
        let listener =
            Listener { wanted, shared, clock, stop: stop.clone(), frames: sender, newest: None, missed: 0 };
        let name = format!("sound-{}", listener.wanted.camera);
        let thread = std::thread::Builder::new().name(name).spawn(move || listener.run())?;
        Ok(Self { frames, stop, thread: thread.thread().clone(), is_expected })
    }
}

impl SoundSource for MicrophoneSound {
    fn take(&mut self, out: &mut Vec<AudioFrame>) -> Result<(), SourceError> {
        // Pictures go on without sound.
        out.extend(self.frames.try_iter());
        Ok(())
    }

    fn is_expected(&self) -> bool {
        self.is_expected
    }
}

impl Drop for MicrophoneSound {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.unpark();
    }
}

/// Why a microphone is given up for now.
#[derive(Debug, thiserror::Error)]
enum Ended {
    #[error(transparent)]
    Device(#[from] MicrophoneError),
    #[error(transparent)]
    Track(#[from] TrackError),
    #[error("{0} gives no samples: unplug it and plug it in again")]
    Silent(String),
}

struct Listener {
    wanted: Wanted,
    shared: Arc<SharedMicrophone>,
    clock: Arc<dyn Clock>,
    stop: Arc<AtomicBool>,
    frames: SyncSender<AudioFrame>,
    /// Time of the newest frame given out.
    newest: Option<MediaTime>,
    /// Frames that the camera's thread did not take in time.
    missed: u64,
}

impl Listener {
    fn run(mut self) {
        let mut said = None;
        while !self.is_stopped() {
            let problem = match self.wanted.find(&microphone::list()) {
                Some((name, words)) => {
                    self.listen(&name, &words, &mut said).err().map(|ended| ended.to_string())
                }
                None => Some(self.wanted.missing()),
            };
            let Some(problem) = problem else { break };
            if said.as_ref() != Some(&problem) {
                tracing::warn!(camera = self.wanted.camera, "no sound: {problem}");
                said = Some(problem.clone());
            }
            self.shared.tell(|state| {
                *state = MicrophoneState { problem: Some(problem), ..MicrophoneState::default() }
            });
            if !self.is_stopped() {
                self.clock.park(LOOK);
            }
        }
        self.shared.tell(|state| *state = MicrophoneState::default());
    }

    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Codes what the microphone hears until it fails; `Ok` when the thread is to end.
    fn listen(&mut self, name: &str, words: &str, said: &mut Option<String>) -> Result<(), Ended> {
        let mut microphone = Microphone::open(name)?;
        let format = microphone.format().clone();
        let mut track = Track::new(format.rate, self.newest)?;
        tracing::info!(camera = self.wanted.camera, microphone = words, "sound: {format}");
        *said = None;
        self.shared.tell(|state| {
            *state = MicrophoneState {
                device: Some(words.to_owned()),
                format: Some(format.to_string()),
                ..MicrophoneState::default()
            };
        });
        let (mut samples, mut coded) = (Planes::default(), Vec::new());
        let mut heard_at = self.clock.monotonic();
        let mut was_real = None;
        while !self.is_stopped() {
            let block = microphone.read(POLL, &mut samples)?;
            let now = self.clock.monotonic();
            if block.frames > 0 {
                heard_at = now;
            } else if now.saturating_sub(heard_at) > SILENT {
                return Err(Ended::Silent(name.to_owned()));
            }
            if block.lost {
                tracing::debug!(camera = self.wanted.camera, "sound was lost: nobody read it in time");
            }
            let mended = track.line().mended();
            track.take(block, &mut samples, self.shared.settings(), &mut coded)?;
            self.newest = track.newest();
            let line = track.line();
            if line.mended() > mended {
                let after = block.stamp.map(|stamp| stamp.position);
                tracing::debug!(
                    camera = self.wanted.camera,
                    ?after,
                    "sound was filled up, cut or begun anew"
                );
            }
            let real = line.real_rate();
            if real != was_real {
                was_real = real;
                let says = format.rate;
                let rate = real.unwrap_or_default().round();
                tracing::warn!(
                    camera = self.wanted.camera,
                    "the microphone says {says} Hz and delivers {rate} Hz"
                );
            }
            if !coded.is_empty() {
                let (peak, rms) = track.levels();
                let problem = real
                    .map(|rate| format!("it says {} Hz and delivers {rate:.0} Hz: corrected", format.rate));
                self.shared.tell(|state| {
                    state.problem = problem;
                    state.drift_ppm = line.drift();
                    (state.peak_dbfs, state.rms_dbfs) = (Some(peak), Some(rms));
                    state.mended = line.mended();
                });
            }
            for frame in coded.drain(..) {
                match self.frames.try_send(frame) {
                    Ok(()) => {}
                    Err(TrySendError::Disconnected(_)) => return Ok(()),
                    Err(TrySendError::Full(_)) => {
                        self.missed += 1;
                        if self.missed.is_power_of_two() {
                            let missed = self.missed;
                            tracing::warn!(
                                camera = self.wanted.camera,
                                missed,
                                "the camera stands still: its sound is left out"
                            );
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(name: &str, usb: Option<&str>) -> MicrophoneReport {
        MicrophoneReport {
            name: name.to_owned(),
            card: "Webcam".to_owned(),
            device: "USB Audio".to_owned(),
            node: "/dev/snd/pcmC1D0c".into(),
            usb: usb.map(PathBuf::from),
        }
    }

    fn wanted(choice: MicrophoneChoice, usb: Option<&str>) -> Wanted {
        Wanted { camera: "front".to_owned(), choice, usb: usb.map(PathBuf::from) }
    }

    #[test]
    fn a_cameras_own_microphone_is_the_one_on_its_usb_device() {
        let there = [
            report("hw:CARD=U0x1,DEV=0", Some("/sys/devices/usb1/1-3")),
            report("hw:CARD=C920,DEV=0", Some("/sys/devices/usb1/1-1.2")),
            report("hw:CARD=Loopback,DEV=1", None),
        ];
        let found = |wanted: &Wanted| wanted.find(&there).map(|(name, _)| name);
        let auto = |usb| wanted(MicrophoneChoice::Auto, usb);
        assert_eq!(found(&auto(Some("/sys/devices/usb1/1-1.2"))).as_deref(), Some("hw:CARD=C920,DEV=0"));
        assert_eq!(found(&auto(Some("/sys/devices/usb1/1-9"))), None);
        assert_eq!(found(&auto(None)), None, "a camera without USB has none of its own");
        let device = wanted(MicrophoneChoice::Device("hw:CARD=C920".to_owned()), None);
        assert_eq!(found(&device).as_deref(), Some("hw:CARD=C920,DEV=0"));
        assert!(
            wanted(MicrophoneChoice::Device("hw:CARD=Gone".to_owned()), None)
                .missing()
                .contains("hw:CARD=Gone is not there")
        );
        let none = wanted(MicrophoneChoice::None, Some("/sys/devices/usb1/1-1.2"));
        assert!(found(&none).is_none() && !none.is_possible());
    }
}
