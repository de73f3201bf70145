//! Messages on a stream (RFC 3261 18.3, RFC 5626 4.4.1).

use memchr::memchr;

use super::defect::DefectKind;
use super::limits::WireLimits;
use super::message::{Step, next_field};
use super::name::Name;
use super::scan::{self, Span};
use super::start_line::StartLine;

/// What the bytes of a stream begin with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Frame {
    /// Part of a message: present the same bytes again with more behind them.
    NeedMore,
    /// The end of a ping (RFC 5626 4.4.1): consume so many bytes and send a CRLF.
    KeepAlive(usize),
    /// Line ends between messages, and the answer to a ping: consume so many bytes.
    Skip(usize),
    /// So many bytes are one whole message.
    Message(usize),
    /// No message can be cut out of this stream any more: it has to be closed.
    Bad {
        /// The bytes of the start line and header section as far as they came. When they are
        /// whole they can be parsed as [`Stream`](super::Framing::Stream) and answered first.
        consumed: usize,
        /// The status to answer.
        status: u16,
        /// Why.
        kind: DefectKind,
        /// Whether the header section is whole, without which there is no answer.
        header_whole: bool,
    },
}

/// Cuts a stream into messages. It holds no bytes, only how far it has looked, so that bytes that
/// come one by one cost no more than those that come at once.
#[derive(Clone, Copy, Debug)]
pub struct Framer {
    message: u16,
    header_section: u16,
    /// Bytes that hold no end of a header section.
    scanned: usize,
    /// Where the last line begins that was begun.
    line: usize,
    /// Where the header section ended and the message will, once that is known.
    total: Option<usize>,
    /// The last thing on the stream was a lone CRLF: half of a ping, or the answer to one.
    half: bool,
}

impl Framer {
    /// A framer at the beginning of a stream.
    #[must_use]
    pub const fn new(limits: &WireLimits) -> Framer {
        Framer {
            message: limits.message,
            header_section: limits.header_section,
            scanned: 0,
            line: 0,
            total: None,
            half: false,
        }
    }

    /// Whether part of a message has been seen: if that stays so too long, the stream is slow on
    /// purpose.
    #[must_use]
    pub const fn in_message(&self) -> bool {
        self.scanned > 0
    }

    /// Looks at `bytes`, which begin where the last frame that was consumed ended.
    ///
    /// Any frame but [`Frame::NeedMore`] ends what it remembers: the next bytes begin behind it.
    #[must_use]
    pub fn scan(&mut self, bytes: &[u8]) -> Frame {
        let frame = self.look(bytes);
        if frame != Frame::NeedMore {
            (self.scanned, self.line, self.total) = (0, 0, None);
            self.half = frame == Frame::Skip(2) && bytes.len() == 2;
        }
        frame
    }

    fn look(&mut self, bytes: &[u8]) -> Frame {
        if let Some(total) = self.total {
            return whole(total, bytes);
        }
        if self.scanned == 0
            && let Some(frame) = self.between(bytes)
        {
            return frame;
        }
        while let Some(found) = memchr(b'\n', bytes.get(self.scanned..).unwrap_or(&[])) {
            let lf = self.scanned.saturating_add(found);
            let next = lf.saturating_add(1);
            let line = match bytes.get(self.line..lf) {
                Some([inner @ .., b'\r']) => inner,
                Some(inner) => inner,
                None => &[],
            };
            if self.line == 0 && StartLine::parse(line, Span::new(0, line.len())).is_none() {
                return bad(DefectKind::NoStartLine, next, false);
            }
            if line.is_empty() {
                return self.header(bytes, next);
            }
            self.scanned = next;
            self.line = next;
        }
        self.scanned = bytes.len();
        if self.scanned > usize::from(self.header_section) {
            return bad(DefectKind::HeadersTooLong, self.scanned, false);
        }
        Frame::NeedMore
    }

