//! A virtual network for SIP engines, with a virtual clock.
//!
//! Engines, their applications and scripted parties live in a [`World`](world::World). Its clock
//! only moves when it is told to, so 64*T1 takes no time; everything that chance decides comes from
//! one seed, so what went wrong once goes wrong again.
//!
//! A [script] names the millisecond of each message. What a scripted party sends, the
//! script makes it send; what an engine sends, the script expects:
//!
//! ```
//! use sansip::{Limits, Retransmit};
//! use sansip_sim::phone::Phone;
//! use sansip_sim::world::World;
//!
//! let mut world = World::new(1);
//! let mut config = world.config();
//! config.retransmit = Retransmit::Rfc; // else an unproven UDP source pays for what it gets
//! world.add_party("alice", "10.0.0.1:5060");
//! let phone = Phone::new("sip:bob@10.0.0.2").answers(200, 1_000);
//! world.add_engine("bob", "10.0.0.2:5060", config, &Limits::PHONE, phone);
//! world.script(
//!     "
//!        0  alice > bob  INVITE sip:bob@10.0.0.2
//!        0  bob > alice  180
//!     1000  bob > alice  200 INVITE  lost
//!     1500  bob > alice  200 INVITE
//!     1500  alice > bob  ACK
//!     3000  alice > bob  BYE
//!     3000  bob > alice  200 BYE
//!    99000  quiet
//!     ",
//! );
//! println!("{}", world.ladder());
//! ```
//!
//! What differs is told with the line, what came instead, and the ladder:
//!
//! ```text
//!      ms  alice                              bob
//!            │                                 │
//!       0    ├──────────── INVITE ────────────▶│
//!       0    │◀───────── 180 Ringing ──────────┤
//!            ┊                                 ┊
//!    1000    │      ✗─── 200 OK (INVITE, sdp) ─┤
//!    1500    │◀╌╌╌ 200 OK (INVITE, sdp) ↻ ╌╌╌╌╌┤
//! ```
//!
//! | to | see |
//! |---|---|
//! | lose, delay, duplicate, reorder, cut, darken | [`network::Link`] |
//! | move a scripted party by hand, and lie | [`hand::Hand`] |
//! | give an engine an application | [`app::App`], [`phone::Phone`], [`proxy_app::ProxyApp`] |
//! | compare two runs | [`trace::Trace::hash`] |
//! | draw what a program saw on real sockets | [`ladder::Ladder`] |
//! | draw a picture of a run | [`chart::Chart`], [`svg`], [`mermaid`] |
//! | open a run in a packet analyser | [`pcap`] |
//! | judge a call by a documented flow | [`flow`], [`judge`] |
//! | play a documented flow, literally or not | [`literal`], [`director`] |
#![forbid(unsafe_code)]

pub mod app;
pub mod chart;
pub mod clock;
pub mod director;
pub mod flow;
pub mod hand;
pub mod judge;
mod judge_message;
mod judge_plan;
pub mod ladder;
pub mod literal;
pub mod mermaid;
pub mod network;
mod node;
pub mod party;
pub mod pcap;
pub mod phone;
pub mod proxy_app;
mod relay;
pub mod score;
pub mod script;
pub mod seed;
pub mod story;
mod stream;
pub mod svg;
pub mod text;
pub mod trace;
pub mod world;
