//! Forwarding without keeping anything (RFC 3261 16.11): the branch is computed from the request, so
//! that its repetitions, its CANCEL and its ACK get the same, and sealed with where the responses go,
//! so that no other response is forwarded.

use super::forward::{self, Copy, Survey, URI_ROOM, Way as Target, leg_of};
use super::identity::{self, Identity};
use super::preprocess::{Plan, is_secure};
use super::record_route::OwnRoutes;
use super::{ForkLow, Forks, Way, response, validate, way};
use crate::attempt::stamp;
use crate::cx::Cx;
use crate::error::Error;
use crate::header::{Essentials, Via};
use crate::path::{Addr, LocalId, Path, Transport, parse_ip};
use crate::resolve::{self, Hop};
use crate::tx::Branch;
use crate::wire::MessageRef;
use crate::wire::name::Name;

impl Forks {
    /// A CANCEL whose INVITE is not known: it may have been forwarded without keeping anything
    /// (RFC 3261 16.10). False when it is none of those. May queue output.
    ///
    /// # Errors
    /// `Full`: the CANCEL is lost.
    pub fn on_stray_cancel(
        &mut self,
        low: &mut ForkLow<'_>,
        (m, e): (&MessageRef<'_>, &Essentials),
        path: &Path,
    ) -> Result<bool, Error> {
        if !low.down.cx.config.edge.stateless {
            return Ok(false);
        }
        if validate::refuse(low.down.tx, low.down.cx, m, e, path)? {
            return Ok(true);
        }
        let Some(uri) = e.uri else { return Ok(false) };
        let plan = Plan::of(low.down.cx, low.down.flows, m, &uri, path);
        if plan.refusal().is_some() {
            return Ok(false);
        }
        pass(low, (m, e, path), &plan)
    }

    /// A response to nothing that is known: to a request that was forwarded without keeping anything
    /// (RFC 3261 16.11). False when it is none of those. May queue output.
    ///
    /// # Errors
    /// `Full`: the response is lost.
    pub fn on_stray_response(
        &mut self,
        low: &mut ForkLow<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<bool, Error> {
        pass_back(low, m, e)
    }
}

/// Where the responses to a request with this top Via go that comes from, or came from, `source`
/// (RFC 3261 18.2.2, RFC 3581 4).
fn way_back(m: &MessageRef<'_>, via: &Via, source: Addr) -> Addr {
    let transport = Transport::of(m.text(via.transport)).unwrap_or_default();
    let port = if via.port == 0 { transport.default_port() } else { via.port };
    Addr { port: if via.rport_asked { source.port } else { port }, ..source }
}

/// The branch of what is forwarded for a request with this top Via, whose responses go back from
/// `local` to `back`.
fn branch(cx: &Cx, m: &MessageRef<'_>, via: &Via, local: LocalId, back: Addr) -> Branch {
    let ip = match back.ip {
        core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        core::net::IpAddr::V6(ip) => ip.octets(),
    };
    let key = cx.shared.start(b'b').part(m.text(via.branch)).part(m.text(via.host));
    let key = key.number(u64::from(via.port)).number(u64::from(local.0));
    let key = key.part(&ip).number(u64::from(back.port)).finish();
    Branch::computed(key, cx.config.shard)
}

/// Forwards a request that needs no question and no connection to be opened. May queue output. False
/// when it cannot be done so; nothing has been done then.
pub(super) fn pass(
    low: &mut ForkLow<'_>,
    (m, e, path): (&MessageRef<'_>, &Essentials, &Path),
    plan: &Plan,
) -> Result<bool, Error> {
    let cx = &mut *low.down.cx;
    let Some(via) = e.via.filter(|via| via.has_cookie(m.bytes()) && via.maddr.is_empty()) else {
        return Ok(false);
    };
    let reliable = path.flow.is_some() || cx.transport(path.local).is_reliable();
    if !cx.config.edge.stateless || reliable || way(cx, m, e, *plan) != Way::Direct {
        return Ok(false);
    }
    let mut scratch = core::mem::take(&mut cx.scratch);
    let written = write(low, m, path, plan, &mut scratch);
    let cx = &mut *low.down.cx;
    let block = written.map(|(len, to)| (cx.pool.copy_in(scratch.get(..len).unwrap_or(&[])), to));
    cx.scratch = scratch;
    let Some((block, to)) = block else { return Ok(false) };
    let block = block?;
    let back = way_back(m, &via, path.remote);
    let branch = branch(cx, m, &via, path.local, back);
    let stamped = stamp(cx, block, &to, &branch, (0, 0));
    cx.pool.release(block);
    let stamped = stamped?;
    let sent = cx.transmit(stamped, to, 0, 0);
    cx.pool.release(stamped);
    sent.map(|()| true)
}

/// Writes the copy and says where it goes, if that is known.
fn write(
    low: &ForkLow<'_>,
    m: &MessageRef<'_>,
    path: &Path,
    plan: &Plan,
    out: &mut [u8],
) -> Option<(usize, Path)> {
    let cx = &*low.down.cx;
    let survey = Survey::of(m, *plan);
    let (mut room, mut asserted) = ([0; URI_ROOM], [0; identity::ROOM]);
    let uri = plan.request_uri(m, &mut room);
    let target = Target { uri, ..Target::default() };
    let (leg, _) = leg_of(cx, low.down.flows, m, &survey, plan, target, path.local);
    let to = match (leg.device, &leg.hop) {
        _ if leg.lost => return None,
        (Some(device), _) => device,
        (None, Ok(Hop::Address { to, transport, name })) => {
            let local = resolve::identity(cx, *transport, to.ip, Some(path.local))?;
            let name = name.as_ref().map_or(&[][..], |n| n.as_bytes());
            let open = || low.down.flows.find(cx, *transport, *to, name);
            let flow = if transport.is_reliable() { Some(open()?) } else { None };
            Path { local, remote: *to, flow }
        }
        _ => return None,
    };
    let fields = OwnRoutes::of(cx, m, path.local, &leg, plan, is_secure(uri));
    let stream = cx.transport(to.local).is_reliable();
    let copy = Copy {
        plan: *plan,
        uri,
        path: b"",
        strict: None,
        record_route: fields.lines(),
        stream,
        source: Some(path.remote),
        realm: cx.config.challenge.own_realm(),
        identity: Identity::of(cx, m, plan.sender, &leg, &mut asserted),
        breadth: None,
    };
    let len = forward::write(m, &survey, &copy, out).ok()?;
    // RFC 3261 18.1.1: what is too long for a datagram takes a connection.
    let most = cx.config.datagram_max;
    (stream || most == 0 || len < most).then_some((len, to))
}

/// Forwards a response to what was forwarded so: its branch is the one that is computed from the Via
/// below. False when it is none. May queue output.
pub(super) fn pass_back(
    low: &mut ForkLow<'_>,
    m: &MessageRef<'_>,
    e: &Essentials,
) -> Result<bool, Error> {
    let cx = &mut *low.down.cx;
    let below = m.values(Name::Via).nth(1).and_then(|v| Via::parse(m.bytes(), v).ok());
    let Some((own, via)) = e.via.zip(below).filter(|_| cx.config.edge.stateless) else {
        return Ok(false);
    };
    let received = if via.received.is_empty() { via.host } else { via.received };
    let Some(ip) = parse_ip(m.text(received)) else { return Ok(false) };
    let back = way_back(m, &via, Addr::new(ip, via.rport.unwrap_or(via.port)));
    let made_here = |l: &&crate::path::LocalEntry| {
        !l.transport.is_reliable()
            && branch(cx, m, &via, l.id, back).as_bytes() == m.text(own.branch)
    };
    let Some(local) = cx.locals.iter().find(made_here).map(|l| l.id) else { return Ok(false) };
    // RFC 3261 18.1.2
    let transport = Some(cx.transport(local));
    if !back.is_sendable() || !cx.locals.is_ours(m.text(own.host), own.port, transport) {
        return Ok(false);
    }
    let Some(block) = response::without_via(cx, m, e)? else { return Ok(false) };
    let sent = cx.transmit(block, Path { local, remote: back, flow: None }, 0, 0);
    cx.pool.release(block);
    sent.map(|()| true)
}
