//! Addresses within the site as browsers must ask for them: below `[server] path`, if a reverse proxy serves the site there.
//!
//! The path belongs to the process and is set once, before the first response. Links are written wherever a response is rendered,
//! also in chat lines, where nothing of the server is at hand.

use super::client::Client;
use super::hosts::AskedHosts;
use super::rules::RULES;
use http::Uri;
use http::uri::{Authority, PathAndQuery};
use std::fmt::Display;
use std::sync::OnceLock;

static PATH: OnceLock<String> = OnceLock::new();

/// Sets the path of the site: empty, or `/perch`. Only the first call counts.
pub(super) fn set_path(path: &str) {
    PATH.get_or_init(|| path.to_owned());
}

/// The path of the site: empty, or `/perch`.
pub(super) fn path() -> &'static str {
    PATH.get().map_or("", String::as_str)
}

/// The path as cookies have it: of the whole site, and of no other site beside it.
pub(super) fn root() -> &'static str {
    if path().is_empty() { "/" } else { path() }
}

/// A link to `address`, which begins with a slash.
pub(super) fn link(address: impl Display) -> String {
    format!("{}{address}", path())
}

/// Where the client reaches the site, without a slash at the end: `https://perch.example.org/perch`. The host is what the request
/// names; an HTTP/1.0 client may name none.
pub(super) fn site_address(client: Client, asked: &AskedHosts) -> String {
    let host = asked.0.first().map_or("perch.local", Authority::as_str);
    format!("{}://{host}{}", if client.secure { "https" } else { "http" }, path())
}

/// The path of the site as [`crate::config::Server::path`] has it, from `/`, `/perch` or `/perch/`. `None` if it cannot serve: only
/// letters, digits, `-`, `_` and `~` need no escapes anywhere, and if it began like one of the site's own addresses
/// (`/live/watch`) a proxy that removes it could not be told from one that keeps it.
pub fn site_path(text: &str) -> Option<String> {
    let path = text.strip_suffix('/').unwrap_or(text);
    if path.is_empty() {
        return (text == "/").then(String::new);
    }
    let is_part = |part: &str| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_~".contains(&byte))
    };
    let mut parts = path.strip_prefix('/')?.split('/');
    let first = parts.clone().next()?;
    let is_ours = RULES.iter().any(|rule| rule.path.split('/').nth(1) == Some(first));
    (parts.all(is_part) && !is_ours && path.len() <= 100).then(|| path.to_owned())
}

/// The requested address as the router knows it, if it is below `path`; else it stays as it is. Proxies that remove the path
/// and proxies that keep it both work, and so do a player's old addresses on the local network.
pub(super) fn without_path(path: &str, asked: &Uri) -> Option<Uri> {
    let rest = asked.path_and_query()?.as_str().strip_prefix(path)?;
    let address = match rest.as_bytes().first() {
        _ if path.is_empty() => return None,
        Some(b'/') => PathAndQuery::try_from(rest),
        None | Some(b'?') => PathAndQuery::try_from(format!("/{rest}")),
        Some(_) => return None,
    };
    let mut parts = asked.clone().into_parts();
    parts.path_and_query = Some(address.ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_below_the_path_is_the_one_without_it() {
        for (path, asked, inner) in [
            ("/perch", "/perch/watch/1?t=5", Some("/watch/1?t=5")),
            ("/perch", "/perch/", Some("/")),
            ("/perch", "/perch", Some("/")),
            ("/perch", "/perch?q=owl", Some("/?q=owl")),
            ("/perch", "http://host/perch/live", Some("http://host/live")),
            ("/a/b", "/a/b/live", Some("/live")),
            // Once only.
            ("/perch", "/perch/perch/live", Some("/perch/live")),
            ("/perch", "/live", None),
            ("/perch", "/percheron/live", None),
            ("/perch", "/api/v1/perch/", None),
            ("/perch", "*", None),
            ("", "/live", None),
        ] {
            let found = without_path(path, &asked.parse().unwrap()).map(|uri| uri.to_string());
            assert_eq!(found.as_deref(), inner, "{path} {asked}");
        }
    }

    #[test]
    fn a_path_has_plain_parts_and_none_of_the_sites_own() {
        for (text, path) in [
            ("/", Some("")),
            ("/perch", Some("/perch")),
            ("/perch/", Some("/perch")),
            ("/tv/Perch_2", Some("/tv/Perch_2")),
            ("/perch/live", Some("/perch/live")),
            ("", None),
            ("perch", None),
            ("//", None),
            ("/a//b", None),
            ("/perch/..", None),
            ("/per ch", None),
            ("/pérch", None),
            ("/perch?x", None),
            ("/live", None),
            ("/api/perch", None),
            ("/media", None),
            ("/assets/x", None),
        ] {
            assert_eq!(site_path(text).as_deref(), path, "{text}");
        }
    }
}
