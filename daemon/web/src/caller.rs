//! Who asks: found out once for each request, by the access layer; handlers take it as an argument.

use super::cookies;
use super::page;
use super::problem::Problem;
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use perch_site::accounts::logins::Login;
use perch_site::sessions;
use perch_site::{Actor, Site, SiteError};
use perch_store::UserId;
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Makes a login, too.
const SETUP: &str = "/api/v1/setup";

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// Whoever reaches a port of ours.
    Network(SocketAddr),
    /// The machine's own console: whoever may write to the socket in the data directory, as `perchd user` does.
    Console,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(_) => self.address().fmt(f),
            Self::Console => f.write_str("console"),
        }
    }
}

impl Peer {
    /// Whether the request comes from this machine, and not through a proxy on it for somebody else.
    fn is_local(self, headers: &HeaderMap) -> bool {
        let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"]
            .iter()
            .any(|name| headers.contains_key(*name));
        self.address().is_loopback() && !forwarded
    }

    /// IPv4 addresses as such, whatever the socket.
    pub(super) fn address(self) -> IpAddr {
        match self {
            Self::Network(address) => address.ip().to_canonical(),
            Self::Console => Ipv4Addr::LOCALHOST.into(),
        }
    }
}

/// Who asks, and whether a program on the machine itself does.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// For the use cases of the site.
    pub(super) actor: Actor,
    is_local: bool,
}

impl Caller {
    /// Somebody without a login.
    pub(super) const fn nobody(address: IpAddr) -> Self {
        Self { actor: Actor::Anonymous { address }, is_local: false }
    }

    /// Whose login it is; `None` is somebody whom we do not know.
    pub(super) const fn login(&self) -> Option<&Login> {
        self.actor.login()
    }

    /// The login, for what is for members only.
    pub(super) const fn member(&self) -> Result<&Login, SiteError> {
        self.actor.member()
    }

    /// Whether this is the person itself, or an owner.
    pub(super) fn may_act_for(&self, user: UserId) -> bool {
        self.actor.may_act_for(user)
    }

    /// From where; of a proxy, where one stands between.
    pub(super) const fn address(&self) -> IpAddr {
        self.actor.address()
    }

    /// A program on the machine itself.
    pub(super) const fn is_local(&self) -> bool {
        self.is_local
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The access layer stands before every handler; without it nobody is anybody.
        let nobody = || Self::nobody(Ipv4Addr::UNSPECIFIED.into());
        Ok(parts.extensions.get().cloned().unwrap_or_else(nobody))
    }
}

/// Looks at the request's token.
pub(super) async fn find_out(
    site: &Site,
    peer: Peer,
    path: &str,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let address = peer.address();
    let actor = match peer {
        Peer::Console => Actor::Console,
        Peer::Network(_) if !looks_at_token(path) => Actor::Anonymous { address },
        Peer::Network(_) => match login_of(site, headers).await? {
            Some(login) => Actor::Account { login, address },
            None => Actor::Anonymous { address },
        },
    };
    Ok(Caller { actor, is_local: peer.is_local(headers) })
}

/// Whether a token matters at an address (as the router writes it). An old one must keep nobody from what makes a new one, nor from the
/// page that asks for it.
fn looks_at_token(path: &str) -> bool {
    !(path.starts_with(cookies::AUTH_PATH) || path == SETUP || page::is_part(path))
}

/// The login that a request shows a token of: `Authorization: Bearer`, else the cookie.
///
/// A program's token must be good. A browser sends its cookie whether it matters or not: one that has expired while the login is open is told so,
/// since it can be renewed; one of a closed login is as good as none.
pub(super) async fn login_of(site: &Site, headers: &HeaderMap) -> Result<Option<Login>, Problem> {
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(bearer_token).ok_or(SiteError::Unauthenticated)?;
        let login = sessions::of_token(site, token).await?.ok_or(SiteError::Unauthenticated)?;
        return Ok(Some(login));
    }
    match cookies::access_token(headers) {
        Some(token) => Ok(sessions::of_token(site, token).await?),
        None => Ok(None),
    }
}

/// The token that a request shows, good or not: enough to log out with.
pub(super) fn shown_token(headers: &HeaderMap) -> Option<&str> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    shown.or_else(|| cookies::access_token(headers))
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn local_is_this_machine_and_nobody_behind_a_proxy_on_it() {
        let from = |address: &str| Peer::Network(SocketAddr::new(address.parse().unwrap(), 1));
        let none = HeaderMap::new();
        assert!(from("127.0.0.1").is_local(&none) && from("::1").is_local(&none));
        assert!(from("::ffff:127.0.0.1").is_local(&none));
        assert!(!from("192.0.2.1").is_local(&none));
        let proxied = HeaderMap::from_iter([(
            http::HeaderName::from_static("x-forwarded-for"),
            HeaderValue::from_static("192.0.2.1"),
        )]);
        assert!(!from("127.0.0.1").is_local(&proxied));
    }

    #[test]
    fn whoever_comes_back_with_an_old_token_gets_the_page_and_a_new_token() {
        for path in ["/", "/watch/{id}", "/assets/{version}/{*path}", "/api/v1/auth/refresh", SETUP] {
            assert!(!looks_at_token(path), "{path}");
        }
        for path in ["/api/v1/me", "/api/v1/streams", "/metrics"] {
            assert!(looks_at_token(path), "{path}");
        }
    }

    #[test]
    fn only_bearer_tokens_are_tokens() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        assert_eq!(bearer_token("Basic abc"), None);
        assert_eq!(bearer_token("Bearer"), None);
    }
}
