//! Who belongs to which transaction, and where responses go.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::table::State;
use super::testing::{Bench, OWNER, Seen, ack, request, response};
use super::{FromRequest, FromResponse, Reply, TxHandle};
use crate::error::{Error, Misuse};
use crate::path::{Addr, LocalId, Path};
use crate::wire::{MessageRef, Name};

fn from(ip: [u8; 4], port: u16) -> Path {
    let [a, b, c, d] = ip;
    Path { local: LocalId(0), remote: Addr::v4(a, b, c, d, port), flow: None }
}

fn old_style(method: &str) -> String {
    // RFC 2543: no cookie.
    request(method, "10.0.0.2", "1")
}

fn sent_to(seen: &[Seen]) -> Vec<Addr> {
    let all = seen.iter().filter_map(|s| match s {
        Seen::Sent { to, .. } => Some(*to),
        Seen::Failed(_) => None,
    });
    all.collect()
}

/// RFC 3261 17.2.3; S28: one branch does not make one transaction.
#[test]
fn the_same_branch_from_another_sender_or_with_another_method_is_another_transaction() {
    let mut b = Bench::new();
    let path = Bench::path(false);
    let first = request("OPTIONS", "10.0.0.2", "z9hG4bKx");
    b.open(&first, &path);
    assert_eq!(b.receive_request(&first, &path), FromRequest::Repeated);
    // Merged requests are about From tag, Call-ID and CSeq; these have their own.
    let own = |text: String| text.replace("314", "315");
    for other in [
        own(request("OPTIONS", "10.0.0.3", "z9hG4bKx")),
        own(request("OPTIONS", "10.0.0.2:5062", "z9hG4bKx")),
        own(request("OPTIONS", "10.0.0.2", "z9hG4bKy")),
        own(request("INFO", "10.0.0.2", "z9hG4bKx")),
        // RFC 4475 uses one branch for many messages.
        own(first.replace("call-1", "call-2")),
    ] {
        assert_eq!(b.receive_request(&other, &path), FromRequest::New, "{other}");
    }
    for same in [
        request("OPTIONS", "10.0.0.2:5060", "z9hG4bKx"),
        own(first.clone()),
        first.replace("SIP/2.0/UDP 10", "SIP / 2.0 / UDP  10"),
    ] {
        assert_eq!(b.receive_request(&same, &path), FromRequest::Repeated, "{same}");
    }
    let named = own(request("OPTIONS", "PC.example.com", "z9hG4bKz"));
    b.open(&named, &path);
    let lower = named.replace("PC.example.com", "pc.EXAMPLE.com");
    assert_eq!(b.receive_request(&lower, &path), FromRequest::Repeated);
}

/// RFC 3261 17.2.3, without the cookie: URI, To tag, From tag, Call-ID, CSeq and top Via.
#[test]
fn without_the_cookie_the_whole_tuple_decides() {
    let path = Bench::path(false);
    for text in [old_style("OPTIONS"), request("OPTIONS", "10.0.0.2", "z9hG4bK")] {
        let mut b = Bench::new();
        b.open(&text, &path);
        assert_eq!(b.receive_request(&text, &path), FromRequest::Repeated);
        for (part, other) in [
            ("sip:bob@example.com;x=1 SIP", "sip:bob@example.com;x=2 SIP"),
            ("Bob <sip:bob@example.com>", "Bob <sip:bob@example.com>;tag=t"),
            ("tag=from1", "tag=from2"),
            ("call-1", "call-2"),
            ("314 OPTIONS", "315 OPTIONS"),
            ("10.0.0.2", "10.0.0.9"),
        ] {
            let changed = text.replacen(part, other, 1);
            assert_ne!(changed, text);
            let got = b.receive_request(&changed, &path);
            assert!(matches!(got, FromRequest::New | FromRequest::Merged), "{part}: {got:?}");
        }
    }
}

/// RFC 3261 17.2.3: an ACK without the cookie matches by the To tag of the response.
#[test]
fn without_the_cookie_the_ack_needs_the_to_tag_of_the_response() {
    for in_dialog in [false, true] {
        let mut b = Bench::new();
        let path = Bench::path(false);
        let mut invite = old_style("INVITE");
        if in_dialog {
            invite = invite
                .replace("To: Bob <sip:bob@example.com>", "To: <sip:bob@example.com>;tag=to1");
        }
        let h = b.open(&invite, &path);
        let refusal = response(&invite, 486).replace(";tag=to1;tag=to1", ";tag=to1");
        b.respond(h, 486, &refusal).unwrap();
        let ack = ack(&invite);
        assert_eq!(b.receive_request(&ack.replace("to1", "other"), &path), FromRequest::New);
        assert_eq!(b.receive_request(&ack, &path), FromRequest::Absorbed);
        assert_eq!(b.tx.state(h), Some(State::Confirmed));
    }
}

