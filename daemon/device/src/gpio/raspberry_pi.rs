//! The header of a Raspberry Pi through rppal: levels by the registers in `/dev/gpiomem`, edges by the kernel.

use super::{Bias, Level, NOISE, Wiring};
use crate::contact::{Change, Contact, ContactError, Switch};
use rppal::gpio::{Error, Gpio, InputPin, OutputPin, Trigger};
use rppal::system::{DeviceInfo, SoC};
use std::time::Duration;

/// A header that rppal drives.
pub(super) struct Header {
    gpio: Gpio,
    model: String,
}

/// The Raspberry Pi that rppal takes this board for.
pub(super) fn model() -> Option<String> {
    let info = DeviceInfo::new().ok()?;
    has_registers(info.soc()).then(|| info.model().to_string())
}

/// The header, if the wiring is on one and rppal can drive it. Otherwise the character device is used, or explains the
/// failure.
pub(super) fn header(wiring: &Wiring) -> Option<Header> {
    // A chip that the configuration names may not be the header's.
    let (None, Some(model)) = (&wiring.chip, model()) else { return None };
    match Gpio::new() {
        Ok(gpio) => Some(Header { gpio, model }),
        // It fails when the chips' numbers have a gap, for example.
        Err(error) => {
            tracing::debug!("rppal cannot drive the header of the {model}: {error}");
            None
        }
    }
}

/// True if this user may access its registers. Kernels without the Raspberry Pi's patches lack this node, and rppal
/// would then use all of `/dev/mem`.
fn has_registers(soc: SoC) -> bool {
    let node = if soc == SoC::Bcm2712 { "/dev/gpiomem0" } else { "/dev/gpiomem" };
    std::fs::OpenOptions::new().read(true).write(true).open(node).is_ok()
}

impl Header {
    pub(super) fn contact(&self, wiring: &Wiring) -> Result<HeaderContact, ContactError> {
        let (pin, name) = self.pin(wiring)?;
        let mut pin = match wiring.bias {
            Bias::None => pin.into_input(),
            Bias::PullUp => pin.into_input_pullup(),
            Bias::PullDown => pin.into_input_pulldown(),
        };
        pin.set_interrupt(Trigger::Both, Some(NOISE))
            .map_err(|error| ContactError::failed(&name, "listening to it", &error))?;
        Ok(HeaderContact { pin, active: wiring.active, name })
    }

    pub(super) fn switch(&self, wiring: &Wiring) -> Result<HeaderSwitch, ContactError> {
        let (pin, name) = self.pin(wiring)?;
        let pin = match wiring.active {
            Level::High => pin.into_output_low(),
            Level::Low => pin.into_output_high(),
        };
        Ok(HeaderSwitch { pin, active: wiring.active, name })
    }

    fn pin(&self, wiring: &Wiring) -> Result<(rppal::gpio::Pin, String), ContactError> {
        let name = format!("GPIO {} of the {}", wiring.line, self.model);
        // A number that rppal cannot hold is beyond every header.
        let pin = self.gpio.get(u8::try_from(wiring.line).unwrap_or(u8::MAX));
        match pin {
            Ok(pin) => Ok((pin, name)),
            Err(error) => Err(ContactError::failed(&name, "taking it", &error)),
        }
    }
}

/// A button on the header.
pub(super) struct HeaderContact {
    pin: InputPin,
    active: Level,
    name: String,
}

impl HeaderContact {
    fn is_active(&self, high: bool) -> bool {
        high == (self.active == Level::High)
    }
}

impl Contact for HeaderContact {
    fn wait(&mut self, at_most: Duration) -> Result<Option<Change>, ContactError> {
        match self.pin.poll_interrupt(false, Some(at_most)) {
            Ok(Some(event)) => {
                let closed = self.is_active(event.trigger == Trigger::RisingEdge);
                Ok(Some(Change { closed, at: event.timestamp }))
            }
            Ok(None) => Ok(None),
            Err(Error::Io(error)) if error.kind() == std::io::ErrorKind::Interrupted => Ok(None),
            Err(error) => Err(ContactError::failed(&self.name, "waiting for the button", &error)),
        }
    }

    fn is_closed(&mut self) -> Result<bool, ContactError> {
        Ok(self.is_active(self.pin.is_high()))
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Drop for HeaderContact {
    fn drop(&mut self) {
        // Without this, rppal keeps listening and the line stays in use. An error here means that the chip is gone.
        let _ = self.pin.clear_interrupt();
    }
}

/// A lamp on the header.
pub(super) struct HeaderSwitch {
    pin: OutputPin,
    active: Level,
    name: String,
}

impl Switch for HeaderSwitch {
    fn set(&mut self, on: bool) -> Result<(), ContactError> {
        if on == (self.active == Level::High) {
            self.pin.set_high();
        } else {
            self.pin.set_low();
        }
        Ok(())
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}
