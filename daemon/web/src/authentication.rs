//! Identifies the caller: by the request's token, or by the socket it came over.

use super::caller::{Caller, Peer};
use super::client::Client;
use super::cookies;
use super::page;
use super::problem::Problem;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use perch_site::accounts::logins::Login;
use perch_site::{Actor, Site, SiteError, api_tokens, sessions};
use perch_store::Scope;

/// This address also creates a login.
const SETUP: &str = "/api/v1/setup";

/// Checks the request's token. `scope`: what an API token needs at this address; `None`: none may ask there.
pub(super) async fn find_out(
    site: &Site,
    peer: Peer,
    path: &str,
    scope: Option<Scope>,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    let Client { address, .. } = peer.client();
    let actor = match peer {
        Peer::Console => Actor::Console,
        Peer::Network(_) if !looks_at_token(path) => Actor::Anonymous { address },
        Peer::Network(client) => match login_of(site, client, scope, headers).await? {
            Some(login) => Actor::Account { login, address },
            None => Actor::Anonymous { address },
        },
    };
    Ok(Caller { actor, is_listed: false })
}

/// True if the token matters at an address (as the router writes it). An expired token must not block the address that
/// issues a new one, nor the page that asks for it.
fn looks_at_token(path: &str) -> bool {
    !(path.starts_with(cookies::AUTH_PATH) || path == SETUP || page::is_part(path))
}

/// The login named by a request's token: `Authorization: Bearer`, else the cookie.
///
/// A program's token must be valid; an API token must have the scope. An API token in a cookie is no token. A browser sends its
/// cookie with every request: if it has expired while the login is open, the browser is told so, since it can renew it; if the login is closed, the cookie is ignored.
pub(super) async fn login_of(
    site: &Site,
    client: Client,
    scope: Option<Scope>,
    headers: &HeaderMap,
) -> Result<Option<Login>, Problem> {
    if let Some(authorization) = headers.get(AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(bearer_token).ok_or(SiteError::Unauthenticated)?;
        if api_tokens::looks_like_one(token) {
            return Ok(Some(api_tokens::login_of(site, client.address, token, scope).await?));
        }
        let login = sessions::of_token(site, token).await?.ok_or(SiteError::Unauthenticated)?;
        return Ok(Some(login));
    }
    match cookies::access_token(headers, client.secure) {
        Some(token) => Ok(sessions::of_token(site, token).await?),
        None => Ok(None),
    }
}

/// The request's token, valid or not: enough for logging out.
pub(super) fn shown_token(headers: &HeaderMap, secure: bool) -> Option<&str> {
    let shown = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(bearer_token);
    shown.or_else(|| cookies::access_token(headers, secure))
}

fn bearer_token(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_comes_back_with_an_old_token_gets_the_page_and_a_new_token() {
        for path in ["/", "/watch/{id}", "/assets/{version}/{*path}", "/api/v1/auth/refresh", SETUP] {
            assert!(!looks_at_token(path), "{path}");
        }
        for path in ["/api/v1/me", "/api/v1/streams", "/metrics"] {
            assert!(looks_at_token(path), "{path}");
        }
    }

    #[test]
    fn only_bearer_tokens_are_tokens() {
        assert_eq!(bearer_token("Bearer abc"), Some("abc"));
        assert_eq!(bearer_token("bearer  abc "), Some("abc"));
        assert_eq!(bearer_token("Basic abc"), None);
        assert_eq!(bearer_token("Bearer"), None);
    }
}
