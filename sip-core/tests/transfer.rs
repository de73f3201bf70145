//! Transfer (RFC 3515, RFC 5589): three phones that refer each other.

#[path = "support/net.rs"]
mod net;
#[path = "support/trio.rs"]
mod trio;

use sansip::{CallChange, EndReason, Error, Extras, Leaves, Misuse, Ringing, Transfers};
use trio::{Trio, value};

fn transfer(status: u16, done: bool) -> CallChange {
    CallChange::Transfer { status, done }
}

fn ended(why: EndReason) -> CallChange {
    CallChange::Ended { why, status: 0 }
}

// RFC 5589 6.1; flow 6 by the RFCs.
#[test]
fn a_blind_transfer() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let from = t.net.trace.len();
    t.refer(b);
    assert_eq!(t.asked(0).1, Some(a));
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.answer(2, c);
    assert_eq!(
        t.ladder(from),
        [
            "b>a REFER",
            "a>b 202 REFER",
            "a>b NOTIFY",
            "a>c INVITE",
            "b>a 200 NOTIFY",
            "c>a 180 INVITE",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "c>a 200 INVITE",
            "a>c ACK",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "b>a BYE",
            "a>b 200 BYE",
        ]
    );
    assert_eq!(
        t.changes(1, b)[2..],
        [
            transfer(202, false),
            transfer(100, false),
            transfer(180, false),
            transfer(200, true),
            ended(EndReason::Transferred),
        ]
    );
    assert_eq!(t.changes(0, a).last(), Some(&ended(EndReason::RemoteHangup)));
    assert_eq!(t.changes(0, new).last(), Some(&CallChange::Answered { status: 200 }));
    assert!(t.lives(0, new) && t.lives(2, c), "RFC 5589 6: the new call is its own");
    t.finish();
}

#[test]
fn the_messages_of_a_transfer() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    t.refer(b);
    t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.answer(2, c);
    let refer = t.sent("REFER").remove(0);
    assert_eq!(value(&refer, "Refer-To"), "<sip:c@10.0.0.3>");
    assert_eq!(value(&refer, "Referred-By"), "<sip:b@10.0.0.2>");
    assert_eq!(value(&refer, "Contact"), "<sip:b@10.0.0.2:5060>");
    assert_eq!(value(&refer, "Refer-Sub"), "");
    let accepted = t.sent("202 REFER").remove(0);
    assert_eq!(value(&accepted, "Contact"), "<sip:a@10.0.0.1:5060>");
    let invite = t.sent("INVITE").remove(1);
    assert!(invite.starts_with("INVITE sip:c@10.0.0.3 SIP/2.0"), "{invite}");
    // RFC 3892 2.2
    assert_eq!(value(&invite, "Referred-By"), "<sip:b@10.0.0.2>");
    let notifies = t.sent("NOTIFY");
    let bodies: Vec<&str> = notifies.iter().map(|n| n.split("\r\n\r\n").nth(1).unwrap()).collect();
    assert_eq!(bodies, ["SIP/2.0 100 Trying\r\n", "SIP/2.0 180 Ringing\r\n", "SIP/2.0 200 OK\r\n"]);
    for n in &notifies {
        // The only REFER of the dialog needs no id (RFC 3515 2.4.6).
        assert_eq!(value(n, "Event"), "refer");
        assert_eq!(value(n, "Content-Type"), "message/sipfrag;version=2.0");
        assert_eq!(value(n, "Contact"), "<sip:a@10.0.0.1:5060>");
        assert_eq!(value(n, "Call-ID"), value(&refer, "Call-ID"));
        assert_eq!(value(n, "From"), value(&refer, "To"), "in the dialog of the REFER");
    }
    for n in &notifies[..2] {
        assert!(value(n, "Subscription-State").starts_with("active;expires="), "{n}");
    }
    // RFC 3515 2.4.7
    assert_eq!(value(&notifies[2], "Subscription-State"), "terminated;reason=noresource");
    t.finish();
}

