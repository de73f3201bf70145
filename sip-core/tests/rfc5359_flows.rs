//! The call flows of RFC 5359 that need two or three phones: hold, transfer, conference. Each test is
//! named after its section. Forwarding and screening, for which a proxy works, are in
//! `rfc5359_proxy.rs`; park, pickup, redial and click to dial in `rfc5359_services.rs`.
//!
//! The RFC's hold says by a feature tag of the Contact that nothing is rendered (`+sip.rendering`, RFC
//! 4235 5.2); that is for subscribers to the dialog package, which comes later. Ours says it by the
//! description alone (RFC 3264 8.4).

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

use sansip::{CallHandle, Event, Extras, Leaves, Path};
use script::check;
use stranger::replaces;
use trio::Trio;

fn version(text: &str) -> u64 {
    let origin = text.lines().find(|l| l.starts_with("o=")).unwrap();
    origin.split(' ').nth(2).unwrap().parse().unwrap()
}

/// `a` calls `b`, both behind the proxy, and `b` puts it on hold.
const HELD: [&str; 8] = [
    "a>p>b 1 INVITE b@example.com sendrecv",
    "p>a 1 100 INVITE",
    "b>p>a 1 180 INVITE",
    "b>p>a 1 200 INVITE sendrecv",
    "a>p>b 1 ACK",
    "b>p>a 1 INVITE sendonly",
    "p>b 1 100 INVITE",
    "a>p>b 1 200 INVITE recvonly",
];

/// `b` takes `a` back, and `a` hangs up.
const RESUMED: [&str; 6] = [
    "b>p>a 1 INVITE sendrecv",
    "p>b 1 100 INVITE",
    "a>p>b 1 200 INVITE sendrecv",
    "b>p>a 1 ACK",
    "a>p>b 1 BYE",
    "b>p>a 1 200 BYE",
];

#[test]
fn section_2_1_call_hold() {
    let mut t = Trio::behind_proxy(&["a", "b"], |_, _| ());
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    t.resume(1, b);
    t.hangup(0, a);
    check(&t.net, 0, &[&HELD[..], &["b>p>a 1 ACK"], &RESUMED].concat());
    // RFC 3264 8: each new description has the next version.
    let versions: Vec<u64> = t.sent("INVITE").iter().map(|o| version(o)).collect();
    assert_eq!(versions[2..], [versions[2], versions[2], versions[2] + 1, versions[2] + 1]);
    t.finish();
}

#[test]
fn section_2_2_consultation_hold() {
    let mut t = Trio::behind_proxy(&["a", "b", "c"], |_, _| ());
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    let (consult, _) = t.talk(1, 2);
    t.hangup(1, consult);
    t.resume(1, b);
    t.hangup(0, a);
    let consulted = [
        "b>p>a 1 ACK",
        "b>p>c 2 INVITE c@example.com sendrecv",
        "p>b 2 100 INVITE",
        "c>p>b 2 180 INVITE",
        "c>p>b 2 200 INVITE sendrecv",
        "b>p>c 2 ACK",
        "b>p>c 2 BYE",
        "c>p>b 2 200 BYE",
    ];
    check(&t.net, 0, &[&HELD[..], &consulted, &RESUMED].concat());
    t.finish();
}

// `s` is the music server: a phone as well, but for the music.
#[test]
fn section_2_3_music_on_hold() {
    let mut t = Trio::of(&["a", "b", "s"]);
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    let from = t.net.trace.len();
    let first = replaces(&t.net, "200 INVITE", "a").replace(';', "%3B").replace('=', "%3D");
    t.ask(1, ("sip:s@10.0.0.3", &format!("sip:a@10.0.0.1?Replaces={first}")), &[]);
    let music = t.accept(2);
    t.net.run(10);
    assert_eq!(t.replies(1), [(202, false), (100, false), (200, true)]);
    assert!(!t.lives(0, a) && !t.lives(1, b) && t.lives(2, music));
    let second = replaces(&t.net, "200 INVITE", "a");
    let call = t.dial(1, "sip:a@10.0.0.1", &[("Replaces", &second)]);
    t.net.run(10);
    assert!(!t.lives(2, music) && t.lives(1, call));
    check(
        &t.net,
        from,
        &[
            "b>s 2 REFER s Refer-To=a?Replaces=1 Referred-By=b",
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
            "b>a 4 INVITE a Replaces=3 sendrecv",
            "a>b 4 200 INVITE sendrecv",
            "a>s 3 BYE",
            "b>a 4 ACK",
            "s>a 3 200 BYE",
        ],
    );
    t.finish();
}

