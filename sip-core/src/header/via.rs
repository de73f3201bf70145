//! Via (RFC 3261 20.42, RFC 3581).

use super::param;
use crate::wire::scan::{Class, Cursor, Fault, Malformed, Span, decimal, same};

/// The first bytes of a branch made by RFC 3261 (8.1.1.7).
pub const MAGIC_COOKIE: &[u8; 7] = b"z9hG4bK";

/// One value of a Via field.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Via {
    /// The value with its parameters, without the comma and white space around it.
    pub whole: Span,
    /// The transport: `UDP`, `TCP`, ...
    pub transport: Span,
    /// The host of sent-by, with the brackets of an IPv6 address.
    pub host: Span,
    /// The port of sent-by; 0 when there is none.
    pub port: u16,
    /// Whether the protocol is SIP 2.0.
    pub version_ok: bool,
    /// Whether there is an `rport` parameter (RFC 3581), with or without a value.
    pub rport_asked: bool,
    /// The value of `rport`.
    pub rport: Option<u16>,
    /// The whole `rport` parameter, without its semicolon.
    pub rport_span: Span,
    /// The value of `branch`.
    pub branch: Span,
    /// The value of `received`.
    pub received: Span,
    /// The value of `maddr`.
    pub maddr: Span,
    /// The value of `ttl`.
    pub ttl: Option<u8>,
    /// All parameters, from the first semicolon; empty when there are none.
    pub params: Span,
    /// How far it departs from the grammar.
    pub fault: Fault,
}

impl Via {
    /// Reads the first via-parm of the value that stands at `value` in `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] when its protocol, transport or sent-by cannot be read.
    #[inline]
    pub fn parse(bytes: &[u8], value: Span) -> Result<Via, Malformed> {
        Via::next(&mut Cursor::new(bytes, value))
    }

    /// Whether the branch was made by RFC 3261: it begins with the magic cookie.
    #[must_use]
    pub fn has_cookie(&self, bytes: &[u8]) -> bool {
        self.branch.of(bytes).get(..7).is_some_and(|b| b.eq_ignore_ascii_case(MAGIC_COOKIE))
    }

    /// Takes one via-parm and stops at its end or before the comma after it.
    ///
    /// # Errors
    /// As [`Via::parse`].
    #[inline]
    pub fn next(c: &mut Cursor<'_>) -> Result<Via, Malformed> {
        c.ws();
        let start = c.at;
        let mut via = Via { version_ok: true, ..Via::default() };
        if c.rest().starts_with(b"SIP/2.0/") {
            c.at = c.at.wrapping_add(8);
        } else {
            via.version_ok = protocol(c)?;
        }
        via.transport = c.run(Class::TOKEN);
        let gap = c.at;
        c.ws();
        if via.transport.is_empty() || c.at == gap {
            return Err(c.malformed());
        }
        via.host = c.host().ok_or_else(|| c.malformed())?;
        via.port = c.port(true).ok_or_else(|| c.malformed())?;
        let mut end = c.at;
        c.ws();
        let params = c.at;
        while c.eat(b';') {
            let p = param::next(c, &mut via.fault);
            end = p.value.unwrap_or(p.name).end().max(end);
            via.keep(c, p);
        }
        if end > params {
            via.params = Span { at: params as u16, len: end.wrapping_sub(params) as u16 };
        }
        via.whole = Span { at: start as u16, len: end.wrapping_sub(start) as u16 };
        if !c.done() && c.peek() != b',' {
            via.fault = Fault::Bad;
        }
        Ok(via)
    }

    #[inline(always)]
    fn keep(&mut self, c: &Cursor<'_>, p: param::Param) {
        let name = c.text(p.name);
        let value = p.value.unwrap_or_default();
        match name.len() {
            6 if same(name, b"branch") => self.branch = value,
            5 if same(name, b"rport") => {
                self.rport_asked = true;
                let end = p.value.unwrap_or(p.name).end();
                self.rport_span = Span::new(p.name.start(), end);
                self.rport = decimal(c.text(value)).and_then(|n| u16::try_from(n).ok());
            }
            8 if same(name, b"received") => self.received = value,
            5 if same(name, b"maddr") => self.maddr = value,
            3 if same(name, b"ttl") => {
                self.ttl = decimal(c.text(value)).and_then(|n| u8::try_from(n).ok());
            }
            _ => {}
        }
    }
}

/// `SIP / 2.0 /` with white space, or another protocol; whether it is SIP 2.0.
#[cold]
fn protocol(c: &mut Cursor<'_>) -> Result<bool, Malformed> {
    let name = c.token().ok_or_else(|| c.malformed())?;
    if !c.eat_ws(b'/') {
        return Err(c.malformed());
    }
    let version = c.token().ok_or_else(|| c.malformed())?;
    if !c.eat_ws(b'/') {
        return Err(c.malformed());
    }
    Ok(c.text(name).eq_ignore_ascii_case(b"SIP") && c.text(version) == b"2.0")
}