// RFC 5589 6.2: the target is busy. The transferor's call stands, and it may try again.
#[test]
fn a_blind_transfer_that_fails_and_another_try() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.reject(2, c, 486);
    assert_eq!(t.told(1, b), [(202, false), (100, false), (486, true)]);
    assert_eq!(
        t.changes(0, new).last(),
        Some(&CallChange::Ended { why: EndReason::Refused, status: 486 })
    );
    assert!(t.lives(0, a) && t.lives(1, b), "the call is the person's again");
    t.refer(b);
    t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    assert_eq!(t.told(1, b)[3..], [(202, false), (100, false), (200, true)]);
    assert!(!t.lives(1, b));
    // RFC 3515 2.4.6: from the second REFER on each NOTIFY names it.
    let seq = value(&t.sent("REFER")[1], "CSeq").replace(" REFER", "");
    let events: Vec<String> = t.sent("NOTIFY").iter().map(|n| value(n, "Event").into()).collect();
    let named = format!("refer;id={seq}");
    assert_eq!(events, ["refer", "refer", &named, &named]);
    t.finish();
}

#[test]
fn a_transfer_that_is_refused_leaves_the_call() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    let (request, _) = t.asked(0);
    let now = t.now();
    let engine = t.net.engine(0);
    let bad = engine.reject_transfer(now, request, 200);
    assert_eq!(bad, Err(Error::Misuse(Misuse::BadStatus)));
    engine.reject_transfer(now, request, 603).unwrap();
    assert_eq!(engine.reject_transfer(now, request, 603), Err(Error::Gone));
    assert_eq!(engine.accept_transfer(now, request, 0, Extras::default()), Err(Error::Gone));
    t.net.run(10);
    assert_eq!(t.told(1, b), [(603, true)]);
    assert!(t.lives(0, a) && t.lives(1, b));
    t.net.run(40_000);
    assert_eq!(t.told(1, b).len(), 1);
    t.finish();
}

// A REFER that the application never answers is answered by the engine.
#[test]
fn a_transfer_that_nobody_decides() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    t.net.run(40_000);
    assert_eq!(t.told(1, b), [(480, true)]);
    let (request, _) = t.asked(0);
    let now = t.now();
    let late = t.net.engine(0).accept_transfer(now, request, 0, Extras::default());
    assert!(matches!(late, Err(Error::Late | Error::Gone)), "{late:?}");
    assert!(t.lives(0, a) && t.lives(1, b));
    t.finish();
}

#[test]
fn a_refer_that_is_lost() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    t.net.drop = Box::new(|s| s.label() == "REFER");
    t.refer(b);
    t.net.run(40_000);
    assert_eq!(t.told(1, b), [(408, true)]);
    assert!(t.lives(1, b));
    t.net.drop = Box::new(|_| false);
    t.finish();
}

// DESIGN: with none in 32 s the held call comes back to the person. The transferee's
// subscription ends when nobody answers its NOTIFY (RFC 6665 4.2.2); its call goes on.
#[test]
fn notifies_that_are_lost() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.net.drop = Box::new(|s| s.label() == "NOTIFY");
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    t.net.run(31_000);
    assert_eq!(t.told(1, b), [(202, false)]);
    t.net.run(2_000);
    assert_eq!(t.told(1, b), [(202, false), (408, true)]);
    assert!(t.lives(0, a) && t.lives(1, b) && t.lives(0, new));
    t.finish();
}

// After a first NOTIFY the new call may ring as long as it likes.
#[test]
fn a_target_that_rings_for_two_minutes() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    t.refer(b);
    t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.net.run(120_000);
    assert!(t.lives(1, b));
    t.answer(2, c);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert!(!t.lives(1, b));
    t.finish();
}

// RFC 5057: the BYE ends the INVITE usage alone. The NOTIFYs go on, and are answered.
#[test]
fn a_transferor_that_leaves_on_the_202() {
    let mut t = Trio::with(&sansip::Limits::TESTER, |n, config| {
        if n == 1 {
            config.transferor_leaves = Leaves::OnAccepted;
        }
    });
    let (a, b) = t.talk(0, 1);
    let from = t.net.trace.len();
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    assert_eq!(
        t.ladder(from),
        [
            "b>a REFER",
            "a>b 202 REFER",
            "a>b NOTIFY",
            "a>c INVITE",
            "b>a BYE",
            "b>a 200 NOTIFY",
            "a>b 200 BYE",
            "c>a 200 INVITE",
            "a>c ACK",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
        ]
    );
    assert_eq!(t.changes(1, b).last(), Some(&ended(EndReason::Transferred)));
    assert!(!t.lives(0, a) && !t.lives(1, b) && t.lives(0, new));
    assert_eq!(t.net.nodes[1].engine.stats().dialogs, 0, "its last NOTIFY ends the dialog");
    assert_eq!(t.net.nodes[0].engine.stats().dialogs, 1);
    t.finish();
}

