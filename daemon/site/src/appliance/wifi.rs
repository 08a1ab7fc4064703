//! The board's Wi-Fi, if Perch manages it: on the card image. Its `perch-wifi.service` does everything with the radio and reports
//! in a folder of its own; systemd passes on a choice that perchd writes into its runtime directory. perchd itself changes no
//! network.

pub(crate) mod scan;

pub use scan::Network;

use crate::accounts::secret::Password;
use perch_studio::clock::Clock;
use std::fmt::{self, Write as _};
use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Name of the file with a choice in perchd's runtime directory; `perch-wifi-choice.path` watches for it.
const CHOICE: &str = "wifi-choice";
/// How long a report stays valid, since every request may read it.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Bytes of a network's name at most (IEEE 802.11, 9.4.2.2).
const NAME_BYTES: usize = 32;

/// The state of the Wi-Fi.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WifiState {
    /// It is an access point, for choosing a network.
    AccessPoint {
        /// Its name.
        name: String,
        /// Its own address there, in a /24 network.
        address: Ipv4Addr,
    },
    /// It tries to join a network.
    Joining(String),
    /// It is in a network.
    Joined(String),
    /// No network is known, and none is needed: there is a cable.
    Idle,
}

/// Why a network could not be joined.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The network refused us, mostly because of the password.
    Refused(String),
    /// No network with this name was found.
    Missing(String),
    /// The network exists, but the connection failed.
    Silent(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(name) => write!(f, "“{name}” refused the password"),
            Self::Missing(name) => write!(f, "“{name}” could not be found: is it switched on and near?"),
            Self::Silent(name) => write!(f, "“{name}” did not answer: is Perch too far away from it?"),
        }
    }
}

/// A report of `perch-wifi.service`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The present state.
    pub state: WifiState,
    /// The last failure.
    pub failure: Option<Failure>,
}

/// A chosen network, with valid values.
#[derive(Debug)]
pub struct Choice {
    name: String,
    password: Option<Password>,
    country: Option<String>,
}

/// An invalid choice: the field, and why.
pub type WrongChoice = (&'static str, &'static str);

impl Choice {
    /// Checks the values, as `perch-wifi.service` does again.
    pub fn new(
        name: String,
        password: Option<Password>,
        country: Option<String>,
    ) -> Result<Self, WrongChoice> {
        if name.is_empty() || name.len() > NAME_BYTES || name.contains('\0') {
            return Err(("ssid", "must be a network's name, of 1 to 32 bytes"));
        }
        let password = password.filter(|password| !password.expose().is_empty());
        if let Some(password) = &password {
            let text = password.expose();
            if !(8..=63).contains(&text.len()) || !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
                return Err((
                    "password",
                    "must be a Wi-Fi password: 8 to 63 letters, digits and signs without accents",
                ));
            }
        }
        let is_country =
            |text: &String| text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
        if country.as_ref().is_some_and(|country| !is_country(country)) {
            return Err(("country", "must be two capitals, such as CH"));
        }
        Ok(Self { name, password, country })
    }

    /// The choice as `perch-wifi.service` reads it: the name in hexadecimal digits, the rest in characters without a
    /// special meaning there.
    fn lines(&self) -> String {
        let mut lines = format!("name {}\n", to_hex(&self.name));
        if let Some(password) = &self.password {
            lines.extend(["password ", password.expose(), "\n"]);
        }
        if let Some(country) = &self.country {
            lines.extend(["country ", country, "\n"]);
        }
        lines
    }
}

/// The interface to the machine's Wi-Fi.
pub struct Wifi {
    reports: PathBuf,
    choices: PathBuf,
    clock: Arc<dyn Clock>,
    last: Mutex<Option<(Duration, Option<Report>)>>,
}

impl Wifi {
    /// `None` unless systemd runs us (`RUNTIME_DIRECTORY`) on a machine whose Wi-Fi Perch manages.
    pub fn new(runtime_directories: Option<&str>, clock: Arc<dyn Clock>) -> Option<Self> {
        let first = runtime_directories?.split(':').next().filter(|path| path.starts_with('/'))?;
        let reports = PathBuf::from(format!("{first}-wifi"));
        reports.is_dir().then(|| Self {
            reports,
            choices: PathBuf::from(first),
            clock,
            last: Mutex::default(),
        })
    }

    /// The report; `None` without a radio.
    pub fn report(&self) -> Option<Report> {
        let mut last = self.last.lock().expect("nothing panics while it holds the lock");
        let now = self.clock.monotonic();
        match &*last {
            Some((at, report)) if now.saturating_sub(*at) < LOOK_AGAIN => report.clone(),
            _ => {
                last.insert((now, read(&self.reports.join("state")).and_then(|text| parse(&text)))).1.clone()
            }
        }
    }

    /// The networks found before the access point was opened, strongest first.
    pub fn networks(&self) -> Vec<Network> {
        read(&self.reports.join("scan")).map_or_else(Vec::new, |text| scan::parse(&text))
    }

    /// Our own address on the access point, for a client on it.
    pub fn access_point_of(&self, person: IpAddr) -> Option<Ipv4Addr> {
        let (IpAddr::V4(person), Some(Report { state: WifiState::AccessPoint { address, .. }, .. })) =
            (person, self.report())
        else {
            return None;
        };
        (person.octets()[..3] == address.octets()[..3]).then_some(address)
    }

    /// Writes the choice for the service. Blocks, for a file in memory.
    pub fn choose(&self, choice: &Choice) -> std::io::Result<()> {
        let new = self.choices.join(format!("{CHOICE}.new"));
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(choice.lines().as_bytes())?;
        fs::rename(new, self.choices.join(CHOICE))
    }
}

