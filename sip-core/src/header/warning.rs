//! Warning (RFC 3261 20.43).

use super::value::{Part, See, Value, ValueErrorKind, lws};
use crate::wire::scan::{Class, Cursor, Span};
use crate::wire::write::{Value as ValueWriter, WriteError};

/// One warning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// Three digits; 3xx are SIP's.
    pub code: u16,
    /// Host and port, or another name, of who warns.
    pub agent: Span,
    /// The text, without its quotes.
    pub text: Span,
}

impl Value for Warning {
    const CLAUSE: &'static str = "RFC 3261 20.43";

    fn read(c: &mut Cursor<'_>) -> Result<Self, ValueErrorKind> {
        let digits = c.run(Class::DIGIT);
        if digits.len != 3 {
            c.at = digits.start();
            return Err(ValueErrorKind::Number);
        }
        let code = c
            .text(digits)
            .iter()
            .fold(0_u16, |n, b| n.wrapping_mul(10).wrapping_add(u16::from(b.wrapping_sub(b'0'))));
        lws(c)?;
        let agent = c.run(Class::VALUE);
        if agent.is_empty() {
            return Err(ValueErrorKind::Syntax);
        }
        lws(c)?;
        let text = c.quoted().ok_or(ValueErrorKind::Syntax)?;
        let text = Span::new(text.start().saturating_add(1), text.end().saturating_sub(1));
        Ok(Self { code, agent, text })
    }

    fn write(&self, bytes: &[u8], out: &mut ValueWriter<'_, '_>) -> Result<(), WriteError> {
        out.whole(|w| {
            w.digits(u32::from(self.code), 3)?;
            w.put(b" ")?;
            w.of_class(self.agent.of(bytes), Class::VALUE)?;
            w.put(b" ")?;
            w.requoted(self.text.of(bytes))
        })
    }

    fn parts(&self, see: &mut See<'_>) {
        see("code", Part::Number(u64::from(self.code)));
        see("agent", Part::Text(self.agent));
        see("text", Part::Text(self.text));
    }
}
