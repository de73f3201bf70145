//! Reliable provisional responses (RFC 3262): sent until their PRACK, and acknowledged in order.

use super::call::{millis, part};
use super::clock::Due;
use super::extensions::number_text;
use super::reliable::{
    Coming, Receiver, ReceiverAct, Sender, SenderAct, SenderHappening, receiver, sender,
};
use super::session::{Given, Waits, description, own_description, rest};
use super::table::{Act as CallAct, Happening as CallHappening, State};
use super::{CallHandle, EndReason, Extras, Low, Ua};
use crate::config::{Config, Reliable};
use crate::dialog::{DialogHandle, Exchange, InDialog, Kept, Peer};
use crate::error::{Error, Misuse};
use crate::header::Value;
use crate::header::essentials::Essentials;
use crate::header::number::{RAck, RSeq};
use crate::path::Path;
use crate::store::pool::BlockId;
use crate::store::queries::Owner;
use crate::time::Instant;
use crate::tx::{Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// The option tag.
const TAG: &[u8] = b"100rel";

/// A reliable provisional response of ours.
#[derive(Clone, Copy, Debug)]
struct Provisional {
    /// As long as it may be repeated.
    block: Option<BlockId>,
    status: u16,
    /// It carries a session description.
    described: bool,
}

/// The reliable provisional responses of a call that came in.
#[derive(Debug, Default)]
pub(super) struct Provisionals {
    state: Sender,
    /// RSeq of the last one that was sent or queued, 0 before the first.
    rseq: u32,
    open: Option<Provisional>,
    queued: Option<Provisional>,
    /// The 2xx that waits for a PRACK.
    held: Option<BlockId>,
    since: Instant,
    /// Milliseconds.
    interval: u32,
    /// The dialog, RSeq and CSeq number of the PRACK of ours that waits for the application's media.
    due: Option<(DialogHandle, (u32, u32))>,
    /// The dialog whose PRACK of ours was refused: by what a later request has overtaken, most of all.
    refused: Option<DialogHandle>,
    /// A PRACK of ours has answered the offer for which our INVITE asked.
    answered: bool,
}

impl Provisionals {
    /// RSeq of the one that is unacknowledged.
    fn open_rseq(&self) -> u32 {
        self.rseq.saturating_sub(u32::from(self.queued.is_some()))
    }

    /// Whether our 2xx waits.
    pub(super) const fn holds(&self) -> bool {
        self.held.is_some()
    }

    /// Whether a PRACK of ours has answered the offer for which our INVITE asked.
    pub(super) const fn answered(&self) -> bool {
        self.answered
    }

    /// Another INVITE of ours is on its way.
    pub(super) const fn ask_anew(&mut self) {
        (self.answered, self.refused) = (false, None);
    }

    /// The blocks that it holds.
    pub(super) fn blocks(&self) -> impl Iterator<Item = BlockId> {
        let sent = [self.open, self.queued].into_iter().flatten().filter_map(|p| p.block);
        sent.chain(self.held)
    }
}

/// Whether the field lists 100rel.
fn lists(m: &MessageRef<'_>, name: Name) -> bool {
    m.values(name).any(|v| m.text(v).trim_ascii().eq_ignore_ascii_case(TAG))
}

/// Whether a provisional response to the INVITE of this caller is sent reliably (RFC 3262 3).
fn is_reliable(config: &Config, caller: Peer, body: bool) -> bool {
    if caller.has(Peer::INSISTS) {
        return true;
    }
    caller.has(Peer::RELIABLE)
        && match config.reliable {
            Reliable::Never => false,
            Reliable::WithBody => body,
            Reliable::Always | Reliable::Require => true,
        }
}

/// The fields of a reliable provisional response.
#[derive(Clone, Copy, Debug)]
pub(super) struct RSeqField {
    rseq: u32,
    text: [u8; 10],
    len: usize,
}

impl RSeqField {
    fn new(rseq: u32) -> Self {
        let mut text = [0; 10];
        let len = number_text(rseq, &mut text);
        Self { rseq, text, len }
    }

    fn digits(&self) -> &[u8] {
        self.text.get(..self.len).unwrap_or(&[])
    }

    pub(super) fn each(&self) -> impl Iterator<Item = (Name, &[u8])> {
        [(Name::Require, TAG), (Name::RSeq, self.digits())].into_iter()
    }
}

impl Ua {
    /// RFC 3261 21.4.15: 421 for a caller that does not support what we insist on. Whether it was.
    pub(super) fn reliable_refuses(
        low: &mut Low<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<bool, Error> {
        let insists = low.cx().config.reliable == Reliable::Require;
        if !insists || lists(m, Name::Supported) || lists(m, Name::Require) {
            return Ok(false);
        }
        let fields = [(Name::Require, TAG)];
        let reply = Reply { extra: &fields, ..Reply::default() };
        low.down.tx.reply_stateless(low.down.cx, m, e, path, 421, &reply).map(|_| true)
    }

    /// Whether all provisional responses to the INVITE in `tx` are to be reliable.
    pub(super) fn insists_on_reliable(low: &Low<'_>, tx: TxHandle) -> bool {
        let cx = &*low.down.cx;
        let request = low.down.tx.request(cx, tx).map_or(&[][..], |b| cx.pool.bytes_of(b));
        MessageRef::lazy(request).is_some_and(|m| lists(&m, Name::Require))
    }

    /// The fields that make a response to the call's first INVITE reliable, if it is to be.
    pub(super) fn reliable_fields(
        &self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        body: bool,
    ) -> Option<RSeqField> {
        let call = self.calls.get(h).filter(|c| c.state != State::Confirmed)?;
        let caller = low.dialogs.get(call.dialog?)?.peer;
        if !(101..200).contains(&status) || !is_reliable(&low.down.cx.config, caller, body) {
            return None;
        }
        let last = call.extensions.provisionals.rseq;
        // RFC 3262 3: from 1 to 2**31 - 1, then one more each time.
        let rseq = match last {
            0 => u32::try_from(low.cx().random() >> 33).unwrap_or(0).max(1),
            n => n.checked_add(1)?,
        };
        Some(RSeqField::new(rseq))
    }

    /// Sends a response to the call's INVITE, now or when its turn has come.
    pub(super) fn send_or_hold(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        (tx, status): (TxHandle, u16),
        reply: &Reply<'_>,
        (reliable, described): (Option<RSeqField>, bool),
    ) -> Result<(), Error> {
        let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
        let waits = p.open.is_some_and(|o| o.described);
        let happening = match (reliable, status) {
            (Some(_), _) => SenderHappening::Provisional,
            (None, 200..=299) if waits => SenderHappening::Success,
            (None, 200..) => SenderHappening::Final,
            (None, _) => return low.down.tx.reply(low.down.cx, tx, status, reply),
        };
        let (next, act) = sender(p.state, happening);
        match act {
            SenderAct::Late => return Err(Error::Late),
            SenderAct::Queue if p.queued.is_some() => return Err(Error::Late),
            SenderAct::SendFinal | SenderAct::SendFinalAndStop => {
                low.down.tx.reply(low.down.cx, tx, status, reply)?;
                if act == SenderAct::SendFinalAndStop {
                    self.stop_repeating(low, h);
                }
            }
            _ => {
                let block = low.down.tx.build(low.down.cx, tx, status, reply)?;
                let made = Provisional { block: Some(block), status, described };
                self.keep_response(low, h, tx, made, act)?;
            }
        }
        let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
        p.state = next;
        if let Some(field) = reliable {
            p.rseq = field.rseq;
        }
        Ok(())
    }

    fn keep_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
        made: Provisional,
        act: SenderAct,
    ) -> Result<(), Error> {
        if act == SenderAct::Send
            && let Err(e) = self.send_reliable(low, h, tx, made)
        {
            made.block.into_iter().for_each(|b| low.cx().pool.release(b));
            return Err(e);
        }
        let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
        match act {
            SenderAct::Queue => p.queued = Some(made),
            SenderAct::Hold => p.held = made.block,
            _ => {}
        }
        Ok(())
    }

    /// A final response has gone: what is unacknowledged is not repeated, and nothing follows it.
    fn stop_repeating(&mut self, low: &mut Low<'_>, h: CallHandle) {
        self.disarm(low.cx(), h, Due::Reliable);
        let Some(call) = self.calls.get_mut(h) else { return };
        let p = &mut call.extensions.provisionals;
        if let Some(queued) = p.queued.take() {
            p.rseq = p.rseq.saturating_sub(1);
            queued.block.into_iter().for_each(|b| low.cx().pool.release(b));
        }
        let open = p.open.as_mut().and_then(|o| o.block.take());
        for block in [open, p.held.take()].into_iter().flatten() {
            low.cx().pool.release(block);
        }
    }

    /// Sends a reliable provisional response for the first time.
    fn send_reliable(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
        made: Provisional,
    ) -> Result<(), Error> {
        let Some(block) = made.block else { return Ok(()) };
        low.cx().pool.hold(block);
        low.down.tx.respond(low.down.cx, tx, made.status, block)?;
        let (now, t1) = (low.cx().now, low.cx().config.t1);
        let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
        p.open = Some(made);
        (p.since, p.interval) = (now, millis(t1));
        self.arm(low.cx(), h, Due::Reliable, now.after(t1))
    }

    /// The 2xx of the call: the last response that was sent, or the one that waits.
    pub(super) fn success_block(
        &self,
        low: &Low<'_>,
        h: CallHandle,
        tx: TxHandle,
    ) -> Option<BlockId> {
        let held = self.calls.get(h).and_then(|c| c.extensions.provisionals.held);
        held.or_else(|| low.down.tx.last_response(tx))
    }

    /// It is time to repeat a reliable provisional response, or too late.
    pub(super) fn reliable_fired(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let (now, t1) = (low.cx().now, low.cx().config.t1);
        let call = self.calls.live_mut(h)?;
        let tx = call.invite.or(call.repeat_by);
        let p = &mut call.extensions.provisionals;
        let over = p.since.after(t1.saturating_mul(64));
        let happening = if now >= over { SenderHappening::Over } else { SenderHappening::Due };
        let (next, act) = sender(p.state, happening);
        let (Some(open), Some(tx)) = (p.open, tx) else { return Ok(()) };
        match act {
            SenderAct::Repeat => {
                // RFC 3262 3: the interval doubles, and T2 does not bound it.
                p.interval = p.interval.saturating_mul(2);
                let at = now.after(u64::from(p.interval)).min(over);
                let Some(block) = open.block else { return Ok(()) };
                low.cx().pool.hold(block);
                match low.down.tx.respond(low.down.cx, tx, open.status, block) {
                    Ok(()) | Err(Error::Late | Error::Gone | Error::Full(_)) => {}
                    Err(e) => return Err(e),
                }
                self.arm(low.cx(), h, Due::Reliable, at)
            }
            SenderAct::GiveUp => {
                // The end forgets the state; without room it is tried again.
                match self.reliable_over(low, h, tx) {
                    Err(Error::Full(_)) => self.arm(low.cx(), h, Due::Reliable, now.after(t1)),
                    other => other,
                }
            }
            _ => {
                p.state = next;
                Ok(())
            }
        }
    }

    /// RFC 3262 3: without PRACK the INVITE gets a 5xx.
    fn reliable_over(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        tx: TxHandle,
    ) -> Result<(), Error> {
        if self.act(h, CallHappening::Reject)? == CallAct::SendRefusal {
            return self.refuse(low, h, 504, &Extras::default());
        }
        let tag = self.calls.live(h)?.tag;
        let reply = Reply { to_tag: Some(tag.as_bytes()), ..Reply::default() };
        low.down.tx.reply(low.down.cx, tx, 504, &reply)?;
        self.ended(low, h, EndReason::NoAck, 504, None)
    }

    /// A PRACK of the peer.
    pub(super) fn on_prack(
        &mut self,
        low: &mut Low<'_>,
        (h, dialog, tx): (CallHandle, DialogHandle, TxHandle),
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let rack = m.header_span(Name::RAck).and_then(|s| RAck::parse(m.bytes(), s).ok());
        let call = self.calls.live(h)?;
        let p = &call.extensions.provisionals;
        // RFC 3262 3: method, CSeq number and RSeq of the response.
        let matches = rack.is_some_and(|r| {
            p.open.is_some()
                && r.rseq == p.open_rseq()
                && r.cseq == call.invite_seq
                && m.text(r.method) == b"INVITE"
        });
        if !matches {
            return low.down.tx.reply(low.down.cx, tx, 481, &Reply::default());
        }
        let (next, act) = sender(p.state, SenderHappening::Prack);
        let taken = self.take_description(low, h, dialog, m)?;
        self.answer_taken(low, (h, dialog, tx), taken)?;
        self.disarm(low.cx(), h, Due::Reliable);
        let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
        p.state = next;
        if let Some(block) = p.open.take().and_then(|o| o.block) {
            low.cx().pool.release(block);
        }
        match act {
            SenderAct::AcceptAndRelease => self.release_success(low, h),
            _ => self.send_queued(low, h),
        }
    }

    /// The next one's turn has come.
    fn send_queued(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let call = self.calls.live_mut(h)?;
        let Some(tx) = call.invite else { return Ok(()) };
        let Some(next) = call.extensions.provisionals.queued.take() else { return Ok(()) };
        call.extensions.provisionals.state = Sender::Sent;
        match self.send_reliable(low, h, tx, next) {
            Ok(()) => Ok(()),
            Err(_) => {
                // Its timer sends it.
                let (now, t1) = (low.cx().now, low.cx().config.t1);
                let p = &mut self.calls.live_mut(h)?.extensions.provisionals;
                p.open = Some(next);
                (p.since, p.interval) = (now, millis(t1));
                self.arm(low.cx(), h, Due::Reliable, now.after(t1))
            }
        }
    }

    /// Our 2xx goes out: its PRACK has come (RFC 3262 3).
    fn release_success(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let (now, t1) = (low.cx().now, low.cx().config.t1);
        let call = self.calls.live_mut(h)?;
        let Some(block) = call.extensions.provisionals.held.take() else { return Ok(()) };
        let (Some(tx), Some(repeating)) = (call.repeat_by, call.repeating.as_mut()) else {
            low.cx().pool.release(block);
            return Ok(());
        };
        (repeating.since, repeating.interval) = (now, millis(t1));
        call.repeats_offer = call.dialog.is_some_and(|d| Self::offered(low, d));
        // Without room for it the first repetition is the first one.
        match low.down.tx.respond(low.down.cx, tx, 200, block) {
            Ok(()) | Err(Error::Late | Error::Gone | Error::Full(_)) => {}
            Err(e) => return Err(e),
        }
        self.arm(low.cx(), h, Due::Repeat, now.after(t1))
    }

    /// A provisional response to our INVITE has come in this dialog: whether it is for the
    /// application, and whether it was reliable. A reliable one is acknowledged (RFC 3262 4).
    pub(super) fn take_provisional(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: Option<DialogHandle>,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<Option<bool>, Error> {
        let number = e.cseq.map_or(0, |c| c.number);
        if m.status() == 100 || !lists(m, Name::Require) {
            return Ok(Some(false));
        }
        let rseq = m.header_span(Name::RSeq).and_then(|s| RSeq::parse(m.bytes(), s).ok());
        let tagged = e.to.is_some_and(|t| !t.tag.is_empty());
        let Some(rseq) = rseq.map(|r| r.value).filter(|_| tagged) else {
            let taken = receiver(Receiver::Fresh, Coming::Broken).1 == ReceiverAct::Take;
            return Ok(taken.then_some(false));
        };
        // There was no room for its dialog: it comes again.
        let known = dialog.and_then(|d| Some((d, low.dialogs.get(d)?)));
        let Some((d, of)) = known else { return Ok(None) };
        let last = of.reliable().filter(|(cseq, _)| *cseq == number).map(|(_, rseq)| rseq);
        let state = if last.is_some() { Receiver::Following } else { Receiver::Fresh };
        if receiver(state, coming(last, rseq)).1 != ReceiverAct::Acknowledge {
            let again = last == Some(rseq);
            return if again { self.prack_again(low, h, d, (rseq, number), m) } else { Ok(None) };
        }
        match self.acknowledge_provisional(low, h, d, (rseq, number), m) {
            Ok(()) => {}
            // It comes again, and finds room.
            Err(Error::Full(_)) => return Ok(None),
            Err(e) => return Err(e),
        }
        if let Some(d) = low.dialogs.get_mut(d) {
            d.note_reliable(number, rseq);
            d.peer.learn(m);
        }
        Ok(Some(true))
    }

    /// RFC 3262 4 asks for no second PRACK while the first is on its way. One that was refused, as out
    /// of order (RFC 3261 12.2.2) or for want of room, acknowledges nothing, so there is another, with a
    /// new CSeq and the same answer.
    fn prack_again(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
        m: &MessageRef<'_>,
    ) -> Result<Option<bool>, Error> {
        let call = self.calls.live(h)?;
        if call.extensions.provisionals.refused != Some(d) {
            return Ok(None);
        }
        let answers = call.extensions.provisionals.answered && description(m).is_some();
        match self.repeat_prack(low, h, d, rack, answers) {
            Ok(()) => self.calls.live_mut(h)?.extensions.provisionals.refused = None,
            Err(Error::Full(_)) => {}
            Err(e) => return Err(e),
        }
        Ok(None)
    }

    fn repeat_prack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
        answers: bool,
    ) -> Result<(), Error> {
        let session = low.dialogs.get(d).map(|d| d.session).filter(|_| answers);
        let answer = session.unwrap_or_default().local_copy(&mut low.cx().pool)?;
        let Some(answer) = answer else { return self.send_prack(low, h, d, rack, None) };
        let end = rest(low.cx(), &Extras::default(), None, Some(answer));
        low.cx().pool.release(answer);
        let end = end?;
        let sent = self.send_prack(low, h, d, rack, Some(end));
        low.cx().pool.release(end);
        sent
    }

    /// The same for a re-INVITE of ours, whose answer it may carry.
    pub(super) fn on_reinvite_provisional(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let dialog = self.calls.live(h)?.dialog;
        let reliable = self.take_provisional(low, h, dialog, m, e)?;
        match dialog.filter(|_| reliable == Some(true)) {
            Some(d) => self.take_description(low, h, d, m).map(drop),
            None => Ok(()),
        }
    }

    /// Sends the PRACK, with our answer if the response makes the offer (RFC 3262 5).
    fn acknowledge_provisional(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let session = low.dialogs.get(d).map(|d| d.session).unwrap_or_default();
        let open = session.exchange == Exchange::Stable && self.calls.live(h)?.asks(&session);
        let Some(sdp) = description(m).filter(|_| open) else {
            return self.send_prack(low, h, d, rack, None);
        };
        self.offer_came(low, d, sdp)?;
        let sent = self.prack_offer(low, h, d, rack);
        if sent.is_err() {
            Self::roll_back_offer(low, d);
        }
        sent
    }

    fn prack_offer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
    ) -> Result<(), Error> {
        let given = self.given(low, h, &Extras::default())?;
        let call = self.calls.live_mut(h)?;
        match given {
            Given::Ask if call.media.query.is_none() => {
                call.extensions.provisionals.due = Some((d, rack));
                self.ask_media(low, h, Some(d), Waits::Prack, None)
            }
            Given::Profile => match self.local_description(low, h, d)? {
                Ok(Some(answer)) => {
                    let end = rest(low.cx(), &Extras::default(), None, Some(answer));
                    low.cx().pool.release(answer);
                    self.prack_answer(low, h, d, rack, end?)
                }
                Ok(None) => self.prack_without(low, h, d, rack),
                Err(_) => self.prack_unusable(low, h, d, rack),
            },
            _ => self.prack_without(low, h, d, rack),
        }
    }

    fn prack_answer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
        end: BlockId,
    ) -> Result<(), Error> {
        let sent = self.send_prack(low, h, d, rack, Some(end));
        low.cx().pool.release(end);
        sent?;
        self.calls.live_mut(h)?.extensions.provisionals.answered = true;
        self.answer_is_final(low, d);
        self.tell_media(low, h, d)
    }

    /// There is no answer to the offer.
    fn prack_without(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
    ) -> Result<(), Error> {
        self.send_prack(low, h, d, rack, None)?;
        Self::roll_back_offer(low, d);
        Ok(())
    }

    /// RFC 6337 2.3: no response refuses such an offer. A call that is not answered yet is given up.
    fn prack_unusable(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        rack: (u32, u32),
    ) -> Result<(), Error> {
        self.prack_without(low, h, d, rack)?;
        if self.act(h, CallHappening::Hangup)? != CallAct::GiveUp {
            return Ok(());
        }
        self.calls.live_mut(h)?.end = Some(EndReason::BadMedia);
        self.give_up(low, h, CallHappening::Hangup)
    }

    /// The application has said what media a call has whose PRACK waits for it.
    pub(super) fn prack_with(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        own: &Extras<'_>,
    ) -> Result<(), Error> {
        let due = self.calls.live_mut(h)?.extensions.provisionals.due.take();
        let Some((d, rack)) = due.filter(|(d, _)| low.dialogs.get(*d).is_some()) else {
            return Ok(());
        };
        if own.body.is_empty() {
            return match self.calls.live(h)?.media.is_given() {
                true => self.prack_offer(low, h, d, rack),
                false => self.prack_unusable(low, h, d, rack),
            };
        }
        self.own_answer(low, d, own)?;
        let end = rest(low.cx(), own, None, None)?;
        self.prack_answer(low, h, d, rack, end)
    }

    fn send_prack(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        dialog: DialogHandle,
        (rseq, cseq): (u32, u32),
        end: Option<BlockId>,
    ) -> Result<(), Error> {
        let mut text = [0u8; 32];
        let mut len = number_text(rseq, &mut text);
        for part in [&b" "[..], RSeqField::new(cseq).digits(), b" INVITE"] {
            let end = len + part.len();
            if let Some(place) = text.get_mut(len..end) {
                place.copy_from_slice(part);
                len = end;
            }
        }
        let fields = [(Name::RAck, text.get(..len).unwrap_or(&[]))];
        let what = InDialog {
            fields: &fields,
            kept: end.map(|block| Kept { block }),
            ..InDialog::plain(Method::Prack, None)
        };
        self.send_in_dialog(low, h, dialog, part::PRACK, &what).map(|_| ())
    }

    /// Whether a session description of ours waits for its PRACK.
    pub(super) fn awaits_prack(&self, h: CallHandle) -> bool {
        let p = self.calls.get(h).map(|c| &c.extensions.provisionals);
        p.is_some_and(|p| [p.open, p.queued].into_iter().flatten().any(|p| p.described))
    }

    /// The description of a provisional response: the answer to the INVITE's offer (early media), or
    /// in a reliable one our offer where the INVITE had none (RFC 3262 5).
    pub(super) fn early_description(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        d: DialogHandle,
        extras: &Extras<'_>,
    ) -> Result<Option<BlockId>, Error> {
        let caller = low.dialogs.get(d).map(|d| d.peer).unwrap_or_default();
        let body = extras.media.is_some() || !extras.body.is_empty();
        let reliable = is_reliable(&low.cx().config, caller, body);
        let p = &self.calls.live(h)?.extensions.provisionals;
        if reliable && (p.queued.is_some() || matches!(p.state, Sender::Holding | Sender::Silent)) {
            return Err(Error::Late);
        }
        let exchange = low.dialogs.get(d).map(|d| d.session.exchange);
        let offers = self.calls.live(h)?.no_offer && reliable && body;
        if extras.media.is_some() {
            self.given(low, h, extras)?;
        }
        if exchange == Some(Exchange::Offered) {
            return Ok(None);
        }
        if offers {
            let offer = match extras.media {
                Some(_) => Some(self.make_offer(low, h, Some(d), false)?),
                None => own_description(&mut low.cx().pool, extras)?,
            };
            if let Some(offer) = offer {
                self.offer_sent(low, d, offer);
                self.calls.live_mut(h)?.no_offer = false;
            }
            if extras.media.is_none() {
                offer.into_iter().for_each(|offer| low.cx().pool.release(offer));
            }
            return Ok(offer.filter(|_| extras.media.is_some()));
        }
        if extras.media.is_none() {
            return self.own_answer(low, d, extras).map(|()| None);
        }
        self.local_description(low, h, d)?.map_err(|_| Error::Misuse(Misuse::Media))
    }

    /// A call ends whose 2xx waits: its INVITE still needs a final response.
    pub(super) fn end_held(
        low: &mut Low<'_>,
        held: &Provisionals,
        tx: Option<TxHandle>,
        tag: &[u8],
    ) {
        for block in held.blocks() {
            low.cx().pool.release(block);
        }
        let Some(tx) = tx.filter(|_| held.holds()) else { return };
        let reply = Reply { to_tag: Some(tag), ..Reply::default() };
        match low.down.tx.reply(low.down.cx, tx, 487, &reply) {
            Ok(()) | Err(Error::Late | Error::Gone) => {
                low.down.tx.set_owner(tx, Owner::default());
            }
            Err(_) => low.down.tx.end(low.down.cx, tx),
        }
    }

    /// A response to a PRACK of ours.
    pub(super) fn on_prack_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let Some(d) = low.dialogs.of_response(low.down.cx, m, e) else { return Ok(()) };
        match m.status() {
            ..=199 | 481 => Ok(()),
            200..=299 => self.take_description(low, h, d, m).map(drop),
            _ => {
                self.calls.live_mut(h)?.extensions.provisionals.refused = Some(d);
                Ok(())
            }
        }
    }
}

