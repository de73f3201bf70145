//! The target set of a redirected call as bytes of one block (RFC 3261 8.1.3.4).

use crate::error::{Error, Limit};
use crate::header::name_addr::NameAddr;
use crate::header::uri::{Scheme, Uri, UriParams};
use crate::header::uri_equal;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::write::Writer;

/// The Contacts of one message that are looked at.
const CONTACTS: usize = 32;

/// State, depth, which INVITE brought it, whether it is a proxy, q in thousandths, three lengths.
const HEAD: usize = 12;

/// Whether a target has been tried.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Tried {
    No = 0,
    Yes = 1,
    /// Not yet, and it comes first.
    Chosen = 2,
}

/// A target: spans of the block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Next {
    /// Where its record begins.
    pub at: usize,
    state: u8,
    pub depth: u8,
    /// The number of the INVITE whose redirection brought it.
    pub from: u8,
    /// RFC 3261 21.3.4: a proxy to use rather than a target.
    pub proxy: bool,
    q: u16,
    pub uri: Span,
    /// The header part of its URI.
    pub headers: Span,
    /// The header fields that came with it, as whole lines.
    pub lines: Span,
}

impl Next {
    pub(super) const fn waits(&self) -> bool {
        self.state != Tried::Yes as u8
    }
}

/// The targets of a block, in the order in which they came.
#[derive(Clone, Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Records<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The one to try next: the chosen one, else the first of those with the highest q.
    pub(super) fn next_target(self) -> Option<Next> {
        let rank = |t: &Next| (t.state == Tried::Chosen as u8, t.q);
        let mut best: Option<Next> = None;
        for t in self.filter(Next::waits) {
            if best.is_none_or(|b| rank(&t) > rank(&b)) {
                best = Some(t);
            }
        }
        best
    }
}

impl Iterator for Records<'_> {
    type Item = Next;

    fn next(&mut self) -> Option<Next> {
        let head = self.bytes.get(self.at..self.at + HEAD)?;
        let &[state, depth, from, proxy, q0, q1, u0, u1, h0, h1, l0, l1] = head else {
            return None;
        };
        let two = |a, b| usize::from(u16::from_le_bytes([a, b]));
        let (at, uri) = (self.at, self.at + HEAD);
        let headers = uri + two(u0, u1);
        let lines = headers + two(h0, h1);
        self.at = lines + two(l0, l1);
        Some(Next {
            at,
            state,
            depth,
            from,
            proxy: proxy != 0,
            q: u16::from_le_bytes([q0, q1]),
            uri: Span::new(uri, headers),
            headers: Span::new(headers, lines),
            lines: Span::new(lines, self.at),
        })
    }
}

/// A target set that is being written.
#[derive(Debug)]
pub(super) struct List<'s> {
    out: &'s mut [u8],
    at: usize,
}

/// A target to write.
struct Record<'a> {
    state: Tried,
    depth: u8,
    from: u8,
    proxy: bool,
    q: u16,
    lines: usize,
    headers: &'a [u8],
}

impl<'s> List<'s> {
    /// What there was before; at first the target of the first INVITE alone.
    pub(super) fn begin(out: &'s mut [u8], old: &[u8], first: &[u8]) -> Result<Self, Error> {
        let mut list = List { out, at: 0 };
        if old.is_empty() {
            let tried = Record {
                state: Tried::Yes,
                depth: 0,
                from: 0,
                proxy: false,
                q: 1_000,
                lines: 0,
                headers: &[],
            };
            list.head(&tried, first.len())?;
            list.put(first)?;
        } else {
            list.put(old)?;
        }
        Ok(list)
    }

    pub(super) const fn len(&self) -> usize {
        self.at
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.at.saturating_add(bytes.len());
        let place = self.out.get_mut(self.at..end).ok_or(Error::Full(Limit::MessageBytes))?;
        place.copy_from_slice(bytes);
        self.at = end;
        Ok(())
    }

    fn head(&mut self, r: &Record<'_>, uri: usize) -> Result<(), Error> {
        let two = |n: usize| u16::try_from(n).unwrap_or(u16::MAX).to_le_bytes();
        self.put(&[r.state as u8, r.depth, r.from, u8::from(r.proxy)])?;
        self.put(&r.q.to_le_bytes())?;
        self.put(&two(uri))?;
        self.put(&two(r.headers.len()))?;
        self.put(&two(r.lines))
    }

