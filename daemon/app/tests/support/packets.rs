//! Packets of media files as ffprobe sees them, to compare what was sent with what came.

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A packet: presentation and decoding time in milliseconds, and a hash of its bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Packet {
    pub pts: f64,
    pub dts: f64,
    pub hash: String,
}

/// Packets of one kind, by ffprobe.
pub fn packets(file: &Path, kind: &str) -> Vec<Packet> {
    let output = Command::new("ffprobe")
        .args(["-loglevel", "error", "-select_streams", kind, "-show_data_hash", "md5"])
        .args(["-show_entries", "packet=pts_time,dts_time,data_hash", "-of", "json"])
        .arg(file)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |packet: &Value, name: &str| packet[name].as_str().unwrap_or_default().to_owned();
    let time = |packet: &Value, name: &str| text(packet, name).parse::<f64>().unwrap() * 1000.0;
    let packets = found["packets"].as_array().unwrap().iter();
    packets
        .map(|packet| Packet {
            pts: time(packet, "pts_time"),
            dts: time(packet, "dts_time"),
            hash: text(packet, "data_hash"),
        })
        .collect()
}

/// The file's streams as FLV has them: lengths instead of start codes, and parameter sets not among the pictures. ffmpeg does it.
pub fn as_flv(clip: &Path) -> PathBuf {
    let file = clip.with_file_name("source.flv");
    let made = Command::new("ffmpeg")
        .args(["-loglevel", "error", "-nostdin", "-y", "-i"])
        .arg(clip)
        .args(["-c", "copy", "-bsf:v", "filter_units=remove_types=7-9", "-f", "flv"])
        .arg(&file)
        .status();
    assert!(made.unwrap().success());
    let moved = clip.with_extension("source");
    std::fs::rename(file, &moved).unwrap();
    moved
}
