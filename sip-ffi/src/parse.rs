//! The parser, without an engine.

use std::ffi::{c_char, c_void};
use std::ptr::{NonNull, null_mut};

use sansip_core::header::Essentials;
use sansip_core::wire::{
    Defect, DefectKind, Framing, Index, MessageRef, Name, NotSip, Span, StartLine, WireLimits,
    parse,
};
use sansip_core::{Error, Limit, Limits};

use crate::abi::{SansipBytes, SansipStr, Sized32, bytes, bytes_of, fill, read, store, str_of};
use crate::arena::{place, unplace, within};
use crate::code::{
    ARGUMENT, Code, SANSIP_IGNORED_KEEPALIVE, SANSIP_IGNORED_NOT_SIP, SANSIP_NOT_FOUND,
};
use crate::config::SansipLimits;
use crate::guard::guard;
use crate::verb::SansipField;

/// A message. It points into the bytes that it was read from.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipMsg {
    /// sizeof(sansip_msg).
    pub size: u32,
    /// The status, 100 to 699; 0 for a request, and for a status that is none.
    pub status: u32,
    /// 1 for a request, 0 for a response.
    pub is_request: u32,
    /// How many defects the parser listed; 0 from sansip_read, which looks for none.
    pub n_defects: u32,
    /// How many header fields it has.
    pub n_fields: u32,
    /// 0.
    pub reserved: u32,
    /// How many of the bytes given belong to it, empty lines before it included.
    pub consumed: usize,
    /// The method as it is written; empty for a response.
    pub method: SansipStr,
    /// The request URI; empty for a response.
    pub uri: SansipStr,
    /// The reason phrase; empty for a request.
    pub reason: SansipStr,
    /// The body.
    pub body: SansipBytes,
    /// The message, from its start line to the end of its body.
    pub raw: SansipBytes,
}

// SAFETY: integers and structs of a pointer and an integer, the size first.
unsafe impl Sized32 for SansipMsg {}

/// What is wrong with a message. Its texts live for ever.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipDefect {
    /// sizeof(sansip_defect).
    pub size: u32,
    /// Its kind: a stable number, 1 being the weightiest.
    pub kind: u32,
    /// The status that a request earns by it where it is refused.
    pub status: u32,
    /// Where in the message.
    pub at: u32,
    /// How many bytes from there.
    pub length: u32,
    /// 0.
    pub reserved: u32,
    /// The clause that it breaks.
    pub clause: SansipStr,
    /// What it is, in words.
    pub text: SansipStr,
    /// The field it is in, as the library spells it; empty for the start line, the body and
    /// unknown fields.
    pub field: SansipStr,
}

// SAFETY: integers and structs of a pointer and an integer, the size first.
unsafe impl Sized32 for SansipDefect {}

fn describe(m: &MessageRef<'_>, consumed: usize) -> SansipMsg {
    SansipMsg {
        size: 0,
        status: m.status().into(),
        is_request: matches!(m.start(), StartLine::Request { .. }).into(),
        n_defects: 0,
        n_fields: u32::try_from(m.fields().count()).unwrap_or(u32::MAX),
        reserved: 0,
        consumed,
        method: str_of(m.method_text()),
        uri: str_of(m.request_uri()),
        reason: str_of(m.reason()),
        body: bytes_of(m.body()),
        raw: bytes_of(m.bytes()),
    }
}

/// The defects of the framing and of the values; of a kind that there was no room to list, one
/// without a position.
fn all_defects<'m>(m: &'m MessageRef<'_>, e: &'m Essentials) -> impl Iterator<Item = Defect> + 'm {
    let listed = || m.defects().chain(e.defects());
    let unlisted = move |kind: &DefectKind| listed().all(|d| d.kind != *kind);
    let rest = m.kinds().or(e.kinds()).iter().filter(unlisted);
    listed().chain(rest.map(|kind| Defect { kind, name: Name::Other, at: Span::EMPTY }))
}

fn skip_lines(bytes: &[u8]) -> &[u8] {
    let n = bytes.iter().take_while(|b| matches!(b, b'\r' | b'\n')).count();
    &bytes[n..]
}

fn no_message(bytes: &[u8]) -> i32 {
    if bytes.is_empty() { SANSIP_IGNORED_KEEPALIVE } else { SANSIP_IGNORED_NOT_SIP }
}

