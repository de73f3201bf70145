//! The life of a response context: branches begin and end, work is done as far as there is room,
//! and the best response goes back (RFC 3261 16.6 to 16.10).

use super::best::{is_better, is_challenge};
use super::preprocess::is_secure;
use super::recurse::{Followed, without_followed};
use super::response::without_via;
use super::schedule::Step;
use super::{Branch, BranchHandle, ForkHandle, ForkLow, Forks, GiveUp, RELAY};
use super::{early, late::More};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::Essentials;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::timers::{TimerKey, kind};
use crate::wire::{MessageRef, Method};

/// Timer C, or work that waits for room.
const TIMER: u8 = kind::FORK;
/// Fewer free outputs than this are what work waits for: they come free as soon as they are polled.
const OUTPUTS: usize = 4;
/// How long work waits for blocks, in milliseconds.
const PAUSE: u64 = 100;

/// What the work of a context comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Done,
    /// There is no room: it goes on later.
    Waits,
}

impl Forks {
    /// The branches of a context, the youngest first.
    pub(super) fn list(&self, h: ForkHandle) -> impl Iterator<Item = (BranchHandle, &Branch)> {
        let first = self.forks.get(h).and_then(|f| f.first);
        let step = |b: BranchHandle| self.branches.get(b).map(|branch| (b, branch));
        core::iter::successors(first.and_then(step), move |(_, b)| b.next.and_then(step))
    }

    /// The branch with this number, as long as it has not ended.
    pub(super) fn branch(&self, h: ForkHandle, part: u8) -> Option<BranchHandle> {
        self.list(h).find(|(_, b)| b.part == part && b.attempt.is_some()).map(|(b, _)| b)
    }

    /// The branch that has ended under this number.
    pub(super) fn refused_branch(&self, h: ForkHandle, part: u8) -> Option<BranchHandle> {
        self.list(h).find(|(_, b)| b.part == part && b.status >= 300).map(|(b, _)| b)
    }

    /// Does what is to be done: CANCELs, further targets, the final response; then waits for the
    /// next timer, or ends.
    pub(super) fn work(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) -> Result<(), Error> {
        let work = loop {
            if self.forks.get(h).is_none() {
                return Ok(());
            }
            let wanted = self.list(h).find(|(_, b)| b.give_up == GiveUp::Wanted).map(|(b, _)| b);
            if let Some(b) = wanted {
                if low.down.cx.out.room() < 2 {
                    break Work::Waits;
                }
                self.cancel(low, b);
                continue;
            }
            match self.next_step(low.down.cx, h) {
                Step::Launch(breadth) => match self.launch(low, h, breadth) {
                    Ok(()) => {}
                    Err(Error::Full(Limit::Outputs | Limit::Blocks)) => break Work::Waits,
                    Err(e) => return Err(e),
                },
                Step::Skip => self.skip(low.down.cx, h),
                Step::Rest => break self.settle(low, h),
            }
        };
        self.wait_or_end(low, h, work)
    }

    fn cancel(&mut self, low: &mut ForkLow<'_>, b: BranchHandle) {
        let Some(branch) = self.branches.get_mut(b) else { return };
        branch.give_up = GiveUp::Done;
        if let Some(attempt) = branch.attempt {
            // What cannot be sent now is sent by the transaction when it can.
            let _ = low.attempts.cancel(&mut low.down, attempt);
        }
    }

    /// No more targets, and the branches that run are given up (16.7 step 10).
    pub(super) fn give_up(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) {
        self.drop_targets(low.down.cx, h);
        let mut next = self.forks.get(h).and_then(|f| f.first);
        while let Some(branch) = next.and_then(|b| self.branches.get_mut(b)) {
            if branch.attempt.is_some() && branch.give_up == GiveUp::No {
                branch.give_up = GiveUp::Wanted;
            }
            next = branch.next;
        }
    }

    pub(super) fn drop_targets(&mut self, cx: &mut Cx, h: ForkHandle) {
        let Some(fork) = self.forks.get_mut(h) else { return };
        fork.left = 0;
        (fork.closed, fork.more) = (true, More::No);
        for block in [fork.request.take(), fork.targets.take()].into_iter().flatten() {
            cx.pool.release(block);
        }
    }

