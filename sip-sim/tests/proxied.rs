//! Calls of two phones through a proxy, with the millisecond of each message, judged against the
//! documented flows.

#[path = "support/mod.rs"]
mod support;

use sansip::{Limits, LineChange};
use sansip_sim::flow::{Role, find};
use sansip_sim::judge::Recorded;
use sansip_sim::network::{Link, NodeId};
use sansip_sim::phone::Phone;
use sansip_sim::proxy_app::ProxyApp;
use sansip_sim::world::World;
use support::{add_phone, add_proxy, is_empty};

/// `a`, `p` and `b`; the proxy sends to `b` whatever no binding matches.
fn world() -> (World, [NodeId; 3]) {
    let mut w = World::new(1);
    let caller = Phone::new("sip:a@example.com").via("sip:10.0.0.9");
    let a = add_phone(&mut w, "a", "10.0.0.1:5060", 10, caller);
    let app = ProxyApp::new().route("b@example.com", "sip:10.0.0.2");
    let p = add_proxy(&mut w, "p", "10.0.0.9:5060", 20, app);
    let b = add_phone(&mut w, "b", "10.0.0.2:5060", 10, Phone::new("sip:b@example.com"));
    (w, [a, p, b])
}

#[track_caller]
fn judged(w: &World, flow: &str, differences: usize) {
    let roles = [Role::A, Role::P, Role::B];
    let record: Vec<Recorded<'_>> = w
        .net
        .trace
        .packets()
        .map(|p| Recorded {
            time_ms: p.sent,
            from: roles[p.from_node.0],
            to: roles[p.to_node.unwrap().0],
            bytes: &p.bytes,
        })
        .collect();
    let judgement = find(flow).unwrap().judge(&record);
    assert!(judgement.passed(), "{judgement}\n{}", w.ladder());
    let required = judgement.to_string().matches("as RFC ").count();
    assert_eq!(required, differences, "{judgement}");
}

#[track_caller]
fn finish(mut w: World, nodes: [NodeId; 3]) {
    w.run_for(100_000);
    for node in nodes {
        is_empty(&w, node);
    }
}

#[test]
fn setup_and_disconnect() {
    let (mut w, nodes) = world();
    w.script(
        "
           0  a: invite sip:b@example.com
           0  a > p  INVITE sip:b@example.com | Max-Forwards: 70
           0  p > a  100
           0  p > b  INVITE sip:b@example.com | Max-Forwards: 69 | Record-Route: lr
         200  b > p  100
         300  b: ring 180
         300  b > p  180
         300  p > a  180 | Record-Route: lr
        2000  b: answer
        2000  b > p  200 INVITE
        2000  p > a  200 INVITE
        2000  a > p  ACK | Route: 10.0.0.9
        2000  p > b  ACK | Max-Forwards: 69
        7000  b: hangup
        7000  b > p  BYE | Route: 10.0.0.9
        7000  p > a  BYE
        7000  a > p  200 BYE
        7000  p > b  200 BYE
       90000  quiet
        ",
    );
    judged(&w, "setup_disconnect", 1);
    finish(w, nodes);
}

#[test]
fn called_user_is_busy() {
    let (mut w, nodes) = world();
    w.script(
        "
           0  a: invite sip:b@example.com
           0  a > p  INVITE
           0  p > a  100
           0  p > b  INVITE
         200  b > p  100
         500  b: reject 486
         500  b > p  486
         500  p > b  ACK
         500  p > a  486
         500  a > p  ACK
       90000  quiet
        ",
    );
    judged(&w, "called_busy", 2);
    finish(w, nodes);
}

#[test]
fn called_user_does_not_answer() {
    let (mut w, nodes) = world();
    w.script(
        "
           0  a: invite sip:b@example.com
           0  a > p  INVITE
           0  p > a  100
           0  p > b  INVITE
         100  b: ring 180
         100  b > p  180
         100  p > a  180
        5000  a: hangup
        5000  a > p  CANCEL
        5000  p > a  200 CANCEL
        5000  p > b  CANCEL
        5000  b > p  200 CANCEL
        5000  b > p  487
        5000  p > b  ACK
        5000  p > a  487
        5000  a > p  ACK
       90000  quiet
        ",
    );
    judged(&w, "no_answer", 6);
    finish(w, nodes);
}

// RFC 3261 17: each hop repeats for itself.
#[test]
fn losses_on_one_hop_are_repaired_on_that_hop() {
    let (mut w, nodes) = world();
    w.net.set_default(Link::slow(10));
    w.script(
        "
           0  a: invite sip:b@example.com
           0  a > p  INVITE  lost
         500  a > p  INVITE
         510  p > a  100
         510  p > b  INVITE  lost
        1010  p > b  INVITE
        1100  b: ring 180
        1100  b > p  180
        1110  p > a  180    lost
        3000  b: answer
        3000  b > p  200 INVITE
        3010  p > a  200 INVITE  lost
        3500  b > p  200 INVITE
        3510  p > a  200 INVITE
        3520  a > p  ACK
        3530  p > b  ACK
        9000  a: hangup
        9000  a > p  BYE
        9010  p > b  BYE    lost
        9500  a > p  BYE
        9510  p > b  BYE
        9520  b > p  200 BYE
        9530  p > a  200 BYE
       90000  quiet
        ",
    );
    finish(w, nodes);
}

