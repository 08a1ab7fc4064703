//! Why the studio refuses.

use crate::capture::ability::Unable;
use crate::feed::Origin;
use crate::memory_budget::NoMemory;
use perch_store::StoreError;

/// Why a stream was not started or stopped.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// No camera is configured under this name.
    #[error("there is no camera {camera}; there is {there}")]
    NoSuchCamera {
        /// The requested name.
        camera: String,
        /// The configured cameras.
        there: String,
    },
    /// The camera and the encoder cannot provide the mode.
    #[error(transparent)]
    Unable(#[from] Unable),
    /// Too many streams, or too high a bitrate.
    #[error(transparent)]
    NoMemory(#[from] NoMemory),
    /// It is not plugged in, may not be opened, or has no encoder.
    #[error("{0}")]
    CameraUnavailable(String),
    /// A rule of the site refused it, or the store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The kernel gives no random numbers, which the id of a stream without an owner needs.
    #[error("no random numbers from the kernel: {0}")]
    Random(#[from] getrandom::Error),
    /// Another stream has the origin.
    #[error("{0} has a stream already")]
    OriginTaken(Origin),
    /// Only a stream on the air can be pinned, or be sent elsewhere.
    #[error("this stream is not on the air")]
    NotOnAir,
    /// It was stopped before it was on the air.
    #[error("the stream was stopped before it began")]
    Stopped,
    /// Too many starts wait for their cameras.
    #[error("too many streams are being started: try again in a few seconds")]
    Busy,
    /// Too many changes wait for the card.
    #[error("the stream's relays are being changed: try again in a few seconds")]
    BeingChanged,
    /// The feed's thread cannot be started.
    #[error("cannot start the camera's thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The daemon ends.
    #[error("Perch is shutting down")]
    ShuttingDown,
}
