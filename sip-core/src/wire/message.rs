//! A message: its bytes and the spans of its fields.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;
use memchr::memchr;

use super::defect::{Defect, DefectKind, Kinds};
use super::limits::WireLimits;
use super::name::Name;
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
    pub name_len: u8,
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
        Span { at: self.name_at, len: self.name_len as u16 }
    }
}

/// Room for the index of one message, reserved once and used again.
#[derive(Debug)]
pub struct Index {
    fields: Vec<Field>,
    defects: Vec<Defect>,
    kinds: Kinds,
}

impl Index {
    /// Reserves [`Index::bytes`] bytes.
    ///
    /// # Errors
    /// The allocator's, when it has not that much.
    pub fn new(limits: &WireLimits) -> Result<Index, TryReserveError> {
        let mut index = Index { fields: Vec::new(), defects: Vec::new(), kinds: Kinds::NONE };
        index.fields.try_reserve_exact(usize::from(limits.fields))?;
        index.defects.try_reserve_exact(usize::from(limits.defects))?;
        Ok(index)
    }

    /// The bytes that [`Index::new`] reserves.
    #[must_use]
    pub const fn bytes(limits: &WireLimits) -> usize {
        (limits.fields as usize)
            .saturating_mul(size_of::<Field>())
            .saturating_add((limits.defects as usize).saturating_mul(size_of::<Defect>()))
    }

    fn clear(&mut self) {
        self.fields.clear();
        self.defects.clear();
        self.kinds = Kinds::NONE;
    }

    #[cold]
    fn report(&mut self, kind: DefectKind, name: Name, at: Span) {
        self.kinds.add(kind);
        if self.defects.len() < self.defects.capacity() {
            self.defects.push(Defect { kind, name, at });
        }
    }
}

/// How the message came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Framing {
    /// One datagram, or one frame of a WebSocket: the body ends where the datagram does.
    Datagram,
    /// A stream, on which only Content-Length tells where the body ends.
    Stream,
}

/// The bytes are no SIP message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, thiserror::Error)]
pub enum NotSip {
    /// Nothing, or only line ends: a keep-alive (RFC 5626 4.4.1).
    #[error("no message, only line ends")]
    Empty,
    /// More than 65,535 bytes.
    #[error("longer than 65,535 bytes")]
    TooLong,
    /// The first line is neither a request line nor a status line.
    #[error("no SIP start line")]
    StartLine,
}

/// A message in `'a`: its bytes, and its fields either indexed or found anew on each walk.
#[derive(Clone, Copy)]
pub struct MessageRef<'a> {
    bytes: &'a [u8],
    fields: &'a [Field],
    defects: &'a [Defect],
    kinds: Kinds,
    start: StartLine,
    /// Where the fields begin that are not indexed; past the last field when all are.
    rest: u16,
    /// Where the header fields begin.
    headers: u16,
    /// Where the body begins.
    body: u16,
    /// Bytes before the start line.
    skipped: u16,
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
fn line_end(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    let lf = at.wrapping_add(memchr(b'\n', bytes.get(at..)?)?);
    let before = lf.wrapping_sub(1);
    let end = if lf > at && bytes.get(before) == Some(&b'\r') { before } else { lf };
    Some((end, lf.wrapping_add(1)))
}

