//! The four transaction machines as data: RFC 3261 17 with RFC 6026 and RFC 4320.
//!
//! [`step`] is the whole behaviour: what a machine in a state does on an event. [`CELLS`] lists
//! every cell with its clause; `docs/transactions.md` is drawn from it.

pub use super::cells::CELLS;

/// Which of the four machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Machine {
    /// RFC 3261 17.1.1.
    InviteClient = 0,
    /// RFC 3261 17.2.1.
    InviteServer = 1,
    /// RFC 3261 17.1.2: the non-INVITE client.
    Client = 2,
    /// RFC 3261 17.2.2: the non-INVITE server.
    Server = 3,
}

/// The states of all machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum State {
    /// The INVITE is out, nothing has come back.
    Calling = 0,
    /// Nothing has come back, or has been answered.
    Trying = 1,
    /// A provisional response, or an INVITE that waits for its final one.
    Proceeding = 2,
    /// RFC 6026: a 2xx to INVITE; more of them may follow.
    Accepted = 3,
    /// A final response; repetitions are absorbed.
    Completed = 4,
    /// The ACK has come.
    Confirmed = 5,
    /// Over: the object is gone.
    Terminated = 6,
}

/// The timers of RFC 3261 Table 4 and RFC 6026, and the 200 ms of 17.2.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(u8)]
pub enum Timer {
    /// INVITE request repetition.
    A = 0,
    /// INVITE client timeout.
    B = 1,
    /// Wait for repeated final responses to an INVITE.
    D = 2,
    /// Non-INVITE request repetition.
    E = 3,
    /// Non-INVITE client timeout.
    F = 4,
    /// Repetition of the final response to an INVITE.
    G = 5,
    /// Wait for the ACK.
    H = 6,
    /// Wait for repeated ACKs.
    I = 7,
    /// Wait for repeated non-INVITE requests.
    J = 8,
    /// Wait for repeated responses to a non-INVITE request.
    K = 9,
    /// RFC 6026: wait for repeated INVITEs after a 2xx.
    L = 10,
    /// RFC 6026: wait for repeated or forked 2xx.
    M = 11,
    /// RFC 3261 17.2.1: 200 ms without a response from the user. RFC 4320 4.1 for other methods.
    Trying = 12,
}

/// What happens to a machine.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Event {
    /// A provisional response has come.
    Rx1xx,
    /// A 2xx to an INVITE has come.
    Rx2xx,
    /// A 300-699 to an INVITE has come.
    Rx3xx,
    /// A final response to another request has come.
    RxFinal,
    /// The request has come again.
    RxRepeat,
    /// An ACK has come.
    RxAck,
    /// The user gives a provisional response.
    Tu1xx,
    /// The user gives a 2xx to an INVITE.
    Tu2xx,
    /// The user gives a 300-699 to an INVITE.
    Tu3xx,
    /// The user gives a final response to another request.
    TuFinal,
    /// A timer fires.
    Fires(Timer),
    /// Sending failed.
    TransportError,
    /// The connection has closed under the transaction.
    FlowClosed,
}

/// What a step does, as a small set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Default)]
pub struct Effects(u64);

const START: u32 = 16;
const STOP: u32 = 32;

impl Effects {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Send the request once more.
    pub const REPEAT_REQUEST: Self = Self(1);
    /// Send the response that the user gives, and remember it.
    pub const SEND_RESPONSE: Self = Self(1 << 1);
    /// Send the last response once more.
    pub const REPEAT_RESPONSE: Self = Self(1 << 2);
    /// Build and send the ACK for a 300-699.
    pub const SEND_ACK: Self = Self(1 << 3);
    /// Send that ACK once more.
    pub const REPEAT_ACK: Self = Self(1 << 4);
    /// Build and send a 100 without a To tag of ours.
    pub const SEND_TRYING: Self = Self(1 << 5);
    /// Hand the response to the user.
    pub const TELL_RESPONSE: Self = Self(1 << 6);
    /// Hand the ACK to the user.
    pub const TELL_ACK: Self = Self(1 << 7);
    /// Tell the user that nothing came in time.
    pub const TELL_TIMEOUT: Self = Self(1 << 8);
    /// Tell the user that the transport failed.
    pub const TELL_TRANSPORT: Self = Self(1 << 9);
    /// Tell the user that the ACK never came.
    pub const TELL_NO_ACK: Self = Self(1 << 10);

