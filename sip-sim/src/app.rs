//! What an engine's application does: events, questions, alarms and a script's verbs.

use std::any::Any;
use std::fmt;

use sansip::{Answer, CallHandle, Engine, Event, Instant, Query, QueryId, RequestHandle};

/// What an application can reach while it acts.
#[derive(Debug)]
pub struct Io<'a> {
    /// Its engine. What it queues goes out when the application returns.
    pub engine: &'a mut Engine,
    /// Now.
    pub now: Instant,
}

impl Io<'_> {
    /// Answers a question; a late answer is harmless.
    pub fn answer(&mut self, id: QueryId, answer: Answer<'_>) {
        let _ = self.engine.answer(self.now, id, answer);
    }
}

/// A binding of an address of record, owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBinding {
    /// The contact's URI.
    pub uri: String,
    /// Its parameters.
    pub params: String,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// When it expires, in milliseconds of the simulation.
    pub until: u64,
    /// The Call-ID that made it.
    pub call_id: String,
    /// The CSeq that made it.
    pub cseq: u32,
    /// The routes to it.
    pub path: String,
}

/// A question that the world does not answer itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Where to send a request.
    Route {
        /// The request.
        request: RequestHandle,
        /// Its Request-URI.
        uri: String,
        /// Whether it is for one of our domains or identities.
        ours: bool,
    },
    /// The bindings of an address of record.
    Locate {
        /// The address of record.
        aor: String,
    },
    /// The media of a call that no verb gave.
    Media {
        /// The call.
        call: CallHandle,
        /// The peer's offer; empty where it has made none.
        offer: String,
    },
    /// Bindings to store.
    Store {
        /// The address of record.
        aor: String,
        /// The version that they replace.
        version: u64,
        /// The bindings.
        bindings: Vec<StoredBinding>,
    },
    /// One that this version of the simulation does not know.
    Other,
}

impl Asked {
    /// The question, owned, at this millisecond.
    #[must_use]
    pub fn of(query: &Query<'_>, now: u64) -> Self {
        match *query {
            Query::Route { request, uri, ours } => {
                Self::Route { request, uri: uri.to_string(), ours }
            }
            Query::Media { call, offer } => Self::Media { call, offer: offer.to_string() },
            Query::Locate { aor, .. } => Self::Locate { aor: aor.to_string() },
            Query::Store { aor, version, bindings } => {
                let bindings = own(bindings, now);
                Self::Store { aor: aor.to_string(), version, bindings }
            }
            _ => Self::Other,
        }
    }
}

fn own(bindings: sansip::Bindings<'_>, now: u64) -> Vec<StoredBinding> {
    bindings
        .map(|b| StoredBinding {
            uri: b.uri.to_string(),
            params: b.params.to_string(),
            q: b.q,
            until: now + u64::from(b.expires) * 1_000,
            call_id: b.call_id.to_string(),
            cseq: b.cseq,
            path: b.path.to_string(),
        })
        .collect()
}

/// What an application does. All of it may do nothing.
pub trait App: Any + fmt::Debug {
    /// The engine is new.
    fn on_start(&mut self, _io: &mut Io<'_>) {}

    /// Something happened; the bytes of the message that caused it, if there is one.
    fn on_event(&mut self, _io: &mut Io<'_>, _event: Event, _message: Option<&[u8]>) {}

    /// A question. Unanswered, it fails at its deadline.
    fn on_query(&mut self, io: &mut Io<'_>, id: QueryId, _query: &Asked) {
        io.answer(id, Answer::Failed);
    }

    /// When [`App::on_alarm`] is due, in milliseconds of the simulation.
    fn next_alarm(&self) -> Option<u64> {
        None
    }

    /// The alarm is due.
    fn on_alarm(&mut self, _io: &mut Io<'_>) {}

    /// A script's verb.
    ///
    /// # Errors
    /// Where it is not one of this application's, or could not be done.
    fn on_verb(&mut self, _io: &mut Io<'_>, words: &[&str]) -> Result<(), String> {
        Err(format!("no verb {words:?}"))
    }
}

/// An application that does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Idle;

impl App for Idle {}
