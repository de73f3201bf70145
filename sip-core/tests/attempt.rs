//! One request to one target set: names, connections, failover, giving up.

#[path = "support/net.rs"]
mod net;

use std::net::IpAddr;

use net::{LOCAL, config};
use sansip::{
    Addr, Answer, CallChange, CallHandle, EndReason, Engine, Event, Extras, FlowEnd, FlowId,
    FlowInfo, Instant, Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Query,
    QueryId, SendEnd, SendId, Transport,
};

const TCP: LocalId = LocalId(2);

struct Bench {
    engine: Engine,
    line: LineHandle,
    now: u64,
    sent: Vec<(Path, SendId, String)>,
    dns: Vec<(QueryId, String)>,
    connects: Vec<(QueryId, Addr)>,
    closed: Vec<FlowId>,
    changes: Vec<CallChange>,
    forgotten: usize,
}

fn bench() -> Bench {
    let mut config = config(5);
    config.roles.proxy = false;
    config.roles.registrar = false;
    let mut engine = Engine::new(config, &Limits::TESTER).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    for (id, transport) in [(LOCAL, Transport::Udp), (TCP, Transport::Tcp)] {
        let local = Local { transport, bound, host: "10.0.0.1", port: 5060, network: 0 };
        engine.set_local(Instant(0), id, local).unwrap();
    }
    let line = LineConfig {
        aor: "sip:a@example.com",
        display: "",
        proxy: "",
        local: None,
        expires: 0,
        any: false,
        user: 0,
        ..LineConfig::default()
    };
    let line = engine.add_line(Instant(0), line).unwrap();
    Bench {
        engine,
        line,
        now: 0,
        sent: Vec::new(),
        dns: Vec::new(),
        connects: Vec::new(),
        closed: Vec::new(),
        changes: Vec::new(),
        forgotten: 0,
    }
}

impl Bench {
    fn at(&self) -> Instant {
        Instant(self.now)
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit(t) => {
                    let text = String::from_utf8_lossy(t.bytes).into_owned();
                    self.sent.push((t.path, t.send, text));
                }
                Output::Query(id, Query::Dns { name, .. }) => self.dns.push((id, name.to_string())),
                Output::Query(id, Query::Connect { to, .. }) => self.connects.push((id, to)),
                Output::Close(flow) => self.closed.push(flow),
                Output::Forget(_) => self.forgotten += 1,
                Output::Event(Event::Call { change, .. }, _) => self.changes.push(change),
                other => panic!("{other:?}"),
            }
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        self.drain();
        while let Some(at) = self.engine.next_timeout().filter(|t| t.0 <= end) {
            self.now = self.now.max(at.0);
            self.engine.handle_timeout(Instant(self.now)).unwrap();
            self.drain();
        }
        self.now = end;
    }

    fn invite(&mut self, target: &str) -> CallHandle {
        let now = self.at();
        let call = self.engine.invite(now, self.line, target, 0, Extras::default()).unwrap();
        self.run(0);
        call
    }

    fn answer(&mut self, query: QueryId, answer: Answer<'_>) {
        self.engine.answer(self.at(), query, answer).unwrap();
        self.run(0);
    }

    fn open(&mut self, flow: u64, remote: Addr) -> FlowId {
        let info =
            FlowInfo { local: TCP, remote, transport: Transport::Tcp, accepted: false, names: &[] };
        self.engine.flow_opened(self.at(), FlowId(flow), info).unwrap();
        FlowId(flow)
    }

    /// A response to the last message sent.
    fn respond(&mut self, status: &str) {
        let (path, _, text) = self.sent.last().unwrap().clone();
        let lines = |name: &str| {
            text.lines().filter(|l| l.starts_with(name)).collect::<Vec<_>>().join("\r\n")
        };
        let answer = format!(
            "SIP/2.0 {status}\r\n{}\r\n{}\r\n{};tag=t\r\n{}\r\n{}\r\nContent-Length: 0\r\n\r\n",
            lines("Via:"),
            lines("From:"),
            lines("To:"),
            lines("Call-ID:"),
            lines("CSeq:")
        );
        self.engine.receive(self.at(), path, answer.as_bytes()).unwrap();
        self.run(0);
    }

    fn branch(&self, n: usize) -> &str {
        let text = &self.sent[n].2;
        let at = text.find("branch=").unwrap() + 7;
        text[at..].split(';').next().unwrap()
    }

    fn finish(&mut self) {
        self.run(400_000);
        assert!(self.engine.is_quiescent(), "{:?}", self.engine.stats());
        let stats = self.engine.stats();
        assert_eq!(stats.blocks, stats.lines);
    }
}

