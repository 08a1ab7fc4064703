//! Every key of `perch.toml`, described once: name, default, accepted values, meaning, and the field that gets its value. The
//! reader, its messages, the names of environment variables and the shipped example are generated from this table.
//!
//! It has more than 500 lines: the order of its keys is that of the example and the manual, so it stays one table.

use super::accept::{self, Accept};
use super::values::{Button, ButtonSource, Config, Lamp, Live, Log};
use perch_device::gpio::{self, Bias};
use perch_site::config::Limits;
use perch_studio::capture::microphones::GAIN_DB;
use perch_studio::config::{
    BITRATE_KBPS, Budget, Camera, EncoderKind, HEIGHT, Ingest, Recording, Relay, SourceKind, WIDTH,
};
use perch_web::config::{Server, Tls, Webhooks};
use std::path::PathBuf;
use toml::de::DeValue;
use tracing::Level;

/// One key of a section `S`.
pub(super) struct Key<S> {
    pub(super) name: &'static str,
    pub(super) preset: Preset,
    pub(super) about: &'static str,
    /// The accepted values, as the rest of "must be …".
    pub(super) accepted: String,
    assign: Assign<S>,
}

/// Reads a value into its field of the section; the error says what would be right.
type Assign<S> = Box<dyn Fn(&mut S, &DeValue<'_>) -> Result<(), String>>;

/// The value of a key that nobody sets, as TOML.
#[derive(Clone, Copy)]
pub(super) enum Preset {
    /// This value.
    Default(&'static str),
    /// No value; this is an example of one.
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

/// A table `[name]` of the file, or each of the tables `[[name]]`.
pub(super) struct Section<S> {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The prefix of its environment variables.
    pub(super) variables: &'static str,
    pub(super) keys: Vec<Key<S>>,
    blank: S,
}

impl<S: Clone + 'static> Section<S> {
    /// The section's values when nobody sets anything.
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
        about: "The site's addresses, folder and connections.",
        variables: "PERCH_",
        blank: Server {
            listen: Vec::new(),
            names: Vec::new(),
            trusted_proxies: Vec::new(),
            metrics_from: Vec::new(),
            data_dir: PathBuf::new(),
            path: String::new(),
            max_connections: 0,
        },
        keys: vec![
            Key::new(
                "listen",
                Is(r#"["[::]:8080"]"#),
                accept::addresses(),
                |s| &mut s.listen,
                "Addresses to listen on, in addition to port 80 if perchd.socket is enabled. [::] means every address of this machine, IPv4 included.",
            ),
            Key::new(
                "names",
                Is("[]"),
                accept::host_names(),
                |s| &mut s.names,
                "Further host names and addresses under which people open Perch, such as a proxy's. The machine's own are known: its name, its name \
                 with .local, its addresses, localhost. Requests for any other host are refused, because another site could have its name \
                 pointed at Perch (DNS rebinding).",
            ),
            Key::new(
                "trusted_proxies",
                Is("[]"),
                accept::networks(),
                |s| &mut s.trusted_proxies,
                "Proxies in front of Perch. Only from these does Perch believe the headers Forwarded and X-Forwarded-For, -Proto and -Host: who \
                 asks, whether over TLS, and for which host. Without them everybody behind a proxy counts as one address.",
            ),
            Key::new(
                "metrics_from",
                Is("[]"),
                accept::networks(),
                |s| &mut s.metrics_from,
                "Who may read /metrics and all of /api/v1/system without the owner's login, such as a Prometheus. Name this machine only if it has no proxy in front of Perch: \
                 a proxy's requests come from this machine, too.",
            ),
            Key::new(
                "data_dir",
                Is(r#""/var/lib/perch""#),
                accept::path(),
                |s| &mut s.data_dir,
                "Folder for everything Perch keeps. Created if it is missing.",
            ),
            Key::new(
                "path",
                Is(r#""/""#),
                accept::site_path(),
                |s| &mut s.path,
                "Path at which browsers find the site, such as /perch if a reverse proxy serves it there. The proxy may keep the path or remove it.",
            ),
            Key::new(
                "max_connections",
                Is("2048"),
                accept::whole(16..=100_000, ""),
                |s| &mut s.max_connections,
                "Maximum number of open connections; further ones are refused.",
            ),
        ],
    }
}

pub(super) fn tls() -> Section<Tls> {
    Section {
        name: "tls",
        about: "HTTPS beside HTTP, with a certificate of yours. Without one Perch can make its own: Settings, HTTPS, on the page.",
        variables: "PERCH_TLS_",
        blank: Tls { listen: Vec::new(), certificate_file: None, key_file: None },
        keys: vec![
            Key::new(
                "listen",
                Is(r#"["[::]:8443"]"#),
                accept::addresses(),
                |s| &mut s.listen,
                "Addresses for HTTPS, in addition to port 443 if perchd-https.socket is enabled. They are open while there is a certificate.",
            ),
            Key::new(
                "certificate_file",
                Unset(r#""/etc/perch/fullchain.pem""#),
                accept::optional_path(),
                |s| &mut s.certificate_file,
                "A file with the certificate (PEM), followed by those that signed it. Renewed files are taken up within seconds.",
            ),
            Key::new(
                "key_file",
                Unset(r#""/etc/perch/key.pem""#),
                accept::optional_path(),
                |s| &mut s.key_file,
                "A file with its private key (PEM), which perchd's group may read: chgrp perch, chmod 640.",
            ),
        ],
    }
}

pub(super) fn live() -> Section<Live> {
    Section {
        name: "live",
        about: "Starting, resuming and segmenting live streams.",
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
                "A stream interrupted by a power cut or a restart goes on if Perch is back within this time. 0: never.",
            ),
            Key::new(
                "segment_seconds",
                Is("2"),
                accept::number(0.5..=10.0, "seconds"),
                |s| &mut s.segment_seconds,
                "Length of a segment. Shorter segments mean less delay for viewers, and more requests.",
            ),
            Key::new(
                "window_seconds",
                Is("60"),
                accept::number(6.0..=600.0, "seconds"),
                |s| &mut s.window_seconds,
                "How far back a viewer can go; at least 3 segments. Kept in memory: 60 s at 2500 kbit/s take 19 MB.",
            ),
        ],
    }
}

pub(super) fn recording() -> Section<Recording> {
    Section {
        name: "recording",
        about: "Where streams are recorded, and which recordings are kept. Whoever goes live chooses whether a stream is recorded.",
        variables: "PERCH_RECORDING_",
        blank: Recording {
            folder: None,
            budget: Budget::Bytes(0),
            keep_free: 0,
            keep_days: 0,
            sync_seconds: 0.0,
        },
        keys: vec![
            Key::new(
                "folder",
                Unset(r#""/mnt/disk/perch""#),
                accept::optional_path(),
                |s| &mut s.folder,
                "Folder for recordings; left out, it is \"recordings\" in server.data_dir. For a disk, make a folder on it for Perch: while that is \
                 missing, so is the disk. The service may write there once it is allowed to: systemctl edit perchd, with \
                 ReadWritePaths=/mnt/disk/perch under [Service].",
            ),
            Key::new(
                "budget",
                Is(r#""80%""#),
                accept::budget(),
                |s| &mut s.budget,
                "What all recordings together may take: a share of what the card has free without them, or a size. Beyond it the oldest that \
                 is not pinned is deleted.",
            ),
            Key::new(
                "keep_free",
                Is(r#""500 MB""#),
                accept::bytes(),
                |s| &mut s.keep_free,
                "Room on the card that recordings leave free, whatever the budget.",
            ),
            Key::new(
                "keep_days",
                Is("0"),
                accept::whole(0..=36_500, "days"),
                |s| &mut s.keep_days,
                "Recordings older than this are deleted, unless they are pinned. 0: never.",
            ),
            Key::new(
                "sync_seconds",
                Is("2"),
                accept::number(0.5..=60.0, "seconds"),
                |s| &mut s.sync_seconds,
                "How often what is recorded is put on the card for good. A power cut costs that much of a recording, and a second more. Longer \
                 wears the card less.",
            ),
        ],
    }
}

const LEVELS: &[(&str, gpio::Level)] = &[("low", gpio::Level::Low), ("high", gpio::Level::High)];
const CHIP: &str = "GPIO chip of the line. Default: the board's header. perchd probe lists the chips.";

pub(super) fn button() -> Section<Button> {
    Section {
        name: "button",
        about: "A button on the board, or a pedal: a short press starts or stops the stream, a long one switches the board off.",
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
                "A button on a GPIO line, a key of a keyboard or foot pedal, or none.",
            ),
            Key::new("chip", Unset(r#""gpiochip0""#), accept::optional_chip(), |s| &mut s.chip, CHIP),
            Key::new(
                "line",
                Is("3"),
                accept::whole(0..=1023, ""),
                |s| &mut s.line,
                "Number of the line; on a Raspberry Pi's header, the GPIO (BCM) number. A button between GPIO 3 (pin 5) and ground \
                 (pin 6) also switches a Raspberry Pi on again, but the I2C bus uses GPIO 3, too.",
            ),
            Key::new(
                "active",
                Is(r#""low""#),
                accept::one_of(LEVELS),
                |s| &mut s.active,
                "Level of the line while the button is pressed: low for a button between the line and ground.",
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
                "The chip's internal resistor, which holds the line while the button is not pressed.",
            ),
            Key::new(
                "input",
                Unset(r#""/dev/input/by-id/usb-PCsensor_FootSwitch-event-kbd""#),
                accept::optional_path(),
                |s| &mut s.input,
                "For source = \"key\": the keyboard or pedal. The service may read it only after systemctl edit \
                 perchd, with DeviceAllow=char-input r and SupplementaryGroups=input under [Service].",
            ),
            Key::new(
                "key",
                Is(r#""KEY_B""#),
                accept::key(),
                |s| &mut s.key,
                "The key that serves as the button.",
            ),
            Key::new(
                "debounce_milliseconds",
                Is("20"),
                accept::whole(1..=500, "ms"),
                |s| &mut s.debounce_milliseconds,
                "A change counts once the contact has been stable for this time.",
            ),
            Key::new(
                "long_press_seconds",
                Is("5"),
                accept::whole(0..=30, "seconds"),
                |s| &mut s.long_press_seconds,
                "Holding the button this long switches the board off. 0: never.",
            ),
        ],
    }
}

pub(super) fn lamp() -> Section<Lamp> {
    Section {
        name: "lamp",
        about: "A lamp on a GPIO line. On: live. Slow blinking: starting, or waiting for the camera. Fast: a fault, which the page \
                explains. Double blinks: the card is nearly full.",
        variables: "PERCH_LAMP_",
        blank: Lamp { enabled: false, chip: None, line: 0, active: gpio::Level::High },
        keys: vec![
            Key::new(
                "enabled",
                Is("false"),
                accept::flag(),
                |s| &mut s.enabled,
                "Whether a lamp is connected.",
            ),
            Key::new("chip", Unset(r#""gpiochip0""#), accept::optional_chip(), |s| &mut s.chip, CHIP),
            Key::new(
                "line",
                Is("17"),
                accept::whole(0..=1023, ""),
                |s| &mut s.line,
                "Number of the line, as for the button. A light-emitting diode needs a series resistor (330 ohms).",
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

pub(super) fn webhooks() -> Section<Webhooks> {
    Section {
        name: "webhooks",
        about: "Webhooks tell other programs what happens here. Owners set them up on the page.",
        variables: "PERCH_WEBHOOKS_",
        blank: Webhooks::default(),
        keys: vec![
            Key::new(
                "local_addresses",
                Is("false"),
                accept::flag(),
                |s| &mut s.local_addresses,
                "Whether webhooks may reach this machine itself and link-local addresses, which other programs may trust.",
            ),
            Key::new(
                "ca_file",
                Unset(r#""/etc/perch/authority.pem""#),
                accept::optional_path(),
                |s| &mut s.ca_file,
                "For https://: a file of certificates (PEM), by one of which the receiver's is signed; default: the authorities that the system trusts.",
            ),
        ],
    }
}

pub(super) fn limits() -> Section<Limits> {
    Section {
        name: "limits",
        about: "Rate limits for each person. Segments of the stream are not counted.",
        variables: "PERCH_LIMITS_",
        blank: Limits { requests_per_second: 0, writes_per_second: 0, registrations_per_hour: 0 },
        keys: vec![
            Key::new(
                "requests_per_second",
                Is("50"),
                accept::whole(1..=1_000_000, "requests"),
                |s| &mut s.requests_per_second,
                "Requests of one login, or of one address without a login; a burst may be five times as many.",
            ),
            Key::new(
                "writes_per_second",
                Is("10"),
                accept::whole(1..=1_000_000, "requests"),
                |s| &mut s.writes_per_second,
                "Requests that change something; they also count above.",
            ),
            Key::new(
                "registrations_per_hour",
                Is("60"),
                accept::whole(1..=1_000_000, "accounts"),
                |s| &mut s.registrations_per_hour,
                "New accounts from one address; accounts that the owner creates are not counted.",
            ),
        ],
    }
}

pub(super) fn log() -> Section<Log> {
    Section {
        name: "log",
        about: "Log messages, written to the journal, or to standard error without a journal.",
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
            "Least severe level that is written. PERCH_LOG or RUST_LOG, such as info,perch_studio::hls=debug, override it.",
        )],
    }
}

pub(super) fn camera() -> Section<Camera> {
    let mut keys: Vec<Key<Camera>> = vec![
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
            "Source of the pictures. auto takes the first camera that `perchd probe` finds, else the test pattern.",
        ),
        Key::new(
            "device",
            Unset(r#""/dev/v4l/by-id/usb-046d_HD_Pro_Webcam_C920-video-index0""#),
            accept::optional_path(),
            |s| &mut s.device,
            "The camera, for auto and v4l2. A link in /dev/v4l/by-id stays the same when the camera is plugged in elsewhere.",
        ),
        Key::new(
            "command",
            Unset(r#"["rpicam-vid", "--codec", "h264", "--inline", "-t", "0", "-o", "-"]"#),
            accept::command(),
            |s| &mut s.command,
            "For source = \"command\": a program that writes H.264 to its standard output: as MPEG-TS, whose timestamps and AAC sound are kept, or as Annex B. It is run \
                 without a shell.",
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
            "The encoder. auto: H.264 from the camera itself, else the board's encoder, else software.",
        ),
        Key::new("width", Is("1280"), accept::pixels(WIDTH), |s| &mut s.width, "Width of the picture."),
        Key::new("height", Is("720"), accept::pixels(HEIGHT), |s| &mut s.height, "Height of the picture."),
        Key::new(
            "frames_per_second",
            Is("30"),
            accept::number(1.0..=120.0, ""),
            |s| &mut s.frames_per_second,
            "Frame rate to request.",
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
            "Time between key frames; live.segment_seconds is used instead if it is shorter.",
        ),
    ];
    keys.extend(sound_of_camera());
    keys.push(Key::new(
        "relays",
        Is("[]"),
        accept::names("youtube"),
        |s| &mut s.relays,
        "Names of the relays that its streams are sent on to, unless whoever goes live chooses others.",
    ));
    Section {
        name: "camera",
        about: "A camera; repeat the table for each further one.",
        variables: "PERCH_CAMERA_",
        blank: Camera::default(),
        keys,
    }
}

fn sound_of_camera() -> Vec<Key<Camera>> {
    vec![
        Key::new(
            "tone",
            Is("false"),
            accept::flag(),
            |s| &mut s.tone,
            "The test pattern beeps and flashes at the beginning of each second, to see whether sound and picture are in step. With a named microphone its sound is taken instead of the beep. Without effect on cameras.",
        ),
        Key::new(
            "microphone",
            Is(r#""auto""#),
            accept::microphone(),
            |s| &mut s.microphone,
            "The microphone. auto takes the one that is built into the USB camera, if it has one; its sound is streamed as long as it is not muted, here or on \
                 the page. `perchd probe` lists the others. A command that writes MPEG-TS brings its own sound.",
        ),
        Key::new(
            "microphone_muted",
            Is("false"),
            accept::flag(),
            |s| &mut s.microphone_muted,
            "Silence instead of the microphone's sound, until somebody switches it on on the page.",
        ),
        Key::new(
            "microphone_gain_db",
            Is("0"),
            accept::whole(GAIN_DB, "dB"),
            |s| &mut s.microphone_gain_db,
            "Makes the microphone louder or softer, until somebody sets it on the page.",
        ),
    ]
}

pub(super) fn ingest() -> Section<Ingest> {
    Section {
        name: "ingest",
        about: "Streams that other programs send by RTMP: OBS, ffmpeg, a phone. Each account that may go live has a stream key, on its page.",
        variables: "PERCH_INGEST_",
        blank: Ingest {
            enabled: false,
            listen: Vec::new(),
            listen_tls: Vec::new(),
            max_streams: 0,
            max_bitrate_kbps: 0,
        },
        keys: vec![
            Key::new(
                "enabled",
                Is("false"),
                accept::flag(),
                |s| &mut s.enabled,
                "Programs may send streams. What the owner sets on the page goes before this.",
            ),
            Key::new(
                "listen",
                Is(r#"["[::]:1935"]"#),
                accept::addresses(),
                |s| &mut s.listen,
                "Addresses to listen on while it is enabled. [::] means every address of this machine, IPv4 included. A firewall has to let the port through.",
            ),
            Key::new(
                "listen_tls",
                Is(r#"["[::]:1936"]"#),
                accept::addresses(),
                |s| &mut s.listen_tls,
                "Addresses for RTMP over TLS (rtmps://), with the certificate of HTTPS, while there is one.",
            ),
            Key::new(
                "max_streams",
                Is("8"),
                accept::whole(1..=100, "streams"),
                |s| &mut s.max_streams,
                "Streams from programs at once. The memory may allow fewer.",
            ),
            Key::new(
                "max_bitrate_kbps",
                Is("10000"),
                accept::whole(100..=100_000, "kbit/s"),
                |s| &mut s.max_bitrate_kbps,
                "Highest bitrate of a stream, picture and sound together; a program that sends more is refused.",
            ),
        ],
    }
}

pub(super) fn relay() -> Section<Relay> {
    Section {
        name: "relay",
        about: "An RTMP server that streams are sent on to, such as YouTube or Twitch; repeat the table for each further one.",
        variables: "PERCH_RELAY_",
        blank: Relay::default(),
        keys: vec![
            Key::new(
                "name",
                Unset(r#""youtube""#),
                accept::name(),
                |s| &mut s.name,
                "Name on the page, in the log and in metrics. Each relay needs one.",
            ),
            Key::new(
                "url",
                Unset(r#""rtmp://a.rtmp.youtube.com/live2""#),
                accept::rtmp_url(),
                |s| &mut s.url,
                "Address of the server and its application. Without a key and a key_file, its last part is the stream key.",
            ),
            Key::new(
                "key",
                Unset(r#""abcd-efgh-ijkl""#),
                accept::stream_key(),
                |s| &mut s.key,
                "The stream key, as the service shows it. It is never shown or logged.",
            ),
            Key::new(
                "key_file",
                Unset(r#""/etc/perch/youtube.key""#),
                accept::optional_path(),
                |s| &mut s.key_file,
                "A file with the stream key in its first line, instead of key. It is read for each connection.",
            ),
            Key::new(
                "ca_file",
                Unset(r#""/etc/perch/authority.pem""#),
                accept::optional_path(),
                |s| &mut s.ca_file,
                "For rtmps://: a file of certificates (PEM), by one of which the server's is signed; default: the authorities that the system trusts.",
            ),
        ],
    }
}

impl Default for Config {
    /// The values of an empty file.
    fn default() -> Self {
        Self {
            server: server().defaults(),
            tls: tls().defaults(),
            live: Live::default(),
            recording: recording().defaults(),
            ingest: ingest().defaults(),
            button: Button::default(),
            lamp: Lamp::default(),
            limits: limits().defaults(),
            webhooks: webhooks().defaults(),
            log: Log::default(),
            cameras: vec![camera().defaults()],
            relays: Vec::new(),
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
    fn recordings_are_kept_by_default_as_in_the_studios_tests() {
        assert_eq!(recording().defaults(), Recording::default());
    }

    #[test]
    fn ingest_is_off_by_default_as_in_the_studios_tests() {
        assert_eq!(ingest().defaults(), Ingest::default());
    }

    #[test]
    fn the_default_camera_is_the_studios() {
        // The studio's tests use its own default, so it must equal perchd's.
        assert_eq!(camera().defaults(), Camera::default());
        let unset =
            Camera { name: String::new(), width: 64, height: 64, bitrate_kbps: 100, ..Camera::default() };
        let blank = Camera { frames_per_second: 1.0, keyframe_interval_seconds: 0.5, ..unset };
        assert_eq!(Section { blank, ..camera() }.defaults(), Camera::default());
    }
}
