//! In what order, how many at once and for how long targets are tried: q, the ring time of a group
//! (RFC 3261 16.6), and Max-Breadth (RFC 5393 5.3.3).

use super::instance::SPARE;
use super::targets::{Entry, entries};
use super::{Branch, Fork, ForkHandle, ForkLow, Forks, GiveUp};
use crate::config::{Forking, Order};
use crate::cx::Cx;
use crate::time::Instant;
use crate::wire::name::Name;
use crate::wire::scan::decimal;
use crate::wire::{MessageRef, Method};

/// What is to be done about the next target.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// It is tried, and so many branches may come of it.
    Launch(u16),
    /// It is not: no branches are left for it.
    Skip,
    /// Nothing, for now or at all.
    Rest,
}

/// The branches that may come of a request: what it says, else what is set, if anything (RFC 5393
/// 5.3.3).
pub(super) fn breadth(config: &Forking, m: &MessageRef<'_>) -> Option<u16> {
    let said = m.header(Name::MaxBreadth).and_then(decimal);
    let said = said.map(|n| u16::try_from(n).unwrap_or(u16::MAX));
    said.or((config.breadth > 0).then_some(config.breadth))
}

/// The next target of a context.
pub(super) fn next_entry(cx: &Cx, fork: &Fork) -> Entry {
    let set = fork.targets.map_or(&[][..], |b| cx.pool.bytes_of(b));
    Entry::at(set, fork.next).unwrap_or_default()
}

impl Branch {
    /// Whether it holds up those that come after it.
    fn runs(&self) -> bool {
        self.attempt.is_some() && self.give_up == GiveUp::No
    }
}

impl Forks {
    /// What to do about the next target.
    pub(super) fn next_step(&self, cx: &Cx, h: ForkHandle) -> Step {
        let Some(fork) = self.forks.get(h) else { return Step::Rest };
        if fork.done || fork.left == 0 || fork.asked.is_some() {
            return Step::Rest;
        }
        let rank = next_entry(cx, fork).rank;
        let runs = || self.list(h).any(|(_, b)| b.runs());
        let may_begin = match fork.how.order {
            _ if rank == SPARE => !runs(),
            Order::Parallel => true,
            Order::Serial => !runs(),
            Order::Mixed => rank >= fork.group || !runs(),
        };
        if !may_begin {
            return Step::Rest;
        }
        if fork.breadth > 0 || fork.method == Method::Ack {
            return Step::Launch(share(cx, fork));
        }
        // Who comes later waits until a branch has ended; of those that begin at once, some do not.
        let at_once = match fork.how.order {
            Order::Parallel => true,
            Order::Serial => false,
            Order::Mixed => rank == fork.group,
        };
        if fork.open > 0 && (fork.late || !at_once) { Step::Rest } else { Step::Skip }
    }

    /// A target of this rank is being tried.
    pub(super) fn begin_group(&mut self, h: ForkHandle, rank: u32, now: Instant) {
        let runs = self.list(h).any(|(_, b)| b.runs());
        let Some(fork) = self.forks.get_mut(h) else { return };
        if !runs || rank != fork.group {
            (fork.group, fork.group_at) = (rank, now);
        }
    }

    /// When those that ring have rung for long enough, if others come after them.
    pub(super) fn group_due(&self, cx: &Cx, h: ForkHandle) -> Option<Instant> {
        let fork = self.forks.get(h).filter(|f| f.left > 0 && !f.done)?;
        // Who is there is not given up for another way to it.
        if next_entry(cx, fork).rank == SPARE {
            return None;
        }
        if fork.how.order == Order::Parallel || !self.list(h).any(|(_, b)| b.runs()) {
            return None;
        }
        let time = match fork.method {
            Method::Invite => cx.config.forking.ring,
            _ => cx.config.t1.saturating_mul(8),
        };
        Some(fork.group_at.after(time))
    }

    /// Gives up those that have rung for long enough, so that the next are tried.
    pub(super) fn group_over(&mut self, low: &ForkLow<'_>, h: ForkHandle) {
        let cx = &*low.down.cx;
        if self.group_due(cx, h).is_none_or(|due| due > cx.now) {
            return;
        }
        let Some(fork) = self.forks.get(h) else { return };
        // Only an INVITE can be cancelled (RFC 3261 9.1).
        let how = if fork.method == Method::Invite { GiveUp::Wanted } else { GiveUp::Done };
        let mut next = fork.first;
        while let Some(branch) = next.and_then(|b| self.branches.get_mut(b)) {
            if branch.runs() {
                branch.give_up = how;
            }
            next = branch.next;
        }
    }
}

/// How many of the branches that are left the next target gets: an even part, once one has been put by
/// for each that comes later, be it one that is yet to be named. Where those are expected they have a
/// part too.
fn share(cx: &Cx, fork: &Fork) -> u16 {
    let set = fork.targets.map_or(&[][..], |b| cx.pool.bytes_of(b));
    let left = u16::from(fork.left);
    let rank = next_entry(cx, fork).rank;
    let now = match fork.how.order {
        Order::Parallel => left,
        Order::Serial => 1,
        Order::Mixed => {
            let same = entries(set, fork.next).take_while(|e| e.rank == rank).count();
            u16::try_from(same).unwrap_or(left).clamp(1, left.max(1))
        }
    };
    let late = u16::from(fork.routed && fork.breadth > now);
    let spare = fork.breadth.saturating_sub(left.saturating_sub(now).max(late));
    let parts = now.saturating_add(u16::from(fork.more.is_open()));
    spare.checked_div(parts).unwrap_or(0).clamp(1, fork.breadth.max(1))
}
