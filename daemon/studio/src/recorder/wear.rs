//! The disk of the recordings: its health as the kernel reports it, and how much all programs write to it a day.
//!
//! The kernel counts written bytes since boot. The sums are kept in a small file, by running time instead of dates, which a board without a clock of
//! its own does not know. A power cut costs at most an hour of the count.

use perch_device::block::{BlockDevice, DiskHealth};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// The file in the data directory.
const FILE: &str = "card-wear.json";
/// Interval at which the file is written.
const SAVED_EVERY: u64 = 3600;
/// No figure is given for less running time than this: starting a machine writes more than running it.
const LEAST: u64 = 3600;
const DAY: u64 = 86_400;
/// Days of running time that are kept.
const DAYS: usize = 7;

/// A disk, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// The kernel's name for it: `mmcblk0`.
    pub name: String,
    /// Its health as it reports it.
    pub health: DiskHealth,
    /// Bytes that all programs together write to it in 24 hours of running; `None` before an hour has been counted.
    pub written_per_day: Option<u64>,
}

/// The bytes written to one disk.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Written {
    disk: String,
    /// The kernel's name for this start of the machine.
    boot: String,
    /// The last reading: seconds since boot, and the kernel's count of bytes.
    seconds: u64,
    bytes: u64,
    /// Newest last.
    days: Vec<Day>,
}

/// Seconds, at most 24 hours of running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Day {
    seconds: u64,
    bytes: u64,
}

impl Written {
    /// Counts the bytes written since the last reading.
    fn look(&mut self, disk: String, boot: String, seconds: u64, bytes: u64) {
        if disk != self.disk {
            *self = Self { disk, boot, seconds, bytes, days: Vec::new() };
            return;
        }
        let is_same_boot = boot == self.boot;
        let passed = if is_same_boot { seconds.saturating_sub(self.seconds) } else { seconds };
        // After a disk is plugged in again, the kernel counts from 0.
        let more = if is_same_boot && bytes >= self.bytes { bytes - self.bytes } else { bytes };
        if self.days.last().is_none_or(|day| day.seconds >= DAY) {
            self.days.push(Day::default());
            let surplus = self.days.len().saturating_sub(DAYS + 1);
            self.days.drain(..surplus);
        }
        if let Some(day) = self.days.last_mut() {
            day.seconds += passed;
            day.bytes = day.bytes.saturating_add(more);
        }
        *self = Self { boot, seconds, bytes, ..std::mem::take(self) };
    }

    fn per_day(&self) -> Option<u64> {
        let seconds: u64 = self.days.iter().map(|day| day.seconds).sum();
        let bytes: u128 = self.days.iter().map(|day| u128::from(day.bytes)).sum();
        let rate = || u64::try_from(bytes * u128::from(DAY) / u128::from(seconds)).unwrap_or(u64::MAX);
        (seconds >= LEAST).then(rate)
    }
}

/// Reads and counts the disk of the recordings.
#[derive(Debug)]
pub(super) struct Disks {
    root: PathBuf,
    file: PathBuf,
    /// The sums, and their `seconds` when they were saved; `None` before the first reading.
    written: Mutex<Option<(Written, u64)>>,
}

impl Disks {
    /// `root` is `/`, except in tests.
    pub(super) fn new(root: &Path, data_dir: &Path) -> Self {
        Self { root: root.to_owned(), file: data_dir.join(FILE), written: Mutex::default() }
    }

    /// Reads the disk with this number (`st_dev`); `None` if the kernel knows no such disk.
    pub(super) fn look(&self, device: u64, since_boot: Duration) -> Option<Disk> {
        let disk = BlockDevice::of(&self.root, device)?;
        let written_per_day = disk.written_bytes().and_then(|bytes| self.count(&disk, bytes, since_boot));
        Some(Disk { name: disk.name(), health: disk.health(), written_per_day })
    }

