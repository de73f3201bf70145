//! Lists of tokens and of Call-IDs, and Privacy (RFC 3323).

use super::parts::{CallIdHead, Head, TokenHead};
use super::value::{Part, See, Value, ValueErrorKind, token};
use crate::wire::scan::{Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

macro_rules! single {
    ($($(#[$doc:meta])* $name:ident: $rule:ty, $clause:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name {
            /// The bytes.
            pub text: Span,
        }

        impl Value for $name {
            const CLAUSE: &'static str = $clause;

            fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
                <$rule as Head>::read(c).map(|text| Self { text })
            }

            fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
                out.whole(|w| <$rule as Head>::write(self.text, bytes, w))
            }

            fn parts(&self, see: &mut See<'_>) {
                <$rule as Head>::see(self.text, "text", see);
            }
        }
    )*};
}

single! {
    /// One token: an option tag, a method, a coding, an event package, an entity tag.
    Token: TokenHead, "RFC 3261 25.1";
    /// One Call-ID: Call-ID itself and In-Reply-To.
    CallId: CallIdHead, "RFC 3261 20.8";
}

/// Privacy: which services a user asks for (RFC 3323 section 4.2, RFC 3325 section 9.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privacy {
    /// All values as they are written.
    pub values: Span,
    /// Hide what the user cannot hide in the header fields.
    pub header: bool,
    /// Hide the session's addresses.
    pub session: bool,
    /// Hide what names the user.
    pub user: bool,
    /// Do not pass the asserted identity to those not trusted.
    pub id: bool,
    /// Hide History-Info (RFC 7044 section 10.1).
    pub history: bool,
    /// Refuse the request rather than send it without.
    pub critical: bool,
    /// No privacy, whatever the network would do by itself.
    pub none: bool,
}

impl Value for Privacy {
    const CLAUSE: &'static str = "RFC 3323 4.2";

    /// Values may be parted by commas too, as they often are.
    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let start = c.at;
        let mut privacy = Self::default();
        loop {
            let value = token(c)?;
            let value = c.text(value);
            let flags: [(&[u8], &mut bool); 7] = [
                (b"header", &mut privacy.header),
                (b"session", &mut privacy.session),
                (b"user", &mut privacy.user),
                (b"id", &mut privacy.id),
                (b"history", &mut privacy.history),
                (b"critical", &mut privacy.critical),
                (b"none", &mut privacy.none),
            ];
            for (name, flag) in flags {
                *flag |= value.eq_ignore_ascii_case(name);
            }
            privacy.values = c.since(start);
            if !c.eat_ws(b';') && !c.eat_ws(b',') {
                return Ok(privacy);
            }
        }
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            let values = self.values.of(bytes).split(|b| matches!(b, b';' | b','));
            for (index, value) in values.enumerate() {
                if index > 0 {
                    w.put(b";")?;
                }
                w.token(value.trim_ascii())?;
            }
            Ok(())
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        for (name, set) in [
            ("header", self.header),
            ("session", self.session),
            ("user", self.user),
            ("id", self.id),
            ("history", self.history),
            ("critical", self.critical),
            ("none", self.none),
        ] {
            if set {
                see(name, Part::Flag(true));
            }
        }
        see("values", Part::Text(self.values));
    }
}