    const NAMED: [(Self, &'static str); 11] = [
        (Self::REPEAT_REQUEST, "send the request again"),
        (Self::SEND_RESPONSE, "send the response"),
        (Self::REPEAT_RESPONSE, "send the last response again"),
        (Self::SEND_ACK, "send ACK"),
        (Self::REPEAT_ACK, "send ACK again"),
        (Self::SEND_TRYING, "send 100"),
        (Self::TELL_RESPONSE, "response to the user"),
        (Self::TELL_ACK, "ACK to the user"),
        (Self::TELL_TIMEOUT, "timeout to the user"),
        (Self::TELL_TRANSPORT, "transport error to the user"),
        (Self::TELL_NO_ACK, "missing ACK to the user"),
    ];

    /// Both sets.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set and the start of a timer.
    #[must_use]
    pub const fn start(self, timer: Timer) -> Self {
        Self(self.0 | (1 << (START + timer as u32)))
    }

    /// This set and the end of a timer.
    #[must_use]
    pub const fn stop(self, timer: Timer) -> Self {
        Self(self.0 | (1 << (STOP + timer as u32)))
    }

    /// Whether all of `other` is in.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether `timer` is started.
    #[must_use]
    pub const fn starts(self, timer: Timer) -> bool {
        self.has(Self::NONE.start(timer))
    }

    /// Whether `timer` is stopped.
    #[must_use]
    pub const fn stops(self, timer: Timer) -> bool {
        self.has(Self::NONE.stop(timer))
    }

    /// Whether nothing is done.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is done besides timers, in words.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED.into_iter().filter(move |(e, _)| self.has(*e)).map(|(_, name)| name)
    }

    /// The timers that are started.
    pub fn started(self) -> impl Iterator<Item = Timer> {
        timers(self.0 >> START)
    }

    /// The timers that are stopped.
    pub fn stopped(self) -> impl Iterator<Item = Timer> {
        timers(self.0 >> STOP)
    }

    /// A reliable transport repeats nothing by itself: no timer A, E or G.
    const fn reliable(self, event: Event) -> Self {
        if matches!(event, Event::Fires(Timer::A | Timer::E | Timer::G)) {
            return Self::NONE;
        }
        let repeating = Self::NONE.start(Timer::A).start(Timer::E).start(Timer::G);
        Self(self.0 & !repeating.0)
    }
}

/// The timers whose bits are set, the lowest first.
fn timers(bits: u64) -> impl Iterator<Item = Timer> {
    let mut left = bits as u16;
    core::iter::from_fn(move || {
        let timer = Timer::ALL.get(left.trailing_zeros() as usize).copied()?;
        left &= left.wrapping_sub(1);
        Some(timer)
    })
}

impl Timer {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::A,
        Self::B,
        Self::D,
        Self::E,
        Self::F,
        Self::G,
        Self::H,
        Self::I,
        Self::J,
        Self::K,
        Self::L,
        Self::M,
        Self::Trying,
    ];

    /// The letter.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::D => "D",
            Self::E => "E",
            Self::F => "F",
            Self::G => "G",
            Self::H => "H",
            Self::I => "I",
            Self::J => "J",
            Self::K => "K",
            Self::L => "L",
            Self::M => "M",
            Self::Trying => "Trying",
        }
    }
}

impl Event {
    const COUNT: usize = 12 + Timer::ALL.len();

    const fn number(self) -> usize {
        match self {
            Self::Rx1xx => 0,
            Self::Rx2xx => 1,
            Self::Rx3xx => 2,
            Self::RxFinal => 3,
            Self::RxRepeat => 4,
            Self::RxAck => 5,
            Self::Tu1xx => 6,
            Self::Tu2xx => 7,
            Self::Tu3xx => 8,
            Self::TuFinal => 9,
            Self::TransportError => 10,
            Self::FlowClosed => 11,
            Self::Fires(timer) => 12 + timer as usize,
        }
    }

