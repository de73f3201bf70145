//! Multipart bodies (RFC 2046 5.1, RFC 5621): reading them part by part, and writing them.
//!
//! A delimiter is a whole line: `--`, the boundary, maybe `--`, and white space. So a boundary that
//! begins another one is told apart from it, and every line is looked at once for each level of
//! nesting.

use super::content::ContentType;
use super::value::Value;
use crate::wire::message::{Field, MessageRef, Step, next_field};
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::write::{WriteError, Writer};

/// The most levels of multipart bodies inside one another that can be asked for.
pub const MAX_DEPTH: usize = 8;

/// How much of a multipart body is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MultipartLimits {
    /// Parts in all levels together.
    pub parts: u16,
    /// Levels, [`MAX_DEPTH`] at most; 1 reads no multipart inside a multipart.
    pub depth: u8,
}

impl Default for MultipartLimits {
    fn default() -> Self {
        Self { parts: 32, depth: 4 }
    }
}

/// What is wrong with a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MultipartError {
    /// Content-Type has no boundary, or it is not 1 to 70 of the bytes allowed, or ends in a space.
    #[error("no usable boundary (RFC 2046 5.1.1)")]
    Boundary,
    /// No delimiter begins a part.
    #[error("no part (RFC 2046 5.1.1)")]
    NoParts,
    /// The body ends without its closing delimiter.
    #[error("no closing delimiter (RFC 2046 5.1.1)")]
    NotClosed,
    /// More parts than [`MultipartLimits::parts`].
    #[error("too many parts (local limit)")]
    TooManyParts,
    /// More levels than [`MultipartLimits::depth`].
    #[error("multipart bodies too deep inside one another (local limit)")]
    TooDeep,
}

/// Whether `text` may be a boundary (RFC 2046 5.1.1).
#[must_use]
pub fn is_boundary(text: &[u8]) -> bool {
    let allowed = |&b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&b);
    (1..=70).contains(&text.len()) && text.iter().all(allowed) && text.last() != Some(&b' ')
}

/// One part of a multipart body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyPart {
    /// Its level, from 0.
    pub depth: u8,
    /// Its header fields with their line ends.
    pub headers: Span,
    /// Its content.
    pub body: Span,
}

impl BodyPart {
    /// Splits the content between two delimiters into header fields and body.
    fn split(bytes: &[u8], content: Span, depth: u8) -> Self {
        // The line end before the delimiter ends the last header field where there is no body.
        let with_end = content.end().saturating_add(2).min(bytes.len());
        let text = bytes.get(..with_end).unwrap_or(bytes);
        let mut at = content.start();
        let body = loop {
            if at >= content.end() {
                break content.end();
            }
            match next_field(text, at) {
                Step::Field(_, next) | Step::Line(_, next) => at = next,
                Step::End(body) => break body.min(content.end()),
                Step::Cut => break content.end(),
            }
        };
        Self {
            depth,
            headers: Span::new(content.start(), at.min(body)),
            body: Span::new(body, content.end()),
        }
    }

    /// Its header fields, in order. Lines that are none are passed over.
    pub fn fields<'a>(&self, bytes: &'a [u8]) -> impl Iterator<Item = Field> + use<'a> {
        let end = self.headers.end().saturating_add(2).min(bytes.len());
        let text = bytes.get(..end).unwrap_or(bytes);
        let mut at = self.headers.start();
        let headers = self.headers;
        core::iter::from_fn(move || {
            while at < headers.end() {
                match next_field(text, at) {
                    Step::Field(field, next) => {
                        at = next;
                        return Some(field);
                    }
                    Step::Line(_, next) => at = next,
                    Step::End(_) | Step::Cut => break,
                }
            }
            None
        })
    }

    /// The value of the first field of this name.
    #[must_use]
    pub fn header(&self, bytes: &[u8], name: Name) -> Option<Span> {
        self.fields(bytes).find(|f| f.name == name).map(|f| f.value)
    }

    /// The value of the first field of a name that [`Name`] does not know, as Content-ID.
    #[must_use]
    pub fn header_named(&self, bytes: &[u8], name: &[u8]) -> Option<Span> {
        let named = |f: &Field| f.name_span().of(bytes).eq_ignore_ascii_case(name);
        self.fields(bytes).find(named).map(|f| f.value)
    }

    /// Its Content-Type, when there is one that can be read; without one a part is `text/plain`
    /// (RFC 2046 5.1).
    #[must_use]
    pub fn content_type(&self, bytes: &[u8]) -> Option<ContentType> {
        ContentType::parse(bytes, self.header(bytes, Name::ContentType)?).ok()
    }
}