    fn count(&self, disk: &BlockDevice, bytes: u64, since_boot: Duration) -> Option<u64> {
        // Each count is one step: a panic leaves nothing half done.
        let mut known = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, saved_at) = known.get_or_insert_with(|| {
            let written: Written = self.read().unwrap_or_default();
            let saved_at = written.seconds;
            (written, saved_at)
        });
        let boot = std::fs::read_to_string(self.root.join("proc/sys/kernel/random/boot_id"));
        let (disk, boot) = (disk.identity(), boot.unwrap_or_default().trim().to_owned());
        let is_news = disk != written.disk || boot != written.boot;
        written.look(disk, boot, since_boot.as_secs(), bytes);
        if is_news || written.seconds >= *saved_at + SAVED_EVERY {
            *saved_at = written.seconds;
            if let Err(error) = self.save(written) {
                tracing::debug!("how much the card was written to is not kept: {error}");
            }
        }
        written.per_day()
    }

    fn read(&self) -> Option<Written> {
        serde_json::from_slice(&std::fs::read(&self.file).ok()?).ok()
    }

    /// Replaces the file as a whole: a power cut leaves the old one or the new one.
    fn save(&self, written: &Written) -> io::Result<()> {
        let new = self.file.with_extension("new");
        std::fs::write(&new, serde_json::to_vec(written)?)?;
        std::fs::rename(new, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const MIB: u64 = 1 << 20;
    const HOUR: u64 = 3600;

    struct Machine {
        dir: tempfile::TempDir,
        disks: Disks,
    }

    impl Machine {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let disks = Disks::new(dir.path(), dir.path());
            let machine = Self { dir, disks };
            machine.write("sys/block/mmcblk0/device/type", "SD");
            std::fs::create_dir_all(machine.dir.path().join("sys/dev/block")).unwrap();
            symlink(
                machine.dir.path().join("sys/block/mmcblk0"),
                machine.dir.path().join("sys/dev/block/179:0"),
            )
            .unwrap();
            machine.boots("first");
            machine
        }

        fn write(&self, file: &str, words: &str) {
            let path = self.dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, words).unwrap();
        }

        fn boots(&self, name: &str) {
            self.write("proc/sys/kernel/random/boot_id", name);
        }

        /// The result of a reading at this many seconds since boot, with this many bytes written since.
        fn per_day(&self, seconds: u64, bytes: u64) -> Option<u64> {
            self.write("sys/block/mmcblk0/stat", &format!("0 0 0 0 0 0 {} 0 0 0 0", bytes / 512));
            let disk = self.disks.look(rustix::fs::makedev(179, 0), Duration::from_secs(seconds)).unwrap();
            assert_eq!(disk.name, "mmcblk0");
            disk.written_per_day
        }

        fn restart(&mut self) {
            self.disks = Disks::new(self.dir.path(), self.dir.path());
        }
    }

    #[test]
    fn what_is_written_is_counted_by_running_time_over_restarts_and_boots() {
        let mut machine = Machine::new();
        assert_eq!(machine.per_day(60, 500 * MIB), None, "what was before is not known");
        assert_eq!(machine.per_day(60 + HOUR / 2, 510 * MIB), None, "not long enough");
        assert_eq!(machine.per_day(60 + HOUR, 520 * MIB), Some(480 * MIB));
        // The daemon restarts and continues with the kernel's count.
        machine.restart();
        assert_eq!(machine.per_day(60 + 2 * HOUR, 540 * MIB), Some(480 * MIB));
        // The machine restarts: the kernel counts from 0.
        machine.boots("second");
        machine.restart();
        assert_eq!(machine.per_day(HOUR, 80 * MIB), Some((20 + 20 + 80) * MIB * 8));
        // The card is pulled and inserted again.
        assert_eq!(machine.per_day(2 * HOUR, 0), Some(120 * MIB * 6));
        // Another card.
        machine.write("sys/block/mmcblk0/device/cid", "another");
        assert_eq!(machine.per_day(3 * HOUR, 900 * MIB), None);
    }

    #[test]
    fn an_hour_is_lost_at_most_and_a_torn_file_begins_anew() {
        let mut machine = Machine::new();
        for minute in 0..=90 {
            machine.per_day(minute * 60, minute * MIB);
        }
        machine.boots("after a power cut");
        machine.restart();
        // 60 of the 90 minutes were kept.
        assert_eq!(machine.per_day(HOUR, 0), Some(60 * MIB * 12));
        std::fs::write(machine.dir.path().join(FILE), "{\"disk\":").unwrap();
        machine.restart();
        assert_eq!(machine.per_day(2 * HOUR, 0), None);
    }

    #[test]
    fn a_week_is_looked_at() {
        let machine = Machine::new();
        machine.per_day(0, 0);
        let mut bytes = 0;
        let mut told = None;
        for hour in 1..=24 * 30 {
            // Much on the first ten days, little since.
            bytes += if hour <= 240 { 100 * MIB } else { MIB };
            told = machine.per_day(hour * HOUR, bytes);
        }
        assert_eq!(told, Some(24 * MIB));
        let disks = Disks::new(machine.dir.path(), machine.dir.path());
        assert!(disks.read().unwrap().days.len() <= DAYS + 1);
        assert_eq!(disks.look(rustix::fs::makedev(8, 0), Duration::ZERO), None, "no such disk");
    }
}
