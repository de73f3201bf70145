//! The typed parts of a value of every known header field, and values that are refused.

#[path = "support/header_table.rs"]
mod header_table;

use header_table::GOOD;
use sansip::header::{self, Part, ValueError, ValueErrorKind as K};
use sansip::wire::{Name, Span, Writer};
use std::fmt::Write;

/// The parts of `value` on one line, the whole value and the whole parameters left out.
fn parts(name: Name, value: &str) -> Result<String, ValueError> {
    let bytes = value.as_bytes();
    let mut line = String::new();
    header::describe(name, bytes, Span::new(0, bytes.len()), &mut |part, is| {
        let text = |s: Span| String::from_utf8_lossy(s.of(bytes)).into_owned();
        if part == "value" && matches!(is, Part::Text(_) | Part::Secret(_)) {
            let between = if line.is_empty() { "" } else { "| " };
            line += between;
        } else if part != "params" {
            let _ = match is {
                Part::Text(span) => write!(line, "{part}={} ", text(span)),
                Part::Secret(span) => write!(line, "{part}=*{}* ", text(span)),
                Part::Number(number) => write!(line, "{part}={number} "),
                Part::Flag(flag) => write!(line, "{part}={flag} "),
                Part::Word(word) => write!(line, "{part}={word} "),
            };
        }
    })?;
    Ok(line.trim_end().to_owned())
}

fn rewritten(name: Name, value: &str) -> String {
    let mut buffer = vec![0; value.len() + 16];
    let mut out = Writer::new(&mut buffer);
    header::rewrite(name, value.as_bytes(), Span::new(0, value.len()), &mut out.value(name))
        .unwrap();
    String::from_utf8(out.written().to_vec()).unwrap()
}

#[test]
fn every_known_field_has_typed_parts() {
    for &(name, value, expected) in GOOD {
        assert_eq!(parts(name, value).as_deref(), Ok(expected), "{name:?}: {value}");
        assert_eq!(header::check(name, value.as_bytes()), Ok(()), "{name:?}: {value}");
    }
    for name in Name::ALL {
        assert!(GOOD.iter().any(|(n, ..)| n == name), "no value of {name:?} in the table");
    }
}

#[test]
fn a_rewritten_value_has_the_same_parts() {
    for &(name, value, _) in GOOD {
        let again = rewritten(name, value);
        assert_eq!(parts(name, value).is_ok(), parts(name, &again).is_ok(), "{name:?}: {again}");
        assert_eq!(rewritten(name, &again), again, "{name:?}");
    }
    assert_eq!(
        rewritten(Name::Via, "SIP / 2.0 / UDP  a : 5070 ; branch = x ; rport"),
        "SIP/2.0/UDP a:5070;branch=x;rport"
    );
    assert_eq!(
        rewritten(Name::Contact, "\"A\\\" \r\n B\"  <sip:a@b> ; q=1\t;x= \"y\\\"z\" ,sip:c@d;e"),
        "\"A\\\" B\" <sip:a@b>;q=1;x=\"y\\\"z\", <sip:c@d>;e"
    );
    assert_eq!(
        rewritten(Name::ProxyAuthenticate, "Digest  realm = \"r\" ,, nonce=\"n\",x=y"),
        "Digest realm=\"r\", nonce=\"n\", x=y"
    );
    assert_eq!(rewritten(Name::Subject, "a\r\n  b"), "a b");
}

