//! Reliable provisional responses (RFC 3262) on the virtual network, with the millisecond of each
//! message.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::{Net, config};
use peer::{Bench, Out};
use sansip::{
    CallChange, CallHandle, Config, EndReason, Error, Event, Extras, Instant, Limits, LineConfig,
    LineHandle, Reliable,
};

fn ua(seed: u8, reliable: Reliable) -> Config {
    let mut config = config(seed);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.session_expires = 0;
    config.reliable = reliable;
    config
}

const OFFER: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn sdp() -> Extras<'static> {
    Extras { content_type: "application/sdp", body: OFFER, ..Extras::default() }
}

/// Two phones, and an INVITE with an offer that has reached the second at 0 ms.
fn called(reliable: [Reliable; 2]) -> (Net, CallHandle) {
    let mut net = Net::new();
    let lines: Vec<LineHandle> = (0..2)
        .map(|i| {
            let n = net.add(["a", "b"][i], ua(i as u8 + 1, reliable[i]), &Limits::TESTER);
            let line = LineConfig {
                aor: ["sip:a@10.0.0.1", "sip:b@10.0.0.2"][i],
                display: "",
                proxy: "",
                local: None,
                expires: 0,
                any: false,
                user: 0,
                ..LineConfig::default()
            };
            net.engine(n).add_line(Instant(1_000), line).unwrap()
        })
        .collect();
    let now = net.at();
    net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, sdp()).unwrap();
    net.settle();
    net.trace.clear();
    let call = net.call(1);
    (net, call)
}

fn ring(net: &mut Net, call: CallHandle, status: u16, extras: Extras<'_>) -> Result<(), Error> {
    let now = net.at();
    net.engine(1).ring(now, call, status, extras)
}

fn finish(net: &mut Net) {
    let (call, now) = (net.call(0), net.at());
    let _ = net.engine(0).hangup(now, call);
    net.finish();
    for node in &net.nodes {
        let s = node.engine.stats();
        assert_eq!(s.blocks, s.lines, "{}: {s:?}", node.name);
    }
}

const DEFAULT: [Reliable; 2] = [Reliable::WithBody; 2];

#[test]
fn a_session_progress_with_an_answer_is_acknowledged() {
    let (mut net, call) = called(DEFAULT);
    ring(&mut net, call, 180, Extras::default()).unwrap();
    ring(&mut net, call, 183, sdp()).unwrap();
    net.run(10_000);
    assert_eq!(
        net.ladder(),
        ["0 b>a 180 INVITE", "0 b>a 183 INVITE", "0 a>b PRACK", "0 b>a 200 PRACK"]
    );
    let text = |i: usize| String::from_utf8_lossy(&net.trace[i].bytes).into_owned();
    assert!(!text(0).contains("RSeq"), "no body, and the caller does not insist");
    let field = |t: &str, name: &str| {
        t.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("").to_string()
    };
    let rseq = field(&text(1), "RSeq: ");
    assert!((1..=0x7FFF_FFFF).contains(&rseq.parse::<u32>().unwrap()));
    assert_eq!(field(&text(1), "Require: "), "100rel");
    assert_eq!(field(&text(2), "RAck: "), format!("{rseq} 1 INVITE"));
    assert_eq!(net.changes(0).last(), Some(&CallChange::Progress { status: 183 }));
    finish(&mut net);
}

// RFC 3262 3: the interval doubles without end; after 64*T1 the INVITE is refused.
#[test]
fn without_a_prack_it_is_repeated_and_given_up() {
    let (mut net, call) = called(DEFAULT);
    net.drop = Box::new(|s| s.label() == "PRACK");
    ring(&mut net, call, 183, sdp()).unwrap();
    net.run(31_999);
    let times: Vec<String> =
        net.ladder().into_iter().filter(|l| l.ends_with("183 INVITE")).collect();
    let expected = [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500];
    assert_eq!(times, expected.map(|t| format!("{t} b>a 183 INVITE")));
    net.trace.clear();
    net.run(1);
    assert_eq!(
        net.ladder().iter().filter(|l| !l.ends_with("PRACK")).collect::<Vec<_>>(),
        ["32000 b>a 504 INVITE", "32000 a>b ACK"]
    );
    let count = |n: usize| {
        net.changes(n).iter().filter(|c| matches!(c, CallChange::Progress { .. })).count()
    };
    assert_eq!(count(0), 1, "the repetitions are no news");
    net.finish();
}

