//! The copy of a request that goes to one target (RFC 3261 16.6 steps 1 to 6 and 9): one pass of
//! edits; what is not named here leaves byte for byte as it came.

use core::net::IpAddr;

use super::preprocess::{Plan, is_secure};
use crate::cx::{Cx, write_error};
use crate::error::Error;
use crate::header::{Uri, Via};
use crate::path::{Addr, parse_ip};
use crate::resolve::{Hop, NoWay, next_hop};
use crate::wire::edit::{Edit, apply, lines, sort};
use crate::wire::message::Field;
use crate::wire::name::Name;
use crate::wire::scan::Cursor;
use crate::wire::{MessageRef, Span};

/// Where a request without Max-Forwards starts (RFC 3261 16.6 step 3).
const MAX_FORWARDS: &[u8] = b"Max-Forwards: 70\r\n";
/// Room for a URI that has to be written anew.
pub(super) const URI_ROOM: usize = 512;

/// What the copy for one target is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Copy<'a> {
    /// What 16.4 changes.
    pub plan: Plan,
    /// The target's URI; empty keeps the request's own.
    pub target: &'a [u8],
    /// The Record-Route lines that it gets.
    pub record_route: &'a [u8],
    /// Whether it goes by a stream, where Content-Length is needed.
    pub stream: bool,
    /// Where the request came from, if its top Via does not say so yet.
    pub source: Option<Addr>,
}

/// Where the copy for a target goes: to the target's own next hop, else to the first Route value
/// that stays, else by its Request-URI (16.6 step 7). A strict router too is where its URI says.
pub(super) fn hop_of(
    cx: &Cx,
    m: &MessageRef<'_>,
    plan: Plan,
    target: &[u8],
    hop: &[u8],
) -> Result<Hop, NoWay> {
    let mut room = [0; URI_ROOM];
    let uri = if target.is_empty() { plan.request_uri(m, &mut room) } else { target };
    let next = plan.next_route(m);
    let text = match next {
        _ if !hop.is_empty() => hop,
        Some(route) => m.text(route.uri_text),
        None => uri,
    };
    // 16.6 step 7: a sips resource is reached as if the next hop's URI were a sips URI.
    if is_secure(uri) && !is_secure(text) {
        let mut sips = [0; URI_ROOM];
        let text = as_sips(text, &mut sips).ok_or(NoWay::Scheme)?;
        return next_hop(cx, text);
    }
    next_hop(cx, text)
}

fn as_sips<'a>(text: &[u8], room: &'a mut [u8]) -> Option<&'a [u8]> {
    let uri = Uri::parse(text).ok().filter(Uri::is_sip)?;
    let rest = text.get(uri.scheme_text.end()..)?;
    let end = rest.len().checked_add(4)?;
    room.get_mut(..4)?.copy_from_slice(b"sips");
    room.get_mut(4..end)?.copy_from_slice(rest);
    room.get(..end)
}

/// The edits of one copy, in the order in which they were added: at most eight of Route values,
/// four of the top Via, five others.
struct Edits<'a> {
    list: [Edit<'a>; 20],
    len: usize,
}

impl<'a> Edits<'a> {
    const fn new() -> Self {
        Self { list: [Edit::Insert { at: 0, text: &[] }; 20], len: 0 }
    }

    fn add(&mut self, edit: Edit<'a>) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = edit;
            self.len += 1;
        }
    }

    fn replace(&mut self, span: Span, with: &'a [u8]) {
        self.add(Edit::Replace { span, with });
    }

    fn insert(&mut self, at: usize, text: &'a [u8]) {
        self.add(Edit::Insert { at, text });
    }

    fn delete(&mut self, from: usize, to: usize) {
        if from < to {
            self.add(Edit::Delete { span: Span::new(from, to) });
        }
    }
}

