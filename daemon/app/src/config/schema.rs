//! Every key of `perch.toml`, described once: name, default, what it accepts, what it is for, and where its value goes.
//! The reader, its messages, the environment's names and the shipped example are all made from this table.

use super::accept::{self, Accept};
use super::values::{Button, ButtonSource, Config, Lamp, Live, Log};
use perch_device::gpio::{self, Bias};
use perch_site::config::Limits;
use perch_studio::config::{BITRATE_KBPS, Camera, EncoderKind, HEIGHT, SourceKind, WIDTH};
use perch_web::config::Server;
use std::path::PathBuf;
use toml::de::DeValue;
use tracing::Level;

/// One key of a section `S`.
pub(super) struct Key<S> {
    pub(super) name: &'static str,
    pub(super) preset: Preset,
    pub(super) about: &'static str,
    /// "must be …"
    pub(super) accepted: String,
    assign: Assign<S>,
}

/// Reads a value into its field of the section, or says what would be right.
type Assign<S> = Box<dyn Fn(&mut S, &DeValue<'_>) -> Result<(), String>>;

/// What stands for a key when nobody sets it, as TOML.
#[derive(Clone, Copy)]
pub(super) enum Preset {
    /// This value.
    Default(&'static str),
    /// Nothing; this would be a possible value.
    Unset(&'static str),
}

impl<S: 'static> Key<S> {
    fn new<V: 'static>(
        name: &'static str,
        preset: Preset,
        accept: Accept<V>,
        field: fn(&mut S) -> &mut V,
        about: &'static str,
    ) -> Self {
        Self {
            name,
            preset,
            about,
            accepted: accept.words.clone(),
            assign: Box::new(move |section, value| {
                *field(section) = accept.read(value)?;
                Ok(())
            }),
        }
    }

    pub(super) fn assign(&self, section: &mut S, value: &DeValue<'_>) -> Result<(), String> {
        (self.assign)(section, value)
    }
}

/// A table of the file, `[name]`, or each of the tables `[[name]]`.
pub(super) struct Section<S> {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// What its environment variables begin with.
    pub(super) variables: &'static str,
    pub(super) keys: Vec<Key<S>>,
    blank: S,
}

impl<S: Clone + 'static> Section<S> {
    /// The section as it is when nobody sets anything.
    pub(super) fn defaults(&self) -> S {
        let mut section = self.blank.clone();
        for key in &self.keys {
            if let Preset::Default(toml) = key.preset {
                let value = DeValue::parse(toml).expect("the schema's defaults are TOML");
                key.assign(&mut section, value.get_ref()).expect("the schema accepts its own defaults");
            }
        }
        section
    }
}

use Preset::{Default as Is, Unset};

