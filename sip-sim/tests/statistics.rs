//! Loss alone, no delay: how often each kind of transaction fails is arithmetic.
//!
//! With loss `p` each way one exchange (a message and its answer) succeeds with `(1-p)^2`, so it
//! fails with `q = 1-(1-p)^2`, 0.51 at `p` = 0.3. What is sent `n` times before its timer ends fails
//! with `q^n`: an INVITE 7 times before timer B, a non-INVITE request 11 times before timer F, a
//! final response to INVITE 11 times before timer H (or the end of RFC 3261 13.3.1.4). The measured
//! count may be off by 4 standard deviations.

#[path = "support/mod.rs"]
mod support;

use std::collections::BTreeSet;

use sansip::EndReason;
use sansip_sim::network::{Link, NodeId};
use sansip_sim::phone::Phone;
use sansip_sim::text::Message;
use sansip_sim::world::World;
use support::{add_phone, is_empty};

const LOSS: f64 = 0.3;
const BATCH: u64 = 2_000;
const BATCHES: u64 = 50;
const ALL: u64 = BATCH * BATCHES;

fn two(seed: u64, callee: Phone) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed);
    world.net.trace.keep(0);
    let calls = BATCH as usize;
    let b = add_phone(&mut world, "bob", "10.0.0.2:5060", calls, callee);
    let caller = Phone::new("sip:alice@10.0.0.1");
    let a = add_phone(&mut world, "alice", "10.0.0.1:5060", calls, caller);
    (world, a, b)
}

fn place(world: &mut World, a: NodeId) {
    for _ in 0..BATCH {
        world.act(a, |app, io| app.on_verb(io, &["invite", "sip:bob@10.0.0.2"])).unwrap();
    }
}

fn loss(world: &mut World, loss: f64) {
    world.net.set_default(Link::lossy(loss));
}

/// Nothing is left of a batch.
fn finish(world: &mut World, a: NodeId, b: NodeId) {
    loss(world, 0.0);
    world.run_for(150_000);
    is_empty(world, a);
    is_empty(world, b);
}

#[track_caller]
fn agrees(what: &str, failed: u64, sends: i32) {
    let q = 1.0 - (1.0 - LOSS) * (1.0 - LOSS);
    let p = q.powi(sends);
    let n = ALL as f64;
    let (expected, sigma) = (n * p, (n * p * (1.0 - p)).sqrt());
    let off = (failed as f64 - expected) / sigma;
    println!("{what}: {failed} of {ALL} failed, {expected:.1} expected, {off:+.2} sigma");
    assert!(off.abs() <= 4.0, "{what}: {failed} failed, {expected:.1} expected: {off:+.2} sigma");
}

/// The callee answers each copy of the INVITE with 180 and nothing else. (A final response would
/// be repeated by itself, and the INVITE would have more than its own 7 chances.)
#[test]
fn an_invite_fails_with_q_to_the_7() {
    let (mut w, a, b) = two(1, Phone::new("sip:bob@10.0.0.2").answers(486, 40_000));
    let mut failed = 0;
    for _ in 0..BATCHES {
        loss(&mut w, LOSS);
        place(&mut w, a);
        w.run_for(33_000);
        let timed_out = |p: &Phone| p.outcomes.iter().all(|o| o.why == EndReason::Timeout);
        assert!(timed_out(w.app(a)), "nothing but timer B ends a call in this time");
        failed += w.app::<Phone>(a).outcomes.len() as u64;
        finish(&mut w, a, b);
        clear(&mut w, a, b);
    }
    agrees("INVITE", failed, 7);
}

/// The call is set up without loss; then its BYE, with loss, is answered copy by copy.
#[test]
fn a_non_invite_request_fails_with_q_to_the_11() {
    // A BYE of which all copies are lost (0.3^11) leaves the callee with a call, which it ends later.
    let callee = Phone::new("sip:bob@10.0.0.2").answers_silently(200, 0).hangs_up(60_000);
    let (mut w, a, b) = two(2, callee);
    w.app_mut::<Phone>(a).hangup_after = Some(1_000);
    let mut failed = 0;
    for _ in 0..BATCHES {
        loss(&mut w, 0.0);
        place(&mut w, a);
        w.run_for(500);
        loss(&mut w, LOSS);
        let start = w.now() + 500;
        w.run_for(33_000);
        let outcomes = &w.app::<Phone>(a).outcomes;
        assert_eq!(outcomes.len() as u64, BATCH, "timer F has ended the last");
        assert!(outcomes.iter().all(|o| o.why == EndReason::Hangup));
        // The answer ends the call when it comes; timer F at its end.
        failed += outcomes.iter().filter(|o| o.span.1 == start + 32_000).count() as u64;
        finish(&mut w, a, b);
        clear(&mut w, a, b);
    }
    agrees("BYE", failed, 11);
}

/// The caller has a 180, so that it does not repeat the INVITE; then the 486, with loss, is repeated
/// until its ACK arrives. Whether one did is read off the network.
#[test]
fn a_refusal_stays_without_ack_with_q_to_the_11() {
    let (mut w, a, b) = two(3, Phone::new("sip:bob@10.0.0.2").answers(486, 1_000));
    let mut failed = 0;
    for _ in 0..BATCHES {
        loss(&mut w, 0.0);
        place(&mut w, a);
        w.run_for(500);
        loss(&mut w, LOSS);
        w.net.trace.keep(1_000_000);
        w.run_for(34_000);
        failed += without_ack(&w, b);
        w.net.trace.keep(0);
        finish(&mut w, a, b);
        clear(&mut w, a, b);
    }
    agrees("486 without ACK", failed, 11);
}

/// The calls whose ACK never reached `b`.
fn without_ack(w: &World, b: NodeId) -> u64 {
    let mut open = BTreeSet::new();
    let mut heard = BTreeSet::new();
    for p in w.net.trace.packets() {
        let m = Message::parse(&p.bytes).unwrap();
        let call = m.header("Call-ID").unwrap().to_string();
        match m.status() {
            Some(486) => drop(open.insert(call)),
            None if m.method() == "ACK" && p.to_node == Some(b) && !p.is_lost() => {
                heard.insert(call);
            }
            other => assert!(m.method() == "ACK", "{other:?} {}", m.method()),
        }
    }
    assert_eq!(open.len() as u64, BATCH);
    open.difference(&heard).count() as u64
}

/// As before, with 200: each copy earns an ACK, and after 64*T1 the callee gives the call up.
#[test]
fn a_2xx_stays_without_ack_with_q_to_the_11() {
    let (mut w, a, b) = two(4, Phone::new("sip:bob@10.0.0.2").answers(200, 1_000).hangs_up(40_000));
    let mut failed = 0;
    for _ in 0..BATCHES {
        loss(&mut w, 0.0);
        place(&mut w, a);
        w.run_for(500);
        loss(&mut w, LOSS);
        w.run_for(32_600);
        loss(&mut w, 0.0);
        finish(&mut w, a, b);
        let outcomes = &w.app::<Phone>(b).outcomes;
        assert_eq!(outcomes.len() as u64, BATCH);
        failed += outcomes.iter().filter(|o| o.why == EndReason::NoAck).count() as u64;
        clear(&mut w, a, b);
    }
    agrees("200 without ACK", failed, 11);
}

fn clear(w: &mut World, a: NodeId, b: NodeId) {
    for node in [a, b] {
        let phone = w.app_mut::<Phone>(node);
        assert_eq!((phone.live(), phone.refused.len()), (0, 0));
        phone.outcomes.clear();
        phone.changes.clear();
    }
}
