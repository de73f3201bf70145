//! Programs of random inputs, the same at each run, into engines with hardly any room: messages good
//! and broken, answers late, twice and wrong, verbs on handles of every kind, connections that come
//! and go, a clock that jumps. No panic; an input that is refused changes nothing; and when the
//! program is over and time goes by, nothing is left but the lines.

use sansip::wire::MessageRef;
use sansip::{
    Addr, Answer, AutoAnswer, Binding, CallHandle, Config, Engine, Error, Event, Extras, FlowEnd,
    FlowId, FlowInfo, Follow, Input, Instant, Limit, Limits, LineConfig, LineHandle, Local,
    LocalId, Output, Path, Policy, Query, QueryId, RequestHandle, Roles, SendEnd, SendId, Target,
    Transport,
};

const UDP: LocalId = LocalId(1);
const TCP: LocalId = LocalId(2);
const METHODS: &[&str] = &[
    "INVITE",
    "INVITE",
    "INVITE",
    "ACK",
    "BYE",
    "CANCEL",
    "OPTIONS",
    "REGISTER",
    "MESSAGE",
    "INFO",
    "UPDATE",
    "SUBSCRIBE",
    "PRACK",
    "REFER",
    "REFER",
    "NOTIFY",
    "FOO",
];
const URIS: &[&str] = &[
    "sip:ann@10.0.0.1",
    "sip:ann@example.com",
    "sip:nobody@example.com",
    "sip:example.com",
    "sip:10.0.0.1",
    "sip:bob@10.0.0.2",
    "sip:bob@10.0.0.2;transport=tcp",
    "sip:bob@far.example",
    "sips:bob@10.0.0.2",
    "tel:+15550100",
    "urn:service:sos",
    "sip:bob@[2001:db8::1]",
];
const STATUSES: &[&str] = &[
    "100 ",
    "180 Ringing",
    "183 ",
    "200 OK",
    "202 A",
    "302 M",
    "404 N",
    "408 T",
    "423 B",
    "481 ",
    "486 B",
    "487 T",
    "491 G",
    "500 S",
    "503 U",
    "603 D",
];

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let n = self.below(of.len());
        of.get(n)
    }
}

/// What is remembered of what came out, the latest few of each.
#[derive(Default)]
struct Heard {
    sent: Vec<(Path, Vec<u8>)>,
    given: Vec<Vec<u8>>,
    calls: Vec<CallHandle>,
    requests: Vec<RequestHandle>,
    queries: Vec<(QueryId, u8)>,
    sends: Vec<SendId>,
}

fn keep<T>(list: &mut Vec<T>, item: T) {
    if list.len() >= 12 {
        list.remove(0);
    }
    list.push(item);
}

struct World {
    random: Random,
    engine: Engine,
    now: Instant,
    /// The latest moment that the engine was told; the clock also goes back.
    latest: Instant,
    heard: Heard,
    lines: Vec<LineHandle>,
    /// Those, and those that were to be removed.
    all_lines: Vec<LineHandle>,
    flows: Vec<FlowId>,
    next_flow: u64,
    trace: bool,
    /// What inputs came to: taken, refused.
    done: [u32; 2],
}

fn limits(roles: Roles) -> Limits {
    Limits {
        lines: 3,
        calls: 4,
        calls_in: 3,
        dialogs: 6,
        transactions: 14,
        attempts: 8,
        forks: if roles.proxy || roles.registrar { 5 } else { 0 },
        branches: 3,
        flows: 3,
        locals: 2,
        queries: 5,
        outputs: 8,
        pool: 40_000,
        ..Limits::PHONE
    }
}

