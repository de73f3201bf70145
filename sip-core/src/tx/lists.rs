//! Lists of transactions that run through their records: those of one flow, and those that only
//! absorb repetitions, oldest first.

use super::{Tx, TxHandle};
use crate::store::slab::Slab;

const NONE: u32 = u32::MAX;

/// A transaction's neighbours in a list, by slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Links {
    previous: u32,
    next: u32,
}

impl Links {
    pub(super) const ALONE: Self = Self { previous: NONE, next: NONE };
}

/// A list's ends, by slot.
#[derive(Clone, Copy, Debug)]
pub(super) struct List {
    first: u32,
    last: u32,
}

/// Which of a transaction's links.
pub(super) type Which = fn(&mut Tx) -> &mut Links;

type Table = Slab<TxHandle, Tx>;

/// The slot that a handle names.
pub(super) const fn slot(h: TxHandle) -> u32 {
    (h.raw() >> 40) as u32
}

/// The live transaction in a slot.
fn at(table: &Table, slot: u32) -> Option<TxHandle> {
    table.next(slot).map(|(h, _)| h).filter(|h| self::slot(*h) == slot)
}

fn links(table: &mut Table, slot: u32, which: Which) -> Option<&mut Links> {
    let h = at(table, slot)?;
    table.get_mut(h).map(which)
}

impl List {
    pub(super) const EMPTY: Self = Self { first: NONE, last: NONE };

    /// The list that begins with `first`, of which only the front is used.
    pub(super) const fn from(first: u32) -> Self {
        Self { first, last: NONE }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.first == NONE
    }

    /// The slot of the first member.
    pub(super) const fn first_slot(&self) -> u32 {
        self.first
    }

    /// The first member.
    pub(super) fn first(&self, table: &Table) -> Option<TxHandle> {
        if self.is_empty() { None } else { at(table, self.first) }
    }

    pub(super) fn push_front(&mut self, table: &mut Table, h: TxHandle, which: Which) {
        let (own, old) = (slot(h), self.first);
        if let Some(l) = links(table, own, which) {
            *l = Links { previous: NONE, next: old };
        }
        if let Some(l) = links(table, old, which) {
            l.previous = own;
        } else {
            self.last = own;
        }
        self.first = own;
    }

    pub(super) fn push_back(&mut self, table: &mut Table, h: TxHandle, which: Which) {
        let (own, old) = (slot(h), self.last);
        if let Some(l) = links(table, own, which) {
            *l = Links { previous: old, next: NONE };
        }
        if let Some(l) = links(table, old, which) {
            l.next = own;
        } else {
            self.first = own;
        }
        self.last = own;
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, table: &mut Table, h: TxHandle, which: Which) {
        let Some(own) = links(table, slot(h), which) else { return };
        let Links { previous, next } = core::mem::replace(own, Links::ALONE);
        match links(table, previous, which) {
            Some(l) => l.next = next,
            None => self.first = next,
        }
        match links(table, next, which) {
            Some(l) => l.previous = previous,
            None => self.last = previous,
        }
    }
}
