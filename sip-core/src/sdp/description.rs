//! The structure of a description: lines, sections, what may stand where (RFC 8866 sections 5, 9).

use super::attribute::{Attribute, Direction, Fmtp, RtpMap, milliseconds};
use super::error::{SdpError, SdpErrorKind};
use super::line::{Bandwidth, Connection, MediaLine, OriginLine, Repeat, Timing, Zones};

/// How much of a description is read. More is an error, not a cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdpLimits {
    /// Lines in all.
    pub lines: u16,
    /// `m=` lines.
    pub media: u16,
}

impl Default for SdpLimits {
    fn default() -> Self {
        Self { lines: 512, media: 64 }
    }
}

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// The type letter.
    pub kind: u8,
    /// What follows the `=`, without the line end.
    pub value: &'a [u8],
    /// Number of the line, from 1.
    pub number: u16,
    /// Offset of the line in the description.
    pub offset: u16,
    /// Whether the line ends in CRLF.
    pub crlf: bool,
}

impl Line<'_> {
    const fn error(&self, kind: SdpErrorKind) -> SdpError {
        SdpError { kind, line: self.number, offset: self.offset }
    }
}

/// Iterates over the lines of a section. Empty lines are passed over.
#[derive(Clone, Copy, Debug)]
pub struct Lines<'a> {
    rest: &'a [u8],
    number: u16,
    offset: u16,
}

struct RawLine<'a> {
    text: &'a [u8],
    number: u16,
    offset: u16,
    crlf: bool,
}

impl<'a> Lines<'a> {
    const fn of(section: &Section<'a>) -> Self {
        Self { rest: section.bytes, number: section.line, offset: section.offset }
    }

    fn raw(&mut self) -> Option<RawLine<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', self.rest);
        let len = end.map_or(self.rest.len(), |at| at.saturating_add(1));
        let (line, rest) = self.rest.split_at_checked(len)?;
        let (number, offset) = (self.number, self.offset);
        self.rest = rest;
        self.number = number.saturating_add(1);
        self.offset = offset.saturating_add(u16::try_from(len).unwrap_or(u16::MAX));
        let (text, crlf) = match line {
            [text @ .., b'\r', b'\n'] => (text, true),
            [text @ .., b'\n' | b'\r'] => (text, false),
            text => (text, false),
        };
        Some(RawLine { text, number, offset, crlf })
    }
}

impl<'a> RawLine<'a> {
    const fn error(&self, kind: SdpErrorKind) -> SdpError {
        SdpError { kind, line: self.number, offset: self.offset }
    }

    const fn line(&self) -> Option<Line<'a>> {
        match self.text {
            [kind, b'=', value @ ..] if kind.is_ascii_graphic() => Some(Line {
                kind: *kind,
                value,
                number: self.number,
                offset: self.offset,
                crlf: self.crlf,
            }),
            _ => None,
        }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        loop {
            let raw = self.raw()?;
            if let Some(line) = raw.line() {
                return Some(line);
            }
        }
    }
}

/// A place to note a media section. [`Description::parse`] fills as many as there are sections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MediaSlot {
    offset: u16,
    len: u16,
    line: u16,
}

/// The lines of the session level, or of one media description with its `m=` line first.
#[derive(Clone, Copy, Debug)]
pub struct Section<'a> {
    bytes: &'a [u8],
    offset: u16,
    line: u16,
}

