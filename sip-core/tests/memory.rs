//! What an engine takes: all of it at construction, exactly what `footprint` says, and no more.

#[path = "support/net.rs"]
mod net;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use net::{LOCAL, Net, config};
use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{Engine, Event, Extras, Instant, Limits, LineConfig, Stats, footprint};

struct Counting;

thread_local! {
    static TAKEN: Cell<usize> = const { Cell::new(0) };
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static WITHIN: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; only counters are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TAKEN.try_with(|t| t.set(t.get() + layout.size()));
        if INSIDE.try_with(Cell::get).unwrap_or(false) {
            let _ = WITHIN.try_with(|w| w.set(w.get() + 1));
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn footprint_is_what_construction_takes() {
    for (name, limits, most) in [
        ("tiny", Limits::TINY, 24 * 1024),
        ("phone", Limits::PHONE, 64 * 1024),
        ("tester", Limits::TESTER, 16 << 20),
        ("server", Limits::SERVER, 512 << 20),
    ] {
        let said = footprint(&limits);
        let config = config(1);
        let before = TAKEN.get();
        let engine = Engine::new(config, &limits).unwrap();
        assert_eq!(TAKEN.get() - before, said, "{name}");
        println!("{name}: {said} bytes, and {} for the engine itself", size_of_val(&engine));
        assert!(said <= most, "{name} takes {said}, more than {most}");
    }
}

fn one_call(net: &mut Net, lines: [sansip::LineHandle; 2]) {
    let body = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";
    let sdp = Extras { headers: &[], content_type: "application/sdp", body, media: None };
    let now = net.at();
    net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, sdp).unwrap();
    net.settle();
    let peer = net.call(1);
    net.engine(1).ring(now, peer, 180, Extras::default()).unwrap();
    net.settle();
    net.engine(1).ring(now, peer, 183, sdp).unwrap();
    net.settle();
    net.engine(1).answer_call(now, peer, Extras::default()).unwrap();
    net.run(10);
    let call = net.call(0);
    let now = net.at();
    net::enter(|| net.nodes[0].engine.update(now, call, Extras::default())).unwrap();
    net.run(10);
    let sent = |label: &str| net.trace.iter().any(|s| s.label() == label);
    assert!(sent("200 PRACK") && sent("200 UPDATE"));
    let now = net.at();
    net.engine(0).hangup(now, call).unwrap();
    net.finish();
    net.nodes.iter_mut().for_each(|n| n.said.clear());
    net.trace.clear();
}

/// Two phones with these limits.
fn phones(limits: &Limits) -> (Net, [sansip::LineHandle; 2]) {
    let mut net = Net::new();
    let lines = [0u8, 1].map(|n| {
        let mut config = config(n + 1);
        config.roles.proxy = false;
        config.roles.registrar = false;
        let name = ["a", "b"][usize::from(n)];
        let i = net.add(name, config, limits);
        let aor = ["sip:a@10.0.0.1", "sip:b@10.0.0.2"][i];
        let line = LineConfig {
            aor,
            display: "",
            proxy: "",
            local: Some(LOCAL),
            expires: 0,
            any: false,
            user: 0,
            ..LineConfig::default()
        };
        net.engine(i).add_line(Instant(0), line).unwrap()
    });
    (net, lines)
}

#[test]
fn the_small_presets_carry_calls_one_after_another() {
    for limits in [Limits::TINY, Limits::PHONE] {
        let (mut net, lines) = phones(&limits);
        for _ in 0..20 {
            one_call(&mut net, lines);
        }
    }
}

#[test]
fn tiny_carries_both_of_its_calls_at_once() {
    let (mut net, lines) = phones(&Limits::TINY);
    let now = net.at();
    let body = [b'v'; 300];
    let sdp = Extras { headers: &[], content_type: "application/sdp", body: &body, media: None };
    for _ in 0..2 {
        net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, sdp).unwrap();
        net.settle();
        let peer = net.call(1);
        net.engine(1).ring(now, peer, 180, Extras::default()).unwrap();
        net.engine(1).answer_call(now, peer, sdp).unwrap();
        net.run(10);
    }
    assert_eq!(net.nodes[0].engine.stats().calls, 2);
    assert_eq!(net.nodes[1].engine.stats().calls, 2);
    net.run(60_000);
    let now = net.at();
    net.engine(1).shutdown(now).unwrap();
    net.finish();
}

