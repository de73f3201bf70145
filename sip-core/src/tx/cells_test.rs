//! Every cell of every machine, walked in the layer itself: the machine is brought into the state
//! by a shortest way, the event is applied, then applied once more, and all that comes out is
//! compared with the cell. The clause is in every message.

use std::collections::BTreeSet;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::table::{CELLS, Effects, Event, Machine, Row, State, Timer, step};
use super::testing::{Bench, FLOW, OWNER, Seen, ack, method_of, request, response};
use super::{Failure, FromRequest, FromResponse, FromTimer, TxHandle};
use crate::error::Error;

/// One machine in one state.
struct Walk {
    bench: Bench,
    h: TxHandle,
    machine: Machine,
    reliable: bool,
    request: String,
    /// The last response given, and how often the last message was repeated.
    given: String,
    copies: u16,
    ack: String,
}

const SERVER_BRANCH: &str = "z9hG4bKpeer";

impl Walk {
    fn new(machine: Machine, reliable: bool) -> Self {
        let mut bench = Bench::new();
        let method = method_of(machine);
        let (h, request) = if machine.is_server() {
            let text = request(method, "10.0.0.2", SERVER_BRANCH);
            let path = Bench::path(reliable);
            assert_eq!(bench.receive_request(&text, &path), FromRequest::New);
            (bench.open(&text, &path), text)
        } else {
            bench.client(method, reliable)
        };
        bench.drain();
        let (given, ack) = (String::new(), String::new());
        Self { bench, h, machine, reliable, request, given, copies: 0, ack }
    }

    fn state(&self) -> State {
        self.bench.tx.state(self.h).unwrap_or(State::Terminated)
    }

    /// The events that lead from the first state to `state`.
    fn way(machine: Machine, state: State, reliable: bool) -> Vec<Event> {
        let mut known = Vec::from([(machine.begin(reliable).next, Vec::new())]);
        let mut i = 0;
        while let Some((at, way)) = known.get(i).cloned() {
            if at == state {
                return way;
            }
            for r in CELLS.iter().filter(|r| r.machine == machine && r.state == at) {
                let next = r.cell.next;
                let usable = r.event != Event::FlowClosed && !known.iter().any(|(s, _)| *s == next);
                if usable {
                    let mut further = way.clone();
                    further.push(r.event);
                    known.push((next, further));
                }
            }
            i += 1;
        }
        panic!("{machine:?} never comes to {state:?}");
    }

    /// Applies an event; what was told.
    fn apply(&mut self, event: Event) -> Effects {
        let status = match event {
            Event::Rx1xx | Event::Tu1xx if self.machine.is_server() => 100,
            Event::Rx1xx | Event::Tu1xx => 180,
            Event::Rx2xx | Event::Tu2xx | Event::RxFinal | Event::TuFinal => 200,
            _ => 486,
        };
        let path = Bench::path(self.reliable);
        match event {
            Event::Rx1xx | Event::Rx2xx | Event::Rx3xx | Event::RxFinal => {
                let text = response(&self.request, status);
                match self.bench.receive_response(&text) {
                    FromResponse::Response { tx, owner } => {
                        assert_eq!((tx, owner), (self.h, OWNER));
                        Effects::TELL_RESPONSE
                    }
                    FromResponse::Absorbed => Effects::NONE,
                    FromResponse::Stray => {
                        assert_eq!(self.state(), State::Terminated);
                        Effects::NONE
                    }
                }
            }
            Event::RxRepeat => {
                let ended = self.state() == State::Terminated;
                let got = self.bench.receive_request(&self.request.clone(), &path);
                let expected = if ended { FromRequest::New } else { FromRequest::Repeated };
                assert_eq!(got, expected);
                Effects::NONE
            }
            Event::RxAck => {
                let ended = self.state() == State::Terminated;
                match self.bench.receive_request(&ack(&self.request), &path) {
                    FromRequest::Ack { tx, owner } => {
                        assert_eq!((tx, owner), (self.h, OWNER));
                        Effects::TELL_ACK
                    }
                    got => {
                        let nothing = if ended { FromRequest::New } else { FromRequest::Absorbed };
                        assert_eq!(got, nothing);
                        Effects::NONE
                    }
                }
            }
            Event::Tu1xx | Event::Tu2xx | Event::Tu3xx | Event::TuFinal => {
                self.give(status);
                Effects::NONE
            }
            Event::Fires(timer) => self.told(|b, h| b.fire(h, timer)),
            Event::TransportError => self.told(|b, h| b.tx.send_failed(&mut b.cx, h)),
            Event::FlowClosed => self.told(|b, _| {
                b.tx.flow_closed(&mut b.cx, FLOW, 0).map_or(FromTimer::Nothing, |(from, _)| from)
            }),
        }
    }

