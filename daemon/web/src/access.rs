//! Authorisation: one table with a rule for every address (`rules`), and the layer that enforces it. An address without a rule is
//! not answered, so nothing is open by oversight; `tests/rights.rs` checks the table over HTTP.
//!
//! If a right depends on the requested thing, such as its owner, the rule's note says so in words and the handler checks it.

use super::authentication;
use super::caller::{Caller, Peer};
use super::client::Client;
use super::problem::Problem;
use super::rights::rule_of;
use super::rules::Right;
use super::state::Shared;
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{HOST, ORIGIN, UPGRADE};
use http::{HeaderMap, Method};
use perch_site::SiteError;
use perch_store::Role;

/// Passes a request with its [`Caller`] to its handler, or refuses it.
pub(super) async fn guard(state: Shared, matched: MatchedPath, request: Request, next: Next) -> Response {
    match admit(&state, &matched, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response().map(axum::body::Body::new),
    }
}

async fn admit(state: &Shared, matched: &MatchedPath, mut request: Request) -> Result<Request, Problem> {
    let rule = rule_of(request.method(), matched.as_str()).ok_or(Problem::NotFound)?;
    if changes_something(&request) && !is_same_site(request.headers()) {
        return Err(Problem::CrossSite);
    }
    let nowhere = Client { address: std::net::Ipv4Addr::UNSPECIFIED.into(), secure: false };
    let peer = request.extensions().get().copied().unwrap_or(Peer::Network(nowhere));
    let caller = authentication::find_out(&state.site, peer, matched.as_str(), request.headers()).await?;
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    state.site.limits.admit(&caller.actor, writes)?;
    if !may(rule.right, &caller) {
        return Err(match rule.right {
            Right::LocalOrOwner => Problem::LocalOnly,
            _ if caller.actor.is_member() => SiteError::Forbidden.into(),
            _ => SiteError::Unauthenticated.into(),
        });
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

fn may(right: Right, caller: &Caller) -> bool {
    let role = caller.actor.role();
    match right {
        Right::Anyone => true,
        Right::Member => role.is_some(),
        Right::Streamer => matches!(role, Some(Role::Streamer | Role::Owner)),
        Right::Owner => role == Some(Role::Owner),
        Right::LocalOrOwner => caller.is_local() || role == Some(Role::Owner),
    }
}

/// A WebSocket is opened with a GET, and then writes.
fn changes_something(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) || request.headers().contains_key(UPGRADE)
}

/// True if a request comes from our own page, or from no page at all. Browsers send `Sec-Fetch-Site` (over HTTPS and on this
/// machine) or `Origin` with every request that could change something; programs send neither.
fn is_same_site(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let origin =
        origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, authority)| authority);
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    matches!((origin, host), (Some(origin), Some(host)) if origin.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    #[test]
    fn writes_come_from_our_own_page_or_from_a_program() {
        for (headers, ours) in [
            (&[][..], true),
            (&[("origin", "http://perch.local:8080")], true),
            (&[("origin", "https://perch.local:8080")], true),
            (&[("origin", "http://perch.local")], false),
            (&[("origin", "http://evil.example")], false),
            (&[("origin", "null")], false),
            (&[("sec-fetch-site", "same-origin")], true),
            (&[("sec-fetch-site", "none")], true),
            (&[("sec-fetch-site", "same-site")], false),
            (&[("sec-fetch-site", "cross-site"), ("origin", "http://perch.local:8080")], false),
        ] {
            let host = [("host", "perch.local:8080")];
            let headers = headers.iter().chain(&host);
            let headers =
                headers.map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.collect();
            assert_eq!(is_same_site(&headers), ours, "{headers:?}");
        }
    }
}
