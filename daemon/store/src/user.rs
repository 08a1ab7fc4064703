//! An account and its record. The caller makes password hashes and key digests. They are kept apart from [`User`], so that no
//! response contains one by mistake.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::search::words;
use crate::tables::{USER_WORDS, USERS};
use crate::writing::WriteTransaction;
use crate::{Refusal, Timestamp, UserId};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Watches, chats, and follows.
    Viewer,
    /// Goes live, too.
    Streamer,
    /// Runs the site, too.
    Owner,
}

/// The standing of an account: may it be used?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It may be used.
    Active,
    /// It waits for the owner's approval.
    Pending,
    /// The owner suspended it.
    Suspended,
}

/// An account. Everything but the e-mail address may be shown to everybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Unique without regard to case; keeps the spelling of its owner.
    pub username: String,
    /// The name to show; may be empty.
    pub full_name: String,
    /// May be empty; shown only to the account itself and the site's owner.
    pub email: String,
    /// About the person; may be empty.
    pub bio: String,
    /// What it may do on the site.
    pub role: Role,
    /// The standing of the account.
    pub standing: Standing,
    /// When it was made.
    pub created_at: Timestamp,
    /// A new number for every avatar, 0 for none: part of its address, so that it can be cached for ever.
    pub avatar_version: u32,
}

impl Record for User {
    const NAME: &'static str = "user";
    const VERSION: u8 = 1;
}

/// A password hash in PHC form; never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes the hash's text.
    pub fn new(phc: impl Into<String>) -> Self {
        Self(phc.into())
    }

    /// The hash's text, to verify a password with.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// An account to be created. The caller has checked lengths and characters.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The requested name, as the person spells it.
    pub username: String,
    /// May be empty.
    pub full_name: String,
    /// May be empty.
    pub email: String,
    /// The hash of the password.
    pub password: PasswordHash,
}

/// Selects accounts.
#[derive(Clone, Debug)]
pub struct UserQuery {
    /// Words that username or full name must contain, each whole or as a prefix; empty: any.
    pub text: String,
    /// Only accounts of this standing.
    pub standing: Option<Standing>,
    /// Only accounts older than this one, where the previous page ended.
    pub before: Option<UserId>,
    /// The most accounts to return.
    pub limit: usize,
}

/// Changes to an account; `None` keeps the present value.
#[derive(Clone, Debug, Default)]
pub struct UserChange {
    /// Another name, or another spelling of it.
    pub username: Option<String>,
    /// The name to show.
    pub full_name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// About the person.
    pub bio: Option<String>,
}

pub(crate) fn get(tx: &impl Reads, user: UserId) -> Outcome<User> {
    record::get(tx, USERS, user.number())?.ok_or_else(|| Refusal::NotFound { what: "user" }.into())
}

pub(crate) fn put(tx: &WriteTransaction, user: &User) -> Outcome<()> {
    record::put(tx, USERS, user.id.number(), user)
}

/// True if this is an owner who is not suspended.
pub(crate) fn is_owner(user: &User) -> bool {
    user.role == Role::Owner && user.standing == Standing::Active
}

/// The owners that are not suspended.
pub(crate) fn owners(tx: &impl Reads) -> Outcome<Vec<UserId>> {
    let mut owners = Vec::new();
    for row in tx.reading(USERS)?.iter()? {
        let user: User = record::decode(row?.1.value())?;
        if is_owner(&user) {
            owners.push(user.id);
        }
    }
    Ok(owners)
}

/// The words by which an account is found.
pub(crate) fn words_of(user: &User) -> BTreeSet<String> {
    words::words(&user.username).chain(words::words(&user.full_name)).collect()
}

pub(crate) fn index_words(tx: &WriteTransaction, user: &User, present: bool) -> Outcome<()> {
    let mut table = tx.open_table(USER_WORDS)?;
    for word in words_of(user) {
        let key = (word.as_str(), user.id.number());
        if present {
            table.insert(key, ())?;
        } else {
            table.remove(key)?;
        }
    }
    Ok(())
}
