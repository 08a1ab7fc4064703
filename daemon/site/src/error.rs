//! Everything that a use case of the site can refuse or fail with. How each is told over HTTP is perch-web's (`problem`).

use crate::accounts::attempts::TooMany;
use crate::accounts::passwords;
use crate::appliance::update::{BeginError, UpdateBusy, UpdateFileError};
use crate::backups::{BackupBusy, BackupError};
use crate::chat::ChatError;
use crate::notices::TooManyListeners;
use crate::picture::PictureError;
use crate::text::FieldError;
use perch_store::{Refusal, StoreError};
use perch_studio::capture::controls::SetError;
use perch_studio::live::LiveError;
use perch_studio::snapshot::SnapshotError;
use std::time::Duration;

/// Why a use case was not done.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// It does not exist, or the actor may not know that it does.
    #[error("there is nothing at this address")]
    NotFound,
    /// It needs a login.
    #[error("log in first")]
    Unauthenticated,
    /// The login is open, but its access token is older than 15 minutes.
    #[error("the access token has expired: refresh it")]
    TokenExpired,
    /// No such name, or not its password; which of the two is not told.
    #[error("no account has this username and password")]
    WrongLogin,
    /// Not the actor's own password.
    #[error("this is not your password")]
    WrongPassword,
    /// Not the setup code.
    #[error("this is not the setup code: perchd's log shows it, and `perchd setup-code`")]
    WrongSetupCode,
    /// The owner has not approved the account yet.
    #[error("the owner of this Perch has to approve the account first")]
    PendingApproval,
    /// The owner has suspended the account.
    #[error("the owner of this Perch has suspended the account")]
    Suspended,
    /// The actor may not do it.
    #[error("your account may not do this")]
    Forbidden,
    /// Too many tries in a short time.
    #[error("too many requests: wait {} s", whole_seconds(*wait))]
    TooMany {
        /// Until the next try is heard.
        wait: Duration,
    },
    /// A field does not fit.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Another stream has the camera.
    #[error("{username} is live with the camera {camera}")]
    CameraTaken {
        /// The camera's name.
        camera: String,
        /// The id of the stream that has it.
        stream: String,
        /// Whose stream it is.
        username: String,
    },
    /// A restart would end a stream that is on the air.
    #[error("a stream is on the air, and an update restarts the board: end the stream first")]
    OnAir,
    /// A rule that the store keeps.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More at once than the board can do; what, in words.
    #[error("{0}: try again in a moment")]
    Busy(&'static str),
    /// The store's calls take longer than 10 s: the card does not keep up.
    #[error("the card is slow at the moment: try again in a moment")]
    StoreBusy,
    /// The store failed; never a [`Refusal`].
    #[error(transparent)]
    Store(StoreError),
    /// Going live or stopping failed.
    #[error(transparent)]
    Live(#[from] LiveError),
    /// A chat refused.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// A camera's controls could not be set.
    #[error(transparent)]
    Controls(#[from] SetError),
    /// There is no picture of a camera now.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// An uploaded picture was not taken.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A backup was not made, or cannot be restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Another update is on its way.
    #[error(transparent)]
    UpdateBusy(#[from] UpdateBusy),
    /// The files of an update cannot be written.
    #[error(transparent)]
    UpdateFile(#[from] UpdateFileError),
    /// The kernel gives no random numbers.
    #[error("no random numbers from the kernel: {0}")]
    Random(#[from] getrandom::Error),
    /// A thread that worked on it panicked, or the daemon ends.
    #[error("the work was not finished: {0}")]
    Unfinished(#[from] tokio::task::JoinError),
}

/// Whole seconds, rounded up: whoever waits so long has waited long enough.
pub const fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + (wait.subsec_nanos() > 0) as u64
}

impl From<StoreError> for SiteError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::Refused(refusal),
            error => Self::Store(error),
        }
    }
}

impl From<TooMany> for SiteError {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany { wait: too_many.wait }
    }
}

impl From<passwords::Busy> for SiteError {
    fn from(_: passwords::Busy) -> Self {
        Self::Busy("too many people are logging in at once")
    }
}

impl From<BackupBusy> for SiteError {
    fn from(_: BackupBusy) -> Self {
        Self::Busy("another backup is on its way")
    }
}

impl From<TooManyListeners> for SiteError {
    fn from(_: TooManyListeners) -> Self {
        Self::Busy("too many pages of this account are open")
    }
}

impl From<BeginError> for SiteError {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Busy(busy) => busy.into(),
            BeginError::File(error) => error.into(),
        }
    }
}
