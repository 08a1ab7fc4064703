//! What is wrong with a microphone.

use super::capture::Microphone;
use super::list::MicrophoneReport;
use super::samples::Planes;
use std::time::Duration;

/// How long [`examine`] listens.
const LISTEN: Duration = Duration::from_millis(400);

/// What is wrong with a microphone, in words with the remedy; `None` if it can be heard. Opens it and listens for half a second.
pub fn examine(report: &MicrophoneReport) -> Option<String> {
    let mut microphone = match Microphone::open(&report.name) {
        Ok(microphone) => microphone,
        Err(error) => return Some(error.to_string()),
    };
    let (mut heard, mut waited) = (Planes::default(), Duration::ZERO);
    let slice = Duration::from_millis(50);
    // Each read waits for a period at most; the bound holds for devices that are ready at once.
    while waited < LISTEN && heard.len() < 1 << 20 {
        if let Err(error) = microphone.read(slice, &mut heard) {
            return Some(error.to_string());
        }
        waited += slice;
    }
    if heard.is_empty() {
        return Some("it gives no samples: unplug it and plug it in again".to_owned());
    }
    let is_silent = heard.left.iter().chain(&heard.right).all(|sample| sample.abs() < 1e-6);
    is_silent.then(|| {
        "it delivers silence: switch it on at the device, or raise its volume with alsamixer (package alsa-utils)".to_owned()
    })
}
