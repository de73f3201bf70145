//! A message: its bytes and the spans of its fields.

use memchr::memchr;

use super::defect::{Defect, Kinds};
use super::name::{Name, NameSet};
use super::parse::NotSip;
use super::scan::{self, Class, Cursor, MAX_LEN, Span};
use super::start_line::{Method, StartLine};

/// One header field of a message.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name, if the engine knows it.
    pub name: Name,
    /// [`Field::FOLDED`] and [`Field::BARE_LF`].
    pub flags: u8,
    /// Length of the name as it is written.
    pub name_len: u16,
    /// Offset of the name, which is where its line begins.
    pub name_at: u16,
    /// Its value, without white space at either end; it may contain folds.
    pub value: Span,
}

impl Field {
    /// The value goes on over more than one line.
    pub const FOLDED: u8 = 1;
    /// One of its lines ends in LF alone.
    pub const BARE_LF: u8 = 2;

    /// Whether the value goes on over more than one line.
    #[must_use]
    pub const fn is_folded(&self) -> bool {
        self.flags & Field::FOLDED != 0
    }

    /// The name as it is written.
    #[must_use]
    pub const fn name_span(&self) -> Span {
        Span { at: self.name_at, len: self.name_len }
    }
}

/// A message in `'a`: its bytes, and its fields either indexed or found anew on each walk.
#[derive(Clone, Copy)]
pub struct MessageRef<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) fields: &'a [Field],
    /// The names among the fields, or more.
    pub(super) present: NameSet,
    pub(super) defects: &'a [Defect],
    pub(super) kinds: Kinds,
    pub(super) start: StartLine,
    /// Where the fields begin that are not indexed; past the last field when all are.
    pub(super) rest: u16,
    /// Where the header fields begin.
    pub(super) headers: u16,
    /// Where the body begins.
    pub(super) body: u16,
    /// Bytes before the start line.
    pub(super) skipped: u16,
}

/// One step through the header section.
pub(crate) enum Step {
    /// A field, and where the next line begins.
    Field(Field, usize),
    /// A line, with its folds, that is no field, and where the next begins.
    Line(Span, usize),
    /// The empty line, and where the body begins.
    End(usize),
    /// The bytes end before the header section does.
    Cut,
}

/// Where the line that begins at `at` ends (without CRLF) and the next begins.
#[inline(always)]
pub(super) fn line_end(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let lf = at.wrapping_add(memchr(b'\n', bytes.get(at..)?)?);
    let before = lf.wrapping_sub(1);
    let end = if lf > at && bytes.get(before) == Some(&b'\r') { before } else { lf };
    Some((end, lf.wrapping_add(1)))
}

/// [`Field::BARE_LF`] when one byte ends the line, not two.
#[inline(always)]
pub(super) fn bare_lf(end: usize, next: usize) -> u8 {
    if next.wrapping_sub(end) == 1 { Field::BARE_LF } else { 0 }
}

/// Reads the header field that begins at `at`. The one scanner of header fields.
#[inline(always)]
pub(crate) fn next_field(bytes: &[u8], at: usize) -> Step {
    let Some((mut end, mut next)) = line_end(bytes, at) else { return Step::Cut };
    if end == at {
        return Step::End(next);
    }
    let mut flags = bare_lf(end, next);
    while matches!(bytes.get(next), Some(b' ' | b'\t')) {
        let Some(folded) = line_end(bytes, next) else { return Step::Cut };
        (end, next) = folded;
        flags |= Field::FOLDED | bare_lf(end, next);
    }
    let (name, name_len, colon) = match Name::at_start(bytes.get(at..).unwrap_or(&[])) {
        Some((name, len)) => (name, len, at.wrapping_add(len)),
        None => match other_name(bytes, at, end) {
            Some(found) => found,
            None => return Step::Line(Span::new(at, end), next),
        },
    };
    let line = bytes.get(..end).unwrap_or(bytes);
    let white = |at: usize| line.get(at).is_some_and(|&b| scan::is(b, Class::WS));
    let mut value_at = colon.wrapping_add(1);
    // One space as a rule.
    value_at = value_at.wrapping_add(usize::from(line.get(value_at) == Some(&b' ')));
    while white(value_at) {
        value_at = value_at.wrapping_add(1);
    }
    while end > value_at && white(end.wrapping_sub(1)) {
        end = end.wrapping_sub(1);
    }
    let field = Field {
        name,
        flags,
        name_len: name_len as u16,
        name_at: at as u16,
        value: Span { at: value_at as u16, len: end.saturating_sub(value_at) as u16 },
    };
    Step::Field(field, next)
}

