//! GPIO lines as [`Contact`]s and [`Switch`]es, and the chips that a board has.
//!
//! Two backends. On a Raspberry Pi that rppal knows, and whose registers we may touch, rppal has the lines of the header
//! ([`raspberry_pi`]); everywhere else, and for a chip that is named, the kernel's character device ([`character_device`]).
//!
//! Must not be here: what a press means, and what a lamp shows.

mod character_device;
mod raspberry_pi;

use crate::contact::{Contact, ContactError, Switch};
use std::path::PathBuf;
use std::time::Duration;

/// Edges nearer than this are taken out by the kernel already: a wire that picks up noise wakes nobody 20,000 times a second. What is a
/// bounce and what a press is decided in [`crate::press`].
const NOISE: Duration = Duration::from_millis(1);
/// Who has the line, as other programs (`gpioinfo`) see it.
const CONSUMER: &str = "perchd";
/// Whose nodes they are on Raspberry Pi OS, and by our udev rules.
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
    /// Resistor of the chip, for contacts.
    pub bias: Bias,
}

/// Of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Ground.
    Low,
    /// Supply.
    High,
}

/// What holds the line while the contact is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bias {
    /// A resistor outside of the chip.
    None,
    /// To the supply.
    PullUp,
    /// To ground.
    PullDown,
}

/// A chip, as the kernel tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChipReport {
    /// Its node.
    pub path: PathBuf,
    /// `gpiochip0`
    pub name: String,
    /// Of the driver: `pinctrl-bcm2711`.
    pub label: String,
    /// How many it has.
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

/// The chips that we may open, and why not the others.
pub fn chips() -> (Vec<ChipReport>, Vec<ContactError>) {
    character_device::chips()
}

/// The Raspberry Pi whose header rppal drives, as it names it.
pub fn header() -> Option<String> {
    raspberry_pi::model()
}

impl ChipReport {
    /// For people.
    pub fn describe(&self) -> String {
        format!("{} ({})", self.name, self.label)
    }

    fn is(&self, wanted: &str) -> bool {
        wanted == self.name || wanted == self.label || self.path.as_os_str() == wanted
    }

    /// Of a Raspberry Pi's 40 pins.
    fn is_header(&self) -> bool {
        ["pinctrl-bcm2835", "pinctrl-bcm2711", "pinctrl-rp1"].contains(&self.label.as_str())
    }
}

/// Which of the chips is meant.
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
