//! Who asks for something: every use case of the site takes an [`Actor`], whether it came over HTTP, over a WebSocket or from the command line.
//!
//! Must not be here: how an actor proves who it is (`accounts`), or cookies and headers (perch-web).

use crate::accounts::logins::Login;
use crate::error::SiteError;
use perch_store::{Role, UserId};
use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who is not logged in.
    Anonymous {
        /// The peer's address; a proxy's, where one stands between.
        address: IpAddr,
    },
    /// Somebody who is logged in.
    Account {
        /// The account and its role, as the store had them when the request came.
        login: Login,
        /// The peer's address; a proxy's, where one stands between.
        address: IpAddr,
    },
    /// The console of the machine itself (`perchd user`). It may do what an owner may, but it has no account: nothing can be made in its name.
    Console,
}

impl Actor {
    /// The login; `None` for anonymous people and the console.
    pub const fn login(&self) -> Option<&Login> {
        match self {
            Self::Account { login, .. } => Some(login),
            Self::Anonymous { .. } | Self::Console => None,
        }
    }

    /// The account's id; `None` for anonymous people and the console.
    pub fn user(&self) -> Option<UserId> {
        self.login().map(|login| login.user)
    }

    /// The role that decides what the actor may do; `None` for anonymous people.
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

    /// True for everybody who may see what is for members only.
    pub const fn is_member(&self) -> bool {
        !matches!(self, Self::Anonymous { .. })
    }

    /// True for the person itself, for owners and for the console.
    pub fn may_act_for(&self, user: UserId) -> bool {
        self.user() == Some(user) || self.is_owner()
    }

    /// The login, for what is done in an account's own name.
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

    /// Lets owners and the console pass.
    ///
    /// # Errors
    ///
    /// `Unauthenticated` without a login, `Forbidden` for other roles.
    pub fn owner(&self) -> Result<(), SiteError> {
        self.has_role(|role| role == Role::Owner)
    }

    /// Lets those pass who may go live: streamers, owners and the console.
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
        let login = Login { user, username: "ann".into(), role, session: None };
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
