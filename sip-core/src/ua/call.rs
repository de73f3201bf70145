//! A call: what both sides of it share.

use super::Extras;
use super::clock::{Clock, Due};
use super::extensions::Extensions;
use super::outside;
use super::policy::CallPolicy;
use super::redirect::Redirect;
use super::session::CallMedia;
use super::shown::Shown;
use super::table::{Act, Happening, State, step};
use super::transfer::Transfer;
use super::{CallHandle, EndReason, LineHandle, Low, Ua};
use crate::attempt::{AttemptHandle, FromAttempt, Start};
use crate::cx::{Cx, Token};
use crate::dialog::{DialogHandle, InDialog, Session, contact_value};
use crate::error::{Error, Limit};
use crate::header::essentials::Essentials;
use crate::path::{KeptPath, Path};
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::timers::TimerKey;
use crate::time::Instant;
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::start_line::Method;

/// How long work that found no room waits.
const RETRY: u64 = 100;

/// The parts of a call that own attempts and transactions.
pub(super) mod part {
    pub const INVITE: u8 = 0;
    pub const BYE: u8 = 1;
    pub const REINVITE: u8 = 2;
    pub const ACK: u8 = 3;
    pub const PRACK: u8 = 4;
    pub const UPDATE: u8 = 5;
    pub const REFER: u8 = 8;
}

/// Our 2xx, until its ACK has come (RFC 3261 13.3.1.4).
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeating {
    pub block: BlockId,
    pub since: Instant,
    /// Milliseconds.
    pub interval: u32,
}

pub(super) fn millis(ms: u64) -> u32 {
    u32::try_from(ms).unwrap_or(u32::MAX)
}

/// What a re-INVITE carries, kept for another try.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    /// As it was, from its first header field of the application on.
    Kept(BlockId),
    /// An offer made anew, and these header fields.
    Offer {
        fields: Option<BlockId>,
        /// Of the streams in use, not of the whole profile.
        in_use: bool,
    },
}

impl Again {
    pub(super) fn release(self, cx: &mut Cx) {
        let (Self::Kept(block) | Self::Offer { fields: Some(block), .. }) = self else { return };
        cx.pool.release(block);
    }
}

/// A call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(super) state: State,
    pub(super) caller: bool,
    /// What `poll` has shown of it.
    pub(super) shown: Shown,
    /// Ended because it rang too long, not because somebody hung up.
    pub(super) rang_out: bool,
    /// It is given up when its INVITE expires.
    pub(super) expires: bool,
    /// To be hung up as soon as there is room.
    pub(super) hang_up: bool,
    pub(super) line: Option<LineHandle>,
    pub(super) user: u64,
    pub(super) tag: Token<16>,
    /// The session's dialog; for a caller the first of its early dialogs until a 2xx comes.
    pub(super) dialog: Option<DialogHandle>,
    /// The INVITE or BYE of ours that is on its way.
    pub(super) attempt: Option<AttemptHandle>,
    /// The INVITE of ours that is on its way in the dialog.
    pub(super) reinvite: Option<AttemptHandle>,
    /// It has no offer: the 2xx makes one.
    pub(super) asks: bool,
    /// What the re-INVITE carries, for another try after 491.
    pub(super) again: Option<Again>,
    /// The peer's INVITE that waits for our final response.
    pub(super) invite: Option<TxHandle>,
    /// The CSeq number of the peer's last INVITE: that of its ACK.
    pub(super) invite_seq: u32,
    pub(super) repeating: Option<Repeating>,
    /// What is repeated makes an offer: its ACK has the answer.
    pub(super) repeats_offer: bool,
    /// The transaction that repeats it.
    pub(super) repeat_by: Option<TxHandle>,
    /// Where the INVITE of a call that came in came from; once the call stands, the way of `ack`.
    pub(super) way: KeptPath,
    /// Our INVITE that was accepted: its credentials go into the ACK.
    pub(super) accepted: Option<TxHandle>,
    /// The CSeq number of the INVITE whose ACK is `ack`.
    pub(super) ack_seq: u32,
    /// When its first 2xx came.
    pub(super) acked: Instant,
    /// The attempt that sends it.
    pub(super) acking: Option<AttemptHandle>,
    /// Our ACK, to repeat it for a repeated 2xx.
    pub(super) ack: Option<BlockId>,
    pub(super) clock: Clock,
    pub(super) extensions: Extensions,
    pub(super) policy: CallPolicy,
    pub(super) redirect: Redirect,
    pub(super) media: CallMedia,
    /// The peer's last INVITE had no offer: our 2xx makes one (RFC 3261 13.3.1).
    pub(super) no_offer: bool,
    /// Why it ends, where our BYE alone does not say it.
    pub(super) end: Option<EndReason>,
    pub(super) transfer: Transfer,
}

