//! What keeps segments from viewers.

use perch_media::hls::SegmentError;
use std::io;
use std::sync::Arc;

/// Why the newest segment of a stream is missing. The stream goes on after a seam.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HlsError {
    /// Its writer failed: there is no memory for it, or the kernel does not give back what it was given.
    #[error("viewers miss a part of the stream, because it could not be kept in memory: {0}")]
    Writer(Arc<io::Error>),
    /// It grew beyond what a segment may be.
    #[error("viewers miss a part of the stream, because its bit rate is too high: choose a lower one")]
    TooLarge,
}

impl From<SegmentError<io::Error>> for HlsError {
    fn from(error: SegmentError<io::Error>) -> Self {
        match error {
            SegmentError::Writer(error) => error.into(),
            SegmentError::TooLarge => Self::TooLarge,
        }
    }
}

impl From<io::Error> for HlsError {
    fn from(error: io::Error) -> Self {
        Self::Writer(Arc::new(error))
    }
}
