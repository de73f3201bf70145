//! What can be wrong with a description, where, and by which clause.

/// What is wrong with a line or with the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SdpErrorKind {
    /// Longer than 65,535 bytes.
    #[error("description longer than 65535 bytes")]
    TooLong,
    /// More lines than [`SdpLimits::lines`](super::SdpLimits::lines).
    #[error("too many lines")]
    TooManyLines,
    /// More `m=` lines than [`SdpLimits::media`](super::SdpLimits::media) or than slots were lent.
    #[error("too many media sections")]
    TooManyMedia,
    /// A line that is not one letter, `=` and a value.
    #[error("not a type letter followed by '='")]
    NotALine,
    /// NUL or a bare CR inside a line.
    #[error("control byte in a line")]
    ControlByte,
    /// The first line is not `v=`.
    #[error("the first line is not v=")]
    NoVersion,
    /// A version other than 0.
    #[error("unknown version")]
    BadVersion,
    /// `m=` without media, port, protocol and a format, or a number out of range.
    #[error("malformed m=")]
    BadMedia,
    /// `c=` without network type, address type and address, or a number out of range.
    #[error("malformed c=")]
    BadConnection,
    /// Defect: `o=` without its six fields.
    #[error("malformed o=")]
    BadOrigin,
    /// Defect: `b=` that is not modifier, colon, digits.
    #[error("malformed b=")]
    BadBandwidth,
    /// Defect: `t=` that is not two numbers.
    #[error("malformed t=")]
    BadTiming,
    /// Defect: `r=` that is not times.
    #[error("malformed r=")]
    BadRepeat,
    /// Defect: `z=` that is not pairs of a number and a time.
    #[error("malformed z=")]
    BadZones,
    /// Defect: `a=` without a name.
    #[error("attribute without a name")]
    BadAttribute,
    /// Defect: a line of this type stands too late.
    #[error("line out of order")]
    OutOfOrder,
    /// Defect: a second line of a type that may stand once.
    #[error("line repeated")]
    Repeated,
    /// Defect: a type letter that RFC 8866 does not know at this level.
    #[error("unknown line type")]
    UnknownType,
    /// Defect: an empty line.
    #[error("empty line")]
    EmptyLine,
    /// Defect: a line that ends in LF alone, or the last line without an end.
    #[error("line does not end in CRLF")]
    LineEnd,
    /// Defect: no `o=`.
    #[error("no o=")]
    NoOrigin,
    /// Defect: no `s=`.
    #[error("no s=")]
    NoName,
    /// Defect: no `t=`.
    #[error("no t=")]
    NoTiming,
    /// Defect: no `c=` for a media section, neither there nor at session level.
    #[error("no c= for this media")]
    NoConnection,
}

impl SdpErrorKind {
    /// The section of RFC 8866 that is not kept.
    #[must_use]
    pub const fn clause(self) -> &'static str {
        match self {
            Self::TooLong | Self::TooManyLines | Self::TooManyMedia => "local limit",
            Self::NotALine
            | Self::OutOfOrder
            | Self::Repeated
            | Self::UnknownType
            | Self::EmptyLine
            | Self::LineEnd => "RFC 8866 5",
            Self::ControlByte => "RFC 8866 9",
            Self::NoVersion | Self::BadVersion => "RFC 8866 5.1",
            Self::BadOrigin | Self::NoOrigin => "RFC 8866 5.2",
            Self::NoName => "RFC 8866 5.3",
            Self::BadConnection | Self::NoConnection => "RFC 8866 5.7",
            Self::BadBandwidth => "RFC 8866 5.8",
            Self::BadTiming | Self::NoTiming => "RFC 8866 5.9",
            Self::BadRepeat => "RFC 8866 5.10",
            Self::BadZones => "RFC 8866 5.11",
            Self::BadAttribute => "RFC 8866 5.13",
            Self::BadMedia => "RFC 8866 5.14",
        }
    }
}

/// Where a description goes wrong, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, byte {offset}: {kind} ({})", .kind.clause())]
pub struct SdpError {
    /// What is wrong.
    pub kind: SdpErrorKind,
    /// Number of the line, from 1.
    pub line: u16,
    /// Offset of the line in the description.
    pub offset: u16,
}
