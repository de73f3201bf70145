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

#[cfg(feature = "ua")]
pub mod attempt;
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

pub use config::{Config, Network, Retransmit, Roles};
#[cfg(feature = "ua")]
pub use engine::input::{Done, Extras, FlowEnd, FlowInfo, Input, LineConfig, SendEnd};
#[cfg(feature = "ua")]
pub use engine::output::{
    Answer, Binding, Bindings, CallChange, CallHandle, EndReason, Event, LineChange, LineHandle,
    Output, Query, QueryId, RequestHandle, SendId, Target, Transmit,
};
#[cfg(feature = "ua")]
pub use engine::{Engine, Stats, footprint};
pub use error::{Error, Ignored, Limit, Misuse, Seen};
pub use limits::Limits;
pub use path::{Addr, FlowId, Local, LocalId, Path, Transport};
pub use time::Instant;