    fn give(&mut self, status: u16) {
        // RFC 4320 4.1: over UDP the layer alone decides when a 100 may go.
        let state = self.state();
        if self.machine == Machine::Server
            && !self.reliable
            && status == 100
            && state == State::Trying
        {
            self.bench.fire(self.h, Timer::Trying);
            let block = self.bench.tx.last_response(self.h).unwrap();
            self.given = String::from_utf8(self.bench.cx.pool.bytes_of(block).to_vec()).unwrap();
            return;
        }
        let event = Event::given(self.machine, status);
        let cell = step(self.machine, state, event, self.reliable);
        let text = response(&self.request, status);
        let expected = match state {
            State::Terminated => Err(Error::Gone),
            _ if cell.effects.has(Effects::SEND_RESPONSE) => Ok(()),
            _ => Err(Error::Late),
        };
        assert_eq!(self.bench.respond(self.h, status, &text), expected);
        if expected.is_ok() {
            self.given = text;
        }
    }

    fn told(&mut self, f: impl FnOnce(&mut Bench, TxHandle) -> FromTimer) -> Effects {
        match f(&mut self.bench, self.h) {
            FromTimer::Nothing => Effects::NONE,
            FromTimer::Failed { tx, owner, why } => {
                assert_eq!((tx, owner), (self.h, OWNER));
                match why {
                    Failure::Timeout => Effects::TELL_TIMEOUT,
                    Failure::Transport => Effects::TELL_TRANSPORT,
                    Failure::NoAck => Effects::TELL_NO_ACK,
                    Failure::Cancelled => panic!("the layer never says so"),
                }
            }
        }
    }

    /// What the cell sends, as bytes and copy number.
    fn expected(&mut self, effects: Effects) -> Vec<(String, u16)> {
        let mut sent = Vec::new();
        if effects.has(Effects::REPEAT_REQUEST) {
            self.copies += 1;
            sent.push((self.request.clone(), self.copies));
        }
        if effects.has(Effects::SEND_RESPONSE) {
            self.copies = 0;
            sent.push((self.given.clone(), 0));
        }
        if effects.has(Effects::REPEAT_RESPONSE) && !self.given.is_empty() {
            self.copies += 1;
            sent.push((self.given.clone(), self.copies));
        }
        if effects.has(Effects::SEND_ACK) {
            self.copies = 0;
            self.ack = expected_ack(&self.request);
            sent.push((self.ack.clone(), 0));
        }
        if effects.has(Effects::REPEAT_ACK) {
            self.copies += 1;
            sent.push((self.ack.clone(), self.copies));
        }
        if effects.has(Effects::SEND_TRYING) {
            let text = response(&self.request, 100).replace("Whatever", "Trying");
            let text = text.replace(";tag=to1", "");
            self.given = marked(&text);
            self.copies = 0;
            sent.push((self.given.clone(), 0));
        }
        sent
    }

    /// Applies the event and compares with the table.
    fn check(&mut self, event: Event, clause: &str) {
        self.compare(event, clause, false);
    }

    fn compare(&mut self, event: Event, clause: &str, again: bool) {
        let before = self.state();
        let why = format!(
            "{:?} {before:?} {event:?} reliable={} [{clause}]",
            self.machine, self.reliable
        );
        let cell = step(self.machine, before, event, self.reliable);
        let mut timers: BTreeSet<&str> =
            self.bench.armed(self.h).iter().map(|t| t.name()).collect();
        // A timer that is not armed does not fire: what comes is stale and changes nothing.
        let stale = matches!(event, Event::Fires(t) if !timers.contains(t.name()));
        let (next, effects) =
            if stale { (before, Effects::NONE) } else { (cell.next, cell.effects) };
        let needed = !cell.effects.is_empty() || before != cell.next;
        assert!(!(stale && needed && !again), "a timer that the cell needs must run: {why}");
        if let Event::Fires(t) = event {
            timers.remove(t.name());
        }
        effects.stopped().for_each(|t| {
            timers.remove(t.name());
        });
        timers.extend(effects.started().map(Timer::name));
        let told = self.apply(event);
        for (effect, name) in [
            (Effects::TELL_RESPONSE, "response"),
            (Effects::TELL_ACK, "ack"),
            (Effects::TELL_TIMEOUT, "timeout"),
            (Effects::TELL_TRANSPORT, "transport error"),
            (Effects::TELL_NO_ACK, "no ack"),
        ] {
            assert_eq!(told.has(effect), effects.has(effect), "{name} to the user: {why}");
        }
        let sent: Vec<_> = self.bench.drain();
        let sent: Vec<_> = sent
            .into_iter()
            .map(|s| match s {
                Seen::Sent { to, text, copy } => {
                    assert_eq!(to, Bench::path(self.reliable).remote, "{why}");
                    (text, copy)
                }
                Seen::Failed(_) => unreachable!(),
            })
            .collect();
        assert_eq!(sent, self.expected(effects), "sent: {why}");
        assert_eq!(self.state(), next, "next state: {why}");
        if next == State::Terminated {
            self.bench.assert_clean();
        } else {
            let armed: BTreeSet<&str> = self.bench.armed(self.h).iter().map(|t| t.name()).collect();
            assert_eq!(armed, timers, "timers: {why}");
        }
    }
}

