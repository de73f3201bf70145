//! Proxy, server transactions.

use crate::iut::{Ask, T1, T2, T4};
use crate::proxied::{Proxied, labels, message};
use crate::server::{Role, TESTER, invite};

/// An INVITE that was refused, and the refusal as the tester got it.
fn refused(tcp: bool) -> (Proxied, crate::hop::Sent) {
    let mut p = Proxied::by(tcp);
    let busy = p.refuse(486);
    (p, busy)
}

/// A branch without the cookie of RFC 3261.
const OLD: &str = "SIP/2.0/UDP 10.0.0.9;branch=1";

fn old(ask: Ask) -> Ask {
    Ask { via: OLD.into(), ..ask }
}

/// An INVITE that comes again while the device rings gets the last provisional response again, and
/// is not forwarded.
fn repeated_in_proceeding(ask: Ask) {
    let mut p = Proxied::ask(ask);
    let ringing = p.reply(180).remove(0);
    let again = p.say(&p.ask.clone());
    assert_eq!((again.len(), &again[0].text), (1, &ringing.text));
}

/// One that comes again after a refusal gets that again.
fn repeated_in_completed(ask: Ask) {
    let mut p = Proxied::ask(ask);
    let busy = p.refuse(486);
    let again = p.say(&p.ask.clone());
    assert_eq!((again.len(), &again[0].text), (1, &busy.text));
}

/// One that comes again after the ACK gets nothing.
fn repeated_in_confirmed(ask: Ask) {
    let mut p = Proxied::ask(ask);
    let busy = p.refuse(486);
    assert!(p.ack(&busy).is_empty());
    assert!(p.say(&p.ask.clone()).is_empty());
}

/// RFC 3261 17.2.1: on an unreliable transport a refusal is repeated after T1.
#[test]
fn sip_cc_pr_tr_se_ti_001() {
    let (mut p, busy) = refused(false);
    let sent = p.watch(T1);
    assert_eq!((sent.len(), sent[0].0, &sent[0].1.text), (1, T1, &busy.text));
}

