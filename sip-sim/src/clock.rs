//! A clock that only moves when it is told to.

use sansip::time::Instant;

/// Virtual time, in milliseconds from the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    now: u64,
}

impl Clock {
    /// A clock that stands at `now`.
    #[must_use]
    pub const fn at(now: u64) -> Self {
        Self { now }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn ms(self) -> u64 {
        self.now
    }

    /// The engine's form of the moment.
    #[must_use]
    pub const fn now(self) -> Instant {
        Instant(self.now)
    }

    /// Moves to `to`; a clock never goes back.
    pub fn advance(&mut self, to: u64) {
        self.now = self.now.max(to);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_never_goes_back() {
        let mut clock = Clock::at(5);
        clock.advance(3);
        assert_eq!(clock.ms(), 5);
        clock.advance(9);
        assert_eq!(clock.now(), Instant(9));
    }
}