/// Reads a message that was checked before, such as one of an event, or one of which defects do not
/// matter: its body is all that follows the header section. Takes no memory; linear in the bytes.
/// Set out->size first. `out` points into the bytes given.
///
/// Returns SANSIP_IGNORED_NOT_SIP if it is none, SANSIP_IGNORED_KEEPALIVE for line ends alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_read(p: *const c_void, n: usize, out: *mut SansipMsg) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        let all = unsafe { bytes(p, n) }?;
        let message = skip_lines(all);
        let Some(m) = MessageRef::lazy(message) else { return Ok(no_message(message)) };
        // SAFETY: by the header's rules.
        unsafe { fill(out, describe(&m, all.len())) }.map(|()| 0)
    })
}

/// The value of the `nth` header field (from 0) with this name in a message: in full or compact
/// form, without regard to case. Takes no memory; linear in the bytes. `value` points into the
/// bytes given.
///
/// Returns SANSIP_NOT_FOUND if there are not so many, SANSIP_IGNORED_... as sansip_read does.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_header(
    p: *const c_void,
    n: usize,
    name: SansipStr,
    nth: u32,
    value: *mut SansipStr,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        unsafe {
            store(value, SansipStr::NONE)?;
            let message = skip_lines(bytes(p, n)?);
            let name = bytes(name.p.cast(), name.n)?;
            let Some(m) = MessageRef::lazy(message) else { return Ok(no_message(message)) };
            let Some(found) = m.headers_named(name).nth(nth as usize) else {
                return Ok(SANSIP_NOT_FOUND);
            };
            store(value, str_of(found)).map(|()| 0)
        }
    })
}

/// A parser: the room for one message's fields and defects, used again for the next.
pub struct SansipParser {
    index: Index,
    limits: WireLimits,
    fields: Vec<SansipField>,
    defects: Vec<Defect>,
    borrowed: bool,
}

/// What aligning five reservations costs.
const ALLOWANCE: usize = 64;

/// Those of the framing, those of the values, and one of each other kind.
fn defects_of(limits: &WireLimits) -> usize {
    usize::from(limits.defects) + DefectKind::ALL.len()
}

fn parser_bytes(limits: &WireLimits) -> usize {
    size_of::<SansipParser>()
        + Index::bytes(limits)
        + usize::from(limits.fields) * size_of::<SansipField>()
        + defects_of(limits) * size_of::<Defect>()
        + ALLOWANCE
}

fn make(limits: WireLimits, borrowed: bool) -> Result<NonNull<SansipParser>, Code> {
    let memory = Code::from(Error::Full(Limit::Memory));
    let index = Index::new(&limits).map_err(|_| memory)?;
    let (mut fields, mut defects) = (Vec::new(), Vec::new());
    fields.try_reserve_exact(limits.fields.into()).map_err(|_| memory)?;
    defects.try_reserve_exact(defects_of(&limits)).map_err(|_| memory)?;
    place(SansipParser { index, limits, fields, defects, borrowed }).ok_or(memory)
}

/// # Safety
/// `limits` is null, or as for [`read`].
unsafe fn wire_limits(limits: *const SansipLimits) -> Result<WireLimits, Code> {
    if limits.is_null() {
        return Ok(Limits::TESTER.wire);
    }
    // SAFETY: passed on.
    Ok(unsafe { read(limits) }?.get()?.wire)
}

/// The bytes that sansip_parser_new needs with these limits (NULL: the default ones); 0 if they
/// cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_parser_footprint(limits: *const SansipLimits) -> usize {
    let mut bytes = 0;
    guard(|| {
        // SAFETY: by the header's rules.
        bytes = parser_bytes(&unsafe { wire_limits(limits) }?);
        Ok(0)
    });
    bytes
}

/// Makes a parser for messages within these limits; NULL: the default ones. Over a limit a message
/// is parsed as far as it goes, and has a defect. `memory` is as for sansip_new.
/// Errors: SANSIP_E_FULL_MEMORY.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_parser_new(
    limits: *const SansipLimits,
    memory: *mut c_void,
    n: usize,
    out: *mut *mut SansipParser,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        unsafe {
            store(out, null_mut())?;
            let limits = wire_limits(limits)?;
            let parser = match NonNull::new(memory.cast::<u8>()) {
                Some(memory) => within(memory, n, || make(limits, true))?,
                None => make(limits, false)?,
            };
            store(out, parser.as_ptr())?;
        }
        Ok(0)
    })
}

