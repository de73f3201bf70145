//! Where a message comes from and goes to, and the identities that this side answers to.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::error::{Error, Limit, Misuse};
use crate::store::reserve;
use alloc::vec::Vec;

/// An address: IP, port and, for link-local IPv6, the scope. IPv4-mapped IPv6 is folded to IPv4.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Addr {
    /// The IP address.
    pub ip: IpAddr,
    /// The port.
    pub port: u16,
    /// The scope (interface index) of a link-local IPv6 address, else 0.
    pub scope: u32,
}

impl Addr {
    /// An address without scope; IPv4-mapped IPv6 becomes IPv4.
    #[must_use]
    pub fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip: ip.to_canonical(), port, scope: 0 }
    }

    /// An IPv4 address.
    #[must_use]
    pub const fn v4(a: u8, b: u8, c: u8, d: u8, port: u16) -> Self {
        Self { ip: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), port, scope: 0 }
    }

    /// Whether a unicast datagram can be sent there: not unspecified, multicast or broadcast, and
    /// the port is not 0.
    #[must_use]
    pub fn is_sendable(&self) -> bool {
        let ip_ok = match self.ip {
            IpAddr::V4(ip) => {
                !ip.is_unspecified()
                    && !ip.is_multicast()
                    && !ip.is_broadcast()
                    && ip.octets()[0] != 0
            }
            IpAddr::V6(ip) => !ip.is_unspecified() && !ip.is_multicast(),
        };
        ip_ok && self.port != 0
    }

    /// The standard library's form; the scope goes along, no flow label.
    #[must_use]
    pub const fn to_socket(&self) -> SocketAddr {
        match self.ip {
            IpAddr::V4(ip) => SocketAddr::V4(core::net::SocketAddrV4::new(ip, self.port)),
            IpAddr::V6(ip) => {
                SocketAddr::V6(core::net::SocketAddrV6::new(ip, self.port, 0, self.scope))
            }
        }
    }
}

impl Default for Addr {
    fn default() -> Self {
        Self { ip: IpAddr::V6(Ipv6Addr::UNSPECIFIED), port: 0, scope: 0 }
    }
}

impl From<SocketAddr> for Addr {
    fn from(from: SocketAddr) -> Self {
        let scope = match from {
            SocketAddr::V6(v6) if (v6.ip().segments()[0] & 0xffc0) == 0xfe80 => v6.scope_id(),
            _ => 0,
        };
        Self { scope, ..Self::new(from.ip(), from.port()) }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

impl fmt::Debug for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// How a message travels.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
#[repr(u8)]
pub enum Transport {
    /// RFC 3261 18.
    #[default]
    Udp = 1,
    /// RFC 3261 18.
    Tcp = 2,
    /// RFC 3261 26.3.1.
    Tls = 3,
    /// RFC 7118.
    Ws = 4,
    /// RFC 7118.
    Wss = 5,
}

impl Transport {
    /// Whether the transport delivers in order or reports failure (RFC 3261 17: "reliable").
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// Whether the hop is protected by TLS.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// The name as Via carries it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The transport of a Via or a `transport=` parameter, any case.
    #[must_use]
    pub fn of(name: &[u8]) -> Option<Self> {
        [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss]
            .into_iter()
            .find(|t| t.as_str().as_bytes().eq_ignore_ascii_case(name))
    }

    /// The port that a URI without port and a Via without port mean (RFC 3261 18.1.1, 19.1.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

/// The caller's number for one of its own identities (an entry of [`Local`]).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default, PartialOrd, Ord)]
pub struct LocalId(pub u16);

/// The caller's number for a connection: 1 or more, and each greater than all before it, so that
/// none is used twice in an engine's life.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct FlowId(pub u64);

/// The way a message came or goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct Path {
    /// Which of our identities.
    pub local: LocalId,
    /// The peer's address.
    pub remote: Addr,
    /// The connection, for stream transports.
    pub flow: Option<FlowId>,
}

/// A connection or none, in the room of its number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct MaybeFlow(u64);

impl MaybeFlow {
    pub(crate) const fn of(flow: Option<FlowId>) -> Self {
        // No connection has the number 0.
        Self(match flow {
            Some(flow) => flow.0,
            None => 0,
        })
    }

    pub(crate) fn get(self) -> Option<FlowId> {
        (self.0 != 0).then_some(FlowId(self.0))
    }
}

/// A [`Path`] in two thirds of its room.
#[cfg(feature = "ua")]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KeptPath {
    flow: MaybeFlow,
    /// IPv4 as it is mapped into IPv6.
    ip: [u8; 16],
    scope: u32,
    port: u16,
    local: LocalId,
}

#[cfg(feature = "ua")]
impl KeptPath {
    pub(crate) const fn of(path: &Path) -> Self {
        let ip = match path.remote.ip {
            IpAddr::V4(ip) => ip.to_ipv6_mapped(),
            IpAddr::V6(ip) => ip,
        };
        Self {
            flow: MaybeFlow::of(path.flow),
            ip: ip.octets(),
            scope: path.remote.scope,
            port: path.remote.port,
            local: path.local,
        }
    }

