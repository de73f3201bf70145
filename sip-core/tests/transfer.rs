//! Transfer (RFC 3515, RFC 5589): phones that refer each other, and one against a peer that is
//! written out by hand.

#[path = "support/net.rs"]
mod net;

use net::Net;
use sansip::{CallChange, CallHandle, EndReason, Event, Extras, LineHandle, RequestHandle};

/// Three phones: `a`, `b` and `c`, at 10.0.0.1, .2 and .3.
struct Trio {
    net: Net,
    lines: [LineHandle; 3],
}

impl Trio {
    fn new() -> Self {
        let mut net = Net::new();
        let lines = ["a", "b", "c"].map(|name| net.phone(name).1);
        Self { net, lines }
    }

    fn now(&self) -> sansip::Instant {
        self.net.at()
    }

    /// A call from one to another that is answered: both handles.
    fn talk(&mut self, from: usize, to: usize) -> (CallHandle, CallHandle) {
        let (call, peer) = self.ring(from, to);
        let now = self.now();
        self.net.engine(to).answer_call(now, peer, Extras::default()).unwrap();
        self.net.run(10);
        (call, peer)
    }

    /// A call from one to another that rings: both handles.
    fn ring(&mut self, from: usize, to: usize) -> (CallHandle, CallHandle) {
        let now = self.now();
        let target = format!("sip:{}@10.0.0.{}", ["a", "b", "c"][to], to + 1);
        let line = self.lines[from];
        let call = self.net.engine(from).invite(now, line, &target, 0, Extras::default()).unwrap();
        self.net.run(0);
        let peer = self.net.call(to);
        self.net.engine(to).ring(now, peer, 180, Extras::default()).unwrap();
        self.net.run(0);
        (call, peer)
    }

    /// The transfer that a phone is asked for last.
    fn asked(&self, n: usize) -> (RequestHandle, Option<CallHandle>) {
        let found = self.net.nodes[n].said.iter().rev().find_map(|s| match s.event {
            Event::Transfer { request, call, .. } => Some((request, call)),
            _ => None,
        });
        found.unwrap()
    }

    /// What changed in one call.
    fn changes(&self, n: usize, call: CallHandle) -> Vec<CallChange> {
        let of = |s: &net::Said| match s.event {
            Event::Call { call: c, change, .. } if c == call => Some(change),
            _ => None,
        };
        self.net.nodes[n].said.iter().filter_map(of).collect()
    }

    /// The ladder without its times.
    fn ladder(&self) -> Vec<String> {
        let bare = |l: &String| l.split_once(' ').unwrap().1.to_string();
        self.net.ladder().iter().map(bare).collect()
    }
}

fn transfer(status: u16, done: bool) -> CallChange {
    CallChange::Transfer { status, done }
}

fn ended(why: EndReason) -> CallChange {
    CallChange::Ended { why, status: 0 }
}

// RFC 5589 6.1; flow 6 by the RFCs.
#[test]
fn a_blind_transfer() {
    let mut t = Trio::new();
    let (a, b) = t.talk(0, 1);
    let from = t.ladder().len();
    let now = t.now();
    t.net.engine(1).transfer(now, b, "sip:c@10.0.0.3", false, Extras::default()).unwrap();
    t.net.run(0);
    let (request, call) = t.asked(0);
    assert_eq!(call, Some(a));
    let new = t.net.engine(0).accept_transfer(now, request, 5, Extras::default()).unwrap();
    t.net.run(0);
    let c = t.net.call(2);
    t.net.engine(2).ring(now, c, 180, Extras::default()).unwrap();
    t.net.run(0);
    t.net.engine(2).answer_call(now, c, Extras::default()).unwrap();
    t.net.run(10);
    assert_eq!(
        t.ladder()[from..],
        [
            "b>a REFER",
            "a>b 202 REFER",
            "a>b NOTIFY",
            "a>c INVITE",
            "b>a 200 NOTIFY",
            "c>a 180 INVITE",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "c>a 200 INVITE",
            "a>c ACK",
            "a>b NOTIFY",
            "b>a 200 NOTIFY",
            "b>a BYE",
            "a>b 200 BYE",
        ]
    );
    assert_eq!(
        t.changes(1, b)[2..],
        [
            transfer(202, false),
            transfer(100, false),
            transfer(180, false),
            transfer(200, true),
            ended(EndReason::Transferred),
        ]
    );
    assert_eq!(t.changes(0, a).last(), Some(&ended(EndReason::RemoteHangup)));
    assert_eq!(t.changes(0, new).last(), Some(&CallChange::Answered { status: 200 }));
    let now = t.now();
    t.net.engine(2).hangup(now, c).unwrap();
    t.net.finish();
}
