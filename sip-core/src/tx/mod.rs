//! The four transactions of RFC 3261 17, with RFC 6026, RFC 4320 and merged requests (8.2.2.2).
//!
//! [`Transactions`] is a table of plain records. What each does on an event is in [`table`]; who
//! belongs to which is in the matching rules of 17.1.3 and 17.2.3. It owns no clock and no socket:
//! it puts bytes into the output ring of [`Cx`] and arms timers there. Whoever wants transactions
//! and nothing else takes [`alone::TransactionLayer`].
//!
//! An object here costs nothing while it waits: a step is a look-up in the index, a cell of the
//! table, and one or two timers of the common heap.

mod address;
pub mod alone;
mod build;
mod cells;
mod client;
mod key;
mod lists;
mod server;
mod sources;
pub mod table;
mod timers;

#[cfg(test)]
mod bounds_test;
#[cfg(test)]
mod cells_test;
#[cfg(test)]
mod matching_test;
#[cfg(test)]
mod schedule_test;
#[cfg(test)]
mod testing;

use alloc::vec::Vec;

use crate::cx::{Cx, Token, base32, unbase32};
use crate::error::{Error, Limit};
use crate::limits::Limits;
use crate::path::{FlowId, Path};
use crate::store::index::{Index, Key};
use crate::store::pool::BlockId;
use crate::store::queries::Owner;
use crate::store::reserve;
use crate::store::slab::{Slab, handle};
use crate::wire::{Method, Name};
use lists::{Links, List};
use sources::Sources;
use table::{Cell, Machine, State};
use timers::{Armed, Kind};

handle!(
    /// A transaction.
    TxHandle
);

/// What the branches of a request that is forwarded end with, by which it is known again when it
/// comes back (RFC 5393 4.2.1).
pub type LoopMark = Token<6>;

/// A branch of ours: the cookie of RFC 3261 8.1.1.7, 80 random bits, the mark of the shard, and a
/// proxy's mark of the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Branch {
    text: [u8; Self::MARKED],
    marked: bool,
}

impl Branch {
    /// Its length.
    pub const LEN: usize = 25;
    /// With a proxy's mark.
    pub const MARKED: usize = Self::LEN + 6;

    /// The characters, cookie included.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = if self.marked { Self::MARKED } else { Self::LEN };
        self.text.get(..len).unwrap_or(&[])
    }

    /// It with this mark behind it.
    #[must_use]
    pub fn with(mut self, mark: LoopMark) -> Self {
        for (to, from) in self.text.iter_mut().skip(Self::LEN).zip(mark.as_bytes()) {
            *to = *from;
        }
        self.marked = true;
        self
    }

    /// The branch that is computed from this key.
    #[cfg(feature = "proxy")]
    pub(crate) fn computed(key: Key, shard: u8) -> Self {
        Self::new(base32(key.bits()), shard)
    }

    fn new(random: Token<16>, shard: u8) -> Self {
        let Token(shard) = base32::<2>(u128::from(shard));
        let mut text = *b"z9hG4bK________________________";
        if let Some((word, more)) = text[7..].split_first_chunk_mut::<16>()
            && let Some((end, _)) = more.split_first_chunk_mut()
        {
            (*word, *end) = (random.0, shard);
        }
        Self { text, marked: false }
    }

    /// The mark in a branch that is made as ours are.
    #[must_use]
    pub fn shard_of(branch: &[u8]) -> Option<u8> {
        let (made, mark) = branch.split_at_checked(Self::LEN.saturating_sub(2))?;
        let random = made.strip_prefix(b"z9hG4bK").and_then(unbase32);
        u8::try_from(unbase32(mark).filter(|_| mark.len() == 2 && random.is_some())?).ok()
    }
}

/// What became of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromResponse {
    /// The transaction has dealt with it.
    Absorbed,
    /// It is for the user of the transaction.
    Response {
        /// The client transaction.
        tx: TxHandle,
        /// Its owner.
        owner: Owner,
    },
    /// It matches no transaction (RFC 3261 18.1.2, RFC 6026 7.2).
    Stray,
}