/// Reads a name that is unknown, long, or has white space before its colon: the name, its length,
/// and where the colon is.
fn other_name(bytes: &[u8], at: usize, end: usize) -> Option<(Name, usize, usize)> {
    let mut c = Cursor::new(bytes, Span::new(at, end));
    let name = c.run(Class::TOKEN);
    while matches!(c.peek(), b' ' | b'\t') {
        c.at = c.at.wrapping_add(1);
    }
    if name.is_empty() || c.peek() != b':' {
        return None;
    }
    Some((Name::of(c.text(name)), usize::from(name.len), c.at))
}

/// The start line and where the header fields begin.
#[inline(always)]
pub(super) fn start_line(bytes: &[u8]) -> Result<(StartLine, usize), NotSip> {
    if bytes.len() > MAX_LEN {
        return Err(NotSip::TooLong);
    }
    if bytes.is_empty() {
        return Err(NotSip::Empty);
    }
    let (end, next) = line_end(bytes, 0).unwrap_or((bytes.len(), bytes.len()));
    let start = StartLine::parse(bytes, Span::new(0, end)).ok_or(NotSip::StartLine)?;
    Ok((start, next))
}

impl<'a> MessageRef<'a> {
    /// The message in bytes that were checked or written earlier, without an index: each walk
    /// reads the fields anew. The body is all that follows the header section, and no defect is
    /// listed. `None` when the first line is no start line or there are over 65,535 bytes.
    #[must_use]
    pub fn lazy(bytes: &'a [u8]) -> Option<MessageRef<'a>> {
        let (start, headers) = start_line(bytes).ok()?;
        Some(MessageRef {
            bytes,
            fields: &[],
            present: NameSet::ALL,
            defects: &[],
            kinds: Kinds::NONE,
            start,
            rest: headers as u16,
            headers: headers as u16,
            body: 0,
            skipped: 0,
        })
    }

    /// The bytes of the message, from its start line to the end of its body.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// How many of the bytes given to [`parse`](super::parse()) belong to it, empty lines before it included.
    #[must_use]
    pub const fn consumed(&self) -> usize {
        self.skipped as usize + self.bytes.len()
    }

    /// The start line.
    #[must_use]
    pub const fn start(&self) -> StartLine {
        self.start
    }

    /// Whether it is a request.
    #[must_use]
    pub const fn is_request(&self) -> bool {
        matches!(self.start, StartLine::Request { .. })
    }

    /// The method; [`Method::Other`] for a response.
    #[must_use]
    pub const fn method(&self) -> Method {
        match self.start {
            StartLine::Request { method, .. } => method,
            StartLine::Response { .. } => Method::Other,
        }
    }

    /// The method as it is written; empty for a response.
    #[must_use]
    pub fn method_text(&self) -> &'a [u8] {
        match self.start {
            StartLine::Request { method_text, .. } => self.text(method_text),
            StartLine::Response { .. } => &[],
        }
    }

