//! Accounts: creating, finding and changing them.

use crate::failure::{Failure, Outcome};
use crate::reads::Reads;
use crate::record;
use crate::search::words;
use crate::tables::{PASSWORDS, USERNAMES, USERS};
use crate::user::owners;
use crate::writing::WriteTransaction;
use crate::{
    Delivery, NewUser, NotificationKind, PasswordHash, Refusal, Registration, Role, SessionId, Standing,
    Store, StoreError, Timestamp, User, UserChange, UserId, UserQuery, api_tokens, new_id, notifications,
    sessions, site_settings, skeletons, user,
};
use redb::ReadableTable as _;

impl Store {
    /// Creates the owner, and nothing else; possible once.
    pub fn create_owner(&self, new: &NewUser, now: Timestamp) -> Result<User, StoreError> {
        self.write(|tx| first_owner(tx, new, now))
    }

    /// Creates the owner at setup, who has decided who may register; possible once.
    pub fn set_up(
        &self,
        new: &NewUser,
        registration: Registration,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        self.write(|tx| {
            let owner = first_owner(tx, new, now)?;
            site_settings::set_registration(tx, registration)?;
            Ok(owner)
        })
    }

    /// Registers an account as the settings allow: active at once, pending the owner's approval, or refused. Refused as well
    /// while there is no owner. Returns what the owners are told of an account that waits.
    pub fn register(&self, new: &NewUser, now: Timestamp) -> Result<(User, Vec<Delivery>), StoreError> {
        self.write(|tx| {
            let settings = site_settings::read(tx)?;
            let standing = match settings.registration {
                _ if owners(tx)?.is_empty() => return Err(Refusal::RegistrationClosed.into()),
                Registration::Open => Standing::Active,
                Registration::Approval => Standing::Pending,
                Registration::Closed => return Err(Refusal::RegistrationClosed.into()),
            };
            let user = create(tx, new, settings.new_user_role, standing, now)?;
            let told = match standing {
                Standing::Pending => notifications::account_waiting(tx, user.id, now)?,
                Standing::Active | Standing::Suspended => Vec::new(),
            };
            Ok((user, told))
        })
    }

    /// Creates an account whatever the settings say, for the owner.
    pub fn add_user(&self, new: &NewUser, role: Role, now: Timestamp) -> Result<User, StoreError> {
        self.write(|tx| create(tx, new, role, Standing::Active, now))
    }

    /// True once setup has been done.
    pub fn has_owner(&self) -> Result<bool, StoreError> {
        self.read(|tx| {
            // The first account is the owner's, unless they left it to another.
            for row in tx.reading(USERS)?.iter()? {
                if user::is_owner(&record::decode(row?.1.value())?) {
                    return Ok(true);
                }
            }
            Ok(false)
        })
    }

    /// The account with this id.
    pub fn user(&self, user: UserId) -> Result<User, StoreError> {
        self.read(|tx| user::get(tx, user))
    }

    /// The account with this name, in any letter case.
    pub fn user_by_name(&self, username: &str) -> Result<User, StoreError> {
        self.read(|tx| {
            let user =
                tx.reading(USERNAMES)?.get(words::name_key(username).as_str())?.map(|user| user.value());
            user::get(tx, UserId::from_number(user.ok_or(Refusal::NotFound { what: "user" })?))
        })
    }

    /// Refuses a name that is taken, or looks like one that is.
    pub fn must_be_free(&self, username: &str) -> Result<(), StoreError> {
        self.read(|tx| {
            if tx.reading(USERNAMES)?.get(words::name_key(username).as_str())?.is_some() {
                return Err(Refusal::UsernameTaken { username: username.to_owned() }.into());
            }
            skeletons::must_be_unlike_others(tx, username, None)
        })
    }

    /// Accounts, newest first, at most `limit`, older than `before`.
    pub fn users(&self, before: Option<UserId>, limit: usize) -> Result<Vec<User>, StoreError> {
        self.find_users(&UserQuery { text: String::new(), standing: None, before, limit })
    }

    /// The accounts that match a query, newest first.
    pub fn find_users(&self, query: &UserQuery) -> Result<Vec<User>, StoreError> {
        self.read(|tx| {
            let users = tx.reading(USERS)?;
            let end = query.before.map_or(u128::MAX, UserId::number);
            let asked: Vec<String> = words::words(&query.text).collect();
            let mut found = Vec::new();
            for row in users.range(..end)?.rev() {
                let user: User = record::decode(row?.1.value())?;
                if query.standing.is_none_or(|standing| user.standing == standing) && has_words(&user, &asked)
                {
                    found.push(user);
                }
                if found.len() >= query.limit {
                    break;
                }
            }
            Ok(found)
        })
    }

