//! The cookies: two for a login and one for a viewer (RFC 6265bis). Scripts cannot read them, and other sites' writes do not
//! carry them.

use super::links;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue};
use perch_site::accounts::secret::RandomToken;
use perch_site::accounts::tokens::REFRESH_SECONDS;

/// The only path to which the refresh token is sent.
pub(super) const AUTH_PATH: &str = "/api/v1/auth/";

/// A cookie's names. Over TLS it has one of its own: a browser does not let a page over HTTP replace a `Secure` cookie (RFC 6265bis
/// §5.7), so that nobody could log in over HTTP any more; and with the prefix `__Secure-` nobody but a page over TLS can set it
/// (§4.1.3.1).
#[derive(Clone, Copy)]
struct Name {
    plain: &'static str,
    secure: &'static str,
}

impl Name {
    const fn over(self, secure: bool) -> &'static str {
        if secure { self.secure } else { self.plain }
    }
}

const ACCESS: Name = Name { plain: "perch_access", secure: "__Secure-perch_access" };
const REFRESH: Name = Name { plain: "perch_refresh", secure: "__Secure-perch_refresh" };
const VIEWER: Name = Name { plain: "perch_viewer", secure: "__Secure-perch_viewer" };
/// A year, during which a returning viewer is recognised.
const VIEWER_SECONDS: i64 = 365 * 24 * 3600;

/// The access token in the browser's cookie. `secure`: the request came over TLS.
pub(super) fn access_token(headers: &HeaderMap, secure: bool) -> Option<&str> {
    find(headers, ACCESS.over(secure))
}

/// The refresh token in the browser's cookie.
pub(super) fn refresh_token(headers: &HeaderMap, secure: bool) -> Option<RandomToken> {
    find(headers, REFRESH.over(secure)).and_then(RandomToken::shown)
}

/// The id of a viewer without an account, assigned with the page's first response and used only for counting.
pub(super) fn viewer(headers: &HeaderMap, secure: bool) -> Option<u128> {
    let token = find(headers, VIEWER.over(secure))?;
    let is_ours = token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    u128::from_str_radix(token, 16).ok().filter(|_| is_ours)
}

/// Assigns an id to a viewer who has none.
pub(super) fn name_viewer(asked: &HeaderMap, secure: bool, headers: &mut HeaderMap) {
    let mut token = [0; 16];
    if viewer(asked, secure).is_none() && getrandom::fill(&mut token).is_ok() {
        let token = format!("{:032x}", u128::from_be_bytes(token));
        set(headers, secure, VIEWER, &token, links::root(), VIEWER_SECONDS);
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
pub(super) fn keep(headers: &mut HeaderMap, secure: bool, access: &str, refresh: &RandomToken) {
    set(headers, secure, ACCESS, access, links::root(), REFRESH_SECONDS);
    set(headers, secure, REFRESH, refresh.expose(), &refresh_path(), REFRESH_SECONDS);
}

/// Removes the login from the browser.
pub(super) fn forget(headers: &mut HeaderMap, secure: bool) {
    set(headers, secure, ACCESS, "", links::root(), 0);
    set(headers, secure, REFRESH, "", &refresh_path(), 0);
}

fn refresh_path() -> String {
    links::link(AUTH_PATH.trim_end_matches('/'))
}

fn set(headers: &mut HeaderMap, secure: bool, name: Name, value: &str, path: &str, seconds: i64) {
    let name = name.over(secure);
    let secure = if secure { "; Secure" } else { "" };
    let cookie = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
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
        assert_eq!(access_token(&headers, false), Some("a.b-c_d"));
        assert_eq!(access_token(&headers, true), None, "what came over HTTP does not count over TLS");
        assert!(refresh_token(&headers, false).is_none());
        assert_eq!(find(&headers, "xperch_access"), None);
    }
}
