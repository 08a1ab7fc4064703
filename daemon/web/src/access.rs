//! Authorisation: one table with a rule for every address (`rules`), and the layer that enforces it. An address without a rule is
//! not answered, so nothing is open by oversight; `tests/rights.rs` checks the table over HTTP.
//!
//! If a right depends on the requested thing, such as its owner, the rule's note says so in words and the handler checks it.

use super::authentication;
use super::caller::{Caller, Peer};
use super::client::{Client, is_through_proxy};
use super::hosts::AskedHosts;
use super::page;
use super::problem::Problem;
use super::rights::rule_of;
use super::rules::Right;
use super::scopes::scope_of;
use super::state::{Shared, State};
use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::header::{ORIGIN, UPGRADE};
use http::{HeaderMap, Method};
use perch_site::{Actor, SiteError};
use perch_store::Role;

/// Characters of a page's origin that are repeated.
const ORIGIN_CHARACTERS: usize = 200;

/// Passes a request with its [`Caller`] to its handler, or refuses it.
pub(super) async fn guard(state: Shared, matched: MatchedPath, request: Request, next: Next) -> Response {
    match admit(&state, &matched, request).await {
        Ok(request) => next.run(request).await,
        Err(problem) => problem.into_response().map(axum::body::Body::new),
    }
}

async fn admit(state: &Shared, matched: &MatchedPath, mut request: Request) -> Result<Request, Problem> {
    let rule = rule_of(request.method(), matched.as_str()).ok_or(Problem::NotFound)?;
    if changes_something(&request) {
        refuse_other_sites(state, &request)?;
    }
    let nowhere = Client { address: std::net::Ipv4Addr::UNSPECIFIED.into(), secure: false };
    let peer = request.extensions().get().copied().unwrap_or(Peer::Network(nowhere));
    let limits = &state.site.limits;
    let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
    let caller =
        authentication::find_out(&state.site, peer, matched.as_str(), scope_of(rule), request.headers())
            .await;
    let caller = caller.or_else(|problem| {
        // Looking at a token costs as much as a request; one that does not count belongs to nobody.
        limits.admit(&Actor::Anonymous { address: peer.address() }, writes)?;
        Err(problem)
    })?;
    // The files of the page are in memory; a first visit is some fifty of them, and a school behind one address opens it at once.
    if matched.as_str() != page::ASSETS {
        limits.admit(&caller.actor, writes)?;
    }
    let is_listed = peer.client().is_one_of(&state.metrics_from) && !is_through_proxy(request.headers());
    let caller = Caller { is_listed, ..caller };
    if !may(rule.right, &caller) {
        return Err(match rule.right {
            Right::ListedOrOwner => Problem::LocalOnly,
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
        Right::ListedOrOwner => role == Some(Role::Owner) || caller.is_listed,
    }
}

/// A WebSocket is opened with a GET, and then writes.
fn changes_something(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD) || request.headers().contains_key(UPGRADE)
}

/// Refuses a request that comes from a page of another site. Browsers send `Sec-Fetch-Site` (over HTTPS and on this machine) or
/// `Origin` with every request that could change something; programs send neither.
fn refuse_other_sites(state: &State, request: &Request) -> Result<(), Problem> {
    let hosts = request.extensions().get::<AskedHosts>().cloned().unwrap_or_default();
    is_same_site(request.headers(), &hosts).inspect_err(|problem| {
        if state.cross_site_refusals.may(&*state.site.clock) {
            tracing::warn!("refused a cross-site request: {problem}");
        }
    })
}

fn is_same_site(headers: &HeaderMap, hosts: &AskedHosts) -> Result<(), Problem> {
    if let Some(site) = headers.get("sec-fetch-site") {
        let is_ours = site == "same-origin" || site == "none";
        return if is_ours { Ok(()) } else { Err(Problem::CrossSite) };
    }
    let Some(origin) = headers.get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or("null");
    if hosts.include_origin(origin) {
        return Ok(());
    }
    let origin = origin.chars().take(ORIGIN_CHARACTERS).filter(|character| !character.is_control()).collect();
    Err(Problem::OtherOrigin { origin, asked: hosts.to_string() })
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
            let hosts = AskedHosts(vec!["perch.local:8080".parse().unwrap()]);
            let headers = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            let headers: HeaderMap = headers.collect();
            assert_eq!(is_same_site(&headers, &hosts).is_ok(), ours, "{headers:?}");
        }
    }
}
