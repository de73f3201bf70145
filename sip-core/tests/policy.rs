//! What a line does with a call before a person does, one policy after the other.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, Out};
use sansip::{AutoAnswer, CallChange, EndReason, Error, Extras, Misuse, Policy, PolicyAct};

const CAROL: &str = "sip:carol@example.net";

fn bench(policy: Policy<'_>) -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    let mut b = Bench::new(config);
    set(&mut b, policy);
    b
}

fn set(b: &mut Bench, policy: Policy<'_>) {
    let now = b.at();
    b.engine.set_policy(now, b.line, policy).unwrap();
}

fn invite(b: &mut Bench, n: u32, more: &str) -> Vec<Out> {
    b.ask(&format!(
        "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi{n}\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at{n}\r\nTo: <sip:bob@example.com>\r\nCall-ID: c{n}\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.9>\r\n{more}Content-Length: 0\r\n\r\n"
    ))
}

fn ack(b: &mut Bench, n: u32, answer: &Out) {
    b.ask(&format!(
        "ACK sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi{n}\r\nMax-Forwards: 70\r\nFrom: Alice <sip:alice@example.com>;tag=at{n}\r\nTo: {}\r\nCall-ID: c{n}\r\nCSeq: 10 ACK\r\nContent-Length: 0\r\n\r\n",
        answer.header("To")
    ));
}

/// The status of a response, 0 for a request.
fn status(out: &Out) -> u16 {
    out.first_line().strip_prefix("SIP/2.0 ").map_or(0, |s| s[..3].parse().unwrap())
}

/// Nothing lives, and no block is held but the line's and its policy's.
fn nothing_left(b: &mut Bench) {
    b.run(400_000);
    set(b, Policy::default());
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!(s.blocks, s.lines, "{s:?}");
}

fn acted(what: PolicyAct, status: u16) -> [CallChange; 3] {
    [
        CallChange::Incoming,
        CallChange::Policy { what },
        CallChange::Ended { why: EndReason::Rejected, status },
    ]
}

#[test]
fn always_sends_every_call_elsewhere() {
    let mut b = bench(Policy { always: CAROL, ..Policy::default() });
    let sent = invite(&mut b, 1, "");
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].first_line(), "SIP/2.0 302 Moved Temporarily");
    assert_eq!(sent[0].header("Contact"), "<sip:carol@example.net>");
    assert_eq!(
        sent[0].header("Diversion"),
        "<sip:bob@example.com>;reason=unconditional;counter=1",
        "RFC 5806 4"
    );
    assert_eq!(b.changes(), acted(PolicyAct::ForwardAlways, 302));
    ack(&mut b, 1, &sent[0]);
    nothing_left(&mut b);
}

// RFC 5806 6.2: the last diversion stands on top.
#[test]
fn diversions_that_came_in_stay_below_ours() {
    let mut b = bench(Policy { always: CAROL, ..Policy::default() });
    let first = "Diversion: <sip:dan@example.com>;reason=user-busy;counter=1\r\n";
    let sent = invite(&mut b, 1, first);
    let all = sent[0].all("Diversion");
    assert_eq!(all.len(), 2);
    assert!(all[0].starts_with("<sip:bob@example.com>;reason=unconditional"));
    assert_eq!(all[1], "<sip:dan@example.com>;reason=user-busy;counter=1");
}

#[test]
fn a_busy_line_forwards_or_refuses() {
    for no_waiting in [true, false] {
        let policy = Policy { no_waiting, calls: 1, ..Policy::default() };
        let mut b = bench(Policy { busy: CAROL, ..policy });
        assert!(invite(&mut b, 1, "").is_empty(), "the first call is the person's");
        let sent = invite(&mut b, 2, "");
        assert_eq!(status(&sent[0]), 302);
        assert!(sent[0].header("Diversion").contains("reason=user-busy"));
        assert_eq!(b.changes()[1..], acted(PolicyAct::ForwardBusy, 302));
        ack(&mut b, 2, &sent[0]);
        set(&mut b, policy);
        let sent = invite(&mut b, 3, "");
        assert_eq!(status(&sent[0]), 486);
        assert_eq!(b.changes()[4..], acted(PolicyAct::Busy, 486));
        ack(&mut b, 3, &sent[0]);
    }
}

