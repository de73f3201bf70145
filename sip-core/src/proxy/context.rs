//! The life of a response context: branches begin and end, work is done as far as there is room,
//! and the best response goes back (RFC 3261 16.6 to 16.10).

use super::best::{is_better, is_challenge, rank};
use super::forward::{self, Copy, Leg, Survey, URI_ROOM, Way, leg_of};
use super::identity::{self, Identity};
use super::preprocess::{Plan, is_secure};
use super::record_route::OwnRoutes;
use super::recurse::{Followed, without_followed};
use super::response::{with_challenges, without_via};
use super::schedule::{Step, breadth, next_entry};
use super::targets::Entry;
use super::{Branch, BranchHandle, Fork, ForkHandle, ForkLow, Forks, GiveUp, RELAY};
use super::{disposition::Disposition, early, late::More};
use crate::attempt::{Down, FromAttempt, Start};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::flow::Flows;
use crate::header::Essentials;
use crate::path::LocalId;
use crate::resolve::Hop;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::store::timers::{TimerKey, kind};
use crate::tx::{LoopMark, Reply, TxHandle};
use crate::wire::name::Name;
use crate::wire::{MessageRef, Method};

/// Timer C, or work that waits for room.
const TIMER: u8 = kind::FORK;
/// Bytes that a request grows by on its way, the target's URI apart.
const GROWTH: usize = 400;
/// Fewer free outputs than this are what work waits for: they come free as soon as they are polled.
const OUTPUTS: usize = 4;
/// How long work waits for blocks, in milliseconds.
const PAUSE: u64 = 100;

impl Fork {
    pub(super) fn new(cx: &Cx, method: Method, incoming: LocalId, plan: Plan) -> Self {
        Self {
            tx: None,
            method,
            incoming,
            source: None,
            plan,
            how: Disposition::new(&cx.config.forking),
            mark: None,
            request: None,
            targets: None,
            next: 0,
            left: 0,
            parts: 0,
            open: 0,
            first: None,
            asked: None,
            breadth: 0,
            bounded: false,
            group: 0,
            group_at: cx.now,
            more: More::No,
            late: false,
            ours: false,
            routed: false,
            wants_199: false,
            known: false,
            closed: false,
            lacked: false,
            done: false,
            cancelled: false,
            untried: false,
            opened: cx.now,
            timer: None,
        }
    }

    /// A context for `m`, which is to be known again by `mark`.
    pub(super) fn of(
        cx: &Cx,
        (m, e): (&MessageRef<'_>, &Essentials),
        incoming: LocalId,
        plan: Plan,
        mark: LoopMark,
    ) -> Self {
        let forking = &cx.config.forking;
        let most = breadth(forking, m);
        Self {
            how: Disposition::of(forking, m),
            mark: Some(mark),
            breadth: most.unwrap_or(u16::MAX),
            bounded: most.is_some(),
            wants_199: early::is_wanted(m, e),
            ..Self::new(cx, m.method(), incoming, plan)
        }
    }

    /// Where its targets come from is known.
    pub(super) const fn take(&mut self, way: super::Way) {
        self.routed = !matches!(way, super::Way::Direct);
        self.ours = matches!(way, super::Way::Locate | super::Way::Route { ours: true });
    }

    /// The status where there is no target: a resource none of whose devices is there, or none at
    /// all (16.5).
    pub(super) const fn nobody(&self) -> u16 {
        if self.known { 480 } else { 404 }
    }

    /// Whether nothing is being tried, nor can be yet.
    const fn is_idle(&self) -> bool {
        self.open == 0 && self.left == 0 && self.asked.is_none()
    }

    /// Whether a final response is due: nothing is being tried, nor will be.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_idle() && !self.more.is_open()
    }
}

impl Branch {
    const fn new(part: u8, next: Option<BranchHandle>) -> Self {
        Self {
            next,
            part,
            attempt: None,
            deadline: None,
            provisional: false,
            give_up: GiveUp::No,
            status: 0,
            response: None,
            tags: None,
            breadth: 0,
            device: 0,
        }
    }
}

