//! The caller's side: INVITE out, early dialogs, ACK, CANCEL, forked 2xx, and re-INVITE.

use super::Extras;
use super::call::{Call, owner, part};
use super::clock::Due;
use super::line::Line;
use super::outside::abilities;
use super::privacy::Caller;
use super::session::{Given, SDP, Waits, description, own_description, rest};
use super::session_timer::{Fields, first_fields};
use super::table::{Act, Happening, State};
use super::{CallHandle, EndReason, LineHandle, Low, Ua, record};
use crate::attempt::{FromAttempt, Start};
use crate::config::{Config, Reliable};
use crate::cx::{joined, write_error};
use crate::dialog::{DialogHandle, InDialog, Kept, contact_value};
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::uri::Uri;
use crate::header::uri::is_sips;
use crate::path::{LocalId, Path};
use crate::resolve::{Hop, NoWay};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::{Owner, OwnerKind};
use crate::tx::{Failure, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;
use crate::wire::write::{WriteError, Writer};

/// The early dialogs of one call: a peer that invents To tags may not have the whole table.
const EARLY_MAX: usize = 8;

impl Ua {
    /// Calls `target`. Queues output.
    pub fn invite(
        &mut self,
        low: &mut Low<'_>,
        line: LineHandle,
        target: &str,
        user: u64,
        extras: &Extras<'_>,
    ) -> Result<CallHandle, Error> {
        self.place(low, line, target, user, extras, &[])
    }

    /// The same with header fields of our own.
    pub(super) fn place(
        &mut self,
        low: &mut Low<'_>,
        line: LineHandle,
        target: &str,
        user: u64,
        extras: &Extras<'_>,
        fields: &[(Name, &[u8])],
    ) -> Result<CallHandle, Error> {
        let uri = Uri::parse(target.as_bytes()).map_err(|_| Error::Misuse(Misuse::BadUri))?;
        // RFC 3261 19.1.1: what a Request-URI may not have.
        if !uri.is_sip() || !uri.headers.is_empty() || !uri.method.is_empty() {
            return Err(Error::Misuse(Misuse::BadUri));
        }
        self.lines.live(line)?;
        if !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        let tag = low.cx().tag();
        let h = self.calls.insert(Call::new(State::Calling, true, tag))?;
        if let Some(call) = self.calls.get_mut(h) {
            (call.line, call.user) = (Some(line), user);
        }
        self.count_call(h);
        low.cx().promised += 1;
        self.undecided += 1;
        match self.send_invite(low, h, line, target.as_bytes(), (extras, fields)) {
            Ok(()) => Ok(h),
            Err(e) => {
                self.forget(low, h);
                Err(e)
            }
        }
    }

    fn send_invite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        line: LineHandle,
        target: &[u8],
        (extras, fields): (&Extras<'_>, &[(Name, &[u8])]),
    ) -> Result<(), Error> {
        let at = low.cx().now.after(low.down.cx.config.ring);
        let given = self.given(low, h, extras)?;
        if given == Given::Ask {
            let request = self.build_invite(low, h, line, target, (extras, fields), None)?;
            self.ask_media(low, h, None, Waits::Invite, Some(request))?;
            return self.arm(low.cx(), h, Due::Ring, at);
        }
        let offer = match given {
            Given::Profile => Some(self.make_offer(low, h, None, false)?),
            _ => own_description(&mut low.cx().pool, extras)?,
        };
        self.calls.live_mut(h)?.media.offer = offer;
        let sdp = offer.filter(|_| given == Given::Profile);
        let request = self.build_invite(low, h, line, target, (extras, fields), sdp)?;
        self.start_invite(low, h, request)?;
        self.arm(low.cx(), h, Due::Ring, at)
    }

    /// The application has said what media a call has whose INVITE waits in `parked`.
    pub(super) fn invite_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        parked: Option<BlockId>,
        own: &Extras<'_>,
    ) -> Result<(), Error> {
        let Some(parked) = parked else { return Ok(()) };
        let offer = match self.calls.live(h)?.media.profile {
            Some(_) => Some(self.make_offer(low, h, None, false)?),
            None => own_description(&mut low.cx().pool, own)?,
        };
        self.calls.live_mut(h)?.media.offer = offer;
        let request = match offer {
            Some(offer) => with_body(low.down.cx, parked, offer)?,
            None => {
                low.cx().pool.hold(parked);
                parked
            }
        };
        self.start_invite(low, h, request)
    }

    /// The first hop of a line's request, and the identity that it goes out by.
    pub(super) fn way(
        &self,
        low: &mut Low<'_>,
        line: LineHandle,
        target: &[u8],
    ) -> Result<(Result<Hop, NoWay>, Option<LocalId>), Error> {
        let cx = low.cx();
        let config = self.lines.live(line)?;
        let hop = config.hop(cx, target);
        let near = config.identity(cx, hop.as_ref().ok()).or(config.local);
        Ok((hop, near))
    }

    /// The INVITE without Via in a block held once, with a description or the application's body.
    fn build_invite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        line: LineHandle,
        target: &[u8],
        (extras, fields): (&Extras<'_>, &[(Name, &[u8])]),
        sdp: Option<BlockId>,
    ) -> Result<BlockId, Error> {
        let tag = self.calls.live(h)?.tag;
        let call_id = low.cx().word();
        let caller = self.caller(h, extras);
        let (_, near) = self.way(low, line, target)?;
        let mut user = [0u8; 128];
        let len = self.contact_user_of(low.cx(), h, &mut user);
        let user = user.get(..len).unwrap_or(&[]);
        let cx = &mut *low.down.cx;
        let config = self.lines.live(line)?;
        let mut contact = [0u8; 256];
        let len = near.map_or(0, |id| contact_value(cx, id, user, is_sips(target), &mut contact));
        let contact = contact.get(..len).unwrap_or(&[]);
        let end = rest(cx, extras, None, sdp)?;
        let crate::cx::Cx { pool, scratch, config: settings, .. } = cx;
        let invite = Invite {
            line: config,
            caller,
            target,
            tag: tag.as_bytes(),
            call_id: call_id.as_bytes(),
            contact,
            fields,
            product: settings.product.as_bytes(),
            timer: first_fields(settings, 0),
            settings,
        };
        let written = invite.write(Writer::new(scratch), pool, end).map_err(write_error);
        let request = written.and_then(|len| pool.copy_in(scratch.get(..len).unwrap_or(&[])));
        pool.release(end);
        request
    }

    /// Sends the INVITE of a call; takes over the hold.
    fn start_invite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        request: BlockId,
    ) -> Result<(), Error> {
        let line = self.calls.live(h)?.line.ok_or(Error::Gone)?;
        let mut target = [0u8; 512];
        let uri = MessageRef::lazy(low.cx().pool.bytes_of(request));
        let uri = uri.map_or(&[][..], |m| m.request_uri());
        let len = uri.len();
        target.get_mut(..len).ok_or(Error::Misuse(Misuse::BadUri))?.copy_from_slice(uri);
        let (hop, near) = self.way(low, line, target.get(..len).unwrap_or(&[]))?;
        self.keep_invite(low, h, request);
        let start = Start {
            owner: owner(h, part::INVITE),
            request,
            method: Method::Invite,
            hop,
            near,
            flow: None,
            line: line.raw(),
            mark: None,
        };
        let (attempt, _) = low.attempts.start(&mut low.down, &start)?;
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = Some(attempt);
        }
        Ok(())
    }

    /// Gives an INVITE up (RFC 3261 9.1). Queues output.
    pub(super) fn give_up(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: Happening,
    ) -> Result<(), Error> {
        let given_up = match self.calls.live(h)?.attempt {
            Some(attempt) => low.attempts.cancel(&mut low.down, attempt),
            None => Err(Error::Gone),
        };
        self.disarm(low.cx(), h, Due::Ring);
        match given_up {
            Ok(()) => self.step(h, why).map(|_| ()),
            // Its final response found no room, and has not come again.
            Err(Error::Gone) if why == Happening::RingOver => {
                self.ended(low, h, EndReason::Timeout, 408, None)
            }
            Err(Error::Gone) => self.ended(low, h, EndReason::Abandoned, 0, None),
            Err(e) => Err(e),
        }
    }

    pub(super) fn on_invite_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        match m.status() {
            100..=199 => self.on_provisional(low, h, m, e, path),
            200..=299 => self.on_success(low, h, m, e, path),
            status => {
                let block = low.cx().pool.copy_in(m.bytes()).ok();
                self.on_invite_refused(low, h, status, block)
            }
        }
    }

    /// The end of an INVITE that is refused; `block` holds the response.
    pub(super) fn on_invite_refused(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let cancelled = self.state(h)? == State::Cancelling;
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = None;
        }
        if !cancelled && self.refused(low, h, status, block)? {
            return Ok(());
        }
        if self.step(h, Happening::Refusal)? != Act::TellEnded {
            block.into_iter().for_each(|b| low.cx().pool.release(b));
            return Ok(());
        }
        let rang_out = self.calls.live(h)?.rang_out;
        let why = match (cancelled, rang_out) {
            (true, true) => EndReason::Timeout,
            (true, false) => self.calls.live(h)?.end.unwrap_or(EndReason::Abandoned),
            _ => EndReason::Refused,
        };
        let (status, block) = self.best_refusal(low, h, status, block);
        self.ended(low, h, why, status, block)
    }

    // RFC 3261 13.2.2.1
    fn on_provisional(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let act = self.step(h, Happening::Provisional)?;
        if act != Act::TellProgress || m.status() == 100 {
            return Ok(());
        }
        let mut dialog = low.dialogs.of_response(low.down.cx, m, e);
        let fresh =
            e.to.is_some_and(|t| !t.tag.is_empty()) && dialog.is_none() && m.status() != 199;
        if fresh && self.early_dialogs(low, h) < EARLY_MAX {
            // Without room for another early dialog its 2xx still makes one.
            dialog = match self.add_dialog(low, h, m, e, path) {
                Ok(dialog) => Some(dialog),
                Err(Error::Full(_)) => None,
                Err(e) => return Err(e),
            };
        }
        let Some(reliable) = self.take_provisional(low, h, dialog, m, e)? else { return Ok(()) };
        if let (Some(dialog), Some(sdp)) = (dialog, description(m)) {
            self.first_answer(low, h, dialog, sdp)?;
            if reliable {
                self.answer_is_final(low, dialog);
            }
        }
        self.progress_of_followed(low, h, m.status());
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::PROGRESS, m.status(), block)?;
        let told = dialog.map_or(Ok(()), |d| self.tell_media(low, h, d));
        self.end_early(low, h, m, e);
        told
    }

    fn early_dialogs(&self, low: &Low<'_>, h: CallHandle) -> usize {
        let first = self.calls.get(h).and_then(|c| c.dialog);
        core::iter::successors(first, |d| low.dialogs.get(*d)?.next).take(EARLY_MAX).count()
    }

    fn add_dialog(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<DialogHandle, Error> {
        let first = self.calls.live(h)?.dialog.is_none();
        if !first && !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        let secure = e.to.is_some_and(|t| is_sips(m.text(t.uri_text)));
        let dialog = low.dialogs.create_uac(low.down.cx, m, e, owner(h, 0), path, secure)?;
        self.undecided -= usize::from(first).min(self.undecided);
        if let Some(call) = self.calls.get_mut(h) {
            let next = call.dialog.replace(dialog);
            let offer = call.media.offer;
            if let Some(d) = low.dialogs.get_mut(dialog) {
                d.next = next;
            }
            if let Some(offer) = offer {
                self.offer_sent(low, dialog, offer);
            }
        }
        Ok(dialog)
    }

    // RFC 3261 13.2.2.4
    fn on_success(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let known = low.dialogs.of_response(low.down.cx, m, e);
        let first =
            matches!(self.state(h)?, State::Calling | State::Proceeding | State::Cancelling);
        if !first {
            return match known {
                Some(_) => self.repeat_ack(low, h, e),
                None => self.end_fork(low, h, m, e, path),
            };
        }
        // The early dialogs of other branches end here: this one may need their place.
        self.keep_only(low, h, known);
        let dialog = match known {
            Some(d) => d,
            None => self.add_dialog(low, h, m, e, path)?,
        };
        low.dialogs.confirm_uac(low.down.cx, dialog, m, e)?;
        self.disarm(low.cx(), h, Due::Ring);
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = None;
            Self::end_redirect(low.down.cx, &mut call.redirect);
        }
        let offered = self.calls.live(h)?.media.offer.is_some();
        let act = self.step(h, Happening::Success)?;
        let number = e.cseq.map_or(0, |c| c.number);
        let usable = self.acknowledge(low, h, dialog, m, number, offered)?;
        if let Some(offer) = self.calls.live_mut(h)?.media.offer.take() {
            low.cx().pool.release(offer);
        }
        if act == Act::AckAndBye {
            return self.send_bye(low, h);
        }
        if !usable {
            return self.end_unusable(low, h);
        }
        self.timer_answered(low, h, m)?;
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::ANSWERED, m.status(), block)?;
        self.answer_of_followed(low, h, m, e);
        self.tell_media(low, h, dialog)
    }

    /// Ends all early dialogs but one.
    pub(super) fn keep_only(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        keep: Option<DialogHandle>,
    ) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let mut at = core::mem::replace(&mut call.dialog, keep);
        self.undecided += usize::from(at.is_some() && keep.is_none());
        while let Some(d) = at {
            let next = low.dialogs.get(d).and_then(|d| d.next);
            if Some(d) == keep {
                if let Some(d) = low.dialogs.get_mut(d) {
                    d.next = None;
                }
            } else {
                self.end_refer_in(low, h, d);
                low.dialogs.end(low.down.cx, d);
            }
            at = next;
        }
    }

    /// A 2xx of another branch of a fork: acknowledged and ended. Where there is no room for all of
    /// that, it comes again.
    pub(super) fn end_fork(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if !self.dialog_fits(low) {
            return Ok(());
        }
        let secure = e.to.is_some_and(|t| is_sips(m.text(t.uri_text)));
        let dialog = low.dialogs.create_uac(low.down.cx, m, e, owner(h, 0), path, secure)?;
        let number = e.cseq.map(|c| c.number);
        let invite = low.down.tx.of_response(low.down.cx, m, e);
        let credentials = invite_credentials(low, invite);
        let ack = InDialog { credentials, ..InDialog::plain(Method::Ack, number) };
        let sent = send_unowned(low, dialog, &ack, path)
            .and_then(|()| send_unowned(low, dialog, &InDialog::plain(Method::Bye, None), path));
        low.dialogs.end(low.down.cx, dialog);
        match sent {
            Err(Error::Full(_)) => Ok(()),
            other => other,
        }
    }

    /// A 2xx to an INVITE that was refused by another branch of a fork: acknowledged and ended.
    pub(crate) fn on_late_success(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if from.part != part::INVITE {
            return Ok(());
        }
        self.end_fork(low, CallHandle::from_raw(from.object), m, e, path)
    }

    /// A 2xx whose transaction had to give way: its ACK may have been lost. After 64*T1 the INVITE
    /// is over (RFC 3261 13.2.2.4).
    pub(crate) fn on_stray_success(
        &mut self,
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<bool, Error> {
        let Some(d) = low.dialogs.of_response(low.down.cx, m, e) else { return Ok(false) };
        let owner = low.dialogs.get(d).map(|d| d.owner()).filter(|o| o.kind == OwnerKind::Call);
        let Some(h) = owner.map(|o| CallHandle::from_raw(o.object)) else {
            return Ok(false);
        };
        let (now, lasts) = (low.cx().now, low.cx().config.t1.saturating_mul(64));
        let same = self.calls.get(h).is_some_and(|c| {
            Some(c.ack_seq) == e.cseq.map(|c| c.number) && now < c.acked.after(lasts)
        });
        if same {
            self.repeat_ack(low, h, e)?;
        }
        Ok(same)
    }

    pub(super) fn on_invite_failure(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: Failure,
    ) -> Result<(), Error> {
        let cancelled = self.state(h)? == State::Cancelling;
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = None;
        }
        let as_status = if why == Failure::Timeout { 408 } else { 503 };
        if !cancelled && self.failed_target(low, h, as_status)? {
            return Ok(());
        }
        if self.step(h, Happening::Failure)? != Act::TellEnded {
            return Ok(());
        }
        let rang_out = self.calls.live(h)?.rang_out;
        // RFC 3261 8.1.3.1: a timeout counts as 408, a transport error as 503.
        let (reason, status) = match (cancelled, why) {
            (true, _) if !rang_out => (EndReason::Abandoned, 0),
            (true, _) | (_, Failure::Timeout) => (EndReason::Timeout, 408),
            _ => (EndReason::Unreachable, 503),
        };
        self.ended(low, h, reason, status, None)
    }
}

