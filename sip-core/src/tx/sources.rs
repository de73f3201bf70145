//! How many server transactions the requests from one address have open, in a bounded table: two
//! addresses that share a place share its count.

use core::net::IpAddr;

use alloc::vec::Vec;

use crate::cx::Cx;
use crate::error::Error;
use crate::limits::Limits;
use crate::store::filled;

/// The counts. A place is numbered from 1; 0 is none.
#[derive(Debug)]
pub(super) struct Sources {
    counts: Vec<u32>,
}

const fn places(limits: &Limits) -> usize {
    // A phone has one peer, and no such bound.
    let most = u16::MAX as usize;
    if limits.forks == 0 {
        0
    } else if limits.sources < most {
        limits.sources
    } else {
        most
    }
}

impl Sources {
    pub(super) fn new(limits: &Limits) -> Result<Self, Error> {
        Ok(Self { counts: filled(places(limits), 0)? })
    }

    pub(super) const fn bytes(limits: &Limits) -> usize {
        places(limits) * size_of::<u32>()
    }

    /// The place of an address; of IPv6, of the network of one customer.
    pub(super) fn place(&self, cx: &Cx, ip: IpAddr) -> u16 {
        if self.counts.is_empty() || cx.config.edge.per_source == 0 {
            return 0;
        }
        let bits = match ip {
            IpAddr::V4(ip) => u64::from(ip.to_bits()),
            IpAddr::V6(ip) => u64::try_from(ip.to_bits() >> 64).unwrap_or(0),
        };
        let family = u64::from(ip.is_ipv6());
        let key = cx.keyer.start(b's').number(bits).number(family).finish().short();
        let place = key.checked_rem(self.counts.len() as u64).unwrap_or(0);
        u16::try_from(place.saturating_add(1)).unwrap_or(0)
    }

    fn count(&mut self, place: u16) -> Option<&mut u32> {
        self.counts.get_mut(usize::from(place.checked_sub(1)?))
    }

    /// Whether the place has as many as it may.
    pub(super) fn is_full(&self, cx: &Cx, place: u16) -> bool {
        let place = usize::from(place).checked_sub(1);
        let count = place.and_then(|i| self.counts.get(i));
        count.is_some_and(|n| *n >= cx.config.edge.per_source)
    }

    pub(super) fn add(&mut self, place: u16) {
        if let Some(count) = self.count(place) {
            *count = count.saturating_add(1);
        }
    }

    pub(super) fn remove(&mut self, place: u16) {
        if let Some(count) = self.count(place) {
            *count = count.saturating_sub(1);
        }
    }
}
