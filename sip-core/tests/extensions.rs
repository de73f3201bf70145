//! Extensions that the other side lacks or needs (RFC 3261 8.1.3.5, 8.2.2.3), and INFO (RFC 6086).

#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out};
use sansip::{CallChange, Config, EndReason, Event, Extras, Reliable, Retransmit};

fn config() -> Config {
    let mut config = Config::new([4; 32]);
    config.ask_media = false;
    config.retransmit = Retransmit::Rfc;
    config.roles.proxy = false;
    config.roles.registrar = false;
    config
}

fn invite(b: &mut Bench, headers: &[(&str, &str)]) -> Out {
    let (now, line) = (b.at(), b.line);
    let extras = Extras { headers, ..Extras::default() };
    b.engine.invite(now, line, "sip:p@10.0.0.9", 0, extras).unwrap();
    b.drain().remove(0)
}

fn tags(out: &Out, name: &str) -> Vec<String> {
    let mut all = Vec::new();
    for value in out.all(name) {
        all.extend(value.split(',').map(|t| t.trim().to_string()));
    }
    all
}

// RFC 3261 8.1.3.5
#[test]
fn an_invite_goes_again_without_what_the_peer_lacks_and_it_does_not_need() {
    let mut b = Bench::new(config());
    let first = invite(&mut b, &[("Require", "100rel, timer"), ("Subject", "x")]);
    let out = b.ask(&first.answer("420 Bad Extension", "a", "Unsupported: timer\r\n"));
    assert!(out[0].first_line().starts_with("ACK "));
    let second = &out[1];
    assert_eq!(tags(second, "Require"), ["100rel"]);
    assert_eq!((second.header("CSeq"), second.header("Subject")), ("2 INVITE", "x"));
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_ne!(second.branch(), first.branch());
    let out = b.ask(&second.answer("420 Bad Extension", "b", "Unsupported: 100rel\r\n"));
    assert!(tags(&out[1], "Require").is_empty());
    // What is not asked for any more cannot be the reason.
    b.ask(&out[1].answer("420 Bad Extension", "c", "Unsupported: 100rel\r\n"));
    let ended = CallChange::Ended { why: EndReason::Refused, status: 420 };
    assert_eq!(b.changes(), [ended]);
    b.finish();
}

#[test]
fn what_the_application_or_the_configuration_demands_is_not_given_up() {
    for (reliable, headers, lacks) in [
        (Reliable::WithBody, &[("Require", "replaces")][..], "replaces"),
        (Reliable::WithBody, &[("Require", "x-mine")][..], "x-mine"),
        (Reliable::WithBody, &[("Require", "100rel, x-mine")][..], "100rel, x-mine"),
        (Reliable::WithBody, &[("Require", "100rel")][..], "other"),
        (Reliable::Require, &[][..], "100rel"),
    ] {
        let mut config = config();
        config.reliable = reliable;
        let mut b = Bench::new(config);
        let first = invite(&mut b, headers);
        let more = format!("Unsupported: {lacks}\r\n");
        let out = b.ask(&first.answer("420 Bad Extension", "a", &more));
        assert_eq!(out.len(), 1, "{lacks}: only the ACK");
        let ended = CallChange::Ended { why: EndReason::Refused, status: 420 };
        assert_eq!(b.changes(), [ended], "{lacks}");
        b.finish();
    }
}

// RFC 3261 21.4.16
#[test]
fn a_request_says_what_it_supports_when_that_is_required_once() {
    let mut b = Bench::new(config());
    let (now, line) = (b.at(), b.line);
    b.engine.options(now, Some(line), "sip:p@10.0.0.9", 5, Extras::default()).unwrap();
    let first = b.drain().remove(0);
    let out = b.ask(&first.answer("421 Extension Required", "a", "Require: timer\r\n"));
    if tags(&first, "Supported").iter().any(|t| t == "timer") {
        assert!(out.is_empty());
    } else {
        assert!(tags(&out[0], "Supported").contains(&"timer".to_string()));
        b.ask(&out[0].answer("421 Extension Required", "a", "Require: timer\r\n"));
    }
    assert!(b.events.contains(&Event::Answered { user: 5, status: 421 }), "{:?}", b.events);
    b.finish();
    // An INVITE says all of it from the start.
    let mut b = Bench::new(config());
    let first = invite(&mut b, &[]);
    for tag in ["answermode", "histinfo", "timer", "100rel"] {
        assert_eq!(tags(&first, "Supported").iter().filter(|t| *t == tag).count(), 1, "{tag}");
    }
    let out = b.ask(&first.answer("421 Extension Required", "a", "Require: timer\r\n"));
    assert_eq!(out.len(), 1);
    b.finish();
}

// RFC 3261 8.1.3.5: what is refused for its body, its size or its scheme is not sent again by itself.
#[test]
fn other_refusals_end_the_call() {
    for status in ["413 Too Large", "415 Unsupported Media Type", "416 Unsupported URI Scheme"] {
        let mut b = Bench::new(config());
        let first = invite(&mut b, &[]);
        let out = b.ask(&first.answer(status, "a", "Accept: text/plain\r\n"));
        assert_eq!(out.len(), 1, "only the ACK");
        assert!(matches!(b.changes()[..], [CallChange::Ended { why: EndReason::Refused, .. }]));
        b.finish();
    }
}

/// RFC 6086 4.2.2 and RFC 3261 8.2.1: who does not have INFO in Allow refuses it by its method,
/// whatever dialog it names.
#[test]
fn info_is_a_method_that_is_not_allowed() {
    for to in ["<sip:bob@example.com>", "<sip:bob@example.com>;tag=x"] {
        for package in ["", "Info-Package: x\r\n"] {
            let mut b = Bench::new(config());
            let info = format!(
                "INFO sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=p\r\nTo: {to}\r\nCall-ID: i\r\nCSeq: 1 INFO\r\n{package}Content-Length: 0\r\n\r\n"
            );
            let out = b.ask(&info);
            assert!(out[0].first_line().starts_with("SIP/2.0 405 "), "{}", out[0].text);
            assert!(!out[0].header("Allow").contains("INFO"));
            b.finish();
        }
    }
}
