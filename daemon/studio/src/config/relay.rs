//! `[[relay]]`: where streams are sent on to. Keys, and addresses that may hold one, are never shown.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// The longest address that is taken.
const URL_MOST: usize = 1000;

/// A secret text. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<str>);

impl Secret {
    /// Takes a text.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text, for whoever has to be told.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A destination.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relay {
    /// Name on the page, in logs and metrics.
    pub name: String,
    /// `None`: not configured.
    pub url: Option<RtmpUrl>,
    /// The stream key; an empty one is missing.
    pub key: Option<Secret>,
    /// A file with the stream key in its first line.
    pub key_file: Option<PathBuf>,
    /// A file of certificates in PEM: the server's has to be signed by one of them. `None`: by an authority that the system trusts.
    pub ca_file: Option<PathBuf>,
    /// Names of cameras whose streams are sent there unless whoever goes live chooses otherwise. For relays that were set up on the page; in the configuration the
    /// cameras name their relays.
    pub cameras: Vec<String>,
}

/// The address of an RTMP server and of an application on it: `rtmp://host[:port]/application`, or `rtmps://…` for TLS. Where no key is configured, the key is its last
/// part.
#[derive(Clone, PartialEq, Eq)]
pub struct RtmpUrl {
    /// `rtmps://`: over TLS.
    pub is_encrypted: bool,
    /// Of DNS, or an address.
    pub host: String,
    /// 1935 where none is given, 443 for `rtmps://`.
    pub port: u16,
    /// All after the host: the application's name, which may hold slashes.
    path: String,
}

/// Why an address is not taken, in words that follow "must be".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an address such as \"rtmp://live.example.org/app\" or \"rtmps://live.example.org/app\", without a user name"
)]
pub struct NotRtmp;

impl Relay {
    /// The application, and the key where it need not be read from a file. `None`: there is no key.
    pub fn application_and_key(&self) -> Option<(&str, Option<Secret>)> {
        let url = self.url.as_ref()?;
        match (&self.key, &self.key_file) {
            (Some(key), _) => (!key.expose().is_empty()).then(|| (url.application(), Some(key.clone()))),
            (None, Some(_)) => Some((url.application(), None)),
            (None, None) => url.application_and_key().map(|(application, key)| (application, Some(key))),
        }
    }

    /// Its address, as it may be shown.
    pub fn shown_url(&self) -> String {
        let is_key_in_it = self.key.is_none() && self.key_file.is_none();
        self.url.as_ref().map_or_else(String::new, |url| url.shown(is_key_in_it))
    }
}

impl RtmpUrl {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self, NotRtmp> {
        let (scheme, rest) = text.split_once("://").ok_or(NotRtmp)?;
        let is_encrypted = match scheme {
            "rtmp" => false,
            "rtmps" => true,
            _ => return Err(NotRtmp),
        };
        let (authority, path) = rest.split_once('/').ok_or(NotRtmp)?;
        let path = path.trim_end_matches('/');
        let is_plain = text.len() <= URL_MOST && text.chars().all(|c| !c.is_whitespace() && !c.is_control());
        if !is_plain || path.is_empty() || authority.contains('@') {
            return Err(NotRtmp);
        }
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']').ok_or(NotRtmp)?;
                (host, port.strip_prefix(':'))
            }
            None => authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port))),
        };
        let port = port.map_or(Ok(usual_port(is_encrypted)), str::parse).map_err(|_| NotRtmp)?;
        if host.is_empty() || port == 0 {
            return Err(NotRtmp);
        }
        Ok(Self { is_encrypted, host: host.to_owned(), port, path: path.to_owned() })
    }

    /// The application and the key, where the key is the last part of the address.
    pub fn application_and_key(&self) -> Option<(&str, Secret)> {
        let (application, key) = self.path.rsplit_once('/')?;
        (!application.is_empty()).then(|| (application, Secret::new(key)))
    }

    /// The application, where the key is told apart.
    pub fn application(&self) -> &str {
        &self.path
    }

    /// `tcUrl` of RTMP's `connect`: the address of an application.
    pub fn of_application(&self, application: &str) -> String {
        format!("{}://{}/{application}", self.scheme(), self.server())
    }

    /// The address without what may be secret: the key, where it is the last part, and what follows a question mark.
    pub fn shown(&self, is_key_in_it: bool) -> String {
        let application = match self.application_and_key() {
            Some((application, _)) if is_key_in_it => application,
            _ => &self.path,
        };
        self.of_application(application.split('?').next().unwrap_or_default())
    }

    const fn scheme(&self) -> &'static str {
        if self.is_encrypted { "rtmps" } else { "rtmp" }
    }

    /// Host, and port unless it is the usual one.
    pub fn server(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == usual_port(self.is_encrypted) { host } else { format!("{host}:{}", self.port) }
    }
}

/// Services take RTMPS where browsers take HTTPS, so that firewalls let it through.
const fn usual_port(is_encrypted: bool) -> u16 {
    if is_encrypted { 443 } else { 1935 }
}

impl fmt::Debug for RtmpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.scheme(), self.server())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_host_a_port_and_an_application() {
        let url = RtmpUrl::parse("rtmp://live.example.org/app/x/").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.application()), ("live.example.org", 1935, "app/x"));
        assert_eq!(url.of_application("app"), "rtmp://live.example.org/app");
        let url = RtmpUrl::parse("rtmp://[::1]:1936/live").unwrap();
        assert_eq!((url.host.as_str(), url.port, url.server().as_str()), ("::1", 1936, "[::1]:1936"));
        assert!(url.application_and_key().is_none() && !url.is_encrypted);
        let url = RtmpUrl::parse("rtmps://live.example.org/app").unwrap();
        assert_eq!((url.is_encrypted, url.port), (true, 443));
        assert_eq!(url.of_application("app"), "rtmps://live.example.org/app");
        assert_eq!(RtmpUrl::parse("rtmps://a:1935/app").unwrap().shown(false), "rtmps://a:1935/app");
        for wrong in [
            "http://a/b",
            "rtmp://a",
            "rtmp://a/",
            "rtmp:///b",
            "rtmp://u@a/b",
            "rtmp://a:0/b",
            "rtmp://a:x/b",
            "rtmp://a/b c",
            "rtmpt://a/b",
        ] {
            assert_eq!(RtmpUrl::parse(wrong), Err(NotRtmp), "{wrong}");
        }
    }

    #[test]
    fn no_key_is_shown() {
        let url = RtmpUrl::parse("rtmp://a/live/SECRET").unwrap();
        let (application, key) = url.application_and_key().unwrap();
        assert_eq!((application, key.expose()), ("live", "SECRET"));
        let relay = Relay { name: "a".to_owned(), url: Some(url), key: Some(key), ..Relay::default() };
        assert!(!format!("{relay:?}").contains("SECRET"), "{relay:?}");
        let relay = Relay { key: None, ..relay };
        assert_eq!(relay.shown_url(), "rtmp://a/live");
        let url = RtmpUrl::parse("rtmp://a/live/x?token=SECRET").unwrap();
        assert_eq!(url.shown(false), "rtmp://a/live/x");
    }
}
