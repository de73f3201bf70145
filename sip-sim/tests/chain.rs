//! 50,000 calls, 500 from each of 100 seeds, through three proxies in a row, the last of which
//! forks, over a network that loses 20%: each call ends for everyone, and nothing is left.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::thread;

use sansip::EndReason::{self, Abandoned, Cancelled, Hangup, Refused, RemoteHangup};
use sansip_sim::app::StoredBinding;
use sansip_sim::network::{Link, NodeId};
use sansip_sim::phone::{Outcome, Phone};
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;
use support::{add_phone, add_proxy, is_empty, phone_config, roomy};

const SEEDS: u64 = 100;
const EACH: u64 = 100;
/// A call ends within this time: placing, a whole INVITE transaction on each hop, the longest
/// time that a phone waits, and its end.
const ALL_OVER: u64 = 800_000;

/// What the two devices of a called user do, and what their caller does.
struct Kind {
    name: &'static str,
    devices: [fn(Phone) -> Phone; 2],
    caller: fn(Phone) -> Phone,
    /// How the call ends for the caller when little is lost, and in how many of a hundred at least.
    usual: (&'static [EndReason], u64),
}

const KINDS: [Kind; 5] = [
    Kind {
        name: "one answers, the other rings",
        devices: [|p| p.answers(200, 2_000), |p| p.answers(480, 100_000)],
        caller: |p| p.hangs_up(10_000),
        usual: (&[Hangup, RemoteHangup], 80),
    },
    Kind {
        name: "both answer at once",
        devices: [|p| p.answers(200, 2_000), |p| p.answers(200, 2_000)],
        caller: |p| p.hangs_up(10_000),
        usual: (&[Hangup, RemoteHangup], 80),
    },
    Kind {
        name: "one is busy, the other answers",
        devices: [|p| p.answers(486, 300), |p| p.answers(200, 3_000)],
        caller: |p| p.hangs_up(10_000),
        usual: (&[Hangup, RemoteHangup], 80),
    },
    Kind {
        name: "one declines for both",
        devices: [|p| p.answers(603, 1_500), |p| p.answers(480, 100_000)],
        caller: |p| p,
        usual: (&[Refused], 80),
    },
    Kind {
        name: "the caller gives up",
        devices: [|p| p.answers(480, 100_000), |p| p.answers(480, 100_000)],
        caller: |p| p.gives_up(8_000),
        usual: (&[Abandoned], 80),
    },
];

struct Chain {
    world: World,
    proxies: Vec<NodeId>,
    callers: Vec<NodeId>,
    devices: Vec<NodeId>,
}

fn binding(uri: String) -> StoredBinding {
    let call_id = uri.clone();
    StoredBinding {
        uri,
        params: String::new(),
        path: String::new(),
        q: 1_000,
        until: u64::MAX / 2,
        call_id,
        cseq: 1,
    }
}

/// A proxy that sends everything on to the next.
fn relay(world: &mut World, name: &str, at: &str, next: &str) -> NodeId {
    add_proxy(world, name, at, 1_500, ProxyApp::new().route("*", next))
}

fn chain(seed: u64) -> Chain {
    let mut world = World::new(seed);
    world.net.trace.keep(0);
    let mut home = ProxyApp::new();
    for i in 0..KINDS.len() {
        let at = |d: usize| binding(format!("sip:b@10.0.{}.{}", d + 1, i + 1));
        home.store.insert(format!("sip:b{i}@example.com"), (1, vec![at(0), at(1)]));
    }
    let proxies = vec![
        relay(&mut world, "p1", "10.0.9.1:5060", "sip:10.0.9.2"),
        relay(&mut world, "p2", "10.0.9.2:5060", "sip:10.0.9.3"),
        add_proxy(&mut world, "p3", "10.0.9.3:5060", 1_500, home),
    ];
    world.net.set_default(Link { loss: 0.2, delay: 5, jitter: 50, ..Link::default() });
    let (mut callers, mut devices) = (Vec::new(), Vec::new());
    for (i, kind) in KINDS.iter().enumerate() {
        for (d, answers) in kind.devices.iter().enumerate() {
            let at = format!("10.0.{}.{}:5060", d + 1, i + 1);
            let phone = answers(Phone::new("sip:b@example.com")).hangs_up(60_000);
            devices.push(add_phone(&mut world, &format!("b{i}{d}"), &at, 300, phone));
        }
        let phone = Phone::new("sip:a@example.com").via("sip:10.0.9.1");
        let phone = phone.calls(&format!("sip:b{i}@example.com"), EACH, 40);
        let at = format!("10.0.0.{}:5060", i + 1);
        // Both devices may answer, and each early dialog takes a place.
        let limits = sansip::Limits { dialogs: 1_500, ..roomy(300) };
        let config = phone_config(&mut world);
        callers.push(world.add_engine(
            &format!("a{i}"),
            &at,
            config,
            &limits,
            (kind.caller)(phone),
        ));
    }
    Chain { world, proxies, callers, devices }
}

/// How the calls of a kind ended for their caller, and how for the devices.
type Ends = BTreeMap<String, u64>;

fn note(ends: &mut Ends, whose: &str, outcome: &Outcome) {
    *ends.entry(format!("{whose}: {:?} {}", outcome.why, outcome.status)).or_default() += 1;
}

fn run(seed: u64) -> (u64, [Ends; KINDS.len()]) {
    let mut all = chain(seed);
    all.world.run_until(ALL_OVER);
    let mut placed = 0;
    let mut ends: [Ends; KINDS.len()] = Default::default();
    for (i, ends) in ends.iter_mut().enumerate() {
        let caller = all.world.app::<Phone>(all.callers[i]);
        assert_eq!(caller.live(), 0, "seed {seed}: {} has not ended", KINDS[i].name);
        assert!(caller.refused.is_empty(), "seed {seed}: {:?}", caller.refused);
        let mut numbers: Vec<u64> = caller.outcomes.iter().map(|o| o.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=EACH).collect::<Vec<_>>(), "seed {seed}: {}", KINDS[i].name);
        placed += EACH;
        for outcome in &caller.outcomes {
            note(ends, "caller", outcome);
        }
        for device in &all.devices[2 * i..2 * i + 2] {
            let device = all.world.app::<Phone>(*device);
            assert_eq!(device.live(), 0, "seed {seed}: {} rings on", KINDS[i].name);
            for outcome in &device.outcomes {
                assert!((1..=EACH).contains(&outcome.number), "seed {seed}: a call nobody placed");
                note(ends, "device", outcome);
            }
        }
    }
    for node in all.proxies.iter().chain(&all.callers).chain(&all.devices) {
        is_empty(&all.world, *node);
    }
    assert_eq!(all.world.net.flying(), 0, "seed {seed}");
    (placed, ends)
}

