//! The sockets of one engine.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::task::{Context, Poll};

use sansip::wire::limits::WireLimits;
use sansip::{Addr, FlowEnd, LocalId, QueryId, SendEnd, SendId, Transmit, Transport};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::dns::{Finished, Resolver};
use super::handshake::{self, Accepting, Wanted};
use super::mesh::{self, Seat};
use super::shunned::Shunned;
use super::tcp::{Flow, Opened, State, Woken};
use super::tls::Tls;
use super::udp::{Udp, share};
use crate::proxy::routes::Hop;

/// How long a closed connection may still send what is thrown away, in milliseconds.
const LINGER: u64 = 2_000;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1_024;

/// Handshakes that go on at once; who connects beyond them is closed.
const HANDSHAKES: usize = 1_024;

/// One TCP socket that listens.
struct Listener {
    socket: TcpListener,
    local: LocalId,
    transport: Transport,
}

/// What the wire showed that the engine must still be told.
#[derive(Default)]
pub(super) struct News {
    pub(super) failed: Vec<(SendId, SendEnd)>,
    pub(super) closed: Vec<(u64, FlowEnd)>,
    /// Addresses that datagrams do not reach, for the other engines.
    pub(super) lost: Vec<(LocalId, Addr, SendEnd)>,
}

/// What the sockets of one engine are made of.
pub(super) struct Parts {
    /// Bytes that may wait to be written to one connection.
    pub(super) bound: usize,
    pub(super) tls: Option<Tls>,
    pub(super) seat: Option<Seat>,
    /// The name server, if not the system's.
    pub(super) dns: Option<SocketAddr>,
    pub(super) wire: WireLimits,
    /// How long half a message may wait for its rest, and a connection for its first bytes, in
    /// milliseconds.
    pub(super) patience: u64,
}

/// The sockets of one engine.
pub(super) struct Net {
    pub(super) udp: Vec<Udp>,
    listeners: Vec<Listener>,
    pub(super) flows: HashMap<u64, Flow>,
    pub(super) woken: Arc<Woken>,
    pub(super) news: News,
    pub(super) results: UnboundedReceiver<Finished>,
    sender: UnboundedSender<Finished>,
    resolver: Resolver,
    /// Handshakes that go on.
    shaking: usize,
    last_flow: u64,
    lingering: VecDeque<(u64, u64)>,
    /// When half a message has waited long enough, in the order of time.
    halves: VecDeque<(u64, u64)>,
    /// Addresses that did not answer lately.
    pub(super) shunned: Shunned,
    parts: Parts,
}

impl Net {
    pub(super) fn new(parts: Parts) -> Self {
        let (sender, results) = unbounded_channel();
        Self {
            udp: Vec::new(),
            listeners: Vec::new(),
            flows: HashMap::new(),
            woken: Arc::default(),
            news: News::default(),
            results,
            resolver: Resolver::new(parts.dns, sender.clone()),
            sender,
            shaking: 0,
            last_flow: 0,
            lingering: VecDeque::new(),
            halves: VecDeque::new(),
            shunned: Shunned::default(),
            parts,
        }
    }

    /// Goes on with other certificates; what is open stays as it is.
    pub(super) fn certify(&mut self, tls: Option<Tls>) {
        self.parts.tls = tls;
    }

