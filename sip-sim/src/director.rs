//! Where a documented flow stands: which of its steps have come, and what is to be done next.
//!
//! Hears what went over the wire, from a simulation or from real sockets, and says when which party
//! has its turn: each as soon as all that the drawing shows at it before has come.

use crate::flow::{Flow, Role, Step, What};
use crate::score::{Exchange, Score};
use crate::text::Message;

/// Something that came and is not drawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Undrawn {
    /// When.
    pub at: u64,
    /// Who sent it.
    pub from: Role,
    /// To whom.
    pub to: Role,
    /// What a ladder calls it.
    pub label: String,
}

/// A documented flow on its way.
#[derive(Clone, Debug)]
pub struct Director {
    score: Score,
    /// The message of each step, as it went over the wire.
    seen: Vec<Option<Message>>,
    /// Call-ID and CSeq number of each transaction, once known.
    bound: Vec<Option<(String, u32)>>,
    /// What waits for its moment.
    due: Vec<(u64, usize)>,
    scheduled: Vec<bool>,
    heard: Vec<(Role, Role, Message)>,
    undrawn: Vec<Undrawn>,
    machine_ms: u64,
    person_ms: u64,
}

impl Director {
    /// A director of this flow; machines answer after 10 ms, persons after 900.
    #[must_use]
    pub fn new(flow: &Flow) -> Self {
        let score = Score::of(flow);
        Self {
            seen: vec![None; score.steps.len()],
            bound: vec![None; score.exchanges.len()],
            scheduled: vec![false; score.steps.len()],
            due: Vec::new(),
            heard: Vec::new(),
            undrawn: Vec::new(),
            machine_ms: 10,
            person_ms: 900,
            score,
        }
    }

    /// The same with other pauses, in milliseconds.
    #[must_use]
    pub const fn paced(mut self, machine_ms: u64, person_ms: u64) -> Self {
        self.machine_ms = machine_ms;
        self.person_ms = person_ms;
        self
    }

    /// The flow taken apart.
    #[must_use]
    pub const fn score(&self) -> &Score {
        &self.score
    }

    /// The message of a step (from 0), once it has come.
    #[must_use]
    pub fn seen(&self, step: usize) -> Option<&Message> {
        self.seen.get(step)?.as_ref()
    }

    /// The first message of a transaction whose step is so.
    pub fn message(&self, exchange: usize, is: impl Fn(Step) -> bool) -> Option<&Message> {
        let mine = |n: &usize| self.score.cues[*n].exchange == exchange && is(self.score.steps[*n]);
        (0..self.seen.len()).filter(mine).find_map(|n| self.seen[n].as_ref())
    }

    /// The Call-ID of a call, once known.
    #[must_use]
    pub fn call_id(&self, call: usize) -> Option<String> {
        let of = |(e, b): (&Exchange, &Option<(String, u32)>)| {
            (e.call == call).then(|| b.as_ref().map(|b| b.0.clone()))?
        };
        self.score.exchanges.iter().zip(&self.bound).find_map(of)
    }

    /// Whether all that is drawn has come.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.seen.iter().all(Option::is_some)
    }

    /// The steps that have not come, as `F7 ACK A->P`.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let absent = self.seen.iter().enumerate().filter(|(_, s)| s.is_none());
        absent.map(|(at, _)| describe(at, self.score.steps[at])).collect()
    }

    /// What came and is not drawn, repetitions aside.
    #[must_use]
    pub fn undrawn(&self) -> &[Undrawn] {
        &self.undrawn
    }

    /// Finds the place of what went over the wire.
    pub fn hear(&mut self, at: u64, from: Role, to: Role, bytes: &[u8]) {
        let Some(message) = Message::parse(bytes) else { return };
        let heard = (from, to, message.clone());
        if self.heard.contains(&heard) {
            return;
        }
        self.heard.push(heard);
        match self.place(from, to, &message) {
            Some(step) => self.seen[step] = Some(message),
            None => {
                let label = message.label();
                self.undrawn.push(Undrawn { at, from, to, label });
            }
        }
    }

    /// The first step that a message can be.
    fn place(&mut self, from: Role, to: Role, message: &Message) -> Option<usize> {
        let key = (message.header("Call-ID").unwrap_or("").to_string(), message.cseq().0);
        let known = |exchange: usize, bound: &[Option<(String, u32)>]| match &bound[exchange] {
            Some(bound) => *bound == key,
            // A request makes its transaction known, unless another has it.
            None => {
                let method = self.score.exchanges[exchange].method;
                let taken = |(e, b): (usize, &Option<(String, u32)>)| {
                    self.score.exchanges[e].method == method && b.as_ref() == Some(&key)
                };
                message.is_request(method) && !bound.iter().enumerate().any(taken)
            }
        };
        let fits = |at: &usize| {
            let step = self.score.steps[*at];
            (step.from, step.to) == (from, to)
                && self.seen[*at].is_none()
                && is(step.what, message)
                && known(self.score.cues[*at].exchange, &self.bound)
        };
        let found = (0..self.score.steps.len()).find(fits)?;
        self.bound[self.score.cues[found].exchange] = Some(key);
        Some(found)
    }

    /// Whether all has come that is drawn at this party before a step. Who enters with it waits for
    /// all that the others do before.
    fn is_ready(&self, role: Role, step: usize) -> bool {
        let here = |s: &Step| s.from == role || s.to == role;
        let before = &self.score.steps[..step];
        let enters = !before.iter().any(here);
        let mut seen = before.iter().zip(&self.seen).filter(|(s, _)| enters || here(s));
        seen.all(|(_, seen)| seen.is_some())
    }

    /// Makes what has its turn wait for its moment; `acts` says whether anybody has to be told.
    pub fn schedule(&mut self, now: u64, acts: impl Fn(&Score, Role, usize) -> bool) {
        for at in 0..self.score.steps.len() {
            let role = self.score.steps[at].from;
            let done = self.scheduled[at] || self.seen[at].is_some();
            if done || !self.is_ready(role, at) {
                continue;
            }
            self.scheduled[at] = true;
            if acts(&self.score, role, at) {
                self.due.push((now + self.pause(at), at));
            }
        }
    }

    fn pause(&self, at: usize) -> u64 {
        let step = self.score.steps[at];
        let person = match step.what {
            _ if step.from == Role::P => false,
            What::Request("INVITE" | "BYE" | "CANCEL" | "REFER") => at > 0,
            What::Response(200.., "INVITE") => self.score.exchange(at).opens,
            _ => false,
        };
        if person { self.person_ms } else { self.machine_ms }
    }

    /// When something is to be done next.
    #[must_use]
    pub fn next(&self) -> Option<u64> {
        self.due.iter().map(|(at, _)| *at).min()
    }

    /// A step whose moment has come, and that has not come by itself.
    pub fn pop(&mut self, now: u64) -> Option<usize> {
        while let Some(at) = self.due.iter().position(|(at, _)| *at <= now) {
            let (_, step) = self.due.remove(at);
            if self.seen[step].is_none() {
                return Some(step);
            }
        }
        None
    }
}

fn is(what: What, message: &Message) -> bool {
    match what {
        What::Request(method) => message.is_request(method),
        What::Response(status, method) => {
            message.status() == Some(status) && message.method() == method
        }
    }
}

/// A step as the reference page has it.
pub(crate) fn describe(at: usize, step: Step) -> String {
    format!("F{} {} {}->{}", at + 1, step.what, step.from, step.to)
}