/// What became of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromRequest {
    /// A repetition: absorbed, the last response sent again where the table says so.
    Repeated,
    /// The ACK of a 2xx that came with the INVITE's branch (RFC 6026 7.1): for the user.
    Ack {
        /// The INVITE server transaction.
        tx: TxHandle,
        /// Its owner.
        owner: Owner,
    },
    /// The ACK of a 300-699, which ends here.
    Absorbed,
    /// A new CANCEL, and the INVITE that it is about, if there is one (RFC 3261 9.2).
    Cancel {
        /// The INVITE server transaction and its owner.
        invite: Option<(TxHandle, Owner)>,
    },
    /// The same request has come by another way and is being worked on (RFC 3261 8.2.2.2): a user
    /// agent answers 482, a proxy takes it as new.
    Merged,
    /// A new request, or an ACK that belongs to no transaction.
    New,
    /// A new request whose responses have nowhere to go: no usable Via, or the address is
    /// broadcast, multicast, unspecified or ourselves.
    Unanswerable,
}

/// Why a transaction failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// Nothing came in time, or nothing can come any more.
    Timeout,
    /// The transport reported an error. An INVITE server transaction lives on (RFC 6026 8.8).
    Transport,
    /// The ACK for a 300-699 never came.
    NoAck,
    /// Its user gave up before anything was sent. The transactions themselves never say so.
    Cancelled,
}

/// What became of a timer or of a transport error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FromTimer {
    /// Nothing that its user must know.
    Nothing,
    /// The transaction failed. It is gone, unless [`Transactions::state`] still knows it.
    Failed {
        /// The transaction.
        tx: TxHandle,
        /// Its owner.
        owner: Owner,
        /// Why.
        why: Failure,
    },
}

/// What a response has besides what it copies from its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reply<'a> {
    /// The tag for a To that has none. Without it one is computed from the request, except in a
    /// 100.
    pub to_tag: Option<&'a [u8]>,
    /// The reason phrase, in place of the usual one.
    pub reason: Option<&'a str>,
    /// Whether to copy Record-Route (RFC 3261 12.1.1).
    pub record_route: bool,
    /// The value of Contact.
    pub contact: Option<&'a [u8]>,
    /// Further header fields, in this order.
    pub extra: &'a [(Name, &'a [u8])],
    /// Further header fields by name, after those.
    pub named: &'a [(&'a str, &'a str)],
    /// Content-Type and body.
    pub body: Option<(&'a [u8], &'a [u8])>,
    /// The rest of the message, written before, in place of `named` and `body`: fields,
    /// Content-Type, Content-Length, the empty line and the body. The hold stays the caller's.
    pub rest: Option<BlockId>,
}

/// What differs between clients and servers.
#[derive(Clone, Copy, Debug)]
enum Side {
    Client {
        /// Who owns the CANCEL that waits for a provisional response.
        cancel: Owner,
    },
    Server {
        /// Under [`Flags::MERGED`].
        merged: Key,
        /// Bytes that the source sent for this transaction.
        paid: u32,
        /// Bytes that we sent for it.
        sent: u32,
    },
}

/// Small facts about a transaction.
#[derive(Clone, Copy, Debug, Default)]
struct Flags(u8);

impl Flags {
    const RELIABLE: u8 = 1;
    /// It holds the key of its merged requests.
    const MERGED: u8 = 1 << 1;
    /// The user wants it cancelled.
    const CANCEL: u8 = 1 << 2;
    /// The CANCEL is out.
    const CANCELLED: u8 = 1 << 3;
    /// The request had no To tag, so that the response's is one of ours.
    const INITIAL: u8 = 1 << 4;
    /// It is in the list of its flow.
    const ON_FLOW: u8 = 1 << 5;
    /// It is in a list of those that only absorb.
    const ABSORBS: u8 = 1 << 6;

    const fn has(self, flag: u8) -> bool {
        self.0 & flag != 0
    }

    fn set(&mut self, flag: u8, on: bool) {
        if on {
            self.0 |= flag;
        } else {
            self.0 &= !flag;
        }
    }
}

/// A transaction.
#[derive(Clone, Copy, Debug)]
struct Tx {
    key: Key,
    side: Side,
    owner: Owner,
    /// Where it sends.
    path: Path,
    request: Option<BlockId>,
    /// The last response of a server, the ACK of an INVITE client.
    second: Option<BlockId>,
    repeat: Option<Armed>,
    end: Option<Armed>,
    absorb: Links,
    on_flow: Links,
    /// The last response sent or received.
    status: u16,
    /// How often the message that it repeats has been repeated.
    copies: u16,
    /// How often timer A, E or G has fired.
    fires: u8,
    machine: Machine,
    state: State,
    method: Method,
    flags: Flags,
    /// The place of its source, of a server transaction.
    source: u16,
}

/// What a new transaction is made of.
struct Opening {
    machine: Machine,
    key: Key,
    side: Side,
    owner: Owner,
    path: Path,
    request: BlockId,
    method: Method,
    flags: Flags,
}

