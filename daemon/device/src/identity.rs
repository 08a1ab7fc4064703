//! Identifies a camera, whatever number its node has today.
//!
//! udev keeps links that follow the hardware: `/dev/v4l/by-id` (product and serial number) and `/dev/v4l/by-path` (the socket it
//! is plugged into). Without udev, the driver's `bus_info` and the node's index on the device serve the same purpose.

use std::path::{Path, PathBuf};

/// The properties that stay the same when a camera comes back under another number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// `/dev/v4l/by-id/…`, when udev made one.
    pub by_id: Option<PathBuf>,
    /// `/dev/v4l/by-path/…`, when udev made one.
    pub by_path: Option<PathBuf>,
    /// The driver's name of the socket, e.g. `usb-0000:01:00.0-1.2`.
    pub bus_info: String,
    /// Product name.
    pub card: String,
    /// Name of the driver.
    pub driver: String,
    /// Index of the node on its device; cameras have one node for pictures and often one for metadata.
    pub node_index: u32,
}

impl Identity {
    /// How likely `other` is the same camera: 0 is not at all, higher is more likely. A camera with a serial number is recognised in any socket;
    /// another product in the same socket is another camera.
    pub fn likeness(&self, other: &Self) -> u8 {
        let same_product =
            (&self.card, &self.driver, self.node_index) == (&other.card, &other.driver, other.node_index);
        if !same_product {
            return 0;
        }
        if self.by_id.is_some() && self.by_id == other.by_id {
            return 3;
        }
        let same_link = self.by_path.is_some() && self.by_path == other.by_path;
        if same_link || self.bus_info == other.bus_info {
            return 2;
        }
        0
    }

    /// A path for the configuration: the most reliable link that exists.
    pub fn stable_path(&self) -> Option<&Path> {
        self.by_id.as_deref().or(self.by_path.as_deref())
    }
}

/// The one of `others` that is `wanted`, if any is.
pub fn find<'a, T>(
    wanted: &Identity,
    others: &'a [T],
    identity_of: impl Fn(&T) -> &Identity,
) -> Option<&'a T> {
    others
        .iter()
        .map(|other| (wanted.likeness(identity_of(other)), other))
        .filter(|(likeness, _)| *likeness > 0)
        .max_by_key(|(likeness, _)| *likeness)
        .map(|(_, other)| other)
}

/// The links in `folder` (`by-id` or `by-path` under `/dev/v4l`) with the nodes that they lead to.
pub(crate) fn links(folder: &Path) -> Vec<(PathBuf, PathBuf)> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut links: Vec<_> = entries
        .flatten()
        .take(1024) // a board has a handful
        .filter_map(|entry| Some((entry.path(), std::fs::canonicalize(entry.path()).ok()?)))
        .collect();
    links.sort();
    links
}

#[cfg(test)]
mod tests {
    use super::*;

    fn camera(by_id: Option<&str>, bus_info: &str, card: &str, node_index: u32) -> Identity {
        Identity {
            by_id: by_id.map(PathBuf::from),
            by_path: None,
            bus_info: bus_info.into(),
            card: card.into(),
            driver: "uvcvideo".into(),
            node_index,
        }
    }

    #[test]
    fn a_camera_with_a_serial_number_is_found_in_another_socket() {
        let wanted = camera(Some("usb-046d_C920_A1-video-index0"), "usb-1.2", "C920", 0);
        let others = [
            camera(Some("usb-046d_C920_B2-video-index0"), "usb-1.4", "C920", 0),
            camera(Some("usb-046d_C920_A1-video-index0"), "usb-1.3", "C920", 0),
        ];
        assert_eq!(find(&wanted, &others, |camera| camera).unwrap().bus_info, "usb-1.3");
    }

    #[test]
    fn the_serial_number_counts_more_than_the_socket() {
        let wanted = camera(Some("id-A"), "usb-1.2", "C920", 0);
        let others = [camera(Some("id-A"), "usb-1.9", "C920", 0), camera(Some("id-B"), "usb-1.2", "C920", 0)];
        assert_eq!(find(&wanted, &others, |camera| camera).unwrap().by_id, Some("id-A".into()));
    }

    #[test]
    fn without_links_the_socket_the_product_and_the_node_decide() {
        let wanted = camera(None, "usb-1.2", "C920", 0);
        assert!(find(&wanted, &[camera(None, "usb-1.2", "C920", 1)], |c| c).is_none(), "the metadata node");
        assert!(find(&wanted, &[camera(None, "usb-1.2", "Brio", 0)], |c| c).is_none(), "another product");
        assert!(find(&wanted, &[camera(None, "usb-1.3", "C920", 0)], |c| c).is_none(), "another socket");
        assert!(find(&wanted, &[camera(None, "usb-1.2", "C920", 0)], |c| c).is_some());
    }
}
