//! Messages, originating endpoint.

use sansip::CallChange;

use crate::iut::{CONTACT, Iut, Out, labels};

/// The 2xx of a call, changed on the way; the ACK.
fn acked(change: impl Fn(String) -> String) -> (Iut, Out, Out) {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let ok = change(invite.accept("200 OK", "at", CONTACT));
    let mut sent = iut.ask(&ok);
    assert_eq!(labels(&sent), ["ACK"], "{ok}");
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 200 }));
    (iut, invite, sent.remove(0))
}

/// What is called, as it is sent.
fn calling(target: &str) -> Result<Out, sansip::Error> {
    let mut iut = Iut::udp();
    let now = iut.at();
    iut.engine.invite(now, iut.line, target, 0, sansip::Extras::default())?;
    Ok(iut.drain().remove(0))
}

/// The ACK of a 2xx whose To has this in its URI, which no To may have: it is ignored.
fn to_with(component: &str) {
    let (_, _, ack) = acked(|ok| {
        ok.replace("To: <sip:alice@10.0.0.9>", &format!("To: <sip:alice@10.0.0.9{component}>"))
    });
    assert_eq!(ack.request_uri(), "sip:alice@10.0.0.9");
    assert_eq!(ack.to.to_string(), "10.0.0.9:5060");
    assert_eq!(ack.to_tag(), "at");
}

/// RFC 3261 19.1.1: the Request-URI and To are SIP URIs, the parameters as they were given.
#[test]
fn sip_mg_oe_v_001() {
    let invite = calling("sip:alice@10.0.0.9;user=phone").unwrap();
    assert_eq!(invite.request_uri(), "sip:alice@10.0.0.9;user=phone");
    assert!(invite.header("To").contains("<sip:alice@10.0.0.9;user=phone>"));
}

/// RFC 3261 19.1.1: a Request-URI has neither header fields nor a method.
#[test]
fn sip_mg_oe_v_002() {
    assert!(calling("sip:alice@10.0.0.9?Subject=x").is_err());
    assert!(calling("sip:alice@10.0.0.9;method=BYE").is_err());
}

/// RFC 3261 7.2: a status of a class stands for the class: a 299 is a success.
#[test]
fn sip_mg_oe_v_003() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    assert_eq!(labels(&iut.ask(&invite.accept("299 Fine", "at", CONTACT))), ["ACK"]);
    assert_eq!(iut.last_change(), Some(CallChange::Answered { status: 299 }));
}

/// RFC 3261 7.2: the reason phrase is for people, any or none.
#[test]
fn sip_mg_oe_v_004() {
    for reason in ["200 No Such Thing", "200 \u{43e}\u{43a}", "200 "] {
        acked(|ok| ok.replace("200 OK", reason));
    }
}

/// RFC 3261 7.3.1: there may be white space around the colon and on a line that goes on.
#[test]
fn sip_mg_oe_v_005() {
    acked(|ok| {
        ok.replace("Call-ID: ", "Call-ID  :\t ")
            .replace("Contact: ", "Contact:\r\n  ")
            .replace("CSeq: 1 INVITE", "CSeq: 1\r\n\tINVITE")
    });
}

/// RFC 3261 7.3.1: the order of fields with different names says nothing.
#[test]
fn sip_mg_oe_v_006() {
    acked(|ok| {
        let (head, body) = ok.split_once("\r\n\r\n").unwrap();
        let mut lines: Vec<&str> = head.split("\r\n").collect();
        lines[1..].reverse();
        format!("{}\r\n\r\n{body}", lines.join("\r\n"))
    });
}

/// RFC 3261 7.3.1: several values of a list may stand in one field or in several.
#[test]
fn sip_mg_oe_v_007() {
    let one = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\r\n";
    let several = "Record-Route: <sip:10.0.0.8;lr>\r\nRecord-Route: <sip:10.0.0.7;lr>\r\n";
    let routes = [one, several].map(|rr| {
        let (_, ack) = Iut::udp().called(rr);
        ack.all("Route").join(", ")
    });
    assert_eq!(routes[0], routes[1]);
    assert_eq!(routes[0], "<sip:10.0.0.7;lr>, <sip:10.0.0.8;lr>");
}

/// The ACK of a 2xx with this Contact.
fn contact(value: &str) -> Out {
    let (_, _, ack) = acked(|ok| ok.replace(CONTACT, &format!("Contact: {value}\r\n")));
    ack
}

/// RFC 3261 19.1.1: the port of a URI says where to, 5060 if there is none.
#[test]
fn sip_mg_oe_v_008() {
    assert_eq!(contact("<sip:alice@10.0.0.66:5099>").to.to_string(), "10.0.0.66:5099");
    assert_eq!(contact("<sip:alice@10.0.0.66>").to.to_string(), "10.0.0.66:5060");
}

/// RFC 3261 19.1.1, 19.1.2: escapes, unknown parameters and passwords of a URI are kept as they
/// are.
#[test]
fn sip_mg_oe_v_009() {
    for uri in ["sip:%61lice%20b@10.0.0.9", "sip:alice:pass@10.0.0.9", "sip:a@10.0.0.9;new=1;x"] {
        assert_eq!(contact(&format!("<{uri}>")).request_uri(), uri);
    }
}

