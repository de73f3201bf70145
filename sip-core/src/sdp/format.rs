//! Formats of streams: what a payload type stands for, and which formats two sides share.

use super::attribute::{Fmtp, FmtpParams, RtpMap};
use super::description::{MediaSection, Section};
use super::line::{MediaLine, number, split_once, trim_spaces};
use super::media::is_rtp;

/// Codecs of one stream of ours.
pub(super) const MAX_CODECS: usize = 32;

/// Formats looked at in a stream that is not RTP.
const MAX_WORDS: usize = 32;

/// The static payload types (RFC 3551 section 6, tables 4 and 5): name, clock rate, channels.
pub(super) const fn static_codec(payload: u8) -> Option<(&'static str, u32, u8)> {
    Some(match payload {
        0 => ("PCMU", 8_000, 1),
        3 => ("GSM", 8_000, 1),
        4 => ("G723", 8_000, 1),
        5 => ("DVI4", 8_000, 1),
        6 => ("DVI4", 16_000, 1),
        7 => ("LPC", 8_000, 1),
        8 => ("PCMA", 8_000, 1),
        9 => ("G722", 8_000, 1),
        10 => ("L16", 44_100, 2),
        11 => ("L16", 44_100, 1),
        12 => ("QCELP", 8_000, 1),
        13 => ("CN", 8_000, 1),
        14 => ("MPA", 90_000, 1),
        15 => ("G728", 8_000, 1),
        16 => ("DVI4", 11_025, 1),
        17 => ("DVI4", 22_050, 1),
        18 => ("G729", 8_000, 1),
        25 => ("CelB", 90_000, 1),
        26 => ("JPEG", 90_000, 1),
        28 => ("nv", 90_000, 1),
        31 => ("H261", 90_000, 1),
        32 => ("MPV", 90_000, 1),
        33 => ("MP2T", 90_000, 1),
        34 => ("H263", 90_000, 1),
        _ => return None,
    })
}

/// What one format of a stream stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Format<'a> {
    /// Payload type; 0 where the transport is not RTP.
    pub(super) payload: u8,
    pub(super) name: &'a [u8],
    pub(super) clock: u32,
    pub(super) channels: u8,
    pub(super) fmtp: &'a [u8],
}

/// Parameters that make two formats of one name: name of the codec, parameter, its default (RFC
/// 6184 8.2.2, RFC 4867 8.3.1, RFC 5577 5).
const CONFIGURATIONS: [(&[u8], &[u8], &[u8]); 4] = [
    (b"H264", b"packetization-mode", b"0"),
    (b"AMR", b"octet-align", b"0"),
    (b"AMR-WB", b"octet-align", b"0"),
    (b"G7221", b"bitrate", b""),
];

impl<'a> Format<'a> {
    fn parameter(&self, name: &[u8]) -> Option<&'a [u8]> {
        let pairs = Fmtp { format: b"", params: self.fmtp }.pairs();
        pairs.into_iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).and_then(|(_, v)| v)
    }

    /// Whether both stand for the same codec in the same configuration.
    pub(super) fn same(&self, other: &Format<'_>) -> bool {
        self.clock == other.clock
            && self.channels == other.channels
            && self.name.eq_ignore_ascii_case(other.name)
            && CONFIGURATIONS
                .iter()
                .filter(|c| self.name.eq_ignore_ascii_case(c.0))
                .all(|c| self.parameter(c.1).unwrap_or(c.2) == other.parameter(c.1).unwrap_or(c.2))
    }

    /// Whether it only goes along with a codec: tones, silence, redundancy.
    pub(super) fn is_companion(&self) -> bool {
        let names: [&[u8]; 7] =
            [b"telephone-event", b"tone", b"CN", b"red", b"ulpfec", b"parityfec", b"rtx"];
        names.iter().any(|n| n.eq_ignore_ascii_case(self.name))
    }

    /// The payload types that its parameters speak of (RFC 2198 section 5, RFC 4588 section 8.1).
    pub(super) fn references(&self) -> References<'a> {
        if self.name.eq_ignore_ascii_case(b"red") {
            return References::List(Some(self.fmtp));
        }
        if self.name.eq_ignore_ascii_case(b"rtx") {
            return References::Parameter(Fmtp { format: b"", params: self.fmtp }.pairs());
        }
        References::List(None)
    }
}

/// Iterates over payload types in parameters; `None` for one that is none.
#[derive(Clone, Copy, Debug)]
pub(super) enum References<'a> {
    List(Option<&'a [u8]>),
    Parameter(FmtpParams<'a>),
}

impl References<'_> {
    /// The payload type that one parameter speaks of, if it does.
    pub(super) fn parameter(name: &[u8], value: Option<&[u8]>) -> Option<Option<u8>> {
        name.eq_ignore_ascii_case(b"apt").then(|| payload_type(value.unwrap_or_default()))
    }
}

