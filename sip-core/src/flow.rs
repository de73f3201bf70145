//! Connections: who is at the other end, where the next message in their stream begins, and when
//! a half message has waited too long.

use alloc::vec::Vec;

use crate::cx::Cx;
use crate::error::{Error, Limit, Misuse};
use crate::path::{Addr, FlowId, LocalId, Path, Transport};
use crate::store::index::{Index, Key};
use crate::store::reserve;
use crate::store::slab::{Slab, handle};
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::wire::framer::Framer;
use crate::wire::limits::WireLimits;

handle!(
    /// A place in the table of connections.
    FlowSlot
);

/// Half a message waits for its rest.
pub(crate) const TIMER_PARTIAL: u8 = kind::FLOW;
/// The transactions of a lost flow are worked off.
pub(crate) const TIMER_LOST: u8 = kind::FLOW + 1;

/// What is known of a connection that has opened.
#[derive(Clone, Copy, Debug)]
pub struct FlowInfo<'a> {
    /// The identity at our end.
    pub local: LocalId,
    /// The peer's address.
    pub remote: Addr,
    /// The transport.
    pub transport: Transport,
    /// Whether the peer opened it.
    pub accepted: bool,
    /// The names that TLS verified; empty without TLS.
    pub names: &'a [&'a str],
}

/// Why a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum FlowEnd {
    /// The peer closed it.
    Closed = 1,
    /// It was reset, or writing failed.
    Reset = 2,
    /// We closed it, asked by `Output::Close`.
    Asked = 3,
}

/// A connection.
#[derive(Debug)]
pub struct Flow {
    /// The caller's number.
    pub id: FlowId,
    /// The identity at our end.
    pub local: LocalId,
    /// The peer's address.
    pub remote: Addr,
    /// The transport.
    pub transport: Transport,
    /// Whether the peer opened it.
    pub accepted: bool,
    /// Keyed marks of the names that TLS verified.
    names: [u64; 4],
    pub(crate) framer: Framer,
    partial: Option<TimerId>,
    /// It is to be closed: nothing more is taken from it.
    pub(crate) closing: bool,
}

impl Flow {
    /// The way to the peer.
    #[must_use]
    pub const fn path(&self) -> Path {
        Path { local: self.local, remote: self.remote, flow: Some(self.id) }
    }
}

/// A lost flow whose transactions are still to be told.
#[derive(Clone, Copy, Debug)]
struct Lost {
    id: FlowId,
    next: u32,
}

/// The table of connections.
#[derive(Debug)]
pub struct Flows {
    flows: Slab<FlowSlot, Flow>,
    by_id: Index,
    by_remote: Index,
    lost: Vec<Lost>,
    highest: u64,
}

impl Flows {
    pub(crate) fn new(max: usize) -> Result<Self, Error> {
        Ok(Self {
            flows: Slab::new(max, 0, Limit::Flows)?,
            by_id: Index::new(max)?,
            by_remote: Index::new(max)?,
            lost: reserve(max)?,
            highest: 0,
        })
    }

    pub(crate) const fn bytes(max: usize) -> usize {
        Slab::<FlowSlot, Flow>::bytes(max) + max * size_of::<Lost>() + 2 * Index::bytes(max)
    }

    fn id_key(cx: &Cx, id: FlowId) -> Key {
        cx.keyer.start(b'F').number(id.0).finish()
    }

    fn remote_key(cx: &Cx, transport: Transport, remote: Addr) -> Key {
        let ip = match remote.ip {
            core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            core::net::IpAddr::V6(ip) => ip.octets(),
        };
        let port = (u64::from(remote.scope) << 32) | u64::from(remote.port);
        cx.keyer.start(b'R').number(transport as u64).part(&ip).number(port).finish()
    }

    fn name_mark(cx: &Cx, name: &[u8]) -> u64 {
        cx.keyer.start(b'N').part_no_case(name).finish().short() | 1
    }

    fn slot(&self, cx: &Cx, id: FlowId) -> Option<FlowSlot> {
        self.by_id.get(Self::id_key(cx, id)).map(FlowSlot::from_raw)
    }

