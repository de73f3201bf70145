//! One request to one target set: resolve, connect, stamp Via, send, fail over with a new branch.
//!
//! An attempt holds the request without Via; each try stamps a block of its own and starts a
//! transaction of its own. The owner sees the provisional responses and exactly one end: a final
//! response or a failure (a 2xx to an INVITE may repeat, straight from the transaction).

use core::net::IpAddr;

use crate::auth::Between;
use crate::cx::{Cx, write_error};
use crate::error::{Error, Limit};
use crate::flow::Flows;
use crate::limits::Limits;
use crate::path::{Addr, FlowId, LocalId, Path, Transport, port_text};
use crate::resolve::{self, Hop, NoWay};
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Owner, OwnerKind, QueryId};
use crate::store::slab::{Slab, handle};
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::tx::{Branch, Failure, LoopMark, Transactions, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;
use crate::wire::write::{WriteError, Writer};

handle!(
    /// A request on its way to a target set.
    AttemptHandle
);

/// A deferred end: it could not be told at once.
const TIMER_FAILED: u8 = kind::ATTEMPT;

const CANDIDATES: usize = 4;

/// What a Via of ours adds to a request, more or less.
const VIA: usize = 90;

/// The layers below, and what all layers share.
pub struct Down<'a> {
    /// The transactions.
    pub tx: &'a mut Transactions,
    /// The connections.
    pub flows: &'a mut Flows,
    /// What all share.
    pub cx: &'a mut Cx,
}

impl Down<'_> {
    /// The connection that a dialog's requests come by, if it leads to the next hop (RFC 3261
    /// 12.2.1.1): to the same host by the same transport, or to one that cannot be reached but so.
    pub(crate) fn flow_to(&self, flow: Option<FlowId>, hop: &Result<Hop, NoWay>) -> Option<FlowId> {
        let open = self.flows.get(self.cx, flow?)?;
        let leads = match hop {
            // RFC 7118 5: a WebSocket client is reached by its connection alone.
            _ if matches!(open.transport, Transport::Ws | Transport::Wss) => true,
            Ok(Hop::Address { to, transport, .. }) => {
                to.ip == open.remote.ip && *transport == open.transport
            }
            Ok(Hop::Name { .. }) => !self.cx.config.dns,
            Err(_) => true,
        };
        leads.then_some(open.id)
    }
}

/// What to send, and where.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// Who gets what comes back.
    pub owner: Owner,
    /// The request without Via; the attempt takes over the hold.
    pub request: BlockId,
    /// Its method.
    pub method: Method,
    /// The next hop.
    pub hop: Result<Hop, NoWay>,
    /// An identity whose network is preferred.
    pub near: Option<LocalId>,
    /// A connection to use as long as it is open, whatever the next hop says.
    pub flow: Option<FlowId>,
    /// The line whose credentials go along and which answers challenges; 0 for none.
    pub line: u64,
    /// What its branches end with, for one that is forwarded.
    pub mark: Option<LoopMark>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Asking(QueryId),
    Connecting(QueryId),
    Running(TxHandle),
    /// Challenged: a secret is being asked for.
    Proving(Option<QueryId>),
    Ended,
}

/// Whether a request that is too long for a datagram has been tried on a connection (RFC 3261
/// 18.1.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OnStream {
    Untried,
    Trying,
    Failed,
}

/// What an attempt that may be challenged remembers.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Proving {
    /// The response that challenges, while it is being answered.
    pub response: Option<BlockId>,
    /// The peer that sent it.
    pub peer: Option<IpAddr>,
    /// Its challenges that are done with, a bit each, and the one that a question is about.
    pub done: u16,
    pub at: u8,
    /// Whether one of them has been answered.
    pub answered: bool,
    /// The realms that have been answered; see `ua::credentials`.
    pub tried: [u32; 4],
}

#[derive(Debug)]
struct Attempt {
    owner: Owner,
    request: Option<BlockId>,
    name: Option<BlockId>,
    candidates: [(Addr, Transport); CANDIDATES],
    left: u8,
    next: u8,
    port: u16,
    method: Method,
    transport: Transport,
    near: Option<LocalId>,
    phase: Phase,
    answered: bool,
    cancelled: bool,
    on_stream: OnStream,
    timer: Option<TimerId>,
    why: Failure,
    line: u64,
    mark: Option<LoopMark>,
    /// The CSeq number in place of the request's own; 0 for none.
    cseq: u32,
    /// The connection that the last try went by.
    flow: Option<FlowId>,
    proving: Proving,
}

