//! A program of inputs into a whole engine. It never panics and never yields outputs without end;
//! what it sends are SIP messages; and when the program is over and time goes by, nothing is left.
//! With `FUZZ_TRACE` set it tells what goes in and out.

use sansip::wire::MessageRef;
use sansip::{
    Addr, Answer, Binding, CallHandle, Config, Engine, Event, Extras, FlowEnd, FlowId, FlowInfo,
    Input, Instant, Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Query, QueryId,
    RequestHandle, SendEnd, SendId, Target, Transport,
};

use crate::program::{Heard, Program, answer, request};

const UDP: LocalId = LocalId(1);
const TCP: LocalId = LocalId(2);
const URIS: &[&str] = &[
    "sip:bob@10.0.0.2",
    "sip:bob@10.0.0.2;transport=tcp",
    "sip:bob@host.example.com",
    "sips:bob@10.0.0.2",
    "tel:+15550100",
    "sip:alice@10.0.0.1",
    "sip:bob@[2001:db8::1]:5070",
    "nonsense",
    "",
];
const AORS: &[&str] = &["sip:alice@10.0.0.1", "sip:bob@example.com", "sips:alice@10.0.0.1", "x"];
const STATUSES: &[u16] = &[180, 183, 200, 302, 404, 486, 503, 603, 100, 0, 700];
const HEADERS: &[&[(&str, &str)]] = &[&[], &[("X-Y", "z")], &[("Subject", "a\r\nb: c")]];

/// A day: longer than anything may live without being asked for.
const DAY: u64 = 24 * 3_600 * 1_000;

struct World<'a> {
    program: Program<'a>,
    engine: Engine,
    now: Instant,
    heard: Heard,
    calls: Vec<CallHandle>,
    lines: Vec<LineHandle>,
    requests: Vec<RequestHandle>,
    queries: Vec<QueryId>,
    open: Vec<(QueryId, Addr, Transport)>,
    sends: Vec<SendId>,
    flows: Vec<FlowId>,
    next_flow: u64,
    raw: bool,
    trace: bool,
}

/// The first byte chooses the limits, the rest are inputs.
pub fn run(data: &[u8]) {
    let Some(mut world) = World::new(Program::new(data)) else { return };
    for _ in 0..400 {
        let Some(op) = world.program.byte() else { break };
        world.step(op);
    }
    world.finish();
}

fn limits(choice: usize) -> Limits {
    let small = Limits { forks: 2, branches: 2, queries: 3, flows: 2, ..Limits::TINY };
    match choice % 4 {
        0 => small,
        1 => Limits { calls_in: 1, locals: 2, ..small },
        _ => Limits { forks: 6, branches: 4, pool: 64_000, ..Limits::PHONE },
    }
}

impl<'a> World<'a> {
    fn new(mut program: Program<'a>) -> Option<Self> {
        let choice = program.small();
        let mut config = Config::new([7; 32]);
        config.domains = vec!["example.com".to_string()];
        config.dns = choice & 4 == 0;
        config.record_route = choice & 8 == 0;
        config.roles.ua = choice & 48 != 48;
        config.roles.proxy = choice & 64 == 0;
        let limits = Limits { locals: 2, ..limits(choice) };
        let mut engine = Engine::new(config, &limits).ok()?;
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        let entry =
            Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
        engine.set_local(Instant(0), UDP, entry).ok()?;
        engine.set_local(Instant(0), TCP, Local { transport: Transport::Tcp, ..entry }).ok()?;
        let mut world = World {
            program,
            engine,
            now: Instant(1_000),
            heard: Heard::default(),
            calls: Vec::new(),
            lines: Vec::new(),
            requests: Vec::new(),
            queries: Vec::new(),
            open: Vec::new(),
            sends: Vec::new(),
            flows: Vec::new(),
            next_flow: 1,
            raw: false,
            trace: std::env::var_os("FUZZ_TRACE").is_some(),
        };
        if choice & 128 == 0 {
            world.add_line();
        }
        Some(world)
    }

    fn step(&mut self, op: u8) {
        match op % 16 {
            0..=3 => self.receive_request(),
            4..=6 => self.receive_answer(),
            7 => self.receive_raw(),
            8 => self.pass(),
            9 => self.jump(),
            10..=12 => self.verb(),
            13 => self.answer_query(),
            14 => self.flow(),
            _ => self.odd(),
        }
        let before = self.engine.next_timeout();
        assert!(before.is_none_or(|t| t >= self.now || !self.engine.is_quiescent()));
        // One input in eight meets a ring in which outputs still wait.
        if op < 224 {
            self.drain();
        }
    }

    fn path(&mut self) -> Path {
        let n = self.program.small();
        let remote = Addr::v4(10, 0, 0, 2 + (n & 3) as u8, 5060);
        match self.flows.last() {
            Some(flow) if n & 4 != 0 => Path { local: TCP, remote, flow: Some(*flow) },
            _ => Path { local: UDP, remote, flow: None },
        }
    }

