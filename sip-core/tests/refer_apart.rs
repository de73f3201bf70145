//! REFER outside a dialog, the sender's side (RFC 3515 2.4, RFC 4488, RFC 6665 4.1).

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;
#[path = "support/trio.rs"]
mod trio;

use peer::{Bench, Out};
use sansip::{Error, Event, Extras, Limits, Misuse};
use trio::Trio;

fn bench() -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

fn refer(b: &mut Bench, headers: &[(&str, &str)]) -> Out {
    let (now, line) = (b.at(), b.line);
    let extras = Extras { headers, ..Extras::default() };
    let (target, to) = ("sip:phone@10.0.0.9", "sip:carol@10.0.0.8");
    b.engine.refer(now, line, target, to, 9, extras).unwrap();
    b.drain().remove(0)
}

fn told(b: &Bench) -> Vec<(u64, u16, bool)> {
    let of = |e: &Event| match *e {
        Event::Refer { user, status, done } => Some((user, status, done)),
        _ => None,
    };
    b.events.iter().filter_map(of).collect()
}

const CONTACT: &str = "Contact: <sip:phone@10.0.0.9>\r\n";

/// A NOTIFY for a REFER, number `n` of its dialog.
fn notify(refer: &Out, n: u32, state: &str, frag: &str) -> String {
    format!(
        "NOTIFY sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKn{n}\r\n\
         Max-Forwards: 70\r\nFrom: {};tag=pt\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {n} NOTIFY\r\n{CONTACT}\
         Event: refer\r\nSubscription-State: {state}\r\nContent-Type: message/sipfrag\r\n\
         Content-Length: {}\r\n\r\n{frag}",
        refer.header("To"),
        refer.header("From"),
        refer.header("Call-ID"),
        frag.len()
    )
}

fn status(sent: &[Out]) -> &str {
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent[0].first_line().split(' ').nth(1).unwrap()
}

#[track_caller]
fn nothing_left(b: &mut Bench) {
    b.run(400_000);
    let s = b.engine.stats();
    assert!(b.engine.is_quiescent(), "{s:?}");
    assert_eq!((s.blocks, s.transfers, s.dialogs), (s.lines, 0, 0), "{s:?}");
}

#[test]
fn it_is_sent_and_its_progress_is_told() {
    let mut b = bench();
    let r = refer(&mut b, &[]);
    assert_eq!(r.first_line(), "REFER sip:phone@10.0.0.9 SIP/2.0");
    assert_eq!(r.header("Refer-To"), "<sip:carol@10.0.0.8>");
    assert_eq!(r.header("Referred-By"), "<sip:bob@example.com>");
    assert_eq!(r.header("CSeq"), "1 REFER");
    assert_eq!(r.header("Contact"), "<sip:bob@10.0.0.1:5060>");
    b.feed(&r.answer("202 Accepted", "pt", CONTACT));
    assert_eq!(status(&b.ask(&notify(&r, 1, "active;expires=60", "SIP/2.0 100 Trying"))), "200");
    assert_eq!(status(&b.ask(&notify(&r, 2, "active;expires=60", "SIP/2.0 180 Ringing"))), "200");
    let last = notify(&r, 3, "terminated;reason=noresource", "SIP/2.0 200 OK");
    assert_eq!(status(&b.ask(&last)), "200");
    assert_eq!(told(&b), [(9, 202, false), (9, 100, false), (9, 180, false), (9, 200, true)]);
    // There is no dialog any more.
    let late = notify(&r, 4, "terminated;reason=noresource", "SIP/2.0 200 OK");
    assert_eq!(status(&b.ask(&late)), "481");
    nothing_left(&mut b);
}

#[test]
fn a_refusal_is_the_end_and_so_is_silence() {
    let mut b = bench();
    let r = refer(&mut b, &[]);
    b.feed(&r.answer("603 Decline", "pt", ""));
    assert_eq!(told(&b), [(9, 603, true)]);
    refer(&mut b, &[]);
    b.run(33_000);
    assert_eq!(told(&b)[1..], [(9, 408, true)]);
    // It is taken, and then nothing is heard of it.
    let r = refer(&mut b, &[]);
    b.feed(&r.answer("202 Accepted", "pt", CONTACT));
    b.run(33_000);
    assert_eq!(told(&b)[2..], [(9, 202, false), (9, 408, true)]);
    nothing_left(&mut b);
}

