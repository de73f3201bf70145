//! Transfer, the transferor's side (RFC 3515, RFC 5589): REFER out, and what is told of it. And
//! what both sides share: a REFER with its subscription, which may outlive its call (RFC 5057).

use super::Extras;
use super::call::part;
use super::referring::{REFER, tell_refer};
use super::session::rest;
use super::table::State;
use super::{CallHandle, EndReason, LineHandle, Low, Ua, record};
use crate::attempt::AttemptHandle;
use crate::config::{Leaves, Ringing};
use crate::cx::Cx;
use crate::dialog::{DialogHandle, InDialog, Kept};
use crate::error::{Error, Limit, Misuse};
use crate::header::Value as _;
use crate::header::escape::escape;
use crate::header::name_addr::NameAddr;
use crate::header::refer::ReferSub;
use crate::header::uri::Uri;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::slab::handle;
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::time::Instant;
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::{Class, Span};
use crate::wire::start_line::Method;

handle!(
    /// A REFER and its subscription.
    ReferHandle
);

/// The one timer of a REFER.
pub(super) const TIMER_REFER: u8 = kind::REFER;

/// How long work that found no room waits.
pub(super) const RETRY: u64 = 100;

/// Bytes of a message of ours, to look for its room.
pub(super) const MESSAGE: usize = 1_000;

/// The longest Refer-To that is sent or followed.
pub(super) const REFER_TO: usize = 1_024;

/// How far a REFER has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Ours: another call has to be answered first (RFC 5589 7.6).
    Waiting,
    /// Ours: another call has to end first.
    Giving,
    /// Ours: on its way.
    Sent,
    /// Ours: accepted; NOTIFYs are awaited.
    Open,
    /// Ours: the outcome is told; the subscription may have more to say.
    Known,
    /// The peer's: the application is asked.
    Asked(TxHandle),
    /// The peer's: taken as soon as there is room.
    Granted(TxHandle),
    /// The peer's: taken; the peer is told of the new call.
    Taken,
}

/// A REFER and its subscription.
#[derive(Debug)]
pub(crate) struct Refer {
    pub(super) phase: Phase,
    /// The call in whose dialog it is, as long as that lives.
    pub(super) call: Option<CallHandle>,
    pub(super) line: Option<LineHandle>,
    pub(super) dialog: Option<DialogHandle>,
    /// The other REFER of a dialog whose call has ended.
    pub(super) twin: Option<ReferHandle>,
    /// The CSeq number of the REFER.
    pub(super) seq: u32,
    /// NOTIFYs name the REFER by it (RFC 3515 2.4.6).
    pub(super) named: bool,
    /// There is no subscription (RFC 4488).
    pub(super) quiet: bool,
    pub(super) leaves: Leaves,
    /// The call that ours waits for, or that the peer's has made.
    pub(super) other: Option<CallHandle>,
    /// The rest of a REFER that waits.
    pub(super) kept: Option<BlockId>,
    /// The status that the peer was told last, and the one that it is to be told.
    pub(super) told: u16,
    pub(super) next: u16,
    /// Our NOTIFY that is on its way; or our REFER outside a dialog.
    pub(super) notify: Option<AttemptHandle>,
    /// Ours, outside a dialog: the application's number of it.
    pub(super) apart: bool,
    pub(super) user: u64,
    /// When it ends at the latest.
    pub(super) until: Instant,
    pub(super) timer: Option<TimerId>,
}

impl Refer {
    pub(super) const fn new(phase: Phase, until: Instant) -> Self {
        Self {
            phase,
            call: None,
            line: None,
            dialog: None,
            twin: None,
            seq: 0,
            named: false,
            quiet: false,
            leaves: Leaves::Never,
            other: None,
            kept: None,
            told: 0,
            next: 0,
            notify: None,
            apart: false,
            user: 0,
            until,
            timer: None,
        }
    }

    pub(super) const fn is_ours(&self) -> bool {
        use Phase as P;
        matches!(self.phase, P::Waiting | P::Giving | P::Sent | P::Open | P::Known)
    }
}