    /// Line ends where a message could begin (RFC 3261 7.5, RFC 5626 4.4.1).
    fn between(&self, bytes: &[u8]) -> Option<Frame> {
        match bytes {
            [b'\r', b'\n', b'\r', b'\n', ..] => Some(Frame::KeepAlive(4)),
            [b'\r', b'\n', b'\r'] => Some(Frame::NeedMore),
            [b'\r', b'\n', ..] if self.half => Some(Frame::KeepAlive(2)),
            [b'\r', b'\n', ..] => Some(Frame::Skip(2)),
            [b'\n', ..] => Some(Frame::Skip(1)),
            [b'\r'] | [] => Some(Frame::NeedMore),
            _ => None,
        }
    }

    /// The header section is whole and the body begins at `body`.
    fn header(&mut self, bytes: &[u8], body: usize) -> Frame {
        if body > usize::from(self.header_section) {
            return bad(DefectKind::HeadersTooLong, body, true);
        }
        let length = match content_length(bytes.get(..body).unwrap_or(bytes)) {
            Ok(length) => length,
            Err(kind) => return bad(kind, body, true),
        };
        let total = body.saturating_add(length);
        if total > usize::from(self.message) {
            return bad(DefectKind::TooLong, body, true);
        }
        self.scanned = body;
        self.total = Some(total);
        whole(total, bytes)
    }
}

fn whole(total: usize, bytes: &[u8]) -> Frame {
    if bytes.len() < total { Frame::NeedMore } else { Frame::Message(total) }
}

fn bad(kind: DefectKind, consumed: usize, header_whole: bool) -> Frame {
    Frame::Bad { consumed, status: kind.status(), kind, header_whole }
}

