//! Writing header values: whatever is given, what comes out is one value on one line.

use crate::wire::scan::{Class, is};

/// Why a value was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum ValueWriteError {
    /// The buffer is too short.
    #[error("no room for the value")]
    NoRoom,
    /// A control byte, or a CR or LF that is no fold (RFC 3261 25.1).
    #[error("control byte in a value")]
    Control,
    /// A token that is empty or holds a separator.
    #[error("not a token")]
    NotAToken,
    /// Text with a byte that would end the part it stands in.
    #[error("delimiter in a value")]
    Delimiter,
}

/// Writes the text of header values into a caller's buffer. Every method checks what it is given,
/// and one that fails leaves what was written before it as it was.
#[derive(Debug)]
pub struct ValueWriter<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl<'b> ValueWriter<'b> {
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

    /// Ends writing and gives the text.
    #[must_use]
    pub fn finish(self) -> &'b [u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// Does `write`, or nothing of it when a step of it fails.
    ///
    /// # Errors
    /// What `write` ended with.
    pub fn whole(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), ValueWriteError>,
    ) -> Result<(), ValueWriteError> {
        let start = self.len;
        let done = write(self);
        if done.is_err() {
            self.len = start;
        }
        done
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), ValueWriteError> {
        let end = self.len.checked_add(bytes.len()).ok_or(ValueWriteError::NoRoom)?;
        let room = self.buffer.get_mut(self.len..end).ok_or(ValueWriteError::NoRoom)?;
        room.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.len = self.len.min(len);
    }

    /// A token.
    ///
    /// # Errors
    /// `NotAToken`, `NoRoom`.
    pub fn token(&mut self, token: &[u8]) -> Result<(), ValueWriteError> {
        self.of_class(token, Class::TOKEN)
    }

    pub(super) fn of_class(&mut self, text: &[u8], class: Class) -> Result<(), ValueWriteError> {
        if text.is_empty() || !text.iter().all(|&b| is(b, class)) {
            return Err(ValueWriteError::NotAToken);
        }
        self.put(text)
    }

    /// A number in decimal digits.
    ///
    /// # Errors
    /// `NoRoom`.
    pub fn number(&mut self, value: u64) -> Result<(), ValueWriteError> {
        self.digits(value, 1)
    }

    /// A number in decimal digits with zeros before it up to `width`, at most 20.
    pub(super) fn digits(&mut self, mut value: u64, width: usize) -> Result<(), ValueWriteError> {
        let mut digits = [b'0'; 20];
        let mut used = 0_usize;
        for place in digits.iter_mut().rev() {
            if value == 0 && used >= width {
                break;
            }
            *place = b'0'.wrapping_add((value % 10) as u8);
            used = used.saturating_add(1);
            value /= 10;
        }
        let start = digits.len().saturating_sub(used);
        self.put(digits.get(start..).unwrap_or_default())
    }

    /// A number as eight lower-case hexadecimal digits.
    pub(super) fn hex8(&mut self, value: u32) -> Result<(), ValueWriteError> {
        let mut text = [0; 8];
        for (place, shift) in text.iter_mut().zip([28, 24, 20, 16, 12, 8, 4, 0]) {
            let digit = (value.wrapping_shr(shift) & 0xf) as usize;
            *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'0');
        }
        self.put(&text)
    }

    /// Text on one line: UTF-8 as it is, folds become one space.
    ///
    /// # Errors
    /// `Control` for a control byte that is neither HTAB nor part of a fold, `NoRoom`.
    pub fn text(&mut self, text: &[u8]) -> Result<(), ValueWriteError> {
        self.whole(|w| {
            let mut rest = text;
            while let Some(at) = rest.iter().position(|&b| is_control(b)) {
                let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                let after = unfolded(tail).ok_or(ValueWriteError::Control)?;
                w.put(trim_end(head))?;
                w.put(b" ")?;
                rest = after;
            }
            w.put(rest)
        })
    }

    /// A quoted string with this content; `"` and `\` are escaped.
    ///
    /// # Errors
    /// `Control` for a control byte other than HTAB, `NoRoom`.
    pub fn quoted(&mut self, content: &[u8]) -> Result<(), ValueWriteError> {
        if content.iter().any(|&b| is_control(b)) {
            return Err(ValueWriteError::Control);
        }
        self.whole(|w| {
            w.put(b"\"")?;
            let mut rest = content;
            while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b'\\')) {
                let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                w.put(head)?;
                w.put(b"\\")?;
                let (escaped, after) = tail.split_at_checked(1).unwrap_or((tail, &[]));
                w.put(escaped)?;
                rest = after;
            }
            w.put(rest)?;
            w.put(b"\"")
        })
    }

    /// The inside of a quoted string whose escapes stand already.
    pub(super) fn requoted(&mut self, raw: &[u8]) -> Result<(), ValueWriteError> {
        let mut escaped = false;
        for &b in raw {
            if b == b'"' && !escaped {
                return Err(ValueWriteError::Delimiter);
            }
            escaped = b == b'\\' && !escaped;
        }
        if escaped {
            return Err(ValueWriteError::Delimiter);
        }
        self.whole(|w| {
            w.put(b"\"")?;
            w.text(raw)?;
            w.put(b"\"")
        })
    }

    /// `;name`.
    ///
    /// # Errors
    /// `NotAToken`, `NoRoom`.
    pub fn flag(&mut self, name: &[u8]) -> Result<(), ValueWriteError> {
        self.whole(|w| {
            w.put(b";")?;
            w.token(name)
        })
    }

    /// `;name=value` with a value that is a token or a host.
    ///
    /// # Errors
    /// `NotAToken`, `NoRoom`.
    pub fn param(&mut self, name: &[u8], value: &[u8]) -> Result<(), ValueWriteError> {
        self.whole(|w| {
            w.flag(name)?;
            w.put(b"=")?;
            w.of_class(value, Class::TOKEN | Class::VALUE)
        })
    }

    /// `;name=number`.
    ///
    /// # Errors
    /// `NotAToken`, `NoRoom`.
    pub fn param_number(&mut self, name: &[u8], value: u64) -> Result<(), ValueWriteError> {
        self.whole(|w| {
            w.flag(name)?;
            w.put(b"=")?;
            w.number(value)
        })
    }

    /// `;name="value"`, escaped.
    ///
    /// # Errors
    /// `NotAToken`, `Control`, `NoRoom`.
    pub fn param_quoted(&mut self, name: &[u8], value: &[u8]) -> Result<(), ValueWriteError> {
        self.whole(|w| {
            w.flag(name)?;
            w.put(b"=")?;
            w.quoted(value)
        })
    }
}

