//! The output ring: plain records, first in first out, with a fixed number of places.

use alloc::vec::Vec;

use super::pool::BlockId;
use super::reserve;
use crate::error::{Error, Limit};

/// A ring of at most `max` records.
#[derive(Debug)]
pub struct Ring<T> {
    places: Vec<Option<T>>,
    first: usize,
    len: usize,
}

impl<T: Copy> Ring<T> {
    /// Room for `max` records.
    pub fn new(max: usize) -> Result<Self, Error> {
        let mut places = reserve(max)?;
        places.resize(max, None);
        Ok(Self { places, first: 0, len: 0 })
    }

    /// The bytes that room for `max` records takes.
    pub const fn bytes(max: usize) -> usize {
        max * size_of::<Option<T>>()
    }

    /// Puts a record behind the others.
    pub fn push(&mut self, record: T) -> Result<(), Error> {
        let max = self.places.len();
        if self.len >= max {
            return Err(Error::Full(Limit::Outputs));
        }
        let at = (self.first + self.len) % max;
        if let Some(place) = self.places.get_mut(at) {
            *place = Some(record);
            self.len += 1;
        }
        Ok(())
    }

    /// Takes the first record.
    pub fn pop(&mut self) -> Option<T> {
        if self.len == 0 {
            return None;
        }
        let record = self.places.get_mut(self.first)?.take();
        self.first = (self.first + 1) % self.places.len();
        self.len -= 1;
        record
    }

    /// Those that wait, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.places.iter().flatten()
    }

    /// Those that wait, to change them.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.places.iter_mut().flatten()
    }

    /// How many wait.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether none waits.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many more fit.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.places.len() - self.len
    }
}

/// An output as the layers queue it; `engine/output.rs` alone turns it into an `Output`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Record {
    /// Bytes to send.
    Transmit {
        /// The bytes; the record holds the block.
        block: BlockId,
        /// Where to.
        path: crate::path::Path,
        /// The object that sends: a transaction's handle, or 0.
        object: u64,
        /// 0 for the first time, then counting the repetitions.
        copy: u16,
    },
    /// Write what was lent before, then close.
    Close(crate::path::FlowId),
    /// A question, with its text in the query's own block.
    Query(u64),
    /// The asker of a question has ended.
    Forget(u64),
    /// Something happened.
    Event(EventRecord),
}

/// An event as the layers queue it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EventRecord {
    /// The layer's own number for what happened.
    pub kind: u16,
    /// A status code or another small number.
    pub code: u16,
    /// The object it happened to.
    pub object: u64,
    /// A second object, or 0.
    pub other: u64,
    /// The caller's number of the object.
    pub user: u64,
    /// The message that goes along; the record holds the block.
    pub block: Option<BlockId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_out_in_order_and_a_full_ring_refuses() {
        let mut ring = Ring::new(3).unwrap();
        for round in 0..10 {
            for i in 0..3 {
                ring.push(round * 3 + i).unwrap();
            }
            assert_eq!(ring.push(99), Err(Error::Full(Limit::Outputs)));
            assert_eq!(ring.room(), 0);
            assert_eq!(ring.pop(), Some(round * 3));
            ring.push(round * 3 + 3).unwrap();
            for i in 1..4 {
                assert_eq!(ring.pop(), Some(round * 3 + i));
            }
            assert_eq!(ring.pop(), None);
            assert!(ring.is_empty());
        }
    }
}
