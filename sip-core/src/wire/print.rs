//! Messages for logs: control bytes escaped, secrets masked.

use core::fmt::{self, Display, Formatter, Write};

use super::message::{Field, MessageRef, Step, next_field};
use super::name::Name;
use super::scan::{Cursor, Span};

/// Shows a message line by line: each control byte, each byte that is no UTF-8 and each backslash
/// as `\xHH`, so that what a peer sends cannot forge a line of a log; the answers, tokens and
/// passwords of credentials, the passwords of URIs and the keys of session descriptions as `***`.
#[derive(Clone, Copy, Debug)]
pub struct Printed<'a>(pub MessageRef<'a>);

impl Display for Printed<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let m = &self.0;
        let bytes = m.bytes();
        let mut at = m.headers_at();
        uris(f, bytes.get(..at).unwrap_or(bytes))?;
        loop {
            match next_field(bytes, at) {
                Step::Field(field, next) => {
                    header(f, m, &field, next)?;
                    at = next;
                }
                Step::Line(_, next) => {
                    no_field(f, bytes.get(at..next).unwrap_or(&[]))?;
                    at = next;
                }
                Step::End(body) => {
                    f.write_char('\n')?;
                    return print_body(f, bytes.get(body..).unwrap_or(&[]));
                }
                Step::Cut => return uris(f, bytes.get(at..).unwrap_or(&[])),
            }
        }
    }
}

/// Text in which line ends stay line ends and all else that is no plain text is escaped.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                match c {
                    '\n' => f.write_char('\n')?,
                    '\\' => f.write_str("\\x5c")?,
                    c if c.is_control() => {
                        let mut utf8 = [0; 4];
                        for b in c.encode_utf8(&mut utf8).bytes() {
                            write!(f, "\\x{b:02x}")?;
                        }
                    }
                    c => f.write_char(c)?,
                }
            }
            for b in chunk.invalid() {
                write!(f, "\\x{b:02x}")?;
            }
        }
        Ok(())
    }
}

/// Lines without the CR of their ends.
fn text(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    for line in bytes.split_inclusive(|&c| c == b'\n') {
        match line {
            [plain @ .., b'\r', b'\n'] => {
                Escaped(plain).fmt(f)?;
                f.write_char('\n')?;
            }
            other => Escaped(other).fmt(f)?,
        }
    }
    Ok(())
}

const MASK: &str = "***";

fn header(f: &mut Formatter<'_>, m: &MessageRef<'_>, field: &Field, next: usize) -> fmt::Result {
    let bytes = m.bytes();
    let before = Span::new(usize::from(field.name_at), field.value.start());
    let after = Span::new(field.value.end(), next);
    text(f, before.of(bytes))?;
    match field.name {
        Name::Authorization | Name::ProxyAuthorization => credentials(f, m.text(field.value))?,
        _ => uris(f, m.text(field.value))?,
    }
    text(f, after.of(bytes))
}

/// A line that is no header field, and may have been meant as one with credentials.
fn no_field(f: &mut Formatter<'_>, line: &[u8]) -> fmt::Result {
    const WORD: &[u8] = b"authorization";
    if line.windows(WORD.len()).any(|w| w.eq_ignore_ascii_case(WORD)) {
        return writeln!(f, "{MASK}");
    }
    uris(f, line)
}

/// Digest credentials keep what is no secret; of other schemes nothing is shown.
fn credentials(f: &mut Formatter<'_>, value: &[u8]) -> fmt::Result {
    const SHOWN: [&[u8]; 8] =
        [b"username", b"realm", b"nonce", b"uri", b"algorithm", b"qop", b"nc", b"opaque"];
    let mut c = Cursor::all(value);
    let scheme = c.until(b" \t\r\n");
    text(f, c.text(scheme))?;
    if !c.text(scheme).eq_ignore_ascii_case(b"Digest") {
        return write!(f, " {MASK}");
    }
    let mut separator = " ";
    while let Some(item) = c.item() {
        c.eat(b',');
        let part = c.text(item);
        let cut = part.iter().position(|&b| b == b'=').unwrap_or(part.len());
        let (name, rest) = part.split_at_checked(cut).unwrap_or((part, &[]));
        f.write_str(separator)?;
        separator = ", ";
        text(f, name)?;
        if SHOWN.iter().any(|s| s.eq_ignore_ascii_case(name.trim_ascii())) {
            text(f, rest)?;
        } else {
            write!(f, "={MASK}")?;
        }
    }
    Ok(())
}

