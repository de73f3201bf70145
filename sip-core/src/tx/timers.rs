//! Timers and transport errors.

use super::table::{Cell, Effects, Event, Machine, State, Timer};
use super::{Failure, Flags, FromTimer, Reply, Transactions, Tx, TxHandle, key};
use crate::config::Config;
use crate::cx::Cx;
use crate::error::{Error, Limit};
use crate::path::FlowId;
use crate::store::timers::{TimerId, TimerKey, kind};

/// Which timer is armed: one of the tables, or one of the layer's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// One of the tables.
    Table(Timer),
    /// RFC 3261 9.1: no final response within 64*T1 of the CANCEL.
    Cancelled,
    /// RFC 4320 4.2: a non-INVITE request that is not answered while its client waits never is.
    Expire,
    /// A CANCEL for which there was no room.
    CancelLater,
}

/// An armed timer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Armed {
    pub(super) id: TimerId,
    pub(super) kind: Kind,
}

const TABLE: u8 = Timer::ALL.len() as u8;

impl Kind {
    pub(super) const fn number(self) -> u8 {
        kind::TX
            + match self {
                Self::Table(timer) => timer as u8,
                Self::Cancelled => TABLE,
                Self::Expire => TABLE + 1,
                Self::CancelLater => TABLE + 2,
            }
    }

    fn of(number: u8) -> Option<Self> {
        match number.checked_sub(kind::TX)? {
            n if n < TABLE => Timer::ALL.get(usize::from(n)).copied().map(Self::Table),
            n if n == TABLE => Some(Self::Cancelled),
            n if n == TABLE + 1 => Some(Self::Expire),
            n if n == TABLE + 2 => Some(Self::CancelLater),
            _ => None,
        }
    }

    /// Whether it is one that makes the transaction send, rather than one that ends it.
    const fn repeats(self) -> bool {
        matches!(
            self,
            Self::CancelLater | Self::Table(Timer::A | Timer::E | Timer::G | Timer::Trying)
        )
    }
}

/// The time that the repeating timers count by, doubled `n` times.
fn doubled(t1: u64, n: u8) -> u64 {
    t1.saturating_mul(1u64.checked_shl(u32::from(n)).unwrap_or(u64::MAX))
}

/// How long a client's timer E takes to be set to T2 (RFC 4320 4.1): 3.5 s by default.
fn until_t2(config: &Config) -> u64 {
    let (mut elapsed, mut interval) = (0u64, config.t1);
    for _ in 0..64 {
        if interval >= config.t2 {
            break;
        }
        elapsed = elapsed.saturating_add(interval);
        interval = interval.saturating_mul(2).min(config.t2);
    }
    elapsed
}

/// RFC 3261 17.2.1.
const INVITE_TRYING: u64 = 200;
/// RFC 3261 17.1.1.2: timer D is at least this.
const D_LEAST: u64 = 32_000;

/// How long the timer runs that is started now (RFC 3261 Table 4, RFC 6026 7).
fn duration(config: &Config, tx: &Tx, timer: Timer) -> u64 {
    let long = config.t1.saturating_mul(64);
    let if_unreliable = |ms: u64| if tx.is_reliable() { 0 } else { ms };
    match timer {
        Timer::A => doubled(config.t1, tx.fires),
        Timer::E if tx.state == State::Proceeding => config.t2,
        Timer::E | Timer::G => doubled(config.t1, tx.fires).min(config.t2),
        Timer::B | Timer::F | Timer::H | Timer::L | Timer::M => long,
        Timer::D => if_unreliable(long.max(D_LEAST)),
        Timer::I | Timer::K => if_unreliable(config.t4),
        Timer::J => if_unreliable(long),
        Timer::Trying if tx.machine == Machine::InviteServer => INVITE_TRYING,
        Timer::Trying => until_t2(config),
    }
}

/// Whether a 100 to a non-INVITE request may be sent yet (RFC 4320 4.1): it is by then that the
/// layer sends one by itself.
pub(super) fn may_say_trying(tx: &Tx) -> bool {
    tx.is_reliable()
        || tx.state != State::Trying
        || !tx.repeat.is_some_and(|a| a.kind == Kind::Table(Timer::Trying))
}

impl Transactions {
    /// Arms a timer in place of the one that runs in the same role.
    pub(super) fn arm(&mut self, cx: &mut Cx, h: TxHandle, kind: Kind, after: u64) {
        let Some(t) = self.table.get_mut(h) else { return };
        let place = if kind.repeats() { &mut t.repeat } else { &mut t.end };
        if let Some(old) = place.take() {
            cx.timers.cancel(old.id);
        }
        let key = TimerKey { kind: kind.number(), object: h.raw() };
        let id = cx.timers.arm(cx.now.after(after), key);
        *place = id.ok().map(|id| Armed { id, kind });
    }

    /// Starts the timers that a cell starts.
    pub(super) fn start_timers(&mut self, cx: &mut Cx, h: TxHandle, cell: Cell) {
        for timer in cell.effects.started() {
            let Some(t) = self.table.get(h) else { return };
            let after = duration(&cx.config, t, timer);
            let expires = timer == Timer::Trying && t.machine == Machine::Server;
            self.arm(cx, h, Kind::Table(timer), after);
            if expires {
                let long = cx.config.t1.saturating_mul(64);
                self.arm(cx, h, Kind::Expire, long);
            }
        }
    }

