//! The verbs: checked for room, then handed to their layer.

use super::input::{Done, Extras, Input, LineConfig, Policy};
use super::output::{CallHandle, LineHandle, RequestHandle, Target};
use super::{Core, Engine, need};
use crate::error::{Error, Misuse};
use crate::path::Path;
use crate::store::timers::TimerKey;
use crate::time::Instant;
use crate::ua::{self, Verb};
use crate::wire::name::Name;

/// How long a shutdown waits for room.
const RETRY: u64 = 100;

fn added(extras: &Extras<'_>) -> usize {
    let fields: usize = extras.headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
    fields + extras.content_type.len() + extras.body.len()
}

/// The fields that only the engine writes: who sends to whom, in which dialog and by which way
/// (RFC 3261 8.1.1), and how long the body is. A re-INVITE and an UPDATE may change who we are
/// (RFC 4916 4.4.1).
const RESERVED: [Name; 8] = [
    Name::From,
    Name::To,
    Name::CallId,
    Name::CSeq,
    Name::Via,
    Name::MaxForwards,
    Name::ContentLength,
    Name::ContentType,
];

fn usable(input: &Input<'_>, extras: &Extras<'_>) -> Result<(), Error> {
    let renames = matches!(input, Input::Reinvite { .. } | Input::Update { .. });
    let bad = |name: &str| {
        let name = Name::of(name.as_bytes());
        RESERVED.contains(&name) && !(renames && name == Name::From)
    };
    let no_type = !extras.body.is_empty() && extras.content_type.is_empty();
    if no_type || extras.headers.iter().any(|(name, _)| bad(name)) {
        return Err(Error::Misuse(Misuse::BadHeader));
    }
    Ok(())
}

/// The call that a verb is for, and what it asks of it.
const fn of_call(input: &Input<'_>) -> Option<(CallHandle, Verb)> {
    Some(match *input {
        Input::Ring { call, .. } => (call, Verb::Ring),
        Input::AnswerCall { call, .. } => (call, Verb::Answer),
        Input::Reject { call, .. } => (call, Verb::Reject),
        Input::Redirect { call, .. } => (call, Verb::Redirect),
        Input::Follow { call, .. } => (call, Verb::Follow),
        Input::Hangup { call } => (call, Verb::Hangup),
        Input::Reinvite { call, .. } | Input::Hold { call } | Input::Resume { call } => {
            (call, Verb::Reinvite)
        }
        Input::Update { call, .. } => (call, Verb::Update),
        Input::Transfer { call, .. } | Input::TransferTo { call, .. } => (call, Verb::Transfer),
        _ => return None,
    })
}

impl Core {
    pub(super) fn verb(&mut self, input: &Input<'_>) -> Result<Done, Error> {
        let done = self.do_verb(input);
        let Some((call, verb)) = of_call(input) else { return done };
        let (ua, mut low) = self.low();
        match done {
            Ok(done) => {
                ua.has_done(call, verb);
                Ok(done)
            }
            Err(e) => {
                let mut calls = [(call, verb); 2];
                if let (Input::TransferTo { other, .. }, [_, second]) = (input, &mut calls) {
                    *second = (*other, Verb::Target);
                }
                Err(ua.blame(&mut low, &calls, e))
            }
        }
    }

