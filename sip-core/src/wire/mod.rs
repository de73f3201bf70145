//! Bytes to messages and back.
//!
//! [`parse()`] indexes the header fields of a message without copying or allocating: a
//! [`MessageRef`] is its bytes and a list of spans. Typed values are in [`crate::header`].

pub mod defect;
pub mod edit;
pub mod framer;
pub(crate) mod kept;
pub mod limits;
pub mod message;
pub mod name;
pub mod parse;
pub mod print;
pub mod raw;
pub mod reason;
pub mod response;
pub mod scan;
pub mod start_line;
pub mod write;

pub use defect::{Defect, DefectKind, Kinds, Role, Verdict, judge};
pub use edit::Edit;
pub use framer::{Frame, Framer};
pub use limits::WireLimits;
pub use message::{Field, MessageRef};
pub use name::Name;
pub use parse::{Framing, Index, NotSip, parse};
pub use print::Printed;
pub use reason::reason_phrase;
pub use response::{ResponseParts, response};
pub use scan::{Fault, Malformed, Span};
pub use start_line::{Method, StartLine};
pub use write::{WriteError, Writer};