// The guides draw the BYE behind a 202 that the proxy makes: the transferee has not decided yet.
#[test]
fn a_bye_before_the_transferee_has_decided() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    t.hangup(1, b);
    assert!(!t.lives(0, a));
    let new = t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    assert!(t.lives(0, new));
    assert_eq!(t.sent("200 NOTIFY").len(), 2, "{:?}", t.ladder(0));
    t.finish();
}

#[test]
fn a_transferor_that_never_leaves() {
    let mut t = Trio::with(&sansip::Limits::TESTER, |_, config| {
        config.transferor_leaves = Leaves::Never;
    });
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    t.net.run(60_000);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert!(t.lives(0, a) && t.lives(1, b) && t.lives(0, new));
    t.finish();
}

// RFC 4579 5.5: a focus is asked to invite somebody; the call to it stays.
#[test]
fn a_refer_that_keeps_the_call() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    let now = t.now();
    t.net.engine(1).transfer(now, b, "sip:c@10.0.0.3", true, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    let c = t.net.call(2);
    t.answer(2, c);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert!(t.lives(1, b));
    t.finish();
}

// RFC 4488
#[test]
fn a_transfer_without_notifies() {
    for by_config in [true, false] {
        let mut t = Trio::with(&sansip::Limits::TESTER, |_, c| c.refer_sub = !by_config);
        let (a, b) = t.talk(0, 1);
        let headers: &[(&str, &str)] = if by_config { &[] } else { &[("Refer-Sub", "false")] };
        let now = t.now();
        let extras = Extras { headers, ..Extras::default() };
        t.net.engine(1).transfer(now, b, "sip:c@10.0.0.3", false, extras).unwrap();
        t.net.run(0);
        let new = t.accept(0);
        let c = t.net.call(2);
        t.answer(2, c);
        assert_eq!(t.told(1, b), [(202, true)]);
        assert_eq!(t.sent("REFER")[0].matches("Refer-Sub: false").count(), 1);
        assert_eq!(value(&t.sent("202 REFER")[0], "Refer-Sub"), "false");
        assert!(t.sent("NOTIFY").is_empty());
        assert!(!t.lives(0, a) && !t.lives(1, b) && t.lives(0, new));
        t.finish();
    }
}

// RFC 5589 7.1: the to-tag of Replaces is the target's, the from-tag the transferor's.
#[test]
fn an_attended_transfer() {
    for to_aor in [false, true] {
        let mut t = Trio::with(&sansip::Limits::TESTER, |_, c| c.transfer_to_aor = to_aor);
        let (a, b) = t.talk(0, 1);
        let (consult, c) = t.talk(1, 2);
        let from = t.net.trace.len();
        let now = t.now();
        t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
        t.net.run(0);
        let answer = t.sent("200 INVITE").remove(1);
        let tag = |v: &str| v.split(";tag=").nth(1).unwrap().to_string();
        let (id, to, by) = (
            value(&answer, "Call-ID").to_string(),
            tag(value(&answer, "To")),
            tag(value(&answer, "From")),
        );
        let refer = t.sent("REFER").remove(0);
        let uri = if to_aor { "sip:c@10.0.0.3" } else { "sip:c@10.0.0.3:5060" };
        let more = if to_aor { "&Require=replaces" } else { "" };
        assert_eq!(
            value(&refer, "Refer-To"),
            format!("<{uri}?Replaces={id}%3Bto-tag%3D{to}%3Bfrom-tag%3D{by}{more}>")
        );
        let new = t.accept(0);
        let invite = t.sent("INVITE").remove(2);
        assert!(invite.starts_with(&format!("INVITE {uri} SIP/2.0")), "{invite}");
        assert_eq!(value(&invite, "Replaces"), format!("{id};to-tag={to};from-tag={by}"));
        assert_eq!(value(&invite, "Referred-By"), "<sip:b@10.0.0.2>");
        if to_aor {
            assert_eq!(value(&invite, "Require"), "replaces");
            t.finish();
            continue;
        }
        let second = t.net.call(2);
        let info = t.net.nodes[2].engine.call_info(second).unwrap();
        assert_eq!(info.replaces, Some(c));
        t.answer(2, second);
        assert_eq!(
            t.ladder(from),
            [
                "b>a REFER",
                "a>b 202 REFER",
                "a>b NOTIFY",
                "a>c INVITE",
                "b>a 200 NOTIFY",
                "c>a 200 INVITE",
                "c>b BYE",
                "a>c ACK",
                "a>b NOTIFY",
                "b>c 200 BYE",
                "b>a 200 NOTIFY",
                "b>a BYE",
                "a>b 200 BYE",
            ]
        );
        assert_eq!(t.changes(2, c).last(), Some(&ended(EndReason::Replaced)));
        assert_eq!(t.changes(1, consult).last(), Some(&ended(EndReason::RemoteHangup)));
        assert_eq!(t.changes(1, b).last(), Some(&ended(EndReason::Transferred)));
        assert!(!t.lives(0, a) && t.lives(0, new) && t.lives(2, second));
        t.finish();
    }
}

