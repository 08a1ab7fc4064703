//! The controls of a camera's picture (brightness, exposure, focus and so on): lists them with their bounds, and sets all or none of a request.
//!
//! Linux media userspace API, "User Controls", "Camera Control Reference", "Extended Controls API". Controls belong to the device and
//! not to an open file, so they can be set while another program streams from it. Must not be here: controls of coding (`coding`).

use super::ioctl::VideoDevice;
use super::kernel::zeroed;
use crate::error::DeviceError;
use std::path::Path;
use v4l::v4l_sys as sys;
use v4l::v4l2::vidioc;

/// Most controls that are listed; no camera has as many.
const MOST_CONTROLS: usize = 128;
/// Most entries of a menu.
const MOST_ITEMS: i32 = 256;
/// The classes whose controls belong to the picture; those of codecs, flashes and test drivers do not.
const CLASSES: [u32; 2] = [sys::V4L2_CTRL_CLASS_USER, sys::V4L2_CTRL_CLASS_CAMERA];
/// The part of a control's number that names its class.
const CLASS_BITS: u32 = 0x0fff_0000;

/// What kind of value a control takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ControlKind {
    /// A number within bounds.
    Integer,
    /// 0 or 1.
    Boolean,
    /// The number of one of [`Control::items`].
    Menu,
    /// No value: it is pressed.
    Button,
}

/// A control and its present value.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The kernel's number for the control.
    id: u32,
    /// Its name in a-z, 0-9 and `_`, such as `white_balance_automatic`; unique for a camera.
    pub key: String,
    /// The driver's name for people.
    pub name: String,
    /// The kind of its value.
    pub kind: ControlKind,
    /// Smallest value.
    pub minimum: i32,
    /// Largest value.
    pub maximum: i32,
    /// Distance between two values.
    pub step: u32,
    /// Default value.
    pub default: i32,
    /// Present value; `None` for buttons, and where the driver does not say.
    pub value: Option<i32>,
    /// Entries of a menu: numbers and their meaning.
    pub items: Vec<(i32, String)>,
    /// True if it cannot be set.
    pub is_read_only: bool,
    /// True if it has no effect now, usually because an automatic control is on.
    pub is_inactive: bool,
}

/// Why a control was not set; then no control of the same request was set.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The camera has no control of this name.
    #[error("this camera has no control {key}; it has {there}")]
    Unknown {
        /// The requested key.
        key: String,
        /// All keys.
        there: String,
    },
    /// A value out of bounds.
    #[error("must be {accepted}, not {value}")]
    Value {
        /// The control's key.
        key: String,
        /// The requested value.
        value: i32,
        /// The accepted values, in words.
        accepted: String,
    },
    /// The driver refuses it now.
    #[error("cannot be set: {why}")]
    Refused {
        /// The control's key.
        key: String,
        /// The reason, in words.
        why: String,
    },
    /// The device fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

impl ControlError {
    /// The control that the error is about, if it is about one.
    pub fn key(&self) -> Option<&str> {
        match self {
            Self::Unknown { key, .. } | Self::Value { key, .. } | Self::Refused { key, .. } => Some(key),
            Self::Device(_) => None,
        }
    }
}

impl Control {
    /// The value to set, checked against the control's bounds.
    fn check(&self, value: i32) -> Result<i32, ControlError> {
        let is_accepted = match self.kind {
            ControlKind::Button => true,
            ControlKind::Menu => self.items.iter().any(|(number, _)| *number == value),
            ControlKind::Boolean => matches!(value, 0 | 1),
            ControlKind::Integer => (self.minimum..=self.maximum).contains(&value),
        };
        if self.is_read_only {
            let why = "it can only be looked at".to_owned();
            return Err(ControlError::Refused { key: self.key.clone(), why });
        }
        if is_accepted {
            Ok(value)
        } else {
            Err(ControlError::Value { key: self.key.clone(), value, accepted: self.accepted() })
        }
    }

