//! Calls where room ends: nothing is lost for ever, nothing is left, nothing turns for ever.

#[path = "support/net.rs"]
mod net;

use net::LOCAL;
use sansip::wire::WireLimits;
use sansip::{
    Addr, Answer, CallChange, CallHandle, Config, EndReason, Engine, Error, Event, Extras, FlowId,
    FlowInfo, Instant, Limit, Limits, LineConfig, LineHandle, Local, LocalId, Output, Path, Query,
    Seen, Transport,
};

const PEER: Addr = Addr::v4(10, 0, 0, 9, 5060);

fn ua() -> Config {
    let mut config = net::config(3);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config
}

fn phone(config: Config, limits: &Limits) -> (Engine, LineHandle) {
    let mut engine = Engine::new(config, limits).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let local =
        Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
    engine.set_local(Instant(0), LOCAL, local).unwrap();
    let line = LineConfig {
        aor: "sip:bob@10.0.0.1",
        display: "",
        proxy: "",
        local: None,
        expires: 0,
        any: true,
        user: 0,
        ..LineConfig::default()
    };
    let line = engine.add_line(Instant(0), line).unwrap();
    (engine, line)
}

fn udp() -> Path {
    Path { local: LOCAL, remote: PEER, flow: None }
}

fn request(method: &str, n: usize, more: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-{method}{n}\r\nMax-Forwards: 70\r\nFrom: <sip:eve@example.com>;tag=e{n}\r\nTo: <sip:bob@10.0.0.1>\r\nCall-ID: call-{n}\r\nCSeq: 1 {method}\r\nContact: <sip:eve@10.0.0.9>\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

/// What the engine sent, and its events.
type Drained = (Vec<String>, Vec<Event>);

fn drain(engine: &mut Engine) -> Drained {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = engine.poll() {
        match output {
            Output::Transmit(t) => sent.push(String::from_utf8_lossy(t.bytes).into_owned()),
            Output::Event(event, _) => events.push(event),
            _ => {}
        }
    }
    (sent, events)
}

/// Lets the clock run to `end`; at most so many turns, so that what turns for ever is seen.
fn run(engine: &mut Engine, end: u64) -> Drained {
    let mut all = drain(engine);
    for _ in 0..100_000 {
        let Some(at) = engine.next_timeout().filter(|t| t.0 <= end) else { return all };
        engine.handle_timeout(at).unwrap();
        let (sent, events) = drain(engine);
        all.0.extend(sent);
        all.1.extend(events);
    }
    panic!("the clock never gets to {end}: {:?}", engine.stats());
}

fn nothing_left(engine: &mut Engine) {
    let end = engine.next_timeout().map_or(0, |t| t.0) + 400_000;
    run(engine, end);
    let s = engine.stats();
    assert!(engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

fn incoming(events: &[Event]) -> Vec<CallHandle> {
    let call = |e: &Event| match e {
        Event::Call { call, change: CallChange::Incoming, .. } => Some(*call),
        _ => None,
    };
    events.iter().filter_map(call).collect()
}

fn ends(events: &[Event]) -> Vec<(EndReason, u16)> {
    let end = |e: &Event| match e {
        Event::Call { change: CallChange::Ended { why, status }, .. } => Some((*why, *status)),
        _ => None,
    };
    events.iter().filter_map(end).collect()
}

/// Fills the pool with bytes that wait to be sent, down to its smallest block.
fn fill(engine: &mut Engine, now: Instant) {
    let mut len = 4_000;
    while len > 10 {
        if engine.send(now, udp(), &vec![b'x'; len]).is_err() {
            len /= 2;
        }
    }
}

// The status that the application chose is sent, or nothing is: no other one in its place.
#[test]
fn a_refusal_without_room_changes_nothing() {
    let (mut engine, _) = phone(ua(), &Limits { outputs: 4_096, ..Limits::PHONE });
    let now = Instant(5);
    engine.receive(now, udp(), request("INVITE", 1, "").as_bytes()).unwrap();
    let call = incoming(&drain(&mut engine).1)[0];
    let big = "x".repeat(3_900);
    let extras = Extras { headers: &[("X-Big", &big)], ..Extras::default() };
    let before = engine.stats();
    assert!(matches!(engine.reject(now, call, 486, extras), Err(Error::Full(_))));
    assert!(matches!(engine.redirect(now, call, 302, "sip:x@y", extras), Err(Error::Full(_))));
    assert_eq!(engine.stats(), before);
    assert!(run(&mut engine, 190).0.is_empty());
    engine.redirect(now, call, 302, "sip:x@y", Extras::default()).unwrap();
    let (sent, events) = drain(&mut engine);
    assert!(sent[0].starts_with("SIP/2.0 302 "), "{sent:?}");
    assert_eq!(ends(&events), [(EndReason::Rejected, 302)]);
    nothing_left(&mut engine);
}

// Hanging up and shutting down without a byte of the pool: both come to their end.
#[test]
fn a_shutdown_without_room_does_not_turn_for_ever() {
    let (mut engine, line) = phone(ua(), &Limits { outputs: 4_096, ..Limits::PHONE });
    let now = Instant(5);
    engine.register(now, line).unwrap();
    let register = drain(&mut engine).0.remove(0);
    let ok = register.replacen("REGISTER sip:10.0.0.1 SIP/2.0", "SIP/2.0 200 OK", 1);
    engine.receive(now, udp(), ok.as_bytes()).unwrap();
    for n in 0..3 {
        engine.receive(now, udp(), request("INVITE", n, "").as_bytes()).unwrap();
    }
    let calls = incoming(&drain(&mut engine).1);
    fill(&mut engine, now);
    engine.hangup(now, calls[0]).unwrap();
    engine.shutdown(now).unwrap();
    engine.shutdown(now).unwrap();
    engine.handle_timeout(now).unwrap();
    let (sent, events) = run(&mut engine, 5_000);
    assert_eq!(ends(&events), [(EndReason::Rejected, 480); 3]);
    let registers = sent.iter().filter(|s| s.starts_with("REGISTER") && s.contains("Expires: 0"));
    assert!(registers.count() > 0);
    nothing_left(&mut engine);
}

// A call whose BYE no message can hold ends all the same.
#[test]
fn a_bye_that_no_message_can_hold_ends_the_call() {
    let wire = WireLimits { header_section: 1_500, ..Limits::TINY.wire };
    // The BYE says what sends it.
    let config = Config { product: "p".repeat(100), ..ua() };
    let (mut engine, _) = phone(config, &Limits { wire, ..Limits::TINY });
    let now = Instant(5);
    let text = request("INVITE", 1, "").replace("Content-Length: 0\r\n", "");
    let text = text.replace("sip:eve@example.com", &format!("sip:{}@example.com", "e".repeat(500)));
    let more = 1_500 - text.len();
    let text = text.replace("sip:eve@10.0.0.9", &format!("sip:{}@10.0.0.9", "e".repeat(more)));
    engine.receive(now, udp(), text.as_bytes()).unwrap();
    let call = incoming(&drain(&mut engine).1)[0];
    engine.answer_call(now, call, Extras::default()).unwrap();
    let (sent, _) = drain(&mut engine);
    let tag = sent[0].split("To: <sip:bob@10.0.0.1>;tag=").nth(1).unwrap();
    let tag = tag.lines().next().unwrap();
    let ack = request("ACK", 1, "")
        .replace("To: <sip:bob@10.0.0.1>", &format!("To: <sip:bob@10.0.0.1>;tag={tag}"));
    engine.receive(now, udp(), ack.as_bytes()).unwrap();
    engine.hangup(now, call).unwrap();
    let (sent, events) = drain(&mut engine);
    assert_eq!(ends(&events), [(EndReason::Unreachable, 0)], "{:?}", sent.first().map(String::len));
    nothing_left(&mut engine);
}

fn refused(invite: &str, status: &str) -> String {
    let (_, head) = invite.split_once("\r\n").unwrap();
    let head = head.split("\r\n\r\n").next().unwrap();
    let keep = |l: &&str| {
        ["Via", "From", "To", "Call-ID", "CSeq"].iter().any(|n| l.starts_with(&format!("{n}:")))
    };
    let kept: String = head.lines().filter(keep).map(|l| format!("{l}\r\n")).collect();
    format!(
        "SIP/2.0 {status}\r\n{}Content-Length: 0\r\n\r\n",
        kept.replace("example.com>\r\nCall", "example.com>;tag=z\r\nCall")
    )
}

// RFC 3263 4.3: the next address is tried; where there is no room for that the call ends.
#[test]
fn a_next_address_without_room_to_try_it_ends_the_call() {
    let limits = Limits { queries: 1, ..Limits::PHONE };
    let (mut engine, line) = phone(ua(), &limits);
    let now = Instant(5);
    let tcp = LocalId(2);
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let entry = Local { transport: Transport::Tcp, bound, host: "10.0.0.1", port: 0, network: 0 };
    engine.set_local(now, tcp, entry).unwrap();
    let ask = |engine: &mut Engine, answer: Answer<'_>| {
        let Some(Output::Query(id, _)) = engine.poll() else { panic!("no question") };
        engine.answer(now, id, answer).unwrap();
    };
    let target = "sip:alice@example.com;transport=tcp";
    engine.invite(now, line, target, 0, Extras::default()).unwrap();
    let list = ["10.0.0.9".parse().unwrap(), "10.0.0.10".parse().unwrap()];
    ask(&mut engine, Answer::Addresses(&list, 60));
    let transport = Transport::Tcp;
    let info = FlowInfo { local: tcp, remote: PEER, transport, accepted: false, names: &[] };
    engine.flow_opened(now, FlowId(1), info).unwrap();
    ask(&mut engine, Answer::Connected(FlowId(1)));
    let invite = drain(&mut engine).0.remove(0);
    // The only place for a question is taken by another call.
    engine.invite(now, line, target, 0, Extras::default()).unwrap();
    let answer = refused(&invite, "503 Service Unavailable");
    let path = Path { local: tcp, remote: PEER, flow: Some(FlowId(1)) };
    assert_eq!(engine.receive(now, path, answer.as_bytes()), Ok(Seen::Used));
    let (_, events) = run(&mut engine, 1_000);
    assert_eq!(ends(&events), [(EndReason::Unreachable, 503)]);
    nothing_left(&mut engine);
}

// An answer that finds no room is not taken: it can be given again.
#[test]
fn an_answer_without_room_leaves_its_question_open() {
    let (mut engine, line) = phone(ua(), &Limits { outputs: 4_096, ..Limits::PHONE });
    let now = Instant(5);
    let body = [b'v'; 2_600];
    let extras = Extras { headers: &[], content_type: "application/sdp", body: &body, media: None };
    engine.invite(now, line, "sip:alice@example.com", 0, extras).unwrap();
    let Some(Output::Query(id, Query::Dns { .. })) = engine.poll() else { panic!() };
    while engine.send(now, udp(), &[b'x'; 4_000]).is_ok() {}
    let list = ["10.0.0.9".parse().unwrap()];
    let before = engine.stats();
    let refused = engine.answer(now, id, Answer::Addresses(&list, 60));
    assert_eq!((refused, engine.stats()), (Err(Error::Full(Limit::Blocks)), before));
    drain(&mut engine);
    engine.answer(now, id, Answer::Addresses(&list, 60)).unwrap();
    assert!(drain(&mut engine).0[0].starts_with("INVITE "));
    nothing_left(&mut engine);
}

fn from_branch(invite: &str, status: &str, tag: &str) -> String {
    let more = "Contact: <sip:alice@10.0.0.9>\r\nContent-Length";
    refused(invite, status)
        .replace(";tag=z", &format!(";tag={tag}"))
        .replace("Content-Length", more)
}

// RFC 3261 13.2.2.4: the 2xx of a branch that was not heard of before finds its place, though the
// early dialogs of the others have taken all there were.
#[test]
fn a_2xx_of_a_new_branch_finds_a_place_for_its_dialog() {
    let (mut engine, line) = phone(ua(), &Limits { dialogs: 3, ..Limits::PHONE });
    let now = Instant(5);
    let invited = |engine: &mut Engine| {
        engine.invite(now, line, "sip:alice@example.com", 0, Extras::default()).unwrap();
        let Some(Output::Query(id, _)) = engine.poll() else { panic!("no question") };
        engine.answer(now, id, Answer::Addresses(&["10.0.0.9".parse().unwrap()], 60)).unwrap();
        drain(engine).0.remove(0)
    };
    let first = invited(&mut engine);
    let second = invited(&mut engine);
    for tag in ["p", "q", "r"] {
        engine.receive(now, udp(), from_branch(&first, "180 Ringing", tag).as_bytes()).unwrap();
    }
    assert_eq!(engine.stats().dialogs, 2, "the second call keeps its place");
    let third = engine.invite(now, line, "sip:alice@10.0.0.9", 0, Extras::default());
    assert_eq!(third, Err(Error::Full(Limit::Dialogs)));
    engine.receive(now, udp(), request("INVITE", 1, "").as_bytes()).unwrap();
    for invite in [first, second] {
        drain(&mut engine);
        engine.receive(now, udp(), from_branch(&invite, "200 OK", "s").as_bytes()).unwrap();
        assert!(drain(&mut engine).0[0].starts_with("ACK "));
    }
    engine.shutdown(now).unwrap();
    nothing_left(&mut engine);
}

// RFC 3261 13.2.2.4: an ACK that found no room is sent when the 2xx comes again; and the 2xx of
// another branch, acknowledged but without room for its BYE, leaves nothing.
#[test]
fn a_2xx_without_room_for_its_requests_is_made_good_when_it_comes_again() {
    let (mut engine, line) = phone(ua(), &Limits { attempts: 1, ..Limits::PHONE });
    let now = Instant(5);
    engine.invite(now, line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = drain(&mut engine).0.remove(0).replace("alice@10.0.0.9>", "alice@example.com>");
    let ok = from_branch(&invite, "200 OK", "s");
    engine.receive(now, udp(), from_branch(&invite, "180 Ringing", "s").as_bytes()).unwrap();
    // The only place for an attempt is the INVITE's until its 2xx, then that of a REGISTER.
    engine.receive(now, udp(), ok.as_bytes()).unwrap();
    assert!(drain(&mut engine).0[0].starts_with("ACK "));
    engine.register(now, line).unwrap();
    drain(&mut engine);
    let other = from_branch(&invite, "200 OK", "t");
    engine.receive(now, udp(), other.as_bytes()).unwrap();
    assert!(drain(&mut engine).0.is_empty());
    assert_eq!(engine.stats().dialogs, 1);
    let (_, _) = run(&mut engine, 33_000);
    engine.shutdown(Instant(33_000)).unwrap();
    nothing_left(&mut engine);
}

// Every timer that an object may need has its place: a transaction without one would live for ever.
#[test]
fn requests_that_wait_for_the_application_leave_the_timers_of_others_alone() {
    let limits = Limits { transactions: 60, calls: 1, calls_in: 1, ..Limits::TESTER };
    let limits = Limits { flows: 0, queries: 0, forks: 0, attempts: 1, lines: 1, ..limits };
    let (mut engine, _) = phone(ua(), &limits);
    let now = Instant(5);
    for n in 0..60 {
        engine.receive(now, udp(), request("MESSAGE", n, "").as_bytes()).unwrap();
    }
    let (sent, events) = drain(&mut engine);
    let waiting = events.iter().filter(|e| matches!(e, Event::Request { .. })).count();
    assert_eq!((sent.len(), waiting), (45, 15), "a quarter may wait");
    assert!(events.contains(&Event::Limited(Limit::Transactions)));
    assert!(sent.iter().all(|s| s.starts_with("SIP/2.0 503 ")));
    assert_eq!((engine.stats().transactions, engine.stats().timers), (15, 45));
    nothing_left(&mut engine);
}