const ONE: Addr = Addr::v4(10, 0, 0, 61, 5060);
const TWO: Addr = Addr::v4(10, 0, 0, 62, 5060);

fn addresses() -> [IpAddr; 2] {
    [ONE.ip, TWO.ip]
}

// RFC 3263 4.3, RFC 3261 8.1.2: the next address, with a new branch, when one does not answer.
#[test]
fn a_name_is_asked_for_and_its_addresses_tried_in_order() {
    let mut b = bench();
    b.invite("sip:bob@phones.example.com");
    assert_eq!(b.dns.len(), 1);
    assert_eq!(b.dns[0].1, "phones.example.com");
    assert!(b.sent.is_empty());
    b.answer(b.dns[0].0, Answer::Addresses(&addresses(), 60));
    assert_eq!(b.sent[0].0.remote, ONE);
    b.run(32_000);
    let to: Vec<Addr> = b.sent.iter().map(|s| s.0.remote).collect();
    assert_eq!(to, [ONE, ONE, ONE, ONE, ONE, ONE, ONE, TWO]);
    assert_ne!(b.branch(0), b.branch(7));
    assert_eq!(b.branch(0), b.branch(6));
    b.respond("486 Busy Here");
    let ended = CallChange::Ended { why: EndReason::Refused, status: 486 };
    assert_eq!(b.changes, [ended]);
    b.finish();
}

// RFC 3263 4.1, 4.2: a port leaves SRV out, and a transport NAPTR.
#[test]
fn a_question_for_a_name_says_what_its_uri_leaves_open() {
    for (uri, want) in [
        ("sip:bob@d.example", (Transport::Udp, 0, true)),
        ("sip:bob@d.example;transport=tcp", (Transport::Tcp, 0, false)),
        ("sip:bob@d.example:5060", (Transport::Udp, 5060, true)),
        ("sip:bob@d.example:5070;transport=udp", (Transport::Udp, 5070, false)),
    ] {
        let mut b = bench();
        let now = b.at();
        b.engine.invite(now, b.line, uri, 0, Extras::default()).unwrap();
        let asked = loop {
            match b.engine.poll() {
                Some(Output::Query(_, Query::Dns { transport, port, open, .. })) => {
                    break (transport, port, open);
                }
                Some(_) => {}
                None => panic!("nothing is asked for {uri}"),
            }
        };
        assert_eq!(asked, want, "{uri}");
    }
}

/// Of a name whose URI says nothing of TLS the answer may: the certificate is for that name then.
#[test]
fn a_hop_by_tls_is_verified_for_the_name_that_was_asked_for() {
    let mut b = bench();
    let bound = Addr::v4(10, 0, 0, 1, 5061);
    let local =
        Local { transport: Transport::Tls, bound, host: "10.0.0.1", port: 5061, network: 0 };
    b.engine.set_local(Instant(0), LocalId(3), local).unwrap();
    b.invite("sip:bob@d.example;transport=tcp");
    let secure = Addr { port: 5061, ..ONE };
    let hops = [(secure, Transport::Tls), (TWO, Transport::Udp)];
    let query = b.dns[0].0;
    b.engine.answer(b.at(), query, Answer::Hops(&hops, 60)).unwrap();
    let mut asked = Vec::new();
    while let Some(output) = b.engine.poll() {
        if let Output::Query(id, Query::Connect { to, transport, name }) = output {
            asked.push((id, to, transport, name.to_owned()));
        }
    }
    let [(id, to, transport, name)] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!((*to, *transport, &**name), (secure, Transport::Tls, "d.example"));
    b.answer(*id, Answer::Failed);
    assert_eq!(b.sent[0].0.remote, TWO, "the next, by its own transport");
    b.respond("486 Busy Here");
    b.finish();
}

// RFC 3263 4.3: 503 too; RFC 3261 17.1.1.2: and it is acknowledged.
#[test]
fn a_503_is_acknowledged_and_the_next_address_tried() {
    let mut b = bench();
    b.invite("sip:bob@phones.example.com");
    b.answer(b.dns[0].0, Answer::Addresses(&addresses(), 60));
    b.respond("503 Service Unavailable");
    let lines: Vec<(&str, Addr)> =
        b.sent.iter().map(|s| (s.2.split(' ').next().unwrap(), s.0.remote)).collect();
    assert_eq!(lines, [("INVITE", ONE), ("ACK", ONE), ("INVITE", TWO)]);
    assert!(b.changes.is_empty());
    b.respond("503 Service Unavailable");
    let ended = CallChange::Ended { why: EndReason::Refused, status: 503 };
    assert_eq!(b.changes, [ended], "the last one's answer is the call's");
    b.finish();
}

