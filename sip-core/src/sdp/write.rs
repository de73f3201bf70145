//! Writing descriptions into a caller's buffer.

use super::attribute::{Direction, Fmtp, RtpMap};
use super::description::Line;
use super::line::{Bandwidth, Connection, MediaLine, OriginLine, Timing};

/// Why a line was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SdpWriteError {
    /// The buffer is too short.
    #[error("no room for the line")]
    NoRoom,
    /// NUL, CR or LF in a value (RFC 8866 section 9, byte-string).
    #[error("control byte in a value")]
    ControlByte,
    /// A field that may not be empty or hold spaces or control bytes does.
    #[error("not a field of its own")]
    BadField,
}

/// Writes a description line by line. A line that fails leaves nothing behind, so the caller may
/// go on or give up; what has been written is always whole lines.
///
/// The order of lines is the caller's (RFC 8866 section 5).
#[derive(Debug)]
pub struct SdpWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> SdpWriter<'b> {
    /// A writer at the start of `buffer`.
    #[must_use]
    pub const fn new(buffer: &'b mut [u8]) -> Self {
        Self { buffer, len: 0 }
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Ends writing and gives the lines.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    pub(super) fn whole_line(
        &mut self,
        kind: u8,
        value: impl FnOnce(&mut Self) -> Result<(), SdpWriteError>,
    ) -> Result<(), SdpWriteError> {
        let start = self.len;
        let line = || {
            if !kind.is_ascii_graphic() {
                return Err(SdpWriteError::BadField);
            }
            self.put(&[kind, b'='])?;
            value(self)?;
            self.put(b"\r\n")
        };
        let done = line();
        if done.is_err() {
            self.len = start;
        }
        done
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), SdpWriteError> {
        let end = self.len.checked_add(bytes.len()).ok_or(SdpWriteError::NoRoom)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(SdpWriteError::NoRoom)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(super) fn text(&mut self, text: &[u8]) -> Result<(), SdpWriteError> {
        if text.iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
            return Err(SdpWriteError::ControlByte);
        }
        self.put(text)
    }

    pub(super) fn field(&mut self, field: &[u8]) -> Result<(), SdpWriteError> {
        if field.is_empty() || field.iter().any(|&b| b <= b' ' || b == 0x7f) {
            return Err(SdpWriteError::BadField);
        }
        self.put(field)
    }

    pub(super) fn fields(&mut self, fields: &[&[u8]]) -> Result<(), SdpWriteError> {
        for (index, field) in fields.iter().enumerate() {
            if index > 0 {
                self.put(b" ")?;
            }
            self.field(field)?;
        }
        Ok(())
    }

    pub(super) fn number(&mut self, mut value: u64) -> Result<(), SdpWriteError> {
        let mut digits = [b'0'; 20];
        let mut used = 0_usize;
        for place in digits.iter_mut().rev() {
            *place = b'0'.wrapping_add((value % 10) as u8);
            used = used.saturating_add(1);
            value /= 10;
            if value == 0 {
                break;
            }
        }
        let start = digits.len().saturating_sub(used);
        self.put(digits.get(start..).unwrap_or_default())
    }

    pub(super) fn suffix(&mut self, by: &[u8], value: Option<u64>) -> Result<(), SdpWriteError> {
        match value {
            Some(value) => {
                self.put(by)?;
                self.number(value)
            }
            None => Ok(()),
        }
    }

    /// `v=0`.
    ///
    /// # Errors
    /// As for [`SdpWriter::line`].
    pub fn version(&mut self) -> Result<(), SdpWriteError> {
        self.line(b'v', b"0")
    }

    /// Any line: letter and value. `s=` without a name should have `-` (RFC 8866 section 5.3).
    ///
    /// # Errors
    /// `BadField` for a letter that is none, `ControlByte` for NUL, CR, LF, `NoRoom`.
    pub fn line(&mut self, kind: u8, value: &[u8]) -> Result<(), SdpWriteError> {
        self.whole_line(kind, |w| w.text(value))
    }

    /// A line of another description.
    ///
    /// # Errors
    /// As for [`SdpWriter::line`].
    pub fn copy(&mut self, line: &Line<'_>) -> Result<(), SdpWriteError> {
        self.line(line.kind, line.value)
    }

    /// `o=`.
    ///
    /// # Errors
    /// `BadField` for a field that is empty or holds a space, `NoRoom`.
    pub fn origin(&mut self, o: &OriginLine<'_>) -> Result<(), SdpWriteError> {
        let ids = [o.session_id, o.session_version];
        if !ids.iter().all(|id| id.iter().all(u8::is_ascii_digit)) {
            return Err(SdpWriteError::BadField);
        }
        let fields =
            [o.username, o.session_id, o.session_version, o.net_type, o.addr_type, o.address];
        self.whole_line(b'o', |w| w.fields(&fields))
    }

    /// `c=`. TTL and count are written where they are given.
    ///
    /// # Errors
    /// `BadField` for a field that is empty or holds a space, `NoRoom`.
    pub fn connection(&mut self, c: &Connection<'_>) -> Result<(), SdpWriteError> {
        self.whole_line(b'c', |w| {
            w.fields(&[c.net_type, c.addr_type, c.address])?;
            w.suffix(b"/", c.ttl.map(u64::from))?;
            w.suffix(b"/", c.count.map(u64::from))
        })
    }

    /// `b=`.
    ///
    /// # Errors
    /// `BadField` for a modifier that is empty or holds a space or colon, `NoRoom`.
    pub fn bandwidth(&mut self, b: &Bandwidth<'_>) -> Result<(), SdpWriteError> {
        self.whole_line(b'b', |w| {
            w.named(b.modifier)?;
            w.suffix(b":", Some(b.value))
        })
    }

    /// `t=`.
    ///
    /// # Errors
    /// `NoRoom`.
    pub fn timing(&mut self, t: &Timing) -> Result<(), SdpWriteError> {
        self.whole_line(b't', |w| {
            w.number(t.start)?;
            w.suffix(b" ", Some(t.stop))
        })
    }

    /// `m=`. The formats may come from another description or from [`super::Fields::of`].
    ///
    /// # Errors
    /// `BadField` for a field that is empty or holds a space, or when there is no format; `NoRoom`.
    pub fn media(&mut self, m: &MediaLine<'_>) -> Result<(), SdpWriteError> {
        self.whole_line(b'm', |w| {
            w.field(m.kind)?;
            w.suffix(b" ", Some(u64::from(m.port)))?;
            w.suffix(b"/", m.count.map(u64::from))?;
            w.put(b" ")?;
            w.field(m.proto)?;
            let before = w.len;
            for format in m.formats {
                w.put(b" ")?;
                w.field(format)?;
            }
            if w.len == before { Err(SdpWriteError::BadField) } else { Ok(()) }
        })
    }

    fn named(&mut self, name: &[u8]) -> Result<(), SdpWriteError> {
        if name.contains(&b':') {
            return Err(SdpWriteError::BadField);
        }
        self.field(name)
    }

    /// `a=name` or `a=name:value`.
    ///
    /// # Errors
    /// `BadField` for a name that is empty or holds a space or colon, `ControlByte`, `NoRoom`.
    pub fn attribute(&mut self, name: &[u8], value: Option<&[u8]>) -> Result<(), SdpWriteError> {
        self.whole_line(b'a', |w| {
            w.named(name)?;
            match value {
                Some(value) => {
                    w.put(b":")?;
                    w.text(value)
                }
                None => Ok(()),
            }
        })
    }

    /// `a=sendrecv` and its like.
    ///
    /// # Errors
    /// `NoRoom`.
    pub fn direction(&mut self, direction: Direction) -> Result<(), SdpWriteError> {
        self.attribute(direction.name().as_bytes(), None)
    }

    /// `a=rtpmap:`.
    ///
    /// # Errors
    /// `BadField` for a field that is empty or holds a space, `NoRoom`.
    pub fn rtpmap(&mut self, m: &RtpMap<'_>) -> Result<(), SdpWriteError> {
        self.whole_line(b'a', |w| {
            w.put(b"rtpmap:")?;
            w.number(u64::from(m.payload))?;
            w.put(b" ")?;
            w.field(m.encoding)?;
            w.suffix(b"/", Some(u64::from(m.clock_rate)))?;
            match m.params {
                Some(params) => {
                    w.put(b"/")?;
                    w.field(params)
                }
                None => Ok(()),
            }
        })
    }

    /// `a=fmtp:`.
    ///
    /// # Errors
    /// `BadField` for a format that is empty or holds a space, `ControlByte`, `NoRoom`.
    pub fn fmtp(&mut self, f: &Fmtp<'_>) -> Result<(), SdpWriteError> {
        self.whole_line(b'a', |w| {
            w.put(b"fmtp:")?;
            w.field(f.format)?;
            w.put(b" ")?;
            w.text(f.params)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::line::Fields;
    use super::*;

    #[test]
    fn injected_lines_are_refused_and_leave_nothing() {
        let mut buffer = [0; 200];
        let mut w = SdpWriter::new(&mut buffer);
        w.version().unwrap();
        let evil: &[u8] = b"x\r\nm=audio 1 RTP/AVP 0";
        assert_eq!(w.line(b's', evil), Err(SdpWriteError::ControlByte));
        assert_eq!(w.line(b'\n', b"x"), Err(SdpWriteError::BadField));
        assert_eq!(w.attribute(evil, None), Err(SdpWriteError::BadField));
        assert_eq!(w.attribute(b"x", Some(evil)), Err(SdpWriteError::ControlByte));
        assert_eq!(w.attribute(b"a:b", None), Err(SdpWriteError::BadField));
        assert_eq!(w.attribute(b"", None), Err(SdpWriteError::BadField));
        let rtpmap = RtpMap { payload: 0, encoding: evil, clock_rate: 1, params: None };
        assert_eq!(w.rtpmap(&rtpmap), Err(SdpWriteError::BadField));
        let fmtp = Fmtp { format: b"1", params: evil };
        assert_eq!(w.fmtp(&fmtp), Err(SdpWriteError::ControlByte));
        let c = Connection {
            net_type: b"IN",
            addr_type: b"IP4",
            address: b"a b",
            ttl: None,
            count: None,
        };
        assert_eq!(w.connection(&c), Err(SdpWriteError::BadField));
        let m = MediaLine {
            kind: b"audio",
            port: 1,
            count: None,
            proto: b"RTP/AVP",
            formats: Fields::of(b"  "),
        };
        assert_eq!(w.media(&m), Err(SdpWriteError::BadField));
        let formats = Fields::of(b"0\r\na=x");
        assert_eq!(w.media(&MediaLine { formats, ..m }), Err(SdpWriteError::BadField));
        assert_eq!(w.finish(), b"v=0\r\n");
    }

    #[test]
    fn a_line_that_does_not_fit_is_not_begun() {
        for room in 0..15 {
            let mut buffer = [0; 15];
            let mut w = SdpWriter::new(&mut buffer[..room]);
            let _ = w.version();
            let second = w.timing(&Timing { start: 0, stop: 0 });
            assert_eq!(second.is_ok(), room >= 12);
            let whole: &[u8] = if room >= 12 {
                b"v=0\r\nt=0 0\r\n"
            } else if room >= 5 {
                b"v=0\r\n"
            } else {
                b""
            };
            assert_eq!(w.finish(), whole);
        }
    }

    #[test]
    fn numbers_are_written_whole() {
        let mut buffer = [0; 64];
        let mut w = SdpWriter::new(&mut buffer);
        w.timing(&Timing { start: u64::MAX, stop: 10 }).unwrap();
        assert_eq!(w.finish(), b"t=18446744073709551615 10\r\n");
    }
}
