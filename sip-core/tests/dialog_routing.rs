//! Requests within dialogs: routes, targets, sequence numbers, forks.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out};
use sansip::{Addr, CallChange, EndReason, Extras, Ignored, Seen};

fn bench() -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

/// An INVITE out of the bench, answered with this Record-Route and Contact.
fn called(b: &mut Bench, more: &str) -> (Out, Vec<Out>) {
    let now = b.at();
    b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    let sent = b.ask(&invite.answer("200 OK", "at", more));
    (invite, sent)
}

// RFC 3261 12.1.2, 12.2.1.1: the route set is reversed; a loose first route goes to Route whole.
#[test]
fn the_callers_route_set_is_the_record_route_reversed() {
    let mut b = bench();
    let (_, sent) = called(
        &mut b,
        "Record-Route: <sip:p3.example.com;lr>, <sip:10.0.0.7:5070;lr>\r\nRecord-Route: <sip:10.0.0.8;lr>\r\nContact: <sip:alice@10.0.0.66:5066>\r\n",
    );
    let ack = &sent[0];
    assert_eq!(ack.first_line(), "ACK sip:alice@10.0.0.66:5066 SIP/2.0");
    assert_eq!(
        ack.all("Route"),
        ["<sip:10.0.0.8;lr>, <sip:10.0.0.7:5070;lr>, <sip:p3.example.com;lr>"]
    );
    assert_eq!(ack.to, Addr::v4(10, 0, 0, 8, 5060));
    assert_eq!(ack.header("CSeq"), "1 ACK");
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.first_line(), "BYE sip:alice@10.0.0.66:5066 SIP/2.0");
    assert_eq!(bye.to, Addr::v4(10, 0, 0, 8, 5060));
    assert_eq!(bye.header("CSeq"), "2 BYE");
    b.ask(&bye.answer("200 OK", "", ""));
    b.finish();
}

// RFC 3261 12.2.1.1: a strict first route becomes the Request-URI, the target the last Route.
#[test]
fn a_strict_router_gets_its_uri_as_request_uri() {
    let mut b = bench();
    let (_, sent) = called(
        &mut b,
        "Record-Route: <sip:10.0.0.7;lr>, <sip:10.0.0.8:5080>\r\nContact: <sip:alice@10.0.0.66>\r\n",
    );
    let ack = &sent[0];
    assert_eq!(ack.first_line(), "ACK sip:10.0.0.8:5080 SIP/2.0");
    assert_eq!(ack.all("Route"), ["<sip:10.0.0.7;lr>", "<sip:alice@10.0.0.66>"]);
    assert_eq!(ack.to, Addr::v4(10, 0, 0, 8, 5080));
}

fn invite(b: &mut Bench, more: &str) -> (String, Vec<Out>) {
    let text = format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c1\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.66>\r\n{more}Content-Length: 0\r\n\r\n"
    );
    let sent = b.ask(&text);
    (text, sent)
}

fn in_dialog(method: &str, cseq: u32, tag: &str, contact: &str) -> String {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{method}{cseq}\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>;tag={tag}\r\nCall-ID: c1\r\nCSeq: {cseq} {method}\r\n{contact}Content-Length: 0\r\n\r\n"
    )
}

/// A call into the bench, answered and acknowledged; our tag.
fn answered(b: &mut Bench, more: &str) -> String {
    invite(b, more);
    let (call, now) = (b.call(), b.at());
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    let ok = b.drain().remove(0);
    assert_eq!(ok.first_line(), "SIP/2.0 200 OK");
    let tag = ok.to_tag().to_string();
    b.ask(&in_dialog("ACK", 10, &tag, ""));
    assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
    tag
}

// RFC 3261 12.1.1: the callee's route set keeps its order, and its 2xx copies Record-Route.
#[test]
fn the_callees_route_set_keeps_its_order() {
    let mut b = bench();
    let routes = "Record-Route: <sip:10.0.0.7;lr>\r\nRecord-Route: <sip:10.0.0.8;lr>\r\n";
    answered(&mut b, routes);
    assert_eq!(
        b.sent.last().unwrap().all("Record-Route"),
        ["<sip:10.0.0.7;lr>", "<sip:10.0.0.8;lr>"]
    );
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.header("Route"), "<sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>");
    assert_eq!(bye.first_line(), "BYE sip:alice@10.0.0.66 SIP/2.0");
    assert_eq!(bye.to, Addr::v4(10, 0, 0, 7, 5060));
    assert_eq!(bye.header("To"), "Alice <sip:alice@example.com>;tag=at");
}

