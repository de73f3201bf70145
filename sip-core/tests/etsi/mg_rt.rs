//! Messages, registrant.

use sansip::{LineChange, LineConfig};

use crate::iut::{Iut, Out};
use crate::rg_rt::{line_of, ok, register, told};

fn registrant() -> Iut {
    line_of(Iut::udp(), "sip:bob@10.0.0.9", "")
}

/// The line is registered though the 200 was changed so on its way.
fn takes(change: impl Fn(String) -> String) {
    let mut iut = registrant();
    let text = change(ok(&register(&mut iut), 600));
    assert!(iut.ask(&text).is_empty());
    assert_eq!(told(&iut), [LineChange::Registered { expires: 600 }], "{text}");
}

/// What becomes of an address of record that cannot be one: nothing is sent.
fn refuses(aor: &str) {
    let mut iut = Iut::udp();
    let config = LineConfig { aor, expires: 600, ..LineConfig::default() };
    assert!(iut.engine.add_line(iut.at(), config).is_err(), "{aor}");
    assert!(iut.drain().is_empty());
}

/// The REGISTER of a line with this address of record.
fn of(aor: &str) -> Out {
    register(&mut line_of(Iut::udp(), aor, "sip:10.0.0.9"))
}

/// RFC 3261 19.1.1: the Request-URI is a SIP URI of a host alone.
#[test]
fn sip_mg_rt_v_001() {
    assert_eq!(of("sip:bob@example.com").request_uri(), "sip:example.com");
}

/// RFC 3261 19.1.1, 10.2: with the port of the address of record where it has one.
#[test]
fn sip_mg_rt_v_002() {
    let first = of("sip:bob@example.com:5070");
    assert!(["sip:example.com:5070", "sip:example.com"].contains(&first.request_uri()));
}

/// RFC 3261 7.2: a status of a class stands for the class: a 299 is a success.
#[test]
fn sip_mg_rt_v_003() {
    takes(|text| text.replace("200 OK", "299 Fine"));
}

/// RFC 3261 7.2: the reason phrase is for people, any or none.
#[test]
fn sip_mg_rt_v_004() {
    takes(|text| text.replace("200 OK", "200 Gerne, \u{e4}rgerlich"));
    takes(|text| text.replace("200 OK", "200 "));
}

/// RFC 3261 7.3.1: white space, other lines and another order of fields change nothing.
#[test]
fn sip_mg_rt_v_005() {
    takes(|text| text.replace("Call-ID: ", "Call-ID \t:  ").replace("CSeq: 1 ", "CSeq: 1\r\n "));
    takes(|text| {
        let (start, rest) = text.trim_end().split_once("\r\n").unwrap();
        let mut fields: Vec<&str> = rest.split("\r\n").collect();
        fields.reverse();
        format!("{start}\r\n{}\r\n\r\n", fields.join("\r\n"))
    });
}

/// RFC 3261 25.1: names are the same in any case.
#[test]
fn sip_mg_rt_v_006() {
    takes(|text| text.replace("Via: ", "VIA: ").replace("Contact", "contact"));
    takes(|text| text.replace(";expires=", ";EXPIRES=").replace(";tag=", ";Tag="));
}

/// RFC 3261 25.1, 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_rt_v_007() {
    let long = ["Via", "From", "To", "Call-ID", "Contact", "Content-Length"];
    let short = ["v", "f", "t", "i", "m", "l"];
    takes(|text| {
        long.iter().zip(short).fold(text, |text, (long, short)| {
            text.replace(&format!("\r\n{long}: "), &format!("\r\n{short}: "))
        })
    });
}

/// RFC 3261 7.5: empty lines before the status line are ignored.
#[test]
fn sip_mg_rt_v_008() {
    takes(|text| format!("\r\n\r\n{text}"));
}

/// RFC 3261 19.1.1, table 1, 10.2: an address of record has no header fields, and none go into a
/// REGISTER's Request-URI.
#[test]
fn sip_mg_rt_i_001() {
    refuses("sip:bob@example.com?Subject=x");
}

/// RFC 3261 19.1.1: nor a method.
#[test]
fn sip_mg_rt_i_002() {
    refuses("sip:bob@example.com;method=INVITE");
}

/// RFC 3261 19.1.1: what is no SIP URI cannot be registered.
#[test]
fn sip_mg_rt_i_003() {
    refuses("mailto:bob@example.com");
    refuses("bob");
}

/// RFC 3261 19.1.1, table 1: what From and To may not have is ignored in the 200.
#[test]
fn sip_mg_rt_i_004() {
    takes(|text| text.replace("To: <sip:bob@10.0.0.9>", "To: <sip:bob@10.0.0.9:5099;ttl=3?a=b>"));
}

/// RFC 3261 20, table 2: a field that a 200 to REGISTER has no use for is ignored.
#[test]
fn sip_mg_rt_i_005() {
    takes(|text| text.replace("Content-Length", "Retry-After: 5\r\nSubject: x\r\nContent-Length"));
}
