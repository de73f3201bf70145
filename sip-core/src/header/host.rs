//! Hosts: names and addresses.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a host stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Host<'a> {
    /// A dotted IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address, with or without brackets.
    V6(Ipv6Addr),
    /// A name.
    Name(&'a [u8]),
}

impl<'a> Host<'a> {
    /// Reads a host of a URI, a Via or a `received` parameter.
    #[must_use]
    pub fn parse(text: &'a [u8]) -> Host<'a> {
        let bare = match text {
            [b'[', inner @ .., b']'] => inner,
            other => other,
        };
        let Ok(s) = core::str::from_utf8(bare) else { return Host::Name(text) };
        if bare.contains(&b':') {
            return s.parse().map_or(Host::Name(text), Host::V6);
        }
        if bare.len() == text.len() {
            return s.parse().map_or(Host::Name(text), Host::V4);
        }
        Host::Name(text)
    }

    /// The address, if it is one.
    #[must_use]
    pub const fn ip(self) -> Option<IpAddr> {
        match self {
            Host::V4(ip) => Some(IpAddr::V4(ip)),
            Host::V6(ip) => Some(IpAddr::V6(ip)),
            Host::Name(_) => None,
        }
    }

    /// Whether two hosts are the same: addresses by value, names without regard to case.
    #[must_use]
    pub fn same(a: &[u8], b: &[u8]) -> bool {
        if a.eq_ignore_ascii_case(b) {
            return true;
        }
        match (Host::parse(a).ip(), Host::parse(b).ip()) {
            (Some(a), Some(b)) => a == b,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names() {
        let v6 = Host::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        assert_eq!(Host::parse(b"192.0.2.1"), Host::V4(Ipv4Addr::new(192, 0, 2, 1)));
        assert_eq!(Host::parse(b"[2001:DB8::1]"), v6);
        assert_eq!(Host::parse(b"2001:db8:0::1"), v6);
        assert_eq!(Host::parse(b"a.example"), Host::Name(b"a.example"));
        assert_eq!(Host::parse(b"[192.0.2.1]"), Host::Name(b"[192.0.2.1]"));
        assert_eq!(Host::parse(b"192.0.2.256"), Host::Name(b"192.0.2.256"));
        assert_eq!(Host::parse(b"[::1"), Host::Name(b"[::1"));
    }

    #[test]
    fn the_same_host() {
        assert!(Host::same(b"A.Example", b"a.example"));
        assert!(Host::same(b"[2001:db8::1]", b"[2001:DB8:0:0::1]"));
        assert!(!Host::same(b"a.example", b"192.0.2.1"));
        assert!(!Host::same(b"192.0.2.1", b"192.0.2.2"));
    }
}