impl World {
    fn new(seed: u64, roles: Roles) -> Self {
        let mut random = Random(seed);
        let mut config = Config::new([1 + (seed % 250) as u8; 32]);
        config.ask_media = false;
        config.roles = roles;
        config.domains = vec!["example.com".into()];
        config.dns = !random.one_in(4);
        use sansip::{Leaves, Ringing, Transfers};
        config.transfers = [Transfers::Ask, Transfers::Accept, Transfers::Refuse][random.below(3)];
        config.transferor_leaves =
            [Leaves::OnFinalNotify, Leaves::OnAccepted, Leaves::Never][random.below(3)];
        config.transfer_ringing =
            [Ringing::Wait, Ringing::Replaces, Ringing::Blind][random.below(3)];
        config.query = 5_000;
        if random.one_in(2) {
            config.retransmit = sansip::Retransmit::Rfc;
        }
        let mut engine = Engine::new(config, &limits(roles)).unwrap();
        for (id, transport) in [(UDP, Transport::Udp), (TCP, Transport::Tcp)] {
            let bound = Addr::v4(10, 0, 0, 1, 5060);
            let entry = Local { transport, bound, host: "10.0.0.1", port: 5060, network: 0 };
            engine.set_local(Instant(0), id, entry).unwrap();
        }
        let mut world = Self {
            random,
            engine,
            now: Instant(1_000),
            latest: Instant(0),
            heard: Heard::default(),
            lines: Vec::new(),
            all_lines: Vec::new(),
            flows: Vec::new(),
            next_flow: 1,
            trace: std::env::var_os("TRACE").is_some(),
            done: [0; 2],
        };
        world.add_line();
        world
    }

    /// Gives an input. One that is refused must not have changed anything.
    fn apply(&mut self, input: &Input<'_>) {
        let before = self.engine.stats();
        let done = self.engine.apply(self.now, input);
        let after = self.engine.stats();
        if self.trace {
            eprintln!("{} {}\n{done:?} {after:?}", self.now.0, told(input));
        }
        if let Err(error) = done {
            // What was taken of a stream before the rest was refused, was taken.
            assert_eq!(before, after, "{error:?} for {}", told(input));
            self.done[1] += 1;
        } else {
            self.done[0] += 1;
        }
        if let Ok(sansip::Done::Line(line)) = done {
            self.lines.push(line);
            self.all_lines.push(line);
        }
        if let Ok(sansip::Done::Call(call)) = done {
            keep(&mut self.heard.calls, call);
        }
        assert!(after.outputs <= 8);
        let due = self.engine.next_timeout();
        self.latest = self.latest.max(self.now);
        assert!(after.outputs == 0 || due == Some(self.latest), "a sleeper would miss it");
    }

    fn step(&mut self) {
        self.latest = self.latest.max(self.now);
        match self.random.below(20) {
            0..=4 => self.receive_request(),
            5..=7 => self.receive_response(),
            8 => self.receive_in_dialog(),
            9 => self.receive_again(),
            10 => self.receive_broken(),
            11 => self.stream(),
            12 => self.connections(),
            13 | 14 => self.answer(),
            15..=17 => self.verb(),
            18 => self.clock(),
            _ => self.odd(),
        }
        // The ring is full as often as not.
        let n = self.random.below(12);
        for _ in 0..n {
            if !self.poll() {
                break;
            }
        }
    }

    /// One output; whether there was one.
    fn poll(&mut self) -> bool {
        let Some(output) = self.engine.poll() else { return false };
        match output {
            Output::Transmit(t) => {
                let raw = t.bytes == b"\r\n" || t.bytes == b"raw";
                assert!(raw || MessageRef::lazy(t.bytes).is_some(), "{:?}", t.bytes);
                keep(&mut self.heard.sent, (t.path, t.bytes.to_vec()));
                keep(&mut self.heard.sends, t.send);
            }
            Output::Event(Event::Call { call, .. }, _) => keep(&mut self.heard.calls, call),
            Output::Event(Event::Request { request, .. } | Event::Transfer { request, .. }, _) => {
                keep(&mut self.heard.requests, request);
            }
            Output::Query(id, query) => {
                if let Query::Route { request, .. } | Query::Locate { request: Some(request), .. } =
                    query
                {
                    keep(&mut self.heard.requests, request);
                }
                let kind = match query {
                    Query::Dns { .. } => 0,
                    Query::Connect { .. } => 1,
                    Query::Route { .. } => 2,
                    Query::Locate { .. } => 3,
                    _ => 4,
                };
                keep(&mut self.heard.queries, (id, kind));
            }
            _ => {}
        }
        true
    }