// RFC 3891 3: where the target's engine has the media of the replaced call, nobody is alerted.
#[test]
fn an_attended_transfer_with_media() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    let (consult, c) = t.talk(1, 2);
    let now = t.now();
    t.net.engine(1).hold(now, b).unwrap();
    t.net.run(10);
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(0);
    let new = t.accept(0);
    t.net.run(10);
    let second = t.incoming(2);
    assert_ne!(second, c);
    assert_eq!(t.changes(2, second), [CallChange::Incoming, CallChange::Confirmed]);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert!(!t.lives(0, a) && !t.lives(1, b) && !t.lives(1, consult) && !t.lives(2, c));
    for (n, call, peer) in [(0, new, "10.0.0.3"), (2, second, "10.0.0.1")] {
        let heard = t.net.nodes[n].media.iter().rfind(|h| h.call == call).unwrap();
        assert!(heard.remote.contains(&format!("c=IN IP4 {peer}")), "{heard:?}");
        assert!(!heard.remote.contains("a=sendonly"), "{heard:?}");
    }
    t.finish();
}

// RFC 5589 7.7, RFC 3891 3: the target cannot take the new call; all old ones stand.
#[test]
fn an_attended_transfer_that_fails() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let (consult, c) = t.talk(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    let second = t.net.call(2);
    t.reject(2, second, 488);
    assert_eq!(t.told(1, b).last(), Some(&(488, true)));
    for (n, call) in [(0, a), (1, b), (1, consult), (2, c)] {
        assert!(t.lives(n, call));
    }
    t.finish();
}

// RFC 5589 7.6, figure 11: the transferor's phone waits for the answer.
#[test]
fn a_semi_attended_transfer_waits_for_the_answer() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let (consult, c) = t.ring(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(5_000);
    assert!(t.sent("REFER").is_empty());
    let again = t.net.engine(1).transfer_to(now, b, consult, Extras::default());
    assert_eq!(again, Err(Error::Misuse(Misuse::State)));
    t.answer(2, c);
    let new = t.accept(0);
    let second = t.net.call(2);
    t.answer(2, second);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert_eq!(t.changes(2, c).last(), Some(&ended(EndReason::Replaced)));
    assert!(!t.lives(0, a) && !t.lives(1, b) && !t.lives(1, consult) && t.lives(0, new));
    t.finish();
}

#[test]
fn a_semi_attended_transfer_whose_target_refuses() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    let (consult, c) = t.ring(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.reject(2, c, 486);
    assert_eq!(t.told(1, b), [(486, true)]);
    assert!(t.lives(1, b) && t.sent("REFER").is_empty());
    t.finish();
}

// The call that was to be transferred ends first: nothing is left of the transfer.
#[test]
fn a_semi_attended_transfer_whose_transferee_hangs_up() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let (consult, c) = t.ring(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.hangup(0, a);
    t.answer(2, c);
    assert!(t.lives(1, consult) && t.sent("REFER").is_empty());
    t.finish();
}

