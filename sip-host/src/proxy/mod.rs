//! The proxy's application: bindings, users and routes.

pub mod capture;
pub mod file;
pub mod log;
pub mod metrics;
pub mod plan;
pub mod remote;
pub mod routes;
mod sections;
pub mod service;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Context;

use sansip::wire::message::MessageRef;
use sansip::{Algorithm, Answer, Binding, Engine, Error, Event, Instant, Query, QueryId, Target};

use crate::app::App;
use crate::bindings::{Kept, Outcome, Store};
use crate::users::Users;
use remote::{Ask, Found, Remote, unix};
use routes::{Hop, Route, Trunk, Way};

/// The most bindings of one address of record that are told.
const BINDINGS: usize = 32;

/// The most addresses of record in memory.
const RECORDS: usize = 1_000_000;

/// What can change while it runs.
#[derive(Debug, Default)]
pub struct Settings {
    /// Where requests go that no binding matches.
    pub routes: Vec<Route>,
    /// The trunks that routes lead to.
    pub trunks: Vec<Trunk>,
    /// Whether requests for others' domains are sent where they ask to go (RFC 3261 16.5); else
    /// they are refused.
    pub relay: bool,
    /// Who is checked, by the challenges that the engine is configured with.
    pub users: Option<Users>,
}

/// Bindings in memory, which all engines of a process share.
#[derive(Clone, Debug)]
pub struct Memory(Arc<Mutex<Store>>);

impl Default for Memory {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Store::new(RECORDS))))
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the bindings are.
#[derive(Debug)]
pub enum Place {
    /// In memory.
    Memory(Memory),
    /// In Redis.
    Remote(Box<Remote>),
}

/// What a question is answered with once the engine can be reached.
#[derive(Clone, Debug)]
enum Reply {
    /// What a route says.
    Way(Way),
    /// Where its Request-URI says.
    AsItIs,
    Reject(u16),
    Locate(String),
    /// The bindings that were found, by Unix time.
    Found(u64, Vec<Kept>),
    Stored(Outcome),
    /// The user's HA1 by this algorithm.
    Secret(String, Algorithm),
}

/// The proxy's application.
#[derive(Debug)]
pub struct Proxy {
    settings: Arc<Settings>,
    place: Place,
    replies: Vec<(QueryId, Reply)>,
    /// When replies are tried again that the engine had no room for.
    again: Option<Instant>,
    /// Spare strings, so that a question costs no allocation.
    spare: Vec<String>,
}

/// Replies that the engine had no room for are tried again after so many milliseconds.
const AGAIN: u64 = 10;

impl Proxy {
    /// A proxy with these settings and bindings.
    #[must_use]
    pub const fn new(settings: Arc<Settings>, place: Place) -> Self {
        Self { settings, place, replies: Vec::new(), again: None, spare: Vec::new() }
    }

    /// Puts other settings in place of all; what is on its way goes on.
    pub fn set(&mut self, settings: Arc<Settings>) {
        self.settings = settings;
    }

    /// Enters the binding of an address of record that has none: `sip:user@host`. In memory only.
    pub fn bind(&mut self, now: Instant, aor: &str, binding: &Binding<'_>) {
        if let Place::Memory(memory) = &self.place {
            memory.lock().store(now, aor, 0, std::iter::once(*binding));
        }
    }

    /// How many addresses of record have a binding in memory.
    #[must_use]
    pub fn registered(&self, now: Instant) -> usize {
        match &self.place {
            Place::Memory(memory) => memory.lock().len(now),
            Place::Remote(_) => 0,
        }
    }

    /// How often Redis did not answer.
    #[must_use]
    pub fn store_failures(&self) -> u64 {
        match &self.place {
            Place::Memory(_) => 0,
            Place::Remote(remote) => remote.failures,
        }
    }

    /// The reply to a question for a route; `None` while Redis is asked.
    fn route(&mut self, id: QueryId, uri: &str, ours: bool) -> Option<Reply> {
        if let Some(way) = self.settings.routes.iter().find_map(|r| r.way(uri)) {
            return Some(Reply::Way(way));
        }
        if ours {
            return Some(Reply::Reject(404));
        }
        if self.settings.relay {
            return Some(Reply::AsItIs);
        }
        match &mut self.place {
            Place::Memory(memory) => Some(to_contact(memory.lock().leads_to(uri))),
            Place::Remote(remote) => {
                let uri = uri.to_owned();
                remote.ask(id, Ask::LeadsTo { uri }).map(found)
            }
        }
    }

