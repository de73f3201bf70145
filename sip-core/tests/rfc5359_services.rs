//! The call flows of RFC 5359 2.15 to 2.18: park, pickup, redial, click to dial. Each test is named
//! after its section.
//!
//! In 2.15 to 2.17 somebody learns of another's call by a subscription to the dialog package (RFC
//! 4235), which comes later; here the dialog is known, as the RFC says it may be. All that follows is
//! what the phones do.

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

use sansip::{CallChange, EndReason};
use script::check;
use stranger::replaces;
use trio::{Trio, value};

// `s` is the park server: a phone as well, but for the music.
#[test]
fn section_2_15_call_park() {
    let mut t = Trio::of(&["a", "b", "s", "c"]);
    let (a, b) = t.talk(0, 1);
    let first = replaces(&t.net, "200 INVITE", "a").replace(';', "%3B").replace('=', "%3D");
    let to = format!("sip:a@10.0.0.1?Replaces={first}&Require=replaces");
    t.ask(1, ("sip:s@10.0.0.3", &to), &[]);
    let parked = t.accept(2);
    t.net.run(10);
    assert_eq!(t.replies(1), [(202, false), (100, false), (200, true)]);
    assert!(!t.lives(0, a) && !t.lives(1, b) && t.lives(2, parked));
    // Carol picks the call up.
    let second = replaces(&t.net, "200 INVITE", "a");
    let call = t.dial(3, "sip:a@10.0.0.1", &[("Require", "replaces"), ("Replaces", &second)]);
    t.net.run(10);
    assert!(!t.lives(2, parked) && t.lives(3, call));
    check(
        &t.net,
        4,
        &[
            "b>s 2 REFER s Refer-To=a?Replaces=1&Require=replaces Referred-By=b",
            "s>b 2 202 REFER",
            "s>b 2 NOTIFY refer active 100",
            "s>a 3 INVITE a Replaces=1 Referred-By=b Require=replaces sendrecv",
            "b>s 2 200 NOTIFY",
            "a>s 3 200 INVITE sendrecv",
            "a>b 1 BYE",
            "s>a 3 ACK",
            "s>b 2 NOTIFY refer terminated(noresource) 200",
            "b>a 1 200 BYE",
            "b>s 2 200 NOTIFY",
            "c>a 4 INVITE a Replaces=3 Require=replaces sendrecv",
            "a>c 4 200 INVITE sendrecv",
            "a>s 3 BYE",
            "c>a 4 ACK",
            "s>a 3 200 BYE",
        ],
    );
    t.finish();
}

// Bob's phone parks a call by what it has: it calls the server, and asks it to take its place (RFC
// 5589 7.2).
#[test]
fn section_2_15_call_park_by_a_phone() {
    let mut t = Trio::of(&["a", "b", "s", "c"]);
    let (a, b) = t.talk(0, 1);
    let (there, _) = t.talk(1, 2);
    let from = t.net.trace.len();
    t.transfer_to(1, there, b);
    let parked = t.accept(2);
    t.net.run(10);
    assert!(!t.lives(0, a) && !t.lives(1, b) && !t.lives(1, there));
    let named = replaces(&t.net, "200 INVITE", "a");
    let call = t.dial(3, "sip:a@10.0.0.1", &[("Replaces", &named)]);
    t.net.run(10);
    assert!(!t.lives(2, parked) && t.lives(3, call));
    check(
        &t.net,
        from,
        &[
            "b>s 2 REFER Refer-To=a?Replaces=1 Referred-By=b",
            "s>b 2 202 REFER",
            "s>b 2 NOTIFY refer active 100",
            "s>a 3 INVITE a Replaces=1 Referred-By=b sendrecv",
            "b>s 2 200 NOTIFY",
            "a>s 3 200 INVITE sendrecv",
            "a>b 1 BYE",
            "s>a 3 ACK",
            "s>b 2 NOTIFY refer terminated(noresource) 200",
            "b>a 1 200 BYE",
            "b>s 2 200 NOTIFY",
            "b>s 2 BYE",
            "s>b 2 200 BYE",
            "c>a 4 INVITE a Replaces=3 sendrecv",
            "a>c 4 200 INVITE sendrecv",
            "a>s 3 BYE",
            "c>a 4 ACK",
            "s>a 3 200 BYE",
        ],
    );
    t.finish();
}

