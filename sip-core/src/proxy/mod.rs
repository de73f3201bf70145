//! The stateful proxy: RFC 3261 16.
//!
//! A request that passes the checks of 16.3 gets a server transaction and a response context, the
//! `Fork`. Its targets come from its Route, from its Request-URI, or from the questions
//! [`Locate`](crate::Query::Locate) and [`Route`](crate::Query::Route); each target is a branch with
//! an attempt of its own. What exceeds the room there is, is worked off from a timer due now.

mod admit;
pub(crate) mod authenticate;
mod best;
mod choose;
mod context;
mod disposition;
mod early;
pub(crate) mod edge;
mod feature;
mod flow_token;
mod fork;
mod forward;
pub(crate) mod gruu;
mod identity;
mod instance;
mod late;
mod launch;
mod loops;
mod outcome;
mod preferences;
mod preprocess;
mod record_route;
mod recurse;
mod redirect;
mod response;
mod schedule;
mod stateless;
mod targets;
mod validate;

use crate::attempt::{Attempts, Down};
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::header::{Essentials, Scheme, Uri};
use crate::limits::Limits;
use crate::path::{Addr, Path, Transport};
use crate::store::pool::BlockId;
use crate::store::queries::{Answer, Ask, Owner, OwnerKind, Query, Target};
use crate::store::slab::{Slab, handle};
use crate::store::timers::TimerKey;
use crate::tx::{Failure, Reply, TxHandle};
use crate::wire::{MessageRef, Method};

use authenticate::{By, Gate, Shown};
pub(crate) use flow_token::is_token as is_flow_token;
use fork::{Branch, Fork, GiveUp};
use forward::URI_ROOM;
use gruu::Wanted;
use identity::Sender;
use late::More;
use preprocess::Plan;
pub(crate) use preprocess::is_ours;
#[cfg(feature = "registrar")]
pub(crate) use record_route::OwnRoutes;
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

/// The kind of an event record: nothing is left to try of a request that waits for late targets.
pub(crate) const EVENT_EXHAUSTED: u16 = 0x601;

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