    pub(crate) fn get(&self) -> Path {
        let ip = IpAddr::V6(Ipv6Addr::from(self.ip)).to_canonical();
        let remote = Addr { ip, port: self.port, scope: self.scope };
        Path { local: self.local, remote, flow: self.flow.get() }
    }
}

/// One identity of this side: what is bound, and what others are told.
///
/// The table of identities both stamps Via, Contact and Record-Route and recognises them, so the
/// two can never disagree.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Local<'a> {
    /// The transport.
    pub transport: Transport,
    /// The address that the socket is bound to.
    pub bound: Addr,
    /// The host that Via, Contact and Record-Route carry: a name or an IP address, IPv6 in
    /// brackets. At most 63 bytes.
    pub host: &'a str,
    /// The port that they carry; 0 leaves it out.
    pub port: u16,
    /// The network it belongs to: a target reached over one network is not tried over another.
    pub network: u16,
}

const HOST_MAX: usize = 63;

/// An entry of the table of identities.
#[derive(Clone, Copy, Debug)]
pub struct LocalEntry {
    pub(crate) id: LocalId,
    pub(crate) transport: Transport,
    pub(crate) bound: Addr,
    pub(crate) port: u16,
    pub(crate) network: u16,
    host: [u8; HOST_MAX],
    host_len: u8,
}

impl LocalEntry {
    /// The host to advertise.
    #[must_use]
    pub fn host(&self) -> &[u8] {
        self.host.get(..usize::from(self.host_len)).unwrap_or(&[])
    }

    /// The port that a peer means by this identity.
    #[must_use]
    pub const fn effective_port(&self) -> u16 {
        if self.port == 0 { self.transport.default_port() } else { self.port }
    }
}

/// The table of identities.
#[derive(Debug)]
pub struct Locals {
    entries: Vec<LocalEntry>,
    max: usize,
}

impl Locals {
    pub(crate) fn new(max: usize) -> Result<Self, Error> {
        Ok(Self { entries: reserve(max)?, max })
    }

    pub(crate) const fn bytes(max: usize) -> usize {
        max * size_of::<LocalEntry>()
    }

    pub(crate) fn set(&mut self, id: LocalId, local: &Local<'_>) -> Result<(), Error> {
        let text = local.host.as_bytes();
        // RFC 3261 25.1: a name, an IPv4 address, or an IPv6 address in brackets.
        let name = text.iter().all(|c| c.is_ascii_alphanumeric() || b"-._".contains(c));
        let v6 = text.first() == Some(&b'[') && parse_ip(text).is_some();
        let usable = !text.is_empty() && (name || v6);
        if text.len() > HOST_MAX || !usable {
            return Err(Error::Misuse(Misuse::Local));
        }
        let mut host = [0; HOST_MAX];
        for (to, from) in host.iter_mut().zip(text) {
            *to = *from;
        }
        let entry = LocalEntry {
            id,
            transport: local.transport,
            bound: local.bound,
            port: local.port,
            network: local.network,
            host,
            host_len: u8::try_from(text.len()).unwrap_or(0),
        };
        if let Some(old) = self.entries.iter_mut().find(|e| e.id == id) {
            *old = entry;
        } else if self.entries.len() < self.max {
            self.entries.push(entry);
        } else {
            return Err(Error::Full(Limit::Locals));
        }
        Ok(())
    }