/// RFC 3261 17.1.3: branch and CSeq method; whoever it comes from.
#[test]
fn a_response_is_matched_by_branch_and_method() {
    let mut b = Bench::new();
    let (h, text) = b.client("OPTIONS", false);
    let ok = response(&text, 200);
    assert_eq!(b.receive_response(&ok.replace("314 OPTIONS", "314 INFO")), FromResponse::Stray);
    assert_eq!(b.receive_response(&ok.replace("z9hG4bK", "z9hG4bKK")), FromResponse::Stray);
    let via = ok.lines().find(|l| l.starts_with("Via:")).unwrap();
    assert_eq!(b.receive_response(&ok.replace(via, "")), FromResponse::Stray);
    assert_eq!(b.receive_response(&ok), FromResponse::Response { tx: h, owner: OWNER });
    assert_eq!(b.receive_response(&ok), FromResponse::Absorbed);
}

/// A method that the engine does not know has a transaction like any other.
#[test]
fn an_unknown_method_is_matched_by_its_text() {
    let mut b = Bench::new();
    let path = Bench::path(false);
    let (h, text) = b.client("FOO", false);
    assert_eq!(
        b.receive_response(&response(&text, 200)),
        FromResponse::Response { tx: h, owner: OWNER }
    );
    let foo = request("FOO", "10.0.0.2", "z9hG4bKx");
    b.open(&foo, &path);
    assert_eq!(b.receive_request(&foo, &path), FromRequest::Repeated);
    let bar = request("BAR", "10.0.0.2", "z9hG4bKx");
    assert_eq!(b.receive_request(&bar, &path), FromRequest::New);
}

/// RFC 3261 8.2.2.2: while the first is being worked on, and outside dialogs only.
#[test]
fn a_request_that_comes_by_two_ways_is_merged() {
    let mut b = Bench::new();
    let path = Bench::path(false);
    let first = request("INVITE", "10.0.0.2", "z9hG4bKway1");
    let second = request("INVITE", "10.0.0.3", "z9hG4bKway2");
    let h = b.open(&first, &path);
    assert_eq!(b.receive_request(&second, &path), FromRequest::Merged);
    for other in ["tag=from1", "call-1", "314 INVITE"] {
        let changed = second.replace(other, &other.replace('1', "2"));
        assert_eq!(b.receive_request(&changed, &path), FromRequest::New, "{other}");
    }
    let in_dialog = second.replace("To: Bob <sip:bob@example.com>", "To: <sip:b@e>;tag=x");
    assert_eq!(b.receive_request(&in_dialog, &path), FromRequest::New);
    // A proxy opens it all the same; the first one keeps the key.
    let other = b.open(&second, &path);
    b.tx.end(&mut b.cx, other);
    assert_eq!(b.receive_request(&second, &path), FromRequest::Merged);
    b.tx.end(&mut b.cx, h);
    assert_eq!(b.receive_request(&second, &path), FromRequest::New);
    b.assert_clean();
}

/// RFC 3261 9.2: the CANCEL names its INVITE by branch and sent-by, or by RFC 2543's tuple.
#[test]
fn a_cancel_finds_its_invite() {
    for branch in ["z9hG4bKx", "1"] {
        let mut b = Bench::new();
        let path = Bench::path(false);
        let invite = request("INVITE", "10.0.0.2", branch);
        let cancel = invite.replace("INVITE", "CANCEL");
        assert_eq!(b.receive_request(&cancel, &path), FromRequest::Cancel { invite: None });
        let h = b.open(&invite, &path);
        let found = FromRequest::Cancel { invite: Some((h, OWNER)) };
        assert_eq!(b.receive_request(&cancel, &path), found);
        let stranger = cancel.replacen("10.0.0.2", "10.0.0.66", 1);
        assert_eq!(b.receive_request(&stranger, &path), FromRequest::Cancel { invite: None });
        let c = b.open(&cancel, &path);
        assert_ne!(c, h);
        assert_eq!(b.receive_request(&cancel, &path), FromRequest::Repeated);
        assert_eq!(b.tx.state(h), Some(State::Proceeding), "the INVITE is its user's business");
    }
    // A CANCEL for another method has nothing to cancel.
    let mut b = Bench::new();
    let text = request("OPTIONS", "10.0.0.2", "z9hG4bKx");
    b.open(&text, &Bench::path(false));
    let cancel = text.replace("OPTIONS", "CANCEL");
    let got = b.receive_request(&cancel, &Bench::path(false));
    assert_eq!(got, FromRequest::Cancel { invite: None });
}

