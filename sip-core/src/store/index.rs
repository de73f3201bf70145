//! One keyed index for all matching: 128-bit keyed hashes to handles.

use alloc::vec::Vec;
use core::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use super::filled;
use crate::error::Error;

/// A key: a keyed 128-bit hash. Without the engine's secret nobody can make two that collide.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Key {
    high: u64,
    low: u64,
}

/// The engine's secret for hashing, and what makes keys of it.
#[derive(Clone, Copy)]
pub struct Keyer {
    secret: [u8; 16],
}

/// A key in the making: what it is made of is gathered, and hashed in one go.
pub struct KeyBuilder {
    hasher: SipHasher13,
    gathered: [u8; GATHER],
    len: usize,
}

/// Room for the parts of most keys.
const GATHER: usize = 112;

impl Keyer {
    /// A keyer with this secret.
    #[must_use]
    pub const fn new(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    /// Starts a key of the kind `domain`; keys of different kinds never meet.
    #[must_use]
    pub fn start(&self, domain: u8) -> KeyBuilder {
        let hasher = SipHasher13::new_with_key(&self.secret);
        KeyBuilder { hasher, gathered: [domain; GATHER], len: 1 }
    }
}

impl core::fmt::Debug for Keyer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Keyer(secret)")
    }
}

impl KeyBuilder {
    /// Gathers bytes; their place, or `None` when they went to the hasher for want of room.
    #[inline]
    fn put(&mut self, bytes: &[u8]) -> Option<&mut [u8]> {
        let end = self.len.saturating_add(bytes.len());
        if end > GATHER {
            self.spill();
        }
        let end = self.len.saturating_add(bytes.len());
        let Some(room) = self.gathered.get_mut(self.len..end) else {
            self.hasher.write(bytes);
            return None;
        };
        room.copy_from_slice(bytes);
        self.len = end;
        Some(room)
    }

    #[cold]
    fn spill(&mut self) {
        self.hasher.write(self.gathered.get(..self.len).unwrap_or(&[]));
        self.len = 0;
    }

    #[inline]
    fn put_len(&mut self, bytes: &[u8]) {
        self.put(&u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
    }

    /// Adds a part; the length goes along, so that parts cannot run into each other.
    #[inline]
    #[must_use]
    pub fn part(mut self, bytes: &[u8]) -> Self {
        self.put_len(bytes);
        self.put(bytes);
        self
    }

    /// Adds a part without regard to ASCII case.
    #[inline]
    #[must_use]
    pub fn part_no_case(mut self, bytes: &[u8]) -> Self {
        self.put_len(bytes);
        for chunk in bytes.chunks(GATHER) {
            if let Some(place) = self.put(chunk) {
                place.make_ascii_lowercase();
            }
        }
        self
    }

    /// Adds a number.
    #[inline]
    #[must_use]
    pub fn number(mut self, n: u64) -> Self {
        self.put(&n.to_le_bytes());
        self
    }

    /// The key.
    #[must_use]
    pub fn finish(mut self) -> Key {
        self.spill();
        let h = self.hasher.finish128();
        Key { high: h.h1, low: h.h2 }
    }
}

impl Key {
    /// All of it.
    pub(crate) const fn bits(self) -> u128 {
        (self.high as u128) << 64 | self.low as u128
    }

    /// The first 64 bits, for tags and marks that only we can recompute.
    #[must_use]
    pub const fn short(self) -> u64 {
        self.high
    }
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    key: Key,
    /// A handle's bits; 0 is an empty place (no handle is 0).
    value: u64,
}

const EMPTY: Entry = Entry { key: Key { high: 0, low: 0 }, value: 0 };

/// An open-addressing table from keys to handles, at most half full.
#[derive(Debug)]
pub struct Index {
    places: Vec<Entry>,
    mask: usize,
    live: usize,
    max: usize,
}

const fn places_for(max: usize) -> usize {
    let doubled = max.saturating_mul(2);
    if doubled < 4 { 4 } else { doubled.next_power_of_two() }
}

impl Index {
    /// Room for `max` keys.
    pub fn new(max: usize) -> Result<Self, Error> {
        let n = places_for(max);
        Ok(Self { places: filled(n, EMPTY)?, mask: n - 1, live: 0, max })
    }

    /// The bytes that room for `max` keys takes.
    pub const fn bytes(max: usize) -> usize {
        places_for(max) * size_of::<Entry>()
    }

    const fn home(&self, key: Key) -> usize {
        (key.low as usize) & self.mask
    }

    fn place_of(&self, key: Key) -> Option<usize> {
        let mut at = self.home(key);
        loop {
            let e = self.places.get(at)?;
            if e.value == 0 {
                return None;
            }
            if e.key == key {
                return Some(at);
            }
            at = (at + 1) & self.mask;
        }
    }

    /// The handle under `key`.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<u64> {
        Some(self.places.get(self.place_of(key)?)?.value)
    }

    /// Puts `value` under `key`, in place of what stood there. False when the table is full.
    pub fn insert(&mut self, key: Key, value: u64) -> bool {
        if let Some(at) = self.place_of(key) {
            if let Some(e) = self.places.get_mut(at) {
                e.value = value;
            }
            return true;
        }
        if self.live >= self.max || value == 0 {
            return false;
        }
        let mut at = self.home(key);
        while self.places.get(at).is_some_and(|e| e.value != 0) {
            at = (at + 1) & self.mask;
        }
        if let Some(e) = self.places.get_mut(at) {
            *e = Entry { key, value };
            self.live += 1;
        }
        true
    }

