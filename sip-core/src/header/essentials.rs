//! What every layer needs of a message, read once when it is received.

use super::cseq::CSeq;
use super::name_addr::NameAddr;
use super::uri::{Scheme, Uri};
use super::via::Via;
use crate::wire::defect::{Defect, DefectKind, Kinds};
use crate::wire::message::{Field, MessageRef};
use crate::wire::name::{Name, NameSet};
use crate::wire::scan::{Class, Cursor, Fault, Span, decimal};
use crate::wire::start_line::{Method, StartLine};

/// Room for defects with their position; the kinds of all are kept beside.
const LISTED: usize = 8;

/// The typed values that decide where a message belongs, and the defects found in reading them.
#[derive(Clone, Copy, Debug)]
pub struct Essentials {
    /// The top Via.
    pub via: Option<Via>,
    /// The request URI; `None` for a response.
    pub uri: Option<Uri>,
    /// From.
    pub from: Option<NameAddr>,
    /// To.
    pub to: Option<NameAddr>,
    /// Call-ID; empty when there is none.
    pub call_id: Span,
    /// CSeq.
    pub cseq: Option<CSeq>,
    /// The top Route.
    pub route: Option<NameAddr>,
    /// The first Contact.
    pub contact: Option<NameAddr>,
    /// Whether Contact is `*`.
    pub contact_star: bool,
    /// Max-Forwards; more than 255 count as 255.
    pub max_forwards: Option<u32>,
    /// Content-Length, when it is a number.
    pub content_length: Option<u32>,
    /// Expires in seconds, when it is a number; greater ones count as `u32::MAX`.
    pub expires: Option<u32>,
    kinds: Kinds,
    listed: [Option<Defect>; LISTED],
}

/// Of the names that may appear once only, those that name the transaction or the dialog, or frame
/// the body.
const KEYS: NameSet = NameSet::of(&[
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::MaxForwards,
    Name::ContentLength,
    Name::ContentType,
]);

/// The names that have been seen, each in a byte of its own.
struct Seen([bool; 128]);

const _: () = assert!(Name::ALL.len() < 128);

impl Seen {
    /// Adds a name; whether it is new.
    #[inline(always)]
    fn add(&mut self, name: Name) -> bool {
        let Some(seen) = self.0.get_mut(name as usize) else { return true };
        !core::mem::replace(seen, true)
    }

    #[inline(always)]
    fn has(&self, name: Name) -> bool {
        self.0.get(name as usize).is_some_and(|&seen| seen)
    }
}

impl Essentials {
    /// Reads them in one pass over the fields.
    #[must_use]
    pub fn of(m: &MessageRef<'_>) -> Essentials {
        let mut e = Essentials {
            via: None,
            uri: None,
            from: None,
            to: None,
            call_id: Span::EMPTY,
            cseq: None,
            route: None,
            contact: None,
            contact_star: false,
            max_forwards: None,
            content_length: None,
            expires: None,
            kinds: Kinds::NONE,
            listed: [None; LISTED],
        };
        let bytes = m.bytes();
        let mut seen = Seen([false; 128]);
        let (indexed, others) = m.indexed();
        for field in indexed {
            e.field(bytes, field, &mut seen);
        }
        // Of too many fields only what an answer needs is looked for.
        let enough = m.kinds().has(DefectKind::TooManyFields);
        for field in others {
            if enough && e.via.is_some() {
                break;
            }
            e.field(bytes, &field, &mut seen);
        }
        if let StartLine::Request { method, uri, .. } = m.start() {
            e.request(m, method, uri);
        } else {
            e.response(m);
        }
        e.missing(m, &seen);
        e
    }

