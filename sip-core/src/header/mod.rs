//! Typed header values.
//!
//! Each is a small `Copy` struct of spans into the message it was read from.

pub mod accept;
pub mod aor;
pub mod auth;
pub mod contact;
pub mod content;
pub mod cseq;
pub mod date;
pub mod diversion;
pub mod escape;
pub mod essentials;
pub mod event;
pub mod feature;
pub mod generic;
pub mod history_info;
pub mod host;
pub mod identity;
pub mod info;
pub mod multipart;
pub mod name_addr;
pub mod number;
pub mod param;
pub mod parts;
pub mod reason;
pub mod refer;
pub mod replaces;
pub mod route;
pub mod security;
pub mod session;
pub mod token_list;
pub mod typed;
pub mod uri;
pub mod uri_equal;
mod value;
pub mod via;
pub mod warning;
mod write;

pub use crate::wire::write::{Value as ValueWriter, WriteError};
pub use cseq::CSeq;
pub use essentials::Essentials;
pub use host::Host;
pub use name_addr::NameAddr;
pub use param::{Param, Params, param};
pub use typed::{check, check_at, describe, rewrite};
pub use uri::{Scheme, Uri, UriHeaders, UriParams};
pub use uri_equal::equal;
pub use value::{Part, See, Value, ValueError, ValueErrorKind};
pub use via::Via;
