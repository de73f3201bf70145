//! Session descriptions (RFC 8866): parsing, looking things up, writing; offer and answer (RFC
//! 3264).
//!
//! Nothing here allocates. [`Description::parse`] checks the lines that a session depends on and
//! notes where each media section starts, in slots the caller lends; everything else is read when
//! it is asked for. Unknown line types and attributes stay where they are and are seen by
//! [`Section::lines`] like all others.
//!
//! Offers and answers are pure functions over text: [`profile`] writes down all that a call can do,
//! [`offer`], [`reoffer`], [`answer`] and [`capabilities`] write what is sent, [`check_answer`] looks at what comes
//! back, and [`Agreed`] reads from the two descriptions what both have agreed on.

mod agreed;
mod answer;
mod attribute;
mod check;
mod crypto;
mod description;
mod error;
mod format;
mod line;
mod media;
mod numbers;
mod offer;
mod section;
mod write;

pub use agreed::{Agreed, AgreedCodec, AgreedCodecs, AgreedStream, AgreedStreams};
pub use answer::{Refusal, answer};
pub use attribute::{Attribute, Direction, Fmtp, FmtpParams, RtpMap};
pub use check::{check_answer, renumbered, same_media, same_session, version};
pub use description::{Description, Line, Lines, MediaSection, MediaSlot, SdpLimits, Section};
pub use error::{SdpError, SdpErrorKind};
pub use line::{
    Bandwidth, Connection, Fields, Key, MediaLine, OriginLine, Repeat, Timing, Zone, Zones,
    typed_time,
};
pub use media::{Codec, Hold, Kind, Media, MediaError, Origin, Stream, profile};
pub use offer::{capabilities, offer, reoffer};
pub use write::{SdpWriteError, SdpWriter};