    fn apply(&mut self, input: &Input<'_>) {
        // Full, Gone, Late and Misuse are all good answers to a random program.
        let done = self.engine.apply(self.now, input);
        if self.trace {
            let text = match input {
                Input::Receive { message, .. } => String::from_utf8_lossy(message).into_owned(),
                other => format!("{other:?}"),
            };
            eprintln!("{:?} <- {text}\n{done:?} {:?}", self.now, self.engine.stats());
        }
    }

    fn receive_request(&mut self) {
        let path = self.path();
        let transport = if path.flow.is_some() { "TCP" } else { "UDP" };
        let message = request(&mut self.program, &self.heard, transport);
        self.apply(&Input::Receive { path, message: &message });
    }

    fn receive_answer(&mut self) {
        let path = self.path();
        let Some(message) = answer(&mut self.program, &self.heard) else { return };
        self.apply(&Input::Receive { path, message: &message });
    }

    fn receive_raw(&mut self) {
        let path = self.path();
        let len = self.program.small();
        let message = self.program.bytes(len).to_vec();
        self.apply(&Input::Receive { path, message: &message });
    }

    fn pass(&mut self) {
        let ms = self.program.number() as u64;
        let scale = self.program.pick(&[1, 1, 10, 1_000]);
        self.now = self.now.after(ms * scale);
        self.apply(&Input::HandleTimeout);
    }

    fn jump(&mut self) {
        if let Some(next) = self.engine.next_timeout() {
            self.now = self.now.max(next);
            self.apply(&Input::HandleTimeout);
        }
    }

    fn add_line(&mut self) {
        let line = LineConfig {
            aor: self.program.pick(AORS),
            display: self.program.pick(&["", "A \"quoted\" name", "\r\n"]),
            proxy: self.program.pick(&["", "", "sip:10.0.0.2", "sip:p.example.com;transport=tcp"]),
            local: None,
            expires: self.program.pick(&[0, 60, 7_200]),
            any: self.program.small() & 1 == 0,
            user: 1,
            ..LineConfig::default()
        };
        if let Ok(line) = self.engine.add_line(self.now, line) {
            self.lines.push(line);
        }
    }