impl Attempt {
    /// The identity of ours that a request too long for a datagram is sent from (RFC 3261 18.1.1).
    fn wants_stream(&self, cx: &Cx, to: Addr) -> Option<LocalId> {
        let most = cx.config.datagram_max;
        let len = self.request.map_or(0, |b| cx.pool.bytes_of(b).len()) + VIA;
        let long = self.transport == Transport::Udp && most > 0 && len > most;
        if !long || self.on_stream != OnStream::Untried {
            return None;
        }
        resolve::identity(cx, Transport::Tcp, to.ip, self.near)
    }
}

/// What an attempt passes up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromAttempt {
    /// Nothing: it goes on.
    Nothing,
    /// A response for the owner. After a final one the attempt has ended.
    Response {
        /// The owner.
        owner: Owner,
        /// The transaction that it came to.
        tx: TxHandle,
    },
    /// The attempt has ended without a response.
    Failed {
        /// The owner.
        owner: Owner,
        /// Why.
        why: Failure,
    },
    /// An ACK has been sent; the receiver takes over a hold on the block, to repeat it.
    AckSent {
        /// The owner.
        owner: Owner,
        /// What was sent.
        block: BlockId,
        /// Where to.
        path: Path,
    },
}

/// The table of attempts.
#[derive(Debug)]
pub struct Attempts {
    slab: Slab<AttemptHandle, Attempt>,
}

