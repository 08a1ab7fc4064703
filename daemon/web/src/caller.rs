//! The caller, as handlers take it as an argument. `authentication` identifies it once per request.

use super::client::{Client, is_through_proxy};
use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::request::Parts;
use perch_site::accounts::logins::Login;
use perch_site::{Actor, SiteError};
use std::convert::Infallible;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// The other end of the connection.
#[derive(Debug, Clone, Copy)]
pub(super) enum Peer {
    /// A client on one of our ports.
    Network(Client),
    /// The machine's own console: a client that may write to the socket in the data directory, as `perchd user` does.
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
    /// True if the request comes from this machine, and not through a proxy on it for another client.
    fn is_local(self, headers: &HeaderMap) -> bool {
        self.address().is_loopback() && !is_through_proxy(headers)
    }

    /// The client; for the console, this machine.
    pub(super) fn client(self) -> Client {
        match self {
            Self::Network(client) => client,
            Self::Console => Client { address: Ipv4Addr::LOCALHOST.into(), secure: false },
        }
    }

    /// The client's address.
    pub(super) fn address(self) -> IpAddr {
        self.client().address
    }
}

/// The caller, and whether it is a program on the machine itself.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The actor for the use cases of the site.
    pub(super) actor: Actor,
    is_local: bool,
}

impl Caller {
    /// The caller at `peer`.
    pub(super) fn new(actor: Actor, peer: Peer, headers: &HeaderMap) -> Self {
        Self { actor, is_local: peer.is_local(headers) }
    }

    /// A caller without a login.
    pub(super) const fn nobody(address: IpAddr) -> Self {
        Self { actor: Actor::Anonymous { address }, is_local: false }
    }

    /// The caller's login; `None` without one.
    pub(super) const fn login(&self) -> Option<&Login> {
        self.actor.login()
    }

    /// The login, or an error for a caller without one.
    pub(super) const fn member(&self) -> Result<&Login, SiteError> {
        self.actor.member()
    }

    /// The caller's address, or that of a proxy which is not trusted.
    pub(super) const fn address(&self) -> IpAddr {
        self.actor.address()
    }

    /// True for a program on the machine itself.
    pub(super) const fn is_local(&self) -> bool {
        self.is_local
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The access layer runs before every handler and sets the caller; without it the caller has no rights.
        let nobody = || Self::nobody(Ipv4Addr::UNSPECIFIED.into());
        Ok(parts.extensions.get().cloned().unwrap_or_else(nobody))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn local_is_this_machine_and_nobody_behind_a_proxy_on_it() {
        let from = |address: &str| {
            let address: IpAddr = address.parse().unwrap();
            Peer::Network(Client::of_connection((address, 1).into(), false))
        };
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
}