impl Call {
    /// Whether an INVITE of ours is open that has no offer, and the peer's has not been answered.
    pub(super) fn asks(&self, session: &Session) -> bool {
        match self.reinvite {
            Some(_) => self.asks && !self.extensions.provisionals.answered(),
            None => self.caller && self.media.offer.is_none() && session.agreed().is_none(),
        }
    }

    /// Whether the application has said what media the call can have.
    pub(super) const fn has_profile(&self) -> bool {
        self.media.is_given() && !self.media.own
    }

    pub(super) fn new(state: State, caller: bool, tag: Token<16>) -> Self {
        Self {
            state,
            caller,
            shown: Shown::first(caller),
            rang_out: false,
            expires: false,
            hang_up: false,
            line: None,
            user: 0,
            tag,
            dialog: None,
            attempt: None,
            reinvite: None,
            asks: false,
            again: None,
            invite: None,
            invite_seq: 0,
            repeating: None,
            repeats_offer: false,
            repeat_by: None,
            way: KeptPath::default(),
            accepted: None,
            ack_seq: 0,
            acked: Instant(0),
            acking: None,
            ack: None,
            clock: Clock::default(),
            extensions: Extensions::default(),
            media: CallMedia::default(),
            no_offer: false,
            end: None,
            policy: CallPolicy::default(),
            redirect: Redirect::default(),
            transfer: Transfer::default(),
        }
    }
}

/// Starts the next request of a dialog for `owner`.
pub(super) fn start_in_dialog(
    low: &mut Low<'_>,
    owner: Owner,
    line: Option<LineHandle>,
    dialog: DialogHandle,
    what: &InDialog<'_>,
) -> Result<(AttemptHandle, u32, FromAttempt), Error> {
    let made = low.dialogs.request(low.down.cx, dialog, what)?;
    let (near, flow) =
        low.dialogs.get(dialog).map_or((None, None), |d| (Some(d.local_id), d.flow()));
    let start = Start {
        owner,
        request: made.block,
        method: what.method,
        hop: made.hop,
        near,
        flow: low.down.flow_to(flow, &made.hop),
        line: line.map_or(0, LineHandle::raw),
        mark: None,
    };
    let (attempt, from) = low.attempts.start(&mut low.down, &start)?;
    Ok((attempt, made.cseq, from))
}

pub(super) const fn owner(h: CallHandle, part: u8) -> Owner {
    Owner::part(OwnerKind::Call, h.raw(), part)
}

impl Ua {
    pub(super) fn state(&self, h: CallHandle) -> Result<State, Error> {
        self.calls.live(h).map(|c| c.state)
    }

    /// Our tag in a call.
    pub(crate) fn tag(&self, h: CallHandle) -> Option<Token<16>> {
        self.calls.get(h).map(|c| c.tag)
    }

    /// Looks the cell up and goes on to its state; what the cell does is the caller's to do.
    pub(super) fn step(&mut self, h: CallHandle, happening: Happening) -> Result<Act, Error> {
        let call = self.calls.live_mut(h)?;
        let (next, act) = step(call.state, happening);
        call.state = next;
        self.count_call(h);
        Ok(act)
    }

    /// What the cell would do, without going on.
    pub(super) fn act(&self, h: CallHandle, happening: Happening) -> Result<Act, Error> {
        Ok(step(self.state(h)?, happening).1)
    }

    pub(super) fn arm(
        &mut self,
        cx: &mut Cx,
        h: CallHandle,
        due: Due,
        at: Instant,
    ) -> Result<(), Error> {
        self.calls.get_mut(h).map_or(Ok(()), |call| call.clock.set(cx, h, due, at))
    }

    pub(super) fn disarm(&mut self, cx: &mut Cx, h: CallHandle, due: Due) {
        if let Some(call) = self.calls.get_mut(h) {
            call.clock.clear(cx, h, due);
        }
    }

