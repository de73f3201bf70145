//! Server transactions: RFC 3261 17.2, RFC 6026 7.1, RFC 4320, RFC 3581.

use super::address::{is_usable, response_path};
use super::build;
use super::table::{Effects, Event, Machine};
use super::timers::may_say_trying;
use super::{Flags, FromRequest, Opening, Reply, Side, Transactions, Tx, TxHandle, key};
use crate::cx::Cx;
use crate::error::{Error, Limit, Misuse};
use crate::header::{Essentials, Via};
use crate::path::Path;
use crate::store::index::Key;
use crate::store::pool::BlockId;
use crate::store::queries::Owner;
use crate::wire::{MessageRef, Method};

/// How many times the bytes that an unproven source sent it may get back.
const REFLECTION: u32 = 3;

fn size(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

/// What was found of a new request, for the transaction that it may open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fresh {
    /// Where its bytes lie, and how many there are.
    place: (usize, usize),
    key: Key,
    merged: Option<Key>,
    way: Path,
}

fn place(m: &MessageRef<'_>) -> (usize, usize) {
    (m.bytes().as_ptr().addr(), m.bytes().len())
}

impl Transactions {
    /// A request has come: which transaction it belongs to, if any (RFC 3261 17.2.3). A repetition
    /// is dealt with here. May queue output.
    pub fn on_request(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> FromRequest {
        self.fresh = None;
        if m.method() == Method::Ack {
            return self.on_ack(cx, m, e, path);
        }
        let Some(via) = e.via else { return FromRequest::Unanswerable };
        let key = key::server(&cx.keyer, m, e, &via);
        if let Some(h) = self.keys.get(key).map(TxHandle::from_raw) {
            self.pay(h, m, path);
            if self
                .table
                .get(h)
                .is_some_and(|t| t.step(Event::RxRepeat).effects.has(Effects::REPEAT_RESPONSE))
            {
                self.repeat(cx, h);
            }
            return FromRequest::Repeated;
        }
        let Some(way) = self.way_back(cx, m, &via, path) else { return FromRequest::Unanswerable };
        if m.method() == Method::Cancel {
            let invite = self.keys.get(key::cancelled(&cx.keyer, m, e, &via));
            let invite = invite.map(TxHandle::from_raw);
            return FromRequest::Cancel { invite: invite.and_then(|h| Some((h, self.owner(h)?))) };
        }
        let merged = key::merged(&cx.keyer, m, e);
        self.fresh = Some(Fresh { place: place(m), key, merged, way });
        let is_merged = merged.is_some_and(|key| self.merged.get(key).is_some());
        if is_merged { FromRequest::Merged } else { FromRequest::New }
    }

    /// Whether a CANCEL that names no INVITE names another request that is known (RFC 3261 9.2):
    /// it has no effect, and is answered 200.
    #[must_use]
    pub fn cancels_another(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> bool {
        let known =
            |via| key::cancelled_other(&cx.keyer, m, e, via).any(|k| self.keys.get(k).is_some());
        e.via.as_ref().is_some_and(known)
    }

    fn on_ack(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> FromRequest {
        let Some(via) = e.via else { return FromRequest::New };
        let Some(h) = self.acknowledged(cx, m, e, &via) else {
            return if self.ends_stateless(cx, m, e, &via) {
                FromRequest::Absorbed
            } else {
                FromRequest::New
            };
        };
        self.pay(h, m, path);
        let Some(t) = self.table.get(h) else { return FromRequest::New };
        let (cell, owner) = (t.step(Event::RxAck), t.owner);
        if self.proves(cx, t, m, e) {
            // The tag went to where responses go, and came back.
            let way = t.path;
            cx.prove(&way);
            if way.remote.ip == path.remote.ip {
                cx.prove(path);
            }
        }
        self.turn(cx, h, cell);
        if cell.effects.has(Effects::TELL_ACK) {
            FromRequest::Ack { tx: h, owner }
        } else {
            FromRequest::Absorbed
        }
    }

    /// Whether an ACK is for a refusal of ours that left no transaction: it is for nobody else (RFC
    /// 3261 8.2.7, 17.1.1.3). It has our To tag; in a dialog, where the tag is another's, its branch
    /// is remembered for a while.
    fn ends_stateless(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials, via: &Via) -> bool {
        let Some(tag) = e.to.map(|to| m.text(to.tag)) else { return false };
        let (key, other) = key::acknowledged(&cx.keyer, m, e, via);
        self.refused.has(key)
            || [Some(key), other]
                .into_iter()
                .flatten()
                .any(|k| cx.stateless_tag(k).as_bytes() == tag)
    }

    /// The INVITE that an ACK belongs to.
    fn acknowledged(
        &self,
        cx: &Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        via: &Via,
    ) -> Option<TxHandle> {
        let (key, other) = key::acknowledged(&cx.keyer, m, e, via);
        let Some(other) = other else { return self.keys.get(key).map(TxHandle::from_raw) };
        // RFC 3261 17.2.3: under RFC 2543's rules the To tag must be that of the response.
        [key, other].into_iter().filter_map(|k| self.keys.get(k)).map(TxHandle::from_raw).find(
            |h| {
                let tag = self.table.get(*h).and_then(|t| response_tag(cx, t));
                tag == e.to.map(|to| m.text(to.tag))
            },
        )
    }

    /// Whether an ACK shows that its sender has seen our response: it carries a To tag that the
    /// INVITE did not have.
    fn proves(&self, cx: &Cx, t: &Tx, m: &MessageRef<'_>, e: &Essentials) -> bool {
        let tag = e.to.map_or(&[][..], |to| m.text(to.tag));
        t.flags.has(Flags::INITIAL) && !tag.is_empty() && response_tag(cx, t) == Some(tag)
    }

    /// Counts what the source sent for a transaction.
    fn pay(&mut self, h: TxHandle, m: &MessageRef<'_>, path: &Path) {
        let Some(t) = self.table.get_mut(h) else { return };
        if let Side::Server { paid, .. } = &mut t.side
            && t.path.remote.ip == path.remote.ip
        {
            *paid = paid.saturating_add(size(m.bytes()));
        }
    }

    /// Where the responses to a request go, or `None` when they cannot be sent: to ourselves only
    /// if the request is one of ours that came back to us.
    fn way_back(&self, cx: &Cx, m: &MessageRef<'_>, via: &Via, path: &Path) -> Option<Path> {
        let way = response_path(cx, m, via, path);
        let ours = || {
            let key = key::client(&cx.keyer, m.text(via.branch), m.method_text());
            self.keys.get(key).is_some()
        };
        is_usable(cx, &way, ours).then_some(way)
    }

    /// Opens a server transaction for a request that [`on_request`](Self::on_request) found new:
    /// stores it and notes where its responses go. An INVITE that gets no response within 200 ms is
    /// answered 100 by itself (RFC 3261 17.2.1), another request when its client has reached T2
    /// (RFC 4320 4.1). Another request than INVITE that is not answered within 64*T1 never is: the
    /// transaction then fails with [`Timeout`](super::Failure::Timeout) (RFC 4320 4.2).
    ///
    /// # Errors
    /// [`Limit::Transactions`], [`Limit::Blocks`]; [`Misuse::State`] for what is not
    /// [`New`](FromRequest::New), [`Merged`](FromRequest::Merged) or a
    /// [`Cancel`](FromRequest::Cancel).
    pub fn open_server(
        &mut self,
        cx: &mut Cx,
        owner: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<TxHandle, Error> {
        let misuse = Error::Misuse(Misuse::State);
        let via = e.via.ok_or(misuse)?;
        let (key, merged, way) = match self.fresh.take().filter(|f| f.place == place(m)) {
            Some(fresh) => (fresh.key, fresh.merged, fresh.way),
            None => {
                let way = self.way_back(cx, m, &via, path).ok_or(misuse)?;
                (key::server(&cx.keyer, m, e, &via), key::merged(&cx.keyer, m, e), way)
            }
        };
        if matches!(m.method(), Method::Ack) || !m.is_request() || self.keys.get(key).is_some() {
            return Err(misuse);
        }
        if !self.room_for(1) {
            return Err(Error::Full(Limit::Transactions));
        }
        let request = build::stored_request(cx, m, &via, path.remote)?;
        let merged = merged.filter(|k| self.merged.get(*k).is_none());
        let mut flags = Flags::default();
        flags.set(Flags::MERGED, merged.is_some());
        flags.set(Flags::INITIAL, e.to.is_some_and(|to| to.tag.is_empty()));
        let opening = Opening {
            machine: Machine::server(m.method() == Method::Invite),
            key,
            side: Side::Server { merged: merged.unwrap_or(key), paid: size(m.bytes()), sent: 0 },
            owner,
            path: way,
            request,
            method: m.method(),
            flags,
        };
        let source = self.sources.place(cx, path.remote.ip);
        let tx = Tx { source, ..Tx::new(cx, opening) };
        let h = self.admit(cx, tx).inspect_err(|_| cx.pool.release(request))?;
        if let Some(merged) = merged {
            self.merged.insert(merged, h.raw());
        }
        Ok(h)
    }

    /// Gives a transaction a response to send. Takes over the caller's hold on the block, also when
    /// it fails. What an unproven source has not paid for is not sent, as if the network had lost
    /// it. May queue output.
    ///
    /// # Errors
    /// [`Error::Late`] when the state does not take it, [`Error::Gone`], [`Limit::Outputs`];
    /// [`Misuse::State`] for a client transaction; [`Misuse::BadStatus`] for what RFC 4320 forbids
    /// to other requests than INVITE: 408, 1xx other than 100, and a 100 on an unreliable transport
    /// before the layer itself would send it.
    pub fn respond(
        &mut self,
        cx: &mut Cx,
        tx: TxHandle,
        status: u16,
        response: BlockId,
    ) -> Result<(), Error> {
        let given = self.give(cx, tx, status, response);
        if given.is_err() {
            cx.pool.release(response);
        }
        given
    }

    fn give(
        &mut self,
        cx: &mut Cx,
        h: TxHandle,
        status: u16,
        response: BlockId,
    ) -> Result<(), Error> {
        let t = self.table.live(h)?;
        if !t.machine.is_server() {
            return Err(Error::Misuse(Misuse::State));
        }
        let cell = t.step(Event::given(t.machine, status));
        if !cell.effects.has(Effects::SEND_RESPONSE) {
            return Err(Error::Late);
        }
        if !may_answer(t, status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        self.send_response(cx, h, response, 0)?;
        let t = self.table.live_mut(h)?;
        t.status = status;
        t.copies = 0;
        if let Some(old) = t.second.replace(response) {
            cx.pool.release(old);
        }
        self.turn(cx, h, cell);
        Ok(())
    }

    /// Queues a response, unless an unproven source has not paid for it, or it is one to an INVITE
    /// whose connection is lost (RFC 6026 8.8: an accepted INVITE outlives that).
    pub(super) fn send_response(
        &mut self,
        cx: &mut Cx,
        h: TxHandle,
        block: BlockId,
        copy: u16,
    ) -> Result<(), Error> {
        let t = self.table.live_mut(h)?;
        let lost = t.path.flow.is_some() && !t.flags.has(Flags::ON_FLOW);
        if lost && t.machine == Machine::InviteServer {
            return Ok(());
        }
        let Side::Server { paid, sent, .. } = &mut t.side else { return Ok(()) };
        let after = sent.saturating_add(size(cx.pool.bytes_of(block)));
        if after > paid.saturating_mul(REFLECTION) && !cx.is_proven(&t.path) {
            return Ok(());
        }
        cx.transmit(block, t.path, h.raw(), copy)?;
        *sent = after;
        Ok(())
    }

    /// Builds a response to the stored request and sends it as [`respond`](Self::respond) does.
    ///
    /// # Errors
    /// As [`respond`](Self::respond), and [`Limit::Blocks`], [`Limit::MessageBytes`] and
    /// [`Misuse::BadHeader`] when it cannot be built.
    pub fn reply(
        &mut self,
        cx: &mut Cx,
        tx: TxHandle,
        status: u16,
        reply: &Reply<'_>,
    ) -> Result<(), Error> {
        let block = self.build(cx, tx, status, reply)?;
        self.respond(cx, tx, status, block)
    }

    /// Builds a response to the stored request, to send it by [`respond`](Self::respond) now or
    /// later. A block held once.
    ///
    /// # Errors
    /// As [`reply`](Self::reply).
    pub fn build(
        &self,
        cx: &mut Cx,
        tx: TxHandle,
        status: u16,
        reply: &Reply<'_>,
    ) -> Result<BlockId, Error> {
        let t = self.table.live(tx)?;
        if !t.machine.is_server() {
            return Err(Error::Misuse(Misuse::State));
        }
        let request = t.request.ok_or(Error::Late)?;
        let own = cx.stateless_tag(t.key);
        let Cx { pool, scratch, kept, .. } = cx;
        let m = kept.read(pool, request).ok_or(Error::Gone)?;
        let rest = reply.rest.map(|b| pool.bytes_of(b));
        let len = build::reply(scratch, &m, status, reply, own.as_bytes(), (None, rest))?;
        pool.copy_in(scratch.get(..len).unwrap_or(&[]))
    }

    /// Answers a request without keeping anything of it (RFC 3261 8.2.7): repetitions get the same
    /// answer, with the same To tag. False when nothing was sent: an ACK, no way back, or more than
    /// an unproven source has paid for. May queue output.
    ///
    /// # Errors
    /// [`Misuse::BadStatus`] for a provisional response and for 408 to another request than INVITE
    /// (RFC 4320 4.2), [`Limit::Outputs`], [`Limit::Blocks`], [`Limit::MessageBytes`] and
    /// [`Misuse::BadHeader`].
    pub fn reply_stateless(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
        status: u16,
        reply: &Reply<'_>,
    ) -> Result<bool, Error> {
        let is_invite = m.method() == Method::Invite;
        if !(200..=699).contains(&status) || (status == 408 && !is_invite) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        let Some(via) = e.via.filter(|_| m.method() != Method::Ack) else { return Ok(false) };
        let Some(way) = self.way_back(cx, m, &via, path) else { return Ok(false) };
        let key = key::server(&cx.keyer, m, e, &via);
        let own = cx.stateless_tag(key);
        let source = Some((e, path.remote));
        let rest = reply.rest.map(|b| cx.pool.bytes_of(b));
        let len = build::reply(&mut cx.scratch, m, status, reply, own.as_bytes(), (source, rest))?;
        let bytes = cx.scratch.get(..len).unwrap_or(&[]);
        if size(bytes) > size(m.bytes()).saturating_mul(REFLECTION) && !cx.is_proven(&way) {
            return Ok(false);
        }
        let block = cx.pool.copy_in(bytes)?;
        let queued = cx.transmit(block, way, 0, 0);
        cx.pool.release(block);
        queued?;
        if is_invite && status >= 300 && e.has_to_tag() {
            self.refused.note(key);
        }
        Ok(true)
    }
}

/// The To tag of a server transaction's last response.
fn response_tag<'a>(cx: &'a Cx, t: &Tx) -> Option<&'a [u8]> {
    Some(build::to_tag(&MessageRef::lazy(cx.pool.bytes_of(t.second?))?))
}

/// RFC 4320 4.1 and 4.2.
fn may_answer(t: &Tx, status: u16) -> bool {
    match (t.machine, status) {
        (_, ..100 | 700..) => false,
        (Machine::InviteServer, _) => true,
        (_, 100) => may_say_trying(t),
        (_, 101..=199 | 408) => false,
        _ => true,
    }
}