// RFC 3891 3: an early dialog that the target did not initiate is not replaced. The vendor's
// phones send the REFER all the same; a target that keeps the rule answers 481.
#[test]
fn a_semi_attended_transfer_with_replaces() {
    let mut t = Trio::with(&sansip::Limits::TESTER, |_, c| c.transfer_ringing = Ringing::Replaces);
    let (_, b) = t.talk(0, 1);
    let (consult, c) = t.ring(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    t.net.run(10);
    assert!(value(&t.sent("INVITE")[2], "Replaces").contains(";to-tag="));
    assert_eq!(t.told(1, b).last(), Some(&(481, true)));
    assert!(t.lives(1, b) && t.lives(1, consult) && t.lives(2, c));
    t.finish();
}

// RFC 5589 7.6, figure 12: the REFER waits for the 487.
#[test]
fn a_semi_attended_transfer_that_becomes_a_blind_one() {
    let mut t = Trio::with(&sansip::Limits::TESTER, |_, c| c.transfer_ringing = Ringing::Blind);
    let (_, b) = t.talk(0, 1);
    let (consult, _) = t.ring(1, 2);
    let from = t.net.trace.len();
    let now = t.now();
    t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
    t.net.run(0);
    assert_eq!(
        t.ladder(from),
        ["b>c CANCEL", "c>b 200 CANCEL", "c>b 487 INVITE", "b>c ACK", "b>a REFER"]
    );
    assert_eq!(value(&t.sent("REFER")[0], "Refer-To"), "<sip:c@10.0.0.3>");
    t.accept(0);
    let second = t.net.call(2);
    t.answer(2, second);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    t.finish();
}

#[test]
fn a_transferee_that_gives_the_new_call_up() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.hangup(0, new);
    assert_eq!(t.told(1, b).last(), Some(&(487, true)));
    assert!(t.lives(0, a) && t.lives(1, b));
    t.finish();
}

#[test]
fn policy_takes_and_refuses() {
    let with = |what| Trio::with(&sansip::Limits::TESTER, move |_, c| c.transfers = what);
    let mut t = with(Transfers::Accept);
    let (_, b) = t.talk(0, 1);
    t.refer(b);
    let new = t.net.call(0);
    assert_eq!(t.changes(0, new), [CallChange::Referred]);
    let c = t.net.call(2);
    t.answer(2, c);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    assert!(t.lives(0, new));
    t.finish();
    let mut t = with(Transfers::Refuse);
    let (_, b) = t.talk(0, 1);
    t.refer(b);
    assert_eq!(t.told(1, b), [(603, true)]);
    t.finish();
}

// A REFER to ourselves is a call like any other, and ends like one.
#[test]
fn a_transfer_to_the_transferee_itself() {
    let mut t = Trio::new();
    let (_, b) = t.talk(0, 1);
    let now = t.now();
    t.net.engine(1).transfer(now, b, "sip:a@10.0.0.1", false, Extras::default()).unwrap();
    t.net.run(0);
    let new = t.accept(0);
    let looped = t.net.call(0);
    assert_ne!(new, looped);
    t.answer(0, looped);
    assert_eq!(t.told(1, b).last(), Some(&(200, true)));
    t.finish();
}

// Each side of a call refers the other at the same time, and both calls have ended before the
// subscriptions have.
#[test]
fn both_sides_refer_each_other() {
    let mut t = Trio::with(&sansip::Limits::TESTER, |_, c| {
        c.transferor_leaves = Leaves::OnAccepted;
    });
    let (a, b) = t.talk(0, 1);
    let now = t.now();
    t.net.engine(0).transfer(now, a, "sip:c@10.0.0.3", true, Extras::default()).unwrap();
    t.net.engine(1).transfer(now, b, "sip:c@10.0.0.3", true, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    t.accept(1);
    t.hangup(0, a);
    let calls: Vec<_> = (0..2).map(|n| t.net.call(n)).collect();
    assert!(!t.lives(0, a) && !t.lives(1, b), "{calls:?}");
    assert_eq!(t.net.nodes[0].engine.stats().dialogs, 1, "kept for both subscriptions");
    let incoming = |s: &net::Said| match s.event {
        sansip::Event::Call { call, change: CallChange::Incoming, .. } => Some(call),
        _ => None,
    };
    let at_c: Vec<_> = t.net.nodes[2].said.iter().filter_map(incoming).collect();
    t.answer(2, at_c[0]);
    t.reject(2, at_c[1], 486);
    assert_eq!(t.sent("NOTIFY").len(), 4);
    assert_eq!(t.sent("200 NOTIFY").len(), 4, "{:?}", t.ladder(0));
    t.finish();
}

#[test]
fn verbs_of_transfer_in_the_wrong_state() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let now = t.now();
    let plain = Extras::default();
    let engine = t.net.engine(1);
    let uri = Err(Error::Misuse(Misuse::BadUri));
    assert_eq!(engine.transfer(now, b, "c", false, plain), uri);
    assert_eq!(engine.transfer(now, b, "tel:+1", false, plain), uri);
    assert_eq!(engine.transfer(now, b, "sip:c@h>x", false, plain), uri);
    let bad = Extras { headers: &[("Subject", "a\r\nb")], ..plain };
    let header = Err(Error::Misuse(Misuse::BadHeader));
    assert_eq!(engine.transfer(now, b, "sip:c@10.0.0.3", false, bad), header);
    assert_eq!(engine.transfer_to(now, b, b, plain), Err(Error::Misuse(Misuse::State)));
    engine.transfer(now, b, "sip:c@10.0.0.3", false, plain).unwrap();
    let state = Err(Error::Misuse(Misuse::State));
    assert_eq!(engine.transfer(now, b, "sip:c@10.0.0.3", false, plain), state);
    t.net.run(0);
    let (request, _) = t.asked(0);
    let engine = t.net.engine(0);
    let refused = engine.accept_transfer(now, request, 0, bad);
    assert_eq!(refused, Err(Error::Misuse(Misuse::BadHeader)));
    engine.accept_transfer(now, request, 0, plain).unwrap();
    t.hangup(1, b);
    let gone = t.net.engine(1).transfer(now, b, "sip:c@10.0.0.3", false, plain);
    assert_eq!(gone, Err(Error::Gone));
    let (consult, ringing) = t.ring(1, 2);
    let early = t.net.engine(1).transfer(now, consult, "sip:c@10.0.0.3", false, plain);
    assert_eq!(early, state, "not answered");
    let back = t.net.engine(2).transfer_to(now, consult, ringing, plain);
    assert_eq!(back, Err(Error::Misuse(Misuse::State)), "a call that rings here");
    assert!(!t.lives(0, a));
    t.finish();
}

