//! What bounds the layer: what an unproven source gets, how many transactions there are, and that
//! nothing is ever left over.

use std::format;
use std::string::String;
use std::vec::Vec;

use super::table::State;
use super::testing::{Bench, FLOW, OWNER, Seen, ack, limits, request, response};
use super::{FromRequest, FromTimer, Reply, Transactions, TxHandle};
use crate::config::{Config, Network, Retransmit};
use crate::error::{Error, Limit};
use crate::limits::Limits;
use crate::store::queries::{Owner, OwnerKind};
use crate::time::Instant;
use crate::wire::Method;

fn bytes(seen: &[(u64, Seen)]) -> usize {
    let all = seen.iter().map(|(_, s)| match s {
        Seen::Sent { text, .. } => text.len(),
        Seen::Failed(_) => 0,
    });
    all.sum()
}

fn guarded() -> Bench {
    Bench::with(Config::new([9; 32]), limits())
}

fn is_invite(method: &str) -> bool {
    method == "INVITE"
}

/// DESIGN 10: an unproven UDP source gets at most 3 times the bytes that it sent, repetitions on
/// both sides included, for every method and every kind of answer.
#[test]
fn an_unproven_source_gets_at_most_three_times_what_it_sent() {
    let methods = Method::ALL.iter().filter(|m| !matches!(m, Method::Ack)).map(|m| m.as_str());
    for method in methods.chain(["FOO"]) {
        for status in [0, 200, 302, 401, 486, 603] {
            for repetitions in [0, 1, 5] {
                let mut b = guarded();
                let text = request(method, "10.0.0.2", "z9hG4bKx");
                let path = Bench::path(false);
                let h = b.open(&text, &path);
                let (mut paid, mut sent) = (text.len(), 0);
                if status != 0 {
                    let body = format!("{}{}", response(&text, status), "x".repeat(300));
                    if is_invite(method) {
                        b.respond(h, 180, &response(&text, 180)).unwrap();
                    }
                    b.respond(h, status, &body).unwrap();
                }
                for i in 1..=repetitions {
                    sent += bytes(&b.run(i * 700));
                    paid += text.len();
                    assert_eq!(b.receive_request(&text, &path), FromRequest::Repeated);
                }
                sent += bytes(&b.run(32_000));
                assert!(sent <= 3 * paid, "{method} {status}: {sent} for {paid}");
                assert!(sent > 0, "{method} {status}: something fits");
            }
        }
    }
}

/// The bound is not reached by silence alone: the timers of a refused INVITE run on, and what the
/// next repetition pays for is sent.
#[test]
fn a_repetition_pays_for_more() {
    let mut b = guarded();
    let (path, text) = (Bench::path(false), request("INVITE", "10.0.0.2", "z9hG4bKx"));
    let h = b.open(&text, &path);
    let refusal = format!("{}{}", response(&text, 486), "x".repeat(text.len()));
    b.respond(h, 486, &refusal).unwrap();
    let fits = 3 * text.len() / refusal.len();
    assert_eq!(b.run(20_000).len(), fits);
    b.receive_request(&text, &path);
    let more = 6 * text.len() / refusal.len() - fits;
    assert_eq!(b.run(31_999).len(), more);
    assert!(b.run(32_000).iter().any(|(_, s)| matches!(s, Seen::Failed(_))), "H has run on");
}

/// Only the source that gets the answers pays for them.
#[test]
fn a_repetition_from_elsewhere_pays_for_nothing() {
    let mut b = guarded();
    let text = request("INVITE", "10.0.0.2", "z9hG4bKx");
    let h = b.open(&text, &Bench::path(false));
    b.respond(h, 486, &response(&text, 486)).unwrap();
    let mut elsewhere = Bench::path(false);
    elsewhere.remote = crate::path::Addr::v4(10, 0, 0, 66, 5060);
    let mut sent = 0;
    for i in 0..20 {
        sent += bytes(&b.run(i * 1_000));
        assert_eq!(b.receive_request(&text, &elsewhere), FromRequest::Repeated);
    }
    assert!(sent <= 3 * text.len());
}