    fn accepted(&self) -> String {
        match self.kind {
            ControlKind::Integer => format!("a number from {} to {}", self.minimum, self.maximum),
            ControlKind::Boolean => "true or false".to_owned(),
            ControlKind::Button => "true".to_owned(),
            ControlKind::Menu => {
                let items: Vec<String> =
                    self.items.iter().map(|(number, words)| format!("{number} ({words})")).collect();
                format!("one of {}", items.join(", "))
            }
        }
    }

    /// Order of setting: automatic controls go first, because turning them off makes others settable.
    fn order(&self) -> u8 {
        match self.kind {
            ControlKind::Boolean | ControlKind::Menu => 0,
            ControlKind::Integer => 1,
            ControlKind::Button => 2,
        }
    }
}

/// All controls of a camera's picture with their present values.
pub fn list(path: &Path) -> Result<Vec<Control>, DeviceError> {
    Ok(controls_of(&VideoDevice::open(path)?))
}

/// Sets controls by their keys, all or none; returns all controls with their new values. Drivers round values to a control's steps.
pub fn set(path: &Path, wanted: &[(&str, i32)]) -> Result<Vec<Control>, ControlError> {
    let device = VideoDevice::open(path)?;
    let controls = controls_of(&device);
    let mut changes = checked(&controls, wanted)?;
    changes.sort_by_key(|(control, _)| control.order());
    let values: Vec<(u32, i32)> = changes.iter().map(|(control, value)| (control.id, *value)).collect();
    if let Err((place, error)) = device.set_controls(&values) {
        // The kernel checks all values before it sets any. A device may still fail in between; then the values already
        // set are restored.
        let done = &changes[..place.unwrap_or(0)];
        let before: Vec<(u32, i32)> =
            done.iter().filter_map(|(control, _)| Some((control.id, control.value?))).collect();
        if !before.is_empty()
            && let Err((_, error)) = device.set_controls(&before)
        {
            tracing::warn!(%error, "{}: controls could not be set back", path.display());
        }
        let culprit = place.or((changes.len() == 1).then_some(0)).and_then(|place| changes.get(place));
        return Err(refused(culprit.map(|(control, _)| *control), &changes, path, error));
    }
    Ok(controls_of(&device))
}

/// The controls of the request and their values.
fn checked<'a>(
    controls: &'a [Control],
    wanted: &[(&str, i32)],
) -> Result<Vec<(&'a Control, i32)>, ControlError> {
    let find = |&(key, value): &(&str, i32)| {
        let control = controls.iter().find(|control| control.key == key).ok_or_else(|| {
            let keys: Vec<&str> = controls.iter().map(|control| control.key.as_str()).collect();
            let there = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
            ControlError::Unknown { key: key.to_owned(), there }
        })?;
        Ok((control, control.check(value)?))
    };
    wanted.iter().map(find).collect()
}

fn refused(
    culprit: Option<&Control>,
    changes: &[(&Control, i32)],
    path: &Path,
    error: std::io::Error,
) -> ControlError {
    let why = match error.raw_os_error() {
        Some(libc::EBUSY) => "not while the camera streams".to_owned(),
        Some(libc::EACCES) => "an automatic of the camera has taken over".to_owned(),
        Some(libc::ERANGE | libc::EINVAL) => "the camera does not take this value".to_owned(),
        _ => return DeviceError::working(path, "setting a control", error).into(),
    };
    let key = culprit.or(changes.first().map(|(control, _)| *control)).map(|control| control.key.clone());
    ControlError::Refused { key: key.unwrap_or_default(), why }
}

fn controls_of(device: &VideoDevice) -> Vec<Control> {
    let mut controls: Vec<Control> = Vec::new();
    let mut after = 0;
    while controls.len() < MOST_CONTROLS
        && let Some(raw) = device.next_control(after)
    {
        // Without this check, a driver that returns the same number again would make this loop endless.
        if raw.id <= after {
            break;
        }
        after = raw.id;
        if let Some(mut control) = understood(device, &raw) {
            if controls.iter().any(|known| known.key == control.key) {
                control.key = format!("{}_{:x}", control.key, control.id);
            }
            controls.push(control);
        }
    }
    controls
}

