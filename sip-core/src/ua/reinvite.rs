//! Our re-INVITEs: another offer in a standing dialog (RFC 3261 14.1).

use super::call::{Again, part};
use super::clock::Due;
use super::outside::abilities;
use super::session::{Given, is_sdp, park_fields, rest};
use super::table::{Act, Happening, State};
use super::update::fill;
use super::{CallHandle, Extras, Low, Ua, record};
use crate::cx::Cx;
use crate::dialog::{Exchange, InDialog, Kept};
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::path::Path;
use crate::store::pool::BlockId;
use crate::time::Instant;
use crate::tx::Failure;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

impl Ua {
    /// RFC 3261 14.1: no re-INVITE while another INVITE is open in either direction.
    pub(super) fn may_reinvite(&self, low: &Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let exchange = call.dialog.and_then(|d| low.dialogs.get(d)).map(|d| d.session.exchange);
        if call.state != State::Confirmed {
            return Err(Error::Late);
        }
        // The session timer's, not the application's.
        if call.extensions.timer.reinviting {
            return Err(Error::Late);
        }
        let open = call.reinvite.is_some() || call.invite.is_some() || call.again.is_some();
        // RFC 6337 4.3: nor while an offer in an UPDATE is open.
        let offered = exchange.is_some_and(|e| e != Exchange::Stable);
        if open || offered || call.media.query.is_some() {
            return Err(Error::Misuse(Misuse::State));
        }
        // The peer's INVITE has our answer, and its ACK is on its way.
        if call.repeating.is_some() {
            return Err(Error::Late);
        }
        Ok(())
    }

