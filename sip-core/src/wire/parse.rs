//! From bytes to an indexed message, and the defects found on the way.

use alloc::collections::TryReserveError;
use alloc::vec::Vec;

use super::defect::{Defect, DefectKind, Kinds};
use super::limits::WireLimits;
use super::message::{Field, MessageRef, Step, bare_lf, line_end, next_field, start_line};
use super::name::{Name, NameSet};
use super::scan::{self, Cursor, MAX_LEN, Span};
use super::start_line::StartLine;

/// Room for the index of one message, reserved once and used again.
#[derive(Debug)]
pub struct Index {
    fields: Vec<Field>,
    defects: Vec<Defect>,
    kinds: Kinds,
    present: NameSet,
}

impl Index {
    /// Reserves [`Index::bytes`] bytes.
    ///
    /// # Errors
    /// The allocator's, when it has not that much.
    pub fn new(limits: &WireLimits) -> Result<Index, TryReserveError> {
        let mut index = Index {
            fields: Vec::new(),
            defects: Vec::new(),
            kinds: Kinds::NONE,
            present: NameSet::NONE,
        };
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
        self.present = NameSet::NONE;
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
    // What is too long is refused as it stands.
    if section.odd && index.kinds.and(OVER).is_empty() {
        inspect(bytes, headers, section.body, limits, index);
    }
    Ok(MessageRef {
        bytes: bytes.get(..end).unwrap_or(bytes),
        fields: &index.fields,
        present: if section.rest == 0 { index.present } else { NameSet::ALL },
        defects: &index.defects,
        kinds: index.kinds,
        start,
        rest: section.rest as u16,
        headers: headers as u16,
        body: section.body as u16,
        skipped: skipped as u16,
    })
}

/// The limits that say enough of a message.
const OVER: Kinds = Kinds::of(&[
    DefectKind::TooLong,
    DefectKind::HeadersTooLong,
    DefectKind::TooManyFields,
    DefectKind::ValueTooLong,
]);

/// How many bytes of line ends come first (RFC 3261 7.5).
fn leading_crlf(bytes: &[u8]) -> usize {
    let n = bytes.iter().take_while(|c| matches!(c, b'\r' | b'\n')).count();
    n.min(MAX_LEN)
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
            Step::Field(field, mut next) => {
                lines = lines.wrapping_add(1);
                flags |= field.flags;
                if field.is_folded() {
                    lines = lines.wrapping_add(folds(bytes, field.value));
                }
                if index.fields.len() < index.fields.capacity() {
                    index.fields.push(field);
                    index.present = index.present.with(field.name);
                } else if section.rest == 0 {
                    section.rest = at;
                    index.report(DefectKind::TooManyFields, field.name, field.name_span());
                    next = skim(bytes, next, &mut section, index);
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

/// Walks over the fields that do not fit the index, to the empty line: of these only Content-Length
/// still matters. Where the empty line begins.
#[cold]
fn skim(bytes: &[u8], mut at: usize, section: &mut Section, index: &mut Index) -> usize {
    while let Some((end, next)) = line_end(bytes, at) {
        if end == at {
            break;
        }
        if matches!(bytes.get(at), Some(b'l' | b'L' | b'c' | b'C'))
            && let Step::Field(field, _) = next_field(bytes, at)
            && field.name == Name::ContentLength
        {
            content_length(bytes, field, section, index);
        }
        at = next;
    }
    at
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
    let length = scan::decimal(first.value.of(bytes));
    if length.is_none() || length != scan::decimal(field.value.of(bytes)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_takes_what_it_says() {
        let limits = WireLimits { fields: 77, defects: 3, ..WireLimits::default() };
        let index = Index::new(&limits).unwrap();
        assert_eq!((index.fields.capacity(), index.defects.capacity()), (77, 3));
        let size = 77 * size_of::<Field>() + 3 * size_of::<Defect>();
        assert_eq!(Index::bytes(&limits), size);
        assert!(size_of::<Field>() <= 12);
    }

    #[test]
    fn defects_past_the_list_keep_their_kind() {
        let limits = WireLimits { defects: 2, ..WireLimits::default() };
        let mut index = Index::new(&limits).unwrap();
        let text = b"OPTIONS  sip:a SIP/2.0\r\n: a\r\nb\r\nc\r\nl: x\r\n\r\n";
        let m = parse(text, &limits, Framing::Datagram, &mut index).unwrap();
        assert_eq!(m.defects().count(), 2);
        for kind in [DefectKind::HeaderLine, DefectKind::LengthBad, DefectKind::StartLineSpace] {
            assert!(m.kinds().has(kind), "{kind:?}");
        }
    }

    #[test]
    fn on_a_stream_the_next_message_is_left() {
        let limits = WireLimits::default();
        let mut index = Index::new(&limits).unwrap();
        let text = b"\r\nOPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabcOPTIONS";
        let m = parse(text, &limits, Framing::Stream, &mut index).unwrap();
        assert_eq!((m.body(), m.consumed()), (&b"abc"[..], text.len() - 7));
        assert!(!m.kinds().has(DefectKind::Excess));
        assert_eq!(m.bytes().first(), Some(&b'O'));
    }
}