/// S32: an ACK is never answered and leaves nothing.
#[test]
fn acks_that_belong_to_nothing_cost_nothing() {
    let mut b = Bench::new();
    let path = Bench::path(false);
    for i in 0..1_000 {
        let ack = request("ACK", "10.0.0.2", &format!("z9hG4bK{i}"));
        assert_eq!(b.receive_request(&ack, &path), FromRequest::New);
        assert!(!b.stateless(&ack, &path, 481));
    }
    assert!(b.drain().is_empty());
    b.assert_clean();
}

/// S01: a key takes 16 bytes however long the fields are.
#[test]
fn long_fields_make_no_long_keys() {
    let path = Bench::path(false);
    for cookie in ["z9hG4bK", ""] {
        for n in [0usize, 1, 2, 255, 256, 1_023, 1_024, 1_025, 8_000] {
            for (part, other) in [
                ("branch=", format!("branch={cookie}{}", "b".repeat(n))),
                ("tag=from1", format!("tag={}", "t".repeat(n.max(1)))),
                ("call-1", "c".repeat(n.max(1))),
                ("OPTIONS", "M".repeat(n.max(1))),
            ] {
                let mut b = Bench::new();
                let text = request("OPTIONS", "10.0.0.2", &format!("{cookie}x"));
                let text = text.replace(part, &other);
                assert_eq!(b.receive_request(&text, &path), FromRequest::New);
                b.open(&text, &path);
                assert_eq!(b.receive_request(&text, &path), FromRequest::Repeated);
                let held = b.cx.pool.held_bytes();
                assert!(held <= 2 * text.len() + 256, "{held} for {}", text.len());
            }
        }
    }
}

/// RFC 3261 18.2.2 and RFC 3581.
#[test]
fn responses_go_where_the_top_via_and_the_source_say() {
    let source = from([10, 9, 8, 7], 4_444);
    let plain = |host: &str| request("OPTIONS", host, "z9hG4bKx").replacen(";rport", "", 1);
    for (text, to) in [
        (plain("10.9.8.7"), Addr::v4(10, 9, 8, 7, 5060)),
        (plain("10.9.8.7:5070"), Addr::v4(10, 9, 8, 7, 5070)),
        (plain("pc.example.com:5070"), Addr::v4(10, 9, 8, 7, 5070)),
        (plain("10.1.1.1"), Addr::v4(10, 9, 8, 7, 5060)),
        (request("OPTIONS", "10.1.1.1:5070", "z9hG4bKx"), Addr::v4(10, 9, 8, 7, 4_444)),
        (plain("10.9.8.7:5070;maddr=10.3.3.3"), Addr::v4(10, 3, 3, 3, 5070)),
        (plain("10.9.8.7:5070;maddr=m.example.com"), Addr::v4(10, 9, 8, 7, 5070)),
        (plain("10.9.8.7;received=10.6.6.6"), Addr::v4(10, 9, 8, 7, 5060)),
    ] {
        let mut b = Bench::new();
        let h = b.open(&text, &source);
        b.tx.reply(&mut b.cx, h, 200, &Reply::default()).unwrap();
        assert_eq!(sent_to(&b.drain()), [to], "{text}");
        assert!(b.stateless(&text, &source, 404));
        assert_eq!(sent_to(&b.drain()), [to], "{text}");
    }
    // A connection answers itself.
    let mut b = Bench::new();
    let h = b.open(&plain("10.1.1.1:9").replace("UDP", "TCP"), &Bench::path(true));
    assert_eq!(b.tx.path(h), Some(Bench::path(true)));
}