    /// Our Contact in this call.
    pub(super) fn contact(&self, low: &mut Low<'_>, h: CallHandle, out: &mut [u8; 256]) -> usize {
        let Some(call) = self.calls.get(h) else { return 0 };
        let Some(dialog) = call.dialog.and_then(|d| low.dialogs.get(d)) else { return 0 };
        let (local, secure) = (dialog.local_id, dialog.secure);
        let mut user = [0u8; 128];
        let len = self.contact_user_of(low.cx(), h, &mut user);
        contact_value(low.cx(), local, user.get(..len).unwrap_or(&[]), secure, out)
    }

    /// Sends the next request of the call's dialog.
    pub(super) fn send_in_dialog(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        part: u8,
        what: &InDialog<'_>,
    ) -> Result<(AttemptHandle, u32), Error> {
        let line = self.calls.get(h).and_then(|c| c.line);
        let (attempt, cseq, from) = start_in_dialog(low, owner(h, part), line, dialog, what)?;
        if let FromAttempt::AckSent { block, path, .. } = from {
            self.keep_ack(low.cx(), h, block, path);
        }
        Ok((attempt, cseq))
    }

    /// Keeps the ACK, to repeat it (RFC 3261 13.2.2.4).
    pub(crate) fn keep_ack(&mut self, cx: &mut Cx, h: CallHandle, block: BlockId, path: Path) {
        match self.calls.get_mut(h) {
            Some(call) => {
                call.way = KeptPath::of(&path);
                if let Some(old) = call.ack.replace(block) {
                    cx.pool.release(old);
                }
                self.forget_ack_later(cx, h);
            }
            None => cx.pool.release(block),
        }
    }

    /// RFC 3261 13.3.1.4: the peer repeats its 2xx for 64*T1. Should one come later, the ACK is made
    /// anew.
    pub(super) fn forget_ack_later(&mut self, cx: &mut Cx, h: CallHandle) {
        let Some(call) = self.calls.get(h) else { return };
        if call.ack.is_some() && call.repeating.is_none() {
            let over = call.acked.after(cx.config.t1.saturating_mul(64));
            // Without a timer it is kept until the call ends.
            let _ = self.arm(cx, h, Due::Repeat, over);
        }
    }

    /// The time of the timer that repeats what the other side has to acknowledge, or forgets our ACK.
    fn repeat_or_forget(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        if call.repeating.is_some() {
            return self.repeat_success(low, h);
        }
        if let Some(block) = call.ack.take() {
            low.cx().pool.release(block);
        }
        Ok(())
    }

