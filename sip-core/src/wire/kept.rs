//! The index of a message that is stored: so that it is not found anew on each walk.

use alloc::vec::Vec;

use super::defect::Kinds;
use super::message::{Field, MessageRef};
#[cfg(feature = "proxy")]
use super::message::{Step, next_field, start_line};
use super::name::NameSet;
use super::start_line::{Method, StartLine};
use crate::error::Error;
use crate::store::pool::{BlockId, Pool};
use crate::store::reserve;

/// Room for the index of one stored message, of whichever was wanted last. It holds as long as the
/// pool says that the block is the one.
#[derive(Debug)]
pub(crate) struct Kept {
    fields: Vec<Field>,
    present: NameSet,
    start: StartLine,
    rest: u16,
    headers: u16,
    body: u16,
}

impl Kept {
    /// Room for `max` fields.
    pub(crate) fn new(max: usize) -> Result<Self, Error> {
        let start = StartLine::Request {
            method: Method::Other,
            method_text: super::Span::EMPTY,
            uri: super::Span::EMPTY,
            version_ok: true,
            spaces_ok: true,
        };
        let (present, rest, headers, body) = (NameSet::NONE, 0, 0, 0);
        Ok(Self { fields: reserve(max)?, present, start, rest, headers, body })
    }

    /// The bytes that room for `max` fields takes.
    pub(crate) const fn bytes(max: usize) -> usize {
        max * size_of::<Field>()
    }

    /// The message in `block`, indexed if it is the one whose index this is.
    pub(crate) fn read<'a>(&'a self, pool: &'a Pool, block: BlockId) -> Option<MessageRef<'a>> {
        let bytes = pool.bytes_of(block);
        if !pool.is_watched(block) {
            return MessageRef::lazy(bytes);
        }
        Some(MessageRef {
            bytes,
            fields: &self.fields,
            present: self.present,
            defects: &[],
            kinds: Kinds::NONE,
            start: self.start,
            rest: self.rest,
            headers: self.headers,
            body: self.body,
            skipped: 0,
        })
    }

    /// Indexes the message in `block`, unless that is done.
    #[cfg(feature = "proxy")]
    pub(crate) fn index(&mut self, pool: &mut Pool, block: BlockId) {
        if self.fields.capacity() == 0 || pool.is_watched(block) {
            return;
        }
        let bytes = pool.bytes_of(block);
        let Ok((start, headers)) = start_line(bytes) else { return };
        let mut at = headers;
        (self.start, self.headers) = (start, headers as u16);
        (self.rest, self.present) = (0, NameSet::NONE);
        self.fields.clear();
        self.body = loop {
            match next_field(bytes, at) {
                Step::Field(field, next) => {
                    if self.fields.len() == self.fields.capacity() {
                        (self.rest, self.present) = (at as u16, NameSet::ALL);
                        break 0;
                    }
                    self.present = self.present.with(field.name);
                    self.fields.push(field);
                    at = next;
                }
                Step::Line(_, next) => at = next,
                Step::End(body) => break body as u16,
                Step::Cut => break bytes.len() as u16,
            }
        };
        pool.watch(block);
    }

    /// Takes over the index of `m`, which lies in `block` with `more` bytes more (or less) behind
    /// the offset `at`, which is in the value of a field.
    pub(crate) fn take(
        &mut self,
        pool: &mut Pool,
        block: BlockId,
        m: &MessageRef<'_>,
        (at, more): (u16, i16),
    ) {
        if self.fields.capacity() < m.fields.len() || m.body == 0 {
            return;
        }
        let moved = |place: u16| if place < at { place } else { place.wrapping_add_signed(more) };
        self.fields.clear();
        for field in m.fields {
            let mut field = *field;
            let (start, end) = (field.value.at, field.value.end() as u16);
            // The value that grows ends where the change is or behind it.
            field.name_at = moved(field.name_at);
            field.value.at = moved(start);
            if start < at && end >= at {
                field.value.len = field.value.len.wrapping_add_signed(more);
            }
            self.fields.push(field);
        }
        let rest = if m.rest == 0 { 0 } else { moved(m.rest) };
        (self.present, self.start) = (m.present, m.start);
        (self.rest, self.headers, self.body) = (rest, m.headers, moved(m.body));
        pool.watch(block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Framing, Index, Name, WireLimits, parse};

    const TEXT: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nTo: <sip:t>\r\nVia: SIP/2.0/UDP h;a=b, x\r\n\
        no field\r\nFrom: f\r\n\r\nbody";

    fn same(kept: &Kept, pool: &Pool, block: BlockId) {
        let (m, lazy) = (kept.read(pool, block).unwrap(), pool.bytes_of(block));
        let lazy = MessageRef::lazy(lazy).unwrap();
        assert!(pool.is_watched(block) && m.fields().eq(lazy.fields()), "{:?}", m.bytes());
        assert_eq!(
            (m.body(), m.start(), m.headers_at()),
            (lazy.body(), lazy.start(), lazy.headers_at())
        );
        for name in [Name::To, Name::Via, Name::From, Name::CSeq] {
            assert_eq!(m.header(name), lazy.header(name));
        }
    }

    #[test]
    fn the_index_of_a_block_is_that_of_its_bytes_until_it_is_given_back() {
        let mut pool = Pool::new(4_096, 1_000).unwrap();
        for max in [1, 8] {
            let mut kept = Kept::new(max).unwrap();
            let block = pool.copy_in(TEXT).unwrap();
            kept.index(&mut pool, block);
            same(&kept, &pool, block);
            pool.release(block);
            let text = b"INVITE sip:b SIP/2.0\r\nTo: x\r\n\r\n";
            let body = [b'b'; TEXT.len()];
            let other = pool.copy_in(&[&text[..], &body[text.len()..]].concat()).unwrap();
            assert_eq!(other, block, "the same place");
            assert!(!pool.is_watched(other));
            assert_eq!(kept.read(&pool, other).unwrap().header(Name::To), Some(&b"x"[..]));
            pool.release(other);
        }
    }

    #[test]
    fn an_index_moves_along_with_what_was_put_into_a_value() {
        let mut index = Index::new(&WireLimits::default()).unwrap();
        let m = parse(TEXT, &WireLimits::default(), Framing::Datagram, &mut index).unwrap();
        let mut kept = Kept::new(8).unwrap();
        let mut pool = Pool::new(4_096, 1_000).unwrap();
        let at = TEXT.windows(3).position(|w| w == b"a=b").unwrap() + 3;
        for more in ["", ";received=192.0.2.1"] {
            let (head, tail) = TEXT.split_at(at);
            let block = pool.copy_in(&[head, more.as_bytes(), tail].concat()).unwrap();
            kept.take(&mut pool, block, &m, (at as u16, more.len() as i16));
            same(&kept, &pool, block);
        }
    }
}
