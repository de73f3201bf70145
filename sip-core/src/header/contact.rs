//! Contact (RFC 3261 20.10) with the parameters of outbound and GRUU (RFC 5626, RFC 5627).

use super::parts::{AddrHead, Quality, parameterised};
use super::value::{Part, See, Value, ValueErrorKind};
use crate::wire::scan::{Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

parameterised! {
    /// One address of a Contact.
    ContactAddr, "RFC 3261 20.10" {
        /// Display name and URI.
        addr: AddrHead;
        /// Preference among several.
        q: Option<Quality> = "q";
        /// Life of the binding in seconds.
        expires: Option<u32> = "expires";
        /// `+sip.instance`, the URN with its angle brackets (RFC 5626 section 4.1).
        instance: Option<Span> = "+sip.instance";
        /// `reg-id`, from 1 (RFC 5626 section 4.2).
        reg_id: Option<u32> = "reg-id" (positive);
        /// `pub-gruu` (RFC 5627 section 5.1).
        pub_gruu: Option<Span> = "pub-gruu";
        /// `temp-gruu` (RFC 5627 section 5.1).
        temp_gruu: Option<Span> = "temp-gruu";
        /// The sender is the focus of a conference (RFC 4579 section 3.1).
        isfocus: bool = "isfocus";
    }
}

fn positive(number: &Option<u32>) -> Result<(), ValueErrorKind> {
    if *number == Some(0) { Err(ValueErrorKind::Range) } else { Ok(()) }
}

/// A value of Contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contact {
    /// `*`: all bindings (RFC 3261 10.2.2).
    Star,
    /// An address.
    Addr(ContactAddr),
}

impl Value for Contact {
    const CLAUSE: &'static str = ContactAddr::CLAUSE;

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        if c.text(Span::new(c.at, c.end()).trimmed(c.bytes())) == b"*" {
            c.at = c.end();
            return Ok(Self::Star);
        }
        ContactAddr::read(c).map(Self::Addr)
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        match self {
            Self::Star => out.token(b"*"),
            Self::Addr(addr) => addr.write(bytes, out),
        }
    }

    fn parts(&self, see: &mut See<'_>) {
        match self {
            Self::Star => see("star", Part::Flag(true)),
            Self::Addr(addr) => addr.parts(see),
        }
    }
}