// Each message is lost once; nothing else changes.
#[test]
fn a_lost_message_comes_again() {
    for (lost, expected) in [
        (
            // The INVITE is repeated too: nothing has come for it.
            "183 INVITE",
            &[
                "500 a>b INVITE",
                "500 b>a 183 INVITE",
                "500 b>a 183 INVITE",
                "500 a>b PRACK",
                "500 b>a 200 PRACK",
            ][..],
        ),
        ("PRACK", &["500 b>a 183 INVITE", "500 a>b PRACK", "500 b>a 200 PRACK"]),
        ("200 PRACK", &["500 a>b PRACK", "500 b>a 200 PRACK"]),
    ] {
        let (mut net, call) = called(DEFAULT);
        let mut once = true;
        net.drop = Box::new(move |s| s.label() == lost && core::mem::take(&mut once));
        ring(&mut net, call, 183, sdp()).unwrap();
        net.run(20_000);
        let mut later: Vec<String> =
            net.ladder().into_iter().filter(|l| !l.starts_with("0 ")).collect();
        later.sort();
        let mut expected: Vec<String> = expected.iter().map(ToString::to_string).collect();
        expected.sort();
        assert_eq!(later, expected, "{lost}");
        finish(&mut net);
    }
}

// RFC 3262 3: no 2xx before the PRACK of a response with a session description.
#[test]
fn the_2xx_waits_for_the_prack_of_the_answer() {
    let (mut net, call) = called(DEFAULT);
    let mut lose = 2;
    net.drop = Box::new(move |s| {
        lose -= i32::from(s.label() == "PRACK");
        s.label() == "PRACK" && lose >= 0
    });
    ring(&mut net, call, 183, sdp()).unwrap();
    net.run(100);
    let now = net.at();
    net.engine(1).answer_call(now, call, Extras::default()).unwrap();
    assert_eq!(net.engine(1).answer_call(now, call, Extras::default()), Err(Error::Late));
    net.run(10_000);
    let ladder = net.ladder();
    assert!(!ladder.iter().any(|l| l.ends_with("200 INVITE") && !l.starts_with("1500")));
    let at = |what: &str| ladder.iter().position(|l| l == what).unwrap_or(usize::MAX);
    assert!(at("1500 b>a 200 PRACK") < at("1500 b>a 200 INVITE"), "{ladder:?}");
    assert_eq!(net.changes(1).last(), Some(&CallChange::Confirmed));
    assert_eq!(net.changes(0).last(), Some(&CallChange::Answered { status: 200 }));
    finish(&mut net);
}

// RFC 3262 3: without a session description in it the 2xx goes at once, and ends the repetitions.
#[test]
fn the_2xx_does_not_wait_for_the_prack_of_a_response_without_a_session() {
    let (mut net, call) = called([Reliable::Always; 2]);
    net.drop = Box::new(|s| s.label() == "PRACK");
    ring(&mut net, call, 180, Extras::default()).unwrap();
    net.run(100);
    let now = net.at();
    net.engine(1).answer_call(now, call, sdp()).unwrap();
    net.run(20_000);
    assert_eq!(net.ladder().iter().filter(|l| l.ends_with("180 INVITE")).count(), 1);
    assert_eq!(net.changes(1).last(), Some(&CallChange::Confirmed));
    net.drop = Box::new(|_| false);
    finish(&mut net);
}

// The PRACK never comes while the 2xx waits: 504, nothing left.
#[test]
fn a_2xx_whose_prack_never_comes_is_not_sent() {
    let (mut net, call) = called(DEFAULT);
    net.drop = Box::new(|s| s.label() == "PRACK");
    ring(&mut net, call, 183, sdp()).unwrap();
    let now = net.at();
    net.engine(1).answer_call(now, call, Extras::default()).unwrap();
    net.run(60_000);
    let ladder = net.ladder();
    assert!(!ladder.iter().any(|l| l.ends_with("200 INVITE")), "{ladder:?}");
    assert!(ladder.contains(&"32000 b>a 504 INVITE".to_string()), "{ladder:?}");
    let ended = CallChange::Ended { why: EndReason::NoAck, status: 504 };
    assert_eq!(net.changes(1).last(), Some(&ended));
    net.finish();
}

// A call that ends while its 2xx waits: BYE, CANCEL and hanging up at either end.
#[test]
fn a_call_that_ends_while_its_2xx_waits_leaves_nothing() {
    for who in [0, 1] {
        let (mut net, call) = called(DEFAULT);
        let mut lose = 1;
        net.drop = Box::new(move |s| {
            lose -= i32::from(s.label() == "PRACK");
            s.label() == "PRACK" && lose >= 0
        });
        ring(&mut net, call, 183, sdp()).unwrap();
        let now = net.at();
        net.engine(1).answer_call(now, call, Extras::default()).unwrap();
        net.settle();
        let call = net.call(who);
        net.engine(who).hangup(now, call).unwrap();
        net.finish();
        for n in [0, 1] {
            assert!(matches!(net.changes(n).last(), Some(CallChange::Ended { .. })), "{who} {n}");
            let s = net.nodes[n].engine.stats();
            assert_eq!(s.blocks, s.lines, "{s:?}");
        }
    }
}