impl Iterator for References<'_> {
    type Item = Option<u8>;

    fn next(&mut self) -> Option<Option<u8>> {
        match self {
            Self::List(rest) => {
                let text = (*rest)?;
                let (one, more) = split_once(text, b'/');
                *rest = more;
                (!text.is_empty()).then(|| payload_type(one))
            }
            Self::Parameter(pairs) => pairs.find_map(|(name, value)| Self::parameter(name, value)),
        }
    }
}

fn payload_type(text: &[u8]) -> Option<u8> {
    u8::try_from(number(text)?).ok().filter(|&p| p < 128)
}

/// The formats of one media section. Reads its attributes once; each look-up is then constant.
#[derive(Clone, Copy)]
pub(super) struct Formats<'a> {
    section: Section<'a>,
    line: MediaLine<'a>,
    rtp: bool,
    /// Where each payload type's attribute goes on behind its number in the section, plus 1.
    maps: [u16; 128],
    fmtps: [u16; 128],
}

impl<'a> Formats<'a> {
    pub(super) fn of(media: &MediaSection<'a>) -> Self {
        let rtp = is_rtp(media.line.proto);
        let (section, line) = (media.section, media.line);
        let mut formats = Self { section, line, rtp, maps: [0; 128], fmtps: [0; 128] };
        if rtp {
            formats.index();
        }
        formats
    }

    fn index(&mut self) {
        let base = self.section.lines().next().map_or(0, |l| l.offset);
        for line in self.section.lines().filter(|l| l.kind == b'a') {
            let (table, name) = match line.value {
                [b'r', b't', b'p', b'm', b'a', b'p', b':', ..] => (&mut self.maps, 7),
                [b'f', b'm', b't', b'p', b':', ..] => (&mut self.fmtps, 5),
                _ => continue,
            };
            let value = line.value.get(name..).unwrap_or_default();
            let start = value.iter().position(|&b| b != b' ').unwrap_or(0);
            let (payload, _) = split_once(value.get(start..).unwrap_or_default(), b' ');
            let entry = payload_type(payload).and_then(|p| table.get_mut(usize::from(p)));
            if let Some(entry) = entry.filter(|e| **e == 0) {
                // The letter and the equals sign, the name, the number, and 1.
                let behind = start.saturating_add(payload.len()).saturating_add(name + 2 + 1);
                let line = line.offset.saturating_sub(base);
                *entry = line.saturating_add(u16::try_from(behind).unwrap_or(u16::MAX));
            }
        }
    }

    /// What stands behind the number, without spaces around it.
    fn value_at(&self, entry: u16) -> Option<&'a [u8]> {
        let rest = self.section.bytes().get(usize::from(entry.checked_sub(1)?)..)?;
        let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
        let rest = rest.get(..end)?;
        rest.strip_suffix(b"\r").unwrap_or(rest).strip_prefix(b" ").map(trim_spaces)
    }

    pub(super) const fn is_rtp(&self) -> bool {
        self.rtp
    }

    /// What a payload type stands for: what the section says, else the static assignment.
    pub(super) fn payload(&self, payload: u8) -> Option<Format<'a>> {
        let at = usize::from(payload);
        let fmtp = self.fmtps.get(at).and_then(|&e| self.value_at(e)).unwrap_or(&[]);
        let map = *self.maps.get(at)?;
        if map == 0 {
            let (name, clock, channels) = static_codec(payload)?;
            return Some(Format { payload, name: name.as_bytes(), clock, channels, fmtp });
        }
        let map = RtpMap::of(payload, self.value_at(map)?)?;
        let (name, clock) = (map.encoding, map.clock_rate);
        Some(Format { payload, name, clock, channels: map.channels()?, fmtp })
    }

    /// The formats of the `m=` line in order, each once; those that nothing is known of are left
    /// out.
    pub(super) fn iter(&self) -> impl Iterator<Item = Format<'a>> + use<'a, '_> {
        let mut seen = 0_u128;
        let numbers = self.line.formats.filter(|_| self.rtp).filter_map(move |word| {
            let payload = payload_type(word)?;
            let bit = 1_u128.checked_shl(u32::from(payload))?;
            let first = seen & bit == 0;
            seen |= bit;
            first.then_some(payload)
        });
        let words = self.line.formats.filter(|_| !self.rtp).take(MAX_WORDS).map(|name| {
            let fmtp = self.section.fmtp(name).map_or(&[][..], |f| f.params);
            Format { payload: 0, name, clock: 0, channels: 1, fmtp }
        });
        numbers.filter_map(|p| self.payload(p)).chain(words)
    }

    /// The format here that is the same as one of the other side: under the same number where that
    /// is so, else the first.
    pub(super) fn find(&self, other: &Format<'_>) -> Option<Format<'a>> {
        let mut first = None;
        for format in self.iter().filter(|f| f.same(other)) {
            if format.payload == other.payload {
                return Some(format);
            }
            first = first.or(Some(format));
        }
        first
    }
}