// Bob, who calls, is `a`, and Alice, who transfers him, is `b`. The dialog outlives her BYE until the
// subscription ends (RFC 5057 4.1).
#[test]
fn section_2_4_transfer_unattended() {
    let mut t = Trio::with_config(|_, c| c.transferor_leaves = Leaves::OnAccepted);
    let (_, b) = t.talk(0, 1);
    t.refer(b);
    t.accept(0);
    let c = t.incoming(2);
    t.alert(2, c);
    t.answer(2, c);
    assert!(!t.lives(1, b) && t.lives(2, c));
    check(
        &t.net,
        4,
        &[
            "b>a 1 REFER Refer-To=c Referred-By=b",
            "a>b 1 202 REFER",
            "a>b 1 NOTIFY refer active 100",
            "a>c 2 INVITE c Referred-By=b sendrecv",
            "b>a 1 BYE",
            "b>a 1 200 NOTIFY",
            "a>b 1 200 BYE",
            "c>a 2 180 INVITE",
            "a>b 1 NOTIFY refer active 180",
            "b>a 1 200 NOTIFY",
            "c>a 2 200 INVITE sendrecv",
            "a>c 2 ACK",
            "a>b 1 NOTIFY refer terminated(noresource) 200",
            "b>a 1 200 NOTIFY",
        ],
    );
    t.finish();
}

#[test]
fn section_2_5_transfer_attended() {
    let mut t = Trio::with_sound();
    let (_, b) = t.talk(0, 1);
    t.hold(1, b);
    let (consult, _) = t.talk(1, 2);
    t.hold(1, consult);
    t.transfer_to(1, b, consult);
    t.accept(0);
    t.net.run(1_000);
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 180 INVITE",
            "b>a 1 200 INVITE sendrecv",
            "a>b 1 ACK",
            "b>a 1 INVITE sendonly",
            "a>b 1 200 INVITE recvonly",
            "b>a 1 ACK",
            "b>c 2 INVITE c sendrecv",
            "c>b 2 180 INVITE",
            "c>b 2 200 INVITE sendrecv",
            "b>c 2 ACK",
            "b>c 2 INVITE sendonly",
            "c>b 2 200 INVITE recvonly",
            "b>c 2 ACK",
            "b>a 1 REFER Refer-To=c?Replaces=2 Referred-By=b",
            "a>b 1 202 REFER",
            "a>b 1 NOTIFY refer active 100",
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
        ],
    );
    t.finish();
}

