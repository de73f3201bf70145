//! Values of fields that are carried rather than acted on: text, and a head with parameters.

use super::parts::{LooseHead, NumberHead, TokenHead, parameterised};
use super::value::{Part, See, Value, ValueErrorKind};
use crate::wire::scan::{Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

parameterised! {
    /// Anything, then parameters: the fields of RFC 7315 and their like.
    Generic, "RFC 3261 7.3.1" {
        /// What stands before the first semicolon.
        head: LooseHead;
    }

    /// A token with parameters: Info-Package, Recv-Info, P-Access-Network-Info and their like.
    Named, "RFC 3261 25.1" {
        /// The token.
        token: TokenHead;
    }

    /// A number with parameters: Geolocation-Error and its like.
    Coded, "RFC 6442 4.3" {
        /// The number.
        code: NumberHead;
    }

    /// The ids of a session's two ends.
    SessionId, "RFC 7989 5" {
        /// The sender's.
        local: TokenHead;
        /// The other end's.
        remote: Option<Span> = "remote";
    }

    /// Data for the user's application.
    UserToUser, "RFC 7433 4" {
        /// The data, with quotes if it has them.
        data: LooseHead;
        /// `hex` or another.
        encoding: Option<Span> = "encoding";
        /// Which application.
        purpose: Option<Span> = "purpose";
        /// What the data is.
        content: Option<Span> = "content";
    }
}

/// Text in UTF-8, maybe empty: Subject, Organization, Server, User-Agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The text without white space at its ends; it may hold folds.
    pub text: Span,
}

impl Value for Text {
    const CLAUSE: &'static str = "RFC 3261 25.1";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let control = |b: &u8| (*b < b' ' && !matches!(b, b'\t' | b'\r' | b'\n')) || *b == 0x7f;
        if let Some(at) = c.rest().iter().position(control) {
            c.at = c.at.saturating_add(at);
            return Err(ValueErrorKind::Control);
        }
        let text = Span::new(c.at, c.end()).trimmed(c.bytes());
        c.at = c.end();
        Ok(Self { text })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.received(self.text.of(bytes))
    }

    fn parts(&self, see: &mut See<'_>) {
        see("text", Part::Text(self.text));
    }
}