    fn path(&mut self) -> Path {
        let last = self.random.below(4) as u8;
        let remote = Addr::v4(10, 0, 0, 2 + last, 5060);
        let flow = self.random.pick(&self.flows).copied();
        match flow.filter(|_| self.random.one_in(3)) {
            Some(flow) => Path { local: TCP, remote, flow: Some(flow) },
            None => Path { local: UDP, remote, flow: None },
        }
    }

    fn receive(&mut self, bytes: Vec<u8>) {
        let path = self.path();
        self.apply(&Input::Receive { path, message: &bytes });
        keep(&mut self.heard.given, bytes);
    }

    fn request(&mut self) -> String {
        let method = *self.random.pick(METHODS).unwrap();
        let uri = *self.random.pick(URIS).unwrap();
        let (n, tag, host) = (self.random.below(40), self.random.below(3), self.random.below(3));
        let more: &str = self
            .random
            .pick(&[
                "",
                "",
                "",
                "Route: <sip:10.0.0.1;lr>\r\n",
                "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.3;lr>\r\n",
                "Route: <sip:10.0.0.3>\r\n",
                "Record-Route: <sip:10.0.0.4;lr>\r\n",
                "Require: x\r\n",
                "Refer-To: <sip:bob@10.0.0.2>\r\n",
                "Refer-To: <sip:ann@10.0.0.1?Subject=x&Replaces=c1%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\nRefer-Sub: false\r\n",
                "Replaces: c1;to-tag=x;from-tag=f1\r\n",
                "Expires: 0\r\n",
                "Content-Type: text/plain\r\nContent-Length: 3\r\n",
                "Contact: <sip:carol@10.0.0.3;transport=tcp>;expires=70;q=0.4\r\n",
            ])
            .unwrap();
        let contact = if more.starts_with("Contact") || self.random.one_in(12) {
            String::new()
        } else {
            format!("Contact: <sip:bob@10.0.0.{}>\r\n", 2 + host)
        };
        let to = if self.random.one_in(10) { ";tag=t" } else { "" };
        let length = if more.contains("Length") { "" } else { "Content-Length: 0\r\n" };
        let body = if more.contains("Length") { "abc" } else { "" };
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.{}:5060;branch=z9hG4bK{n}\r\nMax-Forwards: {}\r\nFrom: <sip:bob@example.com>;tag=f{tag}\r\nTo: <sip:ann@example.com>{to}\r\nCall-ID: c{n}\r\nCSeq: {} {method}\r\n{contact}{more}{length}\r\n{body}",
            2 + host,
            [70, 70, 70, 1, 0][self.random.below(5)],
            1 + self.random.below(3),
        )
    }

    fn receive_request(&mut self) {
        let request = self.request();
        self.receive(request.into_bytes());
    }

    /// A response to something that was sent.
    fn receive_response(&mut self) {
        let Some((path, request)) = self.random.pick(&self.heard.sent).cloned() else { return };
        if request.starts_with(b"SIP/2.0") || request.len() < 40 {
            return;
        }
        let status = *self.random.pick(STATUSES).unwrap();
        let tag = self.random.below(3);
        let text = String::from_utf8_lossy(&request).into_owned();
        let mut out = format!("SIP/2.0 {status}\r\n");
        for line in text.split("\r\n").skip(1).take_while(|l| !l.is_empty()) {
            let name = line.split(':').next().unwrap_or("").trim();
            if ["Via", "From", "Call-ID", "CSeq", "Record-Route"].contains(&name) {
                out += &format!("{line}\r\n");
            } else if name == "To" {
                let tagged = line.contains("tag=");
                out +=
                    &if tagged { format!("{line}\r\n") } else { format!("{line};tag=r{tag}\r\n") };
            }
        }
        out += match self.random.below(6) {
            0 => "",
            1 => "Contact: <sip:ann@10.0.0.1>;expires=60\r\nMin-Expires: 7200\r\n",
            2 => "Contact: <sip:x@10.0.0.3;transport=tcp>\r\n",
            3 => "Contact: <sip:x@far.example>\r\nRecord-Route: <sip:10.0.0.4>\r\n",
            4 => "Contact: <urn:x>\r\nRetry-After: 1\r\n",
            _ => "Contact: <sip:x@10.0.0.3>\r\n",
        };
        out += "Content-Length: 0\r\n\r\n";
        if self.random.one_in(5) {
            return self.receive(out.into_bytes());
        }
        let open = path.flow.is_none_or(|f| self.flows.contains(&f));
        if open {
            self.apply(&Input::Receive { path, message: out.as_bytes() });
            keep(&mut self.heard.given, out.into_bytes());
        }
    }

    /// A request in the dialog, or of the transaction, of a response that was sent.
    fn receive_in_dialog(&mut self) {
        let Some((_, response)) = self.random.pick(&self.heard.sent).cloned() else { return };
        if !response.starts_with(b"SIP/2.0") && !response.starts_with(b"ACK") {
            return;
        }
        let text = String::from_utf8_lossy(&response).into_owned();
        let field = |name: &str| {
            text.split("\r\n").find_map(|l| l.strip_prefix(name)?.strip_prefix(": ")).unwrap_or("x")
        };
        let methods = [
            "ACK", "BYE", "CANCEL", "INVITE", "OPTIONS", "INFO", "REFER", "REFER", "NOTIFY",
            "NOTIFY",
        ];
        let method = methods[self.random.below(methods.len())];
        let same = method == "CANCEL" || self.random.one_in(4);
        let number: u32 = field("CSeq").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        let step = if matches!(method, "ACK" | "CANCEL") { 0 } else { self.random.below(3) as u32 };
        let via = if same {
            field("Via").to_string()
        } else {
            format!("SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKd{}", self.random.below(50))
        };
        // A response to a request of ours: its peer has the To tag.
        let theirs = self.random.one_in(3);
        let (from, to) =
            if theirs { (field("To"), field("From")) } else { (field("From"), field("To")) };
        let frag = ["SIP/2.0 100 Trying", "SIP/2.0 200 OK", "SIP/2.0 486 No"][self.random.below(3)];
        let state = ["active", "terminated"][self.random.below(2)];
        let more = match method {
            "REFER" => "Refer-To: <sip:bob@10.0.0.2>\r\n".to_string(),
            "NOTIFY" => format!(
                "Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n"
            ),
            _ => String::new(),
        };
        let body = if method == "NOTIFY" { frag } else { "" };
        let request = format!(
            "{method} sip:ann@10.0.0.1 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:bob@10.0.0.3>\r\n{more}Content-Length: {}\r\n\r\n{body}",
            field("Call-ID"),
            number + step,
            body.len(),
        );
        self.receive(request.into_bytes());
    }

    fn receive_again(&mut self) {
        if let Some(bytes) = self.random.pick(&self.heard.given).cloned() {
            self.receive(bytes);
        }
    }

    fn broken(&mut self) -> Vec<u8> {
        let mut bytes = match self.random.pick(&self.heard.given).cloned() {
            Some(bytes) if self.random.one_in(2) => bytes,
            _ => self.request().into_bytes(),
        };
        for _ in 0..1 + self.random.below(3) {
            let at = self.random.below(bytes.len());
            match self.random.below(4) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] = self.random.next() as u8,
                2 => {
                    let end = (at + self.random.below(60)).min(bytes.len());
                    let piece = bytes[at..end].to_vec();
                    bytes.splice(at..at, piece);
                }
                _ => {
                    let end = (at + self.random.below(30)).min(bytes.len());
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }

    fn receive_broken(&mut self) {
        let bytes = self.broken();
        self.receive(bytes);
    }

    /// Bytes of a stream, whole messages and halves, as a host presents them.
    fn stream(&mut self) {
        let Some(flow) = self.random.pick(&self.flows).copied() else { return };
        let mut bytes = self.request().into_bytes();
        match self.random.below(4) {
            0 => bytes.extend(self.request().into_bytes()),
            1 => bytes = self.broken(),
            2 => bytes = b"\r\n\r\n".to_vec(),
            _ => {}
        }
        let mut at = 0;
        for _ in 0..4 {
            let Some(rest) = bytes.get(at..).filter(|r| !r.is_empty()) else { return };
            let before = self.engine.stats();
            match self.engine.receive_stream(self.now, flow, rest) {
                Ok(0) => return,
                Ok(n) => at += n,
                Err(error) => {
                    assert_eq!(before, self.engine.stats(), "{error:?} for a stream");
                    return;
                }
            }
            self.poll();
        }
    }

    fn connections(&mut self) {
        if self.flows.len() < 3 && !self.random.one_in(3) {
            let last = self.random.below(4) as u8;
            let old = self.random.one_in(6);
            let number = if old { self.next_flow / 2 } else { self.next_flow };
            let info = FlowInfo {
                local: TCP,
                remote: Addr::v4(10, 0, 0, 2 + last, 5060),
                transport: Transport::Tcp,
                accepted: self.random.one_in(2),
                names: &[],
            };
            let flow = FlowId(number);
            let done = self.engine.flow_opened(self.now, flow, info);
            assert_eq!(done.is_err(), old, "{done:?}");
            if done.is_ok() {
                self.flows.push(flow);
                self.next_flow += 1;
            }
        } else if !self.flows.is_empty() {
            let n = self.random.below(self.flows.len());
            let flow = self.flows.remove(n);
            self.apply(&Input::FlowClosed { flow, why: FlowEnd::Reset });
        }
    }

    fn answer(&mut self) {
        let Some((query, kind)) = self.random.pick(&self.heard.queries).copied() else { return };
        let kind = if self.random.one_in(8) { self.random.below(6) as u8 } else { kind };
        let ips = [
            core::net::IpAddr::from([10, 0, 0, 2]),
            core::net::IpAddr::from([255, 255, 255, 255]),
            core::net::IpAddr::from([10, 0, 0, 3]),
        ];
        let target = |uri| Target { uri, q: 500, ..Target::default() };
        let targets = [
            target(""),
            target("sip:x@10.0.0.3"),
            target("sip:y@10.0.0.4;transport=tcp"),
            target("sip:z@far.example"),
            Target { q: 9, ..target("bad uri") },
            Target { next_hop: "sip:10.0.0.5", q: 1, ..target("sip:q@example.com") },
        ];
        let bindings =
            ["sip:c@10.0.0.3", "sip:d@10.0.0.4;transport=tcp", "sip:e@far.example"].map(|uri| {
                Binding { uri, q: 900, expires: 60, call_id: "c", cseq: 1, ..Binding::default() }
            });
        let from = self.random.below(6);
        let version = self.random.below(3) as u64;
        let flow = self.random.pick(&self.flows).copied().unwrap_or(FlowId(999_999));
        let answer = match kind {
            0 => Answer::Addresses(&ips[from.min(2)..], 60),
            1 => Answer::Connected(flow),
            2 if from == 5 => Answer::Reject(404),
            2 => Answer::Route(&targets[from..]),
            3 => Answer::Located { version, bindings: &bindings[from.min(3)..] },
            4 if from < 2 => Answer::Conflict,
            4 => Answer::Stored,
            _ => [Answer::Failed, Answer::NotFound][from % 2],
        };
        self.apply(&Input::Answer { query, answer });
    }

    fn add_line(&mut self) {
        let aor = ["sip:ann@example.com", "sip:ann@10.0.0.1", "sip:x@far.example"];
        let line = LineConfig {
            aor: aor[self.random.below(3)],
            display: "A",
            proxy: ["", "", "sip:10.0.0.5;lr"][self.random.below(3)],
            local: None,
            expires: 60,
            any: self.random.one_in(4),
            user: 5,
            ..LineConfig::default()
        };
        self.apply(&Input::AddLine { line });
    }

    fn verb(&mut self) {
        let any = CallHandle::from_raw(self.random.next());
        let call = self.random.pick(&self.heard.calls).copied().unwrap_or(any);
        let line = self.random.pick(&self.lines).copied().unwrap_or(LineHandle::from_raw(77));
        let no_request = RequestHandle::from_raw(self.random.next());
        let request = self.random.pick(&self.heard.requests).copied().unwrap_or(no_request);
        let status = [100, 180, 200, 302, 404, 486, 603, 700][self.random.below(8)];
        let extras = match self.random.below(4) {
            0 => Extras { headers: &[("Subject", "x")], ..Extras::default() },
            1 => Extras { content_type: "application/sdp", body: b"v=0\r\n", ..Extras::default() },
            2 => Extras { headers: &[("A", "b\r\nc")], ..Extras::default() },
            _ => Extras::default(),
        };
        let path = self.path();
        let target = *self.random.pick(URIS).unwrap();
        let late = [Target { uri: target, q: status, ..Target::default() }];
        let late = &late[usize::from(status / 600)..];
        let other = self.random.pick(&self.heard.calls).copied().unwrap_or(any);
        let input = match self.random.below(40) {
            30..=33 => Input::SetPolicy { line, policy: self.policy() },
            34 | 35 => Input::Follow { call, target: if status == 180 { target } else { "" } },
            36 | 37 => {
                let line = Some(line).filter(|_| status != 404);
                Input::Options { line, target, user: 6, extras }
            }
            38 | 39 => Input::Refer { line, target, to: "sip:c@10.0.0.3", user: 8, extras },
            22 | 23 => Input::Transfer { call, target, keep: status == 486, extras },
            24 | 25 => Input::TransferTo { call, other, extras },
            26..=28 => Input::AcceptTransfer { request, user: 4, extras },
            29 => Input::RejectTransfer { request, status },
            0..=3 => Input::Invite { line, target, user: 3, extras },
            4..=5 => Input::Ring { call, status, extras },
            6..=8 => Input::AnswerCall { call, extras },
            9 => Input::Reject { call, status, extras },
            10 => Input::Redirect { call, status, contact: target, extras },
            11..=13 => Input::Hangup { call },
            14 => Input::Reinvite { call, extras },
            15 | 16 => Input::Respond { request, status, extras },
            17 => Input::Register { line },
            18 => Input::Unregister { line },
            19 => Input::Send { path, bytes: b"raw" },
            21 => Input::AddTargets { request, targets: late, more: status < 300 },
            20 if self.random.one_in(10) => Input::Shutdown,
            20 if self.random.one_in(3) => {
                self.lines.retain(|l| *l != line);
                Input::RemoveLine { line }
            }
            _ if self.lines.len() < 3 => return self.add_line(),
            _ => Input::Reinvite { call, extras },
        };
        self.apply(&input);
    }

    fn policy(&mut self) -> Policy<'static> {
        let to = |random: &mut Random| ["", "", "", "sip:dan@10.0.0.3", "tel:1"][random.below(5)];
        let random = &mut self.random;
        Policy {
            always: to(random),
            busy: to(random),
            no_answer: to(random),
            no_answer_after: 1 + random.below(3) as u32,
            dnd: random.one_in(8),
            dnd_to: to(random),
            no_waiting: random.one_in(4),
            calls: random.below(3) as u16,
            ring: random.one_in(2),
            auto_answer: [AutoAnswer::Never, AutoAnswer::Asked, AutoAnswer::Always]
                [random.below(3)],
            refuse_anonymous: random.one_in(2),
            anonymous: random.one_in(2),
            history: random.one_in(2),
            follow: [Follow::Never, Follow::Ask, Follow::Follow][random.below(3)],
            ..Policy::default()
        }
    }

    fn clock(&mut self) {
        match self.random.below(10) {
            0 => self.now = Instant(self.now.0.saturating_sub(5_000)),
            1 => self.now = Instant(self.now.0 + 40_000),
            2 => self.now = Instant(self.now.0 + 200_000),
            3..=5 => self.now = Instant(self.now.0 + self.random.below(600) as u64),
            _ => {
                let due = self.engine.next_timeout().map_or(0, |t| t.0);
                self.now = Instant(self.now.0.max(due));
            }
        }
        self.apply(&Input::HandleTimeout);
    }

    fn odd(&mut self) {
        let send = self.random.pick(&self.heard.sends).copied();
        let send = send.unwrap_or(SendId(self.random.next()));
        match self.random.below(4) {
            0 => {
                let host = ["10.0.0.1", "sip.example.com", "bad host"][self.random.below(3)];
                let bound = Addr::v4(10, 0, 0, 1, 5060);
                let entry =
                    Local { transport: Transport::Udp, bound, host, port: 5060, network: 0 };
                self.apply(&Input::SetLocal { local: UDP, entry });
            }
            _ => self.apply(&Input::SendFailed { send, why: SendEnd::Unreachable }),
        }
    }

    /// The application goes away, and time passes: 64*T1 ten times over.
    fn finish(&mut self) {
        while self.poll() {}
        for flow in std::mem::take(&mut self.flows) {
            self.apply(&Input::FlowClosed { flow, why: FlowEnd::Closed });
        }
        while self.engine.shutdown(self.now) == Err(Error::Full(Limit::Blocks)) {
            // What the last messages of calls need is not given to a verb.
            self.now = Instant(self.now.0 + 1_000);
            self.latest = self.latest.max(self.now);
            self.engine.handle_timeout(self.now).unwrap();
            while self.poll() {}
        }
        let end = self.now.0 + 10 * 64 * 500;
        let mut turns = 0;
        loop {
            while self.poll() {}
            let Some(due) = self.engine.next_timeout().filter(|t| t.0 <= end) else { break };
            self.now = Instant(self.now.0.max(due.0));
            self.latest = self.latest.max(self.now);
            self.engine.handle_timeout(self.now).unwrap();
            turns += 1;
            assert!(turns < 10_000, "it goes on and on: {:?}", self.engine.stats());
        }
        for line in &self.all_lines {
            // A policy may have a block.
            let _ = self.engine.set_policy(self.now, *line, Policy::default());
        }
        let stats = self.engine.stats();
        assert!(self.engine.is_quiescent(), "{stats:?}");
        assert_eq!((stats.blocks, stats.flows), (stats.lines, 0), "{stats:?}");
    }
}

