//! Session timers (RFC 4028) on the virtual network, with the millisecond of each message.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::{Net, config};
use peer::{Bench, Out};
use sansip::{
    CallChange, CallHandle, Config, EndReason, Extras, Instant, Limits, LineConfig, LineHandle,
};

fn ua(seed: u8, expires: u32) -> Config {
    let mut config = config(seed);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.session_expires = expires;
    config
}

/// Two phones, what each asks for, and a call between them that is answered at 0 ms.
fn call(expires: [u32; 2]) -> Net {
    let mut net = Net::new();
    let lines: Vec<LineHandle> = (0..2)
        .map(|i| {
            let name = ["a", "b"][i];
            let n = net.add(name, ua(i as u8 + 1, expires[i]), &Limits::TESTER);
            let aor = ["sip:a@10.0.0.1", "sip:b@10.0.0.2"][i];
            let line = LineConfig {
                aor,
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
    net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, Extras::default()).unwrap();
    net.settle();
    let peer = net.call(1);
    net.engine(1).answer_call(now, peer, Extras::default()).unwrap();
    net.settle();
    assert_eq!(net.changes(1).last(), Some(&CallChange::Confirmed));
    net.trace.clear();
    net
}

fn ended(net: &Net, n: usize) -> Option<EndReason> {
    match net.changes(n).last() {
        Some(CallChange::Ended { why, .. }) => Some(*why),
        _ => None,
    }
}

fn hang_up(net: &mut Net) {
    let (call, now) = (net.call(0), net.at());
    net.engine(0).hangup(now, call).unwrap();
    net.finish();
}

#[test]
fn the_caller_refreshes_by_update_at_half_of_the_interval() {
    let mut net = call([90, 1_800]);
    net.run(100_000);
    assert_eq!(
        net.ladder(),
        ["45000 a>b UPDATE", "45000 b>a 200 UPDATE", "90000 a>b UPDATE", "90000 b>a 200 UPDATE"]
    );
    let update = String::from_utf8_lossy(&net.trace[0].bytes).into_owned();
    assert!(update.contains("\r\nSession-Expires: 90;refresher=uac\r\n"), "{update}");
    assert!(update.contains("\r\nSupported: ") && update.contains("\r\nContact: "), "{update}");
    assert!(update.ends_with("Content-Length: 0\r\n\r\n"), "no offer (RFC 4028 7.4): {update}");
    hang_up(&mut net);
}

#[test]
fn without_a_wish_of_either_side_there_is_no_timer() {
    let mut net = call([0, 0]);
    net.run(10_000_000);
    assert!(net.ladder().is_empty(), "{:?}", net.ladder());
    hang_up(&mut net);
}

// RFC 4028 9: the callee puts it in, and the caller, which supports it, refreshes.
#[test]
fn a_callee_may_ask_for_it() {
    let mut net = call([0, 90]);
    net.run(45_000);
    assert_eq!(net.ladder(), ["45000 a>b UPDATE", "45000 b>a 200 UPDATE"]);
    hang_up(&mut net);
}

// RFC 4028 10: 90 s less a third. Neither side's BYE gets through.
#[test]
fn a_session_that_is_not_refreshed_ends_on_both_sides() {
    let mut net = call([90, 1_800]);
    net.drop = Box::new(|_| true);
    net.run(59_999);
    assert!(net.ladder().iter().all(|l| l.ends_with(">b UPDATE")), "{:?}", net.ladder());
    net.trace.clear();
    net.run(1);
    assert_eq!(net.ladder(), ["60000 a>b BYE", "60000 b>a BYE"]);
    net.finish();
    for n in 0..2 {
        assert_eq!(ended(&net, n), Some(EndReason::SessionExpired), "{n}");
    }
}

// Each message of the refresh is lost once: the transaction repeats it, and the session goes on.
#[test]
fn a_lost_refresh_or_its_lost_answer_is_repeated() {
    for lost in ["UPDATE", "200 UPDATE"] {
        let mut net = call([90, 1_800]);
        let mut once = true;
        net.drop = Box::new(move |s| s.label() == lost && core::mem::take(&mut once));
        net.run(89_999);
        assert_eq!(ended(&net, 0), None, "{lost}");
        let times: Vec<String> =
            net.ladder().into_iter().filter(|l| l.ends_with(">b UPDATE")).collect();
        assert_eq!(times, ["45000 a>b UPDATE", "45500 a>b UPDATE"], "{lost}");
        hang_up(&mut net);
    }
}

// RFC 4028 10: at most 32 s before the end.
#[test]
fn a_long_session_ends_32_seconds_before_its_time() {
    let mut net = call([1_800, 1_800]);
    net.drop = Box::new(|s| s.label() == "UPDATE");
    net.run(1_799_000);
    // The refresh had no answer in 64*T1: that ends the session too.
    assert!(net.ladder().contains(&"932000 a>b BYE".to_string()), "{:?}", net.ladder());
    let mut net = call([1_800, 1_800]);
    // The caller is gone without a word.
    net.drop = Box::new(|s| s.from.ip.to_string() == "10.0.0.1");
    net.run(1_767_999);
    assert!(!net.ladder().iter().any(|l| l.contains("b>a BYE")), "{:?}", net.ladder());
    net.run(1);
    assert!(net.ladder().contains(&"1768000 b>a BYE".to_string()), "{:?}", net.ladder());
    net.run(400_000);
}

fn bench(expires: u32) -> Bench {
    Bench::new(ua(9, expires))
}

fn labels(sent: &[Out]) -> Vec<String> {
    sent.iter()
        .map(|o| match o.first_line().strip_prefix("SIP/2.0 ") {
            Some(status) => format!("{} {}", &status[..3], o.header("CSeq")),
            None => o.header("CSeq").to_string(),
        })
        .collect()
}

fn dial(b: &mut Bench) -> (CallHandle, Out) {
    let now = b.at();
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    (call, b.drain().remove(0))
}

const CONTACT: &str = "Contact: <sip:alice@10.0.0.9>\r\n";

fn called(b: &mut Bench, more: &str) -> Out {
    let (_, invite) = dial(b);
    b.ask(&invite.answer("200 OK", "at", &format!("{CONTACT}{more}")));
    invite
}

/// A request of the peer's in the dialog that `invite` of ours made.
fn in_dialog(invite: &Out, method: &str, cseq: u32, more: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: {};tag=at\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {cseq} {method}\r\n{CONTACT}{more}Content-Length: 0\r\n\r\n",
        invite.header("To"),
        invite.header("From"),
        invite.header("Call-ID"),
    )
}

fn nothing_left(b: &mut Bench) {
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

#[test]
fn an_invite_asks_for_it() {
    let mut b = bench(1_800);
    let (_, invite) = dial(&mut b);
    assert_eq!(invite.header("Session-Expires"), "1800");
    assert!(invite.header("Supported").split(", ").any(|t| t == "timer"));
    assert!(invite.header("Allow").split(", ").any(|t| t == "UPDATE"));
    let mut b = bench(0);
    assert_eq!(dial(&mut b).1.header("Session-Expires"), "");
}

// RFC 4028 7.2: a 2xx without it turns it off.
#[test]
fn a_peer_that_does_not_know_it_is_not_bounded() {
    let mut b = bench(90);
    called(&mut b, "");
    assert!(b.run(10_000_000).is_empty());
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}

// RFC 4028 7.4: the peer does not allow UPDATE.
#[test]
fn where_update_is_not_allowed_a_reinvite_refreshes() {
    let mut b = bench(90);
    called(&mut b, "Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n");
    let sent = b.run(45_000);
    assert_eq!(labels(&sent), ["2 INVITE"]);
    assert_eq!(sent[0].header("Session-Expires"), "90;refresher=uac");
    let more = format!("{CONTACT}Session-Expires: 90;refresher=uac\r\nRequire: timer\r\n");
    assert_eq!(labels(&b.ask(&sent[0].answer("200 OK", "", &more))), ["2 ACK"]);
    assert!(
        !b.changes().iter().any(|c| matches!(c, CallChange::Reinvited { .. })),
        "the application did not ask for it"
    );
    let sent = b.run(45_000);
    assert_eq!(labels(&sent), ["3 INVITE"]);
    b.ask(&sent[0].answer("481 Call/Transaction Does Not Exist", "", ""));
    let sent = b.drain();
    assert!(sent.is_empty());
    assert_eq!(b.changes().last(), Some(&CallChange::Answered { status: 200 }));
    nothing_left(&mut b);
    let ended = CallChange::Ended { why: EndReason::SessionExpired, status: 0 };
    assert_eq!(b.changes().last(), Some(&ended));
}

#[test]
fn an_update_that_is_refused_as_a_method_becomes_a_reinvite() {
    let mut b = bench(90);
    called(&mut b, "Allow: INVITE, UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
    let update = b.run(45_000).remove(0);
    assert_eq!(update.header("CSeq"), "2 UPDATE");
    let sent = b.ask(&update.answer("405 Method Not Allowed", "", "Allow: INVITE\r\n"));
    assert_eq!(labels(&sent), ["3 INVITE"]);
}

// RFC 4028 7.3, 7.4: asked for more, the refresh asks for more.
#[test]
fn a_refresh_that_is_422_is_sent_again_with_the_peers_min_se() {
    let mut b = bench(90);
    called(&mut b, "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
    let update = b.run(45_000).remove(0);
    let sent = b.ask(&update.answer("422 Session Interval Too Small", "", "Min-SE: 300\r\n"));
    assert_eq!(labels(&sent), ["3 UPDATE"]);
    assert_eq!(sent[0].header("Session-Expires"), "300;refresher=uac");
    assert_eq!(sent[0].header("Min-SE"), "300");
    let again = b.ask(&sent[0].answer("422 Session Interval Too Small", "", "Min-SE: 300\r\n"));
    assert!(again.is_empty(), "the same once more would be refused for ever");
}

// Other failures keep the session until it expires; it is tried again.
#[test]
fn a_refused_refresh_is_tried_again_until_the_session_expires() {
    let mut b = bench(90);
    called(&mut b, "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
    let mut times = Vec::new();
    let mut sent = b.run(45_000);
    while labels(&sent).iter().any(|l| l.ends_with("UPDATE")) {
        times.push(b.now);
        b.ask(&sent[0].answer("503 Service Unavailable", "", ""));
        let next = b.engine.next_timeout().unwrap().0;
        let mut wait = next - b.now;
        sent = b.run(wait);
        while sent.is_empty() {
            wait = b.engine.next_timeout().unwrap().0 - b.now;
            sent = b.run(wait);
        }
    }
    assert_eq!((b.now, labels(&sent).len()), (60_000, 1));
    assert!(labels(&sent)[0].ends_with("BYE"), "{:?}", labels(&sent));
    assert!(times.len() > 1 && times[0] == 45_000, "{times:?}");
}

// RFC 4028 9: 422 with Min-SE, no call opened; then the request that obeys is taken.
#[test]
fn an_invite_that_asks_for_too_little_is_422() {
    let mut b = bench(1_800);
    let invite = |branch: u32, more: &str| {
        format!(
            "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{branch}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: {branch} INVITE\r\n{CONTACT}{more}Content-Length: 0\r\n\r\n"
        )
    };
    let sent = b.ask(&invite(1, "Session-Expires: 60\r\nSupported: timer\r\n"));
    assert_eq!(labels(&sent), ["422 1 INVITE"]);
    assert_eq!(sent[0].header("Min-SE"), "90");
    assert_eq!(b.engine.stats().calls, 0);
    b.ask(&invite(2, "Session-Expires: 90;refresher=uas\r\nMin-SE: 90\r\nSupported: timer\r\n"));
    let (call, now) = (b.call(), b.at());
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    let ok = b.drain().remove(0);
    assert_eq!(ok.header("Session-Expires"), "90;refresher=uas");
    assert_eq!(ok.header("Require"), "timer");
}

// RFC 4028 9: who refreshes may change with each request; the side that does is the other one then.
#[test]
fn a_request_of_the_peer_may_change_who_refreshes() {
    let mut b = bench(90);
    let invite = called(&mut b, "Allow: UPDATE\r\nSession-Expires: 90;refresher=uac\r\n");
    b.run(40_000);
    let more = "Supported: timer\r\nSession-Expires: 120;refresher=uac\r\n";
    let sent = b.ask(&in_dialog(&invite, "UPDATE", 1, more));
    assert_eq!(labels(&sent), ["200 1 UPDATE"]);
    assert_eq!(sent[0].header("Session-Expires"), "90;refresher=uac");
    assert_eq!(sent[0].header("Require"), "timer");
    assert!(b.run(59_999).is_empty(), "the peer refreshes now");
    assert_eq!(labels(&b.run(1)), ["2 BYE"], "and it did not");
}

// RFC 4028 7.3: the INVITE again, the same call, with what the 422 asks for.
#[test]
fn an_invite_that_is_422_is_sent_again_with_the_peers_min_se() {
    let mut b = bench(90);
    let (call, invite) = dial(&mut b);
    b.ask(&invite.answer("100 Trying", "", ""));
    let too_small = |o: &Out, min: &str| {
        o.answer("422 Session Interval Too Small", "p", &format!("Min-SE: {min}\r\n"))
    };
    let sent = b.ask(&too_small(&invite, "600"));
    assert_eq!(labels(&sent), ["1 ACK", "2 INVITE"], "{:?}", b.changes());
    let again = &sent[1];
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), ("600", "600"));
    assert_eq!(again.header("Call-ID"), invite.header("Call-ID"));
    assert_eq!(again.header("From"), invite.header("From"));
    assert_ne!(again.branch(), invite.branch());
    assert!(b.changes().is_empty(), "no news for the application");
    let more = format!("{CONTACT}Allow: UPDATE\r\nSession-Expires: 600;refresher=uac\r\n");
    assert_eq!(labels(&b.ask(&again.answer("200 OK", "at", &more))), ["2 ACK"]);
    assert_eq!(labels(&b.run(300_000)), ["3 UPDATE"]);
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    b.drain();
    // The same answer again would be the same for ever.
    let (_, invite) = dial(&mut b);
    let again = b.ask(&too_small(&invite, "600")).remove(1);
    assert_eq!(labels(&b.ask(&too_small(&again, "600"))), ["2 ACK"]);
    let ended = CallChange::Ended { why: EndReason::Refused, status: 422 };
    assert_eq!(b.changes().last(), Some(&ended));
    nothing_left(&mut b);
}
