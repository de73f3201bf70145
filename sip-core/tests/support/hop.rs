//! One proxy and registrar, driven by hand: bytes in, bytes out.
#![allow(dead_code)]

use std::collections::BTreeMap;

use sansip::{
    Addr, Answer, Binding, Config, Engine, Event, FlowEnd, FlowId, FlowInfo, Instant, Limits,
    Local, LocalId, Output, Path, Query, QueryId, RequestHandle, Retransmit, Seen, Target,
    Transport,
};

pub const UDP: LocalId = LocalId(1);
pub const TCP: LocalId = LocalId(2);

/// What came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    pub to: u8,
    pub flow: Option<FlowId>,
    /// From which identity.
    pub local: LocalId,
    pub text: String,
    pub bytes: Vec<u8>,
}

impl Sent {
    /// `INVITE` or `200`.
    pub fn start(&self) -> &str {
        let mut words = self.text.split(' ');
        match words.next() {
            Some("SIP/2.0") => words.next().unwrap_or(""),
            word => word.unwrap_or(""),
        }
    }

    /// The Request-URI.
    pub fn uri(&self) -> &str {
        self.text.split(' ').nth(1).unwrap()
    }

    /// The values of a field, one a line.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap();
        let lines = head.split("\r\n").skip(1);
        lines
            .filter_map(|l| l.split_once(':'))
            .filter(|(n, _)| n.trim().eq_ignore_ascii_case(name))
            .map(|(_, v)| v.trim())
            .collect()
    }

    pub fn one(&self, name: &str) -> &str {
        let all = self.all(name);
        assert_eq!(all.len(), 1, "{name} in {}", self.text);
        all[0]
    }

    /// `<peer> <start>`, for ladders.
    pub fn label(&self) -> String {
        format!("{} {}", self.to, self.start())
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    pub uri: String,
    pub params: String,
    pub q: u16,
    pub until: u64,
    pub call_id: String,
    pub cseq: u32,
    pub path: String,
}

/// A question as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Locate(String),
    Store { aor: String, version: u64, uris: Vec<String> },
    Route { uri: String, ours: bool },
    Dns(String),
    Connect(u8),
    Secret(String),
}

/// What the application answers to Route.
pub enum Routes {
    To(Vec<(String, String, u16)>),
    Reject(u16),
    NotFound,
    Failed,
}

pub struct Hop {
    pub engine: Engine,
    pub now: u64,
    pub sent: Vec<Sent>,
    pub trying: Vec<Sent>,
    pub asked: Vec<Asked>,
    pub store: BTreeMap<String, (u64, Vec<Bound>)>,
    pub routes: Routes,
    /// The peer that every name leads to, if any.
    pub dns: Option<u8>,
    /// Where else the names lead.
    pub more_dns: Vec<u8>,
    /// What happened, and the last request that targets were asked for.
    pub events: Vec<Event>,
    pub routing: Option<RequestHandle>,
    /// The open connections: number and peer. With TCP on, every peer can be connected to.
    pub flows: Vec<(FlowId, u8)>,
    tcp: bool,
    last_flow: u64,
    /// Users and their passwords.
    pub users: Vec<(String, String)>,
    /// Questions that nobody answers yet.
    pub held: Vec<(QueryId, Asked)>,
    pub hold: bool,
    /// What the held questions want stored.
    to_store: Vec<(QueryId, Vec<Bound>)>,
}

fn last_octet(addr: Addr) -> u8 {
    match addr.ip {
        std::net::IpAddr::V4(ip) => ip.octets()[3],
        std::net::IpAddr::V6(ip) => ip.octets()[15],
    }
}

/// The address of a peer: 10.0.0.N:5060.
pub fn peer(n: u8) -> Addr {
    Addr::v4(10, 0, 0, n, 5060)
}

pub const ME: u8 = 100;

pub fn config() -> Config {
    let mut config = Config::new([7; 32]);
    config.ask_media = false;
    config.roles.ua = false;
    config.retransmit = Retransmit::Rfc;
    config.domains = vec!["example.com".into(), "example.net".into()];
    config.unix_at_zero = 1_000_000_000_000;
    config
}

impl Hop {
    pub fn new() -> Self {
        Self::with(config(), &Limits::TESTER)
    }

