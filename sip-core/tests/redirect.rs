//! The caller's side of a redirection (RFC 3261 8.1.3.4, 19.1.5).

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::Net;
use peer::{Bench, Out};
use sansip::{CallChange, CallHandle, EndReason, Error, Extras, Follow, Misuse, Policy};

fn follow() -> Policy<'static> {
    Policy { follow: Follow::Follow, ..Policy::default() }
}

fn bench(policy: Policy<'_>) -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    let mut b = Bench::new(config);
    let now = b.at();
    b.engine.set_policy(now, b.line, policy).unwrap();
    b
}

fn dial(b: &mut Bench) -> (CallHandle, Out) {
    let now = b.at();
    let extras = Extras {
        headers: &[("Subject", "lunch"), ("X-Mine", "1")],
        content_type: "application/sdp",
        body: b"v=0\r\n",
        ..Extras::default()
    };
    let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 7, extras).unwrap();
    (call, b.drain().remove(0))
}

fn moved(invite: &Out, contacts: &str) -> String {
    invite.answer("302 Moved Temporarily", "rt", contacts)
}

fn lines(sent: &[Out]) -> Vec<String> {
    sent.iter().map(|o| o.first_line().to_string()).collect()
}

/// The INVITE among what was sent.
fn next(sent: Vec<Out>) -> Out {
    assert_eq!(sent.len(), 2, "{:?}", lines(&sent));
    assert!(sent[0].first_line().starts_with("ACK "));
    sent.into_iter().nth(1).unwrap()
}

fn nothing_left(b: &mut Bench) {
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

fn refused(status: u16) -> CallChange {
    CallChange::Ended { why: EndReason::Refused, status }
}

#[test]
fn a_302_is_followed_with_the_same_call_id_and_the_next_cseq() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let diverted = "Diversion: <sip:alice@10.0.0.9>;reason=unconditional;counter=1\r\n";
    let second =
        next(b.ask(&moved(&first, &format!("Contact: <sip:carol@10.0.0.9>\r\n{diverted}"))));
    assert_eq!(second.first_line(), "INVITE sip:carol@10.0.0.9 SIP/2.0");
    for same in ["From", "To", "Call-ID", "Subject", "X-Mine", "Contact", "Content-Type"] {
        assert_eq!(second.all(same), first.all(same), "{same}");
    }
    assert_eq!(second.header("CSeq"), "2 INVITE");
    assert_ne!(second.branch(), first.branch());
    assert!(second.text.ends_with("\r\n\r\nv=0\r\n"));
    assert_eq!(
        second.header("Diversion"),
        "<sip:alice@10.0.0.9>;reason=unconditional;counter=1",
        "RFC 5806 6.3"
    );
    let ok = second.answer("200 OK", "ct", "Contact: <sip:carol@10.0.0.9>\r\n");
    assert_eq!(lines(&b.ask(&ok)), ["ACK sip:carol@10.0.0.9 SIP/2.0"]);
    assert_eq!(
        b.changes(),
        [CallChange::Redirected { status: 302 }, CallChange::Answered { status: 200 }]
    );
}

#[test]
fn without_a_policy_a_302_ends_the_call() {
    let mut b = bench(Policy::default());
    let (_, first) = dial(&mut b);
    let sent = b.ask(&moved(&first, "Contact: <sip:carol@10.0.0.9>\r\n"));
    assert_eq!(sent.len(), 1);
    assert_eq!(b.changes(), [refused(302)]);
    nothing_left(&mut b);
}

#[test]
fn contacts_are_tried_by_q_and_the_best_refusal_is_the_end() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let contacts = "Contact: <sip:x@10.0.0.9>;q=0.2, <sip:y@10.0.0.9>;q=0.7\r\nContact: <sip:z@10.0.0.9>;q=0.7\r\n";
    let mut invite = next(b.ask(&moved(&first, contacts)));
    for (i, (user, status)) in
        [("y", "486 Busy Here"), ("z", "503 Service Unavailable"), ("x", "500 Server Error")]
            .into_iter()
            .enumerate()
    {
        assert_eq!(invite.first_line(), format!("INVITE sip:{user}@10.0.0.9 SIP/2.0"));
        let sent = b.ask(&invite.answer(status, "t", ""));
        if i < 2 {
            invite = next(sent);
        }
    }
    assert_eq!(b.changes(), [CallChange::Redirected { status: 302 }, refused(486)]);
    nothing_left(&mut b);
}

