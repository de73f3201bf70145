//! What others may not do to a call: forged requests, forks in any order, connections lost in a
//! flood.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::LOCAL;
use peer::{Bench, Out, param};
use sansip::{
    Addr, Answer, CallChange, CallHandle, Engine, Error, Event, Extras, FlowEnd, FlowId, FlowInfo,
    Instant, Limits, LineConfig, Local, Output, Query, Transport,
};

const FORGER: Addr = Addr::v4(10, 0, 0, 66, 5060);

fn bench() -> Bench {
    let mut config = net::config(9);
    (config.roles.proxy, config.roles.registrar) = (false, false);
    Bench::new(config)
}

/// A request as the peer of the call would send it.
#[derive(Clone)]
struct Forged {
    via: String,
    method: &'static str,
    cseq: u32,
    from: String,
    to: String,
    call_id: String,
    more: &'static str,
}

impl Forged {
    fn text(&self) -> String {
        let Self { via, method, cseq, from, to, call_id, more } = self;
        format!(
            "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {via}\r\nMax-Forwards: 70\r\nFrom: {from}\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\nContact: <sip:eve@10.0.0.66>\r\n{more}Content-Length: 0\r\n\r\n"
        )
    }
}

fn statuses(sent: &[Out]) -> Vec<String> {
    let cut = |o: &Out| o.first_line().get(8..11).unwrap_or("").to_string();
    sent.iter().map(|o| format!("{} {}", cut(o), o.header("CSeq"))).collect()
}

/// The dialog of a call that came in, from its first response with a tag.
fn incoming(b: &mut Bench, answered: bool) -> Forged {
    let mut f = Forged {
        via: "10.0.0.9;branch=z9hG4bKi".into(),
        method: "INVITE",
        cseq: 10,
        from: "<sip:alice@example.com>;tag=at".into(),
        to: "<sip:bob@example.com>".into(),
        call_id: "c1".into(),
        more: "",
    };
    b.ask(&f.text());
    let (now, call) = (b.at(), b.call());
    if answered {
        b.engine.answer_call(now, call, Extras::default()).unwrap();
    } else {
        b.engine.ring(now, call, 180, Extras::default()).unwrap();
    }
    let sent = b.drain();
    f.to = sent.last().unwrap().header("To").to_string();
    if answered {
        b.ask(&Forged { method: "ACK", ..f.clone() }.text());
        assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    }
    f
}