    pub fn with(config: Config, limits: &Limits) -> Self {
        let mut engine = Engine::new(config, limits).unwrap();
        let bound = Addr::v4(10, 0, 0, ME, 5060);
        let local =
            Local { transport: Transport::Udp, bound, host: "10.0.0.100", port: 5060, network: 0 };
        engine.set_local(Instant(0), UDP, local).unwrap();
        Self {
            engine,
            now: 0,
            sent: Vec::new(),
            trying: Vec::new(),
            asked: Vec::new(),
            store: BTreeMap::new(),
            routes: Routes::NotFound,
            dns: None,
            more_dns: Vec::new(),
            events: Vec::new(),
            routing: None,
            flows: Vec::new(),
            tcp: false,
            last_flow: 0,
            users: Vec::new(),
            held: Vec::new(),
            hold: false,
            to_store: Vec::new(),
        }
    }

    /// Turns TCP on.
    pub fn tcp(&mut self) {
        let bound = Addr::v4(10, 0, 0, ME, 5060);
        let local =
            Local { transport: Transport::Tcp, bound, host: "10.0.0.100", port: 5060, network: 0 };
        self.engine.set_local(Instant(self.now), TCP, local).unwrap();
        self.tcp = true;
    }

    /// One more identity.
    pub fn listen(&mut self, id: LocalId, transport: Transport, bound: Addr, host: &str) {
        let local = Local { transport, bound, host, port: bound.port, network: 0 };
        self.engine.set_local(Instant(self.now), id, local).unwrap();
    }

    /// A connection opens at an identity, with the names that TLS verified.
    pub fn open_at(
        &mut self,
        local: LocalId,
        transport: Transport,
        remote: Addr,
        names: &[&str],
    ) -> FlowId {
        self.last_flow += 1;
        let flow = FlowId(self.last_flow);
        let info = FlowInfo { local, remote, transport, accepted: true, names };
        self.engine.flow_opened(Instant(self.now), flow, info).unwrap();
        self.flows.push((flow, last_octet(remote)));
        flow
    }

    /// A message comes by datagram to an identity.
    pub fn receive_at(&mut self, local: LocalId, remote: Addr, message: &str) -> Seen {
        let path = Path { local, remote, flow: None };
        let seen = self.engine.receive(Instant(self.now), path, message.as_bytes()).unwrap();
        self.drain();
        seen
    }

    /// A connection opens, from the peer or to it.
    pub fn open(&mut self, to: u8, accepted: bool) -> FlowId {
        self.last_flow += 1;
        let flow = FlowId(self.last_flow);
        let port = if accepted { 40_000 } else { 5060 };
        let remote = Addr { port, ..peer(to) };
        let info = FlowInfo { local: TCP, remote, transport: Transport::Tcp, accepted, names: &[] };
        self.engine.flow_opened(Instant(self.now), flow, info).unwrap();
        self.flows.push((flow, to));
        flow
    }

    /// A message comes by a connection.
    pub fn receive_flow(&mut self, flow: FlowId, message: &str) {
        let taken = self.engine.receive_stream(Instant(self.now), flow, message.as_bytes());
        assert_eq!(taken, Ok(message.len()));
        self.drain();
    }

    /// A connection is lost.
    pub fn lose(&mut self, flow: FlowId) {
        self.flows.retain(|(f, _)| *f != flow);
        self.engine.flow_closed(Instant(self.now), flow, FlowEnd::Reset).unwrap();
        self.run(0);
    }

    /// Registers a binding without a REGISTER.
    pub fn bind(&mut self, aor: &str, uri: &str) {
        let entry = self.store.entry(aor.into()).or_insert((1, Vec::new()));
        entry.1.push(Bound {
            uri: uri.into(),
            params: String::new(),
            q: 1000,
            until: u64::MAX / 2,
            call_id: "x".into(),
            cseq: 1,
            path: String::new(),
        });
    }

    /// A message comes from a peer; what it causes is taken in.
    pub fn receive(&mut self, from: u8, message: &str) -> Seen {
        self.receive_bytes(from, message.as_bytes())
    }

    pub fn receive_bytes(&mut self, from: u8, message: &[u8]) -> Seen {
        let path = Path { local: UDP, remote: peer(from), flow: None };
        let seen = self.engine.receive(Instant(self.now), path, message).unwrap();
        self.drain();
        seen
    }

