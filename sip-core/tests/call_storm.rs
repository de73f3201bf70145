//! Random calls between two phones with hardly any room, polled slowly and over a lossy wire. Whatever
//! finds no room is lost or comes later; nothing panics, nothing turns for ever, and when both have
//! shut down nothing is left.

#[path = "support/net.rs"]
mod net;

use net::LOCAL;
use sansip::wire::WireLimits;
use sansip::{
    Addr, Answer, CallChange, CallHandle, Engine, Error, Event, Extras, Instant, Limits,
    LineConfig, LineHandle, Local, Output, Path, QueryId, RequestHandle, Transport,
};

/// What an application wants done, and when.
#[derive(Clone, Copy, Debug)]
enum Wish {
    Invite,
    Register,
    Unregister,
    Ring(CallHandle),
    Answer(CallHandle),
    Reject(CallHandle),
    Redirect(CallHandle),
    Reinvite(CallHandle),
    Hangup(CallHandle),
    Respond(RequestHandle),
    Resolve(QueryId),
}

struct Phone {
    addr: Addr,
    engine: Engine,
    line: LineHandle,
    wishes: Vec<(u64, Wish)>,
}

/// When it arrives, from, to, and the bytes.
type Sent = (u64, Addr, Addr, Vec<u8>);

struct World {
    now: u64,
    random: u64,
    loss: u64,
    phones: Vec<Phone>,
    wire: Vec<Sent>,
    body: Vec<u8>,
    label: String,
}

fn phone(n: u8, seed: u8, limits: &Limits) -> Phone {
    let mut config = net::config(seed);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.ring = 20_000;
    let mut engine = Engine::new(config, limits).unwrap();
    let addr = Addr::v4(10, 0, 0, n, 5060);
    let host = format!("10.0.0.{n}");
    let local =
        Local { transport: Transport::Udp, bound: addr, host: &host, port: 5060, network: 0 };
    engine.set_local(Instant(0), LOCAL, local).unwrap();
    let aor = format!("sip:p{n}@10.0.0.{n}");
    let line = LineConfig {
        aor: &aor,
        display: "",
        proxy: "",
        local: None,
        expires: 60,
        any: true,
        user: 0,
        ..LineConfig::default()
    };
    let line = engine.add_line(Instant(0), line).unwrap();
    Phone { addr, engine, line, wishes: Vec::new() }
}

impl World {
    fn below(&mut self, n: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(99);
        (self.random >> 33) % n
    }

    fn wish(&mut self, n: usize, within: u64, wish: Wish) {
        let at = self.now + self.below(within);
        self.phones[n].wishes.push((at, wish));
    }

    fn heard(&mut self, n: usize, event: Event) {
        match event {
            Event::Request { request, .. } if self.below(2) == 0 => {
                self.wish(n, 500, Wish::Respond(request));
            }
            Event::Call { call, change: CallChange::Incoming, .. } => {
                for _ in 0..2 {
                    let what = match self.below(7) {
                        0 | 1 => Wish::Answer(call),
                        2 | 3 => Wish::Ring(call),
                        4 => Wish::Reject(call),
                        5 => Wish::Redirect(call),
                        _ => Wish::Hangup(call),
                    };
                    self.wish(n, 4_000, what);
                }
            }
            Event::Call {
                call,
                change: CallChange::Answered { .. } | CallChange::Confirmed,
                ..
            } => {
                for _ in 0..self.below(4) {
                    let again = self.below(3) > 0;
                    let what = if again { Wish::Reinvite(call) } else { Wish::Hangup(call) };
                    self.wish(n, 6_000, what);
                }
            }
            Event::Call { call, change: CallChange::Reinvite, .. } => match self.below(4) {
                0 => self.wish(n, 500, Wish::Reject(call)),
                1 => self.wish(n, 500, Wish::Hangup(call)),
                2 => self.wish(n, 500, Wish::Answer(call)),
                _ => {}
            },
            _ => {}
        }
    }

    /// Takes so many outputs of a phone.
    fn poll(&mut self, n: usize, most: usize) {
        for _ in 0..most {
            let (now, delay, lost) = (self.now, self.below(80), self.below(100) < self.loss);
            let answered = self.below(8) > 0;
            let p = &mut self.phones[n];
            match p.engine.poll() {
                None => return,
                Some(Output::Transmit(t)) => {
                    if !lost {
                        let bytes = t.bytes.to_vec();
                        self.wire.push((now + delay, p.addr, t.path.remote, bytes));
                    }
                }
                Some(Output::Event(event, _)) => self.heard(n, event),
                // One question in eight is never answered.
                Some(Output::Query(id, _)) if answered => {
                    self.wish(n, 3_000, Wish::Resolve(id));
                }
                Some(_) => {}
            }
        }
    }