// A call that is being ended keeps nobody out.
#[test]
fn a_line_is_busy_as_long_as_its_call_is_up() {
    let mut b = bench(Policy { no_waiting: true, ..Policy::default() });
    let now = b.at();
    let out = b.engine.invite(now, b.line, "sip:dan@10.0.0.9", 0, Extras::default()).unwrap();
    b.drain();
    assert_eq!(status(&invite(&mut b, 1, "")[0]), 486);
    b.engine.hangup(now, out).unwrap();
    b.drain();
    assert!(invite(&mut b, 2, "").is_empty());
    let call = b.call();
    b.engine.reject(now, call, 0, Extras::default()).unwrap();
    b.drain();
    assert!(invite(&mut b, 3, "").is_empty());
}

#[test]
fn do_not_disturb_refuses_with_its_status_and_beats_no_answer() {
    for (set, got) in [(0, 480), (404, 404), (480, 480), (486, 486), (603, 603)] {
        let mut b = bench(Policy {
            dnd: true,
            dnd_status: set,
            no_answer: CAROL,
            no_answer_after: 1,
            ..Policy::default()
        });
        let sent = invite(&mut b, 1, "");
        assert_eq!(status(&sent[0]), got);
        assert_eq!(sent[0].header("Diversion"), "");
        assert_eq!(b.changes(), acted(PolicyAct::Dnd, got));
        ack(&mut b, 1, &sent[0]);
        nothing_left(&mut b);
    }
}

#[test]
fn do_not_disturb_may_forward_and_always_comes_first() {
    let dnd = Policy { dnd: true, dnd_to: CAROL, ..Policy::default() };
    let mut b = bench(dnd);
    let sent = invite(&mut b, 1, "");
    assert!(sent[0].header("Diversion").contains("reason=do-not-disturb"));
    assert_eq!(b.changes(), acted(PolicyAct::ForwardDnd, 302));
    set(&mut b, Policy { always: "sip:dan@example.net", ..dnd });
    let sent = invite(&mut b, 2, "");
    assert_eq!(sent[0].header("Contact"), "<sip:dan@example.net>");
}

#[test]
fn no_answer_forwards_after_its_time_and_not_before() {
    let mut b = bench(Policy { no_answer: CAROL, no_answer_after: 12, ..Policy::default() });
    assert!(invite(&mut b, 1, "").is_empty());
    let (call, now) = (b.call(), b.at());
    b.engine.ring(now, call, 180, Extras::default()).unwrap();
    b.drain();
    assert!(b.run(11_999).is_empty());
    let sent = b.run(1);
    assert_eq!(status(&sent[0]), 302);
    assert!(sent[0].header("Diversion").contains("reason=no-answer"));
    assert_eq!(b.changes(), acted(PolicyAct::ForwardNoAnswer, 302));
    ack(&mut b, 1, &sent[0]);
    nothing_left(&mut b);
}

// DESIGN 3.12: whoever is first wins.
#[test]
fn a_person_who_is_first_leaves_the_policy_nothing_to_do() {
    let policy = Policy { no_answer: CAROL, no_answer_after: 10, ..Policy::default() };
    for answers in [true, false] {
        let mut b = bench(policy);
        invite(&mut b, 1, "");
        let call = b.call();
        b.run(9_999);
        let now = b.at();
        if answers {
            b.engine.answer_call(now, call, Extras::default()).unwrap();
        } else {
            b.engine.reject(now, call, 486, Extras::default()).unwrap();
        }
        let sent = b.drain();
        let sent = sent.iter().chain(&b.run(60_000)).map(status).collect::<Vec<_>>();
        assert!(!sent.contains(&302), "{sent:?}");
        assert!(!b.changes().iter().any(|c| matches!(c, CallChange::Policy { .. })));
        nothing_left(&mut b);
    }
}

#[test]
fn a_policy_that_is_first_makes_the_person_late() {
    for policy in [
        Policy { always: CAROL, ..Policy::default() },
        Policy { dnd: true, ..Policy::default() },
        Policy { no_answer: CAROL, no_answer_after: 1, ..Policy::default() },
    ] {
        let mut b = bench(policy);
        b.engine
            .receive(
                b.at(),
                sansip::Path { local: peer::LOCAL, remote: peer::PEER, flow: None },
                b"INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.9>\r\nContent-Length: 0\r\n\r\n",
            )
            .unwrap();
        // The person sees no more than that a call has come.
        let call = loop {
            match b.engine.poll() {
                Some(sansip::Output::Event(sansip::Event::Call { call, .. }, _)) => break call,
                Some(_) => {}
                None => panic!("no call"),
            }
        };
        b.now += 1_000;
        b.engine.handle_timeout(b.at()).unwrap();
        let now = b.at();
        let none = Extras::default();
        assert_eq!(b.engine.answer_call(now, call, none), Err(Error::Late));
        assert_eq!(b.engine.ring(now, call, 180, none), Err(Error::Late));
        assert_eq!(b.engine.reject(now, call, 486, none), Err(Error::Late));
        assert_eq!(b.engine.redirect(now, call, 302, CAROL, none), Err(Error::Late));
        assert_eq!(b.engine.hangup(now, call), Err(Error::Late));
        b.drain();
        assert!(b.changes().iter().any(|c| matches!(c, CallChange::Policy { .. })));
        // Once the end is known, it is the handle that is wrong.
        assert_eq!(b.engine.answer_call(now, call, none), Err(Error::Gone));
        nothing_left(&mut b);
    }
}

