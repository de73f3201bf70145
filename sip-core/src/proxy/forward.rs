//! The copy of a request that goes to one target (RFC 3261 16.6 steps 1 to 6 and 9): one pass of
//! edits; what is not named here leaves byte for byte as it came.

use core::net::IpAddr;

use super::authenticate::own_fields;
use super::identity::{self, Identity};
use super::preprocess::{Onward, Plan, is_secure, own_route, route};
use crate::cx::{Cx, write_error};
use crate::error::Error;
use crate::flow::Flows;
use crate::header::{NameAddr, Uri, Via};
use crate::path::{Addr, FlowId, LocalId, Path, parse_ip};
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
    /// The Request-URI that it gets, before a strict router takes its place.
    pub uri: &'a [u8],
    /// The Route values that it gets before its own.
    pub path: &'a [u8],
    /// The first of those, where it is a strict router: it takes the Request-URI's place.
    pub strict: Option<&'a [u8]>,
    /// The Record-Route or Path lines that it gets.
    pub record_route: &'a [u8],
    /// Whether it goes by a stream, where Content-Length is needed.
    pub stream: bool,
    /// Where the request came from, if its top Via does not say so yet.
    pub source: Option<Addr>,
    /// The realm whose credentials are for us alone; empty for none.
    pub realm: &'a [u8],
    /// What becomes of identities.
    pub identity: Identity<'a>,
    /// How many branches it may have further on (RFC 5393 5.3.3), to be said.
    pub breadth: Option<u16>,
}

/// Where a copy goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Leg {
    /// The next hop.
    pub hop: Result<Hop, NoWay>,
    /// The identity whose network is preferred.
    pub near: LocalId,
    /// The connection to use.
    pub flow: Option<FlowId>,
    /// The way to the device that a token of ours names.
    pub device: Option<Path>,
    /// That token's connection is there no more (RFC 5626 5.3: 430).
    pub lost: bool,
}

impl Leg {
    const fn by(hop: Result<Hop, NoWay>, near: LocalId) -> Self {
        Self { hop, near, flow: None, device: None, lost: false }
    }

    const fn lost(near: LocalId) -> Self {
        Self { lost: true, ..Self::by(Err(NoWay::Host), near) }
    }

    /// The way to a device. A sips resource is behind TLS (RFC 5630 3.3).
    fn to_device(cx: &Cx, path: Path, secure: bool) -> Self {
        let transport = cx.transport(path.local);
        let hop = match path.flow {
            _ if secure && !transport.is_secure() => return Self::lost(path.local),
            Some(_) => Err(NoWay::Host),
            None => Ok(Hop::Address { to: path.remote, transport, name: None }),
        };
        Self { flow: path.flow, device: Some(path), ..Self::by(hop, path.local) }
    }
}

/// The text that a target brings.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Way<'a> {
    /// Its Request-URI.
    pub uri: &'a [u8],
    /// Its next hop; empty for none.
    pub hop: &'a [u8],
    /// The Route values that come before the request's own; empty for none.
    pub path: &'a [u8],
}

/// Where a copy goes: to the target's own next hop; else where a token leads, be it of the request's
/// Route or of the target's path; else to the first of the target's path, then of the Route values
/// that stay, else by its Request-URI (16.6 step 7). A strict router too is where its URI says. With
/// it what is left of the path.
pub(super) fn leg_of<'a>(
    cx: &Cx,
    flows: &Flows,
    m: &MessageRef<'_>,
    survey: &Survey,
    plan: &Plan,
    way: Way<'a>,
    incoming: LocalId,
) -> (Leg, &'a [u8]) {
    let secure = is_secure(way.uri);
    let (path, onward) = follow(cx, flows, way.path);
    let onward = if onward == Onward::Free { plan.onward } else { onward };
    let first = if path.is_empty() { None } else { NameAddr::parse(path, first_value(path)).ok() };
    let text = match (onward, survey.next_route) {
        _ if !way.hop.is_empty() => way.hop,
        (Onward::Flow(to), _) => return (Leg::to_device(cx, to, secure), path),
        (Onward::Failed | Onward::Forged, _) => return (Leg::lost(incoming), path),
        (Onward::Free, _) if first.is_some() => first.map_or(&[][..], |f| f.uri_text.of(path)),
        (Onward::Free, Some(route)) => m.text(route.uri_text),
        (Onward::Free, None) if survey.bad_route || !path.is_empty() => {
            return (Leg::by(Err(NoWay::Host), incoming), path);
        }
        (Onward::Free, None) => way.uri,
    };
    (Leg::by(hop_of(cx, text, secure), incoming), path)
}

