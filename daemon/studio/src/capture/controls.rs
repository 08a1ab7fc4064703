//! The picture controls that people have set, applied again whenever a camera is opened, because cameras forget them without power.
//!
//! Must not be here: storing them across restarts (the store), and the controls themselves (`perch-device`).

use super::choice::{ChosenSource, asks_the_board, choose};
use super::source::SourceError;
use crate::config;
use perch_device::probe::probe;
use perch_device::v4l2::controls::{self, ControlError};
pub use perch_device::v4l2::controls::{Control, ControlKind};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Values by the controls' keys.
pub type Values = BTreeMap<String, i32>;

/// The values set for each camera; clones share them.
#[derive(Clone, Debug, Default)]
pub struct KeptControls(Arc<Mutex<HashMap<String, Values>>>);

/// Why controls were not set.
#[derive(Debug, thiserror::Error)]
pub enum SetError {
    /// There is no such camera now.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The camera refuses; nothing was set.
    #[error(transparent)]
    Control(#[from] ControlError),
}

impl KeptControls {
    /// Remembers all values that were set for a camera.
    pub fn keep(&self, camera: &str, values: Values) {
        self.all().insert(camera.to_owned(), values);
    }

    /// Applies the remembered values to a camera that was just opened. Values that it refuses are skipped, because it
    /// gives pictures without them.
    pub fn apply(&self, camera: &str, node: &Path) {
        let values = self.all().get(camera).cloned().unwrap_or_default();
        let values: Vec<(&str, i32)> = values.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        if values.is_empty() || controls::set(node, &values).is_ok() {
            return;
        }
        for value in values {
            if let Err(error) = controls::set(node, &[value]) {
                tracing::info!(camera, control = value.0, "not set as before: {error}");
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Values>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All controls of a configured camera; none if its pictures do not come from V4L2. Probes the board, which blocks for
/// some milliseconds.
pub fn list(wanted: &config::Camera) -> Result<Vec<Control>, SourceError> {
    Ok(node(wanted)?.map(|node| controls::list(&node)).transpose()?.unwrap_or_default())
}

/// Sets controls, all or none; returns all controls with their new values.
pub fn set(wanted: &config::Camera, values: &Values) -> Result<Vec<Control>, SetError> {
    let values: Vec<(&str, i32)> = values.iter().map(|(key, value)| (key.as_str(), *value)).collect();
    match (node(wanted)?, values.first()) {
        (Some(node), _) => Ok(controls::set(&node, &values)?),
        (None, None) => Ok(Vec::new()),
        (None, Some((key, _))) => {
            Err(ControlError::Unknown { key: (*key).to_owned(), there: "none".to_owned() }.into())
        }
    }
}

/// The node of a V4L2 camera.
fn node(wanted: &config::Camera) -> Result<Option<PathBuf>, SourceError> {
    if !asks_the_board(wanted) {
        return Ok(None);
    }
    match choose(&probe(), wanted, &[]).choice?.source {
        ChosenSource::V4l2 { camera, .. } => Ok(Some(camera.path)),
        // libcamera sets the controls of a CSI sensor, and rpicam-vid takes them only when it starts.
        ChosenSource::TestPattern | ChosenSource::Command | ChosenSource::Libcamera { .. } => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::testing;

    #[test]
    fn a_camera_that_is_none_of_the_kernels_has_no_controls() {
        let pattern = config::Camera { encoder: config::EncoderKind::Software, ..testing::camera() };
        assert_eq!(list(&pattern).unwrap(), []);
        assert_eq!(set(&pattern, &Values::new()).unwrap(), []);
        let error = set(&pattern, &Values::from([("brightness".to_owned(), 1)])).unwrap_err();
        assert_eq!(error.to_string(), "this camera has no control brightness; it has none");
    }
}
