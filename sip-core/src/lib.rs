//! A SIP protocol engine that does no I/O: bytes and the time go in; bytes to send, questions and
//! events come out. It plays the user agent, the proxy and the registrar.
//!
//! # The loop
//!
//! Feed it what the socket gave or what the clock says, then poll until there is nothing more:
//!
//! ```
//! # #[cfg(feature = "ua")] {
//! use sansip::{CallChange, Engine, Event, Extras, Instant, Output, Path};
//!
//! /// One turn of a phone that answers every call. Sleep until `engine.next_timeout()` after it.
//! fn turn(engine: &mut Engine, now: Instant, send: &mut dyn FnMut(Path, &[u8])) {
//!     let _ = engine.handle_timeout(now);
//!     loop {
//!         let ringing = match engine.poll() {
//!             None => return,
//!             Some(Output::Transmit(t)) => {
//!                 send(t.path, t.bytes);
//!                 continue;
//!             }
//!             Some(Output::Event(Event::Call { call, change: CallChange::Incoming, .. }, _)) => call,
//!             Some(_) => continue,
//!         };
//!         // `Late` where the caller was faster to hang up: an event says so.
//!         let _ = engine.answer_call(now, ringing, Extras::default());
//!     }
//! }
//! # }
//! ```
//!
//! # The layers
//!
//! Each stands on those above it and can be used without those below it.
//!
//! | module | what it does | what it costs |
//! |---|---|---|
//! | [`wire`] | bytes to messages and back: spans, framing, edits, writing, defects | no memory but an [`Index`](wire::Index) that is reserved once |
//! | [`header`] | typed values of every known header field | nothing |
//! | [`auth`] | digest responses and nonces (RFC 7616, RFC 8760) | a bounded table of counts |
//! | [`sdp`] | session descriptions (RFC 8866), offer and answer (RFC 3264) | nothing |
//! | [`store`] | the bounded containers that all state lives in | what [`Limits`] say |
//! | [`tx`] | the four transactions (RFC 3261 17, 6026, 4320) | a record and two timers each |
//! | [`dialog`] | dialogs and the next request in them (RFC 3261 12) | a record and a block each |
//! | `attempt` | one request to one target set: names, connections, failover | a record each |
//! | `ua` | lines and calls | a record each |
//! | `proxy`, `registrar` | RFC 3261 16 and 10 | a record each |
//! | `engine` | [`Engine`]: all of them behind one facade | |
//!
//! All memory is reserved by `Engine::new`; [`footprint`] says how much before any is taken, and
//! nothing is allocated afterwards. No clock, no randomness of its own, no callbacks, no locks:
//! the same seed and the same inputs give the same bytes.
//!
//! # Features
//!
//! `ua` (lines, calls and the engine), `proxy`, `registrar`; all on by default. Without any: the
//! parser, the transactions and the dialogs.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

#[cfg(all(doctest, feature = "ua"))]
#[doc = include_str!("../../README.md")]
struct Readme;

extern crate alloc;
#[cfg(test)]
extern crate std;

#[cfg(feature = "ua")]
pub mod attempt;
pub mod auth;
pub mod config;
pub mod cx;
pub mod dialog;
#[cfg(feature = "ua")]
pub mod engine;
pub mod error;
#[cfg(feature = "ua")]
pub mod flow;
pub mod header;
pub mod limits;
pub mod path;
#[cfg(feature = "proxy")]
pub mod proxy;
#[cfg(all(feature = "ua", not(feature = "proxy")))]
#[path = "absent/proxy.rs"]
mod proxy;
#[cfg(feature = "registrar")]
pub mod registrar;
#[cfg(all(feature = "ua", not(feature = "registrar")))]
#[path = "absent/registrar.rs"]
mod registrar;
pub mod resolve;
pub mod sdp;
pub mod store;
pub mod time;
pub mod tx;
#[cfg(feature = "ua")]
pub mod ua;
pub mod wire;

pub use config::{
    Challenge, Challenged, Config, Edge, Forking, Leaves, Nat, Network, Order, PathUse, Reliable,
    Retransmit, Ringing, Roles, Transfers,
};
#[cfg(feature = "ua")]
pub use engine::input::{
    AutoAnswer, Done, Extras, FlowEnd, FlowInfo, Follow, Input, LineConfig, Policy, SendEnd,
};
#[cfg(feature = "ua")]
pub use engine::output::{
    Algorithm, Answer, Binding, Bindings, CallChange, CallHandle, CallInfo, EndReason, Event,
    LineChange, LineHandle, Output, PolicyAct, Query, QueryId, RequestHandle, SendId, Target,
    Transmit,
};
#[cfg(feature = "ua")]
pub use engine::{Engine, Stats, footprint, shard};
pub use error::{Error, Ignored, Limit, Misuse, Seen};
pub use limits::Limits;
pub use path::{Addr, FlowId, Local, LocalId, Path, Transport};
pub use time::Instant;