    /// The event that a received response is.
    #[must_use]
    pub const fn received(machine: Machine, status: u16) -> Self {
        match (machine, status) {
            (_, ..=199) => Self::Rx1xx,
            (Machine::InviteClient, 200..=299) => Self::Rx2xx,
            (Machine::InviteClient, _) => Self::Rx3xx,
            _ => Self::RxFinal,
        }
    }

    /// The event that a response of the user is.
    #[must_use]
    pub const fn given(machine: Machine, status: u16) -> Self {
        match (machine, status) {
            (_, ..=199) => Self::Tu1xx,
            (Machine::InviteServer, 200..=299) => Self::Tu2xx,
            (Machine::InviteServer, _) => Self::Tu3xx,
            _ => Self::TuFinal,
        }
    }
}

impl Machine {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::InviteClient, Self::InviteServer, Self::Client, Self::Server];

    /// The machine of a client for this method.
    #[must_use]
    pub const fn client(is_invite: bool) -> Self {
        if is_invite { Self::InviteClient } else { Self::Client }
    }

    /// The machine of a server for this method.
    #[must_use]
    pub const fn server(is_invite: bool) -> Self {
        if is_invite { Self::InviteServer } else { Self::Server }
    }

    /// Whether it answers requests.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, Self::InviteServer | Self::Server)
    }

    /// The state in which it begins, and what it does then. The request itself has just been
    /// sent or received.
    #[must_use]
    pub const fn begin(self, reliable: bool) -> Cell {
        let none = Effects::NONE;
        let (next, effects) = match self {
            // RFC 3261 17.1.1.2.
            Self::InviteClient => (State::Calling, none.start(Timer::A).start(Timer::B)),
            // RFC 3261 17.2.1.
            Self::InviteServer => (State::Proceeding, none.start(Timer::Trying)),
            // RFC 3261 17.1.2.2.
            Self::Client => (State::Trying, none.start(Timer::E).start(Timer::F)),
            // RFC 3261 17.2.2; RFC 4320 4.1.
            Self::Server => (State::Trying, none.start(Timer::Trying)),
        };
        let effects = if reliable { effects.reliable(Event::Rx1xx) } else { effects };
        Cell { next, effects }
    }
}

/// What a machine does on an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cell {
    /// The state afterwards.
    pub next: State,
    /// What is done.
    pub effects: Effects,
}

/// One cell of the tables, as it is on an unreliable transport.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The machine.
    pub machine: Machine,
    /// The state before.
    pub state: State,
    /// The event.
    pub event: Event,
    /// What happens.
    pub cell: Cell,
    /// The clause that says so.
    pub clause: &'static str,
}

impl Row {
    /// The cell on this kind of transport.
    #[must_use]
    pub const fn on(&self, reliable: bool) -> Cell {
        let effects =
            if reliable { self.cell.effects.reliable(self.event) } else { self.cell.effects };
        Cell { next: self.cell.next, effects }
    }
}

/// What `machine` does on `event` in `state`. An event that the machine does not know changes
/// nothing.
#[must_use]
pub fn step(machine: Machine, state: State, event: Event, reliable: bool) -> Cell {
    let same = Cell { next: state, effects: Effects::NONE };
    row(machine, state, event).map_or(same, |r| r.on(reliable))
}

/// The row of a cell, if the machine knows the event in that state.
#[must_use]
pub fn row(machine: Machine, state: State, event: Event) -> Option<&'static Row> {
    let found = PLACES.get(place(machine, state, event)).and_then(|i| CELLS.get(usize::from(*i)));
    match event {
        // Only INVITE client Proceeding tells the two apart.
        Event::FlowClosed if found.is_none() => row(machine, state, Event::TransportError),
        _ => found,
    }
}

const STATES: usize = 7;
const NOWHERE: u8 = u8::MAX;

const fn place(machine: Machine, state: State, event: Event) -> usize {
    (machine as usize * STATES + state as usize) * Event::COUNT + event.number()
}

#[allow(clippy::indexing_slicing, reason = "evaluated when compiled")]
static PLACES: [u8; 4 * STATES * Event::COUNT] = {
    let mut places = [NOWHERE; 4 * STATES * Event::COUNT];
    let mut i = 0;
    while i < CELLS.len() {
        let r = &CELLS[i];
        places[place(r.machine, r.state, r.event)] = i as u8;
        i += 1;
    }
    places
};
