//! Everything that can be wrong with a request, and its response: `application/problem+json` (RFC 9457) with a `code` that never
//! changes once published. Only this file maps problems to HTTP; `of_errors` says which problem an error is.

mod of_errors;

use super::barred::BarredLine;
use super::body::Body;
use http::header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER, UPGRADE, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use perch_site::appliance::update::UpdateBusy;
use perch_site::chat::{Barred, NotSent, Restricted};
use perch_site::error::{SiteError, whole_seconds};
use perch_store::Refusal;
use perch_studio::memory_budget::NoMemory;
use serde_json::{Value, json};
use std::io::{self, ErrorKind};

/// The problem with a request.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    /// No such address, or nothing there that the caller may see.
    #[error("there is nothing at this address")]
    NotFound,
    /// The address exists, but not for this method.
    #[error("this address accepts only {allowed}")]
    Method { allowed: String },
    /// The stream is not live; the text says why.
    #[error("{0}")]
    NotLive(String),
    /// The segment never existed, or has left the window.
    #[error("this segment is not in the live window, or no longer: reload the playlist")]
    NoSuchSegment,
    /// An invalid query parameter.
    #[error("{0}")]
    Query(&'static str),
    /// An invalid query.
    #[error("invalid query: {0}")]
    InvalidQuery(String),
    /// `_HLS_msn` is beyond what a client may request (RFC 8216bis §6.2.5.2).
    #[error(
        "_HLS_msn asks for segment {asked}, but the playlist ends with {last}: it may be at most two ahead"
    )]
    TooFarAhead { asked: u64, last: u64 },
    /// A blocking reload took longer than three target durations.
    #[error("the next segment did not come in time: the camera may be stuck")]
    Overdue,
    /// A byte range outside the segment.
    #[error("there are only {length} bytes")]
    Range { length: u64 },
    /// More blocking reloads wait than the server allows.
    #[error("too many players are waiting for the next segment")]
    TooManyWaiting,
    /// A picture that cannot be converted; the text says why.
    #[error("{0}")]
    Undecodable(String),
    /// Not ready; the text says why.
    #[error("{0}")]
    NotReady(String),

    /// No refresh token was sent.
    #[error("no refresh token: log in again")]
    NoRefreshToken,
    /// The request's host cannot be read (RFC 9112 §3.2).
    #[error("{0}")]
    InvalidHost(&'static str),
    /// The request is for a host that is not this site's (RFC 9110 §15.5.20).
    #[error(
        "Perch is not called {host:?}: open it by its own name or address. If this name should lead here, add it to names under [server] in perch.toml"
    )]
    Misdirected { host: String },

    /// The address is only for the owner and listed programs.
    #[error(
        "only the owner may read this, and programs at the addresses of metrics_from under [server] in perch.toml"
    )]
    LocalOnly,
    /// A page of another site made the request.
    #[error("this request comes from another site's page: Perch accepts changes only from its own")]
    CrossSite,
    /// A page at `origin` made the request, which was sent to other hosts.
    #[error(
        "this request comes from a page at {origin}, but asks for {asked}: Perch accepts changes only from its own pages. If that page is Perch behind a proxy, the proxy must pass on the host and port that the browser asked for (nginx: proxy_set_header Host $http_host), or be listed in trusted_proxies under [server] in perch.toml and set X-Forwarded-Host"
    )]
    OtherOrigin { origin: String, asked: String },
    /// A write on the access point, other than choosing a network.
    #[error("on the board's own Wi-Fi only a network can be chosen: join that network to do more")]
    AccessPoint,
    /// An unreadable body.
    #[error("{0}")]
    InvalidBody(String),
    /// An invalid field.
    #[error("{field}: {why}")]
    Field { field: String, why: String },
    /// The body is too large.
    #[error("the body may have at most {most} bytes")]
    TooLarge { most: usize },
    /// The body has the wrong content type.
    #[error("the body must be {expected}")]
    UnsupportedMediaType { expected: &'static str },
    /// The body did not arrive in time.
    #[error("the body did not arrive in time")]
    TooSlow,

    /// The camera does not exist; the text says why.
    #[error("{0}")]
    CameraUnavailable(String),

    /// The address accepts only WebSocket connections.
    #[error("this address accepts only WebSocket connections (RFC 6455)")]
    UpgradeRequired,
    /// The person may not enter this chat.
    #[error("{}", Barred::Banned(*.0))]
    Banned(Restricted),

    /// A chat message was not stored.
    #[error(transparent)]
    NotSent(NotSent),

    /// The board's memory does not suffice for another stream.
    #[error(transparent)]
    NoMemory(NoMemory),
    /// A use case of the site refused the request.
    #[error(transparent)]
    Site(SiteError),
    /// The card has no space left.
    #[error("the card is full: nothing was saved")]
    StoreFull,
    /// The card takes no writes.
    #[error("the card takes no writes: nothing was saved")]
    StoreReadOnly,
    /// Only a stream on the air can be featured.
    #[error("this stream is not on the air")]
    StreamNotOnAir,
    /// An internal error; details are in the log.
    #[error("this failed because of an error in Perch: see perchd's log")]
    Internal,
}