// RFC 3261 21.6
#[test]
fn a_6xx_speaks_for_all_targets() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let second = next(b.ask(&moved(&first, "Contact: <sip:x@10.0.0.9>, <sip:y@10.0.0.9>\r\n")));
    assert_eq!(b.ask(&second.answer("603 Decline", "t", "")).len(), 1);
    assert_eq!(b.changes().last(), Some(&refused(603)));
}

#[test]
fn silence_of_a_target_is_a_refusal_of_it() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let second = next(b.ask(&moved(&first, "Contact: <sip:x@10.0.0.9>, <sip:y@10.0.0.9>\r\n")));
    let sent = b.run(33_000);
    let third = sent.iter().find(|o| o.first_line() == "INVITE sip:y@10.0.0.9 SIP/2.0").unwrap();
    let number = |o: &Out| o.header("CSeq").split(' ').next().unwrap().parse::<u32>().unwrap();
    assert!(number(third) > number(&second));
    b.run(33_000);
    let over = CallChange::Ended { why: EndReason::Timeout, status: 408 };
    assert_eq!(b.changes().last(), Some(&over));
    nothing_left(&mut b);
}

// RFC 3261 8.1.3.4: no URI is tried twice.
#[test]
fn a_target_that_was_tried_is_not_tried_again() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let second = next(b.ask(&moved(&first, "Contact: <sip:carol@10.0.0.9>\r\n")));
    let back = "Contact: <sip:ALICE@10.0.0.9>\r\nContact: <sip:alice@10.0.0.9>\r\nContact: <sip:%63arol@10.0.0.9>\r\n";
    let third = next(b.ask(&moved(&second, back)));
    assert_eq!(third.first_line(), "INVITE sip:ALICE@10.0.0.9 SIP/2.0", "user parts have case");
    assert_eq!(b.ask(&moved(&third, "Contact: <sip:carol@10.0.0.9>\r\n")).len(), 1);
    assert_eq!(b.changes().last(), Some(&refused(302)));
    nothing_left(&mut b);
}

#[test]
fn targets_and_depth_are_bounded() {
    for (targets, depth, most) in [(0, 0, 5), (3, 0, 3), (16, 2, 2), (200, 200, 16)] {
        let mut b = bench(Policy { targets, depth, ..follow() });
        let (_, mut invite) = dial(&mut b);
        let mut n = 0;
        loop {
            let sent = b.ask(&moved(&invite, &format!("Contact: <sip:n{n}@10.0.0.9>\r\n")));
            if sent.len() == 1 {
                break;
            }
            invite = next(sent);
            n += 1;
        }
        assert_eq!(n, most, "{targets} {depth}");
        nothing_left(&mut b);
    }
}

// S19: what was to be secure stays so; RFC 3261 19.1.1: no other scheme, no other method.
#[test]
fn only_what_an_invite_can_go_to_is_tried() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let contacts = "Contact: <tel:+123>, <mailto:a@b>, <sip:x@10.0.0.9;method=MESSAGE>, <sip:y@10.0.0.9;method=INVITE;user=phone>\r\n";
    let second = next(b.ask(&moved(&first, contacts)));
    assert_eq!(second.first_line(), "INVITE sip:y@10.0.0.9;user=phone SIP/2.0");
    b.ask(&second.answer("404 Not Found", "t", ""));
    assert_eq!(b.changes().last(), Some(&refused(404)));
}

// RFC 3261 19.1.5
#[test]
fn the_header_part_of_a_contact_gives_only_what_is_harmless() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let uri = "sip:x@10.0.0.9?Subject=din%6Eer&Route=%3Csip:evil%3E&From=%3Csip:e%40e%3E&Priority=a%0D%0AB:%20c&Replaces=c%3Bto-tag%3Da%3Bfrom-tag%3Db&X-Odd=1&Contact=%3Csip:e%3E&body=hi";
    let second = next(b.ask(&moved(&first, &format!("Contact: <{uri}>\r\n"))));
    assert_eq!(second.first_line(), "INVITE sip:x@10.0.0.9 SIP/2.0");
    assert_eq!(second.all("Subject"), ["dinner"]);
    assert_eq!(second.all("Replaces"), ["c;to-tag=a;from-tag=b"]);
    assert_eq!(second.all("From"), first.all("From"));
    assert_eq!(second.all("Contact"), first.all("Contact"));
    for none in ["Route", "Priority", "X-Odd", "B", "body"] {
        assert_eq!(second.all(none), Vec::<&str>::new(), "{none}");
    }
    assert!(second.text.ends_with("\r\n\r\nv=0\r\n"));
}

