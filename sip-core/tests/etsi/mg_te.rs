//! Messages, terminating endpoint.

use sansip::{CallChange, Transport};

use crate::iut::{Ask, CONTACT, Iut, Out, SDP, TESTER, labels};

/// Whether this INVITE rings at the phone; the 180.
fn rings(text: &str) -> Out {
    let mut iut = Iut::udp();
    let sent = iut.ask(text);
    assert!(sent.is_empty(), "{text}{sent:?}");
    assert_eq!(iut.changes(), [CallChange::Incoming], "{text}");
    iut.ring(180)
}

/// The one response to a message.
fn only(text: &str) -> Out {
    let mut sent = Iut::udp().ask(text);
    assert_eq!(sent.len(), 1, "{text}{sent:?}");
    sent.remove(0)
}

fn to_uri(uri: &str) -> String {
    Ask { uri: uri.into(), ..Ask::invite() }.text()
}

/// RFC 3261 19.1.1: a Request-URI with the default port and one without are for the phone.
#[test]
fn sip_mg_te_v_001() {
    rings(&to_uri("sip:bob@10.0.0.1"));
    rings(&to_uri("sip:bob@10.0.0.1:5060"));
}

/// RFC 3261 19.1.1: parameters that it does not know are ignored.
#[test]
fn sip_mg_te_v_002() {
    rings(&to_uri("sip:bob@10.0.0.1;new=1;flag"));
}

/// RFC 3261 19.1.1: so are those that it knows, in any order.
#[test]
fn sip_mg_te_v_003() {
    rings(&to_uri("sip:bob@10.0.0.1;transport=udp;user=ip;maddr=10.0.0.1;ttl=1"));
    rings(&to_uri("sip:bob@10.0.0.1;ttl=1;maddr=10.0.0.1;transport=udp"));
}

/// RFC 3261 19.1.2: a character that need not be escaped is the same escaped.
#[test]
fn sip_mg_te_v_004() {
    rings(&to_uri("sip:%62ob@10.0.0.1"));
    rings(&to_uri("sip:b%6Fb@10.0.0.1"));
}

/// RFC 3261 19.1.4: scheme and host are the same in any case, the user part is not.
#[test]
fn sip_mg_te_v_005() {
    rings(&to_uri("SIP:bob@EXAMPLE.com"));
    assert_eq!(only(&to_uri("sip:BOB@example.com")).label(), "404");
}

/// RFC 3261 8.2.1: a method that is known and not supported gets 405 with Allow, an unknown one 501.
#[test]
fn sip_mg_te_v_006() {
    let refusal = only(&Ask::new("PUBLISH").text());
    assert_eq!(refusal.label(), "405");
    for method in ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS"] {
        assert!(refusal.header("Allow").contains(method), "{method}");
    }
    assert_eq!(only(&Ask::new("FROBNICATE").text()).label(), "501");
}

/// RFC 3261 8.2.2: a header field that is not understood is ignored.
#[test]
fn sip_mg_te_v_007() {
    rings(&Ask::invite().more("X-Unknown: any, thing;at=\"all\"\r\nNew-One:\r\n").text());
}

/// RFC 3261 7.3.1: there may be white space around the colon.
#[test]
fn sip_mg_te_v_008() {
    let text = Ask::invite().text();
    rings(
        &text
            .replace("To: ", "To\t :  ")
            .replace("CSeq: ", "CSeq:")
            .replace("Call-ID:", "Call-ID :"),
    );
}

/// RFC 3261 7.3.1: a value may go on in the next line.
#[test]
fn sip_mg_te_v_009() {
    let text = Ask::invite().text();
    let folded = text.replace(";tag=at", "\r\n ;tag=at").replace("CSeq: 10 ", "CSeq: 10\r\n\t");
    let ringing = rings(&folded);
    assert!(ringing.text.contains(";tag=at"));
}

/// RFC 3261 7.3.1: the order of fields with different names says nothing.
#[test]
fn sip_mg_te_v_010() {
    let text = Ask { body: String::new(), more: CONTACT.into(), ..Ask::invite() }.text();
    let (start, rest) = text.split_once("\r\n").unwrap();
    let mut fields: Vec<&str> = rest.trim_end().split("\r\n").collect();
    fields.reverse();
    rings(&format!("{start}\r\n{}\r\n\r\n", fields.join("\r\n")));
}

/// RFC 3261 7.3.1: several values of a list may stand in one field or in several.
#[test]
fn sip_mg_te_v_011() {
    let one = "Record-Route: <sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>\r\n";
    let several = "Record-Route: <sip:10.0.0.8;lr>\r\nRecord-Route: <sip:10.0.0.7;lr>\r\n";
    for rr in [one, several] {
        let ringing = rings(&Ask::invite().more(rr).text());
        assert_eq!(ringing.all("Record-Route").join(", "), "<sip:10.0.0.8;lr>, <sip:10.0.0.7;lr>");
    }
    let vias =
        "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1, SIP/2.0/UDP 10.0.0.8;branch=z9hG4bKb\r\n";
    let text =
        Ask::invite().text().replace("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKask1\r\n", vias);
    assert!(rings(&text).all("Via").join(", ").contains("z9hG4bKb"));
}

