//! A node that runs an engine and its application.

use std::collections::BTreeMap;
use std::net::IpAddr;

use sansip::{
    Addr, Answer, Engine, Error, FlowEnd, FlowId, FlowInfo, Instant, Local, LocalId, Output, Path,
    Query, QueryId, SendEnd, SendId, Transport,
};

use crate::app::{App, Asked, Io};
use crate::network::{Delivery, Network, NodeId, StreamId};

const UDP: LocalId = LocalId(0);
const TCP: LocalId = LocalId(1);

/// The names that engines may ask for.
pub(crate) type Hosts = BTreeMap<String, Vec<IpAddr>>;

#[derive(Debug)]
struct Flow {
    stream: StreamId,
    /// What the engine has not taken yet.
    rest: Vec<u8>,
}

/// A node with an engine, one address over UDP and TCP, and an application.
#[derive(Debug)]
pub(crate) struct EngineNode {
    pub engine: Engine,
    pub app: Box<dyn App>,
    pub addr: Addr,
    /// How often the engine had no room for a message: packet loss.
    pub full: u64,
    node: NodeId,
    flows: BTreeMap<FlowId, Flow>,
    by_stream: BTreeMap<StreamId, FlowId>,
    asked: BTreeMap<StreamId, (QueryId, Addr, Transport)>,
    next_flow: u64,
}

/// What `poll` said, owned, for what needs the engine again.
enum Todo {
    Done,
    Close(FlowId),
    Connect(QueryId, Addr, Transport),
    Dns(QueryId, String),
    Ask(QueryId, Asked),
    Event(sansip::Event, Option<Vec<u8>>),
}

impl EngineNode {
    pub fn new(node: NodeId, addr: Addr, mut engine: Engine, app: Box<dyn App>, now: u64) -> Self {
        let ip = addr.ip;
        let host = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        for (id, transport) in [(UDP, Transport::Udp), (TCP, Transport::Tcp)] {
            let entry = Local { transport, bound: addr, host: &host, port: addr.port, network: 0 };
            let set = engine.set_local(Instant(now), id, entry);
            // The smallest engines have one identity.
            assert!(set.is_ok() || id == TCP, "an engine takes an identity");
        }
        Self {
            engine,
            app,
            addr,
            full: 0,
            node,
            flows: BTreeMap::new(),
            by_stream: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_flow: 1,
        }
    }

    pub fn next(&self) -> Option<u64> {
        let timer = self.engine.next_timeout().map(|t| t.0);
        [timer, self.app.next_alarm()].into_iter().flatten().min()
    }