pub(super) fn server() -> Section<Server> {
    Section {
        name: "server",
        about: "Where the site is.",
        variables: "PERCH_",
        blank: Server { listen: Vec::new(), data_dir: PathBuf::new(), max_connections: 0 },
        keys: vec![
            Key::new(
                "listen",
                Is(r#"["[::]:8080"]"#),
                accept::addresses(),
                |s| &mut s.listen,
                "Addresses to listen on, beside port 80 where perchd.socket has it. [::] is every address of this machine, IPv4 included.",
            ),
            Key::new(
                "data_dir",
                Is(r#""/var/lib/perch""#),
                accept::path(),
                |s| &mut s.data_dir,
                "Folder for everything Perch keeps. Made when it is missing.",
            ),
            Key::new(
                "max_connections",
                Is("2048"),
                accept::whole(16..=100_000, ""),
                |s| &mut s.max_connections,
                "Open connections at most; further ones are refused.",
            ),
        ],
    }
}

pub(super) fn live() -> Section<Live> {
    Section {
        name: "live",
        about: "How the live stream is cut into segments.",
        variables: "PERCH_LIVE_",
        blank: Live { autostart: false, resume_seconds: 0, segment_seconds: 0.0, window_seconds: 0.0 },
        keys: vec![
            Key::new(
                "autostart",
                Is("false"),
                accept::flag(),
                |s| &mut s.autostart,
                "Go live when the daemon starts.",
            ),
            Key::new(
                "resume_seconds",
                Is("600"),
                accept::whole(0..=86_400, "seconds"),
                |s| &mut s.resume_seconds,
                "A stream that a power cut or a restart ended no longer ago than this goes on when Perch is back. 0: never.",
            ),
            Key::new(
                "segment_seconds",
                Is("2"),
                accept::number(0.5..=10.0, "seconds"),
                |s| &mut s.segment_seconds,
                "Length of a segment. Shorter is less delay for viewers, and more requests.",
            ),
            Key::new(
                "window_seconds",
                Is("60"),
                accept::number(6.0..=600.0, "seconds"),
                |s| &mut s.window_seconds,
                "How far back a viewer can go. Kept in memory: 60 s at 2500 kbit/s are 19 MB. At least 3 segments.",
            ),
        ],
    }
}

const LEVELS: &[(&str, gpio::Level)] = &[("low", gpio::Level::Low), ("high", gpio::Level::High)];
const CHIP: &str = "GPIO chip of the line; left out, it is the board's header. perchd probe lists the chips.";

pub(super) fn button() -> Section<Button> {
    Section {
        name: "button",
        about: "A button on the board, or a pedal: a short press goes live or ends what is live, a long one switches the board off.",
        variables: "PERCH_BUTTON_",
        blank: Button {
            source: ButtonSource::Off,
            chip: None,
            line: 0,
            active: gpio::Level::Low,
            bias: Bias::None,
            input: None,
            key: perch_device::key::Key::from_name("KEY_B").expect("the kernel has it"),
            debounce_milliseconds: 0,
            long_press_seconds: 0,
        },
        keys: vec![
            Key::new(
                "source",
                Is(r#""off""#),
                accept::one_of(&[
                    ("off", ButtonSource::Off),
                    ("gpio", ButtonSource::Gpio),
                    ("key", ButtonSource::Key),
                ]),
                |s| &mut s.source,
                "What it is: a button at a GPIO line, or a key of a keyboard or a foot pedal.",
            ),
            Key::new("chip", Unset(r#""gpiochip0""#), accept::optional_chip(), |s| &mut s.chip, CHIP),
            Key::new(
                "line",
                Is("3"),
                accept::whole(0..=1023, ""),
                |s| &mut s.line,
                "Number of the line; on a Raspberry Pi's header the GPIO (BCM) number. A button between GPIO 3 (pin 5) and ground \
                 (pin 6) also switches a Raspberry Pi on again; it is one of the I2C bus, if that is used.",
            ),
            Key::new(
                "active",
                Is(r#""low""#),
                accept::one_of(LEVELS),
                |s| &mut s.active,
                "Level of the line while the button is pressed: low for one between the line and ground.",
            ),
            Key::new(
                "bias",
                Is(r#""pull-up""#),
                accept::one_of(&[
                    ("pull-up", Bias::PullUp),
                    ("pull-down", Bias::PullDown),
                    ("none", Bias::None),
                ]),
                |s| &mut s.bias,
                "Resistor inside the chip that holds the line while nobody presses.",
            ),
            Key::new(
                "input",
                Unset(r#""/dev/input/by-id/usb-PCsensor_FootSwitch-event-kbd""#),
                accept::optional_path(),
                |s| &mut s.input,
                "For source = \"key\": the keyboard or pedal. The service may not read any until it is allowed to: systemctl edit \
                 perchd, with DeviceAllow=char-input r and SupplementaryGroups=input under [Service].",
            ),
            Key::new("key", Is(r#""KEY_B""#), accept::key(), |s| &mut s.key, "Which of its keys."),
            Key::new(
                "debounce_milliseconds",
                Is("20"),
                accept::whole(1..=500, "ms"),
                |s| &mut s.debounce_milliseconds,
                "A contact counts once it has been still for so long.",
            ),
            Key::new(
                "long_press_seconds",
                Is("5"),
                accept::whole(0..=30, "seconds"),
                |s| &mut s.long_press_seconds,
                "Held so long, the button switches the board off. 0: never.",
            ),
        ],
    }
}

pub(super) fn lamp() -> Section<Lamp> {
    Section {
        name: "lamp",
        about: "A lamp at a GPIO line. On: live. Slow blinking: starting, or waiting for the camera. Fast: a fault, which the page \
                explains. Double: the card is nearly full.",
        variables: "PERCH_LAMP_",
        blank: Lamp { enabled: false, chip: None, line: 0, active: gpio::Level::High },
        keys: vec![
            Key::new("enabled", Is("false"), accept::flag(), |s| &mut s.enabled, "Whether there is one."),
            Key::new("chip", Unset(r#""gpiochip0""#), accept::optional_chip(), |s| &mut s.chip, CHIP),
            Key::new(
                "line",
                Is("17"),
                accept::whole(0..=1023, ""),
                |s| &mut s.line,
                "Number of the line, as the button's. A light-emitting diode needs a resistor (330 ohms) in its way to ground.",
            ),
            Key::new(
                "active",
                Is(r#""high""#),
                accept::one_of(LEVELS),
                |s| &mut s.active,
                "Level of the line while the lamp is lit.",
            ),
        ],
    }
}

pub(super) fn limits() -> Section<Limits> {
    Section {
        name: "limits",
        about: "How much one person may ask of the site. Segments of the stream are not counted.",
        variables: "PERCH_LIMITS_",
        blank: Limits { requests_per_second: 0, writes_per_second: 0, registrations_per_hour: 0 },
        keys: vec![
            Key::new(
                "requests_per_second",
                Is("50"),
                accept::whole(1..=1_000_000, "requests"),
                |s| &mut s.requests_per_second,
                "Requests of one login, or of one address that is not logged in; five times as many at once.",
            ),
            Key::new(
                "writes_per_second",
                Is("10"),
                accept::whole(1..=1_000_000, "requests"),
                |s| &mut s.writes_per_second,
                "Those of them that change something.",
            ),
            Key::new(
                "registrations_per_hour",
                Is("60"),
                accept::whole(1..=1_000_000, "accounts"),
                |s| &mut s.registrations_per_hour,
                "New accounts from one address; those that the owner makes are not counted.",
            ),
        ],
    }
}

pub(super) fn log() -> Section<Log> {
    Section {
        name: "log",
        about: "What is written to the journal, or to standard error where there is no journal.",
        variables: "PERCH_LOG_",
        blank: Log { level: Level::INFO },
        keys: vec![Key::new(
            "level",
            Is(r#""info""#),
            accept::one_of(&[
                ("error", Level::ERROR),
                ("warn", Level::WARN),
                ("info", Level::INFO),
                ("debug", Level::DEBUG),
                ("trace", Level::TRACE),
            ]),
            |s| &mut s.level,
            "Least severe messages that are still written. PERCH_LOG or RUST_LOG, such as info,perch_studio::hls=debug, go before it.",
        )],
    }
}

pub(super) fn camera() -> Section<Camera> {
    Section {
        name: "camera",
        about: "A camera; give the table again for each further one.",
        variables: "PERCH_CAMERA_",
        blank: Camera::default(),
        keys: vec![
            Key::new(
                "name",
                Is(r#""front""#),
                accept::name(),
                |s| &mut s.name,
                "Name on the page, in the log and in metrics.",
            ),
            Key::new(
                "source",
                Is(r#""auto""#),
                accept::one_of(&[
                    ("auto", SourceKind::Auto),
                    ("v4l2", SourceKind::V4l2),
                    ("command", SourceKind::Command),
                    ("test-pattern", SourceKind::TestPattern),
                ]),
                |s| &mut s.source,
                "Where pictures come from. auto takes the first camera that `perchd probe` finds, else the test pattern.",
            ),
            Key::new(
                "device",
                Unset(r#""/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0""#),
                accept::optional_path(),
                |s| &mut s.device,
                "Which camera, for auto and v4l2. A link in /dev/v4l/by-id stays the same when the camera is plugged in elsewhere.",
            ),
            Key::new(
                "command",
                Unset(r#"["rpicam-vid", "--codec", "h264", "--inline", "-t", "0", "-o", "-"]"#),
                accept::command(),
                |s| &mut s.command,
                "For source = \"command\": a program that writes H.264 to its standard output, as MPEG-TS, whose times are kept, or bare (Annex B). No shell reads \
                 it.",
            ),
            Key::new(
                "encoder",
                Is(r#""auto""#),
                accept::one_of(&[
                    ("auto", EncoderKind::Auto),
                    ("v4l2-m2m", EncoderKind::V4l2M2m),
                    ("software", EncoderKind::Software),
                    ("none", EncoderKind::None),
                ]),
                |s| &mut s.encoder,
                "What codes them. auto: H.264 from the camera itself, else the board's encoder, else software.",
            ),
            Key::new("width", Is("1280"), accept::pixels(WIDTH), |s| &mut s.width, "Size of the picture."),
            Key::new("height", Is("720"), accept::pixels(HEIGHT), |s| &mut s.height, "Size of the picture."),
            Key::new(
                "frames_per_second",
                Is("30"),
                accept::number(1.0..=120.0, ""),
                |s| &mut s.frames_per_second,
                "Frame rate to ask for.",
            ),
            Key::new(
                "bitrate_kbps",
                Is("2500"),
                accept::whole(BITRATE_KBPS, "kbit/s"),
                |s| &mut s.bitrate_kbps,
                "Bit rate of the coded picture, in 1000 bit/s.",
            ),
            Key::new(
                "keyframe_interval_seconds",
                Is("2"),
                accept::number(0.5..=10.0, "seconds"),
                |s| &mut s.keyframe_interval_seconds,
                "Time from key frame to key frame. live.segment_seconds goes before it where that is shorter.",
            ),
        ],
    }
}

impl Default for Config {
    /// What an empty file gives.
    fn default() -> Self {
        Self {
            server: server().defaults(),
            live: Live::default(),
            button: Button::default(),
            lamp: Lamp::default(),
            limits: limits().defaults(),
            log: Log::default(),
            cameras: vec![camera().defaults()],
        }
    }
}

impl Default for Live {
    fn default() -> Self {
        live().defaults()
    }
}

impl Default for Button {
    fn default() -> Self {
        button().defaults()
    }
}

impl Default for Lamp {
    fn default() -> Self {
        lamp().defaults()
    }
}

impl Default for Log {
    fn default() -> Self {
        log().defaults()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_camera_is_the_studios() {
        // The studio's tests run with its own default: it has to be what perchd runs with.
        assert_eq!(camera().defaults(), Camera::default());
        let unset =
            Camera { name: String::new(), width: 64, height: 64, bitrate_kbps: 100, ..Camera::default() };
        let blank = Camera { frames_per_second: 1.0, keyframe_interval_seconds: 0.5, ..unset };
        assert_eq!(Section { blank, ..camera() }.defaults(), Camera::default());
    }
}