/// The one length that all Content-Length fields of a header section agree on.
fn content_length(bytes: &[u8]) -> Result<usize, DefectKind> {
    let mut at = memchr(b'\n', bytes).map_or(bytes.len(), |lf| lf.saturating_add(1));
    let mut length = None;
    loop {
        at = match next_field(bytes, at) {
            Step::Field(field, next) => {
                if field.name == Name::ContentLength {
                    let n = scan::decimal(field.value.of(bytes))
                        .and_then(|n| usize::try_from(n).ok())
                        .ok_or(DefectKind::LengthBad)?;
                    if length.is_some_and(|other| other != n) {
                        return Err(DefectKind::LengthConflict);
                    }
                    length = Some(n);
                }
                next
            }
            Step::Line(_, next) => next,
            Step::End(_) | Step::Cut => return length.ok_or(DefectKind::LengthMissing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    fn framer() -> Framer {
        Framer::new(&WireLimits::default())
    }

    fn message(length: &str, body: &str) -> String {
        format!("OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP c\r\n{length}\r\n{body}")
    }

    /// All frames of `stream` when it comes in pieces of `step` bytes, each with what it took.
    fn frames(stream: &[u8], step: usize) -> Vec<(Frame, Vec<u8>)> {
        let mut framer = framer();
        let mut out = Vec::new();
        let (mut from, mut to) = (0, 0);
        loop {
            let frame = framer.scan(&stream[from..to]);
            let taken = match frame {
                Frame::NeedMore if to == stream.len() => return out,
                Frame::NeedMore => {
                    to = (to + step).min(stream.len());
                    continue;
                }
                Frame::KeepAlive(n) | Frame::Skip(n) | Frame::Message(n) => n,
                Frame::Bad { consumed, .. } => consumed,
            };
            out.push((frame, stream[from..from + taken].to_vec()));
            if matches!(frame, Frame::Bad { .. }) {
                return out;
            }
            from += taken;
        }
    }

    fn kind(stream: &str) -> (DefectKind, u16, bool) {
        match frames(stream.as_bytes(), stream.len()).last() {
            Some(&(Frame::Bad { status, kind, header_whole, .. }, _)) => {
                (kind, status, header_whole)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn messages_are_cut_alike_however_they_come() {
        let a = message("Content-Length: 5\r\n", "12345");
        let b = message("l:\r\n 0\r\n", "");
        let stream = format!("{a}\r\n{b}\r\n\r\n{b}\n{a}");
        for step in 1..=stream.len() {
            let got: Vec<Vec<u8>> = frames(stream.as_bytes(), step)
                .into_iter()
                .filter(|(f, _)| matches!(f, Frame::Message(_)))
                .map(|(_, taken)| taken)
                .collect();
            let want: Vec<Vec<u8>> =
                [&a, &b, &b, &a].into_iter().map(|m| m.as_bytes().to_vec()).collect();
            assert_eq!(got, want, "{step}");
        }
    }

    #[test]
    fn a_ping_is_seen_whole_and_in_halves() {
        // RFC 5626 4.4.1.
        for step in 1..=4 {
            let pings = frames(b"\r\n\r\n", step)
                .into_iter()
                .filter(|(f, _)| matches!(f, Frame::KeepAlive(_)))
                .count();
            assert_eq!(pings, 1, "{step}");
        }
        // The answer to a ping: a lone CRLF, seen at once.
        assert_eq!(framer().scan(b"\r\n"), Frame::Skip(2));
        // A CRLF before a message, and another after it, make no ping.
        let m = message("l: 0\r\n", "");
        let stream = format!("\r\n{m}\r\n{m}");
        assert!(
            frames(stream.as_bytes(), 1).iter().all(|(f, _)| !matches!(f, Frame::KeepAlive(_)))
        );
    }

    #[test]
    fn what_content_length_must_not_be() {
        use DefectKind::{LengthBad, LengthConflict, LengthMissing, TooLong};
        for (header, want) in [
            ("", (LengthMissing, 400, true)),
            ("l: 1\r\nl: 2\r\n", (LengthConflict, 400, true)),
            ("l: -1\r\n", (LengthBad, 400, true)),
            ("l: +1\r\n", (LengthBad, 400, true)),
            ("l: x\r\n", (LengthBad, 400, true)),
            ("l:\r\n", (LengthBad, 400, true)),
            ("l: 1 2\r\n", (LengthBad, 400, true)),
            ("l: 0x10\r\n", (LengthBad, 400, true)),
            ("l: 65535\r\n", (TooLong, 513, true)),
            ("l: 4294967296\r\n", (TooLong, 513, true)),
            ("l: 18446744073709551617\r\n", (TooLong, 513, true)),
        ] {
            assert_eq!(kind(&message(header, "x")), want, "{header}");
        }
        let twice = message("l: 1\r\nContent-Length: 01\r\n", "x");
        assert_eq!(framer().scan(twice.as_bytes()), Frame::Message(twice.len()));
    }

    #[test]
    fn what_is_no_sip_is_closed_at_its_first_line() {
        for line in ["GET / HTTP/1.1\r\n", "\u{16}\u{3}\u{1}\r\n", "\rx\n", " \r\n"] {
            assert_eq!(kind(line), (DefectKind::NoStartLine, 400, false), "{line:?}");
        }
    }

    #[test]
    fn a_header_section_without_end_is_closed_at_the_limit() {
        let mut stream = message("", "");
        stream.truncate(stream.len() - 2);
        stream.push_str(&"a: b\r\n".repeat(6_000));
        assert_eq!(kind(&stream), (DefectKind::HeadersTooLong, 513, false));
        stream.truncate(32_769 - 2);
        stream.push_str("\n\n");
        assert_eq!(kind(&stream), (DefectKind::HeadersTooLong, 513, true));
        let one_line = "x".repeat(32_769);
        assert_eq!(kind(&one_line), (DefectKind::HeadersTooLong, 513, false));
    }

    #[test]
    fn the_header_of_a_bad_message_can_be_parsed() {
        let stream = message("", "INVITE sip:x SIP/2.0\r\n");
        let found = frames(stream.as_bytes(), 1);
        let [(Frame::Bad { consumed, .. }, taken)] = &found[..] else { panic!("{found:?}") };
        assert_eq!(*consumed, taken.len());
        assert!(taken.ends_with(b"\r\n\r\n"));
    }
}
