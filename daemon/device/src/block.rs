//! The disk that a file lies on, and what the kernel tells of its health: `/sys/dev/block`, `/sys/block/X/{stat,ro}` (kernel's
//! Documentation/ABI/stable/sysfs-block, Documentation/admin-guide/iostats.rst), the attributes of an MMC or SD card
//! (Documentation/driver-api/mmc/mmc-dev-attrs.rst) and of a SCSI disk, and ext4's count of errors.
//!
//! What the kernel does not tell is `None`. SD cards have no register for wear; that of `NVMe` and ATA disks (SMART) is not in sysfs.

use rustix::fs::{major, minor};
use std::path::{Path, PathBuf};

/// Bytes of a sector in `stat`, whatever the disk's own are.
const SECTOR: u64 = 512;
/// Disks under each other (a partition, an encrypted volume on it); a longer chain is not believed.
const DEEPEST: usize = 8;

/// What a disk is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskKind {
    /// A card that is pulled and put in.
    SdCard,
    /// A chip of the same family on the board.
    Emmc,
    /// Anything else.
    Disk,
}

/// Blocks that a chip has in reserve for bad ones (JESD84-B51 §7.4.26, `PRE_EOL_INFO`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Enough.
    Normal,
    /// 80 % are used.
    Low,
    /// 90 % are used.
    Urgent,
}

/// What the kernel tells of a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskHealth {
    /// What it is.
    pub kind: DiskKind,
    /// As its maker names it.
    pub model: Option<String>,
    /// Year and month in which it was made.
    pub made: Option<(u16, u8)>,
    /// Used share of its life, rounded up to tens; 110: more than its maker promised (JESD84-B51 §7.4.24, `DEVICE_LIFE_TIME_EST_TYP_A`).
    pub life_used_percent: Option<u8>,
    /// Its reserve.
    pub spare: Option<Spare>,
    /// It takes no writes: a switch on the card, or the card itself at the end of its life.
    pub is_read_only: bool,
    /// Commands that failed since it was plugged in, those included that it does not know: a few mean nothing.
    pub failed_commands: Option<u64>,
    /// Errors that the file system has found since it was made, or last checked.
    pub file_system_errors: Option<u64>,
}

/// A disk that is plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockDevice {
    root: PathBuf,
    /// The partition, or the whole disk where it has none.
    volume: PathBuf,
    /// The whole disk.
    disk: PathBuf,
}

impl BlockDevice {
    /// The disk behind a file's device number (`st_dev`). `root` is `/` but in tests. `None` where there is none, as of memory and network
    /// file systems, or where a volume spreads over several.
    pub fn of(root: &Path, device: u64) -> Option<Self> {
        let number = format!("{}:{}", major(device), minor(device));
        let mut volume = root.join("sys/dev/block").join(number).canonicalize().ok()?;
        let first = volume.clone();
        for _ in 0..DEEPEST {
            match &below(&volume)[..] {
                [] => {
                    let is_partition = volume.join("partition").exists();
                    let disk = if is_partition { volume.parent()?.to_owned() } else { volume };
                    return Some(Self { root: root.to_owned(), volume: first, disk });
                }
                [one] => volume = one.canonicalize().ok()?,
                _ => return None,
            }
        }
        None
    }

    /// The kernel's name: `mmcblk0`, `sda`.
    pub fn name(&self) -> String {
        self.disk.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
    }

    /// Tells this disk from another one that is plugged in later.
    pub fn identity(&self) -> String {
        let serial = ["device/cid", "device/wwid", "device/serial", "serial", "wwid"];
        let serial = serial.iter().find_map(|file| self.read(file)).unwrap_or_default();
        format!("{} {serial}", self.name())
    }

    /// Bytes written to all of the disk since it was plugged in, or the machine was started.
    pub fn written_bytes(&self) -> Option<u64> {
        let stat = self.read("stat")?;
        let sectors: u64 = stat.split_whitespace().nth(6)?.parse().ok()?;
        Some(sectors.saturating_mul(SECTOR))
    }

