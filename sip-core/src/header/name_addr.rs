//! Name and address: From, To, Contact, Route and their like (RFC 3261 20.10, 20.20, 25.1).

use super::param;
use super::uri::Uri;
use crate::wire::scan::{Class, Cursor, Fault, Malformed, Span, decimal, same};

/// `"display name" <uri>;params`, or `uri;params`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct NameAddr {
    /// The display name as it is written, with the quotes of a quoted string.
    pub display: Span,
    /// The URI.
    pub uri: Uri,
    /// The URI as it is written, without angle brackets.
    pub uri_text: Span,
    /// All header parameters, from the first semicolon; empty when there are none.
    pub params: Span,
    /// The value of `tag`.
    pub tag: Span,
    /// The value of `q` in thousandths, when it is one.
    pub q: Option<u16>,
    /// The value of `expires` in seconds, when it is a number; greater ones count as `u32::MAX`.
    pub expires: Option<u32>,
    /// The value with its parameters, without the comma and white space around it.
    pub whole: Span,
    /// How far it departs from the grammar.
    pub fault: Fault,
}

impl NameAddr {
    /// Reads the value that stands at `value` in `bytes`, of a field that is no list.
    ///
    /// # Errors
    /// [`Malformed`] when it has no URI or more follows it.
    #[inline]
    pub fn parse(bytes: &[u8], value: Span) -> Result<NameAddr, Malformed> {
        let mut c = Cursor::new(bytes, value);
        let mut v = NameAddr::next(&mut c)?;
        if !c.done() {
            v.fault = Fault::Bad;
        }
        Ok(v)
    }

    /// Takes one value and stops at its end or before the comma after it.
    ///
    /// # Errors
    /// [`Malformed`] when it has no URI.
    #[inline]
    pub fn next(c: &mut Cursor<'_>) -> Result<NameAddr, Malformed> {
        c.ws();
        let start = c.at;
        let mut v = NameAddr::default();
        v.display(c)?;
        if c.eat(b'<') {
            let at = c.at;
            v.uri.take(c)?;
            v.uri_text = c.since(at);
            if !c.eat(b'>') {
                return Err(c.malformed());
            }
        } else {
            v.uri.take_bare(c)?;
            v.uri_text = c.since(start);
        }
        let mut end = c.at;
        c.ws();
        let params = c.at;
        while c.eat(b';') {
            let p = param::next(c, &mut v.fault);
            if p.name.is_empty() {
                break;
            }
            end = p.value.unwrap_or(p.name).end().max(end);
            v.keep(c, p);
        }
        if end > params {
            v.params = Span { at: params as u16, len: end.wrapping_sub(params) as u16 };
        }
        v.whole = Span { at: start as u16, len: end.wrapping_sub(start) as u16 };
        if !c.done() && c.peek() != b',' {
            v.fault = Fault::Bad;
        }
        Ok(v)
    }

    /// Takes the display name, if there is one, and the white space after it.
    #[inline(always)]
    fn display(&mut self, c: &mut Cursor<'_>) -> Result<(), Malformed> {
        let start = c.at;
        match c.peek() {
            b'<' => {}
            b'"' => {
                self.display = c.quoted().ok_or_else(|| c.malformed())?;
                c.ws();
                if c.peek() != b'<' {
                    return Err(c.malformed());
                }
            }
            _ => {
                let mut end = start;
                loop {
                    let word = c.run(Class::TOKEN);
                    if c.peek() >= 0x80 {
                        // Unquoted UTF-8 is not in the grammar, but common.
                        self.fault = Fault::Odd;
                        c.run(Class::TOKEN | Class::UTF8);
                    } else if word.is_empty() {
                        break;
                    }
                    end = c.at;
                    c.ws();
                }
                if c.peek() == b'<' {
                    self.display = Span { at: start as u16, len: end.wrapping_sub(start) as u16 };
                } else {
                    c.at = start;
                }
            }
        }
        Ok(())
    }

