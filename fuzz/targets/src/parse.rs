//! Parsing any bytes: spans lie within the message, reading is the same however it is done, and
//! what a request is answered with is a message.

use sansip::header::Essentials;
use sansip::wire::{
    Framing, Index, MessageRef, Printed, ResponseParts, Role, Verdict, WireLimits, judge, parse,
    response,
};

const SMALL: WireLimits = WireLimits {
    message: 600,
    header_section: 400,
    fields: 8,
    value: 64,
    list: 3,
    params: 3,
    uri: 32,
    defects: 2,
    ..WireLimits::DEFAULT
};

/// Parses as datagram and as stream, with the usual limits and with small ones.
pub fn run(data: &[u8]) {
    for limits in [WireLimits::DEFAULT, SMALL] {
        for framing in [Framing::Datagram, Framing::Stream] {
            one(data, &limits, framing);
        }
    }
}

fn one(data: &[u8], limits: &WireLimits, framing: Framing) {
    let mut index = Index::new(limits).unwrap();
    let Ok(m) = parse(data, limits, framing, &mut index) else { return };
    assert!(m.consumed() <= data.len());
    assert!(data[..m.consumed()].ends_with(m.bytes()));
    assert!(m.body_at() <= m.bytes().len());

    let mut at = m.headers_at();
    for f in m.fields() {
        assert!(f.name_span().start() >= at, "fields in their order");
        assert!(f.name_span().end() <= f.value.start(), "a value behind its name");
        assert!(f.value.end() <= m.body_at(), "a value before the body");
        at = f.value.end();
    }
    for d in m.defects() {
        // Excess bytes lie behind the message.
        assert!(d.at.end() <= data.len(), "{d:?}");
        assert!((400..=699).contains(&d.status()) || d.status() == 0, "{d:?}");
    }
    let lazy = MessageRef::lazy(m.bytes()).expect("what parses can be read lazily");
    assert!(lazy.fields().eq(m.fields()), "indexed or not, the same fields");

    let e = Essentials::of(&m);
    for d in e.defects() {
        assert!(d.at.end() <= m.bytes().len(), "{d:?}");
    }
    let _ = Printed(m).to_string();
    for role in [Role::UserAgent, Role::Proxy, Role::Registrar, Role::Tool] {
        match judge(role, &m, &e) {
            Verdict::Answer(status) => {
                assert!((400..=699).contains(&status) && m.is_request());
                answer(&m, status, limits);
            }
            Verdict::Accept | Verdict::Drop => {}
        }
    }
    again(&m, limits, framing);
}

/// The message alone reads as it did among the bytes around it.
fn again(m: &MessageRef<'_>, limits: &WireLimits, framing: Framing) {
    let mut index = Index::new(limits).unwrap();
    let again = parse(m.bytes(), limits, framing, &mut index).expect("parses again");
    assert_eq!(again.bytes(), m.bytes());
    assert!(again.fields().eq(m.fields()));
}

/// Every answer parses, has the status, and no new line that the request's bytes made.
fn answer(m: &MessageRef<'_>, status: u16, limits: &WireLimits) {
    let mut out = vec![0; 65_535];
    let parts =
        ResponseParts { to_tag: Some(b"tag"), record_route: true, ..ResponseParts::default() };
    let Ok(len) = response(&mut out, m, status, None, &parts) else { return };
    let mut index = Index::new(limits).unwrap();
    let r = parse(&out[..len], limits, Framing::Stream, &mut index).expect("an answer parses");
    assert_eq!((r.status(), r.consumed(), r.body()), (status, len, &b""[..]));
}
