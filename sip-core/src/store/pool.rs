//! Blocks of bytes from one reserved arena: a buddy allocator with counted holders.
//!
//! A free block is a power-of-two number of units. A block that is taken begins where such a block
//! does and spans the units that it needs: what lies behind stays free. Its first bytes hold its
//! length and holder count, and the links of free blocks lie in the free blocks themselves. Taking,
//! releasing and asking for room are O(log n); freeing merges buddies, so the arena comes back
//! whole. A few small blocks that are given back are put aside as they are, for the next that has
//! their size; they are merged as soon as there is no room without them.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::{filled, reserve};
use crate::error::{Error, Limit};

/// Names a block while somebody holds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct BlockId(NonZeroU32);

impl BlockId {
    const fn of(unit: u32) -> Self {
        // An arena has fewer units than bytes.
        Self(NonZeroU32::MIN.saturating_add(unit))
    }

    const fn unit(self) -> u32 {
        self.0.get() - 1
    }
}

const UNIT: usize = 64;
/// Length and holder count, in front of the bytes.
const HEAD: usize = 4;
const NONE: u32 = u32::MAX;
const ORDERS: usize = 12;
/// Arenas of fewer units put nothing aside: what is left of them in between would be too little.
const SMALL: usize = 1_024;
/// The units of the largest blocks that are put aside.
const ASIDE: usize = 32;
const FREE: u8 = 0x40;
const USED: u8 = 0x80;

/// The arena.
#[derive(Debug)]
pub struct Pool {
    /// As far as it has ever been used; there is room for all.
    arena: Vec<u8>,
    /// One byte a unit: at a block's first `USED`, or `FREE` with its order; else 0.
    state: Vec<u8>,
    heads: [u32; ORDERS],
    counts: [u32; ORDERS],
    top: u8,
    live: u32,
    watched: Option<BlockId>,
    /// The first of the blocks of each size that are put aside, and the units of all.
    aside: [u32; ASIDE],
    aside_units: u32,
    /// Where what was never used begins, and where of that the smaller blocks do.
    fresh: u32,
    whole: u32,
}

const fn order_for(len: usize) -> Option<u8> {
    let mut order = 0;
    while order < ORDERS as u8 {
        if (UNIT << order) >= len + HEAD {
            return Some(order);
        }
        order += 1;
    }
    None
}

/// The units that a block of `len` bytes spans.
const fn units_for(len: usize) -> u32 {
    // A message has at most 65,535 bytes.
    (len + HEAD).div_ceil(UNIT) as u32
}

fn unit_at(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(NONE)
}

impl Pool {
    /// An arena of at least `bytes`, and of one message of `largest`.
    pub fn new(bytes: usize, largest: usize) -> Result<Self, Error> {
        let (top, units) = Self::shape(bytes, largest);
        let mut pool = Self {
            arena: reserve(units * UNIT)?,
            state: filled(units, 0)?,
            heads: [NONE; ORDERS],
            counts: [0; ORDERS],
            top,
            live: 0,
            watched: None,
            aside: [NONE; ASIDE],
            aside_units: 0,
            fresh: 0,
            whole: unit_at(units >> top << top),
        };
        if units < SMALL {
            // From the end, so that the first block is taken first, and the smaller ones before it.
            (pool.fresh, pool.whole) = (unit_at(units), 0);
            pool.arena.resize(units * UNIT, 0);
            let whole = units >> top;
            pool.free_range(unit_at(whole << top), unit_at(units));
            for at in (0..whole).rev() {
                pool.link(unit_at(at << top), top);
            }
        }
        Ok(pool)
    }

    const fn shape(bytes: usize, largest: usize) -> (u8, usize) {
        let top = match order_for(largest) {
            Some(order) => order,
            None => ORDERS as u8 - 1,
        };
        let (units, least) = (bytes.div_ceil(UNIT), 1 << top);
        (top, if units < least { least } else { units })
    }

    /// The bytes that such an arena takes.
    pub const fn bytes(bytes: usize, largest: usize) -> usize {
        Self::shape(bytes, largest).1 * (UNIT + 1)
    }

