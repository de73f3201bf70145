//! The stateful proxy: RFC 3261 16.
//!
//! A request that passes the checks of 16.3 gets a server transaction and a response context, the
//! `Fork`. Its targets come from its Route, from its Request-URI, or from the questions
//! [`Locate`](crate::Query::Locate) and [`Route`](crate::Query::Route); each target is a branch with
//! an attempt of its own. What exceeds the room there is, is worked off from a timer due now.

pub(crate) mod authenticate;
mod best;
mod context;
pub(crate) mod edge;
pub(crate) mod flow_token;
mod forward;
mod preprocess;
mod record_route;
mod response;
mod targets;
mod validate;

use crate::attempt::{AttemptHandle, Attempts, Down};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::aor::canonical;
use crate::header::{Essentials, Scheme, Uri};
use crate::limits::Limits;
use crate::path::{Addr, LocalId, Path, Transport};
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Owner, OwnerKind, Query, QueryId, Target};
use crate::store::slab::{Slab, handle};
use crate::store::timers::{TimerId, TimerKey};
use crate::time::Instant;
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::{MessageRef, Method};

use authenticate::{By, Gate, Shown};
use forward::URI_ROOM;
use preprocess::Plan;
pub(crate) use preprocess::is_ours;
#[cfg(feature = "registrar")]
pub(crate) use validate::unsupported;

handle!(
    /// A response context (RFC 3261 16.2).
    ForkHandle
);
handle!(
    /// A branch of a response context.
    BranchHandle
);

/// The part of an owner that stands for no branch: what comes is relayed to the server transaction
/// that the owner names.
const RELAY: u8 = u8::MAX;

/// The layers below.
pub struct ForkLow<'a> {
    /// The attempts.
    pub attempts: &'a mut Attempts,
    /// What is below those.
    pub down: Down<'a>,
}

impl<'a> ForkLow<'a> {
    pub(crate) const fn new(attempts: &'a mut Attempts, down: Down<'a>) -> Self {
        Self { attempts, down }
    }
}

/// A response context: what is known of a request while it is forwarded.
#[derive(Debug)]
struct Fork {
    /// The server transaction; an ACK has none.
    tx: Option<TxHandle>,
    method: Method,
    /// The identity by which the request came.
    incoming: LocalId,
    /// Where it came from, if its top Via does not say so yet.
    source: Option<Addr>,
    plan: Plan,
    /// The request, as long as targets are left.
    request: Option<BlockId>,
    /// The encoded targets, unless the request itself names the only one.
    targets: Option<BlockId>,
    /// Where the next of them begins, and how many are left.
    next: usize,
    left: u8,
    /// How many branches there have been, and how many have not ended.
    parts: u8,
    open: u8,
    first: Option<BranchHandle>,
    asked: Option<QueryId>,
    /// Whether the address of record has had bindings, none of which is left.
    known: bool,
    /// A final response has gone back, or none can any more.
    done: bool,
    /// The caller has given up.
    cancelled: bool,
    /// A target could not even be tried.
    untried: bool,
    opened: Instant,
    timer: Option<(TimerId, Instant)>,
}

/// Whether a branch is to be given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum GiveUp {
    No,
    Wanted,
    Done,
}

/// One target that was tried.
#[derive(Debug)]
struct Branch {
    next: Option<BranchHandle>,
    part: u8,
    /// `None` once it has ended.
    attempt: Option<AttemptHandle>,
    /// When timer C fires.
    deadline: Option<Instant>,
    provisional: bool,
    give_up: GiveUp,
    /// The final status, or that of what stands for it.
    status: u16,
    /// The final response without our Via, while it may be needed.
    response: Option<BlockId>,
}

/// Where the targets of a request come from (RFC 3261 16.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Way {
    /// The request says where it goes.
    Direct,
    /// An address of record of ours.
    Locate,
    /// The application decides.
    Route {
        /// Whether we are responsible for the Request-URI.
        ours: bool,
    },
}

/// The table of response contexts.
#[derive(Debug)]
pub struct Forks {
    forks: Slab<ForkHandle, Fork>,
    branches: Slab<BranchHandle, Branch>,
    most: usize,
}

/// Branches of all contexts together: as many as can be on their way, and as many again that have
/// ended and wait for the others.
const fn all_branches(limits: &Limits) -> usize {
    if limits.forks == 0 { 0 } else { limits.forks + limits.attempts }
}