// Bill is `c`.
#[test]
fn section_2_16_call_pickup() {
    let mut t = Trio::with_sound();
    let (a, b) = t.ring(0, 1);
    let early = replaces(&t.net, "180 INVITE", "a");
    let named = format!("{early};early-only");
    let headers = [("Require", "replaces"), ("Replaces", named.as_str())];
    let call = t.dial(2, "sip:a@10.0.0.1", &headers);
    t.net.run(10);
    let cancelled = CallChange::Ended { why: EndReason::Cancelled, status: 487 };
    assert_eq!(t.changes(1, b).last(), Some(&cancelled));
    let replaced = CallChange::Ended { why: EndReason::Replaced, status: 487 };
    assert_eq!(t.changes(0, a).last(), Some(&replaced));
    let new = t.incoming(0);
    t.hangup(0, new);
    assert!(!t.lives(2, call));
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 180 INVITE",
            "c>a 2 INVITE a Replaces=1;early-only Require=replaces sendrecv",
            "a>c 2 200 INVITE sendrecv",
            "a>b 1 CANCEL",
            "c>a 2 ACK",
            "b>a 1 200 CANCEL",
            "b>a 1 487 INVITE",
            "a>b 1 ACK",
            "a>c 2 BYE",
            "c>a 2 200 BYE",
        ],
    );
    t.finish();
}

// The same, but Bob has answered meanwhile (RFC 3891 3): he keeps the call.
#[test]
fn section_2_16_call_pickup_that_is_too_late() {
    let mut t = Trio::with_sound();
    let (a, b) = t.ring(0, 1);
    let named = format!("{};early-only", replaces(&t.net, "180 INVITE", "a"));
    t.answer(1, b);
    t.dial(2, "sip:a@10.0.0.1", &[("Require", "replaces"), ("Replaces", &named)]);
    t.net.run(10);
    assert!(t.lives(0, a) && t.lives(1, b));
    check(
        &t.net,
        4,
        &[
            "c>a 2 INVITE a Replaces=1;early-only Require=replaces sendrecv",
            "a>c 2 486 INVITE",
            "c>a 2 ACK",
        ],
    );
    t.finish();
}

#[test]
fn section_2_17_automatic_redial() {
    let mut t = Trio::with_sound();
    t.dial(0, "sip:b@10.0.0.2", &[]);
    let b = t.incoming(1);
    t.reject(1, b, 486);
    // Later `a` is told that `b` is there again.
    t.net.run(60_000);
    let (call, b) = t.ring(0, 1);
    t.answer(1, b);
    assert!(t.lives(0, call));
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 486 INVITE",
            "a>b 1 ACK",
            "a>b 2 INVITE b sendrecv",
            "b>a 2 180 INVITE",
            "b>a 2 200 INVITE sendrecv",
            "a>b 2 ACK",
        ],
    );
    t.finish();
}

// `x` is Bob's PC and `b` his phone. Without a subscription (RFC 4488) nothing is told of the call.
#[test]
fn section_2_18_click_to_dial() {
    let mut t = Trio::of(&["x", "b", "c"]);
    t.ask(0, ("sip:b@10.0.0.2", "sip:c@10.0.0.3"), &[("Refer-Sub", "false")]);
    let call = t.accept(1);
    assert_eq!(t.replies(0), [(202, true)]);
    let c = t.incoming(2);
    t.alert(2, c);
    t.answer(2, c);
    assert!(t.lives(1, call));
    check(
        &t.net,
        0,
        &[
            "x>b 1 REFER b Refer-To=c Referred-By=x Refer-Sub=false",
            "b>x 1 202 REFER Refer-Sub=false",
            "b>c 2 INVITE c Referred-By=x sendrecv",
            "c>b 2 180 INVITE",
            "c>b 2 200 INVITE sendrecv",
            "b>c 2 ACK",
        ],
    );
    let ok = t.sent("202 REFER").remove(0);
    assert!(!value(&ok, "Contact").is_empty() && value(&ok, "To").contains(";tag="), "{ok}");
    t.finish();
}