    /// A branch has its final status.
    pub(super) fn end_branch(&mut self, h: ForkHandle, b: BranchHandle, status: u16) {
        let Some(branch) = self.branches.get_mut(b).filter(|b| b.attempt.is_some()) else { return };
        branch.attempt = None;
        branch.deadline = None;
        branch.give_up = GiveUp::Done;
        branch.status = status;
        let breadth = core::mem::take(&mut branch.breadth);
        if let Some(fork) = self.forks.get_mut(h) {
            fork.open = fork.open.saturating_sub(1);
            fork.breadth = fork.breadth.saturating_add(breadth);
        }
    }

    /// 16.7 steps 2 and 5.
    pub(super) fn on_provisional(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        b: BranchHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let (fork, branch) = (self.forks.live(h)?, self.branches.live_mut(b)?);
        branch.provisional = true;
        // A 100 goes one hop only. RFC 4320 4.1: nothing else but INVITE has any other.
        if m.status() == 100 || fork.method != Method::Invite {
            return Ok(());
        }
        let cx = &mut *low.down.cx;
        let last = fork.opened.after(cx.config.timer_c_total);
        if branch.deadline.is_some() {
            branch.deadline = Some(cx.now.after(cx.config.timer_c).min(last));
        }
        if fork.wants_199 && !fork.done {
            early::note(cx, branch, m, e);
        }
        let Some(tx) = fork.tx.filter(|_| !fork.done) else { return Ok(()) };
        let Some(block) = without_via(cx, m, e)? else { return Ok(()) };
        match low.down.tx.respond(cx, tx, m.status(), block) {
            Err(e @ Error::Full(_)) => Err(e),
            _ => Ok(()),
        }
    }

    /// A 2xx goes back at once (16.7 step 5); all other branches are given up (step 10).
    pub(super) fn on_success(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        b: BranchHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let fork = self.forks.live(h)?;
        let (tx, is_invite, keeps) = (fork.tx, fork.method == Method::Invite, fork.how.keeps);
        let forwards = !fork.done || is_invite;
        let mut relayed = Ok(());
        self.end_branch(h, b, m.status());
        if let Some(tx) = tx.filter(|_| forwards) {
            if is_invite && let Some(client) = low.down.tx.of_response(low.down.cx, m, e) {
                // What follows on this branch is relayed, whether this context still lives or not.
                low.down.tx.set_owner(client, Owner::part(OwnerKind::Fork, tx.raw(), RELAY));
            }
            // Without room the 2xx is lost, as on the network: the callee repeats that of an
            // INVITE.
            relayed = super::relay(low, tx, m, e);
        }
        self.set_done(h);
        if keeps {
            self.drop_targets(low.down.cx, h);
        } else {
            self.give_up(low, h);
        }
        self.work(low, h)?;
        relayed
    }

    /// A 300 to 699 waits for the other branches; a 6xx gives them up (16.7 step 5).
    pub(super) fn on_refusal(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        b: BranchHandle,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        let status = m.status();
        let fork = self.forks.live(h)?;
        let (cancelled, done) = (fork.cancelled, fork.done);
        let secure = self.follows(low.down.cx, h, status);
        let follow = |s| self.follow(low.down.cx, h, m, s).unwrap_or(Followed::No);
        let followed = secure.map_or(Followed::No, follow);
        if followed == Followed::Whole {
            // 16.7 step 4: without its contacts it says nothing.
            self.end_branch(h, b, 0);
            self.early_ended(low, h, b, status);
            return self.work(low, h);
        }
        let best = self.best(h);
        let beats = best.is_none_or(|(_, old)| is_better(status, old, cancelled));
        if !done && (beats || is_challenge(status)) {
            let mut block = without_via(low.down.cx, m, e)?;
            if followed == Followed::Partly {
                let secure = secure.unwrap_or(false);
                block = block.map(|b| without_followed(low.down.cx, b, secure));
            }
            if let Some(branch) = self.branches.get_mut(b) {
                branch.response = block;
            }
        }
        // What is beaten is not needed any more, but for challenges.
        if let Some((loser, _)) = best.filter(|(_, old)| beats && !is_challenge(*old))
            && let Some(block) = self.branches.get_mut(loser).and_then(|b| b.response.take())
        {
            low.down.cx.pool.release(block);
        }
        self.end_branch(h, b, status);
        if status >= 600 {
            self.give_up(low, h);
        }
        self.early_ended(low, h, b, status);
        self.work(low, h)
    }

