//! Messages made to cost as much as they can: the work must stay linear in their bytes
//! (each of the families in 32 KiB and in 64 KiB).

use std::hint::black_box;

use sansip::header::check_at;
use sansip::header::essentials::Essentials;
use sansip::header::multipart::{MultipartLimits, Parts};
use sansip::sdp::{Description, MediaSlot, SdpLimits};
use sansip::wire::{
    Frame, Framer, Framing, Index, ResponseParts, Role, WireLimits, judge, parse, response,
};

use crate::Work;

/// A header field: how it begins, and what is repeated to fill the message. Where the start names a
/// field that every message has, it takes that one's place.
const FIELDS: &[(&str, &str, &str)] = &[
    ("fold", "Subject: a", "\r\n b"),
    ("fold-to", "To: <sip:a@b>", "\r\n ;x"),
    ("fold-empty", "Subject:", "\r\n "),
    ("space", "Subject: a", " "),
    ("space-to", "To: a", " "),
    ("space-colon", "Subject", " "),
    ("comma-contact", "Contact: <sip:a@b>", ",<sip:a@b>"),
    ("comma-empty", "Contact: ", ","),
    ("comma-via", "Via: SIP/2.0/UDP a", ",SIP/2.0/UDP b"),
    ("comma-route", "Route: <sip:a;lr>", ", <sip:b;lr>"),
    ("comma-allow", "Allow: A", ",A"),
    ("comma-auth", "Authorization: Digest a=b", ",a=b"),
    ("quote", "To: ", "\""),
    ("quote-pair", "To: ", "\"\" "),
    ("quote-escape", "To: \"", "\\\""),
    ("quote-backslash", "To: \"", "\\\\"),
    ("quote-contact", "Contact: ", "\","),
    ("quote-auth", "Authorization: Digest a=\"b\"", ", a=\"b\\\"\""),
    ("angle", "To: ", "<"),
    ("angle-contact", "Contact: ", "<>,"),
    ("param-to", "To: <sip:a@b>", ";a=b"),
    ("param-empty", "To: <sip:a@b>", ";"),
    ("param-quoted", "To: <sip:a@b>", ";a=\"b\""),
    ("param-via", "Via: SIP/2.0/UDP a", ";a=b"),
    ("param-uri", "To: <sip:a@b", ";a=b"),
    ("param-tag", "To: <sip:a@b>", ";tag=b"),
    ("param-branch", "Via: SIP/2.0/UDP a", ";branch=b"),
    ("param-received", "Via: SIP/2.0/UDP a", ";received=b"),
    ("param-accept", "Accept: a/b", ";a=b"),
    ("user", "To: <sip:", "a"),
    ("user-colon", "To: <sip:", "a:"),
    ("user-at", "To: <sip:", "a@"),
    ("escape", "To: <sip:", "%41"),
    ("escape-bare", "To: sip:", "%"),
    ("host", "To: <sip:a@", "b."),
    ("host-six", "To: <sip:a@[", "a:"),
    ("uri-header", "To: <sip:a@b?", "a=b&"),
    ("display", "To: ", "a "),
    ("display-utf8", "To: ", "\u{e9}"),
    ("call-id", "Call-ID: ", "a@"),
    ("cseq", "CSeq: ", "0"),
    ("length", "Content-Length: ", "0"),
    ("replaces", "Replaces: a@b;to-tag=1;from-tag=2", ";a=b"),
    ("warning", "Warning: 399 a \"b\"", ", 399 a \"b\""),
    ("lines", "", "x\r\n"),
    ("fields", "", "x:\r\n"),
    ("vias", "", "v:SIP/2.0/UDP a\r\n"),
    ("tos", "", "t:<sip:a@b>\r\n"),
    ("lengths", "", "l:0\r\n"),
    ("contacts", "", "m:<sip:a@b>\r\n"),
    ("routes", "", "Route:<sip:a;lr>\r\n"),
    ("bare-lf", "", "x:\n"),
    ("controls", "Subject: ", "\u{1}"),
    ("tabs", "Subject: a", "\t"),
    ("semicolons", "Subject: ", ";"),
    ("name", "", "a"),
];

/// A body: its Content-Type, how it begins, and what is repeated.
const BODIES: &[(&str, &str, &str, &str)] = &[
    ("boundary", "multipart/mixed;boundary=b", "", "--b\r\n\r\n\r\n"),
    ("boundary-near", "multipart/mixed;boundary=bbbbbbbbbbbbbbbbb", "--", "\r\n--bbbbbbbbbbbbbbbb"),
    ("boundary-dashes", "multipart/mixed;boundary=------b", "", "-"),
    ("boundary-none", "multipart/mixed;boundary=b", "", "\r\n--"),
    ("boundary-fields", "multipart/mixed;boundary=b", "--b\r\n", "x:\r\n"),
    (
        "boundary-nested",
        "multipart/mixed;boundary=b",
        "",
        "--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n",
    ),
    ("sdp-lines", "application/sdp", "v=0\r\n", "a=x\r\n"),
    ("sdp-media", "application/sdp", "v=0\r\n", "m=audio 1 RTP/AVP 0\r\n"),
    ("sdp-formats", "application/sdp", "v=0\r\nm=audio 1 RTP/AVP 0", " 0"),
    ("sdp-line", "application/sdp", "v=0\r\na=", "x"),
];

