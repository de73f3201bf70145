//! Every number that a header field carries, over the whole ladder of sizes and misspellings: what
//! comes out is the number or an error, never another number.

use sansip::header::{self, Part, ValueErrorKind as K};
use sansip::wire::{Name, Span};

/// The field, the text around the number, the part that shows it, and the least and greatest value.
const FIELDS: &[(Name, &str, &str, &str, u64, u64)] = &[
    (Name::CSeq, "", " INVITE", "number", 0, u32::MAX as u64),
    (Name::ContentLength, "", "", "value", 0, u32::MAX as u64),
    (Name::MaxForwards, "", "", "value", 0, 255),
    (Name::MaxBreadth, "", "", "value", 0, u32::MAX as u64),
    (Name::Expires, "", "", "value", 0, u32::MAX as u64),
    (Name::MinExpires, "", "", "value", 0, u32::MAX as u64),
    (Name::FlowTimer, "", "", "value", 0, u32::MAX as u64),
    (Name::RSeq, "", "", "value", 1, u32::MAX as u64),
    (Name::RAck, "", " 1 INVITE", "rseq", 1, u32::MAX as u64),
    (Name::RAck, "1 ", " INVITE", "cseq", 0, u32::MAX as u64),
    (Name::SessionExpires, "", ";refresher=uac", "seconds", 0, u32::MAX as u64),
    (Name::MinSe, "", "", "seconds", 0, u32::MAX as u64),
    (Name::RetryAfter, "", " (busy)", "seconds", 0, u32::MAX as u64),
    (Name::RetryAfter, "1;duration=", "", "duration", 0, u32::MAX as u64),
    (Name::Contact, "<sip:a>;expires=", "", "expires", 0, u32::MAX as u64),
    (Name::Contact, "<sip:a>;reg-id=", ";ob", "reg-id", 1, u32::MAX as u64),
    (Name::SubscriptionState, "active;expires=", "", "expires", 0, u32::MAX as u64),
    (Name::SubscriptionState, "active;retry-after=", "", "retry-after", 0, u32::MAX as u64),
    (Name::Reason, "Q.850;cause=", "", "cause", 0, u32::MAX as u64),
    (Name::Diversion, "<sip:a>;counter=", "", "counter", 0, u32::MAX as u64),
    (Name::Diversion, "<sip:a>;limit=", "", "limit", 0, u32::MAX as u64),
    (Name::AlertInfo, "<sip:a>;delay=", "", "delay", 0, u32::MAX as u64),
    (Name::CallInfo, "<sip:a>;answer-after=", "", "answer-after", 0, u32::MAX as u64),
    (Name::MimeVersion, "", ".0", "major", 0, u32::MAX as u64),
    (Name::MimeVersion, "1.", "", "minor", 0, u32::MAX as u64),
    (Name::GeolocationError, "", "", "code", 0, u32::MAX as u64),
];

/// The numbers of the ladder, as they may be written.
const NUMBERS: &[(&str, u128)] = &[
    ("0", 0),
    ("1", 1),
    ("00000000009", 9),
    ("255", 255),
    ("256", 256),
    ("65535", 65_535),
    ("65536", 65_536),
    ("1000000000", 1_000_000_000),
    ("2147483647", (1 << 31) - 1),
    ("2147483648", 1 << 31),
    ("4294967295", (1 << 32) - 1),
    ("4294967296", 1 << 32),
    ("4294967297", (1 << 32) + 1),
    ("18446744073709551615", (1 << 64) - 1),
    ("18446744073709551616", 1 << 64),
    ("18446744073709551617", (1 << 64) + 1),
    ("340282366920938463463374607431768211455", u128::MAX),
];

const NO_NUMBERS: &[&str] = &["", "-1", "+1", "0x10", "5 6", "1e9", "1.5", "\"5\"", "a", "\u{665}"];

fn read(name: Name, value: &str, part: &str) -> Result<Option<u64>, K> {
    let mut found = None;
    let span = Span::new(0, value.len());
    let done = header::describe(name, value.as_bytes(), span, &mut |shown, is| {
        if let (true, Part::Number(number)) = (shown == part, is) {
            found = Some(number);
        }
    });
    done.map(|()| found).map_err(|e| e.kind)
}

#[test]
fn every_number_is_read_whole_or_refused() {
    for &(name, before, after, part, least, greatest) in FIELDS {
        for &(text, number) in NUMBERS {
            let value = format!("{before}{text}{after}");
            let inside = (u128::from(least)..=u128::from(greatest)).contains(&number);
            let expected = if inside { Ok(u64::try_from(number).ok()) } else { Err(K::Range) };
            assert_eq!(read(name, &value, part), expected, "{name:?}: {value}");
        }
        let huge = format!("{before}1{}{after}", "0".repeat(100));
        assert_eq!(read(name, &huge, part), Err(K::Range), "{name:?}: {huge}");
        let zeros = format!("{before}{}7{after}", "0".repeat(100));
        assert_eq!(read(name, &zeros, part), Ok(Some(7)), "{name:?}: {zeros}");
    }
}

#[test]
fn what_is_no_number_is_refused() {
    for &(name, before, after, part, ..) in FIELDS {
        for text in NO_NUMBERS {
            let value = format!("{before}{text}{after}");
            // `RAck: 5 6 1 INVITE` and `RAck: 1 5 6 INVITE` are refused behind the number.
            assert!(read(name, &value, part).is_err(), "{name:?}: {value}");
        }
        if !before.contains('=') {
            let value = format!("{before} 5{after}");
            let spaced = read(name, &value, part);
            let inside = before.ends_with('.');
            assert_eq!(spaced.is_err(), inside, "{name:?}: {value}");
        }
    }
}

#[test]
fn preferences_have_three_decimals() {
    let q = |text: &str| read(Name::Contact, &format!("<sip:a>;q={text}"), "q");
    for (text, thousandths) in [
        ("0", 0),
        ("1", 1000),
        ("0.5", 500),
        ("0.", 0),
        ("1.000", 1000),
        ("0.001", 1),
        ("0.999", 999),
    ] {
        assert_eq!(q(text), Ok(Some(thousandths)), "{text}");
    }
    for bad in ["", "2", "1.001", "0.0001", "-0.5", ".5", "0,5", "00.5", "1e0", "0x1", "4294967297"]
    {
        assert!(q(bad).is_err(), "{bad}");
    }
}

#[test]
fn a_status_of_a_warning_has_three_digits() {
    for (text, good) in
        [("399", true), ("000", true), ("39", false), ("3990", false), ("-39", false)]
    {
        let value = format!("{text} a \"b\"");
        assert_eq!(header::check(Name::Warning, value.as_bytes()).is_ok(), good, "{value}");
    }
}

#[test]
fn a_nonce_count_has_eight_hexadecimal_digits() {
    let nc = |text: &str| read(Name::AuthenticationInfo, &format!("nc={text}"), "nc");
    assert_eq!(nc("00000000"), Ok(Some(0)));
    assert_eq!(nc("ffffffff"), Ok(Some(u64::from(u32::MAX))));
    for bad in ["", "1", "0000000g", "+0000001", "100000000", "0x000001", "0000 001"] {
        assert!(nc(bad).is_err(), "{bad}");
    }
}
