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

pub mod config;
pub mod cx;
pub mod error;
pub mod header;
pub mod limits;
pub mod path;
pub mod sdp;
pub mod store;
pub mod time;
pub mod tx;
pub mod wire;
