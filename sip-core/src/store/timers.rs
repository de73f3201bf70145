//! All timers of all layers: one indexed 4-ary heap with exact cancel.

use alloc::vec::Vec;
use core::num::NonZeroU32;

use super::reserve;
use crate::error::{Error, Limit};
use crate::time::Instant;

/// Names an armed timer until it fires or is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerId(NonZeroU32);

impl TimerId {
    /// The number, to keep it in a plain record.
    #[must_use]
    pub const fn raw(self) -> u64 {
        self.0.get() as u64
    }

    /// From the number that [`Self::raw`] gave.
    #[must_use]
    pub const fn from_raw(raw: u64) -> Self {
        match NonZeroU32::new(raw as u32) {
            Some(raw) => Self(raw),
            None => Self(NonZeroU32::MAX),
        }
    }

    const fn of(slot: u32) -> Self {
        // No slot has the last number: it is `NONE`.
        Self(NonZeroU32::MIN.saturating_add(slot))
    }

    const fn slot(self) -> u32 {
        self.0.get() - 1
    }
}

/// Whose timer it is: the layer's own kind, and the object's handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimerKey {
    /// The kind, numbered by [`kind`].
    pub kind: u8,
    /// The object's handle.
    pub object: u64,
}

/// The kinds of timers, one range a layer.
pub mod kind {
    /// Transactions take 0x10..0x20.
    pub const TX: u8 = 0x10;
    /// Flows take 0x20..0x30.
    pub const FLOW: u8 = 0x20;
    /// Attempts take 0x30..0x40.
    pub const ATTEMPT: u8 = 0x30;
    /// Queries take 0x40..0x50.
    pub const QUERY: u8 = 0x40;
    /// Calls take 0x50..0x60.
    pub const CALL: u8 = 0x50;
    /// Response contexts take 0x60..0x70.
    pub const FORK: u8 = 0x60;
    /// Lines take 0x70..0x80.
    pub const LINE: u8 = 0x70;
    /// REFERs take 0x80..0x90.
    pub const REFER: u8 = 0x80;
}

#[derive(Clone, Copy, Debug)]
struct Node {
    at: Instant,
    /// Timers of one moment fire in the order in which they were armed.
    order: u32,
    slot: u32,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    object: u64,
    /// Place in the heap, or the next free slot.
    place: u32,
    kind: u8,
}

const NONE: u32 = u32::MAX;

/// The heap.
#[derive(Debug)]
pub struct Timers {
    heap: Vec<Node>,
    /// Those that have ever been used; there is room for all.
    slots: Vec<Slot>,
    max: usize,
    free: u32,
    order: u32,
}

impl Timers {
    /// Room for `max` timers.
    pub fn new(max: usize) -> Result<Self, Error> {
        Ok(Self { heap: reserve(max)?, slots: reserve(max)?, max, free: NONE, order: 0 })
    }

    /// The bytes that room for `max` timers takes.
    pub const fn bytes(max: usize) -> usize {
        max * (size_of::<Node>() + size_of::<Slot>())
    }

    /// Arms a timer. The tables are sized so that every object's timers fit.
    pub fn arm(&mut self, at: Instant, key: TimerKey) -> Result<TimerId, Error> {
        if self.free == NONE && self.slots.len() < self.max {
            self.free = u32::try_from(self.slots.len()).unwrap_or(NONE);
            self.slots.push(Slot { object: 0, place: NONE, kind: 0 });
        }
        let slot = self.free;
        let Some(s) = self.slots.get_mut(slot as usize) else {
            return Err(Error::Full(Limit::Timers));
        };
        self.free = s.place;
        (s.kind, s.object) = (key.kind, key.object);
        let place = self.heap.len();
        s.place = u32::try_from(place).unwrap_or(NONE);
        self.order = self.order.wrapping_add(1);
        self.heap.push(Node { at, order: self.order, slot });
        self.rise(place);
        Ok(TimerId::of(slot))
    }

    /// Disarms a timer. `id` must be one that has neither fired nor been cancelled.
    pub fn cancel(&mut self, id: TimerId) {
        let Some(place) = self.slots.get(id.slot() as usize).map(|s| s.place as usize) else {
            return;
        };
        if self.heap.get(place).is_some_and(|n| n.slot == id.slot()) {
            self.take(place);
        }
    }

