//! Which addresses webhooks may reach. Whoever can set a webhook must not get at what listens on this machine alone, or at what answers any
//! machine on the link, such as a cloud's metadata service (169.254.169.254).

use std::net::{IpAddr, Ipv4Addr};

/// Prefix of IPv4 addresses in IPv6 networks that translate (NAT64, RFC 6052 §2.1).
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Checks an address that a name was resolved to. `own`: this machine's addresses. The error is in words.
pub fn check(address: IpAddr, own: &[IpAddr]) -> Result<(), &'static str> {
    let address = plain(address);
    let is_link_local = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    if address.is_loopback() || own.iter().any(|own| plain(*own) == address) {
        Err("it is an address of this board itself")
    } else if is_link_local {
        Err("it is a link-local address")
    } else if address.is_unspecified() || address.is_multicast() || is_of_no_host(address) {
        Err("it is no address of a machine")
    } else {
        Ok(())
    }
}

/// An IPv4 address in its own form, however it is written.
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let segments = v6.segments();
    if segments[..6] == NAT64 {
        return IpAddr::V4(Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7])));
    }
    v6.to_canonical()
}

fn is_of_no_host(address: IpAddr) -> bool {
    match address {
        // 0.0.0.0/8 is this network; Linux takes 0.0.0.0 for itself.
        IpAddr::V4(v4) => v4.is_broadcast() || v4.octets()[0] == 0 || v4.octets()[0] >= 240,
        // The old IPv4-compatible form.
        IpAddr::V6(v6) => v6.segments()[..6] == [0; 6],
    }
}

/// This machine's addresses.
pub fn own() -> Vec<IpAddr> {
    let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
    interfaces.into_iter().map(|interface| interface.ip()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_board_nor_the_link_is_reached_however_it_is_written() {
        let own = ["192.168.1.5", "2001:db8::5"].map(|address| address.parse().unwrap());
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "::ffff:127.0.0.1",
            "::ffff:7f00:1",
            "64:ff9b::7f00:1",
            "::127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "::",
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "224.0.0.251",
            "ff02::1",
            "255.255.255.255",
            "192.168.1.5",
            "::ffff:192.168.1.5",
            "2001:db8::5",
        ] {
            assert!(check(address.parse().unwrap(), &own).is_err(), "{address}");
        }
        for address in
            ["192.168.1.6", "10.0.0.1", "172.16.0.1", "100.64.0.1", "fd00::1", "203.0.113.1", "2001:db8::6"]
        {
            assert_eq!(check(address.parse().unwrap(), &own), Ok(()), "{address}");
        }
    }
}
