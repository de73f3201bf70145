//! Calls over TCP, cut and glued, and what becomes of them when the connection goes.

#[path = "support/mod.rs"]
mod support;

use sansip_sim::network::{Cut, Link, NodeId};
use sansip_sim::phone::Phone;
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;
use support::{add_phone, add_proxy, is_empty};

const CALLS: u64 = 100;

/// A caller that reaches the proxy over TCP, and a callee that the proxy reaches over TCP.
fn world(link: Link) -> (World, [NodeId; 3]) {
    let mut w = World::new(5);
    w.net.set_default(link);
    let caller = Phone::new("sip:a@example.com")
        .via("sip:10.0.0.9;transport=tcp")
        .calls("sip:b@example.com", CALLS, 37)
        .hangs_up(5_000);
    let app = ProxyApp::new().route("b@example.com", "sip:10.0.0.2;transport=tcp");
    let p = add_proxy(&mut w, "p", "10.0.0.9:5060", 200, app);
    let callee = Phone::new("sip:b@example.com").answers(200, 500);
    let b = add_phone(&mut w, "b", "10.0.0.2:5060", 200, callee);
    let a = add_phone(&mut w, "a", "10.0.0.1:5060", 200, caller);
    (w, [a, p, b])
}

#[test]
fn calls_over_tcp_survive_every_cut() {
    for cut in [Cut::Whole, Cut::Every(1), Cut::Every(7), Cut::Random] {
        let (mut w, nodes) = world(Link { cut, delay: 3, ..Link::default() });
        w.run_until(200_000);
        let ends: Vec<_> = w.app::<Phone>(nodes[0]).outcomes.iter().map(|o| o.answered).collect();
        assert_eq!(ends, [true; CALLS as usize], "{cut:?}");
        let over_udp = w.net.trace.packets().filter(|p| p.stream.is_none()).count();
        assert_eq!(over_udp, 0, "everything goes over the connections");
        let [a, b] = [nodes[0], nodes[2]];
        assert_eq!(w.stats(a).flows, 1, "one connection carries all calls");
        assert_eq!(w.stats(b).flows, 1);
        for node in nodes {
            is_empty(&w, node);
        }
    }
}

#[test]
fn calls_over_a_lossy_stream_only_take_longer() {
    let (mut w, nodes) = world(Link { loss: 0.3, jitter: 50, cut: Cut::Random, ..Link::default() });
    w.run_until(200_000);
    assert!(w.app::<Phone>(nodes[0]).outcomes.iter().all(|o| o.answered));
    assert_eq!(w.app::<Phone>(nodes[2]).outcomes.len() as u64, CALLS);
    for node in nodes {
        is_empty(&w, node);
    }
}

#[test]
fn when_the_callee_dies_nothing_of_its_calls_stays_in_the_proxy() {
    let (mut w, [a, p, b]) = world(Link::slow(3));
    w.run_until(2_000);
    assert!(w.stats(p).transactions > 0);
    w.kill(b);
    w.run_until(400_000);
    let phone = w.app::<Phone>(a);
    assert_eq!((phone.live(), phone.outcomes.len() as u64), (0, CALLS), "{}", w.ladder());
    is_empty(&w, a);
    is_empty(&w, p);
    assert_eq!(w.stats(p).flows, 1, "the caller's connection stays");
}
