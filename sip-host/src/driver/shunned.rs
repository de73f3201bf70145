//! Addresses that did not answer lately: of a name that has others too they are tried last, so that
//! what begins at another machine goes on there. An ACK has nobody to tell it that it got lost.

use std::collections::HashMap;
use std::net::IpAddr;

/// How long an address is tried last, in milliseconds.
const LAST: u64 = 30_000;

/// Addresses that are remembered.
const MOST: usize = 1_024;

#[derive(Default)]
pub(super) struct Shunned {
    until: HashMap<IpAddr, u64>,
}

impl Shunned {
    /// Nothing that is sent there arrives.
    pub(super) fn add(&mut self, now: u64, ip: IpAddr) {
        if self.until.len() >= MOST {
            self.until.retain(|_, until| *until > now);
        }
        if self.until.len() < MOST {
            self.until.insert(ip, now + LAST);
        }
    }

    /// Puts them last, the others in their order.
    pub(super) fn sort<T>(&self, now: u64, list: &mut [T], ip: impl Fn(&T) -> IpAddr) {
        list.sort_by_key(|one| self.until.get(&ip(one)).is_some_and(|until| *until > now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_did_not_answer_is_tried_last_for_a_while() {
        let ip = |n: u8| IpAddr::from([127, 0, 0, n]);
        let mut shunned = Shunned::default();
        let sorted = |shunned: &Shunned, now| {
            let mut list = [ip(1), ip(2), ip(3)];
            shunned.sort(now, &mut list, |ip| *ip);
            list
        };
        assert_eq!(sorted(&shunned, 0), [ip(1), ip(2), ip(3)]);
        shunned.add(0, ip(1));
        assert_eq!(sorted(&shunned, 1), [ip(2), ip(3), ip(1)]);
        assert_eq!(sorted(&shunned, LAST), [ip(1), ip(2), ip(3)]);
    }
}