/// Reads a control; `None` for other classes, disabled ones, texts and lists.
fn understood(device: &VideoDevice, raw: &sys::v4l2_query_ext_ctrl) -> Option<Control> {
    let has = |flag: u32| raw.flags & flag != 0;
    let unusable = has(sys::V4L2_CTRL_FLAG_DISABLED) || has(sys::V4L2_CTRL_FLAG_HAS_PAYLOAD) || raw.elems > 1;
    if !CLASSES.contains(&(raw.id & CLASS_BITS)) || unusable {
        return None;
    }
    let (minimum, maximum) = (i32::try_from(raw.minimum).ok()?, i32::try_from(raw.maximum).ok()?);
    let (kind, items) = match raw.type_ {
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER => (ControlKind::Integer, Vec::new()),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BOOLEAN => (ControlKind::Boolean, Vec::new()),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_BUTTON => (ControlKind::Button, Vec::new()),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_MENU => (ControlKind::Menu, items_of(device, raw, false)),
        sys::v4l2_ctrl_type_V4L2_CTRL_TYPE_INTEGER_MENU => (ControlKind::Menu, items_of(device, raw, true)),
        _ => return None,
    };
    let is_readable = kind != ControlKind::Button && !has(sys::V4L2_CTRL_FLAG_WRITE_ONLY);
    let name: Vec<u8> = raw.name.iter().flat_map(|byte| byte.to_ne_bytes()).collect();
    let name = super::ioctl::printable(&name);
    Some(Control {
        id: raw.id,
        key: key_of(&name, raw.id),
        name,
        kind,
        minimum,
        maximum,
        step: u32::try_from(raw.step).unwrap_or(1).max(1),
        default: i32::try_from(raw.default_value).ok()?,
        value: if is_readable { device.control(raw.id).ok() } else { None },
        items,
        is_read_only: has(sys::V4L2_CTRL_FLAG_READ_ONLY),
        is_inactive: has(sys::V4L2_CTRL_FLAG_INACTIVE),
    })
}

/// Reads a menu's entries. Menus may have gaps.
fn items_of(device: &VideoDevice, raw: &sys::v4l2_query_ext_ctrl, are_numbers: bool) -> Vec<(i32, String)> {
    let least = i32::try_from(raw.minimum).unwrap_or(0).max(0);
    let most = i32::try_from(raw.maximum).unwrap_or(i32::MAX).min(least.saturating_add(MOST_ITEMS));
    let item = |number: i32| Some((number, device.menu_item(raw.id, number as u32, are_numbers)?));
    (least..=most).filter_map(item).collect()
}

/// A name as words of a-z and 0-9, joined by `_`.
fn key_of(name: &str, id: u32) -> String {
    let words = name.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let key = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    if key.is_empty() { format!("control_{id:x}") } else { key }
}

impl VideoDevice {
    /// The first control with a number above `after` that has a single value.
    fn next_control(&self, after: u32) -> Option<sys::v4l2_query_ext_ctrl> {
        let mut raw = sys::v4l2_query_ext_ctrl { id: after | sys::V4L2_CTRL_FLAG_NEXT_CTRL, ..zeroed() };
        self.call(vidioc::VIDIOC_QUERY_EXT_CTRL, &mut raw).ok()?;
        Some(raw)
    }

    /// The text of a menu's entry; `None` for a gap in the menu.
    fn menu_item(&self, id: u32, index: u32, is_number: bool) -> Option<String> {
        let mut raw = sys::v4l2_querymenu { id, index, ..zeroed() };
        self.call(vidioc::VIDIOC_QUERYMENU, &mut raw).ok()?;
        let text = raw.__bindgen_anon_1;
        Some(if is_number {
            // SAFETY: all bits are valid for the number, and the kernel filled it in for this type of menu.
            unsafe { text.value }.to_string()
        } else {
            // SAFETY: all bits are valid for an array of bytes, all of which were zero or filled in by the kernel.
            super::ioctl::printable(&unsafe { text.name })
        })
    }

