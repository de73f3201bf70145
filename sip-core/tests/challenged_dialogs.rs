//! A proxy that challenges every request of a call, of either side (RFC 3261 22.1 and 22.3): each
//! goes again with credentials, and the call goes on as if nobody had asked.

#[path = "support/net.rs"]
mod net;

use net::Net;
use sansip::{
    Answer, Binding, CallChange, CallHandle, Challenge, Challenged, Config, EndReason, Event,
    Extras, Leaves, LineConfig, LineHandle, Reliable, Roles, Transfers, header::auth::Algorithm,
};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
const ALICE: usize = 0;
const PROXY: usize = 1;
const BOB: usize = 2;
const CAROL: usize = 3;

/// How often the proxy asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asks {
    /// For each nonce that is new to the sender.
    Once,
    /// For each request: its nonces are old at once.
    Always,
}

struct World {
    net: Net,
    lines: Vec<LineHandle>,
}

fn sdp() -> Extras<'static> {
    Extras { content_type: "application/sdp", body: SDP.as_bytes(), ..Extras::default() }
}

/// Each user is where its phone is.
fn answer_all(net: &mut Net) {
    for (n, id, locate) in std::mem::take(&mut net.asked) {
        let now = net.at();
        let proxy = net.nodes[PROXY].addr;
        let last = net.trace.iter().rev().find(|s| s.to == proxy && s.label() == "INVITE");
        let uri = last.map(|s| {
            let text = String::from_utf8_lossy(&s.bytes).into_owned();
            text.split(' ').nth(1).unwrap_or("").to_string()
        });
        let host = match uri.unwrap_or_default() {
            u if u.contains("alice") => 1,
            u if u.contains("carol") => 4,
            _ => 3,
        };
        let user = ["", "alice", "", "bob", "carol"][host];
        let uri = format!("sip:{user}@10.0.0.{host}");
        let binding = Binding {
            uri: &uri,
            q: 1_000,
            expires: 3_600,
            call_id: "x",
            cseq: 1,
            ..Binding::default()
        };
        let answer = if locate {
            Answer::Located { version: 1, bindings: &[binding] }
        } else {
            Answer::NotFound
        };
        net.engine(n).answer(now, id, answer).unwrap();
    }
}

fn phone(seed: u8) -> Config {
    let mut c = net::config(seed);
    c.roles = Roles { ua: true, proxy: false, registrar: false };
    c.transfers = Transfers::Accept;
    c.transferor_leaves = Leaves::Never;
    c
}

impl World {
    fn new(asks: Asks, reliable: bool) -> Self {
        let mut net = Net::new();
        net.on_query = Some(answer_all);
        net.passwords = vec![("alice", "a"), ("bob", "b"), ("carol", "c")];
        let mut lines = Vec::new();
        for (n, name) in ["alice", "proxy", "bob", "carol"].into_iter().enumerate() {
            let mut c = phone(n as u8 + 1);
            if reliable {
                c.reliable = Reliable::Always;
            }
            if n == PROXY {
                c.roles = Roles { ua: false, proxy: true, registrar: true };
                c.domains = vec!["example.com".into()];
                c.record_route = true;
                c.unix_at_zero = 1_000_000;
                c.challenge = Challenge {
                    methods: Challenged::All,
                    realm: "example.com".into(),
                    algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
                    integrity: false,
                    nonce: if asks == Asks::Once { 3_600_000 } else { 900 },
                };
            }
            net.add(name, c, &sansip::Limits::TESTER);
            if n == PROXY {
                lines.push(LineHandle::from_raw(0));
                continue;
            }
            let aor = format!("sip:{name}@example.com");
            let line =
                LineConfig { aor: &aor, proxy: "sip:10.0.0.2:5060", ..LineConfig::default() };
            let now = net.at();
            lines.push(net.engine(n).add_line(now, line).unwrap());
        }
        Self { net, lines }
    }