    fn extras(&mut self) -> Extras<'static> {
        let body: &[u8] = self.program.pick(&[&b""[..], b"v=0\r\n"]);
        let content_type = if body.is_empty() { "" } else { "application/sdp" };
        Extras { headers: self.program.pick(HEADERS), content_type, body, media: None }
    }

    fn verb(&mut self) {
        let op = self.program.small();
        let call = self.program.pick_any(&self.calls);
        let line = self.program.pick_any(&self.lines);
        let status = self.program.pick(STATUSES);
        let extras = self.extras();
        let uri = self.program.pick(URIS);
        let input = match (op % 13, call, line) {
            (0..=2, _, Some(line)) => {
                if let Ok(call) = self.engine.invite(self.now, line, uri, 5, extras) {
                    self.calls.push(call);
                }
                return;
            }
            (3, Some(call), _) => Input::Ring { call, status, extras },
            (4..=5, Some(call), _) => Input::AnswerCall { call, extras },
            (6, Some(call), _) => Input::Reject { call, status, extras },
            (7, Some(call), _) => Input::Redirect { call, status, contact: uri, extras },
            (8, Some(call), _) => Input::Hangup { call },
            (9, Some(call), _) => Input::Reinvite { call, extras },
            (10, _, Some(line)) => Input::Register { line },
            (11, _, Some(line)) => Input::Unregister { line },
            _ => {
                let Some(request) = self.program.pick_any(&self.requests) else { return };
                Input::Respond { request, status, extras }
            }
        };
        self.apply(&input);
    }

    fn answer_query(&mut self) {
        let Some(query) = self.program.pick_any(&self.queries) else { return };
        let addresses = [Addr::v4(10, 0, 0, 2, 0).ip, Addr::v4(10, 0, 0, 3, 0).ip];
        let uri = self.program.pick(URIS);
        let target = |q| Target { uri, q, ..Target::default() };
        let targets =
            [target(1_000), target(500), Target { next_hop: "sip:10.0.0.4;lr", ..target(500) }];
        let binding =
            Binding { uri, q: 1_000, expires: 60, call_id: "c1", cseq: 1, ..Binding::default() };
        let bindings = [binding, Binding { uri: "sip:bob@10.0.0.3", q: 0, ..binding }];
        let count = self.program.small() % 3;
        let answer = match self.program.small() % 9 {
            0 => Answer::Addresses(&addresses[..count], 60),
            1 => Answer::NotFound,
            2 => Answer::Failed,
            3 => Answer::Connected(FlowId(self.next_flow.saturating_sub(1))),
            4 => Answer::Route(&targets[..count + 1]),
            5 => Answer::Reject(403),
            6 => Answer::Located { version: count as u64, bindings: &bindings[..count] },
            7 => Answer::Stored,
            _ => Answer::Conflict,
        };
        let _ = self.engine.answer(self.now, query, answer);
    }

    fn flow(&mut self) {
        match self.program.small() % 4 {
            0 => {
                // A connection that was asked for opens, or one is accepted.
                let asked = self.open.pop();
                let remote = asked.map_or(Addr::v4(10, 0, 0, 3, 40_000), |(_, to, _)| to);
                let transport = asked.map_or(Transport::Tcp, |(_, _, transport)| transport);
                let flow = FlowId(self.next_flow);
                self.next_flow += 1;
                let info = FlowInfo {
                    local: TCP,
                    remote,
                    transport,
                    accepted: asked.is_none(),
                    names: &[],
                };
                if self.engine.flow_opened(self.now, flow, info).is_ok() {
                    self.flows.push(flow);
                    if let Some((query, ..)) = asked {
                        let _ = self.engine.answer(self.now, query, Answer::Connected(flow));
                    }
                }
            }
            1 => {
                if let Some(flow) = self.flows.pop() {
                    self.apply(&Input::FlowClosed { flow, why: FlowEnd::Reset });
                }
            }
            _ => self.stream(),
        }
    }

    fn stream(&mut self) {
        let Some(flow) = self.program.pick_any(&self.flows) else { return };
        let mut bytes = request(&mut self.program, &self.heard, "TCP");
        let cut = self.program.number();
        if self.program.small() & 3 == 0 {
            bytes.truncate(cut % bytes.len());
        }
        let mut from = 0;
        for _ in 0..4 {
            let Ok(taken) = self.engine.receive_stream(self.now, flow, &bytes[from..]) else {
                return;
            };
            from += taken;
            assert!(from <= bytes.len());
            self.drain();
        }
    }

    fn odd(&mut self) {
        match self.program.small() % 8 {
            0 => self.add_line(),
            1 => {
                if let Some(line) = self.program.pick_any(&self.lines) {
                    self.apply(&Input::RemoveLine { line });
                }
            }
            2 => {
                if let Some(send) = self.program.pick_any(&self.sends) {
                    self.apply(&Input::SendFailed { send, why: SendEnd::Unreachable });
                }
            }
            3 => {
                let path = self.path();
                let len = self.program.small();
                let bytes = self.program.bytes(len).to_vec();
                self.raw = true;
                self.apply(&Input::Send { path, bytes: &bytes });
            }
            4 if self.program.small() == 0 => self.apply(&Input::Shutdown),
            5 => {
                // What was sent comes back: a loop, or a retransmission by a mirror.
                let Some(message) = self.heard.sent.last().cloned() else { return };
                let path = self.path();
                self.apply(&Input::Receive { path, message: &message });
            }
            6 => {
                if let Some(request) = self.program.pick_any(&self.requests) {
                    let _ = self.engine.message(request).map(|m| m.fields().count());
                }
            }
            _ => self.now = Instant(self.now.0.saturating_sub(5_000)),
        }
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            let Some(output) = self.engine.poll() else { return };
            match output {
                Output::Transmit(t) => {
                    let message = MessageRef::lazy(t.bytes);
                    let ping = t.bytes.iter().all(|b| matches!(b, b'\r' | b'\n'));
                    assert!(self.raw || ping || message.is_some(), "{}", t.bytes.escape_ascii());
                    if self.trace {
                        eprintln!("{:?} -> {}", self.now, String::from_utf8_lossy(t.bytes));
                    }
                    self.sends.push(t.send);
                    self.heard.note(t.bytes);
                }
                Output::Close(flow) => {
                    self.flows.retain(|f| *f != flow);
                    let _ = self.engine.flow_closed(self.now, flow, FlowEnd::Closed);
                }
                Output::Query(id, query) => {
                    self.queries.push(id);
                    if let Query::Connect { to, transport, .. } = query {
                        self.open.push((id, to, transport));
                    }
                    if let Query::Route { request, .. } = query {
                        self.requests.push(request);
                    }
                }
                Output::Event(Event::Call { call, .. }, _) if !self.calls.contains(&call) => {
                    self.calls.push(call);
                }
                Output::Event(Event::Request { request, .. }, _) => self.requests.push(request),
                Output::Forget(_) | Output::Event(..) => {}
                _ => {}
            }
        }
        panic!("outputs without end: {:?}", self.engine.stats());
    }

    /// The program is over: lines go, nobody answers any more, time passes.
    fn finish(mut self) {
        self.drain();
        for _ in 0..3 {
            let _ = self.engine.shutdown(self.now);
            self.drain();
        }
        for line in self.lines.clone() {
            let _ = self.engine.remove_line(self.now, line);
            self.drain();
        }
        for flow in self.flows.clone() {
            let _ = self.engine.flow_closed(self.now, flow, FlowEnd::Closed);
            self.drain();
        }
        let end = self.now.after(DAY);
        for _ in 0..10_000 {
            let Some(next) = self.engine.next_timeout().filter(|t| *t <= end) else { break };
            self.now = self.now.max(next);
            let _ = self.engine.handle_timeout(self.now);
            self.drain();
        }
        assert!(self.engine.is_quiescent(), "left over: {:?}", self.engine.stats());
    }
}