    fn written(&self) -> &[u8] {
        self.out.get(..self.at).unwrap_or(&[])
    }

    /// Adds the Contacts of a redirection that are no targets yet, up to `most` targets. Whether
    /// there was one.
    pub(super) fn add_contacts(
        &mut self,
        m: &MessageRef<'_>,
        (depth, from): (u8, u8),
        most: u8,
    ) -> bool {
        let bytes = self.written();
        let secure = Records::new(bytes)
            .next()
            .is_some_and(|t| Uri::parse(t.uri.of(bytes)).is_ok_and(|u| u.scheme == Scheme::Sips));
        // The first one is where the first INVITE went.
        let mut n = Records::new(bytes).count().saturating_sub(1);
        let before = n;
        let proxy = m.status() == 305;
        for value in m.values(Name::Contact).take(CONTACTS) {
            let Ok(contact) = NameAddr::parse(m.bytes(), value) else { continue };
            let usable = match contact.uri.scheme {
                Scheme::Sips => true,
                // RFC 3261 8.1.3.4, 26.2.2: what was to be secure stays so.
                Scheme::Sip => !secure,
                _ => false,
            };
            let method = m.text(contact.uri.method);
            if !usable || !(method.is_empty() || method == b"INVITE") || n >= usize::from(most) {
                continue;
            }
            let start = self.at;
            let added = self.add(m, &contact, (depth, from), proxy);
            if added.is_err() || self.is_known(start, proxy) {
                self.at = start;
            } else {
                n += 1;
            }
        }
        n > before
    }

    /// Writes a target: its URI without `method` and header part, which no Request-URI has (RFC
    /// 3261 19.1.1), the header part, and the lines that go along.
    fn add(
        &mut self,
        m: &MessageRef<'_>,
        contact: &NameAddr,
        (depth, from): (u8, u8),
        proxy: bool,
    ) -> Result<(), Error> {
        let uri = &contact.uri;
        let start = contact.uri_text.start();
        let end = if uri.headers.is_empty() {
            contact.uri_text.end()
        } else {
            uri.headers.start().saturating_sub(1)
        };
        let q = contact.q.unwrap_or(1_000);
        let headers = m.text(uri.headers);
        let mut record = Record { state: Tried::No, depth, from, proxy, q, lines: 0, headers };
        let head = self.at;
        self.head(&record, 0)?;
        let text = self.at;
        let params = if uri.params.is_empty() { end } else { uri.params.start() };
        self.put(m.text(Span::new(start, params)))?;
        for p in UriParams::new(m.bytes(), uri.params) {
            if m.text(p.name).eq_ignore_ascii_case(b"method") {
                continue;
            }
            let whole = Span::new(p.name.start(), p.value.unwrap_or(p.name).end());
            self.put(b";")?;
            self.put(m.text(whole))?;
        }
        let len = self.at.saturating_sub(text);
        self.put(headers)?;
        record.lines = self.add_lines(m)?;
        let end = core::mem::replace(&mut self.at, head);
        self.head(&record, len)?;
        self.at = end;
        Ok(())
    }

    /// RFC 5806 6.3: who diverted the call is told to the next.
    fn add_lines(&mut self, m: &MessageRef<'_>) -> Result<usize, Error> {
        let room = self.out.get_mut(self.at..).unwrap_or(&mut []);
        let mut w = Writer::new(room);
        m.fields()
            .filter(|f| f.name == Name::Diversion)
            .try_for_each(|f| w.copy(m, &f))
            .map_err(crate::cx::write_error)?;
        let len = w.written().len();
        self.at = self.at.saturating_add(len);
        Ok(len)
    }

    /// Whether the target at `start` stands before it already (RFC 3261 8.1.3.4: none is tried
    /// twice).
    fn is_known(&self, start: usize, proxy: bool) -> bool {
        let bytes = self.written();
        let uri = |t: &Next| t.uri.of(bytes);
        let Some(new) = Records { bytes, at: start }.next() else { return true };
        Records::new(bytes.get(..start).unwrap_or(&[]))
            .any(|t| t.proxy == proxy && uri_equal::equal(uri(&t), uri(&new)))
    }
}