/// RFC 3261 7.3.1: names of fields and parameters are the same in any case.
#[test]
fn sip_mg_te_v_012() {
    let text = Ask::invite().text();
    rings(
        &text
            .replace("Via: ", "VIA: ")
            .replace("From: ", "FROM: ")
            .replace(";tag=", ";Tag=")
            .replace("Call-ID", "CALL-id")
            .replace("Content-Type: application/sdp", "content-type: APPLICATION/SDP"),
    );
}

/// RFC 3261 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_te_v_013() {
    let text = Ask::invite().text();
    let long = ["Via", "From", "To", "Call-ID", "Contact", "Content-Type", "Content-Length"];
    let short = ["v", "f", "t", "i", "m", "c", "l"];
    let compact = long.iter().zip(short).fold(text, |text, (long, short)| {
        text.replace(&format!("\r\n{long}: "), &format!("\r\n{short}: "))
    });
    rings(&compact);
}

/// RFC 3261 18.1.1: a datagram may have any size up to what UDP carries.
#[test]
fn sip_mg_te_v_014() {
    for len in [1_300, 2_000, 8_000] {
        rings(&Ask::invite().more(&format!("Subject: {}\r\n", "x".repeat(len))).text());
    }
    let mut body = SDP.to_string();
    while body.len() < 60_000 {
        body.push_str("a=x:some more of it\r\n");
    }
    let mut iut = Iut::udp();
    let sent = iut.ask(&Ask { body, ..Ask::invite() }.text());
    assert!(labels(&sent).iter().all(|l| *l != "513"), "{sent:?}");
}

/// RFC 3261 7.5: empty lines before the start line are ignored, on a stream and in a datagram.
#[test]
fn sip_mg_te_v_015() {
    rings(&format!("\r\n\r\n{}", Ask::invite().text()));
    let mut iut = Iut::tcp();
    let text = Ask::invite().text().replace("SIP/2.0/UDP", "SIP/2.0/TCP");
    iut.ask(&format!("\r\n\r\n\r\n{text}"));
    assert_eq!(iut.changes(), [CallChange::Incoming]);
    assert_eq!((iut.ring(180).to, iut.transport), (TESTER, Transport::Tcp));
}

/// RFC 3261 7.1: a Request-URI in angle brackets or with a space in it gets 400.
#[test]
fn sip_mg_te_i_001() {
    for uri in ["<sip:bob@10.0.0.1>", "sip:bob@10.0.0.1; lr", "sip:bob @10.0.0.1"] {
        assert_eq!(only(&to_uri(uri)).label(), "400", "{uri}");
    }
}

/// RFC 3261 19.1.1, table 1: header fields in the Request-URI, which it may not have, are not acted
/// on: 400.
#[test]
fn sip_mg_te_i_002() {
    assert_eq!(only(&to_uri("sip:bob@10.0.0.1?Route=%3Csip:10.0.0.77%3E")).label(), "400");
}

/// RFC 3261 19.1.1, table 1: a method in the Request-URI is ignored.
#[test]
fn sip_mg_te_i_003() {
    rings(&to_uri("sip:bob@10.0.0.1;method=BYE"));
}

/// RFC 3261 19.1.1, table 1: what From and To may not have is ignored there.
#[test]
fn sip_mg_te_i_004() {
    for odd in
        [":5099", ";method=BYE", ";maddr=10.0.0.77", ";ttl=3", ";transport=tcp", ";lr", "?a=b"]
    {
        let to = format!("<sip:bob@example.com{odd}>");
        let from = format!("<sip:alice@example.com{odd}>;tag=at");
        let ringing = rings(&Ask { to, from, ..Ask::invite() }.text());
        assert_eq!(ringing.to, TESTER, "{odd}");
    }
}

/// RFC 3261 21.4.1: a malformed request gets 400.
#[test]
fn sip_mg_te_i_005() {
    let text = Ask::invite().text();
    for broken in [
        text.replace("CSeq: 10 INVITE", "CSeq: ten INVITE"),
        text.replace("CSeq: 10 INVITE\r\n", ""),
        text.replace("Call-ID: c1\r\n", ""),
        text.replace("<sip:bob@example.com>", "<sip:bob@example.com"),
        text.replace("\r\nMax-Forwards: 70", "\r\nMax-Forwards: many"),
    ] {
        let refusal = only(&broken);
        assert!(refusal.first_line().starts_with("SIP/2.0 400 "), "{broken}");
    }
}

/// RFC 3261 7.3.2, 20 table 2: a field that an INVITE has no use for is ignored.
#[test]
fn sip_mg_te_i_006() {
    rings(&Ask::invite().more("Retry-After: 5\r\nUnsupported: x\r\nMin-Expires: 9\r\n").text());
}

/// RFC 3261 18.3: bytes after the body of a datagram are discarded.
#[test]
fn sip_mg_te_i_007() {
    let mut iut = Iut::udp();
    iut.ask(&(Ask::invite().text() + "BYE sip:bob@10.0.0.1 SIP/2.0\r\n\r\n"));
    assert_eq!(iut.changes(), [CallChange::Incoming]);
}

/// RFC 3261 18.3: a request whose datagram ends before its body does gets 400.
#[test]
fn sip_mg_te_i_008() {
    let text = Ask::invite().text();
    assert_eq!(only(&text[..text.len() - 20]).label(), "400");
}
