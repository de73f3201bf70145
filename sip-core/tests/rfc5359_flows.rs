//! Call flows of RFC 5359 that concern two and three phones. Each test is named after its section.

#[path = "support/net.rs"]
mod net;
#[path = "support/trio.rs"]
mod trio;

use sansip::{CallHandle, Extras, Follow, Policy};
use trio::{Trio, value};

fn direction(text: &str) -> &str {
    let all = ["a=sendonly", "a=recvonly", "a=inactive"];
    all.into_iter().find(|d| text.contains(d)).unwrap_or("a=sendrecv")
}

fn version(text: &str) -> u64 {
    let origin = text.lines().find(|l| l.starts_with("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

fn hold(t: &mut Trio, n: usize, call: CallHandle) {
    let now = t.now();
    t.net.engine(n).hold(now, call).unwrap();
    t.net.run(10);
}

fn resume(t: &mut Trio, n: usize, call: CallHandle) {
    let now = t.now();
    t.net.engine(n).resume(now, call).unwrap();
    t.net.run(10);
}

#[test]
fn section_2_1_call_hold() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    let from = t.net.trace.len();
    hold(&mut t, 1, b);
    resume(&mut t, 1, b);
    t.hangup(0, a);
    assert_eq!(
        t.ladder(from),
        [
            "b>a INVITE",
            "a>b 200 INVITE",
            "b>a ACK",
            "b>a INVITE",
            "a>b 200 INVITE",
            "b>a ACK",
            "a>b BYE",
            "b>a 200 BYE",
        ]
    );
    let (offers, answers) = (t.sent("INVITE"), t.sent("200 INVITE"));
    assert_eq!([&offers[1], &offers[2]].map(|o| direction(o)), ["a=sendonly", "a=sendrecv"]);
    assert_eq!([&answers[1], &answers[2]].map(|o| direction(o)), ["a=recvonly", "a=sendrecv"]);
    // RFC 3264 8: each new description has the next version.
    assert_eq!(version(&offers[2]), version(&offers[1]) + 1);
    for text in [&offers[1], &offers[2], &answers[1], &answers[2]] {
        assert_eq!(value(text, "Call-ID"), value(&offers[0], "Call-ID"));
        assert!(value(text, "To").contains(";tag="), "in the dialog");
        assert!(!value(text, "Contact").is_empty(), "RFC 3261 14.1: it refreshes the target");
    }
    t.finish();
}

#[test]
fn section_2_2_consultation_hold() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    hold(&mut t, 1, b);
    let from = t.net.trace.len();
    let (consult, _) = t.talk(1, 2);
    t.hangup(1, consult);
    resume(&mut t, 1, b);
    assert_eq!(
        t.ladder(from),
        [
            "b>c INVITE",
            "c>b 180 INVITE",
            "c>b 200 INVITE",
            "b>c ACK",
            "b>c BYE",
            "c>b 200 BYE",
            "b>a INVITE",
            "a>b 200 INVITE",
            "b>a ACK",
        ]
    );
    let offers = t.sent("INVITE");
    assert_ne!(value(&offers[2], "Call-ID"), value(&offers[0], "Call-ID"));
    assert_eq!(value(&offers[3], "Call-ID"), value(&offers[0], "Call-ID"));
    assert_eq!(direction(&offers[3]), "a=sendrecv");
    assert!(t.lives(0, a));
    t.hangup(0, a);
    t.finish();
}

// The RFC lets a media server mix; here the phone in the middle does.
#[test]
fn section_2_10_three_way_conference_third_party_is_added() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    hold(&mut t, 1, b);
    let (third, c) = t.talk(1, 2);
    let from = t.net.trace.len();
    resume(&mut t, 1, b);
    assert_eq!(t.ladder(from), ["b>a INVITE", "a>b 200 INVITE", "b>a ACK"]);
    let resumed = t.sent("INVITE").pop().unwrap();
    assert_eq!(direction(&resumed), "a=sendrecv");
    assert!(t.lives(0, a) && t.lives(1, b) && t.lives(1, third) && t.lives(2, c));
    // Whoever leaves takes only its own leg along.
    t.hangup(2, c);
    assert!(t.lives(0, a) && t.lives(1, b) && !t.lives(1, third));
    t.hangup(0, a);
    t.finish();
}

// The RFC's proxy tries the next target; here the phone sends the caller there itself.
#[test]
fn section_2_7_call_forwarding_unconditional() {
    let mut t = Trio::with_sound();
    let now = t.now();
    let follow = Policy { follow: Follow::Follow, ..Policy::default() };
    t.net.engine(0).set_policy(now, t.lines[0], follow).unwrap();
    let (line, extras) = (t.lines[0], t.gives[0]);
    let call = t.net.engine(0).invite(now, line, "sip:b@10.0.0.2", 0, extras).unwrap();
    t.net.run(0);
    let b = t.net.call(1);
    let none = Extras::default();
    t.net.engine(1).redirect(now, b, 302, "sip:c@10.0.0.3", none).unwrap();
    t.net.run(0);
    let c = t.net.call(2);
    t.alert(2, c);
    t.answer(2, c);
    assert_eq!(
        t.ladder(0),
        [
            "a>b INVITE",
            "b>a 302 INVITE",
            "a>b ACK",
            "a>c INVITE",
            "c>a 180 INVITE",
            "c>a 200 INVITE",
            "a>c ACK",
        ]
    );
    let invites = t.sent("INVITE");
    // RFC 3261 8.1.3.4: the same To, From and Call-ID, the next CSeq number.
    for name in ["To", "From", "Call-ID"] {
        assert_eq!(value(&invites[0], name), value(&invites[1], name));
    }
    assert_eq!([&invites[0], &invites[1]].map(|i| value(i, "CSeq")), ["1 INVITE", "2 INVITE"]);
    assert!(invites[1].starts_with("INVITE sip:c@10.0.0.3 SIP/2.0"));
    t.hangup(0, call);
    t.finish();
}