#[test]
fn a_send_that_failed_tries_the_next_address_at_once() {
    let mut b = bench();
    b.invite("sip:bob@phones.example.com");
    b.answer(b.dns[0].0, Answer::Addresses(&addresses(), 60));
    let send = b.sent[0].1;
    b.engine.send_failed(b.at(), send, SendEnd::Unreachable).unwrap();
    b.run(0);
    assert_eq!(b.sent[1].0.remote, TWO);
    let send = b.sent[1].1;
    b.engine.send_failed(b.at(), send, SendEnd::Unreachable).unwrap();
    b.run(0);
    let ended = CallChange::Ended { why: EndReason::Unreachable, status: 503 };
    assert_eq!(b.changes, [ended]);
    // A report that comes twice is harmless.
    b.engine.send_failed(b.at(), send, SendEnd::Unreachable).unwrap();
    b.finish();
}

#[test]
fn a_name_without_addresses_and_a_question_without_answer_fail_the_call() {
    for answer in
        [Some(Answer::NotFound), Some(Answer::Failed), Some(Answer::Addresses(&[], 0)), None]
    {
        let mut b = bench();
        b.invite("sip:bob@nowhere.example.com");
        let query = b.dns[0].0;
        match answer {
            Some(answer) => b.answer(query, answer),
            None => b.run(30_000),
        }
        let ended = CallChange::Ended { why: EndReason::Unreachable, status: 503 };
        assert_eq!(b.changes, [ended]);
        // Late or twice: harmless.
        b.answer(query, Answer::Addresses(&addresses(), 60));
        assert!(b.sent.is_empty());
        b.finish();
    }
}

#[test]
fn a_call_given_up_while_its_name_is_asked_for_ends_and_forgets_the_question() {
    let mut b = bench();
    let call = b.invite("sip:bob@phones.example.com");
    b.engine.hangup(b.at(), call).unwrap();
    b.run(0);
    assert_eq!(b.forgotten, 1);
    let ended = CallChange::Ended { why: EndReason::Abandoned, status: 0 };
    assert_eq!(b.changes, [ended]);
    b.answer(b.dns[0].0, Answer::Addresses(&addresses(), 60));
    assert!(b.sent.is_empty(), "nothing is sent for a call that has ended");
    b.finish();
}

#[test]
fn a_connection_is_asked_for_once_and_used_by_all() {
    let mut b = bench();
    b.invite("sip:bob@10.0.0.61;transport=tcp");
    assert_eq!(b.connects.len(), 1);
    assert_eq!(b.connects[0].1, ONE);
    let flow = b.open(1, ONE);
    b.answer(b.connects[0].0, Answer::Connected(flow));
    assert_eq!(b.sent[0].0.flow, Some(flow));
    assert!(b.sent[0].2.contains("Via: SIP/2.0/TCP 10.0.0.1:5060;"));
    assert!(b.sent[0].2.contains("Contact: <sip:a@10.0.0.1:5060;transport=tcp>"));
    b.invite("sip:eve@10.0.0.61;transport=tcp");
    assert_eq!(b.connects.len(), 1, "the open connection serves the second call");
    assert_eq!(b.sent[1].0.flow, Some(flow));
    // DESIGN: a reset ends everything, a ringing call too.
    b.respond("180 Ringing");
    b.engine.flow_closed(b.at(), flow, FlowEnd::Reset).unwrap();
    b.run(0);
    let ends = b.changes.iter().filter(|c| matches!(c, CallChange::Ended { .. })).count();
    assert_eq!(ends, 2, "{:?}", b.changes);
    b.finish();
}

#[test]
fn a_connection_that_cannot_be_had_fails_the_call() {
    let mut b = bench();
    b.invite("sip:bob@10.0.0.61;transport=tcp");
    b.answer(b.connects[0].0, Answer::Failed);
    let ended = CallChange::Ended { why: EndReason::Unreachable, status: 503 };
    assert_eq!(b.changes, [ended]);
    b.finish();
}

#[test]
fn a_target_without_a_way_to_it_fails_the_call_but_not_the_verb() {
    for target in
        ["sips:bob@10.0.0.61", "sip:bob@255.255.255.255", "sip:bob@10.0.0.61;transport=sctp"]
    {
        let mut b = bench();
        b.invite(target);
        let ended = CallChange::Ended { why: EndReason::Unreachable, status: 503 };
        assert_eq!(b.changes, [ended], "{target}");
        assert!(b.sent.is_empty());
        b.finish();
    }
}