// RFC 3262 3: one at a time. The second waits; a third finds no place.
#[test]
fn a_second_one_waits_for_the_prack_of_the_first() {
    let (mut net, call) = called([Reliable::Always; 2]);
    let mut once = true;
    net.drop = Box::new(move |s| s.label() == "PRACK" && core::mem::take(&mut once));
    ring(&mut net, call, 180, Extras::default()).unwrap();
    ring(&mut net, call, 183, sdp()).unwrap();
    assert_eq!(ring(&mut net, call, 182, Extras::default()), Err(Error::Late));
    net.run(400);
    assert_eq!(net.ladder(), ["0 b>a 180 INVITE", "0 a>b PRACK"]);
    net.run(10_000);
    let seen: Vec<CallChange> = net.changes(0);
    assert_eq!(seen, [CallChange::Progress { status: 180 }, CallChange::Progress { status: 183 }]);
    assert!(net.ladder().contains(&"500 b>a 183 INVITE".to_string()), "{:?}", net.ladder());
    ring(&mut net, call, 182, Extras::default()).unwrap();
    net.run(10);
    assert_eq!(net.changes(0).len(), 3);
    finish(&mut net);
}

fn bench(reliable: Reliable) -> Bench {
    Bench::new(ua(9, reliable))
}

fn labels(sent: &[Out]) -> Vec<String> {
    sent.iter()
        .map(|o| match o.first_line().strip_prefix("SIP/2.0 ") {
            Some(status) => format!("{} {}", &status[..3], o.header("CSeq")),
            None => o.header("CSeq").to_string(),
        })
        .collect()
}

const CONTACT: &str = "Contact: <sip:alice@10.0.0.9>\r\n";

fn dial(b: &mut Bench) -> (CallHandle, Out) {
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, sdp()).unwrap();
    (call, b.drain().remove(0))
}

fn reliable(rseq: &str) -> String {
    format!("{CONTACT}Require: 100rel\r\nRSeq: {rseq}\r\n")
}

// RFC 3262 4: in order, per dialog.
#[test]
fn responses_are_acknowledged_in_order_and_once_in_each_early_dialog() {
    let mut b = bench(Reliable::WithBody);
    let (_, out) = dial(&mut b);
    let mut come = |tag: &str, rseq: &str| {
        let sent = b.ask(&out.answer("183 Session Progress", tag, &reliable(rseq)));
        let racks: Vec<String> = sent.iter().map(|o| o.header("RAck").to_string()).collect();
        (racks, b.changes().len())
    };
    let none: Vec<String> = Vec::new();
    assert_eq!(come("x", "700"), (vec!["700 1 INVITE".to_string()], 1));
    assert_eq!(come("x", "700"), (none.clone(), 1), "again");
    assert_eq!(come("x", "702"), (none.clone(), 1), "a gap");
    assert_eq!(come("y", "9"), (vec!["9 1 INVITE".to_string()], 2), "another dialog");
    assert_eq!(come("x", "701"), (vec!["701 1 INVITE".to_string()], 3));
    assert_eq!(come("x", "702"), (vec!["702 1 INVITE".to_string()], 4));
    assert_eq!(come("y", "8"), (none, 4));
}

// The PRACK goes where the dialog of its response is: its To tag, Contact and route set.
#[test]
fn a_prack_is_a_request_of_its_early_dialog() {
    let mut b = bench(Reliable::WithBody);
    let (_, out) = dial(&mut b);
    let more = format!(
        "Record-Route: <sip:10.0.0.9:5062;lr>\r\nRecord-Route: <sip:10.0.0.9;lr>\r\n{}",
        reliable("1").replace("alice@10.0.0.9", "alice@10.0.0.77")
    );
    let prack = b.ask(&out.answer("180 Ringing", "x", &more)).remove(0);
    assert_eq!(prack.first_line(), "PRACK sip:alice@10.0.0.77 SIP/2.0");
    assert_eq!(prack.all("Route").join(", "), "<sip:10.0.0.9;lr>, <sip:10.0.0.9:5062;lr>");
    assert_eq!((prack.to_tag(), prack.header("CSeq")), ("x", "2 PRACK"));
    assert_eq!(prack.header("Call-ID"), out.header("Call-ID"));
}

// RFC 3262 4: 100 is never reliable; what cannot be acknowledged is taken as it is.
#[test]
fn a_100_with_the_tag_and_a_response_without_rseq_get_no_prack() {
    let mut b = bench(Reliable::WithBody);
    let (_, out) = dial(&mut b);
    assert!(b.ask(&out.answer("100 Trying", "", &reliable("1"))).is_empty());
    let sent = b.ask(&out.answer("180 Ringing", "x", "Require: 100rel\r\n"));
    assert!(sent.is_empty());
    assert_eq!(b.changes(), [CallChange::Progress { status: 180 }]);
    // RFC 3262 7.1: numbers out of range are no RSeq.
    assert!(b.ask(&out.answer("180 Ringing", "x", &reliable("0"))).is_empty());
    assert!(b.ask(&out.answer("180 Ringing", "x", &reliable("4294967296"))).is_empty());
}