/// a calls b through the proxy p, which has no binding and a static route.
struct Proxied {
    net: Net,
    line: sansip::LineHandle,
    challenged: bool,
}

const BODY: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn proxied(challenged: bool) -> Proxied {
    let mut net = Net::new();
    net.passwords = vec![("a", "secret"), ("b", "hidden")];
    for (name, seed) in [("a", 1), ("p", 2), ("b", 3)] {
        let mut c = config(seed);
        let proxy = name == "p";
        c.roles = sansip::Roles { ua: !proxy, proxy, registrar: proxy };
        if proxy {
            c.domains = vec!["example.com".into()];
        } else {
            c.session_expires = 90;
        }
        if proxy && challenged {
            c.challenge.methods = sansip::Challenged::All;
            c.challenge.realm = "example.com".into();
            c.challenge.algorithms = vec![sansip::Algorithm::Sha256, sansip::Algorithm::Md5];
            c.challenge.integrity = true;
            c.challenge.nonce = 60_000;
        }
        net.add(name, c, &Limits::TESTER);
    }
    let mut lines = Vec::new();
    for (n, aor) in [(0, "sip:a@example.com"), (2, "sip:b@example.com")] {
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
    net.on_query = Some(|net| {
        for (n, id, locate) in std::mem::take(&mut net.asked) {
            let now = net.at();
            let target =
                sansip::Target { next_hop: "sip:10.0.0.3:5060", q: 1000, ..Default::default() };
            let targets = [target];
            let answer =
                if locate { sansip::Answer::NotFound } else { sansip::Answer::Route(&targets) };
            let engine = &mut net.nodes[n].engine;
            net::enter(|| engine.answer(now, id, answer)).unwrap();
        }
    });
    Proxied { net, line: lines[0], challenged }
}

impl Proxied {
    /// A call with all that one can have: media, a reliable provisional response, UPDATE, hold and
    /// resume by either side, and a session timer.
    fn whole_call(&mut self) {
        let (net, line) = (&mut self.net, self.line);
        let other = if self.challenged { 0 } else { 2 };
        let with = |media| Extras { media: Some(media), ..Extras::default() };
        let now = net.at();
        let caller = &mut net.nodes[0].engine;
        let call = net::enter(|| caller.invite(now, line, "sip:b@example.com", 0, with(&DESK)));
        let call = call.unwrap();
        net.settle();
        let peer = net.call(2);
        let callee = &mut net.nodes[2].engine;
        net::enter(|| callee.ring(now, peer, 183, with(&DESK))).unwrap();
        net.run(10);
        let now = net.at();
        let callee = &mut net.nodes[2].engine;
        net::enter(|| callee.answer_call(now, peer, Extras::default())).unwrap();
        net.run(10);
        for (n, h) in [(0, call), (other, if other == 0 { call } else { peer })] {
            let now = net.at();
            net::enter(|| net.nodes[n].engine.hold(now, h)).unwrap();
            net.run(10);
            let now = net.at();
            net::enter(|| net.nodes[n].engine.resume(now, h)).unwrap();
            net.run(10);
        }
        let now = net.at();
        net::enter(|| net.nodes[0].engine.update(now, call, Extras::default())).unwrap();
        // The session is refreshed once.
        net.run(50_000);
        let now = net.at();
        net::enter(|| net.nodes[0].engine.hangup(now, call)).unwrap();
        net.settle();
        let sent = |label: &str| net.trace.iter().filter(|s| s.label() == label).count();
        let answers = ["200 INVITE", "200 PRACK", "200 UPDATE", "200 BYE"].map(sent);
        // Each is seen on both hops.
        assert_eq!(answers, [10, 2, 4, 2], "{:?}", net.ladder());
        let held = net.trace.iter().filter(|s| s.bytes.windows(10).any(|w| w == b"a=sendonly"));
        assert!(held.count() >= 4);
        net.nodes.iter_mut().for_each(|n| n.media.clear());
    }

    /// One call in three shapes: answered, refused, given up. Or with all that one can have.
    fn call(&mut self, shape: usize) {
        if shape == 3 {
            self.whole_call();
            self.net.nodes.iter_mut().for_each(|n| n.said.clear());
            self.net.trace.clear();
            return;
        }
        let sdp = Extras { headers: &[], content_type: "application/sdp", body: BODY, media: None };
        let (net, line) = (&mut self.net, self.line);
        let now = net.at();
        let caller = &mut net.nodes[0].engine;
        let call = net::enter(|| caller.invite(now, line, "sip:b@example.com", 0, sdp)).unwrap();
        net.settle();
        let peer = net.call(2);
        let callee = &mut net.nodes[2].engine;
        net::enter(|| callee.ring(now, peer, 180, Extras::default())).unwrap();
        net.settle();
        let callee = &mut net.nodes[2].engine;
        match shape {
            0 => net::enter(|| callee.answer_call(now, peer, sdp)).unwrap(),
            1 => net::enter(|| callee.reject(now, peer, 486, Extras::default())).unwrap(),
            _ => {}
        }
        net.settle();
        if shape != 1 {
            let caller = &mut net.nodes[0].engine;
            net::enter(|| caller.hangup(now, call)).unwrap();
        }
        net.settle();
        net.nodes.iter_mut().for_each(|n| n.said.clear());
        net.trace.clear();
    }
}

#[test]
fn nothing_is_allocated_over_10_000_calls_through_user_agents_and_proxy() {
    let w = calls(proxied(false), 10_000, 4);
    for node in &w.net.nodes {
        let stats = node.engine.stats();
        assert_eq!(stats.blocks, stats.lines, "{}", node.name);
    }
}

#[test]
fn nothing_is_allocated_where_every_request_is_challenged() {
    let w = calls(proxied(true), 1_200, 4);
    // The caller keeps what it has answered: the challenge of one proxy.
    let held = w.net.nodes.iter().map(|n| n.engine.stats()).map(|s| s.blocks - s.lines);
    assert_eq!(held.collect::<Vec<_>>(), [1, 0, 0]);
}

fn calls(mut w: Proxied, count: usize, shapes: usize) -> Proxied {
    net::WATCH.set(Some(|inside| INSIDE.set(inside)));
    for n in 0..count {
        w.call(n % shapes);
        // Transactions live for 32 s; 40 calls at a time fit the tables.
        if n % 40 == 39 {
            w.net.run(40_000);
        }
    }
    w.net.run(400_000);
    net::WATCH.set(None);
    assert_eq!(WITHIN.get(), 0, "allocations inside the engines");
    for node in &w.net.nodes {
        let stats = node.engine.stats();
        assert!(node.engine.is_quiescent(), "{} holds {stats:?}", node.name);
        assert_eq!(stats.refused_full, 0);
    }
    w
}

const fn codec(payload: u8, name: &'static str, fmtp: &'static str) -> Codec<'static> {
    Codec { payload, name, clock: 8_000, channels: 1, fmtp }
}