// 16.6 step 7: a sips resource is reached as if the next hop's URI were a sips URI.
fn hop_of(cx: &Cx, text: &[u8], secure: bool) -> Result<Hop, NoWay> {
    if secure && !is_secure(text) {
        let mut sips = [0; URI_ROOM];
        let text = as_sips(text, &mut sips).ok_or(NoWay::Scheme)?;
        return next_hop(cx, text);
    }
    next_hop(cx, text)
}

/// The first of the values in `list`.
fn first_value(list: &[u8]) -> Span {
    let mut c = Cursor::new(list, Span::new(0, list.len()));
    core::iter::from_fn(|| {
        let item = c.item()?;
        c.eat(b',');
        Some(item)
    })
    .find(|item| !item.is_empty())
    .unwrap_or_default()
}

/// Takes the values in front that are ours off a path; where a token among them leads.
fn follow<'a>(cx: &Cx, flows: &Flows, path: &'a [u8]) -> (&'a [u8], Onward) {
    let (mut rest, mut onward) = (path, Onward::Free);
    loop {
        if rest.is_empty() {
            return (rest, onward);
        }
        let value = first_value(rest);
        let Some(token) = own_route(cx, flows, rest, value) else { return (rest, onward) };
        if token != Onward::Free {
            onward = token;
        }
        let behind = rest.get(value.end()..).unwrap_or(&[]).trim_ascii_start();
        rest = behind.strip_prefix(b",").unwrap_or(behind).trim_ascii_start();
    }
}

