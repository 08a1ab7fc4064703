//! The microphones of this board, as the kernel lists them in `/sys` and `/proc`.
//!
//! No device is opened for the list, so that it also holds those that we may not open.

use std::path::{Path, PathBuf};

/// More devices than any board has.
const MOST: usize = 64;

/// A device that captures sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MicrophoneReport {
    /// ALSA's name for the configuration: `hw:CARD=C920,DEV=0`. It stays the same when the card's number changes.
    pub name: String,
    /// The card's name for people.
    pub card: String,
    /// The device's name on its card; often the driver's.
    pub device: String,
    /// The device file.
    pub node: PathBuf,
    /// The USB device that it is a part of, in `/sys`.
    pub usb: Option<PathBuf>,
}

impl MicrophoneReport {
    /// True if `name`, as in the configuration, means this device: `hw:CARD=C920` is its card's device 0.
    pub fn is_named(&self, name: &str) -> bool {
        name == self.name || self.name.strip_suffix(",DEV=0") == Some(name)
    }

    /// Where it is plugged in: `1-1.2` is port 2 of the hub in port 1 of USB bus 1.
    pub fn usb_path(&self) -> Option<&str> {
        self.usb.as_deref()?.file_name()?.to_str()
    }
}

/// All microphones, in the order of their cards' numbers.
pub fn list() -> Vec<MicrophoneReport> {
    list_below(Path::new("/"))
}

/// The USB device that the camera with this device file is a part of, in `/sys`.
pub fn usb_device_of_camera(node: &Path) -> Option<PathBuf> {
    let node = std::fs::canonicalize(node).ok()?;
    usb_device(&Path::new("/sys/class/video4linux").join(node.file_name()?).join("device"))
}

fn list_below(root: &Path) -> Vec<MicrophoneReport> {
    let class = root.join("sys/class/sound");
    let Ok(entries) = std::fs::read_dir(&class) else { return Vec::new() };
    let mut found: Vec<(u32, u32)> = entries
        .flatten()
        .filter_map(|entry| capture_device(entry.file_name().to_str()?))
        .take(MOST)
        .collect();
    found.sort_unstable();
    let names = std::fs::read_to_string(root.join("proc/asound/cards")).unwrap_or_default();
    let report = |(card, device): (u32, u32)| {
        let id = std::fs::read_to_string(class.join(format!("card{card}/id"))).ok()?;
        let info = root.join(format!("proc/asound/card{card}/pcm{device}c/info"));
        let info = std::fs::read_to_string(info).unwrap_or_default();
        let device_name = info.lines().find_map(|line| line.strip_prefix("name: ")).unwrap_or_default();
        Some(MicrophoneReport {
            name: format!("hw:CARD={},DEV={device}", id.trim()),
            card: card_name(&names, card).unwrap_or_else(|| id.trim().to_owned()),
            device: device_name.trim().to_owned(),
            node: PathBuf::from(format!("/dev/snd/pcmC{card}D{device}c")),
            usb: usb_device(&class.join(format!("card{card}/device"))),
        })
    };
    found.into_iter().filter_map(report).collect()
}

/// Card and device of `pcmC1D0c`; the last letter says that it captures.
fn capture_device(entry: &str) -> Option<(u32, u32)> {
    let (card, device) = entry.strip_prefix("pcmC")?.strip_suffix('c')?.split_once('D')?;
    Some((card.parse().ok()?, device.parse().ok()?))
}

/// The name after the dash in ` 1 [C920           ]: USB-Audio - HD Pro Webcam C920`.
fn card_name(cards: &str, number: u32) -> Option<String> {
    cards.lines().find_map(|line| {
        let (head, rest) = line.split_once('[')?;
        if head.trim().parse() != Ok(number) {
            return None;
        }
        let (_, names) = rest.split_once("]: ")?;
        let (_, name) = names.split_once(" - ")?;
        Some(name.trim().to_owned())
    })
}

/// The USB device that an interface in `/sys` belongs to: the nearest folder above it that has a vendor.
fn usb_device(interface: &Path) -> Option<PathBuf> {
    let interface = std::fs::canonicalize(interface).ok()?;
    interface.ancestors().take(4).find(|folder| folder.join("idVendor").exists()).map(Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const CARDS: &str = " 0 [vc4hdmi        ]: vc4-hdmi - vc4-hdmi\n                      vc4-hdmi\n \
        1 [C920           ]: USB-Audio - HD Pro Webcam C920\n                      HD Pro Webcam C920 at usb-3f980000.usb-1.2, high speed\n";

    /// A board with HDMI sound, which only plays, and a webcam with its microphone.
    fn board() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let webcam = root.path().join("sys/devices/usb1/1-1.2");
        let class = root.path().join("sys/class/sound");
        for folder in [
            webcam.join("1-1.2:1.2"),
            class.join("card0"),
            class.join("card1"),
            class.join("pcmC0D0p"),
            class.join("pcmC1D0c"),
        ] {
            fs::create_dir_all(folder).unwrap();
        }
        let info = root.path().join("proc/asound/card1/pcm0c");
        fs::create_dir_all(&info).unwrap();
        fs::write(webcam.join("idVendor"), "046d\n").unwrap();
        fs::write(class.join("card0/id"), "vc4hdmi\n").unwrap();
        fs::write(class.join("card1/id"), "C920\n").unwrap();
        fs::write(info.join("info"), "card: 1\ndevice: 0\nid: USB Audio\nname: USB Audio\n").unwrap();
        fs::write(root.path().join("proc/asound/cards"), CARDS).unwrap();
        std::os::unix::fs::symlink(webcam.join("1-1.2:1.2"), class.join("card1/device")).unwrap();
        root
    }

    #[test]
    fn a_webcams_microphone_is_listed_with_its_usb_device() {
        let root = board();
        let found = list_below(root.path());
        assert_eq!(found.len(), 1, "HDMI only plays: {found:?}");
        let microphone = &found[0];
        assert_eq!((&*microphone.name, &*microphone.card), ("hw:CARD=C920,DEV=0", "HD Pro Webcam C920"));
        assert_eq!((&*microphone.device, microphone.usb_path()), ("USB Audio", Some("1-1.2")));
        assert_eq!(microphone.node, Path::new("/dev/snd/pcmC1D0c"));
        assert!(microphone.is_named("hw:CARD=C920") && microphone.is_named("hw:CARD=C920,DEV=0"));
        assert!(!microphone.is_named("hw:CARD=C9"));
    }

    #[test]
    fn a_card_without_more_than_its_id_is_listed_too() {
        let root = board();
        fs::remove_file(root.path().join("proc/asound/cards")).unwrap();
        fs::remove_file(root.path().join("sys/class/sound/card1/device")).unwrap();
        let found = list_below(root.path());
        assert_eq!((&*found[0].card, found[0].usb_path()), ("C920", None));
        assert!(list_below(Path::new("/nowhere")).is_empty());
    }
}