/// Text that may contain sip URIs, of which the passwords are masked.
fn uris(f: &mut Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    let mut rest = bytes;
    while let Some(secret) = password(rest) {
        text(f, rest.get(..secret.start()).unwrap_or(&[]))?;
        f.write_str(MASK)?;
        rest = rest.get(secret.end()..).unwrap_or(&[]);
    }
    text(f, rest)
}

/// The first password of a sip or sips URI in `bytes`.
fn password(bytes: &[u8]) -> Option<Span> {
    let mut from = 0usize;
    while let Some(colon) = memchr::memchr(b':', bytes.get(from..)?) {
        let colon = from.saturating_add(colon);
        from = colon.saturating_add(1);
        let before = bytes.get(..colon)?;
        let sip = [&b"sip"[..], b"sips"].iter().any(|s| {
            let start = before.len().checked_sub(s.len());
            start.and_then(|s| before.get(s..)).is_some_and(|t| t.eq_ignore_ascii_case(s))
        });
        if !sip {
            continue;
        }
        let rest = bytes.get(from..)?;
        let end = rest
            .iter()
            .position(|c| matches!(c, b'@' | b'<' | b'>' | b'"' | b' ' | b'\r' | b'\n'))?;
        let stop = from.saturating_add(end);
        let cut = rest.get(..end)?.iter().position(|&c| c == b':');
        let start = from.saturating_add(cut.unwrap_or(end)).saturating_add(1);
        from = stop;
        if bytes.get(stop) != Some(&b'@') {
            continue;
        }
        if start < stop {
            return Some(Span::new(start, stop));
        }
    }
    None
}

/// A body: text as it is but for the keys of session descriptions (RFC 4568, RFC 8866 5.12), else
/// its length.
fn print_body(f: &mut Formatter<'_>, body: &[u8]) -> fmt::Result {
    let binary = |&c: &u8| c < 32 && !matches!(c, b'\r' | b'\n' | b'\t');
    if body.iter().any(binary) || core::str::from_utf8(body).is_err() {
        return writeln!(f, "({} bytes)", body.len());
    }
    for line in body.split_inclusive(|&c| c == b'\n') {
        let secret = [&b"a=crypto:"[..], b"k="].into_iter().find(|s| line.starts_with(s));
        match secret {
            Some(start) => {
                text(f, start)?;
                writeln!(f, "{MASK}")?;
            }
            None => text(f, line)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::{String, ToString};

    fn printed(bytes: &[u8]) -> String {
        Printed(MessageRef::lazy(bytes).unwrap()).to_string()
    }

    #[test]
    fn secrets_are_masked() {
        let got = printed(
            b"REGISTER sip:u:hunter2@h SIP/2.0\r\n\
            To: \"sip:x\" <sip:a:hunter2@b>, sips:c:hunter2@d\r\n\
            Authorization: Digest username=\"bob\", realm=\"a,b\",\r\n response=\"hunter2\",\
            cnonce=\"hunter2\",new=hunter2, uri=\"sip:h\"\r\n\
            Proxy-Authorization: Bearer hunter2\r\n\
            Authorization\0: Digest response=hunter2\r\n\
            \r\n\
            v=0\r\na=crypto:1 AES inline:hunter2\r\nk=clear:hunter2\r\nm=x\r\n",
        );
        assert!(!got.contains("hunter2"), "{got}");
        for kept in ["username=\"bob\"", "realm=\"a,b\"", "sip:u:***@h", "a:***@b", "m=x\n"] {
            assert!(got.contains(kept), "{kept} in {got}");
        }
    }

    #[test]
    fn control_bytes_are_escaped() {
        let got = printed(b"OPTIONS sip:a SIP/2.0\r\nS: a\x1b[2J\xff\\ \xc2\x9b\r\n\r\n\0");
        let want = "OPTIONS sip:a SIP/2.0\nS: a\\x1b[2J\\xff\\x5c \\xc2\\x9b\n\n(1 bytes)\n";
        assert_eq!(got, want);
        assert_eq!(Escaped("Jos\u{e9}".as_bytes()).to_string(), "Jos\u{e9}");
    }
}
