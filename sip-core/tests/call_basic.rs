//! Whole calls between two user agents, with the millisecond of each message.

#[path = "support/net.rs"]
mod net;

use net::Net;
use sansip::{CallChange, CallHandle, EndReason, Error, Extras};

const SDP: &[u8] = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn sdp() -> Extras<'static> {
    Extras { headers: &[], content_type: "application/sdp", body: SDP, media: None }
}

fn dial(net: &mut Net) -> (usize, usize, CallHandle) {
    let (a, line) = net.phone("a");
    let (b, _) = net.phone("b");
    let now = net.at();
    let call = net.engine(a).invite(now, line, "sip:b@10.0.0.2", 42, sdp()).unwrap();
    net.settle();
    (a, b, call)
}

fn answered(net: &mut Net) -> (usize, usize, CallHandle, CallHandle) {
    let (a, b, call) = dial(net);
    net.run(100);
    let peer = net.call(b);
    let now = net.at();
    net.engine(b).ring(now, peer, 180, Extras::default()).unwrap();
    net.run(1_000);
    let now = net.at();
    net.engine(b).answer_call(now, peer, sdp()).unwrap();
    net.settle();
    (a, b, call, peer)
}

#[test]
fn a_call_is_set_up_and_the_callee_hangs_up() {
    let mut net = Net::new();
    let (a, b, _, peer) = answered(&mut net);
    net.run(5_000);
    let now = net.at();
    net.engine(b).hangup(now, peer).unwrap();
    net.settle();
    assert_eq!(
        net.ladder(),
        [
            "0 a>b INVITE",
            "100 b>a 180 INVITE",
            "1100 b>a 200 INVITE",
            "1100 a>b ACK",
            "6100 b>a BYE",
            "6100 a>b 200 BYE",
        ]
    );
    assert_eq!(
        net.changes(a),
        [
            CallChange::Progress { status: 180 },
            CallChange::Answered { status: 200 },
            CallChange::Ended { why: EndReason::RemoteHangup, status: 0 },
        ]
    );
    assert_eq!(
        net.changes(b),
        [
            CallChange::Incoming,
            CallChange::Confirmed,
            CallChange::Ended { why: EndReason::Hangup, status: 0 },
        ]
    );
    net.finish();
}

#[test]
fn a_busy_callee_answers_486() {
    let mut net = Net::new();
    let (a, b, _) = dial(&mut net);
    let (peer, now) = (net.call(b), net.at());
    net.engine(b).reject(now, peer, 486, Extras::default()).unwrap();
    net.settle();
    assert_eq!(net.ladder(), ["0 a>b INVITE", "0 b>a 486 INVITE", "0 a>b ACK"]);
    assert_eq!(net.changes(a), [CallChange::Ended { why: EndReason::Refused, status: 486 }]);
    assert_eq!(net.engine(b).hangup(now, peer), Err(Error::Gone));
    net.finish();
}

#[test]
fn a_call_given_up_is_cancelled() {
    let mut net = Net::new();
    let (a, b, call) = dial(&mut net);
    let (peer, now) = (net.call(b), net.at());
    net.engine(b).ring(now, peer, 180, Extras::default()).unwrap();
    net.run(3_000);
    let now = net.at();
    net.engine(a).hangup(now, call).unwrap();
    net.settle();
    assert_eq!(
        net.ladder(),
        [
            "0 a>b INVITE",
            "0 b>a 180 INVITE",
            "3000 a>b CANCEL",
            "3000 b>a 200 CANCEL",
            "3000 b>a 487 INVITE",
            "3000 a>b ACK",
        ]
    );
    assert_eq!(
        net.changes(a).last(),
        Some(&CallChange::Ended { why: EndReason::Abandoned, status: 487 })
    );
    assert_eq!(
        net.changes(b).last(),
        Some(&CallChange::Ended { why: EndReason::Cancelled, status: 487 })
    );
    net.finish();
}

// RFC 3261 9.1: no CANCEL before a provisional response.
#[test]
fn a_cancel_waits_for_the_first_provisional_response() {
    let mut net = Net::new();
    let (a, _, call) = dial(&mut net);
    let now = net.at();
    net.engine(a).hangup(now, call).unwrap();
    net.run(199);
    assert_eq!(net.ladder(), ["0 a>b INVITE"]);
    net.run(1);
    assert_eq!(net.ladder()[1..3], ["200 b>a 100 INVITE", "200 a>b CANCEL"]);
    net.finish();
}

