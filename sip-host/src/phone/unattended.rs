//! The phone's application: an unattended phone that follows a plan.

use std::collections::{BTreeMap, HashMap};

use sansip::sdp::Agreed;
use sansip::wire::Name;
use sansip::wire::message::MessageRef;
use sansip::{
    Answer, CallChange, CallHandle, EndReason, Engine, Error, Event, Extras, Instant, LineChange,
    LineConfig, LineHandle, Query, QueryId, RequestHandle,
};
use serde_json::{Map, Value, json};

use super::desk::{Password, reason};
use super::media::{Negotiated, OwnMedia};
use crate::app::App;
use crate::report::Report;

/// What to do with the calls that come in.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Reaction {
    /// Ring with this provisional status, and never answer.
    Ring(u16),
    /// Answer.
    #[default]
    Answer,
    /// Refuse with this status.
    Refuse(u16),
    /// Send the caller elsewhere with this status.
    Redirect(u16, String),
}

/// What a phone does.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// Its address of record.
    pub aor: String,
    /// Where its requests go; empty: where their Request-URI says.
    pub proxy: String,
    /// The user name that challenges are answered with; empty: that of the address of record.
    pub auth_user: String,
    /// The password for them.
    pub password: Option<Password>,
    /// Whether it registers.
    pub register: bool,
    /// Whether it takes only calls to the user of its address of record.
    pub only_aor: bool,
    /// What it does with calls that come in.
    pub reaction: Reaction,
    /// Milliseconds before it rings; `None` does not ring before the final answer.
    pub ring: Option<u64>,
    /// Milliseconds before the final answer.
    pub after: u64,
    /// Milliseconds from the answer of a call to its end.
    pub hangup_after: Option<u64>,
    /// Milliseconds from a call's start to giving it up unanswered.
    pub cancel_after: Option<u64>,
    /// Whom it calls.
    pub target: Option<String>,
    /// How many calls it makes, or takes, before it ends.
    pub calls: Option<u64>,
    /// Calls begun in a second.
    pub rate: f64,
    /// The final status that its calls are to end with.
    pub expect: Option<u16>,
    /// The media that its session descriptions name.
    pub media: OwnMedia,
}

/// Something to do at some moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Todo {
    Place,
    Ring(CallHandle, u16),
    Final(CallHandle),
    Accept(CallHandle),
    Hangup(CallHandle),
    /// Give up a call that is not answered yet.
    Cancel(CallHandle),
    Respond(RequestHandle),
    Password(QueryId),
}

/// A call as this phone sees it.
#[derive(Clone, Copy, Debug, Default)]
struct Call {
    number: u64,
    outgoing: bool,
    answered: bool,
}

/// The phone's application.
#[derive(Debug)]
pub struct Phone {
    plan: Plan,
    report: Report,
    line: Option<LineHandle>,
    calls: HashMap<CallHandle, Call>,
    /// Calls placed whose handle's first event is still to come carry their number as `user`.
    todo: BTreeMap<(u64, u64), Todo>,
    order: u64,
    began: u64,
    placed: u64,
    numbered: u64,
    /// Calls that ended as wanted.
    pub good: u64,
    /// Calls that did not, and registrations that failed.
    pub bad: u64,
    stopping: bool,
    broken: bool,
}

impl Phone {
    /// A phone with this plan.
    #[must_use]
    pub fn new(plan: Plan, report: Report) -> Self {
        Self {
            plan,
            report,
            line: None,
            calls: HashMap::new(),
            todo: BTreeMap::new(),
            order: 0,
            began: 0,
            placed: 0,
            numbered: 0,
            good: 0,
            bad: 0,
            stopping: false,
            broken: false,
        }
    }

