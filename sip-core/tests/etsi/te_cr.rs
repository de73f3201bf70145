//! Call release and session modification, terminating endpoint.

use sansip::{CallChange, EndReason};

use crate::iut::{Ask, Iut, Out, T1, labels};

/// A call that came in and was answered and acknowledged: the phone, the INVITE, the 2xx.
fn standing(more: &str) -> (Iut, Ask, Out) {
    let (mut iut, invite) = (Iut::udp(), Ask::invite().more(more));
    iut.ask(&invite.text());
    let ok = iut.answer();
    iut.ask(&invite.next("ACK", 10, &ok).text());
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed));
    (iut, invite, ok)
}

/// A call that rings here: the phone, the INVITE, the 180.
fn ringing() -> (Iut, Ask, Out) {
    let (mut iut, invite) = (Iut::udp(), Ask::invite());
    iut.ask(&invite.text());
    let ringing = iut.ring(180);
    (iut, invite, ringing)
}

fn only(iut: &mut Iut, ask: &Ask) -> Out {
    let mut sent = iut.ask(&ask.text());
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

const REMOTE: CallChange = CallChange::Ended { why: EndReason::RemoteHangup, status: 0 };
const CANCELLED: CallChange = CallChange::Ended { why: EndReason::Cancelled, status: 487 };

/// RFC 3261 15.1.2: a BYE of the dialog gets 200 and ends the call.
#[test]
fn sip_cc_te_cr_v_001() {
    let (mut iut, invite, ok) = standing("");
    assert_eq!(only(&mut iut, &invite.next("BYE", 11, &ok)).label(), "200");
    assert_eq!(iut.last_change(), Some(REMOTE));
    iut.finish();
}

/// RFC 3261 15.1.2: a BYE in an early dialog ends it; its INVITE gets 487.
#[test]
fn sip_cc_te_cr_v_002() {
    let (mut iut, invite, ringing) = ringing();
    let sent = iut.ask(&invite.next("BYE", 11, &ringing).text());
    assert_eq!(labels(&sent), ["200", "487"]);
    iut.ask(&invite.ack(&sent[1]).text());
    assert_eq!(iut.last_change(), Some(CANCELLED));
    iut.finish();
}

/// RFC 3261 15: a BYE between our 2xx and its ACK ends the call too.
#[test]
fn sip_cc_te_cr_v_003() {
    let (mut iut, invite) = (Iut::udp(), Ask::invite());
    iut.ask(&invite.text());
    let ok = iut.answer();
    assert_eq!(only(&mut iut, &invite.next("BYE", 11, &ok)).label(), "200");
    assert_eq!(iut.last_change(), Some(REMOTE));
    assert!(iut.run(64 * T1).is_empty(), "the 2xx is not repeated any more");
    iut.finish();
}

/// RFC 3261 8.2.2: a BYE is inspected as any request: what it requires and is not known gets 420.
#[test]
fn sip_cc_te_cr_v_004() {
    let (mut iut, invite, ok) = standing("");
    let bye = invite.next("BYE", 11, &ok).more("Require: sip-future\r\n");
    assert_eq!(only(&mut iut, &bye).label(), "420");
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed), "the call stands");
}

/// RFC 3261 8.2.2.3: the 420 to a BYE names in Unsupported what is not known.
#[test]
fn sip_cc_te_cr_v_005() {
    let (mut iut, invite, ok) = standing("");
    let bye = invite.next("BYE", 11, &ok).more("Require: sip-future, sip-past\r\n");
    assert_eq!(only(&mut iut, &bye).header("Unsupported"), "sip-future, sip-past");
    assert_eq!(only(&mut iut, &invite.next("BYE", 12, &ok)).label(), "200");
    iut.finish();
}

/// RFC 3261 8.2.6.2: Via, From, To, Call-ID and CSeq of the 200 are the BYE's.
#[test]
fn sip_cc_te_cr_v_006() {
    let (mut iut, invite, ok) = standing("");
    let bye = invite.next("BYE", 11, &ok);
    let done = only(&mut iut, &bye);
    assert_eq!(done.all("Via"), [&bye.via]);
    assert_eq!((done.header("From"), done.header("To")), (&*bye.from, &*bye.to));
    assert_eq!((done.header("Call-ID"), done.header("CSeq")), ("c1", "11 BYE"));
}