/// What has become of the question for targets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Found {
    Targets,
    Nothing,
    /// None suits the caller.
    Unsuited,
    /// None has a sips URI.
    Insecure,
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
        self.admit(low, e)?;
        let Some(uri) = e.uri else { return Ok(()) };
        // 16.3 step 4
        let mark = loops::mark(low.down.cx, m, e);
        if loops::is_loop(low.down.cx, m, e, mark) {
            let reply = Reply::default();
            return low.down.tx.reply_stateless(low.down.cx, m, e, path, 482, &reply).map(drop);
        }
        let plan = Plan::of(low.down.cx, low.down.flows, m, &uri, path);
        if let Some(status) = plan.refusal() {
            let reply = Reply::default();
            return low.down.tx.reply_stateless(low.down.cx, m, e, path, status, &reply).map(drop);
        }
        if gate == Gate::Open && stateless::pass(low, (m, e, path), &plan)? {
            return Ok(());
        }
        let h = self.forks.insert(Fork::of(low.down.cx, (m, e), path.local, plan, mark))?;
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
        if plan.refusal().is_some() || stateless::pass(low, (m, e, path), &plan)? {
            return Ok(());
        }
        let h = self.forks.insert(Fork::new(low.down.cx, Method::Ack, path.local, plan))?;
        let begun = low.down.cx.copy_message(m).and_then(|block| {
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
        fork.take(way);
        match way {
            Way::Direct => {
                fork.left = 1;
                self.work(low, h)
            }
            Way::Locate => self.locate(low, h, uri),
            Way::Route { ours } => self.ask_route(low, h, uri, ours),
        }
    }

    /// Which bindings a request is for.
    fn wanted(&self, cx: &Cx, h: ForkHandle) -> Wanted {
        let fork = self.forks.get(h);
        let found = fork.and_then(|fork| {
            let m = MessageRef::lazy(cx.pool.bytes_of(fork.request?))?;
            let mut room = [0; URI_ROOM];
            Some(Wanted::of(cx, fork.plan.request_uri(&m, &mut room)))
        });
        found.unwrap_or(Wanted::Any)
    }

    fn locate(&mut self, low: &mut ForkLow<'_>, h: ForkHandle, uri: &[u8]) -> Result<(), Error> {
        let cx = &mut *low.down.cx;
        let mut scratch = core::mem::take(&mut cx.scratch);
        let asked = gruu::aor(cx, uri, &mut scratch)
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
                let wanted = self.wanted(low.down.cx, h);
                let keyer = low.down.cx.shared;
                let meant = bindings.iter().filter(|b| wanted.fits(&keyer, b));
                match self.set_targets(low, h, meant.map(Target::from))? {
                    // RFC 5627 5.5: the device is not there.
                    Found::Nothing if wanted.is_one() && version > 0 => self.refuse(low, h, 480),
                    Found::Nothing => self.route_after_locate(low, h),
                    found => self.try_found(low, h, found),
                }
            }
            Answer::NotFound if query.ask == Ask::Locate => self.route_after_locate(low, h),
            Answer::Route(list) => {
                let found = self.set_targets(low, h, list.iter().copied())?;
                self.try_found(low, h, found)
            }
            Answer::NotFound => self.try_found(low, h, Found::Nothing),
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
            Shown::User => self.forks.live_mut(h)?.plan.sender = Sender::User,
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
        low.down.cx.index(request);
        let cx = &*low.down.cx;
        let found = cx.message(request).and_then(|m| {
            let way = way(cx, &m, &Essentials::of(&m), plan);
            let uri = plan.request_uri(&m, &mut room);
            let len = match way {
                Way::Locate => gruu::aor(cx, uri, &mut scratch)?.len(),
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
        let (way, fork) = (asked?, self.forks.live_mut(h)?);
        fork.take(way);
        if way == Way::Direct {
            fork.left = 1;
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
        let message = request.and_then(|b| low.down.cx.message(b));
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

    /// Keeps a target set.
    fn set_targets<'t>(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        targets: impl Iterator<Item = Target<'t>> + Clone,
    ) -> Result<Found, Error> {
        let chosen = self.add_ranked(low.down.cx, h, targets)?;
        let fork = self.forks.live(h)?;
        Ok(match fork.left {
            0 if chosen.insecure => Found::Insecure,
            0 if chosen.unsuited => Found::Unsuited,
            0 => Found::Nothing,
            _ => Found::Targets,
        })
    }

    /// Goes on with the targets that were found, or without any.
    fn try_found(
        &mut self,
        low: &mut ForkLow<'_>,
        h: ForkHandle,
        found: Found,
    ) -> Result<(), Error> {
        let Some(fork) = self.forks.get(h) else { return Ok(()) };
        match found {
            Found::Targets if fork.how.redirects && fork.ours && fork.tx.is_some() => {
                self.redirect(low, h)
            }
            Found::Targets => self.work(low, h),
            // Others may come.
            _ if fork.more.is_open() => self.work(low, h),
            // RFC 5630 5.3
            Found::Insecure => self.refuse_insecure(low, h),
            // RFC 3841 7.2.4
            Found::Unsuited => self.refuse(low, h, 480),
            Found::Nothing => {
                let status = fork.nobody();
                self.refuse(low, h, status)
            }
        }
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
        self.early_ended(low, h, b, status);
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
        if matches!(fork.more, More::Until(at) if at <= low.down.cx.now) {
            fork.more = More::No;
        }
        self.timer_c(low, h);
        self.group_over(low, h);
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
    let (text, uri) = match e.uri.filter(|_| !plan.restored && !plan.stripped) {
        Some(uri) => (m.bytes(), uri),
        None => {
            let text = plan.request_uri(m, &mut room);
            let Ok(uri) = Uri::parse(text) else { return Way::Direct };
            (text, uri)
        }
    };
    if uri.scheme == Scheme::Tel {
        return Way::Route { ours: true };
    }
    if is_ours(cx, text, &uri) && uri.maddr.is_empty() {
        return if uri.user.is_empty() { Way::Route { ours: true } } else { Way::Locate };
    }
    if e.has_to_tag() { Way::Direct } else { Way::Route { ours: false } }
}