    /// Changes an account's profile.
    pub fn change_user(&self, user: UserId, change: &UserChange) -> Result<User, StoreError> {
        self.write(|tx| {
            let before = user::get(tx, user)?;
            let mut after = before.clone();
            let fields = [
                (&mut after.username, &change.username),
                (&mut after.full_name, &change.full_name),
                (&mut after.email, &change.email),
                (&mut after.bio, &change.bio),
            ];
            for (field, change) in fields {
                if let Some(change) = change {
                    field.clone_from(change);
                }
            }
            if before.username != after.username {
                tx.open_table(USERNAMES)?.remove(words::name_key(&before.username).as_str())?;
                skeletons::index(tx, &before, false)?;
                claim_name(tx, &after)?;
            }
            user::index_words(tx, &before, false)?;
            user::index_words(tx, &after, true)?;
            user::put(tx, &after)?;
            Ok(after)
        })
    }

    /// Changes an account's role. The last owner cannot be demoted.
    pub fn set_role(&self, user: UserId, role: Role) -> Result<User, StoreError> {
        self.write(|tx| {
            let mut account = user::get(tx, user)?;
            if role != Role::Owner {
                keep_an_owner(tx, &account)?;
            }
            account.role = role;
            user::put(tx, &account)?;
            Ok(account)
        })
    }

    /// Approves, suspends or readmits an account; one that is no longer active is logged out everywhere and loses its
    /// API tokens.
    pub fn set_standing(&self, user: UserId, standing: Standing) -> Result<User, StoreError> {
        self.write(|tx| {
            let mut account = user::get(tx, user)?;
            if standing != Standing::Active {
                keep_an_owner(tx, &account)?;
                sessions::close_all(tx, user, None)?;
                api_tokens::revoke_all(tx, user)?;
            }
            if account.standing == Standing::Pending && standing != Standing::Pending {
                let decided = NotificationKind::AccountWaiting { by: user };
                notifications::forget(tx, |kind| *kind == decided)?;
            }
            account.standing = standing;
            user::put(tx, &account)?;
            Ok(account)
        })
    }

    /// The hash to check a password against.
    pub fn password(&self, user: UserId) -> Result<PasswordHash, StoreError> {
        self.read(|tx| {
            let hash = tx.reading(PASSWORDS)?.get(user.number())?.map(|hash| PasswordHash::new(hash.value()));
            hash.ok_or_else(|| Refusal::NotFound { what: "user" }.into())
        })
    }

    /// Sets a new password, closes the account's logins except `keep`, and revokes its API tokens.
    pub fn change_password(
        &self,
        user: UserId,
        password: &PasswordHash,
        keep: Option<SessionId>,
    ) -> Result<(), StoreError> {
        self.write(|tx| {
            user::get(tx, user)?;
            tx.open_table(PASSWORDS)?.insert(user.number(), password.expose())?;
            api_tokens::revoke_all(tx, user)?;
            sessions::close_all(tx, user, keep)
        })
    }
}

fn first_owner(tx: &WriteTransaction, new: &NewUser, now: Timestamp) -> Outcome<User> {
    if !owners(tx)?.is_empty() {
        return Err(Refusal::OwnerExists.into());
    }
    create(tx, new, Role::Owner, Standing::Active, now)
}

fn create(
    tx: &WriteTransaction,
    new: &NewUser,
    role: Role,
    standing: Standing,
    now: Timestamp,
) -> Outcome<User> {
    let user = User {
        id: UserId::from_number(new_id::at(now)?),
        username: new.username.clone(),
        full_name: new.full_name.clone(),
        email: new.email.clone(),
        bio: String::new(),
        role,
        standing,
        created_at: now,
        avatar_version: 0,
    };
    claim_name(tx, &user)?;
    user::index_words(tx, &user, true)?;
    user::put(tx, &user)?;
    tx.open_table(PASSWORDS)?.insert(user.id.number(), new.password.expose())?;
    Ok(user)
}

fn claim_name(tx: &WriteTransaction, user: &User) -> Outcome<()> {
    let mut names = tx.open_table(USERNAMES)?;
    let taken = names.insert(words::name_key(&user.username).as_str(), user.id.number())?.is_some();
    if taken {
        return Err(Refusal::UsernameTaken { username: user.username.clone() }.into());
    }
    skeletons::must_be_unlike_others(tx, &user.username, Some(user.id))?;
    skeletons::index(tx, user, true)
}

fn has_words(user: &User, asked: &[String]) -> bool {
    let own = if asked.is_empty() { std::collections::BTreeSet::new() } else { user::words_of(user) };
    asked.iter().all(|word| own.iter().any(|own| own.starts_with(word.as_str())))
}

/// Refuses a change that would leave the site without an owner.
pub(crate) fn keep_an_owner(tx: &impl Reads, leaving: &User) -> Outcome<()> {
    if leaving.role == Role::Owner && leaving.standing == Standing::Active && owners(tx)?.len() < 2 {
        return Err(Failure::Refused(Refusal::LastOwner));
    }
    Ok(())
}