/// What the work of a context comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Work {
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

    /// Tries the next target (16.6). `Full` of outputs or blocks changes nothing; another table
    /// that is full counts as a branch without a way.
    fn launch(&mut self, low: &mut ForkLow<'_>, h: ForkHandle, breadth: u16) -> Result<(), Error> {
        let fork = self.forks.live_mut(h)?;
        let Some(request) = fork.request else {
            fork.left = 0;
            return Ok(());
        };
        let cx = &mut *low.down.cx;
        let entry = next_entry(cx, fork);
        let device = Self::device(cx, fork, entry);
        if self.is_spent(h, device, entry) {
            let fork = self.forks.live_mut(h)?;
            (fork.next, fork.left) = (entry.next, fork.left.saturating_sub(1));
            return Ok(());
        }
        let fork = self.forks.live_mut(h)?;
        let len = cx.pool.bytes_of(request).len()
            + usize::from(entry.uri.len)
            + usize::from(entry.path.len)
            + GROWTH;
        let given_up = cx.now.since(fork.opened) >= cx.config.t1.saturating_mul(64);
        let has_room = cx.has_room(2, 3, len.min(cx.scratch.len()));
        if !has_room && !given_up {
            return Err(Error::Full(Limit::Blocks));
        }
        let made = if has_room {
            copy_for(cx, low.down.flows, fork, (request, entry, breadth))
        } else {
            Err(Error::Full(Limit::Transactions))
        };
        let (method, part) = (fork.method, fork.parts);
        fork.next = entry.next;
        fork.left -= 1;
        fork.parts = fork.parts.saturating_add(1);
        let now = cx.now;
        self.begin_group(h, entry.rank, now);
        let begun = match made {
            Ok((block, leg)) => self.set_off(low, h, (method, part), block, &leg),
            Err(e) => Err(e),
        };
        let begun = begun.map(|branch| {
            if let Some(branch) = branch.and_then(|b| self.branches.get_mut(b))
                && let Some(fork) = self.forks.get_mut(h)
            {
                branch.device = device;
                if branch.attempt.is_some() {
                    branch.breadth = breadth.min(fork.breadth);
                    fork.breadth -= branch.breadth;
                }
            }
        });
        if begun.is_err()
            && let Some(fork) = self.forks.get_mut(h)
        {
            fork.untried = true;
        }
        Ok(())
    }

    /// Starts the attempt of a new branch.
    fn set_off(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        (method, part): (Method, u8),
        request: BlockId,
        leg: &Leg,
    ) -> Result<Option<BranchHandle>, Error> {
        let is_ack = method == Method::Ack;
        let fork = self.forks.live_mut(h)?;
        let (first, mark) = (fork.first, fork.mark);
        let b = if is_ack {
            None
        } else {
            let b = self.branches.insert(Branch::new(part, first));
            Some(b.inspect_err(|_| low.down.cx.pool.release(request))?)
        };
        let owner = match b {
            Some(_) => Owner::part(OwnerKind::Fork, h.raw(), part),
            None => Owner::default(),
        };
        if let Some(b) = b.filter(|_| leg.lost) {
            low.down.cx.pool.release(request);
            self.lose_branch(h, b);
            return Ok(Some(b));
        }
        let (near, flow) = (Some(leg.near), leg.flow);
        let start = Start { owner, request, method, hop: leg.hop, near, flow, line: 0, mark };
        let started = low.attempts.start(&mut low.down, &start);
        let (attempt, from) = started.inspect_err(|_| {
            if let Some(b) = b {
                self.branches.remove(b);
            }
        })?;
        if let FromAttempt::AckSent { block, .. } = from {
            low.down.cx.pool.release(block);
        }
        let cx = &*low.down.cx;
        let fork = self.forks.live_mut(h)?;
        if let Some(b) = b
            && let Some(branch) = self.branches.get_mut(b)
        {
            branch.attempt = Some(attempt);
            // 16.6 step 11
            branch.deadline = (method == Method::Invite).then(|| cx.now.after(cx.config.timer_c));
            fork.first = Some(b);
            fork.open += 1;
        }
        Ok(b)
    }

    /// Leaves the next target out: it would be a branch too many.
    fn skip(&mut self, cx: &Cx, h: ForkHandle) {
        let Some(fork) = self.forks.get_mut(h) else { return };
        fork.next = next_entry(cx, fork).next;
        fork.left = fork.left.saturating_sub(1);
        fork.parts = fork.parts.saturating_add(1);
        fork.lacked = true;
    }

    /// The device's connection is there no more: for the others it is not there (RFC 5626 5.3).
    fn lose_branch(&mut self, h: ForkHandle, b: BranchHandle) {
        if let Some(branch) = self.branches.get_mut(b) {
            (branch.status, branch.give_up) = (430, GiveUp::Done);
        }
        if let Some(fork) = self.forks.get_mut(h) {
            fork.first = Some(b);
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
        let fork = self.forks.get(h).filter(|f| f.how.recurses && f.ours && !f.closed)?;
        let m = MessageRef::lazy(cx.pool.bytes_of(fork.request?))?;
        matches!(status, 300..=302).then(|| is_secure(m.request_uri()))
    }

    /// The best of the branches that have ended, with its status (16.7 step 6): of equals the one
    /// whose response was kept, which came first.
    fn best(&self, h: ForkHandle) -> Option<(BranchHandle, u16)> {
        let cancelled = self.forks.get(h)?.cancelled;
        let place = |b: &Branch| (rank(b.status, cancelled), b.response.is_none());
        let ended = self.list(h).filter(|(_, b)| b.status >= 300);
        // The list has the youngest first, which gives way to its equals.
        let best =
            ended.reduce(|young, old| if place(young.1) < place(old.1) { young } else { old });
        best.map(|(b, branch)| (b, branch.status))
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

    /// Sends the final response once every branch has ended and none has been sent.
    fn settle(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) -> Work {
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
    fn outcome(&self, h: ForkHandle, fork: &Fork) -> (u16, Option<BranchHandle>) {
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
    fn reply_unavailable(
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
    fn send_kept(
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

    fn set_done(&mut self, h: ForkHandle) {
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

    /// Arms the timer for what comes next, or ends a context that has nothing left to do (16.7
    /// step 9).
    fn wait_or_end(
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

/// The copy of a request for one target, in a block held once, and where it goes.
fn copy_for(
    cx: &mut Cx,
    flows: &Flows,
    fork: &Fork,
    what: (BlockId, Entry, u16),
) -> Result<(BlockId, Leg), Error> {
    cx.index(what.0);
    let mut scratch = core::mem::take(&mut cx.scratch);
    let made = write_copy(cx, flows, fork, what, &mut scratch);
    let kept = made.and_then(|(len, leg)| {
        let block = cx.pool.copy_in(scratch.get(..len).unwrap_or(&[]))?;
        Ok((block, leg))
    });
    cx.scratch = scratch;
    kept
}

fn write_copy(
    cx: &Cx,
    flows: &Flows,
    fork: &Fork,
    (request, entry, breadth): (BlockId, Entry, u16),
    out: &mut [u8],
) -> Result<(usize, Leg), Error> {
    let m = cx.message(request).ok_or(Error::Gone)?;
    let set = fork.targets.map_or(&[][..], |b| cx.pool.bytes_of(b));
    let survey = Survey::of(&m, fork.plan);
    let (mut room, mut asserted) = ([0; URI_ROOM], [0; identity::ROOM]);
    let asked = fork.plan.request_uri(&m, &mut room);
    let uri = match entry.uri.of(set) {
        [] => asked,
        target => target,
    };
    let way = Way { uri, hop: entry.hop.of(set), path: entry.path.of(set) };
    let (mut leg, path) = leg_of(cx, flows, &m, &survey, &fork.plan, way, fork.incoming);
    // RFC 5630 3.3.1: what was asked for by a sips URI is not sent to any other.
    leg.lost |= is_secure(asked) && !is_secure(uri);
    let (path, strict) = forward::strict(path);
    let fields = OwnRoutes::of(cx, &m, fork.incoming, &leg, &fork.plan, is_secure(uri));
    let transport = match &leg.hop {
        Ok(Hop::Address { transport, .. } | Hop::Name { transport, .. }) => Some(*transport),
        Err(_) => leg.device.map(|d| cx.transport(d.local)),
    };
    let copy = Copy {
        plan: fork.plan,
        uri,
        path,
        strict,
        record_route: fields.lines(),
        stream: transport.is_some_and(|t| t.is_reliable()),
        source: fork.source,
        realm: cx.config.challenge.own_realm(),
        identity: Identity::of(cx, &m, fork.plan.sender, &leg, &mut asserted),
        breadth: fork.bounded.then_some(breadth),
    };
    let len = forward::write(&m, &survey, &copy, out)?;
    Ok((len, leg))
}
