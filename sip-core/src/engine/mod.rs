//! The engine: the facade over all layers.

pub mod input;
mod need;
pub mod output;
mod query;
mod route;
mod settings;
pub mod shard;
pub mod stats;
mod timers;
mod verbs;

use crate::attempt::{Attempts, Down};
use crate::config::Config;
use crate::cx::Cx;
use crate::dialog::Dialogs;
use crate::error::{Error, Ignored, Limit, Misuse, Seen};
use crate::flow::Flows;
use crate::limits::Limits;
use crate::path::{FlowId, Local, LocalId, Path};
use crate::proxy::{ForkLow, Forks};
use crate::registrar::Registrar;
use crate::store::pool::BlockId;
use crate::store::queries::QueryId;
use crate::store::ring::Record;
use crate::time::Instant;
use crate::tx::{Transactions, TxHandle};
use crate::ua::{Low, Ua};
use crate::wire::framer::Frame;
use crate::wire::limits::WireLimits;
use crate::wire::{Framing, Index, MessageRef, parse};

use input::{Done, FlowEnd, FlowInfo, Input, SendEnd};
use output::{Answer, CallHandle, CallInfo, Output};
pub use stats::Stats;

/// A SIP engine that does no I/O: bytes and the time go in; bytes to send, questions and events
/// come out.
///
/// After every input call [`poll`](Self::poll) until it returns `None`, do what it says, and sleep
/// until [`next_timeout`](Self::next_timeout).
pub struct Engine {
    index: Index,
    wire: WireLimits,
    core: Core,
    /// The block that the last `poll` lent.
    lent: Option<BlockId>,
}

/// All layers. Apart from the scratch index, so that a layer may work while a message is alive.
pub(crate) struct Core {
    cx: Cx,
    flows: Flows,
    tx: Transactions,
    attempts: Attempts,
    dialogs: Dialogs,
    ua: Ua,
    forks: Forks,
    registrar: Registrar,
    counts: stats::Counts,
    /// A shutdown goes on.
    closing: bool,
    /// Nothing new is taken.
    draining: bool,
}

/// The bytes that an engine with these limits reserves, before any is taken. What the caller's
/// `Config` itself holds is the caller's.
#[must_use]
pub const fn footprint(limits: &Limits) -> usize {
    Index::bytes(&limits.wire)
        + Cx::bytes(limits)
        + Flows::bytes(limits.flows)
        + Transactions::bytes(limits)
        + Attempts::bytes(limits)
        + Dialogs::bytes(limits)
        + Ua::bytes(limits)
        + Forks::bytes(limits)
        + Registrar::bytes(limits)
}

impl Core {
    pub(crate) fn low(&mut self) -> (&mut Ua, Low<'_>) {
        let down = Down { tx: &mut self.tx, flows: &mut self.flows, cx: &mut self.cx };
        let low = Low { dialogs: &mut self.dialogs, attempts: &mut self.attempts, down };
        (&mut self.ua, low)
    }

    pub(crate) fn fork_low(&mut self) -> (&mut Forks, ForkLow<'_>) {
        let down = Down { tx: &mut self.tx, flows: &mut self.flows, cx: &mut self.cx };
        (&mut self.forks, ForkLow::new(&mut self.attempts, down))
    }
}

impl Engine {
    /// Makes an engine and reserves all its memory. `Misuse` for a seed of zeros or a limit out of
    /// range, `Full(Memory)` if the memory cannot be had.
    pub fn new(config: Config, limits: &Limits) -> Result<Self, Error> {
        if !limits.usable() {
            return Err(Error::Misuse(Misuse::BadLimit));
        }
        let roles = config.roles;
        if (roles.proxy && !cfg!(feature = "proxy"))
            || (roles.registrar && !cfg!(feature = "registrar"))
        {
            return Err(Error::Misuse(Misuse::NotBuilt));
        }
        settings::check(&config, limits.nonces > 0)?;
        let tag = config.tag;
        let index = Index::new(&limits.wire).map_err(|_| Error::Full(Limit::Memory))?;
        let core = Core {
            cx: Cx::new(config, limits)?,
            flows: Flows::new(limits.flows)?,
            tx: Transactions::new(limits, tag)?,
            attempts: Attempts::new(limits, tag)?,
            dialogs: Dialogs::new(limits, tag)?,
            ua: Ua::new(limits, tag)?,
            forks: Forks::new(limits, tag)?,
            registrar: Registrar::new(limits, tag)?,
            counts: stats::Counts::default(),
            closing: false,
            draining: false,
        };
        Ok(Self { index, wire: limits.wire, core, lent: None })
    }