impl Attempts {
    pub(crate) fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        Ok(Self { slab: Slab::new(limits.attempts, tag, Limit::Attempts)? })
    }

    pub(crate) const fn bytes(limits: &Limits) -> usize {
        Slab::<AttemptHandle, Attempt>::bytes(limits.attempts)
    }

    /// How many are on their way.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether none is on its way.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// How many more can start.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.slab.room()
    }

    /// Sends a request. Queues output. If there is no way to the next hop, the end is told from a
    /// timer due now, so that the owner always has its handle first. An ACK may be sent at once
    /// and is then in the second part of what returns.
    pub fn start(
        &mut self,
        down: &mut Down<'_>,
        start: &Start,
    ) -> Result<(AttemptHandle, FromAttempt), Error> {
        let attempt = Attempt {
            owner: start.owner,
            request: Some(start.request),
            name: None,
            candidates: [(Addr::default(), Transport::Udp); CANDIDATES],
            left: 0,
            next: 0,
            port: 0,
            method: start.method,
            transport: Transport::Udp,
            near: start.near,
            phase: Phase::Ended,
            answered: false,
            cancelled: false,
            on_stream: OnStream::Untried,
            timer: None,
            why: Failure::Transport,
            line: start.line,
            mark: start.mark,
            cseq: 0,
            flow: None,
            proving: Proving::default(),
        };
        let h = match self.slab.insert(attempt) {
            Ok(h) => h,
            Err(e) => {
                down.cx.pool.release(start.request);
                return Err(e);
            }
        };
        let open = start.flow.and_then(|id| down.flows.get(down.cx, id)).filter(|f| !f.closing);
        let sent = match open.map(|f| (f.path(), f.transport)) {
            Some((path, transport)) => {
                self.set(h, |a| a.transport = transport);
                self.send(down, h, path)
            }
            None => self.resolve(down, h, start.hop),
        };
        match sent {
            Ok(from) => Ok((h, from)),
            Err(e) => {
                self.end(down, h);
                Err(e)
            }
        }
    }

    fn set(&mut self, h: AttemptHandle, f: impl FnOnce(&mut Attempt)) {
        if let Some(a) = self.slab.get_mut(h) {
            f(a);
        }
    }

    fn resolve(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        hop: Result<Hop, NoWay>,
    ) -> Result<FromAttempt, Error> {
        match hop {
            Ok(Hop::Address { to, transport, name }) => {
                let name = name.map(|n| down.cx.pool.copy_in(n.as_bytes())).transpose()?;
                self.set(h, |a| {
                    a.candidates = [(to, transport); CANDIDATES];
                    a.left = 1;
                    a.transport = transport;
                    a.name = name;
                });
                self.try_next(down, h)
            }
            Ok(Hop::Name { name, port, transport, open }) if down.cx.config.dns => {
                // RFC 3263 4.1: the answer may choose TLS, which verifies this name.
                let kept = down.cx.pool.copy_in(name.as_bytes())?;
                self.set(h, |a| {
                    a.port = if port == 0 { transport.default_port() } else { port };
                    a.transport = transport;
                    a.name = Some(kept);
                });
                let asker = Owner::new(OwnerKind::Attempt, h.raw());
                let about = (Addr { port, ..Addr::default() }, transport);
                let query =
                    down.cx.ask(Ask::Dns, asker, name.as_bytes(), about, u64::from(open))?;
                self.set(h, |a| a.phase = Phase::Asking(query));
                Ok(FromAttempt::Nothing)
            }
            Ok(Hop::Name { .. }) => self.fail_soon(down, h, Failure::Transport),
            Err(NoWay::Scheme | NoWay::Transport | NoWay::Host) => {
                self.fail_soon(down, h, Failure::Transport)
            }
        }
    }

    fn fail_soon(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        why: Failure,
    ) -> Result<FromAttempt, Error> {
        let key = TimerKey { kind: TIMER_FAILED, object: h.raw() };
        let now = down.cx.now;
        if let Some(a) = self.slab.get_mut(h) {
            a.why = why;
            a.phase = Phase::Ended;
            if let Some(old) = a.timer.take() {
                down.cx.timers.cancel(old);
            }
            a.timer = Some(down.cx.timers.arm(now, key)?);
        }
        Ok(FromAttempt::Nothing)
    }

    /// Goes on with the next candidate, or fails: also where there is no room to go on, since
    /// nothing would come back to it.
    fn go_on(&mut self, down: &mut Down<'_>, h: AttemptHandle) -> Result<FromAttempt, Error> {
        match self.try_next(down, h) {
            Err(_) => self.fail_soon(down, h, Failure::Transport),
            done => done,
        }
    }

    fn try_next(&mut self, down: &mut Down<'_>, h: AttemptHandle) -> Result<FromAttempt, Error> {
        loop {
            let Some(a) = self.slab.get_mut(h) else { return Ok(FromAttempt::Nothing) };
            if a.on_stream == OnStream::Trying {
                (a.on_stream, a.transport) = (OnStream::Failed, Transport::Udp);
            }
            let why = a.why;
            if a.left == 0 || a.cancelled {
                return self.fail_soon(down, h, why);
            }
            let Some((to, transport)) = a.candidates.get(usize::from(a.next)).copied() else {
                return self.fail_soon(down, h, Failure::Transport);
            };
            a.transport = transport;
            if let Some(local) = a.wants_stream(down.cx, to) {
                (a.on_stream, a.transport) = (OnStream::Trying, Transport::Tcp);
                return match down.flows.find(down.cx, Transport::Tcp, to, &[]) {
                    Some(flow) => self.send(down, h, Path { local, remote: to, flow: Some(flow) }),
                    None => match self.connect(down, h, to) {
                        Err(_) => continue,
                        done => done,
                    },
                };
            }
            a.left -= 1;
            a.next += 1;
            let (transport, near) = (a.transport, a.near);
            let name = a.name.filter(|_| transport.is_secure());
            let Some(local) = resolve::identity(down.cx, transport, to.ip, near) else { continue };
            if !transport.is_reliable() {
                return self.send(down, h, Path { local, remote: to, flow: None });
            }
            let text = name.map_or(&[][..], |b| down.cx.pool.bytes_of(b));
            if let Some(flow) = down.flows.find(down.cx, transport, to, text) {
                return self.send(down, h, Path { local, remote: to, flow: Some(flow) });
            }
            return self.connect(down, h, to);
        }
    }

    fn connect(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        to: Addr,
    ) -> Result<FromAttempt, Error> {
        let Some(a) = self.slab.get_mut(h) else { return Ok(FromAttempt::Nothing) };
        let asker = Owner::new(OwnerKind::Attempt, h.raw());
        let query = down.cx.ask(Ask::Connect, asker, &[], (to, a.transport), 0)?;
        let name = a.name.filter(|_| a.transport.is_secure());
        if let Some(q) = down.cx.queries.get_mut(query) {
            q.text = name;
        }
        if let Some(block) = name {
            down.cx.pool.hold(block);
        }
        a.phase = Phase::Connecting(query);
        Ok(FromAttempt::Nothing)
    }

    /// Stamps Via and sends.
    fn send(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        path: Path,
    ) -> Result<FromAttempt, Error> {
        let a = self.slab.live_mut(h)?;
        let Some(request) = a.request else { return Ok(FromAttempt::Nothing) };
        if a.on_stream == OnStream::Trying {
            a.transport = Transport::Udp;
            a.left = a.left.saturating_sub(1);
            a.next = a.next.saturating_add(1);
        }
        a.on_stream = OnStream::Untried;
        let branch = Transactions::new_branch(down.cx);
        let branch = a.mark.map_or(branch, |mark| branch.with(mark));
        let line = if a.method == Method::Ack { 0 } else { a.line };
        a.flow = path.flow;
        let stamped = stamp(down.cx, request, &path, &branch, (line, a.cseq))?;
        // One that may be challenged is sent again.
        if a.left == 0 && line == 0 {
            down.cx.pool.release(request);
            a.request = None;
        }
        if a.method == Method::Ack {
            let owner = a.owner;
            let sent = down.cx.transmit(stamped, path, 0, 0);
            self.end(down, h);
            if let Err(e) = sent {
                down.cx.pool.release(stamped);
                return Err(e);
            }
            return Ok(FromAttempt::AckSent { owner, block: stamped, path });
        }
        let owner = Owner::new(OwnerKind::Attempt, h.raw());
        let tx = down.tx.start_client(down.cx, owner, stamped, a.method, branch, path)?;
        a.phase = Phase::Running(tx);
        Ok(FromAttempt::Nothing)
    }

    /// The addresses of the name have come, or a connection has opened.
    pub fn on_answer(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        answer: &Answer<'_>,
    ) -> Result<FromAttempt, Error> {
        let Some(a) = self.slab.get_mut(h) else { return Ok(FromAttempt::Nothing) };
        if let Answer::Connected(id) = *answer {
            let name = a.name.map_or(&[][..], |b| down.cx.pool.bytes_of(b));
            let named = a.transport.is_secure() && !name.is_empty();
            // Whoever opened it: a secure connection is to whom it was asked for (RFC 5922 7).
            let open = down.flows.get(down.cx, id).filter(|f| {
                f.transport == a.transport && (!named || down.flows.is_verified(down.cx, id, name))
            });
            let Some(path) = open.map(crate::flow::Flow::path) else {
                return self.go_on(down, h);
            };
            return match self.send(down, h, path) {
                Err(_) => self.fail_soon(down, h, Failure::Transport),
                done => done,
            };
        }
        if matches!(a.phase, Phase::Asking(_)) {
            let (port, transport) = (a.port, a.transport);
            let (ips, hops): (&[IpAddr], &[(Addr, Transport)]) = match *answer {
                Answer::Addresses(list, _) => (list, &[]),
                Answer::Hops(list, _) => (&[], list),
                _ => (&[], &[]),
            };
            let ips = ips.iter().map(|ip| (Addr::new(*ip, port), transport));
            let usable = ips.chain(hops.iter().copied()).filter(|(to, _)| to.is_sendable());
            let mut n = 0u8;
            for (place, hop) in a.candidates.iter_mut().zip(usable) {
                *place = hop;
                n += 1;
            }
            (a.left, a.next, a.phase) = (n, 0, Phase::Ended);
            let secure = a.candidates.iter().take(usize::from(n)).any(|(_, t)| t.is_secure());
            if let Some(name) = a.name.take_if(|_| !secure) {
                down.cx.pool.release(name);
            }
        }
        self.go_on(down, h)
    }

    /// A response came to the attempt's transaction.
    pub fn on_response(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        tx: TxHandle,
        status: u16,
    ) -> Result<FromAttempt, Error> {
        let Some(a) = self.slab.get_mut(h) else { return Ok(FromAttempt::Nothing) };
        let owner = a.owner;
        if status < 200 {
            a.answered = true;
            // Nobody challenges a request that has got through.
            if status > 100
                && let Some(request) = a.request.take()
            {
                down.cx.pool.release(request);
            }
            return Ok(FromAttempt::Response { owner, tx });
        }
        // RFC 3263 4.3: 503 tries the next address; RFC 3261 16.7 step 6 does not relay it.
        if status == 503 && a.left > 0 && a.request.is_some() && !a.cancelled {
            a.answered = false;
            down.tx.set_owner(tx, Owner::default());
            a.phase = Phase::Ended;
            a.why = Failure::Transport;
            return self.go_on(down, h);
        }
        // Whatever follows (more 2xx from a fork) goes straight to the owner.
        down.tx.set_owner(tx, owner);
        self.end(down, h);
        Ok(FromAttempt::Response { owner, tx })
    }

    /// The attempt's transaction has failed.
    pub fn on_failure(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        why: Failure,
    ) -> Result<FromAttempt, Error> {
        let Some(a) = self.slab.get_mut(h) else { return Ok(FromAttempt::Nothing) };
        a.phase = Phase::Ended;
        a.why = why;
        if a.left > 0 && !a.answered && !a.cancelled {
            return self.go_on(down, h);
        }
        let owner = a.owner;
        self.end(down, h);
        Ok(FromAttempt::Failed { owner, why })
    }

    /// A timer of an attempt has fired.
    pub fn on_timer(&mut self, down: &mut Down<'_>, key: TimerKey) -> FromAttempt {
        let h = AttemptHandle::from_raw(key.object);
        let Some(a) = self.slab.get_mut(h) else { return FromAttempt::Nothing };
        a.timer = None;
        let (owner, why) = (a.owner, a.why);
        self.end(down, h);
        FromAttempt::Failed { owner, why }
    }

    /// Gives up: a CANCEL for an INVITE that runs, silence for what is not sent yet. The end still
    /// comes: within 64*T1 of the CANCEL (RFC 3261 9.1) its transaction fails. May queue output.
    pub fn cancel(&mut self, down: &mut Down<'_>, h: AttemptHandle) -> Result<(), Error> {
        let a = self.slab.live_mut(h)?;
        if a.cancelled {
            return Ok(());
        }
        match a.phase {
            Phase::Running(tx) if a.method == Method::Invite => {
                match down.tx.cancel(down.cx, tx, Owner::default()) {
                    Ok(_) | Err(Error::Late) => {}
                    Err(e) => return Err(e),
                }
                a.cancelled = true;
            }
            Phase::Asking(query) | Phase::Connecting(query) => {
                a.cancelled = true;
                down.cx.forget_query(query);
                self.fail_soon(down, h, Failure::Cancelled)?;
            }
            Phase::Proving(query) => {
                a.cancelled = true;
                if let Some(query) = query {
                    down.cx.forget_query(query);
                }
                self.fail_soon(down, h, Failure::Cancelled)?;
            }
            Phase::Running(_) | Phase::Ended => a.cancelled = true,
        }
        Ok(())
    }

    /// Ends an attempt without a word to its owner, who has ended. An INVITE that runs is cancelled:
    /// answered provisionally and never finally, it would run for ever. May queue output.
    pub fn end(&mut self, down: &mut Down<'_>, h: AttemptHandle) {
        let Some(a) = self.slab.remove(h) else { return };
        for block in [a.request, a.name, a.proving.response].into_iter().flatten() {
            down.cx.pool.release(block);
        }
        if let Some(timer) = a.timer {
            down.cx.timers.cancel(timer);
        }
        match a.phase {
            Phase::Asking(query) | Phase::Connecting(query) | Phase::Proving(Some(query)) => {
                down.cx.forget_query(query);
            }
            Phase::Running(tx) => {
                if down.tx.owner(tx).is_some_and(|o| o == Owner::new(OwnerKind::Attempt, h.raw())) {
                    down.tx.set_owner(tx, Owner::default());
                    if a.method == Method::Invite {
                        // Late when it has its final response.
                        let _ = down.tx.cancel(down.cx, tx, Owner::default());
                    }
                }
            }
            Phase::Ended | Phase::Proving(None) => {}
        }
    }

    /// The bytes of the request that another try would send.
    #[must_use]
    pub(crate) fn request_len(&self, cx: &Cx, h: AttemptHandle) -> usize {
        let Some(a) = self.slab.get(h) else { return 0 };
        let credentials = if a.line == 0 { 0 } else { CREDENTIALS };
        a.request.map_or(0, |b| cx.pool.bytes_of(b).len() + credentials)
    }

    /// Line, owner, request and CSeq number (0: the request's own) of an attempt whose challenge
    /// may be answered.
    pub(crate) fn provable(&self, h: AttemptHandle) -> Option<(u64, Owner, BlockId, u32)> {
        let a = self.slab.get(h).filter(|a| a.line != 0 && !a.cancelled)?;
        Some((a.line, a.owner, a.request?, a.cseq))
    }

    /// What it remembers of challenges.
    pub(crate) fn proving(&self, h: AttemptHandle) -> Option<&Proving> {
        self.slab.get(h).map(|a| &a.proving)
    }

    /// What it remembers of challenges.
    pub(crate) fn proving_mut(&mut self, h: AttemptHandle) -> Option<&mut Proving> {
        self.slab.get_mut(h).map(|a| &mut a.proving)
    }

    /// The challenge in `response`, whose hold is taken over, came from `peer` to its transaction,
    /// which has ended with that. The attempt waits for [`resend`](Self::resend).
    pub(crate) fn challenged(&mut self, h: AttemptHandle, response: BlockId, peer: IpAddr) {
        if let Some(a) = self.slab.get_mut(h) {
            let tried = a.proving.tried;
            let (response, peer) = (Some(response), Some(peer));
            a.proving = Proving { response, peer, tried, ..Proving::default() };
            a.phase = Phase::Proving(None);
            a.answered = false;
        }
    }

    /// A question for a secret is open.
    pub(crate) fn asking(&mut self, h: AttemptHandle, query: QueryId) {
        self.set(h, |a| a.phase = Phase::Proving(Some(query)));
    }

    /// That question has been answered. False where the attempt waits for nothing any more.
    pub(crate) fn asked(&mut self, h: AttemptHandle) -> bool {
        let waits = |a: &mut Attempt| {
            let waits = matches!(a.phase, Phase::Proving(_)) && !a.cancelled;
            if waits {
                a.phase = Phase::Proving(None);
            }
            waits
        };
        self.slab.get_mut(h).is_some_and(waits)
    }

    /// Takes the response that challenges back.
    pub(crate) fn take_challenge(&mut self, h: AttemptHandle) -> Option<BlockId> {
        self.slab.get_mut(h)?.proving.response.take()
    }

    /// Sends the request again with this CSeq number and what credentials there are now, to where it
    /// was challenged. May queue output.
    pub(crate) fn resend(
        &mut self,
        down: &mut Down<'_>,
        h: AttemptHandle,
        cseq: u32,
    ) -> Result<FromAttempt, Error> {
        if let Some(response) = self.take_challenge(h) {
            down.cx.pool.release(response);
        }
        let a = self.slab.live_mut(h)?;
        a.cseq = cseq;
        a.phase = Phase::Ended;
        a.why = Failure::Transport;
        let open = a.flow.and_then(|id| down.flows.get(down.cx, id)).filter(|f| !f.closing);
        let path = open.map(|f| f.path());
        if let Some(path) = path {
            return match self.send(down, h, path) {
                Err(_) => self.fail_soon(down, h, Failure::Transport),
                done => done,
            };
        }
        if let Some(last) = a.next.checked_sub(1) {
            a.next = last;
            a.left = a.left.saturating_add(1);
        }
        self.go_on(down, h)
    }

    /// Its request is this one from now on, whose hold is taken over: for [`resend`](Self::resend)
    /// after a refusal that says what to change.
    pub(crate) fn replace(&mut self, cx: &mut Cx, h: AttemptHandle, request: BlockId) {
        let old = match self.slab.get_mut(h) {
            Some(a) => {
                a.answered = false;
                a.request.replace(request)
            }
            None => Some(request),
        };
        if let Some(old) = old {
            cx.pool.release(old);
        }
    }

    /// Whose request it is.
    pub(crate) fn owner(&self, h: AttemptHandle) -> Option<Owner> {
        self.slab.get(h).map(|a| a.owner)
    }

    /// Whether it is still on its way.
    #[must_use]
    pub(crate) fn lives(&self, h: AttemptHandle) -> bool {
        self.slab.get(h).is_some()
    }

    /// The transaction that runs for it.
    #[must_use]
    pub fn transaction(&self, h: AttemptHandle) -> Option<TxHandle> {
        match self.slab.get(h)?.phase {
            Phase::Running(tx) => Some(tx),
            _ => None,
        }
    }
}

