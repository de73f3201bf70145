//! Messages that the transaction layer makes itself, by copying spans of those it has: the ACK for
//! a 300-699, CANCEL, what is kept of an INVITE, requests as they are stored, and responses.

use core::fmt::Write as _;
use core::net::IpAddr;

use super::Reply;
use crate::cx::{Cx, write_error};
use crate::error::Error;
use crate::header::{Essentials, NameAddr, Params, Via};
use crate::path::{Addr, parse_ip};
use crate::store::pool::BlockId;
use crate::wire::raw::RawWriter;
use crate::wire::response::{ResponseParts, response};
use crate::wire::write::WriteError;
use crate::wire::{MessageRef, Name};

type Written = Result<(), WriteError>;

/// What of a request goes into another one.
#[derive(Clone, Copy)]
pub(super) enum Excerpt<'a> {
    /// What ACK and CANCEL need, the method unchanged.
    Keep,
    /// RFC 3261 17.1.1.3: the ACK for the response with this To.
    Ack(&'a [u8]),
    /// RFC 3261 9.1.
    Cancel,
}

/// Writes the excerpt of the INVITE `m`. Every value is copied as it is, folds included.
fn excerpt(w: &mut RawWriter<'_>, m: &MessageRef<'_>, what: Excerpt<'_>) -> Written {
    let method: &[u8] = match what {
        Excerpt::Keep => m.method_text(),
        Excerpt::Ack(_) => b"ACK",
        Excerpt::Cancel => b"CANCEL",
    };
    put(w, &[method, b" ", m.request_uri(), b" SIP/2.0\r\n"])?;
    let mut top = true;
    for field in m.fields() {
        let value = m.text(field.value);
        let name = field.name.as_str().as_bytes();
        match field.name {
            Name::Via if top => {
                top = false;
                let via = Via::parse(m.bytes(), field.value).map_or(value, |v| m.text(v.whole));
                put(w, &[name, b": ", via, b"\r\n"])?;
            }
            Name::To => {
                let to = if let Excerpt::Ack(to) = what { to } else { value };
                put(w, &[name, b": ", to, b"\r\n"])?;
            }
            Name::CSeq => put(w, &[name, b": ", digits(value), b" ", method, b"\r\n"])?,
            Name::MaxForwards
            | Name::Route
            | Name::From
            | Name::CallId
            // RFC 3261 22.1
            | Name::Authorization
            | Name::ProxyAuthorization => {
                put(w, &[name, b": ", value, b"\r\n"])?;
            }
            _ => {}
        }
    }
    put(w, &[b"Content-Length: 0\r\n\r\n"])
}

fn put(w: &mut RawWriter<'_>, parts: &[&[u8]]) -> Written {
    parts.iter().try_for_each(|p| w.bytes(p).map(|_| ()))
}

/// The number of a CSeq value.
fn digits(value: &[u8]) -> &[u8] {
    let end = value.iter().position(|c| !c.is_ascii_digit()).unwrap_or(value.len());
    value.get(..end).unwrap_or(value)
}

/// The excerpt of the INVITE in `request` as a block of its own, held once.
pub(super) fn excerpt_block(
    cx: &mut Cx,
    request: BlockId,
    what: Excerpt<'_>,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let len = {
        let m = MessageRef::lazy(pool.bytes_of(request)).ok_or(Error::Gone)?;
        let mut w = RawWriter::new(scratch);
        excerpt(&mut w, &m, what).map_err(write_error)?;
        w.len()
    };
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// The credentials of the INVITE in `request`, as fields in a block of their own, held once.
pub(super) fn credentials_block(cx: &mut Cx, request: BlockId) -> Result<Option<BlockId>, Error> {
    let Cx { pool, scratch, .. } = cx;
    let Some(m) = MessageRef::lazy(pool.bytes_of(request)) else { return Ok(None) };
    let mut w = RawWriter::new(scratch);
    let of = |name| matches!(name, Name::Authorization | Name::ProxyAuthorization);
    for field in m.fields().filter(|f| of(f.name)) {
        let parts = [field.name.as_str().as_bytes(), b": ", m.text(field.value), b"\r\n"];
        put(&mut w, &parts).map_err(write_error)?;
    }
    let len = w.len();
    if len == 0 {
        return Ok(None);
    }
    pool.copy_in(scratch.get(..len).unwrap_or(&[])).map(Some)
}

