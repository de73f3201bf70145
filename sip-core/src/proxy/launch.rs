//! Trying a target: its copy of the request, its branch and its attempt (RFC 3261 16.6).

use super::forward::{self, Copy, Leg, Survey, URI_ROOM, Way, leg_of};
use super::identity::{self, Identity};
use super::preprocess::is_secure;
use super::record_route::OwnRoutes;
use super::schedule::next_entry;
use super::targets::Entry;
use super::{Branch, BranchHandle, Fork, ForkHandle, ForkLow, Forks, GiveUp};
use crate::attempt::{FromAttempt, Start};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::flow::Flows;
use crate::resolve::Hop;
use crate::store::pool::BlockId;
use crate::store::queries::{Owner, OwnerKind};
use crate::wire::Method;

/// Bytes that a request grows by on its way, the target's URI apart.
const GROWTH: usize = 400;

impl Forks {
    /// Tries the next target (16.6). `Full` of outputs or blocks changes nothing; another table
    /// that is full counts as a branch without a way.
    pub(super) fn launch(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        breadth: u16,
    ) -> Result<(), Error> {
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
    pub(super) fn set_off(
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
    pub(super) fn skip(&mut self, cx: &Cx, h: ForkHandle) {
        let Some(fork) = self.forks.get_mut(h) else { return };
        fork.next = next_entry(cx, fork).next;
        fork.left = fork.left.saturating_sub(1);
        fork.parts = fork.parts.saturating_add(1);
        fork.lacked = true;
    }

    /// The device's connection is there no more: for the others it is not there (RFC 5626 5.3).
    pub(super) fn lose_branch(&mut self, h: ForkHandle, b: BranchHandle) {
        if let Some(branch) = self.branches.get_mut(b) {
            (branch.status, branch.give_up) = (430, GiveUp::Done);
        }
        if let Some(fork) = self.forks.get_mut(h) {
            fork.first = Some(b);
        }
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
