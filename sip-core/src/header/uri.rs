//! URIs: sip, sips, tel, and any other as text (RFC 3261 19.1, RFC 3966).

use super::param::Param;
use crate::wire::scan::{Class, Cursor, Malformed, Span, decimal, is, same};

/// The scheme of a URI.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Hash)]
pub enum Scheme {
    /// `sip`.
    Sip,
    /// `sips`.
    Sips,
    /// `tel`.
    Tel,
    /// Any other.
    #[default]
    Other,
}

/// A URI, as spans of the bytes it was read from.
///
/// Escapes are kept; [`unescape`](super::escape::unescape) reads through them.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Uri {
    /// The scheme.
    pub scheme: Scheme,
    /// The scheme as it is written.
    pub scheme_text: Span,
    /// The user part; the number of a tel URI. Empty when there is none.
    pub user: Span,
    /// The password; empty when there is none.
    pub password: Span,
    /// The host, with the brackets of an IPv6 address; empty but in sip and sips URIs.
    pub host: Span,
    /// The port; 0 when there is none.
    pub port: u16,
    /// What follows the scheme of a URI that is neither sip, sips nor tel.
    pub opaque: Span,
    /// All parameters, from the first semicolon; empty when there are none.
    pub params: Span,
    /// The header fields behind the question mark; empty when there are none.
    pub headers: Span,
    /// The value of `transport`.
    pub transport: Span,
    /// The value of `maddr`.
    pub maddr: Span,
    /// The value of `method`.
    pub method: Span,
    /// The value of `ttl`.
    pub ttl: Option<u8>,
    /// Whether there is an `lr` parameter: the URI of a loose router (RFC 3261 19.1.1).
    pub lr: bool,
    /// Whether `user=phone` says that the user part is a telephone number.
    pub user_phone: bool,
}

impl Uri {
    /// Reads a URI that is all of `text`.
    ///
    /// # Errors
    /// [`Malformed`] where it departs from the grammar.
    pub fn parse(text: &[u8]) -> Result<Uri, Malformed> {
        Uri::parse_at(text, Span::new(0, text.len()))
    }

    /// Reads the URI that is all of `span` in `bytes`; its spans are of `bytes`.
    ///
    /// # Errors
    /// [`Malformed`] where it departs from the grammar.
    #[inline]
    pub fn parse_at(bytes: &[u8], span: Span) -> Result<Uri, Malformed> {
        let mut c = Cursor::new(bytes, span);
        let mut uri = Uri::default();
        uri.take(&mut c)?;
        if c.done() { Ok(uri) } else { Err(c.malformed()) }
    }

    /// Takes a URI. Without angle brackets around it (`bare`) it ends at the first semicolon,
    /// comma, question mark or white space, which belong to the header (RFC 3261 20.10).
    ///
    /// # Errors
    /// [`Malformed`] where it departs from the grammar.
    pub fn next(c: &mut Cursor<'_>, bare: bool) -> Result<Uri, Malformed> {
        let mut uri = Uri::default();
        if bare { uri.take_bare(c) } else { uri.take(c) }.map(|()| uri)
    }

    /// Takes a URI that ends where the header goes on, into this empty one.
    pub(super) fn take_bare(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        let mut part = *c;
        let whole = part.until(b";,? \t\r\n<>\"");
        let mut part = Cursor::new(c.bytes(), whole);
        self.take(&mut part)?;
        if !part.done() {
            return Err(part.malformed());
        }
        c.at = part.at;
        Ok(())
    }

