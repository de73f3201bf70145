//! A SIP protocol engine that does no I/O.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod attempt;
pub mod config;
pub mod cx;
pub mod dialog;
pub mod engine;
pub mod error;
pub mod flow;
pub mod header;
pub mod limits;
pub mod path;
pub mod proxy;
pub mod registrar;
pub mod resolve;
pub mod sdp;
pub mod store;
pub mod time;
pub mod tx;
pub mod ua;
pub mod wire;

pub use config::{Config, Network, Retransmit, Roles};
pub use engine::input::{Done, Extras, FlowEnd, FlowInfo, Input, LineConfig, SendEnd};
pub use engine::output::{
    Answer, Binding, Bindings, CallChange, CallHandle, EndReason, Event, LineChange, LineHandle,
    Output, Query, QueryId, RequestHandle, SendId, Target, Transmit,
};
pub use engine::{Engine, Stats, footprint};
pub use error::{Error, Ignored, Limit, Misuse, Seen};
pub use limits::Limits;
pub use path::{Addr, FlowId, Local, LocalId, Path, Transport};
pub use time::Instant;