impl<'a> Section<'a> {
    /// The section's bytes, line ends included.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// All its lines, unknown ones too, in order.
    #[must_use]
    pub const fn lines(&self) -> Lines<'a> {
        Lines::of(self)
    }

    /// The values of the lines of one type, in order.
    pub fn values(&self, kind: u8) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.lines().filter(move |l| l.kind == kind).map(|l| l.value)
    }

    /// The value of the first line of a type.
    #[must_use]
    pub fn value(&self, kind: u8) -> Option<&'a [u8]> {
        self.values(kind).next()
    }

    /// The `c=` lines (RFC 8866 section 5.7: more than one only for multicast).
    pub fn connections(&self) -> impl Iterator<Item = Connection<'a>> + use<'a> {
        self.values(b'c').filter_map(Connection::parse)
    }

    /// The `b=` lines that can be read.
    pub fn bandwidths(&self) -> impl Iterator<Item = Bandwidth<'a>> + use<'a> {
        self.values(b'b').filter_map(Bandwidth::parse)
    }

    /// The attributes, in order.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'a>> + use<'a> {
        self.values(b'a').map(Attribute::parse)
    }

    /// The values of the attributes of one name, in order; empty for a property.
    pub fn attribute_values<'n>(
        &self,
        name: &'n [u8],
    ) -> impl Iterator<Item = &'a [u8]> + use<'a, 'n> {
        self.attributes().filter(move |a| a.name == name).map(|a| a.value.unwrap_or_default())
    }

    /// The value of the first attribute of a name; empty for a property.
    #[must_use]
    pub fn attribute(&self, name: &[u8]) -> Option<&'a [u8]> {
        self.attribute_values(name).next()
    }

    /// The direction that this section itself states; the first one if it states several.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        self.attributes().find_map(|a| Direction::of(a.name))
    }

    /// The codecs of payload types that can be read.
    pub fn rtpmaps(&self) -> impl Iterator<Item = RtpMap<'a>> + use<'a> {
        self.attribute_values(b"rtpmap").filter_map(RtpMap::parse)
    }

    /// The codec of one payload type.
    #[must_use]
    pub fn rtpmap(&self, payload: u8) -> Option<RtpMap<'a>> {
        self.rtpmaps().find(|m| m.payload == payload)
    }

    /// The parameters of one format.
    #[must_use]
    pub fn fmtp(&self, format: &[u8]) -> Option<Fmtp<'a>> {
        self.attribute_values(b"fmtp").filter_map(Fmtp::parse).find(|f| f.format == format)
    }

    /// `a=ptime:` in microseconds (RFC 8866 section 6.4).
    #[must_use]
    pub fn ptime_us(&self) -> Option<u32> {
        self.attribute(b"ptime").and_then(milliseconds)
    }

    /// `a=maxptime:` in microseconds (RFC 8866 section 6.5).
    #[must_use]
    pub fn maxptime_us(&self) -> Option<u32> {
        self.attribute(b"maxptime").and_then(milliseconds)
    }

    /// `a=mid:` (RFC 5888 section 4).
    #[must_use]
    pub fn mid(&self) -> Option<&'a [u8]> {
        self.attribute(b"mid")
    }

    /// The values of `a=crypto:` as they came (RFC 4568 section 9.1).
    pub fn crypto(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        self.attribute_values(b"crypto")
    }
}

/// The sections of a text from its first `m=` line on, read lazily and without any check.
#[derive(Clone, Copy, Debug)]
pub(super) struct MediaSections<'a> {
    rest: &'a [u8],
}

/// The line of the session level with this letter, found without looking at the streams.
pub(super) fn session_line(bytes: &[u8], kind: u8) -> Option<Line<'_>> {
    let whole = Section { bytes, offset: 0, line: 1 };
    whole.lines().take_while(|l| l.kind != b'm').find(|l| l.kind == kind)
}

/// Splits a text into its session section and its media sections.
pub(super) fn split(bytes: &[u8]) -> (Section<'_>, MediaSections<'_>) {
    let (session, rest) = split_at_media(bytes);
    (Section { bytes: session, offset: 0, line: 1 }, MediaSections { rest })
}

fn split_at_media(bytes: &[u8]) -> (&[u8], &[u8]) {
    let mut starts = memchr::memchr_iter(b'\n', bytes).filter_map(|at| at.checked_add(1));
    let start = starts.find(|&at| bytes.get(at..).is_some_and(|l| l.starts_with(b"m=")));
    bytes.split_at_checked(start.unwrap_or(bytes.len())).unwrap_or((bytes, &[]))
}

impl<'a> Iterator for MediaSections<'a> {
    type Item = MediaSection<'a>;

    fn next(&mut self) -> Option<MediaSection<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        let (bytes, rest) = split_at_media(self.rest);
        self.rest = rest;
        let section = Section { bytes, offset: 0, line: 1 };
        let line = MediaLine::parse(section.value(b'm')?)?;
        Some(MediaSection { line, section })
    }
}

/// One media description: its `m=` line and the section that the line begins.
#[derive(Clone, Copy, Debug)]
pub struct MediaSection<'a> {
    /// The `m=` line.
    pub line: MediaLine<'a>,
    /// All lines, the `m=` line first.
    pub section: Section<'a>,
}