/// RFC 3261 17.2.1: timer G doubles.
#[test]
fn sip_cc_pr_tr_se_ti_002() {
    assert_eq!(refused(false).0.times("486", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.2.1: but never beyond T2.
#[test]
fn sip_cc_pr_tr_se_ti_003() {
    let times = refused(false).0.times("486", 64 * T1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.2.1: on a reliable transport it is not repeated.
#[test]
fn sip_cc_pr_tr_se_ti_004() {
    assert!(refused(true).0.watch(64 * T1).is_empty());
}

/// RFC 3261 17.2.1: timer H ends the repetitions after 64*T1.
#[test]
fn sip_cc_pr_tr_se_ti_005() {
    let (mut p, _) = refused(false);
    p.watch(64 * T1 - 1);
    assert!(!p.is_over());
    p.watch(1);
    assert!(p.is_over());
    assert!(p.watch(64 * T1).is_empty());
}

/// RFC 3261 17.2.1: in Confirmed a repeated INVITE gets nothing.
#[test]
fn sip_cc_pr_tr_se_ti_006() {
    let (mut p, busy) = refused(false);
    p.ack(&busy);
    p.watch(T4 - 1);
    assert!(p.say(&p.ask.clone()).is_empty());
}

/// RFC 3261 17.2.1: timer I absorbs further ACKs for T4.
#[test]
fn sip_cc_pr_tr_se_ti_007() {
    let (mut p, busy) = refused(false);
    p.ack(&busy);
    p.watch(T4 - 1);
    assert!(p.ack(&busy).is_empty());
    let servers = p.hop.engine.stats().transactions;
    p.watch(1);
    assert_eq!(p.hop.engine.stats().transactions, servers - 1);
}

/// RFC 3261 17.2.1: timer I is zero on a reliable transport.
#[test]
fn sip_cc_pr_tr_se_ti_008() {
    let (mut p, busy) = refused(true);
    p.ack(&busy);
    p.watch(0);
    assert!(p.is_over());
}

/// RFC 3261 17.2.2: timer J keeps the final response of another request for 64*T1, for its
/// repetitions.
#[test]
fn sip_cc_pr_tr_se_ti_009() {
    let mut p = Proxied::ask(message());
    let ok = p.reply(200).remove(0);
    p.watch(64 * T1 - 1);
    let again = p.say(&p.ask.clone());
    assert_eq!((again.len(), &again[0].text), (1, &ok.text));
    p.watch(1);
    assert_eq!(labels(&p.say(&p.ask.clone())), ["2 MESSAGE"], "a new one");
}

/// RFC 3261 16.2: an INVITE gets a server transaction: one that comes again is not forwarded again.
#[test]
fn sip_cc_pr_tr_se_v_001() {
    let mut p = Proxied::invite();
    assert!(p.say(&p.ask.clone()).iter().all(|s| s.to == TESTER));
}

/// RFC 3261 16.2, 8.2.6.2: it answers 100 itself, with the From, Call-ID, CSeq, To and Vias of the
/// request.
#[test]
fn sip_cc_pr_tr_se_v_002() {
    let mut hop = Role::Proxy.hop();
    let ask = invite().more("Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n");
    hop.receive(TESTER, &ask.text());
    let trying = &hop.trying[0];
    assert_eq!((trying.to, trying.start(), trying.one("CSeq")), (TESTER, "100", "10 INVITE"));
    assert_eq!((trying.one("From"), trying.one("Call-ID")), (&*ask.from, &*ask.call_id));
    assert_eq!(trying.one("To"), ask.to, "RFC 3261 8.2.6.2: a 100 needs no tag");
    let vias = trying.all("Via").join(", ");
    assert!(vias.find("z9hG4bKask1").unwrap() < vias.find("z9hG4bKb").unwrap());
}

/// RFC 3261 16.2, 17.2.1: the 100 comes within 200 ms.
#[test]
fn sip_cc_pr_tr_se_v_003() {
    let mut p = Proxied::invite();
    p.watch(200);
    assert_eq!(p.hop.trying.len(), 1);
}

/// RFC 3261 16.2, 17.2.1: an INVITE that comes again before anything else is heard gets the 100
/// again.
#[test]
fn sip_cc_pr_tr_se_v_004() {
    let mut p = Proxied::invite();
    assert!(p.say(&p.ask.clone()).is_empty());
    let trying = &p.hop.trying;
    assert_eq!((trying.len(), &trying[0].text), (2, &trying[1].text));
}

/// RFC 3261 8.2.6.1: the 100 has the Timestamp of the request.
#[test]
fn sip_cc_pr_tr_se_v_005() {
    let mut hop = Role::Proxy.hop();
    hop.receive(TESTER, &invite().more("Timestamp: 54.1\r\n").text());
    let stamp = hop.trying[0].one("Timestamp").to_string();
    assert_eq!(stamp.split(' ').next(), Some("54.1"), "a delay may be added: {stamp}");
}

/// RFC 3261 17.2.1, 17.2.3: in Proceeding a repeated INVITE gets the last provisional response.
#[test]
fn sip_cc_pr_tr_se_v_006() {
    repeated_in_proceeding(invite());
}

/// RFC 3261 17.2.1, 17.2.3: in Completed it gets the final one.
#[test]
fn sip_cc_pr_tr_se_v_007() {
    repeated_in_completed(invite());
}

/// RFC 3261 17.2.1, 17.2.3: in Confirmed it gets none.
#[test]
fn sip_cc_pr_tr_se_v_008() {
    repeated_in_confirmed(invite());
}

/// RFC 3261 17.2.3: without the cookie in its branch an INVITE is matched by the rule of RFC 2543:
/// in Proceeding.
#[test]
fn sip_cc_pr_tr_se_v_009() {
    repeated_in_proceeding(old(invite()));
}

/// RFC 3261 17.2.3: likewise in Completed.
#[test]
fn sip_cc_pr_tr_se_v_010() {
    repeated_in_completed(old(invite()));
}

/// RFC 3261 17.2.3: likewise the ACK, and the INVITE after it.
#[test]
fn sip_cc_pr_tr_se_v_011() {
    repeated_in_confirmed(old(invite()));
}

/// A request other than an INVITE that comes again before any response is discarded.
fn repeated_in_trying(ask: Ask) {
    let mut p = Proxied::ask(ask);
    assert!(p.say(&p.ask.clone()).is_empty() && p.hop.trying.is_empty());
}

/// RFC 3261 17.2.2, 17.2.3: in Trying a repeated request is discarded.
#[test]
fn sip_cc_pr_tr_se_v_012() {
    repeated_in_trying(message());
}

/// A provisional response to a request other than an INVITE is not passed on; the request when it
/// comes again is absorbed.
fn no_provisional(ask: Ask) {
    let mut p = Proxied::ask(ask);
    assert!(p.reply(180).is_empty());
    assert!(p.say(&p.ask.clone()).is_empty());
    assert_eq!(labels(&p.reply(200)), ["9 200"]);
}

/// RFC 4320 4.1: there is no provisional response but a 100 to pass on, and a repeated request is
/// absorbed.
#[test]
fn sip_cc_pr_tr_se_v_013() {
    no_provisional(message());
}

/// RFC 3261 17.2.2, 17.2.3: in Completed it gets the final one again.
#[test]
fn sip_cc_pr_tr_se_v_014() {
    repeated_in_completed(message());
}

/// RFC 3261 17.2.3: without the cookie the rule of RFC 2543 holds: in Trying.
#[test]
fn sip_cc_pr_tr_se_v_015() {
    repeated_in_trying(old(message()));
}

/// RFC 4320 4.1: likewise where the device has answered 180.
#[test]
fn sip_cc_pr_tr_se_v_016() {
    no_provisional(old(message()));
}

/// RFC 3261 17.2.3: likewise in Completed.
#[test]
fn sip_cc_pr_tr_se_v_017() {
    repeated_in_completed(old(message()));
}

fn cancel(p: &mut Proxied) -> Vec<String> {
    let cancel = p.ask.cancel();
    labels(&p.say(&cancel))
}

/// A CANCEL that matches no transaction.
fn stray_cancel(change: impl Fn(Ask) -> Ask) {
    let mut p = Proxied::invite();
    p.reply(180);
    let stray = change(p.ask.cancel());
    let sent = p.say(&stray);
    assert_eq!(labels(&sent), ["9 481"], "RFC 3261 9.2");
    assert_eq!(labels(&p.reply(200)), ["9 200"], "the call is left alone");
}

/// RFC 3261 16.10, 9.2: a CANCEL gets 200 from the proxy itself, and the device a CANCEL.
#[test]
fn sip_cc_pr_tr_se_v_018() {
    let mut p = Proxied::invite();
    p.reply(180);
    assert_eq!(cancel(&mut p), ["9 200", "2 CANCEL"]);
}

/// RFC 3261 9.2: one with another branch than the INVITE's gets 481.
#[test]
fn sip_cc_pr_tr_se_v_019() {
    stray_cancel(|c| Ask { via: c.via.replace("ask1", "other"), ..c });
}

/// RFC 3261 16.10, 9.2: a CANCEL of what has been refused gets 200 and changes nothing.
#[test]
fn sip_cc_pr_tr_se_v_020() {
    let mut p = Proxied::invite();
    p.refuse(486);
    assert_eq!(cancel(&mut p), ["9 200"]);
}

/// RFC 3261 9.2, 17.2.3: one with another sent-by than the INVITE's gets 481.
#[test]
fn sip_cc_pr_tr_se_v_021() {
    stray_cancel(|c| Ask { via: c.via.replace("10.0.0.9", "10.0.0.9:5062"), ..c }.more(""));
}

/// RFC 3261 9.2, 8.2.6.2: the 200 to a CANCEL has a To tag, and CSeq is the CANCEL's.
#[test]
fn sip_cc_pr_tr_se_v_022() {
    let mut p = Proxied::invite();
    let cancel = p.ask.cancel();
    let ok = p.say(&cancel).remove(0);
    assert_eq!((ok.start(), ok.one("CSeq")), ("200", "10 CANCEL"));
    assert!(ok.one("To").contains(";tag="), "{}", ok.text);
}

/// RFC 3261 9.2: after the transaction has ended it gets 481.
#[test]
fn sip_cc_pr_tr_se_v_023() {
    let (mut p, busy) = refused(false);
    p.ack(&busy);
    p.watch(64 * T1);
    assert_eq!(cancel(&mut p), ["9 481"]);
}

/// RFC 3261 17.2.1, 17.2.3: the ACK of a refusal ends its repetitions, and is not forwarded.
#[test]
fn sip_cc_pr_tr_se_v_024() {
    let (mut p, busy) = refused(false);
    assert!(p.ack(&busy).is_empty());
    assert!(p.watch(64 * T1).iter().all(|(_, s)| s.to != TESTER));
}

/// RFC 3261 17.2.1, 17.2.3: an ACK with another branch does not.
#[test]
fn sip_cc_pr_tr_se_v_025() {
    let (mut p, busy) = refused(false);
    let ack = p.ack_of(&busy);
    p.say(&Ask { via: ack.via.replace("ask1", "other"), ..ack });
    assert_eq!(p.times("486", T1), [T1]);
}

/// RFC 3261 17.2.1: in Proceeding every provisional response but a 100 is passed on.
#[test]
fn sip_cc_pr_tr_se_v_026() {
    let mut p = Proxied::invite();
    assert!(p.reply(100).is_empty());
    for status in [180, 183, 199, 180] {
        assert_eq!(labels(&p.reply(status)), [format!("9 {status}")]);
    }
}

/// RFC 3261 17.2.1, 13.3.1.4: a 2xx is passed on at once, and its repetitions are left to the device.
#[test]
fn sip_cc_pr_tr_se_v_027() {
    let mut p = Proxied::invite();
    assert_eq!(labels(&p.reply(200)), ["9 200"]);
    assert!(p.watch(64 * T1).is_empty());
}

/// RFC 3261 13.3.1.4, RFC 6026 7.1: a 2xx that comes again is passed on again.
#[test]
fn sip_cc_pr_tr_se_v_028() {
    let mut p = Proxied::invite();
    let first = p.reply(200);
    p.watch(T1);
    let again = p.reply(200);
    assert_eq!((labels(&again), &again[0].text), (vec!["9 200".to_string()], &first[0].text));
}

/// RFC 3261 15.1.2: the 487 of an INVITE that a BYE ended is passed on.
#[test]
fn sip_cc_pr_tr_se_v_029() {
    let mut p = Proxied::invite();
    let ringing = p.reply(180).remove(0);
    let bye = Ask {
        method: "BYE",
        uri: "sip:bob@10.0.0.2".into(),
        to: ringing.one("To").into(),
        via: "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbye".into(),
        cseq: 11,
        more: format!("Route: {}\r\n", ringing.one("Record-Route")),
        body: String::new(),
        ..p.ask.clone()
    };
    assert_eq!(labels(&p.say(&bye)), ["2 BYE"]);
    assert_eq!(labels(&p.reply(487)), ["2 ACK", "9 487"]);
}