/// Whom the bound does not concern.
#[test]
fn a_proven_or_trusted_source_gets_what_the_timers_say() {
    let long = |text: &str| format!("{}{}", response(text, 486), "x".repeat(3 * text.len()));
    let count = |b: &mut Bench, reliable: bool, branch: &str| {
        let text = request("INVITE", "10.0.0.2", branch);
        let h = b.open(&text, &Bench::path(reliable));
        b.respond(h, 486, &long(&text)).unwrap();
        let sent = b.drain().len();
        b.tx.end(&mut b.cx, h);
        sent
    };
    let mut b = guarded();
    assert_eq!(count(&mut b, false, "z9hG4bK1"), 0);
    assert_eq!(count(&mut b, true, "z9hG4bK2"), 1, "a connection is proof");
    // An ACK with our To tag proves the source, one with another does not.
    for (tag, proven) in [("tag=guess", 0), ("tag=to1", 1)] {
        let text = request("INVITE", "10.0.0.2", &format!("z9hG4bK{tag}"));
        let h = b.open(&text, &Bench::path(false));
        b.respond(h, 486, &response(&text, 486)).unwrap();
        b.receive_request(&ack(&text).replace("tag=to1", tag), &Bench::path(false));
        assert_eq!(b.tx.state(h), Some(State::Confirmed));
        b.drain();
        assert_eq!(count(&mut b, false, &format!("z9hG4bKafter{tag}")), proven, "{tag}");
    }
    // In a dialog the To tag is the source's own word.
    let mut b = guarded();
    let text = request("INVITE", "10.0.0.2", "z9hG4bKr")
        .replace("Bob <sip:bob@example.com>", "<sip:b@e>;tag=to1");
    let h = b.open(&text, &Bench::path(false));
    b.respond(h, 486, &response(&text, 486).replace(";tag=to1;tag=to1", ";tag=to1")).unwrap();
    b.receive_request(&ack(&text), &Bench::path(false));
    assert_eq!(b.tx.state(h), Some(State::Confirmed));
    b.drain();
    assert_eq!(count(&mut b, false, "z9hG4bKs"), 0);

    let mut config = Config::new([9; 32]);
    config.trusted = Vec::from([Network { ip: "10.0.0.0".parse().unwrap(), prefix: 24 }]);
    assert_eq!(count(&mut Bench::with(config, limits()), false, "z9hG4bK1"), 1);
    let mut config = Config::new([9; 32]);
    config.retransmit = Retransmit::Rfc;
    assert_eq!(count(&mut Bench::with(config, limits()), false, "z9hG4bK1"), 1);
}

/// The same bound for answers without state: they see one request at a time.
#[test]
fn an_answer_without_state_stays_within_what_its_request_paid() {
    let mut b = guarded();
    let text = request("OPTIONS", "10.0.0.2", "z9hG4bKx");
    assert!(b.stateless(&text, &Bench::path(false), 200));
    let long = "x".repeat(3 * text.len());
    let fields = [(crate::wire::Name::Warning, long.as_bytes())];
    let reply = Reply { extra: &fields, ..Reply::default() };
    let m = crate::wire::MessageRef::lazy(text.as_bytes()).unwrap();
    let e = crate::header::Essentials::of(&m);
    let path = Bench::path(false);
    assert_eq!(b.tx.reply_stateless(&mut b.cx, &m, &e, &path, 200, &reply), Ok(false));
    for status in [100, 180, 408, 700] {
        let answer = b.tx.reply_stateless(&mut b.cx, &m, &e, &path, status, &Reply::default());
        assert_eq!(answer, Err(Error::Misuse(crate::error::Misuse::BadStatus)));
    }
    assert_eq!(b.drain().len(), 1);
    b.assert_clean();
}

