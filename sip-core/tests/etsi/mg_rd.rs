//! Messages, redirect server.

use crate::iut::Ask;
use crate::server::{self, Role, invite};

const RD: Role = Role::Redirect;

/// RFC 3261 19.1.1: a Request-URI with the default port and one without name the same user.
#[test]
fn sip_mg_rd_v_001() {
    server::default_port(RD);
}

/// RFC 3261 19.1.1: parameters that it does not know are ignored.
#[test]
fn sip_mg_rd_v_002() {
    server::unknown_parameters(RD);
}

/// RFC 3261 19.1.1: those that it knows may stand in any order.
#[test]
fn sip_mg_rd_v_003() {
    server::known_parameters(RD);
}

/// RFC 3261 19.1.2: a character that need not be escaped is the same escaped.
#[test]
fn sip_mg_rd_v_004() {
    RD.serves(&Ask { uri: "sip:%62ob@example.com".into(), ..invite() }.text());
    RD.serves(&Ask { uri: "sip:b%6Fb@example.com".into(), ..invite() }.text());
}

/// RFC 3261 19.1.4: scheme and host are the same in any case, the user part is not.
#[test]
fn sip_mg_rd_v_005() {
    server::any_case(RD);
    RD.refuses(&Ask { uri: "sip:BOB@example.com".into(), ..invite() }.text(), "404");
}

/// RFC 3261 8.2.2: a header field that is not understood is ignored.
#[test]
fn sip_mg_rd_v_006() {
    server::unknown_field(RD);
}

/// RFC 3261 7.3.1: there may be white space around the colon.
#[test]
fn sip_mg_rd_v_007() {
    server::white_space(RD);
}

/// RFC 3261 7.3.1: a value may go on in the next line.
#[test]
fn sip_mg_rd_v_008() {
    server::folded(RD);
}

/// RFC 3261 7.3.1: the order of fields with different names says nothing.
#[test]
fn sip_mg_rd_v_009() {
    server::another_order(RD);
}

/// RFC 3261 7.3.1: several values of a list may stand in one field or in several.
#[test]
fn sip_mg_rd_v_010() {
    server::one_field_or_several(RD);
}

/// RFC 3261 7.3.1: names of fields and parameters are the same in any case.
#[test]
fn sip_mg_rd_v_011() {
    server::names_in_any_case(RD);
}

/// RFC 3261 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_rd_v_012() {
    server::compact(RD);
}

/// RFC 3261 18.1.1: a datagram may have any size up to what UDP carries.
#[test]
fn sip_mg_rd_v_013() {
    server::any_size(RD);
}

/// RFC 3261 7.5: empty lines before the start line are ignored, on a stream and in a datagram.
#[test]
fn sip_mg_rd_v_014() {
    server::empty_lines(RD);
}

/// RFC 3261 7.1: a Request-URI in angle brackets or with a space in it gets 400.
#[test]
fn sip_mg_rd_i_001() {
    server::no_uri(RD);
}

/// RFC 3261 19.1.1, table 1: header fields in the Request-URI, which it may not have: 400.
#[test]
fn sip_mg_rd_i_002() {
    server::fields_in_uri(RD);
}

/// RFC 3261 19.1.1, table 1: a method in the Request-URI is ignored.
#[test]
fn sip_mg_rd_i_003() {
    server::method_in_uri(RD);
}

/// RFC 3261 19.1.1, table 1: what From and To may not have is ignored there.
#[test]
fn sip_mg_rd_i_004() {
    server::odd_from_and_to(RD);
}

/// RFC 3261 21.4.1: a malformed request gets 400.
#[test]
fn sip_mg_rd_i_005() {
    server::malformed(RD);
}

/// RFC 3261 7.3.2, 20 table 2: a field that an INVITE has no use for is ignored.
#[test]
fn sip_mg_rd_i_006() {
    server::out_of_place(RD);
}

/// RFC 3261 18.3: bytes after the body of a datagram are discarded.
#[test]
fn sip_mg_rd_i_007() {
    server::bytes_after(RD);
}

/// RFC 3261 18.3: a request whose datagram ends before its body does gets 400.
#[test]
fn sip_mg_rd_i_008() {
    server::cut_short(RD);
}
