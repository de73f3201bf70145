//! Responses, built by copying spans of the request (RFC 3261 8.2.6).

use core::ops::Range;

use super::defect::DefectKind;
use super::message::{Field, MessageRef};
use super::name::{Name, NameSet};
use super::reason::reason_phrase;
use super::scan::Span;
use super::write::{WriteError, Writer};
use crate::header::name_addr::NameAddr;
use crate::header::param::Params;
use crate::header::via::Via;

/// What a response has beside what it copies from its request.
#[derive(Clone, Copy, Default, Debug)]
pub struct ResponseParts<'a> {
    /// The tag to put into To where the request has none.
    pub to_tag: Option<&'a [u8]>,
    /// The source address, for `received` in the top Via (RFC 3261 18.2.1).
    pub via_received: Option<&'a [u8]>,
    /// The source port, for an `rport` in the top Via that asks for it (RFC 3581 4).
    pub via_rport: Option<u16>,
    /// The top Via of the request, if it has been read already.
    pub via: Option<&'a Via>,
    /// Its To, if that has been read already.
    pub to: Option<&'a NameAddr>,
    /// Whether to copy Record-Route (RFC 3261 12.1.1).
    pub record_route: bool,
    /// The value of Contact.
    pub contact: Option<&'a [u8]>,
    /// Other fields.
    pub extra: &'a [(Name, &'a [u8])],
    /// Other fields, by name.
    pub named: &'a [(&'a str, &'a str)],
    /// Content-Type and body.
    pub body: Option<(&'a [u8], &'a [u8])>,
    /// What another writer wrote, in place of `named` and `body`: fields, Content-Type,
    /// Content-Length, the empty line and the body.
    pub rest: Option<&'a [u8]>,
}

/// What every response has from its request.
const NEEDED: NameSet = NameSet::of(&[Name::Via, Name::To, Name::From, Name::CallId, Name::CSeq]);

/// Writes the response to a request; its length. Works on any request: a field that it lacks is
/// lacking in the response too, and of a field that may appear once the first is taken.
///
/// # Errors
/// [`WriteError`]; what is copied from the request is never the reason but for
/// [`WriteError::Full`].
pub fn response(
    out: &mut [u8],
    request: &MessageRef<'_>,
    status: u16,
    reason: Option<&str>,
    parts: &ResponseParts<'_>,
) -> Result<usize, WriteError> {
    let mut w = Writer::new(out);
    w.status_line(status, reason.unwrap_or_else(|| reason_phrase(status)).as_bytes())?;
    let mut done = NameSet::NONE;
    // Of too many fields only what a response needs is looked for.
    let enough = request.kinds().has(DefectKind::TooManyFields);
    for field in request.fields() {
        if enough && field.name_at >= request.rest && done.has_all(NEEDED) {
            break;
        }
        let first = !done.has(field.name);
        match field.name {
            Name::Via if first => top_via(&mut w, request, &field, parts)?,
            Name::Via => w.copy(request, &field)?,
            Name::To if first => to(&mut w, request, &field, parts)?,
            Name::From | Name::CallId | Name::CSeq if first => w.copy(request, &field)?,
            // RFC 3261 8.2.6.1.
            Name::Timestamp if first && status == 100 => w.copy(request, &field)?,
            Name::RecordRoute if parts.record_route => w.copy(request, &field)?,
            _ => {}
        }
        done = done.with(field.name);
    }
    if let Some(contact) = parts.contact {
        w.header(Name::Contact, contact)?;
    }
    for (name, value) in parts.extra {
        w.header(*name, value)?;
    }
    if let Some(rest) = parts.rest {
        return w.rest(rest);
    }
    for (name, value) in parts.named {
        w.named(name.as_bytes(), value.as_bytes())?;
    }
    match parts.body {
        Some((content_type, body)) => w.body(content_type, body),
        None => w.end(),
    }
}

/// RFC 3261 8.2.6.2: To gets our tag where it has none.
fn to(
    w: &mut Writer<'_>,
    request: &MessageRef<'_>,
    field: &Field,
    parts: &ResponseParts<'_>,
) -> Result<(), WriteError> {
    let tagged = || match parts.to {
        Some(to) => !to.tag.is_empty(),
        None => has_tag(request, field),
    };
    let tag = parts.to_tag.filter(|_| !tagged());
    let Some(tag) = tag else { return w.copy(request, field) };
    w.copied_name(request, field)?;
    w.copied(request.text(field.value), field.is_folded())?;
    w.param(Name::To, b"tag", tag)?;
    w.push(b"\r\n")
}

fn has_tag(request: &MessageRef<'_>, field: &Field) -> bool {
    let value = request.text(field.value);
    if value.ends_with(b">") {
        return false;
    }
    match NameAddr::parse(request.bytes(), field.value) {
        Ok(to) => !to.tag.is_empty(),
        // A To that cannot be read: better two tags than none, but not three.
        Err(_) => value
            .rsplit(|&c| c == b';')
            .any(|p| p.trim_ascii_start().get(..3).is_some_and(|n| n.eq_ignore_ascii_case(b"tag"))),
    }
}

/// Copies a Via from `from` to the last `received` before `to`, which it leaves out; where to go on.
fn without_received(
    w: &mut Writer<'_>,
    bytes: &[u8],
    via: &Via,
    range: Range<usize>,
    folded: bool,
) -> Result<usize, WriteError> {
    let mut from = range.start;
    for p in Params::new(bytes, via.params) {
        let inside = from <= p.name.start() && p.name.start() < range.end;
        if inside && p.name.of(bytes).eq_ignore_ascii_case(b"received") {
            // The semicolon goes with the parameter.
            let before = Span::new(from, p.name.start()).of(bytes).trim_ascii_end();
            let before = before.strip_suffix(b";").unwrap_or(before);
            w.copied(before.trim_ascii_end(), folded)?;
            from = p.value.unwrap_or(p.name).end();
        }
    }
    Ok(from)
}

/// RFC 3261 18.2.1 and RFC 3581 4: the top Via says where the request came from. A `received` that
/// the sender wrote is replaced.
fn top_via(
    w: &mut Writer<'_>,
    request: &MessageRef<'_>,
    field: &Field,
    parts: &ResponseParts<'_>,
) -> Result<(), WriteError> {
    if parts.via_received.is_none() && parts.via_rport.is_none() {
        return w.copy(request, field);
    }
    let parsed = match parts.via {
        Some(via) => Some(*via),
        None => Via::parse(request.bytes(), field.value).ok(),
    };
    let Some(via) = parsed else { return w.copy(request, field) };
    w.copied_name(request, field)?;
    let folded = field.is_folded();
    let bytes = request.bytes();
    let replaced = parts.via_received.is_some() && !via.received.is_empty();
    let upto = |w: &mut Writer<'_>, range: Range<usize>| {
        let from = range.start;
        if replaced { without_received(w, bytes, &via, range, folded) } else { Ok(from) }
    };
    let mut from = via.whole.start();
    if let Some(port) = parts.via_rport.filter(|_| via.rport_asked) {
        from = upto(w, from..via.rport_span.start())?;
        w.copied(Span::new(from, via.rport_span.start()).of(bytes), folded)?;
        w.rport(port)?;
        from = via.rport_span.end();
    }
    from = upto(w, from..via.whole.end())?;
    w.copied(Span::new(from, via.whole.end()).of(bytes), folded)?;
    if let Some(received) = parts.via_received {
        w.param(Name::Via, b"received", received)?;
    }
    w.copied(Span::new(via.whole.end(), field.value.end()).of(bytes), folded)?;
    w.push(b"\r\n")
}