    fn do_verb(&mut self, input: &Input<'_>) -> Result<Done, Error> {
        if let Input::Hangup { call } = *input {
            return self.hangup(call);
        }
        let more = match input {
            Input::Invite { extras, .. }
            | Input::Ring { extras, .. }
            | Input::AnswerCall { extras, .. }
            | Input::Reject { extras, .. }
            | Input::Redirect { extras, .. }
            | Input::Reinvite { extras, .. }
            | Input::Update { extras, .. }
            | Input::Transfer { extras, .. }
            | Input::TransferTo { extras, .. }
            | Input::AcceptTransfer { extras, .. }
            | Input::Refer { extras, .. }
            | Input::Options { extras, .. }
            | Input::Respond { extras, .. } => {
                usable(input, extras)?;
                added(extras)
            }
            Input::AddTargets { targets, .. } => {
                targets.iter().map(|t| t.uri.len() + t.next_hop.len() + t.params.len()).sum()
            }
            Input::Send { bytes, .. } => bytes.len(),
            _ => 0,
        };
        need::verb(&mut self.cx, more)?;
        let (ua, mut low) = self.low();
        let nothing = |()| Done::Nothing;
        match *input {
            Input::AddLine { line } => ua.add_line(low.cx(), &line).map(Done::Line),
            Input::RemoveLine { line } => ua.remove_line(&mut low, line).map(nothing),
            Input::SetPolicy { line, policy } => {
                ua.set_policy(low.cx(), line, &policy).map(nothing)
            }
            Input::Follow { call, target } => ua.follow(&mut low, call, target).map(nothing),
            Input::Register { line } => ua.register(&mut low, line).map(nothing),
            Input::Unregister { line } => ua.unregister(&mut low, line).map(nothing),
            Input::Invite { line, target, user, extras } => {
                ua.invite(&mut low, line, target, user, &extras).map(Done::Call)
            }
            Input::Ring { call, status, extras } => {
                ua.ring(&mut low, call, status, &extras).map(nothing)
            }
            Input::AnswerCall { call, extras } => ua.answer(&mut low, call, &extras).map(nothing),
            Input::Reject { call, status, extras } => {
                ua.reject(&mut low, call, status, &extras).map(nothing)
            }
            Input::Redirect { call, status, contact, extras } => {
                ua.redirect(&mut low, call, status, contact, &extras).map(nothing)
            }
            Input::Reinvite { call, extras } => ua.reinvite(&mut low, call, &extras).map(nothing),
            Input::Update { call, extras } => ua.update(&mut low, call, &extras).map(nothing),
            Input::Transfer { call, target, keep, extras } => {
                ua.transfer(&mut low, call, target, keep, &extras).map(nothing)
            }
            Input::TransferTo { call, other, extras } => {
                ua.transfer_to(&mut low, call, other, &extras).map(nothing)
            }
            Input::AcceptTransfer { request, user, extras } => {
                ua.accept_transfer(&mut low, request, user, &extras).map(Done::Call)
            }
            Input::RejectTransfer { request, status } => {
                ua.reject_transfer(&mut low, request, status).map(nothing)
            }
            Input::Hold { call } => ua.hold(&mut low, call).map(nothing),
            Input::Resume { call } => ua.resume(&mut low, call).map(nothing),
            Input::Refer { line, target, to, user, extras } => {
                ua.refer(&mut low, line, (target, to), user, &extras).map(nothing)
            }
            Input::Options { line, target, user, extras } => {
                ua.options(&mut low, line, target, user, &extras).map(nothing)
            }
            Input::Respond { request, status, extras } => {
                if !(100..700).contains(&status) {
                    return Err(Error::Misuse(Misuse::BadStatus));
                }
                ua.respond_request(&mut low, request, status, &extras).map(nothing)
            }
            Input::AddTargets { request, targets, more } => {
                let (forks, mut low) = self.fork_low();
                forks.add_targets(&mut low, request, targets, more).map(nothing)
            }
            Input::Send { path, bytes } => self.send(&path, bytes).map(nothing),
            Input::Drain => {
                self.draining = true;
                Ok(Done::Nothing)
            }
            Input::Shutdown => self.shutdown().map(nothing),
            _ => Err(Error::Misuse(Misuse::NotBuilt)),
        }
    }

    /// Hanging up never finds the engine full: without room it happens as soon as there is.
    fn hangup(&mut self, call: CallHandle) -> Result<Done, Error> {
        let full = self.cx.out.room() < need::VERB;
        let (ua, mut low) = self.low();
        if full {
            return ua.hangup_soon(&mut low, call).map(|()| Done::Nothing);
        }
        ua.hangup(&mut low, call).map(|()| Done::Nothing)
    }

