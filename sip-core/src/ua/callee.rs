//! The callee's side: INVITE in, provisional and final responses, the 2xx repeated until its ACK,
//! CANCEL, and re-INVITEs of the peer.

use super::Extras;
use super::call::{Call, Repeating, millis, owner};
use super::clock::Due;
use super::outside::abilities;
use super::pair::{Pair, is_focus};
use super::session::{Given, Waits, description, is_sdp, own_description, park_fields, rest};
use super::table::{Act, Happening, State};
use super::update::{fill, refuse_later};
use super::{CallHandle, EndReason, LineHandle, Low, Ua, record};
use crate::dialog::{DialogHandle, Exchange};
use crate::error::{Error, Ignored, Limit, Misuse, Seen};
use crate::header::essentials::Essentials;
use crate::path::{KeptPath, Path};
use crate::sdp::Refusal;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;

impl Ua {
    /// An INVITE for one of our lines: opens a call. `Full` means that it was not admitted.
    pub(super) fn on_invite(
        &mut self,
        low: &mut Low<'_>,
        line: Option<LineHandle>,
        pair: Option<Pair>,
        (m, e, path): (&MessageRef<'_>, &Essentials, &Path),
    ) -> Result<(), Error> {
        if self.calls_in >= self.max_in {
            return Err(Error::Full(Limit::Calls));
        }
        let tag = low.cx().tag();
        let h = self.calls.insert(Call::new(State::Incoming, false, tag))?;
        if let Some(call) = self.calls.get_mut(h) {
            call.transfer.set_pair(pair);
            call.transfer.focus = is_focus(m, e);
        }
        self.calls_in += 1;
        low.cx().promised += 1;
        match self.admit(low, h, line, m, e, path) {
            Ok(()) => Ok(()),
            Err(error) => {
                self.forget(low, h);
                Err(error)
            }
        }
    }

    fn admit(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        line: Option<LineHandle>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let tag = self.calls.live(h)?.tag;
        if !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        let cx = &mut *low.down.cx;
        let dialog = low.dialogs.create_uas(cx, m, e, tag.as_bytes(), owner(h, 0), path)?;
        let call = self.calls.live_mut(h)?;
        call.line = line;
        call.way = KeptPath::of(path);
        call.dialog = Some(dialog);
        self.note_offer(low, h, dialog, m)?;
        let cx = &mut *low.down.cx;
        let call = self.calls.live_mut(h)?;
        let tx = low.down.tx.open_server(cx, owner(h, 0), m, e, path)?;
        call.invite = Some(tx);
        call.invite_seq = e.cseq.map_or(0, |c| c.number);
        // The caller's own bound comes first.
        let bound = cx.config.ring.saturating_add(cx.config.t1.saturating_mul(64));
        // RFC 3261 13.3.1 step 1
        let asked = e.expires.map(|s| u64::from(s).saturating_mul(1_000)).filter(|ms| *ms < bound);
        call.expires = asked.is_some();
        let at = cx.now.after(asked.unwrap_or(bound));
        self.arm(cx, h, Due::Ring, at)?;
        let block = low.down.tx.request(low.down.cx, tx);
        if let Some(block) = block {
            low.cx().pool.hold(block);
        }
        self.tell(low.cx(), h, record::INCOMING, 0, block)?;
        self.answers_itself(low, h)?;
        self.judge_call(low, h, m, e)
    }

    /// Keeps the offer of an INVITE, or that it has none.
    fn note_offer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let sdp = description(m);
        self.calls.live_mut(h)?.no_offer = m.body().is_empty();
        match sdp {
            Some(sdp) => self.offer_came(low, d, sdp),
            None => Ok(()),
        }
    }

