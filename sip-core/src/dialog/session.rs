//! The one offer/answer exchange of a dialog (RFC 3264; RFC 6337 2), whichever messages carry it.

use crate::error::Error;
use crate::store::pool::{BlockId, Pool};

/// Where the exchange stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Exchange {
    /// No offer is open.
    #[default]
    Stable,
    /// We made an offer; its answer is awaited.
    Offered,
    /// The peer made an offer; it waits for our answer.
    Asked,
}

/// The session of a dialog: what was agreed, and the offer that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Session {
    /// Where the exchange stands.
    pub exchange: Exchange,
    /// The answer came in, or went out, in an unreliable provisional response: the final one has
    /// it again (RFC 3261 13.2.1).
    pub preview: bool,
    /// What was agreed last has not been told to the application.
    pub untold: bool,
    open: Option<BlockId>,
    /// The descriptions that hold: ours, then the peer's, see [`parts`].
    agreed: Option<BlockId>,
}

/// Takes a block of agreed descriptions apart: ours and the peer's.
#[must_use]
pub fn parts(bytes: &[u8]) -> (&[u8], &[u8]) {
    let (len, rest) = bytes.split_at_checked(2).unwrap_or((&[], &[]));
    let len = len.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
    rest.split_at_checked(len).unwrap_or((rest, &[]))
}

impl Session {
    /// Our offer is open; takes over the hold.
    pub fn offered(&mut self, pool: &mut Pool, offer: BlockId) {
        self.set_open(pool, Exchange::Offered, offer);
    }

    /// The peer's offer is open; takes over the hold.
    pub fn asked(&mut self, pool: &mut Pool, offer: BlockId) {
        self.set_open(pool, Exchange::Asked, offer);
    }

    fn set_open(&mut self, pool: &mut Pool, exchange: Exchange, offer: BlockId) {
        if let Some(old) = self.open.replace(offer) {
            pool.release(old);
        }
        self.exchange = exchange;
    }

    /// The open offer.
    #[must_use]
    pub const fn open(&self) -> Option<BlockId> {
        self.open
    }

    /// The open offer has failed: what was agreed before stands (RFC 3261 14.1, RFC 6337 3.4).
    pub fn roll_back(&mut self, pool: &mut Pool) {
        if let Some(offer) = self.open.take() {
            pool.release(offer);
        }
        self.exchange = Exchange::Stable;
    }

    /// These descriptions hold from now on; no offer is open any more. The holds stay the caller's.
    ///
    /// # Errors
    /// `Full` without room; nothing has changed then.
    pub fn agree(&mut self, pool: &mut Pool, local: BlockId, remote: BlockId) -> Result<(), Error> {
        let len = pool.bytes_of(local).len();
        let both = pool.take(2 + len + pool.bytes_of(remote).len())?;
        let head = u16::try_from(len).unwrap_or(u16::MAX).to_be_bytes();
        for (from, at) in [(local, 2), (remote, 2 + len)] {
            pool.read_write(from, both, |from, to| {
                if let Some(place) = to.get_mut(at..).and_then(|t| t.get_mut(..from.len())) {
                    place.copy_from_slice(from);
                }
            });
        }
        if let Some(place) = pool.bytes_mut(both).get_mut(..2) {
            place.copy_from_slice(&head);
        }
        if let Some(old) = self.agreed.replace(both) {
            pool.release(old);
        }
        self.roll_back(pool);
        Ok(())
    }

    /// The block of what holds, if anything does.
    #[must_use]
    pub const fn agreed(&self) -> Option<BlockId> {
        self.agreed
    }

    /// Our description and the peer's that hold.
    #[must_use]
    pub fn descriptions<'p>(&self, pool: &'p Pool) -> Option<(&'p [u8], &'p [u8])> {
        self.agreed.map(|b| parts(pool.bytes_of(b)))
    }

    /// Our description that holds, in a block of its own, held once.
    ///
    /// # Errors
    /// `Full` without room.
    pub fn local_copy(&self, pool: &mut Pool) -> Result<Option<BlockId>, Error> {
        self.copy(pool, |both| parts(both).0)
    }

    /// The peer's description that holds, in a block of its own, held once.
    ///
    /// # Errors
    /// `Full` without room.
    pub fn remote_copy(&self, pool: &mut Pool) -> Result<Option<BlockId>, Error> {
        self.copy(pool, |both| parts(both).1)
    }

    fn copy(&self, pool: &mut Pool, of: fn(&[u8]) -> &[u8]) -> Result<Option<BlockId>, Error> {
        let Some(agreed) = self.agreed else { return Ok(None) };
        let len = of(pool.bytes_of(agreed)).len();
        let copy = pool.take(len)?;
        pool.read_write(agreed, copy, |from, to| to.copy_from_slice(of(from)));
        Ok(Some(copy))
    }

    /// Gives back what it holds.
    pub fn release(&mut self, pool: &mut Pool) {
        self.roll_back(pool);
        if let Some(agreed) = self.agreed.take() {
            pool.release(agreed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_agreed_stands_until_the_next_offer_is_answered() {
        let mut pool = Pool::new(4_096, 1_024).unwrap();
        let mut s = Session::default();
        let [a, b, c] = [&b"ours"[..], b"theirs", b"another"].map(|t| pool.copy_in(t).unwrap());
        pool.hold(a);
        s.offered(&mut pool, a);
        assert_eq!((s.exchange, s.descriptions(&pool)), (Exchange::Offered, None));
        s.agree(&mut pool, a, b).unwrap();
        assert_eq!(s.descriptions(&pool), Some((&b"ours"[..], &b"theirs"[..])));
        pool.hold(c);
        s.asked(&mut pool, c);
        s.roll_back(&mut pool);
        assert_eq!((s.exchange, s.open()), (Exchange::Stable, None));
        assert_eq!(s.descriptions(&pool), Some((&b"ours"[..], &b"theirs"[..])));
        s.asked(&mut pool, c);
        s.agree(&mut pool, a, c).unwrap();
        assert_eq!(s.descriptions(&pool), Some((&b"ours"[..], &b"another"[..])));
        let copy = s.local_copy(&mut pool).unwrap().unwrap();
        assert_eq!(pool.bytes_of(copy), b"ours");
        pool.release(copy);
        let copy = s.remote_copy(&mut pool).unwrap().unwrap();
        assert_eq!(pool.bytes_of(copy), b"another");
        pool.release(copy);
        s.release(&mut pool);
        pool.release(a);
        pool.release(b);
        assert_eq!(pool.live(), 0);
    }

    #[test]
    fn without_room_nothing_has_changed() {
        let mut pool = Pool::new(64, 60).unwrap();
        let mut s = Session::default();
        let offer = pool.copy_in(b"offer").unwrap();
        s.offered(&mut pool, offer);
        assert!(s.agree(&mut pool, offer, offer).is_err());
        assert_eq!((s.exchange, s.open()), (Exchange::Offered, Some(offer)));
    }
}
