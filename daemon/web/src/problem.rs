//! Everything that can be wrong with a request, and how it is told: `application/problem+json` (RFC 9457) with a
//! `code` that never changes once it is published. This is the one file that maps errors to HTTP.

use super::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use perch_site::accounts::attempts::TooMany;
use perch_site::accounts::passwords::Busy;
use perch_site::appliance::update::{BeginError, UpdateBusy, UpdateFileError};
use perch_site::backups::{BackupBusy, BackupError};
use perch_site::chat::{Barred, ChatError};
use perch_site::notices::TooManyListeners;
use perch_site::picture::PictureError;
use perch_site::text::FieldError;
use perch_store::{Refusal, StoreError};
use perch_studio::live::LiveError;
use serde_json::{Value, json};
use std::io::{self, ErrorKind};
use std::time::Duration;

/// Until a connection to a chat may have become free.
const CROWDED: Duration = Duration::from_secs(10);

/// What is wrong.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum Problem {
    /// No such address, or nothing behind it that the caller may know of.
    #[error("there is nothing at this address")]
    NotFound,
    /// The address is there, the method is not.
    #[error("this address answers {allowed} only")]
    Method { allowed: String },
    /// No stream, and why.
    #[error("{0}")]
    NotLive(String),
    /// The segment was never made, or has left the window.
    #[error("this segment is not in the live window (any more): read the playlist anew")]
    NoSuchSegment,
    /// A query parameter that cannot be read.
    #[error("{0}")]
    Query(&'static str),
    /// A query that cannot be read.
    #[error("the query cannot be read: {0}")]
    InvalidQuery(String),
    /// `_HLS_msn` beyond what a client may ask for (RFC 8216bis §6.2.5.2).
    #[error(
        "_HLS_msn asks for segment {asked}, the playlist ends with {last}: at most two ahead can be waited for"
    )]
    TooFarAhead { asked: u64, last: u64 },
    /// A blocking reload that took longer than three target durations.
    #[error("the next segment did not come in time: the camera may be stuck")]
    Overdue,
    /// A byte range outside the segment.
    #[error("the segment has {length} bytes")]
    Range { length: usize },
    /// More blocking reloads than the server keeps waiting.
    #[error("too many players wait for the next segment at once")]
    TooManyWaiting,
    /// A picture that cannot be shown as another kind of picture, and why.
    #[error("{0}")]
    Undecodable(String),
    /// Not ready, and why.
    #[error("{0}")]
    NotReady(String),

    /// Nobody is logged in, or not any more.
    #[error("log in first")]
    Unauthenticated,
    /// The login is open, its access token is old.
    #[error("the access token has expired: refresh it")]
    TokenExpired,
    /// No such name, or not its password: which of both is nobody's business.
    #[error("no account has this username and password")]
    WrongLogin,
    /// Not the caller's password.
    #[error("this is not your password")]
    WrongPassword,
    /// No refresh token came.
    #[error("no refresh token: log in again")]
    NoRefreshToken,
    /// Not the setup code.
    #[error("this is not the setup code: perchd's log shows it, and `perchd setup-code`")]
    WrongSetupCode,
    /// The owner has not approved it yet.
    #[error("the owner of this Perch has to approve the account first")]
    PendingApproval,
    /// The owner has barred it.
    #[error("the owner of this Perch has suspended the account")]
    Suspended,
    /// The caller may not.
    #[error("your account may not do this")]
    Forbidden,
    /// For this machine alone.
    #[error("only this machine itself and the owner may read this")]
    LocalOnly,
    /// Another site's page asks.
    #[error("a page of another site asks for this: Perch takes changes from its own page only")]
    CrossSite,
    /// More requests than one person needs.
    #[error("too many requests: wait {} s", wait_seconds(*wait))]
    TooMany { wait: Duration },

    /// A body that cannot be read at all.
    #[error("{0}")]
    InvalidBody(String),
    /// A field that does not fit.
    #[error("{field}: {why}")]
    Field { field: String, why: String },
    /// More bytes than are taken.
    #[error("at most {most} bytes are taken here")]
    TooLarge { most: usize },
    /// Another kind of body.
    #[error("the body must be {expected}")]
    UnsupportedMediaType { expected: &'static str },
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,

    /// Somebody else is live with it.
    #[error("{username} is live with the camera {camera}")]
    CameraTaken { camera: String, stream: String, username: String },
    /// It is not there, and why.
    #[error("{0}")]
    CameraUnavailable(String),

    /// Nobody's stream ends by surprise.
    #[error("a stream is on the air, and an update restarts the board: end the stream first")]
    OnAir,
    /// Another update is on its way.
    #[error(transparent)]
    UpdateBusy(#[from] UpdateBusy),

    /// A WebSocket is spoken here.
    #[error("this address speaks WebSocket (RFC 6455) only")]
    UpgradeRequired,
    /// Barred from a chat.
    #[error("{0}")]
    Banned(String),

    /// A rule of the site.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// More at once than the board can do.
    #[error("{0}: try again in a moment")]
    Busy(&'static str),
    /// The card does not keep up.
    #[error("the card is slow at the moment: try again in a moment")]
    StoreBusy,
    /// No space left for what was asked.
    #[error("the card is full: nothing was kept")]
    StoreFull,
    /// Something of ours failed; the log says what.
    #[error("this did not work, and that is not your fault: perchd's log says why")]
    Internal,
}

impl Problem {
    /// A field that does not fit, and why.
    pub(super) fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field { field: field.into(), why: why.into() }
    }

    /// A failure of ours: logged here, once; nothing of it is told.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let chain: Vec<String> =
            std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
        tracing::error!("a request failed: {}", chain.join(": "));
        Self::Internal
    }

    /// A file of ours that could not be written: `error`, because of `cause`.
    pub(super) fn unwritten(error: &dyn std::error::Error, cause: &io::Error) -> Self {
        let internal = Self::internal(error);
        match cause.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::StoreFull,
            _ => internal,
        }
    }

    /// Status and code.
    fn kind(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::NotFound => (S::NOT_FOUND, "not_found"),
            Self::Method { .. } => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::NotLive(_) => (S::NOT_FOUND, "not_live"),
            Self::NoSuchSegment => (S::NOT_FOUND, "no_such_segment"),
            Self::Query(_) | Self::InvalidQuery(_) => (S::BAD_REQUEST, "invalid_query"),
            Self::TooFarAhead { .. } => (S::BAD_REQUEST, "too_far_ahead"),
            Self::Overdue => (S::SERVICE_UNAVAILABLE, "segment_overdue"),
            Self::Range { .. } => (S::RANGE_NOT_SATISFIABLE, "range_not_satisfiable"),
            Self::TooManyWaiting => (S::SERVICE_UNAVAILABLE, "too_many_waiting"),
            Self::Undecodable(_) => (S::NOT_FOUND, "undecodable"),
            Self::NotReady(_) => (S::SERVICE_UNAVAILABLE, "not_ready"),
            Self::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated"),
            Self::TokenExpired => (S::UNAUTHORIZED, "token_expired"),
            Self::WrongLogin => (S::UNAUTHORIZED, "wrong_login"),
            Self::WrongPassword => (S::FORBIDDEN, "wrong_password"),
            Self::NoRefreshToken => (S::UNAUTHORIZED, "token_unknown"),
            Self::WrongSetupCode => (S::FORBIDDEN, "wrong_setup_code"),
            Self::PendingApproval => (S::FORBIDDEN, "pending_approval"),
            Self::Suspended => (S::FORBIDDEN, "suspended"),
            Self::Forbidden => (S::FORBIDDEN, "forbidden"),
            Self::LocalOnly => (S::FORBIDDEN, "local_only"),
            Self::CrossSite => (S::FORBIDDEN, "cross_site"),
            Self::TooMany { .. } => (S::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::InvalidBody(_) => (S::BAD_REQUEST, "invalid_body"),
            Self::Field { .. } => (S::UNPROCESSABLE_ENTITY, "invalid_field"),
            Self::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too_large"),
            Self::UnsupportedMediaType { .. } => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::TooSlow => (S::REQUEST_TIMEOUT, "too_slow"),
            Self::CameraTaken { .. } => (S::CONFLICT, "camera_taken"),
            Self::CameraUnavailable(_) => (S::CONFLICT, "camera_unavailable"),
            Self::OnAir => (S::CONFLICT, "on_air"),
            Self::UpdateBusy(UpdateBusy::Arriving) => (S::CONFLICT, "update_arriving"),
            Self::UpdateBusy(UpdateBusy::UnderWay) => (S::CONFLICT, "update_under_way"),
            Self::UpgradeRequired => (S::UPGRADE_REQUIRED, "upgrade_required"),
            Self::Banned(_) => (S::FORBIDDEN, "banned"),
            Self::Refused(refusal) => refused(refusal),
            Self::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy"),
            Self::StoreBusy => (S::SERVICE_UNAVAILABLE, "store_busy"),
            Self::StoreFull => (S::INSUFFICIENT_STORAGE, "store_full"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// The answer. Never cached: what is wrong now may be right in a second.
    pub(super) fn into_response(self) -> Response<Body> {
        let (status, code) = self.kind();
        let mut text = json!({
            "type": "about:blank",
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "code": code,
            "detail": self.to_string(),
        });
        if let Self::Field { field, why } = &self {
            text["field"] = Value::from(field.as_str());
            text["detail"] = Value::from(why.as_str());
        }
        if let Self::CameraTaken { stream, username, .. } = &self {
            text["stream"] = Value::from(stream.as_str());
            text["username"] = Value::from(username.as_str());
        }
        let mut response = Response::new(Body::from(text.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self {
            Self::Method { allowed } => {
                let allowed = HeaderValue::try_from(allowed).expect("methods are a header value");
                headers.insert(ALLOW, allowed);
            }
            Self::NotLive(_)
            | Self::NotReady(_)
            | Self::Overdue
            | Self::TooManyWaiting
            | Self::Busy(_)
            | Self::StoreBusy => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::TooMany { wait } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(wait_seconds(wait)));
            }
            Self::UpgradeRequired => {
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            Self::Unauthenticated | Self::TokenExpired | Self::WrongLogin => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"perch\""));
            }
            Self::Range { length } => {
                let range =
                    HeaderValue::try_from(format!("bytes */{length}")).expect("digits are a header value");
                headers.insert(http::header::CONTENT_RANGE, range);
            }
            _ => {}
        }
        response
    }
}

