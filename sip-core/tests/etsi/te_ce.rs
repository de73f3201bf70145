//! Call establishment, terminating endpoint.

use sansip::{CallChange, EndReason};

use crate::iut::{Ask, CONTACT, Iut, Out, T1, T2, T4, labels};

/// A call that has come in: the phone with it, and the INVITE.
fn incoming() -> (Iut, Ask) {
    let (mut iut, invite) = (Iut::udp(), Ask::invite());
    iut.ask(&invite.text());
    assert_eq!(iut.changes(), [CallChange::Incoming]);
    (iut, invite)
}

/// A call that the phone has refused with 486: the INVITE, and the response.
fn refused(mut iut: Iut) -> (Iut, Ask, Out) {
    let mut invite = Ask::invite();
    if iut.transport != sansip::Transport::Udp {
        invite.via = invite.via.replace("UDP", "TCP");
    }
    iut.ask(&invite.text());
    let busy = iut.reject(486);
    assert_eq!(busy.label(), "486");
    (iut, invite, busy)
}

/// The one response to a request.
fn only(iut: &mut Iut, ask: &Ask) -> Out {
    let mut sent = iut.ask(&ask.text());
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

/// RFC 3261 13.3.1.1, 13.3.1.4: an INVITE gets provisional responses and a 2xx.
#[test]
fn sip_cc_te_ce_v_001() {
    let (mut iut, _) = incoming();
    assert_eq!(iut.ring(180).label(), "180");
    assert_eq!(iut.answer().label(), "200");
}

/// RFC 3261 8.2.2.1: a scheme in the Request-URI that it does not know gets 416.
#[test]
fn sip_cc_te_ce_v_002() {
    let ask = Ask { uri: "unknown:bob@10.0.0.1".into(), ..Ask::invite() };
    assert_eq!(only(&mut Iut::udp(), &ask).label(), "416");
}

/// RFC 3261 8.2.2.1: a user that it does not have gets 404.
#[test]
fn sip_cc_te_ce_v_003() {
    let ask = Ask { uri: "sip:carol@10.0.0.1".into(), ..Ask::invite() };
    assert_eq!(only(&mut Iut::udp(), &ask).label(), "404");
}

/// RFC 3261 8.2.6.1: a 100 carries the Timestamp of its request.
#[test]
fn sip_cc_te_ce_v_004() {
    let mut iut = Iut::udp();
    let mut sent = iut.ask(&Ask::invite().more("Timestamp: 54.21\r\n").text());
    sent.extend(iut.run(200));
    assert_eq!(labels(&sent), ["100"]);
    assert!(sent[0].header("Timestamp").starts_with("54.21"));
}

/// RFC 3261 13.3.1: an INVITE that expires before it is answered gets 487.
#[test]
fn sip_cc_te_ce_v_005() {
    let mut iut = Iut::udp();
    iut.ask(&Ask::invite().more("Expires: 20\r\n").text());
    iut.ring(180);
    let sent = iut.watch(20_000);
    let last = sent.last().unwrap();
    assert_eq!((last.0, last.1.label()), (20_000, "487"));
}

/// RFC 3261 13.2.1: without an offer in the INVITE the 2xx has one.
#[test]
fn sip_cc_te_ce_v_006() {
    let mut iut = Iut::udp();
    iut.ask(&Ask { more: CONTACT.into(), ..Ask::new("INVITE") }.text());
    let ok = iut.answer();
    assert_eq!((ok.label(), ok.header("Content-Type")), ("200", "application/sdp"));
    assert!(ok.body().contains("m=audio 4000 "));
}

/// RFC 3261 13.2.1: with an offer in the INVITE the 2xx has the answer.
#[test]
fn sip_cc_te_ce_v_007() {
    let (mut iut, _) = incoming();
    let ok = iut.answer();
    assert_eq!((ok.label(), ok.header("Content-Type")), ("200", "application/sdp"));
    assert!(ok.body().contains("m=audio 4000 "));
}

/// RFC 3261 13.2.1, 20.11: a session description without Content-Disposition is a session.
#[test]
fn sip_cc_te_ce_v_008() {
    for disposition in ["", "Content-Disposition: session\r\n"] {
        let mut iut = Iut::udp();
        assert!(iut.ask(&Ask::invite().more(disposition).text()).is_empty());
        assert_eq!(iut.answer().label(), "200", "{disposition}");
    }
}

/// RFC 3261 20.11: a body of another type whose handling is optional harms nobody.
#[test]
fn sip_cc_te_ce_v_009() {
    let mut iut = Iut::udp();
    let ask = Ask { body: "hello".into(), ..Ask::new("INVITE") }
        .more(CONTACT)
        .more("Content-Type: text/plain\r\nContent-Disposition: render;handling=optional\r\n");
    assert!(iut.ask(&ask.text()).is_empty());
    assert_eq!(iut.answer().label(), "200");
}

/// An INVITE with a body that is not understood.
fn odd_body(more: &str) -> Out {
    let ask = Ask { body: "hello".into(), ..Ask::new("INVITE") }.more(CONTACT).more(more);
    only(&mut Iut::udp(), &ask)
}

/// RFC 3261 8.2.3: a body that is not understood and not optional gets 415.
#[test]
fn sip_cc_te_ce_v_010() {
    let required = "Content-Disposition: session;handling=required\r\n";
    assert_eq!(odd_body(&format!("Content-Type: text/plain\r\n{required}")).label(), "415");
    assert_eq!(odd_body("Content-Type: text/plain\r\n").label(), "415", "RFC 3261 20.11");
}

/// RFC 3261 8.2.3: the 415 lists the types in Accept.
#[test]
fn sip_cc_te_ce_v_011() {
    let refusal = odd_body("Content-Type: application/octet-stream\r\n");
    assert_eq!(refusal.label(), "415");
    assert!(refusal.header("Accept").contains("application/sdp"));
}

/// RFC 3261 8.2.3: the 415 to an encoding lists the encodings in Accept-Encoding.
#[test]
fn sip_cc_te_ce_v_012() {
    let refusal = odd_body("Content-Type: application/sdp\r\nContent-Encoding: gzip\r\n");
    assert_eq!((refusal.label(), refusal.header("Accept-Encoding")), ("415", "identity"));
}

/// RFC 3261 13.3.1.3: an offer that cannot be accepted gets 488 with a Warning.
#[test]
fn sip_cc_te_ce_v_013() {
    let mut iut = Iut::udp();
    let mut invite = Ask::invite();
    invite.body = invite.body.replace("RTP/AVP 0", "RTP/AVP 3");
    iut.ask(&invite.text());
    let refusal = iut.answer();
    assert_eq!(refusal.label(), "488");
    assert!(refusal.header("Warning").starts_with('3'));
}

/// RFC 3261 8.2.6.2: From, Call-ID, CSeq and every Via are the request's, in its order.
#[test]
fn sip_cc_te_ce_v_014() {
    let mut iut = Iut::udp();
    let ask = Ask::invite().more("Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\nVia: SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKc\r\n");
    iut.ask(&ask.text());
    for response in [iut.ring(180), iut.answer()] {
        assert_eq!(response.header("From"), ask.from);
        assert_eq!(response.header("Call-ID"), ask.call_id);
        assert_eq!(response.header("CSeq"), "10 INVITE");
        let vias = response.all("Via").join(", ");
        let order = ["z9hG4bKask1", "z9hG4bKb", "z9hG4bKc"].map(|b| vias.find(b).unwrap());
        assert!(order.is_sorted(), "{vias}");
    }
}

/// RFC 3261 8.2.6.2: To is the request's with a tag of ours.
#[test]
fn sip_cc_te_ce_v_015() {
    let (mut iut, invite) = incoming();
    let ok = iut.answer();
    assert_eq!(ok.header("To"), format!("{};tag={}", invite.to, ok.to_tag()));
    assert!(ok.to_tag().len() >= 7);
}

/// RFC 3261 8.2.6.2: the tag is the same in all responses of one request.
#[test]
fn sip_cc_te_ce_v_016() {
    let (mut iut, _) = incoming();
    let tags = [iut.ring(180), iut.ring(183), iut.answer()].map(|r| r.to_tag().to_string());
    assert!(!tags[0].is_empty() && tags.iter().all(|t| *t == tags[0]), "{tags:?}");
}

const ROUTES: &str =
    "Record-Route: <sip:10.0.0.8;lr>\r\nRecord-Route: <sip:10.0.0.7;lr;x=1>, <sip:10.0.0.6>\r\n";

/// RFC 3261 12.1.1: the 2xx copies Record-Route, in its order.
#[test]
fn sip_cc_te_ce_v_017() {
    let mut iut = Iut::udp();
    iut.ask(&Ask::invite().more(ROUTES).text());
    let routes = iut.answer().all("Record-Route").join(", ");
    assert_eq!(routes, "<sip:10.0.0.8;lr>, <sip:10.0.0.7;lr;x=1>, <sip:10.0.0.6>");
}

/// RFC 3261 12.1.1: so does a provisional response that makes a dialog.
#[test]
fn sip_cc_te_ce_v_018() {
    let mut iut = Iut::udp();
    iut.ask(&Ask::invite().more(ROUTES).text());
    let ringing = iut.ring(180);
    assert_eq!(
        ringing.all("Record-Route").join(", "),
        "<sip:10.0.0.8;lr>, <sip:10.0.0.7;lr;x=1>, <sip:10.0.0.6>"
    );
    assert_eq!(ringing.all("Contact"), ["<sip:bob@10.0.0.1:5060>"]);
}

/// RFC 3261 12.1.1: the 2xx has a Contact where the phone is reached.
#[test]
fn sip_cc_te_ce_v_019() {
    let (mut iut, _) = incoming();
    assert_eq!(iut.answer().all("Contact"), ["<sip:bob@10.0.0.1:5060>"]);
}

/// RFC 3261 12.1.1: a From without a tag, as RFC 2543 had it, makes a dialog all the same.
#[test]
fn sip_cc_te_ce_v_020() {
    let mut iut = Iut::udp();
    let invite = Ask { from: "<sip:alice@example.com>".into(), ..Ask::invite() };
    iut.ask(&invite.text());
    let ok = iut.answer();
    assert_eq!((ok.label(), ok.tag_of_from()), ("200", ""));
    iut.ask(&invite.next("ACK", 10, &ok).text());
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed));
}

