//! Messages, proxy.

use sansip::Seen;

use crate::hop::response;
use crate::iut::Ask;
use crate::server::{self, BOB, DEVICE, Role, TESTER, invite};

const PR: Role = Role::Proxy;

/// What the caller gets when the device's response is changed on the way.
fn relayed(change: impl Fn(String) -> String) -> Option<String> {
    let mut hop = PR.hop();
    hop.receive(TESTER, &invite().text());
    let forwarded = hop.only();
    let text = change(response(&forwarded, 200, "t", "Contact: <sip:bob@10.0.0.2>\r\n"));
    hop.receive(DEVICE, &text);
    let mut sent = hop.take();
    assert!(sent.len() < 2);
    sent.pop().map(|s| {
        assert_eq!(s.to, TESTER);
        s.text
    })
}

/// RFC 3261 19.1.1: a Request-URI with the default port and one without name the same user.
#[test]
fn sip_mg_pr_v_001() {
    server::default_port(PR);
}

/// RFC 3261 19.1.1: parameters that it does not know are no hindrance.
#[test]
fn sip_mg_pr_v_002() {
    server::unknown_parameters(PR);
}

/// RFC 3261 19.1.1: those that it knows may stand in any order.
#[test]
fn sip_mg_pr_v_003() {
    server::known_parameters(PR);
}

/// RFC 3261 19.1.2: a character that need not be escaped is the same escaped.
#[test]
fn sip_mg_pr_v_004() {
    PR.serves(&Ask { uri: "sip:%62ob@example.com".into(), ..invite() }.text());
    PR.serves(&Ask { uri: "sip:b%6Fb@example.com".into(), ..invite() }.text());
}

/// RFC 3261 19.1.4: scheme and host are the same in any case, the user part is not.
#[test]
fn sip_mg_pr_v_005() {
    server::any_case(PR);
    PR.refuses(&Ask { uri: "sip:BOB@example.com".into(), ..invite() }.text(), "404");
}

/// RFC 3261 8.2.2, 16.6: a field that is not understood goes on as it came.
#[test]
fn sip_mg_pr_v_006() {
    server::unknown_field(PR);
    let sent = PR.serves(&invite().more("X-Unknown: any, thing;at=\"all\"\r\n").text());
    assert_eq!(sent.one("X-Unknown"), "any, thing;at=\"all\"");
}

/// RFC 3261 7.3.1: there may be white space around the colon.
#[test]
fn sip_mg_pr_v_007() {
    server::white_space(PR);
}

/// RFC 3261 7.3.1: a value may go on in the next line.
#[test]
fn sip_mg_pr_v_008() {
    server::folded(PR);
}

/// RFC 3261 7.3.1: the order of fields with different names says nothing.
#[test]
fn sip_mg_pr_v_009() {
    server::another_order(PR);
}

/// RFC 3261 7.3.1: several values of a list may stand in one field or in several, and keep their
/// order.
#[test]
fn sip_mg_pr_v_010() {
    server::one_field_or_several(PR);
}

/// RFC 3261 7.3.1: names of fields and parameters are the same in any case.
#[test]
fn sip_mg_pr_v_011() {
    server::names_in_any_case(PR);
}

/// RFC 3261 7.2: a status that nobody has heard of is relayed, as the 200 of its class.
#[test]
fn sip_mg_pr_v_012() {
    let text = relayed(|text| text.replace("SIP/2.0 200 Reason", "SIP/2.0 299 Fine")).unwrap();
    assert!(text.starts_with("SIP/2.0 299 Fine\r\n"), "{text}");
}

/// RFC 3261 7.2: the reason phrase is for people, any or none, and stays as it is.
#[test]
fn sip_mg_pr_v_013() {
    for reason in ["", "Gerne \u{e4}ngstlich", "a  b"] {
        let line = format!("SIP/2.0 200 {reason}\r\n");
        let text = relayed(|text| text.replace("SIP/2.0 200 Reason\r\n", &line)).unwrap();
        assert!(text.starts_with(&line), "{text}");
    }
}

/// RFC 3261 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_pr_v_014() {
    server::compact(PR);
}

/// RFC 3261 18.1.1: a datagram may have any size up to what UDP carries.
#[test]
fn sip_mg_pr_v_015() {
    server::any_size(PR);
}

/// RFC 3261 7.5: empty lines before the start line are ignored, on a stream and in a datagram.
#[test]
fn sip_mg_pr_v_016() {
    server::empty_lines(PR);
}

/// RFC 3261 7.1: a Request-URI in angle brackets or with a space in it gets 400.
#[test]
fn sip_mg_pr_i_001() {
    server::no_uri(PR);
}

/// RFC 3261 19.1.1, table 1: header fields in the Request-URI, which it may not have: 400.
#[test]
fn sip_mg_pr_i_002() {
    server::fields_in_uri(PR);
}

/// RFC 3261 19.1.1, table 1: a method in the Request-URI is ignored.
#[test]
fn sip_mg_pr_i_003() {
    server::method_in_uri(PR);
}

/// RFC 3261 19.1.1, table 1: what From and To may not have is no affair of a proxy's.
#[test]
fn sip_mg_pr_i_004() {
    server::odd_from_and_to(PR);
}

/// RFC 3261 21.4.1: a malformed request gets 400.
#[test]
fn sip_mg_pr_i_005() {
    server::malformed(PR);
}

/// RFC 3261 7.3.2, 20 table 2: a field that an INVITE has no use for is no hindrance.
#[test]
fn sip_mg_pr_i_006() {
    server::out_of_place(PR);
}

/// RFC 3261 18.3: bytes after the body of a datagram are discarded.
#[test]
fn sip_mg_pr_i_007() {
    server::bytes_after(PR);
}

/// RFC 3261 18.3: a request whose datagram ends before its body does gets 400.
#[test]
fn sip_mg_pr_i_008() {
    server::cut_short(PR);
}

/// RFC 3261 18.3: a response whose datagram ends before its body does is discarded.
#[test]
fn sip_mg_pr_i_009() {
    let cut = relayed(|text| text.replace("Content-Length: 0", "Content-Length: 20") + "v=0\r\n");
    assert_eq!(cut, None);
}

/// RFC 3261 18.3: bytes after the body of a response are discarded.
#[test]
fn sip_mg_pr_i_010() {
    let text = relayed(|text| text + "SIP/2.0 486 Busy Here\r\n\r\n").unwrap();
    assert!(text.starts_with("SIP/2.0 200 ") && !text.contains("486"), "{text}");
    let mut hop = PR.hop();
    let seen = hop.receive(TESTER, &(invite().text() + "BYE"));
    assert_eq!((seen, hop.only().uri()), (Seen::Used, "sip:bob@10.0.0.2"));
    assert_eq!(BOB, PR.uri());
}