/// What one walk through the fields finds.
struct Survey {
    /// Where Record-Route and Max-Forwards go when there is none yet: behind the first Vias.
    top: usize,
    record_route: Option<usize>,
    max_forwards: Option<Span>,
    has_length: bool,
    via: Option<Field>,
    /// Behind the last field.
    end: usize,
}

impl Survey {
    fn of(m: &MessageRef<'_>) -> Self {
        let mut s = Self {
            top: 0,
            record_route: None,
            max_forwards: None,
            has_length: false,
            via: None,
            end: m.headers_at(),
        };
        let mut last = None;
        for field in m.fields() {
            let at = usize::from(field.name_at);
            if field.name != Name::Via && s.top == 0 {
                s.top = at;
            }
            match field.name {
                Name::Via => s.via = s.via.or(Some(field)),
                Name::RecordRoute => s.record_route = s.record_route.or(Some(at)),
                Name::MaxForwards => s.max_forwards = s.max_forwards.or(Some(field.value)),
                Name::ContentLength => s.has_length = true,
                _ => {}
            }
            last = Some(field);
        }
        if let Some(field) = last {
            s.end = lines(m, &field).end();
        }
        if s.top == 0 {
            s.top = s.end;
        }
        s
    }
}

/// Writes the copy of `m` into `out` and returns its length.
pub(super) fn write(m: &MessageRef<'_>, copy: &Copy<'_>, out: &mut [u8]) -> Result<usize, Error> {
    let survey = Survey::of(m);
    let (mut uri_room, mut hops, mut length, mut marks) =
        ([0; URI_ROOM], [0; 3], [0; 40], Marks { ip: [0; 40], port: [0; 5] });
    let renamed = copy.plan.renames() || !copy.target.is_empty();
    let uri = match copy.target {
        [] => copy.plan.request_uri(m, &mut uri_room),
        target => target,
    };
    let strict = copy.plan.next_route(m).filter(|r| !r.uri.lr);
    let mut edits = Edits::new();
    // 16.6 steps 2 and 6.
    match strict {
        Some(route) => edits.replace(m.request_uri_span(), m.text(route.uri_text)),
        None if renamed => edits.replace(m.request_uri_span(), uri),
        None => {}
    }
    if let Some((source, via)) = copy.source.zip(survey.via) {
        mark(m, &via, source, &mut marks, &mut edits);
    }
    // 16.6 step 4
    edits.insert(survey.record_route.unwrap_or(survey.top), copy.record_route);
    // 16.6 step 3
    match survey.max_forwards {
        Some(span) => edits.replace(span, one_less(m.text(span), &mut hops)),
        None => edits.insert(survey.top, MAX_FORWARDS),
    }
    routes(m, copy.plan, strict.map(|_| uri), &mut edits);
    // 16.6 step 9
    if copy.stream && !survey.has_length {
        edits.insert(survey.end, content_length(m.body().len(), &mut length));
    }
    let Edits { mut list, len } = edits;
    let list = list.get_mut(..len).unwrap_or(&mut []);
    sort(list);
    apply(m.bytes(), list, out).map_err(write_error)
}