/// RFC 3261 13.3.1.4: the 2xx says what can be used in the dialog, in Allow and Supported.
#[test]
fn sip_cc_te_ce_v_021() {
    let (mut iut, _) = incoming();
    let ok = iut.answer();
    assert!(ok.header("Allow").contains("BYE"));
    assert!(!ok.header("Supported").is_empty());
}

/// An INVITE, with the branch of RFC 3261 or one of RFC 2543, comes again once the phone has sent
/// `last`.
fn repeated(branch: &str, last: impl Fn(&mut Iut) -> Out) {
    let mut iut = Iut::udp();
    let via = format!("SIP/2.0/UDP 10.0.0.9{branch}");
    let invite = Ask { via, ..Ask::invite() };
    iut.ask(&invite.text());
    let response = last(&mut iut);
    let told = iut.changes();
    let sent = iut.ask(&invite.text());
    assert_eq!(sent.len(), 1);
    assert_eq!(sent[0].text, response.text);
    assert_eq!(iut.changes(), told, "the user is not told again");
}

const NEW: &str = ";branch=z9hG4bKnew";
const OLD: &str = "";

/// RFC 3261 17.2.1: in Proceeding a repeated INVITE gets the last provisional response again.
#[test]
fn sip_cc_te_ce_v_022() {
    repeated(NEW, |iut| iut.ring(183));
}

