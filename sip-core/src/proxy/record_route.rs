//! The URIs by which later requests come back to us: Record-Route (RFC 3261 16.6 step 4, RFC 5658)
//! and Path (RFC 3327).

use super::edge;
use super::flow_token::FlowToken;
use super::forward::{self, Leg};
use super::preprocess::Plan;
use crate::config::PathUse;
use crate::cx::Cx;
use crate::path::{LocalEntry, LocalId, Path, Transport};
use crate::resolve::{self, Hop};
use crate::wire::name::Name;
use crate::wire::{MessageRef, Method};

/// The longest two fields: a host has 63 bytes and a token 72 at most.
const LONGEST: usize = 400;

/// Fields that a copy gets, complete lines.
pub(crate) struct OwnRoutes {
    bytes: [u8; LONGEST],
    len: usize,
}

/// Whether a request of this method may begin a dialog whose further requests we want to see: the
/// NOTIFY too, because each one that a forked SUBSCRIBE earns makes a dialog (RFC 6665 4.3).
pub(super) const fn begins_dialog(method: Method) -> bool {
    matches!(method, Method::Invite | Method::Subscribe | Method::Notify | Method::Refer)
}

/// One of the URIs: which of our identities it names, and what stands before and behind it.
#[derive(Clone, Copy)]
struct Own<'a> {
    entry: &'a LocalEntry,
    token: Option<FlowToken>,
    secure: bool,
    /// Whether the engines of our service are told the very address, and not what stands for all of
    /// them.
    inside: bool,
    params: &'static [u8],
}

impl OwnRoutes {
    const fn new() -> Self {
        Self { bytes: [0; LONGEST], len: 0 }
    }

    /// What a request gets that came to `incoming` and leaves by `leg`. `secure` says that its
    /// Request-URI is a sips URI.
    pub(super) fn of(
        cx: &Cx,
        m: &MessageRef<'_>,
        incoming: LocalId,
        leg: &Leg,
        plan: &Plan,
        secure: bool,
    ) -> Self {
        match plan.home {
            Some(path) if m.method() == Method::Register => Self::path(cx, m, &path),
            _ => Self::record(cx, m.method(), incoming, leg, plan, secure),
        }
    }

    /// The Record-Route fields for a request that came to `incoming` and leaves by `leg`: one for
    /// both sides, or one for each where they differ in transport or network (RFC 5658), or where
    /// each names a device that is reached by its own connection (RFC 5626 5.3.2). The outgoing
    /// side's is on top.
    fn record(
        cx: &Cx,
        method: Method,
        incoming: LocalId,
        leg: &Leg,
        plan: &Plan,
        secure: bool,
    ) -> Self {
        let mut fields = Self::new();
        if !cx.config.record_route || !begins_dialog(method) {
            return fields;
        }
        let token = |path: Option<Path>| path.map(|p| FlowToken::of(cx, &p));
        let (near, far) = (token(plan.home), token(leg.device));
        let outgoing = outgoing(cx, incoming, leg).unwrap_or(incoming);
        let own = |id, token| {
            cx.locals.get(id).map(|entry| Own {
                entry,
                token,
                secure,
                inside: false,
                params: b";lr",
            })
        };
        let (out, inside) = if outgoing == incoming && (near.is_none() || far.is_none()) {
            (None, own(incoming, near.or(far)))
        } else {
            (own(outgoing, far), own(incoming, near))
        };
        for own in [out, inside].into_iter().flatten() {
            fields.add(b"Record-Route: <", &own, b">\r\n");
        }
        fields
    }

    /// The Path field for a REGISTER that came by `path` and is forwarded (RFC 3327 5.2): with a
    /// token where the device is reached by the way it came (RFC 5626 5.1).
    fn path(cx: &Cx, m: &MessageRef<'_>, path: &Path) -> Self {
        let mut fields = Self::new();
        let wanted = match cx.config.edge.path {
            PathUse::Never => false,
            PathUse::Always => true,
            PathUse::Supported | PathUse::Required => edge::has_option(m, Name::Supported, b"path"),
        };
        if m.method() != Method::Register || !wanted {
            return fields;
        }
        if let Some(own) = own_path(cx, m, path) {
            fields.add(b"Path: <", &own, b">\r\n");
        }
        fields
    }