    /// Takes a URI into this empty one.
    pub(super) fn take(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        self.scheme(c)?;
        match self.scheme {
            Scheme::Sip | Scheme::Sips => {
                self.userinfo(c);
                self.host = c.host().ok_or_else(|| c.malformed())?;
                self.port = c.port(false).ok_or_else(|| c.malformed())?;
                if c.peek() == b';' {
                    self.params(c)?;
                }
                if c.eat(b'?') {
                    self.headers = c.run(Class::HEADER);
                    if self.headers.is_empty() {
                        return Err(c.malformed());
                    }
                }
            }
            Scheme::Tel => {
                self.user = c.run(Class::PARAM | Class::USER_ODD);
                if self.user.is_empty() {
                    return Err(c.malformed());
                }
                self.params(c)?;
            }
            Scheme::Other => {
                self.opaque = c.run(Class::URI | Class::USER_ODD);
                if self.opaque.is_empty() {
                    return Err(c.malformed());
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn scheme(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        if c.rest().starts_with(b"sip:") {
            self.scheme = Scheme::Sip;
            self.scheme_text = Span { at: c.at as u16, len: 3 };
            c.at = c.at.wrapping_add(4);
            return Ok(());
        }
        self.other_scheme(c)
    }

    fn other_scheme(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        let start = c.at;
        self.scheme_text = c.run(Class::TOKEN);
        let text = c.text(self.scheme_text);
        let letter = text.first().is_some_and(u8::is_ascii_alphabetic);
        let plain =
            text.iter().all(|&b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
        if !letter || !plain || !c.eat(b':') {
            c.at = start;
            return Err(c.malformed());
        }
        self.scheme = match text.len() {
            3 if same(text, b"sip") => Scheme::Sip,
            4 if same(text, b"sips") => Scheme::Sips,
            3 if same(text, b"tel") => Scheme::Tel,
            _ => Scheme::Other,
        };
        Ok(())
    }

    /// Takes `user@` or `user:password@`, if there is an `@`.
    #[inline(always)]
    fn userinfo(&mut self, c: &mut Cursor<'_>) {
        let start = c.at;
        let user = c.run(Class::USER | Class::USER_ODD);
        if c.peek() == b'@' && !user.is_empty() {
            c.at = c.at.wrapping_add(1);
            self.user = user;
            return;
        }
        if c.eat(b':') && !user.is_empty() {
            let password = c.run(Class::USER);
            if c.eat(b'@') {
                self.user = user;
                self.password = password;
                return;
            }
        }
        c.at = start;
    }

    #[inline(always)]
    fn params(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        let start = c.at;
        while c.eat(b';') {
            let name = c.run(Class::PARAM);
            if name.is_empty() {
                return Err(c.malformed());
            }
            let value = if c.eat(b'=') { c.run(Class::PARAM) } else { Span::EMPTY };
            self.keep(c, name, value);
        }
        self.params = c.since(start);
        Ok(())
    }

    #[inline(always)]
    fn keep(&mut self, c: &Cursor<'_>, name: Span, value: Span) {
        let text = c.text(name);
        match text.len() {
            2 if same(text, b"lr") => self.lr = true,
            9 if same(text, b"transport") => self.transport = value,
            5 if same(text, b"maddr") => self.maddr = value,
            4 if same(text, b"user") => {
                self.user_phone = c.text(value).eq_ignore_ascii_case(b"phone");
            }
            6 if same(text, b"method") => self.method = value,
            3 if same(text, b"ttl") => {
                self.ttl = decimal(c.text(value)).and_then(|n| u8::try_from(n).ok());
            }
            _ => {}
        }
    }

    /// Whether it is a sip or sips URI.
    #[must_use]
    pub const fn is_sip(&self) -> bool {
        matches!(self.scheme, Scheme::Sip | Scheme::Sips)
    }
}

/// The parameters of a URI, in a span that begins with the first semicolon.
#[derive(Clone, Debug)]
pub struct UriParams<'a> {
    cursor: Cursor<'a>,
}

impl<'a> UriParams<'a> {
    /// The parameters in `span` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Self {
        UriParams { cursor: Cursor::new(bytes, span) }
    }
}

impl Iterator for UriParams<'_> {
    type Item = Param;

    fn next(&mut self) -> Option<Param> {
        if !self.cursor.eat(b';') {
            return None;
        }
        let name = self.cursor.run(Class::PARAM);
        let value = self.cursor.eat(b'=').then(|| self.cursor.run(Class::PARAM));
        Some(Param { name, value })
    }
}

/// The header fields of a URI, in the span behind its question mark.
#[derive(Clone, Debug)]
pub struct UriHeaders<'a> {
    cursor: Cursor<'a>,
}

impl<'a> UriHeaders<'a> {
    /// The header fields in `span` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Self {
        UriHeaders { cursor: Cursor::new(bytes, span) }
    }
}

