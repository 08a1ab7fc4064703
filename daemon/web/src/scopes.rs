//! The scope that an API token needs at each address. An address that is not named here needs `read` for reading and `manage` for writing.

use super::rules::Rule;
use perch_store::Scope;

/// No token may ask there, whatever its scopes: logins, passwords, tokens, accounts, stream keys and the whole store would outlast it, or let
/// it do more than its scopes say.
const NEVER: [&str; 14] = [
    "/api/v1/backup",
    "/api/v1/restore",
    "/api/v1/setup",
    "/api/v1/auth/register",
    "/api/v1/auth/login",
    "/api/v1/auth/refresh",
    "/api/v1/auth/logout",
    "/api/v1/me/password",
    "/api/v1/me/sessions",
    "/api/v1/me/sessions/{id}",
    "/api/v1/me/tokens",
    "/api/v1/me/tokens/{id}",
    "/api/v1/me/ingest/key",
    "/api/v1/me/ingest/code.svg",
];

/// The same, for one method.
const NEVER_THIS: [(&str, &str); 7] = [
    ("DELETE", "/api/v1/me"),
    ("GET", "/api/v1/me/ingest"),
    ("PATCH", "/api/v1/me/ingest"),
    ("POST", "/api/v1/users"),
    ("PATCH", "/api/v1/users/{username}"),
    ("DELETE", "/api/v1/users/{username}"),
    ("DELETE", "/api/v1/users/{username}/ingest-key"),
];

/// Writing and moderating in chats. The first is a WebSocket.
const CHAT: [(&str, &str); 7] = [
    ("GET", "/api/v1/streams/{id}/chat"),
    ("POST", "/api/v1/streams/{id}/messages"),
    ("DELETE", "/api/v1/streams/{id}/messages/{message}"),
    ("PATCH", "/api/v1/streams/{id}/chat-rules"),
    ("PUT", "/api/v1/streams/{id}/restrictions/{username}"),
    ("DELETE", "/api/v1/streams/{id}/restrictions/{username}"),
    ("DELETE", "/api/v1/users/{username}/restrictions/{room}"),
];

const GO_LIVE: [(&str, &str); 6] = [
    ("POST", "/api/v1/streams"),
    ("PATCH", "/api/v1/streams/{id}"),
    ("POST", "/api/v1/streams/{id}/stop"),
    ("PUT", "/api/v1/streams/{id}/thumbnail.jpg"),
    ("PATCH", "/api/v1/cameras/{id}/controls"),
    ("PATCH", "/api/v1/cameras/{id}/microphone"),
];

/// The scope that a token needs at this address; `None`: no token may ask there.
pub(super) fn scope_of(rule: &Rule) -> Option<Scope> {
    let this = (rule.method, rule.path);
    if NEVER.contains(&rule.path) || NEVER_THIS.contains(&this) {
        None
    } else if CHAT.contains(&this) {
        Some(Scope::Chat)
    } else if GO_LIVE.contains(&this) {
        Some(Scope::GoLive)
    } else if rule.method == "GET" {
        Some(Scope::Read)
    } else {
        Some(Scope::Manage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::RULES;

    #[test]
    fn every_address_named_here_exists() {
        for path in NEVER {
            assert!(RULES.iter().any(|rule| rule.path == path), "{path}");
        }
        for (method, path) in NEVER_THIS.iter().chain(&CHAT).chain(&GO_LIVE) {
            assert!(RULES.iter().any(|rule| (rule.method, rule.path) == (*method, *path)), "{method} {path}");
        }
    }

    /// Somebody who adds an address whose answer or effect is a secret is reminded of it here.
    #[test]
    fn addresses_whose_names_speak_of_secrets_are_for_no_token() {
        for rule in RULES {
            let words = ["password", "token", "session", "login", "key", "setup", "backup", "restore"];
            let is_secret = rule
                .path
                .split(['/', '-'])
                .any(|part| words.iter().any(|word| part == *word || part.strip_suffix('s') == Some(word)));
            let of_recordings = rule.path.contains("recordings");
            // The page; its data has addresses of its own.
            let is_page = !rule.path.starts_with("/api/");
            if is_secret && !of_recordings && !is_page {
                assert_eq!(scope_of(rule), None, "{} {}", rule.method, rule.path);
            }
        }
    }
}
