//! Escapes: `%HH` in URIs (RFC 3261 19.1.2) and `\c` in quoted strings (RFC 3261 25.1).

use crate::wire::scan::{Class, is};

/// One character of an escaped text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unit {
    /// The byte that it stands for.
    pub byte: u8,
    /// Whether it was written `%HH`.
    pub escaped: bool,
}

/// The characters of an escaped text.
#[derive(Clone, Debug)]
pub struct Units<'a> {
    rest: &'a [u8],
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        if let [b'%', high, low, rest @ ..] = self.rest
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            self.rest = rest;
            return Some(Unit { byte: high << 4 | low, escaped: true });
        }
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(Unit { byte, escaped: false })
    }
}

/// The value of a hexadecimal digit.
#[must_use]
pub const fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The characters of `text`, once unescaped. A `%` without two hexadecimal digits stands for
/// itself.
#[must_use]
pub fn units(text: &[u8]) -> Units<'_> {
    Units { rest: text }
}

/// The bytes of `text`, once unescaped.
pub fn unescape(text: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    units(text).map(|u| u.byte)
}

/// The bytes of `text` with every byte escaped that is not of `class`, and `%` always. Of the
/// classes only those of the parts of a URI make sense.
pub fn escape(text: &[u8], class: Class) -> impl Iterator<Item = u8> + Clone + '_ {
    text.iter().flat_map(move |&c| {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let digit = |n: u8| DIGITS.get(usize::from(n & 15)).copied().unwrap_or(b'0');
        let plain = c != b'%' && is(c, class);
        let (first, more) = if plain { (c, 0) } else { (b'%', 2) };
        core::iter::once(first).chain([digit(c >> 4), digit(c)].into_iter().take(more))
    })
}

/// The bytes that a quoted string stands for, without its quotes and backslashes; a text without
/// quotes as it is.
pub fn unquote(text: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    let (inner, quoted) = match text {
        [b'"', inner @ .., b'"'] => (inner, true),
        other => (other, false),
    };
    let mut escaped = false;
    inner.iter().copied().filter(move |&c| {
        escaped = quoted && c == b'\\' && !escaped;
        !escaped
    })
}

/// What the inside of a quoted string stands for: its backslashes are undone.
pub fn unescape_quoted(text: &[u8]) -> impl Iterator<Item = u8> + Clone + '_ {
    let mut escaped = false;
    text.iter().copied().filter(move |&c| {
        escaped = c == b'\\' && !escaped;
        !escaped
    })
}

/// Whether two texts are the same once those escapes are undone that do not matter: all but those
/// of reserved characters (RFC 3261 19.1.4, RFC 2396 2.2).
#[must_use]
pub fn same_escaped(a: &[u8], b: &[u8], ignore_case: bool) -> bool {
    let plain = |text| {
        units(text).map(move |u| {
            let byte = if ignore_case { u.byte.to_ascii_lowercase() } else { u.byte };
            Unit { byte, escaped: u.escaped && is_reserved(u.byte) }
        })
    };
    plain(a).eq(plain(b))
}

/// `reserved` of RFC 3261 25.1.
const fn is_reserved(c: u8) -> bool {
    matches!(c, b';' | b'/' | b'?' | b':' | b'@' | b'&' | b'=' | b'+' | b'$' | b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn collect(i: impl Iterator<Item = u8>) -> Vec<u8> {
        i.collect()
    }

    #[test]
    fn unescaping_is_done_once() {
        assert_eq!(collect(unescape(b"value%25%34%31")), b"value%41");
        assert_eq!(collect(unescape(b"null-%00-null")), b"null-\0-null");
        for text in [&b"%"[..], b"%0", b"%zz", b"a%", b"%%", b"%Z%45"] {
            let want: &[u8] = if text == b"%Z%45" { b"%ZE" } else { text };
            assert_eq!(collect(unescape(text)), want);
        }
        assert_eq!(collect(unescape(b"%%41")), b"%A");
    }

    #[test]
    fn escaping_and_unescaping_give_the_same() {
        let all: Vec<u8> = (0..=255).collect();
        for class in [Class::USER, Class::PARAM, Class::UNRESERVED] {
            let escaped = collect(escape(&all, class));
            assert!(escaped.iter().all(|&c| is(c, class | Class::UNRESERVED) || c == b'%'));
            assert_eq!(collect(unescape(&escaped)), all);
        }
        assert_eq!(collect(escape(b"a b%41", Class::USER)), b"a%20b%2541");
    }

    #[test]
    fn unquoting() {
        assert_eq!(collect(unquote(br#""a\"b\\c\d""#)), br#"a"b\cd"#);
        assert_eq!(collect(unquote(br"a\b")), br"a\b");
        assert_eq!(collect(unquote(b"\"\"")), b"");
        assert_eq!(collect(unquote(b"\"")), b"\"");
    }

    #[test]
    fn escapes_of_reserved_characters_matter() {
        assert!(same_escaped(b"%61lice", b"alice", false));
        assert!(same_escaped(b"a%2Db", b"a-b", false));
        assert!(same_escaped(b"%3b", b"%3B", false));
        assert!(!same_escaped(b"a%3Bb", b"a;b", false));
        assert!(!same_escaped(b"ALICE", b"alice", false));
        assert!(same_escaped(b"UDP", b"ud%70", true));
        assert!(!same_escaped(b"a", b"a%00", false));
    }
}