/// A request that looks as if it were of the call's dialog, but for one thing.
fn foreign(method: &'static str, change: impl Fn(&mut Ask)) {
    let (mut iut, invite, ok) = standing("");
    let mut ask = invite.next(method, 11, &ok);
    change(&mut ask);
    assert_eq!(only(&mut iut, &ask).label(), "481");
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed), "the call stands");
}

/// RFC 3261 15.1.2: a BYE whose To tag or From tag is of no dialog gets 481.
#[test]
fn sip_cc_te_cr_v_007() {
    foreign("BYE", |a| a.to = "<sip:bob@example.com>;tag=other".into());
    foreign("BYE", |a| a.from = "<sip:alice@example.com>;tag=other".into());
}

/// RFC 3261 15.1.2: so does one whose Call-ID is of no dialog.
#[test]
fn sip_cc_te_cr_v_008() {
    foreign("BYE", |a| a.call_id = "c2".into());
}

/// RFC 3261 12.2.2: a CSeq number that is higher by more than one is no error.
#[test]
fn sip_cc_te_cr_v_009() {
    let (mut iut, invite, ok) = standing("");
    assert_eq!(only(&mut iut, &invite.next("BYE", 5_000, &ok)).label(), "200");
    assert_eq!(iut.last_change(), Some(REMOTE));
}

/// The BYE of a phone that was called.
fn bye(more: &str) -> (Ask, Out, Out) {
    let (mut iut, invite, ok) = standing(more);
    let mut sent = iut.hangup();
    assert_eq!(labels(&sent), ["BYE"]);
    (invite, ok, sent.remove(0))
}

/// RFC 3261 12.2.1.1: the To of our BYE is the From of the INVITE, its From the To of the 2xx.
#[test]
fn sip_cc_te_cr_v_010() {
    let (invite, ok, bye) = bye("");
    assert_eq!(bye.header("To"), invite.from);
    assert_eq!(bye.header("From"), ok.header("To"));
}

/// RFC 3261 12.2.1.1: its Call-ID is the dialog's, and its CSeq a number of our own.
#[test]
fn sip_cc_te_cr_v_011() {
    let (invite, _, bye) = bye("");
    assert_eq!(bye.header("Call-ID"), invite.call_id);
    assert!(bye.cseq() < 1 << 31 && bye.header("CSeq").ends_with(" BYE"));
}

/// RFC 3261 12.2.1.1: its Request-URI is the Contact of the INVITE.
#[test]
fn sip_cc_te_cr_v_012() {
    let (_, _, bye) = bye("");
    assert_eq!(bye.request_uri(), "sip:alice@10.0.0.9");
    assert!(bye.all("Route").is_empty());
}

/// RFC 3261 12.2.1.1: its Route is the Record-Route of the INVITE, in its order.
#[test]
fn sip_cc_te_cr_v_013() {
    let (_, _, bye) = bye("Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\r\n");
    assert_eq!(bye.request_uri(), "sip:alice@10.0.0.9");
    assert_eq!(bye.all("Route").join(", "), "<sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>");
    assert_eq!(bye.to.to_string(), "10.0.0.8:5060");
}

/// RFC 3261 12.2.1.1: a strict router is the Request-URI, and the remote target the last Route.
#[test]
fn sip_cc_te_cr_v_014() {
    let (_, _, bye) = bye("Record-Route: <sip:10.0.0.8>, <sip:10.0.0.7;lr>\r\n");
    assert_eq!(bye.request_uri(), "sip:10.0.0.8");
    assert_eq!(bye.all("Route").join(", "), "<sip:10.0.0.7;lr>, <sip:alice@10.0.0.9>");
}

