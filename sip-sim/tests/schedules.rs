//! When each message is sent again, and when its sender gives up (RFC 3261 17 and 13.3.1.4),
//! against a scripted party on a perfect network.

use sansip::{CallChange, EndReason, Limits, Retransmit};
use sansip_sim::network::NodeId;
use sansip_sim::phone::Phone;
use sansip_sim::world::{World, addr};

/// A phone at 10.0.0.2 and a scripted party at 10.0.0.1.
fn world(phone: Phone) -> (World, NodeId) {
    let mut world = World::new(1);
    let mut config = world.config();
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.retransmit = Retransmit::Rfc;
    world.add_party("alice", "10.0.0.1:5060");
    let bob = world.add_engine("bob", "10.0.0.2:5060", config, &Limits::TESTER, phone);
    (world, bob)
}

fn bob() -> Phone {
    Phone::new("sip:bob@10.0.0.2")
}

#[track_caller]
fn ended(world: &World, node: NodeId, why: EndReason, status: u16, at: u64) {
    let last = world.app::<Phone>(node).changes.last().copied();
    assert_eq!(last, Some((at, CallChange::Ended { why, status })), "{}", world.ladder());
}

// RFC 3261 17.1.1.2: timer A doubles, timer B ends at 64*T1.
#[test]
fn an_invite_that_nobody_answers_is_sent_seven_times() {
    let (mut w, bob) = world(bob());
    w.script(
        "
           0  bob: invite sip:alice@10.0.0.1
           0  bob > alice  INVITE
         500  bob > alice  INVITE
        1500  bob > alice  INVITE
        3500  bob > alice  INVITE
        7500  bob > alice  INVITE
       15500  bob > alice  INVITE
       31500  bob > alice  INVITE
       99000  quiet
        ",
    );
    ended(&w, bob, EndReason::Timeout, 408, 32_000);
    assert!(w.is_quiescent(bob));
}

// RFC 3261 17.1.1.2: a provisional response stops the repetitions.
#[test]
fn a_100_stops_an_invite_and_the_final_response_is_acknowledged_each_time() {
    let (mut w, bob) = world(bob());
    w.script(
        "
           0  bob: invite sip:alice@10.0.0.1
           0  bob > alice  INVITE
         500  bob > alice  INVITE  lost
         700  alice > bob  100
       20000  alice > bob  486
       20000  bob > alice  ACK
       20500  alice > bob  486
       20500  bob > alice  ACK
       51999  alice > bob  486
       51999  bob > alice  ACK
       52000  quiet
       53000  alice > bob  486
       99000  quiet
        ",
    );
    ended(&w, bob, EndReason::Refused, 486, 20_000);
    assert!(w.is_quiescent(bob));
}

// RFC 3261 17.2.1: timer G doubles up to T2, timer H ends at 64*T1.
#[test]
fn a_refusal_without_ack_is_sent_eleven_times() {
    let (mut w, bob) = world(bob().answers_silently(486, 100));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
         100  bob > alice  486
         600  bob > alice  486
        1600  bob > alice  486
        3600  bob > alice  486
        7600  bob > alice  486
       11600  bob > alice  486
       15600  bob > alice  486
       19600  bob > alice  486
       23600  bob > alice  486
       27600  bob > alice  486
       31600  bob > alice  486
       99000  quiet
        ",
    );
    assert!(w.is_quiescent(bob));
}

// RFC 3261 17.2.1: the ACK stops them; repeated INVITEs get the last response again.
#[test]
fn a_refusal_is_sent_again_for_each_repeated_invite_until_the_ack() {
    let (mut w, bob) = world(bob().answers_silently(486, 100));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
         100  bob > alice  486  lost
         600  bob > alice  486
         700  alice > bob  ACK
        9999  quiet
        ",
    );
    assert!(w.is_quiescent(bob), "timer I has fired");
}

