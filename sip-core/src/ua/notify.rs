//! The subscription that a REFER makes (RFC 3515 2.4.4, RFC 6665): NOTIFY out and in.

use super::call::start_in_dialog;
use super::referring::{REFER, tell_refer};
use super::transfer::{MESSAGE, Phase, RETRY, ReferHandle, Text};
use super::{CallHandle, EndReason, Low, Ua, record};
use crate::dialog::{DialogHandle, InDialog, Order};
use crate::error::{Error, Limit};
use crate::header::Value as _;
use crate::header::essentials::Essentials;
use crate::header::event::{Event, SubscriptionState, Substate};
use crate::path::Path;
use crate::store::queries::{Owner, OwnerKind};
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::reason::reason_phrase;
use crate::wire::start_line::Method;

const SIPFRAG: &[u8] = b"message/sipfrag";

/// Digits of a number.
fn digits(mut n: u64, out: &mut [u8; 20]) -> &[u8] {
    let mut at = out.len();
    for place in out.iter_mut().rev() {
        *place = b'0' + (n % 10) as u8;
        n /= 10;
        at -= 1;
        if n == 0 {
            break;
        }
    }
    out.get(at..).unwrap_or(&[])
}

/// The status of the status line that a sipfrag begins with (RFC 3515 2.4.5).
fn status_of(body: &[u8]) -> Option<u16> {
    let rest = body.strip_prefix(b"SIP/2.0 ")?;
    let (code, after) = rest.split_at_checked(3)?;
    if !matches!(after.first(), None | Some(b' ' | b'\r' | b'\n')) {
        return None;
    }
    let code = core::str::from_utf8(code).ok()?.parse().ok()?;
    (100..700).contains(&code).then_some(code)
}

/// What a NOTIFY says.
struct News {
    status: u16,
    over: bool,
}

/// Whether a request is about the REFER with this CSeq number; else the status that it earns.
fn event_of(m: &MessageRef<'_>, seq: u32) -> Result<(), u16> {
    let event = m.header_span(Name::Event).ok_or(489u16)?;
    let event = Event::parse(m.bytes(), event).map_err(|_| 400u16)?;
    if !m.text(event.package).eq_ignore_ascii_case(b"refer") {
        return Err(489);
    }
    // RFC 3515 2.4.6
    let mut out = [0; 20];
    if event.id.is_some_and(|id| m.text(id) != digits(u64::from(seq), &mut out)) {
        return Err(481);
    }
    Ok(())
}

/// Reads a NOTIFY of our subscription; else the status that it earns.
fn read(m: &MessageRef<'_>, seq: u32) -> Result<News, u16> {
    event_of(m, seq)?;
    let state = m
        .header_span(Name::SubscriptionState)
        .and_then(|at| SubscriptionState::parse(m.bytes(), at).ok());
    let over = state.is_some_and(|s| s.substate(m.bytes()) == Substate::Terminated);
    let kind = m.header(Name::ContentType).unwrap_or(&[]);
    let fits = kind.get(..SIPFRAG.len()).is_some_and(|k| k.eq_ignore_ascii_case(SIPFRAG));
    if !fits && !m.body().is_empty() {
        return Err(415);
    }
    match status_of(m.body()) {
        Some(status) => Ok(News { status, over }),
        // It ended without a word.
        None if over => Ok(News { status: 100, over }),
        None => Err(400),
    }
}

impl Ua {
    /// Notes how the call goes that a peer's REFER asked for, and tells the peer.
    pub(super) fn say(&mut self, low: &mut Low<'_>, r: ReferHandle, status: u16) {
        let Some(refer) = self.refers.get_mut(r) else { return };
        if refer.next >= 200 {
            return;
        }
        refer.next = status;
        if status >= 200
            && let Some(call) = refer.other.take().and_then(|h| self.calls.get_mut(h))
        {
            call.transfer.placed_by = None;
        }
        self.notify(low, r);
    }

