//! Devices that are reached where they come from, and not where their Contact says: RFC 5626, RFC
//! 7118 5, and those behind a NAT.

use crate::config::Nat;
use crate::cx::Cx;
use crate::flow::Flows;
use crate::header::{NameAddr, Scheme, Uri, UriParams, Via, param};
use crate::path::{Path, Transport, parse_ip};
use crate::wire::name::Name;
use crate::wire::{MessageRef, Method};

/// Whether a way can still be gone: a connection that is open and the one that was meant, or none
/// that is needed.
pub(crate) fn is_open(cx: &Cx, flows: &Flows, to: &Path) -> bool {
    match to.flow {
        // The numbers of connections begin anew with each engine.
        Some(id) => flows
            .get(cx, id)
            .is_some_and(|f| !f.closing && f.remote == to.remote && f.local == to.local),
        None => {
            to.remote.is_sendable()
                && cx.locals.get(to.local).is_some_and(|l| !l.transport.is_reliable())
        }
    }
}

/// The way that a request came by, if what follows may go back by it: of a REGISTER, and of a request
/// that begins a dialog and comes from a device that is reached by no other way.
pub(super) fn home(cx: &Cx, m: &MessageRef<'_>, path: &Path) -> Option<Path> {
    if m.method() == Method::Register {
        return Some(*path);
    }
    if !super::record_route::begins_dialog(m.method()) || !cx.config.record_route {
        return None;
    }
    let contact = NameAddr::parse(m.bytes(), m.values(Name::Contact).next()?).ok()?;
    let asked = uri_param(m.bytes(), &contact.uri, b"ob");
    (is_direct(m) && (asked || is_behind_nat(cx, m, &contact.uri, path))).then_some(*path)
}

/// Whether no proxy stands between: a request of the device itself has one Via.
pub(crate) fn is_direct(m: &MessageRef<'_>) -> bool {
    m.values(Name::Via).nth(1).is_none()
}

/// Whether a URI has this parameter.
pub(crate) fn uri_param(bytes: &[u8], uri: &Uri, name: &[u8]) -> bool {
    UriParams::new(bytes, uri.params).any(|p| p.name.of(bytes).eq_ignore_ascii_case(name))
}

/// Whether the device with this Contact, from which `m` came by `path` and without a proxy between,
/// can only be reached that way.
pub(crate) fn is_behind_nat(cx: &Cx, m: &MessageRef<'_>, contact: &Uri, path: &Path) -> bool {
    let bytes = m.bytes();
    let host = contact.host.of(bytes);
    // RFC 7118 5: a browser has no address that could be connected to.
    if matches!(cx.transport(path.local), Transport::Ws | Transport::Wss) {
        return true;
    }
    match cx.config.edge.nat {
        Nat::Never => false,
        Nat::Always => true,
        Nat::Detect => {
            // RFC 5626 1: hardly a phone has a certificate, so that TLS to its address leads nowhere.
            let asked = Transport::of(contact.transport.of(bytes)) == Some(Transport::Tls);
            let tls = (asked || contact.scheme == Scheme::Sips)
                && cx.transport(path.local) == Transport::Tls;
            let Some(named) = parse_ip(host).filter(|ip| tls || *ip != path.remote.ip) else {
                return false;
            };
            let via = m.field(Name::Via).and_then(|f| Via::parse(bytes, f.value).ok());
            let sent_by = via.map_or(&[][..], |v| m.text(v.host));
            // Its own word for itself, and not what its packets say. Who registers another device
            // names that one alone.
            parse_ip(sent_by) == Some(named)
        }
    }
}

/// Whether a field of option tags has this one.
pub(crate) fn has_option(m: &MessageRef<'_>, name: Name, tag: &[u8]) -> bool {
    m.values(name).any(|v| m.text(v).eq_ignore_ascii_case(tag))
}

/// The instance and the number of the flow that a Contact's parameters name (RFC 5626 4.1): the
/// value of `+sip.instance` without its quotes, and of `reg-id`.
pub(crate) fn instance(bytes: &[u8], params: crate::wire::Span) -> (Option<&[u8]>, Option<u32>) {
    let value = |name| param(bytes, params, name).map(|v| v.of(bytes));
    let instance = value(b"+sip.instance").map(unquoted).filter(|i| !i.is_empty());
    let reg_id = value(b"reg-id").and_then(crate::wire::scan::decimal).filter(|n| *n > 0);
    (instance, reg_id)
}

fn unquoted(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).unwrap_or(text)
}

/// Whether a REGISTER asks to be reached by the connection it came by (RFC 5626 4.2).
pub(crate) fn wants_outbound(m: &MessageRef<'_>) -> bool {
    m.method() == Method::Register
        && has_option(m, Name::Supported, b"outbound")
        && m.values(Name::Contact).any(|value| {
            let contact = NameAddr::parse(m.bytes(), value).ok();
            contact.is_some_and(|c| matches!(instance(m.bytes(), c.params), (Some(_), Some(_))))
        })
}