/// The credentials of an INVITE that was accepted (RFC 3261 22.1).
pub(super) fn invite_credentials(low: &Low<'_>, invite: Option<TxHandle>) -> Option<Kept> {
    low.down.tx.credentials(invite?).map(|block| Kept { block })
}

/// Sends a request of a dialog that no call has.
fn send_unowned(
    low: &mut Low<'_>,
    dialog: DialogHandle,
    what: &InDialog<'_>,
    path: &Path,
) -> Result<(), Error> {
    let made = low.dialogs.request(low.down.cx, dialog, what)?;
    let start = Start {
        owner: Owner::default(),
        request: made.block,
        method: what.method,
        hop: made.hop,
        near: Some(path.local),
        flow: low.down.flow_to(path.flow, &made.hop),
        line: 0,
        mark: None,
    };
    let (_, from) = low.attempts.start(&mut low.down, &start)?;
    if let FromAttempt::AckSent { block, .. } = from {
        low.cx().pool.release(block);
    }
    Ok(())
}

/// An INVITE that opens a call (RFC 3261 8.1.1, 13.2.1).
struct Invite<'a> {
    line: &'a Line,
    caller: Caller,
    target: &'a [u8],
    tag: &'a [u8],
    call_id: &'a [u8],
    contact: &'a [u8],
    fields: &'a [(Name, &'a [u8])],
    product: &'a [u8],
    timer: Fields,
    settings: &'a Config,
}

