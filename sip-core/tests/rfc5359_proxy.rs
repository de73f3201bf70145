//! The call flows of RFC 5359 for which a proxy works: forwarding, finding, screening. Each test is
//! named after its section.
//!
//! The RFC's proxy answers 181 before it tries the next place, which only a user agent may, as the RFC
//! says itself. Ours tells with a 199 that the place that rang is given up (RFC 6228 6), and it tries
//! the next one without waiting for the 487. How a phone forwards, by a 302 (RFC 5359 2.7), stands under
//! the same numbers.

#[path = "support/fields.rs"]
mod fields;
#[path = "support/message.rs"]
mod message;
#[path = "support/net.rs"]
mod net;
#[path = "support/script.rs"]
mod script;
#[path = "support/trio.rs"]
mod trio;

use sansip::{Algorithm, CallHandle, Challenge, Challenged, Config, Extras, Follow, Policy};
use script::check;
use trio::{Trio, value};

/// Where Bob is, the first place first.
fn places(t: &mut Trio, places: &[(&str, u16)]) {
    let at = places.iter().map(|(uri, q)| ((*uri).to_string(), *q)).collect();
    t.net.places.push(("sip:bob@example.com", at));
}

const BOB: &str = "sip:bob@example.com";

fn refuse(t: &mut Trio, n: usize, status: u16) {
    let call = t.incoming(n);
    t.reject(n, call, status);
}

fn answer(t: &mut Trio, n: usize) -> CallHandle {
    let call = t.incoming(n);
    t.answer(n, call);
    call
}

// Bob's only place is `g`, a gateway.
#[test]
fn section_2_7_call_forwarding_unconditional() {
    let mut t = Trio::behind_proxy(&["a", "g"], |_, _| ());
    places(&mut t, &[("sip:g@10.0.0.2", 1_000)]);
    let call = t.dial(0, BOB, &[]);
    let g = t.incoming(1);
    t.alert(1, g);
    t.answer(1, g);
    t.hangup(0, call);
    check(
        &t.net,
        0,
        &[
            "a>p>g 1 INVITE bob@example.com sendrecv",
            "p>a 1 100 INVITE",
            "g>p>a 1 180 INVITE",
            "g>p>a 1 200 INVITE sendrecv",
            "a>p>g 1 ACK",
            "a>p>g 1 BYE",
            "g>p>a 1 200 BYE",
        ],
    );
    // RFC 3261 16.6 step 2: the place stands in the Request-URI, Bob in To.
    let invites = t.sent("INVITE");
    assert!(invites[1].starts_with("INVITE sip:g@10.0.0.2 SIP/2.0\r\n"), "{}", invites[1]);
    assert_eq!(value(&invites[1], "To"), "<sip:bob@example.com>");
    finish(&mut t);
}

/// What `b` is told to do with calls; who calls follows.
fn policies(t: &mut Trio, policy: Policy<'_>) {
    let now = t.now();
    let follow = Policy { follow: Follow::Follow, ..Policy::default() };
    t.net.engine(0).set_policy(now, t.lines[0], follow).unwrap();
    t.net.engine(1).set_policy(now, t.lines[1], policy).unwrap();
}

/// All ends; with the lines go their policies and what they know of realms.
fn finish(t: &mut Trio) {
    for n in 0..t.net.nodes.len() {
        let now = t.now();
        t.net.engine(n).shutdown(now).unwrap();
    }
    t.net.finish();
    for (n, line) in t.lines.clone().into_iter().enumerate() {
        let now = t.now();
        t.net.engine(n).remove_line(now, line).unwrap();
    }
    for node in &t.net.nodes {
        let s = node.engine.stats();
        assert_eq!(s.blocks, s.lines, "{} holds {s:?}", node.name);
    }
}

/// RFC 3261 8.1.3.4: the same To, From and Call-ID, the next CSeq number.
fn same_call(t: &Trio) {
    let invites = t.sent("INVITE");
    let (first, last) = (&invites[0], invites.last().unwrap());
    for name in ["To", "From", "Call-ID", "Contact"] {
        assert_eq!(value(first, name), value(last, name));
    }
    assert_eq!([first, last].map(|i| value(i, "CSeq")), ["1 INVITE", "2 INVITE"]);
}

// Where the RFC's proxy tries the next target, a phone sends the caller there itself.
#[test]
fn section_2_7_call_forwarding_unconditional_by_a_302() {
    let mut t = Trio::with_sound();
    policies(&mut t, Policy { always: "sip:c@10.0.0.3", ..Policy::default() });
    let call = t.dial(0, "sip:b@10.0.0.2", &[]);
    answer(&mut t, 2);
    t.hangup(0, call);
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 302 INVITE Contact=c",
            "a>b 1 ACK",
            "a>c 1 INVITE c sendrecv",
            "c>a 1 200 INVITE sendrecv",
            "a>c 1 ACK",
            "a>c 1 BYE",
            "c>a 1 200 BYE",
        ],
    );
    same_call(&t);
    finish(&mut t);
}