impl Tx {
    /// A new transaction; the transport of its identity says whether it is reliable.
    fn new(cx: &Cx, o: Opening) -> Self {
        let reliable = o.path.flow.is_some() || cx.transport(o.path.local).is_reliable();
        let mut flags = o.flags;
        flags.set(Flags::RELIABLE, reliable);
        Self {
            key: o.key,
            side: o.side,
            owner: o.owner,
            path: o.path,
            request: Some(o.request),
            second: None,
            repeat: None,
            end: None,
            absorb: Links::ALONE,
            on_flow: Links::ALONE,
            status: 0,
            copies: 0,
            fires: 0,
            machine: o.machine,
            state: o.machine.begin(reliable).next,
            method: o.method,
            flags,
            source: 0,
        }
    }

    fn is_reliable(&self) -> bool {
        self.flags.has(Flags::RELIABLE)
    }

    fn step(&self, event: table::Event) -> Cell {
        table::step(self.machine, self.state, event, self.is_reliable())
    }

    /// Whether all it does is absorb repetitions: timers I, J, K or D run.
    const fn absorbs(&self) -> bool {
        match self.state {
            State::Confirmed => true,
            State::Completed => !matches!(self.machine, Machine::InviteServer),
            _ => false,
        }
    }
}

/// All transactions.
#[derive(Debug)]
pub struct Transactions {
    table: Slab<TxHandle, Tx>,
    keys: Index,
    merged: Index,
    /// From a flow to the first of its transactions: its slot, plus one.
    flows: Index,
    /// Those that only absorb, oldest first: timers I, J and K.
    absorbing: List,
    /// The same: timer D.
    absorbing_d: List,
    /// Accepted INVITEs whose users can do without.
    spare: List,
    absorbers: usize,
    refused: Refused,
    sources: Sources,
    /// What was found of the request that came last.
    fresh: Option<server::Fresh>,
}

/// The last INVITEs in a dialog that were refused without a transaction.
#[derive(Debug)]
struct Refused {
    keys: Vec<Key>,
    places: usize,
    /// The place of the oldest.
    next: usize,
}

impl Refused {
    /// Few enough to be looked through for each ACK that matches nothing.
    const fn places(limits: &Limits) -> usize {
        let quarter = limits.transactions.div_ceil(4);
        if quarter < 64 { quarter } else { 64 }
    }

    fn new(limits: &Limits) -> Result<Self, Error> {
        let places = Self::places(limits);
        Ok(Self { keys: reserve(places)?, places, next: 0 })
    }

    fn has(&self, key: Key) -> bool {
        self.keys.contains(&key)
    }

    /// The oldest gives way.
    fn note(&mut self, key: Key) {
        if self.has(key) {
            return;
        }
        match self.keys.get_mut(self.next) {
            Some(oldest) => *oldest = key,
            None => self.keys.push(key),
        }
        let next = self.next.saturating_add(1);
        self.next = if next < self.places { next } else { 0 };
    }
}

impl Transactions {
    /// A table as `limits` say, for the engine `tag`.
    ///
    /// # Errors
    /// [`Limit::Memory`].
    pub fn new(limits: &Limits, tag: u8) -> Result<Self, Error> {
        let n = limits.transactions;
        Ok(Self {
            table: Slab::new(n, tag, Limit::Transactions)?,
            keys: Index::new(n)?,
            merged: Index::new(n)?,
            flows: Index::new(n)?,
            absorbing: List::EMPTY,
            absorbing_d: List::EMPTY,
            spare: List::EMPTY,
            absorbers: 0,
            refused: Refused::new(limits)?,
            sources: Sources::new(limits)?,
            fresh: None,
        })
    }

    /// The bytes that such a table takes.
    #[must_use]
    pub const fn bytes(limits: &Limits) -> usize {
        Slab::<TxHandle, Tx>::bytes(limits.transactions)
            + 3 * Index::bytes(limits.transactions)
            + Refused::places(limits) * size_of::<Key>()
            + Sources::bytes(limits)
    }

    /// A branch that nobody can guess, with the mark of our shard.
    pub fn new_branch(cx: &mut Cx) -> Branch {
        Branch::new(cx.tag(), cx.config.shard)
    }

    /// Changes who gets what comes back.
    pub fn set_owner(&mut self, tx: TxHandle, owner: Owner) {
        if let Some(t) = self.table.get_mut(tx) {
            t.owner = owner;
        }
    }

    /// The stored request, as long as the transaction needs it: until the final response. An INVITE
    /// that was answered provisionally has lost at least its body. The top Via of
    /// a received request is marked with its source (RFC 3261 18.2.1, RFC 3581).
    #[must_use]
    pub fn request(&self, _cx: &Cx, tx: TxHandle) -> Option<BlockId> {
        self.table.get(tx)?.request
    }

