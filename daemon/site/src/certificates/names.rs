//! The names and addresses by which browsers reach this machine.

use std::collections::BTreeSet;
use std::net::IpAddr;

/// An address with the network that it is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Network {
    /// The address.
    pub address: IpAddr,
    /// Bits that all addresses of the network have in common.
    pub prefix: u8,
}

/// All names and addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Names of hosts, in lower case; the one to show people first.
    pub hosts: Vec<String>,
    /// Addresses, loopback included.
    pub addresses: BTreeSet<Network>,
}

impl Names {
    /// A machine's own names, those of the configuration, and its present addresses.
    pub fn of_this_machine(own: &[String], configured: &[String]) -> Self {
        let mut names = Self::default();
        // In a home network the others are not known to every device.
        let local = own.iter().filter(|name| name.strip_suffix(".local").is_some());
        for name in local.chain(own).chain(configured).filter(|name| !name.contains("localhost")) {
            names.add_host(name);
        }
        names.add_host("localhost");
        // Without a network, loopback is left.
        for interface in if_addrs::get_if_addrs().unwrap_or_default() {
            let prefix = match &interface.addr {
                if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                if_addrs::IfAddr::V6(v6) => v6.prefixlen,
            };
            // Addresses such as fe80::1%eth0 cannot stand in a URL.
            if !interface.is_link_local() || interface.ip().is_ipv4() {
                names.addresses.insert(Network { address: interface.ip(), prefix });
            }
        }
        names
    }

    /// Adds a host's name, unless it is none or known.
    pub fn add_host(&mut self, name: &str) {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        let fits = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        };
        let is_name = name.len() <= 253 && name.split('.').all(fits) && name.parse::<IpAddr>().is_err();
        if is_name && !self.hosts.contains(&name) {
            self.hosts.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_reached_by_its_name_in_the_local_network_first() {
        let configured = ["Perch.example.org.".to_owned(), "192.0.2.1".to_owned(), "no name".to_owned()];
        let own = ["nest", "nest.lan", "nest.local"].map(str::to_owned);
        let names = Names::of_this_machine(&own, &configured);
        assert_eq!(names.hosts, ["nest.local", "nest", "nest.lan", "perch.example.org", "localhost"]);
        assert!(names.addresses.iter().any(|network| network.address.is_loopback()));
        assert_eq!(Names::of_this_machine(&[], &[]).hosts, ["localhost"]);
    }
}