#[test]
fn a_person_is_asked_and_may_choose() {
    let ask = Policy { follow: Follow::Ask, ..follow() };
    let contacts = "Contact: <sip:x@10.0.0.9>;q=0.9, <sip:y@10.0.0.9>;q=0.1\r\n";
    for (chosen, uri) in [("", "x"), ("sip:y@10.0.0.9", "y")] {
        let mut b = bench(ask);
        let (call, first) = dial(&mut b);
        let now = b.at();
        let state = Err(Error::Misuse(Misuse::State));
        assert_eq!(b.engine.follow(now, call, ""), state, "nothing to follow yet");
        assert_eq!(b.ask(&moved(&first, contacts)).len(), 1);
        assert_eq!(b.changes(), [CallChange::Redirected { status: 302 }]);
        let bad = Err(Error::Misuse(Misuse::BadUri));
        assert_eq!(b.engine.follow(now, call, "sip:z@10.0.0.9"), bad);
        b.engine.follow(now, call, chosen).unwrap();
        let second = b.drain().remove(0);
        assert_eq!(second.first_line(), format!("INVITE sip:{uri}@10.0.0.9 SIP/2.0"));
        b.ask(&second.answer("200 OK", "t", "Contact: <sip:x@10.0.0.9>\r\n"));
        assert_eq!(b.engine.follow(now, call, ""), state, "its answer was shown");
    }
    // Nobody says anything.
    let mut b = bench(ask);
    let (_, first) = dial(&mut b);
    b.ask(&moved(&first, contacts));
    b.run(180_000);
    let over = CallChange::Ended { why: EndReason::Timeout, status: 408 };
    assert_eq!(b.changes().last(), Some(&over));
    nothing_left(&mut b);
    let mut b = bench(ask);
    let (call, first) = dial(&mut b);
    b.ask(&moved(&first, contacts));
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    assert!(b.drain().is_empty());
    nothing_left(&mut b);
}

#[test]
fn hanging_up_ends_the_call_at_whatever_target_it_is() {
    let mut b = bench(follow());
    let (call, first) = dial(&mut b);
    let second = next(b.ask(&moved(&first, "Contact: <sip:x@10.0.0.9>, <sip:y@10.0.0.9>\r\n")));
    b.ask(&second.answer("180 Ringing", "t", "Contact: <sip:x@10.0.0.9>\r\n"));
    let now = b.at();
    b.engine.hangup(now, call).unwrap();
    let cancel = b.drain().remove(0);
    assert_eq!(cancel.header("CSeq"), "2 CANCEL");
    b.ask(&cancel.answer("200 OK", "t", ""));
    assert_eq!(b.ask(&second.answer("487 Request Terminated", "t", "")).len(), 1);
    let gone = CallChange::Ended { why: EndReason::Abandoned, status: 487 };
    assert_eq!(b.changes().last(), Some(&gone));
    nothing_left(&mut b);
}

// Flow 8 without its proxy, and the loop that two phones can make of it.
#[test]
fn two_phones_that_forward_to_each_other_end_within_the_bound() {
    let mut net = Net::new();
    let (a, line) = net.phone("a");
    let (b, to_c) = net.phone("b");
    let (c, to_b) = net.phone("c");
    let now = net.at();
    net.engine(a).set_policy(now, line, follow()).unwrap();
    let always = |always| Policy { always, ..Policy::default() };
    net.engine(b).set_policy(now, to_c, always("sip:c@10.0.0.3")).unwrap();
    net.engine(c).set_policy(now, to_b, always("sip:b@10.0.0.2")).unwrap();
    net.engine(a).invite(now, line, "sip:b@10.0.0.2", 0, Extras::default()).unwrap();
    net.finish();
    assert_eq!(
        net.changes(a),
        [CallChange::Redirected { status: 302 }, refused(302)],
        "{:#?}",
        net.ladder()
    );
    assert_eq!(
        net.ladder(),
        [
            "0 a>b INVITE",
            "0 b>a 302 INVITE",
            "0 a>b ACK",
            "0 a>c INVITE",
            "0 c>a 302 INVITE",
            "0 a>c ACK"
        ]
    );
}

