//! The table of rights: plain data, which `tests/rights.rs` reads, too.

/// Who may use an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Right {
    /// Everyone, with or without an account.
    Anyone,
    /// Everyone who is logged in.
    Member,
    /// Accounts that may go live: streamers and owners.
    Streamer,
    /// Owners.
    Owner,
    /// Owners, and the addresses of `[server] metrics_from`.
    ListedOrOwner,
}

/// One line of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// GET includes HEAD.
    pub method: &'static str,
    /// The path in the form of the router and of the API's document.
    pub path: &'static str,
    pub right: Right,
    /// A restriction of the right that the handler checks, in words.
    pub note: &'static str,
}

const fn rule(method: &'static str, path: &'static str, right: Right, note: &'static str) -> Rule {
    Rule { method, path, right, note }
}

use Right::{Anyone, ListedOrOwner, Member, Owner, Streamer};

/// Rules of all addresses.
pub(crate) const RULES: &[Rule] = &[
    // The page and the machine itself.
    rule("GET", "/", Anyone, ""),
    rule("GET", "/watch/{id}", Anyone, "the page only: its content has its own rules"),
    rule("GET", "/u/{username}", Anyone, ""),
    rule("GET", "/u/{username}/followers", Anyone, ""),
    rule("GET", "/u/{username}/following", Anyone, ""),
    rule("GET", "/live", Anyone, ""),
    rule("GET", "/following", Anyone, ""),
    rule("GET", "/notifications", Anyone, ""),
    rule("GET", "/settings", Anyone, ""),
    rule("GET", "/settings/{part}", Anyone, ""),
    rule("GET", "/login", Anyone, ""),
    rule("GET", "/register", Anyone, ""),
    rule("GET", "/setup", Anyone, ""),
    rule("GET", "/trust", Anyone, ""),
    rule("GET", "/wifi", Anyone, ""),
    rule("GET", "/assets/{version}/{*path}", Anyone, ""),
    // For other sites: public streams only.
    rule("GET", "/embed/{id}", Anyone, ""),
    rule("GET", "/oembed", Anyone, ""),
    rule("GET", "/feed.xml", Anyone, ""),
    rule("GET", "/api/v1/qr.svg", Anyone, ""),
    rule("GET", "/healthz", Anyone, ""),
    rule("GET", "/readyz", Anyone, ""),
    rule("GET", "/metrics", ListedOrOwner, ""),
    rule("GET", "/api/v1/openapi.json", Anyone, ""),
    rule("GET", "/api/v1/time", Anyone, ""),
    rule(
        "GET",
        "/api/v1/system",
        Anyone,
        "the time; warnings: streamers and owners; the rest: owners, and the addresses in metrics_from",
    ),
    rule("GET", "/api/v1/system/wifi", Anyone, "owners; before there is one, everyone on the access point"),
    rule("PUT", "/api/v1/system/wifi", Anyone, "owners; before there is one, everyone on the access point"),
    rule("GET", "/api/v1/system/update", Owner, ""),
    rule("PUT", "/api/v1/system/update", Owner, ""),
    rule("GET", "/api/v1/https", Anyone, ""),
    rule("PATCH", "/api/v1/https", Owner, ""),
    rule("POST", "/api/v1/https/authority", Owner, ""),
    rule("GET", "/api/v1/https/authority.crt", Anyone, ""),
    rule("GET", "/api/v1/https/authority.pem", Anyone, ""),
    rule("GET", "/api/v1/https/perch.mobileconfig", Anyone, ""),
    rule("GET", "/api/v1/https/code.svg", Anyone, ""),
    // Setup, settings, logins.
    rule("GET", "/api/v1/settings", Anyone, ""),
    rule("PATCH", "/api/v1/settings", Owner, ""),
    rule("GET", "/api/v1/settings/other-sites", Owner, ""),
    rule("PATCH", "/api/v1/settings/other-sites", Owner, ""),
    rule("POST", "/api/v1/backup", Owner, "with the caller's password"),
    rule("PUT", "/api/v1/restore", Owner, ""),
    rule("POST", "/api/v1/restore", Owner, "with the caller's password"),
    rule("DELETE", "/api/v1/restore", Owner, ""),
    rule("POST", "/api/v1/setup", Anyone, "with the setup code, once"),
    rule("POST", "/api/v1/auth/register", Anyone, "if the owner allows it"),
    rule("POST", "/api/v1/auth/login", Anyone, "with name and password"),
    rule("POST", "/api/v1/auth/refresh", Anyone, "with the refresh token"),
    rule("POST", "/api/v1/auth/logout", Anyone, "the caller's login, or all of them"),
    rule("POST", "/api/v1/me/password", Member, "with the caller's password"),
    rule("GET", "/api/v1/me/sessions", Member, "the caller's"),
    rule("DELETE", "/api/v1/me/sessions/{id}", Member, "the caller's"),
    rule("GET", "/api/v1/me/tokens", Member, "the caller's; for no token"),
    rule("POST", "/api/v1/me/tokens", Member, "the caller's; for no token"),
    rule("DELETE", "/api/v1/me/tokens/{id}", Member, "the caller's; for no token"),
    // People.
    rule("GET", "/api/v1/me", Member, "the caller's"),
    rule("PATCH", "/api/v1/me", Member, "the caller's"),
    rule("DELETE", "/api/v1/me", Member, "the caller's, with the password"),
    rule("PUT", "/api/v1/me/avatar", Member, "the caller's"),
    rule("DELETE", "/api/v1/me/avatar", Member, "the caller's"),
    rule("GET", "/api/v1/me/ingest", Streamer, "the caller's"),
    rule("PATCH", "/api/v1/me/ingest", Streamer, "the caller's"),
    rule("POST", "/api/v1/me/ingest/key", Streamer, "the caller's"),
    rule("GET", "/api/v1/me/ingest/code.svg", Streamer, "the caller's"),
    rule("DELETE", "/api/v1/users/{username}/ingest-key", Member, "the user or the owner"),
    rule("GET", "/api/v1/me/subscriptions", Member, "the caller's"),
    rule("GET", "/api/v1/me/notifications", Member, "the caller's"),
    rule("POST", "/api/v1/me/notifications/read", Member, "the caller's"),
    rule("GET", "/api/v1/me/events", Member, "the caller's"),
    rule("GET", "/api/v1/users", Owner, ""),
    rule("POST", "/api/v1/users", Owner, ""),
    rule("GET", "/api/v1/users/{username}", Anyone, "only owners see pending and suspended accounts"),
    rule("PATCH", "/api/v1/users/{username}", Owner, ""),
    rule("DELETE", "/api/v1/users/{username}", Owner, ""),
    rule("GET", "/api/v1/users/{username}/avatar", Anyone, "as the account"),
    rule("GET", "/api/v1/users/{username}/followers", Anyone, "as the account"),
    rule("GET", "/api/v1/users/{username}/following", Anyone, "as the account"),
    rule("PUT", "/api/v1/users/{username}/follow", Member, "for the caller"),
    rule("DELETE", "/api/v1/users/{username}/follow", Member, "for the caller"),
    // Topics.
    rule("GET", "/api/v1/topics", Anyone, ""),
    rule("POST", "/api/v1/topics", Owner, ""),
    rule("PATCH", "/api/v1/topics/{id}", Owner, ""),
    rule("DELETE", "/api/v1/topics/{id}", Owner, ""),
    // Cameras.
    rule("GET", "/api/v1/cameras", Anyone, ""),
    rule("GET", "/api/v1/cameras/{id}", Streamer, ""),
    rule("PATCH", "/api/v1/cameras/{id}/controls", Streamer, "the user of the camera's stream, and owners"),
    rule("GET", "/api/v1/cameras/{id}/microphone", Streamer, ""),
    rule("PATCH", "/api/v1/cameras/{id}/microphone", Streamer, "the user of the camera's stream, and owners"),
    rule("GET", "/api/v1/cameras/{id}/snapshot.jpg", Anyone, "during a members-only stream: members"),
    // Streams.
    rule("GET", "/media/{id}/{name}", Anyone, "of a members-only stream: members"),
    rule("GET", "/api/v1/streams", Anyone, "members-only streams: members"),
    rule("POST", "/api/v1/streams", Streamer, "with an account, not from the console"),
    rule("GET", "/api/v1/streams/{id}", Anyone, "a members-only stream: members"),
    rule("PATCH", "/api/v1/streams/{id}", Member, "its user or the owner"),
    rule("DELETE", "/api/v1/streams/{id}", Member, "its user or the owner"),
    rule("POST", "/api/v1/streams/{id}/stop", Member, "its user or the owner"),
    rule("PUT", "/api/v1/streams/{id}/featured", Owner, ""),
    rule("DELETE", "/api/v1/streams/{id}/featured", Owner, ""),
    rule("PUT", "/api/v1/streams/{id}/reaction", Member, ""),
    rule("PUT", "/api/v1/streams/{id}/save", Member, ""),
    rule("DELETE", "/api/v1/streams/{id}/save", Member, ""),
    rule("GET", "/api/v1/streams/{id}/thumbnail.jpg", Anyone, "of a members-only stream: members"),
    rule("PUT", "/api/v1/streams/{id}/thumbnail.jpg", Member, "its user or the owner"),
    // Recordings.
    rule("GET", "/api/v1/recordings", Anyone, "of members-only streams: whoever is logged in"),
    rule("GET", "/api/v1/recordings/{stream}", Anyone, "as the stream"),
    rule("GET", "/api/v1/recordings/{stream}/index", Anyone, "as the stream"),
    rule("PATCH", "/api/v1/recordings/{stream}", Member, "its stream's user or the owner"),
    rule("DELETE", "/api/v1/recordings/{stream}", Member, "its stream's user or the owner"),
    rule("POST", "/api/v1/recordings/{stream}/restore", Member, "its stream's user or the owner"),
    rule("DELETE", "/api/v1/users/{username}/recordings", Member, "the user or the owner"),
    rule("POST", "/api/v1/users/{username}/recordings/restore", Member, "the user or the owner"),
    rule("GET", "/api/v1/storage", Owner, ""),
    // Relays.
    rule("GET", "/api/v1/relays", Streamer, ""),
    rule("GET", "/api/v1/relays/preflight", Streamer, ""),
    rule("POST", "/api/v1/relays", Owner, ""),
    rule("PATCH", "/api/v1/relays/{name}", Owner, ""),
    rule("DELETE", "/api/v1/relays/{name}", Owner, ""),
    // Webhooks.
    rule("GET", "/api/v1/webhooks", Owner, ""),
    rule("POST", "/api/v1/webhooks", Owner, ""),
    rule("PATCH", "/api/v1/webhooks/{id}", Owner, ""),
    rule("DELETE", "/api/v1/webhooks/{id}", Owner, ""),
    rule("GET", "/api/v1/webhooks/{id}/deliveries", Owner, ""),
    rule("POST", "/api/v1/webhooks/{id}/test", Owner, ""),
    // Chat.
    rule("GET", "/api/v1/streams/{id}/chat", Anyone, "as the stream and its chat's rules allow"),
    rule("GET", "/api/v1/streams/{id}/chat/events", Anyone, "as the stream and its chat's rules allow"),
    rule("POST", "/api/v1/streams/{id}/messages", Member, "as the stream and its chat's rules allow"),
    rule("GET", "/api/v1/streams/{id}/messages", Anyone, "as the stream and its chat's rules allow"),
    rule(
        "DELETE",
        "/api/v1/streams/{id}/messages/{message}",
        Member,
        "the caller's own; its streamer and owners: any",
    ),
    rule("PATCH", "/api/v1/streams/{id}/chat-rules", Member, "its streamer and owners"),
    rule("GET", "/api/v1/streams/{id}/restrictions", Member, "its streamer and owners"),
    rule("PUT", "/api/v1/streams/{id}/restrictions/{username}", Member, "its streamer and owners"),
    rule("DELETE", "/api/v1/streams/{id}/restrictions/{username}", Member, "its streamer and owners"),
    rule("GET", "/api/v1/users/{username}/restrictions", Member, "those that the caller may lift"),
    rule(
        "DELETE",
        "/api/v1/users/{username}/restrictions/{room}",
        Member,
        "in the caller's chats; owners: anywhere",
    ),
    rule("GET", "/api/v1/restrictions", Owner, ""),
    rule("PUT", "/api/v1/restrictions/{username}", Owner, ""),
    rule("DELETE", "/api/v1/restrictions/{username}", Owner, ""),
];