    /// The Path value by which this engine itself reaches the device whose REGISTER came by `path`,
    /// where it does not go where its Contact says.
    #[cfg(feature = "registrar")]
    pub(crate) fn home(cx: &Cx, m: &MessageRef<'_>, path: &Path) -> Self {
        let mut value = Self::new();
        if let Some(own) = own_path(cx, m, path).filter(|own| own.token.is_some()) {
            value.add(b"<", &Own { inside: true, ..own }, b">");
        }
        value
    }

    /// The lines.
    pub(crate) fn lines(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }

    fn add(&mut self, before: &[u8], own: &Own<'_>, behind: &[u8]) {
        let entry = own.entry;
        // A sips URI asks for TLS on every hop, so that a side without TLS cannot have one.
        let secure = own.secure && entry.transport.is_secure();
        let transport: &[u8] = match entry.transport {
            Transport::Udp => b"",
            Transport::Ws | Transport::Wss => b";transport=ws",
            _ if secure => b"",
            Transport::Tcp => b";transport=tcp",
            Transport::Tls => b";transport=tls",
        };
        let bound = own.inside && !entry.bound.ip.is_unspecified();
        let (mut room, mut port) = ([0u8; 48], [0u8; 6]);
        let host = if bound { ip_text(entry.bound.ip, &mut room) } else { entry.host() };
        let port = match if bound { entry.bound.port } else { entry.port } {
            0 => &[][..],
            n => crate::path::port_text(n, &mut port),
        };
        let scheme: &[u8] = if secure { b"sips:" } else { b"sip:" };
        let (user, at): (&[u8], &[u8]) = match &own.token {
            Some(token) => (token.as_bytes(), b"@"),
            None => (b"", b""),
        };
        let start = self.len;
        let parts = [before, scheme, user, at, host, port, transport, own.params, behind];
        for part in parts {
            let end = self.len.saturating_add(part.len());
            let Some(room) = self.bytes.get_mut(self.len..end) else {
                self.len = start;
                return;
            };
            room.copy_from_slice(part);
            self.len = end;
        }
    }
}

/// What names this side in the Path of a REGISTER that came by `path`.
fn own_path<'a>(cx: &'a Cx, m: &MessageRef<'_>, path: &Path) -> Option<Own<'a>> {
    let entry = cx.locals.get(path.local)?;
    let contacts = m.values(Name::Contact);
    let contact = |value| crate::header::NameAddr::parse(m.bytes(), value).ok();
    let direct = edge::is_direct(m);
    let outbound = direct && edge::wants_outbound(m);
    let mut uris = contacts.filter_map(contact).map(|c| c.uri);
    let hidden = direct && uris.any(|uri| edge::is_behind_nat(cx, m, &uri, path));
    let token = (outbound || hidden).then(|| FlowToken::of(cx, path));
    let secure = super::preprocess::is_secure(m.request_uri());
    let params: &[u8] = if outbound { b";lr;ob" } else { b";lr" };
    Some(Own { entry, token, secure, inside: false, params })
}

/// A host as a URI has it.
fn ip_text(ip: core::net::IpAddr, room: &mut [u8; 48]) -> &[u8] {
    match ip {
        core::net::IpAddr::V4(ip) => forward::text(room, format_args!("{ip}")),
        core::net::IpAddr::V6(ip) => forward::text(room, format_args!("[{ip}]")),
    }
}

/// The identity by which a request leaves, as far as it is known before a name is resolved.
fn outgoing(cx: &Cx, incoming: LocalId, leg: &Leg) -> Option<LocalId> {
    if let Some(path) = leg.device {
        return Some(path.local);
    }
    match leg.hop.as_ref().ok()? {
        Hop::Address { to, transport, .. } => {
            resolve::identity(cx, *transport, to.ip, Some(incoming))
        }
        Hop::Name { transport, .. } if cx.transport(incoming) == *transport => Some(incoming),
        Hop::Name { transport, .. } => {
            cx.locals.iter().find(|l| l.transport == *transport).map(|l| l.id)
        }
    }
}
