//! The button on the board (or a pedal), and the lamp beside it.
//!
//! A thread of its own ([`listen`]) waits for the contact and recognises presses; a task here acts on them through the same
//! [`LiveHandle`] as the page and the API. [`lamp`] shows the state. A missing, stuck or inaccessible button is a *fault* in
//! words ([`Faults`]), and the daemon runs on without it.
//!
//! Not here: starting and stopping streams (`live`), and driving lines (perch-device).

mod lamp;
mod listen;
mod power;

pub use lamp::Watched;
pub use power::PowerSwitch;

use crate::config::{self, ButtonSource};
use listen::{Listener, Open};
use perch_device::gpio::{self, Wiring};
use perch_device::key::KeyContact;
use perch_device::press::{Press, PressTimes};
use perch_studio::clock::{Clock, until};
use perch_studio::faults::Faults;
use perch_studio::live::{LiveHandle, Pressed};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// One press may wait while another is handled; further ones are ignored.
const WAITING: usize = 1;
/// Stack of the button's thread, which does little.
const STACK: usize = 256 << 10;
/// If perchd still runs this long after asking for a power-off, `perch-poweroff.path` is not enabled.
const HEEDED: Duration = Duration::from_secs(20);
/// The fault of an action that a press asked for, separate from the button's own.
const PRESS: &str = "press of the button";

/// The running button and lamp.
pub struct Panel {
    button: Option<JoinHandle<()>>,
    lamp: Option<JoinHandle<()>>,
    lamp_goes_off: oneshot::Sender<()>,
}

impl Panel {
    /// Starts the button and the lamp as far as they are configured. Call it inside the runtime.
    pub fn start(
        button: &config::Button,
        lamp: &config::Lamp,
        power: PowerSwitch,
        live: LiveHandle,
        watched: Watched,
    ) -> std::io::Result<Self> {
        let (faults, clock) = (watched.faults.clone(), watched.clock.clone());
        let presses = listen_to(button, faults.clone(), clock)?;
        let (lamp_goes_off, off) = oneshot::channel::<()>();
        let lamp = lamp::run(lamp, watched, async {
            // An error means that the panel is gone, which also ends it.
            let _ = off.await;
        });
        Ok(Self {
            button: presses.map(|presses| tokio::spawn(act(presses, live, power, faults))),
            lamp: lamp.map(tokio::spawn),
            lamp_goes_off,
        })
    }

    /// Ignores the button from now on.
    pub fn let_go_of_the_button(&mut self) {
        if let Some(button) = self.button.take() {
            button.abort();
        }
    }

    /// Stops everything; the lamp is off afterwards.
    pub async fn switch_off(mut self) {
        self.let_go_of_the_button();
        drop(self.lamp_goes_off);
        if let Some(lamp) = self.lamp {
            // A panic was logged already.
            let _ = lamp.await;
        }
    }
}

/// Starts the button's thread, which runs as long as its presses are received. `None`: no button is configured.
fn listen_to(
    config: &config::Button,
    faults: Faults,
    clock: Arc<dyn Clock>,
) -> std::io::Result<Option<mpsc::Receiver<Press>>> {
    let Some(open) = opener(config) else { return Ok(None) };
    let long = match config.long_press_seconds {
        0 => Duration::MAX,
        seconds => Duration::from_secs(seconds.into()),
    };
    let debounce = Duration::from_millis(config.debounce_milliseconds.into());
    let (tell, presses) = mpsc::channel(WAITING);
    let listener = Listener { open, times: PressTimes { debounce, long }, tell, faults, clock };
    std::thread::Builder::new().name("button".into()).stack_size(STACK).spawn(|| listener.run())?;
    Ok(Some(presses))
}

fn opener(config: &config::Button) -> Option<Open> {
    let config = config.clone();
    match config.source {
        ButtonSource::Off => None,
        ButtonSource::Gpio => {
            let wiring =
                Wiring { chip: config.chip, line: config.line, active: config.active, bias: config.bias };
            Some(Box::new(move || gpio::contact(&wiring)))
        }
        ButtonSource::Key => {
            let path = config.input?;
            Some(Box::new(move || Ok(Box::new(KeyContact::open(&path, config.key)?))))
        }
    }
}

async fn act(mut presses: mpsc::Receiver<Press>, live: LiveHandle, power: PowerSwitch, faults: Faults) {
    let mut heeded_by = None;
    loop {
        let press = tokio::select! {
            press = presses.recv() => press,
            () = until(heeded_by) => {
                heeded_by = None;
                // Enabling the unit later must not switch the board off.
                power.take_back();
                faults.tell(PRESS, power::NOBODY_HEEDS);
                continue;
            }
        };
        match press {
            // The thread runs as long as the receiver exists, so it panicked.
            None => return faults.tell(PRESS, "The button's thread failed: restart perchd."),
            Some(Press::Short) => start_or_stop(&live, &faults).await,
            Some(Press::Long) => match power.switch_off() {
                Ok(()) => {
                    tracing::info!("the button was held: asking to switch the board off");
                    heeded_by = Some(Instant::now() + HEEDED);
                }
                Err(why) => faults.tell(PRESS, &why.to_string()),
            },
        }
    }
}

async fn start_or_stop(live: &LiveHandle, faults: &Faults) {
    match live.press().await {
        Ok(pressed) => {
            match pressed {
                Pressed::Started(stream) => tracing::info!(%stream, "the button starts a stream"),
                Pressed::Ending(streams) => tracing::info!(?streams, "the button stops the streams"),
            }
            faults.clear(PRESS);
        }
        Err(error) => {
            faults.tell(PRESS, &format!("The button was pressed, but no stream could start: {error}."));
        }
    }
}

#[cfg(test)]
mod tests;
