//! GPIO lines as [`Contact`]s and [`Switch`]es, and the chips that a board has.
//!
//! Two backends. rppal drives the header of a Raspberry Pi that it knows and whose registers we may access ([`raspberry_pi`]); the kernel's
//! character device serves all other boards, and chips that the configuration names ([`character_device`]).
//!
//! Must not be here: what a press means, and what a lamp shows.

mod character_device;
mod raspberry_pi;

use crate::contact::{Contact, ContactError, Switch};
use std::path::PathBuf;
use std::time::Duration;

/// The kernel removes edges that are closer together than this, so that a noisy wire does not wake us 20,000 times a second. [`crate::press`]
/// decides what a bounce is and what a press.
const NOISE: Duration = Duration::from_millis(1);
/// The line's user, as `gpioinfo` shows it.
const CONSUMER: &str = "perchd";
/// Group of the device nodes on Raspberry Pi OS and under our udev rules.
const GROUP: &str = "gpio";

/// How something is wired to a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wiring {
    /// Name, label or node of the chip; `None`: the board's header.
    pub chip: Option<String>,
    /// Offset on the chip; on a Raspberry Pi's header the BCM number.
    pub line: u32,
    /// The level at which the contact is closed, or the switch is on.
    pub active: Level,
    /// The chip's own resistor, for contacts.
    pub bias: Bias,
}

/// Voltage of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Ground level.
    Low,
    /// Supply level.
    High,
}

/// The resistor that sets the level while the contact is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// The chip adds none: the board has its own resistor.
    None,
    /// To the supply voltage.
    PullUp,
    /// To ground.
    PullDown,
}

/// A chip as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipReport {
    /// The chip's device node.
    pub path: PathBuf,
    /// The kernel's name for it: `gpiochip0`.
    pub name: String,
    /// Label that the driver gives the chip, for example `pinctrl-bcm2711`.
    pub label: String,
    /// Number of lines.
    pub lines: u32,
}

/// A button between the line and ground or supply.
pub fn contact(wiring: &Wiring) -> Result<Box<dyn Contact>, ContactError> {
    match raspberry_pi::header(wiring) {
        Some(header) => Ok(Box::new(header.contact(wiring)?)),
        None => Ok(Box::new(character_device::Line::contact(wiring)?)),
    }
}

/// A lamp on the line; off at first.
pub fn switch(wiring: &Wiring) -> Result<Box<dyn Switch>, ContactError> {
    match raspberry_pi::header(wiring) {
        Some(header) => Ok(Box::new(header.switch(wiring)?)),
        None => Ok(Box::new(character_device::Line::switch(wiring)?)),
    }
}

/// The chips that this user may open, and why the others cannot be opened.
pub fn chips() -> (Vec<ChipReport>, Vec<ContactError>) {
    character_device::chips()
}

/// The model name of the Raspberry Pi whose header rppal drives.
pub fn header() -> Option<String> {
    raspberry_pi::model()
}

impl ChipReport {
    /// A description for people.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.name, self.label)
    }

    fn is(&self, wanted: &str) -> bool {
        wanted == self.name || wanted == self.label || self.path.as_os_str() == wanted
    }

    /// True if this chip drives a Raspberry Pi's 40-pin header.
    fn is_header(&self) -> bool {
        ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"].contains(&self.label.as_str())
    }
}

/// The chip that the configuration means.
fn choose<'c>(chips: &'c [ChipReport], wanted: Option<&str>) -> Result<&'c ChipReport, ContactError> {
    let found = match wanted {
        Some(wanted) => chips.iter().find(|chip| chip.is(wanted)),
        None => match chips {
            [only] => Some(only),
            several => several.iter().find(|chip| chip.is_header()),
        },
    };
    found.ok_or_else(|| {
        let names: Vec<_> = chips.iter().map(ChipReport::describe).collect();
        let there = match (names.as_slice(), wanted) {
            ([], _) => "there is none at all".to_owned(),
            (names, Some(_)) => format!("there is {}", names.join(", ")),
            (names, None) => format!("name one with chip = \"…\": {}", names.join(", ")),
        };
        ContactError::NoChip { wanted: wanted.unwrap_or("that is a Raspberry Pi's header").to_owned(), there }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chip(number: u32, label: &str) -> ChipReport {
        let name = format!("gpiochip{number}");
        ChipReport { path: format!("/dev/{name}").into(), name, label: label.to_owned(), lines: 54 }
    }

    #[test]
    fn a_chip_is_found_by_name_label_and_node() {
        let chips = [chip(0, "pinctrl-bcm2711"), chip(1, "raspberrypi-exp-gpio")];
        for wanted in ["gpiochip1", "raspberrypi-exp-gpio", "/dev/gpiochip1"] {
            assert_eq!(choose(&chips, Some(wanted)).unwrap().name, "gpiochip1");
        }
        let missing = choose(&chips, Some("gpiochip7")).unwrap_err().to_string();
        assert!(
            missing.starts_with("there is no GPIO chip gpiochip7; there is gpiochip0 (pinctrl-bcm2711), ")
        );
    }

    #[test]
    fn without_a_name_it_is_the_header_or_the_only_one() {
        let pi = [chip(0, "raspberrypi-exp-gpio"), chip(4, "pinctrl-rp1")];
        assert_eq!(choose(&pi, None).unwrap().name, "gpiochip4");
        assert_eq!(choose(&[chip(0, "ftdi-cbus")], None).unwrap().label, "ftdi-cbus");
        let several = choose(&[chip(0, "a"), chip(1, "b")], None).unwrap_err().to_string();
        assert!(several.contains("name one with chip = \"…\": gpiochip0 (a), gpiochip1 (b)"), "{several}");
        assert!(choose(&[], None).unwrap_err().to_string().contains("there is none at all"));
    }
}
