//! Why a camera shows nothing, in words for viewers and for `/readyz`.

use perch_studio::capture::status::CameraState;

/// Why nothing is live while the camera has this state.
pub(super) fn why_nothing_is_live(state: &CameraState) -> String {
    match state {
        CameraState::Starting => "the camera is starting: try again in a second".to_owned(),
        CameraState::Live { .. } => {
            "the camera is running, and the first segment follows: try again in a second".to_owned()
        }
        CameraState::Waiting { reason } => format!("waiting for the camera: {reason}"),
        CameraState::Stopped => "nothing is live".to_owned(),
    }
}
