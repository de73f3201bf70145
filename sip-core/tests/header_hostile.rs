//! Header values of any bytes: reading ends, and what is accepted is written back as itself.

#[path = "support/header_table.rs"]
mod header_table;

use proptest::prelude::*;
use sansip::header::{self, typed::RewriteError};
use sansip::wire::{Name, Span, Writer};

fn rewritten(name: Name, value: &[u8]) -> Result<Vec<u8>, RewriteError> {
    let mut buffer = vec![0; value.len() * 2 + 64];
    let mut out = Writer::new(&mut buffer);
    header::rewrite(name, value, Span::new(0, value.len()), &mut out.value(name))?;
    Ok(out.written().to_vec())
}

/// What one value shows, spans as their bytes.
fn shown(name: Name, value: &[u8]) -> Vec<(&'static str, String)> {
    let mut parts = vec![];
    let span = Span::new(0, value.len());
    let _ = header::describe(name, value, span, &mut |part, is| {
        let text = match is {
            header::Part::Text(s) => {
                let bytes = s.of(value);
                assert!(s.is_empty() || s.end() <= value.len());
                String::from_utf8_lossy(bytes).into_owned()
            }
            other => format!("{other:?}"),
        };
        if !matches!(part, "value" | "params" | "values") {
            parts.push((part, text));
        }
    });
    parts
}

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop::sample::select(vec![
        &b";"[..],
        b"=",
        b",",
        b"\"",
        b"\\",
        b"<",
        b">",
        b"@",
        b":",
        b"(",
        b")",
        b" ",
        b"\r\n ",
        b"\t",
        b"*",
        b"a",
        b"sip:",
        b"<sip:a@b>",
        b"q=0.5",
        b";expires=5",
        b"\"x\"",
        b"Digest realm=\"r\", nonce=\"n\"",
        b"/",
        b"1",
        b"99999999999999999999",
        b"\x80",
        b"\xff",
        b"\0",
        b"\r",
        b"\n",
        b"%",
        b"[::1]",
        b";tag=1",
        b"to-tag=1;from-tag=2",
        b"text/plain",
        b"SIP/2.0/UDP h",
        b";boundary=\"b\"",
        b"-",
        b".",
    ]);
    prop::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn name() -> impl Strategy<Value = Name> {
    prop::sample::select(Name::ALL)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_accepted_is_written_back_as_itself(name in name(), value in pieces()) {
        accepted_is_stable(name, &value)?;
    }

    #[test]
    fn a_good_value_with_a_piece_put_in_or_cut_out_is_refused_or_stable(
        row in prop::sample::select(header_table::GOOD),
        piece in pieces(),
        at in any::<prop::sample::Index>(),
        cut in 0_usize..4,
    ) {
        let (name, value, _) = row;
        let mut value = value.as_bytes().to_vec();
        let at = at.index(value.len() + 1);
        let end = value.len().min(at + cut);
        value.splice(at..end, piece);
        accepted_is_stable(name, &value)?;
    }
}

fn accepted_is_stable(name: Name, value: &[u8]) -> Result<(), TestCaseError> {
    if header::check(name, value).is_err() {
        prop_assert!(rewritten(name, value).is_err());
        return Ok(());
    }
    match rewritten(name, value) {
        Ok(once) => {
            prop_assert!(!once.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')));
            prop_assert_eq!(header::check(name, &once), Ok(()), "{}", once.escape_ascii());
            prop_assert_eq!(rewritten(name, &once), Ok(once.clone()));
            let (before, after) = (shown(name, value), shown(name, &once));
            prop_assert_eq!(before.len(), after.len(), "{}", once.escape_ascii());
        }
        // A control byte inside quotes is read, and named by the message's defects, but never
        // written.
        Err(RewriteError::Write(e)) => {
            let control = |b: &u8| (*b < b' ' && *b != b'\t') || *b == 0x7f;
            prop_assert!(value.iter().any(control), "{}: {}", e, value.escape_ascii());
        }
        Err(RewriteError::Value(e)) => prop_assert!(false, "{}", e),
    }
    Ok(())
}

/// What chance once found: a URI in brackets that is empty was read, and could not be written.
#[test]
fn a_parameter_that_is_an_empty_uri_is_refused() {
    assert!(header::check(Name::PDcsRedirect, b"<sip:a@b>;count=<>").is_err());
    for value in [&b"<sip:a@b>;count=<>"[..], b"<sip:a@b>;count=\0", b"<sip:a@b>;count=\"\0\""] {
        accepted_is_stable(Name::PDcsRedirect, value).unwrap();
    }
}

#[test]
fn a_byte_put_in_or_in_place_anywhere_is_refused_or_stable() {
    for (name, value, _) in header_table::GOOD {
        for at in 0..=value.len() {
            for byte in [0, 1, b'\r', b'\n', 0x7f, 0x80, b'"', b'\\', b';', b'=', b',', b'<'] {
                for cut in [0, 1] {
                    let mut bytes = value.as_bytes().to_vec();
                    let piece: &[u8] = if byte == b'<' { b"<>" } else { &[byte] };
                    bytes.splice(at..value.len().min(at + cut), piece.iter().copied());
                    let stable = accepted_is_stable(*name, &bytes);
                    assert!(stable.is_ok(), "{name:?} {}: {stable:?}", bytes.escape_ascii());
                }
            }
        }
    }
}

/// S07 of the security table: every string of up to six of these bytes.
#[test]
fn all_short_names_and_addresses_end_in_a_value_or_an_error() {
    const ALPHABET: &[u8] = b"\"\\<> ;@:a";
    let mut accepted = 0_u32;
    let mut digits = vec![];
    loop {
        let text: Vec<u8> = digits.iter().map(|&d: &usize| ALPHABET[d]).collect();
        if header::check(Name::Contact, &text).is_ok() {
            accepted += 1;
            let once = rewritten(Name::Contact, &text).unwrap();
            assert_eq!(rewritten(Name::Contact, &once), Ok(once), "{}", text.escape_ascii());
        }
        let mut place = 0;
        while place < digits.len() && digits[place] == ALPHABET.len() - 1 {
            digits[place] = 0;
            place += 1;
        }
        match place {
            6 => break,
            place if place == digits.len() => digits.push(0),
            place => digits[place] += 1,
        }
    }
    assert!(accepted > 0);
}

/// S04 and S35: the work is linear and needs no stack.
#[test]
fn long_values_are_read_in_one_pass() {
    for unit in [
        "(", "<", "\"", "\\\"", ";", ";a", ";a=b", ",", "a,", "a b ", "(\\", "\r\n ", "=",
        "<sip:a>,",
    ] {
        let long = unit.repeat(20_000 / unit.len());
        for &name in Name::ALL {
            for before in ["", "<sip:a>", "5 ", "\"", "Digest ", "a"] {
                let value = [before, &long].concat();
                let _ = header::check(name, value.as_bytes());
            }
        }
    }
}