    /// Reads a handful of small files.
    pub fn health(&self) -> DiskHealth {
        let kind = match self.read("device/type").as_deref() {
            Some("SD" | "SDcombo") => DiskKind::SdCard,
            Some("MMC") => DiskKind::Emmc,
            _ => DiskKind::Disk,
        };
        let model = match kind {
            DiskKind::Disk => self.read("device/model"),
            DiskKind::SdCard | DiskKind::Emmc => self.read("device/name"),
        };
        let volume = self.volume.file_name().unwrap_or_default();
        let errors = self.root.join("sys/fs/ext4").join(volume).join("errors_count");
        DiskHealth {
            kind,
            model: model.filter(|model| !model.is_empty()),
            made: self.read("device/date").and_then(|date| month(&date)),
            life_used_percent: self.read("device/life_time").and_then(|both| life_used(&both)),
            spare: self.read("device/pre_eol_info").and_then(|value| match number(&value)? {
                1 => Some(Spare::Normal),
                2 => Some(Spare::Low),
                3 => Some(Spare::Urgent),
                _ => None,
            }),
            is_read_only: self.read("ro").as_deref() == Some("1"),
            failed_commands: self.read("device/ioerr_cnt").and_then(|count| number(&count)),
            file_system_errors: text(&errors).and_then(|count| number(&count)),
        }
    }

    fn read(&self, file: &str) -> Option<String> {
        text(&self.disk.join(file))
    }
}

/// The volumes that a mapped volume lies on.
fn below(volume: &Path) -> Vec<PathBuf> {
    let slaves = std::fs::read_dir(volume.join("slaves"));
    slaves.map_or_else(|_| Vec::new(), |slaves| slaves.flatten().map(|slave| slave.path()).collect())
}

fn text(path: &Path) -> Option<String> {
    std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned())
}

/// Decimal, or hexadecimal after `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// The worse of the two kinds of memory of a chip; each value is a step of 10 %, 0 is unknown.
fn life_used(both: &str) -> Option<u8> {
    let steps = both.split_whitespace().filter_map(number).filter(|step| (1..=11).contains(step)).max()?;
    u8::try_from(steps * 10).ok()
}