/// Bytes by which credentials make a request longer.
const CREDENTIALS: usize = 500;

/// The request with a Via of ours on top (RFC 3261 8.1.1.7, 16.6 step 8, 18.1.1; RFC 3581 3), the
/// credentials of a line for the peer of `path` (22.3), and another CSeq number unless that is 0.
pub(crate) fn stamp(
    cx: &mut Cx,
    request: BlockId,
    path: &Path,
    branch: &Branch,
    (line, cseq): (u64, u32),
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, locals, keyring, .. } = cx;
    let entry = locals.get(path.local).ok_or(Error::Misuse(crate::error::Misuse::Local))?;
    let source = pool.bytes_of(request);
    let line_end = memchr::memchr(b'\n', source).map_or(source.len(), |i| i + 1);
    let (start, rest) = source.split_at_checked(line_end).unwrap_or((source, &[]));
    let mut port = [0u8; 6];
    let port = if entry.port == 0 { &[][..] } else { port_text(entry.port, &mut port) };
    let via = [
        b"Via: SIP/2.0/",
        entry.transport.as_str().as_bytes(),
        b" ",
        entry.host(),
        port,
        b";branch=",
        branch.as_bytes(),
        b";rport\r\n",
    ];
    let between = Between { line, peer: path.remote.ip };
    if cseq != 0 || (line != 0 && keyring.has(between)) {
        let m = MessageRef::lazy(source).ok_or(Error::Gone)?;
        let mut w = Writer::new(scratch);
        let written = [start]
            .iter()
            .chain(&via)
            .try_for_each(|p| w.push(p))
            .and_then(|()| keyring.write(pool, between, &m, &mut w))
            .and_then(|()| with_cseq(&mut w, &m, rest, cseq));
        written.map_err(write_error)?;
        let len = w.len();
        return pool.copy_in(scratch.get(..len).unwrap_or(&[]));
    }
    let (head, len) = (start.len(), via.iter().map(|p| p.len()).sum::<usize>() + source.len());
    if len > usize::from(u16::MAX) {
        return Err(Error::Full(Limit::MessageBytes));
    }
    let block = pool.take(len)?;
    pool.read_write(request, block, |from, to| {
        let (start, rest) = from.split_at_checked(head).unwrap_or((from, &[]));
        let mut at = 0;
        for part in [start].into_iter().chain(via).chain([rest]) {
            let end = at + part.len();
            if let Some(place) = to.get_mut(at..end) {
                place.copy_from_slice(part);
            }
            at = end;
        }
    });
    Ok(block)
}

/// The end `rest` of `m` with the CSeq number `cseq`, or its own for 0.
fn with_cseq(
    w: &mut Writer<'_>,
    m: &MessageRef<'_>,
    rest: &[u8],
    cseq: u32,
) -> Result<(), WriteError> {
    let value = m.header_span(Name::CSeq).filter(|_| cseq != 0);
    let Some(start) = value.map(|v| v.start()) else { return w.push(rest) };
    let bytes = m.bytes();
    let digits = bytes.get(start..).unwrap_or(&[]);
    let end = start + digits.iter().position(|c| !c.is_ascii_digit()).unwrap_or(0);
    w.push(bytes.get(bytes.len() - rest.len()..start).unwrap_or(&[]))?;
    w.value(Name::CSeq).number(cseq)?;
    w.push(bytes.get(end..).unwrap_or(&[]))
}
