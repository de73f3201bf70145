//! Writing messages into a slice.
//!
//! Nothing that the writer is given can end a line early: CR, LF, NUL and every other control byte
//! is refused in every place, and so is what would end a token, a URI or a host. A call that fails
//! writes nothing. For those who want to lie there is [`raw`](super::raw).

use super::message::{Field, MessageRef};
use super::name::Name;
use super::scan::{Class, MAX_LEN, all, is};
use super::start_line::Method;
use crate::header::escape::escape;
use crate::header::uri::Scheme;

/// Why something could not be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, thiserror::Error)]
pub enum WriteError {
    /// The slice is too small, or the message would have more than 65,535 bytes.
    #[error("no room left for the message")]
    Full,
    /// A byte that may not stand there; [`Name::Other`] for the start line and unknown fields.
    /// An empty text where one is needed is byte 0.
    #[error("byte {byte:#04x} is not allowed in {name:?}")]
    Forbidden {
        /// The field.
        name: Name,
        /// The byte.
        byte: u8,
    },
    /// A field that the writer writes itself (Content-Length), or one without a name.
    #[error("{0:?} cannot be written as a header field")]
    Reserved(Name),
    /// Edits that are not in the order of the message or that overlap.
    #[error("edits are out of order")]
    Order,
}

/// What a Via value is made of.
#[derive(Clone, Copy, Default, Debug)]
pub struct ViaParts<'a> {
    /// The transport: `UDP`, `TCP`, ...
    pub transport: &'a [u8],
    /// The host of sent-by; an IPv6 address with or without brackets.
    pub host: &'a [u8],
    /// The port of sent-by, or 0 for none.
    pub port: u16,
    /// The branch.
    pub branch: &'a [u8],
    /// Whether to ask for `rport` (RFC 3581 3).
    pub rport: bool,
    /// Other parameters.
    pub params: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// What a name and address is made of.
#[derive(Clone, Copy, Default, Debug)]
pub struct AddressParts<'a> {
    /// The display name as people read it, or nothing. It is quoted and escaped.
    pub display: &'a [u8],
    /// The URI as it is to be written.
    pub uri: &'a [u8],
    /// The tag, or nothing.
    pub tag: &'a [u8],
    /// Other parameters.
    pub params: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// What a sip or sips URI is made of.
#[derive(Clone, Copy, Debug)]
pub struct UriParts<'a> {
    /// [`Scheme::Sip`] or [`Scheme::Sips`].
    pub scheme: Scheme,
    /// The user part as people read it, or nothing. It is escaped.
    pub user: &'a [u8],
    /// The host; an IPv6 address with or without brackets.
    pub host: &'a [u8],
    /// The port, or 0 for none.
    pub port: u16,
    /// Parameters; names and values are escaped.
    pub params: &'a [(&'a [u8], Option<&'a [u8]>)],
}

