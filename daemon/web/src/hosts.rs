//! The hosts under which this site answers. Every other `Host` gets 421 (RFC 9110 §15.5.20): a page of another site whose name has been
//! pointed at the board's address (DNS rebinding) would otherwise count as our own page.
//!
//! Ours are `localhost`, the machine's addresses, its name alone, with `.local` and with the network's search domains, and
//! `[server] names`. Ports do not matter: a port may be forwarded, and rebinding does not change the name.

use super::client::Client;
use super::config::Network;
use super::problem::Problem;
use super::seldom::Seldom;
use http::header::HOST;
use http::uri::Authority;
use http::{Request, Version};
use perch_site::appliance::board::{Board, own_addresses};
use perch_studio::clock::Clock;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// An unknown host makes the machine's names and addresses be read again, at most this often: they change while Perch runs (DHCP).
const UNKNOWN_APART: Duration = Duration::from_secs(1);
/// They are read again after this time in any case, so that a former name is forgotten.
const KEPT: Duration = Duration::from_mins(1);

/// The host names that a request asks for, the one in `Host` first; an extension of each request to the router.
#[derive(Clone, Debug, Default)]
pub(super) struct AskedHosts(pub(super) Vec<Authority>);

impl AskedHosts {
    /// The request's host (RFC 9112 §3.2, §3.3), and those that trusted proxies name. A browser always sends one; an HTTP/1.0
    /// client may send none.
    pub(super) fn of<B>(request: &Request<B>, client: Client, trusted: &[Network]) -> Result<Self, Problem> {
        let headers = request.headers();
        let mut named = headers.get_all(HOST).iter();
        let (host, more) = (named.next(), named.next());
        if more.is_some() {
            return Err(Problem::InvalidHost("there are several Host headers"));
        }
        // HTTP/2 has `:authority` in place of the header.
        if host.is_none() && request.uri().authority().is_none() && request.version() == Version::HTTP_11 {
            return Err(Problem::InvalidHost("there is no Host header"));
        }
        let host = host.map(|host| authority(host.as_bytes())).transpose()?;
        // The target's host, if it has one, replaces the header's.
        let host = request.uri().authority().cloned().or(host);
        let forwarded = client.forwarded_hosts(trusted, headers);
        let forwarded = forwarded.iter().map(|host| authority(host.as_bytes()));
        Ok(Self(host.map(Ok).into_iter().chain(forwarded).collect::<Result<_, _>>()?))
    }

    /// True if `origin` (RFC 6454 §6.2) is one of these hosts. The scheme does not matter: a proxy may have taken TLS off.
    pub(super) fn include_origin(&self, origin: &str) -> bool {
        let Some((scheme, Ok(origin))) =
            origin.split_once("://").map(|(scheme, rest)| (scheme, rest.parse::<Authority>()))
        else {
            return false;
        };
        let usual = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
        let port = |host: &Authority| host.port_u16().unwrap_or(usual);
        self.0
            .iter()
            .any(|host| host.host().eq_ignore_ascii_case(origin.host()) && port(host) == port(&origin))
    }
}

impl fmt::Display for AskedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hosts: Vec<&str> = self.0.iter().map(Authority::as_str).collect();
        f.write_str(&hosts.join(", "))
    }
}

fn authority(text: &[u8]) -> Result<Authority, Problem> {
    let parsed =
        Authority::try_from(text).ok().filter(|host| !host.host().is_empty() && !text.contains(&b'@'));
    parsed.ok_or(Problem::InvalidHost("the Host header is not a host name with or without a port"))
}

/// What a machine is called, and its addresses.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Machine {
    /// Its name, alone and in its domains; lower case.
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl Machine {
    /// This machine, as the kernel and the resolver's configuration know it now. Takes fractions of a millisecond.
    pub(super) fn this(board: &Board) -> Self {
        Self { names: board.host_names(), addresses: own_addresses() }
    }

    fn has(&self, host: &str) -> bool {
        match address(host) {
            Some(address) => self.addresses.contains(&address),
            None => contains(&self.names, host) || self.has_numbered(host),
        }
    }

    /// True for `perch-2.local`: if another machine of the network is called `perch.local`, avahi appends a number. Any number will do,
    /// because names in `.local` are answered only by machines of this network: no site of the Internet can have one (RFC 6762 §3).
    fn has_numbered(&self, host: &str) -> bool {
        let host = host.to_ascii_lowercase();
        let Some((name, number)) = host.strip_suffix(".local").and_then(|host| host.rsplit_once('-')) else {
            return false;
        };
        !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && self.names.iter().any(|known| known == name)
    }
}

type Look = Box<dyn Fn() -> Machine + Send + Sync>;

