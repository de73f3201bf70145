//! UPDATE (RFC 3311): changes the session, the remote target and the session timer, in early dialogs
//! too, and meets INVITE, re-INVITE, PRACK and another UPDATE on its way.

use super::Extras;
use super::call::{Again, part};
use super::clock::Due;
use super::description::{Taken, warning};
use super::outside::abilities;
use super::session::{description, own_description, park_fields, rest};
use super::session_timer::{Fields, Happening as TimerHappening};
use super::table::{Act, Happening, State};
use super::{CallHandle, LineHandle, Low, Ua, record};
use crate::attempt::AttemptHandle;
use crate::dialog::{DialogHandle, Exchange, InDialog, Kept, Peer};
use crate::error::{Error, Misuse};
use crate::header::essentials::Essentials;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// The UPDATEs of a call, ours and the peer's.
#[derive(Debug, Default)]
pub(super) struct Update {
    /// Ours that is on its way, and its dialog.
    ours: Option<(AttemptHandle, DialogHandle)>,
    /// It refreshes the session timer and nothing else.
    refresh: bool,
    /// What the application's UPDATE carries, until it has its final response.
    again: Option<Again>,
    /// The application's own description in that.
    own: Option<BlockId>,
    /// The peer's request with an offer that the application has to answer.
    asked: Option<TxHandle>,
}

impl Update {
    /// Whether one of ours is on its way, or waits to be.
    pub(super) const fn is_open(&self) -> bool {
        self.ours.is_some() || self.again.is_some()
    }

    /// Whether what the application sends has an offer.
    const fn offers(&self) -> bool {
        self.own.is_some() || matches!(self.again, Some(Again::Offer { .. }))
    }
}

impl Ua {
    /// Sends an UPDATE with these fields and this body (RFC 3311 5.1). Queues output.
    pub fn update(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        if matches!(call.state, State::Cancelling | State::Parting | State::Leaving | State::Ended)
        {
            return Err(Error::Late);
        }
        let misuse = Error::Misuse(Misuse::State);
        // RFC 3261 12.1: no response of ours has made the dialog known yet.
        let dialog = call.dialog.filter(|_| call.state != State::Incoming).ok_or(misuse)?;
        // RFC 3311 4: only a peer that allows it.
        let allowed = low.dialogs.get(dialog).is_some_and(|d| d.peer.has(Peer::UPDATE));
        if !allowed || call.extensions.update.again.is_some() {
            return Err(misuse);
        }
        let offer = !extras.body.is_empty() || extras.media.is_some();
        if offer && self.exchange(low, h, dialog) != Exchange::Stable {
            return Err(misuse);
        }
        let unheard = call.state == State::Accepted;
        self.change_identity(low, h, extras)?;
        let again = if extras.media.is_some() {
            self.given(low, h, extras)?;
            Again::Offer { fields: park_fields(low.cx(), extras)?, in_use: false }
        } else {
            Again::Kept(rest(low.cx(), extras, None, None)?)
        };
        let own = own_description(&mut low.cx().pool, extras);
        let update = &mut self.calls.live_mut(h)?.extensions.update;
        update.again = Some(again);
        update.own = own.unwrap_or(None);
        if update.ours.is_some() || unheard {
            // A refresh of ours is on its way: this one goes when that has ended. Or the peer may not
            // know the dialog before it has our 2xx: it goes when the ACK has come.
            return Ok(());
        }
        self.send_update(low, h, dialog, false).inspect_err(|_| self.drop_update(low, h))
    }

    /// Sends what waits, or a refresh.
    pub(super) fn send_update(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        refresh: bool,
    ) -> Result<(), Error> {
        let update = &self.calls.live(h)?.extensions.update;
        let (again, own) = (update.again.filter(|_| !refresh), update.own.filter(|_| !refresh));
        let (end, offer) = match again {
            Some(again) => {
                let (end, made) = self.reinvite_rest(low, h, again)?;
                own.into_iter().for_each(|own| low.cx().pool.hold(own));
                (Some(end), made.or(own))
            }
            None => (None, None),
        };
        let sent = self.send_update_with(low, h, dialog, end);
        if let Some(offer) = offer {
            if sent.is_ok() {
                self.offer_sent(low, dialog, offer);
            }
            low.cx().pool.release(offer);
        }
        end.into_iter().for_each(|end| low.cx().pool.release(end));
        let attempt = sent?;
        let update = &mut self.calls.live_mut(h)?.extensions.update;
        update.ours = Some((attempt, dialog));
        update.refresh = refresh;
        Ok(())
    }