const fn is_control(b: u8) -> bool {
    (b < b' ' && b != b'\t') || b == 0x7f
}

/// What follows a fold at the start of `bytes` with its white space; `None` if there is no fold.
fn unfolded(bytes: &[u8]) -> Option<&[u8]> {
    let ([b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) = bytes else { return None };
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if blanks == 0 { None } else { after.get(blanks..) }
}

fn trim_end(mut bytes: &[u8]) -> &[u8] {
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{string::String, vec::Vec};

    fn out(
        write: impl FnOnce(&mut ValueWriter<'_>) -> Result<(), ValueWriteError>,
    ) -> Result<String, ValueWriteError> {
        let mut buffer = [0; 64];
        let mut w = ValueWriter::new(&mut buffer);
        let done = write(&mut w);
        let text = w.finish();
        assert!(done.is_ok() || text.is_empty(), "a failed step leaves bytes behind");
        done.map(|()| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn nothing_ends_the_line_or_the_part() {
        use ValueWriteError as E;
        for evil in [&b"a\r\nX: y"[..], b"a\nb", b"a\rb", b"a\0", b"a\r\n", b"a\n\r b", b"\x7f"] {
            assert_eq!(out(|w| w.text(evil)), Err(E::Control), "{evil:?}");
            assert_eq!(out(|w| w.quoted(evil)), Err(E::Control), "{evil:?}");
            assert_eq!(out(|w| w.token(evil)), Err(E::NotAToken), "{evil:?}");
            assert_eq!(out(|w| w.param(b"x", evil)), Err(E::NotAToken), "{evil:?}");
            assert_eq!(out(|w| w.param(evil, b"x")), Err(E::NotAToken), "{evil:?}");
            assert_eq!(out(|w| w.param_quoted(b"x", evil)), Err(E::Control), "{evil:?}");
            assert_eq!(out(|w| w.requoted(evil)), Err(E::Control), "{evil:?}");
        }
        assert_eq!(out(|w| w.param(b"x", b"a;b")), Err(E::NotAToken));
        assert_eq!(out(|w| w.token(b"")), Err(E::NotAToken));
        for evil in [&b"a\"b"[..], b"a\\", b"\\\\\""] {
            assert_eq!(out(|w| w.requoted(evil)), Err(E::Delimiter), "{evil:?}");
        }
    }

    #[test]
    fn quotes_are_escaped_and_folds_become_a_space() {
        assert_eq!(out(|w| w.quoted(b"a\"\\b")).unwrap(), r#""a\"\\b""#);
        assert_eq!(out(|w| w.requoted(b"a\\\"b")).unwrap(), r#""a\"b""#);
        assert_eq!(out(|w| w.text(b"a \r\n\t b\n c")).unwrap(), "a b c");
        assert_eq!(out(|w| w.param_quoted(b"x", b"y z")).unwrap(), r#";x="y z""#);
    }

    #[test]
    fn numbers_of_every_width() {
        assert_eq!(out(|w| w.number(0)).unwrap(), "0");
        assert_eq!(out(|w| w.number(u64::MAX)).unwrap(), "18446744073709551615");
        assert_eq!(out(|w| w.digits(7, 3)).unwrap(), "007");
        assert_eq!(out(|w| w.digits(1_234, 3)).unwrap(), "1234");
        assert_eq!(out(|w| w.hex8(0x1a)).unwrap(), "0000001a");
    }

    #[test]
    fn a_short_buffer_holds_whole_steps_only() {
        for room in 0..12 {
            let mut buffer: Vec<u8> = std::vec![0; room];
            let mut w = ValueWriter::new(&mut buffer);
            let _ = w.token(b"abc");
            let _ = w.param_quoted(b"x", b"yz");
            let text = w.finish();
            assert!(matches!(text, b"" | b"abc" | b"abc;x=\"yz\""), "{text:?}");
        }
    }
}