/// RFC 3261 17.2.1: of several, it is the last.
#[test]
fn sip_cc_te_ce_v_023() {
    repeated(NEW, |iut| {
        iut.ring(183);
        iut.ring(180)
    });
}

/// RFC 3261 17.2.1: in Completed it is the final one.
#[test]
fn sip_cc_te_ce_v_024() {
    repeated(NEW, |iut| iut.reject(486));
}

/// RFC 3261 17.2.3: so is it without the magic cookie, matched as RFC 2543 did: the provisional
/// response.
#[test]
fn sip_cc_te_ce_v_025() {
    repeated(OLD, |iut| iut.ring(180));
}

/// RFC 3261 17.2.3: the last of several, without the cookie.
#[test]
fn sip_cc_te_ce_v_026() {
    repeated(";branch=1", |iut| {
        iut.ring(180);
        iut.ring(181)
    });
}

/// RFC 3261 17.2.3: the final one, without the cookie.
#[test]
fn sip_cc_te_ce_v_027() {
    repeated(OLD, |iut| iut.reject(603));
}

/// An INVITE that has come by another way before.
fn merged(change: impl Fn(&mut Ask), last: impl Fn(&mut Iut)) -> Out {
    let (mut iut, mut again) = incoming();
    last(&mut iut);
    change(&mut again);
    only(&mut iut, &again)
}