/// 16.4 and 16.6 step 6: the Route values that go, and behind those that stay, for a strict router,
/// the Request-URI.
fn routes<'a>(m: &MessageRef<'_>, plan: Plan, appended: Option<&'a [u8]>, edits: &mut Edits<'a>) {
    let gone = usize::from(plan.popped) + usize::from(appended.is_some());
    if gone == 0 && !plan.restored {
        return;
    }
    let total = m.values(Name::Route).count();
    let stay = gone..total.saturating_sub(usize::from(plan.restored));
    let mut index = 0usize;
    // Where the last value that stays ends, or where the last field began.
    let (mut after, mut field_at) = (None, m.headers_at());
    for field in m.fields().filter(|f| f.name == Name::Route) {
        let mut kept: Option<Span> = None;
        let mut c = Cursor::new(m.bytes(), field.value);
        while let Some(item) = c.item() {
            c.eat(b',');
            if item.is_empty() {
                continue;
            }
            if stay.contains(&index) {
                let start = kept.map_or(item.start(), Span::start);
                kept = Some(Span::new(start, item.end()));
            }
            index = index.saturating_add(1);
        }
        field_at = usize::from(field.name_at);
        match kept {
            Some(kept) => {
                edits.delete(field.value.start(), kept.start());
                edits.delete(kept.end(), field.value.end());
                after = Some(kept.end());
            }
            None => edits.add(Edit::Delete { span: lines(m, &field) }),
        }
    }
    let Some(uri) = appended else { return };
    match after {
        Some(at) => [&b", <"[..], uri, b">"].into_iter().for_each(|t| edits.insert(at, t)),
        None => {
            [&b"Route: <"[..], uri, b">\r\n"].into_iter().for_each(|t| edits.insert(field_at, t));
        }
    }
}

/// The value of Max-Forwards, one less (RFC 3261 16.6 step 3). What is over 255 counts as 255.
fn one_less<'b>(value: &[u8], room: &'b mut [u8; 3]) -> &'b [u8] {
    let hops = crate::wire::scan::decimal(value).unwrap_or(70).min(255).saturating_sub(1);
    let hops = u8::try_from(hops).unwrap_or(u8::MAX);
    *room = [b'0' + hops / 100, b'0' + hops / 10 % 10, b'0' + hops % 10];
    let from = match hops {
        0..=9 => 2,
        10..=99 => 1,
        _ => 0,
    };
    room.get(from..).unwrap_or(&[])
}

/// Text put together on the stack.
struct Short<'b> {
    room: &'b mut [u8],
    len: usize,
}

impl core::fmt::Write for Short<'_> {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len.saturating_add(s.len());
        let room = self.room.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

fn text<'b>(room: &'b mut [u8], args: core::fmt::Arguments<'_>) -> &'b [u8] {
    let mut short = Short { room, len: 0 };
    // The rooms are made for the longest text there is.
    let _ = core::fmt::Write::write_fmt(&mut short, args);
    let len = short.len;
    short.room.get(..len).unwrap_or(&[])
}

fn content_length(body: usize, room: &mut [u8; 40]) -> &[u8] {
    text(room, format_args!("Content-Length: {body}\r\n"))
}

/// What is written into the top Via.
struct Marks {
    ip: [u8; 40],
    port: [u8; 5],
}

/// RFC 3261 18.2.1 and RFC 3581 4: the top Via says where the request came from.
fn mark<'a>(
    m: &MessageRef<'_>,
    field: &Field,
    source: Addr,
    marks: &'a mut Marks,
    edits: &mut Edits<'a>,
) {
    let Ok(via) = Via::parse(m.bytes(), field.value) else { return };
    let same = parse_ip(m.text(via.host)) == Some(source.ip);
    if same && !via.rport_asked && via.received.is_empty() {
        return;
    }
    // RFC 3261 25.1: no brackets around an IPv6 address here.
    let ip = match source.ip {
        IpAddr::V4(ip) => text(&mut marks.ip, format_args!("{ip}")),
        IpAddr::V6(ip) => text(&mut marks.ip, format_args!("{ip}")),
    };
    let port = text(&mut marks.port, format_args!("{}", source.port));
    let end = via.whole.end();
    for param in crate::header::Params::new(m.bytes(), via.params) {
        let name = m.text(param.name);
        if !name.eq_ignore_ascii_case(b"rport") {
            continue;
        }
        match param.value {
            Some(value) => edits.replace(value, port),
            None => {
                edits.insert(param.name.end(), b"=");
                edits.insert(param.name.end(), port);
            }
        }
    }
    if via.received.is_empty() {
        edits.insert(end, b";received=");
        edits.insert(end, ip);
    } else {
        edits.replace(via.received, ip);
    }
}