#[test]
fn a_policy_applies_to_calls_that_begin_from_then_on() {
    let mut b = bench(Policy { no_answer: CAROL, no_answer_after: 10, ..Policy::default() });
    invite(&mut b, 1, "");
    set(&mut b, Policy { dnd: true, ..Policy::default() });
    let sent = b.run(10_000);
    assert_eq!(sent.last().unwrap().header("Contact"), "<sip:carol@example.net>");
    assert_eq!(status(&invite(&mut b, 2, "")[0]), 480);
}

#[test]
fn the_engine_rings_for_a_phone_that_need_not() {
    let mut b = bench(Policy { ring: true, ..Policy::default() });
    assert_eq!(status(&invite(&mut b, 1, "")[0]), 180);
    assert_eq!(b.changes(), [CallChange::Incoming]);
    let mut b = bench(Policy { ring: true, busy: CAROL, calls: 1, ..Policy::default() });
    invite(&mut b, 1, "");
    let sent: Vec<u16> = invite(&mut b, 2, "").iter().map(status).collect();
    assert_eq!(sent, [180, 302], "as a desk phone does");
    let mut b = bench(Policy { ring: true, dnd: true, ..Policy::default() });
    let sent: Vec<u16> = invite(&mut b, 1, "").iter().map(status).collect();
    assert_eq!(sent, [480]);
}

#[test]
fn a_refusal_without_a_status_takes_the_lines() {
    for (set, got) in [(0, 486), (603, 603)] {
        let mut b = bench(Policy { refuse_status: set, ..Policy::default() });
        invite(&mut b, 1, "");
        let (call, now) = (b.call(), b.at());
        b.engine.reject(now, call, 0, Extras::default()).unwrap();
        assert_eq!(status(&b.drain()[0]), got);
    }
}

#[test]
fn what_no_policy_can_be_is_misuse() {
    let mut b = bench(Policy::default());
    let now = b.at();
    let bad = |p| Err::<(), _>(Error::Misuse(p));
    for uri in ["carol", "http://example.com", "sip:a b@c"] {
        let policy = Policy { always: uri, ..Policy::default() };
        assert_eq!(b.engine.set_policy(now, b.line, policy), bad(Misuse::BadUri), "{uri}");
    }
    for status in [200, 302, 399, 700] {
        let policy = Policy { dnd_status: status, ..Policy::default() };
        assert_eq!(b.engine.set_policy(now, b.line, policy), bad(Misuse::BadStatus));
        let policy = Policy { refuse_status: status, ..Policy::default() };
        assert_eq!(b.engine.set_policy(now, b.line, policy), bad(Misuse::BadStatus));
    }
    b.engine.remove_line(now, b.line).unwrap();
    assert_eq!(b.engine.set_policy(now, b.line, Policy::default()), Err(Error::Gone));
}

// RFC 5079: nobody in From, and no asserted identity that may be shown.
#[test]
fn calls_without_their_callers_identity_are_refused_by_setting() {
    let from = |b: &mut Bench, n: u32, from: &str, more: &str| {
        b.ask(&format!(
            "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi{n}\r\nMax-Forwards: 70\r\nFrom: {from};tag=at{n}\r\nTo: <sip:bob@example.com>\r\nCall-ID: c{n}\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.9>\r\n{more}Content-Length: 0\r\n\r\n"
        ))
    };
    let nobody = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let asserted = "P-Asserted-Identity: <sip:alice@example.com>\r\n";
    let mut b = bench(Policy { refuse_anonymous: true, always: CAROL, ..Policy::default() });
    let sent = from(&mut b, 1, nobody, "");
    assert_eq!(sent[0].first_line(), "SIP/2.0 433 Anonymity Disallowed");
    assert_eq!(b.changes(), acted(PolicyAct::Anonymous, 433));
    let kept_back = format!("{asserted}Privacy: user;ID\r\n");
    assert_eq!(status(&from(&mut b, 2, nobody, &kept_back)[0]), 433);
    assert_eq!(status(&from(&mut b, 3, "<sip:Anonymous@example.com>", "")[0]), 433);
    assert_eq!(status(&from(&mut b, 4, nobody, asserted)[0]), 302, "the callee may know who");
    assert_eq!(status(&from(&mut b, 5, "<sip:alice@example.com>", "Privacy: id\r\n")[0]), 302);
    set(&mut b, Policy::default());
    assert!(from(&mut b, 6, nobody, "").is_empty());
}

