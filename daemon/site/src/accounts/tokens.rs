//! Access tokens: JWTs (RFC 7519) signed with HS256 and the store's key, valid for 15 minutes. They name an account and a login.
//! Whether that login is open, and what its account may do, is looked up each time (`logins`), so a token alone gives no right.
//!
//! A board's wall clock may jump. A jump forward expires tokens early, which costs one refresh; a jump back prolongs one, which
//! gains nothing, since its login must be open.

use super::secret::RandomToken;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{ErrorKind, Result as JwtResult};
use jsonwebtoken::signature::{self, Signer, Verifier};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use perch_store::{SessionId, SigningKey, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

/// How long an access token is valid, in seconds.
pub const ACCESS_SECONDS: i64 = 15 * 60;
/// How long a refresh token is valid, in seconds: 30 days.
pub const REFRESH_SECONDS: i64 = 30 * 24 * 3600;

/// Stands before a refresh token where its successor is computed. It contains spaces, which a JWT's signed text never has.
const SUCCESSOR: &[u8] = b"the refresh token after ";

/// The content of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
    /// The account.
    pub user: UserId,
    /// The login.
    pub session: SessionId,
    /// True if its 15 minutes are over.
    pub has_expired: bool,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
}

/// Issues and checks access tokens.
pub struct Tokens {
    mac: Hmac<Sha256>,
    sign: EncodingKey,
    check: DecodingKey,
    validation: Validation,
}

impl Tokens {
    /// Uses the site's key.
    #[expect(clippy::needless_pass_by_value, reason = "the key is not wanted anywhere else")]
    pub fn new(key: SigningKey) -> Self {
        // Fails if an earlier instance has done so.
        let _ = HS256_ALONE.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        // Expiry is checked below, with our own clock.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Self {
            mac: Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of any length"),
            sign: EncodingKey::from_secret(key.expose()),
            check: DecodingKey::from_secret(key.expose()),
            validation,
        }
    }

    /// Issues a token for a login.
    pub fn make(&self, user: UserId, session: SessionId, now: Timestamp) -> String {
        let iat = now.unix_millis().div_euclid(1000);
        let claims = Claims { sub: user, sid: session, iat, exp: iat.saturating_add(ACCESS_SECONDS) };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.sign)
            .expect("plain claims and a key of 256 bits can be signed")
    }

    /// The refresh token that follows a refresh token: HMAC-SHA256 of it with the site's key. It is always the same one, so a client
    /// whose answer was lost gets it again; without the key nobody can compute it.
    pub fn successor(&self, token: &RandomToken) -> RandomToken {
        let mac = self.mac.clone().chain_update(SUCCESSOR).chain_update(token.expose());
        RandomToken::of(mac.finalize().into_bytes().into())
    }

    /// Checks a presented token; `None` if we did not issue it.
    pub fn read(&self, token: &str, now: Timestamp) -> Option<Bearer> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.check, &self.validation).ok()?.claims;
        let has_expired = claims.exp <= now.unix_millis().div_euclid(1000);
        Some(Bearer { user: claims.sub, session: claims.sid, has_expired })
    }
}

/// The only algorithm: a token's header cannot select another (RFC 8725 §3.1).
static HS256_ALONE: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?)),
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> JwtResult<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        Ok(Self(Hmac::new_from_slice(key).map_err(|_| ErrorKind::InvalidKeyFormat)?))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, signature::Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), signature::Error> {
        // In constant time.
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| signature::Error::new())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use perch_store::Store;

    const NOW: Timestamp = Timestamp::from_unix_millis(1_800_000_000_000);

    fn tokens() -> Tokens {
        let dir = tempfile::tempdir().unwrap();
        Tokens::new(Store::open(&dir.path().join("perch.redb")).unwrap().signing_key().unwrap())
    }

    fn bearer() -> (UserId, SessionId) {
        (UserId::from_number(7), SessionId::from_number(8))
    }

    #[test]
    fn a_token_says_who_it_was_made_for_until_it_expires() {
        let (tokens, (user, session)) = (tokens(), bearer());
        let token = tokens.make(user, session, NOW);
        let after = |seconds: i64| Timestamp::from_unix_millis(NOW.unix_millis() + 1000 * seconds);
        let read = |at| tokens.read(&token, at);
        assert_eq!(read(after(ACCESS_SECONDS - 1)), Some(Bearer { user, session, has_expired: false }));
        assert_eq!(read(after(ACCESS_SECONDS)), Some(Bearer { user, session, has_expired: true }));
        assert_eq!(read(after(-60)), Some(Bearer { user, session, has_expired: false }));
    }

    #[test]
    fn a_refresh_token_has_one_successor_on_each_site() {
        let (here, there) = (tokens(), tokens());
        let (one, other) = (RandomToken::new().unwrap(), RandomToken::new().unwrap());
        let next = here.successor(&one);
        assert_eq!(next.digest(), here.successor(&one).digest());
        assert!(RandomToken::shown(next.expose()).is_some());
        for different in
            [&one, &other, &here.successor(&other), &here.successor(&next), &there.successor(&one)]
        {
            assert_ne!(next.digest(), different.digest());
        }
    }

    #[test]
    fn a_token_that_we_did_not_make_is_none() {
        let (tokens, (user, session)) = (tokens(), bearer());
        let token = tokens.make(user, session, NOW);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        // {"alg":"none"}, {"alg":"HS512"}
        for forged in [
            format!("eyJhbGciOiJub25lIn0.{claims}."),
            format!("eyJhbGciOiJIUzUxMiJ9.{claims}.{signature}"),
            format!("{header}.{claims}."),
            format!("{header}.{claims}x.{signature}"),
            format!("{header}.{claims}"),
            self::tokens().make(user, session, NOW),
            String::new(),
            "....".to_owned(),
        ] {
            assert_eq!(tokens.read(&forged, NOW), None, "{forged}");
        }
    }
}
