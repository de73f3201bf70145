//! A phone of a call flow: does what it is told, by the verbs of the simulation's phones.

use std::collections::VecDeque;

use sansip::wire::message::MessageRef;
use sansip::{Engine, Event, Instant, Query, QueryId};
use sansip_sim::app::{App as _, Asked, Io};
use sansip_sim::phone::Phone;

use crate::app::App;

/// A simulation's phone on real sockets.
#[derive(Debug)]
pub struct Actor {
    phone: Phone,
    events: VecDeque<(Event, Option<Vec<u8>>)>,
    queries: VecDeque<(QueryId, Asked)>,
    verbs: VecDeque<String>,
    /// The verbs that could not be done, and why.
    pub refused: Vec<String>,
}

impl Actor {
    /// An actor that is this phone.
    #[must_use]
    pub const fn new(phone: Phone) -> Self {
        Self {
            phone,
            events: VecDeque::new(),
            queries: VecDeque::new(),
            verbs: VecDeque::new(),
            refused: Vec::new(),
        }
    }

    /// Tells it a verb; it is done when the driver is polled next.
    pub fn tell(&mut self, verb: &str) {
        self.verbs.push_back(verb.to_string());
    }

    /// Whether a verb waits.
    #[must_use]
    pub fn is_asked(&self) -> bool {
        !self.verbs.is_empty()
    }
}

impl App for Actor {
    fn start(&mut self, now: Instant, engine: &mut Engine) {
        self.phone.on_start(&mut Io { engine, now });
    }

    fn event(&mut self, _now: Instant, event: &Event, message: Option<MessageRef<'_>>) {
        self.events.push_back((*event, message.map(|m| m.bytes().to_vec())));
    }

    fn query(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> bool {
        self.queries.push_back((id, Asked::of(query, now.0)));
        true
    }

    fn act(&mut self, now: Instant, engine: &mut Engine) {
        let mut io = Io { engine, now };
        while let Some((event, message)) = self.events.pop_front() {
            self.phone.on_event(&mut io, event, message.as_deref());
        }
        while let Some((id, query)) = self.queries.pop_front() {
            self.phone.on_query(&mut io, id, &query);
        }
        while let Some(verb) = self.verbs.pop_front() {
            let words: Vec<&str> = verb.split(' ').collect();
            if let Err(why) = self.phone.on_verb(&mut io, &words) {
                self.refused.push(format!("{verb}: {why}"));
            }
        }
        if self.phone.next_alarm().is_some_and(|at| at <= now.0) {
            self.phone.on_alarm(&mut io);
        }
    }

    fn next_timeout(&self) -> Option<Instant> {
        if self.is_asked() {
            return Some(Instant(0));
        }
        self.phone.next_alarm().map(Instant)
    }
}