/// Of `05/2023`.
fn month(date: &str) -> Option<(u16, u8)> {
    let (month, year) = date.split_once('/')?;
    let (month, year) = (month.parse().ok()?, year.parse().ok()?);
    // The register counts from 1997, and cards that know nothing say 00/0000 or 00/1997.
    ((1..=12).contains(&month) && (1998..2100).contains(&year)).then_some((year, month))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A `/sys` with one disk, found by the number 8:1 or that of its partition.
    struct Sys(tempfile::TempDir);

    impl Sys {
        fn with(disk: &str, partition: Option<&str>, files: &[(&str, &str)]) -> Self {
            let sys = Self(tempfile::tempdir().unwrap());
            let folder = format!("sys/devices/{disk}");
            std::fs::create_dir_all(sys.0.path().join(&folder).join("slaves")).unwrap();
            for (file, words) in files {
                sys.write(&format!("{folder}/{file}"), words);
            }
            let volume = partition.map_or(folder.clone(), |partition| {
                sys.write(&format!("{folder}/{partition}/partition"), "1\n");
                format!("{folder}/{partition}")
            });
            sys.number("8:1", &volume);
            sys
        }

        fn write(&self, file: &str, words: &str) {
            let path = self.0.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, words).unwrap();
        }

        fn number(&self, number: &str, volume: &str) {
            let numbers = self.0.path().join("sys/dev/block");
            std::fs::create_dir_all(&numbers).unwrap();
            symlink(self.0.path().join(volume), numbers.join(number)).unwrap();
        }

        fn device(&self, minor: u32) -> Option<BlockDevice> {
            BlockDevice::of(self.0.path(), rustix::fs::makedev(8, minor))
        }
    }

    const UNKNOWN: DiskHealth = DiskHealth {
        kind: DiskKind::Disk,
        model: None,
        made: None,
        life_used_percent: None,
        spare: None,
        is_read_only: false,
        failed_commands: None,
        file_system_errors: None,
    };

    #[test]
    fn a_chip_tells_of_its_life_and_its_reserve() {
        for (life_time, pre_eol, used, spare) in [
            ("0x01 0x01", "0x01", Some(10), Some(Spare::Normal)),
            ("0x02 0x07", "0x02", Some(70), Some(Spare::Low)),
            ("0x0b 0x0a", "0x03", Some(110), Some(Spare::Urgent)),
            ("0x00 0x00", "0x00", None, None),
            ("0xff", "nonsense", None, None),
            ("", "", None, None),
        ] {
            let sys = Sys::with(
                "mmcblk2",
                Some("mmcblk2p2"),
                &[
                    ("device/type", "MMC\n"),
                    ("device/name", "DG4016\n"),
                    ("device/date", "11/2019\n"),
                    ("device/life_time", life_time),
                    ("device/pre_eol_info", pre_eol),
                    ("ro", "0\n"),
                ],
            );
            sys.write("sys/fs/ext4/mmcblk2p2/errors_count", "3\n");
            let device = sys.device(1).unwrap();
            assert_eq!(device.name(), "mmcblk2");
            let expected = DiskHealth {
                kind: DiskKind::Emmc,
                model: Some("DG4016".to_owned()),
                made: Some((2019, 11)),
                life_used_percent: used,
                spare,
                file_system_errors: Some(3),
                ..UNKNOWN
            };
            assert_eq!(device.health(), expected, "{life_time}");
        }
    }

    #[test]
    fn an_sd_card_tells_of_its_age_alone() {
        let files = [
            ("device/type", "SD\n"),
            ("device/name", "SC32G\n"),
            ("device/date", "05/2023\n"),
            ("device/cid", "035344\n"),
            ("ro", "1\n"),
            ("stat", "  1 0 2 3  4 0 2048 5 0 6 7\n"),
        ];
        let sys = Sys::with("mmcblk0", Some("mmcblk0p2"), &files);
        let device = sys.device(1).unwrap();
        let expected = DiskHealth {
            kind: DiskKind::SdCard,
            model: Some("SC32G".to_owned()),
            made: Some((2023, 5)),
            is_read_only: true,
            ..UNKNOWN
        };
        assert_eq!(device.health(), expected);
        assert_eq!((device.written_bytes(), device.identity()), (Some(1 << 20), "mmcblk0 035344".to_owned()));
        drop(sys);
        assert_eq!((device.health(), device.written_bytes()), (UNKNOWN, None), "it was pulled");
    }

    #[test]
    fn a_disk_without_partitions_and_one_that_is_mapped_are_found() {
        let files = [("device/model", "Ultra Fit\n"), ("device/ioerr_cnt", "0x1f\n")];
        let sys = Sys::with("sda", None, &files);
        let expected =
            DiskHealth { model: Some("Ultra Fit".to_owned()), failed_commands: Some(31), ..UNKNOWN };
        assert_eq!(sys.device(1).unwrap().health(), expected);
        // An encrypted volume on a partition of it.
        sys.write("sys/devices/sda/sda1/partition", "1");
        std::fs::create_dir_all(sys.0.path().join("sys/devices/dm-0/slaves")).unwrap();
        let slaves = sys.0.path().join("sys/devices/dm-0/slaves");
        symlink(sys.0.path().join("sys/devices/sda/sda1"), slaves.join("sda1")).unwrap();
        sys.number("8:2", "sys/devices/dm-0");
        sys.write("sys/fs/ext4/dm-0/errors_count", "0");
        let mapped = sys.device(2).unwrap();
        assert_eq!(mapped.name(), "sda");
        assert_eq!(mapped.health(), DiskHealth { file_system_errors: Some(0), ..expected });
        // Over two disks, in a circle, and no disk at all.
        symlink(sys.0.path().join("sys/devices/sda"), slaves.join("sda")).unwrap();
        assert_eq!(sys.device(2), None);
        std::fs::remove_file(slaves.join("sda")).unwrap();
        std::fs::remove_file(slaves.join("sda1")).unwrap();
        symlink(sys.0.path().join("sys/devices/dm-0"), slaves.join("dm-0")).unwrap();
        assert_eq!((sys.device(2), sys.device(3)), (None, None));
    }

    #[test]
    fn what_cards_say_of_their_date_is_doubted() {
        assert_eq!(month("05/2023"), Some((2023, 5)));
        for odd in ["00/1997", "13/2020", "2020", "/", "", "05/99999", "-1/2020"] {
            assert_eq!(month(odd), None, "{odd}");
        }
    }
}