// RFC 3261 16.7 step 6, 16.8: a branch without any response counts as 408.
#[test]
fn a_callee_that_is_gone_is_a_408() {
    let (mut w, nodes) = world();
    w.script(
        "
           0  a: invite sip:b@example.com
           0  a > p  INVITE
           0  p > a  100
           0  p > b  INVITE  lost
         500  p > b  INVITE  lost
        1500  p > b  INVITE  lost
        3500  p > b  INVITE  lost
        7500  p > b  INVITE  lost
       15500  p > b  INVITE  lost
       31500  p > b  INVITE  lost
       32000  p > a  408
       32000  a > p  ACK
       90000  quiet
        ",
    );
    let ends: Vec<_> = w.app::<Phone>(nodes[0]).outcomes.iter().map(|o| o.status).collect();
    assert_eq!(ends, [408]);
    finish(w, nodes);
}

#[test]
fn a_registered_phone_is_found_by_its_address_of_record() {
    let mut w = World::new(1);
    let caller = Phone::new("sip:a@example.com").via("sip:10.0.0.9");
    let a = add_phone(&mut w, "a", "10.0.0.1:5060", 10, caller);
    let p = add_proxy(&mut w, "p", "10.0.0.9:5060", 20, ProxyApp::new());
    let callee = Phone::new("sip:b@example.com").via("sip:10.0.0.9").registers();
    let b = add_phone(&mut w, "b", "10.0.0.2:5060", 10, callee);
    w.run_until(10);
    let changes: Vec<_> = w.app::<Phone>(b).line_changes.iter().map(|(_, c)| *c).collect();
    assert!(matches!(changes[..], [LineChange::Registered { .. }]), "{changes:?}\n{}", w.ladder());
    assert_eq!(w.app::<ProxyApp>(p).store.keys().collect::<Vec<_>>(), ["sip:b@example.com"]);
    w.script(
        "
          20  a: invite sip:b@example.com
          20  a > p  INVITE sip:b@example.com
          20  p > a  100
          20  p > b  INVITE
          30  b: reject 603
          30  b > p  603
          30  p > b  ACK
          30  p > a  603
          30  a > p  ACK
          40  b: unregister
          40  b > p  REGISTER | Expires: 0
          40  p > b  200 REGISTER
          50  a: invite sip:b@example.com
          50  a > p  INVITE
          50  p > a  100
          50  p > a  480
          50  a > p  ACK
        ",
    );
    finish(w, [a, p, b]);
}

// RFC 3261 12.1, 12.2.1.1: the scripted parties build their route sets as the RFC says, and the
// proxy finds its way by them in both directions.
#[test]
fn scripted_parties_follow_the_record_route() {
    let mut w = World::new(1);
    w.add_party("a", "10.0.0.1:5060");
    let app = ProxyApp::new().route("b@example.com", "sip:10.0.0.2");
    let p = add_proxy(&mut w, "p", "10.0.0.9:5060", 20, app);
    w.add_party("b", "10.0.0.2:5060");
    w.script(
        "
           0  a > p  INVITE sip:b@example.com
           0  p > a  100
           0  p > b  INVITE sip:b@example.com
         100  b > p  180
         100  p > a  180
         150  b > p  200 INVITE
         150  p > a  200 INVITE
         160  a > p  ACK sip:b@10.0.0.2:5060 | Max-Forwards: 9
         160  p > b  ACK sip:b@10.0.0.2:5060 | Max-Forwards: 8
         900  b > p  INFO
         900  p > a  INFO sip:a@10.0.0.1:5060
         950  a > p  200 INFO
         950  p > b  200 INFO
        1000  a > p  BYE
        1000  p > b  BYE sip:b@10.0.0.2:5060
        1100  b > p  200 BYE
        1100  p > a  200 BYE
       90000  quiet
        ",
    );
    is_empty(&w, p);
}

#[test]
fn an_unregistered_name_of_our_domain_is_refused() {
    let mut w = World::new(1);
    let limits = Limits::TESTER;
    let mut config = w.config();
    config.domains = vec!["example.com".to_string()];
    let p = w.add_engine("p", "10.0.0.9:5060", config, &limits, ProxyApp::new());
    w.add_party("a", "10.0.0.1:5060");
    w.script(
        "
           0  a > p  INVITE sip:nobody@example.com
           0  p > a  100
           0  p > a  404
           1  a > p  ACK
       40000  quiet
        ",
    );
    is_empty(&w, p);
}