    fn word(&self, at: usize) -> u32 {
        let four = self.arena.get(at..at + 4).and_then(|s| s.try_into().ok());
        four.map_or(NONE, u32::from_le_bytes)
    }

    fn set_word(&mut self, at: usize, value: u32) {
        if let Some(s) = self.arena.get_mut(at..at + 4) {
            s.copy_from_slice(&value.to_le_bytes());
        }
    }

    fn mark(&mut self, unit: u32, state: u8) {
        if let Some(s) = self.state.get_mut(unit as usize) {
            *s = state;
        }
    }

    fn link(&mut self, unit: u32, order: u8) {
        let o = usize::from(order);
        let head = self.heads.get(o).copied().unwrap_or(NONE);
        self.set_word(unit as usize * UNIT, head);
        self.set_word(unit as usize * UNIT + 4, NONE);
        if head != NONE {
            self.set_word(head as usize * UNIT + 4, unit);
        }
        if let (Some(h), Some(c)) = (self.heads.get_mut(o), self.counts.get_mut(o)) {
            *h = unit;
            *c += 1;
        }
        self.mark(unit, FREE | order);
    }

    fn unlink(&mut self, unit: u32, order: u8) {
        let o = usize::from(order);
        let next = self.word(unit as usize * UNIT);
        let prev = self.word(unit as usize * UNIT + 4);
        if prev == NONE {
            if let Some(h) = self.heads.get_mut(o) {
                *h = next;
            }
        } else {
            self.set_word(prev as usize * UNIT, next);
        }
        if next != NONE {
            self.set_word(next as usize * UNIT + 4, prev);
        }
        if let Some(c) = self.counts.get_mut(o) {
            *c -= 1;
        }
        self.mark(unit, 0);
    }

    /// Takes a block of `len` bytes, held once. Its bytes are what they were.
    pub fn take(&mut self, len: usize) -> Result<BlockId, Error> {
        if let Some(unit) = self.take_aside(units_for(len)) {
            return Ok(self.taken(unit, len));
        }
        let full = Error::Full(Limit::Blocks);
        let wanted =
            order_for(len).filter(|o| *o <= self.top).ok_or(Error::Full(Limit::MessageBytes))?;
        let mut found = self.least_free(wanted);
        while found.is_none() && self.open() {
            found = self.least_free(wanted);
        }
        let found = found.ok_or(full)?;
        let unit = self.heads.get(usize::from(found)).copied().ok_or(full)?;
        self.unlink(unit, found);
        let mut order = found;
        while order > wanted {
            order -= 1;
            self.link(unit + (1 << order), order);
        }
        self.free_range(unit + units_for(len), unit + (1 << wanted));
        Ok(self.taken(unit, len))
    }

    /// Puts more into the lists: a largest block that was never used, else what was put aside and
    /// the smaller blocks at the end. False when there is nothing.
    fn open(&mut self) -> bool {
        let units = unit_at(self.state.len());
        let (from, end) = match self.fresh {
            at if at < self.whole => (at, at + (1 << self.top)),
            at if self.aside_units > 0 || at < units => (at, units),
            _ => return false,
        };
        if end == units {
            self.merge_aside();
        }
        self.arena.resize(end as usize * UNIT, 0);
        self.fresh = end;
        self.free_range(from, end);
        true
    }

    /// The smallest order from `wanted` on of which there is a free block.
    fn least_free(&self, wanted: u8) -> Option<u8> {
        (wanted..=self.top).find(|o| self.counts.get(usize::from(*o)).is_some_and(|c| *c > 0))
    }

    fn taken(&mut self, unit: u32, len: usize) -> BlockId {
        self.mark(unit, USED);
        self.live += 1;
        let id = BlockId::of(unit);
        self.write_head(id, len, 1);
        id
    }

