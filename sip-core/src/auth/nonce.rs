//! A server's nonces. One that has not been used costs no memory: it says when it was made and
//! carries a seal that only the engines of the service can make. A bounded table holds the counts of
//! those that have verified a password.

use alloc::vec::Vec;

use super::digest::same;
use crate::cx::{Token, base32, unbase32};
use crate::error::Error;
use crate::store::filled;
use crate::store::index::Keyer;

/// A nonce as it is sent: 48 bits of time, 32 that tell it from others, and a seal of 80.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonce(Token<16>, Token<16>);

impl Nonce {
    /// Its length.
    pub const LEN: usize = 32;

    /// The characters.
    #[must_use]
    pub fn text(&self) -> [u8; Self::LEN] {
        let mut out = [b'a'; Self::LEN];
        let parts = self.0.as_bytes().iter().chain(self.1.as_bytes());
        for (to, from) in out.iter_mut().zip(parts) {
            *to = *from;
        }
        out
    }
}

/// What a nonce that came back is worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// It may be used.
    Fresh,
    /// It is ours, but too old, used with this count before, or forgotten.
    Stale,
    /// It is none of ours, or for another realm or place.
    Foreign,
}

/// What a nonce is bound to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Bound<'a> {
    /// The realm that it is for.
    pub realm: &'a [u8],
    /// Where it was sent: anything that tells one place from another.
    pub place: &'a [u8],
}

/// A nonce that has verified. A count of 0 is no nonce.
#[derive(Clone, Copy, Debug, Default)]
struct Used {
    made: u64,
    mark: u32,
    count: u32,
}

const PLACES: usize = 4;

/// The places that a nonce can have.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    used: [Used; PLACES],
    /// After when the newest nonce was made that had to give way: an older one that is not here
    /// may have been used.
    forgotten: u64,
}

/// The nonces of an engine.
pub struct Nonces {
    seal: Keyer,
    buckets: Vec<Bucket>,
}

const fn buckets(places: usize) -> usize {
    places.div_ceil(PLACES)
}

/// A nonce that has the seal of ours.
#[derive(Clone, Copy)]
struct Opened {
    made: u64,
    mark: u32,
    bucket: usize,
}

impl Nonces {
    /// Room for the counts of so many nonces; `secret` seals them.
    ///
    /// # Errors
    /// [`Limit::Memory`](crate::Limit::Memory).
    pub fn new(places: usize, secret: [u8; 16]) -> Result<Self, Error> {
        let buckets = filled(buckets(places), Bucket::default())?;
        Ok(Self { seal: Keyer::new(secret), buckets })
    }

    /// Whether there is room for any.
    #[must_use]
    pub const fn has_room(&self) -> bool {
        !self.buckets.is_empty()
    }

    /// The bytes that such a table takes.
    #[must_use]
    pub const fn bytes(places: usize) -> usize {
        buckets(places) * size_of::<Bucket>()
    }

    fn seal(&self, made: u64, mark: u32, bound: &Bound<'_>) -> u128 {
        let key = self.seal.start(b'n').number(made).number(u64::from(mark));
        key.part(bound.realm).part(bound.place).finish().bits()
    }

    /// A new nonce, made at `unix` milliseconds; `mark` tells it from others of that moment.
    #[must_use]
    pub fn make(&self, unix: u64, mark: u32, bound: &Bound<'_>) -> Nonce {
        let made = unix & ((1 << 48) - 1);
        let first = (u128::from(made) << 32) | u128::from(mark);
        Nonce(base32(first), base32(self.seal(made, mark, bound)))
    }

    fn open(&self, nonce: &[u8], bound: &Bound<'_>) -> Option<Opened> {
        let (first, seal) = nonce.split_at_checked(16).filter(|_| nonce.len() == Nonce::LEN)?;
        let first = unbase32(first)?;
        let made = u64::try_from(first >> 32).ok()?;
        let mark = u32::try_from(first & u128::from(u32::MAX)).ok()?;
        let expected = self.seal(made, mark, bound);
        if !same(base32::<16>(expected).as_bytes(), seal) {
            return None;
        }
        let places = u128::try_from(self.buckets.len()).ok()?;
        let bucket = usize::try_from((expected >> 80).checked_rem(places).unwrap_or(0)).ok()?;
        Some(Opened { made, mark, bucket })
    }

    /// What a nonce is worth that came back with this count at `unix` milliseconds, if it lasts for
    /// `life`. Nothing is remembered.
    #[must_use]
    pub fn judge(
        &self,
        unix: u64,
        life: u64,
        nonce: &[u8],
        count: u32,
        bound: &Bound<'_>,
    ) -> Standing {
        let Some(open) = self.open(nonce, bound) else { return Standing::Foreign };
        // Another engine's clock may be ahead.
        if open.made.abs_diff(unix) > life || count == 0 {
            return Standing::Stale;
        }
        let Some(bucket) = self.buckets.get(open.bucket) else { return Standing::Stale };
        match bucket.used.iter().find(|u| u.is(&open)) {
            Some(used) if count > used.count => Standing::Fresh,
            Some(_) => Standing::Stale,
            None if open.made < bucket.forgotten => Standing::Stale,
            None => Standing::Fresh,
        }
    }