    /// Sends a response to the call's open INVITE; `end` is its rest, in place of the application's
    /// fields and body.
    fn respond(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
        status: u16,
        (extras, end): (&Extras<'_>, Option<BlockId>),
        more: &[(Name, &[u8])],
    ) -> Result<(), Error> {
        let tag = self.calls.live(h)?.tag;
        let mut contact = [0u8; 256];
        let len = if status < 300 { self.contact(low, h, &mut contact) } else { 0 };
        let contact = contact.get(..len).unwrap_or(&[]);
        let timed = (200..300).contains(&status);
        let (timer, agreed) =
            if timed { self.timer_answer(low, h, tx) } else { Default::default() };
        let described = |block| !low.down.cx.pool.bytes_of(block).ends_with(b"\r\n\r\n");
        let body = !extras.body.is_empty() || end.is_some_and(described);
        let reliable = self.reliable_fields(low, h, status, body);
        let mut fields = [(Name::Other, &[][..]); 7];
        let of_it = timer.each().chain(reliable.iter().flat_map(|r| r.each()));
        let n = fill(&mut fields, more.iter().copied().chain(of_it));
        let reply = Reply {
            to_tag: Some(tag.as_bytes()),
            record_route: status < 300,
            contact: (!contact.is_empty()).then_some(contact),
            extra: fields.get(..n).unwrap_or(&[]),
            named: extras.headers,
            body: (!extras.body.is_empty())
                .then_some((extras.content_type.as_bytes(), extras.body)),
            rest: end,
            ..Reply::default()
        };
        self.send_or_hold(low, h, (tx, status), &reply, (reliable, body))?;
        if let Some(d) = self.calls.live(h)?.dialog.filter(|_| reliable.is_some() && body) {
            // RFC 3261 13.2.1: a reliable answer is not said again.
            self.answer_is_final(low, d);
        }
        if timed { self.timer_agreed(low, h, agreed) } else { Ok(()) }
    }

    /// The same, with a description; its hold goes over.
    fn respond_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
        status: u16,
        (extras, fields, sdp): (&Extras<'_>, Option<BlockId>, Option<BlockId>),
        more: &[(Name, &[u8])],
    ) -> Result<(), Error> {
        let end = if fields.is_some() || sdp.is_some() {
            rest(low.cx(), extras, fields, sdp).map(Some)
        } else {
            Ok(None)
        };
        if let Some(sdp) = sdp {
            low.cx().pool.release(sdp);
        }
        let end = end?;
        let sent = self.respond(low, h, tx, status, (extras, end), more);
        if let Some(end) = end {
            low.cx().pool.release(end);
        }
        sent
    }

    /// Sends a provisional response; with media or a description of the application's own it
    /// carries the answer to the offer (early media, RFC 3261 13.3.1.1). Queues output.
    pub fn ring(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        if !(101..200).contains(&status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        if self.act(h, Happening::Ring)? != Act::SendProvisional {
            return self.ring_again(low, h, status, extras);
        }
        let call = self.calls.live(h)?;
        let (tx, dialog) = (call.invite.ok_or(Error::Late)?, call.dialog.ok_or(Error::Gone)?);
        let sdp = self.early_description(low, h, dialog, extras)?;
        let fields = abilities(&low.cx().config);
        self.respond_with(low, h, tx, status, (extras, None, sdp), &fields)?;
        self.tell_media(low, h, dialog)?;
        self.step(h, Happening::Ring).map(|_| ())
    }

    /// The same for a re-INVITE that waits for the application (RFC 3261 14.2). It carries nothing, and
    /// is not sent reliably.
    fn ring_again(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let waits = call.invite.filter(|_| call.state == State::Confirmed);
        let tx = waits.ok_or_else(|| self.wrong_side(h))?;
        if extras.media.is_some() || !extras.body.is_empty() {
            return Err(Error::Misuse(Misuse::Media));
        }
        // RFC 3262 3
        if Self::insists_on_reliable(low, tx) {
            return Err(Error::Late);
        }
        let fields = abilities(&low.cx().config);
        self.respond(low, h, tx, status, (extras, None), &fields)
    }

    /// Notes a description that the application made itself: the answer to the open offer, or another
    /// one after an unreliable provisional response had one.
    pub(super) fn own_answer(
        &mut self,
        low: &mut Low<'_>,
        d: DialogHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let Some(own) = own_description(&mut low.cx().pool, extras)? else { return Ok(()) };
        let session = low.dialogs.get(d).map(|d| d.session).unwrap_or_default();
        let noted = match session.exchange {
            Exchange::Asked => self.agree_on(low, d, Some(own), None),
            Exchange::Stable if session.preview => match session.remote_copy(&mut low.cx().pool) {
                Ok(Some(offer)) => {
                    let noted = self.agree_on(low, d, Some(own), Some(offer));
                    low.cx().pool.release(offer);
                    noted
                }
                other => other.map(drop),
            },
            _ => Ok(()),
        };
        low.cx().pool.release(own);
        noted
    }

    /// Why a call takes no response: nobody asked us, or the moment has passed.
    fn wrong_side(&self, h: CallHandle) -> Error {
        let ours = self.calls.get(h).is_some_and(|c| c.caller && c.state != State::Confirmed);
        if ours { Error::Misuse(Misuse::State) } else { Error::Late }
    }

    /// The INVITE that an answer answers, and whether it opened the call.
    fn answerable(&self, h: CallHandle) -> Result<(TxHandle, DialogHandle, bool), Error> {
        let fresh = self.act(h, Happening::Answer)? == Act::SendSuccess;
        let call = self.calls.live(h)?;
        let tx = call.invite.ok_or_else(|| self.wrong_side(h))?;
        if !fresh && call.state != State::Confirmed {
            return Err(Error::Late);
        }
        Ok((tx, call.dialog.ok_or(Error::Gone)?, fresh))
    }

    /// Answers: a call that came in, or a re-INVITE. Without media that the call has already, and
    /// without a body, the application is asked for its media first. Queues output.
    pub fn answer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let (_, dialog, _) = self.answerable(h)?;
        if self.calls.live(h)?.media.query.is_some() {
            return Err(self.being_answered(h));
        }
        match self.given(low, h, extras)? {
            Given::Ask => {
                let fields = park_fields(low.cx(), extras)?;
                self.ask_media(low, h, Some(dialog), Waits::Answer, fields)
            }
            given => self.answer_now(low, h, (extras, None), given),
        }
    }

    /// The application has said what media a call has that it answered.
    pub(super) fn answer_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        fields: Option<BlockId>,
        own: &Extras<'_>,
    ) -> Result<(), Error> {
        let given = match self.calls.live(h)?.media.is_given() {
            _ if !own.body.is_empty() => Given::Body,
            true => Given::Profile,
            false => {
                let none = b"399 sansip \"No media\"";
                return self.refuse_media(low, h, 488, none);
            }
        };
        match self.answer_now(low, h, (own, fields), given) {
            Err(Error::Late) => Ok(()),
            other => other,
        }
    }