fn read(path: &Path) -> Option<String> {
    fs::read(path).ok().map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

fn parse(text: &str) -> Option<Report> {
    let mut lines = text.lines();
    let mut words = lines.next()?.split(' ');
    let state = match (words.next()?, words.next(), words.next()) {
        ("access-point", Some(address), Some(name)) => {
            WifiState::AccessPoint { name: name.to_owned(), address: address.parse().ok()? }
        }
        ("joining", Some(name), _) => WifiState::Joining(from_hex(name)?),
        ("joined", Some(name), _) => WifiState::Joined(from_hex(name)?),
        ("idle", ..) => WifiState::Idle,
        _ => return None,
    };
    let failure = lines.next().and_then(|line| line.split_once(' ')).and_then(|(word, name)| {
        let name = from_hex(name)?;
        match word {
            "refused" => Some(Failure::Refused(name)),
            "missing" => Some(Failure::Missing(name)),
            "silent" => Some(Failure::Silent(name)),
            _ => None,
        }
    });
    Some(Report { state, failure })
}

fn to_hex(text: &str) -> String {
    text.bytes().fold(String::new(), |mut digits, byte| {
        // Writing to a string cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    })
}

/// Decodes a name of any bytes, as far as it can be displayed.
fn from_hex(digits: &str) -> Option<String> {
    let pairs = digits.as_bytes().chunks(2);
    let bytes = pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    Some(String::from_utf8_lossy(&bytes.collect::<Option<Vec<u8>>>()?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_studio::clock::HandClock;
    use std::os::unix::fs::PermissionsExt as _;

    fn choice(name: &str, password: &str, country: Option<&str>) -> Result<Choice, WrongChoice> {
        Choice::new(name.to_owned(), Some(Password::new(password.to_owned())), country.map(str::to_owned))
    }

    #[test]
    fn only_what_can_be_a_network_is_chosen() {
        for (name, password, country) in [
            ("Café \"Perch\"\n}", "eight \"or\" more", Some("CH")),
            ("x", "", None),
            (&"x".repeat(32), &"~".repeat(63), None),
        ] {
            assert!(choice(name, password, country).is_ok(), "{name}");
        }
        for (name, password, country, field) in [
            ("", "12345678", None, "ssid"),
            (&*"é".repeat(17), "12345678", None, "ssid"),
            ("a\0b", "12345678", None, "ssid"),
            ("a", "1234567", None, "password"),
            ("a", &"x".repeat(64), None, "password"),
            ("a", "passwörter", None, "password"),
            ("a", "two\nlines", None, "password"),
            ("a", "", Some("ch"), "country"),
            ("a", "", Some("C\n"), "country"),
        ] {
            assert_eq!(choice(name, password, country).unwrap_err().0, field, "{name} {password}");
        }
    }

    #[test]
    fn a_choice_is_a_file_for_the_owner_alone_and_its_password_is_never_printed() {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("perch");
        fs::create_dir(&run).unwrap();
        let directories = format!("{}:/run/other", run.display());
        let clock = Arc::new(HandClock::default());
        assert!(Wifi::new(Some(&directories), clock.clone()).is_none());
        fs::create_dir(dir.path().join("perch-wifi")).unwrap();
        let wifi = Wifi::new(Some(&directories), clock).unwrap();
        let chosen = choice("A\nb", "hunter22 $(id)", Some("CH")).unwrap();
        assert!(!format!("{chosen:?}").contains("hunter22"));
        wifi.choose(&chosen).unwrap();
        let path = run.join(CHOICE);
        assert_eq!(fs::read_to_string(&path).unwrap(), "name 410a62\npassword hunter22 $(id)\ncountry CH\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let unit = include_str!("../../../../image/root/etc/systemd/system/perch-wifi-choice.path");
        assert!(unit.lines().any(|line| line == format!("PathExists=/run/perch/{CHOICE}")));
    }

    #[test]
    fn what_the_service_says_is_read_anew_and_what_it_does_not_say_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let reports = dir.path().join("perch-wifi");
        fs::create_dir(&reports).unwrap();
        let clock = Arc::new(HandClock::default());
        let wifi = Wifi::new(dir.path().join("perch").to_str(), clock.clone()).unwrap();
        assert_eq!(wifi.report(), None);
        let cafe = to_hex("Café");
        for (text, state) in [
            (format!("joining {cafe}\n"), Some(WifiState::Joining("Café".to_owned()))),
            (format!("joined {cafe}\n"), Some(WifiState::Joined("Café".to_owned()))),
            ("idle\n".to_owned(), Some(WifiState::Idle)),
            ("joined xyz\n".to_owned(), None),
            ("joined".to_owned(), None),
            ("access-point 1.2.3 Perch\n".to_owned(), None),
            (String::new(), None),
            ("\u{0}".to_owned(), None),
        ] {
            fs::write(reports.join("state"), &text).unwrap();
            clock.turn(LOOK_AGAIN);
            assert_eq!(wifi.report().map(|report| report.state), state, "{text}");
        }
        fs::write(reports.join("state"), format!("access-point 10.47.0.1 Perch-1A2B\nrefused {cafe}\n"))
            .unwrap();
        assert_eq!(wifi.report(), None, "it was read a moment ago");
        clock.turn(LOOK_AGAIN);
        let report = wifi.report().unwrap();
        assert_eq!(report.failure.unwrap().to_string(), "“Café” refused the password");
        let us = Some(Ipv4Addr::new(10, 47, 0, 1));
        for (person, there) in [("10.47.0.17", us), ("10.47.1.17", None), ("::1", None)] {
            assert_eq!(wifi.access_point_of(person.parse().unwrap()), there, "{person}");
        }
    }
}