fn invite(b: &mut Bench, more: &str) -> Vec<Out> {
    b.ask(&format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 10 INVITE\r\n{CONTACT}{more}Content-Length: 0\r\n\r\n"
    ))
}

fn prack(tag: &str, cseq: u32, rack: &str) -> String {
    format!(
        "PRACK sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKp{cseq}\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>;tag={tag}\r\nCall-ID: c1\r\nCSeq: {cseq} PRACK\r\nRAck: {rack}\r\nContent-Length: 0\r\n\r\n"
    )
}

// RFC 3262 3: RSeq, CSeq number and method have to match; a matched one is gone.
#[test]
fn a_prack_that_matches_nothing_is_481() {
    let mut b = bench(Reliable::WithBody);
    invite(&mut b, "Require: 100rel\r\n");
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    let ringing = b.drain().remove(0);
    let rseq: u32 = ringing.header("RSeq").parse().unwrap();
    let tag = ringing.to_tag().to_string();
    for (cseq, rack, status) in [
        (11, format!("{} 10 INVITE", rseq + 1), "481"),
        (12, format!("{rseq} 11 INVITE"), "481"),
        (13, format!("{rseq} 10 UPDATE"), "481"),
        (14, "x".to_string(), "481"),
        (15, format!("{rseq} 10 INVITE"), "200"),
        (16, format!("{rseq} 10 INVITE"), "481"),
    ] {
        let sent = b.ask(&prack(&tag, cseq, &rack));
        assert_eq!(labels(&sent), [format!("{status} {cseq} PRACK")], "{rack}");
    }
    assert!(b.run(20_000).is_empty(), "it is not repeated any more");
    b.engine.reject(b.at(), call, 486, Extras::default()).unwrap();
    assert_eq!(labels(&b.drain()), ["486 10 INVITE"]);
}

#[test]
fn what_is_insisted_on_is_said_and_checked() {
    let mut b = bench(Reliable::Never);
    let sent = invite(&mut b, "Require: 100rel\r\n");
    assert_eq!(
        (labels(&sent)[0].as_str(), sent[0].header("Unsupported")),
        ("420 10 INVITE", "100rel")
    );
    let (_, out) = dial(&mut b);
    assert!(!out.header("Supported").contains("100rel"));

    let mut b = bench(Reliable::Require);
    let sent = invite(&mut b, "");
    assert_eq!((labels(&sent)[0].as_str(), sent[0].header("Require")), ("421 10 INVITE", "100rel"));
    assert_eq!(b.engine.stats().calls, 0);
    let (_, out) = dial(&mut b);
    assert_eq!(out.header("Require"), "100rel");
    let sent = b.ask(&out.answer("420 Bad Extension", "x", "Unsupported: 100rel\r\n"));
    assert_eq!(labels(&sent), ["1 ACK"]);
    let ended = CallChange::Ended { why: EndReason::Refused, status: 420 };
    assert_eq!(b.changes().last(), Some(&ended));
}

// RFC 3262 5: an offer in a PRACK is answered in its 2xx, by the application where it makes its own
// descriptions.
#[test]
fn an_offer_in_a_prack_is_the_applications_to_answer() {
    let mut b = bench(Reliable::WithBody);
    let offer = String::from_utf8_lossy(OFFER).into_owned();
    let body = |start: &str| {
        start.replace(
            "Content-Length: 0\r\n\r\n",
            &format!(
                "Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}",
                offer.len()
            ),
        )
    };
    b.ask(&body(&format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 10 INVITE\r\nSupported: 100rel\r\n{CONTACT}Content-Length: 0\r\n\r\n"
    )));
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 183, sdp()).unwrap();
    let progress = b.drain().remove(0);
    let rack = format!("{} 10 INVITE", progress.header("RSeq"));
    let tag = progress.to_tag().to_string();
    assert!(b.ask(&body(&prack(&tag, 11, &rack))).is_empty());
    let Some(Event::Request { request, call: of, .. }) = b.events.last().copied() else {
        panic!("{:?}", b.events)
    };
    assert_eq!(of, Some(call));
    b.engine.respond(now, request, 200, sdp()).unwrap();
    let sent = b.drain();
    assert_eq!(labels(&sent), ["200 11 PRACK"]);
    assert!(sent[0].text.ends_with(&offer));
    b.engine.hangup(now, call).unwrap();
}