/// Status and code of a rule of the site.
fn refused(refusal: &Refusal) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match refusal {
        Refusal::NotFound { .. } => (S::NOT_FOUND, "not_found"),
        Refusal::UsernameTaken { .. } => (S::CONFLICT, "username_taken"),
        Refusal::TopicTaken { .. } => (S::CONFLICT, "topic_taken"),
        Refusal::OwnerExists => (S::CONFLICT, "owner_exists"),
        Refusal::LastOwner => (S::CONFLICT, "last_owner"),
        Refusal::RegistrationClosed => (S::FORBIDDEN, "registration_closed"),
        Refusal::OwnAccount => (S::CONFLICT, "own_account"),
        Refusal::CameraTaken { .. } => (S::CONFLICT, "camera_taken"),
        Refusal::WrongState { .. } => (S::CONFLICT, "wrong_state"),
        Refusal::NotEnded { .. } => (S::CONFLICT, "not_ended"),
        Refusal::TokenUnknown => (S::UNAUTHORIZED, "token_unknown"),
        Refusal::TokenExpired => (S::UNAUTHORIZED, "login_expired"),
        Refusal::TokenReused { .. } => (S::UNAUTHORIZED, "token_reused"),
        Refusal::NotActive => (S::FORBIDDEN, "not_active"),
        Refusal::TooMany { .. } => (S::CONFLICT, "too_many"),
        Refusal::NotEmpty => (S::CONFLICT, "not_empty"),
        Refusal::NoOwner => (S::CONFLICT, "no_owner"),
    }
}

