//! One engine on real sockets.
//!
//! One task owns the engine and polls the sockets itself: no task a packet, no lock, and no
//! allocation a packet. The loop is the one that the engine asks for: feed bytes or the clock,
//! poll until nothing, send, answer, act, sleep until `next_timeout`.

mod dns;
mod errqueue;
mod handshake;
mod letters;
mod link;
mod mesh;
mod net;
mod open;
mod recent;
mod services;
mod shunned;
mod standing;
mod streams;
mod tap;
mod tcp;
mod tls;
mod udp;

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use sansip::{
    Answer, Engine, Error, FlowId, FlowInfo, Instant, Output, Path, Query, QueryId, Transport,
};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Sleep;

use crate::app::App;
use crate::proxy::routes::Hop;
use dns::{Finished, Found};
use net::Net;
use standing::Standing;
use tcp::Opened;

pub use mesh::Seat;
pub use open::{OpenError, Setup};
pub use tap::{Direction, Tap, Tapped};
pub use tls::{Tls, TlsError, TlsFiles};

/// Bytes of the buffer that everything is read into: one datagram, or a piece of a stream.
const BUFFER: usize = 65_536;

/// Datagrams taken from one socket before the others have their turn.
const BATCH: usize = 64;

/// Turns before the runtime has its own.
const TURNS: usize = 16;

/// What could not be told to an engine without room is tried again after so many milliseconds.
const AGAIN: u64 = 10;

/// An engine that is to end looks so often, in milliseconds, whether the others are quiet too.
const TOGETHER: u64 = 100;

/// How an identity's number leads to its socket.
#[derive(Clone, Copy)]
struct Place {
    transport: Transport,
    /// Index of the UDP socket.
    socket: Option<usize>,
}

/// Milliseconds since the driver was made, counted from 1.
#[derive(Clone, Copy, Debug)]
pub struct Clock(std::time::Instant);

impl Clock {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(std::time::Instant::now())
    }

    /// The moment.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant(u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX).saturating_add(1))
    }
}

/// How a driver ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// The application was done, or stopped, and nothing was left to do.
    Quiet,
    /// Something was left when the time to end was over.
    Late,
}

/// Something that another thread wants done.
pub type Order<A> = Box<dyn FnOnce(&mut Driver<A>) + Send>;

/// One engine, its sockets and its application.
pub struct Driver<A> {
    /// The engine.
    pub engine: Engine,
    /// The application.
    pub app: A,
    net: Net,
    places: Vec<Place>,
    addresses: Vec<(Transport, std::net::SocketAddr)>,
    clock: Clock,
    buffer: Vec<u8>,
    answers: Vec<(QueryId, Found)>,
    woken: Vec<u64>,
    stalled: Vec<u64>,
    sleep: Pin<Box<Sleep>>,
    sleeps_until: Option<u64>,
    retry: Option<u64>,
    started: bool,
    /// When it ends whatever is left.
    ends_at: Option<u64>,
    drain: u64,
    until_quiescent: bool,
    hold: bool,
    tap: Option<Tap>,
    /// The calls that what it sends shows to stand, where they are counted.
    standing: Option<Standing>,
    /// A message of another engine's connection that found the own without room.
    parked: Option<(Path, Vec<u8>)>,
    orders: Option<UnboundedReceiver<Order<A>>>,
    /// Datagrams that found the engine without room.
    pub dropped: u64,
}

impl<A: App> Driver<A> {
    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[(Transport, std::net::SocketAddr)] {
        &self.addresses
    }

    /// How many calls of others stand, where they are counted.
    #[must_use]
    pub fn standing(&self) -> usize {
        self.standing.as_ref().map_or(0, Standing::len)
    }