    /// Takes `key` out if it still leads to `value`.
    pub fn remove(&mut self, key: Key, value: u64) {
        let Some(mut hole) = self.place_of(key) else { return };
        if self.places.get(hole).is_some_and(|e| e.value != value) {
            return;
        }
        self.live -= 1;
        let mut at = hole;
        loop {
            at = (at + 1) & self.mask;
            let Some(e) = self.places.get(at).copied() else { break };
            if e.value == 0 {
                break;
            }
            // An entry may move into the hole if its home is not between the hole and itself.
            let from_home = at.wrapping_sub(self.home(e.key)) & self.mask;
            let from_hole = at.wrapping_sub(hole) & self.mask;
            if from_home >= from_hole {
                if let Some(h) = self.places.get_mut(hole) {
                    *h = e;
                }
                hole = at;
            }
        }
        if let Some(h) = self.places.get_mut(hole) {
            *h = EMPTY;
        }
    }

    /// How many keys are in.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.live
    }

    /// Whether no key is in.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.live == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::format;
    use std::string::String;

    #[test]
    fn it_behaves_as_a_map_under_any_mixture_of_inserts_and_removes() {
        let mut index = Index::new(64).unwrap();
        let mut model = BTreeMap::new();
        let mut x = 12345u64;
        for step in 0..20_000u64 {
            x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let k = (x >> 40) % 90;
            // Crowd a few homes, so that chains form and break.
            let key = Key { high: k, low: k % 5 };
            if x & 1 == 0 {
                let fits = model.len() < 64 || model.contains_key(&k);
                assert_eq!(index.insert(key, step + 1), fits);
                if fits {
                    model.insert(k, step + 1);
                }
            } else if let Some(v) = model.remove(&k) {
                index.remove(key, v);
            }
            for (k, v) in &model {
                assert_eq!(index.get(Key { high: *k, low: k % 5 }), Some(*v));
            }
            assert_eq!(index.len(), model.len());
        }
    }

    #[test]
    fn parts_cannot_run_into_each_other_and_case_folds_where_asked() {
        let keyer = Keyer::new([7; 16]);
        let k = |a: &[u8], b: &[u8]| keyer.start(1).part(a).part(b).finish();
        assert_ne!(k(b"ab", b"c"), k(b"a", b"bc"));
        assert_ne!(keyer.start(1).part(b"a").finish(), keyer.start(2).part(b"a").finish());
        let long = [b'X'; 100];
        let lower = [b'x'; 100];
        assert_eq!(
            keyer.start(1).part_no_case(&long).finish(),
            keyer.start(1).part_no_case(&lower).finish()
        );
        assert_ne!(k(b"", b""), Keyer::new([8; 16]).start(1).part(b"").part(b"").finish());
    }

    #[test]
    fn a_key_does_not_depend_on_where_its_parts_meet_the_room_to_gather_them() {
        let keyer = Keyer::new([7; 16]);
        let text = [b'A'; 400];
        let lower = [b'a'; 400];
        let mut seen = Vec::new();
        for first in (0..400).step_by(7) {
            let (one, two) = text.split_at(first);
            let (low_one, low_two) = lower.split_at(first);
            let key = keyer.start(b'T').part_no_case(one).part_no_case(two).number(1).finish();
            let low = keyer.start(b'T').part(low_one).part(low_two).number(1).finish();
            assert_eq!(key, low, "cut at {first}");
            assert!(!seen.contains(&key), "the cut counts");
            seen.push(key);
        }
    }

    /// How far all keys are from their homes.
    fn distance(secret: [u8; 16], ids: &[String]) -> usize {
        let keyer = Keyer::new(secret);
        let mut index = Index::new(ids.len()).unwrap();
        for (n, id) in (1u64..).zip(ids) {
            assert!(index.insert(keyer.start(1).part(id.as_bytes()).finish(), n));
        }
        let far = |(at, e): (usize, &Entry)| match e.value {
            0 => 0,
            _ => at.wrapping_sub(index.home(e.key)) & index.mask,
        };
        index.places.iter().enumerate().map(far).sum()
    }

    // S12: whoever knows the hash but not the key cannot crowd a home.
    #[test]
    fn call_ids_that_collide_under_a_known_key_do_not_under_another() {
        const N: usize = 4_096;
        let known = Keyer::new([0; 16]);
        let home = |id: &String| known.start(1).part(id.as_bytes()).finish().low % 1_024;
        let call_id = |n: u32| format!("{n}@flood.example.com");
        let chosen: Vec<String> = (0..).map(call_id).filter(|id| home(id) == 0).take(N).collect();
        let plain: Vec<String> = (0..N as u32).map(call_id).collect();
        let (usual, crowded) = (distance([0; 16], &plain), distance([0; 16], &chosen));
        assert!(crowded > 100 * usual, "they do collide: {crowded}, {usual}");
        for secret in 1..=8 {
            let kept = distance([secret; 16], &chosen);
            assert!(kept < 2 * usual, "{kept} and {usual} with {secret}");
        }
    }

    #[test]
    fn a_hundred_thousand_call_ids_that_only_count_up_stay_near_their_homes() {
        let ids: Vec<String> = (0..100_000).map(|n| format!("{n:08}@example.com")).collect();
        let far = distance([5; 16], &ids);
        assert!(far < ids.len(), "less than one step each: {far}");
    }
}
