//! 2,000 calls over a network that loses 30%, duplicates and reorders: each ends in a defined way
//! on both sides, the sides agree or loss explains why not, and nothing is left.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;

use sansip::EndReason::{
    Abandoned, Cancelled, Hangup, NoAck, Refused, Rejected, RemoteHangup, Timeout,
};
use sansip_sim::network::{Link, NodeId};
use sansip_sim::phone::{Outcome, Phone};
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;
use support::{add_phone, add_proxy, is_empty};

const EACH: u64 = 500;

/// Four pairs of phones: the callee hangs up, the caller hangs up, busy, no answer.
struct Pairs {
    world: World,
    pairs: Vec<(NodeId, NodeId)>,
    proxy: Option<NodeId>,
}

fn proxy(world: &mut World) -> NodeId {
    let mut app = ProxyApp::new();
    for i in 0..4 {
        app = app.route(&format!("b{i}@"), &format!("sip:10.0.1.{}", i + 1));
    }
    add_proxy(world, "p", "10.0.9.9:5060", 3_000, app)
}

fn callers_and_callees(seed: u64, link: &Link, with_proxy: bool) -> Pairs {
    let mut world = World::new(seed);
    let proxy = with_proxy.then(|| proxy(&mut world));
    world.net.set_default(link.clone());
    let callees = [
        Phone::new("sip:b@example.com").answers(200, 2_000).hangs_up(10_000),
        Phone::new("sip:b@example.com").answers(200, 2_000).hangs_up(120_000),
        Phone::new("sip:b@example.com").answers(486, 500),
        // Nobody answers; what the caller cannot cancel ends after 100 s.
        Phone::new("sip:b@example.com").answers(480, 100_000),
    ];
    let callers: [fn(Phone) -> Phone; 4] =
        [|p| p.hangs_up(120_000), |p| p.hangs_up(10_000), |p| p, |p| p.gives_up(8_000)];
    let mut pairs = Vec::new();
    for (i, (callee, caller)) in callees.into_iter().zip(callers).enumerate() {
        let at = format!("10.0.1.{}:5060", i + 1);
        let b = add_phone(&mut world, &format!("b{i}"), &at, 600, callee);
        let phone = Phone::new("sip:a@example.com");
        let phone = if with_proxy {
            phone.via("sip:10.0.9.9").calls(&format!("sip:b{i}@example.com"), EACH, 40)
        } else {
            phone.calls(&format!("sip:b@{at}"), EACH, 40)
        };
        let at = format!("10.0.0.{}:5060", i + 1);
        let a = add_phone(&mut world, &format!("a{i}"), &at, 600, caller(phone));
        pairs.push((a, b));
    }
    Pairs { world, pairs, proxy }
}

fn rough() -> Link {
    Link { loss: 0.3, duplicate: 0.05, delay: 5, jitter: 1_000, ..Link::default() }
}

fn by_number(outcomes: &[Outcome]) -> BTreeMap<u64, Vec<Outcome>> {
    let mut out: BTreeMap<u64, Vec<Outcome>> = BTreeMap::new();
    for outcome in outcomes {
        out.entry(outcome.number).or_default().push(outcome.clone());
    }
    out
}

/// How a call ended for both, and what explains it; `None` where nothing does.
///
/// Through a proxy, `408` may be the proxy's: nothing came from the callee within 64*T1.
fn explained(caller: &Outcome, callee: Option<&Outcome>, proxied: bool) -> Option<&'static str> {
    let seen = callee.map(|c| c.why);
    let status = callee.map_or(0, |c| c.status);
    Some(match (caller.why, seen) {
        (RemoteHangup, Some(Hangup)) | (Hangup, Some(RemoteHangup)) => "agreed: hung up",
        (Refused, Some(Rejected)) if caller.status == status => "agreed: refused",
        (Abandoned, Some(Cancelled)) => "agreed: cancelled",
        (Hangup, Some(Hangup)) => "no BYE arrived, both hung up",
        // No response within 64*T1: 0.51^7 on each hop.
        (Timeout, None) if caller.status == 408 => "the INVITE never arrived",
        (Refused, None) if proxied && caller.status == 408 => "the INVITE never arrived",
        (Abandoned, None) => "the INVITE never arrived, and the caller gave up",
        (Timeout, Some(Rejected | NoAck)) if caller.status == 408 => "no response arrived",
        (Refused, Some(Rejected | NoAck)) if proxied && caller.status == 408 => {
            "no response arrived"
        }
        (Abandoned, Some(Rejected)) if status == 480 => "no response or no CANCEL arrived",
        (RemoteHangup, Some(NoAck)) => "no ACK arrived",
        (Hangup, Some(NoAck)) => "no ACK arrived, both hung up",
        _ => return None,
    })
}

fn account(all: &Pairs) -> BTreeMap<&'static str, u64> {
    let mut counts = BTreeMap::new();
    for (a, b) in &all.pairs {
        let (callers, callees) = (all.world.app::<Phone>(*a), all.world.app::<Phone>(*b));
        assert_eq!((callers.live(), callees.live()), (0, 0), "a call has not ended");
        assert!(callers.refused.is_empty(), "{:?}", callers.refused);
        let (placed, taken) = (by_number(&callers.outcomes), by_number(&callees.outcomes));
        assert_eq!(placed.len() as u64, EACH);
        assert!(taken.keys().all(|n| placed.contains_key(n)), "a call that nobody placed");
        for (number, caller) in &placed {
            assert_eq!(caller.len(), 1, "one end for the caller: {caller:?}");
            let callee = taken.get(number);
            assert!(callee.is_none_or(|c| c.len() == 1), "one end for the callee: {callee:?}");
            let callee = callee.map(|c| &c[0]);
            let why = explained(&caller[0], callee, all.proxy.is_some());
            let why = why.unwrap_or_else(|| panic!("{:?}\n{callee:?}", caller[0]));
            *counts.entry(why).or_default() += 1;
        }
    }
    counts
}

fn every_call_ends(seed: u64, with_proxy: bool, agree_percent: u64) {
    let mut all = callers_and_callees(seed, &rough(), with_proxy);
    all.world.run_until(600_000);
    let counts = account(&all);
    for (why, n) in &counts {
        println!("{n:>6}  {why}");
    }
    assert_eq!(counts.values().sum::<u64>(), 4 * EACH);
    let agreed: u64 = counts.iter().filter(|(w, _)| w.starts_with("agreed")).map(|(_, n)| n).sum();
    assert!(agreed >= 4 * EACH * agree_percent / 100, "{agreed} agreed");
    for (a, b) in &all.pairs {
        is_empty(&all.world, *a);
        is_empty(&all.world, *b);
    }
    if let Some(p) = all.proxy {
        is_empty(&all.world, p);
    }
    assert_eq!(all.world.net.flying(), 0);
}

#[test]
fn every_call_ends_on_both_sides_and_nothing_is_left() {
    every_call_ends(2_026, false, 97);
}

/// A 2xx and its ACK cross two hops each, so a copy succeeds with 0.7^4, and all 11 fail with
/// 0.76^11 = 4.9%.
#[test]
fn every_call_through_a_proxy_ends_and_nothing_is_left() {
    every_call_ends(2_027, true, 90);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let hash = |seed| {
        let mut all = callers_and_callees(seed, &rough(), true);
        all.world.run_until(20_000);
        (all.world.net.trace.sent(), all.world.net.trace.hash())
    };
    let first = hash(7);
    assert!(first.0 > 5_000, "{first:?}");
    assert_eq!(first, hash(7));
    assert_ne!(first, hash(8));
}
