//! The address of a webhook's receiver.

use http::Uri;
use http::uri::{PathAndQuery, Scheme};

/// Characters at most.
const LONGEST: usize = 1000;

/// A receiver's address, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) is_tls: bool,
    /// A name or an address, an IPv6 address without its brackets.
    pub(super) host: String,
    pub(super) port: u16,
    /// For the header `Host`.
    pub(super) authority: String,
    /// Begins with a slash. It may be a secret of the receiver, so no error shows it.
    pub(super) path: String,
}

impl Target {
    /// The error says what would be right.
    pub(super) fn parse(url: &str) -> Result<Self, &'static str> {
        let wrong = "must be an address such as https://example.org/hook";
        if url.len() > LONGEST {
            return Err("may have at most 1000 characters");
        }
        if url.contains('#') {
            return Err("must be without a #");
        }
        let uri: Uri = url.parse().map_err(|_| wrong)?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(scheme) if *scheme == Scheme::HTTP => false,
            _ => return Err("must begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or(wrong)?.as_str();
        if authority.contains('@') {
            return Err("must be without a name and password");
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(wrong)?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let has_port = authority.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
        let port = match (uri.port_u16(), is_tls) {
            (Some(0), _) => return Err("port 0 is none"),
            (Some(port), _) => port,
            (None, _) if has_port => return Err(wrong),
            (None, true) => 443,
            (None, false) => 80,
        };
        let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { is_tls, host, port, authority: authority.to_owned(), path })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_or_what_is_wrong_is_said() {
        let read = |url: &str| Target::parse(url).map(|t| (t.is_tls, t.host, t.port, t.path));
        let expected =
            |is_tls, host: &str, port, path: &str| Ok((is_tls, host.to_owned(), port, path.to_owned()));
        assert_eq!(read("https://example.org/a?b=c"), expected(true, "example.org", 443, "/a?b=c"));
        assert_eq!(read("http://192.0.2.1:8123"), expected(false, "192.0.2.1", 8123, "/"));
        assert_eq!(read("http://[2001:db8::1]:81/x"), expected(false, "2001:db8::1", 81, "/x"));
        assert_eq!(read("http://[2001:db8::1]/"), expected(false, "2001:db8::1", 80, "/"));
        assert_eq!(read("http://example.org?a"), expected(false, "example.org", 80, "/?a"));
        for wrong in [
            "",
            "example.org",
            "/hook",
            "ftp://example.org/",
            "file:///etc/passwd",
            "https://",
            "https:///x",
            "http://u:p@example.org/",
            "http://example.org/#x",
            "http://example.org:0/",
            "http://example.org:99999/",
            "http://exa mple.org/",
            "http://example.org/\r\nX: y",
            "http://exämple.org/",
        ] {
            assert!(Target::parse(wrong).is_err(), "{wrong}");
        }
        assert!(Target::parse(&format!("http://example.org/{}", "x".repeat(LONGEST))).is_err());
    }
}