    /// The entry of `id`.
    #[must_use]
    pub fn get(&self, id: LocalId) -> Option<&LocalEntry> {
        self.entries.iter().find(|e| e.id == id)
    }

    /// The first identity with this transport, preferring the address family of `remote` and then
    /// the network of `near`.
    #[must_use]
    pub fn pick(
        &self,
        transport: Transport,
        remote: Addr,
        near: Option<LocalId>,
    ) -> Option<LocalId> {
        let network = near.and_then(|id| self.get(id)).map(|e| e.network);
        let fits = |e: &&LocalEntry| {
            e.transport == transport && e.bound.ip.is_ipv4() == remote.ip.is_ipv4()
        };
        self.entries
            .iter()
            .filter(fits)
            .find(|e| network == Some(e.network))
            .or_else(|| self.entries.iter().find(fits))
            .map(|e| e.id)
    }

    /// Whether host and port name one of our identities. `port` 0 means the default of `transport`,
    /// or of any transport where none is given. Brackets of IPv6 belong to the host.
    #[must_use]
    pub fn is_ours(&self, host: &[u8], port: u16, transport: Option<Transport>) -> bool {
        let candidates =
            || self.entries.iter().filter(|e| transport.is_none_or(|t| t == e.transport));
        let wanted = |e: &LocalEntry| if port == 0 { e.transport.default_port() } else { port };
        let by_name =
            |e: &LocalEntry| wanted(e) == e.effective_port() && e.host().eq_ignore_ascii_case(host);
        if candidates().any(by_name) {
            return true;
        }
        let mut bound = candidates().filter(|e| wanted(e) == e.bound.port).peekable();
        bound.peek().is_some() && parse_ip(host).is_some_and(|ip| bound.any(|e| e.bound.ip == ip))
    }

    /// Whether the address is one that we are bound to.
    #[must_use]
    pub fn is_bound(&self, addr: Addr) -> bool {
        self.entries.iter().any(|e| e.bound.ip == addr.ip && e.bound.port == addr.port)
    }

    /// All entries, in the order in which they were set.
    pub fn iter(&self) -> impl Iterator<Item = &LocalEntry> {
        self.entries.iter()
    }
}