/// One level of a walk.
#[derive(Clone, Copy, Debug)]
struct Level<'a> {
    boundary: &'a [u8],
    /// Where the next part begins; before the first delimiter, where to look for it.
    at: usize,
    end: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Preamble,
    Part,
    NotClosed,
    Over,
}

struct Delimiter {
    /// Where the content before it ends: before its CRLF.
    before: usize,
    /// Where the line after it begins.
    after: usize,
    close: bool,
}

impl<'a> Level<'a> {
    fn new(boundary: Option<&'a [u8]>, body: Span) -> Result<Self, MultipartError> {
        let boundary = boundary.filter(|b| is_boundary(b)).ok_or(MultipartError::Boundary)?;
        Ok(Self { boundary, at: body.start(), end: body.end(), state: State::Preamble })
    }

    fn next(&mut self, bytes: &[u8]) -> Option<Result<Span, MultipartError>> {
        if self.state == State::Preamble {
            let first = self.delimiter(bytes).filter(|d| !d.close);
            self.state = if first.is_some() { State::Part } else { State::Over };
            let Some(first) = first else { return Some(Err(MultipartError::NoParts)) };
            self.at = first.after;
        }
        if self.state == State::NotClosed {
            self.state = State::Over;
            return Some(Err(MultipartError::NotClosed));
        }
        if self.state == State::Over {
            return None;
        }
        let start = self.at;
        let next = self.delimiter(bytes);
        self.state = match &next {
            None => State::NotClosed,
            Some(d) if d.close => State::Over,
            Some(_) => State::Part,
        };
        self.at = next.as_ref().map_or(self.end, |d| d.after);
        Some(Ok(Span::new(start, next.map_or(self.end, |d| d.before))))
    }

    /// The next line, from the one at `at` on, that is a delimiter.
    fn delimiter(&self, bytes: &[u8]) -> Option<Delimiter> {
        let text = bytes.get(..self.end)?;
        let mut line = self.at;
        while line < self.end {
            let (end, next) = line_end(text, line);
            let rest = text.get(line..end)?.strip_prefix(b"--");
            if let Some(tail) = rest.and_then(|r| r.strip_prefix(self.boundary)) {
                let close = tail.starts_with(b"--");
                let padding = if close { tail.get(2..)? } else { tail };
                if padding.iter().all(|b| matches!(b, b' ' | b'\t')) {
                    let before = line.saturating_sub(2);
                    return Some(Delimiter { before, after: next, close });
                }
            }
            line = next;
        }
        None
    }
}

/// Where the line that begins at `at` ends, without its CRLF, and where the next one begins.
fn line_end(text: &[u8], at: usize) -> (usize, usize) {
    let rest = text.get(at..).unwrap_or_default();
    for lf in memchr::memchr_iter(b'\n', rest) {
        let end = lf.wrapping_sub(1);
        if lf > 0 && rest.get(end) == Some(&b'\r') {
            return (at.saturating_add(end), at.saturating_add(lf).saturating_add(1));
        }
    }
    (text.len(), text.len())
}

/// Walks through the parts of a multipart body and of those inside it, each before the parts it
/// holds. An error that is not the last item concerns the parts of the part before it.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    bytes: &'a [u8],
    levels: [Option<Level<'a>>; MAX_DEPTH],
    depth: usize,
    left: u16,
    limits: MultipartLimits,
    pending: Option<MultipartError>,
}

impl<'a> Parts<'a> {
    /// The parts of the body at `body` of `bytes`, whose Content-Type is there too.
    #[must_use]
    pub fn new(
        bytes: &'a [u8],
        content_type: &ContentType,
        body: Span,
        limits: &MultipartLimits,
    ) -> Self {
        let mut parts = Self {
            bytes,
            levels: [None; MAX_DEPTH],
            depth: 0,
            left: limits.parts,
            limits: *limits,
            pending: None,
        };
        parts.enter(content_type, body);
        parts
    }

    /// The parts of a message's body; `None` when it is not multipart.
    #[must_use]
    pub fn of(message: &MessageRef<'a>, limits: &MultipartLimits) -> Option<Self> {
        let bytes = message.bytes();
        let value = message.header_span(Name::ContentType)?;
        let content_type = ContentType::parse(bytes, value).ok()?;
        let body = Span::new(message.body_at(), bytes.len());
        content_type.is_multipart(bytes).then(|| Self::new(bytes, &content_type, body, limits))
    }