    /// A block of just so many units that was put aside.
    fn take_aside(&mut self, units: u32) -> Option<u32> {
        let first = self.aside.get_mut(units as usize).filter(|u| **u != NONE)?;
        let unit = *first;
        let at = unit as usize * UNIT;
        let next = self.arena.get(at..at + 4).and_then(|s| s.try_into().ok());
        *first = next.map_or(NONE, u32::from_le_bytes);
        self.aside_units -= units;
        Some(unit)
    }

    /// Puts a block of so many units aside: at most an eighth of the arena.
    fn put_aside(&mut self, unit: u32, units: u32) -> bool {
        let all = self.state.len();
        if all < SMALL || (self.aside_units + units) as usize > all / 8 {
            return false;
        }
        let Some(first) = self.aside.get_mut(units as usize) else { return false };
        let next = core::mem::replace(first, unit);
        self.set_word(unit as usize * UNIT, next);
        self.aside_units += units;
        true
    }

    /// Gives back what was put aside.
    fn merge_aside(&mut self) {
        for units in 1..ASIDE {
            let units = unit_at(units);
            while let Some(unit) = self.take_aside(units) {
                self.free_range(unit, unit + units);
            }
        }
    }

    /// Takes a block and copies `bytes` into it.
    pub fn copy_in(&mut self, bytes: &[u8]) -> Result<BlockId, Error> {
        let id = self.take(bytes.len())?;
        self.bytes_mut(id).copy_from_slice(bytes);
        Ok(id)
    }

    /// Whether `n` blocks of `len` bytes each can be taken now.
    #[must_use]
    pub fn has_room(&mut self, n: usize, len: usize) -> bool {
        let mut has = self.room_in_heads(n, len);
        while !has && self.fresh >= self.whole && self.open() {
            has = self.room_in_heads(n, len);
        }
        has
    }

    fn room_in_heads(&self, n: usize, len: usize) -> bool {
        let Some(wanted) = order_for(len).filter(|o| *o <= self.top) else { return n == 0 };
        let mut found = (self.whole.saturating_sub(self.fresh) >> wanted) as usize;
        if found >= n {
            return true;
        }
        // The largest first: they tell soonest that there is enough.
        for order in (wanted..=self.top).rev() {
            let count = self.counts.get(usize::from(order)).copied().unwrap_or(0) as usize;
            found += count << (order - wanted);
            if found >= n {
                return true;
            }
        }
        n == 0
    }

    /// Whether `n` blocks of `len` bytes and beside them `more` of `small` can be taken now.
    #[must_use]
    pub fn has_room_beside(&mut self, n: usize, len: usize, more: usize, small: usize) -> bool {
        if small > len {
            return self.has_room(n + more, small);
        }
        let Some(order) = order_for(small) else { return false };
        // What a large block leaves of the one that it is cut from holds small ones.
        let spans = (units_for(len) as usize).div_ceil(1 << order);
        self.has_room(n, len) && self.has_room(n.saturating_mul(spans) + more, small)
    }

    fn write_head(&mut self, id: BlockId, len: usize, holders: u16) {
        let len = u16::try_from(len).unwrap_or(u16::MAX);
        self.set_word(id.unit() as usize * UNIT, (u32::from(holders) << 16) | u32::from(len));
    }

    fn head(&self, id: BlockId) -> (usize, u16) {
        let word = self.word(id.unit() as usize * UNIT);
        ((word & 0xffff) as usize, (word >> 16) as u16)
    }

    fn range(&self, id: BlockId) -> core::ops::Range<usize> {
        let at = id.unit() as usize * UNIT + HEAD;
        at..at + self.head(id).0
    }

    /// The block's bytes.
    #[must_use]
    pub fn bytes_of(&self, id: BlockId) -> &[u8] {
        self.arena.get(self.range(id)).unwrap_or(&[])
    }

    /// The block's bytes, to write.
    pub fn bytes_mut(&mut self, id: BlockId) -> &mut [u8] {
        self.unwatch(id);
        let range = self.range(id);
        self.arena.get_mut(range).unwrap_or(&mut [])
    }

    /// Remembers this block, and no other, until it is given back or written to.
    pub(crate) const fn watch(&mut self, id: BlockId) {
        self.watched = Some(id);
    }

