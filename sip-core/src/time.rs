//! Time is an argument: the engine has no clock.

/// A moment: milliseconds since an epoch that the caller chooses (boot, 1970, the start of a test).
///
/// The engine only compares and adds. A moment lower than the last one given counts as the last
/// one; after a jump forward each due timer acts once.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default, Hash)]
pub struct Instant(pub u64);

impl Instant {
    /// The moment `ms` milliseconds later; the far end of time absorbs an overflow.
    #[must_use]
    pub const fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment, 0 if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_far_end_of_time_absorbs_an_overflow() {
        assert_eq!(Instant(u64::MAX).after(1), Instant(u64::MAX));
        assert_eq!(Instant(3).since(Instant(5)), 0);
        assert_eq!(Instant(7).after(5).since(Instant(7)), 5);
    }
}
