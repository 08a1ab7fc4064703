//! How a camera is doing, as everybody else may know it. The capture thread writes, the others watch.

use super::source::SourceDescription;

/// Where a camera stands.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum CameraState {
    /// Being opened; no picture yet.
    Starting,
    /// Access units move.
    Live {
        /// What is running.
        #[serde(flatten)]
        source: SourceDescription,
        /// In words, what keeps some viewers from seeing it, with the way out.
        #[serde(skip_serializing_if = "Option::is_none")]
        advice: Option<String>,
    },
    /// Known and waited out: `reason` says in words what is missing and what a person can do.
    Waiting {
        /// In words, with the way out.
        reason: String,
    },
    /// The daemon is shutting down, or the stream was stopped.
    Stopped,
}

/// What the board's self-test came to for a camera: the same as `perchd probe` says.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, utoipa::ToSchema)]
pub struct SelfTest {
    /// In words; absent while it is not known, or when nothing can run.
    #[schema(required)]
    pub chosen: Option<String>,
    /// Why not the others, a sentence each.
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
    /// Buffers or pictures thrown away: error-flagged, empty, torn, out of time.
    pub discarded: std::sync::atomic::AtomicU64,
    /// Stamps that jumped or went back and were put right.
    pub times_changed: std::sync::atomic::AtomicU64,
    /// Pictures with B slices, which are shown in another order than they are decoded in.
    pub b_pictures: std::sync::atomic::AtomicU64,
    /// Gaps in the driver's sequence numbers, in frames.
    pub lost_frames: std::sync::atomic::AtomicU64,
    /// Times the source was opened anew after a failure.
    pub reopened: std::sync::atomic::AtomicU64,
    /// Seams published.
    pub seams: std::sync::atomic::AtomicU64,
}