    /// Whether this block is the one that is remembered.
    #[inline]
    pub(crate) fn is_watched(&self, id: BlockId) -> bool {
        self.watched == Some(id)
    }

    #[inline]
    fn unwatch(&mut self, id: BlockId) {
        if self.is_watched(id) {
            self.watched = None;
        }
    }

    /// One more holder.
    pub fn hold(&mut self, id: BlockId) {
        let (len, holders) = self.head(id);
        self.write_head(id, len, holders.saturating_add(1));
    }

    /// One holder less; the last one gives the block back.
    pub fn release(&mut self, id: BlockId) {
        let (len, holders) = self.head(id);
        if holders > 1 {
            self.write_head(id, len, holders - 1);
            return;
        }
        if self.state.get(id.unit() as usize) == Some(&USED) {
            self.unwatch(id);
            self.live -= 1;
            self.mark(id.unit(), 0);
            if !self.put_aside(id.unit(), units_for(len)) {
                self.free_range(id.unit(), id.unit() + units_for(len));
            }
        }
    }

    /// Gives back the units from `unit` to before `end`, in the largest blocks that begin there.
    fn free_range(&mut self, mut unit: u32, end: u32) {
        while unit < end {
            let order = unit.trailing_zeros().min((end - unit).ilog2()).min(u32::from(self.top));
            self.give_back(unit, u8::try_from(order).unwrap_or(0));
            unit += 1 << order;
        }
    }

    fn give_back(&mut self, mut unit: u32, mut order: u8) {
        self.mark(unit, 0);
        while order < self.top {
            let buddy = unit ^ (1 << order);
            if self.state.get(buddy as usize) != Some(&(FREE | order)) {
                break;
            }
            self.unlink(buddy, order);
            unit &= !(1 << order);
            order += 1;
        }
        self.link(unit, order);
    }

    /// Whether more than one holds it.
    #[must_use]
    pub fn is_shared(&self, id: BlockId) -> bool {
        self.head(id).1 > 1
    }

    /// Cuts the block to `len` bytes (not more than it has) and gives back what it then spans in
    /// vain.
    pub fn shrink(&mut self, id: BlockId, len: usize) {
        self.unwatch(id);
        let (old, holders) = self.head(id);
        let len = len.min(old);
        self.write_head(id, len, holders);
        if self.state.get(id.unit() as usize) == Some(&USED) {
            self.free_range(id.unit() + units_for(len), id.unit() + units_for(old));
        }
    }

    /// Reads block `from` while writing block `to`; nothing happens if they are the same.
    pub fn read_write<R>(
        &mut self,
        from: BlockId,
        to: BlockId,
        f: impl FnOnce(&[u8], &mut [u8]) -> R,
    ) -> Option<R> {
        self.unwatch(to);
        let (a, b) = (self.range(from), self.range(to));
        if from.0 < to.0 {
            let (low, high) = self.arena.split_at_mut_checked(b.start)?;
            Some(f(low.get(a)?, high.get_mut(..b.len())?))
        } else if to.0 < from.0 {
            let (low, high) = self.arena.split_at_mut_checked(a.start)?;
            Some(f(high.get(..a.len())?, low.get_mut(b)?))
        } else {
            None
        }
    }

    /// How many blocks are held.
    #[must_use]
    pub const fn live(&self) -> usize {
        self.live as usize
    }

