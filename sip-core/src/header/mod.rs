//! Typed header values.
//!
//! Each is a small `Copy` struct of spans into the message it was read from.

pub mod cseq;
pub mod escape;
pub mod essentials;
pub mod host;
pub mod name_addr;
pub mod param;
pub mod uri;
pub mod uri_equal;
pub mod via;

pub use cseq::CSeq;
pub use essentials::Essentials;
pub use host::Host;
pub use name_addr::NameAddr;
pub use param::{Param, Params, param};
pub use uri::{Scheme, Uri, UriHeaders, UriParams};
pub use uri_equal::equal;
pub use via::Via;
