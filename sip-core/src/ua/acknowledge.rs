//! The ACK of a 2xx, and the answer that comes with the one or goes with the other (RFC 3261
//! 13.2.2.4, RFC 6337 3.1).

use super::call::part;
use super::caller::invite_credentials;
use super::session::{Given, Waits, description, own_description, rest};
use super::table::{Act, Happening};
use super::{CallHandle, EndReason, Extras, Low, Ua};
use crate::dialog::{DialogHandle, Exchange, InDialog, Kept};
use crate::error::Error;
use crate::header::essentials::Essentials;
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::start_line::Method;

impl Ua {
    /// The call stands, but its media cannot be used: it is ended.
    pub(super) fn end_unusable(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        self.calls.live_mut(h)?.end = Some(EndReason::BadMedia);
        match self.step(h, Happening::Hangup)? {
            Act::SendBye => self.send_bye(low, h),
            _ => Ok(()),
        }
    }

    /// The answer to the offer of our first INVITE, in a response to it: the first one holds, but
    /// what an unreliable provisional response says may be said otherwise later (RFC 3261 13.2.1,
    /// RFC 6337 3.1.1). False if it cannot be used.
    pub(super) fn first_answer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        sdp: &[u8],
    ) -> Result<bool, Error> {
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        if session.exchange == Exchange::Stable {
            let pool = &low.down.cx.pool;
            let same = session.descriptions(pool).is_some_and(|(_, remote)| remote == sdp);
            let Some(offer) = self.calls.live(h)?.media.offer.filter(|_| session.preview && !same)
            else {
                return Ok(same || !session.preview);
            };
            self.offer_sent(low, d, offer);
        }
        self.answer_agreed(low, h, d, sdp)
    }

    /// Sends the ACK of a 2xx, with the answer if the 2xx made an offer. False if what the 2xx says
    /// about the session cannot be used.
    pub(super) fn acknowledge(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        m: &MessageRef<'_>,
        number: u32,
        offered: bool,
    ) -> Result<bool, Error> {
        let sdp = description(m);
        let now = low.cx().now;
        let call = self.calls.live_mut(h)?;
        call.acked = now;
        let (ours, first) = (call.has_profile(), call.reinvite.is_none());
        let Some(session) = low.dialogs.get(d).map(|d| d.session) else { return Err(Error::Gone) };
        let asks = call.asks(&session);
        let good = match (offered, sdp) {
            // RFC 3311 5.1: the INVITE's offer had its answer before.
            _ if self.update_offers(low, h, d) => true,
            // RFC 3261 13.2.1: what a reliable provisional response settled is not settled again. An
            // offer that is open then is the peer's, in an UPDATE.
            _ if first && session.agreed().is_some() && !session.preview => true,
            (true, Some(sdp)) => self.first_answer(low, h, d, sdp)?,
            (true, None) => session.exchange == Exchange::Stable,
            (false, Some(sdp)) if asks && session.exchange == Exchange::Stable => {
                self.offer_came(low, d, sdp)?;
                return self.ack_offer(low, h, d, number);
            }
            (false, _) => true,
        };
        self.ack(low, h, d, number, None)?;
        self.answer_is_final(low, d);
        if !good {
            Self::roll_back_offer(low, d);
        }
        // An application that makes its own descriptions judges those of the peer too.
        Ok(good || !ours)
    }

    /// Answers the offer of a 2xx in the ACK (RFC 3261 13.2.2.4).
    fn ack_offer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        number: u32,
    ) -> Result<bool, Error> {
        match self.given(low, h, &Extras::default())? {
            Given::Ask => {
                self.calls.live_mut(h)?.ack_seq = number;
                self.ask_media(low, h, Some(d), Waits::Ack(number), None).map(|()| true)
            }
            Given::Profile => match self.local_description(low, h, d)? {
                Ok(answer) => {
                    let sent = self.ack_body(low, h, d, number, answer);
                    if let Some(block) = answer {
                        low.cx().pool.release(block);
                    }
                    self.answer_is_final(low, d);
                    sent.map(|()| true)
                }
                Err(_) => {
                    self.ack(low, h, d, number, None)?;
                    self.roll_back(low, h);
                    Ok(false)
                }
            },
            Given::Body | Given::Nothing => {
                self.ack(low, h, d, number, None)?;
                self.roll_back(low, h);
                Ok(true)
            }
        }
    }

    fn ack_body(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        number: u32,
        answer: Option<BlockId>,
    ) -> Result<(), Error> {
        let end = rest(low.cx(), &Extras::default(), None, answer)?;
        let sent = self.ack(low, h, d, number, Some(end));
        low.cx().pool.release(end);
        sent
    }

    /// The application has said what media a call has whose 2xx made an offer.
    pub(super) fn ack_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        number: u32,
        own: &Extras<'_>,
    ) -> Result<(), Error> {
        let Some(d) = self.calls.live(h)?.dialog else { return Ok(()) };
        if own.body.is_empty() {
            let usable = match self.calls.live(h)?.media.is_given() {
                true => self.ack_offer(low, h, d, number)?,
                false => {
                    self.ack(low, h, d, number, None)?;
                    self.roll_back(low, h);
                    false
                }
            };
            return if usable { self.tell_media(low, h, d) } else { self.end_unusable(low, h) };
        }
        let answer = own_description(&mut low.cx().pool, own)?;
        self.agree_on(low, d, answer, None)?;
        self.answer_is_final(low, d);
        let sent = self.ack_body(low, h, d, number, answer);
        if let Some(block) = answer {
            low.cx().pool.release(block);
        }
        sent?;
        self.tell_media(low, h, d)
    }

    /// A call that ends while its ACK waits for the application sends it before its BYE.
    pub(super) fn ack_first(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        let (Waits::Ack(number), Some(d)) = (call.media.waits, call.dialog) else { return Ok(()) };
        self.media_unasked(low, h);
        self.ack(low, h, d, number, None)
    }

    pub(super) fn ack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        number: u32,
        end: Option<BlockId>,
    ) -> Result<(), Error> {
        let accepted = self.calls.live(h)?.accepted;
        let what = InDialog {
            kept: end.map(|block| Kept { block }),
            credentials: invite_credentials(low, accepted),
            ..InDialog::plain(Method::Ack, Some(number))
        };
        let call = self.calls.live_mut(h)?;
        call.ack_seq = number;
        if let Some(old) = call.ack.take() {
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
    pub(super) fn repeat_ack(
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
            (Some(block), _) => {
                let way = call.way.get();
                low.cx().transmit(block, way, 0, 1)
            }
            // The name of its next hop is being asked for.
            (None, _) if call.acking.is_some_and(|a| low.attempts.lives(a)) => Ok(()),
            // Its answer is being asked for.
            (None, _) if call.media.query.is_some() => Ok(()),
            (None, Some(dialog)) => {
                let number = call.ack_seq;
                self.ack_again(low, h, dialog, number)
            }
            (None, None) => Ok(()),
        }
    }

    /// An ACK that found no room is made again; one with an answer has the same answer.
    fn ack_again(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        number: u32,
    ) -> Result<(), Error> {
        let answered = low.dialogs.get(d).is_some_and(|d| d.session.preview);
        if !answered {
            return self.ack(low, h, d, number, None);
        }
        self.ack_offer(low, h, d, number).map(drop)
    }
}
