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
            if p.name.is_empty() {
                break;
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Option<Via> {
        Via::parse(text, Span::new(0, text.len())).ok()
    }

    #[test]
    fn every_part_is_found() {
        let text = b"SIP / 2.0\r\n / UDP [2001:db8::1] : 5070 ;branch= z9hG4bKx ;RPORT=9;\
            received=192.0.2.1;maddr=m.example;ttl=16;x=\"a,b\" , SIP/2.0/TCP b";
        let v = read(text).unwrap();
        assert!(v.version_ok && v.has_cookie(text));
        assert_eq!((v.transport.of(text), v.port), (&b"UDP"[..], 5070));
        assert_eq!(v.host.of(text), b"[2001:db8::1]");
        assert_eq!(v.branch.of(text), b"z9hG4bKx");
        assert_eq!((v.rport_asked, v.rport, v.ttl), (true, Some(9), Some(16)));
        assert_eq!(v.rport_span.of(text), b"RPORT=9");
        assert_eq!(v.received.of(text), b"192.0.2.1");
        assert_eq!(v.maddr.of(text), b"m.example");
        assert!(v.whole.of(text).starts_with(b"SIP / ") && v.whole.of(text).ends_with(b"\"a,b\""));
        assert!(v.params.of(text).starts_with(b";branch"));
        assert_eq!(v.fault, Fault::None);
    }

    #[test]
    fn what_is_missing_is_empty() {
        let v = read(b"SIP/2.0/UDP a").unwrap();
        assert!(v.branch.is_empty() && v.received.is_empty() && v.params.is_empty());
        assert_eq!((v.port, v.rport_asked, v.rport, v.ttl), (0, false, None, None));
        assert!(!v.has_cookie(b"SIP/2.0/UDP a"));
        assert_eq!(read(b"SIP/2.0/UDP a;rport").unwrap().rport, None);
    }

    #[test]
    fn what_is_no_via() {
        for bad in ["", "SIP/2.0/UDP", "SIP/2.0/UDP ", "SIP/2.0 a", "UDP a", "SIP/2.0/UDP a:0"] {
            assert_eq!(read(bad.as_bytes()), None, "{bad}");
        }
        assert!(!read(b"SIP/7.0/UDP a").unwrap().version_ok);
        assert!(!read(b"SAP/2.0/UDP a").unwrap().version_ok);
        for odd in ["SIP/2.0/UDP a;;", "SIP/2.0/UDP a b", "SIP/2.0/UDP a;=x", "SIP/2.0/UDP a;b=\"c"]
        {
            assert_eq!(read(odd.as_bytes()).unwrap().fault, Fault::Bad, "{odd}");
        }
        assert_eq!(read(b"SIP/2.0/UDP a;branch=b==").unwrap().fault, Fault::Odd);
    }
}
