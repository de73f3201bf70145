//! Content-Type, Content-Disposition (RFC 3261 20.15, 20.11), Content-ID, MIME-Version.

use super::parts::{MediaHead, TokenHead, parameterised};
use super::value::{Part, See, Value, ValueErrorKind, number};
use crate::wire::scan::{Class, Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

parameterised! {
    /// What a body is.
    ContentType, "RFC 3261 20.15" {
        /// Type and subtype.
        media: MediaHead;
        /// What parts a multipart body (RFC 2046 section 5.1.1), without quotes.
        boundary: Option<Span> = "boundary";
        /// Character set of text.
        charset: Option<Span> = "charset";
    }

    /// What a body is for.
    ContentDisposition, "RFC 3261 20.11" {
        /// `session`, `render`, `early-session`, `info-package` and so on.
        purpose: TokenHead;
        /// `optional` or `required`.
        handling: Option<Span> = "handling";
    }
}

impl ContentType {
    /// Whether it is a multipart of any kind, with or without a boundary.
    #[must_use]
    pub fn is_multipart(&self, bytes: &[u8]) -> bool {
        self.media.kind.of(bytes).eq_ignore_ascii_case(b"multipart")
    }
}

impl ContentDisposition {
    /// Whether a request must be refused when the body is not understood: unless it says
    /// `handling=optional` (RFC 3261 20.11).
    #[must_use]
    pub fn is_required(&self, bytes: &[u8]) -> bool {
        !self.handling.is_some_and(|h| h.of(bytes).eq_ignore_ascii_case(b"optional"))
    }
}

/// Name of a body part, `<id>`: Content-ID (RFC 2392, RFC 5621 section 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContentId {
    /// The id without angle brackets.
    pub id: Span,
}

impl Value for ContentId {
    const CLAUSE: &'static str = "RFC 2392 2";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        if !c.eat(b'<') {
            return Err(ValueErrorKind::Syntax);
        }
        let id = c.run(Class::LOOSE);
        if id.is_empty() || !c.eat(b'>') {
            return Err(ValueErrorKind::Syntax);
        }
        Ok(Self { id })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.put(b"<")?;
            w.of_class(self.id.of(bytes), Class::LOOSE)?;
            w.put(b">")
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("id", Part::Text(self.id));
    }
}

/// MIME-Version (RFC 3261 20.24).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MimeVersion {
    /// Before the dot.
    pub major: u32,
    /// After the dot.
    pub minor: u32,
}

impl Value for MimeVersion {
    const CLAUSE: &'static str = "RFC 3261 20.24";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let major = number(c)?;
        if !c.eat(b'.') {
            return Err(ValueErrorKind::Syntax);
        }
        Ok(Self { major, minor: number(c)? })
    }

    fn write(&self, _: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.number(self.major)?;
            w.put(b".")?;
            w.number(self.minor)
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("major", Part::Number(u64::from(self.major)));
        see("minor", Part::Number(u64::from(self.minor)));
    }
}
