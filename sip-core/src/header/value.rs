//! What all typed header values share: reading from a span, parts to look at, errors.

use crate::wire::scan::{Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// Why a header value has no typed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ValueErrorKind {
    /// There is nothing where a value must be.
    #[error("empty value")]
    Empty,
    /// The bytes are not by the grammar.
    #[error("value outside its grammar")]
    Syntax,
    /// Digits were due.
    #[error("not a number")]
    Number,
    /// A number greater or smaller than the field may carry.
    #[error("number out of range")]
    Range,
    /// A parameter's value is not by the grammar.
    #[error("malformed parameter")]
    Param,
    /// A parameter that must be there is not.
    #[error("a required parameter is missing")]
    Missing,
    /// A parameter that may be there once is there twice.
    #[error("parameter repeated")]
    Repeated,
    /// No date of the form `Sat, 13 Nov 2010 23:29:00 GMT`.
    #[error("not a date in GMT")]
    Date,
    /// Bytes follow the value.
    #[error("bytes after the value")]
    Trailing,
    /// A control byte.
    #[error("control byte in a value")]
    Control,
}

/// A header value could not be read as its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} at byte {at} ({clause})")]
pub struct ValueError {
    /// What is wrong.
    pub kind: ValueErrorKind,
    /// Offset, in the bytes that were parsed, where reading stopped.
    pub at: u16,
    /// The clause that defines the value.
    pub clause: &'static str,
}

/// One typed part of a value, for printing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Bytes of the message.
    Text(Span),
    /// Bytes of the message that prove who somebody is: for a program, not for a log.
    Secret(Span),
    /// A number.
    Number(u64),
    /// Something that is there or not.
    Flag(bool),
    /// One of a few words.
    Word(&'static str),
}

/// Takes the parts of a value one by one: the part's name and what it is.
pub type See<'s> = dyn FnMut(&'static str, Part) + 's;

/// A header value read into spans and numbers.
///
/// The spans point into the bytes that the value was read from; they are given again to
/// [`Value::write`] and [`Value::parts`].
pub trait Value: Copy {
    /// The clause with the grammar.
    const CLAUSE: &'static str;

    /// Reads one value at the cursor and leaves the cursor behind it, or where it is wrong.
    ///
    /// # Errors
    /// What is wrong at the cursor.
    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind>;

    /// Writes the value in its usual form, with all parameters in their order.
    ///
    /// # Errors
    /// When there is no room; a value that was read otherwise always can be written.
    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError>;

    /// Shows the parts of the value.
    fn parts(&self, see: &mut See<'_>);

    /// Reads the value that fills `span` of `bytes`, with or without white space around it.
    ///
    /// # Errors
    /// What is wrong, where, and the clause.
    fn parse(bytes: &[u8], span: Span) -> Result<Self, ValueError> {
        let mut c = Cursor::new(bytes, span);
        c.ws();
        let empty = c.done();
        let kind = match Self::read(&mut c) {
            Ok(value) => {
                c.ws();
                if c.done() {
                    return Ok(value);
                }
                ValueErrorKind::Trailing
            }
            Err(_) if empty => ValueErrorKind::Empty,
            Err(kind) => kind,
        };
        Err(ValueError { kind, at: Span::new(c.at, c.at).at, clause: Self::CLAUSE })
    }

    /// Reads the value that is all of `text`.
    ///
    /// # Errors
    /// As for [`Value::parse`]; text over 65,535 bytes is [`ValueErrorKind::Range`].
    fn parse_all(text: &[u8]) -> Result<Self, ValueError> {
        let span = Span::new(0, text.len());
        if span.end() != text.len() {
            return Err(ValueError {
                kind: ValueErrorKind::Range,
                at: u16::MAX,
                clause: Self::CLAUSE,
            });
        }
        Self::parse(text, span)
    }
}

/// Takes digits as a number of at most 32 bits.
pub(super) fn number(c: &mut Cursor<'_>) -> Result<u32, ValueErrorKind> {
    let digit = c.peek().is_ascii_digit();
    c.number().ok_or(if digit { ValueErrorKind::Range } else { ValueErrorKind::Number })
}

/// Takes a token.
pub(super) fn token(c: &mut Cursor<'_>) -> Result<Span, ValueErrorKind> {
    c.token().ok_or(ValueErrorKind::Syntax)
}

/// Takes white space of at least one byte (RFC 3261 25.1, LWS).
pub(super) fn lws(c: &mut Cursor<'_>) -> Result<(), ValueErrorKind> {
    let before = c.at;
    c.ws();
    if c.at == before { Err(ValueErrorKind::Syntax) } else { Ok(()) }
}
