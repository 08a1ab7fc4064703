//! The actor who asks for something: every use case takes an [`Actor`], whether the request came over HTTP, a WebSocket or the
//! command line.
//!
//! Not here: how an actor is authenticated (`accounts`), cookies and headers (perch-web).

use crate::accounts::logins::Login;
use crate::error::SiteError;
use perch_store::{Role, UserId};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// The one who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody without a login.
    Anonymous {
        /// The peer's address, or its proxy's.
        address: IpAddr,
    },
    /// Somebody with a login.
    Account {
        /// The account and its role, as stored when the request came.
        login: Login,
        /// The peer's address, or its proxy's.
        address: IpAddr,
    },
    /// The machine's own console (`perchd user`). It has an owner's rights but no account, so nothing can be created in its name.
    Console,
}

impl Actor {
    /// The login; `None` for anonymous actors and the console.
    pub const fn login(&self) -> Option<&Login> {
        match self {
            Self::Account { login, .. } => Some(login),
            Self::Anonymous { .. } | Self::Console => None,
        }
    }

    /// The account's id; `None` for anonymous actors and the console.
    pub fn user(&self) -> Option<UserId> {
        self.login().map(|login| login.user)
    }

    /// The role that decides what the actor may do; `None` for anonymous actors.
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Anonymous { .. } => None,
            Self::Account { login, .. } => Some(login.role),
            Self::Console => Some(Role::Owner),
        }
    }

    /// True for owners and the console.
    pub fn is_owner(&self) -> bool {
        self.role() == Some(Role::Owner)
    }

    /// True for actors who may see members-only content.
    pub const fn is_member(&self) -> bool {
        !matches!(self, Self::Anonymous { .. })
    }

    /// True for this account, owners and the console.
    pub fn may_act_for(&self, user: UserId) -> bool {
        self.user() == Some(user) || self.is_owner()
    }

    /// The login, for actions in an account's own name.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` without a login, `Forbidden` for the console.
    pub const fn member(&self) -> Result<&Login, SiteError> {
        match self {
            Self::Anonymous { .. } => Err(SiteError::Unauthenticated),
            Self::Account { login, .. } => Ok(login),
            Self::Console => Err(SiteError::Forbidden),
        }
    }

    /// An error for an API token: what it would allow must not outlast it.
    ///
    /// # Errors
    ///
    /// `ScopeMissing`.
    pub const fn not_by_token(&self) -> Result<(), SiteError> {
        match self {
            Self::Account { login, .. } if login.token.is_some() => Err(SiteError::ScopeMissing(None)),
            _ => Ok(()),
        }
    }

    /// An error unless the actor is an owner or the console.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` without a login, `Forbidden` for other roles.
    pub fn owner(&self) -> Result<(), SiteError> {
        self.has_role(|role| role == Role::Owner)
    }

    /// An error unless the actor may go live: streamers, owners and the console.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` without a login, `Forbidden` for viewers.
    pub fn streamer(&self) -> Result<(), SiteError> {
        self.has_role(|role| matches!(role, Role::Streamer | Role::Owner))
    }

    fn has_role(&self, suffices: impl FnOnce(Role) -> bool) -> Result<(), SiteError> {
        match self.role() {
            None => Err(SiteError::Unauthenticated),
            Some(role) if suffices(role) => Ok(()),
            Some(_) => Err(SiteError::Forbidden),
        }
    }

    /// The peer's address; loopback for the console.
    pub const fn address(&self) -> IpAddr {
        match self {
            Self::Anonymous { address } | Self::Account { address, .. } => *address,
            Self::Console => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }
}

/// The name that the log uses: the username, `console`, or the address.
impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anonymous { address } => address.fmt(f),
            Self::Account { login, .. } => login.username.fmt(f),
            Self::Console => f.write_str("console"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(number: u64, role: Role) -> Actor {
        let user = UserId::from_number(number.into());
        let login = Login { user, username: "ann".into(), role, session: None, token: None };
        Actor::Account { login, address: Ipv4Addr::LOCALHOST.into() }
    }

    #[test]
    fn owners_and_the_console_act_for_everybody_and_members_for_themselves() {
        let [ann, ben] = [1, 2].map(UserId::from_number);
        let nobody = Actor::Anonymous { address: Ipv4Addr::LOCALHOST.into() };
        for (actor, for_ann, for_ben) in [
            (account(1, Role::Streamer), true, false),
            (account(1, Role::Owner), true, true),
            (Actor::Console, true, true),
            (nobody, false, false),
        ] {
            assert_eq!((actor.may_act_for(ann), actor.may_act_for(ben)), (for_ann, for_ben), "{actor}");
        }
    }

    #[test]
    fn who_lacks_a_login_is_told_so_and_who_lacks_the_role_is_told_that() {
        let nobody = Actor::Anonymous { address: Ipv4Addr::LOCALHOST.into() };
        assert!(matches!(nobody.owner(), Err(SiteError::Unauthenticated)));
        assert!(matches!(nobody.member(), Err(SiteError::Unauthenticated)));
        assert!(matches!(account(1, Role::Streamer).owner(), Err(SiteError::Forbidden)));
        assert!(matches!(account(1, Role::Viewer).streamer(), Err(SiteError::Forbidden)));
        assert!(account(1, Role::Streamer).streamer().is_ok());
        assert!(Actor::Console.owner().is_ok() && Actor::Console.streamer().is_ok());
        assert!(matches!(Actor::Console.member(), Err(SiteError::Forbidden)));
    }
}