// RFC 3515 2.4.7: the outcome is told once, whenever the subscription ends.
#[test]
fn an_outcome_before_the_end_is_told_once() {
    let mut b = bench();
    let r = refer(&mut b, &[]);
    b.feed(&r.answer("202 Accepted", "pt", CONTACT));
    b.ask(&notify(&r, 1, "active;expires=60", "SIP/2.0 486 Busy Here"));
    let end = notify(&r, 2, "terminated;reason=noresource", "SIP/2.0 486 Busy Here");
    assert_eq!(status(&b.ask(&end)), "200");
    assert_eq!(told(&b), [(9, 202, false), (9, 486, true)]);
    nothing_left(&mut b);
}

// RFC 4488 4: without a subscription the answer is all; a peer that does not know of it makes one.
#[test]
fn without_a_subscription_the_answer_is_the_end() {
    let mut b = bench();
    let r = refer(&mut b, &[("Refer-Sub", "false")]);
    assert_eq!(r.all("Refer-Sub"), ["false"]);
    b.feed(&r.answer("202 Accepted", "pt", &format!("{CONTACT}Refer-Sub: false\r\n")));
    assert_eq!(told(&b), [(9, 202, true)]);
    let r = refer(&mut b, &[("Refer-Sub", "false")]);
    b.feed(&r.answer("202 Accepted", "pt", CONTACT));
    b.ask(&notify(&r, 1, "terminated;reason=noresource", "SIP/2.0 200 OK"));
    assert_eq!(told(&b)[1..], [(9, 202, false), (9, 200, true)]);
    nothing_left(&mut b);
}

// RFC 6665 4.1.2.4: a NOTIFY may overtake the 2xx. It comes again, as it is not refused.
#[test]
fn a_notify_before_the_answer_is_not_refused() {
    let mut b = bench();
    let r = refer(&mut b, &[]);
    let first = notify(&r, 1, "active;expires=60", "SIP/2.0 100 Trying");
    assert!(b.ask(&first).is_empty());
    b.feed(&r.answer("202 Accepted", "pt", CONTACT));
    assert_eq!(status(&b.ask(&first)), "200");
    assert_eq!(told(&b), [(9, 202, false), (9, 100, false)]);
    b.ask(&notify(&r, 2, "terminated;reason=noresource", "SIP/2.0 200 OK"));
    assert_eq!(told(&b).last(), Some(&(9, 200, true)));
    nothing_left(&mut b);
}

#[test]
fn what_cannot_be_asked_for_is_misuse() {
    let mut b = bench();
    let (now, line) = (b.at(), b.line);
    let good = "sip:phone@10.0.0.9";
    for (target, to) in [
        ("tel:1", good),
        ("sip:phone@10.0.0.9?Subject=x", good),
        ("sip:phone@10.0.0.9;method=INVITE", good),
        (good, "tel:1"),
        (good, "nonsense"),
    ] {
        let got = b.engine.refer(now, line, target, to, 9, Extras::default());
        assert_eq!(got, Err(Error::Misuse(Misuse::BadUri)), "{target} {to}");
    }
    b.engine.remove_line(now, line).unwrap();
    let got = b.engine.refer(now, line, good, good, 9, Extras::default());
    assert_eq!(got, Err(Error::Gone));
    assert!(b.drain().is_empty());
    assert_eq!(b.engine.stats().transfers, 0);
}

// Between two of the smallest engines: as many as there is room for, each told of its end.
#[test]
fn in_the_smallest_engine_all_end() {
    let mut t = Trio::with(&Limits::TINY, |_, _| ());
    let mut sent = 0;
    for _ in 0..8 {
        let (now, line) = (t.now(), t.lines[0]);
        let (target, to) = ("sip:b@10.0.0.2", "sip:c@10.0.0.3");
        match t.net.engine(0).refer(now, line, target, to, 9, Extras::default()) {
            Ok(()) => sent += 1,
            Err(Error::Full(_)) => {}
            Err(e) => panic!("{e:?}"),
        }
    }
    assert!(sent > 0);
    t.net.run(100_000);
    let ends = t.replies(0).into_iter().filter(|(_, done)| *done).count();
    assert_eq!(ends, sent);
    t.finish();
}
