//! The cookies: two for a login and one for a viewer (RFC 6265bis). Scripts cannot read them, and other sites' writes do not
//! carry them.

use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use perch_site::accounts::secret::RandomToken;
use perch_site::accounts::tokens::REFRESH_SECONDS;

/// The only path to which the refresh token is sent.
pub(super) const AUTH_PATH: &str = "/api/v1/auth/";

const ACCESS: &str = "perch_access";
const REFRESH: &str = "perch_refresh";
const VIEWER: &str = "perch_viewer";
/// A year, during which a returning viewer is recognised.
const VIEWER_SECONDS: i64 = 365 * 24 * 3600;

/// The access token in the browser's cookie.
pub(super) fn access_token(headers: &HeaderMap) -> Option<&str> {
    find(headers, ACCESS)
}

/// The refresh token in the browser's cookie.
pub(super) fn refresh_token(headers: &HeaderMap) -> Option<RandomToken> {
    find(headers, REFRESH).and_then(RandomToken::shown)
}

/// The id of a viewer without an account, assigned with the page's first response and used only for counting.
pub(super) fn viewer(headers: &HeaderMap) -> Option<u128> {
    let token = find(headers, VIEWER)?;
    let is_ours = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(token, 16).ok().filter(|_| is_ours)
}

/// Assigns an id to a viewer who has none.
pub(super) fn name_viewer(asked: &HeaderMap, headers: &mut HeaderMap) {
    let mut token = [0; 16];
    if viewer(asked).is_none() && getrandom::fill(&mut token).is_ok() {
        set(headers, VIEWER, &format!("{:032x}", u128::from_be_bytes(token)), "/", VIEWER_SECONDS);
    }
}

/// A cookie of the request.
pub(super) fn find<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs =
        cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}

/// Stores a login in the browser. The access cookie outlives its token, so that an expired token can be distinguished
/// from none.
pub(super) fn keep(headers: &mut HeaderMap, access: &str, refresh: &RandomToken) {
    set(headers, ACCESS, access, "/", REFRESH_SECONDS);
    set(headers, REFRESH, refresh.expose(), AUTH_PATH.trim_end_matches('/'), REFRESH_SECONDS);
}

/// Removes the login from the browser.
pub(super) fn forget(headers: &mut HeaderMap) {
    set(headers, ACCESS, "", "/", 0);
    set(headers, REFRESH, "", AUTH_PATH.trim_end_matches('/'), 0);
}

fn set(headers: &mut HeaderMap, name: &str, value: &str, path: &str, seconds: i64) {
    let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax");
    let mut cookie = HeaderValue::try_from(cookie).expect("our tokens are letters, digits, dots and dashes");
    cookie.set_sensitive(true);
    headers.append(SET_COOKIE, cookie);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let headers = HeaderMap::from_iter([
            (COOKIE, HeaderValue::from_static("theme=dark; perch_access=a.b-c_d ;x=y")),
            (COOKIE, HeaderValue::from_static("perch_refresh=0")),
        ]);
        assert_eq!(access_token(&headers), Some("a.b-c_d"));
        assert!(refresh_token(&headers).is_none());
        assert_eq!(find(&headers, "xperch_access"), None);
    }
}
