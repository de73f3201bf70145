//! What an application of the [driver](crate::driver) is: it hears of events and questions and
//! acts on the engine.

use std::task::Context;

use sansip::sdp::Agreed;
use sansip::wire::message::MessageRef;
use sansip::{CallHandle, Engine, Event, Instant, Query, QueryId};

use crate::proxy::routes::Hop;

/// An application. One driver owns one.
///
/// An event or a question borrows from the engine, so that the application can only note what it
/// wants; it acts in [`App::act`], which is called right after.
pub trait App {
    /// The sockets are open and the engine knows its identities.
    fn start(&mut self, now: Instant, engine: &mut Engine);

    /// Something happened.
    fn event(&mut self, now: Instant, event: &Event, message: Option<MessageRef<'_>>);

    /// What a call sends and hears has changed.
    fn media(&mut self, _now: Instant, _call: CallHandle, _media: &Agreed<'_>) {}

    /// A question. False: this application has no answer, and the driver answers that it failed.
    fn query(&mut self, now: Instant, id: QueryId, query: &Query<'_>) -> bool;

    /// Where a name leads that is the application's own and not the DNS's.
    fn hops(&self, _name: &str) -> Option<&[Hop]> {
        None
    }

    /// The asker of a question has ended.
    fn forget(&mut self, _id: QueryId) {}

    /// Takes what has come from elsewhere: whether there was anything. [`App::act`] follows, and
    /// the task is woken when more comes.
    fn poll(&mut self, _cx: &mut Context<'_>) -> bool {
        false
    }

    /// Acts on the engine. Called after each event or question, and when [`App::next_timeout`]
    /// has come.
    fn act(&mut self, now: Instant, engine: &mut Engine);

    /// When it wants to act next by itself.
    fn next_timeout(&self) -> Option<Instant> {
        None
    }

    /// Whether it has done all that it was there for: the driver then ends as if interrupted.
    fn is_done(&self) -> bool {
        false
    }

    /// The user interrupted it: it starts nothing new.
    fn stop(&mut self, _now: Instant) {}
}
