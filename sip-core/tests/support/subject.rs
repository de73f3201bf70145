//! One engine on UDP and TCP with an application that does the obvious: it answers every call and
//! request, knows every name, opens every connection, keeps bindings, and routes to one next hop,
//! which answers 480.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use sansip::{
    Addr, Answer, Binding, CallChange, CallHandle, Config, Engine, Error, Event, Extras, FlowEnd,
    FlowId, FlowInfo, Instant, Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Query,
    QueryId, RequestHandle, Retransmit, Roles, Seen, Target, Transport,
};

pub const UDP: LocalId = LocalId(1);
pub const TCP: LocalId = LocalId(2);
pub const ME: Addr = Addr::v4(10, 0, 0, 1, 5060);
pub const HOP: Addr = Addr::v4(10, 0, 0, 2, 5060);
pub const PEER: Addr = Addr::v4(10, 0, 0, 9, 5060);

/// A message that the engine sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub to: Addr,
    pub flow: Option<FlowId>,
    pub bytes: Vec<u8>,
}

impl Sent {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// The status of a response.
    pub fn status(&self) -> Option<u16> {
        let rest = self.bytes.strip_prefix(b"SIP/2.0 ")?;
        std::str::from_utf8(rest.get(..3)?).ok()?.parse().ok()
    }

    pub fn method(&self) -> &[u8] {
        self.bytes.split(|c| *c == b' ').next().unwrap_or(b"")
    }

    pub fn fields(&self) -> Vec<Field> {
        fields(&self.bytes).0
    }

    /// The values of a field, unfolded not at all.
    pub fn all(&self, name: &str) -> Vec<String> {
        let with = |f: Field| (f.name == name.to_ascii_lowercase()).then_some(f.value);
        self.fields().into_iter().filter_map(with).collect()
    }

    pub fn one(&self, name: &str) -> String {
        self.all(name).into_iter().next().unwrap_or_default()
    }

    /// A response to this request: its status line and more fields, each with CRLF.
    pub fn answer(&self, start: &str, more: &str) -> Vec<u8> {
        let mut out = format!("SIP/2.0 {start}\r\n").into_bytes();
        for field in self.fields() {
            let tag = field.name == "to" && !field.value.contains("tag");
            if ["via", "from", "to", "call-id", "cseq"].contains(&&*field.name) {
                out.extend_from_slice(&field.line);
                out.extend_from_slice(if tag { b";tag=hop\r\n" } else { b"\r\n" });
            }
        }
        out.extend_from_slice(more.as_bytes());
        out.extend_from_slice(b"Content-Length: 0\r\n\r\n");
        out
    }
}

/// A header field: its long name in lower case, its value, and its lines as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    pub name: String,
    pub value: String,
    pub line: Vec<u8>,
}

/// The header fields and the body of a message, without the help of what is tested.
pub fn fields(message: &[u8]) -> (Vec<Field>, &[u8]) {
    let mut list: Vec<Vec<u8>> = Vec::new();
    let mut rest = message;
    loop {
        let end = rest.windows(2).position(|w| w == b"\r\n").unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 2..).unwrap_or(&[]);
        match (list.last_mut(), line) {
            (_, []) => break,
            (Some(last), [b' ' | b'\t', ..]) => {
                last.extend_from_slice(b"\r\n");
                last.extend_from_slice(line);
            }
            _ => list.push(line.to_vec()),
        }
    }
    let field = |line: &Vec<u8>| {
        let text = String::from_utf8_lossy(line);
        let (name, value) = text.split_once(':').unwrap_or((&text, ""));
        let name = match name.trim().to_ascii_lowercase().as_str() {
            "v" => "via".into(),
            "f" => "from".into(),
            "t" => "to".into(),
            "i" => "call-id".into(),
            "m" => "contact".into(),
            "l" => "content-length".into(),
            "c" => "content-type".into(),
            long => long.to_string(),
        };
        Field { name, value: value.trim().into(), line: line.clone() }
    };
    (list.iter().skip(1).map(field).collect(), rest)
}

#[derive(Clone, Debug)]
pub struct Bound {
    pub uri: String,
    pub params: String,
    pub q: u16,
    pub expires: u32,
    pub call_id: String,
    pub cseq: u32,
    pub path: String,
}

enum Todo {
    Answer(CallHandle),
    Respond(RequestHandle),
    Ask(QueryId, Asked),
}

enum Asked {
    Dns,
    Connect(Addr, Transport),
    Route,
    Locate(String),
    Store(String, u64, Vec<Bound>),
}

pub struct Subject {
    pub engine: Engine,
    pub now: u64,
    pub line: Option<LineHandle>,
    pub sent: Vec<Sent>,
    pub events: Vec<Event>,
    pub closed: Vec<FlowId>,
    pub store: BTreeMap<String, (u64, Vec<Bound>)>,
    /// Whether the next hop answers what it is forwarded.
    pub hop_answers: bool,
    /// Whether the application takes calls and requests.
    pub takes: bool,
    last_flow: u64,
    kept: BTreeMap<FlowId, Vec<u8>>,
    pings: u32,
}