#[test]
fn malformed_values_say_what_and_where_and_by_which_clause() {
    let bad: &[(Name, &str, K, u16)] = &[
        (Name::Route, "sip:a;lr", K::Syntax, 0),
        (Name::Route, "<sip:a", K::Syntax, 6),
        (Name::Route, "<sip:a>,,<sip:b>", K::Empty, 8),
        (Name::Require, "", K::Empty, 0),
        (Name::Require, "a,", K::Empty, 2),
        (Name::Require, "a b", K::Trailing, 2),
        (Name::Contact, "<sip:a>;q=2", K::Number, 10),
        (Name::Contact, "<sip:a>;q=0.1234", K::Number, 10),
        (Name::Contact, "<sip:a>;q=1;q=1", K::Repeated, 14),
        (Name::Contact, "<sip:a>;expires=x", K::Number, 16),
        (Name::Contact, "<sip:a>;reg-id=0", K::Range, 16),
        (Name::ContentType, "text", K::Syntax, 4),
        (Name::ContentType, "text/plain;", K::Param, 11),
        (Name::ContentType, "text/plain;;a=b", K::Param, 11),
        (Name::ContentType, "text/plain;a=\"b", K::Param, 11),
        (Name::ContentType, "text/plain;boundary", K::Param, 11),
        (Name::Authorization, "Digest", K::Syntax, 6),
        (Name::Authorization, "Digest username=\"a\"", K::Missing, 19),
        (Name::Authorization, "Digest realm=\"r\" nonce=\"n\"", K::Param, 17),
        (Name::Authorization, "Digest nc=1, realm=\"r\"", K::Number, 11),
        (Name::Authorization, "Digest nc=0000000g, realm=\"r\"", K::Number, 18),
        (Name::WwwAuthenticate, "Digest realm=\"r\", realm=\"s\"", K::Repeated, 27),
        (Name::WwwAuthenticate, "Digest realm=\"r, nonce=\"n\"", K::Param, 24),
        (Name::Warning, "30 a \"b\"", K::Number, 0),
        (Name::Warning, "3000 a \"b\"", K::Number, 0),
        (Name::Warning, "300 a b", K::Syntax, 6),
        (Name::Date, "Fri, 01 Jan 2010 16:00:00 EST", K::Date, 26),
        (Name::RetryAfter, "5 (a", K::Syntax, 2),
        (Name::RetryAfter, "5 (a\\)", K::Syntax, 2),
        (Name::Timestamp, ".5", K::Number, 0),
        (Name::Replaces, "a@b;to-tag=1", K::Missing, 12),
        (Name::Replaces, "a@b@c;to-tag=1;from-tag=2", K::Trailing, 3),
        (Name::Replaces, "a@;to-tag=1;from-tag=2", K::Syntax, 2),
        (Name::TargetDialog, "a@b;local-tag=1", K::Missing, 15),
        (Name::HistoryInfo, "<sip:a>", K::Missing, 7),
        (Name::ReferSub, "maybe", K::Syntax, 5),
        (Name::SessionExpires, "90;refresher=me", K::Param, 13),
        (Name::SessionExpires, "90;refresher=uac;refresher=uas", K::Repeated, 27),
        (Name::AcceptContact, "*;require;require", K::Repeated, 10),
        (Name::RSeq, "0", K::Range, 0),
        (Name::RAck, "0 1 INVITE", K::Range, 0),
        (Name::RAck, "1 INVITE", K::Number, 2),
        (Name::MaxForwards, "256", K::Range, 0),
        (Name::AcceptContact, "video", K::Syntax, 5),
        (Name::AlertInfo, "Auto Answer", K::Syntax, 0),
        (Name::AlertInfo, "<noscheme>", K::Syntax, 9),
        (Name::Privacy, "id;", K::Syntax, 3),
        (Name::MimeVersion, "1", K::Syntax, 1),
        (Name::Subject, "a\u{1}b", K::Control, 1),
        (Name::From, "\"a <sip:b>", K::Syntax, 0),
        (Name::From, "a> <sip:b>", K::Syntax, 0),
        (Name::CSeq, "1INVITE", K::Syntax, 1),
        (Name::Via, "SIP/2.0/UDP", K::Syntax, 11),
    ];
    for &(name, value, kind, at) in bad {
        let error = ValueError { kind, at, clause: name.clause() };
        assert_eq!(header::check(name, value.as_bytes()), Err(error), "{name:?}: {value}");
    }
    let shown = header::check(Name::RSeq, b"0").unwrap_err().to_string();
    assert_eq!(shown, "number out of range at byte 0 (RFC 3262 7.1)");
}
