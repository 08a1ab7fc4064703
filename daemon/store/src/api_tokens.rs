//! API tokens: each lets a program ask in an account's name, within its scopes. The store sees only SHA-256 digests of them. They end with the
//! account's suspension, its deletion and a new password, as logins do, and no backup holds them.

use crate::failure::Outcome;
use crate::reads::Reads;
use crate::record::{self, Record};
use crate::sessions::TokenDigest;
use crate::tables::{API_TOKEN_DIGESTS, API_TOKENS};
use crate::writing::WriteTransaction;
use crate::{
    ApiTokenId, Refusal, Standing, Store, StoreError, Timestamp, User, UserId, new_id, relation, user,
};
use redb::ReadableTable as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Tokens of one account at most.
pub const API_TOKENS_PER_USER: usize = 50;

/// What a token may do, as far as its account may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// See what the account sees.
    Read,
    /// Write and moderate in chats.
    Chat,
    /// Start, change and stop streams.
    GoLive,
    /// Change everything else but logins, passwords, tokens and accounts.
    Manage,
    /// Watch streams and cameras at addresses that hold the token, and nothing else.
    Watch,
}

impl Scope {
    /// All scopes, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Read, Self::Chat, Self::GoLive, Self::Manage, Self::Watch];

    /// Its name in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Chat => "chat",
            Self::GoLive => "go-live",
            Self::Manage => "manage",
            Self::Watch => "watch",
        }
    }
}

/// A token's settings; the token itself is not stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiToken {
    /// Its id.
    pub id: ApiTokenId,
    /// Its account.
    pub user: UserId,
    /// Its name, as its user gave it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; `None`: when it is revoked.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to within some minutes.
    pub last_used_at: Option<Timestamp>,
    digest: TokenDigest,
}

impl Record for ApiToken {
    const NAME: &'static str = "API token";
    const VERSION: u8 = 1;
}

impl ApiToken {
    pub(crate) const fn digest(&self) -> &TokenDigest {
        &self.digest
    }

    /// True from the moment when it ends by itself.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }
}

/// A token to be added.
#[derive(Clone, Debug)]
pub struct NewApiToken {
    /// Its account.
    pub user: UserId,
    /// Its name; the caller has checked it.
    pub name: String,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it ends; `None`: when it is revoked.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// Adds a token, by its SHA-256 digest, to an active account.
    pub fn add_api_token(
        &self,
        new: &NewApiToken,
        digest: &TokenDigest,
        now: Timestamp,
    ) -> Result<ApiToken, StoreError> {
        self.write(|tx| {
            if user::get(tx, new.user)?.standing != Standing::Active {
                return Err(Refusal::NotActive.into());
            }
            let known = of(tx, new.user)?;
            if known.len() >= API_TOKENS_PER_USER {
                return Err(Refusal::TooMany { what: "tokens", most: API_TOKENS_PER_USER }.into());
            }
            let last = known.last().map(|last| last.id.number());
            let token = ApiToken {
                id: ApiTokenId::from_number(new_id::after(last, now)?),
                user: new.user,
                name: new.name.clone(),
                scopes: new.scopes.clone(),
                created_at: now,
                expires_at: new.expires_at,
                last_used_at: None,
                digest: *digest,
            };
            tx.open_table(API_TOKEN_DIGESTS)?.insert(digest, key_of(&token))?;
            record::put(tx, API_TOKENS, key_of(&token), &token)?;
            Ok(token)
        })
    }

    /// An account's tokens, oldest first.
    pub fn api_tokens(&self, user: UserId) -> Result<Vec<ApiToken>, StoreError> {
        self.read(|tx| of(tx, user))
    }

    /// The token with this SHA-256 digest and its account. Digests are compared, so the time that it takes tells nothing of a token.
    pub fn api_token_by_digest(&self, digest: &TokenDigest) -> Result<Option<(ApiToken, User)>, StoreError> {
        self.read(|tx| {
            let key = tx.reading(API_TOKEN_DIGESTS)?.get(digest)?.map(|key| key.value());
            let Some(key) = key else { return Ok(None) };
            let Some(token) = record::get::<ApiToken, _>(tx, API_TOKENS, key)? else { return Ok(None) };
            let user = user::get(tx, token.user)?;
            Ok(Some((token, user)))
        })
    }