    fn ask(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> Option<Reply> {
        match (query, &mut self.place) {
            (Query::Route { uri, ours, .. }, _) => self.route(id, uri, *ours),
            (Query::Credentials { algorithm, user, .. }, _) => {
                let user = self.text(user);
                Some(Reply::Secret(user, *algorithm))
            }
            (Query::Locate { aor, .. }, Place::Memory(_)) => {
                let aor = self.text(aor);
                Some(Reply::Locate(aor))
            }
            (Query::Locate { aor, request }, Place::Remote(remote)) => {
                let ask = Ask::Locate { aor: (*aor).to_owned(), routing: request.is_some() };
                remote.ask(id, ask).map(found)
            }
            (Query::Store { aor, version, bindings }, Place::Memory(memory)) => {
                Some(Reply::Stored(memory.lock().store(now, aor, *version, *bindings)))
            }
            (Query::Store { aor, version, bindings }, Place::Remote(remote)) => {
                let at = unix();
                let bindings = bindings.map(|b| Kept::of(at, &b)).collect();
                let ask = Ask::Store { aor: (*aor).to_owned(), version: *version, bindings };
                remote.ask(id, ask).map(found)
            }
            _ => Some(Reply::Reject(500)),
        }
    }

    fn text(&mut self, text: &str) -> String {
        let mut place = self.spare.pop().unwrap_or_default();
        place.clear();
        place.push_str(text);
        place
    }

    fn reply(
        &self,
        now: Instant,
        engine: &mut Engine,
        id: QueryId,
        reply: &Reply,
    ) -> Result<(), Error> {
        let answer = match reply {
            Reply::Way(way) => return engine.answer(now, id, Answer::Route(&[way.target()])),
            Reply::AsItIs => {
                let target = Target { q: 1_000, ..Target::default() };
                return engine.answer(now, id, Answer::Route(&[target]));
            }
            Reply::Locate(aor) => {
                let Place::Memory(memory) = &self.place else {
                    return engine.answer(now, id, Answer::Failed);
                };
                let store = memory.lock();
                let mut list = [Binding::default(); BINDINGS];
                let (version, n) = store.locate(now, aor, &mut list);
                let bindings = list.get(..n).unwrap_or(&[]);
                return engine.answer(now, id, Answer::Located { version, bindings });
            }
            Reply::Found(version, bindings) => {
                let at = unix();
                let list: Vec<_> =
                    bindings.iter().filter_map(|b| b.at(at)).take(BINDINGS).collect();
                let answer = Answer::Located { version: *version, bindings: &list };
                return engine.answer(now, id, answer);
            }
            Reply::Secret(user, algorithm) => {
                let ha1 = self.settings.users.as_ref().and_then(|u| u.ha1(user, *algorithm));
                ha1.map_or(Answer::NotFound, Answer::Ha1)
            }
            Reply::Reject(status) => Answer::Reject(*status),
            Reply::Stored(Outcome::Stored) => Answer::Stored,
            Reply::Stored(Outcome::Conflict) => Answer::Conflict,
            Reply::Stored(Outcome::Full) => {
                tracing::warn!("no room for another address of record");
                Answer::Reject(503)
            }
        };
        engine.answer(now, id, answer)
    }
}

/// Requests are sent to where a binding leads, also for others' domains.
const fn to_contact(known: bool) -> Reply {
    if known { Reply::AsItIs } else { Reply::Reject(403) }
}

/// The reply to a question that Redis has answered, or not.
fn found(found: Found) -> Reply {
    match found {
        Found::Record(version, bindings) => Reply::Found(version, bindings),
        Found::Stored(outcome) => Reply::Stored(outcome),
        Found::Leads(known) => to_contact(known),
        Found::Away => Reply::Reject(503),
    }
}

impl App for Proxy {
    fn start(&mut self, _now: Instant, _engine: &mut Engine) {}

    fn event(&mut self, _now: Instant, _event: &Event, _message: Option<MessageRef<'_>>) {}

    fn query(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> bool {
        let known = matches!(
            query,
            Query::Route { .. }
                | Query::Locate { .. }
                | Query::Store { .. }
                | Query::Credentials { line: None, .. }
        );
        if known && let Some(reply) = self.ask(now, id, query) {
            self.replies.push((id, reply));
        }
        known
    }

    fn hops(&self, name: &str) -> Option<&[Hop]> {
        self.settings.trunks.iter().find_map(|trunk| trunk.hops(name))
    }

    fn forget(&mut self, id: QueryId) {
        self.replies.retain(|(other, _)| *other != id);
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        let Place::Remote(remote) = &mut self.place else { return false };
        let mut any = false;
        while let std::task::Poll::Ready((id, _, what)) = remote.poll(cx) {
            self.replies.push((id, found(what)));
            any = true;
        }
        any
    }

    fn act(&mut self, now: Instant, engine: &mut Engine) {
        self.again = None;
        if self.replies.is_empty() {
            return;
        }
        let mut replies = std::mem::take(&mut self.replies);
        let mut later = Vec::new();
        for (id, reply) in replies.drain(..) {
            if matches!(self.reply(now, engine, id, &reply), Err(Error::Full(_))) {
                later.push((id, reply));
            } else if let Reply::Locate(text) | Reply::Secret(text, _) = reply {
                self.spare.push(text);
            }
        }
        replies.append(&mut later);
        self.again = (!replies.is_empty()).then(|| now.after(AGAIN));
        self.replies = replies;
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_for_other_domains_are_relayed_only_if_allowed() {
        let proxy = |relay| {
            let settings = Settings { relay, ..Settings::default() };
            Proxy::new(Arc::new(settings), Place::Memory(Memory::default()))
        };
        let id = QueryId::from_raw(1);
        let mut closed = proxy(false);
        let mut route = |uri, ours| closed.route(id, uri, ours).unwrap();
        assert!(matches!(route("sip:b@elsewhere.example", false), Reply::Reject(403)));
        assert!(matches!(route("sip:b@here.example", true), Reply::Reject(404)));
        let contact =
            Binding { uri: "sip:b@192.0.2.7:5072", q: 1_000, expires: 60, ..Binding::default() };
        closed.bind(Instant(0), "sip:b@here.example", &contact);
        assert!(matches!(closed.route(id, "sip:b@192.0.2.7:5072", false), Some(Reply::AsItIs)));
        let mut open = proxy(true);
        assert!(matches!(open.route(id, "sip:b@elsewhere.example", false), Some(Reply::AsItIs)));
    }
}
