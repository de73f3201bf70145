//! Forwarding a message with edits: everything that is not edited stays byte for byte.

use super::message::{Field, MessageRef, Step, next_field};
use super::name::Name;
use super::scan::{Cursor, MAX_LEN, Span};
use super::write::WriteError;

/// One change to a message.
///
/// The text goes in as it is; [`Writer`](super::Writer) makes fields that are safe to insert.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Edit<'a> {
    /// Puts `with` where `span` is.
    Replace {
        /// What goes.
        span: Span,
        /// What comes.
        with: &'a [u8],
    },
    /// Puts `text` before the byte at `at`.
    Insert {
        /// The offset.
        at: usize,
        /// What comes.
        text: &'a [u8],
    },
    /// Leaves `span` out.
    Delete {
        /// What goes.
        span: Span,
    },
}

impl<'a> Edit<'a> {
    /// Where it begins and ends in the source, and what it puts there.
    fn parts(&self) -> (usize, usize, &'a [u8]) {
        match *self {
            Edit::Replace { span, with } => (span.start(), span.end(), with),
            Edit::Insert { at, text } => (at, at, text),
            Edit::Delete { span } => (span.start(), span.end(), &[]),
        }
    }

    /// Where it begins in the source: edits are applied in this order.
    #[must_use]
    pub fn at(&self) -> usize {
        self.parts().0
    }

    /// What is inserted stands before what is deleted or replaced at the same place.
    const fn order(&self) -> (usize, bool) {
        match self {
            Self::Insert { at, .. } => (*at, false),
            Self::Delete { span } | Self::Replace { span, .. } => (span.start(), true),
        }
    }
}

