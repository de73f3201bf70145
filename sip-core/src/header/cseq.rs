//! CSeq (RFC 3261 20.16).

use crate::wire::scan::{Class, Cursor, Malformed, Span};
use crate::wire::start_line::Method;

/// A sequence number and the method it counts.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct CSeq {
    /// The sequence number. A sender keeps it below 2^31; a receiver takes any of 32 bits.
    pub number: u32,
    /// The method.
    pub method: Method,
    /// Its text, which alone tells unknown methods apart.
    pub method_text: Span,
}

impl CSeq {
    /// Reads the value that stands at `value` in `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] when it is not a 32-bit number, white space and a method.
    #[inline]
    pub fn parse(bytes: &[u8], value: Span) -> Result<CSeq, Malformed> {
        let mut c = Cursor::new(bytes, value);
        let number = c.number().ok_or_else(|| c.malformed())?;
        let gap = c.at;
        c.ws();
        let method_text = c.run(Class::TOKEN);
        if method_text.is_empty() || method_text.start() == gap || !c.done() {
            return Err(c.malformed());
        }
        Ok(CSeq { number, method: Method::of(c.text(method_text)), method_text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_white_space_method() {
        let read = |t: &str| {
            let c = CSeq::parse(t.as_bytes(), Span::new(0, t.len())).ok()?;
            Some((c.number, c.method, &t[c.method_text.start()..c.method_text.end()]))
                .map(|(n, m, t)| (n, m, std::string::String::from(t)))
        };
        assert_eq!(read("0009\r\n  INVITE"), Some((9, Method::Invite, "INVITE".into())));
        assert_eq!(read("4294967295 invite"), Some((u32::MAX, Method::Other, "invite".into())));
        for bad in ["", "1", "1 ", "1INVITE", "INVITE", "1 INVITE x", "4294967296 ACK", "-1 ACK"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