fn wait_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Refused(refusal) => Self::Refused(refusal),
            StoreError::Full { .. } => {
                Self::internal(&error);
                Self::StoreFull
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

impl From<BackupBusy> for Problem {
    fn from(_: BackupBusy) -> Self {
        Self::Busy("another backup is on its way")
    }
}

impl From<UpdateFileError> for Problem {
    fn from(error: UpdateFileError) -> Self {
        Self::unwritten(&error, &error.0)
    }
}

impl From<BeginError> for Problem {
    fn from(error: BeginError) -> Self {
        match error {
            BeginError::Busy(busy) => busy.into(),
            BeginError::File(error) => error.into(),
        }
    }
}

impl From<LiveError> for Problem {
    fn from(error: LiveError) -> Self {
        match error {
            LiveError::NoSuchCamera { .. } => Self::field("camera", error.to_string()),
            LiveError::Unable(unable) => Self::field(unable.field(), unable.to_string()),
            LiveError::CameraUnavailable(why) => Self::CameraUnavailable(why),
            LiveError::Store(error) => error.into(),
            LiveError::Thread(_) | LiveError::Random(_) => Self::internal(&error),
            LiveError::ShuttingDown => Self::NotReady(error.to_string()),
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
            PictureError::TooLarge | PictureError::Damaged { .. } => {
                Self::field("picture", error.to_string())
            }
            PictureError::Busy => Self::Busy("others' pictures are being read"),
        }
    }
}

impl From<TooManyListeners> for Problem {
    fn from(_: TooManyListeners) -> Self {
        Self::Busy("too many pages of this account are open")
    }
}

impl From<ChatError> for Problem {
    fn from(error: ChatError) -> Self {
        match error {
            ChatError::NoRoom => Self::NotFound,
            ChatError::Text(error) => error.into(),
            ChatError::Barred(Barred::LoggedOut | Barred::MembersOnly | Barred::Anonymous) => {
                Self::Unauthenticated
            }
            ChatError::Barred(barred @ Barred::Banned { .. }) => Self::Banned(barred.to_string()),
            ChatError::Barred(Barred::Muted { .. } | Barred::FollowersOnly | Barred::NoAccount)
            | ChatError::NotYours => Self::Forbidden,
            ChatError::Full => Self::Busy("this chat is full"),
            ChatError::Crowded => Self::TooMany { wait: CROWDED },
            ChatError::Store(error) => error.into(),
            ChatError::Closing => Self::Busy("Perch is shutting down"),
        }
    }
}

impl From<Busy> for Problem {
    fn from(_: Busy) -> Self {
        Self::Busy("too many people are logging in at once")
    }
}

impl From<TooMany> for Problem {
    fn from(too_many: TooMany) -> Self {
        Self::TooMany { wait: too_many.wait }
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}