    /// Remembers the count of a nonce with which a password has been verified. The same as
    /// [`judge`](Self::judge) says; only a fresh one is remembered.
    pub fn spend(
        &mut self,
        unix: u64,
        life: u64,
        nonce: &[u8],
        count: u32,
        bound: &Bound<'_>,
    ) -> Standing {
        let standing = self.judge(unix, life, nonce, count, bound);
        if standing != Standing::Fresh {
            return standing;
        }
        let Some(open) = self.open(nonce, bound) else { return Standing::Foreign };
        let Some(bucket) = self.buckets.get_mut(open.bucket) else { return Standing::Stale };
        let known = bucket.used.iter().position(|u| u.is(&open));
        let oldest = bucket.used.iter().enumerate().min_by_key(|(_, u)| (u.count > 0, u.made));
        let place = known.or(oldest.map(|(i, _)| i)).and_then(|i| bucket.used.get_mut(i));
        let Some(place) = place else { return Standing::Stale };
        let before = *place;
        *place = Used { made: open.made, mark: open.mark, count };
        if known.is_none() && before.count > 0 {
            bucket.forgotten = bucket.forgotten.max(before.made.saturating_add(1));
        }
        Standing::Fresh
    }

    /// How many counts are held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.buckets.iter().flat_map(|b| &b.used).filter(|u| u.count > 0).count()
    }

    /// Whether none is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Used {
    const fn is(&self, open: &Opened) -> bool {
        self.count > 0 && self.made == open.made && self.mark == open.mark
    }
}

impl core::fmt::Debug for Nonces {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Nonces").field("held", &self.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    const HERE: Bound<'_> = Bound { realm: b"a", place: b"1" };
    const NOW: u64 = 1_790_000_000_000;
    const LIFE: u64 = 1_000;

    fn nonces(places: usize) -> Nonces {
        Nonces::new(places, [7; 16]).unwrap()
    }

    // S22
    #[test]
    fn a_nonce_holds_for_its_realm_its_place_and_its_time() {
        let n = nonces(8);
        let text = n.make(NOW, 5, &HERE).text();
        assert_eq!(n.judge(NOW, LIFE, &text, 1, &HERE), Standing::Fresh);
        assert_eq!(n.judge(NOW + LIFE, LIFE, &text, 1, &HERE), Standing::Fresh);
        assert_eq!(n.judge(NOW + LIFE + 1, LIFE, &text, 1, &HERE), Standing::Stale);
        assert_eq!(n.judge(NOW - LIFE - 1, LIFE, &text, 1, &HERE), Standing::Stale);
        for other in [Bound { realm: b"b", ..HERE }, Bound { place: b"2", ..HERE }] {
            assert_eq!(n.judge(NOW, LIFE, &text, 1, &other), Standing::Foreign);
        }
        // The boundary between realm and place counts.
        let near = Bound { realm: b"a1", place: b"" };
        assert_eq!(n.judge(NOW, LIFE, &text, 1, &near), Standing::Foreign);
        let other = Nonces::new(8, [8; 16]).unwrap();
        assert_eq!(other.judge(NOW, LIFE, &text, 1, &HERE), Standing::Foreign);
        assert_eq!(nonces(4).judge(NOW, LIFE, &text, 1, &HERE), Standing::Fresh, "one service");
    }

    #[test]
    fn any_change_of_a_character_makes_it_foreign() {
        let n = nonces(8);
        let text = n.make(NOW, 5, &HERE).text();
        for i in 0..Nonce::LEN {
            let mut bad = text;
            bad[i] = if bad[i] == b'c' { b'd' } else { b'c' };
            assert_eq!(n.judge(NOW, LIFE, &bad, 1, &HERE), Standing::Foreign, "{i}");
        }
        for bad in [&text[..31], b"", &[0xff; 32]] {
            assert_eq!(n.judge(NOW, LIFE, bad, 1, &HERE), Standing::Foreign);
        }
    }

    #[test]
    fn a_count_has_to_grow() {
        let mut n = nonces(8);
        let text = n.make(NOW, 5, &HERE).text();
        for (count, standing) in [
            (0, Standing::Stale),
            (1, Standing::Fresh),
            (1, Standing::Stale),
            (5, Standing::Fresh),
            (4, Standing::Stale),
            (6, Standing::Fresh),
        ] {
            assert_eq!(n.spend(NOW, LIFE, &text, count, &HERE), standing, "{count}");
        }
        assert_eq!(n.len(), 1);
    }

    // S22: what was used and had to give way is not fresh again.
    #[test]
    fn a_forgotten_nonce_is_stale() {
        for places in [0, 1, 4, 13] {
            let mut n = nonces(places);
            let mut used = Vec::new();
            for mark in 0..200u32 {
                let text = n.make(NOW + u64::from(mark), mark, &HERE).text();
                let standing = n.spend(NOW, LIFE, &text, 1, &HERE);
                assert_eq!(standing == Standing::Fresh, places > 0, "{places} {mark}");
                used.push(text);
            }
            assert!(n.len() <= places.div_ceil(4) * 4);
            for text in used {
                assert_eq!(n.spend(NOW, LIFE, &text, 1, &HERE), Standing::Stale);
            }
        }
    }

    #[test]
    fn judging_remembers_nothing() {
        let n = nonces(4);
        for mark in 0..1_000 {
            let text = n.make(NOW, mark, &HERE).text();
            assert_eq!(n.judge(NOW, LIFE, &text, 1, &HERE), Standing::Fresh);
        }
        assert!(n.is_empty());
    }

    // S36
    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", nonces(4)), "Nonces { held: 0, .. }");
    }
}