    /// Revokes one of an account's tokens.
    pub fn revoke_api_token(&self, user: UserId, token: ApiTokenId) -> Result<(), StoreError> {
        self.write(|tx| {
            let found: Option<ApiToken> = record::get(tx, API_TOKENS, (user.number(), token.number()))?;
            remove(tx, &found.ok_or(Refusal::NotFound { what: "token" })?)
        })
    }

    /// Notes when tokens were last used, in one commit. Tokens that have been revoked since are left out.
    pub fn note_api_tokens_used(&self, used: &[(UserId, ApiTokenId, Timestamp)]) -> Result<(), StoreError> {
        self.write(|tx| {
            for (user, id, at) in used {
                let found: Option<ApiToken> = record::get(tx, API_TOKENS, (user.number(), id.number()))?;
                if let Some(mut token) = found {
                    token.last_used_at = Some(*at);
                    record::put(tx, API_TOKENS, key_of(&token), &token)?;
                }
            }
            Ok(())
        })
    }
}

const fn key_of(token: &ApiToken) -> (u128, u128) {
    (token.user.number(), token.id.number())
}

fn of(tx: &impl Reads, user: UserId) -> Outcome<Vec<ApiToken>> {
    let rows = tx.reading(API_TOKENS)?;
    rows.range(relation::of(user.number()))?.map(|row| record::decode(row?.1.value())).collect()
}

fn remove(tx: &WriteTransaction, token: &ApiToken) -> Outcome<()> {
    tx.open_table(API_TOKEN_DIGESTS)?.remove(&token.digest)?;
    tx.open_table(API_TOKENS)?.remove(key_of(token))?;
    Ok(())
}

/// Revokes all tokens of an account.
pub(crate) fn revoke_all(tx: &WriteTransaction, user: UserId) -> Outcome<()> {
    for token in of(tx, user)? {
        remove(tx, &token)?;
    }
    Ok(())
}

