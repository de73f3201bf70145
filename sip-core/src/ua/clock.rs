//! The timers of a call: one place in the heap for all of them, armed for the first that is due.

use super::CallHandle;
use crate::cx::Cx;
use crate::error::Error;
use crate::store::timers::{TimerId, TimerKey, kind};
use crate::time::Instant;

/// The one timer of a call.
pub(super) const TIMER_CALL: u8 = kind::CALL;

/// What a call waits for. Of one moment, what stands first is done first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(super) enum Due {
    /// The bound on ringing; after a BYE, nothing.
    Ring,
    /// The next repetition of our 2xx, or the end of our ACK.
    Repeat,
    /// A re-INVITE that met another one is tried again, or work that found no room is.
    Again,
    /// The next step of the session timer (RFC 4028).
    Session,
    /// The next repetition of a reliable provisional response (RFC 3262).
    Reliable,
    /// What a policy does later.
    Policy,
}

const ALL: [Due; 6] =
    [Due::Ring, Due::Repeat, Due::Again, Due::Session, Due::Reliable, Due::Policy];

/// The bits of a moment that are kept: no call waits for as long as half of their range.
const BITS: u32 = 48;

/// The times of a call.
#[derive(Debug)]
pub(super) struct Clock {
    timer: Option<TimerId>,
    times: [[u16; 3]; ALL.len()],
}

/// The time of what is not awaited.
const NEVER: [u16; 3] = [u16::MAX; 3];

impl Default for Clock {
    fn default() -> Self {
        Self { timer: None, times: [NEVER; ALL.len()] }
    }
}

/// The low bits of a moment; of one that looks as `NEVER` does, those of the one before.
fn low(at: Instant) -> [u16; 3] {
    let low = |ms: u64| [ms as u16, (ms >> 16) as u16, (ms >> 32) as u16];
    match low(at.0) {
        NEVER => low(at.0 - 1),
        kept => kept,
    }
}

/// The moment with these low bits that is nearest to `now`.
const fn near(now: Instant, [a, b, c]: [u16; 3]) -> Instant {
    let kept = a as u64 | (b as u64) << 16 | (c as u64) << 32;
    let above = 64 - BITS;
    let away = (kept.wrapping_sub(now.0) << above).cast_signed() >> above;
    Instant(now.0.saturating_add_signed(away))
}

impl Clock {
    fn put(&mut self, due: Due, time: [u16; 3]) {
        if let Some(place) = self.times.get_mut(due as usize) {
            *place = time;
        }
    }

    /// The first that is awaited, and when.
    fn first(&self, now: Instant) -> Option<(Instant, Due)> {
        let awaited = self.times.iter().zip(ALL).filter(|(time, _)| **time != NEVER);
        awaited.map(|(time, due)| (near(now, *time), due)).min_by_key(|(at, _)| *at)
    }

    /// Arms the timer for what is the first now, if that was not so `before`.
    fn wind(&mut self, cx: &mut Cx, h: CallHandle, before: Option<Instant>) -> Result<(), Error> {
        let first = self.first(cx.now).map(|(at, _)| at);
        if self.timer.is_some() && first == before {
            return Ok(());
        }
        self.stop(cx);
        let Some(at) = first else { return Ok(()) };
        let key = TimerKey { kind: TIMER_CALL, object: h.raw() };
        self.timer = Some(cx.timers.arm(at, key)?);
        Ok(())
    }

    /// Awaits `due` at `at`, and no other time.
    pub(super) fn set(
        &mut self,
        cx: &mut Cx,
        h: CallHandle,
        due: Due,
        at: Instant,
    ) -> Result<(), Error> {
        let before = self.first(cx.now).map(|(at, _)| at);
        let longest = (1u64 << (BITS - 1)) - 1;
        self.put(due, low(at.min(cx.now.after(longest))));
        self.wind(cx, h, before)
    }

    /// Awaits `due` no more.
    pub(super) fn clear(&mut self, cx: &mut Cx, h: CallHandle, due: Due) {
        if self.times.get(due as usize) == Some(&NEVER) {
            return;
        }
        let before = self.first(cx.now).map(|(at, _)| at);
        self.put(due, NEVER);
        // The place of the timer is free: it was this call's.
        let _ = self.wind(cx, h, before);
    }

    /// The timer has fired: what is due, and the timer is armed for the others.
    pub(super) fn fired(&mut self, cx: &mut Cx, h: CallHandle) -> Result<Option<Due>, Error> {
        self.timer = None;
        let due = self.first(cx.now).filter(|(at, _)| *at <= cx.now).map(|(_, due)| due);
        if let Some(due) = due {
            self.put(due, NEVER);
        }
        self.wind(cx, h, None).map(|()| due)
    }

    /// Takes the timer out of the heap.
    pub(super) fn stop(&mut self, cx: &mut Cx) {
        if let Some(timer) = self.timer.take() {
            cx.timers.cancel(timer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_found_again_from_its_low_bits() {
        let year = 1_000 * 86_400 * 365;
        for now in [0, 5, 1 << 31, (1 << 48) - 1 - 90_000, (1 << 50) + 17, u64::MAX - 40] {
            for away in [0, 1, 2, 90_000, 136 * year, (1 << 47) - 1] {
                let (now, at) = (Instant(now), Instant(now).after(away));
                if at.0.wrapping_sub(now.0) == away {
                    let kept = near(now, low(at));
                    let never = at.0 & ((1 << BITS) - 1) == (1 << BITS) - 1;
                    assert_eq!(kept.0, at.0 - u64::from(never));
                    assert_eq!(near(at, low(now)), now, "it is late by {away}");
                }
            }
        }
    }
}
