//! Settings of the site's connections. The daemon (`perchd`) reads them from its command line and file.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr;

/// `[tls]`: HTTPS beside HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// Addresses to listen on while there is a certificate.
    pub listen: Vec<std::net::SocketAddr>,
    /// The certificate and those that signed it, PEM; `None`: of the daemon's own authority, if the owner has made one.
    pub certificate_file: Option<PathBuf>,
    /// Its private key, PEM.
    pub key_file: Option<PathBuf>,
}

/// `[server]`: the site's addresses, folder and connections.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Addresses to listen on.
    pub listen: Vec<std::net::SocketAddr>,
    /// Proxies whose `Forwarded` and `X-Forwarded-*` headers count.
    pub trusted_proxies: Vec<Network>,
    /// Host names and addresses that lead here besides the machine's own; lower case.
    pub names: Vec<String>,
    /// Who may read `/metrics` besides the owner.
    pub metrics_from: Vec<Network>,
    /// Folder for everything Perch keeps.
    pub data_dir: PathBuf,
    /// The path at which browsers find the site: empty for `/`, or `/perch`.
    pub path: String,
    /// Open connections at most; more are refused at accept.
    pub max_connections: usize,
}

/// The addresses that begin with the same bits, written as `10.0.0.0/8`. A single address is a network, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// An IPv4 address in its own form.
    address: IpAddr,
    /// Bits that its addresses share: at most 32 or 128.
    bits: u32,
}

impl Network {
    /// True for an address in it. An IPv4 address counts as itself in whatever form it is given.
    pub fn holds(self, address: IpAddr) -> bool {
        let same = |ours: u128, other: u128, width: u32| {
            // A shift by all bits is an overflow; it leaves nothing to compare.
            (ours ^ other).checked_shr(width - self.bits).is_none_or(|differing| differing == 0)
        };
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(other)) => same(ours.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(ours), IpAddr::V6(other)) => same(ours.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

/// Not an address, nor a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is neither an address nor a network such as 10.0.0.0/8")]
pub struct NotNetwork;

impl FromStr for Network {
    type Err = NotNetwork;

    fn from_str(text: &str) -> Result<Self, NotNetwork> {
        let (address, bits) =
            text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| NotNetwork)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = match bits {
            None => width,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= width).ok_or(NotNetwork)?,
        };
        match address.to_canonical() {
            // An IPv4 address written as IPv6, with the bits of IPv6.
            IpAddr::V4(v4) if address.is_ipv6() => {
                let bits = bits.checked_sub(96).ok_or(NotNetwork)?;
                Ok(Self { address: v4.into(), bits })
            }
            address => Ok(Self { address, bits }),
        }
    }
}

/// `[webhooks]`: whom webhooks may reach, and whom they trust.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Webhooks {
    /// True if they may reach this board itself and link-local addresses.
    pub local_addresses: bool,
    /// A file of certificates (PEM) to trust instead of the system's authorities.
    pub ca_file: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().holds(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_the_addresses_that_begin_as_it_does() {
        for (network, inside, outside) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1", "::ffff:192.0.2.1", "::192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3/8", "10.255.0.1", "11.0.0.1"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
            ("0.0.0.0/0", "203.0.113.1", "2001:db8::1"),
            ("::/0", "2001:db8::1", "203.0.113.1"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("::1", "::1", "::2"),
        ] {
            assert!(holds(network, inside), "{network} {inside}");
            assert!(!holds(network, outside), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "localhost",
            "10.0.0.0/33",
            "10.0.0.0/",
            "10.0.0.0/-1",
            "::1/129",
            "10.0/8",
            "::ffff:192.0.2.0/64",
        ] {
            assert_eq!(text.parse::<Network>(), Err(NotNetwork), "{text}");
        }
    }
}
