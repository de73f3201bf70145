//! Targets that arrive while others are tried already (RFC 3261 16.5): a device that registers late,
//! or that is woken first (RFC 8599).

use super::targets::{self, entries, is_usable};
use super::{EVENT_EXHAUSTED, ForkHandle, ForkLow, Forks};
use crate::cx::Cx;
use crate::error::{Error, Misuse};
use crate::store::queries::{OwnerKind, Target};
use crate::store::ring::EventRecord;
use crate::time::Instant;
use crate::tx::TxHandle;
use crate::wire::Method;

/// Whether further targets may come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum More {
    /// No.
    No,
    /// They may.
    Open,
    /// They may, until then: the application knows that nothing else is left.
    Until(Instant),
}

impl More {
    pub(super) const fn is_open(self) -> bool {
        !matches!(self, Self::No)
    }
}

/// The same target, for as long as others live.
const fn as_long<'s, 't: 's>(target: targets::Ranked<'t>) -> targets::Ranked<'s> {
    target
}

impl Forks {
    /// Adds targets to a request that is being forwarded, and says whether more may come. May queue
    /// output.
    ///
    /// # Errors
    /// [`Error::Gone`]; [`Error::Late`] when its final response has gone back or its caller has given
    /// up; [`Misuse::State`] for a request whose targets were never asked for; [`Misuse::BadUri`];
    /// `Full`.
    pub fn add_targets(
        &mut self,
        low: &mut ForkLow<'_>,
        request: TxHandle,
        list: &[Target<'_>],
        more: bool,
    ) -> Result<(), Error> {
        let owner = low.down.tx.owner(request).filter(|o| !o.was_answered()).ok_or(Error::Gone)?;
        if owner.kind != OwnerKind::Fork {
            return Err(Error::Misuse(Misuse::State));
        }
        let h = ForkHandle::from_raw(owner.object);
        let fork = self.forks.get(h).ok_or(Error::Late)?;
        if fork.tx != Some(request) || fork.done || fork.closed {
            return Err(Error::Late);
        }
        if !fork.routed {
            return Err(Error::Misuse(Misuse::State));
        }
        if !list.iter().all(is_usable) {
            return Err(Error::Misuse(Misuse::BadUri));
        }
        self.add_ranked(low.down.cx, h, list.iter().copied())?;
        let fork = self.forks.live_mut(h)?;
        fork.more = if more { More::Open } else { More::No };
        fork.late |= !list.is_empty();
        self.work(low, h)
    }

    /// Adds targets to the set, at their places among those that are left. What was there before is
    /// not added (16.7 step 4). `Full` changes nothing.
    pub(super) fn add_to_set<'t>(
        &mut self,
        cx: &mut Cx,
        h: ForkHandle,
        list: impl Iterator<Item = targets::Ranked<'t>> + Clone,
    ) -> Result<(), Error> {
        let fork = self.forks.live_mut(h)?;
        let most = self.most.saturating_sub(usize::from(fork.parts));
        let Cx { pool, scratch, .. } = cx;
        let old = fork.targets.map_or(&[][..], |b| pool.bytes_of(b));
        let tried = old.get(..fork.next).unwrap_or(&[]);
        let left = entries(old, fork.next).take(usize::from(fork.left)).map(|e| e.target(old));
        let (len, count) = targets::encode(tried, left.chain(list.map(as_long)), most, scratch)?;
        // An ACK goes one way only (16.11), and so does what is not to be forked.
        let one = fork.method == Method::Ack || fork.how.single;
        let count = if one { count.min(1) } else { count };
        if len == old.len() {
            return Ok(());
        }
        let block = pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        if let Some(old) = fork.targets.replace(block) {
            pool.release(old);
        }
        fork.left = count;
        Ok(())
    }

    /// Tells once that nothing is left to try, and when the request is answered all the same. `Full`
    /// while there is no room to tell.
    pub(super) fn tell_exhausted(
        &mut self,
        cx: &mut Cx,
        h: ForkHandle,
        status: u16,
    ) -> Result<(), Error> {
        let fork = self.forks.live_mut(h)?;
        let Some(tx) = fork.tx else { return Ok(()) };
        cx.event(EventRecord {
            kind: EVENT_EXHAUSTED,
            code: status,
            object: tx.raw(),
            other: 0,
            user: 0,
            block: None,
        })?;
        fork.more = More::Until(cx.now.after(cx.config.forking.late));
        Ok(())
    }
}
