//! Call release and session modification, originating endpoint.

use sansip::{CallChange, EndReason};

use crate::iut::{Ask, CONTACT, Iut, Out, SDP, T1, T2, T4, labels};

/// The BYE of a call that the phone placed and ends, with the INVITE.
fn bye(iut: &mut Iut, more: &str) -> (Out, Out) {
    let (invite, _) = iut.called(more);
    let mut sent = iut.hangup();
    assert_eq!(labels(&sent), ["BYE"]);
    (invite, sent.remove(0))
}

/// RFC 3261 15: BYE ends a call that was answered.
#[test]
fn sip_cc_oe_cr_v_001() {
    let mut iut = Iut::udp();
    let (_, bye) = bye(&mut iut, "");
    assert!(iut.ask(&bye.answer("200 OK", "", "")).is_empty());
    let end = CallChange::Ended { why: EndReason::Hangup, status: 0 };
    assert_eq!(iut.last_change(), Some(end));
    iut.finish();
}

/// RFC 3261 12.2.1.1: its To is the remote URI with the remote tag.
#[test]
fn sip_cc_oe_cr_v_002() {
    let (invite, bye) = bye(&mut Iut::udp(), "");
    assert_eq!(bye.header("To"), format!("{};tag=at", invite.header("To")));
}

/// RFC 3261 12.2.1.1: From and Call-ID are those of the dialog.
#[test]
fn sip_cc_oe_cr_v_003() {
    let (invite, bye) = bye(&mut Iut::udp(), "");
    for name in ["From", "Call-ID"] {
        assert_eq!(bye.header(name), invite.header(name), "{name}");
    }
}

/// RFC 3261 12.2.1.1: the CSeq number is one more than the last.
#[test]
fn sip_cc_oe_cr_v_004() {
    let (invite, bye) = bye(&mut Iut::udp(), "");
    assert_eq!(bye.header("CSeq"), format!("{} BYE", invite.cseq() + 1));
}

/// RFC 3261 12.2.1.1: without a route the Request-URI is the remote target.
#[test]
fn sip_cc_oe_cr_v_005() {
    let (_, bye) = bye(&mut Iut::udp(), "");
    assert_eq!(bye.first_line(), "BYE sip:alice@10.0.0.9 SIP/2.0");
    assert!(bye.all("Route").is_empty());
}

/// RFC 3261 12.2.1.1: with loose routers too, and Route has them all.
#[test]
fn sip_cc_oe_cr_v_006() {
    let route = "Record-Route: <sip:10.0.0.8;lr>\r\nRecord-Route: <sip:10.0.0.7;lr>\r\n";
    let (_, bye) = bye(&mut Iut::udp(), route);
    assert_eq!(bye.request_uri(), "sip:alice@10.0.0.9");
    assert_eq!(bye.all("Route").join(", "), "<sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>");
}

/// RFC 3261 12.2.1.1: a strict router is the Request-URI, and the remote target the last Route.
#[test]
fn sip_cc_oe_cr_v_007() {
    let (_, bye) = bye(&mut Iut::udp(), "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7>\r\n");
    assert_eq!(bye.request_uri(), "sip:10.0.0.7");
    assert_eq!(bye.all("Route").join(", "), "<sip:10.0.0.8;lr>, <sip:alice@10.0.0.9>");
}

/// RFC 3261 8.1.1.7, 12.2.1.1: it is a transaction of its own.
#[test]
fn sip_cc_oe_cr_v_008() {
    let (invite, bye) = bye(&mut Iut::udp(), "");
    assert!(bye.branch().starts_with("z9hG4bK") && bye.branch() != invite.branch());
    assert_eq!((bye.all("Via").len(), bye.header("Max-Forwards")), (1, "70"));
}

/// RFC 3261 15.1.1: the call is over whatever comes back to the BYE, or nothing.
#[test]
fn sip_cc_oe_cr_v_009() {
    for status in ["481 Call/Transaction Does Not Exist", "408 Request Timeout", ""] {
        let mut iut = Iut::udp();
        let (_, bye) = bye(&mut iut, "");
        if status.is_empty() {
            iut.run(64 * T1);
        } else {
            iut.ask(&bye.answer(status, "", ""));
        }
        let end = CallChange::Ended { why: EndReason::Hangup, status: 0 };
        assert_eq!(iut.last_change(), Some(end), "{status}");
        iut.finish();
    }
}

/// The CANCEL of a call that rings, with the INVITE.
fn cancel(iut: &mut Iut) -> (Out, Out) {
    let invite = iut.dial();
    iut.ask(&invite.answer("180 Ringing", "at", CONTACT));
    let mut sent = iut.hangup();
    assert_eq!(labels(&sent), ["CANCEL"]);
    (invite, sent.remove(0))
}