    /// Sets all values, or none if one does not fit, as the kernel promises. An error carries the index at which
    /// setting failed, if the kernel names one; the controls before it have been set then.
    fn set_controls(&self, values: &[(u32, i32)]) -> Result<(), (Option<usize>, std::io::Error)> {
        let control = |&(id, value): &(u32, i32)| {
            let mut raw: sys::v4l2_ext_control = zeroed();
            raw.id = id;
            raw.__bindgen_anon_1 = sys::v4l2_ext_control__bindgen_ty_1 { value };
            raw
        };
        let mut controls: Vec<sys::v4l2_ext_control> = values.iter().map(control).collect();
        // `which` stays 0 (V4L2_CTRL_WHICH_CUR_VAL): controls of any class, current values.
        let mut raw: sys::v4l2_ext_controls = zeroed();
        raw.count = controls.len() as u32;
        raw.controls = controls.as_mut_ptr();
        self.call(vidioc::VIDIOC_S_EXT_CTRLS, &mut raw).map_err(|error| {
            let place = raw.error_idx as usize;
            ((place < values.len()).then_some(place), error)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(key: &str, kind: ControlKind) -> Control {
        Control {
            id: 1,
            key: key.to_owned(),
            name: key.to_owned(),
            kind,
            minimum: -10,
            maximum: 10,
            step: 1,
            default: 0,
            value: Some(0),
            items: vec![(1, "Manual".to_owned()), (3, "Aperture Priority".to_owned())],
            is_read_only: false,
            is_inactive: false,
        }
    }

    fn camera() -> Vec<Control> {
        let read_only = Control { is_read_only: true, ..control("temperature", ControlKind::Integer) };
        vec![
            control("brightness", ControlKind::Integer),
            control("auto_exposure", ControlKind::Menu),
            control("gain_automatic", ControlKind::Boolean),
            control("calibrate", ControlKind::Button),
            read_only,
        ]
    }

    #[test]
    fn a_refusal_names_the_control_and_its_bounds() {
        for (key, value, words) in [
            ("brightness", 11, "must be a number from -10 to 10, not 11"),
            ("auto_exposure", 2, "must be one of 1 (Manual), 3 (Aperture Priority), not 2"),
            ("gain_automatic", 2, "must be true or false, not 2"),
            ("temperature", 1, "cannot be set: it can only be looked at"),
            (
                "zoom",
                1,
                "this camera has no control zoom; it has brightness, auto_exposure, gain_automatic, calibrate, temperature",
            ),
        ] {
            let camera = camera();
            let error = checked(&camera, &[("brightness", 1), (key, value)]).unwrap_err();
            assert_eq!((error.key(), error.to_string().as_str()), (Some(key), words));
        }
    }

    #[test]
    fn automatics_are_set_before_what_they_rule() {
        let camera = camera();
        let wanted = [("calibrate", 1), ("brightness", 5), ("auto_exposure", 1)];
        let mut changes = checked(&camera, &wanted).unwrap();
        changes.sort_by_key(|(control, _)| control.order());
        let keys: Vec<_> = changes.iter().map(|(control, _)| control.key.as_str()).collect();
        assert_eq!(keys, ["auto_exposure", "brightness", "calibrate"]);
    }

    #[test]
    fn keys_are_made_of_the_drivers_names() {
        assert_eq!(key_of("White Balance, Automatic", 1), "white_balance_automatic");
        assert_eq!(key_of("Exposure (Absolute)", 1), "exposure_absolute");
        assert_eq!(key_of("\u{fffd}", 0x98_0900), "control_980900");
    }
}