    /// Lets the application act, then does what the engine wants.
    pub fn act<R>(
        &mut self,
        net: &mut Network,
        hosts: &Hosts,
        now: u64,
        act: impl FnOnce(&mut dyn App, &mut Io<'_>) -> R,
    ) -> R {
        let mut io = Io { engine: &mut self.engine, now: Instant(now) };
        let result = act(&mut *self.app, &mut io);
        self.drain(net, hosts, now);
        result
    }

    pub fn on_time(&mut self, net: &mut Network, hosts: &Hosts, now: u64) {
        if self.engine.next_timeout().is_some_and(|t| t.0 <= now) {
            if self.engine.handle_timeout(Instant(now)).is_err() {
                self.full += 1;
            }
            self.drain(net, hosts, now);
            let waiting: Vec<_> =
                self.flows.iter().filter(|(_, f)| !f.rest.is_empty()).map(|(id, _)| *id).collect();
            for flow in waiting {
                self.feed(net, hosts, now, flow);
            }
        }
        if self.app.next_alarm().is_some_and(|t| t <= now) {
            self.act(net, hosts, now, |app, io| app.on_alarm(io));
        }
    }

    pub fn deliver(&mut self, net: &mut Network, hosts: &Hosts, now: u64, delivery: Delivery) {
        let at = Instant(now);
        match delivery {
            Delivery::Datagram { from, bytes, .. } => {
                let path = Path { local: UDP, remote: from, flow: None };
                if let Err(Error::Full(_)) = self.engine.receive(at, path, &bytes) {
                    self.full += 1;
                }
            }
            Delivery::Unreachable { tag, .. } => {
                let _ = self.engine.send_failed(at, SendId(tag), SendEnd::Unreachable);
            }
            Delivery::Accepted { stream, from, .. } => {
                self.open(now, stream, from, Transport::Tcp, true);
            }
            Delivery::Connected { stream, .. } => {
                if let Some((query, to, transport)) = self.asked.remove(&stream) {
                    let flow = self.open(now, stream, to, transport, false);
                    let _ = self.engine.answer(at, query, Answer::Connected(flow));
                }
            }
            Delivery::Refused { stream, .. } => {
                if let Some((query, ..)) = self.asked.remove(&stream) {
                    let _ = self.engine.answer(at, query, Answer::Failed);
                }
            }
            Delivery::Bytes { stream, bytes, .. } => {
                if let Some(id) = self.by_stream.get(&stream).copied() {
                    if let Some(flow) = self.flows.get_mut(&id) {
                        flow.rest.extend_from_slice(&bytes);
                    }
                    self.feed(net, hosts, now, id);
                }
            }
            Delivery::Ended { stream, reset, .. } => {
                if let Some(flow) = self.by_stream.remove(&stream) {
                    self.flows.remove(&flow);
                    let why = if reset { FlowEnd::Reset } else { FlowEnd::Closed };
                    let _ = self.engine.flow_closed(at, flow, why);
                }
            }
        }
        self.drain(net, hosts, now);
    }

    fn open(
        &mut self,
        now: u64,
        stream: StreamId,
        remote: Addr,
        transport: Transport,
        accepted: bool,
    ) -> FlowId {
        let flow = FlowId(self.next_flow);
        self.next_flow += 1;
        let info = FlowInfo { local: TCP, remote, transport, accepted, names: &[] };
        if self.engine.flow_opened(Instant(now), flow, info).is_ok() {
            self.flows.insert(flow, Flow { stream, rest: Vec::new() });
            self.by_stream.insert(stream, flow);
        }
        flow
    }

    /// Presents what a flow has brought, until the engine takes no more.
    fn feed(&mut self, net: &mut Network, hosts: &Hosts, now: u64, id: FlowId) {
        loop {
            let Some(flow) = self.flows.get_mut(&id) else { return };
            let taken = self.engine.receive_stream(Instant(now), id, &flow.rest);
            if let Ok(n) = taken {
                flow.rest.drain(..n.min(flow.rest.len()));
            }
            let done = flow.rest.is_empty();
            let said = self.drain(net, hosts, now);
            if done || (!said && !matches!(taken, Ok(1..))) {
                return;
            }
        }
    }

    /// Polls until nothing comes. Whether something came.
    fn drain(&mut self, net: &mut Network, hosts: &Hosts, now: u64) -> bool {
        let mut said = false;
        loop {
            let Some(output) = self.engine.poll() else { return said };
            said = true;
            let todo = match output {
                Output::Transmit(t) => {
                    let flow = t.path.flow.and_then(|f| self.flows.get(&f));
                    match (t.path.flow, flow) {
                        (None, _) => {
                            net.send(now, self.node, self.addr, t.path.remote, t.bytes, t.send.0);
                        }
                        (Some(_), Some(flow)) => {
                            net.write(now, self.node, flow.stream, t.bytes);
                        }
                        (Some(_), None) => {}
                    }
                    Todo::Done
                }
                Output::Close(flow) => Todo::Close(flow),
                Output::Query(id, Query::Connect { to, transport, .. }) => {
                    Todo::Connect(id, to, transport)
                }
                Output::Query(id, Query::Dns { name, .. }) => Todo::Dns(id, name.to_string()),
                Output::Query(id, query) => Todo::Ask(id, Asked::of(&query, now)),
                Output::Event(event, message) => {
                    Todo::Event(event, message.map(|m| m.bytes().to_vec()))
                }
                _ => Todo::Done,
            };
            self.obey(net, hosts, now, todo);
        }
    }

    fn obey(&mut self, net: &mut Network, hosts: &Hosts, now: u64, todo: Todo) {
        let mut io = Io { engine: &mut self.engine, now: Instant(now) };
        match todo {
            Todo::Done => {}
            Todo::Close(id) => {
                if let Some(flow) = self.flows.remove(&id) {
                    self.by_stream.remove(&flow.stream);
                    net.end(now, self.node, flow.stream, false);
                }
                let _ = self.engine.flow_closed(Instant(now), id, FlowEnd::Asked);
            }
            Todo::Connect(query, to, transport) => {
                let from = Addr { port: 0, ..self.addr };
                let stream = net.connect(now, self.node, from, to, transport);
                self.asked.insert(stream, (query, to, transport));
            }
            Todo::Dns(query, name) => match hosts.get(&name.to_ascii_lowercase()) {
                Some(ips) => io.answer(query, Answer::Addresses(ips, 60)),
                None => io.answer(query, Answer::NotFound),
            },
            Todo::Ask(query, asked) => self.app.on_query(&mut io, query, &asked),
            Todo::Event(event, message) => self.app.on_event(&mut io, event, message.as_deref()),
        }
    }
}