    /// A connection has opened, accepted or asked for.
    pub(crate) fn opened(
        &mut self,
        cx: &Cx,
        id: FlowId,
        info: &FlowInfo<'_>,
        wire: &WireLimits,
    ) -> Result<(), Error> {
        // Numbers grow, so that none names two connections in an engine's life.
        if id.0 <= self.highest {
            return Err(Error::Misuse(Misuse::Flow));
        }
        // The identity stamps Via: it must be of the connection's transport.
        if cx.locals.get(info.local).is_none_or(|l| l.transport != info.transport) {
            return Err(Error::Misuse(Misuse::Local));
        }
        let mut names = [0; 4];
        for (mark, name) in names.iter_mut().zip(info.names) {
            *mark = Self::name_mark(cx, name.as_bytes());
        }
        let flow = Flow {
            id,
            local: info.local,
            remote: info.remote,
            transport: info.transport,
            accepted: info.accepted,
            names,
            framer: Framer::new(wire),
            partial: None,
            closing: false,
        };
        let slot = self.flows.insert(flow)?;
        self.highest = id.0;
        self.by_id.insert(Self::id_key(cx, id), slot.raw());
        self.by_remote.insert(Self::remote_key(cx, info.transport, info.remote), id.0);
        Ok(())
    }

    /// A connection has ended. Its transactions are told one by one, from a timer due now.
    pub(crate) fn closed(&mut self, cx: &mut Cx, id: FlowId) -> Result<(), Error> {
        let slot = self.slot(cx, id).ok_or(Error::Gone)?;
        let flow = self.flows.remove(slot).ok_or(Error::Gone)?;
        self.by_id.remove(Self::id_key(cx, id), slot.raw());
        self.by_remote.remove(Self::remote_key(cx, flow.transport, flow.remote), id.0);
        if let Some(timer) = flow.partial {
            cx.timers.cancel(timer);
        }
        if self.lost.len() < self.lost.capacity() {
            self.lost.push(Lost { id, next: 0 });
            cx.timers.arm(cx.now, TimerKey { kind: TIMER_LOST, object: id.0 })?;
        }
        Ok(())
    }

    /// Where the work on a lost flow goes on, if it is one.
    pub(crate) fn lost(&mut self, id: FlowId) -> Option<&mut u32> {
        self.lost.iter_mut().find(|l| l.id == id).map(|l| &mut l.next)
    }

    /// The work on a lost flow is done.
    pub(crate) fn lost_done(&mut self, id: FlowId) {
        self.lost.retain(|l| l.id != id);
    }

    /// The connection.
    #[must_use]
    pub fn get(&self, cx: &Cx, id: FlowId) -> Option<&Flow> {
        self.flows.get(self.slot(cx, id)?)
    }

    pub(crate) fn get_mut(&mut self, cx: &Cx, id: FlowId) -> Option<&mut Flow> {
        let slot = self.slot(cx, id)?;
        self.flows.get_mut(slot)
    }

    /// An open connection to `remote`; with `name`, one whose verified names hold it (RFC 5922 7).
    #[must_use]
    pub fn find(&self, cx: &Cx, transport: Transport, remote: Addr, name: &[u8]) -> Option<FlowId> {
        let id = FlowId(self.by_remote.get(Self::remote_key(cx, transport, remote))?);
        self.get(cx, id).filter(|f| !f.closing)?;
        let named = transport.is_secure() && !name.is_empty();
        (!named || self.is_verified(cx, id, name)).then_some(id)
    }

    /// Whether TLS has verified that the peer of `id` is `name` (RFC 5922 7).
    pub(crate) fn is_verified(&self, cx: &Cx, id: FlowId, name: &[u8]) -> bool {
        let mark = Self::name_mark(cx, name);
        self.get(cx, id).is_some_and(|f| f.names.contains(&mark))
    }

    /// Half a message is waiting (or no longer): the clock of 64*T1 starts, or stops.
    pub(crate) fn set_partial(
        &mut self,
        cx: &mut Cx,
        id: FlowId,
        partial: bool,
    ) -> Result<(), Error> {
        let wait = cx.config.t1.saturating_mul(64);
        let Some(flow) = self.slot(cx, id).and_then(|s| self.flows.get_mut(s)) else {
            return Ok(());
        };
        match (partial, flow.partial) {
            (true, None) => {
                let key = TimerKey { kind: TIMER_PARTIAL, object: id.0 };
                flow.partial = Some(cx.timers.arm(cx.now.after(wait), key)?);
            }
            (false, Some(timer)) => {
                cx.timers.cancel(timer);
                flow.partial = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// The clock of half a message has run out.
    pub(crate) fn partial_fired(&mut self, cx: &Cx, id: FlowId) {
        if let Some(flow) = self.get_mut(cx, id) {
            flow.partial = None;
        }
    }

    /// How many are open.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.flows.len()
    }

    /// Whether none is open.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.flows.is_empty()
    }
}