    /// Gives the report back, for the last line.
    pub fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    /// Whether it has had all its calls.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let otherwise = if self.plan.target.is_some() { 1 } else { u64::MAX };
        let wanted = self.plan.calls.unwrap_or(otherwise);
        self.broken || self.calls.is_empty() && self.good + self.bad >= wanted
    }

    fn at(&mut self, when: u64, what: Todo) {
        self.order += 1;
        self.todo.insert((when, self.order), what);
    }

    fn say(&mut self, now: Instant, event: &str, mut fields: Map<String, Value>) {
        let mut line = Map::new();
        line.insert("event".into(), json!(event));
        line.insert("at".into(), json!(now.0));
        line.append(&mut fields);
        self.report.line(&Value::Object(line));
    }

    fn begin_calls(&mut self, now: Instant) {
        if self.plan.target.is_some() {
            self.began = now.0;
            self.at(now.0, Todo::Place);
        }
    }

    fn place(&mut self, now: Instant, engine: &mut Engine) {
        let (Some(line), Some(target)) = (self.line, self.plan.target.clone()) else { return };
        self.placed += 1;
        self.numbered += 1;
        let number = self.numbered;
        self.say(now, "calling", fields([("call", json!(number)), ("target", json!(target))]));
        match self.plan.media.extras(|extras| engine.invite(now, line, &target, number, extras)) {
            Ok(call) => {
                self.calls.insert(call, Call { number, outgoing: true, answered: false });
                if let Some(ms) = self.plan.cancel_after {
                    self.at(now.0 + ms, Todo::Cancel(call));
                }
            }
            Err(why) => {
                self.bad += 1;
                let end = [
                    ("call", json!(number)),
                    ("why", json!(why.to_string())),
                    ("ok", json!(false)),
                ];
                self.say(now, "ended", fields(end));
            }
        }
        if self.placed < self.plan.calls.unwrap_or(1) {
            let next = self.placed as f64 * 1_000.0 / self.plan.rate;
            self.at(self.began.saturating_add(next as u64), Todo::Place);
        }
    }

    fn react(&mut self, now: Instant, call: CallHandle) {
        let after = self.plan.after;
        match &self.plan.reaction {
            Reaction::Ring(status) => {
                let status = *status;
                self.at(now.0 + self.plan.ring.unwrap_or(after), Todo::Ring(call, status));
            }
            _ => {
                if let Some(ring) = self.plan.ring {
                    self.at(now.0 + ring, Todo::Ring(call, 180));
                }
                self.at(now.0 + after, Todo::Final(call));
            }
        }
    }

    fn finish(&self, now: Instant, engine: &mut Engine, call: CallHandle) -> Result<(), Error> {
        match &self.plan.reaction {
            Reaction::Ring(_) => Ok(()),
            Reaction::Answer => self.answer(now, engine, call),
            Reaction::Refuse(status) => engine.reject(now, call, *status, Extras::default()),
            Reaction::Redirect(status, to) => {
                engine.redirect(now, call, *status, to, Extras::default())
            }
        }
    }

    fn answer(&self, now: Instant, engine: &mut Engine, call: CallHandle) -> Result<(), Error> {
        self.plan.media.extras(|extras| engine.answer_call(now, call, extras))
    }

    fn run(&mut self, now: Instant, engine: &mut Engine, what: Todo) {
        let done = match what {
            Todo::Place => {
                if !self.stopping {
                    self.place(now, engine);
                }
                Ok(())
            }
            Todo::Ring(call, status) => engine.ring(now, call, status, Extras::default()),
            Todo::Final(call) => self.finish(now, engine, call),
            Todo::Accept(call) => self.answer(now, engine, call),
            Todo::Hangup(call) => engine.hangup(now, call),
            Todo::Cancel(call) => match self.calls.get(&call) {
                Some(c) if !c.answered => engine.hangup(now, call),
                _ => Ok(()),
            },
            Todo::Password(query) => match &self.plan.password {
                Some(secret) => engine.answer(now, query, Answer::Password(&secret.0)),
                None => engine.answer(now, query, Answer::Failed),
            },
            Todo::Respond(request) => engine.respond(now, request, 200, Extras::default()),
        };
        match done {
            // The call has moved on: its own event tells.
            Ok(()) | Err(Error::Gone | Error::Late) => {}
            Err(Error::Full(_)) => self.at(now.0 + 10, what),
            Err(why) => self.say(now, "error", fields([("why", json!(why.to_string()))])),
        }
    }

    fn on_call(
        &mut self,
        now: Instant,
        handle: CallHandle,
        change: CallChange,
        message: Option<MessageRef<'_>>,
    ) {
        if change == CallChange::Incoming {
            self.numbered += 1;
            self.calls.insert(handle, Call { number: self.numbered, ..Call::default() });
        }
        let Some(call) = self.calls.get_mut(&handle) else { return };
        let number = ("call", json!(call.number));
        match change {
            CallChange::Incoming => {
                let text = |name| message.and_then(|m| m.header(name)).map(lossy);
                let uri = message.map(|m| lossy(m.request_uri()));
                let from = [
                    number,
                    ("uri", json!(uri)),
                    ("from", json!(text(Name::From))),
                    ("to", json!(text(Name::To))),
                ];
                self.say(now, "incoming", fields(from));
                self.react(now, handle);
            }
            CallChange::Progress { status } => {
                self.say(now, "progress", fields([number, ("status", json!(status))]));
            }
            CallChange::Answered { status } => {
                call.answered = true;
                self.say(now, "answered", fields([number, ("status", json!(status))]));
                self.plan_hangup(now, handle);
            }
            CallChange::Confirmed => {
                call.answered = true;
                self.say(now, "confirmed", fields([number]));
                self.plan_hangup(now, handle);
            }
            CallChange::Reinvite => {
                self.say(now, "reinvite", fields([number]));
                self.at(now.0, Todo::Accept(handle));
            }
            CallChange::Reinvited { status } => {
                self.say(now, "reinvited", fields([number, ("status", json!(status))]));
            }
            CallChange::Ended { why, status } => {
                let call = *call;
                self.calls.remove(&handle);
                let ok = self.stopping || self.is_wanted(&call, why, status);
                *(if ok { &mut self.good } else { &mut self.bad }) += 1;
                let end = [
                    number,
                    ("why", json!(reason(why))),
                    ("status", json!(status)),
                    ("ok", json!(ok)),
                ];
                self.say(now, "ended", fields(end));
            }
            _ => {}
        }
    }

    fn plan_hangup(&mut self, now: Instant, call: CallHandle) {
        if let Some(ms) = self.plan.hangup_after {
            self.at(now.0 + ms, Todo::Hangup(call));
        }
    }

    /// Whether a call ended as the plan has it.
    fn is_wanted(&self, call: &Call, why: EndReason, status: u16) -> bool {
        let hung_up = call.answered && matches!(why, EndReason::Hangup | EndReason::RemoteHangup);
        if call.outgoing {
            return match self.plan.expect {
                Some(wanted @ 300..) => status == wanted,
                None if self.plan.cancel_after.is_some() => why == EndReason::Abandoned || hung_up,
                _ => hung_up,
            };
        }
        match self.plan.reaction {
            Reaction::Answer => hung_up,
            Reaction::Ring(_) => why == EndReason::Cancelled,
            Reaction::Refuse(_) | Reaction::Redirect(..) => why == EndReason::Rejected,
        }
    }

    fn on_line(&mut self, now: Instant, change: LineChange) {
        match change {
            LineChange::Registered { expires } => {
                self.say(now, "registered", fields([("expires", json!(expires))]));
                if self.placed == 0 && self.began == 0 {
                    self.begin_calls(now);
                }
            }
            LineChange::Unregistered => self.say(now, "unregistered", Map::new()),
            LineChange::Failed { status } => {
                self.say(now, "register_failed", fields([("status", json!(status))]));
                self.bad += 1;
                self.broken = true;
            }
            _ => {}
        }
    }
}