/// S24: broadcast, multicast, unspecified and ourselves get nothing.
#[test]
fn a_request_whose_answer_has_nowhere_to_go_is_refused() {
    let mut b = Bench::new();
    let text = |via: &str| request("OPTIONS", via, "z9hG4bKx").replacen(";rport", "", 1);
    let peer = from([10, 0, 0, 2], 5060);
    for (text, source) in [
        (text("10.0.0.2;maddr=255.255.255.255"), peer),
        (text("10.0.0.2;maddr=224.0.1.75"), peer),
        (text("10.0.0.2;maddr=0.0.0.0"), peer),
        (text("10.0.0.2;maddr=10.0.0.1"), peer),
        (text("10.0.0.1"), from([10, 0, 0, 1], 40_000)),
        (text("10.0.0.1"), from([10, 0, 0, 1], 5060)),
        (text("10.0.0.2"), from([255, 255, 255, 255], 5060)),
    ] {
        assert_eq!(b.receive_request(&text, &source), FromRequest::Unanswerable, "{text}");
        assert!(!b.stateless(&text, &source, 400));
    }
    assert!(b.drain().is_empty());
    b.assert_clean();
}

/// A spiral through our own socket is answered: the branch is one of ours and open.
#[test]
fn a_request_of_ours_that_comes_back_to_us_is_answered() {
    let mut b = Bench::new();
    let (_, text) = b.client("OPTIONS", false);
    let ourselves = from([10, 0, 0, 1], 5060);
    assert_eq!(b.receive_request(&text, &ourselves), FromRequest::New);
    let h = b.open(&text, &ourselves);
    b.drain();
    b.tx.reply(&mut b.cx, h, 200, &Reply::default()).unwrap();
    assert_eq!(sent_to(&b.drain()), [ourselves.remote]);
}

/// RFC 3261 18.2.1, RFC 3581 4: the stored request says where it came from.
#[test]
fn the_stored_request_is_marked_with_its_source() {
    for (via, marked) in [
        ("10.9.8.7", "10.9.8.7;rport=4444;branch=z9hG4bKx;received=10.9.8.7"),
        (
            "a.example.com ;received=1.2.3.4",
            "a.example.com ;rport=4444;branch=z9hG4bKx;received=10.9.8.7",
        ),
    ] {
        let mut b = Bench::new();
        let text = request("OPTIONS", via, "z9hG4bKx");
        let h = b.open(&text, &from([10, 9, 8, 7], 4_444));
        let block = b.tx.request(&b.cx, h).unwrap();
        let stored = String::from_utf8(b.cx.pool.bytes_of(block).to_vec()).unwrap();
        assert!(stored.contains(&format!("Via: SIP/2.0/UDP {marked}\r\n")), "{stored}");
        assert!(stored.ends_with("\r\n\r\nbody"));
    }
    let mut b = Bench::new();
    let text = request("OPTIONS", "10.9.8.7", "z9hG4bKx").replacen(";rport", "", 1);
    let h = b.open(&text, &from([10, 9, 8, 7], 4_444));
    let block = b.tx.request(&b.cx, h).unwrap();
    assert_eq!(b.cx.pool.bytes_of(block), text.as_bytes(), "nothing to add");
}

/// RFC 3261 8.2.6, 8.2.7: the same To tag each time, with state or without; none of ours where the
/// request has one.
#[test]
fn a_reply_carries_a_tag_that_repetitions_get_again() {
    let tag = |seen: &[Seen]| match seen {
        [Seen::Sent { text, .. }] => {
            let m = MessageRef::lazy(text.as_bytes()).unwrap();
            super::build::to_tag(&m).to_vec()
        }
        other => panic!("{other:?}"),
    };
    let mut b = Bench::new();
    let (path, text) = (Bench::path(false), request("OPTIONS", "10.0.0.2", "z9hG4bKx"));
    assert!(b.stateless(&text, &path, 404));
    let first = tag(&b.drain());
    assert!(b.stateless(&text, &path, 404));
    assert_eq!(tag(&b.drain()), first);
    assert_eq!(first.len(), 16);
    assert!(b.stateless(&text.replace("z9hG4bKx", "z9hG4bKy"), &path, 404));
    assert_ne!(tag(&b.drain()), first);
    let h = b.open(&text, &path);
    b.tx.reply(&mut b.cx, h, 404, &Reply::default()).unwrap();
    assert_eq!(tag(&b.drain()), first);
    let in_dialog = text.replace("Bob <sip:bob@example.com>", "<sip:b@e>;tag=theirs");
    assert!(b.stateless(&in_dialog, &path, 481));
    assert_eq!(tag(&b.drain()), b"theirs");
}

