//! What webhooks are told. perch-web renders it as JSON.

use perch_store::{EventKind, Message, Recording, Stream, StreamId, Timestamp, User};

/// An event.
#[derive(Debug, Clone)]
pub struct Event {
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub about: About,
}

/// What happened.
#[derive(Debug, Clone)]
pub enum About {
    /// A stream shows its first picture.
    StreamStarted(Box<Stream>, User),
    /// A stream that was live has ended.
    StreamEnded(Box<Stream>, User),
    /// A recording is closed.
    RecordingReady(Box<Stream>, User, Recording),
    /// A relay's server does not take a stream.
    RelayFailed {
        /// The relay's name.
        relay: String,
        /// The stream.
        stream: StreamId,
        /// Why, in words.
        detail: String,
    },
    /// A stream waits for its camera.
    CameraFault {
        /// The camera's name.
        camera: String,
        /// The stream.
        stream: StreamId,
        /// Why, in words.
        detail: String,
    },
    /// The card is nearly full.
    StorageLow {
        /// In words.
        detail: String,
    },
    /// Somebody wrote in a stream's chat.
    ChatMessage(StreamId, Message, Option<User>),
    /// The owner tries the webhook.
    Test,
}

impl About {
    /// Its kind.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::StreamStarted(..) => EventKind::StreamStarted,
            Self::StreamEnded(..) => EventKind::StreamEnded,
            Self::RecordingReady(..) => EventKind::RecordingReady,
            Self::RelayFailed { .. } => EventKind::RelayFailed,
            Self::CameraFault { .. } => EventKind::CameraFault,
            Self::StorageLow { .. } => EventKind::StorageLow,
            Self::ChatMessage(..) => EventKind::ChatMessage,
            Self::Test => EventKind::Test,
        }
    }
}

/// Renders an event as the body that is delivered.
pub type RenderEvent = fn(&Event) -> String;