    /// Sends the NOTIFY that is due, if none is on its way. Without room it waits.
    pub(super) fn notify(&mut self, low: &mut Low<'_>, r: ReferHandle) {
        let Some(refer) = self.refers.get_mut(r) else { return };
        if refer.quiet {
            refer.told = refer.next;
            if refer.told >= 200 {
                self.end_refer(low, r);
            }
            return;
        }
        if refer.notify.is_some() || refer.next == refer.told {
            return;
        }
        let status = refer.next;
        let room = low.cx().has_room(2, 2, MESSAGE);
        let sent = if room { self.send_notify(low, r) } else { Err(Error::Full(Limit::Blocks)) };
        match sent {
            Ok(()) => {
                if let Some(refer) = self.refers.get_mut(r) {
                    refer.told = status;
                }
            }
            Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                let at = low.cx().now.after(RETRY);
                if self.arm_refer(low.cx(), r, at).is_err() {
                    self.end_refer(low, r);
                }
            }
            Err(_) => self.end_refer(low, r),
        }
    }

    fn send_notify(&mut self, low: &mut Low<'_>, r: ReferHandle) -> Result<(), Error> {
        let refer = self.refers.live(r)?;
        let dialog = refer.dialog.ok_or(Error::Gone)?;
        let (status, line) = (refer.next, refer.line);
        let mut number = [0; 20];
        let (mut event, mut state, mut body) =
            (Text::<32>::new(), Text::<64>::new(), Text::<128>::new());
        event.all(&[b"refer"])?;
        if refer.named {
            event.all(&[b";id=", digits(u64::from(refer.seq), &mut number)])?;
        }
        if status >= 200 {
            // RFC 3515 2.4.7
            state.all(&[b"terminated;reason=noresource"])?;
        } else {
            match refer.until.0.saturating_sub(low.cx().now.0) / 1_000 {
                0 => state.all(&[b"terminated;reason=timeout"])?,
                left => state.all(&[b"active;expires=", digits(left, &mut number)])?,
            }
        }
        let code = digits(u64::from(status), &mut number);
        body.all(&[b"SIP/2.0 ", code, b" ", reason_phrase(status).as_bytes(), b"\r\n"])?;
        let fields = [(Name::Event, event.as_bytes()), (Name::SubscriptionState, state.as_bytes())];
        let mut user = [0u8; 128];
        let len = self.contact_user(low.cx(), line, &mut user);
        let what = InDialog {
            contact: user.get(..len),
            fields: &fields,
            body: (b"message/sipfrag;version=2.0", body.as_bytes()),
            ..InDialog::plain(Method::Notify, None)
        };
        let owner = Owner::new(OwnerKind::Refer, r.raw());
        let (attempt, ..) = start_in_dialog(low, owner, line, dialog, &what)?;
        self.refers.live_mut(r)?.notify = Some(attempt);
        Ok(())
    }

    /// The timer of a REFER that was taken: room is looked for again, or it has lasted long enough.
    pub(super) fn notify_again(&mut self, low: &mut Low<'_>, r: ReferHandle) -> Result<(), Error> {
        let Some(refer) = self.refers.get_mut(r) else { return Ok(()) };
        let until = refer.until;
        if low.cx().now >= until {
            match (refer.notify, refer.told) {
                // Its answer ends it.
                (Some(_), _) => {}
                (None, 0) => self.end_refer(low, r),
                (None, _) => {
                    // RFC 6665 4.2.2: the end is told too.
                    refer.told = 0;
                    self.notify(low, r);
                }
            }
            return Ok(());
        }
        self.arm_refer(low.cx(), r, until)?;
        self.notify(low, r);
        Ok(())
    }

    /// The answer to our NOTIFY, or to our REFER outside a dialog.
    pub(crate) fn on_subscription_response(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if from.part == REFER {
            let r = ReferHandle::from_raw(from.object);
            return self.on_apart_response(low, r, (m, e, path));
        }
        self.on_notify_response(low, from, m.status())
    }

    /// Our NOTIFY, or our REFER outside a dialog, was not answered.
    pub(crate) fn on_subscription_failure(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        if from.part == REFER {
            return self.on_apart_failure(low, ReferHandle::from_raw(from.object), why);
        }
        self.on_notify_failure(low, from);
        Ok(())
    }

    /// The answer to our NOTIFY.
    pub(super) fn on_notify_response(
        &mut self,
        low: &mut Low<'_>,
        from: Owner,
        status: u16,
    ) -> Result<(), Error> {
        let r = ReferHandle::from_raw(from.object);
        let now = low.cx().now;
        let Some(refer) = self.refers.get_mut(r).filter(|_| status >= 200) else { return Ok(()) };
        refer.notify = None;
        // RFC 6665 4.2.2: any other answer ends the subscription, and so does its last NOTIFY.
        let over = now >= refer.until && refer.told == refer.next;
        if status >= 300 || refer.told >= 200 || over {
            self.end_refer(low, r);
        } else {
            self.notify(low, r);
        }
        Ok(())
    }

    /// Our NOTIFY was not answered (RFC 6665 4.2.2): nobody listens.
    fn on_notify_failure(&mut self, low: &mut Low<'_>, from: Owner) {
        let r = ReferHandle::from_raw(from.object);
        if let Some(refer) = self.refers.get_mut(r) {
            refer.notify = None;
            self.end_refer(low, r);
        }
    }

    /// A SUBSCRIBE in a dialog of ours; `r` is the REFER that was taken in it, if there is one. It
    /// lengthens or ends that subscription, and makes none (RFC 3515 2.4.4).
    pub(super) fn on_subscribe(
        &mut self,
        low: &mut Low<'_>,
        r: Option<ReferHandle>,
        tx: TxHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let refer = r.and_then(|r| Some((r, self.refers.get(r)?)));
        let refer = refer.filter(|(_, x)| x.phase == Phase::Taken && !x.quiet);
        let r = match (event_of(m, refer.map_or(0, |(_, x)| x.seq)), refer) {
            (Ok(()), Some((r, _))) => r,
            (Ok(()) | Err(481), _) => return refuse_event(low, tx, 403),
            (Err(status), _) => return refuse_event(low, tx, status),
        };
        let now = low.cx().now;
        let refer = self.refers.live_mut(r)?;
        let left = refer.until.0.saturating_sub(now.0) / 1_000;
        let granted = e.expires.map_or(left, |s| left.min(u64::from(s)));
        let mut number = [0; 20];
        let fields = [(Name::Expires, digits(granted, &mut number))];
        let reply = Reply { extra: &fields, ..Reply::default() };
        low.down.tx.reply(low.down.cx, tx, 200, &reply)?;
        let until = now.after(granted.saturating_mul(1_000));
        refer.until = until;
        // RFC 6665 4.2.1.2: each is followed by a NOTIFY.
        refer.told = 0;
        self.arm_refer(low.cx(), r, until.max(now.after(RETRY)))?;
        self.notify(low, r);
        Ok(())
    }

    /// A NOTIFY in a dialog of ours; `r` is the REFER that we sent in it, if there is one.
    pub(super) fn on_notify(
        &mut self,
        low: &mut Low<'_>,
        r: Option<ReferHandle>,
        tx: TxHandle,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let refer = r.and_then(|r| Some((r, self.refers.get(r)?)));
        let listens = |p: Phase| matches!(p, Phase::Sent | Phase::Open | Phase::Known);
        let refer = refer.filter(|(_, x)| listens(x.phase));
        let news = match (read(m, refer.map_or(0, |(_, x)| x.seq)), refer) {
            (Ok(news), Some((r, _))) => Ok((r, news)),
            (Ok(_), None) => Err(481),
            (Err(status), _) => Err(status),
        };
        let (r, news) = match news {
            Ok(news) => news,
            Err(status) => return refuse_event(low, tx, status),
        };
        low.down.tx.reply(low.down.cx, tx, 200, &Reply::default())?;
        self.take_news(low, r, &news, m)
    }

    fn take_news(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        news: &News,
        m: &MessageRef<'_>,
    ) -> Result<(), Error> {
        let now = low.cx().now;
        let (wait, ring) = (low.cx().config.t1.saturating_mul(64), low.cx().config.ring);
        let refer = self.refers.live_mut(r)?;
        let (h, leaves, known) = (refer.call, refer.leaves, refer.phase == Phase::Known);
        let apart = refer.apart.then_some(refer.user);
        if known {
            if news.over {
                self.end_refer(low, r);
            }
            return Ok(());
        }
        let told = h.is_some() || apart.is_some();
        let block = if told { low.cx().pool.copy_in(m.bytes()).ok() } else { None };
        if news.over {
            return self.outcome(low, r, news.status, block);
        }
        if news.status >= 200 {
            self.refers.live_mut(r)?.phase = Phase::Known;
            self.arm_refer(low.cx(), r, now.after(wait))?;
            return match apart {
                Some(user) => tell_refer(low.cx(), user, (news.status, true), block),
                None => self.say_outcome(low, h, leaves, news.status, block),
            };
        }
        self.refers.live_mut(r)?.phase = Phase::Open;
        // The new call rings at most so long; then its outcome is due.
        self.arm_refer(low.cx(), r, now.after(ring.saturating_add(wait)))?;
        match h {
            Some(h) => self.tell(low.cx(), h, record::TRANSFER, news.status, block),
            None if apart.is_some() => self.tell_apart(low.cx(), r, news.status, block),
            None => Ok(()),
        }
    }

    /// A request in a dialog in which only subscriptions are left (RFC 5057).
    pub(super) fn serve_subscription(
        &mut self,
        low: &mut Low<'_>,
        (owner, dialog, tx): (Owner, DialogHandle, TxHandle),
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let number = e.cseq.map_or(0, |c| c.number);
        let status = match low.dialogs.note_request(dialog, number, path)? {
            Order::Lower => 500,
            // The call has ended.
            Order::Next => 481,
        };
        let first = ReferHandle::from_raw(owner.object);
        let twin = self.refers.get(first).and_then(|x| x.twin);
        let of = |ours: bool| {
            let fits = |r: &ReferHandle| self.refers.get(*r).is_some_and(|x| x.is_ours() == ours);
            [Some(first), twin].into_iter().flatten().find(fits)
        };
        match m.method() {
            Method::Notify if status == 481 => {
                let r = of(true);
                return self.on_notify(low, r, tx, m);
            }
            Method::Subscribe if status == 481 => {
                let r = of(false);
                return self.on_subscribe(low, r, tx, m, e);
            }
            _ => {}
        }
        low.down.tx.reply(low.down.cx, tx, status, &Reply::default())
    }

    /// A provisional response came to a call that a REFER asked for.
    pub(super) fn progress_of_followed(&mut self, low: &mut Low<'_>, h: CallHandle, status: u16) {
        if let Some(r) = self.calls.get(h).and_then(|c| c.transfer.placed_by) {
            self.say(low, r, status);
        }
    }

    /// A call of ours is answered: whoever asked for it is told, and a REFER that waited for it
    /// goes.
    pub(super) fn answer_of_followed(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) {
        let Some(call) = self.calls.get_mut(h) else { return };
        call.transfer.focus = super::pair::is_focus(m, e);
        let (placed, awaited) = (call.transfer.placed_by, call.transfer.awaited_by);
        if let Some(r) = placed {
            self.say(low, r, m.status());
        }
        if let Some(r) = awaited {
            self.go_on(low, r, Phase::Waiting);
        }
    }

    /// A REFER that waited is sent as soon as there is room.
    fn go_on(&mut self, low: &mut Low<'_>, r: ReferHandle, phase: Phase) {
        let now = low.cx().now;
        if self.refers.get(r).is_some_and(|x| x.phase == phase)
            && self.arm_refer(low.cx(), r, now).is_err()
        {
            self.end_refer(low, r);
        }
    }

    /// A call has ended: whoever asked for it is told, and so is who waited for it.
    pub(super) fn end_of_followed(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        why: EndReason,
        status: u16,
    ) {
        let Some(call) = self.calls.get(h) else { return };
        let (placed, awaited) = (call.transfer.placed_by, call.transfer.awaited_by);
        let status = match (status, why) {
            (300.., _) => status,
            (_, EndReason::Timeout) => 408,
            (_, EndReason::Unreachable) => 503,
            _ => 487,
        };
        if let Some(r) = placed {
            self.say(low, r, status);
        }
        match awaited.and_then(|r| Some((r, self.refers.get(r)?.phase))) {
            Some((r, Phase::Giving)) => self.go_on(low, r, Phase::Giving),
            Some((r, _)) => {
                // The call that was to be transferred stays with the person.
                let _ = self.outcome(low, r, status, None);
            }
            None => {}
        }
    }
}

