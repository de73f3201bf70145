//! Spans, byte classes and the cursor that all typed parsers share.
//!
//! A span is a pair of 16-bit offsets into the bytes of one message, which is why a message is
//! 65,535 bytes at most. The cursor walks a span and hands out spans of the same message.

/// The most bytes that a message, and so anything a [`Span`] points into, may have.
pub const MAX_LEN: usize = 65_535;

/// A range of a message's bytes: offset and length.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Hash)]
pub struct Span {
    /// Offset of the first byte.
    pub at: u16,
    /// Number of bytes.
    pub len: u16,
}

impl Span {
    /// A span of no bytes at offset 0.
    pub const EMPTY: Span = Span { at: 0, len: 0 };

    /// The span of `at..end`. Offsets over 65,535 are cut, and an `end` before `at` is `at`.
    #[must_use]
    pub fn new(at: usize, end: usize) -> Span {
        let at = at.min(MAX_LEN);
        let end = end.clamp(at, MAX_LEN);
        Span { at: at as u16, len: (end - at) as u16 }
    }

    /// Offset of the first byte, as an index.
    #[must_use]
    pub const fn start(self) -> usize {
        self.at as usize
    }

    /// Offset past the last byte.
    #[must_use]
    pub const fn end(self) -> usize {
        self.at as usize + self.len as usize
    }

    /// Whether it holds no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The bytes it points to in `bytes`, or none at all where it reaches beyond them.
    #[inline]
    #[must_use]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        bytes.get(self.start()..self.end()).unwrap_or(&[])
    }

    /// The same span without white space and folds at either end.
    #[must_use]
    pub fn trimmed(self, bytes: &[u8]) -> Span {
        let text = self.of(bytes);
        let front = text.iter().take_while(|&&c| is(c, Class::WS)).count();
        let back = text.iter().rev().take_while(|&&c| is(c, Class::WS)).count();
        if front == text.len() {
            return Span { at: self.at, len: 0 };
        }
        Span::new(self.start() + front, self.end() - back)
    }
}

/// A typed value could not be read: the offset where reading stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, thiserror::Error)]
#[error("malformed at byte {at}")]
pub struct Malformed {
    /// Offset into the bytes that were parsed.
    pub at: u16,
}

/// How far a value that could be read departs from its grammar.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Fault {
    /// By the grammar.
    #[default]
    None,
    /// Not by the grammar, but seen in the field and harmless: tolerated.
    Odd,
    /// Not by the grammar: the request that carries it earns a refusal.
    Bad,
}

/// A set of byte classes; combine with `|`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Class(u16);

impl Class {
    /// `token` (RFC 3261 25.1).
    pub const TOKEN: Class = Class(1);
    /// Letters, digits, `-` and `.` of a host name, and the `_` that many networks use.
    pub const HOST: Class = Class(1 << 1);
    /// `user` with its escapes (RFC 3261 25.1).
    pub const USER: Class = Class(1 << 2);
    /// `#`, which the grammar forbids in a user part and feature codes send all the same.
    pub const USER_ODD: Class = Class(1 << 3);
    /// `paramchar` of a URI parameter (RFC 3261 25.1).
    pub const PARAM: Class = Class(1 << 4);
    /// `gen-value` of a header parameter without its quoted form: token and host.
    pub const VALUE: Class = Class(1 << 5);
    /// SP, HTAB, and the CR and LF of a fold.
    pub const WS: Class = Class(1 << 6);
    /// Decimal digits.
    pub const DIGIT: Class = Class(1 << 7);
    /// Hexadecimal digits.
    pub const HEX: Class = Class(1 << 8);
    /// What may stand between the brackets of an IPv6 reference.
    pub const V6: Class = Class(1 << 9);
    /// `word` of a Call-ID (RFC 3261 25.1).
    pub const WORD: Class = Class(1 << 10);
    /// Any byte of an absolute URI (RFC 2396: reserved, unreserved, escaped).
    pub const URI: Class = Class(1 << 11);
    /// `unreserved` (RFC 3261 25.1).
    pub const UNRESERVED: Class = Class(1 << 12);
    /// `hname` and `hvalue` of a URI with `=` and `&` between them (RFC 3261 25.1).
    pub const HEADER: Class = Class(1 << 13);
    /// Bytes of 0x80 and above: parts of UTF-8 sequences.
    pub const UTF8: Class = Class(1 << 14);
    /// Visible ASCII but for `;`, `,`, `"`, `<` and `>`: what ends up in unquoted parameter values.
    pub const LOOSE: Class = Class(1 << 15);
}

