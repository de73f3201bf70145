//! Session descriptions (RFC 8866): parsing, looking things up, writing.
//!
//! Nothing here allocates. [`Description::parse`] checks the lines that a session depends on and
//! notes where each media section starts, in slots the caller lends; everything else is read when
//! it is asked for. Unknown line types and attributes stay where they are and are seen by
//! [`Section::lines`] like all others.

mod attribute;
mod description;
mod error;
mod line;
mod write;

pub use attribute::{Attribute, Direction, Fmtp, FmtpParams, RtpMap};
pub use description::{Description, Line, Lines, Media, MediaSlot, SdpLimits, Section};
pub use error::{SdpError, SdpErrorKind};
pub use line::{
    Bandwidth, Connection, Fields, Key, MediaLine, Origin, Repeat, Timing, Zone, Zones, typed_time,
};
pub use write::{SdpWriteError, SdpWriter};