    /// Sends bytes as they are.
    fn send(&mut self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        if self.cx.locals.get(path.local).is_none() {
            return Err(Error::Misuse(Misuse::Local));
        }
        if path.flow.is_some_and(|f| self.flows.get(&self.cx, f).is_none()) {
            return Err(Error::Misuse(Misuse::Flow));
        }
        let block = self.cx.pool.copy_in(bytes)?;
        let sent = self.cx.transmit(block, *path, 0, 0);
        self.cx.pool.release(block);
        sent
    }

    /// Begins to end calls and registrations, unless that goes on already.
    fn shutdown(&mut self) -> Result<(), Error> {
        if self.closing { Ok(()) } else { self.shut_down_one() }
    }

    /// Ends a call or a registration, and leaves the others to a timer due now: each finds its
    /// room. Without room it tries again a little later.
    pub(super) fn shut_down_one(&mut self) -> Result<(), Error> {
        let (ua, mut low) = self.low();
        let wait = match ua.end_one(&mut low) {
            Ok(true) => 0,
            Ok(false) => {
                self.closing = false;
                return Ok(());
            }
            Err(Error::Full(_)) => RETRY,
            Err(e) => return Err(e),
        };
        self.closing = true;
        let at = self.cx.now.after(wait);
        self.cx.timers.arm(at, TimerKey { kind: ua::TIMER_SHUTDOWN, object: 0 }).map(drop)
    }
}

/// The verbs, each one line over [`Engine::apply`].
impl Engine {
    /// Adds a line: an address of record whose requests it takes and sends (RFC 3261 8.1.1.3, 8.2.2.1,
    /// 10.2). `Misuse(BadUri)` where the address or the proxy is no SIP URI, `Misuse(BadHeader)` for a
    /// control byte, `Full(Lines)`. Queues nothing.
    pub fn add_line(&mut self, now: Instant, line: LineConfig<'_>) -> Result<LineHandle, Error> {
        match self.apply(now, &Input::AddLine { line })? {
            Done::Line(line) => Ok(line),
            _ => Err(Error::Misuse(Misuse::State)),
        }
    }

    /// Takes a line out, in every state; its calls go on. Its registration is not ended (RFC 3261
    /// 10.2.2): unregister it first. From then on every verb of it is `Gone`. May queue output: call
    /// `poll`.
    pub fn remove_line(&mut self, now: Instant, line: LineHandle) -> Result<(), Error> {
        self.apply(now, &Input::RemoveLine { line }).map(drop)
    }

