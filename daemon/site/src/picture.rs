//! Uploaded pictures, for avatars and thumbnails: decoded within limits, turned upright, cropped, scaled and re-encoded as JPEG.
//! Nothing else of the upload is passed on: no metadata, no location, no hidden data.
//!
//! Each is decoded by a process of its own (`apart`), whose memory and time the kernel limits, whatever the decoder does.
//!
//! Not here: rights (`avatars`, `thumbnails`), storage (perch-store), pictures from cameras (perch-studio).

pub mod apart;
pub(crate) mod making;

use perch_store::UserId;
use rustix::fs::{MemfdFlags, memfd_create};
use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of an upload at most.
pub const UPLOAD_BYTES: usize = 8 << 20;
/// Bytes that tell whether a file can be a picture.
pub const HEAD_BYTES: usize = 12;
/// Pixels of a picture at most, however small its file: 4096 × 3072, what phones take.
const PIXELS: u64 = 12 << 20;
/// Memory for decoding one picture: 12 megapixels with 3 bytes each, and the file. The unit's `MemoryHigh` is 192 MiB.
const DECODING_BYTES: u64 = 48 << 20;
/// Uploads held in memory at once: four of 8 MiB.
const UPLOADS: usize = 4;
/// The longest wait for an upload's slot, and for the decoder's turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The use of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// 256 × 256, the middle of the picture.
    Avatar,
    /// 640 × 360, the middle of the picture.
    Thumbnail,
}

impl Purpose {
    /// Width and height in pixels.
    pub const fn size(self) -> (u32, u32) {
        match self {
            Self::Avatar => (256, 256),
            Self::Thumbnail => (640, 360),
        }
    }
}

/// Why a picture was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// The file has another format.
    #[error("Perch cannot read this file: upload a PNG, JPEG or WebP picture")]
    NoPicture,
    /// Too many pixels.
    #[error(
        "the picture is too large: scale it down to at most {} megapixels, such as 4000 × 3000",
        PIXELS / 1_000_000
    )]
    TooLarge,
    /// Decoding it takes more than [`DECODING_BYTES`].
    #[error(
        "decoding the picture would take more than {} MB of memory: scale it down, or save it as a JPEG that is not progressive",
        DECODING_BYTES / 1_000_000
    )]
    TooHeavy,
    /// Decoding it takes too long.
    #[error(
        "decoding the picture takes too long: scale it down, or save it as a JPEG that is not progressive"
    )]
    TooSlow,
    /// The file begins like a picture, but cannot be decoded.
    #[error("the picture is damaged: {what}")]
    Damaged {
        /// The decoder's error.
        what: String,
    },
    /// The account is uploading another picture.
    #[error("another picture of yours is being uploaded")]
    Another,
    /// Other pictures kept the slots or the decoder busy for too long.
    #[error("other uploaded pictures are being processed")]
    Busy,
    /// The decoder's process cannot be started; details are in the log.
    #[error("the picture cannot be decoded because of an error in Perch: see perchd's log")]
    Unavailable,
}

/// True if a file with this beginning can be a picture.
pub fn looks_like_one(head: &[u8]) -> bool {
    let is_webp = head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP");
    head.starts_with(b"\x89PNG\r\n\x1a\n") || head.starts_with(b"\xff\xd8\xff") || is_webp
}

/// Processes pictures one at a time, to bound memory.
pub struct Pictures {
    uploads: Arc<Semaphore>,
    turn: Arc<Semaphore>,
    /// Accounts that are uploading one.
    uploading: Arc<Mutex<HashSet<UserId>>>,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            uploads: Arc::new(Semaphore::new(UPLOADS)),
            turn: Arc::new(Semaphore::new(1)),
            uploading: Arc::default(),
        }
    }
}

impl Pictures {
    /// An empty file in memory for an upload of `user`, who has no other. Check rights first: whoever waits for a slot waits for those
    /// who have one.
    ///
    /// # Errors
    ///
    /// `Another`; `Busy` after 10 s without a slot; `Unavailable` if the kernel gives no file.
    pub async fn begin(&self, user: UserId) -> Result<(Slot, File), PictureError> {
        let own = OwnTurn::take(&self.uploading, user).ok_or(PictureError::Another)?;
        let slot = Slot { _memory: wait_for(&self.uploads).await?, _own: own };
        let file = memfd_create("perch-picture", MemfdFlags::CLOEXEC);
        let file = file.map_err(|error| unavailable(&error.into()))?;
        Ok((slot, file.into()))
    }

    /// Makes the stored JPEG from an upload.
    pub(crate) async fn make(&self, upload: Upload, purpose: Purpose) -> Result<Vec<u8>, PictureError> {
        let _turn = wait_for(&self.turn).await?;
        apart::make(upload.file, purpose).await
    }
}

fn unavailable(error: &io::Error) -> PictureError {
    tracing::error!("an uploaded picture cannot be decoded: {error}");
    PictureError::Unavailable
}

async fn wait_for(slots: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, PictureError> {
    let slot = tokio::time::timeout(PATIENCE, slots.clone().acquire_owned()).await;
    slot.map_err(|_| PictureError::Busy)?.map_err(|_| PictureError::Busy)
}

/// The right to hold one upload in memory.
pub struct Slot {
    _memory: OwnedSemaphorePermit,
    _own: OwnTurn,
}

impl Slot {
    /// The upload, once the file is complete.
    pub fn filled(self, file: File) -> Upload {
        Upload { file, _slot: self }
    }
}

/// A complete upload.
pub struct Upload {
    file: File,
    _slot: Slot,
}

/// An account's entry in the set of those that are uploading.
struct OwnTurn {
    uploading: Arc<Mutex<HashSet<UserId>>>,
    user: UserId,
}

impl OwnTurn {
    /// `None` if the account has one.
    fn take(uploading: &Arc<Mutex<HashSet<UserId>>>, user: UserId) -> Option<Self> {
        locked(uploading).insert(user).then(|| Self { uploading: uploading.clone(), user })
    }
}

impl Drop for OwnTurn {
    fn drop(&mut self) {
        locked(&self.uploading).remove(&self.user);
    }
}

fn locked(uploading: &Mutex<HashSet<UserId>>) -> MutexGuard<'_, HashSet<UserId>> {
    uploading.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