pub fn config(ua: bool, domains: &[&str]) -> Config {
    let mut config = Config::new([9; 32]);
    config.ask_media = false;
    config.roles = Roles { ua, proxy: !ua, registrar: !ua && !domains.is_empty() };
    config.domains = domains.iter().map(ToString::to_string).collect();
    config.retransmit = Retransmit::Rfc;
    config
}

impl Subject {
    pub fn new(config: Config, limits: &Limits) -> Self {
        let ua = config.roles.ua;
        let mut engine = Engine::new(config, limits).unwrap();
        for (id, transport) in [(UDP, Transport::Udp), (TCP, Transport::Tcp)] {
            let local = Local { transport, bound: ME, host: "10.0.0.1", port: 5060, network: 0 };
            engine.set_local(Instant(0), id, local).unwrap();
        }
        let line = LineConfig {
            aor: "sip:anybody@10.0.0.1",
            display: "",
            proxy: "",
            local: None,
            expires: 0,
            any: true,
            user: 1,
            ..LineConfig::default()
        };
        let line = ua.then(|| engine.add_line(Instant(0), line).unwrap());
        Self {
            engine,
            now: 0,
            line,
            sent: Vec::new(),
            events: Vec::new(),
            closed: Vec::new(),
            store: BTreeMap::new(),
            hop_answers: true,
            takes: true,
            last_flow: 0,
            kept: BTreeMap::new(),
            pings: 0,
        }
    }

    pub fn phone() -> Self {
        Self::new(config(true, &[]), &Limits::TESTER)
    }

    pub fn proxy() -> Self {
        Self::new(config(false, &[]), &Limits::TESTER)
    }

    pub fn registrar(domains: &[&str]) -> Self {
        Self::new(config(false, domains), &Limits::TESTER)
    }

    pub fn at(&self) -> Instant {
        Instant(self.now)
    }

    /// A datagram from `PEER`.
    pub fn udp(&mut self, message: &[u8]) -> Result<Seen, Error> {
        self.udp_from(PEER, message)
    }

    pub fn udp_from(&mut self, remote: Addr, message: &[u8]) -> Result<Seen, Error> {
        let seen = self.engine.receive(self.at(), Path { local: UDP, remote, flow: None }, message);
        self.drain();
        seen
    }

    /// A connection from `PEER`.
    pub fn open(&mut self) -> FlowId {
        self.open_to(Addr { port: 40_000, ..PEER }, true)
    }

    fn open_to(&mut self, remote: Addr, accepted: bool) -> FlowId {
        self.last_flow += 1;
        let flow = FlowId(self.last_flow);
        let info = FlowInfo { local: TCP, remote, transport: Transport::Tcp, accepted, names: &[] };
        self.engine.flow_opened(self.at(), flow, info).unwrap();
        self.kept.insert(flow, Vec::new());
        flow
    }

    /// Bytes on a connection, presented as a host does.
    pub fn tcp(&mut self, flow: FlowId, bytes: &[u8]) {
        let Some(mut kept) = self.kept.remove(&flow) else { return };
        kept.extend_from_slice(bytes);
        loop {
            let taken = self.engine.receive_stream(self.at(), flow, &kept).unwrap();
            kept.drain(..taken);
            self.drain();
            if taken == 0 || kept.is_empty() {
                break;
            }
        }
        if !self.closed.contains(&flow) {
            self.kept.insert(flow, kept);
        }
    }

    /// The peer ends a connection.
    pub fn end(&mut self, flow: FlowId) {
        if self.kept.remove(&flow).is_some() {
            self.engine.flow_closed(self.at(), flow, FlowEnd::Closed).unwrap();
        }
        self.run(0);
    }

    /// Does what the engine says until it says nothing.
    pub fn drain(&mut self) {
        loop {
            let (mut todo, mut forwarded, mut closing) = (Vec::new(), Vec::new(), Vec::new());
            while let Some(output) = self.engine.poll() {
                match output {
                    Output::Transmit(t) => {
                        let sent =
                            Sent { to: t.path.remote, flow: t.path.flow, bytes: t.bytes.to_vec() };
                        let ours = sent.bytes.starts_with(b"ACK ") || sent.status().is_some();
                        if !ours && self.hop_answers {
                            forwarded.push((t.path, sent.clone()));
                        }
                        self.sent.push(sent);
                    }
                    Output::Event(event, _) => {
                        self.events.push(event);
                        match event {
                            Event::Call { call, change: CallChange::Incoming, .. } => {
                                todo.push(Todo::Answer(call));
                            }
                            Event::Request { request, .. } => todo.push(Todo::Respond(request)),
                            _ => {}
                        }
                    }
                    Output::Query(id, query) => todo.push(Todo::Ask(id, owned(&query))),
                    Output::Close(flow) => closing.push(flow),
                    _ => {}
                }
            }
            if todo.is_empty() && forwarded.is_empty() && closing.is_empty() {
                return;
            }
            for what in todo {
                self.act(what);
            }
            for flow in closing {
                self.closed.push(flow);
                self.kept.remove(&flow);
                self.engine.flow_closed(self.at(), flow, FlowEnd::Asked).unwrap();
                self.engine.handle_timeout(self.at()).unwrap();
            }
            for (path, request) in forwarded {
                let answer = request.answer("480 Not Now", "");
                let path = Path { remote: request.to, ..path };
                // A connection that has been closed since takes no answer.
                let _ = self.engine.receive(self.at(), path, &answer);
            }
        }
    }