/// Refuses a NOTIFY or a SUBSCRIBE.
fn refuse_event(low: &mut Low<'_>, tx: TxHandle, status: u16) -> Result<(), Error> {
    let field = match status {
        // RFC 6665 7.2, RFC 3261 21.4.13
        489 => Some((Name::AllowEvents, &b"refer"[..])),
        415 => Some((Name::Accept, SIPFRAG)),
        _ => None,
    };
    let reply = Reply { extra: field.as_slice(), ..Reply::default() };
    low.down.tx.reply(low.down.cx, tx, status, &reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sipfrag_begins_with_a_status_line() {
        assert_eq!(status_of(b"SIP/2.0 100 Trying\r\n"), Some(100));
        assert_eq!(status_of(b"SIP/2.0 603 Declined"), Some(603));
        assert_eq!(status_of(b"SIP/2.0 200"), Some(200));
        for bad in [&b""[..], b"SIP/2.0 20", b"SIP/2.0 2000 OK", b"SIP/2.0 099 x", b"INVITE sip:x"]
        {
            assert_eq!(status_of(bad), None);
        }
    }

    #[test]
    fn numbers_are_written_in_digits() {
        let mut out = [0; 20];
        assert_eq!(digits(0, &mut out), b"0");
        assert_eq!(digits(4_294_967_295, &mut out), b"4294967295");
        assert_eq!(digits(u64::MAX, &mut out), b"18446744073709551615");
    }
}
