//! Secret texts, which `Debug` does not show, and random tokens from the kernel.

use sha2::{Digest as _, Sha256};
use std::fmt;

/// A password as a person typed it.
#[derive(Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(transparent)]
#[schema(value_type = String, format = Password)]
pub struct Password(String);

impl Password {
    /// Takes typed text, for the command line; requests deserialize theirs.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text, for hashing or checking.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// SHA-256 of a random secret: what the store finds it by. A password needs more than that.
pub fn digest_of(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// A random 256-bit secret, such as a refresh token. The store keeps only its digest.
#[derive(Clone)]
pub struct RandomToken(String);

/// 256 bits in hexadecimal digits.
const DIGITS: usize = 64;

impl RandomToken {
    /// A new token. The error means that the kernel has no random numbers.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; DIGITS / 2];
        getrandom::fill(&mut bytes)?;
        Ok(Self::of(bytes))
    }

    /// The token with these bits, which nobody can guess.
    pub(super) fn of(bytes: [u8; DIGITS / 2]) -> Self {
        let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
        Self(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect())
    }

    /// Parses a presented token; `None` for a text that cannot be one.
    pub fn shown(text: &str) -> Option<Self> {
        let is_ours = text.len() == DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        is_ours.then(|| Self(text.to_owned()))
    }

    /// The text, for its owner only.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// SHA-256, for the store.
    pub fn digest(&self) -> [u8; 32] {
        digest_of(&self.0)
    }
}

impl fmt::Debug for RandomToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomToken(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_read_back_and_differ() {
        let (one, other) = (RandomToken::new().unwrap(), RandomToken::new().unwrap());
        assert_ne!(one.digest(), other.digest());
        assert_eq!(RandomToken::shown(one.expose()).unwrap().digest(), one.digest());
        assert!(RandomToken::shown("../../etc/passwd").is_none());
        assert!(RandomToken::shown(&one.expose().to_uppercase().replace(char::is_numeric, "A")).is_none());
    }

    #[test]
    fn nothing_secret_is_printed() {
        let token = RandomToken::new().unwrap();
        assert!(!format!("{token:?}").contains(token.expose()));
        assert!(!format!("{:?}", Password::new("hunter22".to_owned())).contains("hunter22"));
    }
}