/// What a reply is asked to carry it carries; what it must not it refuses.
#[test]
fn a_reply_carries_what_it_is_given() {
    let mut b = Bench::new();
    let invite = request("INVITE", "10.0.0.2", "z9hG4bKx")
        .replace("Max-Forwards", "Record-Route: <sip:p;lr>\r\nTimestamp: 54\r\nMax-Forwards");
    let h = b.open(&invite, &Bench::path(false));
    let bad = Reply { extra: &[(Name::RetryAfter, b"1\r\nX: y")], ..Reply::default() };
    assert_eq!(b.tx.reply(&mut b.cx, h, 503, &bad), Err(Error::Misuse(Misuse::BadHeader)));
    let reply = Reply {
        to_tag: Some(b"mine"),
        reason: Some("Fine"),
        record_route: true,
        contact: Some(b"<sip:me@10.0.0.1>"),
        extra: &[(Name::Allow, b"INVITE")],
        named: &[("X-Y", "z")],
        body: Some((b"text/plain", b"hello")),
        rest: None,
    };
    b.tx.reply(&mut b.cx, h, 180, &reply).unwrap();
    let seen = b.drain();
    let [Seen::Sent { text, .. }] = &seen[..] else { panic!("{seen:?}") };
    let expected = "SIP/2.0 180 Fine\r\n\
        Via: SIP/2.0/UDP 10.0.0.2;rport=5060;branch=z9hG4bKx;received=10.0.0.2\r\n\
        Via: SIP/2.0/UDP lower.example.com;branch=z9hG4bKlower\r\n\
        Record-Route: <sip:p;lr>\r\n\
        f: \"A. \\\"lice\\\"\" <sip:alice@example.com>;tag=from1\r\n\
        To: Bob <sip:bob@example.com>;tag=mine\r\n\
        Call-ID: call-1@example.com\r\nCSeq: 314 INVITE\r\n\
        Contact: <sip:me@10.0.0.1>\r\nAllow: INVITE\r\nX-Y: z\r\n\
        Content-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(text, expected);
    b.tx.end(&mut b.cx, h);
    b.assert_clean();
}

/// Every verb on a handle that is stale or of the wrong kind.
#[test]
fn a_stale_or_wrong_handle_changes_nothing() {
    let mut b = Bench::new();
    let (client, _) = b.client("INVITE", false);
    b.drain();
    let misuse = Err(Error::Misuse(Misuse::State));
    assert_eq!(b.respond(client, 200, "SIP/2.0 200 OK\r\n\r\n"), misuse);
    assert_eq!(b.tx.reply(&mut b.cx, client, 200, &Reply::default()), misuse);
    let server = b.open(&request("INVITE", "10.0.0.2", "z9hG4bKx"), &Bench::path(false));
    assert_eq!(b.tx.cancel(&mut b.cx, server, OWNER), Err(Error::Misuse(Misuse::State)));
    for h in [client, server] {
        b.tx.end(&mut b.cx, h);
    }
    for h in [client, server, TxHandle::from_raw(0), TxHandle::from_raw(u64::MAX)] {
        assert_eq!(b.respond(h, 200, "SIP/2.0 200 OK\r\n\r\n"), Err(Error::Gone));
        assert_eq!(b.tx.reply(&mut b.cx, h, 200, &Reply::default()), Err(Error::Gone));
        assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Err(Error::Gone));
        b.tx.end(&mut b.cx, h);
        b.tx.set_owner(h, OWNER);
        b.tx.forget_response(&mut b.cx, h);
        assert_eq!(b.tx.send_failed(&mut b.cx, h), super::FromTimer::Nothing);
        assert_eq!((b.tx.state(h), b.tx.owner(h), b.tx.path(h)), (None, None, None));
    }
    b.assert_clean();
    let ack = request("ACK", "10.0.0.1", "z9hG4bKx");
    let block = b.cx.pool.copy_in(ack.as_bytes()).unwrap();
    let branch = super::Transactions::new_branch(&mut b.cx);
    let path = Bench::path(false);
    let started =
        b.tx.start_client(&mut b.cx, OWNER, block, crate::wire::Method::Ack, branch, path);
    assert_eq!(started, Err(Error::Misuse(Misuse::State)));
    b.assert_clean();
}
