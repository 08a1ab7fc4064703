//! Every error and refusal of a use case. perch-web's `problem` maps them to HTTP.

use crate::accounts::attempts::TooMany;
use crate::accounts::passwords;
use crate::appliance::update::{BeginError, UpdateBusy, UpdateFileError};
use crate::backups::{BackupBusy, BackupError};
use crate::chat::ChatError;
use crate::notices::TooManyListeners;
use crate::picture::PictureError;
use crate::sealing::{Unopened, Unsealed};
use crate::text::FieldError;
use perch_store::{Refusal, Scope, StoreError};
use perch_studio::capture::controls::SetError;
use perch_studio::live::LiveError;
use perch_studio::snapshot::SnapshotError;
use std::time::Duration;

/// Why a use case failed.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// It does not exist, or is hidden from the actor.
    #[error("there is nothing at this address")]
    NotFound,
    /// It needs a login.
    #[error("log in first")]
    Unauthenticated,
    /// The login is open, but its access token is older than 15 minutes.
    #[error("the access token has expired: refresh it")]
    TokenExpired,
    /// Unknown name or wrong password; the error does not say which.
    #[error("wrong username or password")]
    WrongLogin,
    /// The password is not the actor's own.
    #[error("this is not your password")]
    WrongPassword,
    /// The code is not the setup code.
    #[error("wrong setup code: perchd's log and `perchd setup-code` show it")]
    WrongSetupCode,
    /// The owner has not approved the account yet.
    #[error("the owner must approve your account first")]
    PendingApproval,
    /// The owner has suspended the account.
    #[error("the owner has suspended your account")]
    Suspended,
    /// The actor may not do it.
    #[error("your account may not do this")]
    Forbidden,
    /// An API token lacks the scope; `None`: no token may do it.
    #[error("{}", scope_missing(*.0))]
    ScopeMissing(Option<Scope>),
    /// Too many attempts in a short time.
    #[error("too many requests: wait {} s", whole_seconds(*wait))]
    TooMany {
        /// Time until the next attempt is allowed.
        wait: Duration,
    },
    /// An invalid field.
    #[error(transparent)]
    Field(#[from] FieldError),
    /// Another stream has the camera.
    #[error("{username} is live on the camera {camera}")]
    CameraTaken {
        /// The camera's name.
        camera: String,
        /// The id of the stream that has it.
        stream: String,
        /// Whose stream it is.
        username: String,
    },
    /// A restart would interrupt a stream that is on the air.
    #[error("an update restarts the board: end the stream that is on the air first")]
    OnAir,
    /// A refusal by the store.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A recording's files cannot be read.
    #[error("the recording cannot be read at the moment: its disk may be missing or damaged")]
    Unreadable,
    /// The board cannot do more of this at once; the text names it.
    #[error("{0}: try again in a moment")]
    Busy(&'static str),
    /// The store's calls take longer than 10 s: the card is too slow.
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
    /// The camera has no picture now.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// An uploaded picture was refused.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A backup was not made, or cannot be restored.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// Another update is in progress.
    #[error(transparent)]
    UpdateBusy(#[from] UpdateBusy),
    /// An update's file cannot be written.
    #[error(transparent)]
    UpdateFile(#[from] UpdateFileError),
    /// The kernel gives no random numbers.
    #[error("no random numbers from the kernel: {0}")]
    Random(#[from] getrandom::Error),
    /// A worker thread panicked, or the daemon is stopping.
    #[error("the work was not finished: {0}")]
    Unfinished(#[from] tokio::task::JoinError),
    /// The thread that reads lists panicked over this request, or the daemon is stopping.
    #[error("the list was not read")]
    Crashed,
}

fn scope_missing(scope: Option<Scope>) -> String {
    match scope {
        Some(scope) => format!("this token may not do this: it lacks the scope {}", scope.name()),
        None => "no token may do this: log in with your password".to_owned(),
    }
}

/// Whole seconds, rounded up, so that waiting this long is enough.
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

impl From<Unopened> for SiteError {
    fn from(error: Unopened) -> Self {
        match error {
            Unopened::WrongPassword => FieldError { field: "keys_password", why: error.to_string() }.into(),
            Unopened::Busy(busy) => busy.into(),
        }
    }
}

impl From<Unsealed> for SiteError {
    fn from(error: Unsealed) -> Self {
        match error {
            Unsealed::Random(error) => error.into(),
            Unsealed::Busy(busy) => busy.into(),
        }
    }
}

impl From<BackupBusy> for SiteError {
    fn from(_: BackupBusy) -> Self {
        Self::Busy("another backup is in progress")
    }
}

impl From<TooManyListeners> for SiteError {
    fn from(_: TooManyListeners) -> Self {
        Self::Busy("this account has too many open pages")
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