    /// The last response of a server transaction.
    #[must_use]
    pub fn last_response(&self, tx: TxHandle) -> Option<BlockId> {
        self.table.get(tx).filter(|t| t.machine.is_server())?.second
    }

    /// Lets go of the 2xx of an accepted INVITE, which the table itself never repeats, where its
    /// user does not repeat it from here either: a proxy.
    pub fn forget_response(&mut self, cx: &mut Cx, tx: TxHandle) {
        let Some(t) = self.table.get_mut(tx).filter(|t| t.state == State::Accepted) else { return };
        if let Some(block) = t.second.take() {
            cx.pool.release(block);
        }
    }

    /// The user of an accepted INVITE can do without it: each 2xx that may still come finds its
    /// dialog, or the ACK has come. From now on it only absorbs repetitions, and gives way after all
    /// others that do.
    pub fn spare(&mut self, tx: TxHandle) {
        if self.table.get(tx).is_some_and(|t| t.state == State::Accepted) {
            self.join_absorbing(tx);
        }
    }

    /// Where the transaction sends.
    #[must_use]
    pub fn path(&self, tx: TxHandle) -> Option<Path> {
        self.table.get(tx).map(|t| t.path)
    }

    /// Who gets what comes back.
    #[must_use]
    pub fn owner(&self, tx: TxHandle) -> Option<Owner> {
        self.table.get(tx).map(|t| t.owner)
    }

    /// The method of the request.
    #[must_use]
    pub fn method(&self, tx: TxHandle) -> Option<Method> {
        self.table.get(tx).map(|t| t.method)
    }

    /// The status of the last response sent or received; 0 before the first.
    #[must_use]
    pub fn status(&self, tx: TxHandle) -> Option<u16> {
        self.table.get(tx).map(|t| t.status)
    }

    /// The state; `None` for one that has ended.
    #[must_use]
    pub fn state(&self, tx: TxHandle) -> Option<State> {
        self.table.get(tx).map(|t| t.state)
    }

    /// Which of the four it is.
    #[must_use]
    pub fn machine(&self, tx: TxHandle) -> Option<Machine> {
        self.table.get(tx).map(|t| t.machine)
    }

    /// Whether it answers a request.
    #[must_use]
    pub fn is_server(&self, tx: TxHandle) -> bool {
        self.table.get(tx).is_some_and(|t| t.machine.is_server())
    }

