//! The transaction layer by itself, for those who bring their own user agent or proxy.
//!
//! It is [`Transactions`] with a ring of outputs, a clock that is an argument and the table of our
//! identities. The loop is that of the whole engine: feed bytes or the time, [`poll`] until nothing
//! comes, sleep until [`next_timeout`].
//!
//! ```
//! use sansip::config::Config;
//! use sansip::limits::Limits;
//! use sansip::path::{Addr, Local, LocalId, Path, Transport};
//! use sansip::time::Instant;
//! use sansip::tx::Reply;
//! use sansip::tx::alone::{Output, TransactionLayer};
//!
//! # fn main() -> Result<(), sansip::error::Error> {
//! let addresses = [Addr::v4(192, 0, 2, 1, 5060), Addr::v4(192, 0, 2, 2, 5060)];
//! let mut layers = Vec::new();
//! for (seed, bound) in [(1, addresses[0]), (2, addresses[1])] {
//!     let mut layer = TransactionLayer::new(Config::new([seed; 32]), &Limits::PHONE)?;
//!     let host = bound.ip.to_string();
//!     let local = Local { transport: Transport::Udp, bound, host: &host, port: 0, network: 0 };
//!     layer.set_local(LocalId(0), &local)?;
//!     layers.push(layer);
//! }
//! let way_to = |to: usize| Path { local: LocalId(0), remote: addresses[to], flow: None };
//!
//! let now = Instant(0);
//! let options = b"OPTIONS sip:bob@192.0.2.2 SIP/2.0\r\nMax-Forwards: 70\r\n\
//!     From: <sip:alice@192.0.2.1>;tag=a1\r\nTo: <sip:bob@192.0.2.2>\r\n\
//!     Call-ID: c1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
//! let tx = layers[0].send_request(now, &way_to(1), options)?;
//!
//! let mut answered = None;
//! while answered.is_none() {
//!     for who in 0..2 {
//!         let (mut sent, mut asked) = (Vec::new(), None);
//!         while let Some(output) = layers[who].poll() {
//!             match output {
//!                 Output::Transmit(t) => sent.push(t.bytes.to_vec()),
//!                 Output::Request(request, _) => asked = Some(request),
//!                 Output::Response(of, m) if of == tx => answered = Some(m.status()),
//!                 _ => {}
//!             }
//!         }
//!         if let Some(request) = asked {
//!             layers[who].reply(now, request, 200, &Reply::default())?;
//!         }
//!         for bytes in sent {
//!             layers[1 - who].receive(now, &way_to(who), &bytes)?;
//!         }
//!     }
//! }
//! assert_eq!(answered, Some(200));
//! # Ok(())
//! # }
//! ```
//!
//! [`poll`]: TransactionLayer::poll
//! [`next_timeout`]: TransactionLayer::next_timeout

use super::{Branch, Failure, FromRequest, FromResponse, FromTimer, Reply, Transactions, TxHandle};
use crate::config::Config;
use crate::cx::{Cx, write_error};
use crate::error::{Error, Ignored, Limit, Misuse, Seen};
use crate::header::Essentials;
use crate::limits::Limits;
use crate::path::{FlowId, Local, LocalId, Path};
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::{EventRecord, Record};
use crate::store::timers::{TimerKey, kind};
use crate::time::Instant;
use crate::wire::edit::{Edit, apply};
use crate::wire::write::{ViaParts, Writer};
use crate::wire::{
    Framing, Index, MessageRef, Method, Name, NotSip, Role, Verdict, WireLimits, judge, parse,
};

/// Bytes to send.
#[derive(Clone, Copy, Debug)]
pub struct Transmit<'a> {
    /// Where to.
    pub path: Path,
    /// The bytes of one message.
    pub bytes: &'a [u8],
    /// The transaction that sends, to report a failure with
    /// [`send_failed`](TransactionLayer::send_failed); `None` for what belongs to none.
    pub tx: Option<TxHandle>,
    /// 0 for the first time, then counting the repetitions.
    pub copy: u16,
}