/// [`Field::BARE_LF`] when one byte ends the line, not two.
#[inline(always)]
fn bare_lf(end: usize, next: usize) -> u8 {
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
    let mut value_at = colon.wrapping_add(1);
    while value_at < end && bytes.get(value_at).is_some_and(|&b| scan::is(b, Class::WS)) {
        value_at = value_at.wrapping_add(1);
    }
    while end > value_at && bytes.get(end.wrapping_sub(1)).is_some_and(|&b| scan::is(b, Class::WS))
    {
        end = end.wrapping_sub(1);
    }
    let field = Field {
        name,
        flags,
        name_len: name_len as u8,
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
    if name.is_empty() || name.len > 255 || c.peek() != b':' {
        return None;
    }
    Some((Name::of(c.text(name)), usize::from(name.len), c.at))
}

/// Indexes a message.
///
/// Nothing is copied. What departs from the RFCs is listed as a defect; only what is no SIP message
/// at all is refused. In a datagram the body ends by Content-Length or with the datagram, and bytes
/// after it do not belong to the message; on a stream [`MessageRef::consumed`] says where the next
/// message begins.
///
/// # Errors
/// [`NotSip`].
pub fn parse<'a>(
    bytes: &'a [u8],
    limits: &WireLimits,
    framing: Framing,
    index: &'a mut Index,
) -> Result<MessageRef<'a>, NotSip> {
    index.clear();
    let skipped = leading_crlf(bytes);
    let bytes = bytes.get(skipped..).unwrap_or(&[]);
    let (start, headers) = start_line(bytes)?;
    if skipped > 0 {
        index.report(DefectKind::LeadingCrlf, Name::Other, Span::EMPTY);
    }
    let section = fields(bytes, headers, limits, index);
    if section.odd {
        inspect(bytes, headers, section.body, limits, index);
    }
    start_defects(&start, limits, index);
    let available = bytes.len().saturating_sub(section.body);
    let length = body_length(bytes, &section, available, framing, index);
    let end = section.body.saturating_add(length);
    if end > usize::from(limits.message) {
        index.report(DefectKind::TooLong, Name::Other, Span::new(0, end));
    }
    if section.body > usize::from(limits.header_section) {
        index.report(DefectKind::HeadersTooLong, Name::Other, Span::new(0, section.body));
    }
    Ok(MessageRef {
        bytes: bytes.get(..end).unwrap_or(bytes),
        fields: &index.fields,
        defects: &index.defects,
        kinds: index.kinds,
        start,
        rest: section.rest as u16,
        headers: headers as u16,
        body: section.body as u16,
        skipped: skipped as u16,
    })
}

/// How many bytes of line ends come first (RFC 3261 7.5).
fn leading_crlf(bytes: &[u8]) -> usize {
    let n = bytes.iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
    n.min(MAX_LEN)
}

