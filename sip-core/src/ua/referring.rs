//! A REFER outside a dialog, its sender's side (RFC 3515 2.4, RFC 4488): what becomes of it is told
//! by events of its own, for there is no call.

use super::Extras;
use super::options::Apart;
use super::privacy::Caller;
use super::transfer::{Phase, REFER_TO, Refer, ReferHandle, Text, given, says_no};
use super::{LineHandle, Low, Ua};
use crate::attempt::Start;
use crate::cx::Cx;
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::uri::{Uri, is_sips};
use crate::path::Path;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::EventRecord;
use crate::tx::Failure;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::start_line::Method;

/// The record number of what is told of such a REFER.
pub(crate) const EVENT_REFER: u16 = 0x502;

/// The part of a REFER's owner that is the REFER itself; all others are its NOTIFYs.
pub(super) const REFER: u8 = 1;

impl Ua {
    /// Asks `target` to call `to`, outside any call (RFC 3515 2.4). Queues output.
    pub fn refer(
        &mut self,
        low: &mut Low<'_>,
        line: LineHandle,
        (target, to): (&str, &str),
        user: u64,
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let bad = |_| Error::Misuse(Misuse::BadUri);
        let uri = Uri::parse(target.as_bytes()).map_err(bad)?;
        let named = Uri::parse(to.as_bytes()).map_err(bad)?;
        // RFC 3261 19.1.1: what a Request-URI may not have.
        let plain = uri.is_sip() && uri.headers.is_empty() && uri.method.is_empty();
        if !plain || !named.is_sip() || named.host.is_empty() {
            return Err(Error::Misuse(Misuse::BadUri));
        }
        self.lines.live(line)?;
        // The 2xx makes a dialog.
        if !self.dialog_fits(low) {
            return Err(Error::Full(Limit::Dialogs));
        }
        let cx = low.cx();
        let bound = cx.config.query.saturating_add(cx.config.t1.saturating_mul(128));
        let until = cx.now.after(bound);
        let mut refer = Refer::new(Phase::Sent, until);
        let silent = |(n, v): &(&str, &str)| {
            Name::of(n.as_bytes()) == Name::ReferSub && says_no(v.as_bytes())
        };
        refer.quiet = !cx.config.refer_sub || extras.headers.iter().any(silent);
        (refer.line, refer.seq, refer.apart, refer.user) = (Some(line), 1, true, user);
        let r = self.refers.insert(refer)?;
        self.undecided += 1;
        let sent = self.send_apart(low, r, line, (target.as_bytes(), to.as_bytes()), extras);
        sent.and_then(|()| self.arm_refer(low.cx(), r, until))
            .inspect_err(|_| self.end_refer(low, r))
    }

    fn send_apart(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        line: LineHandle,
        (target, to): (&[u8], &[u8]),
        extras: &Extras<'_>,
    ) -> Result<(), Error> {
        let quiet = self.refers.live(r)?.quiet;
        let (hop, near) = self.way(low, line, target)?;
        let (mut value, mut by) = (Text::<REFER_TO>::new(), Text::<512>::new());
        value.all(&[b"<", to, b">"])?;
        let withheld = Caller::of(self.lines.get(line), extras).is_withheld();
        // RFC 3892 2.1
        if !withheld && !given(extras, Name::ReferredBy) {
            let aor = self.lines.live(line)?.aor(&low.cx().pool);
            by.all(&[b"<", aor, b">"])?;
        }
        let silent = quiet && !given(extras, Name::ReferSub);
        let fields = [
            Some((Name::ReferTo, value.as_bytes())),
            (!by.as_bytes().is_empty()).then_some((Name::ReferredBy, by.as_bytes())),
            silent.then_some((Name::ReferSub, &b"false"[..])),
        ];
        let apart = Apart { method: Method::Refer, line: Some(line), target, near };
        let request = self.write_apart(low.cx(), &apart, &fields, extras)?;
        let start = Start {
            owner: Owner::part(OwnerKind::Refer, r.raw(), REFER),
            request,
            method: Method::Refer,
            hop,
            near,
            flow: None,
            line: line.raw(),
            mark: None,
        };
        let (attempt, _) = low.attempts.start(&mut low.down, &start)?;
        self.refers.live_mut(r)?.notify = Some(attempt);
        Ok(())
    }

    /// The answer to our REFER outside a dialog (RFC 3515 2.4.2).
    pub(super) fn on_apart_response(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        (m, e, path): (&MessageRef<'_>, &Essentials, &Path),
    ) -> Result<(), Error> {
        let status = m.status();
        let sent = |x: &&mut Refer| x.phase == Phase::Sent && status >= 200;
        let Some(refer) = self.refers.get_mut(r).filter(sent) else { return Ok(()) };
        refer.notify = None;
        let block = low.cx().pool.copy_in(m.bytes()).ok();
        if status >= 300 {
            return self.outcome(low, r, status, block);
        }
        let refer = self.refers.live_mut(r)?;
        refer.phase = Phase::Open;
        self.undecided = self.undecided.saturating_sub(1);
        // RFC 4488 4: only the one who takes it can do without the subscription.
        if refer.quiet && m.header(Name::ReferSub).is_some_and(says_no) {
            return self.outcome(low, r, status, block);
        }
        let owner = Owner::new(OwnerKind::Refer, r.raw());
        let secure = e.to.is_some_and(|t| is_sips(m.text(t.uri_text)));
        let made = low.dialogs.create_uac(low.down.cx, m, e, owner, path, secure);
        let made = made.and_then(|d| {
            self.refers.live_mut(r)?.dialog = Some(d);
            low.dialogs.confirm_uac(low.down.cx, d, m, e)
        });
        if made.is_err() {
            return self.outcome(low, r, 503, block);
        }
        let wait = low.cx().config.t1.saturating_mul(64);
        let at = low.cx().now.after(wait);
        self.arm_refer(low.cx(), r, at)?;
        self.tell_apart(low.cx(), r, status, block)
    }

    /// It has failed without an answer.
    pub(super) fn on_apart_failure(
        &mut self,
        low: &mut Low<'_>,
        r: ReferHandle,
        why: Failure,
    ) -> Result<(), Error> {
        let Some(refer) = self.refers.get_mut(r) else { return Ok(()) };
        refer.notify = None;
        self.outcome(low, r, if why == Failure::Timeout { 408 } else { 503 }, None)
    }

    /// Tells how it goes; takes over the hold on the message.
    pub(super) fn tell_apart(
        &self,
        cx: &mut Cx,
        r: ReferHandle,
        status: u16,
        block: Option<BlockId>,
    ) -> Result<(), Error> {
        match self.refers.get(r) {
            Some(refer) => tell_refer(cx, refer.user, (status, false), block),
            None => {
                block.into_iter().for_each(|b| cx.pool.release(b));
                Ok(())
            }
        }
    }

    /// Whether a NOTIFY outside all dialogs may be that of a REFER that has no answer yet.
    pub(super) fn awaits_subscription(&self, m: &MessageRef<'_>) -> bool {
        m.method() == Method::Notify
            && self.undecided > 0
            && self.refers.iter().any(|(_, x)| x.apart && x.phase == Phase::Sent)
    }
}

/// Tells how a REFER outside a dialog goes.
pub(super) fn tell_refer(
    cx: &mut Cx,
    user: u64,
    (status, done): (u16, bool),
    block: Option<BlockId>,
) -> Result<(), Error> {
    let object = u64::from(done);
    cx.event(EventRecord { kind: EVENT_REFER, code: status, object, other: 0, user, block })
}
