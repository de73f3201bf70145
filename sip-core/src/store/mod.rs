//! Bounded containers of plain records. All memory is reserved when they are made.

pub mod index;
pub mod pool;
pub mod queries;
pub mod ring;
pub mod slab;
pub mod timers;

use alloc::vec::Vec;

use crate::error::{Error, Limit};

/// An empty vector with room for exactly `n`, or [`Limit::Memory`].
pub(crate) fn reserve<T>(n: usize) -> Result<Vec<T>, Error> {
    let mut v = Vec::new();
    v.try_reserve_exact(n).map_err(|_| Error::Full(Limit::Memory))?;
    Ok(v)
}

/// A vector of `n` times `value`, or [`Limit::Memory`].
pub(crate) fn filled<T: Clone>(n: usize, value: T) -> Result<Vec<T>, Error> {
    let mut v = reserve(n)?;
    v.resize(n, value);
    Ok(v)
}