/// RFC 3261 9.1: Request-URI, Call-ID, To, From and the number of CSeq are those of the INVITE.
#[test]
fn sip_cc_oe_cr_v_010() {
    let (invite, cancel) = cancel(&mut Iut::udp());
    assert_eq!(cancel.request_uri(), invite.request_uri());
    for name in ["Call-ID", "To", "From"] {
        assert_eq!(cancel.all(name), invite.all(name), "{name}");
    }
    assert_eq!(cancel.header("CSeq"), format!("{} CANCEL", invite.cseq()));
}

/// RFC 3261 9.1: it has one Via, the INVITE's.
#[test]
fn sip_cc_oe_cr_v_011() {
    let (invite, cancel) = cancel(&mut Iut::udp());
    assert_eq!(cancel.all("Via"), invite.all("Via"));
    assert_eq!(cancel.to, invite.to);
}

/// RFC 3261 9.1: it has the INVITE's Route, and neither Require nor Proxy-Require.
#[test]
fn sip_cc_oe_cr_v_012() {
    let mut iut = Iut::udp();
    let line = sansip::LineConfig {
        aor: "sip:bob@example.com",
        proxy: "sip:10.0.0.9;lr",
        ..sansip::LineConfig::default()
    };
    iut.line = iut.engine.add_line(iut.at(), line).unwrap();
    let (invite, cancel) = cancel(&mut iut);
    assert_eq!(invite.all("Route"), ["<sip:10.0.0.9;lr>"]);
    assert_eq!(cancel.all("Route"), invite.all("Route"));
    assert!(cancel.all("Require").is_empty() && cancel.all("Proxy-Require").is_empty());
}

/// RFC 3261 9.1: nothing is cancelled before a provisional response has come.
#[test]
fn sip_cc_oe_cr_v_013() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    assert!(iut.hangup().is_empty());
    assert_eq!(iut.times("CANCEL", 2_000), []);
    let sent = iut.ask(&invite.answer("100 Trying", "", ""));
    assert_eq!(labels(&sent), ["CANCEL"]);
}

/// RFC 3261 9.1: the call is over with the 487, which is acknowledged.
#[test]
fn sip_cc_oe_cr_v_014() {
    let mut iut = Iut::udp();
    let (invite, cancel) = cancel(&mut iut);
    assert!(iut.ask(&cancel.answer("200 OK", "at", "")).is_empty());
    assert_eq!(iut.changes().len(), 1, "the 200 to the CANCEL ends nothing");
    let sent = iut.ask(&invite.answer("487 Request Terminated", "at", ""));
    assert_eq!(labels(&sent), ["ACK"]);
    let end = CallChange::Ended { why: EndReason::Abandoned, status: 487 };
    assert_eq!(iut.last_change(), Some(end));
    iut.finish();
}

/// RFC 3261 15: a 2xx that crossed the CANCEL is acknowledged, and the session ended by a BYE.
#[test]
fn sip_cc_oe_cr_v_015() {
    let mut iut = Iut::udp();
    let (invite, cancel) = cancel(&mut iut);
    iut.ask(&cancel.answer("200 OK", "at", ""));
    let sent = iut.ask(&invite.accept("200 OK", "at", CONTACT));
    assert_eq!(labels(&sent), ["ACK", "BYE"]);
    assert_eq!(sent[1].to_tag(), "at");
    iut.ask(&sent[1].answer("200 OK", "", ""));
    iut.finish();
}

/// RFC 3261 9.1: a CANCEL that finds nothing (481) leaves the INVITE as it was, so a 2xx is
/// still acknowledged.
#[test]
fn sip_cc_oe_cr_i_001() {
    let mut iut = Iut::udp();
    let (invite, cancel) = cancel(&mut iut);
    assert!(iut.ask(&cancel.answer("481 Call/Transaction Does Not Exist", "at", "")).is_empty());
    assert_eq!(iut.changes().len(), 1);
    let sent = iut.ask(&invite.accept("200 OK", "at", CONTACT));
    assert_eq!(labels(&sent), ["ACK", "BYE"]);
}

/// RFC 3261 17.1.2.2: on an unreliable transport BYE is repeated after T1.
#[test]
fn sip_cc_oe_cr_ti_001() {
    let mut iut = Iut::udp();
    let (_, bye) = bye(&mut iut, "");
    let sent = iut.watch(T1);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, &sent[0].1.text), (T1, &bye.text));
}

