//! What the tests of the transaction layer stand on: one table, one peer, a clock.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::table::{Machine, Timer};
use super::timers::Kind;
use super::{Failure, FromRequest, FromResponse, FromTimer, Transactions, TxHandle};
use crate::config::{Config, Retransmit};
use crate::cx::Cx;
use crate::header::Essentials;
use crate::limits::Limits;
use crate::path::{Addr, FlowId, Local, LocalId, Path, Transport};
use crate::store::queries::{Owner, OwnerKind};
use crate::store::ring::Record;
use crate::store::timers::TimerKey;
use crate::time::Instant;
use crate::wire::{Framing, Index, Method, parse};

pub(super) const OWNER: Owner = Owner::part(OwnerKind::App, 7, 3);
pub(super) const FLOW: FlowId = FlowId(5);

/// What came out, and when.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Seen {
    Sent { to: Addr, text: String, copy: u16 },
    Failed(Failure),
}

pub(super) struct Bench {
    pub cx: Cx,
    pub tx: Transactions,
    pub limits: Limits,
    index: Index,
}

pub(super) fn limits() -> Limits {
    Limits { transactions: 8, outputs: 8, sources: 8, pool: 1 << 19, ..Limits::TESTER }
}

impl Bench {
    pub fn new() -> Self {
        let mut config = Config::new([9; 32]);
        config.retransmit = Retransmit::Rfc;
        Self::with(config, limits())
    }

    pub fn with(config: Config, limits: Limits) -> Self {
        let mut cx = Cx::new(config, &limits).unwrap();
        let bound = Addr::v4(10, 0, 0, 1, 5060);
        for (id, transport) in [(0, Transport::Udp), (1, Transport::Tcp)] {
            let local = Local { transport, bound, host: "10.0.0.1", port: 0, network: 0 };
            cx.locals.set(LocalId(id), &local).unwrap();
        }
        let index = Index::new(&limits.wire).unwrap();
        Self { cx, tx: Transactions::new(&limits, 1).unwrap(), limits, index }
    }

    /// The peer, over UDP or over a connection.
    pub fn path(reliable: bool) -> Path {
        let remote = Addr::v4(10, 0, 0, 2, 5060);
        let (local, flow) = if reliable { (1, Some(FLOW)) } else { (0, None) };
        Path { local: LocalId(local), remote, flow }
    }

    /// A request of ours, started.
    pub fn client(&mut self, method: &str, reliable: bool) -> (TxHandle, String) {
        let branch = Transactions::new_branch(&mut self.cx);
        let text = request(method, "10.0.0.1", std::str::from_utf8(branch.as_bytes()).unwrap());
        let block = self.cx.pool.copy_in(text.as_bytes()).unwrap();
        let of = Method::of(method.as_bytes());
        let path = Self::path(reliable);
        let h = self.tx.start_client(&mut self.cx, OWNER, block, of, branch, path).unwrap();
        (h, text)
    }

    pub fn receive_request(&mut self, text: &str, path: &Path) -> FromRequest {
        let m = parse(text.as_bytes(), &self.limits.wire, Framing::Datagram, &mut self.index);
        let m = m.unwrap();
        self.tx.on_request(&mut self.cx, &m, &Essentials::of(&m), path)
    }

    /// A request that has come, opened.
    pub fn open(&mut self, text: &str, path: &Path) -> TxHandle {
        let m = parse(text.as_bytes(), &self.limits.wire, Framing::Datagram, &mut self.index);
        let m = m.unwrap();
        let e = Essentials::of(&m);
        self.tx.open_server(&mut self.cx, OWNER, &m, &e, path).unwrap()
    }

    pub fn receive_response(&mut self, text: &str) -> FromResponse {
        let m = parse(text.as_bytes(), &self.limits.wire, Framing::Datagram, &mut self.index);
        let m = m.unwrap();
        self.tx.on_response(&mut self.cx, &m, &Essentials::of(&m), &Self::path(false))
    }

    pub fn stateless(&mut self, text: &str, path: &Path, status: u16) -> bool {
        let m = parse(text.as_bytes(), &self.limits.wire, Framing::Datagram, &mut self.index);
        let m = m.unwrap();
        let e = Essentials::of(&m);
        let reply = super::Reply::default();
        self.tx.reply_stateless(&mut self.cx, &m, &e, path, status, &reply).unwrap()
    }

    /// Gives a response of these bytes.
    pub fn respond(
        &mut self,
        h: TxHandle,
        status: u16,
        text: &str,
    ) -> Result<(), crate::error::Error> {
        let block = self.cx.pool.copy_in(text.as_bytes()).unwrap();
        self.tx.respond(&mut self.cx, h, status, block)
    }

    /// What is in the ring.
    pub fn drain(&mut self) -> Vec<Seen> {
        let mut seen = Vec::new();
        while let Some(record) = self.cx.out.pop() {
            let Record::Transmit { block, path, copy, .. } = record else { panic!("{record:?}") };
            let text = String::from_utf8_lossy(self.cx.pool.bytes_of(block)).to_string();
            self.cx.pool.release(block);
            seen.push(Seen::Sent { to: path.remote, text, copy });
        }
        seen
    }