    /// Changes the session by a re-INVITE (RFC 3261 14.1). Queues output.
    pub fn reinvite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        self.may_reinvite(low, h)?;
        self.change_identity(low, h, extras)?;
        if self.given(low, h, extras)? == Given::Profile {
            return self.reoffer(low, h, false, extras);
        }
        let end = rest(low.cx(), extras, None, None)?;
        self.send_reinvite(low, h, Again::Kept(end))
    }

    /// Offers the session anew: the streams in use, or all that the profile holds. Queues output.
    pub(super) fn reoffer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        in_use: bool,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let fields = park_fields(low.cx(), extras)?;
        self.send_reinvite(low, h, Again::Offer { fields, in_use })
    }

    /// The rest of a re-INVITE, held once, and the offer that it makes.
    pub(super) fn reinvite_rest(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        again: Again,
    ) -> Result<(BlockId, Option<BlockId>), Error> {
        match again {
            Again::Kept(block) => {
                low.cx().pool.hold(block);
                Ok((block, None))
            }
            Again::Offer { fields, in_use } => {
                let dialog = self.calls.live(h)?.dialog;
                let offer = self.make_offer(low, h, dialog, in_use)?;
                match rest(low.cx(), &Extras::default(), fields, Some(offer)) {
                    Ok(end) => Ok((end, Some(offer))),
                    Err(e) => {
                        low.cx().pool.release(offer);
                        Err(e)
                    }
                }
            }
        }
    }

    pub(super) fn send_reinvite(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        again: Again,
    ) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        call.again = Some(again);
        let sent = self.send_reinvite_now(low, h, again);
        if sent.is_err() {
            self.drop_again(low, h);
        }
        sent
    }

    fn send_reinvite_now(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        again: Again,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let Some(dialog) = call.dialog else { return Err(Error::Gone) };
        let (end, mut offer) = self.reinvite_rest(low, h, again)?;
        if offer.is_none() {
            offer = kept_offer(low.cx(), end)?;
        }
        let mut user = [0u8; 128];
        let len = self.contact_user_of(low.cx(), h, &mut user);
        let timer = self.timer_fields(low.cx(), h);
        let own = abilities(&low.cx().config);
        let mut fields = [(Name::Other, &[][..]); 5];
        let n = fill(&mut fields, own.into_iter().chain(timer.each()));
        let what = InDialog {
            contact: user.get(..len),
            fields: fields.get(..n).unwrap_or(&[]),
            kept: Some(Kept { block: end }),
            ..InDialog::plain(Method::Invite, None)
        };
        let sent = self.send_in_dialog(low, h, dialog, part::REINVITE, &what);
        if let Some(offer) = offer {
            if sent.is_ok() {
                self.offer_sent(low, dialog, offer);
            }
            low.cx().pool.release(offer);
        }
        low.cx().pool.release(end);
        let (attempt, _) = sent?;
        if let Some(call) = self.calls.get_mut(h) {
            call.reinvite = Some(attempt);
            call.asks = offer.is_none();
            call.extensions.provisionals.ask_anew();
        }
        // RFC 3261 9.1: it is given up like the first INVITE.
        let at = low.cx().now.after(low.down.cx.config.ring);
        self.arm(low.cx(), h, Due::Ring, at)
    }

    fn drop_again(&mut self, low: &mut Low<'_>, h: CallHandle) {
        if let Some(again) = self.calls.get_mut(h).and_then(|c| c.again.take()) {
            again.release(low.cx());
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
            return self.on_reinvite_provisional(low, h, m, e);
        }
        let call = self.calls.live_mut(h)?;
        let success = (200..300).contains(&status);
        let (Some(dialog), confirmed) = (call.dialog, call.state == State::Confirmed) else {
            return Ok(());
        };
        // RFC 3261 13.2.2.4: it may be the 2xx of an INVITE before the one that is on its way.
        let again = e.cseq.is_some_and(|c| c.number <= call.ack_seq);
        if success && (again || call.reinvite.is_none()) {
            return self.repeat_ack(low, h, e);
        }
        let mut usable = true;
        if success {
            low.dialogs.refresh_target(low.down.cx, dialog, m)?;
            let exchange = low.dialogs.get(dialog).map(|d| d.session.exchange);
            let offered = exchange == Some(Exchange::Offered);
            let number = e.cseq.map_or(0, |c| c.number);
            if let Some(d) = low.dialogs.get_mut(dialog) {
                d.peer.learn(m);
            }
            usable = self.acknowledge(low, h, dialog, m, number, offered)?;
            // A repetition of this 2xx finds the dialog, and no other can come.
            if let Some(tx) = self.calls.live(h)?.accepted {
                low.down.tx.spare(tx);
            }
            self.timer_answered(low, h, m)?;
        }
        if status == 491 && confirmed {
            self.calls.live_mut(h)?.reinvite = None;
            self.disarm(low.cx(), h, Due::Ring);
            return self.wait_after_glare(low, h);
        }
        if status == 422 && confirmed && self.timer_raised(h, m) {
            self.calls.live_mut(h)?.reinvite = None;
            self.roll_back(low, h);
            return self.reinvite_again(low, h);
        }
        if !success {
            let block = low.cx().pool.copy_in(m.bytes()).ok();
            return self.on_reinvite_refused(low, h, status, block);
        }
        self.calls.live_mut(h)?.reinvite = None;
        self.disarm(low.cx(), h, Due::Ring);
        self.drop_again(low, h);
        if self.reinvite_refreshed(h) && usable {
            self.tell_media(low, h, dialog)?;
            return self.refresh_ended(low, h, dialog, status);
        }
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        self.tell(low.cx(), h, record::REINVITED, status, block)?;
        if !usable {
            return self.end_unusable(low, h);
        }
        self.tell_media(low, h, dialog)
    }

    /// Our re-INVITE is refused, and all is as before; `block` holds the response.
    pub(super) fn on_reinvite_refused(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        call.reinvite = None;
        let dialog = call.dialog;
        self.disarm(low.cx(), h, Due::Ring);
        self.drop_again(low, h);
        self.roll_back(low, h);
        if let Some(dialog) = dialog.filter(|_| self.reinvite_refreshed(h)) {
            block.into_iter().for_each(|block| low.cx().pool.release(block));
            return self.refresh_ended(low, h, dialog, status);
        }
        self.tell(low.cx(), h, record::REINVITED, status, block)?;
        if let Some(dialog) = dialog {
            self.tell_media(low, h, dialog)?;
        }
        // RFC 3261 12.2.1.2, 14.1: the dialog is gone.
        if matches!(status, 408 | 481) && self.step(h, Happening::Hangup)? == Act::SendBye {
            return self.send_bye(low, h);
        }
        Ok(())
    }

    /// Our re-INVITE has met one of the peer's.
    fn wait_after_glare(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        // RFC 3261 14.1: all is as before until then; what was wanted is still wanted.
        if let Some(d) = self.calls.live(h)?.dialog {
            Self::roll_back_offer(low, d);
        }
        self.wait_again(low, h)
    }

    // RFC 3261 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side 0 to 2 s, in 10 ms.
    pub(super) fn glare_over(&self, low: &mut Low<'_>, h: CallHandle) -> Instant {
        let owns = self.calls.get(h).is_some_and(|c| c.caller);
        let random = low.cx().random();
        let wait = if owns { 2_100 + (random % 191) * 10 } else { (random % 201) * 10 };
        low.cx().now.after(wait)
    }

    pub(super) fn wait_again(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let at = self.glare_over(low, h);
        self.arm(low.cx(), h, Due::Again, at)
    }

    pub(super) fn reinvite_again(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        let Some(again) = call.again.take() else { return Ok(()) };
        let busy = call.invite.is_some() || call.repeating.is_some();
        if call.state != State::Confirmed {
            again.release(low.cx());
            return Ok(());
        }
        if busy {
            call.again = Some(again);
            return self.wait_again(low, h);
        }
        self.send_reinvite(low, h, again)
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
        self.disarm(low.cx(), h, Due::Ring);
        self.drop_again(low, h);
        self.roll_back(low, h);
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

/// The offer in the rest of a message that the application described itself: a block held once.
fn kept_offer(cx: &mut Cx, end: BlockId) -> Result<Option<BlockId>, Error> {
    let Cx { pool, scratch, .. } = cx;
    let bytes = pool.bytes_of(end);
    let Some(at) = bytes.windows(4).position(|w| w == b"\r\n\r\n") else { return Ok(None) };
    let (head, body) = bytes.split_at_checked(at + 4).unwrap_or((bytes, &[]));
    let kind = head.split(|c| *c == b'\n').find_map(|l| l.strip_prefix(b"Content-Type: "));
    if body.is_empty() || !kind.is_some_and(|kind| is_sdp(kind.trim_ascii_end())) {
        return Ok(None);
    }
    let len = body.len();
    scratch.get_mut(..len).ok_or(Error::Full(Limit::MessageBytes))?.copy_from_slice(body);
    pool.copy_in(scratch.get(..len).unwrap_or(&[])).map(Some)
}