    /// Ends a transaction whose owner has given up. Nothing is sent.
    pub fn end(&mut self, cx: &mut Cx, tx: TxHandle) {
        self.remove(cx, tx);
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Whether `n` more can be opened, if those that only absorb give way.
    #[must_use]
    pub const fn room_for(&self, n: usize) -> bool {
        self.table.room() + self.absorbers >= n
    }

    /// How many more fit without any giving way.
    #[must_use]
    pub const fn room(&self) -> usize {
        self.table.room()
    }

    /// Whether the source of a request has as many transactions open as it may have.
    #[must_use]
    pub fn is_source_full(&self, cx: &Cx, path: &Path) -> bool {
        let place = self.sources.place(cx, path.remote.ip);
        self.sources.is_full(cx, place) && !cx.config.is_trusted(path.remote.ip)
    }

    /// The oldest transaction that only absorbs repetitions gives way: first those with timers I, J
    /// and K, then those with timer D, then accepted INVITEs that can be spared. False when there is
    /// none.
    pub fn make_room(&mut self, cx: &mut Cx) -> bool {
        let lists = [&self.absorbing, &self.absorbing_d, &self.spare];
        let Some(tx) = lists.into_iter().find_map(|l| l.first(&self.table)) else { return false };
        self.remove(cx, tx);
        true
    }

    /// Puts a new transaction into the table and its lists, and starts its timers.
    fn admit(&mut self, cx: &mut Cx, tx: Tx) -> Result<TxHandle, Error> {
        if self.table.room() == 0 {
            self.make_room(cx);
        }
        let begin = tx.machine.begin(tx.is_reliable());
        let h = self.table.insert(tx)?;
        self.keys.insert(tx.key, h.raw());
        self.sources.add(tx.source);
        if let Some(flow) = tx.path.flow {
            self.join_flow(cx, h, flow);
        }
        self.start_timers(cx, h, begin);
        Ok(h)
    }

    /// Takes a transaction out with all that it holds.
    fn remove(&mut self, cx: &mut Cx, h: TxHandle) {
        self.leave_absorbing(h);
        self.leave_flow(cx, h);
        let Some(tx) = self.table.remove(h) else { return };
        self.keys.remove(tx.key, h.raw());
        self.sources.remove(tx.source);
        if let Side::Server { merged, .. } = tx.side
            && tx.flags.has(Flags::MERGED)
        {
            self.merged.remove(merged, h.raw());
        }
        for armed in [tx.repeat, tx.end].into_iter().flatten() {
            cx.timers.cancel(armed.id);
        }
        for block in [tx.request, tx.second].into_iter().flatten() {
            cx.pool.release(block);
        }
    }

    /// Takes over what a cell says about state and timers. What is sent and told has been done.
    fn turn(&mut self, cx: &mut Cx, h: TxHandle, cell: Cell) {
        if cell.next == State::Terminated {
            return self.remove(cx, h);
        }
        let Some(t) = self.table.get_mut(h) else { return };
        let (before, effects) = (t.state, cell.effects);
        let final_now = before != cell.next && !matches!(cell.next, State::Proceeding);
        for armed in [&mut t.repeat, &mut t.end] {
            let ends = armed.is_some_and(|a| match a.kind {
                Kind::Table(timer) => effects.stops(timer),
                // The layer's own timers are about the wait for a final response.
                Kind::Cancelled | Kind::Expire | Kind::CancelLater => final_now,
            });
            if ends && let Some(a) = armed.take() {
                cx.timers.cancel(a.id);
            }
        }
        t.state = cell.next;
        if final_now && let Some(block) = t.request.take() {
            cx.pool.release(block);
        }
        let absorbs = t.absorbs();
        self.start_timers(cx, h, cell);
        if absorbs {
            self.join_absorbing(h);
        }
    }

    fn absorbing_of(&mut self, machine: Machine, state: State) -> &mut List {
        match (machine, state) {
            (_, State::Accepted) => &mut self.spare,
            (Machine::InviteClient, _) => &mut self.absorbing_d,
            _ => &mut self.absorbing,
        }
    }

    fn join_absorbing(&mut self, h: TxHandle) {
        let Some(t) = self.table.get_mut(h).filter(|t| !t.flags.has(Flags::ABSORBS)) else {
            return;
        };
        t.flags.set(Flags::ABSORBS, true);
        let (machine, state) = (t.machine, t.state);
        let mut list = *self.absorbing_of(machine, state);
        list.push_back(&mut self.table, h, |t| &mut t.absorb);
        *self.absorbing_of(machine, state) = list;
        self.absorbers += 1;
    }

    fn leave_absorbing(&mut self, h: TxHandle) {
        let Some(t) = self.table.get(h).filter(|t| t.flags.has(Flags::ABSORBS)) else { return };
        let (machine, state) = (t.machine, t.state);
        let mut list = *self.absorbing_of(machine, state);
        list.remove(&mut self.table, h, |t| &mut t.absorb);
        *self.absorbing_of(machine, state) = list;
        self.absorbers -= 1;
    }

    fn flow_list(&self, key: Key) -> List {
        let first = self.flows.get(key).and_then(|v| u32::try_from(v).ok());
        first.and_then(|v| v.checked_sub(1)).map_or(List::EMPTY, List::from)
    }

    fn set_flow_list(&mut self, key: Key, before: List, now: List) {
        let value = |list: List| u64::from(list.first_slot()) + 1;
        if !now.is_empty() {
            self.flows.insert(key, value(now));
        } else if !before.is_empty() {
            self.flows.remove(key, value(before));
        }
    }

    fn join_flow(&mut self, cx: &Cx, h: TxHandle, flow: FlowId) {
        let key = key::flow(&cx.keyer, flow.0);
        let before = self.flow_list(key);
        let mut now = before;
        now.push_front(&mut self.table, h, |t| &mut t.on_flow);
        self.set_flow_list(key, before, now);
        if let Some(t) = self.table.get_mut(h) {
            t.flags.set(Flags::ON_FLOW, true);
        }
    }

    fn leave_flow(&mut self, cx: &Cx, h: TxHandle) {
        let Some(t) = self.table.get_mut(h).filter(|t| t.flags.has(Flags::ON_FLOW)) else { return };
        t.flags.set(Flags::ON_FLOW, false);
        let Some(flow) = t.path.flow else { return };
        let key = key::flow(&cx.keyer, flow.0);
        let before = self.flow_list(key);
        let mut now = before;
        now.remove(&mut self.table, h, |t| &mut t.on_flow);
        self.set_flow_list(key, before, now);
    }
}
