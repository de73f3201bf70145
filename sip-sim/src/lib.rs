//! A virtual network for SIP engines, with a virtual clock.
#![forbid(unsafe_code)]

pub mod clock;
pub mod flow;
pub mod hand;
pub mod judge;
mod judge_message;
pub mod ladder;
pub mod network;
pub mod party;
pub mod pcap;
pub mod script;
pub mod seed;
mod stream;
pub mod text;
pub mod trace;
pub mod world;