    /// The status; 0 for a request, and for a response whose status is no number of 100 to 699.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self.start {
            StartLine::Request { .. } => 0,
            StartLine::Response { status, .. } => status,
        }
    }

    /// The reason phrase; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &'a [u8] {
        match self.start {
            StartLine::Request { .. } => &[],
            StartLine::Response { reason, .. } => self.text(reason),
        }
    }

    /// The request URI; empty for a response.
    #[must_use]
    pub fn request_uri(&self) -> &'a [u8] {
        self.text(self.request_uri_span())
    }

    /// Where the request URI stands; empty for a response.
    #[must_use]
    pub const fn request_uri_span(&self) -> Span {
        match self.start {
            StartLine::Request { uri, .. } => uri,
            StartLine::Response { .. } => Span::EMPTY,
        }
    }

    /// The header fields in their order.
    #[inline]
    #[must_use]
    pub fn fields(&self) -> Fields<'a> {
        Fields { indexed: self.fields.iter(), bytes: self.bytes, rest: self.rest }
    }

    /// The fields that are indexed, and the others.
    #[inline]
    pub(crate) fn indexed(&self) -> (&'a [Field], Fields<'a>) {
        (self.fields, Fields { indexed: [].iter(), bytes: self.bytes, rest: self.rest })
    }

    /// The first field of this name.
    #[inline]
    #[must_use]
    pub fn field(&self, name: Name) -> Option<Field> {
        if !self.may_have(name) {
            return None;
        }
        self.fields().find(|f| f.name == name)
    }

    /// Whether there may be a field of this name: to look for it is not in vain from the start.
    #[inline]
    pub(crate) const fn may_have(&self, name: Name) -> bool {
        self.present.has(name)
    }

    /// Where the value of the first field of this name stands.
    #[must_use]
    pub fn header_span(&self, name: Name) -> Option<Span> {
        self.field(name).map(|f| f.value)
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn header(&self, name: Name) -> Option<&'a [u8]> {
        self.header_span(name).map(|s| self.text(s))
    }

    /// The values of all fields of this name.
    pub fn headers(&self, name: Name) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let m = *self;
        self.fields().filter(move |f| f.name == name).map(move |f| m.text(f.value))
    }

    /// The values of a name over all its fields: the items of a comma list, each trimmed and none
    /// empty, or the whole values where the name is no list (RFC 3261 7.3.1).
    #[must_use]
    pub fn values(&self, name: Name) -> Values<'a> {
        let none = Fields { indexed: [].iter(), bytes: self.bytes, rest: 0 };
        Values {
            fields: if self.may_have(name) { self.fields() } else { none },
            name,
            list: name.is_list(),
            cursor: Cursor::new(self.bytes, Span::EMPTY),
        }
    }

    /// The value of the first field with this name as text, in full or compact form and without
    /// regard to case.
    #[must_use]
    pub fn header_named(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.headers_named(name).next()
    }

    /// The values of all fields with this name as text, in full or compact form and without
    /// regard to case.
    pub fn headers_named<'n>(
        &self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        let m = *self;
        let known = Name::of(name);
        self.fields()
            .filter(move |f| {
                f.name == known
                    && (known != Name::Other || m.text(f.name_span()).eq_ignore_ascii_case(name))
            })
            .map(move |f| m.text(f.value))
    }

    /// The bytes of a span of this message.
    #[inline]
    #[must_use]
    pub fn text(&self, span: Span) -> &'a [u8] {
        span.of(self.bytes)
    }

    /// Where the header fields begin: behind the start line.
    #[must_use]
    pub const fn headers_at(&self) -> usize {
        self.headers as usize
    }

    /// Where the body begins; the length of the message when the header section does not end.
    #[must_use]
    pub fn body_at(&self) -> usize {
        if self.body != 0 {
            return usize::from(self.body);
        }
        let mut at = self.headers_at();
        loop {
            match next_field(self.bytes, at) {
                Step::Field(_, next) | Step::Line(_, next) => at = next,
                Step::End(body) => return body,
                Step::Cut => return self.bytes.len(),
            }
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.bytes.get(self.body_at()..).unwrap_or(&[])
    }

    /// The defects that [`parse`](super::parse()) found and had room to list.
    pub fn defects(&self) -> impl Iterator<Item = Defect> + use<'a> {
        self.defects.iter().copied()
    }

    /// The kinds of all defects that [`parse`](super::parse()) found.
    #[must_use]
    pub const fn kinds(&self) -> Kinds {
        self.kinds
    }
}

