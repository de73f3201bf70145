//! The one place where the next request of a dialog is built (RFC 3261 12.2.1.1). ACK, BYE and
//! all others come from here, so that none of them is routed by a rule of its own.

use super::{Dialog, DialogHandle, Dialogs, contact_value, is_loose, route_uri};
use crate::cx::{Cx, joined, write_error};
use crate::error::Error;
use crate::resolve::{Hop, NoWay, next_hop};
use crate::store::pool::BlockId;
use crate::wire::name::Name;
use crate::wire::scan::Cursor;
use crate::wire::start_line::Method;
use crate::wire::write::{WriteError, Writer};

/// A header field that the application adds.
pub type Extra<'a> = (&'a str, &'a str);

/// A request to build in a dialog.
#[derive(Clone, Copy, Debug)]
pub struct InDialog<'a> {
    /// Its method.
    pub method: Method,
    /// The CSeq number of an ACK: its INVITE's. Else the dialog's next.
    pub cseq: Option<u32>,
    /// The user part of our Contact, for a request that carries one.
    pub contact: Option<&'a [u8]>,
    /// Header fields of ours.
    pub fields: &'a [(Name, &'a [u8])],
    /// Header fields of the application.
    pub extra: &'a [Extra<'a>],
    /// Content-Type and body; empty for none.
    pub body: (&'a [u8], &'a [u8]),
    /// The rest of the message, written before, in place of `extra` and `body`.
    pub kept: Option<Kept>,
    /// The credentials of an ACK, those of its INVITE (RFC 3261 22.1), as written fields.
    pub credentials: Option<Kept>,
}

impl<'a> InDialog<'a> {
    /// A request with nothing added.
    #[must_use]
    pub const fn plain(method: Method, cseq: Option<u32>) -> Self {
        Self {
            method,
            cseq,
            contact: None,
            fields: &[],
            extra: &[],
            body: (&[], &[]),
            kept: None,
            credentials: None,
        }
    }
}

/// The rest of a message in a block of its own: header fields of the application, Content-Type,
/// Content-Length, the empty line and the body.
#[derive(Clone, Copy, Debug)]
pub struct Kept {
    /// The block; the holder keeps it.
    pub block: BlockId,
}

/// A request that was built.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// The request without Via, held once.
    pub block: BlockId,
    /// Where it goes.
    pub hop: Result<Hop, NoWay>,
    /// Its CSeq number.
    pub cseq: u32,
}

/// How a dialog's next request is addressed.
struct Addressing<'a> {
    uri: &'a [u8],
    /// The Route values that are kept as they are.
    routes: &'a [u8],
    /// RFC 2543 routers get the target as the last Route.
    target_last: Option<&'a [u8]>,
    /// The URI of the next hop.
    hop: &'a [u8],
}

// RFC 3261 12.2.1.1
fn address<'a>(target: &'a [u8], routes: &'a [u8]) -> Addressing<'a> {
    let mut cursor = Cursor::all(routes);
    let Some(first) = cursor.item().filter(|s| !s.is_empty()) else {
        return Addressing { uri: target, routes: &[], target_last: None, hop: target };
    };
    let first_route = first.of(routes);
    if is_loose(first_route) {
        return Addressing { uri: target, routes, target_last: None, hop: route_uri(first_route) };
    }
    cursor.ws();
    cursor.eat(b',');
    let rest = cursor.rest().trim_ascii_start();
    let uri = route_uri(first_route);
    Addressing { uri, routes: rest, target_last: Some(target), hop: uri }
}

impl Dialogs {
    /// Builds the next request of the dialog. Nothing is queued; the sequence number is taken.
    pub fn request(
        &mut self,
        cx: &mut Cx,
        h: DialogHandle,
        what: &InDialog<'_>,
    ) -> Result<Made, Error> {
        let d = self.slab.live_mut(h)?;
        let cseq = match what.cseq {
            Some(n) => n,
            // RFC 3261 8.1.1.5: below 2**31; a dialog does not live that long.
            None => d.local_seq.checked_add(1).ok_or(Error::Gone)?,
        };
        let mut contact = [0u8; 256];
        let contact_len = what
            .contact
            .map_or(0, |user| contact_value(cx, d.local_id, user, d.secure, &mut contact));
        let contact = contact.get(..contact_len).unwrap_or(&[]);
        let Cx { pool, scratch, config, .. } = &mut *cx;
        let bytes = pool.bytes_of(d.block);
        let at = address(d.text.target.of(bytes), d.text.routes().of(bytes));
        let own = Own { cseq, contact, product: config.product.as_bytes() };
        let stored = |kept: Option<Kept>| kept.map(|k| pool.bytes_of(k.block));
        let kept = (stored(what.credentials), stored(what.kept));
        let w = Writer::new(scratch);
        let len = write_request(w, (d, bytes), &at, what, &own, kept).map_err(write_error)?;
        let hop = next_hop(cx, {
            let bytes = cx.pool.bytes_of(d.block);
            address(d.text.target.of(bytes), d.text.routes().of(bytes)).hop
        });
        let block = cx.pool.copy_in(cx.scratch.get(..len).unwrap_or(&[]))?;
        if what.cseq.is_none() {
            d.local_seq = cseq;
        }
        Ok(Made { block, hop, cseq })
    }
}

/// What of a request is ours.
struct Own<'a> {
    cseq: u32,
    contact: &'a [u8],
    product: &'a [u8],
}

fn write_request(
    mut w: Writer<'_>,
    (d, bytes): (&Dialog, &[u8]),
    at: &Addressing<'_>,
    what: &InDialog<'_>,
    own: &Own<'_>,
    (credentials, kept): (Option<&[u8]>, Option<&[u8]>),
) -> Result<usize, WriteError> {
    w.request_line(what.method.as_str().as_bytes(), at.uri)?;
    w.header(Name::MaxForwards, b"70")?;
    if !at.routes.is_empty() {
        w.header(Name::Route, at.routes)?;
    }
    if let Some(target) = at.target_last {
        joined(&mut w, Name::Route, &[b"<", target, b">"])?;
    }
    w.header(Name::From, d.text.local().of(bytes))?;
    w.header(Name::To, d.text.remote().of(bytes))?;
    w.header(Name::CallId, d.text.call_id().of(bytes))?;
    w.cseq(own.cseq, what.method.as_str().as_bytes())?;
    if !own.contact.is_empty() {
        w.header(Name::Contact, own.contact)?;
    }
    for (name, value) in what.fields {
        w.header(*name, value)?;
    }
    if !own.product.is_empty() && what.method != Method::Ack {
        w.header(Name::UserAgent, own.product)?;
    }
    if let Some(credentials) = credentials {
        w.written_fields(credentials)?;
    }
    if let Some(rest) = kept {
        return w.rest(rest);
    }
    for (name, value) in what.extra {
        w.named(name.as_bytes(), value.as_bytes())?;
    }
    let (kind, body) = what.body;
    if body.is_empty() { w.end() } else { w.body(kind, body) }
}