/// Writes one message: start line, header fields, then [`end`](Writer::end) or
/// [`body`](Writer::body).
#[derive(Debug)]
pub struct Writer<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> Writer<'a> {
    /// Writes into `out`.
    #[must_use]
    pub fn new(out: &'a mut [u8]) -> Self {
        let room = out.len().min(MAX_LEN);
        Writer { out: out.get_mut(..room).unwrap_or_default(), len: 0 }
    }

    /// Bytes written so far.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What has been written so far.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or(&[])
    }

    /// The value of a field, without the field's name and line end.
    #[must_use]
    pub fn value(&mut self, name: Name) -> Value<'_, 'a> {
        Value { writer: self, name }
    }

    /// Takes back what was written behind the first `len` bytes.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    #[inline]
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        let end = self.len.saturating_add(bytes.len());
        let room = self.out.get_mut(self.len..end).ok_or(WriteError::Full)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    /// Runs `write`; if it fails nothing of it stays.
    #[inline]
    pub(super) fn whole(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let start = self.len;
        let done = write(self);
        if done.is_err() {
            self.len = start;
        }
        done
    }

    /// `METHOD uri SIP/2.0`.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Forbidden`] when the method is no token or the URI has
    /// bytes that no URI has.
    pub fn request_line(&mut self, method: &[u8], uri: &[u8]) -> Result<(), WriteError> {
        check(Name::Other, method, Class::TOKEN)?;
        check(Name::Other, uri, Class::URI | Class::USER_ODD)?;
        self.whole(|w| {
            w.push(method)?;
            w.push(b" ")?;
            w.push(uri)?;
            w.push(b" SIP/2.0\r\n")
        })
    }

    /// `SIP/2.0 status reason`.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Forbidden`] for a status that is not 100 to 699 or a
    /// control byte in the reason.
    pub fn status_line(&mut self, status: u16, reason: &[u8]) -> Result<(), WriteError> {
        if !(100..=699).contains(&status) {
            return Err(WriteError::Forbidden { name: Name::Other, byte: 0 });
        }
        visible(Name::Other, reason)?;
        let digit = |n: u16| b'0'.wrapping_add((n % 10) as u8);
        let mut start = *b"SIP/2.0 000 ";
        let [.., a, b, c, _] = &mut start;
        (*a, *b, *c) = (digit(status / 100), digit(status / 10), digit(status));
        self.whole(|w| {
            w.push(&start)?;
            w.push(reason)?;
            w.push(b"\r\n")
        })
    }

    /// A field with this value.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Forbidden`] for a control byte in the value;
    /// [`WriteError::Reserved`] for Content-Length, which [`end`](Writer::end) and
    /// [`body`](Writer::body) write, and for [`Name::Other`].
    pub fn header(&mut self, name: Name, value: &[u8]) -> Result<(), WriteError> {
        visible(name, value)?;
        self.field(name, |v| v.writer.push(value))
    }

    /// A field of any name with this value.
    ///
    /// # Errors
    /// As [`header`](Writer::header); [`WriteError::Forbidden`] for a name that is no token.
    pub fn named(&mut self, name: &[u8], value: &[u8]) -> Result<(), WriteError> {
        let known = Name::of(name);
        if known == Name::ContentLength {
            return Err(WriteError::Reserved(known));
        }
        check(known, name, Class::TOKEN)?;
        visible(known, value)?;
        self.whole(|w| {
            w.push(name)?;
            w.push(b": ")?;
            w.push(value)?;
            w.push(b"\r\n")
        })
    }

    /// A field with a number.
    ///
    /// # Errors
    /// As [`header`](Writer::header).
    pub fn uint(&mut self, name: Name, number: u32) -> Result<(), WriteError> {
        self.field(name, |v| v.number(number))
    }

    /// A field whose value `write` puts together from checked pieces.
    ///
    /// # Errors
    /// As [`header`](Writer::header), and those of `write`.
    #[inline]
    pub fn field(
        &mut self,
        name: Name,
        write: impl FnOnce(&mut Value<'_, 'a>) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        if matches!(name, Name::Other | Name::ContentLength) {
            return Err(WriteError::Reserved(name));
        }
        self.whole(|w| {
            w.push(name.as_str().as_bytes())?;
            w.push(b": ")?;
            write(&mut Value { writer: w, name })?;
            w.push(b"\r\n")
        })
    }

    /// A Via field (RFC 3261 20.42).
    ///
    /// # Errors
    /// As [`header`](Writer::header); [`WriteError::Forbidden`] for a part outside its grammar.
    pub fn via(&mut self, via: &ViaParts<'_>) -> Result<(), WriteError> {
        self.field(Name::Via, |v| {
            v.text(b"SIP/2.0/")?;
            v.token(via.transport)?;
            v.text(b" ")?;
            v.host(via.host)?;
            v.port(via.port)?;
            if via.rport {
                v.param(b"rport", None)?;
            }
            v.param(b"branch", Some(via.branch))?;
            v.params(via.params)
        })
    }

    /// A field with a name and address: From, To, Contact, Route and their like.
    ///
    /// # Errors
    /// As [`header`](Writer::header); [`WriteError::Forbidden`] for a part outside its grammar.
    pub fn address(&mut self, name: Name, address: &AddressParts<'_>) -> Result<(), WriteError> {
        self.field(name, |v| v.address(address))
    }

    /// CSeq.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Forbidden`] when the method is no token.
    pub fn cseq(&mut self, number: u32, method: &[u8]) -> Result<(), WriteError> {
        self.field(Name::CSeq, |v| {
            v.number(number)?;
            v.text(b" ")?;
            v.token(method)
        })
    }

    /// Max-Forwards.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn max_forwards(&mut self, hops: u8) -> Result<(), WriteError> {
        self.uint(Name::MaxForwards, u32::from(hops))
    }

    /// Allow, with these methods.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Reserved`] for [`Method::Other`].
    pub fn allow(&mut self, methods: &[Method]) -> Result<(), WriteError> {
        self.field(Name::Allow, |v| v.list(methods.iter().map(|m| m.as_str().as_bytes())))
    }

    /// A field that another message carries, as it stands there. Where it is folded or has white
    /// space before its value that is more than a space, each fold becomes a space and a known name
    /// is written in full.
    ///
    /// # Errors
    /// [`WriteError::Full`]; [`WriteError::Reserved`] for Content-Length.
    pub fn copy(&mut self, from: &MessageRef<'_>, field: &Field) -> Result<(), WriteError> {
        if field.name == Name::ContentLength {
            return Err(WriteError::Reserved(field.name));
        }
        self.whole(|w| match plain_line(from, field) {
            Some(line) => w.push(line),
            None => {
                w.copied_name(from, field)?;
                w.copied(from.text(field.value), field.is_folded())?;
                w.push(b"\r\n")
            }
        })
    }

    pub(super) fn copied_name(
        &mut self,
        from: &MessageRef<'_>,
        field: &Field,
    ) -> Result<(), WriteError> {
        match field.name {
            Name::Other => self.push(from.text(field.name_span()))?,
            known => self.push(known.as_str().as_bytes())?,
        }
        self.push(b": ")
    }

    /// A parameter behind a value that was received.
    pub(super) fn param(
        &mut self,
        name: Name,
        param: &[u8],
        value: &[u8],
    ) -> Result<(), WriteError> {
        Value { writer: self, name }.param(param, Some(value))
    }

    /// `rport=` in a Via that was received.
    pub(super) fn rport(&mut self, port: u16) -> Result<(), WriteError> {
        self.push(b"rport=")?;
        Value { writer: self, name: Name::Via }.number(u32::from(port))
    }

    /// Bytes of a value that was received.
    #[inline]
    pub(super) fn copied(&mut self, value: &[u8], folded: bool) -> Result<(), WriteError> {
        if folded { self.unfolded(value) } else { self.push(value) }
    }

    /// RFC 3261 7.3.1: a fold is the same as a space.
    fn unfolded(&mut self, mut value: &[u8]) -> Result<(), WriteError> {
        while let Some(lf) = memchr::memchr(b'\n', value) {
            let before = value.get(..lf).unwrap_or(&[]).trim_ascii_end();
            let after = value.get(lf..).unwrap_or(&[]).trim_ascii_start();
            let end = self.len.saturating_add(before.len());
            let room = self.out.get_mut(self.len..=end).ok_or(WriteError::Full)?;
            let Some((space, text)) = room.split_last_mut() else { return Err(WriteError::Full) };
            text.copy_from_slice(before);
            *space = b' ';
            self.len = end.saturating_add(1);
            value = after;
        }
        self.push(value)
    }

    /// Content-Length 0 and the empty line; the length of the message.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn end(mut self) -> Result<usize, WriteError> {
        self.push(b"Content-Length: 0\r\n\r\n")?;
        Ok(self.len)
    }

    /// Header fields as another writer wrote them, with their line ends.
    pub(crate) fn written_fields(&mut self, written: &[u8]) -> Result<(), WriteError> {
        self.push(written)
    }

    /// The rest of a message as another writer wrote it: fields, the empty line and the body.
    pub(crate) fn rest(mut self, written: &[u8]) -> Result<usize, WriteError> {
        self.push(written)?;
        Ok(self.len)
    }

    /// Content-Type, Content-Length, the empty line and the body; the length of the message. A body
    /// without type, which must be empty, is [`end`](Writer::end).
    ///
    /// # Errors
    /// As [`header`](Writer::header).
    pub fn body(mut self, content_type: &[u8], body: &[u8]) -> Result<usize, WriteError> {
        if content_type.is_empty() && body.is_empty() {
            return self.end();
        }
        check_type(content_type)?;
        self.header(Name::ContentType, content_type)?;
        self.push(b"Content-Length: ")?;
        let length = u32::try_from(body.len()).map_err(|_| WriteError::Full)?;
        Value { writer: &mut self, name: Name::ContentLength }.number(length)?;
        self.push(b"\r\n\r\n")?;
        self.push(body)?;
        Ok(self.len)
    }
}

