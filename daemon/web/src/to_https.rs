//! Leads browsers from HTTP to HTTPS, if the owner wants that. Only screens of the page lead there: players and programs that do not trust the certificate
//! go on with HTTP, and so does the screen that explains how to trust it.

use super::caller::Peer;
use super::links;
use super::page;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, HOST, LOCATION};
use http::uri::Authority;
use http::{HeaderValue, Method, Request, StatusCode};
use perch_site::certificates::Https;

/// The redirection of a browser to the same screen with HTTPS.
pub(super) fn leads_to_https<B>(https: &Https, peer: Peer, request: &Request<B>) -> Option<Response> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || peer.client().secure || !leads(request.uri().path()) || !https.redirects() {
        return None;
    }
    let there = HeaderValue::try_from(secure_address(request, https.port())?).ok()?;
    // Not for good: the owner may switch it off again.
    let headers = [(LOCATION, there), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    Some((StatusCode::TEMPORARY_REDIRECT, headers).into_response())
}

/// True for screens, but for those that a device needs before it trusts us, or before it is in a network.
fn leads(path: &str) -> bool {
    page::is_screen(path) && path != page::TRUST && path != page::WIFI
}

fn secure_address<B>(request: &Request<B>, port: u16) -> Option<String> {
    let host: Authority = request.headers().get(HOST)?.to_str().ok()?.parse().ok()?;
    let path = request.uri().path_and_query()?.as_str();
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    Some(format!("https://{}{port}{}", host.host(), links::link(path)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn screens_lead_to_the_same_address_and_nothing_else_does() {
        for path in ["/", "/watch/01J", "/settings/https", "/u/ann/followers", "/login"] {
            assert!(leads(path), "{path}");
        }
        for path in [
            "/trust",
            "/wifi",
            "/healthz",
            "/metrics",
            "/api/v1/me",
            "/media/live/index.m3u8",
            "/assets/0/page.js",
            "/u",
            "/u/ann/x",
        ] {
            assert!(!leads(path), "{path}");
        }
        for (host, port, there) in [
            ("perch.local:8080", 8443, Some("https://perch.local:8443/watch/1?t=5")),
            ("perch.local", 443, Some("https://perch.local/watch/1?t=5")),
            ("[2001:db8::1]:8080", 443, Some("https://[2001:db8::1]/watch/1?t=5")),
            ("no host", 443, None),
        ] {
            let request = Request::get("/watch/1?t=5").header(HOST, host).body(()).unwrap();
            assert_eq!(secure_address(&request, port).as_deref(), there);
        }
    }
}