// RFC 7044 9.1 and 5, RFC 7544 7: where the call has been, why it went on, whose target it is.
#[test]
fn the_history_of_a_call_grows_with_each_target() {
    let mut b = bench(Policy { history: true, ..follow() });
    let (_, first) = dial(&mut b);
    assert_eq!(first.all("History-Info"), ["<sip:alice@10.0.0.9>;index=1"]);
    assert!(first.all("Supported").iter().any(|s| s.contains("histinfo")));
    // The peer says what happened on its side.
    let brought = "Contact: <sip:carol@10.0.0.9>;q=1, <sip:alice@10.0.0.7>;q=0.5\r\nDiversion: <sip:alice@10.0.0.9>;reason=user-busy\r\nHistory-Info: <sip:alice@10.0.0.9>;index=1,\r\n <sip:alice@10.0.0.5?Privacy=none>;index=1.1;rc=1\r\n";
    let second = next(b.ask(&moved(&first, brought)));
    assert_eq!(
        second.all("History-Info"),
        [
            "<sip:alice@10.0.0.9?Reason=SIP%3Bcause%3D302>;index=1",
            "<sip:alice@10.0.0.5?Privacy=none>;index=1.1;rc=1",
            "<sip:carol@10.0.0.9;cause=486>;index=2;mp=1",
        ]
    );
    // One that says nothing of it: what is known stands.
    let third = next(b.ask(&second.answer("480 Temporarily Unavailable", "t", "")));
    assert_eq!(
        third.all("History-Info")[2..],
        [
            "<sip:carol@10.0.0.9;cause=486?Reason=SIP%3Bcause%3D480>;index=2;mp=1",
            "<sip:alice@10.0.0.7;cause=486>;index=3;rc=1",
        ]
    );
    assert_eq!(third.all("Supported"), first.all("Supported"));
    b.ask(&third.answer("486 Busy Here", "t", ""));
    nothing_left(&mut b);
}

#[test]
fn a_call_that_does_not_tell_its_history_takes_none() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let more = "Contact: <sip:carol@10.0.0.9>\r\nHistory-Info: <sip:alice@10.0.0.9>;index=1\r\n";
    assert_eq!(next(b.ask(&moved(&first, more))).all("History-Info"), Vec::<&str>::new());
}

// RFC 3261 21.3.4, 21.3.5, 21.4.23
#[test]
fn a_305_goes_by_its_proxy_a_380_is_told_and_a_485_is_asked() {
    let contact = "Contact: <sip:10.0.0.7:5070>\r\n";
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let second = next(b.ask(&first.answer("305 Use Proxy", "t", contact)));
    assert_eq!(second.first_line(), first.first_line(), "the same request");
    assert_eq!(second.all("Route"), ["<sip:10.0.0.7:5070;lr>"]);
    assert_eq!(second.to, sansip::Addr::v4(10, 0, 0, 7, 5070));
    assert_eq!(b.ask(&second.answer("305 Use Proxy", "t", contact)).len(), 1);
    assert_eq!(b.changes().last(), Some(&refused(305)));
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    assert_eq!(b.ask(&first.answer("380 Alternative Service", "t", contact)).len(), 1);
    assert_eq!(b.changes(), [refused(380)]);
    let mut b = bench(follow());
    let (call, first) = dial(&mut b);
    assert_eq!(b.ask(&first.answer("485 Ambiguous", "t", contact)).len(), 1);
    assert_eq!(b.changes(), [CallChange::Redirected { status: 485 }]);
    let now = b.at();
    b.engine.follow(now, call, "").unwrap();
    assert_eq!(b.drain()[0].first_line(), "INVITE sip:10.0.0.7:5070 SIP/2.0");
}