/// What a desk phone can have.
const DESK: Media<'static> = Media {
    address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)),
    streams: &[Stream {
        kind: Kind::Audio,
        port: 4_000,
        transport: "",
        codecs: &[
            codec(8, "PCMA", ""),
            codec(0, "PCMU", ""),
            codec(101, "telephone-event", "0-15"),
        ],
        direction: Direction::SendRecv,
        bandwidth: 0,
        ptime: 20,
        crypto: "",
    }],
    bandwidth: 0,
};

#[test]
fn nothing_is_allocated_when_calls_are_transferred() {
    let (mut net, lines) = phones(&Limits::PHONE);
    let mut third = config(3);
    third.roles.proxy = false;
    third.roles.registrar = false;
    net.add("c", third, &Limits::PHONE);
    let now = net.at();
    let line = LineConfig { aor: "sip:c@10.0.0.3", ..LineConfig::default() };
    net.engine(2).add_line(now, line).unwrap();
    let with = Extras { media: Some(&DESK), ..Extras::default() };
    net::WATCH.set(Some(|inside| INSIDE.set(inside)));
    let talk = |net: &mut Net, to: usize, target: &str| {
        let now = net.at();
        net::enter(|| net.nodes[0].engine.invite(now, lines[0], target, 0, with)).unwrap();
        net.settle();
        let peer = net.call(to);
        net::enter(|| net.nodes[to].engine.answer_call(now, peer, with)).unwrap();
        net.run(10);
        net.call(0)
    };
    for round in 0..40 {
        let attended = round % 2 == 1;
        let call = talk(&mut net, 1, "sip:b@10.0.0.2");
        let other = attended.then(|| {
            let now = net.at();
            net::enter(|| net.nodes[0].engine.hold(now, call)).unwrap();
            net.run(10);
            talk(&mut net, 2, "sip:c@10.0.0.3")
        });
        let now = net.at();
        let engine = &mut net.nodes[0].engine;
        match other {
            Some(other) => net::enter(|| engine.transfer_to(now, call, other, Extras::default())),
            None => net::enter(|| {
                engine.transfer(now, call, "sip:c@10.0.0.3", false, Extras::default())
            }),
        }
        .unwrap();
        net.settle();
        let request = net.nodes[1].said.iter().rev().find_map(|s| match s.event {
            Event::Transfer { request, .. } => Some(request),
            _ => None,
        });
        let engine = &mut net.nodes[1].engine;
        net::enter(|| engine.accept_transfer(now, request.unwrap(), 0, with)).unwrap();
        net.settle();
        let (new, peer) = (net.call(1), net.call(2));
        net::enter(|| net.nodes[2].engine.answer_call(now, peer, with)).unwrap();
        net.run(1_000);
        assert!(net.trace.iter().any(|s| s.label() == "200 NOTIFY"), "{:?}", net.ladder());
        assert_eq!(net.nodes[0].engine.stats().calls, 0, "{:?}", net.ladder());
        let now = net.at();
        let done = net::enter(|| net.nodes[2].engine.hangup(now, peer));
        done.unwrap_or_else(|e| panic!("{e} {new:?} {:?}", net.ladder()));
        net.finish();
        net.trace.clear();
        net.nodes.iter_mut().for_each(|n| n.said.clear());
    }
    net::WATCH.set(None);
    assert_eq!(WITHIN.get(), 0, "allocations inside the engines");
}

