//! The board under the daemon: heat, power, card, memory, network. For `/api/v1/system`, the page and the log.
//!
//! Everything is read from files below a root: `/`, or a folder of made-up files in tests. A value that the board lacks
//! is `None`. No decision depends on a board's name.

use rustix::fs::statvfs;
use serde::Serialize;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use utoipa::ToSchema;

/// Above this a processor throttles itself (80 °C to 85 °C on Raspberry Pis); degrees Celsius.
const HOT_CELSIUS: f64 = 80.0;
/// A card with less free space counts as nearly full; bytes.
const NEARLY_FULL: u64 = 256 << 20;
/// With less available memory a warning is shown; bytes.
const LITTLE_MEMORY: u64 = 24 << 20;

/// The folders to read from.
#[derive(Clone, Debug)]
pub struct Board {
    root: PathBuf,
    data_dir: PathBuf,
}

/// A report on the board.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct BoardReport {
    /// The firmware's name for it; for people only.
    pub model: Option<String>,
    /// The name that its owner gave it.
    pub host_name: Option<String>,
    /// Seconds since the board was switched on.
    pub board_uptime_seconds: Option<u64>,
    /// Temperature of the processor, degrees Celsius.
    pub temperature_celsius: Option<f64>,
    /// The power supply, if the board monitors it.
    pub power: Option<Power>,
    /// The file system that keeps the data directory.
    pub disk: Option<Disk>,
    /// Main memory.
    pub memory: Option<Memory>,
    /// Runnable processes, averaged over 1, 5 and 15 minutes.
    pub load: Option<[f64; 3]>,
    /// The board's addresses, without loopback.
    pub addresses: Vec<Address>,
    /// Conditions that a person should attend to, in words. They are for more people than the rest.
    #[serde(skip)]
    pub warnings: Vec<String>,
}

/// The firmware's report on supply and speed.
#[expect(clippy::struct_excessive_bools, reason = "four bits of the firmware's answer")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Power {
    /// The supply voltage is too low now.
    pub under_voltage: bool,
    /// The supply voltage has been too low since boot.
    pub under_voltage_occurred: bool,
    /// The processor is throttled now, by heat or supply.
    pub throttled: bool,
    /// The processor has been throttled since boot.
    pub throttled_occurred: bool,
}

/// A file system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Disk {
    /// Total size, in bytes.
    pub total_bytes: u64,
    /// Bytes that perchd may still write.
    pub free_bytes: u64,
}

/// Main memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Memory {
    /// Total size, in bytes.
    pub total_bytes: u64,
    /// Bytes available to programs.
    pub available_bytes: u64,
    /// Bytes resident for this daemon.
    pub daemon_bytes: Option<u64>,
}

/// An address of the board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Address {
    /// Name of the network interface: `eth0`, `wlan0`.
    pub interface: String,
    /// The address, without a port.
    #[schema(value_type = String)]
    pub address: IpAddr,
}