// The smallest engine carries both of a transfer's calls.
#[test]
fn transfers_between_tiny_engines() {
    for leaves in [Leaves::OnFinalNotify, Leaves::OnAccepted] {
        let mut t = Trio::with(&sansip::Limits::TINY, |_, c| c.transferor_leaves = leaves);
        for _ in 0..3 {
            let (_, b) = t.talk(0, 1);
            t.refer(b);
            let new = t.accept(0);
            let c = t.net.call(2);
            t.alert(2, c);
            t.answer(2, c);
            assert!(!t.lives(1, b), "{:?}", t.ladder(0));
            t.hangup(0, new);
            t.net.run(40_000);
            let (_, b) = t.talk(0, 1);
            let (consult, _) = t.talk(1, 2);
            let now = t.now();
            t.net.engine(1).transfer_to(now, b, consult, Extras::default()).unwrap();
            t.net.run(0);
            let new = t.accept(0);
            let second = t.net.call(2);
            t.answer(2, second);
            assert!(!t.lives(1, b) && !t.lives(1, consult), "{:?}", t.ladder(0));
            t.hangup(0, new);
            t.net.run(40_000);
            t.net.nodes.iter_mut().for_each(|n| n.said.clear());
        }
        t.finish();
    }
}

// Flow 11: hold, another call, resume: two calls of one phone, both active. Either party leaves,
// and the other call goes on.
#[test]
fn a_local_conference() {
    for first in [0, 2] {
        let mut t = Trio::with_sound();
        let (a, peer_a) = t.talk(1, 0);
        let now = t.now();
        t.net.engine(1).hold(now, a).unwrap();
        t.net.run(10);
        let heard = |t: &Trio, n: usize| t.net.nodes[n].media.last().unwrap().remote.clone();
        assert!(heard(&t, 0).contains("a=sendonly"));
        let (c, peer_c) = t.talk(1, 2);
        let now = t.now();
        t.net.engine(1).resume(now, a).unwrap();
        t.net.run(10);
        assert!(!heard(&t, 0).contains("a=sendonly") && !heard(&t, 2).contains("a=sendonly"));
        assert!(t.lives(1, a) && t.lives(1, c));
        let leaver = if first == 0 { peer_a } else { peer_c };
        t.hangup(first, leaver);
        assert_eq!((t.lives(1, a), t.lives(1, c)), (first != 0, first == 0));
        t.finish();
    }
}

// The conference's host leaves, and connects the two others (RFC 5589 7 with the two calls of a
// conference).
#[test]
fn the_host_of_a_local_conference_leaves() {
    let mut t = Trio::with_sound();
    let (a, _) = t.talk(1, 0);
    let (c, _) = t.talk(1, 2);
    let now = t.now();
    t.net.engine(1).transfer_to(now, a, c, Extras::default()).unwrap();
    t.net.run(0);
    let new = t.accept(0);
    t.net.run(10);
    assert!(!t.lives(1, a) && !t.lives(1, c) && t.lives(0, new));
    t.finish();
}