impl core::ops::BitOr for Class {
    type Output = Class;
    fn bitor(self, other: Class) -> Class {
        Class(self.0 | other.0)
    }
}

const fn any(c: u8, mut set: &[u8]) -> bool {
    while let [one, rest @ ..] = set {
        if *one == c {
            return true;
        }
        set = rest;
    }
    false
}

const fn classes(c: u8) -> u16 {
    let alnum = c.is_ascii_alphanumeric();
    let unreserved = alnum || any(c, b"-_.!~*'()");
    let mut f = 0;
    if alnum || any(c, b"-.!%*_+`'~") {
        f |= Class::TOKEN.0;
    }
    if alnum || any(c, b"-._") {
        f |= Class::HOST.0;
    }
    if unreserved || any(c, b"%&=+$,;?/") {
        f |= Class::USER.0;
    }
    if c == b'#' {
        f |= Class::USER_ODD.0;
    }
    if unreserved || any(c, b"%[]/:&+$") {
        f |= Class::PARAM.0;
    }
    if alnum || any(c, b"-.!%*_+`'~[]:") {
        f |= Class::VALUE.0;
    }
    if any(c, b" \t\r\n") {
        f |= Class::WS.0;
    }
    if c.is_ascii_digit() {
        f |= Class::DIGIT.0;
    }
    if c.is_ascii_hexdigit() {
        f |= Class::HEX.0;
    }
    if c.is_ascii_hexdigit() || any(c, b":.") {
        f |= Class::V6.0;
    }
    if alnum || any(c, b"-.!%*_+`'~()<>:\\\"/[]?{}") {
        f |= Class::WORD.0;
    }
    if unreserved || any(c, b"%;/?:@&=+$,[]") {
        f |= Class::URI.0;
    }
    if unreserved {
        f |= Class::UNRESERVED.0;
    }
    if unreserved || any(c, b"%[]/?:+$=&") {
        f |= Class::HEADER.0;
    }
    if c >= 0x80 {
        f |= Class::UTF8.0;
    }
    if c.is_ascii_graphic() && !any(c, b";,\"<>") {
        f |= Class::LOOSE.0;
    }
    f
}

static TABLE: [u16; 256] = {
    let mut table = [0; 256];
    let mut rest: &mut [u16] = &mut table;
    let mut c = 0u8;
    while let [entry, tail @ ..] = rest {
        *entry = classes(c);
        c = c.wrapping_add(1);
        rest = tail;
    }
    table
};

/// Whether byte `c` belongs to one of the classes.
#[inline(always)]
#[must_use]
pub fn is(c: u8, class: Class) -> bool {
    // The table has an entry for every byte, so that the bound is known and not checked.
    TABLE.get(c as usize).is_some_and(|f| f & class.0 != 0)
}

/// Whether all of `text` belongs to the classes and there is some.
#[must_use]
pub fn all(text: &[u8], class: Class) -> bool {
    !text.is_empty() && text.iter().all(|&c| is(c, class))
}

/// Whether `text` is `word` without regard to case. `word` must be lower-case letters, digits and
/// `-`; `text` must hold no control bytes.
#[inline(always)]
#[must_use]
pub fn same<const N: usize>(text: &[u8], word: &[u8; N]) -> bool {
    let Ok(text): Result<&[u8; N], _> = text.try_into() else { return false };
    let mut differ = 0;
    for (a, b) in text.iter().zip(word) {
        differ |= (a | 0x20) ^ b;
    }
    differ == 0
}