    fn act(&mut self, what: Todo) {
        let now = self.at();
        match what {
            Todo::Answer(call) if self.takes => {
                self.engine.answer_call(now, call, Extras::default()).unwrap();
            }
            Todo::Respond(request) if self.takes => {
                self.engine.respond(now, request, 200, Extras::default()).unwrap();
            }
            Todo::Ask(id, asked) => self.answer(id, asked),
            _ => {}
        }
    }

    fn answer(&mut self, id: QueryId, asked: Asked) {
        let now = self.at();
        match asked {
            Asked::Dns => {
                let list = [IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2))];
                self.engine.answer(now, id, Answer::Addresses(&list, 60)).unwrap();
            }
            Asked::Connect(to, Transport::Tcp) => {
                let flow = self.open_to(to, false);
                self.engine.answer(now, id, Answer::Connected(flow)).unwrap();
            }
            Asked::Connect(..) => self.engine.answer(now, id, Answer::Failed).unwrap(),
            Asked::Route => {
                let target = Target { next_hop: "sip:10.0.0.2", q: 1000, ..Target::default() };
                self.engine.answer(now, id, Answer::Route(&[target])).unwrap();
            }
            Asked::Locate(aor) => {
                let (version, list) = self.store.get(&aor).cloned().unwrap_or_default();
                let bindings: Vec<Binding<'_>> = list
                    .iter()
                    .map(|b| Binding {
                        uri: &b.uri,
                        params: &b.params,
                        q: b.q,
                        expires: b.expires,
                        call_id: &b.call_id,
                        cseq: b.cseq,
                        path: &b.path,
                    })
                    .collect();
                let answer = Answer::Located { version, bindings: &bindings };
                self.engine.answer(now, id, answer).unwrap();
            }
            Asked::Store(aor, version, list) => {
                let entry = self.store.entry(aor).or_default();
                let same = entry.0 == version;
                if same {
                    *entry = (version + 1, list);
                }
                let answer = if same { Answer::Stored } else { Answer::Conflict };
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
            self.engine.handle_timeout(self.at()).unwrap();
            self.drain();
        }
        self.now = end;
    }

    /// What was sent since the last time.
    pub fn take(&mut self) -> Vec<Sent> {
        std::mem::take(&mut self.sent)
    }

    /// It answers an OPTIONS that asks nothing of anybody else.
    #[track_caller]
    pub fn ping(&mut self) {
        self.pings += 1;
        let n = self.pings;
        let before = self.take();
        let ping = format!(
            "OPTIONS sip:10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.77;branch=z9hG4bKping{n}\r\n\
             Max-Forwards: 0\r\nFrom: <sip:ping@10.0.0.77>;tag=p\r\nTo: <sip:10.0.0.1>\r\n\
             Call-ID: ping{n}\r\nCSeq: {n} OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        self.udp_from(Addr::v4(10, 0, 0, 77, 5060), ping.as_bytes()).unwrap();
        let answers = self.take();
        assert_eq!(answers.iter().filter_map(Sent::status).collect::<Vec<_>>(), [200], "ping {n}");
        self.sent = before;
    }

    /// Everything has run out: nothing is left but the line and the open connections.
    #[track_caller]
    pub fn finish(&mut self) {
        self.run(4_000_000);
        let stats = self.engine.stats();
        assert!(self.engine.is_quiescent(), "{stats:?}");
        assert_eq!(stats.blocks, stats.lines, "{stats:?}");
    }
}

fn owned(query: &Query<'_>) -> Asked {
    match query {
        Query::Dns { .. } => Asked::Dns,
        Query::Connect { to, transport, .. } => Asked::Connect(*to, *transport),
        Query::Route { .. } => Asked::Route,
        Query::Locate { aor, .. } => Asked::Locate((*aor).into()),
        Query::Store { aor, version, bindings } => {
            let list = bindings
                .map(|b| Bound {
                    uri: b.uri.into(),
                    params: b.params.into(),
                    q: b.q,
                    expires: b.expires,
                    call_id: b.call_id.into(),
                    cseq: b.cseq,
                    path: b.path.into(),
                })
                .collect();
            Asked::Store((*aor).into(), *version, list)
        }
        other => panic!("{other:?}"),
    }
}