    /// The defects found in reading, as far as there was room to list them.
    pub fn defects(&self) -> impl Iterator<Item = Defect> + '_ {
        self.listed.iter().flatten().copied()
    }

    /// Whether To has a tag: a request claims to be in a dialog (RFC 3261 12.2.2).
    pub(crate) fn has_to_tag(&self) -> bool {
        self.to.is_some_and(|to| !to.tag.is_empty())
    }

    /// The kinds of all defects found in reading.
    #[must_use]
    pub const fn kinds(&self) -> Kinds {
        self.kinds
    }

    #[cold]
    fn report(&mut self, kind: DefectKind, name: Name, at: Span) {
        self.kinds.add(kind);
        if let Some(free) = self.listed.iter_mut().find(|d| d.is_none()) {
            *free = Some(Defect { kind, name, at });
        }
    }

    #[inline(always)]
    fn field(&mut self, bytes: &[u8], field: &Field, seen: &mut Seen) {
        if seen.add(field.name) {
            self.first(bytes, field);
        } else {
            self.again(bytes, field);
        }
    }

    /// The first field of a name.
    #[inline(always)]
    fn first(&mut self, bytes: &[u8], field: &Field) {
        let value = field.value;
        match field.name {
            Name::Via => self.via(bytes, value),
            Name::From => self.from = self.address(bytes, field, DefectKind::BadFrom),
            Name::To => self.to = self.address(bytes, field, DefectKind::BadTo),
            Name::CallId => self.call_id(bytes, value),
            Name::CSeq => match CSeq::parse(bytes, value) {
                Ok(cseq) => self.cseq = Some(cseq),
                Err(_) => self.report(DefectKind::BadCSeq, Name::CSeq, value),
            },
            Name::Contact => self.contact(bytes, value),
            Name::Route => self.route(bytes, value),
            Name::MaxForwards => self.max_forwards(bytes, value),
            Name::ContentLength => self.content_length = number(bytes, value),
            Name::Expires => {
                self.expires = decimal(value.of(bytes));
                if self.expires.is_none() {
                    self.report(DefectKind::Odd, Name::Expires, value);
                }
            }
            _ => {}
        }
    }

    /// A further field of a name.
    fn again(&mut self, bytes: &[u8], field: &Field) {
        if field.name == Name::Contact {
            return self.contact(bytes, field.value);
        }
        if !field.name.is_single() {
            return;
        }
        let kind = if KEYS.has(field.name) {
            DefectKind::DuplicateKey
        } else if field.name.informs() {
            DefectKind::DuplicateNote
        } else {
            DefectKind::Duplicate
        };
        self.report(kind, field.name, field.name_span());
    }

    #[inline(always)]
    fn via(&mut self, bytes: &[u8], value: Span) {
        let Ok(via) = Via::parse(bytes, value) else {
            return self.report(DefectKind::BadVia, Name::Via, value);
        };
        self.via = Some(via);
        if !via.version_ok || via.fault == Fault::Bad {
            self.report(DefectKind::BadVia, Name::Via, via.whole);
        } else if via.fault == Fault::Odd {
            self.report(DefectKind::Odd, Name::Via, via.whole);
        }
        if !via.has_cookie(bytes) {
            self.report(DefectKind::OldBranch, Name::Via, via.branch);
        } else if via.branch.len == 7 {
            self.report(DefectKind::BadBranch, Name::Via, via.branch);
        }
    }

    #[inline(always)]
    fn address(&mut self, bytes: &[u8], field: &Field, bad: DefectKind) -> Option<NameAddr> {
        let parsed = NameAddr::parse(bytes, field.value).ok();
        match parsed.map(|v| v.fault) {
            Some(Fault::None) => {}
            Some(Fault::Odd) => self.report(DefectKind::Odd, field.name, field.value),
            Some(Fault::Bad) | None => self.report(bad, field.name, field.value),
        }
        parsed
    }

    #[inline(always)]
    fn call_id(&mut self, bytes: &[u8], value: Span) {
        self.call_id = value;
        let mut c = Cursor::new(bytes, value);
        c.run(Class::WORD);
        if c.eat(b'@') {
            c.run(Class::WORD);
        }
        // An empty one is reported as missing.
        if !c.done() {
            self.report(DefectKind::OddCallId, Name::CallId, value);
        }
    }

    #[inline(always)]
    fn contact(&mut self, bytes: &[u8], value: Span) {
        let mut c = Cursor::new(bytes, value);
        if value.len == 1 && c.peek() == b'*' {
            self.contact_star = true;
            return;
        }
        loop {
            let Ok(contact) = NameAddr::next(&mut c) else {
                return self.report(DefectKind::BadContact, Name::Contact, value);
            };
            self.contact = self.contact.or(Some(contact));
            match contact.fault {
                Fault::None => {}
                Fault::Odd => self.report(DefectKind::Odd, Name::Contact, contact.whole),
                Fault::Bad => {
                    return self.report(DefectKind::BadContact, Name::Contact, contact.whole);
                }
            }
            if !c.eat(b',') {
                return;
            }
        }
    }

    #[inline(always)]
    fn route(&mut self, bytes: &[u8], value: Span) {
        let mut c = Cursor::new(bytes, value);
        match NameAddr::next(&mut c) {
            // The grammar has no route without angle brackets (RFC 3261 20.34).
            Ok(route) if route.fault != Fault::Bad && bracketed(bytes, &route) => {
                self.route = Some(route);
            }
            _ => self.report(DefectKind::BadRoute, Name::Route, value),
        }
    }

    #[inline(always)]
    fn max_forwards(&mut self, bytes: &[u8], value: Span) {
        match decimal(value.of(bytes)) {
            None => self.report(DefectKind::BadMaxForwards, Name::MaxForwards, value),
            Some(n) => {
                self.max_forwards = Some(n.min(255));
                if n > 255 {
                    self.report(DefectKind::MaxForwardsRange, Name::MaxForwards, value);
                }
            }
        }
    }

    /// What only a request has.
    #[inline(always)]
    fn request(&mut self, m: &MessageRef<'_>, method: Method, span: Span) {
        let bytes = m.bytes();
        match Uri::parse_at(bytes, span) {
            Err(_) => self.report(DefectKind::BadUri, Name::Other, span),
            Ok(uri) => {
                self.uri = Some(uri);
                if uri.scheme == Scheme::Other {
                    self.report(DefectKind::UriScheme, Name::Other, uri.scheme_text);
                }
                if !uri.headers.is_empty() {
                    self.report(DefectKind::UriHeaders, Name::Other, uri.headers);
                }
            }
        }
        if let Some(cseq) = self.cseq {
            if method == Method::Other && cseq.method_text.of(bytes) != m.method_text() {
                self.report(DefectKind::CSeqUnknown, Name::CSeq, cseq.method_text);
            } else if method != cseq.method {
                self.report(DefectKind::CSeqMethod, Name::CSeq, cseq.method_text);
            }
        }
        if method == Method::Register && self.to.is_some_and(|to| !to.uri.is_sip()) {
            let at = self.to.map(|to| to.uri_text).unwrap_or_default();
            self.report(DefectKind::ToScheme, Name::To, at);
        }
    }

    /// What only a response has. The tag of a response to CANCEL, which RFC 3665 leaves out, names
    /// no dialog.
    fn response(&mut self, m: &MessageRef<'_>) {
        let untagged = self.to.is_some_and(|to| to.tag.is_empty());
        let cancel = self.cseq.is_some_and(|cseq| cseq.method == Method::Cancel);
        if m.status() > 100 && untagged && !cancel {
            self.report(DefectKind::NoToTag, Name::To, Span::EMPTY);
        }
    }

    /// What is not there.
    #[inline(always)]
    fn missing(&mut self, m: &MessageRef<'_>, seen: &Seen) {
        const NEEDED: [Name; 7] = [
            Name::Via,
            Name::From,
            Name::To,
            Name::CallId,
            Name::CSeq,
            Name::MaxForwards,
            Name::Contact,
        ];
        if self.call_id.is_empty() || !NEEDED.iter().all(|&name| seen.has(name)) {
            self.report_missing(m, seen);
        }
        if self.from.is_some_and(|from| from.tag.is_empty()) {
            self.report(DefectKind::NoFromTag, Name::From, Span::EMPTY);
        }
    }

    #[cold]
    fn report_missing(&mut self, m: &MessageRef<'_>, seen: &Seen) {
        let lacks = |name: Name| !seen.has(name);
        for (name, kind) in [
            (Name::Via, DefectKind::NoVia),
            (Name::From, DefectKind::NoFrom),
            (Name::To, DefectKind::NoTo),
            (Name::CSeq, DefectKind::NoCSeq),
        ] {
            if lacks(name) {
                self.report(kind, name, Span::EMPTY);
            }
        }
        if self.call_id.is_empty() {
            self.report(DefectKind::NoCallId, Name::CallId, self.call_id);
        }
        if !m.is_request() {
            return;
        }
        if lacks(Name::MaxForwards) {
            self.report(DefectKind::NoMaxForwards, Name::MaxForwards, Span::EMPTY);
        }
        // RFC 3261 8.1.1.8. A caller of RFC 2543 may do without, and so may a request in a dialog.
        let makes_dialog = matches!(m.method(), Method::Invite | Method::Subscribe | Method::Refer);
        let outside = self.to.is_some_and(|to| to.tag.is_empty());
        let cookie = self.via.is_some_and(|via| via.has_cookie(m.bytes()));
        if lacks(Name::Contact) && makes_dialog && outside && cookie {
            self.report(DefectKind::NoContact, Name::Contact, Span::EMPTY);
        }
    }
}