    /// Whether a response with this status is followed, and then whether the request is a sips one
    /// (16.7 step 4): by setting, for what we are responsible for, as long as targets may be tried.
    fn follows(&self, cx: &Cx, h: ForkHandle, status: u16) -> Option<bool> {
        let fork = self.forks.get(h).filter(|f| f.how.recurses && f.ours)?;
        // Without its request no further target is tried.
        let m = MessageRef::lazy(cx.pool.bytes_of(fork.request?))?;
        matches!(status, 300..=302).then(|| is_secure(m.request_uri()))
    }

    /// Timer C: a branch that has rung is cancelled, one that has not said anything counts as one
    /// that timed out (16.8).
    pub(super) fn timer_c(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) {
        let now = low.down.cx.now;
        let due = |b: &Branch| b.deadline.is_some_and(|at| at <= now);
        loop {
            let found = self.list(h).find(|(_, b)| due(b));
            let found = found.map(|(b, branch)| (b, branch.provisional, branch.attempt));
            let Some((b, provisional, attempt)) = found else { return };
            if provisional {
                if let Some(branch) = self.branches.get_mut(b) {
                    branch.deadline = None;
                    branch.give_up = GiveUp::Wanted;
                }
                continue;
            }
            if let Some(attempt) = attempt {
                low.attempts.end(&mut low.down, attempt);
            }
            self.end_branch(h, b, 408);
        }
    }

    /// Arms the timer for what comes next, or ends a context that has nothing left to do (16.7
    /// step 9).
    pub(super) fn wait_or_end(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        work: Work,
    ) -> Result<(), Error> {
        let Some(fork) = self.forks.get(h) else { return Ok(()) };
        let cx = &mut *low.down.cx;
        if work == Work::Done && fork.done && fork.open == 0 {
            self.forget(low, h);
            return Ok(());
        }
        let due = match work {
            Work::Waits if cx.out.room() < OUTPUTS => Some(cx.now),
            Work::Waits => Some(cx.now.after(PAUSE)),
            Work::Done => {
                let late = if let More::Until(at) = fork.more { Some(at) } else { None };
                let others = [self.group_due(cx, h), late].into_iter().flatten();
                self.list(h).filter_map(|(_, b)| b.deadline).chain(others).min()
            }
        };
        let armed = fork.timer;
        let Some(due) = due.filter(|due| armed.is_none_or(|(_, at)| *due < at)) else {
            return Ok(());
        };
        if let Some((old, _)) = armed {
            cx.timers.cancel(old);
        }
        let timer = cx.timers.arm(due, TimerKey { kind: TIMER, object: h.raw() })?;
        self.forks.live_mut(h)?.timer = Some((timer, due));
        Ok(())
    }

    /// Takes a context out with all that it holds. Its server transaction stays.
    fn forget(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) {
        self.drop_targets(low.down.cx, h);
        let Some(fork) = self.forks.remove(h) else { return };
        if let Some((timer, _)) = fork.timer {
            low.down.cx.timers.cancel(timer);
        }
        let mut next = fork.first;
        while let Some(branch) = next.and_then(|b| self.branches.remove(b)) {
            for block in [branch.response, branch.tags].into_iter().flatten() {
                low.down.cx.pool.release(block);
            }
            if let Some(attempt) = branch.attempt {
                low.attempts.end(&mut low.down, attempt);
            }
            next = branch.next;
        }
    }

    /// Takes back a context that could not be begun.
    pub(super) fn undo(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) {
        if let Some(tx) = self.forks.get(h).and_then(|f| f.tx) {
            low.down.tx.end(low.down.cx, tx);
        }
        self.forget(low, h);
    }
}