// RFC 3323 4.1, RFC 3325 9.2
#[test]
fn our_identity_is_kept_back_by_policy_or_for_one_call() {
    let id: &[(&str, &str)] = &[("Privacy", "id")];
    let none: &[(&str, &str)] = &[("Privacy", "none")];
    for (anonymous, headers, hidden) in
        [(true, &[][..], true), (true, none, false), (false, id, true), (false, &[], false)]
    {
        let mut b = bench(Policy { anonymous, ..Policy::default() });
        let now = b.at();
        let extras = Extras { headers, ..Extras::default() };
        let call = b.engine.invite(now, b.line, "sip:alice@10.0.0.9", 0, extras).unwrap();
        let out = b.drain().remove(0);
        let real = "<sip:bob@example.com>";
        if hidden {
            let nobody = "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=";
            assert!(out.header("From").starts_with(nobody));
            assert_eq!(out.all("Privacy"), ["id"]);
            assert_eq!(out.all("P-Preferred-Identity"), [real]);
            assert_eq!(out.header("Contact"), "<sip:10.0.0.1:5060>");
        } else {
            assert!(out.header("From").starts_with(real));
            assert_eq!(out.all("P-Preferred-Identity"), Vec::<&str>::new());
            assert_eq!(out.header("Contact"), "<sip:bob@10.0.0.1:5060>");
        }
        // The session goes on under the same name.
        b.ask(&out.answer("200 OK", "at", "Contact: <sip:alice@10.0.0.9>\r\n"));
        b.engine.reinvite(now, call, Extras::default()).unwrap();
        let again = b.drain().remove(0);
        assert_eq!(again.header("From"), out.header("From"));
        assert_eq!(again.header("Contact"), out.header("Contact"));
    }
}

const WANTS: [&str; 7] = [
    "Alert-Info: <http://example.com>;info=alert-autoanswer\r\n",
    "Alert-Info: info = alert-autoanswer; delay=0\r\n",
    "Alert-Info: Auto Answer\r\n",
    "Alert-Info: Intercom\r\n",
    "Alert-Info: <sip:x>;answer-after=0\r\n",
    "Call-Info: <sip:x>; answer-after = 0\r\n",
    "Answer-Mode: Auto\r\n",
];

#[test]
fn the_engine_answers_whom_the_setting_lets_it() {
    for (auto_answer, wanted, plain) in [
        (AutoAnswer::Never, false, false),
        (AutoAnswer::Asked, true, false),
        (AutoAnswer::Always, true, true),
    ] {
        for wish in WANTS.iter().chain(&[""]) {
            let mut b = bench(Policy { auto_answer, ring: true, ..Policy::default() });
            let sent = invite(&mut b, 1, wish);
            let itself = if wish.is_empty() { plain } else { wanted };
            let got: Vec<u16> = sent.iter().map(status).collect();
            assert_eq!(got, [if itself { 200 } else { 180 }], "{auto_answer:?} {wish}");
            let told = CallChange::Policy { what: PolicyAct::AutoAnswer };
            assert_eq!(b.changes().contains(&told), itself);
            let says = if wish.starts_with("Answer-Mode") && itself { "Auto" } else { "" };
            assert_eq!(sent[0].header("Answer-Mode"), says, "RFC 5373 4.3");
            if itself {
                ack(&mut b, 1, &sent[0]);
                assert_eq!(b.changes().last(), Some(&CallChange::Confirmed));
                let (call, now) = (b.call(), b.at());
                let never = Err(Error::Misuse(Misuse::State));
                assert_eq!(b.engine.reject(now, call, 486, Extras::default()), never);
            }
        }
    }
}