    /// Sets what a line does with calls before a person does (RFC 3261 13.3.1), and how its own go on
    /// when they are redirected (8.1.3.4). It applies to calls that begin from now on. Right in every
    /// state of the line; `Misuse(BadUri)` or `Misuse(BadStatus)` for a target or a status that cannot
    /// be sent. Queues nothing.
    pub fn set_policy(
        &mut self,
        now: Instant,
        line: LineHandle,
        policy: Policy<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::SetPolicy { line, policy }).map(drop)
    }

    /// Lets a call go on that [`CallChange::Redirected`](super::output::CallChange::Redirected)
    /// tells of and whose line's policy asks: to this Contact of the response, or to the best if it
    /// is empty (RFC 3261 8.1.3.4). `Misuse` while nothing is asked. May queue output: call `poll`.
    pub fn follow(&mut self, now: Instant, call: CallHandle, target: &str) -> Result<(), Error> {
        self.apply(now, &Input::Follow { call, target }).map(drop)
    }

    /// Registers a line and keeps it registered (RFC 3261 10.2). Right in every state of the line:
    /// registered already, it is refreshed; while a REGISTER is on its way, it is done after that
    /// (10.2: one at a time). May queue output: call `poll`.
    pub fn register(&mut self, now: Instant, line: LineHandle) -> Result<(), Error> {
        self.apply(now, &Input::Register { line }).map(drop)
    }

    /// Ends a line's registration (RFC 3261 10.2.2). Right in every state of the line: one that we do
    /// not know of may have been left from before. While a REGISTER is on its way, it is done after
    /// that. May queue output: call `poll`.
    pub fn unregister(&mut self, now: Instant, line: LineHandle) -> Result<(), Error> {
        self.apply(now, &Input::Unregister { line }).map(drop)
    }

    /// Calls `target`, a `sip:` or `sips:` URI (RFC 3261 13.2). `user` comes back in the call's
    /// events. Right in every state of the line; `Misuse(BadUri)`, `Misuse(BadHeader)`,
    /// `Misuse(Media)` for what cannot be sent. May queue output: call `poll`.
    pub fn invite(
        &mut self,
        now: Instant,
        line: LineHandle,
        target: &str,
        user: u64,
        extras: Extras<'_>,
    ) -> Result<CallHandle, Error> {
        match self.apply(now, &Input::Invite { line, target, user, extras })? {
            Done::Call(call) => Ok(call),
            _ => Err(Error::Misuse(Misuse::State)),
        }
    }

    /// Sends a provisional response, 101 to 199 (RFC 3261 13.3.1.1), to a call that came in and is not
    /// answered, or, without body and media, to a re-INVITE that
    /// [`CallChange::Reinvite`](super::output::CallChange::Reinvite) brought: not reliably, and not
    /// where the peer insists on that (`Late`). `Late` also while a reliable one waits for its PRACK and another waits behind it (RFC
    /// 3262 3). May queue output: call `poll`.
    pub fn ring(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Ring { call, status, extras }).map(drop)
    }

    /// Answers a call that came in, or the peer's re-INVITE that
    /// [`CallChange::Reinvite`](crate::CallChange::Reinvite) told of, with 200 (RFC 3261 13.3.1.4, 14.2).
    /// A second answer is `Late` until the first is confirmed, then `Misuse`. May queue output: call
    /// `poll`.
    pub fn answer_call(
        &mut self,
        now: Instant,
        call: CallHandle,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::AnswerCall { call, extras }).map(drop)
    }

    /// Refuses a call that came in and is not answered, or the peer's re-INVITE, 300 to 699 (RFC 3261
    /// 13.3.1.3, 14.2); 0 as the line's policy says, else 486. In any other state `Misuse`, or `Late`
    /// where it has just been answered, cancelled or has ended. May queue output: call `poll`.
    pub fn reject(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Reject { call, status, extras }).map(drop)
    }

    /// Sends the caller of a call that came in and is not answered elsewhere: a 3xx with this URI as
    /// Contact (RFC 3261 13.3.1.2). Errors as for [`reject`](Self::reject), but a re-INVITE is not
    /// redirected. May queue output: call `poll`.
    pub fn redirect(
        &mut self,
        now: Instant,
        call: CallHandle,
        status: u16,
        contact: &str,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Redirect { call, status, contact, extras }).map(drop)
    }

    /// Hangs up: CANCEL, BYE or a refusal, whatever the call's state asks for (RFC 3261 9.1, 13.3.1.3,
    /// 15). Right in every state, and again while the call ends. Never `Full`. May queue output: call
    /// `poll`.
    pub fn hangup(&mut self, now: Instant, call: CallHandle) -> Result<(), Error> {
        self.apply(now, &Input::Hangup { call }).map(drop)
    }

    /// Changes the session of an answered call by a re-INVITE (RFC 3261 14.1). A From among the fields
    /// is taken as by [`update`](Self::update). `Misuse` while a re-INVITE or an offer of the
    /// application's is open, or one of the peer's that was shown; `Late` while one of the peer's was
    /// not shown, or a refresh of the session timer is on its way. May queue output: call `poll`.
    pub fn reinvite(
        &mut self,
        now: Instant,
        call: CallHandle,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Reinvite { call, extras }).map(drop)
    }

    /// Sends an UPDATE (RFC 3311 5.1), before the call is answered too: with a body it changes the
    /// session, without it the Contact and the session timer are refreshed. A From among the fields
    /// becomes our identity in the call (RFC 4916), if the peer supports that. `Misuse` before there
    /// is a dialog, if the peer does not allow UPDATE, while an UPDATE of the application's is open,
    /// and with a body while an offer is. May queue output: call `poll`.
    pub fn update(
        &mut self,
        now: Instant,
        call: CallHandle,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Update { call, extras }).map(drop)
    }

    /// Asks the peer to call `target` in our place: a blind transfer (RFC 3515, RFC 5589 6). The
    /// call ends as `Config::transferor_leaves` says, or stays when `keep` is set: so a conference's
    /// focus is asked to invite somebody (RFC 4579 5.5). What becomes of it is told by
    /// [`CallChange::Transfer`](super::output::CallChange::Transfer). `Misuse(State)` before the call is
    /// answered, and while another transfer of it goes on. May queue output: call `poll`.
    pub fn transfer(
        &mut self,
        now: Instant,
        call: CallHandle,
        target: &str,
        keep: bool,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Transfer { call, target, keep, extras }).map(drop)
    }

    /// Asks the peer of `call` to take our place in `other`: an attended transfer (RFC 5589 7, RFC
    /// 3891). While `other` rings, `Config::transfer_ringing` says what happens; one that came in and
    /// is not answered is `Misuse` (RFC 3891 4). Errors else as for [`transfer`](Self::transfer). May
    /// queue output: call `poll`.
    pub fn transfer_to(
        &mut self,
        now: Instant,
        call: CallHandle,
        other: CallHandle,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::TransferTo { call, other, extras }).map(drop)
    }

    /// Places the call that [`Event::Transfer`](super::output::Event::Transfer) asks for, with its
    /// header fields, and tells the peer how it goes (RFC 3515 2.4.2, 2.4.4). `user` comes back in
    /// the new call's events. `Late` where the engine has answered it, `Gone` once it is over or the
    /// application has answered it, `Misuse(State)` for any other request and without the line that it
    /// came on. May queue output: call `poll`.
    pub fn accept_transfer(
        &mut self,
        now: Instant,
        request: RequestHandle,
        user: u64,
        extras: Extras<'_>,
    ) -> Result<CallHandle, Error> {
        match self.apply(now, &Input::AcceptTransfer { request, user, extras })? {
            Done::Call(call) => Ok(call),
            _ => Err(Error::Misuse(Misuse::State)),
        }
    }

    /// Refuses what [`Event::Transfer`](super::output::Event::Transfer) asks for, 300 to 699 (RFC 3515
    /// 2.4.2). Errors as for [`accept_transfer`](Self::accept_transfer). May queue output: call `poll`.
    pub fn reject_transfer(
        &mut self,
        now: Instant,
        request: RequestHandle,
        status: u16,
    ) -> Result<(), Error> {
        self.apply(now, &Input::RejectTransfer { request, status }).map(drop)
    }

    /// Puts the peer of an answered call on hold, as [`Config::hold`](crate::Config::hold) says, by
    /// a re-INVITE (RFC 3264 8.4). [`CallChange::Reinvited`](crate::CallChange::Reinvited) and
    /// [`Output::Media`](super::output::Output::Media) follow. Errors as for
    /// [`reinvite`](Self::reinvite). May queue output: call `poll`.
    pub fn hold(&mut self, now: Instant, call: CallHandle) -> Result<(), Error> {
        self.apply(now, &Input::Hold { call }).map(drop)
    }

    /// Ends the hold of an answered call (RFC 3264 8.4). Errors as for [`reinvite`](Self::reinvite).
    /// May queue output: call `poll`.
    pub fn resume(&mut self, now: Instant, call: CallHandle) -> Result<(), Error> {
        self.apply(now, &Input::Resume { call }).map(drop)
    }

    /// Asks `target`, a `sip:` or `sips:` URI, to call `to` in a request outside calls (RFC 3515 2.4):
    /// a phone that one clicks on, or a server that parks a call when `to` has its Replaces (RFC 5359
    /// 2.18, 2.15). [`Event::Refer`](super::output::Event::Refer) tells how it goes; without a
    /// subscription (RFC 4488) that is the answer alone. Works in every state of the line; `Full`
    /// without room for the dialog that the answer makes, `Gone` without the line. May queue output: call `poll`.
    pub fn refer(
        &mut self,
        now: Instant,
        line: LineHandle,
        target: &str,
        to: &str,
        user: u64,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Refer { line, target, to, user, extras }).map(drop)
    }

    /// Asks `target`, a `sip:` or `sips:` URI, what it can do, as a line or as the engine itself (RFC
    /// 3261 11.1). [`Event::Answered`](super::output::Event::Answered) tells the answer. Right in every
    /// state of the line; `Misuse(BadUri)` for what no request can be sent to. May queue output: call
    /// `poll`.
    pub fn options(
        &mut self,
        now: Instant,
        line: Option<LineHandle>,
        target: &str,
        user: u64,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Options { line, target, user, extras }).map(drop)
    }

    /// Answers a request that [`Event::Request`](super::output::Event::Request) brought, 200 to 699
    /// (RFC 3261 8.2.6), or 100 after T2 (RFC 4320 4.1); an offer is answered by a body or media (RFC
    /// 3311 5.2), a REFER only refused, as by [`reject_transfer`](Self::reject_transfer). `Late` where
    /// the engine has answered it or its call has ended, `Gone` once it is over or the application has
    /// answered it, `Misuse(State)` for a request that was not brought by that event. May queue
    /// output: call `poll`.
    pub fn respond(
        &mut self,
        now: Instant,
        request: RequestHandle,
        status: u16,
        extras: Extras<'_>,
    ) -> Result<(), Error> {
        self.apply(now, &Input::Respond { request, status, extras }).map(drop)
    }

    /// Adds targets to a request that the proxy is forwarding, which
    /// [`Query::Route`](super::output::Query::Route) or
    /// [`Query::Locate`](super::output::Query::Locate) has asked about (RFC 3261 16.5): a device that
    /// has registered since, or was woken first (RFC 8599). They take their places by q; a URI that
    /// was named before is not tried again. `more` keeps the request open: when nothing is left to
    /// try, [`Event::Exhausted`](super::output::Event::Exhausted) tells so and it waits for others; say
    /// it before the question is answered, without targets, where that may be so from the start.
    /// `Late` once it is answered or its caller has given up, `Misuse` where nothing was asked or a URI
    /// is none. May queue output: call `poll`.
    pub fn add_targets(
        &mut self,
        now: Instant,
        request: RequestHandle,
        targets: &[Target<'_>],
        more: bool,
    ) -> Result<(), Error> {
        self.apply(now, &Input::AddTargets { request, targets, more }).map(drop)
    }

    /// Sends these bytes, whatever they are, in every state and by no rule of RFC 3261 but the way to
    /// the peer (18). `Misuse(Local)` or `Misuse(Flow)` where there is no such way. May queue output:
    /// call `poll`.
    pub fn send(&mut self, now: Instant, path: Path, bytes: &[u8]) -> Result<(), Error> {
        self.apply(now, &Input::Send { path, bytes }).map(drop)
    }

    /// Lets what goes on come to its end, and refuses what is new: requests outside a dialog get 503
    /// with Retry-After (RFC 3261 21.5.4). It ends with the engine's life, when
    /// [`is_quiescent`](Self::is_quiescent) says that nothing is left. Right in every state, and
    /// again. Queues nothing.
    pub fn drain(&mut self, now: Instant) -> Result<(), Error> {
        self.apply(now, &Input::Drain).map(drop)
    }

    /// Ends all calls and registrations (RFC 3261 15, 10.2.2), in every state, and again while that
    /// goes on. May queue output: call `poll`.
    pub fn shutdown(&mut self, now: Instant) -> Result<(), Error> {
        self.apply(now, &Input::Shutdown).map(drop)
    }
}