fn fields<const N: usize>(list: [(&str, Value); N]) -> Map<String, Value> {
    list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl App for Phone {
    fn start(&mut self, now: Instant, engine: &mut Engine) {
        let line = engine.add_line(
            now,
            LineConfig {
                aor: &self.plan.aor,
                display: "",
                proxy: &self.plan.proxy,
                local: None,
                expires: 0,
                any: !self.plan.only_aor,
                auth_user: &self.plan.auth_user,
                ..LineConfig::default()
            },
        );
        let registered = line.and_then(|line| {
            self.line = Some(line);
            if self.plan.register { engine.register(now, line) } else { Ok(()) }
        });
        match registered {
            Ok(()) if self.plan.register => {}
            Ok(()) => self.begin_calls(now),
            Err(why) => {
                self.say(now, "error", fields([("why", json!(why.to_string()))]));
                self.bad += 1;
                self.broken = true;
            }
        }
    }

    fn event(&mut self, now: Instant, event: &Event, message: Option<MessageRef<'_>>) {
        match *event {
            Event::Call { call, change, .. } => self.on_call(now, call, change, message),
            Event::Line { change, .. } => self.on_line(now, change),
            Event::Request { request, .. } => {
                let method = message.map(|m| lossy(m.method_text()));
                self.say(now, "request", fields([("method", json!(method))]));
                self.at(now.0, Todo::Respond(request));
            }
            Event::Limited(limit) => {
                self.say(now, "limited", fields([("limit", json!(limit.to_string()))]));
            }
            _ => {}
        }
    }

    fn media(&mut self, now: Instant, call: CallHandle, media: &Agreed<'_>) {
        let Some(call) = self.calls.get(&call) else { return };
        let mut told = fields([("call", json!(call.number))]);
        told.append(&mut Negotiated::of(media).fields());
        self.say(now, "media", told);
    }

    fn query(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> bool {
        let known = self.plan.password.is_some();
        let asked = matches!(query, Query::Credentials { line: Some(_), .. }) && known;
        if asked {
            self.at(now.0, Todo::Password(id));
        }
        asked
    }

    fn act(&mut self, now: Instant, engine: &mut Engine) {
        while let Some(due) = self.todo.first_entry().filter(|e| e.key().0 <= now.0) {
            let what = due.remove();
            self.run(now, engine, what);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.todo.first_key_value().map(|((at, _), _)| Instant(*at))
    }

    fn is_done(&self) -> bool {
        self.has_ended()
    }

    fn stop(&mut self, _now: Instant) {
        self.stopping = true;
        self.todo.clear();
    }
}