/// Copies `src` to `out` with the edits, and returns the length. The edits stand in the order of
/// the source and do not overlap; several at one place are applied in their order.
///
/// # Errors
/// [`WriteError::Full`]; [`WriteError::Order`] for edits out of order, overlapping or beyond the
/// end.
pub fn apply(src: &[u8], edits: &[Edit<'_>], out: &mut [u8]) -> Result<usize, WriteError> {
    let (mut from, mut len) = (0usize, 0usize);
    let mut put = |bytes: &[u8]| {
        let end = len.saturating_add(bytes.len());
        let room = out.get_mut(len..end).filter(|_| end <= MAX_LEN).ok_or(WriteError::Full)?;
        room.copy_from_slice(bytes);
        len = end;
        Ok(())
    };
    for edit in edits {
        let (start, end, text) = edit.parts();
        put(src.get(from..start).ok_or(WriteError::Order)?)?;
        put(text)?;
        from = end;
    }
    put(src.get(from..).ok_or(WriteError::Order)?)?;
    Ok(len)
}

/// The lines of a field, from its name to its last CRLF, folds included.
#[must_use]
pub fn lines(m: &MessageRef<'_>, field: &Field) -> Span {
    let at = usize::from(field.name_at);
    match next_field(m.bytes(), at) {
        Step::Field(_, next) | Step::Line(_, next) | Step::End(next) => Span::new(at, next),
        Step::Cut => Span::new(at, m.bytes().len()),
    }
}

/// Leaves a field out.
#[must_use]
pub fn delete(m: &MessageRef<'_>, field: &Field) -> Edit<'static> {
    Edit::Delete { span: lines(m, field) }
}

/// Leaves out the first value of a list field: the value with the comma behind it, or the whole
/// field when there is no other value. So Via and Route are popped.
#[must_use]
pub fn pop(m: &MessageRef<'_>, field: &Field) -> Edit<'static> {
    let mut c = Cursor::new(m.bytes(), field.value);
    while let Some(item) = c.item() {
        if !c.eat(b',') {
            break;
        }
        c.ws();
        if !item.is_empty() && !c.done() {
            return Edit::Delete { span: Span::new(field.value.start(), c.at) };
        }
    }
    delete(m, field)
}

/// Where a field goes that has to stand before all others of its name: before the first of them,
/// or at the top of the header section when there is none.
#[must_use]
pub fn before_first(m: &MessageRef<'_>, name: Name) -> usize {
    m.field(name).map_or(m.headers_at(), |f| usize::from(f.name_at))
}

/// Where a field goes that has to stand last: before the empty line.
#[must_use]
pub fn at_end(m: &MessageRef<'_>) -> usize {
    let mut at = m.headers_at();
    if let Some(last) = m.fields().last() {
        at = lines(m, &last).end();
    }
    // What is no field may stand behind the last one.
    while let Step::Line(_, next) | Step::Field(_, next) = next_field(m.bytes(), at) {
        at = next;
    }
    at
}

/// Sorts edits into the order of the source; at one place insertions come first, in their order.
pub fn sort(edits: &mut [Edit<'_>]) {
    for i in 1..edits.len() {
        let mut k = i;
        while k > 0
            && let [before, this] = edits.get_mut(k.wrapping_sub(1)..=k).unwrap_or(&mut [])
            && before.order() > this.order()
        {
            core::mem::swap(before, this);
            k = k.wrapping_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::String;
    use std::vec::Vec;

    const MESSAGE: &str = "OPTIONS sip:a@b SIP/2.0\r\n\
        Via: SIP/2.0/UDP a;branch=z9hG4bK1 ,\r\n SIP/2.0/UDP b;branch=z9hG4bK2\r\n\
        To:\r\n\t<sip:a@b>\r\n\
        Route: <sip:r;lr>\r\n\
        route: <sip:x,y@s;lr>, <sip:t;lr>\r\n\
        \r\nbody\r\n";

    fn applied(edits: &[Edit<'_>]) -> String {
        let mut out = [0; 1_000];
        let n = apply(MESSAGE.as_bytes(), edits, &mut out).unwrap();
        String::from_utf8(out[..n].to_vec()).unwrap()
    }

    fn message() -> MessageRef<'static> {
        MessageRef::lazy(MESSAGE.as_bytes()).unwrap()
    }

    #[test]
    fn no_edits_change_nothing() {
        assert_eq!(applied(&[]), MESSAGE);
    }

    #[test]
    fn edits_change_only_what_they_name() {
        let m = message();
        let uri = m.request_uri_span();
        let to = m.field(Name::To).unwrap();
        let got = applied(&[
            Edit::Replace { span: uri, with: b"sip:c@d" },
            Edit::Insert { at: before_first(&m, Name::Via), text: b"Via: 1\r\n" },
            Edit::Insert { at: before_first(&m, Name::Via), text: b"Via: 2\r\n" },
            delete(&m, &to),
            Edit::Insert { at: at_end(&m), text: b"X: y\r\n" },
        ]);
        let want = MESSAGE
            .replace("sip:a@b SIP", "sip:c@d SIP")
            .replace("Via: SIP", "Via: 1\r\nVia: 2\r\nVia: SIP")
            .replace("To:\r\n\t<sip:a@b>\r\n", "")
            .replace("\r\n\r\n", "\r\nX: y\r\n\r\n");
        assert_eq!(got, want);
    }

    #[test]
    fn popping_takes_one_value() {
        let m = message();
        let via = m.field(Name::Via).unwrap();
        let got = applied(&[pop(&m, &via)]);
        assert_eq!(got, MESSAGE.replace("SIP/2.0/UDP a;branch=z9hG4bK1 ,\r\n ", ""));
        let text = b"OPTIONS sip:a SIP/2.0\r\nRoute: , <sip:a> ,, <sip:b>,\r\n\r\n";
        let m = MessageRef::lazy(text).unwrap();
        let mut out = [0; 100];
        let edits = [pop(&m, &m.field(Name::Route).unwrap())];
        let n = apply(text, &edits, &mut out).unwrap();
        assert_eq!(&out[..n], b"OPTIONS sip:a SIP/2.0\r\nRoute: , <sip:b>,\r\n\r\n");
        let m = message();
        let routes: Vec<Field> = m.fields().filter(|f| f.name == Name::Route).collect();
        let got = applied(&[pop(&m, &routes[0])]);
        assert_eq!(got, MESSAGE.replace("Route: <sip:r;lr>\r\n", ""));
        let got = applied(&[pop(&m, &routes[1])]);
        assert_eq!(got, MESSAGE.replace("<sip:x,y@s;lr>, ", ""));
    }

    #[test]
    fn edits_out_of_order_or_too_long_are_refused() {
        let mut out = [0; 1_000];
        let src = MESSAGE.as_bytes();
        let delete = |at, end| Edit::Delete { span: Span::new(at, end) };
        for edits in [
            [delete(5, 9), delete(2, 3)],
            [delete(5, 9), delete(8, 10)],
            [delete(5, 9), Edit::Insert { at: src.len() + 1, text: b"x" }],
        ] {
            assert_eq!(apply(src, &edits, &mut out), Err(WriteError::Order));
        }
        let mut edits = [delete(5, 9), delete(2, 3), Edit::Insert { at: 2, text: b"x" }];
        sort(&mut edits);
        assert_eq!(edits, [Edit::Insert { at: 2, text: b"x" }, delete(2, 3), delete(5, 9)]);
        for room in 0..src.len() {
            assert_eq!(apply(src, &[], &mut out[..room]), Err(WriteError::Full));
        }
    }

    /// A line that goes, and lines that come at its place: added later, they stand before it.
    #[test]
    fn what_is_inserted_where_something_goes_stands_before_it() {
        let mut edits = [
            Edit::Delete { span: Span::new(2, 4) },
            Edit::Insert { at: 2, text: b"x" },
            Edit::Insert { at: 2, text: b"y" },
            Edit::Insert { at: 0, text: b"z" },
        ];
        sort(&mut edits);
        let mut out = [0; 16];
        let len = apply(b"abcdef", &edits, &mut out).unwrap();
        assert_eq!(&out[..len], b"zabxyef");
    }
}