impl Invite<'_> {
    fn write(&self, mut w: Writer<'_>, pool: &Pool, end: BlockId) -> Result<usize, WriteError> {
        w.request_line(Method::Invite.as_str().as_bytes(), self.target)?;
        w.header(Name::MaxForwards, b"70")?;
        self.line.write_route(&mut w, pool, is_sips(self.target))?;
        self.caller.write_from(&mut w, (self.line, pool), self.tag)?;
        joined(&mut w, Name::To, &[b"<", self.target, b">"])?;
        w.header(Name::CallId, self.call_id)?;
        w.cseq(1, Method::Invite.as_str().as_bytes())?;
        if !self.contact.is_empty() {
            w.header(Name::Contact, self.contact)?;
        }
        for (name, value) in abilities(self.settings).into_iter().chain(self.timer.each()) {
            w.header(name, value)?;
        }
        if self.settings.reliable == Reliable::Require {
            w.header(Name::Require, b"100rel")?;
        }
        self.caller.write_fields(&mut w, (self.line, pool))?;
        // RFC 7044 9.1
        if self.line.policy.tells_history() {
            joined(&mut w, Name::HistoryInfo, &[b"<", self.target, b">;index=1"])?;
        }
        for (name, value) in self.fields {
            w.header(*name, value)?;
        }
        if !self.product.is_empty() {
            w.header(Name::UserAgent, self.product)?;
        }
        w.rest(pool.bytes_of(end))
    }
}

/// A request that was written without a body, with this description; a block held once.
fn with_body(cx: &mut crate::cx::Cx, request: BlockId, sdp: BlockId) -> Result<BlockId, Error> {
    let crate::cx::Cx { pool, scratch, .. } = cx;
    let bytes = pool.bytes_of(request);
    let head = bytes.strip_suffix(b"Content-Length: 0\r\n\r\n").unwrap_or(bytes);
    let mut w = Writer::new(scratch);
    w.written_fields(head).map_err(write_error)?;
    let len = w.body(SDP, pool.bytes_of(sdp)).map_err(write_error)?;
    pool.copy_in(scratch.get(..len).unwrap_or(&[]))
}

/// The transport that a hop means.
pub(super) fn hop_transport(hop: Option<&Hop>) -> Option<crate::path::Transport> {
    match hop {
        Some(Hop::Address { transport, .. } | Hop::Name { transport, .. }) => Some(*transport),
        None => None,
    }
}
