//! RFC 3263 as questions: from a URI to a transport and addresses.
//!
//! Numeric hosts need no question. Of a name the platform is told what its URI leaves open: without a
//! port SRV may say one, and without a transport NAPTR may choose.

use core::net::IpAddr;

use crate::cx::Cx;
#[cfg(feature = "ua")]
use crate::header::uri::is_sips;
use crate::header::uri::{Scheme, Uri};
use crate::path::{Addr, LocalId, Transport, parse_ip};

/// The longest host name (RFC 1035 2.3.4).
const NAME_MAX: usize = 255;

/// A host name, by value.
#[derive(Clone, Copy)]
pub struct HostName {
    len: u8,
    bytes: [u8; NAME_MAX],
}

impl HostName {
    /// The name, if it is one that DNS can hold.
    #[must_use]
    pub fn new(name: &[u8]) -> Option<Self> {
        let len = u8::try_from(name.len()).ok()?;
        let mut bytes = [0; NAME_MAX];
        bytes.get_mut(..name.len())?.copy_from_slice(name);
        Some(Self { len, bytes })
    }

    /// Its characters.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.len)).unwrap_or(&[])
    }
}

impl core::fmt::Debug for HostName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}", core::str::from_utf8(self.as_bytes()).unwrap_or("?"))
    }
}

/// Where a URI leads.
#[derive(Clone, Copy, Debug)]
pub enum Hop {
    /// To this address.
    Address {
        /// The address.
        to: Addr,
        /// The transport.
        transport: Transport,
        /// The host, which TLS has to verify; `None` where the hop is not secure.
        name: Option<HostName>,
    },
    /// To the addresses of a name.
    Name {
        /// The name.
        name: HostName,
        /// The port; 0 where the URI has none.
        port: u16,
        /// The transport.
        transport: Transport,
        /// Whether the URI leaves the transport open.
        open: bool,
    },
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoWay {
    /// Its scheme is not `sip` or `sips` (RFC 3261 8.1.2).
    Scheme,
    /// Its transport is none that we have an identity for.
    Transport,
    /// Its host is not usable: broadcast, multicast, or no host at all.
    Host,
}

/// Where a request outside a dialog goes first: to the outbound proxy where there is one, else where
/// `uri` leads (RFC 3261 8.1.2).
#[cfg(feature = "ua")]
pub(crate) fn first_hop(cx: &Cx, uri: &[u8]) -> Result<Hop, NoWay> {
    let hop = next_hop(cx, uri);
    let Some(to) = cx.config.outbound else { return hop };
    let transport = match &hop {
        Ok(Hop::Address { transport, .. } | Hop::Name { transport, .. }) => *transport,
        // RFC 3261 26.2.2: what is to be secure goes no other way.
        Err(_) if is_sips(uri) => return hop,
        Err(_) => Transport::Udp,
    };
    Ok(Hop::Address { to, transport, name: None })
}

/// Where `uri` (a whole URI text) leads.
pub fn next_hop(cx: &Cx, text: &[u8]) -> Result<Hop, NoWay> {
    hop_of(cx, text, false)
}

/// Where a proxy is for a request to `target`: of a secure one every hop is (RFC 3261 26.2.2).
#[cfg(feature = "ua")]
pub(crate) fn proxy_hop(cx: &Cx, proxy: &[u8], target: &[u8]) -> Result<Hop, NoWay> {
    hop_of(cx, proxy, is_sips(target))
}

fn hop_of(cx: &Cx, text: &[u8], secure: bool) -> Result<Hop, NoWay> {
    let uri = Uri::parse(text).map_err(|_| NoWay::Host)?;
    let secure = match uri.scheme {
        Scheme::Sip => secure,
        Scheme::Sips => true,
        _ => return Err(NoWay::Scheme),
    };
    let asked = uri.transport.of(text);
    let transport = transport(cx, asked, secure, uri.host.of(text))?;
    // RFC 3263 4: the target is maddr where there is one, else the host.
    let maddr = uri.maddr.of(text);
    let host = if maddr.is_empty() { uri.host.of(text) } else { maddr };
    if host.is_empty() {
        return Err(NoWay::Host);
    }
    match parse_ip(host) {
        Some(ip) => {
            let port = if uri.port == 0 { transport.default_port() } else { uri.port };
            let to = Addr::new(ip, port);
            if to.is_sendable() {
                let name = if transport.is_secure() { HostName::new(host) } else { None };
                Ok(Hop::Address { to, transport, name })
            } else {
                Err(NoWay::Host)
            }
        }
        None => {
            let name = HostName::new(host).ok_or(NoWay::Host)?;
            Ok(Hop::Name { name, port: uri.port, transport, open: asked.is_empty() })
        }
    }
}

// RFC 3263 4.1
fn transport(cx: &Cx, asked: &[u8], secure: bool, host: &[u8]) -> Result<Transport, NoWay> {
    let have = |t: Transport| cx.locals.iter().any(|e| e.transport == t);
    let wanted = match (Transport::of(asked), secure) {
        (Some(Transport::Ws), true) => Transport::Wss,
        (Some(Transport::Udp), true) => return Err(NoWay::Transport),
        (Some(Transport::Tcp) | None, true) => Transport::Tls,
        (Some(t), _) => t,
        (None, false) if !asked.is_empty() => return Err(NoWay::Transport),
        (None, false) => {
            let v6 = host.first() == Some(&b'[');
            let family = |e: &&crate::path::LocalEntry| {
                e.bound.ip.is_ipv6() == v6 || parse_ip(host).is_none()
            };
            // Numeric or not, UDP is what no transport means; a side without UDP takes what it has.
            let has_udp = cx.locals.iter().filter(family).any(|e| e.transport == Transport::Udp);
            let other =
                cx.locals.iter().filter(family).map(|e| e.transport).find(|t| !t.is_secure());
            if has_udp { Transport::Udp } else { other.unwrap_or(Transport::Udp) }
        }
    };
    if have(wanted) { Ok(wanted) } else { Err(NoWay::Transport) }
}

/// The identity to use for a hop, whoever sends.
#[cfg(feature = "ua")]
pub(crate) fn identity_for(cx: &Cx, hop: &Hop) -> Option<LocalId> {
    match hop {
        Hop::Address { to, transport, .. } => cx.locals.pick(*transport, *to, None),
        Hop::Name { transport, .. } => {
            cx.locals.iter().find(|e| e.transport == *transport).map(|e| e.id)
        }
    }
}

/// The identity to use towards `to`.
#[must_use]
pub fn identity(
    cx: &Cx,
    transport: Transport,
    to: IpAddr,
    near: Option<LocalId>,
) -> Option<LocalId> {
    cx.locals.pick(transport, Addr::new(to, 1), near)
}