impl Board {
    /// `root` is `/` except in tests.
    pub fn new(root: impl Into<PathBuf>, data_dir: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), data_dir: data_dir.into() }
    }

    /// The board's name in the network.
    pub fn host_name(&self) -> Option<String> {
        self.text("proc/sys/kernel/hostname")
    }

    /// The names by which its network may know the board, in lower case: its own, alone, with `.local` (RFC 6762) and with the search
    /// domains of its resolver, such as a router's `fritz.box`.
    pub fn host_names(&self) -> Vec<String> {
        let own = self.host_name().unwrap_or_default().to_lowercase();
        let label = own.split('.').next().unwrap_or_default();
        if label.is_empty() {
            return Vec::new();
        }
        let resolver = self.text("etc/resolv.conf").unwrap_or_default().to_lowercase();
        let domains = resolver.lines().filter_map(|line| {
            let (keyword, domains) = line.trim().split_once(char::is_whitespace)?;
            matches!(keyword, "search" | "domain").then_some(domains)
        });
        let domains = domains.flat_map(str::split_whitespace).map(|domain| domain.trim_matches('.'));
        let domains = ["local"].into_iter().chain(domains.filter(|domain| !domain.is_empty()));
        let mut names = vec![own.clone(), label.to_owned()];
        names.extend(domains.map(|domain| format!("{label}.{domain}")));
        names.sort();
        names.dedup();
        names
    }

    /// Reads everything: a dozen small files of `/proc` and `/sys`, cheap, but not for every request.
    pub fn report(&self) -> BoardReport {
        let mut report = BoardReport {
            model: self.text("proc/device-tree/model").map(|m| m.trim_end_matches('\0').to_owned()),
            host_name: self.host_name(),
            board_uptime_seconds: self
                .text("proc/uptime")
                .and_then(|text| first_number(&text))
                .map(|s| s as u64),
            temperature_celsius: self.temperature(),
            power: self.power(),
            disk: disk(&self.data_dir),
            memory: self.memory(),
            load: self.text("proc/loadavg").and_then(|text| load(&text)),
            addresses: addresses(),
            warnings: Vec::new(),
        };
        report.warnings = warnings(&report);
        report
    }

    /// True if the card is nearly full. Waits for the card.
    pub fn is_nearly_full(&self) -> bool {
        disk(&self.data_dir).is_some_and(|disk| disk.free_bytes < NEARLY_FULL)
    }

    fn text(&self, path: &str) -> Option<String> {
        read(&self.root.join(path))
    }

    /// The hottest zone whose name is a processor's, else the hottest of all.
    fn temperature(&self) -> Option<f64> {
        let zones = folders(&self.root.join("sys/class/thermal"), "thermal_zone");
        let of_zone = |zone: &PathBuf| {
            let kind = read(&zone.join("type")).unwrap_or_default();
            let celsius = read(&zone.join("temp"))?.parse::<f64>().ok()? / 1000.0;
            let is_cpu = ["cpu", "soc", "pkg"].iter().any(|word| kind.contains(word));
            (celsius > -50.0 && celsius < 200.0).then_some((is_cpu, celsius))
        };
        zones
            .iter()
            .filter_map(of_zone)
            .max_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)))
            .map(|(_, celsius)| celsius)
    }

    /// The firmware's value (as `vcgencmd get_throttled` prints it), else the kernel's under-voltage alarm.
    fn power(&self) -> Option<Power> {
        let throttled = folders(&self.root.join("sys/devices/platform"), "soc")
            .iter()
            .flat_map(|soc| folders(soc, "soc"))
            .find_map(|firmware| read(&firmware.join("get_throttled")));
        if let Some(bits) =
            throttled.and_then(|text| u32::from_str_radix(text.trim_start_matches("0x"), 16).ok())
        {
            let any = |mask: u32| bits & mask != 0;
            // Bits 0 to 3 are the present: under-voltage, frequency capped, throttled, soft temperature limit. From bit 16: since
            // boot.
            return Some(Power {
                under_voltage: any(0x1),
                under_voltage_occurred: any(0x1_0000),
                throttled: any(0xe),
                throttled_occurred: any(0xe_0000),
            });
        }
        let monitors = folders(&self.root.join("sys/class/hwmon"), "hwmon");
        let supply =
            monitors.iter().find(|monitor| read(&monitor.join("name")).as_deref() == Some("rpi_volt"))?;
        let under_voltage = read(&supply.join("in0_lcrit_alarm"))? == "1";
        Some(Power { under_voltage, under_voltage_occurred: under_voltage, ..Power::default() })
    }

    fn memory(&self) -> Option<Memory> {
        let meminfo = self.text("proc/meminfo")?;
        let status = self.text("proc/self/status").unwrap_or_default();
        Some(Memory {
            total_bytes: kibibytes(&meminfo, "MemTotal:")?,
            available_bytes: kibibytes(&meminfo, "MemAvailable:")?,
            daemon_bytes: kibibytes(&status, "VmRSS:"),
        })
    }
}

/// The conditions that a person should attend to, most urgent first.
fn warnings(report: &BoardReport) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut warn = |holds: bool, text: String| {
        if holds {
            warnings.push(text);
        }
    };
    if let Some(power) = report.power {
        warn(
            power.under_voltage,
            "The power supply is too weak: use one of 5 V and 3 A with a short cable.".to_owned(),
        );
        warn(
            power.under_voltage_occurred && !power.under_voltage,
            "The power supply has been too weak since the board was switched on: use a stronger one."
                .to_owned(),
        );
        warn(
            power.throttled,
            "The processor is slowed down by heat or a weak power supply: pictures may be lost.".to_owned(),
        );
    }
    if let Some(celsius) = report.temperature_celsius {
        warn(
            celsius >= HOT_CELSIUS,
            format!("The processor is at {celsius:.0} °C and slows itself down: give it air or a heat sink."),
        );
    }
    if let Some(disk) = report.disk {
        warn(
            disk.free_bytes < NEARLY_FULL,
            format!("The card is nearly full: {} MB are left.", disk.free_bytes / 1_000_000),
        );
    }
    if let Some(memory) = report.memory {
        warn(
            memory.available_bytes < LITTLE_MEMORY,
            format!("Memory is short: {} MB are left.", memory.available_bytes / 1_000_000),
        );
    }
    warnings
}

fn disk(path: &Path) -> Option<Disk> {
    let stat = statvfs(path).ok()?;
    Some(Disk { total_bytes: stat.f_blocks * stat.f_frsize, free_bytes: stat.f_bavail * stat.f_frsize })
}

/// All addresses of this machine's interfaces, IPv4 ones in their own form. The kernel is asked each time.
pub fn own_addresses() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().map(|interface| interface.ip().to_canonical()).collect()
}

fn addresses() -> Vec<Address> {
    let mut addresses: Vec<Address> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .filter(|interface| !interface.is_loopback() && !interface.is_link_local())
        .map(|interface| Address { address: interface.ip(), interface: interface.name })
        .collect();
    addresses.sort_by(|a, b| (&a.interface, a.address).cmp(&(&b.interface, b.address)));
    addresses
}