impl Problem {
    /// An invalid field, with the reason.
    pub(super) fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field { field: field.into(), why: why.into() }
    }

    /// A recording that has begun, and has nothing to be played yet.
    pub(super) fn nothing_recorded_yet() -> Self {
        Self::NotLive("nothing has been recorded yet".to_owned())
    }

    /// An internal error: logged here, once, and not shown to the client.
    pub(super) fn internal(error: &dyn std::error::Error) -> Self {
        let chain: Vec<String> =
            std::iter::successors(Some(error), |error| error.source()).map(ToString::to_string).collect();
        tracing::error!("a request failed: {}", chain.join(": "));
        Self::Internal
    }

    /// A file of ours could not be written: `error`, caused by `cause`.
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
            Self::NoRefreshToken => (S::UNAUTHORIZED, "token_unknown"),
            Self::LocalOnly => (S::FORBIDDEN, "local_only"),
            Self::InvalidHost(_) => (S::BAD_REQUEST, "invalid_host"),
            Self::Misdirected { .. } => (S::MISDIRECTED_REQUEST, "misdirected"),
            Self::CrossSite | Self::OtherOrigin { .. } => (S::FORBIDDEN, "cross_site"),
            Self::AccessPoint => (S::FORBIDDEN, "access_point"),
            Self::InvalidBody(_) => (S::BAD_REQUEST, "invalid_body"),
            Self::Field { .. } => (S::UNPROCESSABLE_ENTITY, "invalid_field"),
            Self::TooLarge { .. } => (S::PAYLOAD_TOO_LARGE, "too_large"),
            Self::UnsupportedMediaType { .. } => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::TooSlow => (S::REQUEST_TIMEOUT, "too_slow"),
            Self::CameraUnavailable(_) => (S::CONFLICT, "camera_unavailable"),
            Self::NoMemory(_) => (S::CONFLICT, "no_memory"),
            Self::UpgradeRequired => (S::UPGRADE_REQUIRED, "upgrade_required"),
            Self::Banned(_) => (S::FORBIDDEN, "banned"),
            Self::NotSent(refused) => {
                let status = match refused {
                    NotSent::Barred(Barred::LoggedOut) => S::UNAUTHORIZED,
                    NotSent::Barred(_) => S::FORBIDDEN,
                    NotSent::TooFast { .. } => S::TOO_MANY_REQUESTS,
                    NotSent::NotStored { code: "not_found", .. } => S::NOT_FOUND,
                    NotSent::NotStored { code: "internal", .. } => S::INTERNAL_SERVER_ERROR,
                    NotSent::NotStored { .. } => S::INSUFFICIENT_STORAGE,
                };
                (status, refused.code())
            }
            Self::Site(error) => refused(error),
            Self::StoreFull => (S::INSUFFICIENT_STORAGE, "store_full"),
            Self::StoreReadOnly => (S::INSUFFICIENT_STORAGE, "store_read_only"),
            Self::StreamNotOnAir => (S::CONFLICT, "not_on_air"),
            Self::Internal => (S::INTERNAL_SERVER_ERROR, "internal"),
        }
    }

    /// The response. Never cached: the problem may be gone in a second.
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
        let restricted = match &self {
            Self::Banned(banned) => Some(*banned),
            Self::NotSent(refused) => refused.restricted(),
            _ => None,
        };
        if let Some(restricted) = restricted {
            text["barred"] = json!(BarredLine::from(restricted));
        }
        if let Self::Site(SiteError::CameraTaken { stream, username, .. }) = &self {
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
            | Self::Site(SiteError::Busy(_) | SiteError::StoreBusy) => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            Self::Site(SiteError::TooMany { wait }) | Self::NotSent(NotSent::TooFast { wait, .. }) => {
                headers.insert(RETRY_AFTER, HeaderValue::from(whole_seconds(wait)));
            }
            Self::UpgradeRequired => {
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
            }
            Self::Site(SiteError::Unauthenticated | SiteError::TokenExpired | SiteError::WrongLogin) => {
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

/// Status and code for a refusal by a use case.
fn refused(error: &SiteError) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match error {
        SiteError::NotFound => (S::NOT_FOUND, "not_found"),
        SiteError::Unauthenticated => (S::UNAUTHORIZED, "unauthenticated"),
        SiteError::TokenExpired => (S::UNAUTHORIZED, "token_expired"),
        SiteError::WrongLogin => (S::UNAUTHORIZED, "wrong_login"),
        SiteError::WrongPassword => (S::FORBIDDEN, "wrong_password"),
        SiteError::WrongSetupCode => (S::FORBIDDEN, "wrong_setup_code"),
        SiteError::PendingApproval => (S::FORBIDDEN, "pending_approval"),
        SiteError::Suspended => (S::FORBIDDEN, "suspended"),
        SiteError::Forbidden => (S::FORBIDDEN, "forbidden"),
        SiteError::ScopeMissing(_) => (S::FORBIDDEN, "scope_missing"),
        SiteError::TooMany { .. } => (S::TOO_MANY_REQUESTS, "too_many_requests"),
        SiteError::CameraTaken { .. } => (S::CONFLICT, "camera_taken"),
        SiteError::OnAir => (S::CONFLICT, "on_air"),
        SiteError::UpdateBusy(UpdateBusy::Arriving) => (S::CONFLICT, "update_arriving"),
        SiteError::UpdateBusy(UpdateBusy::UnderWay) => (S::CONFLICT, "update_under_way"),
        SiteError::Refused(refusal) => rule(refusal),
        SiteError::Unreadable => (S::SERVICE_UNAVAILABLE, "recording_unreadable"),
        SiteError::Busy(_) => (S::SERVICE_UNAVAILABLE, "busy"),
        SiteError::StoreBusy => (S::SERVICE_UNAVAILABLE, "store_busy"),
        // `Problem::from` has turned each of these into another problem.
        SiteError::Field(_)
        | SiteError::Store(_)
        | SiteError::Live(_)
        | SiteError::Chat(_)
        | SiteError::Controls(_)
        | SiteError::Snapshot(_)
        | SiteError::Picture(_)
        | SiteError::Backup(_)
        | SiteError::UpdateFile(_)
        | SiteError::Random(_)
        | SiteError::Unfinished(_)
        | SiteError::Crashed => (S::INTERNAL_SERVER_ERROR, "internal"),
    }
}

/// Status and code for a refusal by the store.
fn rule(refusal: &Refusal) -> (StatusCode, &'static str) {
    use StatusCode as S;
    match refusal {
        Refusal::NotFound { .. } => (S::NOT_FOUND, "not_found"),
        Refusal::UsernameTaken { .. } | Refusal::UsernameAlike { .. } => (S::CONFLICT, "username_taken"),
        Refusal::TopicTaken { .. } => (S::CONFLICT, "topic_taken"),
        Refusal::RelayTaken { .. } => (S::CONFLICT, "relay_taken"),
        Refusal::OwnerExists => (S::CONFLICT, "owner_exists"),
        Refusal::LastOwner => (S::CONFLICT, "last_owner"),
        Refusal::RegistrationClosed => (S::FORBIDDEN, "registration_closed"),
        Refusal::OwnAccount | Refusal::BarsSelf => (S::CONFLICT, "own_account"),
        Refusal::BarsStreamer => (S::CONFLICT, "own_chat"),
        Refusal::BarsOwner => (S::CONFLICT, "owner_exempt"),
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

/// Two problems are equal if clients get the same response.
#[cfg(test)]
impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        self.kind() == other.kind() && self.to_string() == other.to_string()
    }
}

impl axum::response::IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        Self::into_response(self).map(axum::body::Body::new)
    }
}
