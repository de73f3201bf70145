//! Who is calling, at the edge of a trust domain: RFC 3325, and what of RFC 3323 a proxy can do.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Routes, Sent, config, request, response};
use sansip::{Limits, Network};

const PAI: &str = "P-Asserted-Identity";

/// A proxy whose trust domain is peers 8 and 9, with a way to this peer.
fn proxy(to: u8) -> Hop {
    let mut config = config();
    config.edge.trust = vec![Network { ip: "10.0.0.8".parse().unwrap(), prefix: 31 }];
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.routes = Routes::To(vec![(String::new(), format!("sip:10.0.0.{to}"), 1000)]);
    hop
}

fn call(from: u8, to: u8, more: &str) -> Sent {
    let mut hop = proxy(to);
    hop.receive(from, &request("INVITE", "sip:x@elsewhere.example", from, 1, more));
    let invite = hop.only();
    hop.receive(to, &response(&invite, 486, "t", ""));
    hop.take();
    hop.finish();
    invite
}

// 5, 9.1
#[test]
fn an_identity_is_believed_and_told_within_the_trust_domain_alone() {
    const TRUSTED: u8 = 8;
    const OTHER: u8 = 3;
    let pai = "P-Asserted-Identity: <sip:a@example.com>\r\nP-Asserted-Identity: <tel:+1>\r\n";
    for (from, to, privacy, kept) in [
        (TRUSTED, 9, "", 2),
        (TRUSTED, 9, "Privacy: id\r\n", 2),
        (TRUSTED, OTHER, "", 0),
        (TRUSTED, OTHER, "Privacy: id\r\n", 0),
        (TRUSTED, OTHER, "Privacy: user ; ID; critical-not\r\n", 0),
        // 9.3: the user wants to be known.
        (TRUSTED, OTHER, "Privacy: none\r\n", 2),
        (OTHER, 9, "", 0),
        (OTHER, 9, "Privacy: none\r\n", 0),
        (OTHER, 4, "", 0),
    ] {
        let sent = call(from, to, &format!("{pai}{privacy}X-Kept: y\r\n"));
        assert_eq!(sent.all(PAI).len(), kept, "{from} {to} {privacy}");
        assert_eq!((sent.one("X-Kept"), sent.all("Privacy").len()), ("y", privacy.lines().count()));
    }
    // 9.2: a hint is for the first proxy, which this one is unless it trusts who sends it.
    let hint = "P-Preferred-Identity: <sip:a@example.com>\r\n";
    assert_eq!(call(OTHER, 9, hint).all("P-Preferred-Identity").len(), 0);
    assert_eq!(call(TRUSTED, 9, hint).all("P-Preferred-Identity").len(), 1);
    assert_eq!(call(TRUSTED, OTHER, hint).all("P-Preferred-Identity").len(), 0);
}

#[test]
fn without_a_trust_domain_nothing_is_touched() {
    let mut hop = Hop::new();
    hop.bind("sip:b@example.com", "sip:b@10.0.0.2");
    let more = "P-Asserted-Identity: <sip:a@example.com>\r\nPrivacy: id;header;critical\r\n";
    hop.receive(1, &request("MESSAGE", "sip:b@example.com", 1, 1, more));
    assert_eq!(hop.only().all(PAI).len(), 1);
    hop.finish();
}

// RFC 3323 4.2: what cannot be done and is critical is refused; too many identities cannot be hidden.
#[test]
fn what_cannot_be_hidden_is_refused() {
    let one = "P-Asserted-Identity: <sip:a@example.com>\r\n";
    for (more, want) in [
        ("Privacy: header;critical\r\n".to_string(), "1 500"),
        ("Privacy: session\r\nPrivacy: critical\r\n".to_string(), "1 500"),
        ("Privacy: id;critical\r\n".to_string(), "9 MESSAGE"),
        ("Privacy: header\r\n".to_string(), "9 MESSAGE"),
        (one.repeat(8), "9 MESSAGE"),
        (one.repeat(9), "1 400"),
    ] {
        let mut hop = proxy(9);
        hop.receive(1, &request("MESSAGE", "sip:x@elsewhere.example", 1, 1, &more));
        let sent = hop.only();
        assert_eq!((sent.label().as_str(), sent.all(PAI).len()), (want, 0), "{more}");
        hop.finish();
    }
}
