//! The call flows of RFC 5589 section 7: transfer with consultation hold. `a` is the transferee, `b`
//! the transferor and `c` the target. Each test is named after its section, and its figure.
//!
//! Our transferor sends its REFER in the dialog of the call, so that it has no number of its own
//! here: see `rfc5589_flows.rs`. Its Referred-By (RFC 3892) stands in section 8 of the RFC.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/message.rs"]
mod message;
#[path = "support/net.rs"]
mod net;
#[path = "support/script.rs"]
mod script;
#[path = "support/stranger.rs"]
mod stranger;
#[path = "support/trio.rs"]
mod trio;

use sansip::{CallHandle, Extras, Ringing};
use script::check;
use stranger::{Stranger, replaces};
use trio::Trio;

/// `a` calls `b` and is put on hold.
const HELD: [&str; 7] = [
    "a>b 1 INVITE b sendrecv",
    "b>a 1 180 INVITE",
    "b>a 1 200 INVITE sendrecv",
    "a>b 1 ACK",
    "b>a 1 INVITE sendonly",
    "a>b 1 200 INVITE recvonly",
    "b>a 1 ACK",
];

/// `b` calls `c`.
const CONSULTED: [&str; 4] =
    ["b>c 2 INVITE c sendrecv", "c>b 2 180 INVITE", "c>b 2 200 INVITE sendrecv", "b>c 2 ACK"];

/// `b` puts `c` on hold.
const ASIDE: [&str; 3] = ["b>c 2 INVITE sendonly", "c>b 2 200 INVITE recvonly", "b>c 2 ACK"];

/// `a` calls `c` in place of `b`, on hold as that was, until `c`'s BYE.
const REPLACED: [&str; 10] = [
    "a>c 3 INVITE c Replaces=2 Referred-By=b sendrecv",
    "b>a 1 200 NOTIFY",
    "c>a 3 200 INVITE sendrecv",
    "c>b 2 BYE",
    "a>c 3 ACK",
    "a>b 1 NOTIFY refer terminated(noresource) 200",
    "b>c 2 200 BYE",
    "b>a 1 200 NOTIFY",
    "b>a 1 BYE",
    "a>b 1 200 BYE",
];

const TAKEN: [&str; 2] = ["a>b 1 202 REFER", "a>b 1 NOTIFY refer active 100"];

/// Who is left hangs up.
const OVER: [&str; 2] = ["c>a 3 BYE", "a>c 3 200 BYE"];

fn held(t: &mut Trio) -> (CallHandle, CallHandle) {
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    (a, b)
}

/// A consultation on hold: the handles of `b` and `c`.
fn consulted(t: &mut Trio) -> (CallHandle, CallHandle) {
    let (b, c) = t.talk(1, 2);
    t.hold(1, b);
    (b, c)
}