    fn answer_now(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        (extras, fields): (&Extras<'_>, Option<BlockId>),
        given: Given,
    ) -> Result<(), Error> {
        let (tx, dialog, fresh) = self.answerable(h)?;
        // RFC 3261 13.2.1, RFC 6337 3.1: a session that was agreed reliably is not described again. An
        // offer that is open then is one in an UPDATE.
        let settled = fresh && Self::is_settled(low, dialog);
        let told = settled && is_sdp(extras.content_type.as_bytes());
        let extras = if told { &Extras { body: &[], ..*extras } } else { extras };
        let mut sdp = None;
        match given {
            _ if settled => {}
            Given::Profile => match self.success_description(low, h, dialog)? {
                Ok(description) => sdp = description,
                Err(refusal) => return self.refuse_offer(low, h, &refusal),
            },
            _ if self.calls.live(h)?.no_offer => {
                if let Some(own) = own_description(&mut low.cx().pool, extras)? {
                    self.offer_sent(low, dialog, own);
                    low.cx().pool.release(own);
                }
            }
            _ => self.own_answer(low, dialog, extras)?,
        }
        self.accept(low, h, (tx, dialog, fresh), (extras, fields, sdp))?;
        self.answer_is_final(low, dialog);
        if let Some(call) = self.calls.get_mut(h) {
            call.media.before = call.media.hold;
        }
        let asked = low.dialogs.get(dialog).map(|d| d.session.exchange) == Some(Exchange::Asked);
        if asked && !settled {
            Self::roll_back_offer(low, dialog);
        }
        self.tell_media(low, h, dialog)
    }

    /// Whether the exchange of the call's first INVITE is over: no final response repeats the answer.
    fn is_settled(low: &Low<'_>, d: DialogHandle) -> bool {
        let session = low.dialogs.get(d).map(|d| d.session).unwrap_or_default();
        session.agreed().is_some() && !session.preview
    }

    /// RFC 3261 13.3.1.3, 14.2: no session can be had from this offer.
    fn refuse_offer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        refusal: &Refusal,
    ) -> Result<(), Error> {
        let mut text = [0u8; 80];
        let at = super::description::warning(refusal, &mut text);
        self.refuse_media(low, h, refusal.status, text.get(..at).unwrap_or(&[]))
    }

