//! A virtual network for SIP engines, with a virtual clock.
#![forbid(unsafe_code)]

pub mod clock;
pub mod ladder;
pub mod network;
pub mod pcap;
pub mod seed;
mod stream;
pub mod text;
pub mod trace;