/// DESIGN 3.6: timers I, J and K give way first, oldest first, then D; what still works never does.
#[test]
fn a_full_table_makes_room_in_order() {
    let mut b = Bench::with(Config::new([9; 32]), Limits { transactions: 7, ..limits() });
    let path = Bench::path(false);
    let (d, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 486));
    let (k, text) = b.client("OPTIONS", false);
    b.receive_response(&response(&text, 200));
    let text = request("INVITE", "10.0.0.2", "z9hG4bKi");
    let i = b.open(&text, &path);
    b.respond(i, 486, &response(&text, 486)).unwrap();
    b.receive_request(&ack(&text), &path);
    let text = request("OPTIONS", "10.0.0.2", "z9hG4bKj");
    let j = b.open(&text, &path);
    b.respond(j, 200, &response(&text, 200)).unwrap();
    b.drain();
    // These three work: an accepted INVITE, a refused one without ACK, a request that waits.
    let text = request("INVITE", "10.0.0.2", "z9hG4bKl");
    let l = b.open(&text, &path);
    b.respond(l, 200, &response(&text, 200)).unwrap();
    let text = request("INVITE", "10.0.0.2", "z9hG4bKg");
    let g = b.open(&text, &path);
    b.respond(g, 486, &response(&text, 486)).unwrap();
    b.drain();
    let (e, _) = b.client("OPTIONS", false);
    b.drain();
    assert_eq!(b.tx.len(), 7);
    assert!(b.tx.room_for(4) && !b.tx.room_for(5));
    for (n, gone) in [k, i, j, d].into_iter().enumerate() {
        assert!(b.tx.state(gone).is_some());
        // A new one takes the place by itself.
        let h = b.open(&request("INFO", "10.0.0.2", &format!("z9hG4bKn{n}")), &path);
        assert_eq!((b.tx.state(gone), b.tx.state(h)), (None, Some(State::Trying)), "{n}");
    }
    assert!(!b.tx.make_room(&mut b.cx));
    assert!([l, g, e].iter().all(|h| b.tx.state(*h).is_some()));
    let before = (b.cx.pool.live(), b.cx.timers.len());
    let text = request("INFO", "10.0.0.2", "z9hG4bKfull");
    let m = crate::wire::MessageRef::lazy(text.as_bytes()).unwrap();
    let essentials = crate::header::Essentials::of(&m);
    let refused = b.tx.open_server(&mut b.cx, OWNER, &m, &essentials, &path);
    assert_eq!(refused, Err(Error::Full(Limit::Transactions)));
    assert_eq!((b.cx.pool.live(), b.cx.timers.len()), before, "nothing else has changed");
}

/// An accepted INVITE works, until its user can do without it: then it gives way, after all others.
#[test]
fn an_accepted_invite_that_can_be_spared_gives_way_last() {
    let mut b = Bench::with(Config::new([9; 32]), Limits { transactions: 4, ..limits() });
    let path = Bench::path(false);
    let (m, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 200));
    let text = request("INVITE", "10.0.0.2", "z9hG4bKl");
    let l = b.open(&text, &path);
    b.respond(l, 200, &response(&text, 200)).unwrap();
    let (d, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 486));
    let (a, _) = b.client("INVITE", false);
    b.drain();
    assert!(b.tx.room_for(1) && !b.tx.room_for(2));
    // One that has no final response cannot be spared.
    for tx in [a, m, l, m] {
        b.tx.spare(tx);
    }
    assert!(b.tx.room_for(3) && !b.tx.room_for(4));
    for (n, gone) in [d, m, l].into_iter().enumerate() {
        assert!(b.tx.make_room(&mut b.cx));
        assert_eq!((b.tx.state(gone), b.tx.len()), (None, 3 - n));
    }
    assert!(!b.tx.make_room(&mut b.cx));
    assert_eq!(b.tx.state(a), Some(State::Calling));
}

/// Whichever absorber ends first, the others give way in their order.
#[test]
fn absorbers_leave_their_list_from_any_place() {
    for gone in 0..4 {
        let mut b = Bench::new();
        let mut all = Vec::new();
        for i in 0..4 {
            let text = request("OPTIONS", "10.0.0.2", &format!("z9hG4bK{i}"));
            let h = b.open(&text, &Bench::path(false));
            b.respond(h, 200, &response(&text, 200)).unwrap();
            all.push(h);
        }
        b.tx.end(&mut b.cx, all.remove(gone));
        for (i, h) in all.iter().enumerate() {
            assert!(b.tx.make_room(&mut b.cx));
            assert_eq!((b.tx.state(*h), b.tx.len()), (None, 2 - i));
        }
        b.assert_clean();
    }
}