    /// Polls, and answers questions from the store, until nothing comes.
    pub fn drain(&mut self) {
        loop {
            let mut questions = Vec::new();
            while let Some(output) = self.engine.poll() {
                match output {
                    Output::Transmit(t) => {
                        let to = last_octet(t.path.remote);
                        let bytes = t.bytes.to_vec();
                        let text = String::from_utf8_lossy(&bytes).into_owned();
                        let sent = Sent { to, flow: t.path.flow, local: t.path.local, text, bytes };
                        // Told apart, so that they are not in the way.
                        let list =
                            if sent.start() == "100" { &mut self.trying } else { &mut self.sent };
                        list.push(sent);
                    }
                    Output::Event(event, _) => self.events.push(event),
                    Output::Query(id, query) => {
                        if let Query::Route { request, .. }
                        | Query::Locate { request: Some(request), .. } = query
                        {
                            self.routing = Some(request);
                        }
                        questions.push((id, owned(&query), bounds(&query)));
                    }
                    Output::Forget(id) => self.held.retain(|(held, _)| *held != id),
                    other => panic!("{other:?}"),
                }
            }
            if questions.is_empty() {
                return;
            }
            for (id, asked, bounds) in questions {
                self.asked.push(asked.clone());
                if self.hold {
                    self.held.push((id, asked));
                    self.to_store.push((id, bounds));
                } else {
                    self.answer(id, &asked, bounds);
                }
            }
        }
    }

    /// Answers what was held back.
    pub fn release(&mut self) {
        self.hold = false;
        while !self.held.is_empty() {
            self.answer_held();
        }
        self.drain();
    }

    /// Answers the first question that was held back.
    pub fn answer_held(&mut self) {
        let (id, asked) = self.held.remove(0);
        let at = self.to_store.iter().position(|(held, _)| *held == id);
        let bounds = at.map_or(Vec::new(), |at| self.to_store.remove(at).1);
        self.answer(id, &asked, bounds);
        self.drain();
    }

    fn answer(&mut self, id: QueryId, asked: &Asked, mut bounds: Vec<Bound>) {
        let now = Instant(self.now);
        let seconds = self.now / 1_000;
        match asked {
            Asked::Locate(aor) => {
                let (version, list) = self.store.get(aor).cloned().unwrap_or_default();
                let list: Vec<Binding<'_>> = list
                    .iter()
                    .filter(|b| b.until > seconds)
                    .map(|b| Binding {
                        uri: &b.uri,
                        params: &b.params,
                        q: b.q,
                        expires: u32::try_from(b.until - seconds).unwrap_or(u32::MAX),
                        call_id: &b.call_id,
                        cseq: b.cseq,
                        path: &b.path,
                    })
                    .collect();
                self.engine.answer(now, id, Answer::Located { version, bindings: &list }).unwrap();
            }
            Asked::Store { aor, version, .. } => {
                let entry = self.store.entry(aor.clone()).or_default();
                let answer = if entry.0 == *version {
                    bounds.iter_mut().for_each(|b| b.until += seconds);
                    *entry = (version + 1, bounds);
                    Answer::Stored
                } else {
                    Answer::Conflict
                };
                self.engine.answer(now, id, answer).unwrap();
            }
            Asked::Route { .. } => {
                let answer = |engine: &mut Engine, a| engine.answer(now, id, a).unwrap();
                match &self.routes {
                    Routes::To(list) => {
                        let targets: Vec<Target<'_>> = list
                            .iter()
                            .map(|(uri, next_hop, q)| Target {
                                uri,
                                next_hop,
                                q: *q,
                                ..Target::default()
                            })
                            .collect();
                        answer(&mut self.engine, Answer::Route(&targets));
                    }
                    Routes::Reject(status) => answer(&mut self.engine, Answer::Reject(*status)),
                    Routes::NotFound => answer(&mut self.engine, Answer::NotFound),
                    Routes::Failed => answer(&mut self.engine, Answer::Failed),
                }
            }
            Asked::Dns(_) => {
                let ips: Vec<_> =
                    self.dns.iter().chain(&self.more_dns).map(|n| peer(*n).ip).collect();
                let answer = match ips.as_slice() {
                    [] => Answer::NotFound,
                    ips => Answer::Addresses(ips, 60),
                };
                self.engine.answer(now, id, answer).unwrap();
            }
            Asked::Secret(user) => {
                let known = self.users.iter().find(|(name, _)| name == user);
                let answer = known.map_or(Answer::NotFound, |(_, word)| Answer::Password(word));
                self.engine.answer(now, id, answer).unwrap();
            }
            Asked::Connect(to) => {
                let flow = self.tcp.then(|| self.open(*to, false));
                let answer = flow.map_or(Answer::Failed, Answer::Connected);
                self.engine.answer(now, id, answer).unwrap();
            }
        }
    }

