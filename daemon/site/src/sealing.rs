//! Seals the stream keys of a backup with a password: Argon2id makes a key of it, ChaCha20-Poly1305 (RFC 8439) encrypts. Whoever has the file
//! and not the password learns nothing, and cannot change them unnoticed.

use crate::accounts::passwords::{Busy, Passwords};
use crate::accounts::secret::{Password, digest_of};
use perch_store::{IngestKey, RelayKey, StreamKeys, UserId};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

/// First byte of sealed keys: the form of what follows, salt and ciphertext.
const VERSION: u8 = 1;
/// Bytes of the salt. It is another one each time, so each key encrypts once, and its nonce may be zero.
const SALT: usize = 16;

/// What is encrypted, as JSON.
#[derive(Serialize, Deserialize)]
struct Plain {
    /// Name and key.
    relays: Vec<(String, String)>,
    /// The account's id, and its key.
    accounts: Vec<(String, String)>,
}

/// Why keys are not unsealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unopened {
    #[error("is not the password that the stream keys were sealed with")]
    WrongPassword,
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// Why keys are not sealed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unsealed {
    #[error(transparent)]
    Random(#[from] getrandom::Error),
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// Seals keys with a password.
pub(crate) async fn seal(
    passwords: &Passwords,
    password: Password,
    keys: &StreamKeys,
) -> Result<Vec<u8>, Unsealed> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt)?;
    let key = cipher(passwords.derive(password, salt).await?);
    let relays = keys.relays.iter().map(|(name, key)| (name.clone(), key.expose().to_owned()));
    let accounts = keys.accounts.iter().map(|(user, _, key)| (user.to_string(), key.expose().to_owned()));
    let plain = Plain { relays: relays.collect(), accounts: accounts.collect() };
    let mut sealed = serde_json::to_vec(&plain).expect("plain data is always JSON");
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key([0; 12]), Aad::from([VERSION]), &mut sealed)
        .expect("it is far shorter than what one key may encrypt");
    Ok([&[VERSION], &salt[..], &sealed].concat())
}

/// Opens what [`seal`] has made.
pub(crate) async fn open(
    passwords: &Passwords,
    password: Password,
    sealed: &[u8],
) -> Result<StreamKeys, Unopened> {
    let Some((salt, text)) = parts(sealed) else { return Err(Unopened::WrongPassword) };
    let key = passwords.derive(password, *salt).await?;
    decrypted(key, text).ok_or(Unopened::WrongPassword)
}

/// The same with a key that `derive` makes of the salt; `None` for a wrong one.
pub(crate) fn opened(sealed: &[u8], derive: impl FnOnce([u8; SALT]) -> [u8; 32]) -> Option<StreamKeys> {
    let (salt, text) = parts(sealed)?;
    decrypted(derive(*salt), text)
}

/// Salt and ciphertext.
fn parts(sealed: &[u8]) -> Option<(&[u8; SALT], &[u8])> {
    let (&[VERSION], rest) = sealed.split_first_chunk()? else { return None };
    rest.split_first_chunk()
}

fn decrypted(key: [u8; 32], text: &[u8]) -> Option<StreamKeys> {
    let mut text = text.to_vec();
    let nonce = Nonce::assume_unique_for_key([0; 12]);
    let plain = cipher(key).open_in_place(nonce, Aad::from([VERSION]), &mut text).ok()?;
    let plain: Plain = serde_json::from_slice(plain).ok()?;
    let account = |(user, key): (String, String)| {
        let user: UserId = user.parse().ok()?;
        Some((user, digest_of(&key), IngestKey::new(&key)))
    };
    Some(StreamKeys {
        relays: plain.relays.into_iter().map(|(name, key)| (name, RelayKey::new(&key))).collect(),
        accounts: plain.accounts.into_iter().filter_map(account).collect(),
    })
}

fn cipher(key: [u8; 32]) -> LessSafeKey {
    let key = UnboundKey::new(&CHACHA20_POLY1305, &key).expect("32 bytes are a key of this cipher");
    LessSafeKey::new(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_opened_with_their_password_alone() {
        let passwords = Passwords::start().unwrap();
        let password = |text: &str| Password::new(text.to_owned());
        let own = "abcd-efgh";
        let keys = StreamKeys {
            relays: vec![("youtube".to_owned(), RelayKey::new("SECRET"))],
            accounts: vec![(UserId::from_number(7), digest_of(own), IngestKey::new(own))],
        };
        let sealed = seal(&passwords, password("correct horse"), &keys).await.unwrap();
        assert!(!sealed.windows(6).any(|window| window == b"SECRET"));
        assert_eq!(open(&passwords, password("correct horse"), &sealed).await.unwrap(), keys);
        assert_ne!(seal(&passwords, password("correct horse"), &keys).await.unwrap(), sealed);
        let mut changed = sealed.clone();
        *changed.last_mut().unwrap() ^= 1;
        for (text, sealed) in [
            ("another horse", &sealed[..]),
            ("correct horse", &changed),
            ("correct horse", &sealed[..20]),
            ("correct horse", &[]),
        ] {
            let opened = open(&passwords, password(text), sealed).await;
            assert!(matches!(opened, Err(Unopened::WrongPassword)), "{opened:?}");
        }
    }
}