/// Whether the URI stands in angle brackets.
fn bracketed(bytes: &[u8], v: &NameAddr) -> bool {
    bytes.get(v.uri_text.end()) == Some(&b'>')
}

/// A value that is decimal digits, and no more than 32 bits of them.
fn number(bytes: &[u8], value: Span) -> Option<u32> {
    let mut c = Cursor::new(bytes, value);
    let n = c.number()?;
    c.done().then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;

    /// The kinds found in a request of `method` with `to` and one line more.
    fn kinds(method: &str, to: &str, line: &str) -> Kinds {
        let text = format!(
            "{method} sip:a SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\nMax-Forwards: 1\r\n\
            From: <sip:f>;tag=1\r\nTo: {to}\r\nCall-ID: 1\r\nCSeq: 1 {method}\r\n{line}\r\n"
        );
        Essentials::of(&MessageRef::lazy(text.as_bytes()).unwrap()).kinds()
    }

    fn only(kind: DefectKind) -> Kinds {
        Kinds::of(&[kind])
    }

    #[test]
    fn a_route_stands_in_angle_brackets() {
        // RFC 3261 20.34.
        assert_eq!(kinds("BYE", "<sip:t>", "Route: <sip:r;lr>, x\r\n"), Kinds::NONE);
        for bad in ["sip:r", "sip:r;lr", "", "x"] {
            let line = format!("Route: {bad}\r\n");
            assert_eq!(kinds("BYE", "<sip:t>", &line), only(DefectKind::BadRoute), "{bad}");
        }
    }

    #[test]
    fn only_a_registration_needs_a_sip_uri_in_to() {
        // RFC 3261 10.3 and 8.2.2.1.
        assert_eq!(kinds("REGISTER", "<tel:1>", ""), only(DefectKind::ToScheme));
        assert_eq!(kinds("REGISTER", "<sips:t>", ""), Kinds::NONE);
        assert_eq!(kinds("OPTIONS", "<tel:1>", ""), Kinds::NONE);
    }

    #[test]
    fn a_request_that_makes_a_dialog_needs_contact() {
        // RFC 3261 8.1.1.8.
        for method in ["INVITE", "SUBSCRIBE", "REFER"] {
            assert_eq!(kinds(method, "<sip:t>", ""), only(DefectKind::NoContact), "{method}");
            assert_eq!(kinds(method, "<sip:t>;tag=2", ""), Kinds::NONE, "{method}");
            assert_eq!(kinds(method, "<sip:t>", "m: <sip:m>\r\n"), Kinds::NONE, "{method}");
        }
        assert_eq!(kinds("OPTIONS", "<sip:t>", ""), Kinds::NONE);
    }

    #[test]
    fn every_contact_is_read_and_the_first_is_kept() {
        let text = b"OPTIONS sip:a SIP/2.0\r\nm: <sip:a>, <sip:b>\r\nm: <sip:c\r\n\r\n";
        let m = MessageRef::lazy(text).unwrap();
        let e = Essentials::of(&m);
        assert_eq!(m.text(e.contact.unwrap().uri_text), b"sip:a");
        assert!(e.kinds().has(DefectKind::BadContact) && !e.contact_star);
        let m = MessageRef::lazy(b"OPTIONS sip:a SIP/2.0\r\nm: *\r\n\r\n").unwrap();
        let e = Essentials::of(&m);
        assert!(e.contact_star && e.contact.is_none());
        assert!(!e.kinds().has(DefectKind::BadContact));
    }

    #[test]
    fn defects_say_where_they_are() {
        let text = "OPTIONS sip:a?x=y SIP/2.0\r\nt: \"x\r\nMax-Forwards: 300\r\n\r\n";
        let m = MessageRef::lazy(text.as_bytes()).unwrap();
        let e = Essentials::of(&m);
        let at = |kind| {
            let d = e.defects().find(|d| d.kind == kind).unwrap();
            (d.name, String::from_utf8(d.at.of(text.as_bytes()).to_vec()).unwrap())
        };
        assert_eq!(at(DefectKind::BadTo), (Name::To, "\"x".into()));
        assert_eq!(at(DefectKind::MaxForwardsRange), (Name::MaxForwards, "300".into()));
        assert_eq!(at(DefectKind::UriHeaders), (Name::Other, "x=y".into()));
    }
}
