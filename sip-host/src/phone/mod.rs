//! The phone: on a terminal or from a script, and unattended by a plan.
//!
//! [`command`] reads what a person or a script says, [`desk`] does it at the engine and tells what
//! happens; neither does I/O. [`console`] joins them with a [`script`] or a [`terminal`].

pub mod command;
pub mod console;
pub mod desk;
pub mod media;
pub mod notice;
pub mod script;
pub mod terminal;
mod unattended;

pub use unattended::{Phone, Plan, Reaction};