impl Forks {
    /// A table as `limits` say, for the engine `tag`.
    ///
    /// # Errors
    /// [`Limit::Memory`].
    pub fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        Ok(Self {
            forks: Slab::new(limits.forks, tag, Limit::Forks)?,
            branches: Slab::new(all_branches(limits), tag, Limit::Forks)?,
            // The last number is for what has no branch.
            most: limits.branches.min(254),
        })
    }

    /// The bytes that such a table takes.
    #[must_use]
    pub const fn bytes(limits: &Limits) -> usize {
        Slab::<ForkHandle, Fork>::bytes(limits.forks)
            + Slab::<BranchHandle, Branch>::bytes(all_branches(limits))
    }

    /// How many contexts live.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.forks.len()
    }

    /// Whether none lives.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.forks.is_empty()
    }

    /// A new request that is to be forwarded. May queue output.
    ///
    /// # Errors
    /// `Full`: nothing has changed; the request is refused with 503, or lost.
    pub fn on_request(
        &mut self,
        low: &mut ForkLow<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        if validate::refuse(low.down.tx, low.down.cx, m, e, path)? {
            return Ok(());
        }
        // 16.3 step 6
        let gate = authenticate::judge(low.down.cx, m, path, By::Proxy);
        if let Gate::Closed { stale } = gate {
            return authenticate::refuse(low.down.tx, low.down.cx, (m, e, path), By::Proxy, stale);
        }
        if low.attempts.room() == 0 {
            return Err(Error::Full(Limit::Attempts));
        }
        let Some(uri) = e.uri else { return Ok(()) };
        let plan = Plan::of(low.down.cx, low.down.flows, m, &uri, path);
        if let Some(status) = plan.refusal() {
            let reply = Reply::default();
            return low.down.tx.reply_stateless(low.down.cx, m, e, path, status, &reply).map(drop);
        }
        let h = self.forks.insert(Fork::new(low.down.cx, m.method(), path.local, plan))?;
        let owner = Owner::new(OwnerKind::Fork, h.raw());
        let opened = low.down.tx.open_server(low.down.cx, owner, m, e, path);
        let begun = opened.and_then(|tx| {
            let request = low.down.tx.request(low.down.cx, tx);
            if let (Some(fork), Some(block)) = (self.forks.get_mut(h), request) {
                low.down.cx.pool.hold(block);
                (fork.tx, fork.request) = (Some(tx), Some(block));
            }
            if gate == Gate::Ask {
                let asked = authenticate::ask(low.down.cx, owner, m, path, By::Proxy)?;
                self.forks.live_mut(h)?.asked = Some(asked);
                return Ok(());
            }
            // RFC 3261 17.2.1: nobody knows whether a target answers within 200 ms.
            if m.method() == Method::Invite {
                low.down.tx.reply(low.down.cx, tx, 100, &Reply::default())?;
            }
            self.begin(low, h, m, way(low.down.cx, m, e, plan))
        });
        if begun.is_err() {
            self.undo(low, h);
        }
        begun
    }

    /// An ACK that belongs to no transaction: that of a 2xx. It goes the way of its INVITE, by
    /// itself and without an answer (RFC 3261 16.11, 17.1). May queue output.
    ///
    /// # Errors
    /// `Full`: the ACK is lost.
    pub fn on_ack(
        &mut self,
        low: &mut ForkLow<'_>,
        m: &MessageRef<'_>,
        e: &Essentials,
        path: &Path,
    ) -> Result<(), Error> {
        let Some(uri) = e.uri.filter(|_| validate::refusal(low.down.cx, m, e).is_none()) else {
            return Ok(());
        };
        let plan = Plan::of(low.down.cx, low.down.flows, m, &uri, path);
        if plan.refusal().is_some() {
            return Ok(());
        }
        let h = self.forks.insert(Fork::new(low.down.cx, Method::Ack, path.local, plan))?;
        let begun = low.down.cx.pool.copy_in(m.bytes()).and_then(|block| {
            if let Some(fork) = self.forks.get_mut(h) {
                (fork.request, fork.source) = (Some(block), Some(path.remote));
            }
            self.begin(low, h, m, way(low.down.cx, m, e, plan))
        });
        if begun.is_err() {
            self.undo(low, h);
        }
        begun
    }

    /// Asks for the targets, or sets off to the only one.
    fn begin(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        m: &MessageRef<'_>,
        way: Way,
    ) -> Result<(), Error> {
        let fork = self.forks.live_mut(h)?;
        let mut room = [0; URI_ROOM];
        let uri = fork.plan.request_uri(m, &mut room);
        match way {
            Way::Direct => {
                fork.left = 1;
                self.work(low, h)
            }
            Way::Locate => self.locate(low, h, uri),
            Way::Route { ours } => self.ask_route(low, h, uri, ours),
        }
    }

    fn locate(&mut self, low: &mut ForkLow<'_>, h: ForkHandle, uri: &[u8]) -> Result<(), Error> {
        let cx = &mut *low.down.cx;
        let mut scratch = core::mem::take(&mut cx.scratch);
        let asked = canonical(uri, &mut scratch)
            .ok_or(Error::Full(Limit::MessageBytes))
            .and_then(|aor| self.ask_locate(cx, h, aor));
        cx.scratch = scratch;
        asked
    }

    fn ask_route(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        uri: &[u8],
        ours: bool,
    ) -> Result<(), Error> {
        let fork = self.forks.live_mut(h)?;
        let number = fork.tx.map_or(0, TxHandle::raw);
        // The port of the address is where the record says whether the URI is ours.
        let mark = Addr { port: u16::from(ours), ..Addr::default() };
        let asker = Owner::new(OwnerKind::Fork, h.raw());
        fork.asked =
            Some(low.down.cx.ask(Ask::Route, asker, uri, (mark, Transport::Udp), number)?);
        Ok(())
    }

    /// The answer to a question for targets. May queue output.
    ///
    /// # Errors
    /// `Full`, which cannot be where the row of an answer was checked.
    pub fn on_answer(
        &mut self,
        low: &mut ForkLow<'_>,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let h = ForkHandle::from_raw(query.asker.object);
        let Some(fork) = self.forks.get_mut(h) else { return Ok(()) };
        fork.asked = None;
        if query.ask == Ask::Credentials {
            return self.on_secret(low, h, query, answer);
        }
        match *answer {
            Answer::Located { version, bindings } => {
                fork.known = version > 0;
                let targets = bindings.iter().map(Target::from);
                if self.set_targets(low, h, targets)? {
                    return self.work(low, h);
                }
                self.route_after_locate(low, h)
            }
            Answer::NotFound if query.ask == Ask::Locate => self.route_after_locate(low, h),
            Answer::Route(list) if self.set_targets(low, h, list.iter().copied())? => {
                self.work(low, h)
            }
            // 16.5: a resource none of whose devices is there, or none at all.
            Answer::Route(_) | Answer::NotFound if self.is_known(h) => self.refuse(low, h, 480),
            Answer::Route(_) | Answer::NotFound => self.refuse(low, h, 404),
            Answer::Reject(status @ 300..=699) => self.refuse(low, h, status),
            _ => self.refuse(low, h, 500),
        }
    }

    /// What the request's credentials are worth.
    fn on_secret(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        query: &Query,
        answer: &Answer<'_>,
    ) -> Result<(), Error> {
        let Some(fork) = self.forks.get(h) else { return Ok(()) };
        let (tx, method) = (fork.tx, fork.method);
        let Some(request) = fork.request else { return self.refuse(low, h, 500) };
        if let Answer::Failed = answer {
            return self.refuse(low, h, 500);
        }
        match authenticate::verify(low.down.cx, request, query, answer, By::Proxy) {
            Shown::User => {}
            Shown::Other => return self.refuse(low, h, 403),
            Shown::Nothing { stale } => {
                let ip = query.addr.ip;
                return self.refuse_by(low, h, |down, tx| {
                    authenticate::reply(down.tx, down.cx, (tx, ip), By::Proxy, stale)
                });
            }
        }
        if let Some(tx) = tx.filter(|_| method == Method::Invite) {
            match low.down.tx.reply(low.down.cx, tx, 100, &Reply::default()) {
                Ok(()) | Err(Error::Gone | Error::Late) => {}
                Err(e) => return Err(e),
            }
        }
        match self.begin_stored(low, h, request) {
            Err(Error::Full(_)) => self.refuse(low, h, 503),
            other => other,
        }
    }

    /// As [`begin`](Self::begin), for a request that has waited.
    fn begin_stored(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        request: BlockId,
    ) -> Result<(), Error> {
        let plan = self.forks.live(h)?.plan;
        let mut scratch = core::mem::take(&mut low.down.cx.scratch);
        let mut room = [0; URI_ROOM];
        let cx = &*low.down.cx;
        let found = MessageRef::lazy(cx.pool.bytes_of(request)).and_then(|m| {
            let way = way(cx, &m, &Essentials::of(&m), plan);
            let uri = plan.request_uri(&m, &mut room);
            let len = match way {
                Way::Locate => canonical(uri, &mut scratch)?.len(),
                Way::Direct | Way::Route { .. } => {
                    scratch.get_mut(..uri.len())?.copy_from_slice(uri);
                    uri.len()
                }
            };
            Some((way, len))
        });
        let asked = found.ok_or(Error::Full(Limit::MessageBytes)).and_then(|(way, len)| {
            let text = scratch.get(..len).unwrap_or(&[]);
            match way {
                Way::Locate => self.ask_locate(low.down.cx, h, text)?,
                Way::Route { ours } => self.ask_route(low, h, text, ours)?,
                Way::Direct => {}
            }
            Ok(way)
        });
        low.down.cx.scratch = scratch;
        if asked? == Way::Direct {
            self.forks.live_mut(h)?.left = 1;
            return self.work(low, h);
        }
        Ok(())
    }

    fn ask_locate(&mut self, cx: &mut Cx, h: ForkHandle, aor: &[u8]) -> Result<(), Error> {
        let asker = Owner::new(OwnerKind::Fork, h.raw());
        let about = (Addr::default(), Transport::Udp);
        let fork = self.forks.live_mut(h)?;
        let number = fork.tx.map_or(0, TxHandle::raw);
        fork.asked = Some(cx.ask(Ask::Locate, asker, aor, about, number)?);
        Ok(())
    }

    /// No binding: the application may know a way.
    fn route_after_locate(&mut self, low: &mut ForkLow<'_>, h: ForkHandle) -> Result<(), Error> {
        let Some(fork) = self.forks.get(h) else { return Ok(()) };
        let (plan, request) = (fork.plan, fork.request);
        let mut room = [0; URI_ROOM];
        let mut scratch = core::mem::take(&mut low.down.cx.scratch);
        let message = request.and_then(|b| MessageRef::lazy(low.down.cx.pool.bytes_of(b)));
        let len = message.and_then(|m| {
            let uri = plan.request_uri(&m, &mut room);
            scratch.get_mut(..uri.len())?.copy_from_slice(uri);
            Some(uri.len())
        });
        let uri = scratch.get(..len.unwrap_or(0)).unwrap_or(&[]);
        let asked = self.ask_route(low, h, uri, true);
        low.down.cx.scratch = scratch;
        match asked {
            Err(Error::Full(_)) => self.refuse(low, h, 503),
            other => other,
        }
    }

    /// Whether the address of record has had bindings.
    fn is_known(&self, h: ForkHandle) -> bool {
        self.forks.get(h).is_some_and(|f| f.known)
    }

    /// Keeps a target set. False when there is nothing in it that could be tried.
    fn set_targets<'t>(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        targets: impl Iterator<Item = Target<'t>> + Clone,
    ) -> Result<bool, Error> {
        let fork = self.forks.live_mut(h)?;
        // An ACK goes one way only (16.11).
        let most = if fork.method == Method::Ack { 1 } else { self.most };
        let Cx { pool, scratch, .. } = &mut *low.down.cx;
        let (len, count) = targets::encode(targets, most, scratch)?;
        if count == 0 {
            return Ok(false);
        }
        fork.targets = Some(pool.copy_in(scratch.get(..len).unwrap_or(&[]))?);
        (fork.next, fork.left) = (0, count);
        Ok(true)
    }

    /// The caller's CANCEL has met its INVITE (RFC 3261 16.10); the CANCEL itself is answered.
    /// May queue output.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_cancel(&mut self, low: &mut ForkLow<'_>, from: Owner) -> Result<(), Error> {
        let h = ForkHandle::from_raw(from.object);
        let Some(fork) = self.forks.get_mut(h).filter(|_| from.part != RELAY) else {
            return Ok(());
        };
        if fork.done {
            return Ok(());
        }
        fork.cancelled = true;
        if let Some(query) = fork.asked.take() {
            low.down.cx.forget_query(query);
        }
        self.give_up(low, h);
        self.work(low, h)
    }

    /// A response to a branch (RFC 3261 16.7). May queue output.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_response(
        &mut self,
        low: &mut ForkLow<'_>,
        from: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
        _path: &Path,
    ) -> Result<(), Error> {
        if from.part == RELAY {
            return relay(low, TxHandle::from_raw(from.object), m, e);
        }
        let h = ForkHandle::from_raw(from.object);
        let Some(b) = self.branch(h, from.part) else { return Ok(()) };
        match m.status() {
            ..=199 => self.on_provisional(low, h, b, m, e),
            200..=299 => self.on_success(low, h, b, m, e),
            _ => self.on_refusal(low, h, b, m, e),
        }
    }

    /// A 2xx to an INVITE on a branch that has refused: from another fork beyond. It goes back, as long
    /// as no final response has (RFC 3261 16.7 step 5). May queue output.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_late_success(
        &mut self,
        low: &mut ForkLow<'_>,
        from: Owner,
        m: &MessageRef<'_>,
        e: &Essentials,
    ) -> Result<(), Error> {
        if from.part == RELAY {
            return relay(low, TxHandle::from_raw(from.object), m, e);
        }
        let h = ForkHandle::from_raw(from.object);
        let open = self.forks.get(h).is_some_and(|f| !f.done && f.method == Method::Invite);
        match self.refused_branch(h, from.part).filter(|_| open) {
            Some(b) => self.on_success(low, h, b, m, e),
            None => Ok(()),
        }
    }

    /// A branch has failed without a response: nobody answered, which is as good as a 408 (16.6
    /// step 7), or there was no way, which is as good as a 503 (16.9). May queue output.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_failure(
        &mut self,
        low: &mut ForkLow<'_>,
        from: Owner,
        why: Failure,
    ) -> Result<(), Error> {
        if from.part == RELAY {
            return Ok(());
        }
        let h = ForkHandle::from_raw(from.object);
        let Some(b) = self.branch(h, from.part) else { return Ok(()) };
        let cancelled = self.forks.get(h).is_some_and(|f| f.cancelled);
        let status = match why {
            // 9.1: an INVITE that was cancelled and never answered counts as cancelled.
            _ if cancelled => 487,
            Failure::Transport => 503,
            _ => 408,
        };
        self.end_branch(h, b, status);
        self.work(low, h)
    }

    /// The server transaction has failed. A response that could not be sent is dropped (16.9);
    /// one that has ended takes no response any more.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_server_failure(
        &mut self,
        low: &mut ForkLow<'_>,
        from: Owner,
        _why: Failure,
    ) -> Result<(), Error> {
        let h = ForkHandle::from_raw(from.object);
        let Some(fork) = self.forks.get_mut(h).filter(|_| from.part != RELAY) else {
            return Ok(());
        };
        if fork.tx.is_some_and(|tx| low.down.tx.state(tx).is_some()) {
            return Ok(());
        }
        fork.done = true;
        if let Some(query) = fork.asked.take() {
            low.down.cx.forget_query(query);
        }
        self.drop_targets(low.down.cx, h);
        self.work(low, h)
    }

    /// A timer of ours has fired: timer C of a branch (RFC 3261 16.8), or work that waited for
    /// room. May queue output.
    ///
    /// # Errors
    /// As [`on_answer`](Self::on_answer).
    pub fn on_timer(&mut self, low: &mut ForkLow<'_>, key: TimerKey) -> Result<(), Error> {
        let h = ForkHandle::from_raw(key.object);
        let Some(fork) = self.forks.get_mut(h) else { return Ok(()) };
        fork.timer = None;
        self.timer_c(low, h);
        self.work(low, h)
    }
}