    /// Sends a BYE. Without room for it the call tries again as soon as there is.
    pub(super) fn send_bye(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.refuse_pending(low, h);
        self.ack_first(low, h)?;
        let Some(dialog) = self.calls.live(h)?.dialog else {
            return self.ended(low, h, EndReason::Hangup, 0, None);
        };
        let what = InDialog::plain(Method::Bye, None);
        match self.send_in_dialog(low, h, dialog, part::BYE, &what) {
            Ok((attempt, _)) => {
                if let Some(call) = self.calls.get_mut(h) {
                    call.attempt = Some(attempt);
                }
                Ok(())
            }
            // One that no message can hold never finds room.
            Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                let at = low.cx().now.after(RETRY);
                self.arm(low.cx(), h, Due::Again, at)
            }
            Err(_) => self.ended(low, h, EndReason::Unreachable, 0, None),
        }
    }

    /// Tells the end and forgets the call.
    pub(super) fn ended(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: EndReason,
        status: u16,
        message: Option<BlockId>,
    ) -> Result<(), Error> {
        self.refuse_pending(low, h);
        self.end_of_followed(low, h, why, status);
        let why = self.reason(h, why);
        let shown = self.calls.live(h)?.shown;
        let kind = super::shown::ended(shown, why as u16);
        let told = self.tell(low.cx(), h, kind, status, message);
        self.forget(low, h);
        told
    }

    /// Frees all that a call holds.
    pub(super) fn forget(&mut self, low: &mut Low<'_>, h: CallHandle) {
        if let Some(call) = self.calls.get_mut(h) {
            call.state = State::Ended;
        }
        self.count_call(h);
        self.end_policy(low.cx(), h);
        let Some(mut call) = self.calls.remove(h) else { return };
        Self::end_redirect(low.cx(), &mut call.redirect);
        if call.caller && call.dialog.is_none() {
            self.undecided = self.undecided.saturating_sub(1);
        }
        if !call.caller {
            self.calls_in = self.calls_in.saturating_sub(1);
        }
        low.cx().promised = low.cx().promised.saturating_sub(1);
        call.clock.stop(low.cx());
        self.keep_subscriptions(low, &call);
        let mut dialog = call.dialog;
        while let Some(d) = dialog {
            dialog = match low.dialogs.get_mut(d).filter(|d| d.owner().kind == OwnerKind::Refer) {
                Some(kept) => kept.next.take(),
                None => low.dialogs.end(low.down.cx, d).and_then(|d| d.next),
            };
        }
        for attempt in [call.attempt, call.reinvite].into_iter().flatten() {
            low.attempts.end(&mut low.down, attempt);
        }
        Self::forget_media(low, &call.media);
        if let Some(again) = call.again {
            again.release(low.cx());
        }
        let blocks = [call.repeating.map(|r| r.block), call.ack];
        for block in blocks.into_iter().flatten() {
            low.cx().pool.release(block);
        }
        if let Some(tx) = call.invite {
            low.down.tx.end(low.down.cx, tx);
        }
        Self::end_held(low, &call.extensions.provisionals, call.repeat_by, call.tag.as_bytes());
        self.end_updates(low, call.extensions.update);
    }

    /// The application hangs up: whatever that means now. Never `Full`: without room it happens as
    /// soon as there is. May queue output.
    pub fn hangup(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        match self.hangup_now(low, h) {
            Err(Error::Full(_)) => self.hangup_in(low, h, RETRY),
            other => other,
        }
    }

    fn hangup_now(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        match self.act(h, Happening::Hangup)? {
            Act::Late => Err(Error::Late),
            Act::GiveUp => self.give_up(low, h, Happening::Hangup),
            Act::SendRefusal => self.refuse(low, h, self.refusal(h, 480), &Extras::default()),
            Act::SendBye => {
                self.step(h, Happening::Hangup)?;
                self.send_bye(low, h)
            }
            _ => self.step(h, Happening::Hangup).map(|_| ()),
        }
    }

    /// A response to a request of ours in the call.
    pub(crate) fn on_response(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let h = CallHandle::from_raw(from.object);
        if self.calls.get(h).is_none() {
            // RFC 3261 13.2.2.4: another branch of a fork answers when the call is over.
            return match (from.part, m.status()) {
                (part::INVITE, 200..=299) => self.end_fork(low, h, m, e, path),
                _ => Ok(()),
            };
        }
        let invite = matches!(from.part, part::INVITE | part::REINVITE);
        if invite && (200..300).contains(&m.status()) {
            let accepted = low.down.tx.of_response(low.down.cx, m, e);
            self.calls.live_mut(h)?.accepted = accepted;
        }
        match from.part {
            part::INVITE => self.on_invite_response(low, h, m, e, path),
            part::REINVITE => self.on_reinvite_response(low, h, m, e, path),
            part::UPDATE => self.on_update_response(low, h, m),
            part::PRACK => self.on_prack_response(low, h, m, e),
            part::BYE if m.status() >= 200 => self.bye_ended(low, h),
            part::REFER => self.on_refer_response(low, h, m),
            _ => Ok(()),
        }
    }

    fn bye_ended(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        if self.step(h, Happening::ByeEnded)? != Act::TellEnded {
            return Ok(());
        }
        let call = self.calls.live_mut(h)?;
        call.attempt = None;
        let why = if call.rang_out { EndReason::Timeout } else { EndReason::Hangup };
        let why = call.end.unwrap_or(why);
        self.ended(low, h, why, 0, None)
    }

    /// A request of ours in the call was challenged, and the challenge stands: `block` holds the
    /// response, whose hold is taken over.
    pub(crate) fn on_refusal(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        status: u16,
        block: BlockId,
    ) -> Result<(), Error> {
        let h = CallHandle::from_raw(from.object);
        if self.calls.get(h).is_some() {
            match from.part {
                part::INVITE => return self.on_invite_refused(low, h, status, Some(block)),
                part::REINVITE => return self.on_reinvite_refused(low, h, status, Some(block)),
                part::REFER => return self.on_refer_refused(low, h, status, block),
                part::UPDATE => {
                    return self.on_update_refused(low, h, (status, false), Some(block));
                }
                part::BYE => {
                    low.cx().pool.release(block);
                    return self.bye_ended(low, h);
                }
                _ => {}
            }
        }
        low.cx().pool.release(block);
        Ok(())
    }

    /// A request of ours in the call has failed without a response.
    pub(crate) fn on_failure(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        let h = CallHandle::from_raw(from.object);
        if self.calls.get(h).is_none() {
            return Ok(());
        }
        match from.part {
            part::INVITE => self.on_invite_failure(low, h, why),
            part::REINVITE => self.on_reinvite_failure(low, h, why),
            part::UPDATE => self.on_update_failure(low, h, why),
            part::BYE => self.bye_ended(low, h),
            part::REFER => self.on_refer_failure(low, h, why),
            _ => Ok(()),
        }
    }

    /// The timer of a call has fired.
    pub(crate) fn on_timer(&mut self, low: &mut Low<'_>, key: TimerKey) -> Result<(), Error> {
        let h = CallHandle::from_raw(key.object);
        let Some(call) = self.calls.get_mut(h) else { return Ok(()) };
        let Some(due) = call.clock.fired(low.down.cx, h)? else { return Ok(()) };
        match due {
            Due::Ring => self.ring_over(low, h),
            Due::Repeat => self.repeat_or_forget(low, h),
            Due::Reliable => self.reliable_fired(low, h),
            Due::Session => self.timer_fired(low, h),
            Due::Policy => self.act_by_policy(low, h),
            Due::Again if call.hang_up => {
                call.hang_up = false;
                match self.hangup(low, h) {
                    Ok(()) | Err(Error::Late) => Ok(()),
                    Err(e) => Err(e),
                }
            }
            Due::Again if call.state == State::Leaving => self.send_bye(low, h),
            Due::Again if call.redirect.waiting => self.follow_or_end(low, h),
            Due::Again if super::pair::is_due(call) => self.answer_in_place(low, h),
            Due::Again => {
                self.update_again(low, h)?;
                self.reinvite_again(low, h)
            }
        }
    }

    fn ring_over(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        match self.act(h, Happening::RingOver)? {
            Act::GiveUp => {
                self.give_up(low, h, Happening::RingOver)?;
                if let Some(call) = self.calls.get_mut(h) {
                    call.rang_out = true;
                }
                Ok(())
            }
            Act::SendRefusal => match self.refuse_over(low, h) {
                Err(Error::Full(_)) => {
                    let at = low.cx().now.after(RETRY);
                    self.arm(low.cx(), h, Due::Ring, at)
                }
                other => other,
            },
            _ => self.reinvite_over(low, h),
        }
    }

    /// RFC 3261 13.3.1 step 1: 487 for an INVITE that has expired.
    fn refuse_over(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        call.rang_out = true;
        let status = if call.expires { 487 } else { 480 };
        self.refuse(low, h, status, &Extras::default()).inspect_err(|_| {
            if let Some(call) = self.calls.get_mut(h) {
                call.rang_out = false;
            }
        })
    }

    /// A re-INVITE, ours or the peer's, has waited as long as a call may ring. The session stands.
    fn reinvite_over(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        if let Some(attempt) = call.reinvite {
            return match low.attempts.cancel(&mut low.down, attempt) {
                // Its final response found no room, and has not come again.
                Err(Error::Gone) => self.on_reinvite_failure(low, h, Failure::Timeout),
                other => other,
            };
        }
        match self.reject(low, h, 480, &Extras::default()) {
            Err(Error::Full(_)) => {
                let at = low.cx().now.after(RETRY);
                self.arm(low.cx(), h, Due::Ring, at)
            }
            _ => Ok(()),
        }
    }

    /// Hangs up as soon as there is room.
    pub(crate) fn hangup_soon(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.hangup_in(low, h, 0)
    }

    fn hangup_in(&mut self, low: &mut Low<'_>, h: CallHandle, ms: u64) -> Result<(), Error> {
        if self.act(h, Happening::Hangup)? == Act::Late {
            return Err(Error::Late);
        }
        self.calls.live_mut(h)?.hang_up = true;
        let at = low.cx().now.after(ms);
        self.arm(low.cx(), h, Due::Again, at)
    }

    /// Ends one call or one registration that stands. Whether there was one. Queues output.
    pub(crate) fn end_one(&mut self, low: &mut Low<'_>) -> Result<bool, Error> {
        let ends = [State::Cancelling, State::Parting, State::Leaving];
        let standing = self.calls.iter().find(|(_, c)| !c.hang_up && !ends.contains(&c.state));
        match standing.map(|(h, _)| h) {
            Some(h) => match self.hangup(low, h) {
                Ok(()) | Err(Error::Late | Error::Gone) => Ok(true),
                Err(e) => Err(e),
            },
            None => self.unregister_one(low),
        }
    }

    /// A request in one of our dialogs, other than ACK and CANCEL.
    pub(crate) fn on_dialog_request(
        &mut self,
        low: &mut Low<'_>,
        dialog: DialogHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let Some(owner) = low.dialogs.get(dialog).map(|d| d.owner()) else {
            return Err(Error::Gone);
        };
        // RFC 3261 12.2.2: processed as if it were outside a dialog (8.2).
        if let Some(refusal) = outside::inspect_in_dialog(&low.down.cx.config, m) {
            return outside::refuse(low, m, e, path, &refusal);
        }
        if Self::timer_refuses(low, m, e, path)? {
            return Ok(());
        }
        let cx = &mut *low.down.cx;
        let tx = low.down.tx.open_server(cx, Owner::default(), m, e, path)?;
        let done = if owner.kind == OwnerKind::Refer {
            self.serve_subscription(low, (owner, dialog, tx), m, e, path)
        } else {
            self.serve(low, (CallHandle::from_raw(owner.object), dialog, tx), m, e, path)
        };
        if done.is_err() {
            // It was not taken: a repetition of it is a new request.
            low.down.tx.end(low.down.cx, tx);
        }
        done
    }

    fn serve(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog, tx): (CallHandle, DialogHandle, TxHandle),
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let number = e.cseq.map_or(0, |c| c.number);
        let cx = &mut *low.down.cx;
        // RFC 3261 12.2.2: the CSeq of a dialog only grows.
        if low.dialogs.note_request(dialog, number, path)? == crate::dialog::Order::Lower {
            return low.down.tx.reply(cx, tx, 500, &Reply::default());
        }
        // RFC 5407 3.2.2, 3.3.3: our BYE has ended the session, but not the subscriptions (RFC 5057 4.2).
        let session = !matches!(m.method(), Method::Bye | Method::Notify | Method::Subscribe);
        if session && self.state(h) == Ok(State::Leaving) {
            return low.down.tx.reply(low.down.cx, tx, 481, &Reply::default());
        }
        if let Some(d) = low.dialogs.get_mut(dialog).filter(|_| m.method() == Method::Invite) {
            d.peer.learn(m);
        }
        if matches!(m.method(), Method::Invite | Method::Update) {
            self.note_identity(low, h, dialog, m)?;
        }
        match m.method() {
            Method::Bye => {
                low.down.tx.reply(low.down.cx, tx, 200, &Reply::default())?;
                self.on_bye(low, h, m)
            }
            Method::Prack => self.on_prack(low, (h, dialog, tx), m),
            Method::Update => self.on_update(low, (h, dialog, tx), m),
            Method::Refer => self.on_refer(low, h, dialog, tx, m, number),
            Method::Subscribe => {
                let theirs = self.calls.live(h)?.transfer.theirs;
                self.on_subscribe(low, theirs, tx, m, e)
            }
            Method::Notify => {
                let ours = self.calls.live(h)?.transfer.ours;
                self.on_notify(low, ours, tx, m)
            }
            Method::Invite => self.on_reinvite(low, h, tx, number, m),
            Method::Message => {
                let line = self.calls.live(h)?.line;
                self.hand_over(low, line.map_or(0, LineHandle::raw), Some(h), tx)
            }
            _ => self.answer_otherwise(low, tx, m),
        }
    }

    fn on_bye(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        match self.step(h, Happening::Bye)? {
            Act::TellEnded => {
                let block = low.cx().pool.copy_in(m.bytes()).ok();
                self.ended(low, h, EndReason::RemoteHangup, 0, block)
            }
            Act::SendTerminated => self.ended(low, h, EndReason::Cancelled, 487, None),
            _ => Ok(()),
        }
    }

    /// RFC 3261 15.1.2: an INVITE that waits for its answer gets 487. Nobody will answer it later,
    /// so without room for that its transaction ends, and a repetition of it is 481.
    pub(super) fn refuse_pending(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let tag = call.tag;
        let Some(tx) = call.invite.take() else { return };
        self.media_unasked(low, h);
        self.roll_back(low, h);
        let reply = Reply { to_tag: Some(tag.as_bytes()), ..Reply::default() };
        match low.down.tx.reply(low.down.cx, tx, 487, &reply) {
            Ok(()) | Err(Error::Late | Error::Gone) => {
                low.down.tx.set_owner(tx, Owner::default());
            }
            Err(_) => low.down.tx.end(low.down.cx, tx),
        }
    }
}