/// The start line and where the header fields begin.
#[inline(always)]
fn start_line(bytes: &[u8]) -> Result<(StartLine, usize), NotSip> {
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

/// What the walk through the header section found.
struct Section {
    /// Where the body begins.
    body: usize,
    /// Where the fields begin that did not fit the index.
    rest: usize,
    /// The first Content-Length.
    length: Option<Field>,
    /// Something wants a closer look.
    odd: bool,
}

/// Walks the header section and fills the index.
fn fields(bytes: &[u8], headers: usize, limits: &WireLimits, index: &mut Index) -> Section {
    let mut section = Section { body: bytes.len(), rest: 0, length: None, odd: false };
    let mut flags = 0;
    let mut at = headers;
    // Lines of the section, the start line and the empty line among them.
    let mut lines = 2usize;
    loop {
        match next_field(bytes, at) {
            Step::Field(field, next) => {
                lines = lines.wrapping_add(1);
                flags |= field.flags;
                if field.is_folded() {
                    lines = lines.wrapping_add(folds(bytes, field.value));
                }
                if index.fields.len() < index.fields.capacity() {
                    index.fields.push(field);
                } else if section.rest == 0 {
                    section.rest = at;
                    index.report(DefectKind::TooManyFields, field.name, field.name_span());
                }
                if field.name == Name::ContentLength {
                    content_length(bytes, field, &mut section, index);
                }
                if field.value.len > limits.value {
                    index.report(DefectKind::ValueTooLong, field.name, field.value);
                }
                at = next;
            }
            Step::Line(span, next) => {
                section.odd = true;
                index.report(DefectKind::HeaderLine, Name::Other, span);
                at = next;
            }
            Step::End(body) => {
                section.body = body;
                flags |= bare_lf(at, body);
                break;
            }
            Step::Cut => {
                section.odd = true;
                index.report(DefectKind::NoHeaderEnd, Name::Other, Span::new(at, bytes.len()));
                break;
            }
        }
    }
    let survey = Survey::of(bytes.get(..section.body).unwrap_or(bytes));
    let start_ok = bytes.get(headers.wrapping_sub(2)) == Some(&b'\r');
    section.odd |= flags & Field::BARE_LF != 0
        || !start_ok
        || survey.controls != lines.wrapping_mul(2)
        || survey.commas.wrapping_add(index.fields.len()) > usize::from(limits.list)
        || survey.semicolons > usize::from(limits.params);
    section
}

/// How many folds a value has.
#[cold]
fn folds(bytes: &[u8], value: Span) -> usize {
    memchr::memchr_iter(b'\n', value.of(bytes)).count()
}

/// The first Content-Length counts; another that says otherwise is a defect (RFC 3261 20.14).
fn content_length(bytes: &[u8], field: Field, section: &mut Section, index: &mut Index) {
    let Some(first) = section.length else {
        section.length = Some(field);
        return;
    };
    let (a, b) = (first.value.of(bytes), field.value.of(bytes));
    if a != b && (scan::decimal(a) != scan::decimal(b) || scan::decimal(a).is_none()) {
        index.report(DefectKind::LengthConflict, field.name, field.value);
    }
}

/// The length of the body among the `available` bytes (RFC 3261 18.3).
fn body_length(
    bytes: &[u8],
    section: &Section,
    available: usize,
    framing: Framing,
    index: &mut Index,
) -> usize {
    let otherwise = if framing == Framing::Datagram { available } else { 0 };
    let Some(field) = section.length else {
        if framing == Framing::Stream {
            index.report(DefectKind::LengthMissing, Name::ContentLength, Span::EMPTY);
        }
        return otherwise;
    };
    let length = match scan::decimal(field.value.of(bytes)).map(usize::try_from) {
        Some(Ok(n)) if n <= MAX_LEN => n,
        _ => {
            index.report(DefectKind::LengthBad, field.name, field.value);
            return otherwise;
        }
    };
    if length > available {
        index.report(DefectKind::BodyShort, field.name, field.value);
    } else if length < available && framing == Framing::Datagram {
        let end = section.body.saturating_add(length);
        index.report(DefectKind::Excess, Name::Other, Span::new(end, bytes.len()));
    }
    length.min(available)
}

fn start_defects(start: &StartLine, limits: &WireLimits, index: &mut Index) {
    let (version, spaces) = match *start {
        StartLine::Request { uri, version_ok, spaces_ok, .. } => {
            if uri.len > limits.uri {
                index.report(DefectKind::UriTooLong, Name::Other, uri);
            }
            (version_ok, spaces_ok)
        }
        StartLine::Response { status, reason, version_ok, spaces_ok } => {
            if status == 0 {
                index.report(DefectKind::Status, Name::Other, Span::new(0, reason.start()));
            }
            (version_ok, spaces_ok)
        }
    };
    if !version {
        index.report(DefectKind::Version, Name::Other, Span::EMPTY);
    }
    if !spaces {
        index.report(DefectKind::StartLineSpace, Name::Other, Span::EMPTY);
    }
}

/// Bytes surveyed at a time: few enough that no count overflows a byte.
const BLOCK: usize = 128;

/// Counts over the start line and header section, made in one pass that the compiler vectorises.
///
/// Tabs are counted among the control bytes; the closer look then finds nothing.
#[derive(Default)]
struct Survey {
    /// Control bytes: two for each line when all is well.
    controls: usize,
    commas: usize,
    semicolons: usize,
}

impl Survey {
    fn of(section: &[u8]) -> Survey {
        let mut survey = Survey::default();
        let (blocks, rest) = section.as_chunks();
        for block in blocks {
            survey.add(block);
        }
        let mut last = [b' '; BLOCK];
        if let Some(to) = last.get_mut(..rest.len()) {
            to.copy_from_slice(rest);
        }
        survey.add(&last);
        survey
    }

    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK]) {
        let (mut controls, mut commas, mut semicolons) = (0u8, 0u8, 0u8);
        for &c in block {
            controls = controls.wrapping_add(u8::from(c < 32));
            commas = commas.wrapping_add(u8::from(c == b','));
            semicolons = semicolons.wrapping_add(u8::from(c == b';'));
        }
        self.controls = self.controls.wrapping_add(usize::from(controls));
        self.commas = self.commas.wrapping_add(usize::from(commas));
        self.semicolons = self.semicolons.wrapping_add(usize::from(semicolons));
    }
}

