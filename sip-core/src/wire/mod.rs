//! Bytes to messages and back.
//!
//! [`parse`] indexes the header fields of a message without copying or allocating: a
//! [`MessageRef`] is its bytes and a list of spans. Typed values are in [`crate::header`].

pub mod defect;
pub mod framer;
pub mod limits;
pub mod message;
pub mod name;
pub mod scan;
pub mod start_line;

pub use defect::{Defect, DefectKind, Kinds, Role, Verdict, judge};
pub use framer::{Frame, Framer};
pub use limits::WireLimits;
pub use message::{Field, Framing, Index, MessageRef, NotSip, parse};
pub use name::Name;
pub use scan::{Fault, Malformed, Span};
pub use start_line::{Method, StartLine};
