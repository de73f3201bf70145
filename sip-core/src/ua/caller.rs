//! The caller's side: INVITE out, early dialogs, ACK, CANCEL, forked 2xx, and re-INVITE.

use super::Extras;
use super::call::{Call, TIMER_AGAIN, TIMER_RING, owner, part};
use super::line::Line;
use super::outside::{abilities, write_extras};
use super::session_timer::{Fields, first_fields};
use super::table::{Act, Happening, State};
use super::update::fill;
use super::{CallHandle, EndReason, LineHandle, Low, Ua, record};
use crate::attempt::{FromAttempt, Start};
use crate::config::{Config, Reliable};
use crate::cx::{joined, write_error};
use crate::dialog::{DialogHandle, InDialog, Kept, contact_value};
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::uri::Uri;
use crate::header::uri::is_sips;
use crate::path::Path;
use crate::resolve::{Hop, first_hop, next_hop};
use crate::store::pool::{BlockId, Pool};
use crate::store::queries::Owner;
use crate::time::Instant;
use crate::tx::Failure;
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
        low.cx().promised += 1;
        self.undecided += 1;
        match self.send_invite(low, h, line, target.as_bytes(), extras) {
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
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let tag = self.calls.live(h)?.tag;
        let call_id = low.cx().word();
        let secure = is_sips(target);
        let cx = &mut *low.down.cx;
        let config = self.lines.live(line)?;
        let proxy = config.proxy(&cx.pool);
        let hop = if proxy.is_empty() { first_hop(cx, target) } else { next_hop(cx, proxy) };
        let local = config.identity(cx, hop.as_ref().ok());
        let near = local.or(config.local);
        let mut contact = [0u8; 256];
        let len = near.map_or(0, |id| {
            contact_value(cx, id, config.user_part(&cx.pool), secure, &mut contact)
        });
        let contact = contact.get(..len).unwrap_or(&[]);
        let crate::cx::Cx { pool, scratch, config: settings, .. } = cx;
        let invite = Invite {
            line: config,
            target,
            tag: tag.as_bytes(),
            call_id: call_id.as_bytes(),
            contact,
            product: settings.product.as_bytes(),
            timer: first_fields(settings, 0),
            settings,
        };
        let len = invite.write(Writer::new(scratch), pool, extras).map_err(write_error)?;
        let request = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        let start = Start {
            owner: owner(h, part::INVITE),
            request,
            method: Method::Invite,
            hop,
            near,
            flow: None,
        };
        let (attempt, _) = low.attempts.start(&mut low.down, &start)?;
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = Some(attempt);
        }
        let at = low.cx().now.after(low.down.cx.config.ring);
        self.arm(low.cx(), h, TIMER_RING, at)
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
        self.disarm(low.cx(), h, TIMER_RING);
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
                let cancelled = self.state(h)? == State::Cancelling;
                if let Some(call) = self.calls.get_mut(h) {
                    call.attempt = None;
                }
                if self.step(h, Happening::Refusal)? != Act::TellEnded {
                    return Ok(());
                }
                let rang_out = self.calls.live(h)?.rang_out;
                let why = match (cancelled, rang_out) {
                    (true, true) => EndReason::Timeout,
                    (true, false) => EndReason::Abandoned,
                    _ => EndReason::Refused,
                };
                let block = low.cx().pool.copy_in(m.bytes()).ok();
                self.ended(low, h, why, status, block)
            }
        }
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
        let fresh = e.to.is_some_and(|t| !t.tag.is_empty())
            && m.status() != 199
            && low.dialogs.of_response(low.down.cx, m, e).is_none();
        if fresh && self.early_dialogs(low, h) < EARLY_MAX {
            // Without room for another early dialog its 2xx still makes one.
            match self.add_dialog(low, h, m, e, path) {
                Ok(_) | Err(Error::Full(_)) => {}
                Err(e) => return Err(e),
            }
        }
        let dialog = low.dialogs.of_response(low.down.cx, m, e);
        if !self.take_provisional(low, h, dialog, m, e)? {
            return Ok(());
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::PROGRESS, m.status(), block)?;
        self.end_early(low, h, m, e);
        Ok(())
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
            if let Some(d) = low.dialogs.get_mut(dialog) {
                d.next = next;
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
        low.dialogs.confirm_uac(low.down.cx, dialog, m)?;
        self.disarm(low.cx(), h, TIMER_RING);
        if let Some(call) = self.calls.get_mut(h) {
            call.attempt = None;
        }
        let act = self.step(h, Happening::Success)?;
        self.ack(low, h, dialog, e)?;
        if act == Act::AckAndBye {
            return self.send_bye(low, h);
        }
        self.timer_answered(low, h, m)?;
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::ANSWERED, m.status(), block)
    }

    /// Ends all early dialogs but one.
    fn keep_only(&mut self, low: &mut Low<'_>, h: CallHandle, keep: Option<DialogHandle>) {
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
                low.dialogs.end(low.down.cx, d);
            }
            at = next;
        }
    }

    fn ack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        e: &Essentials,
    ) -> Result<(), Error> {
        let number = e.cseq.map_or(0, |c| c.number);
        let what = InDialog::plain(Method::Ack, Some(number));
        let call = self.calls.live_mut(h)?;
        call.ack_seq = number;
        if let Some((old, _)) = call.ack.take() {
            low.cx().pool.release(old);
        }
        let sent = match self.send_in_dialog(low, h, dialog, part::ACK, &what) {
            Ok((attempt, _)) => Some(attempt),
            // The 2xx comes again, and asks for it again.
            Err(Error::Full(_)) => None,
            Err(e) => return Err(e),
        };
        self.calls.live_mut(h)?.acking = sent;
        Ok(())
    }

    /// A 2xx again: the same ACK again, if it is the one of this INVITE.
    fn repeat_ack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        e: &Essentials,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        if Some(call.ack_seq) != e.cseq.map(|c| c.number) {
            return Ok(());
        }
        match (call.ack, call.dialog) {
            (Some((block, path)), _) => low.cx().transmit(block, path, 0, 1),
            // The name of its next hop is being asked for.
            (None, _) if call.acking.is_some_and(|a| low.attempts.lives(a)) => Ok(()),
            (None, Some(dialog)) => self.ack(low, h, dialog, e),
            (None, None) => Ok(()),
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
        let sent = send_unowned(low, dialog, Method::Ack, number, path)
            .and_then(|()| send_unowned(low, dialog, Method::Bye, None, path));
        low.dialogs.end(low.down.cx, dialog);
        match sent {
            Err(Error::Full(_)) => Ok(()),
            other => other,
        }
    }

    /// A 2xx whose transaction is gone: its ACK may have been lost.
    pub(crate) fn on_stray_success(
        &mut self,
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<bool, Error> {
        let Some(d) = low.dialogs.of_response(low.down.cx, m, e) else { return Ok(false) };
        let Some(h) = low.dialogs.get(d).map(|d| CallHandle::from_raw(d.owner.object)) else {
            return Ok(false);
        };
        let same = self.calls.get(h).is_some_and(|c| Some(c.ack_seq) == e.cseq.map(|c| c.number));
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

    /// Changes the session by a re-INVITE (RFC 3261 14.1). Queues output.
    pub fn reinvite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        if call.state != State::Confirmed {
            return Err(Error::Late);
        }
        // RFC 3261 14.1: none while another INVITE is open in either direction.
        if call.reinvite.is_some()
            || call.invite.is_some()
            || call.again.is_some()
            || call.repeating.is_some()
            || call.extensions.update.offers()
            || self.is_asked(low, h)
        {
            return Err(Error::Misuse(Misuse::State));
        }
        let dialog = call.dialog.ok_or(Error::Gone)?;
        let kept = self.keep_in_dialog(low, h, dialog, extras)?;
        self.send_reinvite(low, h, kept)
    }

    pub(super) fn send_reinvite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        kept: BlockId,
    ) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        call.again = Some(kept);
        let (Some(dialog), line) = (call.dialog, call.line) else { return Err(Error::Gone) };
        let mut user = [0u8; 128];
        let len = self.contact_user(low.cx(), line, &mut user);
        let timer = self.timer_fields(low.cx(), h);
        let mut fields = [(Name::Other, &[][..]); 5];
        let own = abilities(&low.cx().config);
        let n = fill(&mut fields, own.into_iter().chain(timer.each()));
        let what = InDialog {
            contact: user.get(..len),
            fields: fields.get(..n).unwrap_or(&[]),
            kept: Some(Kept { block: kept }),
            ..InDialog::plain(Method::Invite, None)
        };
        match self.send_in_dialog(low, h, dialog, part::REINVITE, &what) {
            Ok((attempt, _)) => {
                if let Some(call) = self.calls.get_mut(h) {
                    call.reinvite = Some(attempt);
                }
                // RFC 3261 9.1: it is given up like the first INVITE.
                let at = low.cx().now.after(low.down.cx.config.ring);
                self.arm(low.cx(), h, TIMER_RING, at)
            }
            Err(e) => {
                self.drop_again(low, h);
                Err(e)
            }
        }
    }

    pub(super) fn drop_again(&mut self, low: &mut Low<'_>, h: CallHandle) {
        if let Some(block) = self.calls.get_mut(h).and_then(|c| c.again.take()) {
            low.cx().pool.release(block);
        }
    }

    pub(super) fn on_reinvite_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        _path: &Path,
    ) -> Result<(), Error> {
        let status = m.status();
        if status < 200 {
            let dialog = self.calls.live(h)?.dialog;
            return self.take_provisional(low, h, dialog, m, e).map(drop);
        }
        let call = self.calls.live_mut(h)?;
        let success = (200..300).contains(&status);
        let (Some(dialog), confirmed) = (call.dialog, call.state == State::Confirmed) else {
            return Ok(());
        };
        if success && call.reinvite.is_none() {
            return self.repeat_ack(low, h, e);
        }
        if success {
            low.dialogs.refresh_target(low.down.cx, dialog, m)?;
            if let Some(d) = low.dialogs.get_mut(dialog) {
                d.peer.learn(m);
            }
            self.ack(low, h, dialog, e)?;
            self.timer_answered(low, h, m)?;
        }
        self.calls.live_mut(h)?.reinvite = None;
        self.disarm(low.cx(), h, TIMER_RING);
        if status == 491 && confirmed {
            return self.wait_after_glare(low, h);
        }
        if status == 422 && confirmed && self.timer_raised(h, m) {
            return self.reinvite_again(low, h);
        }
        self.drop_again(low, h);
        if self.reinvite_refreshed(h) {
            return self.refresh_ended(low, h, dialog, status);
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::REINVITED, status, block)?;
        // RFC 3261 12.2.1.2, 14.1: the dialog is gone.
        if matches!(status, 408 | 481) && self.step(h, Happening::Hangup)? == Act::SendBye {
            return self.send_bye(low, h);
        }
        Ok(())
    }

    // RFC 3261 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in 10 ms.
    pub(super) fn glare_over(&self, low: &mut Low<'_>, h: CallHandle) -> Instant {
        let owns = self.calls.get(h).is_some_and(|c| c.caller);
        let random = low.cx().random();
        let wait = if owns { 2_100 + (random % 191) * 10 } else { (random % 201) * 10 };
        low.cx().now.after(wait)
    }

    pub(super) fn wait_after_glare(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
    ) -> Result<(), Error> {
        let at = self.glare_over(low, h);
        self.arm(low.cx(), h, TIMER_AGAIN, at)
    }

    pub(super) fn reinvite_again(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        let Some(kept) = call.again.take() else { return Ok(()) };
        let busy = call.invite.is_some() || call.repeating.is_some();
        if call.state != State::Confirmed {
            low.cx().pool.release(kept);
            return Ok(());
        }
        if busy {
            call.again = Some(kept);
            return self.wait_after_glare(low, h);
        }
        self.send_reinvite(low, h, kept)
    }

    pub(super) fn on_reinvite_failure(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: Failure,
    ) -> Result<(), Error> {
        if let Some(call) = self.calls.get_mut(h) {
            call.reinvite = None;
        }
        self.disarm(low.cx(), h, TIMER_RING);
        self.drop_again(low, h);
        if let Some(dialog) = self.calls.live(h)?.dialog.filter(|_| self.reinvite_refreshed(h)) {
            return self.refresh_ended(low, h, dialog, 408);
        }
        let status = if why == Failure::Timeout { 408 } else { 503 };
        self.tell(low.cx(), h, record::REINVITED, status, None)?;
        // RFC 3261 14.1 with 12.2.1.2: no answer ends the dialog.
        if self.act(h, Happening::Hangup)? == Act::SendBye {
            self.step(h, Happening::Hangup)?;
            return self.send_bye(low, h);
        }
        Ok(())
    }
}