/// What a call has to do with REFERs and with other calls.
#[derive(Debug, Default)]
pub(super) struct Transfer {
    /// Our REFER in the call's dialog.
    pub ours: Option<ReferHandle>,
    /// The peer's.
    pub theirs: Option<ReferHandle>,
    /// The peer's REFER that this call was placed for.
    pub placed_by: Option<ReferHandle>,
    /// Our REFER that waits for this call's answer or end.
    pub awaited_by: Option<ReferHandle>,
    /// The call whose place this one takes, or that it joins.
    pub other: Option<CallHandle>,
    /// It joins that one.
    pub joins: bool,
    /// The peer is the focus of a conference (RFC 4579 5.1).
    pub focus: bool,
    /// The peer has sent a REFER before (RFC 3515 2.4.6).
    pub referred: bool,
}

/// A short text that is put together.
pub(super) struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Text<N> {
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    pub fn put(&mut self, part: impl IntoIterator<Item = u8>) -> Result<Span, Error> {
        let start = self.len;
        for c in part {
            let place = self.bytes.get_mut(self.len).ok_or(Error::Full(Limit::MessageBytes))?;
            *place = c;
            self.len += 1;
        }
        Ok(Span::new(start, self.len))
    }

    pub fn all(&mut self, parts: &[&[u8]]) -> Result<(), Error> {
        parts.iter().try_for_each(|p| self.put(p.iter().copied()).map(|_| ()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or(&[])
    }
}

/// Whether the application adds this header field itself.
pub(super) fn given(extras: &Extras<'_>, name: Name) -> bool {
    extras.headers.iter().any(|(n, _)| Name::of(n.as_bytes()) == name)
}

/// Whether it says that there shall be no subscription (RFC 4488 4).
pub(super) fn says_no(value: &[u8]) -> bool {
    ReferSub::parse_all(value).is_ok_and(|v| !v.subscribes)
}

impl Ua {
    /// Asks the peer of a call to call `target` (RFC 3515, RFC 5589 6). Queues output.
    pub fn transfer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        target: &str,
        keep: bool,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let uri = Uri::parse(target.as_bytes()).map_err(|_| Error::Misuse(Misuse::BadUri))?;
        if !uri.is_sip() || uri.host.is_empty() {
            return Err(Error::Misuse(Misuse::BadUri));
        }
        let mut to = Text::<REFER_TO>::new();
        to.all(&[b"<", target.as_bytes(), b">"])?;
        let r = self.begin_refer(low, h, keep, extras)?;
        self.send_refer(low, r, Some(to.as_bytes()), extras).inspect_err(|_| self.end_refer(low, r))
    }

    /// Asks the peer of a call to take our place in another one (RFC 5589 7). Queues output.
    pub fn transfer_to(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        other: CallHandle,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let to = self.calls.live(other)?;
        if h == other || to.transfer.awaited_by.is_some() {
            return Err(Error::Misuse(Misuse::State));
        }
        let ringing = match to.state {
            State::Confirmed | State::Accepted => None,
            // Without an early dialog there is nothing to name.
            State::Calling => Some(Ringing::Wait),
            State::Proceeding if to.dialog.is_none() => Some(Ringing::Wait),
            State::Proceeding => Some(low.cx().config.transfer_ringing),
            // RFC 3891 4: the target replaces no call that it has not answered or placed.
            State::Incoming | State::Alerting => return Err(Error::Misuse(Misuse::State)),
            _ => return Err(Error::Late),
        };
        match ringing {
            None | Some(Ringing::Replaces) => {
                let value = self.refer_to(low, other, true)?;
                let r = self.begin_refer(low, h, false, extras)?;
                self.send_refer(low, r, Some(value.as_bytes()), extras)
                    .inspect_err(|_| self.end_refer(low, r))
            }
            Some(Ringing::Wait) => {
                let kept = rest(low.cx(), extras, None, None)?;
                self.put_off(low, h, other, (Phase::Waiting, kept), extras)
            }
            Some(Ringing::Blind) => {
                let value = self.refer_to(low, other, false)?;
                let mut line = Text::<REFER_TO>::new();
                line.all(&[b"Refer-To: ", value.as_bytes(), b"\r\n"])?;
                let field = low.cx().pool.copy_in(line.as_bytes())?;
                let kept = rest(low.cx(), extras, Some(field), None);
                low.cx().pool.release(field);
                let kept = kept?;
                self.put_off(low, h, other, (Phase::Giving, kept), extras)?;
                self.hangup(low, other)
            }
        }
    }

    /// Keeps a REFER until another call is answered or has ended.
    fn put_off(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        other: CallHandle,
        (phase, kept): (Phase, BlockId),
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let begun = self.begin_refer(low, h, false, extras);
        let r = begun.inspect_err(|_| low.cx().pool.release(kept))?;
        if let Some(refer) = self.refers.get_mut(r) {
            refer.phase = phase;
            refer.kept = Some(kept);
            refer.other = Some(other);
        }
        self.calls.live_mut(other)?.transfer.awaited_by = Some(r);
        Ok(())
    }

    /// A REFER of ours for the call, not sent yet.
    fn begin_refer(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        keep: bool,
        extras: &Extras<'_>,
    ) -> Result<ReferHandle, Error> {
        let (now, t1) = (low.cx().now, low.cx().config.t1);
        let (sub, leaves) = (low.cx().config.refer_sub, low.cx().config.transferor_leaves);
        let call = self.calls.live(h)?;
        if call.state != State::Confirmed {
            return Err(Error::Late);
        }
        if call.transfer.ours.is_some() {
            return Err(Error::Misuse(Misuse::State));
        }
        // The REFER itself is over within 64*T1; an address may have to be asked for first.
        let bound = low.cx().config.query.saturating_add(t1.saturating_mul(128));
        let mut refer = Refer::new(Phase::Sent, now.after(bound));
        let named = |(n, v): &(&str, &str)| {
            Name::of(n.as_bytes()) == Name::ReferSub && says_no(v.as_bytes())
        };
        refer.call = Some(h);
        refer.line = call.line;
        refer.dialog = call.dialog;
        refer.quiet = !sub || extras.headers.iter().any(named);
        refer.leaves = if keep { Leaves::Never } else { leaves };
        let r = self.refers.insert(refer)?;
        self.calls.live_mut(h)?.transfer.ours = Some(r);
        Ok(r)
    }

    /// Sends a REFER that was begun. Without `value` it stands in what was kept.
    fn send_refer(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        value: Option<&[u8]>,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let refer = self.refers.live(r)?;
        let (Some(h), Some(dialog)) = (refer.call, refer.dialog) else { return Err(Error::Gone) };
        let (line, kept, until) = (refer.line, refer.kept, refer.until);
        let silent = refer.quiet && !given(extras, Name::ReferSub);
        let mut by = Text::<512>::new();
        // RFC 3892 2.1
        let aor = line.and_then(|l| self.lines.get(l)).map_or(&[][..], |l| l.aor(&low.cx().pool));
        let shown = self.calls.get(h).is_some_and(|c| !c.policy.withheld);
        if !aor.is_empty() && shown && !given(extras, Name::ReferredBy) {
            by.all(&[b"<", aor, b">"])?;
        }
        let mut user = [0u8; 128];
        let len = self.contact_user_of(low.cx(), h, &mut user);
        let mut fields = [(Name::Other, &[][..]); 3];
        let ours = [
            value.map(|v| (Name::ReferTo, v)),
            (!by.as_bytes().is_empty()).then_some((Name::ReferredBy, by.as_bytes())),
            silent.then_some((Name::ReferSub, &b"false"[..])),
        ];
        let mut n = 0;
        for (place, field) in fields.iter_mut().zip(ours.into_iter().flatten()) {
            *place = field;
            n += 1;
        }
        let what = InDialog {
            contact: user.get(..len),
            fields: fields.get(..n).unwrap_or(&[]),
            extra: extras.headers,
            body: (extras.content_type.as_bytes(), extras.body),
            kept: kept.map(|block| Kept { block }),
            ..InDialog::plain(Method::Refer, None)
        };
        let (_, seq) = self.send_in_dialog(low, h, dialog, part::REFER, &what)?;
        let refer = self.refers.live_mut(r)?;
        refer.phase = Phase::Sent;
        refer.seq = seq;
        if let Some(block) = refer.kept.take() {
            low.cx().pool.release(block);
        }
        self.arm_refer(low.cx(), r, until)
    }

    /// `<target?Replaces=...>` of another call's peer (RFC 5589 7.1, RFC 3891 4).
    fn refer_to(
        &self,
        low: &mut Low<'_>,
        other: CallHandle,
        replaces: bool,
    ) -> Result<Text<REFER_TO>, Error> {
        let dialog = self.calls.live(other)?.dialog.ok_or(Error::Misuse(Misuse::State))?;
        let names = low.dialogs.names(low.down.cx, dialog).ok_or(Error::Gone)?;
        let aor = low.down.cx.config.transfer_to_aor;
        let target = low.dialogs.target(low.down.cx, dialog);
        let whole = Span::new(0, names.remote.len());
        let named = NameAddr::parse(names.remote, whole).map(|a| a.uri_text.of(names.remote));
        let uri = if aor || !replaces { named.unwrap_or(target) } else { target };
        let bare = uri.split(|c| *c == b'?').next().unwrap_or(uri);
        let mut out = Text::new();
        out.all(&[b"<", bare])?;
        if replaces {
            // RFC 3891 3: the to-tag is the one of the side that gets the INVITE.
            out.all(&[b"?Replaces="])?;
            out.put(escape(names.call_id, Class::UNRESERVED))?;
            out.all(&[b"%3Bto-tag%3D"])?;
            out.put(escape(names.remote_tag, Class::UNRESERVED))?;
            out.all(&[b"%3Bfrom-tag%3D"])?;
            out.put(escape(names.local_tag, Class::UNRESERVED))?;
            if aor {
                // RFC 5589 7.3: not whoever else has this address.
                out.all(&[b"&Require=replaces"])?;
            }
        }
        out.all(&[b">"])?;
        Ok(out)
    }

    /// The answer to our REFER (RFC 3515 2.4.2).
    pub(super) fn on_refer_response(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let status = m.status();
        let (now, wait) = (low.cx().now, low.cx().config.t1.saturating_mul(64));
        let Some(r) = self.calls.live(h)?.transfer.ours else { return Ok(()) };
        let Some(refer) = self.refers.get_mut(r).filter(|_| status >= 200) else { return Ok(()) };
        if status >= 300 {
            if refer.phase != Phase::Sent {
                return Ok(());
            }
            let block = low.cx().pool.copy_in(m.bytes()).ok();
            return self.outcome(low, r, status, block);
        }
        let leaves = refer.leaves;
        if refer.phase == Phase::Sent {
            refer.phase = Phase::Open;
            // RFC 4488 4: only the one who takes it can do without the subscription.
            let silent = refer.quiet && m.header(Name::ReferSub).is_some_and(says_no);
            let block = low.cx().pool.copy_in(m.bytes()).ok();
            if silent {
                return self.outcome(low, r, status, block);
            }
            self.arm_refer(low.cx(), r, now.after(wait))?;
            self.tell(low.cx(), h, record::TRANSFER, status, block)?;
        }
        if leaves == Leaves::OnAccepted {
            self.leave(low, h, EndReason::Transferred);
        }
        Ok(())
    }

    /// Our REFER was challenged, and there is no answer to that: the response is in `block`.
    pub(super) fn on_refer_refused(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        status: u16,
        block: BlockId,
    ) -> Result<(), Error> {
        let r = self.calls.live(h)?.transfer.ours;
        let sent = |r: &ReferHandle| self.refers.get(*r).is_some_and(|x| x.phase == Phase::Sent);
        match r.filter(sent) {
            Some(r) => self.outcome(low, r, status, Some(block)),
            None => {
                low.cx().pool.release(block);
                Ok(())
            }
        }
    }

    /// A challenged request goes again with another CSeq number: that of a REFER names its
    /// NOTIFYs.
    pub(super) fn sent_again(&mut self, owner: Owner, number: u32) {
        let ours = match (owner.kind, owner.part) {
            (OwnerKind::Call, part::REFER) => {
                self.calls.get(CallHandle::from_raw(owner.object)).and_then(|c| c.transfer.ours)
            }
            (OwnerKind::Refer, REFER) => Some(ReferHandle::from_raw(owner.object)),
            _ => None,
        };
        if let Some(refer) = ours.and_then(|r| self.refers.get_mut(r)) {
            refer.seq = number;
        }
    }

    /// Our REFER has failed without an answer.
    pub(super) fn on_refer_failure(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: Failure,
    ) -> Result<(), Error> {
        let Some(r) = self.calls.live(h)?.transfer.ours else { return Ok(()) };
        if self.refers.get(r).is_none_or(|x| x.phase != Phase::Sent) {
            return Ok(());
        }
        self.outcome(low, r, if why == Failure::Timeout { 408 } else { 503 }, None)
    }

    /// Tells what became of a transfer of ours, and leaves the call where it worked. The
    /// subscription has ended.
    pub(super) fn outcome(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let Some(refer) = self.refers.get(r) else { return Ok(()) };
        let (h, leaves) = (refer.call, refer.leaves);
        let apart = refer.apart.then_some((refer.user, refer.phase != Phase::Known));
        self.end_refer(low, r);
        match apart {
            Some((user, true)) => tell_refer(low.cx(), user, (status, true), block),
            _ => self.say_outcome(low, h, leaves, status, block),
        }
    }

    pub(super) fn say_outcome(
        &mut self,
        low: &mut Low<'_>,
        h: Option<CallHandle>,
        leaves: Leaves,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        let Some(h) = h.filter(|h| self.calls.get(*h).is_some()) else {
            if let Some(block) = block {
                low.cx().pool.release(block);
            }
            return Ok(());
        };
        self.tell(low.cx(), h, record::TRANSFER + 1, status, block)?;
        if (200..300).contains(&status) && leaves != Leaves::Never {
            self.leave(low, h, EndReason::Transferred);
        }
        Ok(())
    }

    /// Hangs a call up for a reason of our own.
    pub(super) fn leave(&mut self, low: &mut Low<'_>, h: CallHandle, why: EndReason) {
        if let Some(call) = self.calls.get_mut(h) {
            call.end = Some(why);
        }
        // Late: it is ending already. Without room it happens later.
        let _ = self.hangup(low, h);
    }

    /// Why a call has ended: what made us hang up says more than that we did.
    pub(super) fn reason(&self, h: CallHandle, why: EndReason) -> EndReason {
        let own = self.calls.get(h).and_then(|c| c.end);
        match why {
            EndReason::Hangup | EndReason::Abandoned => own.unwrap_or(why),
            _ => why,
        }
    }

    /// The timer of a REFER has fired.
    pub(crate) fn on_refer_timer(&mut self, low: &mut Low<'_>, key: TimerKey) -> Result<(), Error> {
        let r = ReferHandle::from_raw(key.object);
        let Some(refer) = self.refers.get_mut(r) else { return Ok(()) };
        refer.timer = None;
        match refer.phase {
            Phase::Waiting | Phase::Giving => self.send_kept(low, r),
            Phase::Sent | Phase::Open => self.outcome(low, r, 408, None),
            Phase::Known => {
                self.end_refer(low, r);
                Ok(())
            }
            Phase::Asked(tx) => self.refer_unanswered(low, r, tx),
            Phase::Granted(tx) => self.take_granted(low, r, tx),
            Phase::Taken => self.notify_again(low, r),
        }
    }

    /// The call that a REFER waited for is answered, or given up: it goes now.
    fn send_kept(&mut self, low: &mut Low<'_>, r: ReferHandle) -> Result<(), Error> {
        let refer = self.refers.live(r)?;
        let value = match (refer.phase, refer.other) {
            (Phase::Waiting, Some(other)) => Some(self.refer_to(low, other, true)),
            _ => None,
        };
        let sent = match value.transpose() {
            Ok(value) => {
                let value = value.as_ref().map(Text::as_bytes);
                self.send_refer(low, r, value, &Extras::default())
            }
            Err(e) => Err(e),
        };
        let now = low.cx().now;
        match sent {
            Ok(()) => {
                let other = self.refers.get_mut(r).and_then(|x| x.other.take());
                if let Some(c) = other.and_then(|o| self.calls.get_mut(o)) {
                    c.transfer.awaited_by = None;
                }
                Ok(())
            }
            Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                self.arm_refer(low.cx(), r, now.after(RETRY))
            }
            Err(_) => self.outcome(low, r, 503, None),
        }
    }

    pub(super) fn arm_refer(
        &mut self,
        cx: &mut Cx,
        r: ReferHandle,
        at: Instant,
    ) -> Result<(), Error> {
        let Some(refer) = self.refers.get_mut(r) else { return Ok(()) };
        if let Some(timer) = refer.timer.take() {
            cx.timers.cancel(timer);
        }
        refer.timer = Some(cx.timers.arm(at, TimerKey { kind: TIMER_REFER, object: r.raw() })?);
        Ok(())
    }

    /// Frees a REFER, and its dialog if nothing else lives in that.
    pub(super) fn end_refer(&mut self, low: &mut Low<'_>, r: ReferHandle) {
        let Some(refer) = self.refers.remove(r) else { return };
        if let Some(timer) = refer.timer {
            low.cx().timers.cancel(timer);
        }
        if let Some(block) = refer.kept {
            low.cx().pool.release(block);
        }
        if let Some(attempt) = refer.notify {
            low.attempts.end(&mut low.down, attempt);
        }
        if refer.apart && refer.phase == Phase::Sent {
            self.undecided = self.undecided.saturating_sub(1);
        }
        for h in [refer.call, refer.other].into_iter().flatten() {
            let Some(call) = self.calls.get_mut(h) else { continue };
            let t = &mut call.transfer;
            for place in [&mut t.ours, &mut t.theirs, &mut t.placed_by, &mut t.awaited_by] {
                place.take_if(|x| *x == r);
            }
        }
        let Some(dialog) = refer.dialog.filter(|_| refer.call.is_none()) else { return };
        match refer.twin.filter(|t| self.refers.get(*t).is_some()) {
            Some(twin) => {
                if let Some(t) = self.refers.get_mut(twin) {
                    t.twin = None;
                }
                if let Some(d) = low.dialogs.get_mut(dialog) {
                    d.set_owner(Owner::new(OwnerKind::Refer, twin.raw()));
                }
            }
            None => {
                low.dialogs.end(low.down.cx, dialog);
            }
        }
    }

    /// A call is being forgotten. The dialogs in which a subscription goes on stay, and are that
    /// subscription's (RFC 5057 4.1).
    pub(super) fn keep_subscriptions(&mut self, low: &mut Low<'_>, call: &super::call::Call) {
        let t = &call.transfer;
        for r in [t.awaited_by, t.placed_by].into_iter().flatten() {
            if let Some(refer) = self.refers.get_mut(r) {
                refer.other = None;
            }
        }
        let mut first: Option<(ReferHandle, DialogHandle)> = None;
        for r in [t.ours, t.theirs].into_iter().flatten() {
            let waits = |x: &&Refer| matches!(x.phase, Phase::Waiting | Phase::Giving);
            if self.refers.get(r).filter(waits).is_some() {
                self.end_refer(low, r);
                continue;
            }
            let Some(refer) = self.refers.get_mut(r) else { continue };
            refer.call = None;
            refer.dialog = refer.dialog.or(call.dialog);
            let Some(dialog) = refer.dialog else { continue };
            let twin = first.filter(|(_, d)| *d == dialog).map(|(twin, _)| twin);
            refer.twin = twin;
            if let Some(x) = twin.and_then(|f| self.refers.get_mut(f)) {
                x.twin = Some(r);
            } else if let Some(d) = low.dialogs.get_mut(dialog) {
                d.set_owner(Owner::new(OwnerKind::Refer, r.raw()));
            }
            first = first.or(Some((r, dialog)));
        }
    }

    /// An early dialog of a call ends while the call goes on: so does what was asked for in it.
    pub(super) fn end_refer_in(&mut self, low: &mut Low<'_>, h: CallHandle, dialog: DialogHandle) {
        let in_it = |r: &ReferHandle| self.refers.get(*r).is_some_and(|x| x.dialog == Some(dialog));
        let theirs = self.calls.get(h).and_then(|c| c.transfer.theirs).filter(in_it);
        let Some(r) = theirs else { return };
        if let Some(Phase::Asked(tx) | Phase::Granted(tx)) = self.refers.get(r).map(|x| x.phase)
            && low.down.tx.reply(low.down.cx, tx, 481, &Reply::default()).is_err()
        {
            // Without room for it, its repetition finds no dialog.
            low.down.tx.end(low.down.cx, tx);
        }
        self.end_refer(low, r);
    }
}
