//! The client of a request: its address, and whether its request came over TLS.
//!
//! A connection comes from the client itself or from a proxy in front of Perch. `Forwarded` (RFC 7239) and `X-Forwarded-For`,
//! `-Proto` and `-Host` count only if the peer is one of `[server] trusted_proxies`: anyone else may write anything into them.

use super::config::Network;
use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName};
use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

const FORWARDED: HeaderName = http::header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// Headers that proxies add to what they forward.
const ADDED_BY_PROXIES: [HeaderName; 4] =
    [FORWARDED, X_FORWARDED_FOR, HeaderName::from_static("x-real-ip"), http::header::VIA];

/// The client of a request; an extension of each request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    /// IPv4 addresses in their own form, whatever the socket.
    pub(super) address: IpAddr,
    /// True if the client's request came over TLS.
    pub(super) secure: bool,
}

impl Client {
    /// The peer of a connection; `secure` if the connection is TLS.
    pub(super) fn of_connection(peer: SocketAddr, secure: bool) -> Self {
        Self { address: peer.ip().to_canonical(), secure }
    }

    /// The client that sent the request to the trusted proxies: the rightmost address that is none of theirs. Without one, and for
    /// any other peer, it is the peer itself.
    ///
    /// A proxy that adds one of the two headers passes on what a client wrote into the other. If they disagree, nobody can tell which
    /// is true, and the peer's address counts: a client cannot choose its address.
    pub(super) fn behind(self, trusted: &[Network], headers: &HeaderMap) -> Self {
        if !self.is_one_of(trusted) {
            return self;
        }
        let protocols = listed(headers, &X_FORWARDED_PROTO);
        let standard = self.through(&forwarded(headers), trusted);
        let usual = self.through(&x_forwarded(headers, &protocols), trusted);
        let (address, is_tls) = match (standard, usual) {
            (Some(one), Some(other)) if one.address != other.address => {
                (self.address, one.is_tls.or(other.is_tls))
            }
            (Some(one), Some(other)) => (one.address, one.is_tls.or(other.is_tls)),
            (Some(one), None) | (None, Some(one)) => (one.address, one.is_tls),
            (None, None) => (self.address, None),
        };
        let is_tls = is_tls.or_else(|| protocols.last().map(|protocol| is_tls_scheme(protocol)));
        let is_forwarded = standard.is_some() || usual.is_some();
        // A proxy that does not say how its client came may have an encrypted connection to us and none to the client.
        Self { address, secure: is_tls.unwrap_or(self.secure && !is_forwarded) }
    }

    /// The host names under which the client reached the trusted proxies; none for any other peer.
    pub(super) fn forwarded_hosts(self, trusted: &[Network], headers: &HeaderMap) -> Vec<String> {
        if !self.is_one_of(trusted) {
            return Vec::new();
        }
        let mut hosts: Vec<String> =
            listed(headers, &X_FORWARDED_HOST).into_iter().map(str::to_owned).collect();
        for element in elements(headers) {
            hosts.extend(parameter(element, "host"));
        }
        hosts
    }

    /// True if the address is in one of the networks.
    pub(super) fn is_one_of(self, networks: &[Network]) -> bool {
        networks.iter().any(|network| network.holds(self.address))
    }

    /// Follows `hops` from the right, as far as the proxies are trusted; `None` without hops.
    fn through(self, hops: &[Hop], trusted: &[Network]) -> Option<Sender> {
        let mut sender = Sender { address: self.address, is_tls: None };
        for hop in hops.iter().rev() {
            sender.is_tls = hop.is_tls;
            // An unknown client is counted as the proxy that does not name it.
            let Some(address) = hop.address else { break };
            sender.address = address;
            if !trusted.iter().any(|network| network.holds(address)) {
                break;
            }
        }
        (!hops.is_empty()).then_some(sender)
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // The router sets it before every handler.
        let nobody = Self { address: Ipv4Addr::UNSPECIFIED.into(), secure: false };
        Ok(parts.extensions.get().copied().unwrap_or(nobody))
    }
}

/// True if a proxy, trusted or not, says that it has passed the request on.
pub(super) fn is_through_proxy(headers: &HeaderMap) -> bool {
    ADDED_BY_PROXIES.iter().any(|name| headers.contains_key(name))
}

