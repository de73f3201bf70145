//! Client transactions: RFC 3261 17.1, RFC 6026 7.2, and CANCEL (9.1).

use super::build::{self, Excerpt};
use super::table::{Effects, Event, Machine, State};
use super::timers::Kind;
use super::{Branch, Flags, FromResponse, Opening, Side, Transactions, Tx, TxHandle, key};
use crate::cx::Cx;
use crate::error::{Error, Limit, Misuse};
use crate::header::{Essentials, Via};
use crate::path::Path;
use crate::store::index::Key;
use crate::store::pool::BlockId;
use crate::store::queries::Owner;
use crate::wire::{MessageRef, Method, Name};

/// So many messages of so many bytes are plenty of room: a proxy's or a tester's, not a phone's.
const PLENTY: usize = 64;
const MESSAGE: usize = 1_000;

impl Transactions {
    /// Starts a client transaction for `request`, whose top Via carries `branch`, and queues it to
    /// be sent. Takes over the caller's hold on the block, also when it fails. `owner` gets what
    /// comes back. May queue output.
    ///
    /// # Errors
    /// [`Limit::Outputs`], [`Limit::Transactions`]; [`Misuse::State`] for an ACK, which has no
    /// transaction (RFC 3261 17.1), and for a branch in use; [`Misuse::NotSip`].
    pub fn start_client(
        &mut self,
        cx: &mut Cx,
        owner: Owner,
        request: BlockId,
        method: Method,
        branch: Branch,
        path: Path,
    ) -> Result<TxHandle, Error> {
        let key = client_key(cx, request, method, branch.as_bytes());
        let started = key.and_then(|key| self.start(cx, owner, request, method, key, path));
        if started.is_err() {
            cx.pool.release(request);
        }
        started
    }

    fn start(
        &mut self,
        cx: &mut Cx,
        owner: Owner,
        request: BlockId,
        method: Method,
        key: Key,
        path: Path,
    ) -> Result<TxHandle, Error> {
        if method == Method::Ack || self.keys.get(key).is_some() {
            return Err(Error::Misuse(Misuse::State));
        }
        if cx.out.room() == 0 {
            return Err(Error::Full(Limit::Outputs));
        }
        let opening = Opening {
            machine: Machine::client(method == Method::Invite),
            key,
            side: Side::Client { cancel: Owner::default() },
            owner,
            path,
            request,
            method,
            flags: Flags::default(),
        };
        let h = self.admit(cx, Tx::new(cx, opening))?;
        cx.transmit(request, path, h.raw(), 0)?;
        Ok(h)
    }

