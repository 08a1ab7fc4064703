//! Reasons for missing segments.

use perch_media::hls::SegmentError;
use std::io;
use std::sync::Arc;

/// Why the newest segment of a stream is missing. The stream goes on after a seam.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HlsError {
    /// Its writer failed: memory is short, or the kernel's memory cannot be read back.
    #[error("viewers miss a part of the stream, because it could not be kept in memory: {0}")]
    Writer(Arc<io::Error>),
    /// It exceeded the largest size of a segment.
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
