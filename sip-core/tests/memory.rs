//! What an engine takes: all of it at construction, exactly what `footprint` says, and no more.

#[path = "support/net.rs"]
mod net;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use net::{LOCAL, Net, config};
use sansip::{Engine, Extras, Instant, Limits, LineConfig, footprint};

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
            if challenged {
                c.challenge.methods = sansip::Challenged::All;
                c.challenge.realm = "example.com".into();
                c.challenge.algorithms = vec![sansip::Algorithm::Sha256, sansip::Algorithm::Md5];
                c.challenge.integrity = true;
                c.challenge.nonce = 60_000;
            }
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
            let target = sansip::Target { uri: "", next_hop: "sip:10.0.0.3:5060", q: 1000 };
            let targets = [target];
            let answer =
                if locate { sansip::Answer::NotFound } else { sansip::Answer::Route(&targets) };
            let engine = &mut net.nodes[n].engine;
            net::enter(|| engine.answer(now, id, answer)).unwrap();
        }
    });
    Proxied { net, line: lines[0] }
}

impl Proxied {
    /// One call in three shapes: answered, refused, given up.
    fn call(&mut self, shape: usize) {
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
    let w = calls(proxied(false), 10_000);
    for node in &w.net.nodes {
        let stats = node.engine.stats();
        assert_eq!(stats.blocks, stats.lines, "{}", node.name);
    }
}

#[test]
fn nothing_is_allocated_where_every_request_is_challenged() {
    let w = calls(proxied(true), 1_200);
    // The caller keeps what it has answered: the challenge of one proxy.
    let held = w.net.nodes.iter().map(|n| n.engine.stats()).map(|s| s.blocks - s.lines);
    assert_eq!(held.collect::<Vec<_>>(), [1, 0, 0]);
}

fn calls(mut w: Proxied, count: usize) -> Proxied {
    net::WATCH.set(Some(|inside| INSIDE.set(inside)));
    for n in 0..count {
        w.call(n % 3);
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