    /// Takes one input: what the method of its name does, with its clause, states and errors. One
    /// that is refused has changed nothing. May queue output: call `poll`.
    pub fn apply(&mut self, now: Instant, input: &Input<'_>) -> Result<Done, Error> {
        self.tick(now);
        match *input {
            Input::Receive { path, message } => self.take_datagram(&path, message).map(Done::Seen),
            Input::ReceiveStream { flow, bytes } => self.take_stream(flow, bytes).map(Done::Taken),
            Input::FlowOpened { flow, info } => self
                .core
                .flows
                .opened(&self.core.cx, flow, &info, &self.wire)
                .map(|()| Done::Nothing),
            Input::FlowClosed { flow, .. } => {
                self.core.flows.closed(&mut self.core.cx, flow).map(|()| Done::Nothing)
            }
            Input::SendFailed { send, .. } => self.core.send_failed(send).map(|()| Done::Nothing),
            Input::SetLocal { local, entry } => {
                self.core.cx.locals.set(local, &entry).map(|()| Done::Nothing)
            }
            Input::HandleTimeout => self.core.work().map(|()| Done::Nothing),
            Input::Answer { query, answer } => {
                self.core.take_answer(query, &answer).map(|()| Done::Nothing)
            }
            _ => self.core.verb(input),
        }
    }

    /// A lower `now` counts as the last one.
    fn tick(&mut self, now: Instant) {
        self.core.cx.now = self.core.cx.now.max(now);
    }

    fn take_datagram(&mut self, path: &Path, message: &[u8]) -> Result<Seen, Error> {
        if self.core.cx.locals.get(path.local).is_none() {
            return Err(Error::Misuse(Misuse::Local));
        }
        if path.flow.is_some_and(|f| self.core.flows.get(&self.core.cx, f).is_none()) {
            return Err(Error::Misuse(Misuse::Flow));
        }
        let framing = if path.flow.is_some() { Framing::Stream } else { Framing::Datagram };
        self.take_message(path, message, framing)
    }

    fn take_message(
        &mut self,
        path: &Path,
        message: &[u8],
        framing: Framing,
    ) -> Result<Seen, Error> {
        need::message(&mut self.core.cx, message)?;
        let seen = match parse(message, &self.wire, framing, &mut self.index) {
            Ok(m) => self.core.on_message(&m, path),
            Err(_) => Ok(Seen::Ignored(ignored(message))),
        };
        let counts = &mut self.core.counts;
        counts.received += u64::from(seen.is_ok());
        counts.ignored += u64::from(matches!(seen, Ok(Seen::Ignored(_))));
        seen
    }