/// RFC 3261 9.2: a CANCEL of an INVITE that waits gets 200, with the INVITE's To tag.
#[test]
fn sip_cc_te_cr_v_015() {
    let (mut iut, invite, ringing) = ringing();
    let sent = iut.ask(&invite.cancel().text());
    assert_eq!((sent[0].label(), sent[0].header("CSeq")), ("200", "10 CANCEL"));
    assert_eq!(sent[0].to_tag(), ringing.to_tag());
}

/// RFC 3261 9.2: and the INVITE gets 487.
#[test]
fn sip_cc_te_cr_v_016() {
    let (mut iut, invite, _) = ringing();
    let sent = iut.ask(&invite.cancel().text());
    assert_eq!(labels(&sent), ["200", "487"]);
    assert_eq!(sent[1].header("CSeq"), "10 INVITE");
    assert_eq!(iut.last_change(), Some(CANCELLED));
    iut.ask(&invite.ack(&sent[1]).text());
    iut.finish();
}

/// RFC 3261 9.2: a CANCEL without an INVITE gets 481.
#[test]
fn sip_cc_te_cr_v_017() {
    assert_eq!(only(&mut Iut::udp(), &Ask::invite().cancel()).label(), "481");
}

/// A CANCEL of another INVITE.
fn cancels_nothing(change: impl Fn(&mut Ask)) {
    let (mut iut, invite, _) = ringing();
    let mut cancel = invite.cancel();
    change(&mut cancel);
    assert_eq!(only(&mut iut, &cancel).label(), "481");
    assert_eq!(iut.changes(), [CallChange::Incoming], "it rings on");
}

/// RFC 3261 9.2, 17.2.3: so does one with another branch.
#[test]
fn sip_cc_te_cr_v_018() {
    cancels_nothing(|c| c.via = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKother".into());
}

/// RFC 3261 9.2, 17.2.3: so does one with another sent-by.
#[test]
fn sip_cc_te_cr_v_019() {
    cancels_nothing(|c| c.via = "SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKask1".into());
}

/// A BYE comes again.
fn again(via: &str) {
    let (mut iut, invite, ok) = standing("");
    let bye = Ask { via: via.into(), ..invite.next("BYE", 11, &ok) };
    let (first, second) = (only(&mut iut, &bye), only(&mut iut, &bye));
    assert_eq!((first.label(), &first.text), ("200", &second.text));
    assert_eq!(iut.last_change(), Some(REMOTE));
    assert_eq!(iut.changes().len(), 3, "the user is told once");
}

/// RFC 3261 17.2.2: in Completed a repeated BYE gets its final response again.
#[test]
fn sip_cc_te_cr_v_020() {
    again("SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKbye");
}

/// RFC 3261 17.2.3: so does one without the magic cookie, matched as RFC 2543 did.
#[test]
fn sip_cc_te_cr_v_021() {
    again("SIP/2.0/UDP 10.0.0.9");
}

/// RFC 3261 12.2.2: a CSeq number that is lower than the last gets 500.
#[test]
fn sip_cc_te_cr_i_001() {
    let (mut iut, invite, ok) = standing("");
    assert_eq!(only(&mut iut, &invite.next("BYE", 9, &ok)).label(), "500");
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed));
}

/// RFC 3261 8.2.2.3: Require in a CANCEL is ignored.
#[test]
fn sip_cc_te_cr_i_002() {
    let (mut iut, invite, _) = ringing();
    let cancel = invite.cancel().more("Require: sip-future\r\n");
    assert_eq!(labels(&iut.ask(&cancel.text())), ["200", "487"]);
}

/// RFC 3261 8.2.2.3: so is Proxy-Require.
#[test]
fn sip_cc_te_cr_i_003() {
    let (mut iut, invite, _) = ringing();
    let cancel = invite.cancel().more("Proxy-Require: sip-future\r\n");
    assert_eq!(labels(&iut.ask(&cancel.text())), ["200", "487"]);
}