/// The whole line of a field that stands on one, with a colon and a space behind its name and
/// nothing behind its value.
#[inline]
fn plain_line<'m>(from: &MessageRef<'m>, field: &Field) -> Option<&'m [u8]> {
    let start = usize::from(field.name_at);
    let end = field.value.end().wrapping_add(2);
    let value_at = start.wrapping_add(usize::from(field.name_len)).wrapping_add(2);
    let line = from.bytes().get(start..end)?;
    let plain = field.flags == 0 && field.value.start() == value_at && line.ends_with(b"\r\n");
    plain.then_some(line)
}

/// A body needs a type (RFC 3261 20.15).
fn check_type(content_type: &[u8]) -> Result<(), WriteError> {
    if content_type.is_empty() {
        return Err(WriteError::Forbidden { name: Name::ContentType, byte: 0 });
    }
    Ok(())
}

/// Whether every byte of `text` is of `class`, and there is one.
fn check(name: Name, text: &[u8], class: Class) -> Result<(), WriteError> {
    if all(text, class) {
        return Ok(());
    }
    let byte = text.iter().copied().find(|&c| !is(c, class)).unwrap_or(0);
    Err(WriteError::Forbidden { name, byte })
}

/// Whether `text` has no control byte but HTAB.
fn visible(name: Name, text: &[u8]) -> Result<(), WriteError> {
    let control = |c: u8| (c < 32 && c != b'\t') || c == 127;
    let found = text.iter().fold(false, |found, &c| found | control(c));
    if !found {
        return Ok(());
    }
    let byte = text.iter().copied().find(|&c| control(c)).unwrap_or(0);
    Err(WriteError::Forbidden { name, byte })
}