    /// A timer has fired whose kind is one of the transactions'. One that must send and finds no
    /// room in the output ring is armed again for now.
    pub fn on_timer(&mut self, cx: &mut Cx, key: TimerKey) -> FromTimer {
        let h = TxHandle::from_raw(key.object);
        let (Some(kind), Some(t)) = (Kind::of(key.kind), self.table.get_mut(h)) else {
            return FromTimer::Nothing;
        };
        let place = if kind.repeats() { &mut t.repeat } else { &mut t.end };
        if place.take_if(|a| a.kind == kind).is_none() {
            return FromTimer::Nothing;
        }
        match kind {
            Kind::Table(Timer::Trying) => self.say_trying(cx, h),
            Kind::Table(timer) => return self.fire(cx, h, timer),
            Kind::Cancelled | Kind::Expire => {
                let owner = t.owner;
                self.remove(cx, h);
                return FromTimer::Failed { tx: h, owner, why: Failure::Timeout };
            }
            Kind::CancelLater => {
                self.send_cancel(cx, h);
            }
        }
        FromTimer::Nothing
    }

    fn fire(&mut self, cx: &mut Cx, h: TxHandle, timer: Timer) -> FromTimer {
        let Some(t) = self.table.get_mut(h) else { return FromTimer::Nothing };
        let event = Event::Fires(timer);
        let cell = t.step(event);
        let repeats = [Effects::REPEAT_REQUEST, Effects::REPEAT_RESPONSE];
        if repeats.iter().any(|e| cell.effects.has(*e)) {
            if cx.out.room() == 0 {
                self.arm(cx, h, Kind::Table(timer), 0);
                return FromTimer::Nothing;
            }
            t.fires = t.fires.saturating_add(1);
            self.repeat(cx, h);
        }
        self.take(cx, h, cell)
    }

    /// Sends the request of a client or the last response of a server once more. Without room it
    /// is as if the network had lost it.
    pub(super) fn repeat(&mut self, cx: &mut Cx, h: TxHandle) {
        let Some(t) = self.table.get_mut(h) else { return };
        let (is_server, block) = (t.machine.is_server(), t.second.or(t.request));
        let block = if is_server { t.second } else { block };
        let Some(block) = block else { return };
        let copy = t.copies.saturating_add(1);
        let sent = if is_server {
            self.send_response(cx, h, block, copy)
        } else {
            cx.transmit(block, t.path, h.raw(), copy)
        };
        if sent.is_ok()
            && let Some(t) = self.table.get_mut(h)
        {
            t.copies = copy;
        }
    }

    /// RFC 3261 17.2.1: the user has not answered an INVITE within 200 ms. RFC 4320 4.1: nor
    /// another request for as long as its client takes to reach T2.
    fn say_trying(&mut self, cx: &mut Cx, h: TxHandle) {
        let Some(t) = self.table.get(h) else { return };
        let cell = t.step(Event::Fires(Timer::Trying));
        if t.machine == Machine::InviteServer && !cell.effects.has(Effects::SEND_TRYING) {
            return;
        }
        match self.reply(cx, h, 100, &Reply::default()) {
            Err(Error::Full(Limit::Outputs)) => self.arm(cx, h, Kind::Table(Timer::Trying), 0),
            Err(Error::Full(_)) => self.arm(cx, h, Kind::Table(Timer::Trying), cx.config.t1),
            _ => {}
        }
    }

    /// Takes over a cell and says what its user is to hear of a failure.
    fn take(&mut self, cx: &mut Cx, h: TxHandle, cell: Cell) -> FromTimer {
        let owner = self.owner(h).unwrap_or_default();
        self.turn(cx, h, cell);
        let why = [
            (Effects::TELL_TIMEOUT, Failure::Timeout),
            (Effects::TELL_TRANSPORT, Failure::Transport),
            (Effects::TELL_NO_ACK, Failure::NoAck),
        ];
        let why = why.into_iter().find(|(e, _)| cell.effects.has(*e));
        why.map_or(FromTimer::Nothing, |(_, why)| FromTimer::Failed { tx: h, owner, why })
    }

    /// The caller could not send what this transaction gave it (RFC 3261 17.1.4, 17.2.4).
    pub fn send_failed(&mut self, cx: &mut Cx, tx: TxHandle) -> FromTimer {
        let Some(t) = self.table.get(tx) else { return FromTimer::Nothing };
        let cell = t.step(Event::TransportError);
        self.take(cx, tx, cell)
    }

    /// A flow has closed: works off one of its transactions. `from` is 0 at first, then what the
    /// last call gave; `None` when all are done. Nothing is sent.
    pub fn flow_closed(
        &mut self,
        cx: &mut Cx,
        flow: FlowId,
        from: u32,
    ) -> Option<(FromTimer, u32)> {
        let list = self.flow_list(key::flow(&cx.keyer, flow.0));
        let h = list.first(&self.table)?;
        self.leave_flow(cx, h);
        let cell = self.table.get(h)?.step(Event::FlowClosed);
        Some((self.take(cx, h, cell), from.saturating_add(1)))
    }

    /// Whether the user of a client transaction wants it cancelled and the CANCEL is not out yet.
    pub(super) fn wants_cancel(&self, h: TxHandle) -> bool {
        self.table
            .get(h)
            .is_some_and(|t| t.flags.has(Flags::CANCEL) && !t.flags.has(Flags::CANCELLED))
    }
}
