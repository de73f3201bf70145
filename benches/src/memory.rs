//! What one object holds, records and bytes of the pool together.

use sansip::{Limits, Stats, footprint};

use crate::calls::Calls;

/// What one object costs at one engine.
#[derive(Clone, Copy, Debug)]
pub struct Held {
    /// What it is.
    pub what: &'static str,
    /// Bytes of its records, their timers and their places in the indexes.
    pub records: usize,
    /// Bytes of the block pool.
    pub pool: usize,
}

impl Held {
    /// Both.
    #[must_use]
    pub const fn total(&self) -> usize {
        self.records + self.pool
    }
}

/// How many are made to count one.
const MANY: usize = 100;

/// An established leg at the caller and at the callee, and a ringing INVITE at the proxy.
#[must_use]
pub fn held() -> Vec<Held> {
    let before = Calls::direct(0);
    let after = Calls::direct(MANY);
    let stats = |calls: &Calls, who: usize| calls.engines()[who].stats();
    let mut proxied = Calls::through_proxy(0);
    let idle = stats(&proxied, 2);
    for _ in 0..MANY / 10 {
        proxied.ring();
    }
    let ringing = stats(&proxied, 2);
    vec![
        one("an established leg, caller", &stats(&before, 0), &stats(&after, 0), MANY),
        one("an established leg, callee", &stats(&before, 1), &stats(&after, 1), MANY),
        one("a ringing INVITE in the proxy", &idle, &ringing, MANY / 10),
    ]
}

/// What each of `count` objects added.
fn one(what: &'static str, before: &Stats, after: &Stats, count: usize) -> Held {
    let more = |of: fn(&Stats) -> usize| of(after) - of(before);
    let records = more(|s| s.calls) * record(|l, n| l.calls = n)
        + more(|s| s.dialogs) * record(|l, n| l.dialogs = n)
        + more(|s| s.transactions) * record(|l, n| l.transactions = n)
        + more(|s| s.attempts) * record(|l, n| l.attempts = n)
        + more(|s| s.forks) * record(|l, n| l.forks = n)
        + more(|s| s.queries) * record(|l, n| l.queries = n);
    Held { what, records: records / count, pool: more(|s| s.pool_bytes) / count }
}

/// What one more place of a table takes, with its timers and its share of the indexes.
fn record(set: fn(&mut Limits, usize)) -> usize {
    let [small, large] = [1_024, 2_048].map(|n| {
        let mut limits = Limits { calls: 500, calls_in: 500, branches: 4, ..Limits::TESTER };
        set(&mut limits, n);
        footprint(&limits)
    });
    (large - small) / 1_024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_object_holds_something_and_no_more_than_its_messages_explain() {
        for held in held() {
            assert!((200..20_000).contains(&held.total()), "{held:?}");
        }
    }
}