/// A further 2xx to an INVITE that has been answered: at once to its server transaction (16.7
/// step 5). Without one it is dropped (RFC 6026 7.1).
fn relay(
    low: &mut ForkLow<'_>,
    tx: TxHandle,
    m: &MessageRef<'_>,
    e: &Essentials,
) -> Result<(), Error> {
    if !(200..300).contains(&m.status()) || low.down.tx.state(tx).is_none() {
        return Ok(());
    }
    let Some(block) = response::without_via(low.down.cx, m, e)? else { return Ok(()) };
    match low.down.tx.respond(low.down.cx, tx, m.status(), block) {
        Err(e @ Error::Full(_)) => Err(e),
        _ => {
            // The callee repeats its 2xx; nothing of it is kept here.
            low.down.tx.forget_response(low.down.cx, tx);
            Ok(())
        }
    }
}

// RFC 3261 16.5
fn way(cx: &Cx, m: &MessageRef<'_>, e: &Essentials, plan: Plan) -> Way {
    if plan.leaves_route(m) {
        return Way::Direct;
    }
    let mut room = [0; URI_ROOM];
    let text = plan.request_uri(m, &mut room);
    let Ok(uri) = Uri::parse(text) else { return Way::Direct };
    if uri.scheme == Scheme::Tel {
        return Way::Route { ours: true };
    }
    if is_ours(cx, text, &uri) && uri.maddr.is_empty() {
        return if uri.user.is_empty() { Way::Route { ours: true } } else { Way::Locate };
    }
    let in_dialog = e.to.is_some_and(|to| !to.tag.is_empty());
    if in_dialog { Way::Direct } else { Way::Route { ours: false } }
}