/// Judges hosts.
pub(super) struct Hosts {
    look: Look,
    clock: Arc<dyn Clock>,
    /// `[server] names`.
    configured: Vec<String>,
    /// The addresses among them.
    configured_addresses: Vec<IpAddr>,
    /// This machine, and when that was read on the monotonic clock; `None` before the first time.
    machine: RwLock<(Option<Duration>, Machine)>,
    refusals: Seldom,
}

impl Hosts {
    /// `look` tells the machine's present names and addresses.
    pub(super) fn new(
        look: impl Fn() -> Machine + Send + Sync + 'static,
        clock: Arc<dyn Clock>,
        configured: Vec<String>,
    ) -> Self {
        let configured_addresses = configured.iter().filter_map(|name| address(name)).collect();
        Self {
            look: Box::new(look),
            clock,
            configured,
            configured_addresses,
            machine: RwLock::default(),
            refusals: Seldom::default(),
        }
    }

    /// Refuses a request for a host that is not ours. All of its hosts must be ours: a client can write `X-Forwarded-Host` through
    /// a proxy that does not set it, while such a proxy passes `Host` on.
    pub(super) fn admit(&self, asked: &AskedHosts) -> Result<(), Problem> {
        let Some(stranger) = asked.0.iter().find(|host| !self.are_ours(host.host())) else { return Ok(()) };
        let host = stranger.host().to_owned();
        if self.refusals.may(&*self.clock) {
            tracing::warn!(
                "refused a request for the host {host:?}, which is not this machine's; if it should lead here, add it to names under [server]"
            );
        }
        Err(Problem::Misdirected { host })
    }

    /// True for a host name or address of ours, without its port; an IPv6 address with or without brackets.
    pub(super) fn are_ours(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        let is_this_machine = |address: IpAddr| address.is_loopback() || address.is_unspecified();
        host.eq_ignore_ascii_case("localhost")
            || address(host).is_some_and(|address| {
                is_this_machine(address) || self.configured_addresses.contains(&address)
            })
            || contains(&self.configured, host)
            || self.has(host, KEPT)
            || self.has(host, UNKNOWN_APART)
    }

    /// Asks what was read within `age`; reads it again if it is older.
    fn has(&self, host: &str, age: Duration) -> bool {
        let now = self.clock.monotonic();
        let is_of_late = |read: Option<Duration>| read.is_some_and(|read| now.saturating_sub(read) < age);
        {
            let machine = self.machine.read().unwrap_or_else(PoisonError::into_inner);
            if is_of_late(machine.0) {
                return machine.1.has(host);
            }
        }
        let mut machine = self.machine.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have read it meanwhile.
        if !is_of_late(machine.0) {
            *machine = (Some(now), (self.look)());
        }
        machine.1.has(host)
    }
}

fn contains(names: &[String], host: &str) -> bool {
    names.iter().any(|name| name.eq_ignore_ascii_case(host))
}