/// The IP address that a host text is, with or without brackets.
#[must_use]
pub fn parse_ip(host: &[u8]) -> Option<IpAddr> {
    // Most hosts tell by their first byte.
    match host.first()? {
        b'0'..=b'9' if !host.contains(&b':') => return parse_v4(host).map(IpAddr::V4),
        b'g'..=b'z' | b'G'..=b'Z' => return None,
        _ => {}
    }
    let text = core::str::from_utf8(host).ok()?;
    if let Some(inner) = text.strip_prefix('[') {
        let v6: Ipv6Addr = inner.strip_suffix(']')?.parse().ok()?;
        return Some(IpAddr::V6(v6).to_canonical());
    }
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Four decimal numbers of up to three digits, none with a zero in front (RFC 3986 3.2.2).
fn parse_v4(text: &[u8]) -> Option<Ipv4Addr> {
    let mut octets = [0u8; 4];
    let mut rest = text;
    for (i, octet) in octets.iter_mut().enumerate() {
        if i > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let mut n = 0u16;
        let mut digits = 0;
        while let Some((d @ b'0'..=b'9', more)) = rest.split_first() {
            if digits > 0 && n == 0 || digits == 3 {
                return None;
            }
            n = n * 10 + u16::from(d - b'0');
            digits += 1;
            rest = more;
        }
        if digits == 0 {
            return None;
        }
        *octet = u8::try_from(n).ok()?;
    }
    rest.is_empty().then(|| Ipv4Addr::from(octets))
}

/// `:port`
pub(crate) fn port_text(port: u16, out: &mut [u8; 6]) -> &[u8] {
    let mut at = out.len();
    let mut n = port;
    loop {
        at -= 1;
        if let Some(place) = out.get_mut(at) {
            *place = b'0' + u8::try_from(n % 10).unwrap_or(0);
        }
        n /= 10;
        if n == 0 || at == 1 {
            break;
        }
    }
    at -= 1;
    if let Some(place) = out.get_mut(at) {
        *place = b':';
    }
    out.get(at..).unwrap_or(&[])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Locals {
        let mut t = Locals::new(2).unwrap();
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let entry =
            Local { transport: Transport::Udp, bound, host: "pc.example.com", port: 0, network: 0 };
        t.set(LocalId(7), &entry).unwrap();
        t
    }

    #[test]
    fn an_identity_is_recognised_by_what_it_stamps_and_by_what_it_is_bound_to() {
        let t = table();
        assert!(t.is_ours(b"PC.example.com", 0, None));
        assert!(t.is_ours(b"pc.example.com", 5060, Some(Transport::Udp)));
        assert!(t.is_ours(b"10.0.0.1", 5060, None));
        assert!(!t.is_ours(b"pc.example.com", 5062, None));
        assert!(!t.is_ours(b"pc.example.com", 0, Some(Transport::Tcp)));
        assert!(!t.is_ours(b"10.0.0.2", 5060, None));
    }

    #[test]
    fn a_full_table_refuses_and_a_known_id_is_replaced() {
        let mut t = table();
        let mut e = Local {
            transport: Transport::Tcp,
            bound: Addr::v4(10, 0, 0, 1, 5060),
            host: "a",
            port: 1,
            network: 0,
        };
        t.set(LocalId(8), &e).unwrap();
        assert_eq!(t.set(LocalId(9), &e), Err(Error::Full(Limit::Locals)));
        e.host = "b";
        t.set(LocalId(8), &e).unwrap();
        assert!(t.is_ours(b"b", 1, None));
        // An IPv6 address needs its brackets, and the port has its own field.
        for bad in ["bad host", "", "::1", "a:5060", "[::1", "[a]", "[::1]:5060"] {
            e.host = bad;
            assert_eq!(t.set(LocalId(8), &e), Err(Error::Misuse(Misuse::Local)), "{bad}");
        }
        e.host = "[2001:db8::1]";
        t.set(LocalId(8), &e).unwrap();
    }

    #[test]
    fn mapped_addresses_fold_and_broadcast_is_not_sendable() {
        let mapped: SocketAddr = "[::ffff:10.1.2.3]:5060".parse().unwrap();
        assert_eq!(Addr::from(mapped), Addr::v4(10, 1, 2, 3, 5060));
        for bad in ["255.255.255.255:5060", "0.0.0.0:1", "224.0.0.1:1", "[::]:1", "10.0.0.1:0"] {
            let bad: SocketAddr = bad.parse().unwrap();
            assert!(!Addr::from(bad).is_sendable(), "{bad}");
        }
        assert_eq!(parse_ip(b"[::1]"), Some("::1".parse().unwrap()));
        assert_eq!(parse_ip(b"example.com"), None);
        for text in [
            "1.2.3.4",
            "255.255.255.255",
            "0.0.0.0",
            "256.1.1.1",
            "01.2.3.4",
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.4 ",
            "1..2.3",
            "1.2.3.",
            "1.2.3.0004",
            "1a.2.3.4",
            "::1",
            "2001:db8::1",
            "a::1",
            "",
            "[1.2.3.4]",
        ] {
            let library = text.parse::<IpAddr>().ok();
            assert_eq!(parse_ip(text.as_bytes()), library, "{text}");
        }
    }

    #[test]
    fn a_kept_path_is_the_path() {
        let v6 = Addr { scope: 7, ..Addr::new("fe80::1".parse().unwrap(), 5_061) };
        for remote in [Addr::v4(192, 0, 2, 9, 5_060), v6] {
            for flow in [None, Some(FlowId(1)), Some(FlowId(u64::MAX))] {
                let path = Path { local: LocalId(9), remote, flow };
                assert_eq!(KeptPath::of(&path).get(), path);
            }
        }
        assert!(size_of::<KeptPath>() <= 32);
    }

    #[test]
    fn a_port_is_written_with_its_colon() {
        for (port, text) in [(1, ":1"), (80, ":80"), (5060, ":5060"), (65_535, ":65535")] {
            assert_eq!(port_text(port, &mut [0; 6]), text.as_bytes());
        }
    }
}