    /// The client transaction that a response belongs to (RFC 3261 17.1.3).
    #[must_use]
    pub fn of_response(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<TxHandle> {
        let (via, cseq) = (e.via?, e.cseq?);
        let key = key::client(&cx.keyer, m.text(via.branch), m.text(cseq.method_text));
        self.keys.get(key).map(TxHandle::from_raw)
    }

    /// A response has come. It is matched by the branch of its top Via and the method of its CSeq
    /// (RFC 3261 17.1.3). One whose ACK finds no room counts as lost: its sender repeats it.
    /// May queue output.
    pub fn on_response(
        &mut self,
        cx: &mut Cx,
        m: &MessageRef<'_>,
        e: &Essentials,
        _path: &Path,
    ) -> FromResponse {
        let (Some(via), Some(cseq), 100..=699) = (e.via, e.cseq, m.status()) else {
            return FromResponse::Stray;
        };
        let key = key::client(&cx.keyer, m.text(via.branch), m.text(cseq.method_text));
        let Some(h) = self.keys.get(key).map(TxHandle::from_raw) else {
            return FromResponse::Stray;
        };
        let Some(t) = self.table.get(h) else { return FromResponse::Stray };
        if !is_sent_by(cx, t, m, &via) {
            return FromResponse::Stray;
        }
        let (owner, before) = (t.owner, t.state);
        let cell = t.step(Event::received(t.machine, m.status()));
        if cell.effects.has(Effects::SEND_ACK) && self.send_ack(cx, h, m).is_err() {
            return FromResponse::Absorbed;
        }
        if cell.effects.has(Effects::REPEAT_ACK) {
            self.repeat(cx, h);
        }
        let told = cell.effects.has(Effects::TELL_RESPONSE);
        if told && let Some(t) = self.table.get_mut(h) {
            t.status = m.status();
        }
        // Only a user agent acknowledges a 2xx.
        if cell.next == State::Accepted && before != State::Accepted && cx.config.roles.ua {
            self.keep_credentials(cx, h);
        }
        self.turn(cx, h, cell);
        if before == State::Calling && cell.next == State::Proceeding {
            self.shorten(cx, h);
        }
        if cell.next == State::Proceeding && self.wants_cancel(h) {
            // RFC 3261 9.1: now that a provisional response has come.
            self.send_cancel(cx, h);
        }
        if told { FromResponse::Response { tx: h, owner } } else { FromResponse::Absorbed }
    }

    /// Who gets a response, if it matches a transaction.
    #[must_use]
    pub fn owner_of_response(&self, cx: &Cx, m: &MessageRef<'_>, e: &Essentials) -> Option<Owner> {
        let (via, cseq) = (e.via?, e.cseq?);
        let key = key::client(&cx.keyer, m.text(via.branch), m.text(cseq.method_text));
        self.owner(TxHandle::from_raw(self.keys.get(key)?))
    }

    /// RFC 3261 17.1.1.3. The ACK goes where the INVITE went.
    fn send_ack(&mut self, cx: &mut Cx, h: TxHandle, m: &MessageRef<'_>) -> Result<(), Error> {
        if cx.out.room() == 0 {
            return Err(Error::Full(Limit::Outputs));
        }
        let t = self.table.live_mut(h)?;
        let invite = t.request.ok_or(Error::Gone)?;
        let to = m.header(Name::To).unwrap_or(&[]);
        let ack = build::excerpt_block(cx, invite, Excerpt::Ack(to))?;
        if let Err(e) = cx.transmit(ack, t.path, h.raw(), 0) {
            cx.pool.release(ack);
            return Err(e);
        }
        t.second = Some(ack);
        t.copies = 0;
        Ok(())
    }

    /// RFC 3261 22.1: the ACK of a 2xx, which is no business of this layer, carries the credentials
    /// of its INVITE. Without room for them it goes without: nobody may challenge it.
    fn keep_credentials(&mut self, cx: &mut Cx, h: TxHandle) {
        let Some(t) = self.table.get_mut(h) else { return };
        if let (Some(request), None) = (t.request, t.second) {
            t.second = build::credentials_block(cx, request).ok().flatten();
        }
    }

    /// The credentials of an INVITE that was accepted, as header fields in a block.
    #[must_use]
    pub fn credentials(&self, tx: TxHandle) -> Option<BlockId> {
        let t = self.table.get(tx)?;
        t.second.filter(|_| t.machine == Machine::InviteClient && t.state == State::Accepted)
    }

    /// An INVITE that need not be repeated loses its body: ACK and CANCEL copy of the rest. Where
    /// there is little room only what they copy is left.
    fn shorten(&mut self, cx: &mut Cx, h: TxHandle) {
        let Some(t) = self.table.get_mut(h) else { return };
        if t.machine != Machine::InviteClient {
            return;
        }
        let Some(request) = t.request else { return };
        if !cx.pool.has_room(PLENTY, MESSAGE)
            && let Ok(short) = build::excerpt_block(cx, request, Excerpt::Keep)
        {
            cx.pool.release(request);
            t.request = Some(short);
            return;
        }
        // One that waits to be sent once more stays whole.
        if !cx.pool.is_shared(request) {
            let len = header_section(cx.pool.bytes_of(request));
            cx.pool.shrink(request, len);
        }
    }

    /// Cancels an INVITE (RFC 3261 9.1). `owner` gets what comes back to the CANCEL, which is a
    /// transaction of its own; `None` when it is sent later by itself: at the first provisional
    /// response, or when there is room. A second call does nothing. If no final response follows
    /// within 64*T1, the INVITE fails with [`Timeout`](super::Failure::Timeout). May queue output.
    ///
    /// # Errors
    /// [`Error::Late`] after a final response, [`Misuse::State`] for another method, and
    /// [`Error::Gone`].
    pub fn cancel(
        &mut self,
        cx: &mut Cx,
        tx: TxHandle,
        owner: Owner,
    ) -> Result<Option<TxHandle>, Error> {
        let t = self.table.live_mut(tx)?;
        if t.machine != Machine::InviteClient {
            return Err(Error::Misuse(Misuse::State));
        }
        if !matches!(t.state, State::Calling | State::Proceeding) {
            return Err(Error::Late);
        }
        if t.flags.has(Flags::CANCEL) {
            return Ok(None);
        }
        t.flags.set(Flags::CANCEL, true);
        t.side = Side::Client { cancel: owner };
        if t.state == State::Calling { Ok(None) } else { Ok(self.send_cancel(cx, tx)) }
    }

    /// Sends the CANCEL, or tries again: at once when only the output ring was full, else after T1.
    /// The 64*T1 that the INVITE still has run from the first try.
    pub(super) fn send_cancel(&mut self, cx: &mut Cx, h: TxHandle) -> Option<TxHandle> {
        if self.table.get(h).is_some_and(|t| t.end.is_none()) {
            self.arm(cx, h, Kind::Cancelled, cx.config.t1.saturating_mul(64));
        }
        let again = match self.try_cancel(cx, h) {
            Ok(tx) => {
                if let Some(t) = self.table.get_mut(h) {
                    t.flags.set(Flags::CANCELLED, true);
                    if let Some(later) = t.repeat.take() {
                        cx.timers.cancel(later.id);
                    }
                }
                return Some(tx);
            }
            Err(Error::Full(Limit::Outputs)) => 0,
            Err(_) => cx.config.t1,
        };
        self.arm(cx, h, Kind::CancelLater, again);
        None
    }

    fn try_cancel(&mut self, cx: &mut Cx, h: TxHandle) -> Result<TxHandle, Error> {
        let t = *self.table.live(h)?;
        let Side::Client { cancel: owner } = t.side else { return Err(Error::Gone) };
        if cx.out.room() == 0 {
            return Err(Error::Full(Limit::Outputs));
        }
        let block = build::excerpt_block(cx, t.request.ok_or(Error::Gone)?, Excerpt::Cancel)?;
        let branch =
            MessageRef::lazy(cx.pool.bytes_of(block)).map_or(&[][..], |m| build::branch(&m));
        let key = key::client(&cx.keyer, branch, b"CANCEL");
        // RFC 3261 9.1: the same address, port and transport.
        let started = self.start(cx, owner, block, Method::Cancel, key, t.path);
        if started.is_err() {
            cx.pool.release(block);
        }
        started
    }
}

/// How many bytes there are before the body.
fn header_section(bytes: &[u8]) -> usize {
    memchr::memmem::find(bytes, b"\r\n\r\n").map_or(bytes.len(), |at| at.saturating_add(4))
}

/// Whether the sent-by of a response is what its request went out with (RFC 3261 18.1.2). The
/// identity may have got another name since.
fn is_sent_by(cx: &Cx, t: &Tx, m: &MessageRef<'_>, via: &Via) -> bool {
    let transport = cx.transport(t.path.local);
    if cx.locals.is_ours(m.text(via.host), via.port, Some(transport)) {
        return true;
    }
    let request = t.request.and_then(|block| MessageRef::lazy(cx.pool.bytes_of(block)));
    let sent = request.as_ref().and_then(|r| {
        let at = r.header_span(Name::Via)?;
        let via = Via::parse(r.bytes(), at).ok()?;
        Some((r.text(via.host), key::sent_by_port(r, &via)))
    });
    sent.is_some_and(|(host, port)| {
        host.eq_ignore_ascii_case(m.text(via.host)) && port == key::sent_by_port(m, via)
    })
}

/// The key of the client transaction of a request of ours.
fn client_key(cx: &Cx, request: BlockId, method: Method, branch: &[u8]) -> Result<Key, Error> {
    if method != Method::Other {
        return Ok(key::client(&cx.keyer, branch, method.as_str().as_bytes()));
    }
    let m = MessageRef::lazy(cx.pool.bytes_of(request)).ok_or(Error::Misuse(Misuse::NotSip))?;
    Ok(key::client(&cx.keyer, branch, m.method_text()))
}