    /// Lets so many milliseconds pass.
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        self.drain();
        while let Some(next) = self.engine.next_timeout().filter(|t| t.0 <= end) {
            self.now = self.now.max(next.0);
            self.engine.handle_timeout(Instant(self.now)).unwrap();
            self.drain();
        }
        self.now = end;
    }

    /// What has been sent since the last call.
    pub fn take(&mut self) -> Vec<Sent> {
        core::mem::take(&mut self.sent)
    }

    /// The only message that has been sent since.
    #[track_caller]
    pub fn only(&mut self) -> Sent {
        let mut sent = self.take();
        assert_eq!(sent.len(), 1, "{:?}", sent.iter().map(Sent::label).collect::<Vec<_>>());
        sent.remove(0)
    }

    /// Labels of what has been sent since, repetitions of requests included.
    pub fn labels(&mut self) -> Vec<String> {
        self.take().iter().map(Sent::label).collect()
    }

    /// Long after the last message nothing is left.
    #[track_caller]
    pub fn finish(&mut self) {
        self.run(4_000_000);
        assert!(self.engine.is_quiescent(), "{:?}", self.engine.stats());
        assert_eq!(self.engine.stats().blocks, 0, "{:?}", self.engine.stats());
    }
}

fn owned(query: &Query<'_>) -> Asked {
    match query {
        Query::Locate { aor, .. } => Asked::Locate((*aor).into()),
        Query::Store { aor, version, bindings } => Asked::Store {
            aor: (*aor).into(),
            version: *version,
            uris: bindings.map(|b| b.uri.to_string()).collect(),
        },
        Query::Route { uri, ours, .. } => Asked::Route { uri: (*uri).into(), ours: *ours },
        Query::Credentials { user, .. } => Asked::Secret((*user).into()),
        Query::Dns { name, .. } => Asked::Dns((*name).into()),
        Query::Connect { to, .. } => Asked::Connect(last_octet(*to)),
        other => panic!("{other:?}"),
    }
}

fn bounds(query: &Query<'_>) -> Vec<Bound> {
    let Query::Store { bindings, .. } = query else { return Vec::new() };
    bindings
        .map(|b| Bound {
            uri: b.uri.into(),
            params: b.params.into(),
            q: b.q,
            until: u64::from(b.expires),
            call_id: b.call_id.into(),
            cseq: b.cseq,
            path: b.path.into(),
        })
        .collect()
}

/// A request of peer `from`, number `n` of its kind.
pub fn request(method: &str, uri: &str, from: u8, n: u32, more: &str) -> String {
    let to_tag = if more.contains("To:") { "" } else { "To: <sip:b@example.com>\r\n" };
    let contact = if method == "INVITE" && !more.contains("Contact:") {
        format!("Contact: <sip:a@10.0.0.{from}>\r\n")
    } else {
        String::new()
    };
    format!(
        "{method} {uri} SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.{from};branch=z9hG4bK{from}x{n}\r\n\
         From: <sip:a@example.com>;tag=f{from}\r\n{to_tag}\
         Call-ID: c{from}\r\nCSeq: {n} {method}\r\nMax-Forwards: 70\r\n{contact}{more}\r\n"
    )
}

/// The response of a callee to what it got.
pub fn response(to: &Sent, status: u16, tag: &str, more: &str) -> String {
    let mut text = format!("SIP/2.0 {status} Reason\r\n");
    let head = to.text.split("\r\n\r\n").next().unwrap();
    for line in head.split("\r\n").skip(1) {
        let name = line.split(':').next().unwrap().to_ascii_lowercase();
        match name.as_str() {
            "via" | "from" | "call-id" | "cseq" | "record-route" => {
                text += line;
                text += "\r\n";
            }
            "to" => {
                text += line;
                if !line.contains("tag=") && !tag.is_empty() {
                    text += ";tag=";
                    text += tag;
                }
                text += "\r\n";
            }
            _ => {}
        }
    }
    text + more + "Content-Length: 0\r\n\r\n"
}
