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
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; only counters are kept beside.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = TAKEN.try_with(|t| t.set(t.get() + layout.size()));
        let _ = CALLS.try_with(|c| c.set(c.get() + 1));
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
    let sdp = Extras { headers: &[], content_type: "application/sdp", body };
    let now = net.at();
    net.engine(0).invite(now, lines[0], "sip:b@10.0.0.2", 0, sdp).unwrap();
    net.settle();
    let peer = net.call(1);
    net.engine(1).ring(now, peer, 180, Extras::default()).unwrap();
    net.engine(1).answer_call(now, peer, sdp).unwrap();
    net.run(10);
    let call = net.call(0);
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
    let sdp = Extras { headers: &[], content_type: "application/sdp", body: &body };
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
