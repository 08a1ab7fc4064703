//! The caller, as handlers take it as an argument. `authentication` identifies it once per request.

use super::client::Client;
use axum::extract::FromRequestParts;
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

/// The caller.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// The actor for the use cases of the site.
    pub(super) actor: Actor,
    /// True for a program at one of the addresses of `[server] metrics_from`, without a proxy between.
    pub(super) is_listed: bool,
}

impl Caller {
    /// A caller without a login.
    pub(super) const fn nobody(address: IpAddr) -> Self {
        Self { actor: Actor::Anonymous { address }, is_listed: false }
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
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The access layer runs before every handler and sets the caller; without it the caller has no rights.
        let nobody = || Self::nobody(Ipv4Addr::UNSPECIFIED.into());
        Ok(parts.extensions.get().cloned().unwrap_or_else(nobody))
    }
}