    fn act(&mut self, n: usize, wish: Wish) {
        let now = Instant(self.now);
        let peer = std::net::IpAddr::from([10, 0, 0, 2 - n as u8]);
        let named = self.below(3) == 0;
        let target = if named { "sip:p@example.com".into() } else { format!("sip:p@{peer}") };
        // Nobody lives at the first address.
        let addresses = [[10, 0, 0, 77].into(), peer];
        let known = self.below(4) as usize;
        let addresses = addresses.get(known..).unwrap_or(&addresses[1..]);
        let extras =
            Extras { headers: &[], content_type: "application/sdp", body: &self.body, media: None };
        let p = &mut self.phones[n];
        let (e, line) = (&mut p.engine, p.line);
        let before = e.stats();
        let done = match wish {
            Wish::Invite => e.invite(now, line, &target, 0, extras).map(drop),
            Wish::Register => e.register(now, line),
            Wish::Unregister => e.unregister(now, line),
            Wish::Ring(c) => e.ring(now, c, 180, Extras::default()),
            Wish::Answer(c) => e.answer_call(now, c, extras),
            Wish::Reject(c) => e.reject(now, c, 486, extras),
            Wish::Redirect(c) => e.redirect(now, c, 302, "sip:x@10.0.0.3", Extras::default()),
            Wish::Reinvite(c) => e.reinvite(now, c, extras),
            Wish::Hangup(c) => e.hangup(now, c),
            Wish::Respond(r) => e.respond(now, r, 200, extras),
            Wish::Resolve(q) => e.answer(now, q, Answer::Addresses(addresses, 60)),
        };
        let Err(error) = done else { return };
        assert_eq!(
            e.stats(),
            before,
            "{}: {wish:?} was refused ({error:?}) and left a trace",
            self.label
        );
        if let Error::Full(_) = error {
            assert!(!matches!(wish, Wish::Hangup(_)), "{}: {wish:?} {error:?}", self.label);
            self.wish(n, 300, wish);
        }
    }

    /// One moment: what is due on the wire, the clocks, the wishes; then some outputs.
    fn turn(&mut self, most: usize) {
        let now = self.now;
        let (due, later): (Vec<Sent>, _) = self.wire.drain(..).partition(|w| w.0 <= now);
        self.wire = later;
        for (_, from, to, bytes) in due {
            let Some(n) = self.phones.iter().position(|p| p.addr == to) else { continue };
            let path = Path { local: LOCAL, remote: from, flow: None };
            match self.phones[n].engine.receive(Instant(self.now), path, &bytes) {
                Ok(_) | Err(Error::Full(_)) => {}
                Err(e) => panic!("{}: {e:?}", self.label),
            }
            let most = self.below(3) as usize;
            self.poll(n, most);
        }
        for n in 0..self.phones.len() {
            let now = Instant(self.now);
            let e = &mut self.phones[n].engine;
            if e.next_timeout().is_some_and(|t| t <= now) {
                assert_eq!(e.handle_timeout(now), Ok(()), "{}", self.label);
            }
            let wishes = self.phones[n].wishes.drain(..);
            let (due, later): (Vec<_>, _) = wishes.partition(|(at, _)| *at <= now.0);
            self.phones[n].wishes = later;
            for (_, wish) in due {
                self.act(n, wish);
            }
            self.poll(n, most);
        }
    }

    fn storm(&mut self, calls: u64) {
        for n in 0..2 {
            self.wish(n, 1_000, Wish::Register);
            self.wish(n, 20_000, Wish::Unregister);
            for _ in 0..calls {
                self.wish(n, 30_000, Wish::Invite);
            }
        }
        while self.now < 60_000 {
            let most = self.below(3) as usize;
            self.turn(most);
            self.now += 10 + self.below(30);
        }
        for p in &mut self.phones {
            p.wishes.clear();
            let _ = p.engine.shutdown(Instant(self.now));
        }
        let end = self.now + 400_000;
        while self.now < end {
            self.turn(usize::MAX);
            for p in &mut self.phones {
                p.wishes.clear();
                if p.engine.stats().calls > 0 {
                    // What came in since is ended as well.
                    let _ = p.engine.shutdown(Instant(self.now));
                }
            }
            let next = self.phones.iter().filter_map(|p| p.engine.next_timeout()).min();
            let wire = self.wire.iter().map(|w| Instant(w.0)).min();
            match next.into_iter().chain(wire).min() {
                Some(at) => self.now = at.0.max(self.now + 1),
                None => break,
            }
        }
        for p in &self.phones {
            let s = p.engine.stats();
            assert!(p.engine.is_quiescent(), "{}: {s:?}", self.label);
            assert_eq!((s.blocks, s.outputs), (s.lines, 0), "{}: {s:?}", self.label);
        }
    }
}

fn storm(seed: u64, limits: &Limits, loss: u64, body: usize) {
    let label = format!(
        "seed {seed} outputs {} pool {} attempts {} loss {loss} body {body}",
        limits.outputs, limits.pool, limits.attempts
    );
    let mut world = World {
        now: 1_000,
        random: seed,
        loss,
        phones: vec![phone(1, 1, limits), phone(2, 2, limits)],
        wire: Vec::new(),
        body: vec![b'v'; body],
        label,
    };
    world.storm(6);
}

#[test]
fn calls_under_every_small_ring_and_pool_leave_nothing() {
    let wire = WireLimits { message: 2_000, header_section: 1_900, ..Limits::TINY.wire };
    for outputs in 8..24 {
        for (i, pool) in [2_048, 8_000, 14_000, 20_000, 40_000, 80_000].into_iter().enumerate() {
            let seed = outputs as u64 * 100 + i as u64;
            let limits = Limits {
                outputs,
                pool,
                calls: 4,
                calls_in: 3,
                dialogs: 4 + i % 3,
                transactions: 8 + 4 * i,
                attempts: 2 + i,
                wire,
                ..Limits::TINY
            };
            for loss in [0, 15, 40] {
                storm(seed, &limits, loss, 300 * (i % 3));
            }
        }
    }
}