/// Forgets the tokens of all accounts.
pub(crate) fn forget_all(tx: &WriteTransaction) -> Outcome<()> {
    tx.open_table(API_TOKENS)?.retain(|_, _| false)?;
    tx.open_table(API_TOKEN_DIGESTS)?.retain(|_, _| false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{assert_sound, at, in_memory, refusal, user};
    use crate::{Backup, ClockCorrection, PasswordHash};

    const DAY: i64 = 86_400;

    fn new(user: UserId, name: &str) -> NewApiToken {
        let scopes = BTreeSet::from([Scope::Read, Scope::GoLive]);
        NewApiToken { user, name: name.to_owned(), scopes, expires_at: Some(at(90 * DAY)) }
    }

    fn is_known(store: &Store, digest: u8) -> bool {
        store.api_token_by_digest(&[digest; 32]).unwrap().is_some()
    }

    #[test]
    fn a_token_is_its_accounts_until_it_is_revoked() {
        let store = in_memory();
        let (ana, ben) = (user(&store, "ana"), user(&store, "ben"));
        let first = store.add_api_token(&new(ana, "one"), &[1; 32], at(0)).unwrap();
        let second = store.add_api_token(&new(ana, "two"), &[2; 32], at(-5)).unwrap();
        store.add_api_token(&new(ben, "one"), &[3; 32], at(0)).unwrap();
        assert_eq!(store.api_tokens(ana).unwrap(), [first.clone(), second]);
        let (found, account) = store.api_token_by_digest(&[1; 32]).unwrap().unwrap();
        assert_eq!((&found, account.id), (&first, ana));
        assert!(!is_known(&store, 9));
        assert_eq!(refusal(store.revoke_api_token(ben, first.id)), Refusal::NotFound { what: "token" });
        store.revoke_api_token(ana, first.id).unwrap();
        assert_eq!(refusal(store.revoke_api_token(ana, first.id)), Refusal::NotFound { what: "token" });
        assert!(!is_known(&store, 1) && is_known(&store, 2) && is_known(&store, 3));
        assert_sound(&store);
    }

    #[test]
    fn tokens_end_with_suspension_deletion_and_a_new_password() {
        let store = in_memory();
        let [ana, ben, cid, dan] = ["ana", "ben", "cid", "dan"].map(|name| user(&store, name));
        for (digest, user) in (1..).zip([ana, ben, cid, dan]) {
            store.add_api_token(&new(user, "one"), &[digest; 32], at(0)).unwrap();
        }
        store.set_standing(ana, Standing::Suspended).unwrap();
        store.delete_user(ben).unwrap();
        store.change_password(cid, &PasswordHash::new("$new"), None).unwrap();
        assert!(!is_known(&store, 1) && !is_known(&store, 2) && !is_known(&store, 3) && is_known(&store, 4));
        let refused = store.add_api_token(&new(ana, "two"), &[5; 32], at(1));
        assert_eq!(refusal(refused), Refusal::NotActive);
        assert_sound(&store);
    }

    #[test]
    fn tokens_are_bounded_and_end_when_they_should() {
        let store = in_memory();
        let ana = user(&store, "ana");
        for number in 0..API_TOKENS_PER_USER {
            store.add_api_token(&new(ana, "one"), &[number as u8; 32], at(0)).unwrap();
        }
        let refused = refusal(store.add_api_token(&new(ana, "one"), &[200; 32], at(0)));
        assert_eq!(refused, Refusal::TooMany { what: "tokens", most: API_TOKENS_PER_USER });
        let tokens = store.api_tokens(ana).unwrap();
        assert!(!tokens[0].has_expired(at(90 * DAY - 1)) && tokens[0].has_expired(at(90 * DAY)));
        for token in tokens {
            store.revoke_api_token(ana, token.id).unwrap();
        }
        let endless = NewApiToken { expires_at: None, ..new(ana, "endless") };
        let endless = store.add_api_token(&endless, &[201; 32], at(0)).unwrap();
        assert!(!endless.has_expired(at(36_500 * DAY)));
        let unknown = ApiTokenId::from_number(1);
        store.note_api_tokens_used(&[(ana, endless.id, at(7)), (ana, unknown, at(7))]).unwrap();
        assert_eq!(store.api_tokens(ana).unwrap(), [ApiToken { last_used_at: Some(at(7)), ..endless }]);
        assert_sound(&store);
    }

    #[test]
    fn a_token_made_under_a_wrong_clock_lasts_as_long_as_it_should() {
        let store = in_memory();
        let ana = user(&store, "ana");
        store.add_api_token(&new(ana, "one"), &[1; 32], at(5)).unwrap();
        store.add_api_token(&new(ana, "before"), &[2; 32], at(-100)).unwrap();
        let correction = ClockCorrection {
            provisional: at(0)..at(10),
            behind_ms: DAY * 1000,
            login_lasts_ms: DAY * 30_000,
        };
        store.correct_times(&correction).unwrap();
        let [one, before] = &store.api_tokens(ana).unwrap()[..] else { panic!("two tokens") };
        assert_eq!((one.created_at, one.expires_at), (at(5 + DAY), Some(at(91 * DAY))));
        assert_eq!((before.created_at, before.expires_at), (at(-100), Some(at(90 * DAY))));
        assert_sound(&store);
    }

    #[test]
    fn no_backup_holds_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let (path, to) = (dir.path().join("perch.redb"), dir.path().join("backup"));
        let store = Store::open(&path).unwrap();
        let ana = user(&store, "ana");
        store.add_api_token(&new(ana, "PARROT"), &[7; 32], at(0)).unwrap();
        store.back_up(&to, at(0)).unwrap();
        let bytes = std::fs::read(&to).unwrap();
        for secret in [&b"PARROT"[..], &[7; 32]] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
        drop(store);
        // A backup, and a store file that was copied by hand.
        for file in [&to, &path] {
            let restored = Backup::check(file, at(1)).unwrap().store;
            assert!(restored.api_tokens(ana).unwrap().is_empty() && !is_known(&restored, 7));
        }
    }
}
