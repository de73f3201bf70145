//! OPTIONS, originating endpoint.

use sansip::Event;

use crate::iut::{Iut, Out, SDP, T1, T2, T4, challenge, labels, proves};

/// An OPTIONS to the tester.
fn query(iut: &mut Iut) -> Out {
    let (now, target) = (iut.at(), iut.target());
    iut.engine.options(now, Some(iut.line), target, 0, sansip::Extras::default()).unwrap();
    let mut sent = iut.drain();
    assert_eq!(labels(&sent), ["OPTIONS"]);
    sent.remove(0)
}

/// What was told of its OPTIONS.
fn told(iut: &Iut) -> Vec<u16> {
    let status = |e: &Event| match e {
        Event::Answered { status, .. } => Some(*status),
        _ => None,
    };
    iut.events.iter().filter_map(status).collect()
}

/// RFC 3261 8.1.1: the least that a request carries.
#[test]
fn sip_qc_oe_v_001() {
    let query = query(&mut Iut::udp());
    for name in ["To", "From", "CSeq", "Call-ID", "Max-Forwards", "Via"] {
        assert_eq!(query.all(name).len(), 1, "{name}");
    }
    assert_eq!(query.to_tag(), "", "RFC 3261 8.1.1.2");
}

/// RFC 3261 8.1.1.1: the Request-URI is the URI of To.
#[test]
fn sip_qc_oe_v_002() {
    let query = query(&mut Iut::udp());
    assert_eq!(format!("<{}>", query.request_uri()), query.header("To"));
}

/// RFC 3261 8.1.1.3: From is the line's address of record with a tag, another in each request.
#[test]
fn sip_qc_oe_v_003() {
    let mut iut = Iut::udp();
    let (one, two) = (query(&mut iut), query(&mut iut));
    assert!(one.header("From").contains("<sip:bob@example.com>;tag="));
    assert!(one.tag_of_from().len() >= 7);
    assert_ne!(
        (one.tag_of_from(), one.header("Call-ID")),
        (two.tag_of_from(), two.header("Call-ID"))
    );
}

/// RFC 3261 8.1.1.5: the method of CSeq is that of the request, its number below 2**31.
#[test]
fn sip_qc_oe_v_004() {
    let query = query(&mut Iut::udp());
    assert!(query.cseq() < 1 << 31);
    assert!(query.header("CSeq").ends_with(" OPTIONS"));
}

/// RFC 3261 8.1.1.6: Max-Forwards begins with 70.
#[test]
fn sip_qc_oe_v_005() {
    assert_eq!(query(&mut Iut::udp()).header("Max-Forwards"), "70");
}

/// RFC 3261 8.1.1.7: Via says SIP/2.0 and has a branch with the magic cookie, another each time.
#[test]
fn sip_qc_oe_v_007() {
    let mut iut = Iut::udp();
    let (one, two) = (query(&mut iut), query(&mut iut));
    assert!(one.header("Via").starts_with("SIP/2.0/UDP 10.0.0.1"));
    assert!(one.branch().starts_with("z9hG4bK") && one.branch().len() > 10);
    assert_ne!(one.branch(), two.branch());
}

/// RFC 3261 11.1: Accept says which bodies the 200 may have.
#[test]
fn sip_qc_oe_v_008() {
    assert!(query(&mut Iut::udp()).header("Accept").contains("application/sdp"));
}

/// RFC 3261 11.2: a 200 is told, and makes no dialog.
#[test]
fn sip_qc_oe_v_009() {
    let mut iut = Iut::udp();
    let query = query(&mut iut);
    let more = "Allow: INVITE\r\nContact: <sip:alice@10.0.0.9>\r\n";
    assert!(iut.ask(&query.answer("200 OK", "at", more)).is_empty());
    assert_eq!(told(&iut), [200]);
    assert_eq!(iut.engine.stats().dialogs, 0);
    iut.finish();
}

/// RFC 3261 11.2: a 200 may have a session description, and header fields that nobody has heard of.
#[test]
fn sip_qc_oe_v_010() {
    let mut iut = Iut::udp();
    let query = query(&mut iut);
    let more = "Supported: sip-future\r\nX-New: 1\r\nContent-Type: application/sdp\r\n";
    let ok = query.answer("200 OK", "at", more);
    let length = format!("Content-Length: {}", SDP.len());
    iut.ask(&(ok.replace("Content-Length: 0", &length) + SDP));
    assert_eq!(told(&iut), [200]);
}

/// RFC 3261 11.2, 8.1.3.2: a refusal is told with its status, as an INVITE would have got it.
#[test]
fn sip_qc_oe_v_011() {
    for status in ["404 Not Found", "486 Busy Here", "501 Not Implemented", "699 Odd"] {
        let mut iut = Iut::udp();
        let query = query(&mut iut);
        assert!(iut.ask(&query.answer(status, "at", "")).is_empty(), "no ACK");
        assert_eq!(told(&iut), [status[..3].parse::<u16>().unwrap()]);
        iut.finish();
    }
}

