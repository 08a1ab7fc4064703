//! Lines of any chip by the kernel's character device (`Documentation/userspace-api/gpio/chardev.rst`, uAPI v2), through gpiocdev.

use super::{Bias, CONSUMER, ChipReport, GROUP, Level, NOISE, Wiring, choose};
use crate::contact::{Change, Contact, ContactError, Switch, is_readable};
use gpiocdev::line::{self, EdgeDetection, EdgeKind, EventClock, Value};
use gpiocdev::{Chip, Request};
use std::os::fd::AsFd as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// More chips than any board has.
const MOST_CHIPS: usize = 64;

/// A line that is requested until it is dropped.
pub(super) struct Line {
    request: Request,
    offset: u32,
    name: String,
}

impl Line {
    pub(super) fn contact(wiring: &Wiring) -> Result<Self, ContactError> {
        let bias = match wiring.bias {
            Bias::None => line::Bias::Disabled,
            Bias::PullUp => line::Bias::PullUp,
            Bias::PullDown => line::Bias::PullDown,
        };
        let mut config = gpiocdev::request::Config::default();
        config
            .with_line(wiring.line)
            .as_input()
            .with_bias(bias)
            .with_edge_detection(EdgeDetection::BothEdges)
            .with_event_clock(EventClock::Monotonic)
            .with_debounce_period(NOISE);
        Self::request(wiring, config)
    }

    pub(super) fn switch(wiring: &Wiring) -> Result<Self, ContactError> {
        let mut config = gpiocdev::request::Config::default();
        config.with_line(wiring.line).as_output(Value::Inactive);
        Self::request(wiring, config)
    }

    fn request(wiring: &Wiring, mut config: gpiocdev::request::Config) -> Result<Self, ContactError> {
        let (chips, mut refused) = chips();
        let chip = match choose(&chips, wiring.chip.as_deref()) {
            Ok(chip) => chip,
            // If no chip could be opened, this is the reason.
            Err(_) if chips.is_empty() && !refused.is_empty() => return Err(refused.swap_remove(0)),
            Err(error) => return Err(error),
        };
        if wiring.line >= chip.lines {
            let (line, lines) = (wiring.line, chip.lines);
            return Err(ContactError::NoLine { chip: chip.describe(), line, lines });
        }
        match wiring.active {
            Level::Low => config.as_active_low(),
            Level::High => config.as_active_high(),
        };
        let request = Request::from_config(config).on_chip(&chip.path).with_consumer(CONSUMER).request();
        let request = request.map_err(|error| match user_of(&chip.path, wiring.line) {
            Some(by) => ContactError::Taken { chip: chip.describe(), line: wiring.line, by },
            None => ContactError::failed(&chip.describe(), "taking the line", &error),
        })?;
        let name = format!("line {} of {}", wiring.line, chip.describe());
        Ok(Self { request, offset: wiring.line, name })
    }

    fn failed(&self, operation: &'static str) -> impl FnOnce(gpiocdev::Error) -> ContactError {
        move |error| ContactError::failed(&self.name, operation, &error)
    }
}

impl Contact for Line {
    fn wait(&mut self, at_most: Duration) -> Result<Option<Change>, ContactError> {
        const WAITING: &str = "waiting for the button";
        if !is_readable(self.request.as_fd(), at_most) {
            return Ok(None);
        }
        let event = self.request.read_edge_event().map_err(self.failed(WAITING))?;
        // Rising is from inactive to active: the kernel knows the active level.
        let closed = event.kind == EdgeKind::Rising;
        Ok(Some(Change { closed, at: Duration::from_nanos(event.timestamp_ns) }))
    }

    fn is_closed(&mut self) -> Result<bool, ContactError> {
        let value = self.request.value(self.offset).map_err(self.failed("reading the button"))?;
        Ok(value == Value::Active)
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

impl Switch for Line {
    fn set(&mut self, on: bool) -> Result<(), ContactError> {
        let value = if on { Value::Active } else { Value::Inactive };
        self.request.set_value(self.offset, value).map(drop).map_err(self.failed("switching it"))
    }

    fn describe(&self) -> String {
        self.name.clone()
    }
}

pub(super) fn chips() -> (Vec<ChipReport>, Vec<ContactError>) {
    let (mut chips, mut refused) = (Vec::new(), Vec::new());
    for path in nodes() {
        // Opened here first, because this returns the kernel's error number.
        if let Err(error) = std::fs::File::open(&path) {
            refused.push(ContactError::opening(&path, GROUP, &error));
            continue;
        }
        match Chip::from_path(&path).and_then(|chip| chip.info()) {
            Ok(info) => {
                chips.push(ChipReport { path, name: info.name, label: info.label, lines: info.num_lines });
            }
            Err(error) => refused.push(ContactError::failed(&path.display(), "asking it", &error)),
        }
    }
    (chips, refused)
}

/// All `/dev/gpiochipN`, in the order of their numbers.
fn nodes() -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir("/dev") else { return Vec::new() };
    let mut nodes: Vec<_> = entries
        .flatten()
        .filter_map(|entry| {
            let number = entry.file_name().to_str()?.strip_prefix("gpiochip")?.parse::<u32>().ok()?;
            // Chips that were renumbered keep their old names as links.
            (!entry.file_type().ok()?.is_symlink()).then(|| (number, entry.path()))
        })
        .collect();
    nodes.sort();
    nodes.into_iter().take(MOST_CHIPS).map(|(_, path)| path).collect()
}

/// ` by NAME` when the line is in use, empty when its user gave no name; `None` when it is free.
fn user_of(chip: &Path, line: u32) -> Option<String> {
    let info = Chip::from_path(chip).ok()?.line_info(line).ok()?;
    let name = info.consumer;
    info.used.then(|| if name.is_empty() { name } else { format!(" by {name}") })
}
