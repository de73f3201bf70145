//! Who a call was meant for before: Diversion (RFC 5806) and History-Info (RFC 7044), with the
//! causes of RFC 7544.

use super::line::Line;
use crate::cx::{Cx, joined, write_error};
use crate::error::Error;
use crate::header::Value as _;
use crate::header::history_info::HistoryInfo;
use crate::header::name_addr::NameAddr;
use crate::header::uri::Uri;
use crate::header::uri_equal;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;
use crate::wire::write::{WriteError, Writer};

/// Decimal digits of a small number.
pub(super) struct Digits([u8; 5]);

impl Digits {
    pub(super) fn of(number: u16) -> Self {
        let mut digits = [b'0'; 5];
        let mut rest = number;
        for place in digits.iter_mut().rev() {
            *place = b'0' + u8::try_from(rest % 10).unwrap_or(0);
            rest /= 10;
        }
        Self(digits)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        let zeros = self.0.iter().take(4).take_while(|c| **c == b'0').count();
        self.0.get(zeros..).unwrap_or(&[])
    }
}

/// The rest of a 302 that says that `line` diverts the call of `request`, in a block that is held
/// once.
pub(super) fn write(
    cx: &mut Cx,
    request: BlockId,
    line: &Line,
    reason: &[u8],
    cause: u16,
) -> Result<BlockId, Error> {
    let Cx { pool, scratch, .. } = cx;
    let m = MessageRef::lazy(pool.bytes_of(request)).ok_or(Error::Gone)?;
    let mut w = Writer::new(scratch);
    diversion(&mut w, &m, line.aor(pool), reason).map_err(write_error)?;
    if wants_history(&m) {
        own_history(&mut w, &m, cause).map_err(write_error)?;
    }
    let len = w.end().map_err(write_error)?;
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// RFC 5806 7.1: ours on top of those that came in.
fn diversion(
    w: &mut Writer<'_>,
    m: &MessageRef<'_>,
    aor: &[u8],
    reason: &[u8],
) -> Result<(), WriteError> {
    joined(w, Name::Diversion, &[b"<", aor, b">;reason=", reason, b";counter=1"])?;
    m.fields().filter(|f| f.name == Name::Diversion).try_for_each(|f| w.copy(m, &f))
}

/// RFC 7044 9.3: whether a response tells the history of its request.
fn wants_history(m: &MessageRef<'_>) -> bool {
    m.values(Name::Supported).any(|s| m.text(s).eq_ignore_ascii_case(b"histinfo"))
}

/// The history that came in, with our own entry and why it was not the last (RFC 7044 10.2).
fn own_history(w: &mut Writer<'_>, m: &MessageRef<'_>, cause: u16) -> Result<(), WriteError> {
    let last = m.values(Name::HistoryInfo).last();
    for value in m.values(Name::HistoryInfo).filter(|v| Some(*v) != last) {
        w.header(Name::HistoryInfo, m.text(value))?;
    }
    let Some(last) = last else { return entry(w, m.request_uri(), b";index=1", cause) };
    let here = NameAddr::parse(m.bytes(), last)
        .ok()
        .filter(|a| uri_equal::equal(plain(m.text(a.uri_text)), m.request_uri()));
    if let Some(a) = here {
        return with_reason(w, m.text(last), m.text(a.uri_text), cause);
    }
    w.header(Name::HistoryInfo, m.text(last))?;
    let index = HistoryInfo::parse(m.bytes(), last).ok().and_then(|h| h.index);
    let index = index.map_or(&b"1"[..], |i| m.text(i));
    let cause = Digits::of(cause);
    let parts = [b"<", m.request_uri(), REASON, cause.as_bytes(), b">;index=", index, b".1"];
    joined(w, Name::HistoryInfo, &parts)
}

/// RFC 7044 5: why a target was not the last, in the header part of its URI.
const REASON: &[u8] = b"?Reason=SIP%3Bcause%3D";

/// A URI without its header part.
fn plain(uri: &[u8]) -> &[u8] {
    let end = uri.iter().position(|c| *c == b'?').unwrap_or(uri.len());
    uri.get(..end).unwrap_or(uri)
}

fn entry(w: &mut Writer<'_>, uri: &[u8], params: &[u8], cause: u16) -> Result<(), WriteError> {
    let cause = Digits::of(cause);
    joined(w, Name::HistoryInfo, &[b"<", uri, REASON, cause.as_bytes(), b">", params])
}

/// An entry as it is, with the reason if it has none. `uri` is the part of `value` between its angle
/// brackets.
fn with_reason(w: &mut Writer<'_>, value: &[u8], uri: &[u8], cause: u16) -> Result<(), WriteError> {
    let has = uri.windows(8).any(|s| s.eq_ignore_ascii_case(b"?Reason=") || s == b"&Reason=");
    let close = value.iter().position(|c| *c == b'>').filter(|_| !has);
    let Some((head, tail)) = close.and_then(|at| value.split_at_checked(at)) else {
        return w.header(Name::HistoryInfo, value);
    };
    let cause = Digits::of(cause);
    let reason: &[u8] =
        if plain(uri).len() < uri.len() { b"&Reason=SIP%3Bcause%3D" } else { REASON };
    joined(w, Name::HistoryInfo, &[head, reason, cause.as_bytes(), tail])
}

/// The history of a call of ours so far as whole lines: what the response brought, or else what the
/// request had, with the reason in the entry of `index` (RFC 7044 9.1). `len` of what was written.
pub(super) fn history(
    w: &mut Writer<'_>,
    m: &MessageRef<'_>,
    index: &[u8],
    status: u16,
) -> Result<(), WriteError> {
    for value in m.values(Name::HistoryInfo) {
        let ours = HistoryInfo::parse(m.bytes(), value)
            .is_ok_and(|h| h.index.is_some_and(|i| m.text(i) == index));
        match NameAddr::parse(m.bytes(), value) {
            Ok(a) if ours => with_reason(w, m.text(value), m.text(a.uri_text), status)?,
            _ => w.header(Name::HistoryInfo, m.text(value))?,
        }
    }
    Ok(())
}

/// The entry of a new target: for the same user (`rc`) or another one (`mp`) than the entry `from`
/// was sent to.
pub(super) fn new_target(
    w: &mut Writer<'_>,
    (uri, first): (&[u8], &[u8]),
    (index, from): (u16, u16),
    cause: Option<u16>,
) -> Result<(), WriteError> {
    let user = |text: &'_ [u8]| Uri::parse(text).map(|u| u.user).unwrap_or_default();
    let same = user(uri).of(uri) == user(first).of(first);
    let kind: &[u8] = if same { b";rc=" } else { b";mp=" };
    let (index, from) = (Digits::of(index), Digits::of(from));
    let number = cause.map(Digits::of);
    // RFC 4458 2, RFC 7544 7.2
    let cause: [&[u8]; 2] = number.as_ref().map_or([b"", b""], |n| [b";cause=", n.as_bytes()]);
    let parts =
        [b"<", uri, cause[0], cause[1], b">;index=", index.as_bytes(), kind, from.as_bytes()];
    joined(w, Name::HistoryInfo, &parts)
}

/// Why a call was diverted last, by the first Diversion of these lines (RFC 7544 7.1).
pub(super) fn cause_of(lines: &[u8]) -> Option<u16> {
    let end = lines.iter().position(|c| *c == b'\r').unwrap_or(lines.len());
    let first = lines.get(..end)?.strip_prefix(b"Diversion: ")?;
    let value =
        crate::header::diversion::Diversion::parse(first, Span::new(0, first.len())).ok()?;
    let reason = value.reason?.of(first);
    let causes: [(&[u8], u16); 5] = [
        (b"unconditional", 302),
        (b"user-busy", 486),
        (b"no-answer", 408),
        (b"deflection", 480),
        (b"unavailable", 503),
    ];
    let known = causes.iter().find(|(name, _)| name.eq_ignore_ascii_case(reason));
    Some(known.map_or(404, |(_, cause)| *cause))
}