    /// How many bytes of the arena are held, whole units counted.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        let free: usize =
            self.counts.iter().enumerate().map(|(o, c)| (*c as usize) * (UNIT << o)).sum();
        let unused = self.state.len() - self.fresh as usize + self.aside_units as usize;
        (self.state.len() - unused) * UNIT - free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn the_arena_comes_back_whole_after_any_mixture() {
        let mut pool = Pool::new(64 * 1024, 4096).unwrap();
        let new = Pool::new(64 * 1024, 4096).unwrap();
        let mut held: Vec<(BlockId, u8, usize)> = Vec::new();
        let mut x = 5u64;
        for step in 0..40_000u32 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(11);
            let len = (x >> 50) as usize % 4097;
            match (x >> 33) % 4 {
                0 | 1 => {
                    if let Ok(id) = pool.take(len) {
                        let mark = step as u8;
                        pool.bytes_mut(id).fill(mark);
                        held.push((id, mark, len));
                    } else {
                        assert!(!pool.has_room(1, len));
                    }
                }
                2 if !held.is_empty() => {
                    let (id, ..) = held.swap_remove((x >> 40) as usize % held.len());
                    pool.hold(id);
                    pool.release(id);
                    pool.release(id);
                }
                _ if !held.is_empty() => {
                    let i = (x >> 40) as usize % held.len();
                    held[i].2 = held[i].2.min(len);
                    pool.shrink(held[i].0, len);
                }
                _ => {}
            }
            assert_eq!(pool.live(), held.len());
        }
        for (id, mark, len) in &held {
            assert_eq!(pool.bytes_of(*id).len(), *len);
            assert!(pool.bytes_of(*id).iter().all(|b| b == mark), "blocks never overlap");
        }
        for (id, ..) in held {
            pool.release(id);
        }
        assert_eq!(pool.held_bytes(), 0);
        assert!(pool.has_room(8, 8_000), "what is put aside is room all the same");
        let opened = |mut pool: Pool| {
            while pool.open() {}
            pool.counts
        };
        assert_eq!(opened(pool), opened(new));
    }

    #[test]
    fn has_room_is_exact() {
        let mut pool = Pool::new(8192, 2000).unwrap();
        for len in [60, 61, 124, 125, 1000, 2000] {
            let mut taken = Vec::new();
            while pool.has_room(1, len) {
                let left = (1..).take_while(|n| pool.has_room(*n, len)).last().unwrap();
                taken.push(pool.take(len).unwrap());
                assert!(pool.has_room(left - 1, len));
                assert!(!pool.has_room(left, len));
            }
            assert_eq!(pool.take(len), Err(Error::Full(Limit::Blocks)));
            taken.into_iter().for_each(|id| pool.release(id));
        }
        assert_eq!(pool.take(4000), Err(Error::Full(Limit::MessageBytes)));
    }

    #[test]
    fn a_block_spans_no_more_than_it_needs() {
        let mut pool = Pool::new(2_048, 1_500).unwrap();
        let large = pool.take(1_100).unwrap();
        assert_eq!(pool.held_bytes(), 18 * UNIT);
        assert_eq!((pool.has_room(1, 508), pool.has_room(2, 508)), (true, false));
        let small = pool.take(508).unwrap();
        pool.shrink(large, 500);
        assert_eq!(pool.held_bytes(), 16 * UNIT);
        pool.release(large);
        pool.release(small);
        assert!(pool.has_room(1, 1_500));
    }

    #[test]
    fn small_blocks_find_room_beside_large_ones() {
        for (large, small) in [(1_100, 500), (1_500, 500), (700, 1_000), (100, 60), (1_980, 500)] {
            for n in 0..5 {
                let mut pool = Pool::new(8_000, 2_000).unwrap();
                let more = (0..).take_while(|m| pool.has_room_beside(n, large, *m, small)).last();
                let Some(more) = more else { continue };
                for _ in 0..n {
                    pool.take(large).unwrap();
                }
                for _ in 0..more {
                    pool.take(small).unwrap();
                }
            }
        }
        let mut pool = Pool::new(4_096, 2_000).unwrap();
        assert!(pool.has_room_beside(2, 1_100, 2, 500));
        assert!(!pool.has_room_beside(2, 1_100, 3, 500));
    }

    #[test]
    fn one_block_is_read_while_another_is_written() {
        let mut pool = Pool::new(4096, 1000).unwrap();
        let a = pool.copy_in(b"from").unwrap();
        let b = pool.take(4).unwrap();
        for (from, to) in [(a, b), (b, a)] {
            pool.read_write(from, to, |f, t| t.copy_from_slice(f)).unwrap();
        }
        assert_eq!(pool.bytes_of(b), b"from");
        assert!(pool.read_write(a, a, |_, _| ()).is_none());
    }
}