/// A description whose lines have been checked.
#[derive(Clone, Copy, Debug)]
pub struct Description<'a> {
    bytes: &'a [u8],
    session: Section<'a>,
    media: &'a [MediaSlot],
}

impl<'a> Description<'a> {
    /// Checks `bytes` line by line and notes the media sections in `slots`. Lines may end in LF
    /// alone; nothing is asked of the order of lines or of lines that sessions can do without (see
    /// [`Description::defects`]).
    ///
    /// # Errors
    /// [`SdpError`] when a line is no line, when `v=` is not first or not 0, when an `m=` or `c=`
    /// line cannot be read, or over a limit.
    pub fn parse(
        bytes: &'a [u8],
        slots: &'a mut [MediaSlot],
        limits: &SdpLimits,
    ) -> Result<Self, SdpError> {
        let too_long = SdpError { kind: SdpErrorKind::TooLong, line: 0, offset: u16::MAX };
        let total = u16::try_from(bytes.len()).map_err(|_| too_long)?;
        let whole = Section { bytes, offset: 0, line: 1 };
        let mut media = 0_usize;
        let mut session_len = total;
        let mut lines = Lines::of(&whole);
        let clean = is_clean(bytes);
        while let Some(raw) = lines.raw() {
            if raw.number > limits.lines {
                return Err(raw.error(SdpErrorKind::TooManyLines));
            }
            if raw.text.is_empty() && raw.number > 1 {
                continue;
            }
            let line = check(&raw, clean)?;
            if line.kind == b'm' {
                let room = usize::from(limits.media) > media;
                let slot = slots.get_mut(media).filter(|_| room);
                let slot = slot.ok_or(line.error(SdpErrorKind::TooManyMedia))?;
                let len = total.saturating_sub(line.offset);
                *slot = MediaSlot { offset: line.offset, len, line: line.number };
                close_previous(slots, media, line.offset);
                session_len = session_len.min(line.offset);
                media = media.saturating_add(1);
            }
        }
        if bytes.is_empty() {
            return Err(SdpError { kind: SdpErrorKind::NoVersion, line: 1, offset: 0 });
        }
        let media = slots.get(..media).unwrap_or_default();
        let session = bytes.get(..usize::from(session_len)).unwrap_or(bytes);
        Ok(Self { bytes, session: Section { bytes: session, ..whole }, media })
    }

    /// The description as it came.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The lines before the first `m=`.
    #[must_use]
    pub const fn session(&self) -> Section<'a> {
        self.session
    }

    /// `o=`, if there is one that can be read.
    #[must_use]
    pub fn origin(&self) -> Option<OriginLine<'a>> {
        OriginLine::parse(self.session.value(b'o')?)
    }

    /// Number of media sections.
    #[must_use]
    pub const fn media_count(&self) -> usize {
        self.media.len()
    }

    /// The media section at `index`, from 0.
    #[must_use]
    pub fn media_at(&self, index: usize) -> Option<MediaSection<'a>> {
        let slot = self.media.get(index)?;
        let start = usize::from(slot.offset);
        let end = start.checked_add(usize::from(slot.len))?;
        let bytes = self.bytes.get(start..end)?;
        let section = Section { bytes, offset: slot.offset, line: slot.line };
        let line = MediaLine::parse(section.value(b'm')?)?;
        Some(MediaSection { line, section })
    }

    /// The media sections, in order.
    pub fn media(&self) -> impl Iterator<Item = MediaSection<'a>> + use<'a> {
        let this = *self;
        (0..self.media.len()).filter_map(move |index| this.media_at(index))
    }

    /// The address of a media section: its own, else the session's (RFC 8866 section 5.7).
    #[must_use]
    pub fn connection(&self, media: &MediaSection<'a>) -> Option<Connection<'a>> {
        media.section.connections().next().or_else(|| self.session.connections().next())
    }

    /// The direction of a media section: its own, else the session's, else sendrecv (RFC 8866
    /// section 6.7).
    #[must_use]
    pub fn direction(&self, media: &MediaSection<'a>) -> Direction {
        let own = media.section.direction();
        own.or_else(|| self.session.direction()).unwrap_or_default()
    }

    /// Reports each departure from RFC 8866 that [`Description::parse`] let pass, in line order,
    /// then what is missing. Stops when `report` says so by returning `false`.
    pub fn defects(&self, mut report: impl FnMut(SdpError) -> bool) {
        for index in 0..=self.media.len() {
            let (section, order) = match index.checked_sub(1) {
                None => (Some(self.session), SESSION_ORDER),
                Some(index) => (self.media_at(index).map(|m| m.section), MEDIA_ORDER),
            };
            if section.is_some_and(|section| !section_defects(&section, order, &mut report)) {
                return;
            }
        }
        self.missing(&mut report);
    }

    fn missing(&self, report: &mut impl FnMut(SdpError) -> bool) {
        let end = SdpError { kind: SdpErrorKind::NoOrigin, line: 0, offset: 0 };
        let needed = [
            (b'o', SdpErrorKind::NoOrigin),
            (b's', SdpErrorKind::NoName),
            (b't', SdpErrorKind::NoTiming),
        ];
        for (letter, kind) in needed {
            if self.session.value(letter).is_none() && !report(SdpError { kind, ..end }) {
                return;
            }
        }
        if self.session.value(b'c').is_some() {
            return;
        }
        for media in self.media() {
            let (line, offset) = (media.section.line, media.section.offset);
            let error = SdpError { kind: SdpErrorKind::NoConnection, line, offset };
            if media.section.value(b'c').is_none() && !report(error) {
                return;
            }
        }
    }
}