/// A received request as it is stored: its top Via marked with where it came from (RFC 3261
/// 18.2.1, RFC 3581 4).
pub(super) fn stored_request(
    cx: &mut Cx,
    m: &MessageRef<'_>,
    via: &Via,
    source: Addr,
) -> Result<BlockId, Error> {
    if !needs_mark(m, via, source) {
        return cx.copy_message(m);
    }
    let Cx { pool, scratch, kept, .. } = cx;
    let bytes = m.bytes();
    let mut w = RawWriter::new(scratch);
    put(&mut w, &[bytes.get(..via.whole.start()).unwrap_or(&[])]).map_err(write_error)?;
    marked_via(&mut w, m, via, source).map_err(write_error)?;
    put(&mut w, &[bytes.get(via.whole.end()..).unwrap_or(&[])]).map_err(write_error)?;
    let len = w.len();
    let block = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
    let more = i16::try_from(len).ok().zip(i16::try_from(bytes.len()).ok());
    if let Some((after, before)) = more {
        let at = via.whole.end() as u16;
        kept.take(pool, block, m, (at, after.wrapping_sub(before)));
    }
    Ok(block)
}

/// Whether the top Via does not say by itself where the request came from.
fn needs_mark(m: &MessageRef<'_>, via: &Via, source: Addr) -> bool {
    via.rport_asked || !via.received.is_empty() || parse_ip(m.text(via.host)) != Some(source.ip)
}

fn marked_via(w: &mut RawWriter<'_>, m: &MessageRef<'_>, via: &Via, source: Addr) -> Written {
    let bytes = m.bytes();
    let head = if via.params.is_empty() { via.whole.end() } else { via.params.start() };
    put(w, &[bytes.get(via.whole.start()..head).unwrap_or(&[])])?;
    for p in Params::new(bytes, via.params) {
        let name = m.text(p.name);
        if name.eq_ignore_ascii_case(b"received") {
            continue;
        }
        put(w, &[b";", name])?;
        if name.eq_ignore_ascii_case(b"rport") {
            let port = Text::of(format_args!("={}", source.port));
            put(w, &[port.as_bytes()])?;
        } else if let Some(value) = p.value {
            put(w, &[b"=", m.text(value)])?;
        }
    }
    put(w, &[b";received=", ip_text(source.ip).as_bytes()])
}

/// RFC 3261 25.1: no brackets around an IPv6 address in `received`.
fn ip_text(ip: IpAddr) -> Text {
    let IpAddr::V4(ip) = ip else { return Text::of(format_args!("{ip}")) };
    let mut text = Text { bytes: [0; 46], len: 0 };
    for (i, octet) in ip.octets().into_iter().enumerate() {
        if i > 0 {
            text.byte(b'.');
        }
        if octet >= 100 {
            text.byte(b'0' + octet / 100);
        }
        if octet >= 10 {
            text.byte(b'0' + octet / 10 % 10);
        }
        text.byte(b'0' + octet % 10);
    }
    text
}

/// A short text: an address or a port.
struct Text {
    bytes: [u8; 46],
    len: usize,
}

impl Text {
    fn of(what: core::fmt::Arguments<'_>) -> Self {
        let mut text = Self { bytes: [0; 46], len: 0 };
        // No address and no port is longer.
        let _ = text.write_fmt(what);
        text
    }

    fn byte(&mut self, c: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = c;
            self.len += 1;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

impl core::fmt::Write for Text {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len.saturating_add(s.len());
        let room = self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Writes the response to a request that has just come, or, without `source`, to a stored one,
/// which has the marks of its source already; the length. `rest` is the text of `reply.rest`.
pub(super) fn reply(
    out: &mut [u8],
    m: &MessageRef<'_>,
    status: u16,
    reply: &Reply<'_>,
    own_tag: &[u8],
    (source, rest): (Option<(&Essentials, Addr)>, Option<&[u8]>),
) -> Result<usize, Error> {
    let via = source.and_then(|(e, _)| e.via.as_ref());
    let to = source.and_then(|(e, _)| e.to.as_ref());
    let mark = source
        .map(|(_, from)| from)
        .filter(|from| via.is_some_and(|via| needs_mark(m, via, *from)));
    let received = mark.map(|source| ip_text(source.ip));
    // RFC 3261 8.2.6.2, 17.2.1: a 100 needs no tag.
    let own_tag = (status != 100).then_some(own_tag);
    let parts = ResponseParts {
        to_tag: reply.to_tag.or(own_tag),
        via_received: received.as_ref().map(Text::as_bytes),
        via_rport: mark.map(|source| source.port),
        via,
        to,
        record_route: reply.record_route,
        contact: reply.contact,
        extra: reply.extra,
        named: reply.named,
        body: reply.body,
        rest,
    };
    response(out, m, status, reply.reason, &parts).map_err(write_error)
}

/// The To tag of a stored message.
pub(super) fn to_tag<'a>(m: &MessageRef<'a>) -> &'a [u8] {
    let to = m.header_span(Name::To).and_then(|at| NameAddr::parse(m.bytes(), at).ok());
    to.map_or(&[], |to| m.text(to.tag))
}

/// The branch of the top Via of a stored message.
pub(super) fn branch<'a>(m: &MessageRef<'a>) -> &'a [u8] {
    let via = m.header_span(Name::Via).and_then(|at| Via::parse(m.bytes(), at).ok());
    via.map_or(&[], |via| m.text(via.branch))
}