/// RFC 3261 9.2: a CANCEL of the BYE, which nothing cancels, gets 200 as long as the BYE is known;
/// one of an INVITE that is forgotten gets 481.
#[test]
fn sip_cc_te_cr_i_004() {
    let (mut iut, invite, ok) = standing("");
    let bye = invite.next("BYE", 11, &ok);
    assert_eq!(only(&mut iut, &bye).label(), "200");
    assert_eq!(only(&mut iut, &bye.cancel()).label(), "200");
    iut.run(64 * T1);
    assert_eq!(only(&mut iut, &bye.cancel()).label(), "481");
    assert_eq!(only(&mut iut, &invite.cancel()).label(), "481");
    assert_eq!(iut.last_change(), Some(REMOTE));
}

/// RFC 3261 15.1.2: a BYE without a To tag, so outside any dialog, gets 481.
#[test]
fn sip_cc_te_cr_i_005() {
    foreign("BYE", |a| a.to = "<sip:bob@example.com>".into());
}

/// RFC 3261 17.2.2: timer J keeps Completed for 64*T1 on an unreliable transport.
#[test]
fn sip_cc_te_cr_ti_001() {
    let (mut iut, invite, ok) = standing("");
    let bye = invite.next("BYE", 11, &ok);
    let first = only(&mut iut, &bye);
    iut.run(64 * T1 - 1);
    assert_eq!(only(&mut iut, &bye).text, first.text);
    iut.run(1);
    assert!(iut.engine.is_quiescent());
    assert_eq!(only(&mut iut, &bye).label(), "481", "the dialog is gone as well");
}

/// RFC 3261 14.2: a re-INVITE is answered as itself, in the same dialog.
#[test]
fn sip_cc_te_sm_v_001() {
    let (mut iut, invite, ok) = standing("");
    let offer = invite.body.replace("1 1 IN", "1 2 IN").replace("4000", "4002");
    let re = Ask { more: invite.more.clone(), body: offer, ..invite.next("INVITE", 11, &ok) };
    let again = only(&mut iut, &re);
    assert_eq!((again.label(), again.header("CSeq")), ("200", "11 INVITE"));
    assert_eq!(again.header("To"), ok.header("To"));
    assert!(again.body().contains("m=audio 4000 "));
    assert_eq!(iut.agreed, 2);
    assert!(iut.ask(&invite.next("ACK", 11, &ok).text()).is_empty());
    assert!(iut.run(64 * T1).is_empty());
}

/// RFC 3261 14.2: one without an offer is answered with an offer.
#[test]
fn sip_cc_te_sm_v_002() {
    let (mut iut, invite, ok) = standing("");
    let again = only(&mut iut, &invite.next("INVITE", 11, &ok).more(crate::iut::CONTACT));
    assert_eq!((again.label(), again.header("Content-Type")), ("200", "application/sdp"));
    assert!(again.body().contains("m=audio 4000 "));
}

/// RFC 3261 14.2: without an ACK for the 2xx of a re-INVITE the dialog is ended by a BYE.
#[test]
fn sip_cc_te_sm_v_003() {
    let (mut iut, invite, ok) = standing("");
    let re = Ask {
        more: invite.more.clone(),
        body: invite.body.clone(),
        ..invite.next("INVITE", 11, &ok)
    };
    assert_eq!(only(&mut iut, &re).label(), "200");
    let sent = iut.watch(64 * T1);
    let (at, last) = sent.last().unwrap();
    assert_eq!((*at, last.label()), (64 * T1, "BYE"));
    iut.ask(&last.answer("200 OK", "", ""));
    iut.finish();
}

/// RFC 3261 14.2: an INVITE with a higher number while the first waits for its final response gets
/// 500 with a Retry-After of 0 to 10 s.
#[test]
fn sip_cc_te_sm_i_001() {
    let (mut iut, invite, ringing) = ringing();
    let second = invite.next("INVITE", 11, &ringing).more(crate::iut::CONTACT);
    let refusal = only(&mut iut, &second);
    assert_eq!(refusal.label(), "500");
    assert!(refusal.header("Retry-After").parse::<u32>().is_ok_and(|s| s <= 10));
    assert_eq!(iut.answer().header("CSeq"), "10 INVITE", "the first is answered");
}
