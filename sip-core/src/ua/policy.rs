//! What a line does with a call before a person does. A policy acts as a person would, by the same
//! means, and whoever is first wins.

use super::answer_mode::{Mode, mode};
use super::clock::Due;
use super::outside::bracketed;
use super::privacy::is_anonymous;
use super::settings::{AutoAnswer, Follow, Policy, PolicyAct};
use super::table::{Act, Happening, State};
use super::{CallHandle, Extras, LineHandle, Low, Ua, diverted, record};
use crate::cx::Cx;
use crate::error::{Error, Limit, Misuse};
use crate::header::essentials::Essentials;
use crate::header::uri::{Scheme, Uri};
use crate::store::pool::BlockId;
use crate::wire::message::MessageRef;
use crate::wire::name::Name;
use crate::wire::scan::Span;

/// How long an act that found no room waits, in milliseconds.
const RETRY: u64 = 100;

/// The most targets that a redirected call goes on to.
const TARGETS: u8 = 16;

/// The status of an answer that has Answer-Mode.
const SAYS: u16 = 201;

/// A line's policy: its numbers, and its texts in one block.
#[derive(Clone, Copy, Debug, Default)]
struct Rules {
    text: Option<BlockId>,
    always: Span,
    busy: Span,
    no_answer: Span,
    dnd_to: Span,
    no_answer_after: u32,
    dnd: bool,
    no_waiting: bool,
    ring: bool,
    auto_answer: AutoAnswer,
    refuse_anonymous: bool,
    anonymous: bool,
    history: bool,
    follow: Follow,
    targets: u8,
    depth: u8,
    dnd_status: u16,
    refuse_status: u16,
    calls: u16,
}

/// What a line has for its policy.
#[derive(Debug, Default)]
pub(super) struct LinePolicy {
    rules: Rules,
    /// Its calls that are not over and not being ended.
    calls: u16,
}

/// What a call has of the policy that was its line's when the call began.
#[derive(Debug, Default)]
pub(super) struct CallPolicy {
    text: Option<BlockId>,
    /// What is done when the timer fires.
    next: Option<Decision>,
    /// What is being done, until it is told.
    acting: Option<PolicyAct>,
    refuse_status: u16,
    /// Our identity is kept back in it.
    pub withheld: bool,
    /// Whether its line counts it.
    counted: bool,
}

/// What a policy does with a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Decision {
    what: PolicyAct,
    /// Where to; of no use for a refusal.
    to: Span,
    status: u16,
}

impl Decision {
    const fn forward(what: PolicyAct, to: Span) -> Self {
        Self { what, to, status: 302 }
    }

    const fn refuse(what: PolicyAct, status: u16) -> Self {
        Self { what, to: Span::EMPTY, status }
    }

    /// `says`: the answer says that nobody gave it (RFC 5373 4.3).
    const fn answer(says: bool) -> Self {
        let status = if says { SAYS } else { 200 };
        Self { what: PolicyAct::AutoAnswer, to: Span::EMPTY, status }
    }
}

/// How a line's own calls go on when they are redirected.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Following {
    pub mode: Follow,
    pub targets: u8,
    pub depth: u8,
}

impl Rules {
    fn of(policy: &Policy<'_>) -> Self {
        let or = |n: u8, default: u8| if n == 0 { default } else { n };
        Self {
            no_answer_after: if policy.no_answer_after == 0 { 20 } else { policy.no_answer_after },
            dnd: policy.dnd,
            no_waiting: policy.no_waiting,
            ring: policy.ring,
            auto_answer: policy.auto_answer,
            refuse_anonymous: policy.refuse_anonymous,
            anonymous: policy.anonymous,
            history: policy.history,
            follow: policy.follow,
            targets: or(policy.targets, 5).min(TARGETS),
            depth: or(policy.depth, 5),
            dnd_status: if policy.dnd_status == 0 { 480 } else { policy.dnd_status },
            refuse_status: policy.refuse_status,
            calls: policy.calls,
            ..Self::default()
        }
    }

