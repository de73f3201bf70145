//! The sansip engine on real sockets: what the `sansip` command is made of.
//!
//! [`driver::Driver`] owns one engine and its UDP and TCP sockets; an [`app::App`] says what the
//! engine's events and questions mean.
#![allow(rustdoc::broken_intra_doc_links, reason = "brackets in help texts are no links")]
#![forbid(unsafe_code)]

pub mod actor;
pub mod app;
pub mod bindings;
pub mod commands;
pub mod driver;
pub mod flows;
pub mod inspect;
pub mod listen;
pub mod phone;
pub mod proxy;
pub mod report;
pub mod users;