/// The dialog of a call that we placed.
fn outgoing(b: &mut Bench, answered: bool) -> Forged {
    let now = b.at();
    b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    let status = if answered { "200 OK" } else { "180 Ringing" };
    b.ask(&invite.answer(status, "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
    Forged {
        via: String::new(),
        method: "",
        cseq: 10,
        from: format!("{};tag=at", invite.header("To")),
        to: invite.header("From").into(),
        call_id: invite.header("Call-ID").into(),
        more: "",
    }
}

// RFC 3261 12.2.2: who does not know both tags and the Call-ID is outside the dialog.
#[test]
fn who_lacks_a_tag_or_the_call_id_changes_nothing() {
    const METHODS: [(&str, &str); 7] = [
        ("BYE", ""),
        ("INVITE", ""),
        ("UPDATE", ""),
        ("PRACK", "RAck: 1 10 INVITE\r\n"),
        ("REFER", "Refer-To: <sip:eve@10.0.0.66>\r\n"),
        ("NOTIFY", "Event: refer\r\nSubscription-State: active\r\n"),
        ("INFO", ""),
    ];
    for (placed, answered) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut b = bench();
        let dialog = if placed { outgoing(&mut b, answered) } else { incoming(&mut b, answered) };
        let (told, calls) = (b.events.len(), b.engine.stats());
        let off = |field: &str| {
            let (uri, tag) = field.split_once(";tag=").unwrap();
            [
                format!("{uri};tag={tag}x"),
                format!("{uri};tag=0"),
                format!("{uri};tag={}", &tag[1..]),
            ]
        };
        let mut n = 0;
        for (method, more) in METHODS {
            let base = Forged { method, more, cseq: 4_000_000, ..dialog.clone() };
            let mut forged: Vec<Forged> = Vec::new();
            forged.extend(off(&base.from).map(|from| Forged { from, ..base.clone() }));
            forged.extend(off(&base.to).map(|to| Forged { to, ..base.clone() }));
            let call_id = format!("{}x", base.call_id);
            forged.push(Forged { call_id, ..base.clone() });
            // Both tags, but the wrong way round.
            let (from, to) = (base.to.clone(), base.from.clone());
            forged.push(Forged { from, to, ..base.clone() });
            for mut f in forged {
                n += 1;
                f.via = format!("10.0.0.66;branch=z9hG4bKf{n}");
                let (_, sent) = b.feed_from(FORGER, &f.text());
                // RFC 3261 8.2.1: the method is looked at first.
                let status = if method == "INFO" { 405 } else { 481 };
                let expected = [format!("{status} 4000000 {method}")];
                assert_eq!(statuses(&sent), expected, "{placed} {answered}: {}", f.text());
                assert_eq!(sent[0].to, FORGER);
                b.feed_from(FORGER, &Forged { method: "ACK", ..f }.text());
            }
        }
        b.run(40);
        assert_eq!(b.events.len(), told, "nobody is told");
        let s = b.engine.stats();
        assert_eq!((s.calls, s.dialogs, s.transfers), (calls.calls, calls.dialogs, 0));
        // The peer itself goes on with its own numbers.
        let bye =
            Forged { method: "BYE", cseq: 11, via: "10.0.0.9;branch=z9hG4bKb".into(), ..dialog };
        let sent = b.ask(&bye.text());
        assert_eq!(statuses(&sent)[0], "200 11 BYE", "{placed} {answered}");
    }
}

// RFC 3261 9.2, 17.2.3
#[test]
fn a_cancel_has_to_have_the_branch_and_the_sent_by_of_the_invite() {
    let mut b = bench();
    let dialog = incoming(&mut b, false);
    let to = "<sip:bob@example.com>".to_string();
    let cancel = Forged { method: "CANCEL", to, ..dialog };
    for via in [
        "10.0.0.9;branch=z9hG4bKj",
        "10.0.0.66;branch=z9hG4bKi",
        "10.0.0.9:5070;branch=z9hG4bKi",
        "10.0.0.90;branch=z9hG4bKi",
    ] {
        let (_, sent) = b.feed_from(FORGER, &Forged { via: via.into(), ..cancel.clone() }.text());
        assert_eq!(statuses(&sent), ["481 10 CANCEL"], "{via}");
        assert_eq!(b.changes(), [CallChange::Incoming]);
    }
    assert_eq!(statuses(&b.ask(&cancel.text())), ["200 10 CANCEL", "487 10 INVITE"]);
    b.run(400_000);
    assert!(b.engine.is_quiescent(), "{:?}", b.engine.stats());
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Rings(&'static str),
    Answers(&'static str),
    Byes(&'static str),
    Refuses,
    HangUp,
}

const STEPS: [Step; 8] = [
    Step::Rings("t1"),
    Step::Rings("t2"),
    Step::Answers("t1"),
    Step::Answers("t2"),
    Step::Byes("t1"),
    Step::Byes("t2"),
    Step::Refuses,
    Step::HangUp,
];

/// One call of ours, and what its branches do.
struct Forks {
    b: Bench,
    call: CallHandle,
    invite: Out,
    answered: Vec<&'static str>,
    acks: Vec<String>,
    byes: Vec<String>,
    over: bool,
    n: u32,
}

impl Forks {
    fn new() -> Self {
        let mut b = bench();
        let now = b.at();
        let call = b.engine.invite(now, b.line, "sip:a@10.0.0.9", 0, Extras::default()).unwrap();
        let invite = b.drain().remove(0);
        let (answered, acks, byes) = (vec![], vec![], vec![]);
        Self { b, call, invite, answered, acks, byes, over: false, n: 0 }
    }

    /// Answers what we send: a BYE, a CANCEL.
    fn heard(&mut self, sent: Vec<Out>) {
        for out in sent {
            let tag = out.to_tag().to_string();
            let more = match out.header("CSeq").split(' ').nth(1).unwrap() {
                _ if out.first_line().starts_with("SIP/2.0") => continue,
                "ACK" => {
                    self.acks.push(tag);
                    continue;
                }
                "BYE" => {
                    self.byes.push(tag);
                    self.b.ask(&out.answer("200 OK", "", ""))
                }
                _ => self.b.ask(&out.answer("200 OK", "t1", "")),
            };
            self.heard(more);
        }
    }

    fn step(&mut self, step: Step) {
        let contact = "Contact: <sip:alice@10.0.0.9>\r\n";
        let sent = match step {
            Step::Rings(tag) => self.b.ask(&self.invite.answer("180 Ringing", tag, contact)),
            Step::Answers(tag) => {
                self.answered.push(tag);
                self.b.ask(&self.invite.answer("200 OK", tag, contact))
            }
            Step::Refuses => self.b.ask(&self.invite.answer("486 Busy Here", "t3", "")),
            Step::Byes(tag) => {
                self.n += 1;
                let bye = Forged {
                    via: format!("10.0.0.9;branch=z9hG4bKbye{}", self.n),
                    method: "BYE",
                    cseq: self.n,
                    from: format!("{};tag={tag}", self.invite.header("To")),
                    to: self.invite.header("From").into(),
                    call_id: self.invite.header("Call-ID").into(),
                    more: "",
                };
                let sent = self.b.ask(&bye.text());
                assert!(sent.iter().any(|o| o.header("CSeq").ends_with("BYE")), "it is answered");
                if statuses(&sent)[0].starts_with("200") {
                    self.byes.push(tag.to_string());
                }
                sent
            }
            Step::HangUp => {
                let now = self.b.at();
                let done = self.b.engine.hangup(now, self.call);
                assert_eq!(done, if self.over { Err(Error::Gone) } else { Ok(()) });
                self.b.drain()
            }
        };
        self.heard(sent);
        self.over = self.b.changes().iter().any(|c| matches!(c, CallChange::Ended { .. }));
    }
}

// RFC 3261 13.2.2.4, 15: every 2xx has its ACK, every dialog its BYE, the call one end.
#[test]
fn forks_that_answer_in_any_order_leave_nothing() {
    for n in 0..STEPS.len().pow(4) {
        let steps: Vec<Step> =
            (0..4).map(|i| STEPS[n / STEPS.len().pow(i) % STEPS.len()]).collect();
        let mut f = Forks::new();
        for step in &steps {
            f.step(*step);
        }
        let now = f.b.at();
        let _ = f.b.engine.hangup(now, f.call);
        let sent = f.b.drain();
        f.heard(sent);
        if f.answered.is_empty() && !f.over {
            f.step(Step::Refuses);
        }
        let sent = f.b.run(400_000);
        f.heard(sent);
        let ends = f.b.changes().iter().filter(|c| matches!(c, CallChange::Ended { .. })).count();
        assert_eq!(ends, 1, "{steps:?}");
        for step in &steps {
            if let Step::Answers(tag) = step {
                assert!(f.acks.iter().any(|t| t == tag), "no ACK for {tag}: {steps:?}");
                assert!(f.byes.iter().any(|t| t == tag), "no BYE for {tag}: {steps:?}");
            }
        }
        f.b.run(400_000);
        let s = f.b.engine.stats();
        assert!(f.b.engine.is_quiescent(), "{s:?}: {steps:?}");
        assert_eq!(s.blocks, s.lines, "{steps:?}");
    }
}

// A handle whose call is over names no other call, though the place is taken again.
#[test]
fn a_stale_handle_is_never_another_call() {
    let mut f = Forks::new();
    f.step(Step::Answers("t1"));
    f.step(Step::Byes("t1"));
    assert!(f.over);
    let (stale, now) = (f.call, f.b.at());
    for _ in 0..50 {
        let line = f.b.line;
        let fresh = f.b.engine.invite(now, line, "sip:a@10.0.0.9", 0, Extras::default()).unwrap();
        assert_ne!(fresh, stale);
        let invite = f.b.drain().remove(0);
        let contact = "Contact: <sip:alice@10.0.0.9>\r\n";
        f.b.ask(&invite.answer("200 OK", "t1", contact));
        let e = &mut f.b.engine;
        let none = Extras::default;
        for done in [
            e.hangup(now, stale),
            e.ring(now, stale, 180, none()),
            e.answer_call(now, stale, none()),
            e.reject(now, stale, 486, none()),
            e.redirect(now, stale, 302, "sip:x@10.0.0.3", none()),
            e.reinvite(now, stale, none()),
            e.update(now, stale, none()),
            e.hold(now, stale),
            e.resume(now, stale),
        ] {
            assert_eq!(done, Err(Error::Gone));
        }
        assert!(f.b.drain().is_empty());
        f.b.engine.hangup(now, fresh).unwrap();
        let bye = f.b.drain().remove(0);
        assert_eq!(param(bye.header("To"), "tag"), "t1");
        f.b.ask(&bye.answer("200 OK", "", ""));
    }
}

const FLOW: FlowId = FlowId(3);

fn stream_phone() -> Engine {
    let mut config = net::config(3);
    (config.roles.proxy, config.roles.registrar) = (false, false);
    let mut engine = Engine::new(config, &Limits::PHONE).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let local =
        Local { transport: Transport::Tcp, bound, host: "10.0.0.1", port: 5060, network: 0 };
    engine.set_local(Instant(0), LOCAL, local).unwrap();
    let line = LineConfig { aor: "sip:bob@10.0.0.1", any: true, ..LineConfig::default() };
    engine.add_line(Instant(0), line).unwrap();
    let remote = Addr::v4(10, 0, 0, 9, 40_000);
    let info =
        FlowInfo { local: LOCAL, remote, transport: Transport::Tcp, accepted: true, names: &[] };
    engine.flow_opened(Instant(0), FLOW, info).unwrap();
    engine
}

fn stream_invite(n: usize) -> String {
    format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKs{n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=x{n}\r\nTo: <sip:bob@10.0.0.1>\r\nCall-ID: s{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.9;transport=tcp>\r\nContent-Length: 0\r\n\r\n"
    )
}

/// Takes all outputs; no connection can be opened. How much was sent on the flow.
fn take(engine: &mut Engine, now: Instant, calls: &mut Vec<CallHandle>) -> usize {
    let mut sent = 0;
    loop {
        let mut refuse = None;
        match engine.poll() {
            None => return sent,
            Some(Output::Transmit(t)) => sent += usize::from(t.path.flow == Some(FLOW)),
            Some(Output::Event(Event::Call { call, change: CallChange::Incoming, .. }, _)) => {
                calls.push(call);
            }
            Some(Output::Query(id, Query::Connect { .. })) => refuse = Some(id),
            Some(_) => {}
        }
        if let Some(id) = refuse {
            engine.answer(now, id, Answer::Failed).unwrap();
        }
    }
}

// RFC 3261 17.2.4, 18.4: all that came by a connection ends with it.
#[test]
fn a_flood_on_a_connection_that_is_lost_leaves_nothing() {
    const N: usize = 6;
    let bytes: String = (0..N).map(stream_invite).collect();
    let each = stream_invite(0).len();
    let mut cuts: Vec<usize> = (0..=N).map(|n| n * each).collect();
    cuts.extend((1..bytes.len()).step_by(101));
    for cut in cuts {
        for spoken in 0..4 {
            let mut engine = stream_phone();
            let (mut now, mut calls, mut fed) = (Instant(1), Vec::new(), 0);
            while fed < cut {
                let taken = engine.receive_stream(now, FLOW, &bytes.as_bytes()[fed..cut]).unwrap();
                let sent = take(&mut engine, now, &mut calls);
                if taken == 0 && sent == 0 {
                    break;
                }
                fed += taken;
            }
            assert!(!calls.is_empty() || cut < each, "cut at {cut}");
            for call in &calls {
                let none = Extras::default();
                match spoken {
                    1 => engine.ring(now, *call, 180, none).unwrap(),
                    2 => engine.answer_call(now, *call, none).unwrap(),
                    3 => engine.reject(now, *call, 486, none).unwrap(),
                    _ => {}
                }
                take(&mut engine, now, &mut Vec::new());
            }
            engine.flow_closed(now, FLOW, FlowEnd::Reset).unwrap();
            assert_eq!(take(&mut engine, now, &mut calls), 0, "cut at {cut}");
            while let Some(at) = engine.next_timeout() {
                assert!(at.0 < 1_000_000, "cut at {cut}: it never ends");
                now = now.max(at);
                engine.handle_timeout(now).unwrap();
                assert_eq!(take(&mut engine, now, &mut calls), 0, "cut at {cut}");
            }
            let s = engine.stats();
            assert!(engine.is_quiescent(), "cut at {cut}, {spoken}: {s:?}");
            assert_eq!((s.flows, s.blocks), (0, s.lines), "cut at {cut}, {spoken}: {s:?}");
        }
    }
}