fn told(input: &Input<'_>) -> String {
    match input {
        Input::Receive { path, message } => {
            format!("{path:?} {}", String::from_utf8_lossy(message))
        }
        other => format!("{other:?}"),
    }
}

/// As many programs as asked, times `PROGRAMS` of the environment.
fn programs(roles: Roles, first: u64, count: u64) {
    let times = std::env::var("PROGRAMS").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
    for seed in first..first + count * times {
        let mut world = World::new(seed, roles);
        for step in 0..5_000 {
            let run = std::panic::AssertUnwindSafe(|| {
                world.step();
                if step % 1_000 == 999 {
                    world.finish();
                }
            });
            if let Err(why) = std::panic::catch_unwind(run) {
                eprintln!("seed {seed}, step {step}, {roles:?}");
                std::panic::resume_unwind(why);
            }
        }
        let [taken, refused] = world.done;
        assert!(taken > 1_000 && refused > 100, "{taken} taken, {refused} refused");
    }
}

const ALL: Roles = Roles { ua: true, proxy: true, registrar: true };

#[test]
fn a_phone_survives_60_000_random_inputs() {
    programs(Roles { proxy: false, registrar: false, ..ALL }, 0, 12);
}

#[test]
fn a_proxy_and_registrar_survives_70_000_random_inputs() {
    programs(Roles { ua: false, ..ALL }, 1_000_000, 14);
}

#[test]
fn an_engine_with_every_role_survives_70_000_random_inputs() {
    programs(ALL, 2_000_000, 14);
}