// The MESSAGE is the application's own (RFC 3428): its text, and what `c` makes of it.
#[test]
fn section_2_6_transfer_by_instant_message() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    let from = t.net.trace.len();
    let named = replaces(&t.net, "200 INVITE", "a");
    let (now, to) = (t.now(), t.net.nodes[2].addr);
    let link = format!("sip:a@10.0.0.1?Replaces={}", named.replace(';', "%3B").replace('=', "%3D"));
    let text = format!("Please take {link}");
    let message = format!(
        "MESSAGE sip:c@10.0.0.3 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKim\r\n\
         Max-Forwards: 70\r\nFrom: <sip:b@10.0.0.2>;tag=im\r\nTo: <sip:c@10.0.0.3>\r\nCall-ID: im\r\n\
         CSeq: 1 MESSAGE\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    let path = Path { local: net::LOCAL, remote: to, flow: None };
    t.net.engine(1).send(now, path, message.as_bytes()).unwrap();
    t.net.run(0);
    let last = t.net.nodes[2].said.last().unwrap().clone();
    let Event::Request { request, .. } = last.event else { panic!("{last:?}") };
    assert!(last.message.ends_with(text.as_bytes()));
    t.net.engine(2).respond(now, request, 200, Extras::default()).unwrap();
    t.net.run(0);
    let call = t.dial(2, "sip:a@10.0.0.1", &[("Replaces", &named)]);
    t.net.run(10);
    assert!(!t.lives(0, a) && !t.lives(1, b) && t.lives(2, call));
    check(
        &t.net,
        from,
        &[
            "b>c 2 MESSAGE c",
            "c>b 2 200 MESSAGE",
            "c>a 3 INVITE a Replaces=1 sendrecv",
            "a>c 3 200 INVITE sendrecv",
            "a>b 1 BYE",
            "c>a 3 ACK",
            "b>a 1 200 BYE",
        ],
    );
    t.finish();
}

// Where the RFC's phone becomes a focus, and says so in its Contact (RFC 4579), ours mixes and stays a
// phone: the others see a call each, and the re-INVITE is the one that ends the hold.
#[test]
fn section_2_10_three_way_conference_third_party_is_added() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    t.hold(1, b);
    let (third, c) = t.talk(1, 2);
    t.resume(1, b);
    assert!(t.lives(0, a) && t.lives(1, b) && t.lives(1, third) && t.lives(2, c));
    // Whoever leaves takes only its own leg along.
    t.hangup(2, c);
    assert!(t.lives(0, a) && t.lives(1, b) && !t.lives(1, third));
    check(
        &t.net,
        0,
        &[
            "a>b 1 INVITE b sendrecv",
            "b>a 1 180 INVITE",
            "b>a 1 200 INVITE sendrecv",
            "a>b 1 ACK",
            "b>a 1 INVITE sendonly",
            "a>b 1 200 INVITE recvonly",
            "b>a 1 ACK",
            "b>c 2 INVITE c sendrecv",
            "c>b 2 180 INVITE",
            "c>b 2 200 INVITE sendrecv",
            "b>c 2 ACK",
            "b>a 1 INVITE sendrecv",
            "a>b 1 200 INVITE sendrecv",
            "b>a 1 ACK",
            "c>b 2 BYE",
            "b>c 2 200 BYE",
        ],
    );
    t.hangup(0, a);
    t.finish();
}

/// Lets `b` offer its session to `a` again.
fn reinvite(t: &mut Trio, call: CallHandle) {
    let (now, extras) = (t.now(), t.gives[1]);
    t.net.engine(1).reinvite(now, call, extras).unwrap();
    t.net.run(10);
}

// As above: without `isfocus`.
#[test]
fn section_2_11_three_way_conference_third_party_joins() {
    let mut t = Trio::with_sound();
    let (a, b) = t.talk(0, 1);
    let named = replaces(&t.net, "200 INVITE", "b");
    let call = t.dial(2, "sip:b@10.0.0.2", &[("Join", &named)]);
    let joining = t.incoming(1);
    let info = t.net.nodes[1].engine.call_info(joining).unwrap();
    assert_eq!(info.joins, Some(b));
    t.alert(1, joining);
    reinvite(&mut t, b);
    t.answer(1, joining);
    assert!(t.lives(0, a) && t.lives(1, b) && t.lives(1, joining) && t.lives(2, call));
    check(
        &t.net,
        4,
        &[
            "c>b 2 INVITE b Join=1 sendrecv",
            "b>c 2 180 INVITE",
            "b>a 1 INVITE sendrecv",
            "a>b 1 200 INVITE sendrecv",
            "b>a 1 ACK",
            "b>c 2 200 INVITE sendrecv",
            "c>b 2 ACK",
        ],
    );
    t.finish();
}