/// The ring is full: a start is refused whole, with its block.
#[test]
fn a_start_without_room_leaves_nothing() {
    let mut b = guarded();
    let filler = b.cx.pool.take(1).unwrap();
    while b.cx.out.room() > 0 {
        b.cx.transmit(filler, Bench::path(false), 0, 0).unwrap();
    }
    let block = b.cx.pool.copy_in(b"INVITE sip:x SIP/2.0\r\n\r\n").unwrap();
    let branch = Transactions::new_branch(&mut b.cx);
    let path = Bench::path(false);
    let started = b.tx.start_client(&mut b.cx, OWNER, block, Method::Invite, branch, path);
    assert_eq!(started, Err(Error::Full(Limit::Outputs)));
    b.cx.pool.release(filler);
    b.assert_clean();
}

/// A random program of everything that can happen.
struct Program {
    b: Bench,
    random: u64,
    invites: Vec<(TxHandle, String)>,
    clients: Vec<(TxHandle, String)>,
    servers: Vec<(TxHandle, String, bool)>,
    serial: u32,
}

impl Program {
    fn next(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695);
        (self.random >> 33) % n
    }

    fn pick<T: Clone>(&mut self, of: fn(&Self) -> &Vec<T>) -> Option<T> {
        let n = of(self).len() as u64;
        if n == 0 {
            return None;
        }
        let i = self.next(n) as usize;
        of(self).get(i).cloned()
    }

    fn start(&mut self) {
        let reliable = self.next(2) == 0;
        let method = ["INVITE", "OPTIONS", "REGISTER", "BYE"][self.next(4) as usize];
        let branch = Transactions::new_branch(&mut self.b.cx);
        let text = request(method, "10.0.0.1", std::str::from_utf8(branch.as_bytes()).unwrap());
        let Ok(block) = self.b.cx.pool.copy_in(text.as_bytes()) else { return };
        let (path, of) = (Bench::path(reliable), Method::of(method.as_bytes()));
        let started = self.b.tx.start_client(&mut self.b.cx, OWNER, block, of, branch, path);
        if let Ok(h) = started {
            let list = if of == Method::Invite { &mut self.invites } else { &mut self.clients };
            list.push((h, text));
        }
    }

    fn arrive(&mut self) {
        let reliable = self.next(2) == 0;
        let method = ["INVITE", "OPTIONS", "CANCEL", "BYE"][self.next(4) as usize];
        self.serial += 1;
        let cookie = ["z9hG4bK", ""][self.next(2) as usize];
        let branch = format!("{cookie}{}", self.serial);
        let text =
            request(method, "10.0.0.2", &branch).replace("314", &format!("{}", 314 + self.serial));
        let path = Bench::path(reliable);
        let found = self.b.receive_request(&text, &path);
        if matches!(found, FromRequest::New | FromRequest::Cancel { .. } | FromRequest::Merged) {
            let m = crate::wire::MessageRef::lazy(text.as_bytes()).unwrap();
            let e = crate::header::Essentials::of(&m);
            if let Ok(h) = self.b.tx.open_server(&mut self.b.cx, OWNER, &m, &e, &path) {
                self.servers.push((h, text, reliable));
            }
        }
    }

    fn step(&mut self) {
        let status = [100, 180, 183, 200, 202, 302, 408, 486, 503, 603][self.next(10) as usize];
        match self.next(14) {
            0 => self.start(),
            1 | 2 => self.arrive(),
            3 | 4 => {
                let invite = self.next(2) == 0;
                let picked =
                    if invite { self.pick(|p| &p.invites) } else { self.pick(|p| &p.clients) };
                if let Some((_, text)) = picked {
                    self.b.receive_response(&response(&text, status));
                }
            }
            5 | 6 => {
                if let Some((h, text, _)) = self.pick(|p| &p.servers)
                    && let Ok(block) = self.b.cx.pool.copy_in(response(&text, status).as_bytes())
                {
                    let _ = self.b.tx.respond(&mut self.b.cx, h, status, block);
                }
            }
            7 => {
                if let Some((h, ..)) = self.pick(|p| &p.servers) {
                    let _ = self.b.tx.reply(&mut self.b.cx, h, status, &Reply::default());
                }
            }
            8 => {
                if let Some((_, text, reliable)) = self.pick(|p| &p.servers) {
                    let what = if self.next(2) == 0 { text } else { ack(&text) };
                    self.b.receive_request(&what, &Bench::path(reliable));
                }
            }
            9 => {
                if let Some((h, _)) = self.pick(|p| &p.invites) {
                    let _ = self.b.tx.cancel(&mut self.b.cx, h, OWNER);
                }
            }
            10 => {
                if let Some((h, _)) = self.pick(|p| &p.clients) {
                    self.b.tx.send_failed(&mut self.b.cx, h);
                }
                if let Some((h, ..)) =
                    self.pick(|p| &p.servers).filter(|_| self.serial.is_multiple_of(3))
                {
                    self.b.tx.send_failed(&mut self.b.cx, h);
                }
            }
            11 if self.next(10) == 0 => {
                while self.b.tx.flow_closed(&mut self.b.cx, FLOW, 0).is_some() {}
            }
            12 => {
                self.b.drain();
            }
            _ => {
                let until = self.b.cx.now.0 + self.next(3_000);
                // Without draining: the ring runs full, and timers are put off.
                self.b.cx.now = Instant(until);
                for _ in 0..20 {
                    let Some((_, key)) = self.b.cx.timers.due(Instant(until)) else { break };
                    self.b.tx.on_timer(&mut self.b.cx, key);
                }
            }
        }
    }

    /// The users of what no timer ends give up, as the layers above do.
    fn finish(&mut self) {
        self.b.drain();
        for (h, ..) in std::mem::take(&mut self.servers) {
            if self.b.tx.state(h) == Some(State::Proceeding) {
                let _ = self.b.tx.reply(&mut self.b.cx, h, 500, &Reply::default());
                self.b.drain();
                if self.b.tx.state(h) == Some(State::Proceeding) {
                    self.b.tx.end(&mut self.b.cx, h);
                }
            }
        }
        for (h, _) in std::mem::take(&mut self.invites) {
            let cancel = self.b.tx.cancel(&mut self.b.cx, h, OWNER);
            self.b.drain();
            if cancel == Ok(None) && self.b.tx.state(h) == Some(State::Proceeding) {
                // Put off, and not waited for.
                self.b.tx.end(&mut self.b.cx, h);
            }
        }
        let end = self.b.cx.now.0 + 64 * 500 + 5_000;
        self.b.run(end);
    }
}

