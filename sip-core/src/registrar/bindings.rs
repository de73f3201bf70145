//! The bindings of a Store question, as bytes in one block.

use crate::error::{Error, Limit};
use crate::store::queries::Binding;

/// The bindings that an address of record shall have; an iterator, and what it yields borrows from
/// the question.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bindings<'e> {
    rest: &'e [u8],
}

impl<'e> Bindings<'e> {
    /// The address of record and the bindings of a question's text.
    pub(crate) fn open(text: &'e [u8]) -> (&'e str, Self) {
        let mut c = Reader { rest: text };
        let aor = c.u16().and_then(|len| c.text(len)).unwrap_or("");
        (aor, Self { rest: c.rest })
    }
}

impl<'e> Iterator for Bindings<'e> {
    type Item = Binding<'e>;

    fn next(&mut self) -> Option<Binding<'e>> {
        let mut c = Reader { rest: self.rest };
        let (q, expires, cseq) = (c.u16()?, c.u32()?, c.u32()?);
        let (uri, params, call_id, path) = (c.u16()?, c.u16()?, c.u16()?, c.u16()?);
        let binding = Binding {
            uri: c.text(uri)?,
            params: c.text(params)?,
            call_id: c.text(call_id)?,
            path: c.text(path)?,
            q,
            expires,
            cseq,
        };
        self.rest = c.rest;
        Some(binding)
    }
}

struct Reader<'e> {
    rest: &'e [u8],
}

impl<'e> Reader<'e> {
    fn take(&mut self, n: usize) -> Option<&'e [u8]> {
        let (front, rest) = self.rest.split_at_checked(n)?;
        self.rest = rest;
        Some(front)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn text(&mut self, len: u16) -> Option<&'e str> {
        core::str::from_utf8(self.take(usize::from(len))?).ok()
    }
}

/// Writes the text of a question.
#[derive(Debug)]
pub(super) struct Encoder<'a> {
    out: &'a mut [u8],
    len: usize,
    start: usize,
}

const FULL: Error = Error::Full(Limit::MessageBytes);

impl<'a> Encoder<'a> {
    /// Starts with the address of record.
    pub(super) fn new(out: &'a mut [u8], aor: &[u8]) -> Result<Self, Error> {
        let mut encoder = Self { out, len: 0, start: 0 };
        encoder.number(aor.len())?;
        encoder.put(aor)?;
        encoder.start = encoder.len;
        Ok(encoder)
    }

    /// Bytes written.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// The bindings so far.
    pub(super) fn bindings(&self) -> Bindings<'_> {
        Bindings { rest: self.out.get(self.start..self.len).unwrap_or(&[]) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let end = self.len.checked_add(bytes.len()).ok_or(FULL)?;
        self.out.get_mut(self.len..end).ok_or(FULL)?.copy_from_slice(bytes);
        self.len = end;
        Ok(())
    }

    fn number(&mut self, n: usize) -> Result<(), Error> {
        self.put(&u16::try_from(n).map_err(|_| FULL)?.to_le_bytes())
    }

    /// Adds a binding whose parameters are the concatenation of `params`, and its path that of
    /// `path`.
    pub(super) fn add<'p>(
        &mut self,
        b: &Binding<'_>,
        params: impl Iterator<Item = &'p [u8]> + Clone,
        path: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<(), Error> {
        let start = self.len;
        let done = self.add_parts(b, params, path);
        if done.is_err() {
            self.len = start;
        }
        done
    }

    fn add_parts<'p>(
        &mut self,
        b: &Binding<'_>,
        params: impl Iterator<Item = &'p [u8]> + Clone,
        path: impl Iterator<Item = &'p [u8]> + Clone,
    ) -> Result<(), Error> {
        self.put(&b.q.to_le_bytes())?;
        self.put(&b.expires.to_le_bytes())?;
        self.put(&b.cseq.to_le_bytes())?;
        self.number(b.uri.len())?;
        self.number(params.clone().map(<[u8]>::len).sum())?;
        self.number(b.call_id.len())?;
        self.number(path.clone().map(<[u8]>::len).sum())?;
        self.put(b.uri.as_bytes())?;
        for part in params {
            self.put(part)?;
        }
        self.put(b.call_id.as_bytes())?;
        for part in path {
            self.put(part)?;
        }
        Ok(())
    }

    /// Takes the binding out that is the `index`th.
    pub(super) fn remove(&mut self, index: usize) {
        let before = |n| {
            let mut all = self.bindings();
            all.by_ref().take(n).for_each(drop);
            self.len.saturating_sub(all.rest.len())
        };
        let (from, to) = (before(index), before(index.saturating_add(1)));
        if let Some(all) = self.out.get_mut(..self.len) {
            all.copy_within(to.., from);
            self.len -= to - from;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::String;
    use std::vec::Vec;

    /// What a binding without text takes.
    const LEAST: usize = 2 + 4 + 4 + 4 * 2;

    fn any_binding() -> impl Strategy<Value = (String, Vec<u8>, u16, u32, u32)> {
        (
            ".{0,40}",
            proptest::collection::vec(b'a'..=b'z', 0..30),
            0u16..=1000,
            any::<u32>(),
            any::<u32>(),
        )
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_read_back_and_one_taken_out_leaves_the_others(
            list in proptest::collection::vec(any_binding(), 0..8),
            out in 0usize..8,
        ) {
            let mut room = [0; 4_000];
            let mut encoder = Encoder::new(&mut room, b"sip:a@h").unwrap();
            let params: Vec<&str> =
                list.iter().map(|b| core::str::from_utf8(&b.1).unwrap()).collect();
            let paths: Vec<String> = params
                .iter()
                .map(|p| p.split_at(p.len() / 2))
                .map(|(front, back)| String::from(back) + front)
                .collect();
            let mut want: Vec<Binding<'_>> = list
                .iter()
                .zip(params.iter().zip(&paths))
                .map(|((uri, _, q, expires, cseq), (params, path))| Binding {
                    uri, params, q: *q, expires: *expires, call_id: uri, cseq: *cseq, path,
                })
                .collect();
            for b in &want {
                let (front, back) = b.params.as_bytes().split_at(b.params.len() / 2);
                encoder.add(b, [front, back].into_iter(), [back, front].into_iter()).unwrap();
            }
            prop_assert_eq!(&encoder.bindings().collect::<Vec<_>>(), &want);
            if out < want.len() {
                encoder.remove(out);
                want.remove(out);
            }
            let len = encoder.len();
            let (aor, read) = Bindings::open(&room[..len]);
            prop_assert_eq!(aor, "sip:a@h");
            prop_assert_eq!(read.collect::<Vec<_>>(), want);
        }

        #[test]
        fn any_bytes_can_be_opened(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let (_, bindings) = Bindings::open(&bytes);
            prop_assert!(bindings.count() <= 200 / LEAST);
        }
    }
}
