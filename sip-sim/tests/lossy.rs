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
use sansip_sim::world::World;
use support::{add_phone, is_empty};

const EACH: u64 = 500;

/// Four pairs of phones: the callee hangs up, the caller hangs up, busy, no answer.
struct Pairs {
    world: World,
    pairs: Vec<(NodeId, NodeId)>,
}

fn callers_and_callees(seed: u64, link: &Link) -> Pairs {
    let mut world = World::new(seed);
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
        let phone = Phone::new("sip:a@example.com").calls(&format!("sip:b@{at}"), EACH, 40);
        let at = format!("10.0.0.{}:5060", i + 1);
        let a = add_phone(&mut world, &format!("a{i}"), &at, 600, caller(phone));
        pairs.push((a, b));
    }
    Pairs { world, pairs }
}

fn run(seed: u64, link: &Link) -> Pairs {
    let mut all = callers_and_callees(seed, link);
    all.world.run_until(400_000);
    all
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
fn explained(caller: &Outcome, callee: Option<&Outcome>) -> Option<&'static str> {
    let seen = callee.map(|c| (c.why, c.status));
    Some(match ((caller.why, caller.status), seen) {
        ((RemoteHangup, _), Some((Hangup, _))) | ((Hangup, _), Some((RemoteHangup, _))) => {
            "agreed: hung up"
        }
        ((Hangup, _), Some((Hangup, _))) => "agreed: both hung up",
        ((Refused, s), Some((Rejected, t))) if s == t => "agreed: refused",
        ((Abandoned, _), Some((Cancelled, 487))) => "agreed: cancelled",
        // No response arrived within 64*T1: 0.51^7.
        ((Timeout, 408), None) => "the INVITE never arrived",
        ((Abandoned, _), None) => "the INVITE never arrived, and the caller gave up",
        ((Timeout, 408), Some((Rejected, _))) => "no response arrived",
        ((Abandoned, _), Some((Rejected, 480))) => "no response or no CANCEL arrived",
        // The ACK was lost 11 times; the BYE that follows ends it for the caller.
        ((RemoteHangup, _), Some((NoAck, _))) => "no ACK arrived",
        ((Hangup, _), Some((NoAck, _))) => "no ACK arrived, both hung up",
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
            let why = explained(&caller[0], callee);
            let why = why.unwrap_or_else(|| panic!("{:?}\n{callee:?}", caller[0]));
            *counts.entry(why).or_default() += 1;
        }
    }
    counts
}

#[test]
fn every_call_ends_on_both_sides_and_nothing_is_left() {
    let all = run(2_026, &rough());
    let counts = account(&all);
    for (why, n) in &counts {
        println!("{n:>6}  {why}");
    }
    assert_eq!(counts.values().sum::<u64>(), 4 * EACH);
    let agreed: u64 = counts.iter().filter(|(w, _)| w.starts_with("agreed")).map(|(_, n)| n).sum();
    assert!(agreed >= 4 * EACH * 97 / 100, "{agreed} agreed");
    for (a, b) in &all.pairs {
        is_empty(&all.world, *a);
        is_empty(&all.world, *b);
    }
    assert_eq!(all.world.net.flying(), 0);
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let hash = |seed| {
        let mut all = callers_and_callees(seed, &rough());
        all.world.run_until(20_000);
        (all.world.net.trace.sent(), all.world.net.trace.hash())
    };
    let first = hash(7);
    assert!(first.0 > 5_000, "{first:?}");
    assert_eq!(first, hash(7));
    assert_ne!(first, hash(8));
}