/// Whether a stream of ours and one of theirs have a codec in common. Tones and the like alone make
/// no stream, unless one of the two has nothing else; `Some(false)` is that case.
pub(super) fn common(ours: &Formats<'_>, theirs: &Formats<'_>) -> Option<bool> {
    let mut companion = false;
    for format in theirs.iter() {
        if ours.find(&format).is_some() {
            if !format.is_companion() {
                return Some(true);
            }
            companion = true;
        }
    }
    let only = |f: &Formats<'_>| f.iter().all(|f| f.is_companion());
    (companion && (only(ours) || only(theirs))).then_some(false)
}

#[cfg(test)]
mod tests {
    use super::super::description::split;
    use super::*;
    use std::{format, string::String, vec::Vec};

    fn formats(media: &str) -> Formats<'_> {
        let (_, mut sections) = split(media.as_bytes());
        Formats::of(&sections.next().unwrap())
    }

    #[test]
    fn payload_types_mean_what_the_section_says_else_what_is_assigned() {
        let text = "\nm=audio 1 RTP/AVP 0 8 8 96 97 x 128 300 13\r\na=rtpmap:8 other/16000/2\r\n\
            a=rtpmap: 96 late/1\na=rtpmap:96 later/1\r\na=fmtp:96 p=1\r\na=rtpmap:98 none/1\r\n";
        let seen: Vec<_> = formats(text)
            .iter()
            .map(|f| (f.payload, String::from_utf8_lossy(f.name).into_owned(), f.clock, f.channels))
            .collect();
        let expected = [
            (0, "PCMU", 8_000, 1),
            (8, "other", 16_000, 2),
            (96, "late", 1, 1),
            (13, "CN", 8_000, 1),
        ];
        assert_eq!(seen, expected.map(|(p, n, c, h)| (p, String::from(n), c, h)));
        assert_eq!(formats(text).payload(96).unwrap().fmtp, b"p=1");
        assert_eq!(formats(text).payload(200).map(|f| f.payload), None);
    }

    #[test]
    fn the_static_assignments_are_those_of_rfc_3551() {
        let assigned: Vec<u8> = (0..=255).filter(|&p| static_codec(p).is_some()).collect();
        let audio = [0, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18];
        let video = [25, 26, 28, 31, 32, 33, 34];
        assert_eq!(assigned, [&audio[..], &video[..]].concat());
        for (payload, codec) in [
            (0, ("PCMU", 8_000, 1)),
            (8, ("PCMA", 8_000, 1)),
            (9, ("G722", 8_000, 1)),
            (10, ("L16", 44_100, 2)),
            (18, ("G729", 8_000, 1)),
            (34, ("H263", 90_000, 1)),
        ] {
            assert_eq!(static_codec(payload), Some(codec));
        }
    }

    #[test]
    fn the_same_number_is_found_first() {
        let two = "\nm=audio 1 RTP/AVP 96 97\r\na=rtpmap:96 x/8000\r\na=rtpmap:97 X/8000\r\n";
        let other = |payload| Format { payload, name: b"x", clock: 8_000, channels: 1, fmtp: b"" };
        let found = |payload| formats(two).find(&other(payload)).map(|f| f.payload);
        assert_eq!((found(97), found(96), found(100)), (Some(97), Some(96), Some(96)));
        let stereo = Format { channels: 2, ..other(96) };
        assert!(formats(two).find(&stereo).is_none());
    }

    #[test]
    fn references_are_read_from_redundancy_and_retransmission() {
        let of = |name: &'static str, fmtp: &'static str| -> Vec<Option<u8>> {
            let (name, fmtp) = (name.as_bytes(), fmtp.as_bytes());
            Format { payload: 0, name, clock: 1, channels: 1, fmtp }.references().collect()
        };
        assert_eq!(of("RED", "98/99/x"), [Some(98), Some(99), None]);
        assert_eq!(of("rtx", "rtx-time=5; apt=97"), [Some(97)]);
        assert_eq!(of("rtx", "apt"), [None]);
        assert_eq!(of("red", ""), []);
        assert_eq!(of("PCMU", "98/99"), []);
    }

    #[test]
    fn offsets_hold_after_lines_of_any_end() {
        let lines = "a=x\r\n".repeat(100) + "\n" + &"a=y\n".repeat(100);
        let text = format!("\nm=audio 1 RTP/AVP 96\n{lines}a=rtpmap:96 z/8000");
        assert_eq!(formats(&text).payload(96).unwrap().name, b"z");
    }
}