    /// The present moment as the engine counts it.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.clock.now()
    }

    /// Shows these certificates, and believes these issuers, on the connections that open from now
    /// on. None: nothing changes.
    pub fn certify(&mut self, tls: Option<Tls>) {
        if tls.is_some() {
            self.net.certify(tls);
        }
    }

    /// Shows each message that goes or comes to `tap`.
    pub fn tap(&mut self, tap: Tap) {
        self.tap = Some(tap);
    }

    /// Does what comes from other threads.
    pub fn obey(&mut self, orders: UnboundedReceiver<Order<A>>) {
        self.orders = Some(orders);
    }

    /// Runs until the application is done or [`Driver::stop`] was called, and then until nothing
    /// is left to do or the time for that is over.
    pub async fn run(&mut self) -> End {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Begins to end: nothing new is taken, calls end, lines unregister. A second time ends at once.
    pub fn stop(&mut self) {
        let now = self.clock.now();
        if self.ends_at.is_some() {
            self.ends_at = Some(0);
            return;
        }
        self.ends_at = Some(now.0.saturating_add(self.drain));
        self.app.stop(now);
        // A refusal leaves objects to their timers; the time to end bounds it.
        let _ = self.engine.drain(now);
        let _ = self.engine.shutdown(now);
        self.drain_outputs(now);
    }

    /// One step: does all that can be done now.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        let mut now = self.clock.now();
        if !self.started {
            self.started = true;
            self.app.start(now, &mut self.engine);
            self.drain_outputs(now);
        }
        for _ in 0..TURNS {
            self.take_orders(cx);
            let mut busy = self.take_letters(cx, now);
            busy |= self.app.poll(cx);
            busy |= self.take_results(cx, now);
            busy |= self.take_errors(cx, now);
            busy |= self.receive(cx);
            now = self.clock.now();
            busy |= self.accept(cx, now);
            busy |= self.serve_flows(cx, now);
            busy |= self.keep_time(now);
            if !self.hold && self.app.is_done() && self.ends_at.is_none() {
                self.stop();
            }
            if let Some(at) = self.ends_at {
                let quiet = self.is_quiet();
                if self.net.seat().map_or(quiet, |seat| seat.all_quiet(quiet)) {
                    return Poll::Ready(End::Quiet);
                }
                if at <= now.0 {
                    return Poll::Ready(End::Late);
                }
            }
            if !busy && !self.sleep_is_over(cx) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether nothing is left that this end waits for.
    fn is_quiet(&self) -> bool {
        if self.until_quiescent {
            return self.engine.is_quiescent() && self.standing() == 0;
        }
        let s = self.engine.stats();
        s.calls + s.attempts + s.forks + s.queries + s.outputs == 0
    }

    /// Answers from names looked up, and connections that opened or did not.
    fn take_results(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        while let Poll::Ready(Some(finished)) = self.net.results.poll_recv(cx) {
            any = true;
            match finished {
                Finished::Lookup(id, mut found) => {
                    match &mut found {
                        Found::Addresses(list, _) => self.net.shunned.sort(now.0, list, |ip| *ip),
                        Found::Hops(list, _) => self.net.shunned.sort(now.0, list, |(to, _)| to.ip),
                        Found::Nothing | Found::Failed => {}
                    }
                    self.answers.push((id, found));
                }
                Finished::Connect(id, _, Ok(opened)) => self.take_up(now, opened, Some(id)),
                Finished::Connect(id, to, Err(_)) => {
                    self.net.shunned.add(now.0, to.ip);
                    self.answers.push((id, Found::Failed));
                }
                Finished::Accepted(opened) => {
                    self.net.shaken();
                    if let Some(opened) = opened {
                        self.take_up(now, *opened, None);
                    }
                }
            }
            self.drain_outputs(now);
        }
        any
    }

    /// Takes up a connection and tells the engine, now or with the others.
    fn take_up(&mut self, now: Instant, mut opened: Opened, asked: Option<QueryId>) {
        if self.net.seat().is_some() {
            self.net.adopt(now.0, opened, asked);
            return;
        }
        let names = std::mem::take(&mut opened.names);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let Opened { local, remote, transport, accepted, .. } = opened;
        let info = FlowInfo { local, remote, transport, accepted, names: &names };
        let id = self.net.adopt(now.0, opened, asked);
        self.tell_opened(now, id, info);
    }

    /// Tells the engine of a connection. A connection of its own that it has no room for is closed.
    fn tell_opened(&mut self, now: Instant, id: u64, info: FlowInfo<'_>) {
        let told = self.engine.flow_opened(now, FlowId(id), info).is_ok();
        let Some(flow) = self.net.flows.get_mut(&id) else { return };
        let asked = flow.asked.take();
        if told {
            flow.wake();
        } else {
            self.net.refuse(id);
        }
        match asked {
            Some(query) if told => {
                let _ = self.engine.answer(now, query, Answer::Connected(FlowId(id)));
            }
            Some(query) => self.answers.push((query, Found::Failed)),
            None => {}
        }
    }

    fn take_errors(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        for udp in &mut self.net.udp {
            udp.errors(now.0, cx, &mut self.net.news.failed, &mut self.net.news.lost);
        }
        self.net.share_lost(now.0);
        let any = !self.net.news.failed.is_empty();
        if any {
            self.settle(now);
            self.drain_outputs(now);
        }
        any
    }

    /// Feeds the datagrams that wait, at most a batch of each socket.
    fn receive(&mut self, cx: &mut Context<'_>) -> bool {
        let mut any = false;
        for i in 0..self.net.udp.len() {
            for n in 0..BATCH {
                let Some(udp) = self.net.udp.get(i) else { break };
                let Some((len, remote)) = udp.receive(&mut self.buffer) else {
                    if n > 0 || !udp.poll_receive(cx) {
                        break;
                    }
                    continue;
                };
                any = true;
                let now = self.clock.now();
                let path = Path { local: udp.local, remote, flow: None };
                let bytes = self.buffer.get(..len).unwrap_or(&[]);
                if let Some(tap) = &mut self.tap {
                    tap(&Tapped { at: now, direction: Direction::In, path, bytes });
                }
                let seat = self.net.seat();
                if let Some((seat, other)) = seat.and_then(|s| Some((s, s.other_for(bytes)?))) {
                    self.dropped += u64::from(!seat.hand_over(other, path, bytes));
                    continue;
                }
                if let Err(Error::Full(_)) = self.engine.receive(now, path, bytes) {
                    self.dropped += 1;
                }
                self.drain_outputs(now);
            }
        }
        any
    }

    fn accept(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut any = false;
        for _ in 0..BATCH {
            let Some(accepted) = self.net.accept(cx) else { break };
            any = true;
            if let Some(opened) = accepted {
                self.take_up(now, opened, None);
            }
            self.drain_outputs(now);
        }
        any
    }

    /// The clock: of the engine, of the application and of closing connections.
    fn keep_time(&mut self, now: Instant) -> bool {
        let mut any = false;
        if self.engine.next_timeout().is_some_and(|at| at <= now) {
            any = self.engine.handle_timeout(now).is_ok();
            any |= self.drain_outputs(now);
        }
        if self.app.next_timeout().is_some_and(|at| at <= now) {
            any = true;
            self.app.act(now, &mut self.engine);
            self.drain_outputs(now);
        }
        self.net.handle_timeout(now.0);
        if self.retry.take_if(|at| *at <= now.0).is_some() {
            for id in self.stalled.drain(..) {
                if let Some(flow) = self.net.flows.get_mut(&id) {
                    flow.stalled = false;
                    flow.again = true;
                    flow.wake();
                }
            }
            any = true;
        }
        self.settle(now);
        any | self.drain_outputs(now)
    }

    /// Polls the engine until nothing is left; whether there was anything.
    fn drain_outputs(&mut self, now: Instant) -> bool {
        let (mut any, mut closing) = (false, Vec::new());
        loop {
            let Self { engine, app, net, places, tap, answers, standing, .. } = self;
            let Some(output) = engine.poll() else {
                if closing.is_empty() {
                    return any;
                }
                closing.drain(..).for_each(|id| net.close(now.0, id));
                self.settle(now);
                continue;
            };
            any = true;
            match output {
                Output::Transmit(t) => {
                    if let Some(tap) = tap {
                        let direction = Direction::Out { copy: t.copy };
                        tap(&Tapped { at: now, direction, path: t.path, bytes: t.bytes });
                    }
                    if let Some(standing) = standing {
                        standing.sent(now.0, t.bytes);
                    }
                    let place = places.get(usize::from(t.path.local.0));
                    net.transmit(now.0, &t, place.and_then(|p| p.socket));
                }
                // What came before on that connection may still be answered at once.
                Output::Close(id) => closing.push(id.0),
                Output::Query(id, Query::Dns { name, transport, port, open }) => {
                    match app.hops(name) {
                        Some(hops) => net.lookup_hops(id, hops),
                        None => net.lookup(id, Hop { host: name.into(), port, transport, open }),
                    }
                }
                Output::Query(id, Query::Connect { to, transport, name }) => {
                    let begun = net.connect(id, to, transport, name);
                    answers.extend((!begun).then_some((id, Found::Failed)));
                }
                Output::Query(id, query) if !app.query(now, id, &query) => {
                    answers.push((id, Found::Failed));
                }
                Output::Forget(id) => app.forget(id),
                Output::Event(event, message) => app.event(now, &event, message),
                Output::Media { call, media, .. } => app.media(now, call, &media),
                _ => {}
            }
            self.settle(now);
        }
    }

    /// Tells the engine what came of its outputs, as far as it has room.
    fn settle(&mut self, now: Instant) {
        let Self { engine, app, net, answers, .. } = self;
        app.act(now, engine);
        let full = |r: Result<(), Error>| matches!(r, Err(Error::Full(_)));
        net.news.failed.retain(|(send, why)| full(engine.send_failed(now, *send, *why)));
        net.news.closed.retain(|(id, why)| full(engine.flow_closed(now, FlowId(*id), *why)));
        answers.retain(|(id, found)| {
            full(match found {
                Found::Addresses(list, ttl) => {
                    engine.answer(now, *id, Answer::Addresses(list, *ttl))
                }
                Found::Hops(list, ttl) => engine.answer(now, *id, Answer::Hops(list, *ttl)),
                Found::Nothing => engine.answer(now, *id, Answer::NotFound),
                Found::Failed => engine.answer(now, *id, Answer::Failed),
            })
        });
        let left = net.news.failed.len() + net.news.closed.len() + answers.len();
        if left > 0 && self.retry.is_none() {
            self.retry = Some(now.0.saturating_add(AGAIN));
        }
    }

    /// Sleeps until the next thing to do; whether that is now.
    fn sleep_is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let wanted = [
            self.engine.next_timeout().map(|at| at.0),
            self.app.next_timeout().map(|at| at.0),
            self.net.next_timeout(),
            self.retry,
            self.ends_at,
            self.ends_at.and(self.net.seat()).map(|_| self.clock.now().0 + TOGETHER),
        ];
        let Some(at) = wanted.into_iter().flatten().min() else {
            self.sleeps_until = None;
            return false;
        };
        if self.sleeps_until != Some(at) {
            self.sleeps_until = Some(at);
            // The clock counts from 1.
            let until = self.clock.0 + Duration::from_millis(at.saturating_sub(1));
            self.sleep.as_mut().reset(until.into());
        }
        let over = self.sleep.as_mut().poll(cx).is_ready();
        if over {
            self.sleeps_until = None;
        }
        over
    }
}