// RFC 5373 4.2
#[test]
fn an_answer_mode_that_is_required_is_honoured_or_refused() {
    let auto = "Answer-Mode: Auto;require\r\n";
    let private = "Priv-Answer-Mode: Auto;require\r\n";
    for (auto_answer, wish, got) in [
        (AutoAnswer::Never, auto, Some(403)),
        (AutoAnswer::Asked, auto, Some(200)),
        (AutoAnswer::Always, private, Some(403)),
        (AutoAnswer::Always, "Priv-Answer-Mode: Auto\r\n", Some(200)),
        (AutoAnswer::Asked, "Priv-Answer-Mode: Auto\r\n", None),
        (AutoAnswer::Always, "Answer-Mode: Manual;require\r\n", None),
        (AutoAnswer::Always, "Answer-Mode: Mystic;require\r\n", Some(200)),
    ] {
        let mut b = bench(Policy { auto_answer, ..Policy::default() });
        let sent = invite(&mut b, 1, wish);
        assert_eq!(sent.first().map(status), got, "{auto_answer:?} {wish}");
        if got == Some(403) {
            assert_eq!(b.changes(), acted(PolicyAct::AnswerMode, 403));
        }
    }
}

#[test]
fn the_engine_answers_after_the_time_that_was_asked_for() {
    let mut b = bench(Policy {
        auto_answer: AutoAnswer::Asked,
        no_answer: CAROL,
        no_answer_after: 10,
        ring: true,
        ..Policy::default()
    });
    assert_eq!(status(&invite(&mut b, 1, "Call-Info: <sip:x>;answer-after=4\r\n")[0]), 180);
    assert!(b.run(3_999).is_empty());
    assert_eq!(status(&b.run(1)[0]), 200);
    // Somebody who talks is not put into another call, but is told of it.
    let sent = invite(&mut b, 2, "Call-Info: <sip:x>;answer-after=0\r\n");
    assert_eq!(sent.iter().map(status).collect::<Vec<_>>(), [180]);
}

// DESIGN 3.12, with the application's media asked for in between.
#[test]
fn a_person_is_late_while_the_engine_asks_for_the_media_of_its_answer() {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.ask_media = true;
    let mut b = Bench::new(config);
    set(&mut b, Policy { auto_answer: AutoAnswer::Always, ..Policy::default() });
    let text = "INVITE sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKi\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: c\r\nCSeq: 10 INVITE\r\nContact: <sip:alice@10.0.0.9>\r\nContent-Length: 0\r\n\r\n";
    let path = sansip::Path { local: peer::LOCAL, remote: peer::PEER, flow: None };
    let now = b.at();
    b.engine.receive(now, path, text.as_bytes()).unwrap();
    let (mut query, mut call) = (None, None);
    while let Some(output) = b.engine.poll() {
        match output {
            sansip::Output::Query(id, sansip::Query::Media { .. }) => query = Some(id),
            sansip::Output::Event(sansip::Event::Call { call: c, .. }, _) => call = Some(c),
            _ => {}
        }
    }
    let (query, call) = (query.unwrap(), call.unwrap());
    assert_eq!(b.engine.answer_call(now, call, Extras::default()), Err(Error::Late));
    let sdp = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    b.engine.answer(now, query, sansip::Answer::Description(sdp)).unwrap();
    assert_eq!(status(&b.drain()[0]), 200);
    assert_eq!(b.changes(), [CallChange::Policy { what: PolicyAct::AutoAnswer }]);
}

// RFC 7044 9.3, 10.2: who wants the history gets it, with us in it and why.
#[test]
fn a_forward_tells_the_history_that_it_was_asked_for() {
    let mut b = bench(Policy { always: CAROL, ..Policy::default() });
    let wants = "Supported: timer, histinfo\r\n";
    let came = "History-Info: <sip:dan@example.com?Reason=SIP%3Bcause%3D486>;index=1\r\n";
    for (n, more, history) in [
        (1, String::new(), &[][..]),
        (2, came.to_string(), &[]),
        (3, wants.to_string(), &["<sip:bob@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1"]),
        (
            4,
            format!("{wants}{came}History-Info: <sip:bob@10.0.0.1>;index=1.1;mp=1\r\n"),
            &[
                "<sip:dan@example.com?Reason=SIP%3Bcause%3D486>;index=1",
                "<sip:bob@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1.1;mp=1",
            ],
        ),
        (
            5,
            format!("{wants}{came}"),
            &[
                "<sip:dan@example.com?Reason=SIP%3Bcause%3D486>;index=1",
                "<sip:bob@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1.1",
            ],
        ),
    ] {
        let sent = invite(&mut b, n, &more);
        assert_eq!(sent[0].all("History-Info"), history, "{more}");
    }
}