    /// Lets the time pass up to `until`, and says what came out at which millisecond.
    pub fn run(&mut self, until: u64) -> Vec<(u64, Seen)> {
        let mut seen = Vec::new();
        let mut note = |at: Instant, all: Vec<Seen>| {
            seen.extend(all.into_iter().map(|s| (at.0, s)));
        };
        note(self.cx.now, self.drain());
        while let Some(at) = self.cx.timers.next().filter(|at| at.0 <= until) {
            self.cx.now = at.max(self.cx.now);
            let (_, key) = self.cx.timers.due(self.cx.now).unwrap();
            let from = self.tx.on_timer(&mut self.cx, key);
            note(self.cx.now, self.drain());
            if let FromTimer::Failed { owner, why, .. } = from {
                assert_eq!(owner, OWNER);
                note(self.cx.now, std::vec![Seen::Failed(why)]);
            }
        }
        self.cx.now = Instant(until);
        seen
    }

    /// Lets one timer fire, or a stale one be reported that is not armed.
    pub fn fire(&mut self, h: TxHandle, timer: Timer) -> FromTimer {
        let armed = self.tx.table.get(h).map(|t| [t.repeat, t.end]).unwrap_or_default();
        let wanted = |a: &&super::Armed| a.kind == Kind::Table(timer);
        if let Some(armed) = armed.iter().flatten().find(wanted) {
            self.cx.timers.cancel(armed.id);
        }
        let key = TimerKey { kind: Kind::Table(timer).number(), object: h.raw() };
        self.tx.on_timer(&mut self.cx, key)
    }

    /// The timers of the tables that are armed.
    pub fn armed(&self, h: TxHandle) -> Vec<Timer> {
        let armed = self.tx.table.get(h).map(|t| [t.repeat, t.end]).unwrap_or_default();
        let timers = armed.iter().flatten().filter_map(|a| match a.kind {
            Kind::Table(timer) => Some(timer),
            _ => None,
        });
        timers.collect()
    }

    /// Nothing is left of anything.
    pub fn assert_clean(&mut self) {
        self.drain();
        let left: Vec<_> = self.tx.table.iter().map(|(_, t)| format!("{t:?}")).collect();
        assert!(left.is_empty(), "transactions at {:?}: {left:#?}", self.cx.now);
        assert_eq!(self.cx.timers.len(), 0, "timers");
        assert_eq!(self.cx.pool.live(), 0, "blocks");
        assert_eq!(self.tx.keys.len() + self.tx.merged.len() + self.tx.flows.len(), 0, "keys");
        assert_eq!(self.tx.absorbers, 0, "absorbers");
    }
}

/// The times of what was sent.
pub(super) fn times(seen: &[(u64, Seen)]) -> Vec<u64> {
    seen.iter().filter(|(_, s)| matches!(s, Seen::Sent { .. })).map(|(at, _)| *at).collect()
}

/// A request with everything in it that must not go into an ACK or a CANCEL.
pub(super) fn request(method: &str, host: &str, branch: &str) -> String {
    format!(
        "{method} sip:bob@example.com;x=1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP {host};rport;branch={branch}\r\n\
         Via: SIP/2.0/UDP lower.example.com;branch=z9hG4bKlower\r\n\
         Max-Forwards: 70\r\n\
         Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
         Route: <sip:p3.example.com;lr>\r\n\
         f: \"A. \\\"lice\\\"\" <sip:alice@example.com>;tag=from1\r\n\
         To: Bob <sip:bob@example.com>\r\n\
         Call-ID: call-1@example.com\r\n\
         CSeq: 314 {method}\r\n\
         Contact: <sip:alice@10.0.0.1>\r\n\
         Require: 100rel\r\n\
         Proxy-Require: foo\r\n\
         Content-Type: text/plain\r\n\
         Content-Length: 4\r\n\r\nbody"
    )
}

/// A response of the peer to that request.
pub(super) fn response(request: &str, status: u16) -> String {
    let mut text = format!("SIP/2.0 {status} Whatever\r\n");
    for line in request.split("\r\n") {
        if let Some(to) = line.strip_prefix("To: ") {
            text += &format!("To: {to};tag=to1\r\n");
        }
        if ["Via:", "f:", "Call-ID:", "CSeq:"].iter().any(|n| line.starts_with(n)) {
            text += &format!("{line}\r\n");
        }
    }
    text + "Content-Length: 0\r\n\r\n"
}

/// The ACK of the peer with the branch of its INVITE.
pub(super) fn ack(invite: &str) -> String {
    invite
        .replace("INVITE sip:", "ACK sip:")
        .replace("314 INVITE", "314 ACK")
        .replace("To: Bob <sip:bob@example.com>", "To: Bob <sip:bob@example.com>;tag=to1")
}

pub(super) fn method_of(machine: Machine) -> &'static str {
    match machine {
        Machine::InviteClient | Machine::InviteServer => "INVITE",
        _ => "OPTIONS",
    }
}