/// RFC 3261 19.1.1: `maddr` overrides the host of a URI, and `transport` says how to get there.
#[test]
fn sip_mg_oe_v_010() {
    assert_eq!(contact("<sip:alice@10.0.0.9;maddr=10.0.0.77>").to.to_string(), "10.0.0.77:5060");
    let ack = contact("<sip:alice@10.0.0.9;transport=tcp>");
    assert!(ack.header("Via").starts_with("SIP/2.0/TCP"));
}

/// RFC 3261 8.2.2: a header field that is not understood is ignored.
#[test]
fn sip_mg_oe_v_011() {
    acked(|ok| ok.replace("Contact", "X-Unknown: any, thing;at=\"all\"\r\nContact"));
}

/// RFC 3261 7.3.1: names of fields, of parameters and tokens are the same in any case.
#[test]
fn sip_mg_oe_v_012() {
    acked(|ok| {
        ok.replace("Via: ", "VIA: ")
            .replace(";branch=", ";BRANCH=")
            .replace("To: ", "tO: ")
            .replace(";tag=at", ";TAG=at")
            .replace("Call-ID", "call-id")
    });
}

/// RFC 3261 7.3.1: the SIP version is the same in any case.
#[test]
fn sip_mg_oe_v_013() {
    acked(|ok| ok.replace("SIP/2.0 200", "sip/2.0 200").replace("SIP/2.0/UDP", "sip/2.0/udp"));
}

/// RFC 3261 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_oe_v_014() {
    let (_, _, ack) = acked(|ok| {
        ok.replace("Via: ", "v: ")
            .replace("From: ", "f: ")
            .replace("To: ", "t: ")
            .replace("Call-ID: ", "i: ")
            .replace("Contact: <sip:alice@10.0.0.9>", "m: <sip:alice@10.0.0.66>")
            .replace("Content-Length: ", "l: ")
    });
    assert_eq!(ack.request_uri(), "sip:alice@10.0.0.66");
}

/// RFC 3261 18.1.1: a request of more than 1,300 bytes goes by a transport with congestion
/// control, or by UDP to a peer that has no other.
#[test]
fn sip_mg_oe_v_015() {
    for (len, connectable, transport) in
        [(200, true, "UDP"), (1_300, true, "TCP"), (1_300, false, "UDP")]
    {
        let mut iut = Iut::udp();
        iut.connectable = connectable;
        let (now, long) = (iut.at(), "x".repeat(len));
        let headers = &[("Subject", &*long)];
        let extras = sansip::Extras { headers, ..sansip::Extras::default() };
        iut.engine.invite(now, iut.line, "sip:alice@10.0.0.9", 0, extras).unwrap();
        let invite = iut.drain().remove(0);
        assert_eq!(iut.connects.len(), usize::from(len > 1_000));
        assert!(invite.header("Via").starts_with(&format!("SIP/2.0/{transport} ")));
        assert_eq!(invite.to.to_string(), "10.0.0.9:5060");
    }
}

/// RFC 3261 19.1.1, table 1: a port in the URI of To is ignored.
#[test]
fn sip_mg_oe_i_001() {
    to_with(":5099");
}

/// RFC 3261 19.1.1, table 1: a method there is ignored.
#[test]
fn sip_mg_oe_i_002() {
    to_with(";method=BYE");
}

/// RFC 3261 19.1.1, table 1: an maddr there is ignored.
#[test]
fn sip_mg_oe_i_003() {
    to_with(";maddr=10.0.0.77");
}

/// RFC 3261 19.1.1, table 1: a ttl there is ignored.
#[test]
fn sip_mg_oe_i_004() {
    to_with(";ttl=15");
}

/// RFC 3261 19.1.1, table 1: a transport there is ignored.
#[test]
fn sip_mg_oe_i_005() {
    to_with(";transport=tcp");
}

/// RFC 3261 19.1.1, table 1: an lr there is ignored.
#[test]
fn sip_mg_oe_i_006() {
    to_with(";lr");
}

/// RFC 3261 19.1.1, table 1: header fields there are ignored.
#[test]
fn sip_mg_oe_i_007() {
    to_with("?Route=%3Csip:10.0.0.77%3E");
}

/// RFC 3261 7.3.2, 20 table 2: a field that a response has no use for is ignored.
#[test]
fn sip_mg_oe_i_008() {
    let (_, _, ack) = acked(|ok| {
        let odd = "Max-Forwards: 0\r\nRoute: <sip:10.0.0.77;lr>\r\nSubject: x\r\nContact";
        ok.replace("Contact", odd)
    });
    assert!(ack.all("Route").is_empty());
    assert_eq!(ack.header("Max-Forwards"), "70");
}

/// RFC 3261 18.3: bytes after the body of a datagram are discarded.
#[test]
fn sip_mg_oe_i_009() {
    acked(|ok| ok + "INVITE sip:bob@10.0.0.1 SIP/2.0\r\n\r\n");
}

/// RFC 3261 18.3: a response whose datagram ends before its body does is discarded.
#[test]
fn sip_mg_oe_i_010() {
    let mut iut = Iut::udp();
    let invite = iut.dial();
    let ok = invite.accept("200 OK", "at", CONTACT);
    assert!(iut.ask(&ok[..ok.len() - 20]).is_empty());
    assert!(iut.changes().is_empty());
    assert_eq!(labels(&iut.ask(&ok)), ["ACK"]);
}
