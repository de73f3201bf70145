//! The call flows of RFC 5589 section 6: basic transfer. `a` is the transferee, `b` the transferor
//! and `c` the target. Each test is named after its section; sections 7 and 8 to 11 have their own
//! files.
//!
//! The verbs of transfer send the REFER in the dialog of the call, as section 6.2 does; that of section
//! 6.1 is a REFER outside of it. Ours are `sip:` URIs over UDP where the RFC has `sips:` and TLS.

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

use script::check;
use trio::Trio;

/// A call, and the hold of its caller by `b`.
const TALK: [&str; 7] = [
    "a>b 1 INVITE b sendrecv",
    "b>a 1 180 INVITE",
    "b>a 1 200 INVITE sendrecv",
    "a>b 1 ACK",
    "b>a 1 INVITE sendonly",
    "a>b 1 200 INVITE recvonly",
    "b>a 1 ACK",
];

// Figure 1. F3 is sent outside the dialog of the call, which Target-Dialog names (RFC 4538); who sends
// it hangs up by itself.
#[test]
fn section_6_1_successful_transfer() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    let named = stranger::replaces(&t.net, "200 INVITE", "a");
    let named = named.replace("to-tag", "local-tag").replace("from-tag", "remote-tag");
    let headers = [("Require", "tdialog"), ("Target-Dialog", named.as_str())];
    t.ask(1, ("sip:a@10.0.0.1", "sip:c@10.0.0.3"), &headers);
    // It is in the call that Target-Dialog names.
    assert_eq!(t.asked(0).1, Some(a));
    let new = t.accept(0);
    let c = t.incoming(2);
    t.answer(2, c);
    assert_eq!(t.replies(1), [(202, false), (100, false), (200, true)]);
    t.hangup(1, b);
    t.hangup(2, c);
    let rest = [
        "b>a 2 REFER a Refer-To=c Target-Dialog=1 Referred-By=b Require=tdialog",
        "a>b 2 202 REFER",
        "a>b 2 NOTIFY refer active 100",
        "a>c 3 INVITE c Referred-By=b sendrecv",
        "b>a 2 200 NOTIFY",
        "c>a 3 200 INVITE sendrecv",
        "a>c 3 ACK",
        "a>b 2 NOTIFY refer terminated(noresource) 200",
        "b>a 2 200 NOTIFY",
        "b>a 1 BYE",
        "a>b 1 200 BYE",
        "c>a 3 BYE",
        "a>c 3 200 BYE",
    ];
    check(&t.net, 0, &[&TALK[..], &rest].concat());
    assert!(!t.lives(0, a) && !t.lives(0, new));
    t.finish();
}

// Figure 2. The NOTIFY of the target's 180 is ours (RFC 3515 2.4.5).
#[test]
fn section_6_2_transfer_with_dialog_reuse() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.answer(2, c);
    assert!(t.lives(0, new) && t.lives(2, c) && !t.lives(1, b));
    t.hangup(2, c);
    check(&t.net, 0, &[&TALK[..], &REFERRED, &ANSWERED, &TRANSFERRED].concat());
    t.finish();
}

const REFERRED: [&str; 5] = [
    "b>a 1 REFER Refer-To=c Referred-By=b",
    "a>b 1 202 REFER",
    "a>b 1 NOTIFY refer active 100",
    "a>c 2 INVITE c Referred-By=b sendrecv",
    "b>a 1 200 NOTIFY",
];

const RUNG: [&str; 3] = ["c>a 2 180 INVITE", "a>b 1 NOTIFY refer active 180", "b>a 1 200 NOTIFY"];

const ANSWERED: [&str; 5] = [RUNG[0], RUNG[1], RUNG[2], "c>a 2 200 INVITE sendrecv", "a>c 2 ACK"];

const TRANSFERRED: [&str; 6] = [
    "a>b 1 NOTIFY refer terminated(noresource) 200",
    "b>a 1 200 NOTIFY",
    "b>a 1 BYE",
    "a>b 1 200 BYE",
    "c>a 2 BYE",
    "a>c 2 200 BYE",
];

/// The transferor takes the transferee back, and ends the call.
const TAKEN_BACK: [&str; 5] = [
    "b>a 1 INVITE sendrecv",
    "a>b 1 200 INVITE sendrecv",
    "b>a 1 ACK",
    "b>a 1 BYE",
    "a>b 1 200 BYE",
];

// Figure 3. Of the two statuses that it leaves open, ours tells the target's own.
#[test]
fn section_6_3_1_target_busy() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    t.refer(b);
    t.accept(0);
    let c = t.net.call(2);
    t.reject(2, c, 486);
    assert_eq!(t.told(1, b).last(), Some(&(486, true)));
    t.resume(1, b);
    t.hangup(1, b);
    let refused = [
        "c>a 2 486 INVITE",
        "a>c 2 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 486",
        "b>a 1 200 NOTIFY",
    ];
    check(&t.net, 0, &[&TALK[..], &REFERRED, &refused, &TAKEN_BACK].concat());
    t.finish();
}

// Figure 4.
#[test]
fn section_6_3_2_transfer_target_does_not_answer() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    t.refer(b);
    let new = t.accept(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.net.run(30_000);
    t.hangup(0, new);
    assert_eq!(t.told(1, b).last(), Some(&(487, true)));
    t.resume(1, b);
    t.hangup(1, b);
    let given_up = [
        "a>c 2 CANCEL",
        "c>a 2 200 CANCEL",
        "c>a 2 487 INVITE",
        "a>c 2 ACK",
        "a>b 1 NOTIFY refer terminated(noresource) 487",
        "b>a 1 200 NOTIFY",
    ];
    check(&t.net, 0, &[&TALK[..], &REFERRED, &RUNG, &given_up, &TAKEN_BACK].concat());
    t.finish();
}
