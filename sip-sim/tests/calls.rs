//! Calls between two phones, with the millisecond of each message.

use sansip::{CallChange, Config, EndReason, Limits, Retransmit};
use sansip_sim::network::{Link, NodeId};
use sansip_sim::phone::Phone;
use sansip_sim::world::World;

fn phone_config(world: &mut World) -> Config {
    let mut config = world.config();
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.retransmit = Retransmit::Rfc;
    config
}

fn two_phones(seed: u64, a: Phone, b: Phone) -> (World, NodeId, NodeId) {
    let mut world = World::new(seed);
    let config = phone_config(&mut world);
    let b = world.add_engine("bob", "10.0.0.2:5060", config, &Limits::TESTER, b);
    let config = phone_config(&mut world);
    let a = world.add_engine("alice", "10.0.0.1:5060", config, &Limits::TESTER, a);
    (world, a, b)
}

fn by_hand(seed: u64) -> (World, NodeId, NodeId) {
    two_phones(seed, Phone::new("sip:alice@10.0.0.1"), Phone::new("sip:bob@10.0.0.2"))
}

#[track_caller]
fn ends_clean(world: &mut World, nodes: &[NodeId]) {
    world.run_for(40_000);
    for node in nodes {
        assert!(world.is_quiescent(*node), "{:?}", world.stats(*node));
    }
}

#[test]
fn a_script_drives_two_phones_through_a_call() {
    let (mut w, a, b) = by_hand(1);
    w.script(
        "
           0  alice: invite sip:bob@10.0.0.2
           0  alice > bob   INVITE sip:bob@10.0.0.2 | CSeq: INVITE | Max-Forwards: 70
         100  bob: ring 180
         100  bob > alice   180
        1100  bob: answer
        1100  bob > alice   200 INVITE
        1100  alice > bob   ACK
        6100  bob: hangup
        6100  bob > alice   BYE
        6100  alice > bob   200 BYE
       60000  quiet
        ",
    );
    let last = |node| w.app::<Phone>(node).outcomes.last().map(|o| o.why);
    assert_eq!((last(a), last(b)), (Some(EndReason::RemoteHangup), Some(EndReason::Hangup)));
    ends_clean(&mut w, &[a, b]);
}

#[test]
fn phones_that_are_set_do_the_same_by_themselves() {
    let caller = Phone::new("sip:alice@10.0.0.1").calls("sip:bob@10.0.0.2", 1, 0).hangs_up(5_000);
    let callee = Phone::new("sip:bob@10.0.0.2").answers(200, 1_000);
    let (mut w, a, b) = two_phones(1, caller, callee);
    w.net.set_default(Link::slow(20));
    w.run_until(10_000);
    let times: Vec<_> = w.net.trace.packets().map(|p| p.sent).collect();
    assert_eq!(times, [0, 20, 1_020, 1_040, 6_040, 6_060], "{}", w.ladder());
    let changes: Vec<_> = w.app::<Phone>(a).changes.iter().map(|(at, c)| (*at, *c)).collect();
    assert_eq!(
        changes,
        [
            (40, CallChange::Progress { status: 180 }),
            (1_040, CallChange::Answered { status: 200 }),
            (6_080, CallChange::Ended { why: EndReason::Hangup, status: 0 }),
        ]
    );
    ends_clean(&mut w, &[a, b]);
}