/// Three phones in the smallest engines; `a` follows, `b` has this policy.
fn small(policy: Policy<'_>) -> (Net, sansip::LineHandle) {
    let mut net = Net::new();
    let mut lines = Vec::new();
    for (i, name) in ["a", "b", "c"].into_iter().enumerate() {
        let mut config = net::config(i as u8 + 1);
        config.roles.proxy = false;
        config.roles.registrar = false;
        let n = net.add(name, config, &sansip::Limits::TINY);
        let aor = format!("sip:{name}@10.0.0.{}", n + 1);
        let line = sansip::LineConfig { aor: &aor, ..sansip::LineConfig::default() };
        let now = net.at();
        lines.push(net.engine(n).add_line(now, line).unwrap());
    }
    let now = net.at();
    let follows = Policy { history: true, ..follow() };
    net.engine(0).set_policy(now, lines[0], follows).unwrap();
    net.engine(1).set_policy(now, lines[1], policy).unwrap();
    let rings = Policy { ring: true, ..Policy::default() };
    net.engine(2).set_policy(now, lines[2], rings).unwrap();
    (net, lines[0])
}

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n";

// Flows 8, 9 and 10 without their proxy, in 24 KB a phone.
#[test]
fn the_forward_flows_fit_the_smallest_engines() {
    let to_c = "sip:c@10.0.0.3";
    let always = Policy { always: to_c, ..Policy::default() };
    let busy = Policy { busy: to_c, no_waiting: true, ring: true, ..Policy::default() };
    let no_answer =
        Policy { no_answer: to_c, no_answer_after: 12, ring: true, ..Policy::default() };
    for (policy, wait, rings) in [(always, 0, 0), (busy, 0, 1), (no_answer, 12_000, 1)] {
        let (mut net, line) = small(policy);
        let sdp = Extras { content_type: "application/sdp", body: SDP, ..Extras::default() };
        if policy.no_waiting {
            // Somebody is on the phone with b.
            let now = net.at();
            net.engine(0).invite(now, line, "sip:b@10.0.0.2", 0, sdp).unwrap();
            net.settle();
            let call = net.call(1);
            net.engine(1).answer_call(now, call, sdp).unwrap();
            net.run(10);
            net.trace.clear();
        }
        let now = net.at();
        net.engine(0).invite(now, line, "sip:b@10.0.0.2", 1, sdp).unwrap();
        net.run(wait + 10);
        let (call, now) = (net.call(2), net.at());
        net.engine(2).answer_call(now, call, sdp).unwrap();
        net.run(10);
        let labels: Vec<String> = net.trace.iter().map(|s| s.label()).collect();
        let ringing = ["180 INVITE"; 1];
        let mut expected = vec!["INVITE"];
        expected.extend(&ringing[..rings]);
        expected.extend(["302 INVITE", "ACK", "INVITE", "180 INVITE", "200 INVITE", "ACK"]);
        assert_eq!(labels, expected);
        assert_eq!(net.changes(2).last(), Some(&CallChange::Confirmed));
        for n in 0..3 {
            let now = net.at();
            net.engine(n).shutdown(now).unwrap();
        }
        net.finish();
    }
}

// RFC 3261 13.2.2.4: a fork beyond may answer the first INVITE after it was redirected.
#[test]
fn a_late_2xx_to_the_first_invite_does_not_answer_the_next_one() {
    let mut b = bench(follow());
    let (_, first) = dial(&mut b);
    let second = next(b.ask(&moved(&first, "Contact: <sip:carol@10.0.0.9>\r\n")));
    let late = b.ask(&first.answer("200 OK", "other", "Contact: <sip:alice@10.0.0.10>\r\n"));
    let ended = ["ACK sip:alice@10.0.0.10 SIP/2.0", "BYE sip:alice@10.0.0.10 SIP/2.0"];
    assert_eq!(lines(&late), ended);
    assert!(!b.changes().iter().any(|c| matches!(c, CallChange::Answered { .. })));
    let ack = b.ask(&second.answer("200 OK", "carol", "Contact: <sip:carol@10.0.0.9>\r\n"));
    assert_eq!(lines(&ack), ["ACK sip:carol@10.0.0.9 SIP/2.0"]);
    assert_eq!(b.changes().last(), Some(&CallChange::Answered { status: 200 }));
    let (call, now) = (b.call(), b.at());
    b.engine.hangup(now, call).unwrap();
    nothing_left(&mut b);
}