    /// Binds a socket; says which address it got.
    pub(super) fn bind(
        &mut self,
        transport: Transport,
        address: SocketAddr,
        local: LocalId,
    ) -> io::Result<SocketAddr> {
        if transport == Transport::Udp {
            let (udp, bound) = Udp::bind(address, local, self.parts.seat.is_some())?;
            self.udp.push(udp);
            return Ok(bound);
        }
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
        }
        socket.set_reuse_address(true)?;
        socket.set_nonblocking(true)?;
        if self.parts.seat.is_some() {
            share(&socket)?;
        }
        socket.bind(&SockAddr::from(address))?;
        socket.listen(BACKLOG)?;
        let socket = TcpListener::from_std(socket.into())?;
        let bound = socket.local_addr()?;
        self.listeners.push(Listener { socket, local, transport });
        Ok(bound)
    }

    /// The next connection that somebody opened to us and that needs no handshake; whether there
    /// was any.
    pub(super) fn accept(&mut self, cx: &mut Context<'_>) -> Option<Option<Opened>> {
        for listener in &self.listeners {
            // One that fails (too many open files) stays in the queue of the system; the next
            // event tries again.
            let Poll::Ready(Ok((stream, from))) = listener.socket.poll_accept(cx) else { continue };
            let transport = listener.transport;
            let opened = Opened::tcp(stream, transport, listener.local, from.into(), true);
            if transport == Transport::Tcp {
                return Some(Some(opened));
            }
            if self.shaking < HANDSHAKES {
                self.shaking += 1;
                let tls = self.parts.tls.as_ref().and_then(Tls::acceptor).cloned();
                let how = Accepting {
                    tls: tls.filter(|_| transport.is_secure()),
                    ws: matches!(transport, Transport::Ws | Transport::Wss)
                        .then_some(self.parts.bound),
                };
                handshake::accept(opened, how, self.sender.clone());
            }
            return Some(None);
        }
        None
    }

    /// The handshakes of one connection have ended.
    pub(super) const fn shaken(&mut self) {
        self.shaking = self.shaking.saturating_sub(1);
    }

    /// The place among other engines, where there are others.
    pub(super) const fn seat(&self) -> Option<&Seat> {
        self.parts.seat.as_ref()
    }

    /// The place among other engines, to take what they hand over.
    pub(super) const fn seat_mut(&mut self) -> Option<&mut Seat> {
        self.parts.seat.as_mut()
    }

    /// Takes up a connection under a number of its own. Among others its engine is told together
    /// with theirs, and `asked` answered then.
    pub(super) fn adopt(&mut self, now: u64, opened: Opened, asked: Option<QueryId>) -> u64 {
        let accepted = opened.accepted;
        let id = match &self.parts.seat {
            Some(seat) => seat.announce(|id| mesh::News {
                id,
                local: opened.local,
                remote: opened.remote,
                transport: opened.transport,
                accepted: opened.accepted,
                names: opened.names.clone(),
            }),
            None => {
                self.last_flow += 1;
                self.last_flow
            }
        };
        let mut flow = Flow::new(id, opened, &self.woken, &self.parts.wire);
        flow.asked = asked;
        self.flows.insert(id, flow);
        // Who connects and says nothing holds a place that others could use.
        self.set_half(now, id, accepted);
        id
    }

    /// The identity that a connection to `to` has at our end.
    fn local_for(&self, transport: Transport, to: Addr) -> Option<LocalId> {
        let fits = |l: &&Listener| {
            l.transport == transport
                && l.socket.local_addr().is_ok_and(|a| a.is_ipv4() == to.ip.is_ipv4())
        };
        self.listeners.iter().find(fits).map(|l| l.local)
    }

    /// The transports that there are sockets for.
    fn transports(&self) -> Vec<Transport> {
        let mut all: Vec<Transport> = self.listeners.iter().map(|l| l.transport).collect();
        all.extend((!self.udp.is_empty()).then_some(Transport::Udp));
        all
    }

    pub(super) fn lookup_hops(&mut self, id: QueryId, hops: &[Hop]) {
        let mut plain = self.transports();
        plain.retain(|t| !t.is_secure());
        self.resolver.lookup_hops(id, hops.to_vec(), plain);
    }

    pub(super) fn lookup(&mut self, id: QueryId, hop: Hop) {
        self.resolver.lookup(id, hop, self.transports());
    }

    /// Opens a connection; whether that can be tried at all. To a WebSocket client there is no way
    /// but the connection that it opened (RFC 7118 5).
    pub(super) fn connect(
        &self,
        query: QueryId,
        to: Addr,
        transport: Transport,
        name: &str,
    ) -> bool {
        let local = match transport {
            Transport::Tcp | Transport::Tls => self.local_for(transport, to),
            _ => None,
        };
        let Some(local) = local else { return false };
        let wanted = Wanted { query, to, transport, local, name: name.to_owned() };
        handshake::connect(wanted, self.parts.tls.clone(), self.sender.clone());
        true
    }

    /// Sends what the engine lent.
    pub(super) fn transmit(&mut self, now: u64, t: &Transmit<'_>, socket: Option<usize>) {
        if let Some(id) = t.path.flow {
            match self.parts.seat.as_ref().filter(|seat| !seat.owns(id.0)) {
                Some(seat) => seat.write(id, t.bytes),
                None => self.write(id.0, t.bytes),
            }
            return;
        }
        let failed = match socket.and_then(|i| self.udp.get_mut(i)) {
            Some(udp) => udp.send(now, t.path.remote, t.bytes, t.send).err(),
            None => Some(SendEnd::Other),
        };
        self.news.failed.extend(failed.map(|why| (t.send, why)));
    }

    /// Writes to a connection.
    pub(super) fn write(&mut self, id: u64, bytes: &[u8]) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        if flow.state == State::Open && flow.write(bytes, self.parts.bound).is_err() {
            self.lose(id, FlowEnd::Reset);
        }
    }

    /// The engine is to be told that a connection has ended, and so are the others.
    fn tell(&mut self, id: u64, why: FlowEnd) {
        self.news.closed.push((id, why));
        if let Some(seat) = &self.parts.seat {
            seat.closed(id, why);
        }
    }

    /// Drops a connection at once; the engine is told.
    pub(super) fn lose(&mut self, id: u64, why: FlowEnd) {
        if let Some(flow) = self.flows.remove(&id)
            && flow.state != State::Lingering
        {
            self.tell(id, why);
        }
    }

    /// Drops a connection that the engine was never told of; the others have been.
    pub(super) fn refuse(&mut self, id: u64) {
        self.flows.remove(&id);
        if let Some(seat) = &self.parts.seat {
            seat.closed(id, FlowEnd::Asked);
        }
    }

    /// Remembers which addresses datagrams do not reach, and tells the other engines.
    pub(super) fn share_lost(&mut self, now: u64) {
        for (local, to, why) in self.news.lost.drain(..) {
            self.shunned.add(now, to.ip);
            if let Some(seat) = &self.parts.seat {
                seat.lost(local, to, why);
            }
        }
    }

    /// Closes a connection as the engine asks: what was written goes first.
    pub(super) fn close(&mut self, now: u64, id: u64) {
        if let Some(seat) = self.parts.seat.as_ref().filter(|seat| !seat.owns(id)) {
            seat.close(id);
            return;
        }
        let Some(flow) = self.flows.get_mut(&id) else { return };
        if flow.state == State::Open {
            flow.state = State::Closing;
            self.lingering.push_back((now + LINGER, id));
        }
        self.finish_closing(id);
    }

    /// Shuts our side of a closing connection once nothing waits to be written.
    pub(super) fn finish_closing(&mut self, id: u64) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        if flow.state != State::Closing || flow.is_writing() {
            return;
        }
        let shut = flow.shut();
        flow.wake();
        self.tell(id, FlowEnd::Asked);
        if shut.is_err() {
            self.flows.remove(&id);
        }
    }

    /// Half a message waits, or no longer: a stream that is slow on purpose is not waited for.
    pub(super) fn set_half(&mut self, now: u64, id: u64, half: bool) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        if !half {
            flow.half = None;
        } else if flow.half.is_none() {
            let at = now + self.parts.patience;
            flow.half = Some(at);
            self.halves.push_back((at, id));
        }
    }

    /// A connection has brought something.
    pub(super) fn hear(&mut self, now: u64, id: u64) {
        if self.flows.get_mut(&id).is_some_and(|f| !std::mem::replace(&mut f.heard, true)) {
            self.set_half(now, id, false);
        }
    }

    /// When the first connection is to be ended that lingers, or waits for the rest of a message.
    pub(super) fn next_timeout(&self) -> Option<u64> {
        let first = |list: &VecDeque<(u64, u64)>| list.front().map(|(at, _)| *at);
        [first(&self.lingering), first(&self.halves)].into_iter().flatten().min()
    }

    /// Ends the connections that have lingered enough, or waited enough.
    pub(super) fn handle_timeout(&mut self, now: u64) {
        while let Some((_, id)) = due(&mut self.lingering, now) {
            self.lose(id, FlowEnd::Asked);
        }
        while let Some((at, id)) = due(&mut self.halves, now) {
            if self.flows.get(&id).is_some_and(|f| f.half == Some(at)) {
                self.lose(id, FlowEnd::Reset);
            }
        }
    }
}

/// The first of a list in the order of time, once its time has come.
fn due(list: &mut VecDeque<(u64, u64)>, now: u64) -> Option<(u64, u64)> {
    if list.front()?.0 <= now { list.pop_front() } else { None }
}