fn sum(ends: &Ends, whose: &str, whys: &[EndReason]) -> u64 {
    let fits = |k: &str| whys.iter().any(|w| k.starts_with(&format!("{whose}: {w:?} ")));
    ends.iter().filter(|(k, _)| fits(k)).map(|(_, n)| n).sum()
}

#[test]
fn every_call_through_three_proxies_ends_and_nothing_is_left() {
    let halves: Vec<_> = (0..2)
        .map(|half| thread::spawn(move || (0..SEEDS / 2).map(|s| run(2 * s + half)).collect()))
        .collect();
    let runs: Vec<(u64, [Ends; KINDS.len()])> =
        halves.into_iter().flat_map(|h| h.join().unwrap_or_else(|_| Vec::new())).collect();
    assert_eq!(runs.len() as u64, SEEDS, "a seed failed");
    assert_eq!(runs.iter().map(|r| r.0).sum::<u64>(), 50_000);
    for (i, kind) in KINDS.iter().enumerate() {
        let mut ends = Ends::new();
        for (k, n) in runs.iter().flat_map(|r| &r.1[i]) {
            *ends.entry(k.clone()).or_default() += n;
        }
        println!("{}", kind.name);
        for (k, n) in &ends {
            println!("{n:>8}  {k}");
        }
        let (whys, least) = kind.usual;
        let usual = sum(&ends, "caller", whys);
        assert!(usual * 100 >= SEEDS * EACH * least, "{}: {usual} as usual", kind.name);
        if kind.name == "the caller gives up" {
            assert!(sum(&ends, "device", &[Cancelled]) > 0, "CANCEL reaches the devices");
        }
    }
}
