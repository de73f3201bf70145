//! OPTIONS, proxy.

use crate::hop::{Hop, Sent};
use crate::iut::{Ask, PASSWORD};
use crate::server::{BOB, BOUND, DEVICE, Role, TESTER, challenging, nonce, proven};

/// An OPTIONS for the proxy itself.
fn options() -> Ask {
    Ask { uri: "sip:example.com".into(), to: "<sip:example.com>".into(), ..Ask::new("OPTIONS") }
}

/// What an OPTIONS gets.
fn queried(ask: &Ask) -> Sent {
    asked(&mut Role::Proxy.hop(), ask)
}

fn asked(hop: &mut Hop, ask: &Ask) -> Sent {
    hop.receive(TESTER, &ask.text());
    let sent = hop.only();
    assert_eq!(sent.to, TESTER);
    sent
}

/// RFC 3261 11: an OPTIONS for a user goes to his device.
#[test]
fn sip_qc_pr_v_001() {
    let mut hop = Role::Proxy.hop();
    hop.receive(TESTER, &Ask { uri: BOB.into(), ..Ask::new("OPTIONS") }.text());
    let sent = hop.only();
    assert_eq!((sent.to, sent.start(), sent.uri()), (DEVICE, "OPTIONS", BOUND));
}

/// RFC 3261 11.2, 8.2: one for the proxy itself, which names no user, gets 200 from it.
#[test]
fn sip_qc_pr_v_002() {
    assert_eq!(queried(&options()).start(), "200");
    assert_eq!(queried(&Ask { uri: "sip:10.0.0.100".into(), ..options() }).start(), "200");
}

/// RFC 3261 8.2.6.2: From, Call-ID and CSeq of the 200 are the request's.
#[test]
fn sip_qc_pr_v_003() {
    let (ask, ok) = (options(), queried(&options()));
    assert_eq!((ok.one("From"), ok.one("Call-ID")), (&*ask.from, &*ask.call_id));
    assert_eq!(ok.one("CSeq"), "10 OPTIONS");
}

/// RFC 3261 8.2.6.2: so is every Via, in its order.
#[test]
fn sip_qc_pr_v_004() {
    let ok = queried(&options().more("Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n"));
    let vias = ok.all("Via").join(", ");
    assert!(vias.find("z9hG4bKask1").unwrap() < vias.find("z9hG4bKb").unwrap());
}

/// RFC 3261 8.2.6.2: its To is the request's with a tag of ours, the same when it comes again.
#[test]
fn sip_qc_pr_v_005() {
    let (mut hop, ask) = (Role::Proxy.hop(), options());
    let (one, two) = (asked(&mut hop, &ask), asked(&mut hop, &ask));
    assert!(one.one("To").starts_with(&format!("{};tag=", ask.to)), "{}", one.text);
    assert_eq!(one.one("To"), two.one("To"));
}

/// RFC 3261 11.2: the 200 says in Allow which methods it takes itself.
#[test]
fn sip_qc_pr_v_006() {
    assert!(queried(&options()).one("Allow").contains("OPTIONS"));
}

/// RFC 3261 11.2: it says in Accept what bodies it understands: a proxy none.
#[test]
fn sip_qc_pr_v_007() {
    assert!(queried(&options()).all("Accept").iter().all(|a| !a.contains("application/sdp")));
}

/// RFC 3261 11.2: it says in Supported what it knows.
#[test]
fn sip_qc_pr_v_008() {
    let ok = queried(&options());
    assert_eq!(ok.all("Supported").len(), 1, "{}", ok.text);
}

/// RFC 3261 16.3 step 3, 11: with Max-Forwards 0 it does not go on: the proxy answers itself.
#[test]
fn sip_qc_pr_v_009() {
    let ask = Ask { uri: BOB.into(), ..Ask::new("OPTIONS") };
    let mut hop = Role::Proxy.hop();
    hop.receive(TESTER, &ask.text().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    let sent = hop.only();
    assert_eq!(sent.to, TESTER);
    assert!(["200", "483"].contains(&sent.start()), "{}", sent.text);
}

/// RFC 3261 11: in a dialog, along its route, it goes to the other side.
#[test]
fn sip_qc_pr_v_010() {
    let mut hop = Role::Proxy.hop();
    let to = "<sip:bob@example.com>;tag=bt".into();
    let ask = Ask { uri: BOUND.into(), to, ..Ask::new("OPTIONS") };
    hop.receive(TESTER, &ask.more("Route: <sip:10.0.0.100;lr>\r\n").text());
    let sent = hop.only();
    assert_eq!((sent.to, sent.start(), sent.uri()), (DEVICE, "OPTIONS", BOUND));
}

/// What an OPTIONS for bob gets from a proxy that wants to know who asks.
fn challenged() -> (Hop, Ask, Sent) {
    let mut hop = challenging(Role::Proxy);
    let ask =
        Ask { uri: BOB.into(), from: "<sip:bob@example.com>;tag=at".into(), ..Ask::new("OPTIONS") };
    let refusal = asked(&mut hop, &ask);
    (hop, ask, refusal)
}

/// RFC 3261 22.3: who has not proven who he is gets 407 with a challenge.
#[test]
fn sip_qc_pr_v_011() {
    let (_, _, refusal) = challenged();
    assert_eq!(refusal.start(), "407");
    assert!(refusal.one("Proxy-Authenticate").starts_with("Digest realm=\"example.com\""));
}

/// RFC 3261 22.3: with the right credentials it goes on, without them.
#[test]
fn sip_qc_pr_v_012() {
    let (mut hop, ask, refusal) = challenged();
    hop.receive(TESTER, &proven(&ask, "bob", PASSWORD, &nonce(&refusal)).text());
    let sent = hop.only();
    assert_eq!((sent.to, sent.start()), (DEVICE, "OPTIONS"));
    assert!(sent.all("Proxy-Authorization").is_empty());
}

/// RFC 3261 22.3: wrong ones are challenged anew.
#[test]
fn sip_qc_pr_v_013() {
    let (mut hop, ask, refusal) = challenged();
    let first = nonce(&refusal);
    let again = asked(&mut hop, &proven(&ask, "bob", "guessed", &first));
    assert_eq!(again.start(), "407");
    assert_ne!(nonce(&again), first);
}