/// After any program, and 64*T1 + T4 later, no transaction, timer or block is left.
#[test]
fn nothing_is_left_after_any_program() {
    for seed in 0..150 {
        let (transactions, pool) = [(3, 20_000), (8, 60_000), (40, 1 << 19)][seed as usize % 3];
        let mut config = Config::new([9; 32]);
        if seed % 2 == 0 {
            config.retransmit = Retransmit::Rfc;
        }
        let wire = crate::wire::WireLimits { message: 2_000, ..crate::wire::WireLimits::DEFAULT };
        let limits = Limits { transactions, pool, wire, ..limits() };
        let mut p = Program {
            b: Bench::with(config, limits),
            random: seed,
            invites: Vec::new(),
            clients: Vec::new(),
            servers: Vec::new(),
            serial: 0,
        };
        for _ in 0..400 {
            p.step();
            assert!(p.b.tx.len() <= transactions);
            assert!(p.b.cx.timers.len() <= 2 * transactions, "two timers a transaction at most");
        }
        p.finish();
        p.b.assert_clean();
    }
}

/// A handle's owner changes, and what comes back goes to the new one.
#[test]
fn what_comes_back_goes_to_the_owner_of_the_moment() {
    let mut b = Bench::new();
    let (h, text) = b.client("INVITE", false);
    let other = Owner::new(OwnerKind::Call, 99);
    b.tx.set_owner(h, other);
    let got = b.receive_response(&response(&text, 180));
    assert_eq!(got, super::FromResponse::Response { tx: h, owner: other });
    b.tx.set_owner(h, OWNER);
    assert_eq!(b.tx.send_failed(&mut b.cx, h), FromTimer::Nothing, "Proceeding ignores it");
}
