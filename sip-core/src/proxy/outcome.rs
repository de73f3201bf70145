//! The one final response of a context (RFC 3261 16.7 steps 6 to 9): the best of its branches, or our
//! own.

use super::best::{is_better, is_challenge, rank};
use super::context::Work;
use super::late::More;
use super::response::with_challenges;
use super::{Branch, BranchHandle, Fork, ForkHandle, ForkLow, Forks};
use crate::attempt::Down;
use crate::error::Error;
use crate::store::pool::BlockId;
use crate::tx::{Reply, TxHandle};
use crate::wire::name::Name;

impl Forks {
    /// The best of the branches that have ended, with its status (16.7 step 6): of equals the one
    /// whose response was kept, which came first.
    pub(super) fn best(&self, h: ForkHandle) -> Option<(BranchHandle, u16)> {
        let cancelled = self.forks.get(h)?.cancelled;
        let place = |b: &Branch| (rank(b.status, cancelled), b.response.is_none());
        let ended = self.list(h).filter(|(_, b)| b.status >= 300);
        // The list has the youngest first, which gives way to its equals.
        let best =
            ended.reduce(|young, old| if place(young.1) < place(old.1) { young } else { old });
        best.map(|(b, branch)| (b, branch.status))
    }

    /// Sends the final response once every branch has ended and none has been sent.
    pub(super) fn settle(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) -> Work {
        let Some(fork) = self.forks.get(h).filter(|f| !f.done && f.is_idle()) else {
            return Work::Done;
        };
        let Some(tx) = fork.tx else {
            self.set_done(h);
            return Work::Done;
        };
        if low.down.cx.out.room() == 0 {
            return Work::Waits;
        }
        let (status, best) = self.outcome(h, fork);
        match fork.more {
            More::No => {}
            More::Until(_) => return Work::Done,
            More::Open => {
                let told = self.tell_exhausted(low.down.cx, h, status);
                return if told.is_ok() { Work::Done } else { Work::Waits };
            }
        }
        let kept = best.and_then(|b| self.branches.get_mut(b)?.response.take());
        let sent = match kept {
            // 16.7 step 6: what another server cannot do now is no word about this one.
            _ if status == 503 => {
                if let Some(block) = kept {
                    low.down.cx.pool.release(block);
                }
                self.reply_unavailable(low, tx, best.is_none())
            }
            Some(block) => self.send_kept(low, h, block, status),
            None => {
                // RFC 5626 5.3: that a connection is gone is a word among proxies.
                let status = if status == 430 { 480 } else { status };
                low.down.tx.reply(low.down.cx, tx, status, &Reply::default())
            }
        };
        // A transaction that takes no response does without: one that has ended, or that of another
        // request than INVITE for a 408 (RFC 4320 4.2).
        if let Err(Error::Full(_)) = sent {
            return Work::Waits;
        }
        self.set_done(h);
        Work::Done
    }

    /// The status of the final response, and the branch whose it is.
    pub(super) fn outcome(&self, h: ForkHandle, fork: &Fork) -> (u16, Option<BranchHandle>) {
        let best = self.best(h);
        match best {
            // RFC 5393 5.3.3.2: a target that may not be tried counts as one that says so.
            Some((_, s)) if fork.lacked && is_better(440, s, fork.cancelled) => (440, None),
            Some((b, s)) => (s, Some(b)),
            None if fork.cancelled => (487, None),
            None if fork.lacked => (440, None),
            None if fork.untried => (503, None),
            None if fork.parts == 0 => (fork.nobody(), None),
            None => (408, None),
        }
    }

    /// No target could be reached: 500, or 503 where it was for our own lack of room.
    pub(super) fn reply_unavailable(
        &self,
        low: &mut ForkLow<'_>,
        tx: TxHandle,
        own: bool,
    ) -> Result<(), Error> {
        if own {
            let extra = [(Name::RetryAfter, &b"10"[..])];
            let reply = Reply { extra: &extra, ..Reply::default() };
            return low.down.tx.reply(low.down.cx, tx, 503, &reply);
        }
        let reply = Reply { reason: Some("Next Hop Unavailable"), ..Reply::default() };
        low.down.tx.reply(low.down.cx, tx, 500, &reply)
    }

    /// Sends a response that was kept, with the challenges of the others (16.7 steps 7 and 9).
    /// Takes over the hold on it.
    pub(super) fn send_kept(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        block: BlockId,
        status: u16,
    ) -> Result<(), Error> {
        let Some(tx) = self.forks.get(h).and_then(|f| f.tx) else {
            low.down.cx.pool.release(block);
            return Ok(());
        };
        let others = self.list(h).filter(|(_, b)| is_challenge(b.status));
        let mut others = others.filter_map(|(_, b)| b.response).peekable();
        let block = if is_challenge(status) && others.peek().is_some() {
            // Without room the challenges of the others are left out.
            with_challenges(low.down.cx, block, others).unwrap_or(block)
        } else {
            block
        };
        low.down.tx.respond(low.down.cx, tx, status, block)
    }

    pub(super) fn set_done(&mut self, h: ForkHandle) {
        if let Some(fork) = self.forks.get_mut(h) {
            fork.done = true;
        }
    }

    /// Answers a request that has no branch.
    pub(super) fn refuse(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        status: u16,
    ) -> Result<(), Error> {
        self.refuse_by(low, h, |down, tx| down.tx.reply(down.cx, tx, status, &Reply::default()))
    }

    /// As [`refuse`](Self::refuse), by a response that `send` sends.
    pub(super) fn refuse_by(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        send: impl FnOnce(&mut Down<'_>, TxHandle) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(fork) = self.forks.get_mut(h) else { return Ok(()) };
        fork.done = true;
        if let Some(tx) = fork.tx {
            match send(&mut low.down, tx) {
                Ok(()) | Err(Error::Gone | Error::Late) => {}
                Err(e) => return Err(e),
            }
        }
        self.drop_targets(low.down.cx, h);
        self.wait_or_end(low, h, Work::Done)
    }
}