/// RFC 3261 8.2.2.2: an INVITE with the same From tag, Call-ID and CSeq and another branch gets
/// 482.
#[test]
fn sip_cc_te_ce_v_028() {
    let change = |a: &mut Ask| a.via = "SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKother".into();
    assert_eq!(merged(change, |_| ()).label(), "482");
}

/// RFC 3261 8.2.2.2: so does one with another sent-by, once the first rings.
#[test]
fn sip_cc_te_ce_v_029() {
    let change = |a: &mut Ask| a.via = "SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKask1".into();
    assert_eq!(merged(change, |iut| drop(iut.ring(180))).label(), "482");
}

/// RFC 3261 8.2.2.2, 17.2.3: so does one without the cookie and with another Via.
#[test]
fn sip_cc_te_ce_v_030() {
    let change = |a: &mut Ask| a.via = "SIP/2.0/UDP 10.0.0.8".into();
    assert_eq!(merged(change, |iut| drop(iut.ring(180))).label(), "482");
}

/// RFC 3261 8.2.2.3: an extension that is required and not known gets 420, and is named in
/// Unsupported.
#[test]
fn sip_cc_te_ce_v_031() {
    let refusal = only(&mut Iut::udp(), &Ask::invite().more("Require: sip-future\r\n"));
    assert_eq!((refusal.label(), refusal.header("Unsupported")), ("420", "sip-future"));
}

/// The ACK of a refusal ends its repetitions, and nothing comes of the ACK.
fn acknowledged(branch: &str, change: impl Fn(Ask) -> Ask) {
    let mut iut = Iut::udp();
    let invite = Ask { via: format!("SIP/2.0/UDP 10.0.0.9{branch}"), ..Ask::invite() };
    iut.ask(&invite.text());
    let refusal = iut.reject(420);
    assert_eq!(iut.times("420", T1), [T1]);
    assert!(iut.ask(&change(invite.ack(&refusal)).text()).is_empty());
    assert!(iut.run(64 * T1).is_empty());
    iut.finish();
}

/// RFC 3261 17.2.1: an ACK in Completed ends the repetitions of the final response.
#[test]
fn sip_cc_te_ce_v_032() {
    acknowledged(NEW, |ack| ack);
}

/// RFC 3261 17.2.3: so does an ACK without the magic cookie.
#[test]
fn sip_cc_te_ce_v_033() {
    acknowledged(OLD, |ack| ack);
}

/// RFC 3261 8.2.2.3: Require in the ACK of a refusal is ignored.
#[test]
fn sip_cc_te_ce_i_001() {
    acknowledged(NEW, |ack| ack.more("Require: sip-future\r\n"));
}

/// RFC 3261 8.2.2.3: so is Proxy-Require.
#[test]
fn sip_cc_te_ce_i_002() {
    acknowledged(NEW, |ack| ack.more("Proxy-Require: sip-future\r\n"));
}

/// RFC 3261 17.2.1: on an unreliable transport a refusal is repeated after T1.
#[test]
fn sip_cc_te_ce_ti_001() {
    let (mut iut, _, busy) = refused(Iut::udp());
    let sent = iut.watch(T1);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, &sent[0].1.text), (T1, &busy.text));
}

