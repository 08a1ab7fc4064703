//! What strangers' bytes meet first, for the fuzz targets.

use super::authentication;
use super::chat::Said;
use super::client::Client;
use super::config::Network;
use super::cookies;
use super::media::Directives;
use super::range::{self, Part};
use http::header::{AUTHORIZATION, COOKIE, HeaderName};
use http::{HeaderMap, HeaderValue};
use std::net::{IpAddr, SocketAddr};

/// What is read out of `Cookie` headers: the access token, whether there is a refresh token, and the viewer. Each line is a header;
/// `secure`: they came over TLS.
pub fn cookies(lines: &[u8], secure: bool) -> (Option<String>, bool, Option<u128>) {
    let values = lines.split(|&byte| byte == b'\n').filter_map(|line| HeaderValue::from_bytes(line).ok());
    let headers: HeaderMap = values.map(|value| (COOKIE, value)).collect();
    let access = cookies::access_token(&headers, secure).map(str::to_owned);
    (access, cookies::refresh_token(&headers, secure).is_some(), cookies::viewer(&headers, secure))
}

/// The bytes that a `Range` asks for, both ends inclusive; `Some(None)`: the whole. `None`: it is no header, or cannot be satisfied.
pub fn range(header: &[u8], length: u64) -> Option<Option<(u64, u64)>> {
    match range::parse(&HeaderValue::from_bytes(header).ok()?, length).ok()? {
        Part::Whole => Some(None),
        Part::Bytes { first, last } => Some(Some((first, last))),
    }
}

/// The segment that a playlist's query waits for, if any; `None`: it is refused.
pub fn playlist_query(query: &str) -> Option<Option<u64>> {
    Directives::parse(query).ok().map(|directives| directives.sequence)
}

/// True for a line of a chat that a client may send.
pub fn is_chat_line(text: &str) -> bool {
    Said::read(text).is_ok()
}

/// The token of an `Authorization` header.
pub fn bearer_token(header: &[u8]) -> Option<String> {
    let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_bytes(header).ok()?)]);
    authentication::shown_token(&headers, false).map(str::to_owned)
}

/// The client behind the proxy 10.0.0.1, where 10.0.0.0/8 is trusted, and whether it came over TLS; and the names by which it asked. Each
/// line is a header, as a proxy sends it.
pub fn client(lines: &[u8]) -> (IpAddr, bool, Vec<String>) {
    let header = |line: &[u8]| {
        let colon = line.iter().position(|&byte| byte == b':')?;
        let (name, value) = (HeaderName::from_bytes(&line[..colon]).ok()?, line[colon + 1..].trim_ascii());
        Some((name, HeaderValue::from_bytes(value).ok()?))
    };
    let mut headers = HeaderMap::new();
    for (name, value) in lines.split(|&byte| byte == b'\n').filter_map(header) {
        headers.append(name, value);
    }
    let trusted: [Network; 1] = ["10.0.0.0/8".parse().expect("this is a network")];
    let proxy = Client::of_connection(SocketAddr::from(([10, 0, 0, 1], 80)), false);
    let Client { address, secure } = proxy.behind(&trusted, &headers);
    (address, secure, proxy.forwarded_hosts(&trusted, &headers))
}