/// What a reliable response is after the one with the RSeq `last`.
fn coming(last: Option<u32>, rseq: u32) -> Coming {
    match last {
        None => Coming::Next,
        Some(last) if Some(rseq) == last.checked_add(1) => Coming::Next,
        Some(last) if rseq <= last => Coming::Again,
        Some(_) => Coming::Gap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_rseq_is_next_only_if_it_is_one_higher() {
        assert_eq!(coming(None, 4_711), Coming::Next);
        assert_eq!(coming(Some(5), 6), Coming::Next);
        assert_eq!(coming(Some(5), 5), Coming::Again);
        assert_eq!(coming(Some(5), 1), Coming::Again);
        assert_eq!(coming(Some(5), 7), Coming::Gap);
        // RFC 3262 3: the numbers do not wrap around.
        assert_eq!(coming(Some(u32::MAX), 0), Coming::Again);
    }

    #[test]
    fn which_responses_are_reliable_is_the_callers_and_the_configurations_choice() {
        let mut config = Config::new([1; 32]);
        let mut reliable = |fields: &str, how, body| {
            let text = std::format!("INVITE sip:a@b SIP/2.0\r\n{fields}\r\n");
            config.reliable = how;
            is_reliable(&config, Peer::of(&MessageRef::lazy(text.as_bytes()).unwrap()), body)
        };
        let (supports, requires) = ("Supported: foo, 100REL\r\n", "Require: 100rel\r\n");
        for how in [Reliable::WithBody, Reliable::Always, Reliable::Require] {
            assert!(!reliable("", how, true), "RFC 3262 3: only if the caller takes it");
            assert!(reliable(supports, how, true));
            assert_eq!(reliable(supports, how, false), how != Reliable::WithBody);
            assert!(reliable(requires, how, false), "RFC 3262 3: all, if the caller insists");
        }
        assert!(!reliable(supports, Reliable::Never, true));
    }
}