impl Iterator for UriHeaders<'_> {
    type Item = Param;

    fn next(&mut self) -> Option<Param> {
        if self.cursor.done() {
            return None;
        }
        let field = self.cursor.until(b"&");
        self.cursor.eat(b'&');
        let mut inner = Cursor::new(self.cursor.bytes(), field);
        let name = inner.until(b"=");
        let value = inner.eat(b'=').then(|| Span::new(inner.at, field.end()));
        Some(Param { name, value })
    }
}

/// Whether `text` may stand in a user part as it is.
#[must_use]
pub fn is_user(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&c| is(c, Class::USER))
}

/// Whether the text is a `sips` URI.
#[must_use]
pub fn is_sips(text: &[u8]) -> bool {
    let starts = text.get(..5).is_some_and(|s| s.eq_ignore_ascii_case(b"sips:"));
    starts && Uri::parse(text).is_ok_and(|u| u.scheme == Scheme::Sips)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn of(text: &str, span: Span) -> &str {
        &text[span.start()..span.end()]
    }

    #[test]
    fn every_part_of_a_sip_uri() {
        let t = "SIPS:a%40b;c=d:p&w@[2001:db8::1]:5062;transport=TCP;lr=on;user=phone;\
            maddr=239.1.1.1;ttl=1;method=INVITE;x?to=y&z=";
        let u = Uri::parse(t.as_bytes()).unwrap();
        assert_eq!((u.scheme, u.port, u.ttl), (Scheme::Sips, 5062, Some(1)));
        assert_eq!((of(t, u.user), of(t, u.password)), ("a%40b;c=d", "p&w"));
        assert_eq!((of(t, u.host), of(t, u.transport)), ("[2001:db8::1]", "TCP"));
        assert_eq!((of(t, u.maddr), of(t, u.method)), ("239.1.1.1", "INVITE"));
        assert!(u.lr && u.user_phone && u.is_sip());
        assert_eq!(of(t, u.headers), "to=y&z=");
        let params: Vec<_> =
            UriParams::new(t.as_bytes(), u.params).map(|p| of(t, p.name)).collect();
        assert_eq!(params, ["transport", "lr", "user", "maddr", "ttl", "method", "x"]);
        let headers: Vec<_> = UriHeaders::new(t.as_bytes(), u.headers)
            .map(|p| (of(t, p.name), p.value.map(|v| of(t, v))))
            .collect();
        assert_eq!(headers, [("to", Some("y")), ("z", Some(""))]);
    }

    #[test]
    fn a_colon_or_semicolon_is_no_user_without_an_at() {
        let t = "sip:h:5060;p=1";
        let u = Uri::parse(t.as_bytes()).unwrap();
        assert!(u.user.is_empty() && u.password.is_empty());
        assert_eq!((of(t, u.host), u.port, of(t, u.params)), ("h", 5060, ";p=1"));
    }

    #[test]
    fn other_schemes() {
        let t = "tel:+1-201;phone-context=x";
        let u = Uri::parse(t.as_bytes()).unwrap();
        assert_eq!((u.scheme, of(t, u.user)), (Scheme::Tel, "+1-201"));
        assert_eq!(of(t, u.params), ";phone-context=x");
        let t = "urn:service:sos";
        let u = Uri::parse(t.as_bytes()).unwrap();
        assert_eq!((u.scheme, of(t, u.scheme_text)), (Scheme::Other, "urn"));
        assert_eq!(of(t, u.opaque), "service:sos");
    }

    #[test]
    fn what_is_no_uri() {
        for bad in [
            "",
            "sip",
            "sip:",
            "sip:@h",
            "sip:a@",
            "sip:a@h:",
            "sip:a@h:99999",
            "sip:a@h;",
            "sip:a@h;;x",
            "sip:a@h?",
            "sip:a@h x",
            "sip:a b@h",
            "sip:a@[::1",
            "sip:2001:db8::1",
            "sip:a@b@c",
            "1sip:a",
            "a_b:c",
            "tel:",
            "x:",
            "<sip:a@b>",
            "sip:a@h>",
        ] {
            assert!(Uri::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn in_a_message_the_spans_are_of_the_message() {
        let t = b"To: <sip:a@h>";
        let u = Uri::parse_at(t, Span::new(5, 12)).unwrap();
        assert_eq!((u.user.of(t), u.host.of(t)), (&b"a"[..], &b"h"[..]));
    }
}