/// The address that a host consists of, in brackets or without. A zone (RFC 6874) names an interface of the client's.
fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let bare = bare.split_once('%').map_or(bare, |(address, _)| address);
    bare.parse().ok().map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use perch_studio::clock::HandClock;
    use std::net::Ipv4Addr;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU32, Ordering};

    fn machine() -> Machine {
        Machine {
            names: ["perch", "perch.local", "perch.fritz.box"].map(str::to_owned).into(),
            addresses: ["192.0.2.7", "2001:db8::7", "fe80::7"].map(|address| address.parse().unwrap()).into(),
        }
    }

    fn hosts() -> Hosts {
        Hosts::new(
            machine,
            Arc::new(HandClock::default()),
            ["cam.example.org", "198.51.100.9", "2001:db8::9"].map(str::to_owned).into(),
        )
    }

    #[test]
    fn ours_are_the_machines_names_and_addresses_and_those_of_the_configuration() {
        let hosts = hosts();
        for ours in [
            "localhost",
            "LOCALHOST.",
            "127.0.0.1",
            "127.0.0.2",
            "[::1]",
            "0.0.0.0",
            "[::]",
            "perch",
            "Perch.Local",
            "perch.local.",
            "perch-2.local",
            "perch-31.local",
            "perch.fritz.box",
            "192.0.2.7",
            "[2001:db8::7]",
            "[2001:DB8:0::7]",
            "[::ffff:192.0.2.7]",
            "[fe80::7%25eth0]",
            "cam.example.org",
            "CAM.example.org",
            "198.51.100.9",
            "[2001:db8:0::9]",
        ] {
            assert!(hosts.are_ours(ours), "{ours}");
        }
        for strangers in [
            "evil.example",
            "perch.evil.example",
            "perch.local.evil.example",
            "evil-perch.local",
            "perch-.local",
            "perch-2a.local",
            "perch-2.local.evil.example",
            "perch-2",
            "xperch-2.local",
            "192.0.2.8",
            "[2001:db8::8]",
            "example.org",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "0177.0.0.1",
            "2130706433",
            "",
        ] {
            assert!(!hosts.are_ours(strangers), "{strangers}");
        }
    }

    #[test]
    fn a_new_address_is_ours_within_a_second_and_strangers_cost_one_look_a_second() {
        let clock = Arc::new(HandClock::default());
        let (present, looks) = (Arc::new(Mutex::new(machine())), Arc::new(AtomicU32::new(0)));
        let look = {
            let (present, looks) = (present.clone(), looks.clone());
            move || {
                looks.fetch_add(1, Ordering::Relaxed);
                present.lock().unwrap().clone()
            }
        };
        let hosts = Hosts::new(look, clock.clone(), Vec::new());
        assert!(hosts.are_ours("192.0.2.7"));
        // A new lease.
        present.lock().unwrap().addresses = vec![Ipv4Addr::new(192, 0, 2, 8).into()];
        clock.turn(UNKNOWN_APART);
        assert!(hosts.are_ours("192.0.2.8"));
        for _ in 0..100 {
            assert!(!hosts.are_ours("evil.example"));
        }
        assert_eq!(looks.load(Ordering::Relaxed), 2);
        // A name that was given up is forgotten, though nobody asks for another.
        present.lock().unwrap().names = vec!["owl".to_owned()];
        clock.turn(KEPT);
        assert!(!hosts.are_ours("perch") && hosts.are_ours("owl"));
    }

    fn asked(hosts: &[&'static str], version: Version) -> Result<Vec<String>, Problem> {
        let mut request = Request::builder().version(version).uri("/").body(()).unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_static(host));
        }
        let client = Client { address: Ipv4Addr::LOCALHOST.into(), secure: false };
        AskedHosts::of(&request, client, &[]).map(|asked| asked.0.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_request_names_one_host() {
        let one = |host| asked(&[host], Version::HTTP_11);
        for host in ["perch", "perch.local:8080", "192.0.2.7", "[2001:db8::7]:8080"] {
            assert_eq!(one(host), Ok(vec![host.to_owned()]));
        }
        for host in ["", ":80", "a b", "user@perch", "perch/", "http://perch"] {
            let refused = one(host).unwrap_err();
            assert!(matches!(refused, Problem::InvalidHost(_)), "{host}");
        }
        assert!(asked(&[], Version::HTTP_11).is_err());
        assert!(asked(&["perch", "perch"], Version::HTTP_11).is_err());
        assert_eq!(asked(&[], Version::HTTP_10), Ok(Vec::new()));
    }

    #[test]
    fn the_targets_host_replaces_the_headers() {
        let request = Request::get("http://evil.example/").header(HOST, "perch.local").body(()).unwrap();
        let client = Client { address: Ipv4Addr::LOCALHOST.into(), secure: false };
        let asked = AskedHosts::of(&request, client, &[]).unwrap();
        assert_eq!(hosts().admit(&asked), Err(Problem::Misdirected { host: "evil.example".to_owned() }));
    }

    #[test]
    fn a_host_that_a_trusted_proxy_names_must_be_ours_as_well() {
        let trusted = ["10.0.0.1".parse().unwrap()];
        let judged = |peer: [u8; 4], host: &'static str, forwarded: &'static str| {
            let request =
                Request::get("/").header(HOST, host).header("x-forwarded-host", forwarded).body(()).unwrap();
            let client = Client { address: peer.into(), secure: false };
            hosts().admit(&AskedHosts::of(&request, client, &trusted).unwrap()).is_ok()
        };
        let (proxy, stranger) = ([10, 0, 0, 1], [192, 0, 2, 1]);
        assert!(judged(proxy, "localhost:8080", "cam.example.org"));
        assert!(!judged(proxy, "localhost:8080", "evil.example"));
        assert!(!judged(proxy, "evil.example", "cam.example.org"));
        assert!(judged(stranger, "perch.local", "evil.example"), "a stranger's header has no meaning");
        assert!(!judged(stranger, "evil.example", "perch.local"));
    }

    #[test]
    fn an_origin_is_one_of_the_hosts_with_the_usual_port_or_the_same() {
        let include = |host: &'static str, origin| {
            AskedHosts(vec![Authority::from_static(host)]).include_origin(origin)
        };
        for (host, origin) in [
            ("perch.local:8080", "http://perch.local:8080"),
            ("perch.local:80", "http://perch.local"),
            ("perch.local", "https://PERCH.local"),
            ("perch.local:443", "https://perch.local"),
            ("[2001:db8::7]:8080", "http://[2001:db8::7]:8080"),
        ] {
            assert!(include(host, origin), "{host} {origin}");
        }
        for (host, origin) in [
            ("perch.local", "http://perch.local:8080"),
            ("perch.local:8080", "http://perch.local"),
            ("perch.local:443", "http://perch.local"),
            ("perch.local", "http://evil.example"),
            ("perch.local", "null"),
            ("perch.local", "http://"),
            ("perch.local", "perch.local"),
        ] {
            assert!(!include(host, origin), "{host} {origin}");
        }
    }
}
