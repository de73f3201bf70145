//! Call flows of RFC 5359 that concern two and three phones. Each test is named after its section.

#[path = "support/net.rs"]
mod net;
#[path = "support/trio.rs"]
mod trio;

use sansip::CallHandle;
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