#[test]
fn nobody_there_times_out_after_64_t1() {
    let mut net = Net::new();
    net.drop = Box::new(|_| true);
    let (a, _, _) = dial(&mut net);
    net.run(40_000);
    let times: Vec<u64> = net.trace.iter().map(|s| s.at - 1_000).collect();
    assert_eq!(times, [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(net.changes(a), [CallChange::Ended { why: EndReason::Timeout, status: 408 }]);
    net.finish();
}

// RFC 3261 13.3.1.4: the 2xx is repeated until the ACK, at most for 64*T1, then BYE.
#[test]
fn a_2xx_without_ack_is_repeated_and_then_the_call_ends() {
    let mut net = Net::new();
    net.drop = Box::new(|s| s.label() == "ACK");
    let (_, b, _, _) = answered(&mut net);
    net.run(40_000);
    let times: Vec<u64> =
        net.trace.iter().filter(|s| s.label() == "200 INVITE").map(|s| s.at - 2_100).collect();
    assert_eq!(
        times,
        [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]
    );
    let acks = net.trace.iter().filter(|s| s.label() == "ACK").count();
    assert_eq!(acks, times.len(), "every 2xx earns one ACK");
    let first: Vec<_> = net.trace.iter().filter(|s| s.label() == "ACK").collect();
    assert!(first.iter().all(|s| s.bytes == first[0].bytes), "always the same ACK");
    assert_eq!(
        net.changes(b).last(),
        Some(&CallChange::Ended { why: EndReason::NoAck, status: 0 })
    );
    net.finish();
}

// RFC 3261 9.1: the 2xx that crosses a CANCEL is acknowledged, and the call ended by BYE.
#[test]
fn an_answer_that_crosses_the_cancel_is_ended_by_bye() {
    let mut net = Net::new();
    let (a, b, call) = dial(&mut net);
    let (peer, now) = (net.call(b), net.at());
    net.engine(b).ring(now, peer, 180, Extras::default()).unwrap();
    net.settle();
    net.drop = Box::new(|s| s.label() == "CANCEL");
    net.engine(a).hangup(now, call).unwrap();
    net.settle();
    net.engine(b).answer_call(now, peer, sdp()).unwrap();
    net.settle();
    net.drop = Box::new(|_| false);
    assert_eq!(net.ladder()[3..], ["0 b>a 200 INVITE", "0 a>b ACK", "0 a>b BYE", "0 b>a 200 BYE"]);
    assert_eq!(
        net.changes(a).last(),
        Some(&CallChange::Ended { why: EndReason::Hangup, status: 0 })
    );
    net.finish();
}

#[test]
fn a_call_may_not_ring_for_ever() {
    let mut net = Net::new();
    let (a, b, _) = dial(&mut net);
    let (peer, now) = (net.call(b), net.at());
    net.engine(b).ring(now, peer, 180, Extras::default()).unwrap();
    net.run(200_000);
    assert_eq!(
        net.changes(a).last(),
        Some(&CallChange::Ended { why: EndReason::Timeout, status: 487 })
    );
    net.finish();
}

// RFC 3261 15: the callee may not send BYE before the ACK.
#[test]
fn a_hangup_right_after_the_answer_waits_for_the_ack() {
    let mut net = Net::new();
    let (_, b, _) = dial(&mut net);
    let (peer, now) = (net.call(b), net.at());
    let mut lost = 1;
    net.drop = Box::new(move |s| {
        let drop = s.label() == "200 INVITE" && lost > 0;
        lost -= i32::from(drop);
        drop
    });
    net.engine(b).answer_call(now, peer, sdp()).unwrap();
    net.engine(b).hangup(now, peer).unwrap();
    net.run(499);
    assert!(!net.ladder().iter().any(|l| l.contains("BYE")));
    net.run(1);
    assert_eq!(
        net.ladder()[2..],
        ["500 a>b INVITE", "500 b>a 200 INVITE", "500 a>b ACK", "500 b>a BYE", "500 a>b 200 BYE"]
    );
    net.finish();
}

#[test]
fn a_reinvite_changes_the_session_and_glare_is_settled_by_491() {
    let mut net = Net::new();
    let (a, b, call, peer) = answered(&mut net);
    net.run(1_000);
    let now = net.at();
    // Both at once.
    net.engine(a).reinvite(now, call, sdp()).unwrap();
    net.engine(b).reinvite(now, peer, sdp()).unwrap();
    net.settle();
    let labels: Vec<String> = net.trace.iter().map(net::Sent::label).collect();
    assert_eq!(labels.iter().filter(|l| *l == "491 INVITE").count(), 2);
    net.drop = Box::new(|_| false);
    // The callee waits 0 to 2 s, the caller 2.1 to 4 s: they do not meet again.
    for _ in 0..50 {
        net.run(100);
        for n in [a, b] {
            if net.changes(n).last() == Some(&CallChange::Reinvite) {
                let (which, now) = (net.call(n), net.at());
                let _ = net.engine(n).answer_call(now, which, sdp());
                net.settle();
            }
        }
    }
    assert!(net.changes(a).contains(&CallChange::Reinvited { status: 200 }));
    assert!(net.changes(b).contains(&CallChange::Reinvited { status: 200 }));
    let now = net.at();
    net.engine(a).hangup(now, call).unwrap();
    net.finish();
}

// What can never be right is misuse; what came too late is not.
#[test]
fn answering_a_call_that_we_placed_is_misuse() {
    let mut net = Net::new();
    let (a, b, call) = dial(&mut net);
    let now = net.at();
    let misuse = Err(Error::Misuse(sansip::Misuse::State));
    assert_eq!(net.engine(a).ring(now, call, 180, Extras::default()), misuse);
    assert_eq!(net.engine(a).answer_call(now, call, sdp()), misuse);
    assert_eq!(net.engine(a).reject(now, call, 486, Extras::default()), misuse);
    let peer = net.call(b);
    net.engine(b).answer_call(now, peer, sdp()).unwrap();
    assert_eq!(net.engine(b).answer_call(now, peer, sdp()), Err(Error::Late));
    net.settle();
    net.engine(a).hangup(now, call).unwrap();
    net.finish();
}