/// What the layer wants done or known.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Output<'a> {
    /// Send bytes.
    Transmit(Transmit<'a>),
    /// A new request. Answer it with [`TransactionLayer::reply`] or
    /// [`TransactionLayer::respond`].
    Request(TxHandle, MessageRef<'a>),
    /// A request that is being worked on has come by another way (RFC 3261 8.2.2.2): a user agent
    /// answers it 482.
    Merged(TxHandle, MessageRef<'a>),
    /// A CANCEL, to be answered 200 if there is an INVITE that it is about, else 481. The INVITE,
    /// if it has no final response, is to be answered 487 (RFC 3261 9.2).
    Cancel {
        /// The CANCEL's own transaction.
        tx: TxHandle,
        /// The INVITE's.
        invite: Option<TxHandle>,
        /// The CANCEL.
        message: MessageRef<'a>,
    },
    /// A response to a request of ours.
    Response(TxHandle, MessageRef<'a>),
    /// The ACK of a 2xx; with the INVITE's transaction if it came with its branch (RFC 6026 7.1).
    Ack(Option<TxHandle>, MessageRef<'a>),
    /// A transaction failed. It is gone, but for an INVITE server transaction after a transport
    /// error.
    Failed(TxHandle, Failure),
}

/// The numbers of the events in the ring.
mod event {
    pub const REQUEST: u16 = 1;
    pub const MERGED: u16 = 2;
    pub const CANCEL: u16 = 3;
    pub const RESPONSE: u16 = 4;
    pub const ACK: u16 = 5;
    pub const FAILED: u16 = 6;
}

/// What one input may queue: an ACK or a response, a CANCEL, and an event.
const ROW: usize = 3;

/// The transaction layer.
#[derive(Debug)]
pub struct TransactionLayer {
    cx: Cx,
    tx: Transactions,
    index: Index,
    limits: WireLimits,
    /// The block that the last output shows.
    lent: Option<BlockId>,
}

impl TransactionLayer {
    /// A layer with all its memory.
    ///
    /// # Errors
    /// [`Misuse::ZeroSeed`], [`Misuse::BadLimit`], [`Limit::Memory`].
    pub fn new(config: Config, limits: &Limits) -> Result<Self, Error> {
        if !limits.usable() {
            return Err(Error::Misuse(Misuse::BadLimit));
        }
        let tag = config.tag;
        Ok(Self {
            cx: Cx::new(config, limits)?,
            tx: Transactions::new(limits, tag)?,
            index: Index::new(&limits.wire).map_err(|_| Error::Full(Limit::Memory))?,
            limits: limits.wire,
            lent: None,
        })
    }

    /// Sets one of our identities.
    ///
    /// # Errors
    /// [`Misuse::Local`], [`Limit::Locals`].
    pub fn set_local(&mut self, id: LocalId, local: &Local<'_>) -> Result<(), Error> {
        self.cx.locals.set(id, local)
    }

    /// The transactions, to ask about.
    #[must_use]
    pub const fn transactions(&self) -> &Transactions {
        &self.tx
    }

    fn at(&mut self, now: Instant) {
        self.cx.now = self.cx.now.max(now);
    }

    /// Takes one message as it came.
    ///
    /// # Errors
    /// [`Error::Full`]: call [`poll`](Self::poll), then try again, or count it as lost.
    pub fn receive(&mut self, now: Instant, path: &Path, bytes: &[u8]) -> Result<Seen, Error> {
        self.at(now);
        if self.cx.out.room() < ROW {
            return Err(Error::Full(Limit::Outputs));
        }
        // The request and its event, or the ACK and the CANCEL; the marks of its source go along.
        let len = bytes.len().saturating_add(100).min(usize::from(self.limits.message));
        if !self.cx.pool.has_room(ROW, len) {
            return Err(Error::Full(Limit::Blocks));
        }
        let framing = if path.flow.is_some() { Framing::Stream } else { Framing::Datagram };
        let m = match parse(bytes, &self.limits, framing, &mut self.index) {
            Ok(m) => m,
            Err(NotSip::Empty) => return Ok(Seen::Ignored(Ignored::KeepAlive)),
            Err(_) => return Ok(Seen::Ignored(Ignored::NotSip)),
        };
        let e = Essentials::of(&m);
        let verdict = judge(Role::Proxy, &m, &e);
        let (cx, tx) = (&mut self.cx, &mut self.tx);
        match (verdict, m.is_request()) {
            (Verdict::Accept, true) => take_request(cx, tx, &m, &e, path),
            (Verdict::Accept, false) => take_response(cx, tx, &m, &e, path),
            (Verdict::Answer(status), _) => {
                let sent = tx.reply_stateless(cx, &m, &e, path, status, &Reply::default())?;
                Ok(if sent { Seen::Used } else { Seen::Ignored(Ignored::Unpaid) })
            }
            (Verdict::Drop, false) => Ok(Seen::Ignored(Ignored::BadResponse)),
            (Verdict::Drop, true) if m.method() == Method::Ack => {
                Ok(Seen::Ignored(Ignored::BadAck))
            }
            (Verdict::Drop, true) => Ok(Seen::Ignored(Ignored::Unanswerable)),
        }
    }

    /// Sends a request that has no Via of ours yet; it gets one with a new branch. Queues output.
    ///
    /// # Errors
    /// [`Misuse::NotSip`], [`Misuse::Local`], [`Misuse::State`] for an ACK, which
    /// [`send`](Self::send) sends, and [`Error::Full`].
    pub fn send_request(
        &mut self,
        now: Instant,
        path: &Path,
        request: &[u8],
    ) -> Result<TxHandle, Error> {
        self.at(now);
        let m = MessageRef::lazy(request).filter(MessageRef::is_request);
        let m = m.ok_or(Error::Misuse(Misuse::NotSip))?;
        let branch = Transactions::new_branch(&mut self.cx);
        let block = stamped(&mut self.cx, &m, path, branch)?;
        let owner = Owner::new(OwnerKind::App, 0);
        self.tx.start_client(&mut self.cx, owner, block, m.method(), branch, *path)
    }

    /// Sends a message that has no transaction: the ACK of a 2xx. Queues output.
    ///
    /// # Errors
    /// [`Error::Full`].
    pub fn send(&mut self, now: Instant, path: &Path, message: &[u8]) -> Result<(), Error> {
        self.at(now);
        let block = self.cx.pool.copy_in(message)?;
        let queued = self.cx.transmit(block, *path, 0, 0);
        self.cx.pool.release(block);
        queued
    }

    /// Cancels an INVITE: see [`Transactions::cancel`]. May queue output.
    ///
    /// # Errors
    /// As there.
    pub fn cancel(&mut self, now: Instant, tx: TxHandle) -> Result<Option<TxHandle>, Error> {
        self.at(now);
        self.tx.cancel(&mut self.cx, tx, Owner::new(OwnerKind::App, 0))
    }

    /// Answers a request by its status and what else the answer has. May queue output.
    ///
    /// # Errors
    /// As [`Transactions::reply`].
    pub fn reply(
        &mut self,
        now: Instant,
        tx: TxHandle,
        status: u16,
        reply: &Reply<'_>,
    ) -> Result<(), Error> {
        self.at(now);
        self.tx.reply(&mut self.cx, tx, status, reply)
    }

    /// Answers a request with this response. May queue output.
    ///
    /// # Errors
    /// As [`Transactions::respond`], and [`Misuse::NotSip`].
    pub fn respond(&mut self, now: Instant, tx: TxHandle, response: &[u8]) -> Result<(), Error> {
        self.at(now);
        let status = MessageRef::lazy(response).map_or(0, |m| m.status());
        if status == 0 {
            return Err(Error::Misuse(Misuse::NotSip));
        }
        let block = self.cx.pool.copy_in(response)?;
        self.tx.respond(&mut self.cx, tx, status, block)
    }

    /// Gives a transaction up. Nothing is sent.
    pub fn end(&mut self, tx: TxHandle) {
        self.tx.end(&mut self.cx, tx);
    }

    /// What a transaction gave to send could not be sent. May queue output.
    ///
    /// # Errors
    /// [`Limit::Outputs`].
    pub fn send_failed(&mut self, now: Instant, tx: TxHandle) -> Result<(), Error> {
        self.at(now);
        if self.cx.out.room() < ROW {
            return Err(Error::Full(Limit::Outputs));
        }
        let from = self.tx.send_failed(&mut self.cx, tx);
        tell(&mut self.cx, from)
    }

    /// A connection has closed. What hangs on it ends by and by, as there is room for outputs: see
    /// [`next_timeout`](Self::next_timeout). May queue output.
    ///
    /// # Errors
    /// [`Limit::Timers`].
    pub fn flow_closed(&mut self, now: Instant, flow: FlowId) -> Result<(), Error> {
        self.at(now);
        self.cx.timers.arm(self.cx.now, TimerKey { kind: kind::FLOW, object: flow.0 })?;
        self.handle_timeout(now)
    }

    /// Runs what is due, as far as there is room for outputs; what is left stays due.
    ///
    /// # Errors
    /// [`Limit::Timers`].
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.at(now);
        while self.cx.out.room() >= ROW {
            let Some((_, key)) = self.cx.timers.due(self.cx.now) else { break };
            if key.kind == kind::FLOW {
                let closed = self.tx.flow_closed(&mut self.cx, FlowId(key.object), 0);
                let Some((from, _)) = closed else { continue };
                // The flow stays due while something hangs on it.
                self.cx.timers.arm(self.cx.now, key)?;
                tell(&mut self.cx, from)?;
            } else {
                let from = self.tx.on_timer(&mut self.cx, key);
                tell(&mut self.cx, from)?;
            }
        }
        Ok(())
    }

    /// When [`handle_timeout`](Self::handle_timeout) has something to do; now, while outputs wait.
    #[must_use]
    pub fn next_timeout(&self) -> Option<Instant> {
        if self.cx.out.is_empty() { self.cx.timers.next() } else { Some(self.cx.now) }
    }

    /// The next output. What it lends lives until the next call.
    pub fn poll(&mut self) -> Option<Output<'_>> {
        if let Some(block) = self.lent.take() {
            self.cx.pool.release(block);
        }
        loop {
            match self.cx.out.pop()? {
                Record::Transmit { block, path, object, copy } => {
                    self.lent = Some(block);
                    let bytes = self.cx.pool.bytes_of(block);
                    let tx = (object != 0).then(|| TxHandle::from_raw(object));
                    return Some(Output::Transmit(Transmit { path, bytes, tx, copy }));
                }
                Record::Event(record) => {
                    self.lent = record.block;
                    return shown(&self.cx, &record);
                }
                Record::Close(_) | Record::Query(_) | Record::Forget(_) => {}
            }
        }
    }
}

/// The request with a Via of ours on top (RFC 3261 18.1.1).
fn stamped(cx: &mut Cx, m: &MessageRef<'_>, path: &Path, branch: Branch) -> Result<BlockId, Error> {
    let Cx { pool, scratch, locals, .. } = cx;
    let local = locals.get(path.local).ok_or(Error::Misuse(Misuse::Local))?;
    let mut via = [0; 160];
    let mut w = Writer::new(&mut via);
    w.via(&ViaParts {
        transport: local.transport.as_str().as_bytes(),
        host: local.host(),
        port: local.port,
        branch: branch.as_bytes(),
        rport: !local.transport.is_reliable(),
        params: &[],
    })
    .map_err(write_error)?;
    let len = w.len();
    let text = via.get(..len).unwrap_or(&[]);
    let insert = Edit::Insert { at: m.headers_at(), text };
    let len = apply(m.bytes(), &[insert], scratch).map_err(write_error)?;
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// Queues an event with a copy of its message.
fn queue(cx: &mut Cx, kind: u16, object: u64, other: u64, m: &MessageRef<'_>) -> Result<(), Error> {
    let block = Some(cx.pool.copy_in(m.bytes())?);
    cx.event(EventRecord { kind, code: 0, object, other, user: 0, block })
}

fn take_request(
    cx: &mut Cx,
    tx: &mut Transactions,
    m: &MessageRef<'_>,
    e: &Essentials,
    path: &Path,
) -> Result<Seen, Error> {
    let (kind, invite) = match tx.on_request(cx, m, e, path) {
        FromRequest::Repeated | FromRequest::Absorbed => {
            return Ok(Seen::Ignored(Ignored::Repeated));
        }
        FromRequest::Unanswerable => return Ok(Seen::Ignored(Ignored::NowhereToGo)),
        FromRequest::Ack { tx, .. } => {
            queue(cx, event::ACK, tx.raw(), 0, m)?;
            return Ok(Seen::Used);
        }
        FromRequest::New if m.method() == Method::Ack => {
            queue(cx, event::ACK, 0, 0, m)?;
            return Ok(Seen::Used);
        }
        FromRequest::Cancel { invite } => (event::CANCEL, invite.map_or(0, |(h, _)| h.raw())),
        FromRequest::Merged => (event::MERGED, 0),
        FromRequest::New => (event::REQUEST, 0),
    };
    let opened = tx.open_server(cx, Owner::new(OwnerKind::App, 0), m, e, path);
    if opened == Err(Error::Full(Limit::Transactions)) {
        // RFC 3261 21.5.4.
        let reply = Reply { extra: &[(Name::RetryAfter, b"10")], ..Reply::default() };
        tx.reply_stateless(cx, m, e, path, 503, &reply)?;
        return Ok(Seen::Used);
    }
    let h = opened?;
    // The stored request, marked with its source, is what the user sees.
    let block = tx.request(cx, h);
    if let Some(block) = block {
        cx.pool.hold(block);
    }
    cx.event(EventRecord { kind, code: 0, object: h.raw(), other: invite, user: 0, block })?;
    Ok(Seen::Used)
}

fn take_response(
    cx: &mut Cx,
    tx: &mut Transactions,
    m: &MessageRef<'_>,
    e: &Essentials,
    path: &Path,
) -> Result<Seen, Error> {
    match tx.on_response(cx, m, e, path) {
        FromResponse::Absorbed => Ok(Seen::Ignored(Ignored::Repeated)),
        FromResponse::Stray => Ok(Seen::Ignored(Ignored::StrayResponse)),
        FromResponse::Response { tx, .. } => {
            queue(cx, event::RESPONSE, tx.raw(), 0, m)?;
            Ok(Seen::Used)
        }
    }
}

fn tell(cx: &mut Cx, from: FromTimer) -> Result<(), Error> {
    let FromTimer::Failed { tx, why, .. } = from else { return Ok(()) };
    let code = why as u16;
    let record =
        EventRecord { kind: event::FAILED, code, object: tx.raw(), other: 0, user: 0, block: None };
    cx.event(record)
}

/// An event as the user sees it.
fn shown<'a>(cx: &'a Cx, record: &EventRecord) -> Option<Output<'a>> {
    let tx = TxHandle::from_raw(record.object);
    if record.kind == event::FAILED {
        let all = [Failure::Timeout, Failure::Transport, Failure::NoAck, Failure::Cancelled];
        let why = all.into_iter().find(|f| *f as u16 == record.code)?;
        return Some(Output::Failed(tx, why));
    }
    let m = MessageRef::lazy(cx.pool.bytes_of(record.block?))?;
    let object = |raw: u64| (raw != 0).then(|| TxHandle::from_raw(raw));
    Some(match record.kind {
        event::REQUEST => Output::Request(tx, m),
        event::MERGED => Output::Merged(tx, m),
        event::CANCEL => Output::Cancel { tx, invite: object(record.other), message: m },
        event::RESPONSE => Output::Response(tx, m),
        _ => Output::Ack(object(record.object), m),
    })
}