    /// Bob's phone rings for Alice.
    fn dial(&mut self) -> (CallHandle, CallHandle) {
        let (now, line) = (self.net.at(), self.lines[ALICE]);
        let a = self.net.engine(ALICE).invite(now, line, "sip:bob@example.com", 0, sdp()).unwrap();
        self.wait();
        let (b, now) = (self.net.call(BOB), self.net.at());
        self.net.engine(BOB).ring(now, b, 180, Extras::default()).unwrap();
        self.wait();
        (a, b)
    }

    fn talk(&mut self) -> (CallHandle, CallHandle) {
        let (a, b) = self.dial();
        let now = self.net.at();
        self.net.engine(BOB).answer_call(now, b, sdp()).unwrap();
        self.wait();
        assert!(self.net.changes(BOB).contains(&CallChange::Confirmed), "{:#?}", self.net.ladder());
        (a, b)
    }

    /// Longer than a nonce holds where each request is asked for.
    fn wait(&mut self) {
        self.net.run(2_500);
    }

    /// Each 407 was followed by the same request with credentials, and no request was refused for
    /// good; so many requests of this method were challenged. The ACK of a challenge went no further
    /// than the proxy.
    fn check(&self, from: usize, method: &str) {
        let ladder = self.net.ladder().join("\n");
        let proxy = self.net.nodes[PROXY].addr;
        let texts: Vec<String> =
            self.net.trace.iter().map(|s| String::from_utf8_lossy(&s.bytes).into_owned()).collect();
        let field = |i: usize, name: &str| {
            let line = texts[i].lines().find(|l| l.starts_with(&format!("{name}: ")));
            line.map_or(String::new(), |l| l[name.len() + 2..].to_string())
        };
        let branch = |i: usize| field(i, "Via").split("branch=").nth(1).unwrap_or("").to_string();
        let mut challenged = 0;
        for (i, s) in self.net.trace.iter().enumerate() {
            if !texts[i].starts_with("SIP/2.0 407") {
                continue;
            }
            assert_eq!(s.from, proxy);
            let number: u32 = field(i, "CSeq").split(' ').next().unwrap().parse().unwrap();
            let what = field(i, "CSeq").split(' ').nth(1).unwrap().to_string();
            let again = (i..texts.len()).find(|j| {
                self.net.trace[*j].from == s.to
                    && texts[*j].starts_with(&what)
                    && field(*j, "Call-ID") == field(i, "Call-ID")
                    && field(*j, "CSeq") == format!("{} {what}", number + 1)
            });
            let again = again.unwrap_or_else(|| panic!("{what} did not go again\n{ladder}"));
            assert!(texts[again].contains("Proxy-Authorization: "), "{}", texts[again]);
            if s.to == self.net.nodes[from].addr && what == method {
                challenged += 1;
            }
            // RFC 3261 17.1.1.3
            let forwarded = (i..texts.len()).find(|j| {
                self.net.trace[*j].from == proxy
                    && texts[*j].starts_with("ACK")
                    && texts[*j].contains(&branch(i))
            });
            assert!(forwarded.is_none(), "the ACK of a challenge was forwarded\n{ladder}");
        }
        assert!(challenged > 0, "no {method} of {from} was challenged\n{ladder}");
    }

    /// The call ends, by whom it may.
    fn end(&mut self, who: usize, call: CallHandle) {
        let now = self.net.at();
        self.net.engine(who).hangup(now, call).unwrap();
        self.wait();
        let other = if who == ALICE { BOB } else { ALICE };
        for (n, why) in [(who, EndReason::Hangup), (other, EndReason::RemoteHangup)] {
            let ended = CallChange::Ended { why, status: 0 };
            assert!(
                self.net.changes(n).contains(&ended),
                "{n}: {:?}\n{}",
                self.net.changes(n),
                self.net.ladder().join("\n")
            );
        }
        self.net.finish();
    }
}

/// Who sends, by its handle in the call.
fn both(a: CallHandle, b: CallHandle) -> [(usize, CallHandle); 2] {
    [(ALICE, a), (BOB, b)]
}