fn close_previous(slots: &mut [MediaSlot], current: usize, offset: u16) {
    if let Some(slot) = current.checked_sub(1).and_then(|i| slots.get_mut(i)) {
        slot.len = offset.saturating_sub(slot.offset);
    }
}

/// Whether no line can have a control byte: no NUL at all, and no CR but at the end of a line.
fn is_clean(bytes: &[u8]) -> bool {
    let ends = |at: usize| matches!(bytes.get(at.wrapping_add(1)), None | Some(b'\n'));
    memchr::memchr(0, bytes).is_none() && memchr::memchr_iter(b'\r', bytes).all(ends)
}

/// `clean`: no line of the description can have a control byte.
fn check<'a>(raw: &RawLine<'a>, clean: bool) -> Result<Line<'a>, SdpError> {
    if !clean && raw.text.iter().any(|&b| b == 0 || b == b'\r') {
        return Err(raw.error(SdpErrorKind::ControlByte));
    }
    let no_line = if raw.number == 1 { SdpErrorKind::NoVersion } else { SdpErrorKind::NotALine };
    let line = raw.line().ok_or(raw.error(no_line))?;
    let kind = match line.kind {
        b'v' if line.value == b"0" => return Ok(line),
        b'v' => SdpErrorKind::BadVersion,
        _ if line.number == 1 => SdpErrorKind::NoVersion,
        b'm' if MediaLine::parse(line.value).is_none() => SdpErrorKind::BadMedia,
        b'c' if Connection::parse(line.value).is_none() => SdpErrorKind::BadConnection,
        _ => return Ok(line),
    };
    Err(line.error(kind))
}

// RFC 8866 section 9: the order of types at each level; `r` and `z` belong to the `t` before them.
const SESSION_ORDER: &[&[u8]] =
    &[b"v", b"o", b"s", b"i", b"u", b"e", b"p", b"c", b"b", b"trz", b"k", b"a"];
const MEDIA_ORDER: &[&[u8]] = &[b"m", b"i", b"c", b"b", b"k", b"a"];
const MANY: &[u8] = b"epbtrazm";

fn section_defects(
    section: &Section<'_>,
    order: &[&[u8]],
    report: &mut impl FnMut(SdpError) -> bool,
) -> bool {
    let mut reached = 0;
    let mut seen = 0_u32;
    let mut lines = section.lines();
    while let Some(raw) = lines.raw() {
        if !raw.crlf && !report(raw.error(SdpErrorKind::LineEnd)) {
            return false;
        }
        let Some(line) = raw.line() else {
            if !report(raw.error(SdpErrorKind::EmptyLine)) {
                return false;
            }
            continue;
        };
        let bit = 1_u32.checked_shl(u32::from(line.kind.wrapping_sub(b'a'))).unwrap_or(0);
        let many = MANY.contains(&line.kind) || (line.kind == b'c' && order == MEDIA_ORDER);
        let place = order.iter().position(|types| types.contains(&line.kind));
        let shape = value_defect(&line);
        let standing = match place {
            None => Some(SdpErrorKind::UnknownType),
            Some(place) if place < reached => Some(SdpErrorKind::OutOfOrder),
            Some(_) if seen & bit != 0 && !many => Some(SdpErrorKind::Repeated),
            Some(place) => {
                reached = place;
                None
            }
        };
        seen |= bit;
        for kind in [standing, shape].into_iter().flatten() {
            if !report(line.error(kind)) {
                return false;
            }
        }
    }
    true
}