/// What a proxy says of the one that sent it the request.
#[derive(Clone, Copy, Debug)]
struct Hop {
    /// `None` for `unknown`, names, and what cannot be read.
    address: Option<IpAddr>,
    /// `None` if the proxy does not say.
    is_tls: Option<bool>,
}

/// The outermost sender that trusted proxies name.
#[derive(Clone, Copy, Debug)]
struct Sender {
    address: IpAddr,
    is_tls: Option<bool>,
}

/// The hops of `Forwarded`, the nearest proxy's last.
fn forwarded(headers: &HeaderMap) -> Vec<Hop> {
    let hop = |element| Hop {
        address: parameter(element, "for").and_then(|node| address(&node)),
        is_tls: parameter(element, "proto").map(|scheme| is_tls_scheme(&scheme)),
    };
    elements(headers).map(hop).collect()
}

/// The hops of `X-Forwarded-For`, the nearest proxy's last. Each has its own protocol if `X-Forwarded-Proto` lists as many.
fn x_forwarded(headers: &HeaderMap, protocols: &[&str]) -> Vec<Hop> {
    let addresses = listed(headers, &X_FORWARDED_FOR);
    let protocol = |index: usize| {
        let own = (protocols.len() == addresses.len()).then(|| protocols[index]);
        own.or_else(|| protocols.last().copied()).map(is_tls_scheme)
    };
    let hops = addresses.iter().enumerate();
    hops.map(|(index, node)| Hop { address: address(node), is_tls: protocol(index) }).collect()
}

/// The values of a header that is a list, in order.
fn listed<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Vec<&'a str> {
    let lines = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("unknown"));
    lines.flat_map(|line| line.split(',')).map(str::trim).filter(|value| !value.is_empty()).collect()
}

/// The elements of `Forwarded`, in order (RFC 7239 §4).
fn elements(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(FORWARDED).iter().map(|line| line.to_str().unwrap_or("for=unknown"));
    lines.flat_map(|line| split_unquoted(line, ',')).filter(|element| !element.trim().is_empty())
}

/// A parameter of an element; names are the same in any case.
fn parameter(element: &str, name: &str) -> Option<String> {
    let mut pairs = split_unquoted(element, ';').filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    let quoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(quoted.map_or_else(|| value.to_owned(), |quoted| quoted.replace('\\', "")))
}

/// Splits at `separator` outside quoted strings (RFC 9110 §5.6.4).
fn split_unquoted(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            _ if was_escaped => false,
            '\\' if is_quoted => {
                is_escaped = true;
                false
            }
            '"' => {
                is_quoted = !is_quoted;
                false
            }
            _ => character == separator && !is_quoted,
        }
    })
}

/// The address of a node, with or without a port (RFC 7239 §6).
fn address(node: &str) -> Option<IpAddr> {
    let bracketed = || node.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || node.parse().ok().map(|address: SocketAddr| address.ip());
    node.parse().ok().or_else(with_port).or_else(bracketed).map(|address: IpAddr| address.to_canonical())
}

