//! The button on the board (or a pedal), and the lamp beside it.
//!
//! A thread of its own ([`listen`]) waits for the contact and recognises presses; a task here does what they ask for, by the same
//! [`LiveHandle`] as the page and the API. [`lamp`] shows how things are. A button that is missing, stuck or forbidden is a *fault* in
//! words ([`Faults`]); the daemon goes on without it.
//!
//! Must not be here: what starts and stops streams (`live`), how lines are driven (perch-device).

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

/// One press waits while another is done; more are impatience.
const WAITING: usize = 1;
/// Of the button's thread, which does little.
const STACK: usize = 256 << 10;
/// systemd has begun to end us by then, or nobody heeds the button.
const HEEDED: Duration = Duration::from_secs(20);
/// The fault of what a press asked for, apart from the button's own.
const PRESS: &str = "press of the button";

/// The button and the lamp while they work.
pub struct Panel {
    button: Option<JoinHandle<()>>,
    lamp: Option<JoinHandle<()>>,
    lamp_goes_off: oneshot::Sender<()>,
}

impl Panel {
    /// Listens to the button and lights the lamp, as far as they are configured. Inside the runtime.
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
            // An error is the panel gone, and that is the end too.
            let _ = off.await;
        });
        Ok(Self {
            button: presses.map(|presses| tokio::spawn(act(presses, live, power, faults))),
            lamp: lamp.map(tokio::spawn),
            lamp_goes_off,
        })
    }

    /// Nothing comes of the button any more.
    pub fn let_go_of_the_button(&mut self) {
        if let Some(button) = self.button.take() {
            button.abort();
        }
    }

    /// Ends it all; the lamp is off then.
    pub async fn switch_off(mut self) {
        self.let_go_of_the_button();
        drop(self.lamp_goes_off);
        if let Some(lamp) = self.lamp {
            // One that broke down has said so.
            let _ = lamp.await;
        }
    }
}

/// Starts the button's thread, which lasts as long as its presses are received. `None`: there is no button.
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
                // Whoever enables the unit now does not want to be switched off for it.
                power.take_back();
                faults.tell(PRESS, power::NOBODY_HEEDS);
                continue;
            }
        };
        match press {
            // The thread lasts as long as it is heard, so it broke down.
            None => return faults.tell(PRESS, "The button's thread broke down: restart perchd."),
            Some(Press::Short) => start_or_stop(&live, &faults).await,
            Some(Press::Long) => match power.switch_off() {
                Ok(()) => {
                    tracing::info!("the button was held: the board is to be switched off");
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
                Pressed::Ending(streams) => tracing::info!(?streams, "the button ends what is on the air"),
            }
            faults.clear(PRESS);
        }
        Err(error) => {
            faults.tell(PRESS, &format!("The button was pressed, and nothing could go live: {error}."));
        }
    }
}

#[cfg(test)]
mod tests;