// RFC 3261 13.3.1.4: the 2xx is repeated by the UAS core until its ACK, then BYE.
#[test]
fn a_2xx_without_ack_is_sent_eleven_times_and_then_the_call_is_ended() {
    let (mut w, bob) = world(bob().answers_silently(200, 100));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
         100  bob > alice  200 INVITE
         600  bob > alice  200 INVITE
        1600  bob > alice  200 INVITE
        3600  bob > alice  200 INVITE
        7600  bob > alice  200 INVITE
       11600  bob > alice  200 INVITE
       15600  bob > alice  200 INVITE
       19600  bob > alice  200 INVITE
       23600  bob > alice  200 INVITE
       27600  bob > alice  200 INVITE
       31600  bob > alice  200 INVITE
       32100  bob > alice  BYE
       32100  alice > bob  200 BYE
       99000  quiet
        ",
    );
    assert_eq!(w.app::<Phone>(bob).outcomes.last().map(|o| o.why), Some(EndReason::NoAck));
    assert!(w.is_quiescent(bob));
}

// RFC 3261 17.1.2.2: timer E doubles up to T2, timer F ends at 64*T1.
#[test]
fn a_bye_that_nobody_answers_is_sent_eleven_times() {
    let (mut w, bob) = world(bob().answers_silently(200, 0));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
           0  bob > alice  200 INVITE
           0  alice > bob  ACK
        1000  bob: hangup
        1000  bob > alice  BYE
        1500  bob > alice  BYE
        2500  bob > alice  BYE
        4500  bob > alice  BYE
        8500  bob > alice  BYE
       12500  bob > alice  BYE
       16500  bob > alice  BYE
       20500  bob > alice  BYE
       24500  bob > alice  BYE
       28500  bob > alice  BYE
       32500  bob > alice  BYE
       99000  quiet
        ",
    );
    assert!(w.is_quiescent(bob));
}

// RFC 3261 17.1.2.2: in Proceeding the repetitions come every T2.
#[test]
fn a_provisional_response_slows_a_bye_to_t2() {
    let (mut w, _) = world(bob().answers_silently(200, 0));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
           0  bob > alice  200 INVITE
           0  alice > bob  ACK
        1000  bob: hangup
        1000  bob > alice  BYE
        1100  alice > bob  100 BYE
        1500  bob > alice  BYE
        5500  bob > alice  BYE
        9500  bob > alice  BYE
        9600  alice > bob  200 BYE
       99000  quiet
        ",
    );
}

// RFC 3261 17: a reliable transport repeats nothing but the 2xx of an INVITE.
#[test]
fn over_tcp_only_the_2xx_is_sent_again() {
    let (mut w, bob) = world(bob().answers_silently(200, 0));
    let alice = w.find("alice").unwrap();
    w.party(alice).connect(addr("10.0.0.2:5060"));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
           0  bob > alice  200 INVITE
         500  bob > alice  200 INVITE
        1500  bob > alice  200 INVITE
        1600  alice > bob  ACK
        2000  bob: hangup
        2000  bob > alice  BYE
       30000  quiet
       33000  alice > bob  200 BYE
       33999  quiet
        ",
    );
    w.run_for(60_000);
    assert!(w.is_quiescent(bob), "{:?}", w.stats(bob));
}

// RFC 3261 17.2.2: a non-INVITE server transaction repeats its response for each repeated request.
#[test]
fn a_lost_answer_to_a_bye_is_sent_again_on_request() {
    let (mut w, bob) = world(bob().answers_silently(200, 0));
    w.script(
        "
           0  alice > bob  INVITE sip:bob@10.0.0.2
           0  bob > alice  200 INVITE
           0  alice > bob  ACK
        1000  alice > bob  BYE  lost
        2000  quiet
        ",
    );
    let alice = w.find("alice").unwrap();
    let bye = w.net.trace.packets().last().unwrap().bytes.clone();
    for _ in 0..3 {
        w.run_for(500);
        w.party(alice).send_raw(addr("10.0.0.2:5060"), &bye);
    }
    w.run_for(1);
    let mut hand = w.party(alice);
    hand.wait_for("200 BYE");
    hand.expect("200 BYE");
    hand.expect("200 BYE");
    w.run_for(40_000);
    ended(&w, bob, EndReason::RemoteHangup, 0, 2_500);
    assert!(w.is_quiescent(bob));
}
