//! OPTIONS, terminating endpoint.

use crate::iut::{Ask, Iut, Out, SDP};

/// What an OPTIONS gets.
fn queried(ask: &Ask) -> Out {
    let mut sent = Iut::udp().ask(&ask.text());
    assert_eq!(sent.len(), 1, "{sent:?}");
    sent.remove(0)
}

/// RFC 3261 11.2: an OPTIONS is answered as an INVITE would be: 200 where it could ring, and what
/// is refused is refused.
#[test]
fn sip_qc_te_v_001() {
    assert_eq!(queried(&Ask::new("OPTIONS")).label(), "200");
    let refused = queried(&Ask::new("OPTIONS").more("Require: sip-future\r\n"));
    assert_eq!((refused.label(), refused.header("Unsupported")), ("420", "sip-future"));
}

/// RFC 3261 8.2.6.2: From, Call-ID, CSeq and every Via of the 200 are the request's, in its order.
#[test]
fn sip_qc_te_v_002() {
    let ask = Ask::new("OPTIONS").more("Via: SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n");
    let ok = queried(&ask);
    assert_eq!((ok.header("From"), ok.header("Call-ID")), (&*ask.from, &*ask.call_id));
    assert_eq!(ok.header("CSeq"), "10 OPTIONS");
    let vias = ok.all("Via").join(", ");
    assert!(vias.find("z9hG4bKask1").unwrap() < vias.find("z9hG4bKb").unwrap());
}

/// RFC 3261 8.2.6.2: its To is the request's with a tag of ours, the same when it comes again.
#[test]
fn sip_qc_te_v_003() {
    let (mut iut, ask) = (Iut::udp(), Ask::new("OPTIONS"));
    let (one, two) = (iut.ask(&ask.text()).remove(0), iut.ask(&ask.text()).remove(0));
    assert_eq!(one.header("To"), format!("{};tag={}", ask.to, one.to_tag()));
    assert!(one.to_tag().len() >= 7);
    assert_eq!(one.to_tag(), two.to_tag());
}

/// RFC 3261 11.2, 8.2.6.2: in a dialog it gets 200 with the dialog's tags, and leaves it alone.
#[test]
fn sip_qc_te_v_004() {
    let (mut iut, invite) = (Iut::udp(), Ask::invite());
    iut.ask(&invite.text());
    let ok = iut.answer();
    iut.ask(&invite.next("ACK", 10, &ok).text());
    let told = iut.changes();
    let sent = iut.ask(&invite.next("OPTIONS", 11, &ok).text());
    assert_eq!((sent.len(), sent[0].label()), (1, "200"));
    assert_eq!((sent[0].header("To"), sent[0].header("From")), (ok.header("To"), &*invite.from));
    assert_eq!(iut.changes(), told);
    assert_eq!(iut.hangup()[0].label(), "BYE");
}

/// RFC 3261 11.2: the 200 says in Allow which methods it takes.
#[test]
fn sip_qc_te_v_005() {
    let ok = queried(&Ask::new("OPTIONS"));
    let allow: Vec<&str> = ok.header("Allow").split(", ").collect();
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] {
        assert!(allow.contains(&method), "{method}");
    }
}

/// RFC 3261 11.2: it says in Accept which bodies it understands, and a session description that it
/// lists is understood.
#[test]
fn sip_qc_te_v_006() {
    assert!(queried(&Ask::new("OPTIONS")).header("Accept").contains("application/sdp"));
    let body = SDP.to_string();
    let with_body = Ask { body, ..Ask::new("OPTIONS").more("Content-Type: application/sdp\r\n") };
    assert_eq!(queried(&with_body).label(), "200");
}

/// RFC 3261 11.2: and in Accept-Encoding which encodings.
#[test]
fn sip_qc_te_v_007() {
    assert_eq!(queried(&Ask::new("OPTIONS")).header("Accept-Encoding"), "identity");
}
