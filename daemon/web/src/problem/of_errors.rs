//! Which problem each error of the site and the studio is for a client. Causes that are ours alone go to the log.

use super::Problem;
use perch_site::accounts::attempts::TooMany;
use perch_site::accounts::passwords::Busy;
use perch_site::appliance::update::{BeginError, UpdateBusy, UpdateFileError};
use perch_site::backups::{BackupBusy, BackupError};
use perch_site::chat::{Barred, ChatError};
use perch_site::error::SiteError;
use perch_site::notices::TooManyListeners;
use perch_site::picture::PictureError;
use perch_site::text::FieldError;
use perch_store::{Refusal, StoreError};
use perch_studio::capture::controls::SetError;
use perch_studio::live::LiveError;
use perch_studio::snapshot::SnapshotError;
use std::time::Duration;

/// Wait that is advised before the next attempt to connect to a chat.
const CROWDED: Duration = Duration::from_secs(10);

impl From<SiteError> for Problem {
    fn from(error: SiteError) -> Self {
        match error {
            SiteError::Field(error) => error.into(),
            SiteError::Store(error) => error.into(),
            SiteError::Live(error) => error.into(),
            SiteError::Chat(error) => error.into(),
            SiteError::Controls(error) => error.into(),
            SiteError::Snapshot(error) => error.into(),
            SiteError::Picture(error) => error.into(),
            SiteError::Backup(error) => error.into(),
            SiteError::UpdateFile(error) => error.into(),
            SiteError::Random(_) | SiteError::Unfinished(_) | SiteError::Crashed => Self::internal(&error),
            error => Self::Site(error),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::Site(refusal.into()),
            StoreError::Full { .. } => {
                Self::internal(&error);
                Self::StoreFull
            }
            StoreError::ReadOnly { .. } => {
                Self::internal(&error);
                Self::StoreReadOnly
            }
            error => Self::internal(&error),
        }
    }
}

impl From<BackupError> for Problem {
    fn from(error: BackupError) -> Self {
        match error {
            BackupError::Unusable(why) => Self::field("backup", why),
            BackupError::Store(error) => error.into(),
            BackupError::File(ref cause) => Self::unwritten(&error, cause),
            BackupError::Random(_) => Self::internal(&error),
        }
    }
}

impl From<UpdateFileError> for Problem {
    fn from(error: UpdateFileError) -> Self {
        Self::unwritten(&error, &error.0)
    }
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::NoSuchCamera { .. } => Self::field("camera", error.to_string()),
            LiveError::Unable(unable) => Self::field(unable.field(), unable.to_string()),
            LiveError::CameraUnavailable(why) => Self::CameraUnavailable(why),
            LiveError::OriginTaken(_) | LiveError::Stopped | LiveError::Busy | LiveError::BeingChanged => {
                Self::CameraUnavailable(error.to_string())
            }
            LiveError::NotOnAir => Self::StreamNotOnAir,
            LiveError::Store(error) => error.into(),
            LiveError::Thread(_) | LiveError::Random(_) => Self::internal(&error),
            LiveError::NoMemory(error) => Self::NoMemory(error),
            LiveError::ShuttingDown => Self::NotReady(error.to_string()),
        }
    }
}

impl From<SetError> for Problem {
    fn from(error: SetError) -> Self {
        match &error {
            SetError::Control(control) if control.key().is_some() => {
                Self::field(control.key().unwrap_or_default(), error.to_string())
            }
            _ => Self::NotReady(error.to_string()),
        }
    }
}

impl From<SnapshotError> for Problem {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::NotLive => Self::NotLive(error.to_string()),
            SnapshotError::Undecodable(error) => Self::Undecodable(error.to_string()),
            SnapshotError::Busy => Self::Site(SiteError::Busy("other pictures are being prepared")),
        }
    }
}

impl From<FieldError> for Problem {
    fn from(error: FieldError) -> Self {
        Self::field(error.field, error.why)
    }
}

impl From<PictureError> for Problem {
    fn from(error: PictureError) -> Self {
        match error {
            PictureError::NoPicture => {
                Self::UnsupportedMediaType { expected: "a picture as PNG, JPEG or WebP" }
            }
            PictureError::TooLarge
            | PictureError::TooHeavy
            | PictureError::TooSlow
            | PictureError::Damaged { .. } => Self::field("picture", error.to_string()),
            PictureError::Another => {
                Self::Site(SiteError::Busy("another picture of yours is being uploaded"))
            }
            PictureError::Busy => Self::Site(SiteError::Busy("other uploaded pictures are being processed")),
            PictureError::Unavailable => Self::Internal,
        }
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NoRoom => Self::NotFound,
            ChatError::Text(error) => error.into(),
            ChatError::Barred(Barred::LoggedOut | Barred::MembersOnly | Barred::Anonymous) => {
                Self::Site(SiteError::Unauthenticated)
            }
            ChatError::Barred(Barred::Banned(banned)) => Self::Banned(banned),
            ChatError::Barred(Barred::Muted(_) | Barred::FollowersOnly | Barred::NoAccount)
            | ChatError::NotYours => Self::Site(SiteError::Forbidden),
            ChatError::Full => Self::Site(SiteError::Busy("this chat is full")),
            ChatError::Crowded => Self::Site(SiteError::TooMany { wait: CROWDED }),
            ChatError::Store(error) => error.into(),
            ChatError::NotSent(refused) => Self::NotSent(refused),
            ChatError::Closing => Self::Site(SiteError::Busy("Perch is shutting down")),
        }
    }
}

macro_rules! by_way_of_site {
    ($($error:ty),* $(,)?) => {$(
        impl From<$error> for Problem {
            fn from(error: $error) -> Self {
                SiteError::from(error).into()
            }
        }
    )*};
}

by_way_of_site!(BackupBusy, BeginError, Busy, Refusal, TooMany, TooManyListeners, UpdateBusy);