    #[inline(always)]
    fn keep(&mut self, c: &Cursor<'_>, p: param::Param) {
        let name = c.text(p.name);
        let value = p.value.unwrap_or_default();
        match name.len() {
            3 if same(name, b"tag") => self.tag = value,
            1 if same(name, b"q") => self.q = quality(c.text(value)),
            7 if same(name, b"expires") => self.expires = decimal(c.text(value)),
            _ => {}
        }
    }
}

/// A `qvalue` in thousandths: 0 to 1 with up to three decimals (RFC 3261 25.1).
#[must_use]
pub fn quality(text: &[u8]) -> Option<u16> {
    let (&whole, rest) = text.split_first()?;
    let decimals = match rest {
        [] => rest,
        [b'.', d @ ..] if d.len() <= 3 => d,
        _ => return None,
    };
    let mut n = 0u16;
    for place in 0..3 {
        let d = decimals.get(place).copied().unwrap_or(b'0').wrapping_sub(b'0');
        if d > 9 {
            return None;
        }
        n = n.saturating_mul(10).saturating_add(u16::from(d));
    }
    match whole {
        b'0' => Some(n),
        b'1' if n == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::uri::Scheme;

    fn read(text: &str) -> Option<NameAddr> {
        NameAddr::parse(text.as_bytes(), Span::new(0, text.len())).ok()
    }

    #[track_caller]
    fn check(text: &str, display: &str, uri: &str, params: &str, fault: Fault) -> NameAddr {
        let v = read(text).unwrap();
        let of = |s: Span| &text[s.start()..s.end()];
        assert_eq!((of(v.display), of(v.uri_text), of(v.params)), (display, uri, params));
        assert_eq!(v.fault, fault);
        v
    }

    #[test]
    fn every_form() {
        check("<sip:a@b;lr>;tag=x", "", "sip:a@b;lr", ";tag=x", Fault::None);
        check("Al  Bo <sip:a@b>", "Al  Bo", "sip:a@b", "", Fault::None);
        check("al<sip:a@b>", "al", "sip:a@b", "", Fault::None);
        check("\"A \\\" <x>, \"\t<tel:1>", "\"A \\\" <x>, \"", "tel:1", "", Fault::None);
        check("J\u{f6}rg <sip:a@b>", "J\u{f6}rg", "sip:a@b", "", Fault::Odd);
        check("<sip:a@b>;x=1 x", "", "sip:a@b", ";x=1", Fault::Bad);
        check("<sip:a@b> , <sip:c@d>", "", "sip:a@b", "", Fault::Bad);
    }

    #[test]
    fn without_brackets_parameters_are_the_headers() {
        // RFC 3261 20.10.
        let v = check("sip:a@b;user=phone;tag=x", "", "sip:a@b", ";user=phone;tag=x", Fault::None);
        assert!(!v.uri.user_phone && v.uri.params.is_empty());
        assert_eq!(v.tag.len, 1);
        check("sip:a@b?to=c", "", "sip:a@b", "", Fault::Bad);
    }

    #[test]
    fn parameters_that_are_known() {
        let v = read("<sip:a@b>;Q=0.7;expires=90;TAG=t").unwrap();
        assert_eq!((v.q, v.expires, v.tag.len), (Some(700), Some(90), 1));
        assert_eq!(v.uri.scheme, Scheme::Sip);
        let v = read("<sip:a@b>;q=7;expires=x").unwrap();
        assert_eq!((v.q, v.expires), (None, None));
    }

    #[test]
    fn what_is_no_address() {
        for bad in [
            "",
            "a",
            "*",
            "a@b",
            "<a@b>",
            "\"a\"",
            "\"a\" sip:a@b",
            "\"a <sip:a@b>",
            "<sip:a@b",
            "< sip:a@b>",
            "<sip:a@b >",
            "A, B <sip:a@b>",
            "<>",
            "> <sip:a@b>",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
