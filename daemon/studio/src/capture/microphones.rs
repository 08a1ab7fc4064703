//! What people set for the cameras' microphones, and what they see of them.
//!
//! The thread of a microphone (`sound::microphone`) reads the settings and writes the state; everybody else holds a [`SharedMicrophone`].

use crate::config;
use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Permitted gain, dB.
pub const GAIN_DB: RangeInclusive<i64> = -30..=30;

/// What can be changed while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MicrophoneSettings {
    /// The stream's sound is silence.
    pub muted: bool,
    /// Added to the loudness, dB; within [`GAIN_DB`].
    pub gain_db: i32,
}

/// The state of a camera's microphone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MicrophoneState {
    /// The microphone in use, for people, with ALSA's name; `None` while there is none.
    pub device: Option<String>,
    /// What it delivers, in words: `48000 Hz, 2 channels, S16_LE`.
    pub format: Option<String>,
    /// Why there is no sound, or what is odd with it, in words with the remedy.
    pub problem: Option<String>,
    /// By how much its clock is fast, parts per million of the kernel's; corrected by resampling.
    pub drift_ppm: Option<f64>,
    /// Peak of the last third of a second, dBFS, after the gain and before muting.
    pub peak_dbfs: Option<f32>,
    /// Root mean square of the same time.
    pub rms_dbfs: Option<f32>,
    /// How often silence was put in or sound was cut to stay with the picture, since it was plugged in.
    pub mended: u64,
}

/// A camera's microphone: its settings and its state.
#[derive(Debug, Default)]
pub struct SharedMicrophone {
    settings: Mutex<MicrophoneSettings>,
    state: Mutex<MicrophoneState>,
}

impl SharedMicrophone {
    /// The settings.
    pub fn settings(&self) -> MicrophoneSettings {
        *hold(&self.settings)
    }

    /// Changes the settings; heard within a tenth of a second.
    pub fn set(&self, settings: MicrophoneSettings) {
        *hold(&self.settings) = settings;
    }

    /// The state.
    pub fn state(&self) -> MicrophoneState {
        hold(&self.state).clone()
    }

    pub(super) fn tell(&self, change: impl FnOnce(&mut MicrophoneState)) {
        change(&mut hold(&self.state));
    }
}

/// The microphones of all cameras, by the cameras' names; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Microphones(Arc<Mutex<HashMap<String, Arc<SharedMicrophone>>>>);

impl Microphones {
    /// The microphone of a camera; its settings are the configuration's until somebody sets others.
    pub fn of(&self, camera: &config::Camera) -> Arc<SharedMicrophone> {
        let mut all = hold(&self.0);
        let begin = || {
            let microphone = SharedMicrophone::default();
            microphone.set(MicrophoneSettings {
                muted: camera.microphone_muted,
                gain_db: camera.microphone_gain_db,
            });
            Arc::new(microphone)
        };
        all.entry(camera.name.clone()).or_insert_with(begin).clone()
    }
}

fn hold<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_microphone_begins_as_configured_and_is_shared() {
        let microphones = Microphones::default();
        let quiet =
            config::Camera { microphone_muted: true, microphone_gain_db: -6, ..config::Camera::default() };
        let other = config::Camera { name: "back".to_owned(), ..config::Camera::default() };
        let settings = MicrophoneSettings { muted: true, gain_db: -6 };
        assert_eq!(microphones.of(&quiet).settings(), settings);
        assert_eq!(microphones.of(&other).settings(), MicrophoneSettings::default());
        microphones.of(&quiet).set(MicrophoneSettings { muted: false, ..settings });
        assert!(!microphones.clone().of(&quiet).settings().muted, "what was set stays");
    }
}
