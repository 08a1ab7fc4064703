//! Logins: each is a family of refresh tokens, of which the newest can be used once (RFC 9700 §4.14.2, rotation). If a used one
//! is presented again, two parties have it, and the family is closed: except right after its exchange, because the answer may
//! have been lost. The store sees only SHA-256 digests of tokens.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::relation;
use crate::tables::{SESSION_TOKENS, SESSIONS, TOKENS, USER_SESSIONS};
use crate::writing::WriteTransaction;
use crate::{Refusal, SessionId, Standing, Store, StoreError, Timestamp, UserId, new_id, user};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;

/// SHA-256 of a refresh token.
pub type TokenDigest = [u8; 32];

/// Logins of one account at most; a further one closes the oldest.
pub const SESSIONS_PER_USER: usize = 50;

/// How long a used token may be exchanged again, for the same successor, while that one is unused, milliseconds. An answer that was
/// lost on the way is asked for again within this time.
const GRACE_MS: u64 = 30_000;

/// A login.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its id.
    pub id: SessionId,
    /// Its account.
    pub user: UserId,
    /// The browser and address it came from, as shown to its user.
    pub label: String,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When its token was last renewed.
    pub refreshed_at: Timestamp,
    /// When its newest token expires.
    pub expires_at: Timestamp,
    /// The digest of the valid token.
    current: TokenDigest,
}

impl Record for Session {
    const NAME: &'static str = "session";
    const VERSION: u8 = 1;
}

impl Session {
    pub(crate) const fn current(&self) -> &TokenDigest {
        &self.current
    }

    const fn was_refreshed_within(&self, milliseconds: u64, now: Timestamp) -> bool {
        self.refreshed_at.unix_millis().abs_diff(now.unix_millis()) < milliseconds
    }
}

