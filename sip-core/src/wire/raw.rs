//! Any bytes, on purpose: for test tools that send what no well-behaved stack sends.
//!
//! Nothing is checked, nothing is escaped, no Content-Length is added.

use super::write::WriteError;

/// Writes any bytes into a slice.
#[derive(Debug)]
pub struct RawWriter<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl<'a> RawWriter<'a> {
    /// Writes into `out`.
    #[must_use]
    pub fn new(out: &'a mut [u8]) -> Self {
        RawWriter { out, len: 0 }
    }

    /// These bytes.
    ///
    /// # Errors
    /// [`WriteError::Full`], and then nothing is written.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<&mut Self, WriteError> {
        let end = self.len.saturating_add(bytes.len());
        self.out.get_mut(self.len..end).ok_or(WriteError::Full)?.copy_from_slice(bytes);
        self.len = end;
        Ok(self)
    }

    /// These bytes and a CRLF.
    ///
    /// # Errors
    /// As [`bytes`](RawWriter::bytes).
    pub fn line(&mut self, line: &[u8]) -> Result<&mut Self, WriteError> {
        let room = self.out.len().saturating_sub(self.len);
        if room < line.len().saturating_add(2) {
            return Err(WriteError::Full);
        }
        self.bytes(line)?.bytes(b"\r\n")
    }

    /// `name`, a colon and a space, `value` and a CRLF.
    ///
    /// # Errors
    /// As [`bytes`](RawWriter::bytes).
    pub fn field(&mut self, name: &[u8], value: &[u8]) -> Result<&mut Self, WriteError> {
        let room = self.out.len().saturating_sub(self.len);
        if room < name.len().saturating_add(value.len()).saturating_add(4) {
            return Err(WriteError::Full);
        }
        self.bytes(name)?.bytes(b": ")?.line(value)
    }

    /// What has been written.
    #[must_use]
    pub fn written(&self) -> &[u8] {
        self.out.get(..self.len).unwrap_or(&[])
    }

    /// The length of what has been written.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing has been written.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_asked_for_is_written() {
        let mut out = [0; 40];
        let mut w = RawWriter::new(&mut out);
        w.line(b"NOT \0 SIP").unwrap().field(b"l", b"-1\r\nX: y").unwrap();
        assert_eq!(w.written(), b"NOT \0 SIP\r\nl: -1\r\nX: y\r\n");
        let before = w.len();
        assert_eq!(w.field(b"name", &[b'x'; 20]).err(), Some(WriteError::Full));
        assert_eq!(w.len(), before);
    }
}