/// The names of all families.
pub fn names() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|f| f.0).chain(BODIES.iter().map(|b| b.0))
}

/// What is done with a hostile message.
pub const OPERATIONS: [&str; 3] = ["refuse", "typed", "frame"];

/// The work `FAMILY/BYTES/OPERATION`.
#[must_use]
pub fn work(name: &str) -> Option<Box<dyn Work>> {
    let mut parts = name.split('/');
    let (family, size) = (parts.next()?, parts.next()?.parse().ok()?);
    let operation = parts.next()?;
    let operation = OPERATIONS.into_iter().find(|o| *o == operation)?;
    let limits = WireLimits::default();
    Some(Box::new(Worst {
        bytes: hostile(family, size)?,
        operation,
        limits,
        index: Index::new(&limits).ok()?,
        slots: vec![MediaSlot::default(); usize::from(limits.sdp_media)],
        out: vec![0; 70_000],
    }))
}

/// A message of a family with so many bytes.
fn hostile(family: &str, size: usize) -> Option<Vec<u8>> {
    let mut text = String::from("OPTIONS sip:li@summit.example.org SIP/2.0\r\n");
    let field = FIELDS.iter().find(|f| f.0 == family);
    let start = field.map_or("", |f| f.1);
    for (name, line) in [
        ("Via: ", "Via: SIP/2.0/UDP h.example;branch=z9hG4bK1\r\n"),
        ("To: ", "To: <sip:li@summit.example.org>\r\n"),
        ("From: ", "From: <sip:maria@harbor.example.org>;tag=f\r\n"),
        ("Call-ID: ", "Call-ID: c@h.example\r\n"),
        ("CSeq: ", "CSeq: 1 OPTIONS\r\n"),
    ] {
        if !start.starts_with(name) {
            text += line;
        }
    }
    let (unit, end) = match field {
        Some((_, start, unit)) => {
            text += start;
            (unit, "\r\n\r\n")
        }
        None => {
            let (_, content_type, start, unit) = BODIES.iter().find(|b| b.0 == family)?;
            text += &format!("Content-Type: {content_type}\r\n\r\n{start}");
            (unit, "")
        }
    };
    let room = size.saturating_sub(text.len() + end.len());
    text += &unit.repeat(room / unit.len());
    text += end;
    Some(text.into_bytes())
}

struct Worst {
    bytes: Vec<u8>,
    operation: &'static str,
    limits: WireLimits,
    index: Index,
    slots: Vec<MediaSlot>,
    out: Vec<u8>,
}

impl Worst {
    fn once(&mut self) -> usize {
        let Self { bytes, operation, limits, index, slots, out } = self;
        let bytes = black_box(&bytes[..]);
        if *operation == "frame" {
            return frame(bytes, limits);
        }
        let m = parse(bytes, limits, Framing::Datagram, index).expect("a start line");
        if *operation == "refuse" {
            // All that an engine does with it.
            let e = Essentials::of(&m);
            black_box(judge(Role::UserAgent, &m, black_box(&e)));
            let parts = ResponseParts {
                to_tag: Some(b"t"),
                via_received: Some(b"192.0.2.1"),
                via_rport: Some(5060),
                via: e.via.as_ref(),
                to: e.to.as_ref(),
                record_route: true,
                ..ResponseParts::default()
            };
            return response(out, &m, 400, None, &parts).unwrap_or(0);
        }
        // All that a user of the parser can ask of it.
        let good = m.fields().filter(|f| check_at(f.name, m.bytes(), f.value).is_ok()).count();
        let limits = MultipartLimits { parts: limits.parts, depth: limits.part_depth };
        let parts = Parts::of(&m, &limits).map_or(0, Iterator::count);
        let sdp = SdpLimits { lines: u16::MAX, media: 64 };
        let lines = Description::parse(m.body(), slots, &sdp).map_or(0, |d| d.media_count());
        good + parts + lines
    }
}

/// A stream that brings 64 bytes at a time.
fn frame(bytes: &[u8], limits: &WireLimits) -> usize {
    let mut framer = Framer::new(limits);
    let mut steps = 0;
    for end in (64..=bytes.len()).step_by(64) {
        steps += 1;
        if framer.scan(&bytes[..end]) != Frame::NeedMore {
            break;
        }
    }
    steps
}

impl Work for Worst {
    fn check(&mut self) {
        black_box(self.once());
    }

    fn run(&mut self, n: u32) {
        for _ in 0..n {
            black_box(self.once());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_a_message_of_its_size_and_there_are_enough() {
        assert!(names().count() >= 40);
        for name in names() {
            for size in [32_768, 65_535] {
                let len = hostile(name, size).unwrap().len();
                assert!(len <= size && len + 64 > size, "{name} has {len} bytes");
            }
            for operation in OPERATIONS {
                let mut work = work(&format!("{name}/2000/{operation}")).unwrap();
                work.check();
                work.run(1);
            }
        }
    }
}
