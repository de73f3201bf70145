//! Whole calls through the record-routing proxy, with the millisecond of each message.

#[path = "support/net.rs"]
mod net;

use net::{Net, config};
use sansip::{
    Answer, CallChange, EndReason, Extras, Limits, LineConfig, Output, Query, QueryId, Target,
};

/// a, the proxy p for example.com, and b behind a static route.
struct World {
    net: Net,
    line: sansip::LineHandle,
}

const A: usize = 0;
const P: usize = 1;
const B: usize = 2;

fn answer_all(net: &mut Net) {
    let asked: Vec<(usize, QueryId, bool)> = std::mem::take(&mut net.asked);
    for (n, id, locate) in asked {
        let now = net.at();
        let target = Target { next_hop: "sip:10.0.0.3:5060", q: 1000, ..Target::default() };
        let answer = if locate { Answer::NotFound } else { Answer::Route(&[target]) };
        net.engine(n).answer(now, id, answer).unwrap();
    }
}

impl World {
    fn new() -> Self {
        let mut net = Net::new();
        for (name, seed) in [("a", 1), ("p", 2), ("b", 3)] {
            let mut c = config(seed);
            let proxy = name == "p";
            c.roles = sansip::Roles { ua: !proxy, proxy, registrar: proxy };
            if proxy {
                c.domains = vec!["example.com".into()];
            }
            net.add(name, c, &Limits::TESTER);
        }
        let mut lines = Vec::new();
        for (n, aor) in [(A, "sip:a@example.com"), (B, "sip:b@example.com")] {
            let line = LineConfig {
                aor,
                display: "",
                proxy: "sip:10.0.0.2:5060",
                local: None,
                expires: 0,
                any: false,
                user: 0,
                ..LineConfig::default()
            };
            let now = net.at();
            lines.push(net.engine(n).add_line(now, line).unwrap());
        }
        net.on_query = Some(answer_all);
        Self { net, line: lines[0] }
    }

    fn dial(&mut self) -> sansip::CallHandle {
        let (now, line) = (self.net.at(), self.line);
        let call = self.net.engine(A).invite(now, line, "sip:b@example.com", 0, Extras::default());
        self.net.settle();
        call.unwrap()
    }
}

#[test]
fn a_call_goes_through_and_the_callee_hangs_up() {
    let mut w = World::new();
    w.dial();
    w.net.run(100);
    let (peer, now) = (w.net.call(B), w.net.at());
    w.net.engine(B).ring(now, peer, 180, Extras::default()).unwrap();
    w.net.run(900);
    let now = w.net.at();
    w.net.engine(B).answer_call(now, peer, Extras::default()).unwrap();
    w.net.run(1_000);
    let now = w.net.at();
    w.net.engine(B).hangup(now, peer).unwrap();
    w.net.settle();
    assert_eq!(
        w.net.ladder(),
        [
            "0 a>p INVITE",
            "0 p>a 100 INVITE",
            "0 p>b INVITE",
            "100 b>p 180 INVITE",
            "100 p>a 180 INVITE",
            "1000 b>p 200 INVITE",
            "1000 p>a 200 INVITE",
            "1000 a>p ACK",
            "1000 p>b ACK",
            "2000 b>p BYE",
            "2000 p>a BYE",
            "2000 a>p 200 BYE",
            "2000 p>b 200 BYE",
        ]
    );
    w.net.finish();
}

#[test]
fn busy_comes_back_and_each_hop_acknowledges_it() {
    let mut w = World::new();
    w.dial();
    let (peer, now) = (w.net.call(B), w.net.at());
    w.net.engine(B).reject(now, peer, 486, Extras::default()).unwrap();
    w.net.settle();
    assert_eq!(
        w.net.ladder()[3..],
        ["0 b>p 486 INVITE", "0 p>b ACK", "0 p>a 486 INVITE", "0 a>p ACK"]
    );
    assert_eq!(
        w.net.changes(A).last(),
        Some(&CallChange::Ended { why: EndReason::Refused, status: 486 })
    );
    w.net.finish();
}

#[test]
fn a_cancel_is_answered_by_each_hop_and_487_comes_back() {
    let mut w = World::new();
    let call = w.dial();
    let (peer, now) = (w.net.call(B), w.net.at());
    w.net.engine(B).ring(now, peer, 180, Extras::default()).unwrap();
    w.net.run(3_000);
    let now = w.net.at();
    w.net.engine(A).hangup(now, call).unwrap();
    w.net.settle();
    assert_eq!(
        w.net.ladder()[5..],
        [
            "3000 a>p CANCEL",
            "3000 p>a 200 CANCEL",
            "3000 p>b CANCEL",
            "3000 b>p 200 CANCEL",
            "3000 b>p 487 INVITE",
            "3000 p>b ACK",
            "3000 p>a 487 INVITE",
            "3000 a>p ACK",
        ]
    );
    w.net.finish();
}

#[test]
fn the_proxys_questions_carry_the_request() {
    let mut w = World::new();
    w.net.on_query = None;
    w.dial();
    let seen = std::mem::take(&mut w.net.asked);
    assert_eq!(seen.len(), 1);
    assert!(seen[0].2, "the bindings are asked for first");
    let now = w.net.at();
    w.net.engine(P).answer(now, seen[0].1, Answer::NotFound).unwrap();
    let Some(Output::Query(id, Query::Route { request, uri, ours })) = w.net.engine(P).poll()
    else {
        panic!("no Route question");
    };
    assert_eq!((uri, ours), ("sip:b@example.com", true));
    let message = w.net.engine(P).message(request).unwrap();
    assert_eq!(message.request_uri(), b"sip:b@example.com");
    w.net.engine(P).answer(now, id, Answer::Reject(403)).unwrap();
    // An answer that comes twice is harmless.
    w.net.engine(P).answer(now, id, Answer::Reject(404)).unwrap();
    w.net.settle();
    assert!(w.net.ladder().contains(&"0 p>a 403 INVITE".to_string()), "{:?}", w.net.ladder());
    w.net.finish();
}
