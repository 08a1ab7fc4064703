//! Who may enter a room, and who may write there. Everything is read from the store when it is needed, so that changes apply at
//! once. All of it blocks.

use super::error::{Barred, ChatError, Restricted};
use super::house::{House, RoomInfo};
use crate::accounts::logins::Login;
use perch_store::{ChatRules, Role, Severity, StoreError, Timestamp, User, Visibility};
use std::sync::Arc;

/// What a person may do in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    Write,
    Read(Barred),
    Nothing(Barred),
}

impl May {
    /// When a restriction expires.
    pub(super) fn until(self) -> Option<Timestamp> {
        match self {
            Self::Write => None,
            Self::Read(barred) | Self::Nothing(barred) => barred.restricted()?.until,
        }
    }

    /// The mute or ban that is the reason.
    pub(super) const fn restricted(self) -> Option<Restricted> {
        match self {
            Self::Write => None,
            Self::Read(barred) | Self::Nothing(barred) => barred.restricted(),
        }
    }
}

/// What `login` may do in a room. The streamer and owners are exempt from the rules.
pub(super) fn may(
    house: &House,
    info: &RoomInfo,
    rules: ChatRules,
    login: Option<&Login>,
    now: Timestamp,
) -> Result<May, StoreError> {
    let Some(login) = login else {
        let is_closed = rules.members_only || info.visibility == Visibility::Members;
        return Ok(if is_closed { May::Nothing(Barred::MembersOnly) } else { May::Read(Barred::Anonymous) });
    };
    let Some(login) = still_logged_in(house, login)? else { return Ok(May::Nothing(Barred::LoggedOut)) };
    if !login.has_account() {
        return Ok(May::Read(Barred::NoAccount));
    }
    if login.user == info.streamer || login.role == Role::Owner {
        return Ok(May::Write);
    }
    if let Some(found) = house.store.restriction(info.stream, info.streamer, login.user, now)? {
        let restricted = Restricted::from(&found);
        return Ok(match restricted.severity {
            Severity::Ban => May::Nothing(Barred::Banned(restricted)),
            Severity::Mute => May::Read(Barred::Muted(restricted)),
        });
    }
    if rules.followers_only && !house.store.is_following(login.user, info.streamer)? {
        return Ok(May::Read(Barred::FollowersOnly));
    }
    Ok(May::Write)
}

/// The login's present state; `None` when it is closed.
pub(super) fn still_logged_in(house: &House, login: &Login) -> Result<Option<Login>, StoreError> {
    house.logins().still_open(&house.store, login, house.now())
}

/// A person who may enter.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) rules: ChatRules,
    pub(super) user: Option<Arc<User>>,
    pub(super) may_write: bool,
    pub(super) restricted: Option<Restricted>,
    /// When to check again.
    pub(super) until: Option<Timestamp>,
}

/// Checks whether a person may enter.
pub(super) fn admit(house: &House, info: &RoomInfo, login: Option<&Login>) -> Result<Admitted, ChatError> {
    if info.visibility == Visibility::Members && login.is_none() {
        // The stream's existence is not revealed.
        return Err(ChatError::NoRoom);
    }
    let rules = house.store.chat_rules(info.stream)?;
    let may = may(house, info, rules, login, house.now())?;
    if let May::Nothing(barred) = may {
        return Err(barred.into());
    }
    let user = match login.filter(|login| login.has_account()) {
        Some(login) => house.people.get(&house.store, login.user)?,
        None => None,
    };
    Ok(Admitted {
        rules,
        user,
        may_write: may == May::Write,
        restricted: may.restricted(),
        until: may.until(),
    })
}
