//! The limits that parsing holds a message to.

/// What a message may measure. Over a limit the message is still parsed as far as it can be, and
/// carries the defect that the limit names; only a message over 65,535 bytes is refused outright.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct WireLimits {
    /// Bytes of a message, 65,535 at most. Over it: [`TooLong`](super::DefectKind::TooLong), 513.
    pub message: u16,
    /// Bytes of the start line and header section. Over it:
    /// [`HeadersTooLong`](super::DefectKind::HeadersTooLong), 513.
    pub header_section: u16,
    /// Header fields. Over it: [`TooManyFields`](super::DefectKind::TooManyFields), 400.
    pub fields: u16,
    /// Bytes of one field's value. Over it: [`ValueTooLong`](super::DefectKind::ValueTooLong), 400.
    pub value: u16,
    /// Items of a list header, over all fields of its name. Over it:
    /// [`TooManyValues`](super::DefectKind::TooManyValues), 400.
    pub list: u16,
    /// Parameters of one value. Over it: [`TooManyParams`](super::DefectKind::TooManyParams), 400.
    pub params: u16,
    /// Bytes of the request URI. Over it: [`UriTooLong`](super::DefectKind::UriTooLong), 414.
    pub uri: u16,
    /// Parts of a multipart body. Over it:
    /// [`BodyTooComplex`](super::DefectKind::BodyTooComplex), 413.
    pub parts: u16,
    /// Multipart bodies inside one another. Over it:
    /// [`BodyTooComplex`](super::DefectKind::BodyTooComplex), 413.
    pub part_depth: u8,
    /// Media descriptions of a session description. Over it:
    /// [`BodyTooComplex`](super::DefectKind::BodyTooComplex), 413.
    pub sdp_media: u16,
    /// Lines of a session description. Over it:
    /// [`BodyTooComplex`](super::DefectKind::BodyTooComplex), 413.
    pub sdp_lines: u16,
    /// Defects that are listed with their position; the kinds of all others are kept too.
    pub defects: u16,
}

impl WireLimits {
    /// The defaults: messages of any size, 256 fields, 64 items, values of 8 KiB.
    pub const DEFAULT: Self = Self {
        message: 65_535,
        header_section: 32_768,
        fields: 256,
        value: 8_192,
        list: 64,
        params: 64,
        uri: 2_048,
        parts: 32,
        part_depth: 4,
        sdp_media: 64,
        sdp_lines: 512,
        defects: 16,
    };
}

impl Default for WireLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}