/// What one more place of a table takes, with its timers and its share of the indexes.
fn record(set: fn(&mut Limits, usize)) -> usize {
    let [small, large] = [1_024, 2_048].map(|n| {
        let mut limits = Limits { calls: 500, calls_in: 500, ..Limits::TESTER };
        set(&mut limits, n);
        footprint(&limits)
    });
    (large - small).div_ceil(1_024)
}

/// The bytes of what an engine holds beside its line.
fn leg(before: &Stats, after: &Stats) -> (usize, usize) {
    assert_eq!((after.calls, after.dialogs), (1, 1));
    let gone = after.transactions + after.attempts + after.queries + after.outputs;
    assert_eq!(gone, 0, "nothing of how it came about: {after:?}");
    let records = record(|l, n| l.calls = n) + record(|l, n| l.dialogs = n);
    (records, after.pool_bytes - before.pool_bytes)
}

/// The same with one codec.
const SPARE: Media<'static> =
    Media { streams: &[Stream { codecs: &[codec(8, "PCMA", "")], ..DESK.streams[0] }], ..DESK };

#[test]
fn an_established_leg_takes_1_536_bytes_at_most() {
    for (ours, theirs) in [(&DESK, &DESK), (&DESK, &SPARE), (&SPARE, &DESK)] {
        let (mut net, lines) = phones(&Limits::TINY);
        let before = [0, 1].map(|n| net.nodes[n].engine.stats());
        let with = |media| Extras { media: Some(media), ..Extras::default() };
        let now = net.at();
        net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, with(ours)).unwrap();
        net.settle();
        let peer = net.call(1);
        net.engine(1).answer_call(now, peer, with(theirs)).unwrap();
        net.run(60_000);
        let holds = |net: &Net| [0, 1].map(|n| leg(&before[n], &net.nodes[n].engine.stats()));
        for (records, pool) in holds(&net) {
            println!("{records} + {pool} = {}", records + pool);
            assert!(records + pool <= 1_536, "{records} + {pool}");
        }
        // On hold, and what the call can have beside that.
        let call = net.call(0);
        let now = net.at();
        net.engine(0).hold(now, call).unwrap();
        net.run(60_000);
        for (records, pool) in holds(&net) {
            println!("held: {records} + {pool} = {}", records + pool);
            assert!(records + pool <= 1_536 + 256, "{records} + {pool}");
        }
        let now = net.at();
        net.engine(0).resume(now, call).unwrap();
        net.run(60_000);
        for (records, pool) in holds(&net) {
            assert!(records + pool <= 1_536, "{records} + {pool}");
        }
        let now = net.at();
        net.engine(0).hangup(now, call).unwrap();
        net.finish();
    }
}