#[test]
fn section_2_8_call_forwarding_busy() {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, _| ());
    places(&mut t, &[("sip:b@10.0.0.2", 1_000), ("sip:c@10.0.0.3", 500)]);
    let call = t.dial(0, BOB, &[]);
    refuse(&mut t, 1, 486);
    let c = t.incoming(2);
    t.alert(2, c);
    t.answer(2, c);
    t.hangup(0, call);
    check(
        &t.net,
        0,
        &[
            "a>p>b 1 INVITE bob@example.com sendrecv",
            "p>a 1 100 INVITE",
            "b>p 1 486 INVITE",
            "p>b 1 ACK",
            "p>c 1 INVITE c sendrecv",
            "c>p>a 1 180 INVITE",
            "c>p>a 1 200 INVITE sendrecv",
            "a>p>c 1 ACK",
            "a>p>c 1 BYE",
            "c>p>a 1 200 BYE",
        ],
    );
    finish(&mut t);
}

#[test]
fn section_2_8_call_forwarding_busy_by_a_302() {
    let mut t = Trio::with_sound();
    let rules = Policy { busy: "sip:c@10.0.0.3", no_waiting: true, ..Policy::default() };
    policies(&mut t, rules);
    let (_, busy) = t.talk(2, 1);
    let call = t.dial(0, "sip:b@10.0.0.2", &[]);
    answer(&mut t, 2);
    check(
        &t.net,
        4,
        &[
            "a>b 2 INVITE b sendrecv",
            "b>a 2 302 INVITE Contact=c",
            "a>b 2 ACK",
            "a>c 2 INVITE c sendrecv",
            "c>a 2 200 INVITE sendrecv",
            "a>c 2 ACK",
        ],
    );
    assert!(t.lives(0, call) && t.lives(1, busy));
    finish(&mut t);
}

// The proxy lets a place ring for 20 seconds (`Forking::ring`).
#[test]
fn section_2_9_call_forwarding_no_answer() {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, _| ());
    places(&mut t, &[("sip:b@10.0.0.2", 1_000), ("sip:c@10.0.0.3", 500)]);
    let call = t.dial(0, BOB, &[]);
    let b = t.incoming(1);
    t.alert(1, b);
    t.net.run(20_000);
    let c = t.incoming(2);
    t.alert(2, c);
    t.answer(2, c);
    t.hangup(0, call);
    let rung =
        ["a>p>b 1 INVITE bob@example.com sendrecv", "p>a 1 100 INVITE", "b>p>a 1 180 INVITE"];
    let there = [
        "p>b 1 CANCEL",
        "p>c 1 INVITE c sendrecv",
        "b>p 1 200 CANCEL",
        "b>p 1 487 INVITE",
        "p>b 1 ACK",
        "p>a 1 199 INVITE",
        "c>p>a 1 180 INVITE",
        "c>p>a 1 200 INVITE sendrecv",
        "a>p>c 1 ACK",
        "a>p>c 1 BYE",
        "c>p>a 1 200 BYE",
    ];
    check(&t.net, 0, &[&rung[..], &there].concat());
    finish(&mut t);
}

#[test]
fn section_2_9_call_forwarding_no_answer_by_a_302() {
    let mut t = Trio::with_sound();
    let rules = Policy { no_answer: "sip:c@10.0.0.3", no_answer_after: 20, ..Policy::default() };
    policies(&mut t, rules);
    let call = t.dial(0, "sip:b@10.0.0.2", &[]);
    let b = t.incoming(1);
    t.alert(1, b);
    t.net.run(20_000);
    answer(&mut t, 2);
    t.hangup(0, call);
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 180 INVITE",
            "b>a 1 302 INVITE Contact=c",
            "a>b 1 ACK",
            "a>c 1 INVITE c sendrecv",
            "c>a 1 200 INVITE sendrecv",
            "a>c 1 ACK",
            "a>c 1 BYE",
            "c>a 1 200 BYE",
        ],
    );
    same_call(&t);
    finish(&mut t);
}