/// The closer look at a message that the survey found odd.
#[cold]
fn inspect(bytes: &[u8], headers: usize, body: usize, limits: &WireLimits, index: &mut Index) {
    controls(bytes.get(..headers).unwrap_or(&[]), 0, Name::Other, index);
    let mut counts = [0u16; Name::ALL.len() + 1];
    let mut at = headers;
    while at < body {
        match next_field(bytes, at) {
            Step::Field(field, next) => {
                controls(bytes.get(at..next).unwrap_or(&[]), at, field.name, index);
                let (items, params) = measure(field.value.of(bytes));
                if !field.name.informs() && params > usize::from(limits.params) {
                    index.report(DefectKind::TooManyParams, field.name, field.value);
                }
                if let (true, Some(count)) =
                    (field.name.is_list(), counts.get_mut(field.name as usize))
                {
                    let before = *count;
                    *count = count.saturating_add(u16::try_from(items).unwrap_or(u16::MAX));
                    if before <= limits.list && *count > limits.list {
                        index.report(DefectKind::TooManyValues, field.name, field.value);
                    }
                }
                at = next;
            }
            Step::Line(_, next) => {
                controls(bytes.get(at..next).unwrap_or(&[]), at, Name::Other, index);
                at = next;
            }
            Step::End(next) => {
                controls(bytes.get(at..next).unwrap_or(&[]), at, Name::Other, index);
                break;
            }
            Step::Cut => break,
        }
    }
}

/// Reports the control bytes and bare LFs of some lines. A control byte after a backslash in a
/// quoted string is a quoted pair (RFC 3261 25.1).
fn controls(lines: &[u8], offset: usize, name: Name, index: &mut Index) {
    let (mut quoted, mut escaped) = (false, false);
    for (i, &c) in lines.iter().enumerate() {
        let at = offset.saturating_add(i);
        let next = lines.get(i.saturating_add(1));
        let previous = i.checked_sub(1).and_then(|i| lines.get(i));
        let pair = core::mem::take(&mut escaped);
        match c {
            b'\n' if previous != Some(&b'\r') => {
                index.report(DefectKind::BareLf, name, Span::new(at, at.saturating_add(1)));
            }
            b'\r' if next == Some(&b'\n') => {}
            b'\n' | b'\t' => {}
            0..=31 | 127 if !(quoted && pair && c != b'\r') => {
                index.report(DefectKind::Control, name, Span::new(at, at.saturating_add(1)));
            }
            b'\\' if quoted => escaped = !pair,
            b'"' if !pair => quoted = !quoted,
            _ => {}
        }
    }
}

/// The items of a comma list, and the most semicolons in one of them.
fn measure(value: &[u8]) -> (usize, usize) {
    let mut c = Cursor::all(value);
    let (mut items, mut most) = (0usize, 0usize);
    while let Some(item) = c.item() {
        items = items.saturating_add(1);
        let n = item.of(value).iter().filter(|&&c| c == b';').count();
        most = most.max(n);
        c.eat(b',');
    }
    (items, most)
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

    /// How many of the bytes given to [`parse`] belong to it, empty lines before it included.
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

    /// The first field of this name.
    #[inline]
    #[must_use]
    pub fn field(&self, name: Name) -> Option<Field> {
        self.fields().find(|f| f.name == name)
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
        Values {
            fields: self.fields(),
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

    /// The defects that [`parse`] found and had room to list.
    pub fn defects(&self) -> impl Iterator<Item = Defect> + use<'a> {
        self.defects.iter().copied()
    }

    /// The kinds of all defects that [`parse`] found.
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
            if !self.list {
                return Some(field.value);
            }
            self.cursor = Cursor::new(self.fields.bytes, field.value);
        }
    }
}
