//! The state of a camera, for the rest of the daemon. The capture thread writes it, the others watch it.

use super::source::SourceDescription;

/// The state of a camera.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CameraState {
    /// It is being opened; no picture yet.
    Starting,
    /// Access units come.
    Live {
        /// The running source.
        #[serde(flatten)]
        source: SourceDescription,
        /// What keeps some viewers from seeing it, in words, with the remedy.
        #[serde(skip_serializing_if = "Option::is_none")]
        advice: Option<String>,
    },
    /// The daemon waits for the camera: `reason` says what is missing and what a person can do.
    Waiting {
        /// The reason in words, with the remedy.
        reason: String,
    },
    /// The daemon is shutting down, or the stream was stopped.
    Stopped,
}

/// The result of the board's self-test for a camera: the same as `perchd probe` shows.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct SelfTest {
    /// The choice in words; absent while it is unknown, or when nothing can run.
    #[schema(required)]
    pub chosen: Option<String>,
    /// Reasons against the other choices, a sentence each.
    pub reasons: Vec<String>,
}

/// Counters of one camera since the daemon's start.
#[derive(Debug, Default)]
pub struct CaptureCounters {
    /// Access units published.
    pub access_units: std::sync::atomic::AtomicU64,
    /// Key frames among them: entries, at which a reader can start.
    pub key_frames: std::sync::atomic::AtomicU64,
    /// Coded bytes published.
    pub bytes: std::sync::atomic::AtomicU64,
    /// Buffers or pictures discarded: error-flagged, empty, torn, too late.
    pub discarded: std::sync::atomic::AtomicU64,
    /// Timestamps that jumped or went back and were corrected.
    pub times_changed: std::sync::atomic::AtomicU64,
    /// Pictures with B slices, which are presented in another order than they are decoded in.
    pub b_pictures: std::sync::atomic::AtomicU64,
    /// Frames missing from the driver's sequence numbers.
    pub lost_frames: std::sync::atomic::AtomicU64,
    /// How often the source was opened again after a failure.
    pub reopened: std::sync::atomic::AtomicU64,
    /// Seams published.
    pub seams: std::sync::atomic::AtomicU64,
}