    fn is_busy(&self, calls: u16) -> bool {
        (self.no_waiting && calls > 0) || (self.calls > 0 && calls >= self.calls)
    }

    /// What is done at once with a call that comes while the line has so many others.
    fn at_once(&self, calls: u16, anonymous: impl FnOnce() -> bool) -> Option<Decision> {
        use PolicyAct as P;
        if self.refuse_anonymous && anonymous() {
            return Some(Decision::refuse(P::Anonymous, 433));
        }
        if !self.always.is_empty() {
            return Some(Decision::forward(P::ForwardAlways, self.always));
        }
        if self.dnd {
            return Some(match self.dnd_to.is_empty() {
                true => Decision::refuse(P::Dnd, self.dnd_status),
                false => Decision::forward(P::ForwardDnd, self.dnd_to),
            });
        }
        self.is_busy(calls).then_some(match self.busy.is_empty() {
            true => Decision::refuse(P::Busy, 486),
            false => Decision::forward(P::ForwardBusy, self.busy),
        })
    }

    /// What is done with a call that may ring, and after how many seconds; 0 is at once.
    fn later(&self, calls: u16, mode: Mode) -> Option<(Decision, u32)> {
        let auto = match mode {
            Mode::Refused => return Some((Decision::refuse(PolicyAct::AnswerMode, 403), 0)),
            // A person who talks is not put into another call.
            Mode::Itself { after, says } if calls == 0 => Some((Decision::answer(says), after)),
            _ => None,
        };
        let forward = Decision::forward(PolicyAct::ForwardNoAnswer, self.no_answer);
        let forward = (!self.no_answer.is_empty()).then_some((forward, self.no_answer_after));
        [auto, forward].into_iter().flatten().min_by_key(|(_, after)| *after)
    }
}

/// Whether a call can be sent there by a 302.
fn check_target(uri: &str) -> Result<(), Error> {
    let usable = Uri::parse(uri.as_bytes()).is_ok_and(|u| u.scheme != Scheme::Other);
    if uri.is_empty() || usable { Ok(()) } else { Err(Error::Misuse(Misuse::BadUri)) }
}

impl LinePolicy {
    pub(super) const fn is_anonymous(&self) -> bool {
        self.rules.anonymous
    }

    pub(super) const fn tells_history(&self) -> bool {
        self.rules.history
    }
}

impl Ua {
    /// Sets what a line does with calls that begin from now on, in place of what was set before.
    /// Queues nothing.
    pub fn set_policy(
        &mut self,
        cx: &mut Cx,
        h: LineHandle,
        policy: &Policy<'_>,
    ) -> Result<(), Error> {
        self.lines.live(h)?;
        let status = |s: u16| s == 0 || (400..700).contains(&s);
        if !status(policy.dnd_status) || !status(policy.refuse_status) {
            return Err(Error::Misuse(Misuse::BadStatus));
        }
        let texts = [policy.always, policy.busy, policy.no_answer, policy.dnd_to];
        texts.iter().try_for_each(|t| check_target(t))?;
        let mut rules = Rules::of(policy);
        let mut at = 0;
        let places = [&mut rules.always, &mut rules.busy, &mut rules.no_answer, &mut rules.dnd_to];
        for (text, place) in texts.iter().zip(places) {
            let end = at + text.len();
            let to = cx.scratch.get_mut(at..end).ok_or(Error::Full(Limit::MessageBytes))?;
            to.copy_from_slice(text.as_bytes());
            *place = Span::new(at, end);
            at = end;
        }
        if at > 0 {
            rules.text = Some(cx.pool.copy_in(cx.scratch.get(..at).unwrap_or(&[]))?);
        }
        let old = core::mem::replace(&mut self.lines.live_mut(h)?.policy.rules, rules);
        if let Some(block) = old.text {
            cx.pool.release(block);
        }
        Ok(())
    }