    fn refuse_media(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        warning: &[u8],
    ) -> Result<(), Error> {
        let fields = [(Name::Warning, warning)];
        if self.act(h, Happening::Reject)? == Act::SendRefusal {
            self.calls.live_mut(h)?.end = Some(EndReason::BadMedia);
            return self.refuse_with(low, h, status, (&Extras::default(), None), &fields);
        }
        let tx = self.calls.live(h)?.invite.ok_or(Error::Late)?;
        self.respond(low, h, tx, status, (&Extras::default(), None), &fields)?;
        self.let_go(low, h, tx);
        self.disarm(low.cx(), h, Due::Ring);
        Ok(())
    }

    /// Sends the 2xx and repeats it until its ACK.
    fn accept(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        (tx, dialog, fresh): (TxHandle, DialogHandle, bool),
        carries: (&Extras<'_>, Option<BlockId>, Option<BlockId>),
    ) -> Result<(), Error> {
        let fields = abilities(&low.cx().config);
        let reinvite = if fresh { None } else { low.down.tx.request(low.down.cx, tx) };
        if let Some(request) = reinvite {
            low.cx().pool.hold(request);
        }
        let sent = self.respond_with(low, h, tx, 200, carries, &fields);
        if let Some(request) = reinvite {
            if sent.is_ok() {
                // RFC 3261 12.2: only what is accepted changes the dialog. Without room the old
                // target stays, which has been a way to the peer.
                let _ = low.dialogs.accept_target(low.down.cx, dialog, request);
            }
            low.cx().pool.release(request);
        }
        sent?;
        if fresh {
            self.step(h, Happening::Answer)?;
        }
        self.disarm(low.cx(), h, Due::Ring);
        self.tell_policy(low.cx(), h, true)?;
        self.end_policy(low.cx(), h);
        let interval = low.cx().config.t1;
        self.calls.live_mut(h)?.invite = None;
        low.dialogs.confirm_uas(dialog)?;
        // RFC 3261 13.3.1.4: the 2xx is repeated by us, whatever the transport.
        let Some(block) = self.success_block(low, h, tx) else { return Ok(()) };
        low.cx().pool.hold(block);
        let since = low.cx().now;
        let offers = Self::offered(low, dialog) && !(fresh && Self::is_settled(low, dialog));
        if let Some(call) = self.calls.get_mut(h) {
            call.repeating = Some(Repeating { block, since, interval: millis(interval) });
            call.repeats_offer = offers;
            call.repeat_by = Some(tx);
        }
        self.arm(low.cx(), h, Due::Repeat, since.after(interval))?;
        if fresh {
            self.take_place(low, h);
        }
        Ok(())
    }

    /// Refuses: a call that came in, or a re-INVITE; status 0 as the line's policy says. Queues
    /// output.
    pub fn reject(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let status = if status == 0 { self.refusal(h, 486) } else { status };
        if !(300..700).contains(&status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        if self.act(h, Happening::Reject)? == Act::SendRefusal {
            return self.refuse(low, h, status, extras);
        }
        let tx = self.calls.live(h)?.invite.ok_or_else(|| self.wrong_side(h))?;
        self.respond(low, h, tx, status, (extras, None), &[])?;
        self.let_go(low, h, tx);
        self.disarm(low.cx(), h, Due::Ring);
        Ok(())
    }

    /// Sends the caller elsewhere: a 3xx with this Contact (RFC 3261 8.3, 13.3.1.2). Queues output.
    pub fn redirect(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        contact: &str,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        if !(300..400).contains(&status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        crate::header::uri::Uri::parse(contact.as_bytes())
            .map_err(|_| Error::Misuse(Misuse::BadUri))?;
        if self.act(h, Happening::Reject)? != Act::SendRefusal {
            return Err(Error::Late);
        }
        let mut value = [0u8; 512];
        let len = super::outside::bracketed(contact.as_bytes(), &mut value)?;
        let fields = [(Name::Contact, value.get(..len).unwrap_or(&[]))];
        self.refuse_with(low, h, status, (extras, None), &fields)
    }

    pub(super) fn refuse(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        self.refuse_with(low, h, status, (extras, None), &[])
    }

    pub(super) fn refuse_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        with: (&Extras<'_>, Option<BlockId>),
        fields: &[(Name, &[u8])],
    ) -> Result<(), Error> {
        let tx = self.calls.live(h)?.invite.ok_or(Error::Late)?;
        self.respond(low, h, tx, status, with, fields)?;
        self.tell_policy(low.cx(), h, false)?;
        self.let_go(low, h, tx);
        self.step(h, Happening::Reject)?;
        let call = self.calls.live(h)?;
        let why = if call.rang_out { EndReason::Timeout } else { EndReason::Rejected };
        let why = call.end.unwrap_or(why);
        self.ended(low, h, why, status, None)
    }

    /// The peer's INVITE has its final response, which its transaction repeats by itself.
    fn let_go(&mut self, low: &mut Low<'_>, h: CallHandle, tx: TxHandle) {
        if let Some(call) = self.calls.get_mut(h) {
            call.invite = None;
        }
        self.media_unasked(low, h);
        self.roll_back(low, h);
        low.down.tx.set_owner(tx, Owner::default());
    }

    /// The peer's CANCEL met the call's INVITE (RFC 3261 9.2). The CANCEL itself is answered.
    pub(crate) fn on_cancel(&mut self, low: &mut Low<'_>, from: Owner) -> Result<(), Error> {
        let h = CallHandle::from_raw(from.object);
        let Ok(state) = self.state(h) else { return Ok(()) };
        if state == State::Confirmed {
            // A re-INVITE that waits for the application.
            self.disarm(low.cx(), h, Due::Ring);
            self.refuse_pending(low, h);
            return Ok(());
        }
        // RFC 3261 9.2: a 2xx that waits for a PRACK is no final response yet.
        let waits = self.calls.live(h)?.extensions.provisionals.holds();
        if self.step(h, Happening::Cancel)? != Act::SendTerminated && !waits {
            return Ok(());
        }
        self.ended(low, h, EndReason::Cancelled, 487, None)
    }

    /// The ACK of our 2xx, found by its dialog. It has the CSeq number of its INVITE (RFC 3261
    /// 13.2.2.4); any other confirms nothing.
    pub(crate) fn on_ack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<Seen, Error> {
        let number = e.cseq.map(|c| c.number);
        if self.calls.get(h).is_none_or(|c| Some(c.invite_seq) != number) {
            return Ok(Seen::Ignored(Ignored::StrayAck));
        }
        let offers = self.calls.get(h).is_some_and(|c| c.repeats_offer);
        if !self.heard(low, h) {
            return Ok(Seen::Ignored(Ignored::Repeated));
        }
        // RFC 3311 5.1: else the offer that is open is one in an UPDATE, sent since the 2xx.
        let usable = !offers || self.on_ack_answer(low, h, m)?;
        match self.step(h, Happening::Ack)? {
            Act::TellConfirmed => {
                let block = low.cx().pool.copy_in(m.bytes()).ok();
                self.tell(low.cx(), h, record::CONFIRMED, 0, block)?;
            }
            Act::SendBye => return self.send_bye(low, h).map(|()| Seen::Used),
            _ => {}
        }
        if usable {
            if let Some(d) = self.calls.live(h)?.dialog {
                self.tell_media(low, h, d)?;
            }
            self.update_again(low, h)?;
        } else {
            self.end_unusable(low, h)?;
        }
        Ok(Seen::Used)
    }

    /// The peer has our 2xx, which is not repeated any more. False if it was not.
    fn heard(&mut self, low: &mut Low<'_>, h: CallHandle) -> bool {
        let Some(call) = self.calls.get_mut(h) else { return false };
        let Some(repeating) = call.repeating.take() else { return false };
        let (tx, confirmed) = (call.repeat_by.take(), call.state == State::Confirmed);
        low.cx().pool.release(repeating.block);
        if let Some(tx) = tx {
            low.down.tx.forget_response(low.down.cx, tx);
            // In the dialog a late repetition of the INVITE is not a new call.
            if confirmed {
                low.down.tx.spare(tx);
            }
        }
        self.disarm(low.cx(), h, Due::Repeat);
        self.forget_ack_later(low.cx(), h);
        true
    }

    /// RFC 5407 3.1.4: who sends a re-INVITE has our 2xx, though its ACK is late or lost. Not where
    /// that ACK is to answer our offer (RFC 6337 4.3).
    fn ack_implied(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let waits = call.repeating.is_some() && !call.repeats_offer;
        if !waits || call.extensions.provisionals.holds() || !self.heard(low, h) {
            return Ok(());
        }
        match self.step(h, Happening::Ack)? {
            Act::TellConfirmed => {
                let block = low.cx().pool.copy_in(m.bytes()).ok();
                self.tell(low.cx(), h, record::CONFIRMED, 0, block)?;
            }
            Act::SendBye => self.send_bye(low, h)?,
            _ => {}
        }
        // An UPDATE of ours that waited for the ACK.
        if self.calls.live(h)?.extensions.update.is_open() {
            self.wait_again(low, h)
        } else {
            Ok(())
        }
    }

    /// Whether an offer of ours is open.
    pub(super) fn offered(low: &Low<'_>, d: DialogHandle) -> bool {
        low.dialogs.get(d).is_some_and(|d| d.session.exchange == Exchange::Offered)
    }

    /// The answer to the offer of our 2xx (RFC 3261 13.2.1). False if it cannot be used, or lacks.
    fn on_ack_answer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<bool, Error> {
        let call = self.calls.live(h)?;
        let (Some(d), ours) = (call.dialog, call.has_profile()) else { return Ok(true) };
        if !Self::offered(low, d) {
            return Ok(true);
        }
        let good = match description(m) {
            Some(sdp) => self.answer_agreed(low, h, d, sdp)?,
            None => false,
        };
        self.answer_is_final(low, d);
        if !good {
            self.roll_back(low, h);
        }
        Ok(good || !ours)
    }

    // RFC 3261 13.3.1.4
    pub(super) fn repeat_success(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let (now, t1, t2) = (low.cx().now, low.cx().config.t1, low.cx().config.t2);
        let call = self.calls.live_mut(h)?;
        if call.extensions.provisionals.holds() {
            // RFC 3262 3: it goes out with the PRACK.
            return Ok(());
        }
        let Some(repeating) = call.repeating.as_mut() else { return Ok(()) };
        let over = repeating.since.after(t1.saturating_mul(64));
        if now >= over {
            call.repeat_by = None;
            let source = call.way.get();
            let fresh = matches!(call.state, State::Accepted | State::Parting);
            if fresh && !low.cx().is_proven(&source) {
                // Its Contact may be anybody's address: a BYE there would be a reflection.
                return self.ended(low, h, EndReason::NoAck, 0, None);
            }
            if self.step(h, Happening::NoAck)? == Act::SendBye {
                self.calls.live_mut(h)?.end.get_or_insert(EndReason::NoAck);
                return self.send_bye(low, h);
            }
            return Ok(());
        }
        repeating.interval = repeating.interval.saturating_mul(2).min(millis(t2));
        let block = repeating.block;
        let next = now.after(u64::from(repeating.interval)).min(over);
        if let Some(tx) = call.repeat_by {
            low.cx().pool.hold(block);
            match low.down.tx.respond(low.down.cx, tx, 200, block) {
                Ok(()) | Err(Error::Late | Error::Gone | Error::Full(_)) => {}
                Err(e) => return Err(e),
            }
        }
        self.arm(low.cx(), h, Due::Repeat, next)
    }

    /// An INVITE in the call's dialog (RFC 3261 14.2).
    pub(super) fn on_reinvite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
        number: u32,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        self.ack_implied(low, h, m)?;
        let asked = self.is_asked(low, h);
        let call = self.calls.live_mut(h)?;
        // RFC 3261 14.2: an INVITE of ours is in progress.
        let ours = [State::Calling, State::Proceeding, State::Cancelling].contains(&call.state);
        // RFC 5407 3.1.5: nor before the ACK that answers the offer of our 2xx.
        let answers = call.repeating.is_some() && call.repeats_offer;
        if ours || call.reinvite.is_some() || answers {
            return low.down.tx.reply(low.down.cx, tx, 491, &Reply::default());
        }
        // A first one has no final response yet; or an UPDATE waits for its answer (RFC 6337 4.3).
        let first = call.invite.is_some() || call.repeating.is_some();
        if first || call.state != State::Confirmed || asked {
            return refuse_later(low, tx);
        }
        let Some(dialog) = call.dialog else { return Err(Error::Gone) };
        // RFC 3264 4, RFC 3311 5.2: an offer of ours is open.
        if low.dialogs.get(dialog).is_some_and(|d| d.session.exchange != Exchange::Stable) {
            return low.down.tx.reply(low.down.cx, tx, 491, &Reply::default());
        }
        low.down.tx.set_owner(tx, owner(h, 0));
        call.invite = Some(tx);
        call.invite_seq = number;
        let ours = call.has_profile();
        let cx = &mut *low.down.cx;
        let at = cx.now.after(cx.config.ring);
        self.arm(cx, h, Due::Ring, at)?;
        self.note_offer(low, h, dialog, m)?;
        if ours {
            // The application has said what the call can do.
            return match self.answer_now(low, h, (&Extras::default(), None), Given::Profile) {
                Err(e) => {
                    self.calls.live_mut(h)?.invite = None;
                    self.disarm(low.cx(), h, Due::Ring);
                    self.roll_back(low, h);
                    Err(e)
                }
                done => done,
            };
        }
        let block = low.down.tx.request(low.down.cx, tx);
        if let Some(block) = block {
            low.cx().pool.hold(block);
        }
        self.tell(low.cx(), h, record::REINVITE, 0, block)
    }

    /// The server transaction of an INVITE has failed.
    pub(crate) fn on_server_failure(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        let h = CallHandle::from_raw(from.object);
        if from.kind != OwnerKind::Call || self.calls.get(h).is_none() || why == Failure::NoAck {
            return Ok(());
        }
        if self.act(h, Happening::Failure)? != Act::TellEnded {
            // A re-INVITE whose connection is lost waits for nothing any more.
            let gone = |tx: &mut TxHandle| low.down.tx.state(*tx).is_none();
            if self.calls.live_mut(h)?.invite.take_if(gone).is_some() {
                self.media_unasked(low, h);
                self.roll_back(low, h);
                self.disarm(low.cx(), h, Due::Ring);
            }
            return Ok(());
        }
        self.step(h, Happening::Failure)?;
        // RFC 6026 8.8: the transaction lives on. Nobody will answer it.
        if let Some(tx) = self.calls.get_mut(h).and_then(|c| c.invite.take()) {
            low.down.tx.end(low.down.cx, tx);
        }
        self.ended(low, h, EndReason::Unreachable, 0, None)
    }
}
