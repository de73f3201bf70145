//! Call establishment and release, redirect server: RFC 3261 8.3.

use crate::hop::{Hop, Routes, Sent};
use crate::iut::{Ask, PASSWORD};
use crate::server::{BOB, BOUND, Role, TESTER, challenging, invite, nonce, proven};

fn asked(hop: &mut Hop, ask: &Ask) -> Sent {
    hop.receive(TESTER, &ask.text());
    let sent = hop.only();
    assert_eq!(sent.to, TESTER);
    sent
}

fn answer(ask: &Ask) -> Sent {
    asked(&mut Role::Redirect.hop(), ask)
}

/// RFC 3261 8.3, 8.2.6.2: an INVITE gets a 3xx, whose Call-ID, From and CSeq are the request's.
#[test]
fn sip_cc_rd_ce_v_001() {
    let (ask, moved) = (invite(), answer(&invite()));
    assert!(moved.start().starts_with('3'));
    assert_eq!((moved.one("From"), moved.one("Call-ID")), (&*ask.from, &*ask.call_id));
    assert_eq!(moved.one("CSeq"), "10 INVITE");
}

/// RFC 3261 8.3, 8.2.6.2: its Vias are the request's, in their order, and its To has a tag.
#[test]
fn sip_cc_rd_ce_v_002() {
    let moved = answer(&invite().more("Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n"));
    let vias = moved.all("Via").join(", ");
    assert!(vias.find("z9hG4bKask1").unwrap() < vias.find("z9hG4bKb").unwrap());
    assert!(moved.one("To").starts_with("<sip:bob@example.com>;tag="));
}

/// RFC 3261 8.3: its Contact names where the user is.
#[test]
fn sip_cc_rd_ce_v_003() {
    assert_eq!(answer(&invite()).one("Contact"), format!("<{BOUND}>"));
}

/// RFC 3261 8.3: of several places all are named, the preferred one first.
#[test]
fn sip_cc_rd_ce_v_004() {
    let mut hop = Role::Redirect.hop();
    hop.bind(BOB, "sip:bob@10.0.0.3");
    hop.store.get_mut(BOB).unwrap().1[0].q = 300;
    let contacts = asked(&mut hop, &invite()).all("Contact").join(", ");
    assert_eq!(contacts, format!("<sip:bob@10.0.0.3>, <{BOUND}>;q=0.300"));
}

/// RFC 3261 8.3: it sends no request of its own, and is done when the ACK has come.
#[test]
fn sip_cc_rd_ce_v_005() {
    let mut hop = Role::Redirect.hop();
    let moved = asked(&mut hop, &invite());
    hop.run(32_000);
    assert!(hop.take().iter().all(|s| s.text == moved.text));
    hop.finish();
    assert!(hop.take().is_empty());
}

/// RFC 3261 8.3, 21.4.18: a user who is known and is nowhere at the moment gets 480.
#[test]
fn sip_cc_rd_ce_v_006() {
    let mut hop = Role::Redirect.hop();
    hop.store.get_mut(BOB).unwrap().1.clear();
    assert_eq!(asked(&mut hop, &invite()).start(), "480");
}

/// RFC 3261 8.3, 21.4.5: one who is not known gets 404.
#[test]
fn sip_cc_rd_ce_v_007() {
    let nobody = Ask { uri: "sip:nobody@example.com".into(), ..invite() };
    assert_eq!(answer(&nobody).start(), "404");
}

fn challenged(ask: &Ask) -> (Hop, Sent) {
    let mut hop = challenging(Role::Redirect);
    let refusal = asked(&mut hop, ask);
    (hop, refusal)
}

/// Bob's own INVITE.
fn bobs() -> Ask {
    Ask { from: "<sip:bob@example.com>;tag=at".into(), ..invite() }
}

/// RFC 3261 10.3, 22.2: who has not proven who he is is challenged, and told no address.
#[test]
fn sip_cc_rd_ce_v_008() {
    let (_, refusal) = challenged(&bobs());
    assert!(["401", "407"].contains(&refusal.start()));
    assert!(!nonce(&refusal).is_empty() && refusal.all("Contact").is_empty());
}

/// RFC 3261 22.2: with the right credentials he is.
#[test]
fn sip_cc_rd_ce_v_009() {
    let (mut hop, refusal) = challenged(&bobs());
    let moved = asked(&mut hop, &proven(&bobs(), "bob", PASSWORD, &nonce(&refusal)));
    assert_eq!((moved.start(), moved.one("Contact")), ("302", &*format!("<{BOUND}>")));
}

/// RFC 3261 22.2: with wrong ones he is challenged anew.
#[test]
fn sip_cc_rd_ce_v_010() {
    let (mut hop, refusal) = challenged(&bobs());
    let again = asked(&mut hop, &proven(&bobs(), "bob", "guessed", &nonce(&refusal)));
    assert_eq!(again.start(), refusal.start());
    assert_ne!(nonce(&again), nonce(&refusal));
}

/// RFC 3261 8.3: a CANCEL gets a 2xx, and changes nothing of what was said.
#[test]
fn sip_cc_rd_cr_v_001() {
    let mut hop = Role::Redirect.hop();
    let moved = asked(&mut hop, &invite());
    assert_eq!(asked(&mut hop, &invite().cancel()).start(), "200");
    hop.run(500);
    assert_eq!(hop.only().text, moved.text);
}

/// RFC 3261 8.3, 21.4.19: one that matches nothing gets 481.
#[test]
fn sip_cc_rd_cr_v_002() {
    assert_eq!(answer(&invite().cancel()).start(), "481");
}

/// RFC 3261 8.3, 8.2.6.2: another request that ends calls is told where to go, too.
#[test]
fn sip_cc_rd_cr_v_003() {
    let mut hop = Role::Redirect.hop();
    hop.routes = Routes::NotFound;
    let bye = Ask { uri: BOB.into(), to: "<sip:bob@example.com>;tag=bt".into(), ..Ask::new("BYE") };
    let moved = asked(&mut hop, &bye);
    assert_eq!((moved.start(), moved.one("CSeq")), ("302", "10 BYE"));
    assert_eq!(moved.one("To"), "<sip:bob@example.com>;tag=bt");
}