#[test]
fn a_bye_of_either_side() {
    for asks in [Asks::Once, Asks::Always] {
        for who in [0, 1] {
            let mut w = World::new(asks, false);
            let (a, b) = w.talk();
            let (n, call) = both(a, b)[who];
            w.end(n, call);
            if asks == Asks::Always || n == BOB {
                w.check(n, "BYE");
            }
        }
    }
}

#[test]
fn a_re_invite_and_an_update_of_either_side() {
    for asks in [Asks::Once, Asks::Always] {
        for (who, method) in [(0, "INVITE"), (1, "INVITE"), (0, "UPDATE"), (1, "UPDATE")] {
            let mut w = World::new(asks, false);
            let (a, b) = w.talk();
            let (n, call) = both(a, b)[who];
            let now = w.net.at();
            if method == "INVITE" {
                w.net.engine(n).reinvite(now, call, sdp()).unwrap();
                w.wait();
                let (other, peer) = both(a, b)[1 - who];
                let now = w.net.at();
                // Own bodies are answered by the application.
                let _ = w.net.engine(other).answer_call(now, peer, sdp());
                w.wait();
                let done = CallChange::Reinvited { status: 200 };
                assert!(w.net.changes(n).contains(&done), "{:#?}", w.net.ladder());
            } else {
                w.net.engine(n).update(now, call, Extras::default()).unwrap();
                w.wait();
                let done = CallChange::Updated { status: 200 };
                assert!(w.net.changes(n).contains(&done), "{:#?}", w.net.ladder());
            }
            if asks == Asks::Always || n == BOB {
                w.check(n, method);
            }
            w.end(n, call);
        }
    }
}

#[test]
fn a_prack() {
    for asks in [Asks::Once, Asks::Always] {
        let mut w = World::new(asks, true);
        let (a, _) = w.talk();
        assert!(w.net.trace.iter().any(|s| s.label() == "200 PRACK"), "{:#?}", w.net.ladder());
        if asks == Asks::Always {
            w.check(ALICE, "PRACK");
        }
        w.end(ALICE, a);
    }
}

#[test]
fn a_refer_of_either_side_and_the_notify_of_the_other() {
    for asks in [Asks::Once, Asks::Always] {
        for who in [0, 1] {
            let mut w = World::new(asks, false);
            let (a, b) = w.talk();
            let (n, call) = both(a, b)[who];
            let other = both(a, b)[1 - who].0;
            let now = w.net.at();
            let target = "sip:carol@example.com";
            w.net.engine(n).transfer(now, call, target, true, Extras::default()).unwrap();
            w.wait();
            let (c, now) = (w.net.call(CAROL), w.net.at());
            w.net.engine(CAROL).answer_call(now, c, sdp()).unwrap();
            w.wait();
            w.wait();
            let done = CallChange::Transfer { status: 200, done: true };
            assert!(
                w.net.changes(n).contains(&done),
                "{:?}\n{:#?}",
                w.net.changes(n),
                w.net.ladder()
            );
            if asks == Asks::Always || n == BOB {
                w.check(n, "REFER");
            }
            if asks == Asks::Always || other == BOB {
                w.check(other, "NOTIFY");
            }
            let now = w.net.at();
            w.net.engine(CAROL).hangup(now, c).unwrap();
            w.wait();
            w.end(n, call);
        }
    }
}

/// A cancelled call: nobody challenges CANCEL, and the ACK of its 487 goes on (RFC 3261 22.1).
#[test]
fn a_call_that_is_given_up() {
    let mut w = World::new(Asks::Always, false);
    let (a, _) = w.dial();
    let now = w.net.at();
    w.net.engine(ALICE).hangup(now, a).unwrap();
    w.wait();
    let ended = CallChange::Ended { why: EndReason::Cancelled, status: 487 };
    let changes = w.net.changes(BOB);
    assert!(matches!(changes.last(), Some(CallChange::Ended { .. })), "{changes:?} {ended:?}");
    w.check(ALICE, "INVITE");
    w.net.finish();
    let told = w.net.nodes[BOB].said.iter().any(|s| matches!(s.event, Event::Call { .. }));
    assert!(told);
}