    /// Frees what a line has for its policy.
    pub(super) fn drop_line_policy(cx: &mut Cx, policy: &LinePolicy) {
        if let Some(block) = policy.rules.text {
            cx.pool.release(block);
        }
    }

    /// How a line's own calls go on when they are redirected.
    pub(super) fn following(&self, line: LineHandle) -> Following {
        self.lines.get(line).map_or(Following::default(), |l| {
            let r = &l.policy.rules;
            Following { mode: r.follow, targets: r.targets, depth: r.depth }
        })
    }

    /// Counts a call for its line as long as it is neither over nor being ended.
    pub(super) fn count_call(&mut self, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        let ends = [State::Cancelling, State::Parting, State::Leaving, State::Ended];
        let up = !ends.contains(&call.state);
        if call.policy.counted == up {
            return;
        }
        call.policy.counted = up;
        let Some(line) = call.line.and_then(|l| self.lines.get_mut(l)) else { return };
        let n = &mut line.policy.calls;
        *n = if up { n.saturating_add(1) } else { n.saturating_sub(1) };
    }

    /// A call has come and was told: what its line's policy does with it.
    pub(super) fn judge_call(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let call = self.calls.live(h)?;
        // One that takes the place of another is part of that one.
        let alone = call.transfer.other.is_none();
        let line = call.line.filter(|_| alone).and_then(|l| self.lines.get(l));
        let Some((rules, calls)) = line.map(|l| (l.policy.rules, l.policy.calls)) else {
            self.count_call(h);
            return Ok(());
        };
        self.count_call(h);
        let policy = &mut self.calls.live_mut(h)?.policy;
        policy.refuse_status = rules.refuse_status;
        let trusted = low.cx().config.is_trusted(self.calls.live(h)?.way.get().remote.ip);
        let decision = rules.at_once(calls, || is_anonymous(m, e)).map(|d| (d, 0));
        let decision = decision.or_else(|| rules.later(calls, mode(m, rules.auto_answer, trusted)));
        let rings = |d: (Decision, u32)| d.1 > 0 || d.0.what == PolicyAct::ForwardBusy;
        if rules.ring && decision.is_none_or(rings) {
            self.ring_by_policy(low, h);
        }
        let Some((next, after)) = decision else { return Ok(()) };
        let policy = &mut self.calls.live_mut(h)?.policy;
        policy.next = Some(next);
        policy.text = rules.text;
        if let Some(block) = rules.text {
            low.cx().pool.hold(block);
        }
        if after == 0 {
            return self.act_by_policy(low, h);
        }
        self.policy_in(low.cx(), h, u64::from(after).saturating_mul(1_000))
    }