/// A small file's text, trimmed. Files of `/sys` may fail for driver-specific reasons.
fn read(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// The folders of `folder` whose names begin with `beginning`, in order.
fn folders(folder: &Path, beginning: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut found: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(beginning))
        .map(|entry| entry.path())
        .collect();
    found.sort();
    found
}

fn first_number(text: &str) -> Option<f64> {
    text.split_whitespace().next()?.parse().ok()
}

fn load(text: &str) -> Option<[f64; 3]> {
    let mut numbers = text.split_whitespace().map(str::parse::<f64>);
    Some([numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?])
}

/// `Key:   123 kB` of `/proc`, in bytes.
fn kibibytes(text: &str, key: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(files: &[(&str, &str)]) -> (tempfile::TempDir, Board) {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let board = Board::new(root.path(), root.path());
        (root, board)
    }

    #[test]
    fn a_hot_pi_with_a_weak_supply_is_told_in_words() {
        let (_root, board) = board(&[
            ("proc/device-tree/model", "Raspberry Pi Zero 2 W Rev 1.0\0"),
            ("proc/uptime", "3661.42 9000.00\n"),
            ("proc/loadavg", "0.52 0.31 0.20 1/123 4567\n"),
            ("proc/meminfo", "MemTotal:         437000 kB\nMemFree: 1 kB\nMemAvailable:     16000 kB\n"),
            ("sys/class/thermal/thermal_zone0/type", "cpu-thermal\n"),
            ("sys/class/thermal/thermal_zone0/temp", "81234\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "50005\n"),
        ]);
        let report = board.report();
        assert_eq!(report.model.as_deref(), Some("Raspberry Pi Zero 2 W Rev 1.0"));
        assert_eq!(report.board_uptime_seconds, Some(3661));
        assert_eq!(report.load, Some([0.52, 0.31, 0.20]));
        assert_eq!(report.temperature_celsius, Some(81.234));
        let power = report.power.unwrap();
        assert!(power.under_voltage && power.throttled && power.throttled_occurred);
        assert_eq!(report.memory.unwrap().available_bytes, 16_000 * 1024);
        assert_eq!(report.memory.unwrap().daemon_bytes, None);
        let said = report.warnings.join("\n");
        for word in ["power supply", "slowed down", "81 °C", "Memory is short"] {
            assert!(said.contains(word), "{said}");
        }
    }

    #[test]
    fn a_board_is_known_by_its_name_in_its_domains() {
        let resolver = "# by the router\nnameserver 192.0.2.1\ndomain Lan\nsearch fritz.box. .\n";
        let (_root, owl) = board(&[("proc/sys/kernel/hostname", "Owl\n"), ("etc/resolv.conf", resolver)]);
        assert_eq!(owl.host_names(), ["owl", "owl.fritz.box", "owl.lan", "owl.local"]);
        let (_root, long) = board(&[("proc/sys/kernel/hostname", "owl.example.org\n")]);
        assert_eq!(long.host_names(), ["owl", "owl.example.org", "owl.local"]);
        let (_root, none) = board(&[]);
        assert!(none.host_names().is_empty());
    }

    #[test]
    fn the_kernels_alarm_stands_in_for_a_silent_firmware() {
        let (_root, board) = board(&[
            ("sys/class/hwmon/hwmon0/name", "cpu_thermal\n"),
            ("sys/class/hwmon/hwmon1/name", "rpi_volt\n"),
            ("sys/class/hwmon/hwmon1/in0_lcrit_alarm", "1\n"),
        ]);
        assert!(board.report().power.unwrap().under_voltage);
    }

    #[test]
    fn the_processors_zone_goes_before_a_hotter_disk() {
        let (_root, board) = board(&[
            ("sys/class/thermal/thermal_zone0/type", "nvme\n"),
            ("sys/class/thermal/thermal_zone0/temp", "70000\n"),
            ("sys/class/thermal/thermal_zone1/type", "x86_pkg_temp\n"),
            ("sys/class/thermal/thermal_zone1/temp", "55000\n"),
            ("sys/class/thermal/thermal_zone2/type", "soc-thermal\n"),
            ("sys/class/thermal/thermal_zone2/temp", "-2147483648\n"),
        ]);
        assert_eq!(board.report().temperature_celsius, Some(55.0));
    }

    #[test]
    fn nonsense_and_absence_are_nothing_and_no_warning() {
        let (_root, board) = board(&[
            ("proc/meminfo", "MemTotal: lots\n"),
            ("proc/loadavg", "0.1 x\n"),
            ("sys/devices/platform/soc/soc:firmware/get_throttled", "?\n"),
        ]);
        let report = board.report();
        assert_eq!((report.memory, report.load, report.power), (None, None, None));
        assert!(report.disk.is_some(), "the folder of this test is on some file system");
    }
}
