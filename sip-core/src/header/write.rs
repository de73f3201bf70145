//! Writing typed values: what [`wire::write::Value`](crate::wire::write::Value) needs more to write
//! again what was read.

use crate::wire::scan::{Class, is};
use crate::wire::write::{Value, WriteError};

const fn is_control(b: u8) -> bool {
    (b < b' ' && b != b'\t') || b == 0x7f
}

impl Value<'_, '_> {
    /// Does `write`, or nothing of it when a step of it fails.
    ///
    /// # Errors
    /// What `write` ended with.
    pub fn whole(
        &mut self,
        write: impl FnOnce(&mut Self) -> Result<(), WriteError>,
    ) -> Result<(), WriteError> {
        let start = self.writer.len();
        let done = write(self);
        if done.is_err() {
            self.writer.truncate(start);
        }
        done
    }

    /// `;name=number`.
    ///
    /// # Errors
    /// [`WriteError::Full`], [`WriteError::Forbidden`] for a name that is no token.
    pub fn param_number(&mut self, name: &[u8], number: u32) -> Result<(), WriteError> {
        self.whole(|w| {
            w.param(name, None)?;
            w.put(b"=")?;
            w.number(number)
        })
    }

    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.writer.push(bytes)
    }

    const fn forbidden(&self, byte: u8) -> WriteError {
        WriteError::Forbidden { name: self.name, byte }
    }

    pub(super) fn of_class(&mut self, text: &[u8], class: Class) -> Result<(), WriteError> {
        match text.iter().find(|&&b| !is(b, class)) {
            Some(&byte) => Err(self.forbidden(byte)),
            None if text.is_empty() => Err(self.forbidden(0)),
            None => self.put(text),
        }
    }

    /// A number with zeros before it up to `width` digits, at most 10.
    pub(super) fn digits(&mut self, mut number: u32, width: usize) -> Result<(), WriteError> {
        let mut digits = [b'0'; 10];
        for place in digits.iter_mut().rev() {
            *place = b'0'.wrapping_add((number % 10) as u8);
            number /= 10;
        }
        let zeros = digits.iter().take_while(|&&d| d == b'0').count();
        let start = zeros.min(digits.len().saturating_sub(width));
        self.put(digits.get(start..).unwrap_or_default())
    }

    /// A number as eight lower-case hexadecimal digits.
    pub(super) fn hex8(&mut self, value: u32) -> Result<(), WriteError> {
        let mut text = [0; 8];
        for (place, shift) in text.iter_mut().zip([28, 24, 20, 16, 12, 8, 4, 0]) {
            let digit = (value.wrapping_shr(shift) & 0xf) as usize;
            *place = b"0123456789abcdef".get(digit).copied().unwrap_or(b'0');
        }
        self.put(&text)
    }

    /// Text of a message; folds become one space.
    pub(super) fn received(&mut self, text: &[u8]) -> Result<(), WriteError> {
        self.whole(|w| {
            let mut rest = text;
            while let Some(at) = rest.iter().position(|&b| is_control(b)) {
                let (head, tail) = rest.split_at_checked(at).unwrap_or((rest, &[]));
                let byte = tail.first().copied().unwrap_or(0);
                let after = unfolded(tail).ok_or(w.forbidden(byte))?;
                w.put(head.trim_ascii_end())?;
                w.put(b" ")?;
                rest = after;
            }
            w.put(rest)
        })
    }

    /// A quoted string of a message, given without its quotes and with its escapes.
    pub(super) fn requoted(&mut self, raw: &[u8]) -> Result<(), WriteError> {
        let mut escaped = false;
        for &b in raw {
            if b == b'"' && !escaped {
                return Err(self.forbidden(b));
            }
            escaped = b == b'\\' && !escaped;
        }
        if escaped {
            return Err(self.forbidden(b'\\'));
        }
        self.whole(|w| {
            w.put(b"\"")?;
            w.received(raw)?;
            w.put(b"\"")
        })
    }
}

/// What follows a fold at the start of `bytes` with its white space; `None` if there is no fold.
fn unfolded(bytes: &[u8]) -> Option<&[u8]> {
    let ([b'\r', b'\n', after @ ..] | [b'\n', after @ ..]) = bytes else { return None };
    let blanks = after.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    if blanks == 0 { None } else { after.get(blanks..) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::name::Name;
    use crate::wire::write::Writer;
    use std::string::String;

    fn out(
        write: impl FnOnce(&mut Value<'_, '_>) -> Result<(), WriteError>,
    ) -> Result<String, WriteError> {
        let mut buffer = [0; 64];
        let mut writer = Writer::new(&mut buffer);
        let done = write(&mut writer.value(Name::Subject));
        let text = writer.written();
        assert!(done.is_ok() || text.is_empty(), "a failed step leaves bytes behind");
        done.map(|()| String::from_utf8(text.to_vec()).unwrap())
    }

    #[test]
    fn nothing_ends_the_line_or_the_part() {
        for evil in [&b"a\r\nX: y"[..], b"a\nb", b"a\rb", b"a\0", b"a\r\n", b"a\n\r b", b"\x7f"] {
            assert!(out(|w| w.received(evil)).is_err(), "{evil:?}");
            assert!(out(|w| w.requoted(evil)).is_err(), "{evil:?}");
            assert!(out(|w| w.param_number(evil, 1)).is_err(), "{evil:?}");
        }
        for evil in [&b"a\"b"[..], b"a\\", b"\\\\\""] {
            assert!(out(|w| w.requoted(evil)).is_err(), "{evil:?}");
        }
        let empty = WriteError::Forbidden { name: Name::Subject, byte: 0 };
        assert_eq!(out(|w| w.of_class(b"", Class::TOKEN)), Err(empty));
    }

    #[test]
    fn folds_become_a_space() {
        assert_eq!(out(|w| w.received(b"a \r\n\t b\n c")).unwrap(), "a b c");
        assert_eq!(out(|w| w.requoted(b"a\\\"\r\n b")).unwrap(), "\"a\\\" b\"");
    }

    #[test]
    fn numbers_of_every_width() {
        assert_eq!(out(|w| w.digits(0, 1)).unwrap(), "0");
        assert_eq!(out(|w| w.digits(7, 3)).unwrap(), "007");
        assert_eq!(out(|w| w.digits(1_234, 3)).unwrap(), "1234");
        assert_eq!(out(|w| w.digits(u32::MAX, 1)).unwrap(), "4294967295");
        assert_eq!(out(|w| w.hex8(0x1a)).unwrap(), "0000001a");
        assert_eq!(out(|w| w.param_number(b"expires", 60)).unwrap(), ";expires=60");
    }
}