    fn take_stream(&mut self, id: FlowId, bytes: &[u8]) -> Result<usize, Error> {
        let mut taken = 0;
        loop {
            let core = &mut self.core;
            let Some(flow) = core.flows.get_mut(&core.cx, id) else {
                return if taken == 0 { Err(Error::Misuse(Misuse::Flow)) } else { Ok(taken) };
            };
            if flow.closing {
                return Ok(bytes.len());
            }
            let path = flow.path();
            let rest = bytes.get(taken..).unwrap_or(&[]);
            if core.cx.out.room() < need::STREAM {
                return Ok(taken);
            }
            match flow.framer.scan(rest) {
                Frame::NeedMore => {
                    core.flows.set_partial(&mut core.cx, id, !rest.is_empty())?;
                    return Ok(taken);
                }
                Frame::Skip(n) => taken += n.max(1),
                Frame::KeepAlive(n) => {
                    // RFC 5626 4.4.1: a ping is answered by a pong.
                    let pong = match core.cx.pool.copy_in(b"\r\n") {
                        Ok(pong) => pong,
                        Err(_) if taken > 0 => return Ok(taken),
                        Err(e) => return Err(e),
                    };
                    let sent = core.cx.transmit(pong, path, 0, 0);
                    core.cx.pool.release(pong);
                    sent?;
                    taken += n.max(1);
                }
                Frame::Message(n) => {
                    let message = rest.get(..n).unwrap_or(rest);
                    match self.take_message(&path, message, Framing::Stream) {
                        // Back-pressure: the message is presented again, and scanned again.
                        Err(Error::Full(limit)) if taken > 0 || limit == Limit::Outputs => {
                            return Ok(taken);
                        }
                        Err(Error::Full(limit)) => return Err(Error::Full(limit)),
                        Ok(_) | Err(_) => {}
                    }
                    taken += n.max(1);
                    self.core.flows.set_partial(&mut self.core.cx, id, false)?;
                }
                Frame::Bad { header_whole, status, .. } => {
                    if header_whole {
                        let _ = self.refuse_frame(&path, rest, status);
                    }
                    self.core.close(id)?;
                    return Ok(bytes.len());
                }
            }
        }
    }

    /// Answers a message whose framing is broken but whose header section is whole.
    fn refuse_frame(&mut self, path: &Path, bytes: &[u8], status: u16) -> Result<(), Error> {
        if let Ok(m) = parse(bytes, &self.wire, Framing::Datagram, &mut self.index) {
            self.core.refuse(&m, path, status)?;
        }
        Ok(())
    }

    /// The next output, or `None`. Only removes: nothing changes but what was lent before.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        if let Some(block) = self.lent.take() {
            self.core.cx.pool.release(block);
        }
        loop {
            let record = self.core.cx.out.pop()?;
            self.lent = match record {
                Record::Transmit { block, .. } => Some(block),
                Record::Event(event) => event.block,
                Record::Query(id) => {
                    // Its asker may have ended since: then the question is not asked.
                    let Some(query) = self.core.cx.queries.get(QueryId::from_raw(id)) else {
                        continue;
                    };
                    let text = query.text;
                    if let Some(block) = text {
                        self.core.cx.pool.hold(block);
                    }
                    text
                }
                Record::Close(_) | Record::Forget(_) => None,
            };
            if let Record::Event(event) = &record {
                let (ua, mut low) = self.core.low();
                ua.was_shown(&mut low, event);
            }
            return output::of_record(&self.core.cx, &record);
        }
    }

    /// When [`handle_timeout`](Self::handle_timeout) is due: now while output waits, `None` if
    /// nothing is pending.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.core.cx.out.is_empty() {
            self.core.cx.timers.next()
        } else {
            Some(self.core.cx.now)
        }
    }

    /// The request that waits for its answer, as it came. `None` once it is answered or gone.
    #[must_use]
    pub fn message(&self, request: TxHandle) -> Option<MessageRef<'_>> {
        let block = self.core.tx.request(&self.core.cx, request)?;
        MessageRef::lazy(self.core.cx.pool.bytes_of(block))
    }

    /// What a call has to do with others: whose place it takes, whom it joins, whether its peer is
    /// a conference's focus. `None` once the call has ended.
    #[must_use]
    pub fn call_info(&self, call: CallHandle) -> Option<CallInfo> {
        self.core.ua.call_info(call)
    }

    /// Live counts and totals.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.core.stats()
    }

    /// Whether nothing lives: no call, dialog, transfer, transaction, timer, question or waiting output.
    /// Lines and open connections do not count.
    #[must_use]
    pub fn is_quiescent(&self) -> bool {
        let s = self.core.stats();
        let objects = s.calls + s.dialogs + s.transactions + s.attempts + s.forks + s.transfers;
        objects + s.timers + s.queries + s.outputs == 0
    }
}