/// The value of a field while it is written.
#[derive(Debug)]
pub struct Value<'w, 'a> {
    pub(crate) writer: &'w mut Writer<'a>,
    pub(crate) name: Name,
}

impl Value<'_, '_> {
    /// Text without control bytes, as it is.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn text(&mut self, text: &[u8]) -> Result<(), WriteError> {
        visible(self.name, text)?;
        self.writer.push(text)
    }

    /// A token (RFC 3261 25.1).
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn token(&mut self, token: &[u8]) -> Result<(), WriteError> {
        check(self.name, token, Class::TOKEN)?;
        self.writer.push(token)
    }

    /// Tokens with commas between them.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn list<'t>(&mut self, tokens: impl Iterator<Item = &'t [u8]>) -> Result<(), WriteError> {
        for (i, token) in tokens.enumerate() {
            if i > 0 {
                self.writer.push(b", ")?;
            }
            self.token(token)?;
        }
        Ok(())
    }

    /// A number in decimal.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn number(&mut self, number: u32) -> Result<(), WriteError> {
        let mut digits = [0; 10];
        let mut left = number;
        let mut used = 0usize;
        for to in digits.iter_mut().rev() {
            *to = b'0'.wrapping_add((left % 10) as u8);
            left /= 10;
            used = used.saturating_add(1);
            if left == 0 {
                break;
            }
        }
        let from = digits.len().saturating_sub(used);
        self.writer.push(digits.get(from..).unwrap_or(&[]))
    }

    /// A quoted string that stands for `text` (RFC 3261 25.1).
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn quoted(&mut self, text: &[u8]) -> Result<(), WriteError> {
        visible(self.name, text)?;
        self.writer.push(b"\"")?;
        for part in text.split_inclusive(|c| matches!(c, b'"' | b'\\')) {
            match part {
                [plain @ .., special @ (b'"' | b'\\')] => {
                    self.writer.push(plain)?;
                    self.writer.push(&[b'\\', *special])?;
                }
                plain => self.writer.push(plain)?,
            }
        }
        self.writer.push(b"\"")
    }

    /// A URI as it is to be written.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn uri(&mut self, uri: &[u8]) -> Result<(), WriteError> {
        check(self.name, uri, Class::URI | Class::USER_ODD)?;
        self.writer.push(uri)
    }

    /// A sip or sips URI put together from its parts, each escaped where it must be.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn uri_of(&mut self, uri: &UriParts<'_>) -> Result<(), WriteError> {
        match uri.scheme {
            Scheme::Sip => self.writer.push(b"sip:")?,
            Scheme::Sips => self.writer.push(b"sips:")?,
            Scheme::Tel | Scheme::Other => {
                return Err(WriteError::Forbidden { name: self.name, byte: b':' });
            }
        }
        if !uri.user.is_empty() {
            self.escaped(uri.user, Class::USER)?;
            self.writer.push(b"@")?;
        }
        self.host(uri.host)?;
        self.port(uri.port)?;
        for (name, value) in uri.params {
            check(self.name, name, Class::PARAM | Class::UTF8)?;
            self.writer.push(b";")?;
            self.escaped(name, Class::PARAM)?;
            if let Some(value) = value {
                self.writer.push(b"=")?;
                self.escaped(value, Class::PARAM)?;
            }
        }
        Ok(())
    }

    /// Text of which every byte outside `class` is escaped by `%HH`.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`] for a control byte: escaped or not, nobody
    /// means it.
    fn escaped(&mut self, text: &[u8], class: Class) -> Result<(), WriteError> {
        visible(self.name, text)?;
        escape(text, class).try_for_each(|c| self.writer.push(&[c]))
    }

    /// A host; an IPv6 address gets its brackets.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn host(&mut self, host: &[u8]) -> Result<(), WriteError> {
        let inner = match host {
            [b'[', inner @ .., b']'] => inner,
            other => other,
        };
        if inner.len() == host.len() && !host.contains(&b':') {
            check(self.name, host, Class::HOST)?;
            return self.writer.push(host);
        }
        check(self.name, inner, Class::V6)?;
        self.writer.push(b"[")?;
        self.writer.push(inner)?;
        self.writer.push(b"]")
    }

    /// A colon and a port; nothing for 0.
    ///
    /// # Errors
    /// [`WriteError::Full`].
    pub fn port(&mut self, port: u16) -> Result<(), WriteError> {
        if port == 0 {
            return Ok(());
        }
        self.writer.push(b":")?;
        self.number(u32::from(port))
    }

    /// A parameter. A value that is neither a token nor a host is quoted.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn param(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), WriteError> {
        self.writer.push(b";")?;
        self.token(name)?;
        let Some(value) = value else { return Ok(()) };
        self.writer.push(b"=")?;
        if all(value, Class::VALUE) { self.writer.push(value) } else { self.quoted(value) }
    }

    /// Parameters.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn params(&mut self, params: &[(&[u8], Option<&[u8]>)]) -> Result<(), WriteError> {
        params.iter().try_for_each(|(name, value)| self.param(name, *value))
    }

    /// A name and address, its URI in angle brackets.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`].
    pub fn address(&mut self, address: &AddressParts<'_>) -> Result<(), WriteError> {
        if !address.display.is_empty() {
            self.quoted(address.display)?;
            self.writer.push(b" ")?;
        }
        self.writer.push(b"<")?;
        self.uri(address.uri)?;
        self.writer.push(b">")?;
        if !address.tag.is_empty() {
            self.param(b"tag", Some(address.tag))?;
        }
        self.params(address.params)
    }
}