/// The decimal digits of `text`: `None` when there are none or other bytes among them, `u32::MAX`
/// for any greater number.
#[must_use]
pub fn decimal(text: &[u8]) -> Option<u32> {
    if text.is_empty() {
        return None;
    }
    let mut n = 0u32;
    for &c in text {
        let d = c.wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        n = n.saturating_mul(10).saturating_add(u32::from(d));
    }
    Some(n)
}

/// A position in the bytes of a message, with an end beyond which it never reads.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    /// The message up to [`end`](Cursor::end), so that offsets are the message's own.
    bytes: &'a [u8],
    /// Offset of the next byte.
    pub at: usize,
}

impl<'a> Cursor<'a> {
    /// A cursor over the bytes of `span`; it gives spans of `bytes`.
    #[inline(always)]
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Self {
        let bytes = bytes.get(..span.end()).unwrap_or(bytes);
        Cursor { bytes, at: span.start().min(bytes.len()) }
    }

    /// A cursor over all of `bytes`, of which it sees no more than 65,535.
    #[must_use]
    pub fn all(bytes: &'a [u8]) -> Self {
        Cursor { bytes: bytes.get(..MAX_LEN).unwrap_or(bytes), at: 0 }
    }

    /// The bytes that the spans of this cursor point into, up to its end.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Offset where it ends.
    #[inline(always)]
    #[must_use]
    pub fn end(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing is left.
    #[inline(always)]
    #[must_use]
    pub fn done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// The next byte; 0 at the end.
    #[inline(always)]
    #[must_use]
    pub fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or(0)
    }

