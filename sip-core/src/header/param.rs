//! Parameters of header values: `;name`, `;name=value`, `;name="value"` (RFC 3261 7.3.1).

use crate::wire::scan::{Class, Cursor, Fault, Span};

/// One parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Param {
    /// Its name.
    pub name: Span,
    /// Its value with the quotes of a quoted string; `None` when there is no `=`.
    pub value: Option<Span>,
}

/// Takes the name and value of a parameter behind its semicolon, and the white space after it.
/// `fault` becomes worse where they depart from the grammar.
#[inline(always)]
pub(crate) fn next(c: &mut Cursor<'_>, fault: &mut Fault) -> Param {
    c.ws();
    let name = c.run(Class::TOKEN);
    if name.is_empty() {
        *fault = Fault::Bad;
    }
    c.ws();
    if !c.eat(b'=') {
        return Param { name, value: None };
    }
    c.ws();
    let value = value(c, fault);
    c.ws();
    Param { name, value: Some(value) }
}

#[inline(always)]
fn value(c: &mut Cursor<'_>, fault: &mut Fault) -> Span {
    let start = c.at;
    if c.peek() == b'"' {
        if let Some(quoted) = c.quoted() {
            return quoted;
        }
        *fault = Fault::Bad;
        c.at = c.end();
        return c.since(start);
    }
    c.run(Class::VALUE);
    if c.at == start || !(c.done() || matches!(c.peek(), b';' | b',' | b' ')) {
        odd_value(c, start, fault);
    }
    c.since(start)
}

/// Takes more of a value that is empty or stops at a byte that is neither of a token nor of a host.
#[cold]
fn odd_value(c: &mut Cursor<'_>, start: usize, fault: &mut Fault) {
    if c.at == start && c.eat(b'<') {
        // A URI in angle brackets (RFC 8224 4, RFC 5318 4.1).
        let uri = c.run(Class::URI | Class::UTF8);
        let whole = !uri.is_empty() && c.eat(b'>');
        *fault = (*fault).max(if whole { Fault::Odd } else { Fault::Bad });
        return;
    }
    let more = c.run(Class::LOOSE | Class::UTF8);
    if c.at == start {
        *fault = Fault::Bad;
    } else if !more.is_empty() {
        *fault = (*fault).max(Fault::Odd);
    }
}

/// The parameters in a span that begins with the first semicolon. Stops at what is no parameter.
#[derive(Clone, Debug)]
pub struct Params<'a> {
    cursor: Cursor<'a>,
    fault: Fault,
}

impl<'a> Params<'a> {
    /// The parameters in `span` of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8], span: Span) -> Self {
        Params { cursor: Cursor::new(bytes, span), fault: Fault::None }
    }
}

impl Iterator for Params<'_> {
    type Item = Param;

    fn next(&mut self) -> Option<Param> {
        self.cursor.ws();
        if !self.cursor.eat(b';') {
            return None;
        }
        Some(next(&mut self.cursor, &mut self.fault)).filter(|p| !p.name.is_empty())
    }
}

/// The first parameter called `name`, without regard to case: its value, which is empty when it
/// has none. `None` when there is no such parameter.
#[must_use]
pub fn param(bytes: &[u8], params: Span, name: &[u8]) -> Option<Span> {
    Params::new(bytes, params)
        .find(|p| p.name.of(bytes).eq_ignore_ascii_case(name))
        .map(|p| p.value.unwrap_or(Span::EMPTY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn names_values_and_quotes() {
        let text = b"; a ;b = c;d=\"e;f\\\"\" ; g=[::1]:5;h=x==y;;i";
        let all: Vec<(&[u8], Option<&[u8]>)> = Params::new(text, Span::new(0, text.len()))
            .map(|p| (p.name.of(text), p.value.map(|v| v.of(text))))
            .collect();
        let want: [(&[u8], Option<&[u8]>); 5] = [
            (b"a", None),
            (b"b", Some(b"c")),
            (b"d", Some(b"\"e;f\\\"\"")),
            (b"g", Some(b"[::1]:5")),
            (b"h", Some(b"x==y")),
        ];
        assert_eq!(all, want);
    }

    #[test]
    fn a_parameter_is_found_without_regard_to_case() {
        let text = b"x;Tag=1;tag=2;lr";
        let span = Span::new(1, text.len());
        assert_eq!(param(text, span, b"TAG").map(|s| s.of(text)), Some(&b"1"[..]));
        assert_eq!(param(text, span, b"lr"), Some(Span::EMPTY));
        assert_eq!(param(text, span, b"l"), None);
    }
}