/// RFC 3261 17.2.1: timer G doubles.
#[test]
fn sip_cc_te_ce_ti_002() {
    let (mut iut, ..) = refused(Iut::udp());
    assert_eq!(iut.times("486", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.2.1: but never beyond T2.
#[test]
fn sip_cc_te_ce_ti_003() {
    let (mut iut, ..) = refused(Iut::udp());
    let times = iut.times("486", 64 * T1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.2.1: on a reliable transport it is not repeated.
#[test]
fn sip_cc_te_ce_ti_004() {
    let (mut iut, ..) = refused(Iut::tcp());
    assert!(iut.run(64 * T1).is_empty());
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 17.2.1: timer H ends the repetitions after 64*T1.
#[test]
fn sip_cc_te_ce_ti_005() {
    let (mut iut, ..) = refused(Iut::udp());
    iut.run(64 * T1 - 1);
    assert!(!iut.engine.is_quiescent());
    iut.run(1);
    assert!(iut.engine.is_quiescent());
    assert!(iut.run(64 * T1).is_empty());
}

/// RFC 3261 17.2.1: in Confirmed no repeated INVITE is answered.
#[test]
fn sip_cc_te_ce_ti_006() {
    let (mut iut, invite, busy) = refused(Iut::udp());
    iut.ask(&invite.ack(&busy).text());
    iut.run(T4 - 1);
    assert!(iut.ask(&invite.text()).is_empty());
    assert_eq!(iut.changes().len(), 2, "nor told of");
}

/// RFC 3261 17.2.1: timer I absorbs further ACKs for T4, and not longer.
#[test]
fn sip_cc_te_ce_ti_007() {
    let (mut iut, invite, busy) = refused(Iut::udp());
    let ack = invite.ack(&busy).text();
    iut.ask(&ack);
    iut.run(T4 - 1);
    assert!(iut.ask(&ack).is_empty());
    assert!(!iut.engine.is_quiescent());
    iut.run(1);
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 17.2.1: timer I is zero on a reliable transport.
#[test]
fn sip_cc_te_ce_ti_008() {
    let (mut iut, invite, busy) = refused(Iut::tcp());
    assert!(iut.ask(&invite.ack(&busy).text()).is_empty());
    iut.run(0);
    assert!(iut.engine.is_quiescent());
}

/// When the 2xx of a call that nobody acknowledges is repeated, and what comes after it.
fn unacknowledged(mut iut: Iut) -> (Vec<u64>, Vec<Out>) {
    let mut invite = Ask::invite();
    if iut.transport != sansip::Transport::Udp {
        invite.via = invite.via.replace("UDP", "TCP");
        invite.more = invite.more.replace("10.0.0.9>", "10.0.0.9;transport=tcp>");
    }
    iut.ask(&invite.text());
    let ok = iut.answer();
    let sent = iut.watch(64 * T1);
    let (again, rest): (Vec<_>, Vec<_>) = sent.into_iter().partition(|(_, o)| o.text == ok.text);
    (again.into_iter().map(|(t, _)| t).collect(), rest.into_iter().map(|(_, o)| o).collect())
}

fn trusting() -> Iut {
    Iut::with(sansip::Transport::Udp, |config| {
        let ip = std::net::IpAddr::from([10, 0, 0, 9]);
        config.trusted.push(sansip::Network { ip, prefix: 32 });
    })
}

/// RFC 3261 13.3.1.4: a 2xx is repeated after T1, and the interval doubles.
#[test]
fn sip_cc_te_ce_ti_009() {
    let (times, _) = unacknowledged(trusting());
    assert_eq!(times[..3], [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 13.3.1.4: but never beyond T2, on reliable transports too.
#[test]
fn sip_cc_te_ce_ti_010() {
    for iut in [trusting(), Iut::tcp()] {
        let (times, _) = unacknowledged(iut);
        let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
        assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
    }
}

/// RFC 3261 13.3.1.4: the ACK ends the repetitions.
#[test]
fn sip_cc_te_ce_ti_011() {
    let (mut iut, invite) = incoming();
    let ok = iut.answer();
    assert_eq!(iut.times("200", 2 * T1), [T1]);
    assert!(iut.ask(&invite.text()).is_empty(), "RFC 6026 7.1: absorbed");
    assert!(iut.ask(&invite.next("ACK", 10, &ok).text()).is_empty());
    assert!(iut.run(64 * T1).is_empty());
    assert_eq!(iut.last_change(), Some(CallChange::Confirmed));
}

/// RFC 3261 13.3.1.4: without an ACK within 64*T1 the session is ended by a BYE.
#[test]
fn sip_cc_te_ce_ti_012() {
    let mut iut = trusting();
    iut.ask(&Ask::invite().text());
    iut.answer();
    let byes: Vec<_> = iut.watch(64 * T1).into_iter().filter(|(_, o)| o.is("BYE")).collect();
    assert_eq!(byes.len(), 1);
    assert_eq!((byes[0].0, byes[0].1.to_tag()), (64 * T1, "at"));
    iut.ask(&byes[0].1.answer("200 OK", "", ""));
    let end = CallChange::Ended { why: EndReason::NoAck, status: 0 };
    assert_eq!(iut.last_change(), Some(end));
}