/// True for `https`, and `wss` as some proxies call it for a WebSocket.
fn is_tls_scheme(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("wss")
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    /// The client of a request from `peer` with these headers, where `10.0.0.0/8` and `::1` are trusted.
    fn client(peer: &str, headers: &[(&'static str, &str)]) -> Client {
        let trusted = ["10.0.0.0/8", "::1"].map(|network| network.parse().unwrap());
        connected(peer).behind(&trusted, &map(headers))
    }

    fn connected(peer: &str) -> Client {
        Client::of_connection((peer.parse::<IpAddr>().unwrap(), 4000).into(), false)
    }

    fn map(headers: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        map
    }

    fn seen(address: &str, secure: bool) -> Client {
        Client { address: address.parse().unwrap(), secure }
    }

    const FOR: &str = "x-forwarded-for";
    const PROTO: &str = "x-forwarded-proto";

    #[test]
    fn a_stranger_is_not_believed() {
        for header in [(FOR, "192.0.2.1"), ("forwarded", "for=192.0.2.1;proto=https"), (PROTO, "https")] {
            assert_eq!(client("203.0.113.9", &[header]), seen("203.0.113.9", false), "{header:?}");
        }
    }

    #[test]
    fn the_rightmost_address_that_is_not_a_proxys_counts() {
        for (peer, value, address) in [
            ("10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.1", "192.0.2.1", "192.0.2.1"),
            ("::1", "2001:db8::7", "2001:db8::7"),
            ("10.0.0.1", "[2001:db8::7]:443", "2001:db8::7"),
            ("10.0.0.1", "::ffff:192.0.2.1", "192.0.2.1"),
            // The client itself wrote the first.
            ("10.0.0.1", "198.51.100.1, 192.0.2.1:5000", "192.0.2.1"),
            ("10.0.0.1", "198.51.100.1,192.0.2.1, 10.0.0.2", "192.0.2.1"),
            ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
            // An unknown client is counted as the proxy that does not name it.
            ("10.0.0.1", "192.0.2.1, unknown, 10.0.0.2", "10.0.0.2"),
            ("10.0.0.1", "192.0.2.1, nonsense", "10.0.0.1"),
            ("10.0.0.1", "", "10.0.0.1"),
        ] {
            assert_eq!(client(peer, &[(FOR, value)]), seen(address, false), "{value}");
        }
        let lines = [(FOR, "198.51.100.1"), (FOR, "192.0.2.1"), (FOR, "10.0.0.2")];
        assert_eq!(client("10.0.0.1", &lines), seen("192.0.2.1", false));
    }

    #[test]
    fn forwarded_is_read_as_the_rfc_writes_it() {
        for (value, expected) in [
            ("for=192.0.2.1", seen("192.0.2.1", false)),
            ("For=\"[2001:db8:cafe::17]:4711\";PROTO=HTTPS", seen("2001:db8:cafe::17", true)),
            ("for=198.51.100.1;proto=https, for=192.0.2.1;proto=http;by=10.0.0.1", seen("192.0.2.1", false)),
            ("for=192.0.2.1;proto=https,for=10.0.0.2;proto=http", seen("192.0.2.1", true)),
            // Commas and escapes in quotes are part of a value.
            ("host=\"a,\\\"b\";for=192.0.2.1", seen("192.0.2.1", false)),
            ("for=198.51.100.1, for=_hidden;proto=https", seen("10.0.0.1", true)),
            ("for=\"unfinished, for=192.0.2.1", seen("10.0.0.1", false)),
        ] {
            assert_eq!(client("10.0.0.1", &[("forwarded", value)]), expected, "{value}");
        }
    }

    #[test]
    fn tls_is_what_the_clients_own_proxy_says() {
        let secure = |headers: &[(&'static str, &str)]| client("10.0.0.1", headers).secure;
        assert!(secure(&[(FOR, "192.0.2.1"), (PROTO, "https")]));
        assert!(secure(&[(FOR, "192.0.2.1"), (PROTO, "wss")]));
        assert!(secure(&[(PROTO, "https")]));
        assert!(!secure(&[(FOR, "192.0.2.1")]));
        assert!(!secure(&[(FOR, "192.0.2.1, 10.0.0.2"), (PROTO, "http, https")]));
        assert!(secure(&[(FOR, "192.0.2.1, 10.0.0.2"), (PROTO, "https, http")]));
        assert!(secure(&[("forwarded", "for=192.0.2.1"), (PROTO, "https")]));
        let over_tls = Client { secure: true, ..connected("10.0.0.1") };
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        assert!(!over_tls.behind(&trusted, &map(&[(FOR, "192.0.2.1")])).secure);
        assert!(over_tls.behind(&trusted, &map(&[])).secure);
    }

    #[test]
    fn a_client_cannot_choose_its_address_by_the_header_that_the_proxy_does_not_add() {
        let contradicting = [(FOR, "192.0.2.1"), ("forwarded", "for=198.51.100.1")];
        assert_eq!(client("10.0.0.1", &contradicting), seen("10.0.0.1", false));
        let agreeing = [(FOR, "192.0.2.1"), ("forwarded", "for=192.0.2.1;proto=https")];
        assert_eq!(client("10.0.0.1", &agreeing), seen("192.0.2.1", true));
    }

    #[test]
    fn hosts_are_those_that_trusted_proxies_name() {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let headers = map(&[
            ("x-forwarded-host", "perch.example:8443, inner"),
            ("forwarded", "for=192.0.2.1;host=\"perch.example\""),
        ]);
        let hosts = |peer| connected(peer).forwarded_hosts(&trusted, &headers);
        assert_eq!(hosts("10.0.0.1"), ["perch.example:8443", "inner", "perch.example"]);
        assert!(hosts("192.0.2.1").is_empty());
    }
}
