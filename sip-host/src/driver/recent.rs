//! What was sent lately and where to, so that an error that names only an address finds its sender.

use sansip::{Addr, LocalId, SendId};

/// How many datagrams are remembered.
const PLACES: usize = 512;

/// How long an error may take to come back, in milliseconds.
const LIFE: u64 = 5_000;

#[derive(Clone, Copy)]
struct Sent {
    to: Addr,
    local: LocalId,
    send: SendId,
    at: u64,
}

/// A ring of the datagrams sent last.
pub(super) struct Recent {
    ring: Vec<Option<Sent>>,
    next: usize,
}

impl Recent {
    pub(super) fn new() -> Self {
        Self { ring: vec![None; PLACES], next: 0 }
    }

    pub(super) fn sent(&mut self, at: u64, local: LocalId, to: Addr, send: SendId) {
        if let Some(place) = self.ring.get_mut(self.next) {
            *place = Some(Sent { to, local, send, at });
        }
        self.next = (self.next + 1) % PLACES;
    }

    /// Takes all that was sent to `to` lately, each sender once.
    pub(super) fn take(&mut self, at: u64, local: LocalId, to: Addr, out: &mut Vec<SendId>) {
        for place in &mut self.ring {
            let hit = place
                .is_some_and(|s| s.to == to && s.local == local && at.saturating_sub(s.at) <= LIFE);
            if let Some(sent) = place.take_if(|_| hit)
                && !out.contains(&sent.send)
            {
                out.push(sent.send);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_finds_each_sender_to_its_address_once_and_no_other() {
        let mut recent = Recent::new();
        let (here, there) = (Addr::v4(10, 0, 0, 1, 5060), Addr::v4(10, 0, 0, 2, 5060));
        recent.sent(1_000, LocalId(0), here, SendId(1));
        recent.sent(1_000, LocalId(0), here, SendId(1));
        recent.sent(1_000, LocalId(0), there, SendId(2));
        recent.sent(1_000, LocalId(1), here, SendId(3));
        let mut found = Vec::new();
        recent.take(1_010, LocalId(0), here, &mut found);
        assert_eq!(found, [SendId(1)]);
        recent.take(1_010, LocalId(0), here, &mut found);
        assert_eq!(found.len(), 1, "reported once");
    }

    #[test]
    fn what_was_sent_long_ago_is_not_blamed() {
        let mut recent = Recent::new();
        let to = Addr::v4(10, 0, 0, 1, 5060);
        recent.sent(0, LocalId(0), to, SendId(1));
        let mut found = Vec::new();
        recent.take(LIFE + 1, LocalId(0), to, &mut found);
        assert!(found.is_empty());
    }
}