/// RFC 3261 17.1.2.2: timer E doubles.
#[test]
fn sip_cc_oe_cr_ti_002() {
    let mut iut = Iut::udp();
    bye(&mut iut, "");
    assert_eq!(iut.times("BYE", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.1.2.2: but never beyond T2.
#[test]
fn sip_cc_oe_cr_ti_003() {
    let mut iut = Iut::udp();
    bye(&mut iut, "");
    let times = iut.times("BYE", 64 * T1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.1.2.2: on a reliable transport it is not repeated.
#[test]
fn sip_cc_oe_cr_ti_004() {
    let mut iut = Iut::tcp();
    let invite = iut.dial();
    iut.ask(&invite.accept("200 OK", "at", "Contact: <sip:alice@10.0.0.9;transport=tcp>\r\n"));
    let bye = iut.hangup().remove(0);
    assert!(bye.header("Via").starts_with("SIP/2.0/TCP"));
    assert!(iut.run(64 * T1).is_empty());
    assert!(iut.engine.is_quiescent());
}

/// RFC 3261 17.1.2.2: timer F ends it after 64*T1.
#[test]
fn sip_cc_oe_cr_ti_005() {
    let mut iut = Iut::udp();
    bye(&mut iut, "");
    iut.run(64 * T1 - 1);
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }));
    iut.run(1);
    assert!(matches!(iut.last_change(), Some(CallChange::Ended { .. })));
    assert!(iut.run(64 * T1).is_empty());
}

/// RFC 3261 17.1.2.2: after a provisional response it is repeated every T2.
#[test]
fn sip_cc_oe_cr_ti_006() {
    let mut iut = Iut::udp();
    let (_, bye) = bye(&mut iut, "");
    iut.ask(&bye.answer("100 Trying", "", ""));
    let times = iut.times("BYE", 13_000);
    assert!(times.len() >= 3, "{times:?}");
    assert!(times.windows(2).all(|w| w[1] - w[0] == T2), "{times:?}");
}

/// RFC 3261 17.1.2.2: timer K absorbs what comes again for T4, and not longer.
#[test]
fn sip_cc_oe_cr_ti_007() {
    let mut iut = Iut::udp();
    iut.called("");
    iut.run(64 * T1);
    let bye = iut.hangup().remove(0);
    let ok = bye.answer("200 OK", "", "");
    iut.ask(&ok);
    let told = iut.changes();
    iut.run(T4 - 1);
    assert!(!iut.engine.is_quiescent());
    assert!(iut.ask(&ok).is_empty());
    iut.run(1);
    assert!(iut.engine.is_quiescent());
    assert!(iut.ask(&ok).is_empty());
    assert_eq!(iut.changes(), told);
}

/// RFC 3261 9.1: an INVITE that is cancelled and gets no final response is over after 64*T1.
#[test]
fn sip_cc_oe_cr_ti_008() {
    let mut iut = Iut::udp();
    let (_, cancel) = cancel(&mut iut);
    iut.ask(&cancel.answer("200 OK", "at", ""));
    iut.run(64 * T1 - 1);
    assert_eq!(iut.changes().len(), 1);
    iut.run(1);
    assert!(matches!(iut.last_change(), Some(CallChange::Ended { .. })));
    iut.finish();
}

/// A re-INVITE of the tester's in a call that the phone placed.
fn reinvite(invite: &Out, offer: &str) -> Ask {
    Ask {
        from: format!("{};tag=at", invite.header("To")),
        to: invite.header("From").into(),
        call_id: invite.header("Call-ID").into(),
        cseq: 1,
        body: offer.into(),
        ..Ask::invite()
    }
}

/// RFC 3261 14.2: a re-INVITE that meets one of ours that waits gets 491.
#[test]
fn sip_cc_oe_sm_v_001() {
    let mut iut = Iut::udp();
    let (invite, _) = iut.called("");
    let (call, now) = (iut.call(), iut.at());
    iut.engine.reinvite(now, call, sansip::Extras::default()).unwrap();
    assert_eq!(labels(&iut.drain()), ["INVITE"]);
    let sent = iut.ask(&reinvite(&invite, SDP).text());
    assert_eq!(labels(&sent), ["491"]);
    assert_eq!(sent[0].to_tag(), invite.tag_of_from());
}

/// RFC 3261 14.2: an offer that cannot be accepted gets 488, and the session stays as it is.
#[test]
fn sip_cc_oe_sm_v_002() {
    let mut iut = Iut::udp();
    let (invite, _) = iut.called("");
    let agreed = iut.agreed;
    let re = reinvite(&invite, &SDP.replace("RTP/AVP 0", "RTP/AVP 3"));
    let sent = iut.ask(&re.text());
    assert_eq!(labels(&sent), ["488"]);
    assert!(sent[0].header("Warning").starts_with('3'));
    assert!(iut.ask(&re.ack(&sent[0]).text()).is_empty());
    assert_eq!(iut.agreed, agreed);
    let bye = iut.hangup().remove(0);
    assert_eq!(bye.request_uri(), "sip:alice@10.0.0.9");
    iut.ask(&bye.answer("200 OK", "", ""));
    iut.finish();
}