    /// Whether the offer that is open in this dialog is one in an UPDATE of ours.
    pub(super) fn update_offers(&self, low: &Low<'_>, h: CallHandle, d: DialogHandle) -> bool {
        let update = self.calls.get(h).map(|c| &c.extensions.update);
        let sent = |u: &Update| u.ours.is_some_and(|(_, of)| of == d) && !u.refresh && u.offers();
        Self::offered(low, d) && update.is_some_and(sent)
    }

    fn send_update_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        end: Option<BlockId>,
    ) -> Result<AttemptHandle, Error> {
        let confirmed = self.state(h)? == State::Confirmed;
        let mut user = [0u8; 128];
        let len = self.contact_user_of(low.cx(), h, &mut user);
        // RFC 4028 7.2: there is no session before the 2xx.
        let timer = if confirmed { self.timer_fields(low.cx(), h) } else { Fields::default() };
        let mut fields = [(Name::Other, &[][..]); 5];
        let own = abilities(&low.cx().config);
        let n = fill(&mut fields, own.into_iter().chain(timer.each()));
        let what = InDialog {
            contact: user.get(..len),
            fields: fields.get(..n).unwrap_or(&[]),
            kept: end.map(|block| Kept { block }),
            ..InDialog::plain(Method::Update, None)
        };
        self.send_in_dialog(low, h, dialog, part::UPDATE, &what).map(|(attempt, _)| attempt)
    }

    fn drop_update(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let update = &mut call.extensions.update;
        let (again, own) = (update.again.take(), update.own.take());
        again.into_iter().for_each(|again| again.release(low.cx()));
        own.into_iter().for_each(|own| low.cx().pool.release(own));
    }

    /// A response to an UPDATE of ours (RFC 3311 5.3).
    pub(super) fn on_update_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let status = m.status();
        if status < 200 {
            return Ok(());
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        if status >= 300 {
            let raised = status == 422 && self.timer_raised(h, m);
            return self.on_update_refused(low, h, (status, raised), block);
        }
        let update = &mut self.calls.live_mut(h)?.extensions.update;
        let refresh = update.refresh;
        let Some((_, dialog)) = update.ours.take() else {
            block.into_iter().for_each(|block| low.cx().pool.release(block));
            return Ok(());
        };
        if refresh {
            block.into_iter().for_each(|block| low.cx().pool.release(block));
            self.update_done(low, h, dialog, m)?;
            return self.refresh_ended(low, h, dialog, status);
        }
        self.tell(low.cx(), h, record::UPDATED, status, block)?;
        self.update_done(low, h, dialog, m)?;
        self.drop_update(low, h);
        Ok(())
    }

    /// An UPDATE of ours is refused; `block` holds the response. `raised`: it may be sent again with
    /// a longer session.
    pub(super) fn on_update_refused(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        (status, raised): (u16, bool),
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let update = &mut self.calls.live_mut(h)?.extensions.update;
        let refresh = update.refresh;
        let ours = update.ours.take();
        let told = block.filter(|_| ours.is_some() && !refresh && status != 491 && !raised);
        if told.is_none() {
            block.into_iter().for_each(|block| low.cx().pool.release(block));
        }
        let Some((_, dialog)) = ours else { return Ok(()) };
        // RFC 3311 5.3: as if no UPDATE had been sent.
        self.unoffer(low, h, dialog, refresh);
        if raised && self.send_update(low, h, dialog, refresh).is_ok() {
            return Ok(());
        }
        if status == 491 && !refresh {
            return self.wait_again(low, h);
        }
        if refresh {
            return self.refresh_ended(low, h, dialog, status);
        }
        self.drop_update(low, h);
        self.tell(low.cx(), h, record::UPDATED, status, told)?;
        self.dialog_lost(low, h, status)
    }

    fn update_done(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        if let Some(d) = low.dialogs.get_mut(dialog) {
            d.peer.learn(m);
        }
        match low.dialogs.refresh_target(low.down.cx, dialog, m) {
            // Without room the old target stays, which has been a way to the peer.
            Ok(()) | Err(Error::Full(_) | Error::Gone) => {}
            Err(e) => return Err(e),
        }
        self.take_description(low, h, dialog, m)?;
        // An answer that lacks is none.
        self.unoffer(low, h, dialog, self.calls.live(h)?.extensions.update.refresh);
        if self.state(h)? == State::Confirmed { self.timer_answered(low, h, m) } else { Ok(()) }
    }

    /// The offer of our UPDATE, if it is still open, has failed.
    fn unoffer(&mut self, low: &mut Low<'_>, h: CallHandle, dialog: DialogHandle, refresh: bool) {
        let offers = self.calls.get(h).is_some_and(|c| c.extensions.update.offers());
        if offers && !refresh {
            Self::roll_back_offer(low, dialog);
        }
    }

    /// An UPDATE of ours has had no response.
    pub(super) fn on_update_failure(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: Failure,
    ) -> Result<(), Error> {
        let status = if why == Failure::Timeout { 408 } else { 503 };
        let update = &mut self.calls.live_mut(h)?.extensions.update;
        let refresh = update.refresh;
        let Some((_, dialog)) = update.ours.take() else { return Ok(()) };
        self.unoffer(low, h, dialog, refresh);
        if refresh {
            return self.refresh_ended(low, h, dialog, 408);
        }
        self.drop_update(low, h);
        self.tell(low.cx(), h, record::UPDATED, status, None)?;
        // RFC 3311 5.3 with RFC 3261 12.2.1.2: no response at all ends the dialog.
        self.dialog_lost(low, h, 408)
    }

    /// RFC 3261 12.2.1.2: 408 and 481 say that the dialog is gone.
    pub(super) fn dialog_lost(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
    ) -> Result<(), Error> {
        if !matches!(status, 408 | 481) {
            return Ok(());
        }
        match self.act(h, Happening::Hangup)? {
            Act::SendBye => {
                self.step(h, Happening::Hangup)?;
                self.send_bye(low, h)
            }
            Act::GiveUp => self.give_up(low, h, Happening::Hangup),
            _ => Ok(()),
        }
    }

    /// Our refresh of the session timer has ended (RFC 4028 10).
    pub(super) fn refresh_ended(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        status: u16,
    ) -> Result<(), Error> {
        match status {
            200..=299 => {}
            408 | 481 => return self.timer_step(low, h, TimerHappening::Lost),
            405 | 501 => {
                if let Some(d) = low.dialogs.get_mut(dialog) {
                    d.peer.lacks(Peer::UPDATE);
                }
                if self.send_refresh(low, h).is_err() {
                    self.timer_step(low, h, TimerHappening::Refused)?;
                }
            }
            491 => {
                self.timer_step(low, h, TimerHappening::Refused)?;
                let at = self.glare_over(low, h);
                self.arm(low.cx(), h, Due::Session, at)?;
            }
            _ => self.timer_step(low, h, TimerHappening::Refused)?,
        }
        self.update_again(low, h)
    }

    /// An UPDATE that waited is sent now, unless one is on its way.
    pub(super) fn update_again(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let update = &call.extensions.update;
        let Some(dialog) = call.dialog.filter(|_| update.again.is_some() && update.ours.is_none())
        else {
            return Ok(());
        };
        if call.state == State::Accepted {
            return Ok(());
        }
        if !matches!(call.state, State::Proceeding | State::Alerting | State::Confirmed) {
            self.drop_update(low, h);
            return Ok(());
        }
        if update.offers() && self.exchange(low, h, dialog) != Exchange::Stable {
            return self.wait_again(low, h);
        }
        match self.send_update(low, h, dialog, false) {
            Err(Error::Full(_)) => self.wait_again(low, h),
            other => other,
        }
    }

    /// An UPDATE of the peer (RFC 3311 5.2).
    pub(super) fn on_update(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog, tx): (CallHandle, DialogHandle, TxHandle),
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        if self.is_asked(low, h) {
            return refuse_later(low, tx);
        }
        if description(m).is_some() {
            match self.exchange(low, h, dialog) {
                Exchange::Offered => {
                    return low.down.tx.reply(low.down.cx, tx, 491, &Reply::default());
                }
                Exchange::Asked => return refuse_later(low, tx),
                Exchange::Stable => {}
            }
        }
        if let Some(d) = low.dialogs.get_mut(dialog) {
            d.peer.learn(m);
        }
        let taken = self.take_description(low, h, dialog, m)?;
        self.answer_taken(low, (h, dialog, tx), taken)
    }

    /// Answers an UPDATE or a PRACK by what its description was.
    pub(super) fn answer_taken(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog, tx): (CallHandle, DialogHandle, TxHandle),
        taken: Taken,
    ) -> Result<(), Error> {
        let none = Extras::default();
        match taken {
            Taken::Done => self.answer_update(low, (h, dialog), tx, 200, (&none, None)),
            Taken::Answer(answer) => {
                let end = rest(low.cx(), &none, None, Some(answer));
                low.cx().pool.release(answer);
                let end = end?;
                let sent = self.answer_update(low, (h, dialog), tx, 200, (&none, Some(end)));
                low.cx().pool.release(end);
                sent
            }
            Taken::Refuse(refusal) => {
                let mut text = [0u8; 80];
                let len = warning(&refusal, &mut text);
                let extra = [(Name::Warning, text.get(..len).unwrap_or(&[]))];
                let reply = Reply { extra: &extra, ..Reply::default() };
                low.down.tx.reply(low.down.cx, tx, refusal.status, &reply)
            }
            Taken::Ask => self.ask(low, h, tx).inspect_err(|_| Self::roll_back_offer(low, dialog)),
        }
    }

    /// Lets the application answer a request with an offer.
    pub(super) fn ask(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
    ) -> Result<(), Error> {
        let line = self.calls.live(h)?.line;
        self.hand_over(low, line.map_or(0, LineHandle::raw), Some(h), tx)?;
        self.calls.live_mut(h)?.extensions.update.asked = Some(tx);
        Ok(())
    }

    /// Whether a request with an offer waits for the application.
    pub(super) fn is_asked(&self, low: &Low<'_>, h: CallHandle) -> bool {
        let asked = self.calls.get(h).and_then(|c| c.extensions.update.asked);
        asked.is_some_and(|tx| low.down.tx.status(tx).is_some_and(|s| s < 200))
    }

    /// The call and the dialog of an UPDATE or PRACK that the application answers.
    pub(super) fn call_of_offer(
        &self,
        low: &Low<'_>,
        tx: TxHandle,
    ) -> Option<(CallHandle, DialogHandle)> {
        if !matches!(low.down.tx.method(tx)?, Method::Update | Method::Prack) {
            return None;
        }
        let block = low.down.tx.request(low.down.cx, tx)?;
        let m = MessageRef::lazy(low.down.cx.pool.bytes_of(block))?;
        let e = Essentials::of(&m);
        let d = low.dialogs.of_request(low.down.cx, &m, &e)?;
        let h = CallHandle::from_raw(low.dialogs.get(d)?.owner().object);
        self.calls.get(h).map(|_| (h, d))
    }

    /// The application answers an UPDATE or PRACK with an offer.
    pub(super) fn respond_offer(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog): (CallHandle, DialogHandle),
        tx: TxHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        if status < 200 {
            return self.answer_update(low, (h, dialog), tx, status, (extras, None));
        }
        let mut answer = None;
        if (200..300).contains(&status) {
            if extras.media.is_some() {
                self.given(low, h, extras)?;
                answer = match self.local_description(low, h, dialog)? {
                    Ok(answer) => answer,
                    Err(_) => return Err(Error::Misuse(Misuse::Media)),
                };
            } else {
                self.own_answer(low, dialog, extras)?;
            }
        }
        let end = answer.map(|answer| rest(low.cx(), extras, None, Some(answer)));
        answer.into_iter().for_each(|answer| low.cx().pool.release(answer));
        let end = end.transpose()?;
        let sent = self.answer_update(low, (h, dialog), tx, status, (extras, end));
        end.into_iter().for_each(|end| low.cx().pool.release(end));
        sent?;
        Self::roll_back_asked(low, dialog);
        Ok(())
    }

    /// An offer of the peer's that has no answer has none for ever.
    fn roll_back_asked(low: &mut Low<'_>, dialog: DialogHandle) {
        if low.dialogs.get(dialog).is_some_and(|d| d.session.exchange == Exchange::Asked) {
            Self::roll_back_offer(low, dialog);
        }
    }

    /// The application has not answered in time.
    pub(super) fn offer_unanswered(&mut self, low: &mut Low<'_>, tx: TxHandle) {
        if let Some((_, dialog)) = self.call_of_offer(low, tx) {
            Self::roll_back_asked(low, dialog);
        }
    }

    /// Answers an UPDATE or PRACK: the 2xx to an UPDATE refreshes the remote target and the session
    /// timer.
    fn answer_update(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog): (CallHandle, DialogHandle),
        tx: TxHandle,
        status: u16,
        (extras, end): (&Extras<'_>, Option<BlockId>),
    ) -> Result<(), Error> {
        let update = low.down.tx.method(tx) == Some(Method::Update);
        let success = (200..300).contains(&status);
        let refresh = success && update;
        let mut contact = [0u8; 256];
        let len = if refresh { self.contact(low, h, &mut contact) } else { 0 };
        let contact = contact.get(..len).filter(|c| !c.is_empty());
        let timed = refresh && self.state(h)? == State::Confirmed;
        let (timer, agreed) =
            if timed { self.timer_answer(low, h, tx) } else { Default::default() };
        let mut fields = [(Name::Other, &[][..]); 5];
        let own = abilities(&low.cx().config).into_iter().filter(|_| refresh);
        let n = fill(&mut fields, own.chain(timer.each()));
        let reply = Reply {
            contact,
            extra: fields.get(..n).unwrap_or(&[]),
            named: extras.headers,
            body: (!extras.body.is_empty())
                .then_some((extras.content_type.as_bytes(), extras.body)),
            rest: end,
            ..Reply::default()
        };
        let request = low.down.tx.request(low.down.cx, tx).filter(|_| refresh);
        if let Some(request) = request {
            low.cx().pool.hold(request);
        }
        let sent = low.down.tx.reply(low.down.cx, tx, status, &reply);
        if let Some(request) = request {
            if sent.is_ok() {
                // Without room the old target stays, which has been a way to the peer.
                let _ = low.dialogs.accept_target(low.down.cx, dialog, request);
            }
            low.cx().pool.release(request);
        }
        sent?;
        if success {
            self.answer_is_final(low, dialog);
            self.tell_media(low, h, dialog)?;
        }
        if timed { self.timer_agreed(low, h, agreed) } else { Ok(()) }
    }

    /// The call ends: what it had on its way or was asked ends with it.
    pub(super) fn end_updates(&mut self, low: &mut Low<'_>, update: Update) {
        if let Some((attempt, _)) = update.ours {
            low.attempts.end(&mut low.down, attempt);
        }
        update.again.into_iter().for_each(|again| again.release(low.cx()));
        update.own.into_iter().for_each(|own| low.cx().pool.release(own));
        let owner = update.asked.and_then(|tx| Some((tx, low.down.tx.owner(tx)?)));
        let Some((tx, owner)) = owner.filter(|(_, o)| o.kind == OwnerKind::Request) else { return };
        // RFC 3261 15.1.2: pending requests get 487. Without room their own timer answers.
        if low.down.tx.reply(low.down.cx, tx, 487, &Reply::default()).is_ok() {
            low.down.tx.set_owner(tx, Owner::default());
            self.waits_no_more(low, owner);
        }
    }
}

/// Puts fields into the places of an array; how many.
pub(super) fn fill<'a>(
    places: &mut [(Name, &'a [u8])],
    fields: impl Iterator<Item = (Name, &'a [u8])>,
) -> usize {
    let mut n = 0;
    for (place, field) in places.iter_mut().zip(fields) {
        *place = field;
        n += 1;
    }
    n
}

/// RFC 3311 5.2, RFC 3261 14.2: 500 with a Retry-After of 0 to 10 seconds.
pub(super) fn refuse_later(low: &mut Low<'_>, tx: TxHandle) -> Result<(), Error> {
    let mut text = [0u8; 2];
    let seconds = u32::try_from(low.cx().random() % 11).unwrap_or(0);
    let len = super::extensions::number_text(seconds, &mut text);
    let extra = [(Name::RetryAfter, text.get(..len).unwrap_or(&[]))];
    low.down.tx.reply(low.down.cx, tx, 500, &Reply { extra: &extra, ..Reply::default() })
}