#[test]
fn section_2_12_find_me() {
    let mut t = Trio::behind_proxy(&["a", "b", "c", "d", "e"], |_, _| ());
    let at = [
        ("sip:b@10.0.0.2", 1_000),
        ("sip:c@10.0.0.3", 750),
        ("sip:d@10.0.0.4", 500),
        ("sip:e@10.0.0.5", 250),
    ];
    places(&mut t, &at);
    t.dial(0, BOB, &[]);
    let b = t.incoming(1);
    t.alert(1, b);
    t.net.run(20_000);
    refuse(&mut t, 2, 480);
    refuse(&mut t, 3, 486);
    let e = t.incoming(4);
    t.alert(4, e);
    t.answer(4, e);
    t.hangup(4, e);
    let rung =
        ["a>p>b 1 INVITE bob@example.com sendrecv", "p>a 1 100 INVITE", "b>p>a 1 180 INVITE"];
    let searched = [
        "p>b 1 CANCEL",
        "p>c 1 INVITE c sendrecv",
        "b>p 1 200 CANCEL",
        "b>p 1 487 INVITE",
        "p>b 1 ACK",
        "p>a 1 199 INVITE",
        "c>p 1 480 INVITE",
        "p>c 1 ACK",
        "p>d 1 INVITE d sendrecv",
        "d>p 1 486 INVITE",
        "p>d 1 ACK",
        "p>e 1 INVITE e sendrecv",
        "e>p>a 1 180 INVITE",
        "e>p>a 1 200 INVITE sendrecv",
        "a>p>e 1 ACK",
        "e>p>a 1 BYE",
        "a>p>e 1 200 BYE",
    ];
    check(&t.net, 0, &[&rung[..], &searched].concat());
    finish(&mut t);
}

/// The proxy challenges who calls.
fn proving(n: usize, phones: usize, c: &mut Config) {
    if n == phones {
        let (realm, algorithms) = ("example.com".into(), vec![Algorithm::Md5]);
        c.challenge =
            Challenge { methods: Challenged::Calls, realm, algorithms, ..c.challenge.clone() };
    }
}

// F1 to F9. The Error-Info of the 403, and the announcement that it leads to, are those of a media
// server. Bob is `b`, who takes calls by the proxy only; Alice calls his phone by its address.
#[test]
fn section_2_13_call_management_incoming_call_screening() {
    let mut t = Trio::behind_proxy(&["a", "b"], |n, c| proving(n, 2, c));
    t.net.passwords = vec![("a", "secret")];
    t.net.screened = vec!["sip:b@"];
    policies(&mut t, Policy::default());
    let line = sansip::LineConfig { aor: "sip:a@example.com", ..Default::default() };
    let now = t.now();
    let line = t.net.engine(0).add_line(now, line).unwrap();
    let follow = Policy { follow: Follow::Follow, ..Policy::default() };
    t.net.engine(0).set_policy(now, line, follow).unwrap();
    t.lines[0] = line;
    t.dial(0, "sip:b@10.0.0.2", &[]);
    let (call, extras) = (t.incoming(1), Extras::default());
    t.net.engine(1).redirect(now, call, 305, "sip:10.0.0.3;lr", extras).unwrap();
    t.net.run(10);
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 305 INVITE Contact=p;lr",
            "a>b 1 ACK",
            "a>p 1 INVITE b sendrecv",
            "p>a 1 407 INVITE",
            "a>p 1 ACK",
            "a>p 1 INVITE b sendrecv",
            "p>a 1 100 INVITE",
            "p>a 1 403 INVITE",
            "a>p 1 ACK",
        ],
    );
    let invites = t.sent("INVITE");
    // RFC 3261 21.3.4: the proxy of the 305 stands in Route, whom one calls stays.
    assert_eq!([1, 2].map(|n: usize| value(&invites[n], "Route")), ["<sip:10.0.0.3;lr>"; 2]);
    assert!(value(&invites[2], "Proxy-Authorization").starts_with("Digest username=\"a\""));
    finish(&mut t);
}

#[test]
fn section_2_14_call_management_outgoing_call_screening() {
    let mut t = Trio::behind_proxy(&["a", "b"], |n, c| proving(n, 2, c));
    t.net.passwords = vec![("a", "secret")];
    t.net.screened = vec!["sip:b@"];
    t.dial(0, "sip:b@example.com", &[]);
    check(
        &t.net,
        0,
        &[
            "a>p 1 INVITE b@example.com sendrecv",
            "p>a 1 407 INVITE",
            "a>p 1 ACK",
            "a>p 1 INVITE b@example.com sendrecv",
            "p>a 1 100 INVITE",
            "p>a 1 403 INVITE",
            "a>p 1 ACK",
        ],
    );
    let invites = t.sent("INVITE");
    assert_eq!([0, 1].map(|n: usize| value(&invites[n], "CSeq")), ["1 INVITE", "2 INVITE"]);
    assert!(value(&invites[1], "Proxy-Authorization").contains("realm=\"example.com\""));
    finish(&mut t);
}