/// Ends a parser. NULL is nothing.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_parser_free(parser: *mut SansipParser) {
    let Some(parser) = NonNull::new(parser) else { return };
    guard(|| {
        // SAFETY: it came from `sansip_parser_new`, and is not used again.
        unsafe {
            if !parser.as_ref().borrowed {
                drop(unplace(parser));
            }
        }
        Ok(0)
    });
}

/// The bytes are one datagram: the body ends where the datagram does.
pub const SANSIP_DATAGRAM: u32 = 1;
/// The bytes are the front of a stream: Content-Length tells where the body ends.
pub const SANSIP_STREAM: u32 = 2;

/// Parses a message: whatever its content, what departs from the RFCs is listed as a defect.
/// `framing` is SANSIP_DATAGRAM (0: that) or SANSIP_STREAM. Set out->size first. `out` and the
/// fields point into the bytes given; they and the defects can be read until the next sansip_parse
/// with this parser. Linear in the bytes.
///
/// Returns SANSIP_IGNORED_NOT_SIP if it is no SIP message, SANSIP_IGNORED_KEEPALIVE for line ends
/// alone.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_parse(
    parser: *mut SansipParser,
    p: *const c_void,
    n: usize,
    framing: u32,
    out: *mut SansipMsg,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        let parser = unsafe { parser.as_mut() }.ok_or(ARGUMENT)?;
        parser.fields.clear();
        parser.defects.clear();
        // SAFETY: by the header's rules.
        let bytes = unsafe { bytes(p, n) }?;
        let framing = match framing {
            0 | SANSIP_DATAGRAM => Framing::Datagram,
            SANSIP_STREAM => Framing::Stream,
            _ => return Err(ARGUMENT),
        };
        let m = match parse(bytes, &parser.limits, framing, &mut parser.index) {
            Ok(m) => m,
            Err(NotSip::Empty) => return Ok(SANSIP_IGNORED_KEEPALIVE),
            Err(_) => return Ok(SANSIP_IGNORED_NOT_SIP),
        };
        let essentials = Essentials::of(&m);
        parser.defects.extend(all_defects(&m, &essentials).take(parser.defects.capacity()));
        let field = |f: sansip_core::wire::Field| SansipField {
            name: str_of(m.text(f.name_span())),
            value: str_of(m.text(f.value)),
        };
        parser.fields.extend(m.fields().take(parser.fields.capacity()).map(field));
        let mut msg = describe(&m, m.consumed());
        msg.n_fields = u32::try_from(parser.fields.len()).unwrap_or(u32::MAX);
        msg.n_defects = u32::try_from(parser.defects.len()).unwrap_or(u32::MAX);
        // SAFETY: by the header's rules.
        unsafe { fill(out, msg) }.map(|()| 0)
    })
}

/// The `i`th header field (from 0) of the message last parsed, in the order of the message. Lives
/// as long as the bytes that were parsed. Returns SANSIP_NOT_FOUND if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_field_at(
    parser: *const SansipParser,
    i: usize,
    out: *mut SansipField,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        unsafe {
            let parser = parser.as_ref().ok_or(ARGUMENT)?;
            let Some(field) = parser.fields.get(i) else { return Ok(SANSIP_NOT_FOUND) };
            store(out, *field).map(|()| 0)
        }
    })
}

/// The `i`th defect (from 0) of the message last parsed. Set out->size first. Returns
/// SANSIP_NOT_FOUND if there are not so many.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn sansip_defect_at(
    parser: *const SansipParser,
    i: usize,
    out: *mut SansipDefect,
) -> i32 {
    guard(|| {
        // SAFETY: by the header's rules.
        unsafe {
            let parser = parser.as_ref().ok_or(ARGUMENT)?;
            let Some(d) = parser.defects.get(i) else { return Ok(SANSIP_NOT_FOUND) };
            let text = |t: &'static str| SansipStr { p: t.as_ptr().cast::<c_char>(), n: t.len() };
            let defect = SansipDefect {
                size: 0,
                kind: d.code().into(),
                status: d.status().into(),
                at: d.at.at.into(),
                length: d.at.len.into(),
                reserved: 0,
                clause: text(d.clause()),
                text: text(d.text()),
                field: text(d.name.as_str()),
            };
            fill(out, defect).map(|()| 0)
        }
    })
}
