//! Messages, registrar.

use crate::iut::Ask;
use crate::server::{self, Role, register};

const RR: Role = Role::Registrar;

/// RFC 3261 19.1.1: a Request-URI with the default port and one without are the registrar's.
#[test]
fn sip_mg_rr_v_001() {
    server::default_port(RR);
}

/// RFC 3261 19.1.1: parameters that it does not know are ignored.
#[test]
fn sip_mg_rr_v_002() {
    server::unknown_parameters(RR);
}

/// RFC 3261 19.1.1: those that it knows may stand in any order.
#[test]
fn sip_mg_rr_v_003() {
    server::known_parameters(RR);
}

/// RFC 3261 19.1.2: a character that need not be escaped is the same escaped.
#[test]
fn sip_mg_rr_v_004() {
    RR.serves(&Ask { to: "<sip:%62ob@example.com>".into(), ..register() }.text());
    RR.serves(&Ask { to: "<sip:b%6Fb@example.com>".into(), ..register() }.text());
}

/// RFC 3261 19.1.4: scheme and host are the same in any case.
#[test]
fn sip_mg_rr_v_005() {
    server::any_case(RR);
    RR.serves(&Ask { to: "<SIP:bob@EXAMPLE.com>".into(), ..register() }.text());
}

/// RFC 3261 8.2.2: a header field that is not understood is ignored.
#[test]
fn sip_mg_rr_v_006() {
    server::unknown_field(RR);
}

/// RFC 3261 7.3.1: there may be white space around the colon.
#[test]
fn sip_mg_rr_v_007() {
    server::white_space(RR);
}

/// RFC 3261 7.3.1: a value may go on in the next line.
#[test]
fn sip_mg_rr_v_008() {
    server::folded(RR);
}

/// RFC 3261 7.3.1: the order of fields with different names says nothing.
#[test]
fn sip_mg_rr_v_009() {
    server::another_order(RR);
}

/// RFC 3261 7.3.1: several values of a list may stand in one field or in several.
#[test]
fn sip_mg_rr_v_010() {
    server::one_field_or_several(RR);
}

/// RFC 3261 7.3.1: names of fields and parameters are the same in any case.
#[test]
fn sip_mg_rr_v_011() {
    server::names_in_any_case(RR);
}

/// RFC 3261 7.3.3: the compact forms of the names are the same fields.
#[test]
fn sip_mg_rr_v_012() {
    server::compact(RR);
}

/// RFC 3261 7.5: empty lines before the start line are ignored, on a stream and in a datagram.
#[test]
fn sip_mg_rr_v_013() {
    server::empty_lines(RR);
}

/// RFC 3261 7.1: a Request-URI in angle brackets or with a space in it gets 400.
#[test]
fn sip_mg_rr_i_001() {
    server::no_uri(RR);
}

/// RFC 3261 19.1.1, table 1: header fields in the Request-URI, which it may not have: 400.
#[test]
fn sip_mg_rr_i_002() {
    server::fields_in_uri(RR);
}

/// RFC 3261 19.1.1, table 1: a method in the Request-URI is ignored.
#[test]
fn sip_mg_rr_i_003() {
    server::method_in_uri(RR);
}

/// RFC 3261 19.1.1, table 1, 10.3: what From may not have is ignored, and the address of record is
/// To's URI without its parameters.
#[test]
fn sip_mg_rr_i_004() {
    server::odd_from_and_to(RR);
    for odd in [";method=BYE", ";maddr=10.0.0.77", ";ttl=3", ";transport=tcp", ";lr"] {
        RR.serves(&Ask { to: format!("<sip:bob@example.com{odd}>"), ..register() }.text());
    }
}

/// RFC 3261 7.3.2, 20 table 2: a field that a REGISTER has no use for is ignored.
#[test]
fn sip_mg_rr_i_005() {
    server::out_of_place(RR);
    RR.serves(&register().more("Record-Route: <sip:10.0.0.8;lr>\r\nMin-Expires: 9\r\n").text());
}

/// RFC 3261 21.4.1: a malformed request gets 400.
#[test]
fn sip_mg_rr_i_006() {
    server::malformed(RR);
}