// RFC 3261 12.2.2: a re-INVITE refreshes the target; a lower CSeq is 500 and changes nothing.
#[test]
fn a_reinvite_refreshes_the_target_and_a_lower_cseq_is_refused() {
    let mut b = bench();
    let tag = answered(&mut b, "");
    let old = b.ask(&in_dialog("INVITE", 9, &tag, "Contact: <sip:evil@10.0.0.66>\r\n"));
    assert_eq!(old[0].first_line(), "SIP/2.0 500 Server Internal Error");
    b.ask(&in_dialog("INVITE", 11, &tag, "Contact: <sip:alice@10.0.0.77>\r\n"));
    assert_eq!(b.changes().last(), Some(&CallChange::Reinvite));
    let (call, now) = (b.call(), b.at());
    // RFC 3261 14.2: a second one before the first is answered.
    let second = b.ask(&in_dialog("INVITE", 12, &tag, ""));
    assert_eq!(second[0].first_line(), "SIP/2.0 500 Server Internal Error");
    assert!(second[0].header("Retry-After").parse::<u32>().is_ok_and(|s| s <= 10));
    b.engine.answer_call(now, call, Extras::default()).unwrap();
    b.drain();
    b.ask(&in_dialog("ACK", 11, &tag, ""));
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.first_line(), "BYE sip:alice@10.0.0.77 SIP/2.0");
}

// RFC 3261 13.2.2.4: every 2xx of a fork is acknowledged; those too many are ended.
#[test]
fn the_second_2xx_of_a_fork_is_acknowledged_and_ended() {
    let mut b = bench();
    let now = b.at();
    b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, Extras::default()).unwrap();
    let invite = b.drain().remove(0);
    b.ask(&invite.answer("180 Ringing", "t1", "Contact: <sip:a1@10.0.0.61>\r\n"));
    b.ask(&invite.answer("180 Ringing", "t2", "Contact: <sip:a2@10.0.0.62>\r\n"));
    assert_eq!(b.engine.stats().dialogs, 2, "an early dialog a To tag");
    b.ask(&invite.answer("200 OK", "t1", "Contact: <sip:a1@10.0.0.61>\r\n"));
    assert_eq!(b.engine.stats().dialogs, 1);
    let sent = b.ask(&invite.answer("200 OK", "t2", "Contact: <sip:a2@10.0.0.62>\r\n"));
    let lines: Vec<&str> = sent.iter().map(Out::first_line).collect();
    assert_eq!(lines, ["ACK sip:a2@10.0.0.62 SIP/2.0", "BYE sip:a2@10.0.0.62 SIP/2.0"]);
    assert!(sent.iter().all(|o| o.header("To").ends_with(";tag=t2")));
    b.ask(&sent[1].answer("200 OK", "", ""));
    let progress =
        b.changes().iter().filter(|c| **c == CallChange::Progress { status: 180 }).count();
    assert_eq!(progress, 2);
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    let bye = b.drain().remove(0);
    assert_eq!(bye.first_line(), "BYE sip:a1@10.0.0.61 SIP/2.0");
    b.ask(&bye.answer("200 OK", "", ""));
    b.finish();
}