fn ignored(message: &[u8]) -> Ignored {
    // Line ends (RFC 5626 4.4.1), nothing at all, or the four zeros of some NAT keep-alives.
    let zeros = message.len() <= 4 && message.iter().all(|c| *c == 0);
    if zeros || message.iter().all(|c| matches!(c, b'\r' | b'\n')) {
        Ignored::KeepAlive
    } else {
        Ignored::NotSip
    }
}

impl core::fmt::Debug for Engine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Engine").field("stats", &self.core.stats()).finish_non_exhaustive()
    }
}

/// The inputs, each one line over [`Engine::apply`].
impl Engine {
    /// A whole message: a datagram, or one that the host has framed itself (`path.flow` set; RFC 3261
    /// 18.1.2, 18.2.1). `Full` means that it was not taken: packet loss. `Misuse(Local)` where no
    /// identity is set, `Misuse(Flow)` where the connection is not open. May queue output: call
    /// `poll`.
    pub fn receive(&mut self, now: Instant, path: Path, message: &[u8]) -> Result<Seen, Error> {
        self.tick(now);
        self.take_datagram(&path, message)
    }

    /// Bytes of a stream (RFC 3261 18.3); how many were taken. The caller keeps the rest and presents
    /// it again with more. `Ok(0)` while output waits: poll first. Of a connection that is being closed
    /// all is taken and nothing read; `Misuse(Flow)` where it is not open. May queue output: call
    /// `poll`.
    pub fn receive_stream(
        &mut self,
        now: Instant,
        flow: FlowId,
        bytes: &[u8],
    ) -> Result<usize, Error> {
        self.tick(now);
        self.take_stream(flow, bytes)
    }

    /// A connection has opened, accepted or asked for (RFC 3261 18, RFC 5922 7). `Misuse(Flow)` for a
    /// number that is not higher than all before, `Misuse(Local)` where the identity is none of its
    /// transport. Queues nothing.
    pub fn flow_opened(
        &mut self,
        now: Instant,
        flow: FlowId,
        info: FlowInfo<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::FlowOpened { flow, info }).map(drop)
    }

    /// A connection has ended: so do the transactions on it (RFC 3261 17.1.4, 18.4). `Gone` where it is
    /// not open. May queue output: call `poll`.
    pub fn flow_closed(&mut self, now: Instant, flow: FlowId, why: FlowEnd) -> Result<(), Error> {
        self.apply(now, &Input::FlowClosed { flow, why }).map(drop)
    }

    /// What `send` names could not be sent (RFC 3261 17.1.4, 18.4). Harmless in every state: what has
    /// ended is not told. May queue output: call `poll`.
    pub fn send_failed(
        &mut self,
        now: Instant,
        send: output::SendId,
        why: SendEnd,
    ) -> Result<(), Error> {
        self.apply(now, &Input::SendFailed { send, why }).map(drop)
    }

    /// Sets an identity of this side, new or in place of an old one, in every state: what Via and
    /// Contact say from now on (RFC 3261 18.1.1, 8.1.1.8). `Misuse(Local)` for a host that no URI has.
    /// Queues nothing.
    pub fn set_local(
        &mut self,
        now: Instant,
        local: LocalId,
        entry: Local<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::SetLocal { local, entry }).map(drop)
    }

    /// The clock has reached [`next_timeout`](Self::next_timeout): what is due is done (RFC 3261 17,
    /// appendix A). Right in every state, too early and too late. May queue output: call `poll`.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.apply(now, &Input::HandleTimeout).map(drop)
    }

    /// The answer to a question (RFC 3261 8.1.2, 10.3, 16.5, 22; RFC 3264 5). A question that is
    /// forgotten or answered takes it without effect. `Misuse(Answer)` for one of another kind,
    /// `Misuse(Flow)` and `Misuse(Media)` for what cannot be used: the question stays open. May queue
    /// output: call `poll`.
    pub fn answer(
        &mut self,
        now: Instant,
        query: QueryId,
        answer: Answer<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Answer { query, answer }).map(drop)
    }
}