    /// What is left.
    #[inline(always)]
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or(&[])
    }

    /// From `start` to here.
    #[inline(always)]
    #[must_use]
    pub fn since(&self, start: usize) -> Span {
        // Offsets are at most MAX_LEN: `new` and `all` see to it.
        Span { at: start as u16, len: self.at.saturating_sub(start) as u16 }
    }

    /// The bytes of a span that this cursor gave.
    #[inline(always)]
    #[must_use]
    pub fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// Malformed, here.
    #[cold]
    #[must_use]
    pub fn malformed(&self) -> Malformed {
        Malformed { at: self.at.min(MAX_LEN) as u16 }
    }

    /// Takes the bytes of `class`, maybe none.
    #[inline(always)]
    pub fn run(&mut self, class: Class) -> Span {
        let start = self.at;
        let mut n = 0;
        for &c in self.rest() {
            if !is(c, class) {
                break;
            }
            n += 1;
        }
        self.at = start + n;
        Span { at: start as u16, len: n as u16 }
    }

    /// Takes white space and folds.
    #[inline(always)]
    pub fn ws(&mut self) {
        while is(self.peek(), Class::WS) {
            self.at += 1;
        }
    }

    /// Takes `c` if it is next.
    #[inline(always)]
    pub fn eat(&mut self, c: u8) -> bool {
        let found = self.bytes.get(self.at) == Some(&c);
        self.at += usize::from(found);
        found
    }

    /// Takes `c` with the white space around it, if it is next: the grammar's SEMI, EQUAL, COMMA,
    /// SLASH and COLON (RFC 3261 25.1).
    #[inline]
    pub fn eat_ws(&mut self, c: u8) -> bool {
        let back = self.at;
        self.ws();
        if self.eat(c) {
            self.ws();
            return true;
        }
        self.at = back;
        false
    }

    /// Takes a token of at least one byte.
    #[inline]
    pub fn token(&mut self) -> Option<Span> {
        let t = self.run(Class::TOKEN);
        (!t.is_empty()).then_some(t)
    }

    /// Takes decimal digits; `None`, and nothing taken, when there are none or the number is
    /// greater than `u32::MAX`.
    #[inline]
    pub fn number(&mut self) -> Option<u32> {
        let start = self.at;
        let mut n = 0u64;
        for &c in self.rest() {
            let d = c.wrapping_sub(b'0');
            if d > 9 {
                break;
            }
            n = n.saturating_mul(10).saturating_add(u64::from(d));
            self.at += 1;
        }
        if self.at == start {
            return None;
        }
        let n = u32::try_from(n).ok();
        if n.is_none() {
            self.at = start;
        }
        n
    }

    /// Takes a quoted string with its quotes; `None`, and nothing taken, when it does not begin
    /// with a quote or does not end.
    #[inline]
    pub fn quoted(&mut self) -> Option<Span> {
        let start = self.at;
        if !self.eat(b'"') {
            return None;
        }
        let mut escaped = false;
        for &c in self.rest() {
            self.at += 1;
            if escaped {
                escaped = false;
            } else if c == b'\\' {
                escaped = true;
            } else if c == b'"' {
                return Some(self.since(start));
            }
        }
        self.at = start;
        None
    }

    /// Takes a host: a name, an IPv4 address, or an IPv6 reference with its brackets.
    #[inline]
    pub fn host(&mut self) -> Option<Span> {
        if self.peek() != b'[' {
            let h = self.run(Class::HOST);
            return (!h.is_empty()).then_some(h);
        }
        let start = self.at;
        self.at += 1;
        let inner = self.run(Class::V6);
        if inner.len >= 2 && self.eat(b']') {
            return Some(self.since(start));
        }
        self.at = start;
        None
    }

    /// Takes a colon and a port from 1 to 65,535, with white space around the colon if `ws`; 0 when there is no colon,
    /// `None` when what follows it is no such port.
    #[inline]
    pub fn port(&mut self, ws: bool) -> Option<u16> {
        let found = if ws { self.eat_ws(b':') } else { self.eat(b':') };
        if !found {
            return Some(0);
        }
        match self.number() {
            Some(n @ 1..=65_535) => Some(n as u16),
            _ => None,
        }
    }

    /// Takes bytes up to one of `stops`, which stays; or all that is left.
    #[inline]
    pub fn until(&mut self, stops: &[u8]) -> Span {
        let start = self.at;
        let rest = self.rest();
        self.at += rest.iter().position(|c| stops.contains(c)).unwrap_or(rest.len());
        self.since(start)
    }

    /// Takes one item of a comma list and gives it trimmed; stops before the comma. Commas in
    /// quoted strings and in angle brackets belong to the item. `None` at the end.
    pub fn item(&mut self) -> Option<Span> {
        if self.done() {
            return None;
        }
        let start = self.at;
        let rest = self.rest();
        let mut n = 0usize;
        loop {
            let left = rest.get(n..).unwrap_or(&[]);
            let Some(at) = memchr::memchr3(b',', b'<', b'"', left) else {
                n = rest.len();
                break;
            };
            n = n.wrapping_add(at);
            let left = left.get(at..).unwrap_or(&[]);
            match left.first() {
                Some(b'<') => n = n.wrapping_add(behind_angle(left)),
                Some(b'"') => n = n.wrapping_add(behind_quote(left)),
                _ => break,
            }
        }
        self.at += n;
        Some(self.since(start).trimmed(self.bytes))
    }
}

/// How many bytes it is to behind the bracket that closes, or to the end.
#[inline]
fn behind_angle(text: &[u8]) -> usize {
    memchr::memchr(b'>', text).map_or(text.len(), |at| at.saturating_add(1))
}