/// Sends a request of a dialog that no call has.
fn send_unowned(
    low: &mut Low<'_>,
    dialog: DialogHandle,
    method: Method,
    cseq: Option<u32>,
    path: &Path,
) -> Result<(), Error> {
    let made = low.dialogs.request(low.down.cx, dialog, &InDialog::plain(method, cseq))?;
    let start = Start {
        owner: Owner::default(),
        request: made.block,
        method,
        hop: made.hop,
        near: Some(path.local),
        flow: low.down.flow_to(path.flow, &made.hop),
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
    target: &'a [u8],
    tag: &'a [u8],
    call_id: &'a [u8],
    contact: &'a [u8],
    product: &'a [u8],
    timer: Fields,
    settings: &'a Config,
}

impl Invite<'_> {
    fn write(
        &self,
        mut w: Writer<'_>,
        pool: &Pool,
        extras: &Extras<'_>,
    ) -> Result<usize, WriteError> {
        w.request_line(Method::Invite.as_str().as_bytes(), self.target)?;
        w.header(Name::MaxForwards, b"70")?;
        self.line.write_route(&mut w, pool)?;
        self.line.write_from(&mut w, pool, self.tag)?;
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
        if !self.product.is_empty() {
            w.header(Name::UserAgent, self.product)?;
        }
        write_extras(w, extras)
    }
}

/// The transport that a hop means.
pub(super) fn hop_transport(hop: Option<&Hop>) -> Option<crate::path::Transport> {
    match hop {
        Some(Hop::Address { transport, .. } | Hop::Name { transport, .. }) => Some(*transport),
        None => None,
    }
}