/// What of a path is left for Route, and the strict router that takes the Request-URI's place, where
/// the first value is one (16.6 step 6).
pub(super) fn strict(path: &[u8]) -> (&[u8], Option<&[u8]>) {
    let value = first_value(path);
    let first = if value.is_empty() { None } else { NameAddr::parse(path, value).ok() };
    match first.filter(|r| !r.uri.lr) {
        Some(first) => {
            let behind = path.get(value.end()..).unwrap_or(&[]).trim_ascii_start();
            let rest = behind.strip_prefix(b",").unwrap_or(behind).trim_ascii_start();
            (rest, Some(first.uri_text.of(path)))
        }
        None => (path, None),
    }
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
/// four of the top Via, three of a path, seven others, credentials for us and identities.
struct Edits<'a> {
    list: [Edit<'a>; 36],
    len: usize,
}

impl<'a> Edits<'a> {
    const fn new() -> Self {
        Self { list: [Edit::Insert { at: 0, text: &[] }; 36], len: 0 }
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
pub(super) struct Survey {
    /// Where Record-Route and Max-Forwards go when there is none yet: behind the first Vias.
    top: usize,
    record_route: Option<usize>,
    route: Option<usize>,
    max_forwards: Option<Span>,
    breadth: Option<Span>,
    has_length: bool,
    via: Option<Field>,
    /// How many Route values there are, and the first that stays.
    routes: usize,
    next_route: Option<NameAddr>,
    /// That one cannot be read.
    bad_route: bool,
    /// Behind the last field.
    end: usize,
}

impl Survey {
    /// Walks through `m`, with which `plan` is to be done.
    pub(super) fn of(m: &MessageRef<'_>, plan: Plan) -> Self {
        let mut s = Self {
            top: 0,
            record_route: None,
            route: None,
            max_forwards: None,
            breadth: None,
            has_length: false,
            via: None,
            routes: 0,
            next_route: None,
            bad_route: false,
            end: m.headers_at(),
        };
        let (mut last, mut next) = (None, None);
        for field in m.fields() {
            let at = usize::from(field.name_at);
            if field.name != Name::Via && s.top == 0 {
                s.top = at;
            }
            match field.name {
                Name::Via => s.via = s.via.or(Some(field)),
                // A copy gets the one or the other.
                Name::RecordRoute | Name::Path => s.record_route = s.record_route.or(Some(at)),
                Name::MaxForwards => s.max_forwards = s.max_forwards.or(Some(field.value)),
                Name::MaxBreadth => s.breadth = s.breadth.or(Some(field.value)),
                Name::ContentLength => s.has_length = true,
                Name::Route => {
                    s.route = s.route.or(Some(at));
                    let mut c = Cursor::new(m.bytes(), field.value);
                    while let Some(item) = c.item() {
                        c.eat(b',');
                        if item.is_empty() {
                            continue;
                        }
                        if s.routes == usize::from(plan.popped) {
                            next = Some(item);
                        }
                        s.routes += 1;
                    }
                }
                _ => {}
            }
            last = Some(field);
        }
        // The last value is not a route where it becomes the Request-URI.
        let routes = s.routes.saturating_sub(usize::from(plan.restored));
        let next = next.filter(|_| routes > usize::from(plan.popped));
        s.next_route = next.and_then(|value| route(m, value));
        s.bad_route = next.is_some() && s.next_route.is_none();
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
pub(super) fn write(
    m: &MessageRef<'_>,
    survey: &Survey,
    copy: &Copy<'_>,
    out: &mut [u8],
) -> Result<usize, Error> {
    let (mut hops, mut length, mut breadth) = ([0; 3], [0; 40], [0; 24]);
    let mut marks = Marks { ip: [0; 40], port: [0; 5] };
    let led = copy.path.is_empty() && copy.strict.is_none();
    let own_strict = survey.next_route.filter(|r| led && !r.uri.lr);
    let strict = copy.strict.or(own_strict.map(|r| m.text(r.uri_text)));
    let mut edits = Edits::new();
    // 16.6 steps 2 and 6.
    match strict {
        Some(uri) => edits.replace(m.request_uri_span(), uri),
        None if copy.uri != m.request_uri() => edits.replace(m.request_uri_span(), copy.uri),
        None => {}
    }
    if let Some((source, via)) = copy.source.zip(survey.via) {
        mark(m, &via, source, &mut marks, &mut edits);
    }
    // 16.6 step 4
    edits.insert(survey.record_route.unwrap_or(survey.top), copy.record_route);
    // RFC 3327 5.3
    if !copy.path.is_empty() {
        let at = survey.route.unwrap_or(survey.top);
        [&b"Route: "[..], copy.path, b"\r\n"].into_iter().for_each(|t| edits.insert(at, t));
    }
    // 16.6 step 3
    match survey.max_forwards {
        Some(span) => edits.replace(span, one_less(m.text(span), &mut hops)),
        None => edits.insert(survey.top, MAX_FORWARDS),
    }
    if let Some(most) = copy.breadth {
        match survey.breadth {
            Some(span) => edits.replace(span, text(&mut breadth, format_args!("{most}"))),
            None => {
                let line = text(&mut breadth, format_args!("Max-Breadth: {most}\r\n"));
                edits.insert(survey.top, line);
            }
        }
    }
    // What is inserted stands before what is deleted at the same place.
    edits.insert(survey.top, copy.identity.asserted);
    // 22.3: what was meant for us goes no further.
    own_fields(m, copy.realm).take(4).for_each(|f| edits.delete(f.start(), f.end()));
    identity::gone(m, &copy.identity).for_each(|f| edits.delete(f.start(), f.end()));
    let gone = usize::from(copy.plan.popped) + usize::from(own_strict.is_some());
    let stay = gone..survey.routes.saturating_sub(usize::from(copy.plan.restored));
    routes(m, stay, survey, strict.map(|_| copy.uri), &mut edits);
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
fn routes<'a>(
    m: &MessageRef<'_>,
    stay: core::ops::Range<usize>,
    survey: &Survey,
    appended: Option<&'a [u8]>,
    edits: &mut Edits<'a>,
) {
    if stay == (0..survey.routes) && appended.is_none() {
        return;
    }
    let mut index = 0usize;
    // Where the last value that stays ends, and where the last field ended.
    let (mut after, mut behind) = (None, survey.top);
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
        let lines = lines(m, &field);
        behind = lines.end();
        match kept {
            Some(kept) => {
                edits.delete(field.value.start(), kept.start());
                edits.delete(kept.end(), field.value.end());
                after = Some(kept.end());
            }
            None => edits.delete(lines.start(), lines.end()),
        }
    }
    let Some(uri) = appended else { return };
    match after {
        Some(at) => [&b", <"[..], uri, b">"].into_iter().for_each(|t| edits.insert(at, t)),
        None => {
            [&b"Route: <"[..], uri, b">\r\n"].into_iter().for_each(|t| edits.insert(behind, t));
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

pub(super) fn text<'b>(room: &'b mut [u8], args: core::fmt::Arguments<'_>) -> &'b [u8] {
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

#[cfg(test)]
mod tests {
    use super::super::identity::Sender;
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};

    const PLAIN: Copy<'static> = Copy {
        plan: plan(0, false),
        uri: b"",
        path: b"",
        strict: None,
        record_route: b"",
        stream: false,
        source: None,
        realm: b"",
        identity: Identity { untold: false, preferred: false, asserted: b"" },
        breadth: None,
    };

    fn copied(message: &str, copy: &Copy<'_>) -> String {
        let mut out = [0; 4_000];
        let m = MessageRef::lazy(message.as_bytes()).unwrap();
        let survey = Survey::of(&m, copy.plan);
        let mut room = [0; URI_ROOM];
        let own = copy.plan.request_uri(&m, &mut room);
        let uri = if copy.uri.is_empty() { own } else { copy.uri };
        let len = write(&m, &survey, &Copy { uri, ..*copy }, &mut out).unwrap();
        String::from_utf8(out[..len].to_vec()).unwrap()
    }

    /// Odd in every way that a proxy need not care about.
    const ODD: &str = "INVITE sip:vivekg@chair-dnrc.example.com;unknownparam SIP/2.0\r\n\
        TO :\r\n sip:vivekg@chair-dnrc.example.com ;   tag    = 1918181833n\r\n\
        from   : \"J Rosenberg \\\\\\\"\"       <sip:jdrosen@example.com>\r\n  ;\r\n  tag = 98asjd8\r\n\
        MaX-fOrWaRdS: 0068\r\n\
        Call-ID: wsinv.ndaksdj@192.0.2.1\r\n\
        cseq: 0009\r\n  INVITE\r\n\
        Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch=390skdjuw\r\n\
        s :\r\n\
        NewFangledHeader:   newfangled value\r\n continued newfangled value\r\n\
        Route: <sip:services.example.com;lr;unknownwith=value;unknown-no-value>\r\n\
        v:  SIP  / 2.0  / TCP     spindle.example.com   ;\r\n  branch  =   z9hG4bK9ikj8\r\n\
        \r\nbody\r\n";

    #[test]
    fn all_but_max_forwards_leaves_byte_for_byte() {
        assert_eq!(copied(ODD, &PLAIN), ODD.replace("0068", "67"));
    }

    #[test]
    fn a_target_and_a_record_route_are_the_only_other_changes() {
        let copy = Copy { uri: b"sip:a@b", record_route: b"Record-Route: <sip:p;lr>\r\n", ..PLAIN };
        let want = ODD
            .replace("0068", "67")
            .replace("sip:vivekg@chair-dnrc.example.com;unknownparam SIP", "sip:a@b SIP")
            .replace("TO :", "Record-Route: <sip:p;lr>\r\nTO :");
        assert_eq!(copied(ODD, &copy), want);
        // Before those that are there already (RFC 3261 16.6 step 4).
        let more = ODD.replace("s :\r\n", "s :\r\nrecord-route: <sip:o;lr>\r\n");
        let want = want
            .replace("Record-Route: <sip:p;lr>\r\n", "")
            .replace("s :\r\n", "s :\r\nRecord-Route: <sip:p;lr>\r\nrecord-route: <sip:o;lr>\r\n");
        assert_eq!(copied(&more, &copy), want);
    }

    #[test]
    fn what_is_missing_is_added_behind_the_vias() {
        let old = "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\nVia: SIP/2.0/UDP i\r\nTo: <sip:a@b>\r\n\r\nxyz";
        assert_eq!(
            copied(old, &Copy { stream: true, ..PLAIN }),
            old.replace("To", "Max-Forwards: 70\r\nTo")
                .replace("\r\n\r\n", "\r\nContent-Length: 3\r\n\r\n")
        );
        let only = "BYE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n\r\n";
        assert_eq!(copied(only, &PLAIN), only.replace("h\r\n", "h\r\nMax-Forwards: 70\r\n"));
    }

    // RFC 5393 5.3.3
    #[test]
    fn max_breadth_is_said_once() {
        let message = |fields: &str| {
            std::format!("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n{fields}\r\n")
        };
        let copy = Copy { breadth: Some(7), ..PLAIN };
        assert_eq!(
            copied(&message("Max-Forwards: 9\r\nmax-breadth :  60 \r\n"), &copy),
            message("Max-Forwards: 8\r\nmax-breadth :  7 \r\n")
        );
        assert_eq!(
            copied(&message("Max-Forwards: 9\r\n"), &copy),
            message("Max-Breadth: 7\r\nMax-Forwards: 8\r\n")
        );
    }

    #[test]
    fn max_forwards_goes_down_by_one() {
        for (from, to) in [("1", "0"), ("10", "9"), ("100", "99"), ("255", "254"), ("300", "254")] {
            let message = |n| std::format!("BYE sip:a@b SIP/2.0\r\nMax-Forwards: {n}\r\n\r\n");
            assert_eq!(copied(&message(from), &PLAIN), message(to));
        }
    }

    fn routed(routes: &[&str], plan: Plan, target: &'static [u8]) -> String {
        let lines: String = routes.iter().map(|r| r.to_string() + "\r\n").collect();
        let message =
            std::format!("BYE sip:u@h SIP/2.0\r\nMax-Forwards: 9\r\n{lines}To: x\r\n\r\n");
        let got = copied(&message, &Copy { plan, uri: target, ..PLAIN });
        got.replace(" SIP/2.0\r\nMax-Forwards: 8\r\n", "|")
            .replace("To: x\r\n\r\n", "")
            .replace("BYE ", "")
    }

    const fn plan(popped: u8, restored: bool) -> Plan {
        Plan {
            popped,
            restored,
            stripped: false,
            onward: Onward::Free,
            home: None,
            sender: Sender::Stranger,
        }
    }

    // RFC 3261 16.4
    #[test]
    fn our_own_routes_go_however_they_are_written() {
        let one = "Route: <sip:p;lr>, <sip:q;lr> , <sip:r;lr>;x=\"a,b\"";
        assert_eq!(
            routed(&[one], plan(1, false), b""),
            "sip:u@h|Route: <sip:q;lr> , <sip:r;lr>;x=\"a,b\"\r\n"
        );
        assert_eq!(routed(&[one], plan(2, false), b""), "sip:u@h|Route: <sip:r;lr>;x=\"a,b\"\r\n");
        assert_eq!(routed(&[one], plan(3, false), b""), "sip:u@h|");
        let apart = ["Route: <sip:p;lr>", "route : <sip:q;lr>,\r\n <sip:r;lr>"];
        assert_eq!(
            routed(&apart, plan(1, false), b""),
            "sip:u@h|route : <sip:q;lr>,\r\n <sip:r;lr>\r\n"
        );
        assert_eq!(routed(&apart, plan(2, false), b""), "sip:u@h|route : <sip:r;lr>\r\n");
    }

    // RFC 3261 16.4, 16.12.1.2: a strict router put our Record-Route into the Request-URI.
    #[test]
    fn the_last_route_comes_back_as_request_uri() {
        assert_eq!(
            routed(&["Route: <sip:q;lr>, <sip:t@d>"], plan(0, true), b""),
            "sip:t@d|Route: <sip:q;lr>\r\n"
        );
        assert_eq!(
            routed(&["Route: <sip:q;lr>", "Route: <sip:t@d>"], plan(0, true), b""),
            "sip:t@d|Route: <sip:q;lr>\r\n"
        );
        assert_eq!(routed(&["Route: <sip:t@d>"], plan(0, true), b""), "sip:t@d|");
        assert_eq!(
            routed(&["Route: <sip:p;lr>,<sip:q;lr>,<sip:t@d>"], plan(1, true), b""),
            "sip:t@d|Route: <sip:q;lr>\r\n"
        );
    }

    // RFC 3261 16.6 step 6
    #[test]
    fn a_strict_router_finds_itself_in_the_request_uri() {
        assert_eq!(
            routed(&["Route: <sip:s@strict>"], plan(0, false), b""),
            "sip:s@strict|Route: <sip:u@h>\r\n"
        );
        assert_eq!(
            routed(&["Route: <sip:p;lr>, <sip:strict>, <sip:q;lr>"], plan(1, false), b""),
            "sip:strict|Route: <sip:q;lr>, <sip:u@h>\r\n"
        );
        assert_eq!(
            routed(&["Route: <sip:strict>", "Route: <sip:q;lr>"], plan(0, false), b"sip:new@t"),
            "sip:strict|Route: <sip:q;lr>, <sip:new@t>\r\n"
        );
        assert_eq!(
            routed(&["Route: <sip:strict>", "Route: <sip:t@d>"], plan(0, true), b""),
            "sip:strict|Route: <sip:t@d>\r\n"
        );
    }

    // What goes and what comes at one place, behind the Vias.
    #[test]
    fn a_field_that_goes_makes_way_for_those_that_come() {
        let message =
            "BYE sip:u@h SIP/2.0\r\nVia: SIP/2.0/UDP v\r\nP-Asserted-Identity: x\r\nTo: x\r\n\r\n";
        let identity =
            Identity { untold: true, preferred: true, asserted: b"P-Asserted-Identity: y\r\n" };
        let strict = Some(&b"sip:s"[..]);
        let copy = Copy { path: b"<sip:p;lr>", strict, identity, uri: b"sip:t", ..PLAIN };
        assert_eq!(
            copied(message, &copy),
            "BYE sip:s SIP/2.0\r\nVia: SIP/2.0/UDP v\r\nRoute: <sip:p;lr>\r\nMax-Forwards: 70\r\n\
             P-Asserted-Identity: y\r\nRoute: <sip:t>\r\nTo: x\r\n\r\n"
        );
    }

    // RFC 3261 18.2.1, RFC 3581 4
    #[test]
    fn the_top_via_says_where_the_request_came_from() {
        let marked = |via: &str| {
            let message =
                std::format!("ACK sip:a@b SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 1\r\n\r\n");
            let source = Some(Addr::v4(192, 0, 2, 9, 4444));
            let got = copied(&message, &Copy { source, ..PLAIN });
            got.strip_prefix("ACK sip:a@b SIP/2.0\r\nVia: ")
                .unwrap()
                .split("\r\nMax")
                .next()
                .unwrap()
                .to_string()
        };
        let top = "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1";
        assert_eq!(marked(top), top);
        assert_eq!(
            marked("SIP/2.0/UDP h;branch=z9hG4bK1, SIP/2.0/UDP i"),
            "SIP/2.0/UDP h;branch=z9hG4bK1;received=192.0.2.9, SIP/2.0/UDP i"
        );
        assert_eq!(
            marked("SIP/2.0/UDP h;rport ;x"),
            "SIP/2.0/UDP h;rport=4444 ;x;received=192.0.2.9"
        );
        assert_eq!(
            marked("SIP/2.0/UDP h;received=1.1.1.1;rport=2"),
            "SIP/2.0/UDP h;received=192.0.2.9;rport=4444"
        );
    }

    proptest! {
        // Whatever stands in fields that a proxy need not know leaves as it came.
        #[test]
        fn unknown_fields_are_not_touched(
            fields in proptest::collection::vec(("[A-Za-z-]{1,12}", "[ -~]{0,40}"), 0..12),
            body in "[ -~\r\n]{0,60}",
            popped in 0u8..3,
        ) {
            let known = |n: &str| Name::of(n.as_bytes()) != Name::Other;
            let lines: String = fields
                .iter()
                .filter(|(name, _)| !known(name))
                .map(|(name, value)| std::format!("{name}: {value}\r\n"))
                .collect();
            let routes = "Route: <sip:p;lr>, <sip:p;lr>, <sip:q;lr>\r\n";
            let message = std::format!(
                "INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n{routes}Max-Forwards: 5\r\n{lines}\r\n{body}"
            );
            let kept = ["<sip:p;lr>"; 2][usize::from(popped)..].join(", ");
            let kept = if kept.is_empty() { kept } else { kept + ", " };
            let want = message
                .replacen(routes, &std::format!("Route: {kept}<sip:q;lr>\r\n"), 1)
                .replacen("Max-Forwards: 5", "Max-Forwards: 4", 1);
            prop_assert_eq!(copied(&message, &Copy { plan: plan(popped, false), ..PLAIN }), want);
        }
    }
}