/// How many bytes it is to behind the quote that closes the one at the front, or to the end.
#[inline]
fn behind_quote(text: &[u8]) -> usize {
    let mut n = 1usize;
    while let Some(&c) = text.get(n) {
        n = n.wrapping_add(1);
        match c {
            b'\\' => n = n.wrapping_add(1),
            b'"' => return n,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_beyond_the_bytes_is_empty() {
        assert_eq!(Span::new(2, 9).of(b"abc"), b"");
        assert_eq!(Span::new(1, 3).of(b"abc"), b"bc");
        assert_eq!(Span::new(70_000, 80_000), Span { at: 65_535, len: 0 });
        assert_eq!(Span::new(5, 2).len, 0);
    }

    #[test]
    fn trimming_takes_folds_too() {
        let b = b" \r\n\ta b\r\n ";
        assert_eq!(Span::new(0, b.len()).trimmed(b).of(b), b"a b");
        assert!(Span::new(0, 3).trimmed(b" \t ").is_empty());
    }

    #[test]
    fn numbers_never_wrap() {
        for (text, want) in [
            (&b"0"[..], Some(0)),
            (b"00000000009", Some(9)),
            (b"4294967295", Some(u32::MAX)),
            (b"4294967296", None),
            (b"18446744073709551616", None),
            (b"18446744073709551617", None),
            (b"36893488147419103232", None),
            (b"79228162514264337593543950336", None),
            (b"10000000000000000000000000000000000000000000000000000000000", None),
            (b"-1", None),
            (b"", None),
        ] {
            assert_eq!(Cursor::all(text).number(), want, "{text:?}");
        }
        for zeros in 0..200 {
            let mut text = std::vec![b'0'; zeros];
            text.extend_from_slice(b"42");
            assert_eq!(Cursor::all(&text).number(), Some(42));
            let mut text = std::vec![b'9'; zeros + 11];
            assert_eq!(Cursor::all(&text).number(), None);
            assert_eq!(decimal(&text), Some(u32::MAX));
            text.push(b'x');
            assert_eq!(decimal(&text), None);
        }
    }

    #[test]
    fn a_quoted_string_ends_at_the_first_bare_quote() {
        let q = |t: &'static [u8]| Cursor::all(t).quoted().map(|s| s.of(t));
        assert_eq!(q(b"\"a\\\"b\\\\\" c"), Some(&b"\"a\\\"b\\\\\""[..]));
        assert_eq!(q(b"\"\""), Some(&b"\"\""[..]));
        assert_eq!(q(b"\"a"), None);
        assert_eq!(q(b"\"a\\"), None);
        assert_eq!(q(b"\"a\\\""), None);
        assert_eq!(q(b"a"), None);
    }

    #[test]
    fn hosts_and_ports() {
        let host = |t: &'static [u8]| {
            let mut c = Cursor::all(t);
            let h = c.host();
            h.map(|h| (h.of(t), c.port(false)))
        };
        assert_eq!(host(b"a.example:5060"), Some((&b"a.example"[..], Some(5060))));
        assert_eq!(host(b"[2001:db8::1]:1"), Some((&b"[2001:db8::1]"[..], Some(1))));
        assert_eq!(host(b"a:0"), Some((&b"a"[..], None)));
        assert_eq!(host(b"a:65536"), Some((&b"a"[..], None)));
        assert_eq!(host(b"a:"), Some((&b"a"[..], None)));
        assert_eq!(host(b"[]"), None);
        assert_eq!(host(b"[::1"), None);
        assert_eq!(host(b"@"), None);
    }

    #[test]
    fn items_of_a_list() {
        let items = |t: &'static [u8]| {
            let mut c = Cursor::all(t);
            let mut v = std::vec::Vec::new();
            while let Some(s) = c.item() {
                v.push(s.of(t));
                c.eat(b',');
            }
            v
        };
        assert_eq!(items(b"a , b"), [&b"a"[..], b"b"]);
        assert_eq!(
            items(b"\"x, \\\"y\" <sip:a,b@c>;q=1, d"),
            [&b"\"x, \\\"y\" <sip:a,b@c>;q=1"[..], b"d"]
        );
        assert_eq!(items(b"a,,b"), [&b"a"[..], b"", b"b"]);
    }
}