    /// The moment of the next timer.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.heap.first().map(|n| n.at)
    }

    /// Takes the next timer that is due at `now`.
    pub fn due(&mut self, now: Instant) -> Option<(TimerId, TimerKey)> {
        let first = *self.heap.first()?;
        if first.at > now {
            return None;
        }
        let slot = self.slots.get(first.slot as usize)?;
        let key = TimerKey { kind: slot.kind, object: slot.object };
        self.take(0);
        Some((TimerId::of(first.slot), key))
    }

    /// How many are armed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether none is armed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }

    fn take(&mut self, place: usize) {
        if place >= self.heap.len() {
            return;
        }
        let gone = self.heap.swap_remove(place);
        if let Some(s) = self.slots.get_mut(gone.slot as usize) {
            s.place = self.free;
            self.free = gone.slot;
        }
        if place < self.heap.len() {
            self.settle(place);
            self.rise(place);
            self.sink(place);
        }
    }

    fn before(&self, a: usize, b: usize) -> bool {
        match (self.heap.get(a), self.heap.get(b)) {
            (Some(a), Some(b)) => {
                // The order counter may wrap; timers of one moment are armed close together.
                a.at < b.at || (a.at == b.at && (a.order.wrapping_sub(b.order) as i32) < 0)
            }
            _ => false,
        }
    }

    fn settle(&mut self, place: usize) {
        if let Some(n) = self.heap.get(place)
            && let Some(s) = self.slots.get_mut(n.slot as usize)
        {
            s.place = u32::try_from(place).unwrap_or(NONE);
        }
    }

    fn exchange(&mut self, a: usize, b: usize) {
        self.heap.swap(a, b);
        self.settle(a);
        self.settle(b);
    }

    fn rise(&mut self, mut place: usize) {
        while place > 0 {
            let parent = (place - 1) / 4;
            if !self.before(place, parent) {
                return;
            }
            self.exchange(place, parent);
            place = parent;
        }
    }

    fn sink(&mut self, mut place: usize) {
        loop {
            let first = place * 4 + 1;
            let mut least = place;
            for child in first..(first + 4).min(self.heap.len()) {
                if self.before(child, least) {
                    least = child;
                }
            }
            if least == place {
                return;
            }
            self.exchange(place, least);
            place = least;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn key(object: u64) -> TimerKey {
        TimerKey { kind: 1, object }
    }

    #[test]
    fn timers_fire_in_time_order_and_in_arming_order_within_a_moment() {
        let mut t = Timers::new(8).unwrap();
        for (i, at) in [5, 3, 5, 1, 3].into_iter().enumerate() {
            t.arm(Instant(at), key(i as u64)).unwrap();
        }
        assert_eq!(t.next(), Some(Instant(1)));
        assert_eq!(t.due(Instant(0)), None);
        let fired: Vec<_> =
            core::iter::from_fn(|| t.due(Instant(9))).map(|(_, k)| k.object).collect();
        assert_eq!(fired, [3, 1, 4, 0, 2]);
        assert!(t.is_empty());
    }

    #[test]
    fn cancel_is_exact_under_any_mixture() {
        let mut t = Timers::new(50).unwrap();
        let mut model: Vec<(u64, u64, TimerId)> = Vec::new();
        let mut x = 99u64;
        for step in 0..50_000u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(7);
            match (x >> 33) % 3 {
                0 | 1 if model.len() < 50 => {
                    let at = (x >> 40) % 100;
                    model.push((at, step, t.arm(Instant(at), key(step)).unwrap()));
                }
                _ if !model.is_empty() => {
                    let (_, _, id) = model.remove((x >> 35) as usize % model.len());
                    t.cancel(id);
                }
                _ => {}
            }
            assert_eq!(t.len(), model.len());
            assert_eq!(t.next().map(|i| i.0), model.iter().map(|m| m.0).min());
        }
        model.sort_by_key(|m| (m.0, m.1));
        for (_, step, _) in model {
            assert_eq!(t.due(Instant(100)).map(|(_, k)| k.object), Some(step));
        }
    }

    #[test]
    fn a_full_heap_refuses() {
        let mut t = Timers::new(1).unwrap();
        let id = t.arm(Instant(1), key(1)).unwrap();
        assert_eq!(t.arm(Instant(1), key(2)), Err(Error::Full(Limit::Timers)));
        t.cancel(id);
        t.cancel(id);
        assert!(t.arm(Instant(1), key(2)).is_ok());
    }
}