fn value_defect(line: &Line<'_>) -> Option<SdpErrorKind> {
    let value = line.value;
    let (good, kind) = match line.kind {
        b'o' => (OriginLine::parse(value).is_some(), SdpErrorKind::BadOrigin),
        b'b' => (Bandwidth::parse(value).is_some(), SdpErrorKind::BadBandwidth),
        b't' => (Timing::parse(value).is_some(), SdpErrorKind::BadTiming),
        b'r' => (Repeat::parse(value).is_some(), SdpErrorKind::BadRepeat),
        b'z' => (Zones::parse(value).is_some(), SdpErrorKind::BadZones),
        b'a' => (!Attribute::parse(value).name.is_empty(), SdpErrorKind::BadAttribute),
        _ => return None,
    };
    (!good).then_some(kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, string::String, vec, vec::Vec};

    const OFFER: &str = "v=0\r\no=- 1 2 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
        a=sendonly\r\na=tool:x\r\nm=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n\
        a=fmtp:101 0-15\r\na=ptime:20\r\nm=video 0 RTP/AVP 31\r\nc=IN IP6 2001:db8::1\r\na=recvonly\r\n\
        a=mid:2\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:k\r\n";

    fn error(text: &str) -> Option<(SdpErrorKind, u16, u16)> {
        let mut slots = [MediaSlot::default(); 64];
        let parsed = Description::parse(text.as_bytes(), &mut slots, &SdpLimits::default());
        parsed.err().map(|e| (e.kind, e.line, e.offset))
    }

    fn defects(text: &str) -> Vec<(SdpErrorKind, u16)> {
        let mut slots = [MediaSlot::default(); 64];
        let mut found = vec![];
        let limits = SdpLimits::default();
        Description::parse(text.as_bytes(), &mut slots, &limits).unwrap().defects(|e| {
            found.push((e.kind, e.line));
            true
        });
        found
    }

    #[test]
    fn media_sections_inherit_from_the_session() {
        let mut slots = [MediaSlot::default(); 2];
        let d = Description::parse(OFFER.as_bytes(), &mut slots, &SdpLimits::default()).unwrap();
        let media: Vec<_> = d.media().collect();
        assert_eq!(media.len(), 2);
        assert_eq!(d.origin().unwrap().session_version, b"2");
        assert_eq!(d.connection(&media[0]).unwrap().address, b"192.0.2.1");
        assert_eq!(d.direction(&media[0]), Direction::SendOnly);
        assert_eq!(d.connection(&media[1]).unwrap().address, b"2001:db8::1");
        assert_eq!(d.direction(&media[1]), Direction::RecvOnly);
        assert_eq!(media[0].section.rtpmap(101).unwrap().encoding, b"telephone-event");
        assert_eq!(media[0].section.rtpmap(0), None);
        assert_eq!(media[0].section.fmtp(b"101").unwrap().params, b"0-15");
        assert_eq!(media[0].section.ptime_us(), Some(20_000));
        assert_eq!(media[1].section.mid(), Some(&b"2"[..]));
        assert_eq!(media[1].section.crypto().count(), 1);
        assert_eq!(media[1].section.lines().next().unwrap().number, 12);
        assert_eq!(defects(OFFER), []);
    }

    #[test]
    fn unknown_lines_and_attributes_keep_their_place() {
        let text = "v=0\nq=1\ns=\na=zz\nm=audio 1 RTP/AVP 0\na=b:c\nw=2\na=d\n";
        let mut slots = [MediaSlot::default(); 1];
        let d = Description::parse(text.as_bytes(), &mut slots, &SdpLimits::default()).unwrap();
        let session: Vec<_> = d.session().lines().map(|l| (l.kind, l.value)).collect();
        assert_eq!(session, [(b'v', &b"0"[..]), (b'q', b"1"), (b's', b""), (b'a', b"zz")]);
        let media: Vec<_> = d.media_at(0).unwrap().section.lines().map(|l| l.kind).collect();
        assert_eq!(media, *b"mawa");
    }

    #[test]
    fn errors_name_line_and_offset() {
        use SdpErrorKind as K;
        assert_eq!(error(""), Some((K::NoVersion, 1, 0)));
        assert_eq!(error("\r\n"), Some((K::NoVersion, 1, 0)));
        assert_eq!(error("o=- 1 1 IN IP4 h\r\n"), Some((K::NoVersion, 1, 0)));
        assert_eq!(error("v=1\r\n"), Some((K::BadVersion, 1, 0)));
        assert_eq!(error("v=0\r\nv=00\r\n"), Some((K::BadVersion, 2, 5)));
        assert_eq!(error("v=0\r\nhello\r\n"), Some((K::NotALine, 2, 5)));
        assert_eq!(error("v=0\r\n =x\r\n"), Some((K::NotALine, 2, 5)));
        assert_eq!(error("v=0\r\na=x\ry\r\n"), Some((K::ControlByte, 2, 5)));
        assert_eq!(error("v=0\r\na=\0\r\n"), Some((K::ControlByte, 2, 5)));
        assert_eq!(error("v=0\r\ns=\r\nm=audio x RTP/AVP 0\r\n"), Some((K::BadMedia, 3, 9)));
        assert_eq!(error("v=0\r\nc=IN IP4\r\n"), Some((K::BadConnection, 2, 5)));
        let e = SdpError { kind: K::BadMedia, line: 3, offset: 9 };
        assert_eq!(format!("{e}"), "line 3, byte 9: malformed m= (RFC 8866 5.14)");
    }

    #[test]
    fn limits_are_errors_of_their_own() {
        let media = |n| String::from("v=0\r\n") + &"m=a 1 b c\r\n".repeat(n);
        assert_eq!(error(&media(64)), None);
        assert_eq!(error(&media(65)).unwrap().0, SdpErrorKind::TooManyMedia);
        assert_eq!(error(&media(5_000)).unwrap().0, SdpErrorKind::TooManyMedia);
        let attributes = |n| String::from("v=0\r\n") + &"a=x\r\n".repeat(n);
        assert_eq!(error(&attributes(511)), None);
        assert_eq!(error(&attributes(512)), Some((SdpErrorKind::TooManyLines, 513, 2_560)));
        assert_eq!(error(&attributes(10_000)).unwrap().0, SdpErrorKind::TooManyLines);
        let long = String::from("v=0\r\na=") + &"x".repeat(65_536);
        assert_eq!(error(&long).unwrap().0, SdpErrorKind::TooLong);
        let mut one = [MediaSlot::default(); 1];
        let bytes = media(2);
        let few = Description::parse(bytes.as_bytes(), &mut one, &SdpLimits::default());
        assert_eq!(few.unwrap_err().kind, SdpErrorKind::TooManyMedia);
    }

    #[test]
    fn departures_are_reported_and_tolerated() {
        use SdpErrorKind as K;
        assert_eq!(
            defects("v=0\no=x\ns=-\nt=0 0\n"),
            [(K::LineEnd, 1), (K::LineEnd, 2), (K::BadOrigin, 2), (K::LineEnd, 3), (K::LineEnd, 4),]
        );
        let start = "v=0\r\no=- 1 1 IN IP4 h\r\ns=-\r\n";
        let of = |rest: &str| defects(&(String::from(start) + rest));
        assert_eq!(of("t=0 0\r\nc=IN IP4 h\r\n"), [(K::OutOfOrder, 5)]);
        assert_eq!(of("s=-\r\nt=0 0\r\n"), [(K::Repeated, 4)]);
        assert_eq!(of("t=0 0\r\nr=1 1 0\r\nt=0 0\r\nz=0 0\r\na=x\r\n"), []);
        assert_eq!(
            of("b=AS\r\nt=0\r\nr=x\r\nz=1\r\na=:x\r\n\r\n"),
            [
                (K::BadBandwidth, 4),
                (K::BadTiming, 5),
                (K::BadRepeat, 6),
                (K::BadZones, 7),
                (K::BadAttribute, 8),
                (K::EmptyLine, 9),
            ]
        );
        assert_eq!(
            of("t=0 0\r\nm=audio 1 RTP/AVP 0\r\nu=x\r\n"),
            [(K::UnknownType, 6), (K::NoConnection, 5),]
        );
        assert_eq!(defects("v=0\r\n"), [(K::NoOrigin, 0), (K::NoName, 0), (K::NoTiming, 0)]);
    }
}