    /// What an INVITE in place of this request would be answered now, 200 where a person would be
    /// asked, and the length of the Contact that a forward has.
    pub(super) fn would_answer(
        &self,
        cx: &Cx,
        line: Option<LineHandle>,
        (m, e): (&MessageRef<'_>, &Essentials),
        contact: &mut [u8; 512],
    ) -> Result<(u16, usize), Error> {
        let policy = line.and_then(|l| self.lines.get(l)).map(|l| &l.policy);
        let Some(LinePolicy { rules, calls }) = policy else { return Ok((200, 0)) };
        let Some(decision) = rules.at_once(*calls, || is_anonymous(m, e)) else {
            return Ok((200, 0));
        };
        let to = decision.to.of(rules.text.map_or(&[][..], |b| cx.pool.bytes_of(b)));
        let len = if to.is_empty() { 0 } else { bracketed(to, contact)? };
        Ok((decision.status, len))
    }

    /// Without room the call is told all the same, and rings when the person says so.
    fn ring_by_policy(&mut self, low: &mut Low<'_>, h: CallHandle) {
        let _ = self.ring(low, h, 180, &Extras::default());
    }

    fn policy_in(&mut self, cx: &mut Cx, h: CallHandle, ms: u64) -> Result<(), Error> {
        self.arm(cx, h, Due::Policy, cx.now.after(ms))
    }

    /// Does what was decided, if nobody was first. Without room it is done a little later.
    pub(super) fn act_by_policy(&mut self, low: &mut Low<'_>, h: CallHandle) -> Result<(), Error> {
        let first = self.act(h, Happening::Reject)? == Act::SendRefusal;
        let policy = &mut self.calls.live_mut(h)?.policy;
        let Some(decision) = policy.next.filter(|_| first) else { return Ok(()) };
        policy.acting = Some(decision.what);
        match self.send_by_policy(low, h, decision) {
            Err(Error::Full(limit)) if limit != Limit::MessageBytes => {
                self.calls.live_mut(h)?.policy.acting = None;
                self.policy_in(low.cx(), h, RETRY)
            }
            // The person goes on with it.
            Err(_) => {
                self.end_policy(low.cx(), h);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    fn send_by_policy(
        &mut self,
        low: &mut Low<'_>,
        h: CallHandle,
        decision: Decision,
    ) -> Result<(), Error> {
        let none = Extras::default();
        if decision.what == PolicyAct::AutoAnswer {
            let headers: &[(&str, &str)] =
                if decision.status == SAYS { &[("Answer-Mode", "Auto")] } else { &[] };
            return self.answer(low, h, &Extras { headers, ..none });
        }
        let Some((reason, cause)) = decision.what.reason() else {
            return self.refuse(low, h, decision.status, &none);
        };
        let call = self.calls.live(h)?;
        let text = call.policy.text.map_or(&[][..], |b| low.down.cx.pool.bytes_of(b));
        let mut value = [0u8; 512];
        let len = bracketed(decision.to.of(text), &mut value)?;
        let fields = [(Name::Contact, value.get(..len).unwrap_or(&[]))];
        let (tx, line) = (call.invite.ok_or(Error::Late)?, call.line);
        let request = low.down.tx.request(low.down.cx, tx).ok_or(Error::Late)?;
        let who = line.and_then(|l| self.lines.get(l)).ok_or(Error::Late)?;
        let end = diverted::write(low.down.cx, request, who, reason, cause)?;
        let sent = self.refuse_with(low, h, decision.status, (&none, Some(end)), &fields);
        low.cx().pool.release(end);
        sent
    }

    /// A final response to a call has been sent, an answer or a refusal: tells it if a policy did
    /// that.
    pub(super) fn tell_policy(
        &mut self,
        cx: &mut Cx,
        h: CallHandle,
        answered: bool,
    ) -> Result<(), Error> {
        let acting = self.calls.get_mut(h).and_then(|c| c.policy.acting.take());
        let did = |what: &PolicyAct| answered == (*what == PolicyAct::AutoAnswer);
        let Some(what) = acting.filter(did) else { return Ok(()) };
        self.tell(cx, h, record::POLICY, what as u16, None)
    }

    /// The call has its final answer: no policy acts on it any more.
    pub(super) fn end_policy(&mut self, cx: &mut Cx, h: CallHandle) {
        let Some(call) = self.calls.get_mut(h) else { return };
        call.clock.clear(cx, h, Due::Policy);
        let policy = &mut call.policy;
        policy.next = None;
        policy.acting = None;
        if let Some(block) = policy.text.take() {
            cx.pool.release(block);
        }
    }

    /// Why a call cannot be answered whose media the application is asked for: it is being answered
    /// already.
    pub(super) fn being_answered(&self, h: CallHandle) -> Error {
        let by_policy = self.calls.get(h).is_some_and(|c| c.policy.acting.is_some());
        if by_policy { Error::Late } else { Error::Misuse(Misuse::State) }
    }

    /// The status of a refusal that names none.
    pub(super) fn refusal(&self, h: CallHandle, default: u16) -> u16 {
        let set = self.calls.get(h).map_or(0, |c| c.policy.refuse_status);
        if set == 0 { default } else { set }
    }
}
