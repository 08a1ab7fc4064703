//! Files of the kernel and the firmware of any content: the report can be written as JSON, and its numbers are possible.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perch_site::appliance::board::Board;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

const FILES: [&str; 10] = [
    "proc/device-tree/model",
    "proc/sys/kernel/hostname",
    "proc/uptime",
    "proc/loadavg",
    "proc/meminfo",
    "proc/self/status",
    "sys/class/thermal/thermal_zone0/type",
    "sys/class/thermal/thermal_zone0/temp",
    "sys/devices/platform/soc/soc:firmware/get_throttled",
    "sys/class/hwmon/hwmon0/in0_lcrit_alarm",
];

static ROOT: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new("/dev/shm").join(format!("perch-fuzz-{}", std::process::id()));
    for file in FILES {
        std::fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
    }
    std::fs::write(root.join("sys/class/hwmon/hwmon0/name"), "rpi_volt").unwrap();
    root
});

fuzz_target!(|input: &[u8]| {
    let mut texts = input.split(|&byte| byte == 0xff);
    for file in FILES {
        std::fs::write(ROOT.join(file), texts.next().unwrap_or_default()).unwrap();
    }
    let report = Board::new(&*ROOT, &*ROOT).report();
    assert!(report.temperature_celsius.is_none_or(|celsius| celsius > -50.0 && celsius < 200.0));
    serde_json::to_string(&report).expect("a report is JSON");
});