    fn enter(&mut self, content_type: &ContentType, body: Span) {
        let boundary = content_type.boundary.map(|b| b.of(self.bytes));
        let level = match Level::new(boundary, body) {
            Ok(level) => level,
            Err(error) => {
                self.pending = Some(error);
                return;
            }
        };
        let allowed = self.depth < usize::from(self.limits.depth);
        match self.levels.get_mut(self.depth).filter(|_| allowed) {
            Some(slot) => {
                *slot = Some(level);
                self.depth = self.depth.saturating_add(1);
            }
            None => self.pending = Some(MultipartError::TooDeep),
        }
    }

    fn end(&mut self) {
        self.depth = 0;
    }
}

impl Iterator for Parts<'_> {
    type Item = Result<BodyPart, MultipartError>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(error) = self.pending.take() {
            return Some(Err(error));
        }
        loop {
            let index = self.depth.checked_sub(1)?;
            let level = self.levels.get_mut(index)?.as_mut()?;
            match level.next(self.bytes) {
                None => self.depth = index,
                Some(Err(error)) => return Some(Err(error)),
                Some(Ok(content)) => {
                    let Some(left) = self.left.checked_sub(1) else {
                        self.end();
                        return Some(Err(MultipartError::TooManyParts));
                    };
                    self.left = left;
                    let depth = u8::try_from(index).unwrap_or(u8::MAX);
                    let part = BodyPart::split(self.bytes, content, depth);
                    let content_type = part.content_type(self.bytes);
                    if let Some(inner) = content_type.filter(|c| c.is_multipart(self.bytes)) {
                        self.enter(&inner, part.body);
                    }
                    return Some(Ok(part));
                }
            }
        }
    }
}

/// Why a part was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MultipartWriteError {
    /// The boundary is none.
    #[error("not a boundary (RFC 2046 5.1.1)")]
    Boundary,
    /// The content has a line that would be taken for a delimiter.
    #[error("the boundary occurs in the content")]
    Collision,
    /// No room, a header field name that is no token, or a control byte in a value.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// Writes a multipart body into a caller's buffer. A part that fails leaves nothing behind.
#[derive(Debug)]
pub struct MultipartWriter<'b, 'n> {
    writer: Writer<'b>,
    boundary: &'n [u8],
}

impl<'b, 'n> MultipartWriter<'b, 'n> {
    /// A writer at the start of `buffer`.
    ///
    /// # Errors
    /// `Boundary`.
    pub fn new(buffer: &'b mut [u8], boundary: &'n [u8]) -> Result<Self, MultipartWriteError> {
        if !is_boundary(boundary) {
            return Err(MultipartWriteError::Boundary);
        }
        Ok(Self { writer: Writer::new(buffer), boundary })
    }

    /// Writes one part: its header fields, names and values, and its content.
    ///
    /// # Errors
    /// `Collision`, `Write`.
    pub fn part(
        &mut self,
        fields: &[(&[u8], &[u8])],
        content: &[u8],
    ) -> Result<(), MultipartWriteError> {
        let collides = content.split(|&b| b == b'\n').any(|line| {
            line.strip_prefix(b"--").is_some_and(|rest| rest.starts_with(self.boundary))
        });
        if collides {
            return Err(MultipartWriteError::Collision);
        }
        let start = self.writer.len();
        let done = self.put_part(fields, content);
        if done.is_err() {
            self.writer.truncate(start);
        }
        Ok(done?)
    }

    fn put_part(&mut self, fields: &[(&[u8], &[u8])], content: &[u8]) -> Result<(), WriteError> {
        self.delimiter(b"\r\n")?;
        for (name, value) in fields {
            self.writer.named(name, value)?;
        }
        self.writer.push(b"\r\n")?;
        self.writer.push(content)
    }

    fn delimiter(&mut self, end: &[u8]) -> Result<(), WriteError> {
        if !self.writer.is_empty() {
            self.writer.push(b"\r\n")?;
        }
        self.writer.push(b"--")?;
        self.writer.push(self.boundary)?;
        self.writer.push(end)
    }

    /// Writes the closing delimiter; the length of the body.
    ///
    /// # Errors
    /// `Write`.
    pub fn finish(mut self) -> Result<usize, MultipartWriteError> {
        self.delimiter(b"--\r\n")?;
        Ok(self.writer.len())
    }
}