/// Says what message it is, and nothing of what is in it: that may be secret. To see more there is
/// [`Printed`](super::Printed).
impl core::fmt::Debug for MessageRef<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut s = f.debug_struct("MessageRef");
        match self.start {
            StartLine::Request { method, .. } => s.field("method", &method),
            StartLine::Response { status, .. } => s.field("status", &status),
        };
        s.field("bytes", &self.bytes.len()).field("defects", &self.kinds).finish()
    }
}

/// The fields of a message: first those that are indexed, then those that are not.
#[derive(Clone)]
pub struct Fields<'a> {
    indexed: core::slice::Iter<'a, Field>,
    bytes: &'a [u8],
    /// Where the next unindexed line begins; 0 when there is none.
    rest: u16,
}

impl Iterator for Fields<'_> {
    type Item = Field;

    #[inline]
    fn next(&mut self) -> Option<Field> {
        if let Some(field) = self.indexed.next() {
            return Some(*field);
        }
        while self.rest != 0 {
            match next_field(self.bytes, usize::from(self.rest)) {
                Step::Field(field, next) => {
                    self.rest = next as u16;
                    return Some(field);
                }
                Step::Line(_, next) => self.rest = next as u16,
                Step::End(_) | Step::Cut => self.rest = 0,
            }
        }
        None
    }
}

/// The values of one name.
#[derive(Clone)]
pub struct Values<'a> {
    fields: Fields<'a>,
    name: Name,
    list: bool,
    cursor: Cursor<'a>,
}

impl Iterator for Values<'_> {
    type Item = Span;

    fn next(&mut self) -> Option<Span> {
        loop {
            while let Some(item) = self.cursor.item() {
                self.cursor.eat(b',');
                if !item.is_empty() {
                    return Some(item);
                }
            }
            let name = self.name;
            let field = self.fields.find(|f| f.name == name)?;
            let value = field.value.of(self.fields.bytes);
            if !self.list || (!value.is_empty() && memchr(b',', value).is_none()) {
                return Some(field.value);
            }
            self.cursor = Cursor::new(self.fields.bytes, field.value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    const TEXT: &[u8] = b"SUBSCRIBE sip:a SIP/2.0\r\n\
        v: SIP/2.0/UDP a;x=\"1,2\" ,,SIP/2.0/UDP b\r\n\
        X-Odd : 1\r\n\
        Via: SIP/2.0/UDP c\r\n\
        x-odd: 2\r\n\
        Authorization: Digest a=b, c=d\r\n\
        M: \"a, b\" <sip:c,d@e>\r\n , <sip:f>\r\n\
        o:\r\n presence \r\n\
        \r\nbody";

    #[test]
    fn lists_go_over_all_fields_of_a_name() {
        // RFC 3261 7.3.1.
        let m = MessageRef::lazy(TEXT).unwrap();
        let all = |name| m.values(name).map(|s| m.text(s)).collect::<Vec<_>>();
        let vias: [&[u8]; 3] = [b"SIP/2.0/UDP a;x=\"1,2\"", b"SIP/2.0/UDP b", b"SIP/2.0/UDP c"];
        assert_eq!(all(Name::Via), vias);
        assert_eq!(all(Name::Contact), [&b"\"a, b\" <sip:c,d@e>"[..], b"<sip:f>"]);
        assert_eq!(all(Name::Authorization), [b"Digest a=b, c=d"]);
        assert_eq!(all(Name::Event), [b"presence"]);
        assert!(all(Name::To).is_empty());
    }

    #[test]
    fn fields_are_found_by_any_spelling_of_their_name() {
        let m = MessageRef::lazy(TEXT).unwrap();
        assert_eq!(m.header_named(b"VIA"), m.header(Name::Via));
        assert_eq!(m.header_named(b"V"), m.header(Name::Via));
        let odd: Vec<_> = m.headers_named(b"X-ODD").collect();
        assert_eq!(odd, [b"1", b"2"]);
        assert_eq!(m.header_named(b"x-od"), None);
        assert_eq!(m.headers(Name::Via).count(), 2);
        assert!(m.field(Name::Event).is_some_and(|f| f.is_folded()));
        assert_eq!(m.body(), b"body");
        assert_eq!(m.method(), Method::Subscribe);
    }
}
