//! OPTIONS sent (RFC 3261 11.1), and the answer to one (11.2).

use super::Extras;
use super::outside::ACCEPT;
use super::privacy::Caller;
use super::{LineHandle, Low, Ua};
use crate::attempt::Start;
use crate::cx::{Cx, joined, write_error};
use crate::dialog::contact_value;
use crate::error::{Error, Misuse};
use crate::header::uri::{Uri, is_sips};
use crate::path::LocalId;
use crate::resolve::{first_hop, identity_for};
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::EventRecord;
use crate::tx::Failure;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;
use crate::wire::write::Writer;

/// A request outside calls.
pub(super) struct Apart<'a> {
    pub method: Method,
    pub line: Option<LineHandle>,
    pub target: &'a [u8],
    /// The identity whose Contact it has.
    pub near: Option<LocalId>,
}

/// The record number of the answer to a request outside calls.
pub(crate) const EVENT_ANSWERED: u16 = 0x501;

impl Ua {
    /// Asks `target` what it can do, or whether it is there. Queues output.
    pub fn options(
        &mut self,
        low: &mut Low<'_>,
        line: Option<LineHandle>,
        target: &str,
        user: u64,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let uri = Uri::parse(target.as_bytes()).map_err(|_| Error::Misuse(Misuse::BadUri))?;
        // RFC 3261 19.1.1: what a Request-URI may not have.
        if !uri.is_sip() || !uri.headers.is_empty() || !uri.method.is_empty() {
            return Err(Error::Misuse(Misuse::BadUri));
        }
        let target = target.as_bytes();
        let (hop, near) = match line {
            Some(line) => self.way(low, line, target)?,
            None => {
                let cx = low.cx();
                let hop = first_hop(cx, target);
                let near = hop.as_ref().ok().and_then(|hop| identity_for(cx, hop));
                (hop, near)
            }
        };
        let apart = Apart { method: Method::Options, line, target, near };
        let fields = [Some((Name::Accept, ACCEPT))];
        let request = self.write_apart(low.cx(), &apart, &fields, extras)?;
        let start = Start {
            owner: Owner::new(OwnerKind::App, user),
            request,
            method: Method::Options,
            hop,
            near,
            flow: None,
            line: line.map_or(0, LineHandle::raw),
            mark: None,
        };
        low.attempts.start(&mut low.down, &start).map(drop)
    }

    /// A request outside calls, without Via, in a block held once (RFC 3261 8.1.1).
    pub(super) fn write_apart(
        &self,
        cx: &mut Cx,
        &Apart { method, line, target, near }: &Apart<'_>,
        fields: &[Option<(Name, &[u8])>],
        extras: &Extras<'_>,
    ) -> Result<BlockId, Error> {
        let line = line.and_then(|l| self.lines.get(l));
        let caller = Caller::of(line, extras);
        let (tag, call_id) = (cx.tag(), cx.word());
        let user = match line {
            Some(line) if !caller.is_withheld() => line.user_part(&cx.pool),
            _ => &[],
        };
        let mut contact = [0u8; 256];
        let len = near.map_or(0, |id| contact_value(cx, id, user, is_sips(target), &mut contact));
        let contact = contact.get(..len).unwrap_or(&[]);
        let Cx { pool, scratch, config, .. } = cx;
        let mut w = Writer::new(scratch);
        let head = |w: &mut Writer<'_>| {
            w.request_line(method.as_str().as_bytes(), target)?;
            w.header(Name::MaxForwards, b"70")?;
            match line {
                Some(line) => {
                    line.write_route(w, pool, is_sips(target))?;
                    caller.write_from(w, (line, pool), tag.as_bytes())?;
                    caller.write_fields(w, (line, pool))?;
                }
                // RFC 3261 8.1.1.3: nobody in particular, but ourselves.
                None => joined(w, Name::From, &[contact, b";tag=", tag.as_bytes()])?,
            }
            joined(w, Name::To, &[b"<", target, b">"])?;
            w.header(Name::CallId, call_id.as_bytes())?;
            w.cseq(1, method.as_str().as_bytes())?;
            if !contact.is_empty() {
                w.header(Name::Contact, contact)?;
            }
            let mut fields = fields.iter().flatten();
            fields.try_for_each(|(name, value)| w.header(*name, value))?;
            if !config.product.is_empty() {
                w.header(Name::UserAgent, config.product.as_bytes())?;
            }
            let mut more = extras.headers.iter();
            more.try_for_each(|(name, value)| w.named(name.as_bytes(), value.as_bytes()))
        };
        head(&mut w).map_err(write_error)?;
        let len = w.body(extras.content_type.as_bytes(), extras.body).map_err(write_error)?;
        pool.copy_in(scratch.get(..len).unwrap_or(&[]))
    }

    /// A response to a request of the application's outside calls.
    pub(crate) fn on_answered(
        &self,
        low: &mut Low<'_>,
        from: Owner,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        if m.status() < 200 {
            return Ok(());
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        Self::tell_answered(low.cx(), from, m.status(), block)
    }

    /// It has failed without a response (RFC 3261 8.1.3.1).
    pub(crate) fn on_unanswered(
        &self,
        low: &mut Low<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        let status = if why == Failure::Timeout { 408 } else { 503 };
        Self::tell_answered(low.cx(), from, status, None)
    }

    /// Tells how it ended; takes over the hold on the response.
    pub(super) fn tell_answered(
        cx: &mut Cx,
        from: Owner,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        cx.event(EventRecord {
            kind: EVENT_ANSWERED,
            code: status,
            object: 0,
            other: 0,
            user: from.object,
            block,
        })
    }
}
