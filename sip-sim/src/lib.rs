//! A virtual network for SIP engines, with a virtual clock.
#![forbid(unsafe_code)]

pub mod app;
pub mod clock;
pub mod flow;
pub mod hand;
pub mod judge;
mod judge_message;
pub mod ladder;
pub mod network;
mod node;
pub mod party;
pub mod pcap;
pub mod phone;
pub mod proxy_app;
pub mod script;
pub mod seed;
mod stream;
pub mod text;
pub mod trace;
pub mod world;