/// RFC 3261 17.1.1.3, by hand.
fn expected_ack(invite: &str) -> String {
    let via = invite.split("\r\n").find(|l| l.starts_with("Via:")).unwrap();
    format!(
        "ACK sip:bob@example.com;x=1 SIP/2.0\r\n{via}\r\nMax-Forwards: 70\r\n\
         Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
         Route: <sip:p3.example.com;lr>\r\n\
         From: \"A. \\\"lice\\\"\" <sip:alice@example.com>;tag=from1\r\n\
         To: Bob <sip:bob@example.com>;tag=to1\r\n\
         Call-ID: call-1@example.com\r\nCSeq: 314 ACK\r\nContent-Length: 0\r\n\r\n"
    )
}

/// The Via as the layer marks it: RFC 3581 4.
fn marked(text: &str) -> String {
    text.replacen(
        &format!(";rport;branch={SERVER_BRANCH}"),
        &format!(";rport=5060;branch={SERVER_BRANCH};received=10.0.0.2"),
        1,
    )
}

/// The cells that cannot be walked: a closed connection needs a connection.
fn is_walkable(r: &Row, reliable: bool) -> bool {
    reliable || r.event != Event::FlowClosed
}

fn walk_all(machine: Machine, reliable: bool) -> usize {
    let mut walked = 0;
    for r in CELLS.iter().filter(|r| r.machine == machine && is_walkable(r, reliable)) {
        let mut walk = Walk::new(machine, reliable);
        for event in Walk::way(machine, r.state, reliable) {
            walk.check(event, "on the way");
        }
        if r.state == State::Proceeding && r.event == Event::RxRepeat {
            walk.check(Event::Tu1xx, "something to repeat");
        }
        assert_eq!(walk.state(), r.state);
        walk.check(r.event, r.clause);
        walk.compare(r.event, "the same once more", true);
        walked += 1;
    }
    walked
}

#[test]
fn every_cell_of_the_invite_client_unreliable() {
    assert_eq!(walk_all(Machine::InviteClient, false), 40);
}

#[test]
fn every_cell_of_the_invite_client_reliable() {
    assert_eq!(walk_all(Machine::InviteClient, true), 41);
}

#[test]
fn every_cell_of_the_invite_server_unreliable() {
    assert_eq!(walk_all(Machine::InviteServer, false), 55);
}

#[test]
fn every_cell_of_the_invite_server_reliable() {
    assert_eq!(walk_all(Machine::InviteServer, true), 55);
}

#[test]
fn every_cell_of_the_other_client_unreliable() {
    assert_eq!(walk_all(Machine::Client, false), 24);
}

#[test]
fn every_cell_of_the_other_client_reliable() {
    assert_eq!(walk_all(Machine::Client, true), 24);
}

#[test]
fn every_cell_of_the_other_server_unreliable() {
    assert_eq!(walk_all(Machine::Server, false), 20);
}

#[test]
fn every_cell_of_the_other_server_reliable() {
    assert_eq!(walk_all(Machine::Server, true), 20);
}

/// RFC 3261 17.2.1: there is nothing to repeat while there was no response.
#[test]
fn a_repeated_invite_gets_nothing_before_the_first_response() {
    let mut walk = Walk::new(Machine::InviteServer, false);
    walk.check(Event::RxRepeat, "RFC 3261 17.2.1");
    assert!(walk.given.is_empty());
}
