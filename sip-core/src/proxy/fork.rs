//! What is known of a request while it is forwarded, and of each target that was tried.

use super::BranchHandle;
use super::disposition::Disposition;
use super::early;
use super::late::More;
use super::preprocess::Plan;
use super::schedule::breadth;
use crate::attempt::AttemptHandle;
use crate::cx::Cx;
use crate::header::Essentials;
use crate::path::{Addr, LocalId};
use crate::store::pool::BlockId;
use crate::store::queries::QueryId;
use crate::store::timers::TimerId;
use crate::time::Instant;
use crate::tx::{LoopMark, TxHandle};
use crate::wire::{MessageRef, Method};

/// A response context: what is known of a request while it is forwarded.
#[derive(Debug)]
pub(super) struct Fork {
    /// The server transaction; an ACK has none.
    pub(super) tx: Option<TxHandle>,
    pub(super) method: Method,
    /// The identity by which the request came.
    pub(super) incoming: LocalId,
    /// Where it came from, if its top Via does not say so yet.
    pub(super) source: Option<Addr>,
    pub(super) plan: Plan,
    /// How its targets are worked on.
    pub(super) how: Disposition,
    /// What its copies are known by if they come back.
    pub(super) mark: Option<LoopMark>,
    /// The request, as long as targets may be tried.
    pub(super) request: Option<BlockId>,
    /// The encoded targets, tried or not, unless the request itself names the only one.
    pub(super) targets: Option<BlockId>,
    /// Where the next of them begins, and how many are left.
    pub(super) next: usize,
    pub(super) left: u8,
    /// How many branches there have been, and how many have not ended.
    pub(super) parts: u8,
    pub(super) open: u8,
    pub(super) first: Option<BranchHandle>,
    pub(super) asked: Option<QueryId>,
    /// How many branches it may still have, here and further on (RFC 5393 5.3.3).
    pub(super) breadth: u16,
    /// Whether that is a number that the copies tell.
    pub(super) bounded: bool,
    /// The rank of the targets that are being tried, and since when.
    pub(super) group: u32,
    pub(super) group_at: Instant,
    /// Whether further targets may come.
    pub(super) more: More,
    /// Some have come while others were tried.
    pub(super) late: bool,
    /// We are responsible for its Request-URI (16.5).
    pub(super) ours: bool,
    /// Its targets are named by others.
    pub(super) routed: bool,
    /// The caller wants to know of early dialogs that have ended (RFC 6228).
    pub(super) wants_199: bool,
    /// Whether the address of record has had bindings, none of which is left.
    pub(super) known: bool,
    /// No target is tried any more (16.7 step 5).
    pub(super) closed: bool,
    /// One was not tried because it would have been a branch too many.
    pub(super) lacked: bool,
    /// A final response has gone back, or none can any more.
    pub(super) done: bool,
    /// The caller has given up.
    pub(super) cancelled: bool,
    /// A target could not even be tried.
    pub(super) untried: bool,
    pub(super) opened: Instant,
    pub(super) timer: Option<(TimerId, Instant)>,
}

/// Whether a branch is to be given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum GiveUp {
    No,
    Wanted,
    Done,
}

/// One target that was tried.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) next: Option<BranchHandle>,
    pub(super) part: u8,
    /// `None` once it has ended.
    pub(super) attempt: Option<AttemptHandle>,
    /// When timer C fires.
    pub(super) deadline: Option<Instant>,
    pub(super) provisional: bool,
    pub(super) give_up: GiveUp,
    /// The final status, or that of what stands for it.
    pub(super) status: u16,
    /// The final response without our Via, while it may be needed.
    pub(super) response: Option<BlockId>,
    /// The tags of its early dialogs, if they are to be told of.
    pub(super) tags: Option<BlockId>,
    /// The branches that may come of it.
    pub(super) breadth: u16,
    /// A mark of the device that it leads to; 0 if that is not known.
    pub(super) device: u64,
}

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
    pub(super) const fn is_idle(&self) -> bool {
        self.open == 0 && self.left == 0 && self.asked.is_none()
    }

    /// Whether a final response is due: nothing is being tried, nor will be.
    pub(super) const fn is_settled(&self) -> bool {
        self.is_idle() && !self.more.is_open()
    }
}

impl Branch {
    pub(super) const fn new(part: u8, next: Option<BranchHandle>) -> Self {
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
