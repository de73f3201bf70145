//! Slots with generations: a stale handle finds nothing, never another object.

use alloc::vec::Vec;
use core::marker::PhantomData;

use super::reserve;
use crate::error::{Error, Limit};

/// A typed handle: 24 bits of slot, 8 bits of engine tag, 32 bits of generation.
pub trait Handle: Copy {
    /// From the 64 bits.
    fn from_raw(raw: u64) -> Self;
    /// The 64 bits.
    fn raw(self) -> u64;
}

/// Declares a handle type.
macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
        pub struct $name(core::num::NonZeroU64);
        impl $crate::store::slab::Handle for $name {
            fn from_raw(raw: u64) -> Self { Self::from_raw(raw) }
            fn raw(self) -> u64 { self.raw() }
        }
        impl $name {
            /// From the 64 bits that [`Self::raw`] gave; any other number names nothing.
            #[must_use]
            pub const fn from_raw(raw: u64) -> Self {
                match core::num::NonZeroU64::new(raw) {
                    Some(raw) => Self(raw),
                    // No generation is 0, and none comes as far as this.
                    None => Self(core::num::NonZeroU64::MAX),
                }
            }
            /// The 64 bits, for C and for logs.
            #[must_use]
            pub const fn raw(self) -> u64 { self.0.get() }
        }
    };
}
pub(crate) use handle;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    next_free: u32,
    value: Option<T>,
}

const NONE: u32 = u32::MAX;

/// The most slots a slab can have.
pub const MAX_SLOTS: usize = 1 << 24;

/// A bounded table of objects behind handles.
#[derive(Debug)]
pub struct Slab<H, T> {
    /// Those that have ever been used; there is room for all.
    slots: Vec<Slot<T>>,
    max: usize,
    free: u32,
    live: u32,
    tag: u8,
    full: Limit,
    kind: PhantomData<H>,
}

impl<H: Handle, T> Slab<H, T> {
    /// Room for `max` objects of the engine `tag`; `full` is what a full table reports.
    pub fn new(max: usize, tag: u8, full: Limit) -> Result<Self, Error> {
        Ok(Self { slots: reserve(max)?, max, free: NONE, live: 0, tag, full, kind: PhantomData })
    }

    /// The bytes that `max` slots take.
    pub const fn bytes(max: usize) -> usize {
        max * size_of::<Slot<T>>()
    }

    fn handle(&self, slot: u32, generation: u32) -> H {
        H::from_raw((u64::from(slot) << 40) | (u64::from(self.tag) << 32) | u64::from(generation))
    }

    fn slot_of(&self, h: H) -> Option<usize> {
        let raw = h.raw();
        let slot = usize::try_from(raw >> 40).ok()?;
        let generation = raw & 0xffff_ffff;
        let found = self.slots.get(slot)?;
        let same =
            u64::from(found.generation) == generation && (raw >> 32) & 0xff == u64::from(self.tag);
        (same && found.value.is_some()).then_some(slot)
    }

    /// Puts `value` in a free slot.
    pub fn insert(&mut self, value: T) -> Result<H, Error> {
        if self.free == NONE && self.slots.len() < self.max {
            self.free = u32::try_from(self.slots.len()).unwrap_or(NONE);
            self.slots.push(Slot { generation: 1, next_free: NONE, value: None });
        }
        let slot = self.free;
        let Some(found) = usize::try_from(slot).ok().and_then(|i| self.slots.get_mut(i)) else {
            return Err(Error::Full(self.full));
        };
        self.free = found.next_free;
        found.value = Some(value);
        let generation = found.generation;
        self.live += 1;
        Ok(self.handle(slot, generation))
    }

    /// Takes the object out; its handle is stale from now on.
    pub fn remove(&mut self, h: H) -> Option<T> {
        let slot = self.slot_of(h)?;
        let found = self.slots.get_mut(slot)?;
        let value = found.value.take();
        // Generation 0 is never given out, so that no handle is the number 0.
        found.generation = found.generation.checked_add(1).unwrap_or(1);
        found.next_free = self.free;
        self.free = u32::try_from(slot).unwrap_or(NONE);
        self.live -= 1;
        value
    }

    /// The object, if the handle is alive.
    pub fn get(&self, h: H) -> Option<&T> {
        let slot = self.slot_of(h)?;
        self.slots.get(slot)?.value.as_ref()
    }

    /// The object, if the handle is alive.
    pub fn get_mut(&mut self, h: H) -> Option<&mut T> {
        let slot = self.slot_of(h)?;
        self.slots.get_mut(slot)?.value.as_mut()
    }

    /// The object, or [`Error::Gone`].
    pub fn live(&self, h: H) -> Result<&T, Error> {
        self.get(h).ok_or(Error::Gone)
    }

    /// The object, or [`Error::Gone`].
    pub fn live_mut(&mut self, h: H) -> Result<&mut T, Error> {
        self.get_mut(h).ok_or(Error::Gone)
    }

    /// How many objects live.
    pub const fn len(&self) -> usize {
        self.live as usize
    }

    /// Whether nothing lives.
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }

    /// How many more fit.
    pub const fn room(&self) -> usize {
        self.max - self.live as usize
    }

    /// The first live handle in slot order at or after slot `from`, with the slot to go on from.
    pub fn next(&self, from: u32) -> Option<(H, u32)> {
        let start = usize::try_from(from).ok()?;
        let (i, slot) =
            self.slots.iter().enumerate().skip(start).find(|(_, s)| s.value.is_some())?;
        let i = u32::try_from(i).ok()?;
        Some((self.handle(i, slot.generation), i + 1))
    }

    /// All live objects in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (H, &T)> {
        self.slots.iter().enumerate().filter_map(|(i, s)| {
            let i = u32::try_from(i).ok()?;
            Some((self.handle(i, s.generation), s.value.as_ref()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    handle!(
        /// A test's handle.
        TestHandle
    );

    #[test]
    fn a_stale_or_foreign_handle_finds_nothing() {
        let mut a: Slab<TestHandle, u8> = Slab::new(1, 3, Limit::Calls).unwrap();
        let mut b: Slab<TestHandle, u8> = Slab::new(1, 4, Limit::Calls).unwrap();
        let first = a.insert(1).unwrap();
        let other = b.insert(2).unwrap();
        assert_eq!(a.insert(9), Err(Error::Full(Limit::Calls)));
        assert_eq!(a.get(other), None, "the tag of the engine is part of the handle");
        assert_eq!(a.remove(first), Some(1));
        let second = a.insert(5).unwrap();
        assert_ne!(first, second);
        assert_ne!(first.raw(), 0, "no handle is 0");
        assert_eq!(a.get(first), None);
        assert_eq!(a.remove(first), None);
        assert_eq!(a.live(second), Ok(&5));
        assert_eq!(a.live(TestHandle::from_raw(0)), Err(Error::Gone));
    }

    #[test]
    fn slots_are_walked_in_order() {
        let mut a: Slab<TestHandle, u8> = Slab::new(4, 0, Limit::Calls).unwrap();
        let h: Vec<_> = (0..4).map(|i| a.insert(i).unwrap()).collect();
        a.remove(h[1]);
        let (first, next) = a.next(0).unwrap();
        assert_eq!(first, h[0]);
        assert_eq!(a.next(next), Some((h[2], 3)));
        assert_eq!(a.iter().map(|(_, v)| *v).collect::<Vec<_>>(), [0, 2, 3]);
        assert_eq!((a.len(), a.room()), (3, 1));
    }
}