// Figure 5.
#[test]
fn section_7_1_exposing_transfer_target() {
    let mut t = Trio::with_sound();
    let (_, b) = held(&mut t);
    let (consult, _) = t.talk(1, 2);
    t.hangup(1, consult);
    t.refer(b);
    t.accept(0);
    let c = t.incoming(2);
    t.answer(2, c);
    t.hangup(2, c);
    let rest = [
        "b>c 2 BYE",
        "c>b 2 200 BYE",
        "b>a 1 REFER Refer-To=c Referred-By=b",
        "a>b 1 202 REFER",
        "a>b 1 NOTIFY refer active 100",
        "a>c 3 INVITE c Referred-By=b sendrecv",
        "b>a 1 200 NOTIFY",
        "c>a 3 200 INVITE sendrecv",
        "a>c 3 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &CONSULTED, &rest, &OVER].concat());
    t.finish();
}

// Figure 6: the target is asked to call the transferee.
#[test]
fn section_7_2_protecting_transfer_target() {
    let mut t = Trio::with_sound();
    let (a, b) = held(&mut t);
    let (consult, _) = consulted(&mut t);
    t.transfer_to(1, consult, b);
    let c = t.accept(2);
    t.net.run(1_000);
    assert!(!t.lives(0, a) && !t.lives(1, b) && !t.lives(1, consult) && t.lives(2, c));
    t.hangup(2, c);
    let rest = [
        "b>c 2 REFER Refer-To=a?Replaces=1 Referred-By=b",
        "c>b 2 202 REFER",
        "c>b 2 NOTIFY refer active 100",
        "c>a 3 INVITE a Replaces=1 Referred-By=b sendrecv",
        "b>c 2 200 NOTIFY",
        "a>c 3 200 INVITE sendrecv",
        "a>b 1 BYE",
        "c>a 3 ACK",
        "c>b 2 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 BYE",
        "b>c 2 200 NOTIFY",
        "b>c 2 BYE",
        "c>b 2 200 BYE",
        "c>a 3 BYE",
        "a>c 3 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &CONSULTED, &ASIDE, &rest].concat());
    t.finish();
}

// Figure 7.
#[test]
fn section_7_3_attended_transfer() {
    let mut t = Trio::with_sound();
    let (_, b) = held(&mut t);
    let (consult, peer) = consulted(&mut t);
    t.transfer_to(1, b, consult);
    let new = t.accept(0);
    t.net.run(1_000);
    assert!(!t.lives(1, b) && !t.lives(1, consult) && !t.lives(2, peer) && t.lives(0, new));
    let c = t.incoming(2);
    t.hangup(2, c);
    let refer = ["b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b"];
    check(&t.net, 0, &[&HELD[..], &CONSULTED, &ASIDE, &refer, &TAKEN, &REPLACED, &OVER].concat());
    t.finish();
}

// Figure 8. The transferee is an application that takes no REFER.
#[test]
fn section_7_4_recovery_when_one_party_does_not_support_refer() {
    let mut t = Trio::with_sound();
    let (_, b) = held(&mut t);
    let (consult, _) = consulted(&mut t);
    t.transfer_to(1, b, consult);
    let (now, request) = (t.now(), t.asked(0).0);
    t.net.engine(0).reject_transfer(now, request, 501).unwrap();
    t.net.run(0);
    assert_eq!(t.told(1, b), [(501, true)]);
    t.transfer_to(1, consult, b);
    t.accept(2);
    t.net.run(1_000);
    let a = t.incoming(0);
    t.hangup(0, a);
    let rest = [
        "b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b",
        "a>b 1 501 REFER",
        "b>c 2 REFER Refer-To=a?Replaces=1 Referred-By=b",
        "c>b 2 202 REFER",
        "c>b 2 NOTIFY refer active 100",
        "c>a 3 INVITE a Replaces=1 Referred-By=b sendrecv",
        "b>c 2 200 NOTIFY",
        "a>c 3 200 INVITE sendrecv",
        "a>b 1 BYE",
        "c>a 3 ACK",
        "c>b 2 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 BYE",
        "b>c 2 200 NOTIFY",
        "b>c 2 BYE",
        "c>b 2 200 BYE",
        "a>c 3 BYE",
        "c>a 3 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &CONSULTED, &ASIDE, &rest].concat());
    t.finish();
}

/// The consultation of figures 9 and 10, with a proxy before everybody: what is sent after it.
fn screened(t: &mut Trio) -> (CallHandle, CallHandle, usize) {
    let (_, b) = held(t);
    let (consult, _) = consulted(t);
    (b, consult, t.net.trace.len())
}

// Figure 9: the new call goes to the target's address of record, and to no phone but one that
// knows the dialog.
#[test]
fn section_7_5_attended_transfer_when_the_contact_may_not_be_reached() {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, c| c.transfer_to_aor = true);
    let (b, consult, from) = screened(&mut t);
    t.transfer_to(1, b, consult);
    t.accept(0);
    t.net.run(1_000);
    let c = t.incoming(2);
    t.hangup(2, c);
    check(
        &t.net,
        from,
        &[
            "b>p>a 1 REFER Refer-To=c@example.com?Replaces=2&Require=replaces Referred-By=b@example.com",
            "a>p>b 1 202 REFER",
            "a>p>b 1 NOTIFY refer active 100",
            "a>p>c 3 INVITE c@example.com Replaces=2 Referred-By=b@example.com Require=replaces sendrecv",
            "p>a 3 100 INVITE",
            "b>p>a 1 200 NOTIFY",
            "c>p>a 3 200 INVITE sendrecv",
            "c>p>b 2 BYE",
            "a>p>c 3 ACK",
            "a>p>b 1 NOTIFY refer terminated(noresource) 200",
            "b>p>c 2 200 BYE",
            "b>p>a 1 200 NOTIFY",
            "b>p>a 1 BYE",
            "a>p>b 1 200 BYE",
            "c>p>a 3 BYE",
            "a>p>c 3 200 BYE",
        ],
    );
    t.finish();
}

// Figure 10: the proxy lets nobody call the address of record, and the transferor tries the Contact.
#[test]
fn section_7_5_attended_transfer_when_the_address_of_record_fails() {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, c| c.transfer_to_aor = true);
    let (b, consult, from) = screened(&mut t);
    t.net.screened = vec!["sip:c@example.com"];
    t.transfer_to(1, b, consult);
    t.accept(0);
    t.net.run(0);
    assert_eq!(t.told(1, b).last(), Some(&(403, true)));
    let named = replaces(&t.net, "200 INVITE", "c").replace(';', "%3B").replace('=', "%3D");
    let target = format!("sip:c@10.0.0.3?Replaces={named}");
    let now = t.now();
    t.net.engine(1).transfer(now, b, &target, false, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    t.net.run(1_000);
    assert!(!t.lives(1, b) && !t.lives(1, consult));
    let c = t.incoming(2);
    t.hangup(2, c);
    check(
        &t.net,
        from,
        &[
            "b>p>a 1 REFER Refer-To=c@example.com?Replaces=2&Require=replaces Referred-By=b@example.com",
            "a>p>b 1 202 REFER",
            "a>p>b 1 NOTIFY refer active 100",
            "a>p 3 INVITE c@example.com Replaces=2 Referred-By=b@example.com Require=replaces sendrecv",
            "p>a 3 100 INVITE",
            "p>a 3 403 INVITE",
            "b>p>a 1 200 NOTIFY",
            "a>p 3 ACK",
            "a>p>b 1 NOTIFY refer terminated(noresource) 403",
            "b>p>a 1 200 NOTIFY",
            "b>p>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b@example.com",
            "a>p>b 1 202 REFER",
            "a>p>b 1 NOTIFY refer#2 active 100",
            "a>p>c 4 INVITE c Replaces=2 Referred-By=b@example.com sendrecv",
            "p>a 4 100 INVITE",
            "b>p>a 1 200 NOTIFY",
            "c>p>a 4 200 INVITE sendrecv",
            "c>p>b 2 BYE",
            "a>p>c 4 ACK",
            "a>p>b 1 NOTIFY refer#2 terminated(noresource) 200",
            "b>p>c 2 200 BYE",
            "b>p>a 1 200 NOTIFY",
            "b>p>a 1 BYE",
            "a>p>b 1 200 BYE",
            "c>p>a 4 BYE",
            "a>p>c 4 200 BYE",
        ],
    );
    t.finish();
}

// Figure 11: the transferor's phone waits for the answer by itself.
#[test]
fn section_7_6_semi_attended_transfer() {
    let mut t = Trio::with_sound();
    let (_, b) = held(&mut t);
    let (consult, peer) = t.ring(1, 2);
    t.transfer_to(1, b, consult);
    t.answer(2, peer);
    t.accept(0);
    t.net.run(1_000);
    let c = t.incoming(2);
    t.hangup(2, c);
    let refer = ["b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b"];
    check(&t.net, 0, &[&HELD[..], &CONSULTED, &refer, &TAKEN, &REPLACED, &OVER].concat());
    t.finish();
}

// Figure 12, which the RFC does not recommend: the ringing call is given up, and the REFER waits for
// its 487.
#[test]
fn section_7_6_semi_attended_transfer_as_a_blind_one() {
    let mut t = Trio::with_config(|_, c| c.transfer_ringing = Ringing::Blind);
    let (_, b) = held(&mut t);
    let (consult, _) = t.ring(1, 2);
    t.transfer_to(1, b, consult);
    t.accept(0);
    let c = t.incoming(2);
    t.answer(2, c);
    t.hangup(2, c);
    let rest = [
        "b>c 2 INVITE c sendrecv",
        "c>b 2 180 INVITE",
        "b>c 2 CANCEL",
        "c>b 2 200 CANCEL",
        "c>b 2 487 INVITE",
        "b>c 2 ACK",
        "b>a 1 REFER Refer-To=c Referred-By=b",
        "a>b 1 202 REFER",
        "a>b 1 NOTIFY refer active 100",
        "a>c 3 INVITE c Referred-By=b sendrecv",
        "b>a 1 200 NOTIFY",
        "c>a 3 200 INVITE sendrecv",
        "a>c 3 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &rest, &OVER].concat());
    t.finish();
}

// Figure 13, which the RFC does not recommend: the answer crosses the CANCEL. By RFC 3261 9.1 our
// phone acknowledges it, and it goes on as it was told to: without that call.
#[test]
fn section_7_6_semi_attended_transfer_whose_answer_crosses_the_cancel() {
    let mut t = Trio::with_config(|_, c| c.transfer_ringing = Ringing::Blind);
    let (_, b) = held(&mut t);
    let (consult, peer) = t.ring(1, 2);
    // The CANCEL is on the wire while the target answers.
    t.net.way = Some(Box::new(|s| vec![if s.label() == "CANCEL" { 5 } else { 0 }]));
    t.transfer_to(1, b, consult);
    t.answer(2, peer);
    t.accept(0);
    let c = t.incoming(2);
    t.answer(2, c);
    t.hangup(2, c);
    let rest = [
        "b>c 2 INVITE c sendrecv",
        "c>b 2 180 INVITE",
        "b>c 2 CANCEL",
        "c>b 2 200 INVITE sendrecv",
        "b>c 2 ACK",
        "b>c 2 BYE",
        "c>b 2 200 BYE",
        "b>a 1 REFER Refer-To=c Referred-By=b",
        "c>b 2 200 CANCEL",
        "a>b 1 202 REFER",
        "a>b 1 NOTIFY refer active 100",
        "a>c 3 INVITE c Referred-By=b sendrecv",
        "b>a 1 200 NOTIFY",
        "c>a 3 200 INVITE sendrecv",
        "a>c 3 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &rest, &OVER].concat());
    t.finish();
}

// Figure 14. The target is a stranger who does not support Replaces.
#[test]
fn section_7_7_attended_transfer_fallback_to_basic_transfer() {
    let mut t = Trio::with_sound();
    let (_, b) = held(&mut t);
    let mut target = Stranger::new(&mut t.net, "t", 1);
    t.dial(1, "sip:t@10.0.0.9", &[("Require", "replaces")]);
    target.answer(&mut t.net, "INVITE", "420 Bad Extension", "Unsupported: replaces\r\n");
    let now = t.now();
    t.net.engine(1).transfer(now, b, "sip:t@10.0.0.9", false, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    target = Stranger::new(&mut t.net, "t", 0);
    target.answer(&mut t.net, "INVITE", "200 OK", "");
    target.send(&mut t.net, "BYE", "", false);
    let rest = [
        "b>t 2 INVITE t Require=replaces sendrecv",
        "t>b 2 420 INVITE Unsupported=replaces",
        "b>t 2 ACK",
        "b>a 1 REFER Refer-To=t Referred-By=b",
        "a>b 1 202 REFER",
        "a>b 1 NOTIFY refer active 100",
        "a>t 3 INVITE t Referred-By=b sendrecv",
        "b>a 1 200 NOTIFY",
        "t>a 3 200 INVITE sendrecv",
        "a>t 3 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
        "t>a 3 BYE",
        "a>t 3 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &rest].concat());
    t.finish();
}

// Figure 15. Our OPTIONS goes to the peer's Contact, in no dialog (RFC 3261 11.1).
#[test]
fn section_7_7_fallback_when_options_says_so() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    let ask = |t: &mut Trio, target: &str| {
        let (now, line) = (t.now(), t.lines[1]);
        t.net.engine(1).options(now, Some(line), target, 0, Extras::default()).unwrap();
        t.net.run(0);
    };
    ask(&mut t, "sip:a@10.0.0.1");
    let able = t.sent("200 OPTIONS").pop().unwrap();
    assert!(trio::value(&able, "Allow").contains("REFER"), "{able}");
    assert!(trio::value(&able, "Supported").contains("replaces"), "{able}");
    t.hold(1, b);
    let mut target = Stranger::new(&mut t.net, "t", 1);
    let consult = t.dial(1, "sip:t@10.0.0.9", &[]);
    target.answer(&mut t.net, "INVITE", "200 OK", "");
    ask(&mut t, "sip:t@10.0.0.9");
    target.answer(&mut t.net, "OPTIONS", "200 OK", "Allow: INVITE, ACK, CANCEL, OPTIONS, BYE\r\n");
    t.hangup(1, consult);
    target.answer(&mut t.net, "BYE", "200 OK", "");
    let now = t.now();
    t.net.engine(1).transfer(now, b, "sip:t@10.0.0.9", false, Extras::default()).unwrap();
    t.net.run(0);
    t.accept(0);
    target = Stranger::new(&mut t.net, "t", 0);
    target.answer(&mut t.net, "INVITE", "200 OK", "");
    target.send(&mut t.net, "BYE", "", false);
    let rest = [
        "b>t 3 INVITE t sendrecv",
        "t>b 3 200 INVITE sendrecv",
        "b>t 3 ACK",
        "b>t 4 OPTIONS t",
        "t>b 4 200 OPTIONS",
        "b>t 3 BYE",
        "t>b 3 200 BYE",
        "b>a 1 REFER Refer-To=t Referred-By=b",
        "a>b 1 202 REFER",
        "a>b 1 NOTIFY refer active 100",
        "a>t 5 INVITE t Referred-By=b sendrecv",
        "b>a 1 200 NOTIFY",
        "t>a 5 200 INVITE sendrecv",
        "a>t 5 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 200",
        "b>a 1 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
        "t>a 5 BYE",
        "a>t 5 200 BYE",
    ];
    let asked = ["b>a 2 OPTIONS a", "a>b 2 200 OPTIONS"];
    check(&t.net, 0, &[&HELD[..4], &asked, &HELD[4..], &rest].concat());
    t.finish();
}