/// The OPTIONS again, with credentials, after a 401 or a 407; the first.
fn proven(iut: &mut Iut, status: u16) -> (Out, Out) {
    let first = query(iut);
    let mut sent = iut.ask(&challenge(&first, status, "n1", ""));
    assert_eq!(labels(&sent), ["OPTIONS"]);
    let second = sent.remove(0);
    assert!(proves(&second, status, "n1"), "{}", second.text);
    assert_eq!(told(iut), []);
    (first, second)
}

/// RFC 3261 22.2: after a 401 the OPTIONS goes again with Authorization for its realm and nonce.
#[test]
fn sip_qc_oe_v_012() {
    let mut iut = Iut::udp();
    let (_, second) = proven(&mut iut, 401);
    iut.ask(&second.answer("200 OK", "at", ""));
    assert_eq!(told(&iut), [200]);
}

/// RFC 3261 8.1.3.5: it has the Call-ID, To and From of the first, and the next CSeq number.
#[test]
fn sip_qc_oe_v_013() {
    let (first, second) = proven(&mut Iut::udp(), 401);
    for name in ["Call-ID", "To", "From"] {
        assert_eq!(second.header(name), first.header(name), "{name}");
    }
    assert_eq!(second.cseq(), first.cseq() + 1);
    assert_ne!(second.branch(), first.branch());
}

/// RFC 3261 22.3: after a 407 it has Proxy-Authorization.
#[test]
fn sip_qc_oe_v_014() {
    let (_, second) = proven(&mut Iut::udp(), 407);
    assert!(second.all("Authorization").is_empty());
}

/// RFC 3261 22.2: without credentials the 401 is told; a nonce that is only stale is answered at
/// once.
#[test]
fn sip_qc_oe_v_015() {
    let mut iut = Iut::udp();
    iut.secret = false;
    let first = query(&mut iut);
    assert!(iut.ask(&challenge(&first, 401, "n1", "")).is_empty());
    assert_eq!(told(&iut), [401]);

    let mut iut = Iut::udp();
    let (_, second) = proven(&mut iut, 401);
    let sent = iut.ask(&challenge(&second, 401, "n2", ", stale=true"));
    assert_eq!(labels(&sent), ["OPTIONS"]);
    assert!(proves(&sent[0], 401, "n2"));
    assert_eq!(iut.asked, 1);
}

/// RFC 3261 17.1.2.2: on an unreliable transport OPTIONS is repeated after T1.
#[test]
fn sip_qc_oe_ti_001() {
    let mut iut = Iut::udp();
    let query = query(&mut iut);
    let sent = iut.watch(T1);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].0, &sent[0].1.text), (T1, &query.text));
}

/// RFC 3261 17.1.2.2: timer E doubles.
#[test]
fn sip_qc_oe_ti_002() {
    let mut iut = Iut::udp();
    query(&mut iut);
    assert_eq!(iut.times("OPTIONS", 7 * T1), [T1, 3 * T1, 7 * T1]);
}

/// RFC 3261 17.1.2.2: but never beyond T2.
#[test]
fn sip_qc_oe_ti_003() {
    let mut iut = Iut::udp();
    query(&mut iut);
    let times = iut.times("OPTIONS", 64 * T1);
    let gaps: Vec<u64> = times.windows(2).map(|w| w[1] - w[0]).collect();
    assert_eq!(gaps, [1_000, 2_000, T2, T2, T2, T2, T2, T2, T2]);
}

/// RFC 3261 17.1.2.2: on a reliable transport it is not repeated.
#[test]
fn sip_qc_oe_ti_004() {
    let mut iut = Iut::tcp();
    assert!(query(&mut iut).header("Via").starts_with("SIP/2.0/TCP"));
    assert!(iut.run(64 * T1).is_empty());
    assert_eq!(told(&iut), [408]);
}

/// RFC 3261 17.1.2.2, 8.1.3.1: timer F ends it after 64*T1, which counts as a 408.
#[test]
fn sip_qc_oe_ti_005() {
    let mut iut = Iut::udp();
    query(&mut iut);
    iut.run(64 * T1 - 1);
    assert_eq!(told(&iut), []);
    iut.run(1);
    assert_eq!(told(&iut), [408]);
    assert!(iut.run(64 * T1).is_empty());
}

/// RFC 3261 17.1.2.2: after a provisional response it is repeated every T2.
#[test]
fn sip_qc_oe_ti_006() {
    let mut iut = Iut::udp();
    let query = query(&mut iut);
    iut.ask(&query.answer("100 Trying", "", ""));
    let times = iut.times("OPTIONS", 13_000);
    assert!(times.len() >= 3, "{times:?}");
    assert!(times.windows(2).all(|w| w[1] - w[0] == T2), "{times:?}");
}

/// RFC 3261 17.1.2.2: timer K absorbs what comes again for T4, and not longer.
#[test]
fn sip_qc_oe_ti_007() {
    let mut iut = Iut::udp();
    let query = query(&mut iut);
    let ok = query.answer("200 OK", "at", "");
    iut.ask(&ok);
    iut.run(T4 - 1);
    assert!(!iut.engine.is_quiescent());
    assert!(iut.ask(&ok).is_empty());
    iut.run(1);
    assert!(iut.engine.is_quiescent());
    assert!(iut.ask(&ok).is_empty());
    assert_eq!(told(&iut), [200], "once");
}