impl Store {
    /// Opens a login of an active account.
    pub fn open_session(
        &self,
        user: UserId,
        token: &TokenDigest,
        label: &str,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Session, StoreError> {
        self.write(|tx| {
            if user::get(tx, user)?.standing != Standing::Active {
                return Err(Refusal::NotActive.into());
            }
            // Later logins have greater ids, so the oldest is known whatever the clock showed.
            let last = of(tx, user)?.last().map(|last| last.id.number());
            let id = SessionId::from_number(new_id::after(last, now)?);
            let label = label.to_owned();
            let session =
                Session { id, user, label, opened_at: now, refreshed_at: now, expires_at, current: *token };
            tx.open_table(USER_SESSIONS)?
                .insert((user.number(), session.id.number()), session.opened_at.unix_millis())?;
            make_current(tx, &session)?;
            let all = of(tx, user)?;
            for surplus in all.iter().take(all.len().saturating_sub(SESSIONS_PER_USER)) {
                close(tx, surplus)?;
            }
            Ok(session)
        })
    }

    /// Exchanges a login's token for the next. A token that was used before closes the login, unless it was exchanged for `next`
    /// less than 30 s ago and `next` has not been used: then nothing changes. `next` must therefore follow from `token`.
    pub fn refresh_session(
        &self,
        token: &TokenDigest,
        next: &TokenDigest,
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<Session, StoreError> {
        self.must_know(token)?;
        // The refusals that close the login must be committed, too.
        let refreshed = self.write(|tx| {
            let Some(mut session) = by_token(tx, token)? else { return Ok(Err(Refusal::TokenUnknown)) };
            if session.current != *token {
                if session.current == *next && session.was_refreshed_within(GRACE_MS, now) {
                    return Ok(Ok(session));
                }
                close(tx, &session)?;
                return Ok(Err(Refusal::TokenReused { session: session.id, user: session.user }));
            }
            if session.expires_at <= now {
                close(tx, &session)?;
                return Ok(Err(Refusal::TokenExpired));
            }
            session.current = *next;
            session.refreshed_at = now;
            session.expires_at = expires_at;
            make_current(tx, &session)?;
            // Used tokens are kept until they would have expired, so that reuse is recognised.
            remove_tokens(tx, session.id, now.unix_millis())?;
            Ok(Ok(session))
        })?;
        refreshed.map_err(StoreError::Refused)
    }

    /// Refuses an unknown token by reading alone: strangers can send any number, and one does not wait for a writer.
    fn must_know(&self, token: &TokenDigest) -> Result<(), StoreError> {
        let is_known = self.read(|tx| Ok(tx.reading(TOKENS)?.get(token)?.is_some()))?;
        if is_known { Ok(()) } else { Err(Refusal::TokenUnknown.into()) }
    }

    /// An open login: access tokens that name it are checked against it.
    pub fn session(&self, session: SessionId) -> Result<Session, StoreError> {
        self.read(|tx| get(tx, session))
    }

    /// An account's logins, oldest first.
    pub fn sessions(&self, user: UserId) -> Result<Vec<Session>, StoreError> {
        self.read(|tx| of(tx, user))
    }

    /// Logs out: closes the login.
    pub fn close_session(&self, session: SessionId) -> Result<(), StoreError> {
        self.write(|tx| {
            let session = get(tx, session)?;
            close(tx, &session)
        })
    }

    /// Closes a login by any of its tokens, current or used; returns false for an unknown token.
    pub fn close_session_of(&self, token: &TokenDigest) -> Result<bool, StoreError> {
        match self.must_know(token) {
            Err(StoreError::Refused(_)) => return Ok(false),
            known => known?,
        }
        self.write(|tx| match by_token(tx, token)? {
            Some(session) => close(tx, &session).map(|()| true),
            None => Ok(false),
        })
    }

    /// Closes all logins of an account except `keep`.
    pub fn close_sessions(&self, user: UserId, keep: Option<SessionId>) -> Result<(), StoreError> {
        self.write(|tx| close_all(tx, user, keep))
    }
}

pub(crate) fn close_all(tx: &WriteTransaction, user: UserId, keep: Option<SessionId>) -> Outcome<()> {
    for session in of(tx, user)?.iter().filter(|session| Some(session.id) != keep) {
        close(tx, session)?;
    }
    Ok(())
}

fn get(tx: &impl Reads, session: SessionId) -> Outcome<Session> {
    record::get(tx, SESSIONS, session.number())?.ok_or_else(|| Refusal::NotFound { what: "login" }.into())
}

fn of(tx: &impl Reads, user: UserId) -> Outcome<Vec<Session>> {
    let mut sessions = Vec::new();
    for row in tx.reading(USER_SESSIONS)?.range(relation::of(user.number()))? {
        sessions.push(get(tx, SessionId::from_number(row?.0.value().1))?);
    }
    Ok(sessions)
}

fn by_token(tx: &impl Reads, token: &TokenDigest) -> Outcome<Option<Session>> {
    let session = tx.reading(TOKENS)?.get(token)?.map(|row| row.value().0);
    session.map(|session| get(tx, SessionId::from_number(session))).transpose()
}

fn make_current(tx: &WriteTransaction, session: &Session) -> Outcome<()> {
    let (id, expires_at) = (session.id.number(), session.expires_at.unix_millis());
    tx.open_table(TOKENS)?.insert(&session.current, (id, expires_at))?;
    tx.open_table(SESSION_TOKENS)?.insert((id, expires_at, &session.current), ())?;
    record::put(tx, SESSIONS, id, session)
}

pub(crate) fn forget_all(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(SESSIONS)?.retain(|_, _| false)?;
    tx.open_table(USER_SESSIONS)?.retain(|_, _| false)?;
    tx.open_table(TOKENS)?.retain(|_, _| false)?;
    tx.open_table(SESSION_TOKENS)?.retain(|_, ()| false)?;
    Ok(())
}

pub(crate) fn close(tx: &WriteTransaction, session: &Session) -> Outcome<()> {
    remove_tokens(tx, session.id, i64::MAX)?;
    tx.open_table(USER_SESSIONS)?.remove((session.user.number(), session.id.number()))?;
    tx.open_table(SESSIONS)?.remove(session.id.number())?;
    Ok(())
}

/// Moves the expiry of all tokens of a login to the login's new one.
pub(crate) fn move_tokens(tx: &WriteTransaction, session: &Session) -> Outcome<()> {
    let (id, expires_at) = (session.id.number(), session.expires_at.unix_millis());
    let mut of_session = tx.open_table(SESSION_TOKENS)?;
    let mut tokens = tx.open_table(TOKENS)?;
    let mut digests = Vec::new();
    for row in of_session.extract_from_if(tokens_of(session.id, i64::MAX), |_, ()| true)? {
        digests.push(*row?.0.value().2);
    }
    for digest in &digests {
        tokens.insert(digest, (id, expires_at))?;
        of_session.insert((id, expires_at, digest), ())?;
    }
    Ok(())
}

fn tokens_of(session: SessionId, up_to: i64) -> RangeInclusive<(u128, i64, &'static TokenDigest)> {
    (session.number(), i64::MIN, &[0; 32])..=(session.number(), up_to, &[u8::MAX; 32])
}

fn remove_tokens(tx: &WriteTransaction, session: SessionId, up_to: i64) -> Outcome<()> {
    let mut of_session = tx.open_table(SESSION_TOKENS)?;
    let mut tokens = tx.open_table(TOKENS)?;
    for row in of_session.extract_from_if(tokens_of(session, up_to), |_, ()| true)? {
        tokens.remove(row?.0.value().2)?;
    }
    Ok(())
}