// RFC 3261 13.2.2.4: an ACK that was lost is sent again, the same bytes, until 64*T1 after the
// first 2xx.
#[test]
fn a_repeated_2xx_earns_the_same_ack() {
    let mut b = bench();
    let (invite, sent) = called(&mut b, "Contact: <sip:alice@10.0.0.66>\r\n");
    b.run(31_000);
    let again = b.ask(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.66>\r\n"));
    assert_eq!(again.len(), 1);
    assert_eq!(again[0].text, sent[0].text);
    // After that it belongs to nothing, and is not answered.
    b.run(2_000);
    let (seen, out) = b.feed(&invite.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.66>\r\n"));
    assert_eq!((seen, out.len()), (Seen::Ignored(Ignored::StrayResponse), 0));
}

// RFC 3261 15.1.2, 12.2.2
#[test]
fn a_bye_ends_the_call_and_one_for_no_dialog_is_481() {
    let mut b = bench();
    let tag = answered(&mut b, "");
    let wrong = b.ask(&in_dialog("BYE", 11, "guess", ""));
    assert_eq!(wrong[0].first_line(), "SIP/2.0 481 Call/Transaction Does Not Exist");
    assert_eq!(b.engine.stats().calls, 1);
    let right = b.ask(&in_dialog("BYE", 12, &tag, ""));
    assert_eq!(right[0].first_line(), "SIP/2.0 200 OK");
    assert_eq!(
        b.changes().last(),
        Some(&CallChange::Ended { why: EndReason::RemoteHangup, status: 0 })
    );
    // Repeated, it gets the same answer from its transaction.
    assert_eq!(b.ask(&in_dialog("BYE", 12, &tag, ""))[0].text, right[0].text);
    b.finish();
}

// RFC 3261 8.2.2.2
#[test]
fn the_same_request_by_another_way_is_482() {
    let mut b = bench();
    let (text, _) = invite(&mut b, "");
    let merged = b.ask(&text.replace("branch=z9hG4bKi", "branch=z9hG4bKother"));
    assert_eq!(merged[0].first_line(), "SIP/2.0 482 Loop Detected");
    assert_eq!(b.engine.stats().calls, 1);
}

// RFC 3261 9.2: a CANCEL matches by branch and sent-by; it is answered, and so is the INVITE.
#[test]
fn a_cancel_is_answered_and_so_is_its_invite() {
    let mut b = bench();
    let (text, _) = invite(&mut b, "");
    let cancel = text.replace("INVITE sip", "CANCEL sip").replace("10 INVITE", "10 CANCEL");
    let other = b.ask(&cancel.replace("branch=z9hG4bKi", "branch=z9hG4bKj"));
    assert_eq!(other[0].first_line(), "SIP/2.0 481 Call/Transaction Does Not Exist");
    let sent = b.ask(&cancel);
    let lines: Vec<&str> = sent.iter().map(Out::first_line).collect();
    assert_eq!(lines, ["SIP/2.0 200 OK", "SIP/2.0 487 Request Terminated"]);
    assert_eq!(sent[0].to_tag(), sent[1].to_tag(), "RFC 3261 9.2: the same To tag");
    // After the final response a CANCEL has no effect.
    let late = b.ask(&cancel);
    assert_eq!(late[0].first_line(), "SIP/2.0 200 OK");
    b.finish();
}

// RFC 3261 8.2
#[test]
fn requests_that_are_not_taken_say_why() {
    let mut b = bench();
    let ask = |b: &mut Bench, method: &str, uri: &str, more: &str| {
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=x\r\nTo: <sip:bob@example.com>\r\nCall-ID: {method}{}\r\nCSeq: 1 {method}\r\nContact: <sip:a@10.0.0.9>\r\n{more}",
            b.sent.len(),
            b.sent.len(),
        );
        let text = if more.contains("\r\n\r\n") {
            text
        } else {
            format!("{text}Content-Length: 0\r\n\r\n")
        };
        b.ask(&text).remove(0)
    };
    let ours = "sip:bob@10.0.0.1";
    let cases = [
        ("REGISTER", ours, "", "405", "Allow"),
        ("BREW", ours, "", "501", "Allow"),
        ("BYE", ours, "", "481", ""),
        ("INVITE", "sip:nobody@10.0.0.1", "", "404", ""),
        ("INVITE", "tel:+15551234", "", "416", ""),
        ("INVITE", "sips:bob@10.0.0.1", "", "416", ""),
        ("INVITE", ours, "Require: teleport, 100rel\r\n", "420", "Unsupported"),
        ("INVITE", ours, "Accept: text/plain\r\n", "406", "Warning"),
        ("INVITE", ours, "Content-Type: image/png\r\nContent-Length: 1\r\n\r\nx", "415", "Accept"),
        (
            "INVITE",
            ours,
            "Content-Encoding: gzip\r\nContent-Type: application/sdp\r\nContent-Length: 1\r\n\r\nx",
            "415",
            "Accept-Encoding",
        ),
        ("OPTIONS", ours, "", "200", "Allow"),
    ];
    for (method, uri, more, status, with) in cases {
        let out = ask(&mut b, method, uri, more);
        assert!(
            out.first_line().starts_with(&format!("SIP/2.0 {status} ")),
            "{method} {uri} {more}: {}",
            out.text
        );
        assert!(with.is_empty() || !out.header(with).is_empty(), "{}", out.text);
        assert!(!out.to_tag().is_empty());
    }
    let refused = ask(&mut b, "INVITE", ours, "Require: teleport, 100rel, levitate\r\n");
    assert_eq!(refused.header("Unsupported"), "teleport, levitate");
    assert!(b.engine.is_quiescent(), "refusals leave nothing: {:?}", b.engine.stats());
}
