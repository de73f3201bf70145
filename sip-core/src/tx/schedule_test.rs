//! Every timer to the millisecond, what hangs on a flow, and what waits for room.

use std::string::ToString;
use std::vec::Vec;

use super::table::State;
use super::testing::{Bench, FLOW, OWNER, Seen, ack, limits, request, response, times};
use super::{Failure, FromRequest, FromResponse, FromTimer, Transactions};
use crate::config::{Config, Retransmit};
use crate::error::{Error, Misuse};
use crate::limits::Limits;
use crate::path::{FlowId, Path};
use crate::time::Instant;

fn failed(seen: &[(u64, Seen)]) -> Vec<(u64, Failure)> {
    let failures = seen.iter().filter_map(|(at, s)| match s {
        Seen::Failed(why) => Some((*at, *why)),
        Seen::Sent { .. } => None,
    });
    failures.collect()
}

fn peer_invite() -> std::string::String {
    request("INVITE", "10.0.0.2", "z9hG4bKpeer")
}

/// RFC 3261 17.1.1.2: A doubles from T1 without a cap, B is 64*T1.
#[test]
fn an_unanswered_invite_is_repeated_at_doubling_intervals_and_times_out() {
    let mut b = Bench::new();
    b.client("INVITE", false);
    let seen = b.run(100_000);
    assert_eq!(times(&seen), [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(failed(&seen), [(32_000, Failure::Timeout)]);
    let copies = seen.iter().filter_map(|(_, s)| match s {
        Seen::Sent { copy, .. } => Some(*copy),
        Seen::Failed(_) => None,
    });
    assert_eq!(copies.collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 6]);
    b.assert_clean();
}

/// RFC 3261 17.1.2.2: E doubles from T1 up to T2, F is 64*T1.
#[test]
fn another_request_is_repeated_at_intervals_capped_by_t2() {
    let mut b = Bench::new();
    b.client("OPTIONS", false);
    let seen = b.run(100_000);
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&seen), expected);
    assert_eq!(failed(&seen), [(32_000, Failure::Timeout)]);
    b.assert_clean();
}

/// RFC 3261 17.1.2.2: after a provisional response E is T2.
#[test]
fn a_provisional_response_slows_another_request_down_to_t2() {
    let mut b = Bench::new();
    let (_, text) = b.client("OPTIONS", false);
    b.run(100);
    b.receive_response(&response(&text, 100));
    let seen = b.run(100_000);
    // The timer that runs goes on; from its firing the interval is T2.
    assert_eq!(times(&seen), [500, 4_500, 8_500, 12_500, 16_500, 20_500, 24_500, 28_500]);
    assert_eq!(failed(&seen), [(32_000, Failure::Timeout)]);
}

/// RFC 3261 17.1.1.2, 17.1.2.2: a reliable transport sends once and waits as long.
#[test]
fn on_a_reliable_transport_a_request_is_sent_once() {
    for method in ["INVITE", "OPTIONS"] {
        let mut b = Bench::new();
        b.client(method, true);
        let seen = b.run(100_000);
        assert_eq!(times(&seen), [0]);
        assert_eq!(failed(&seen), [(32_000, Failure::Timeout)]);
        b.assert_clean();
    }
}

/// RFC 3261 Table 4 with other estimates.
#[test]
fn the_timers_follow_the_configuration() {
    let mut config = Config::new([3; 32]);
    (config.t1, config.t2, config.t4) = (100, 300, 700);
    config.retransmit = Retransmit::Rfc;
    let mut b = Bench::with(config, limits());
    let (_, text) = b.client("OPTIONS", false);
    assert_eq!(times(&b.run(1_000)), [0, 100, 300, 600, 900]);
    b.receive_response(&response(&text, 200));
    b.run(1_699);
    assert_eq!(b.tx.len(), 1, "timer K is T4");
    b.run(1_700);
    b.assert_clean();
}

/// RFC 3261 17.1.1.2: D is at least 32 s on an unreliable transport, whatever T1 is, and 0 on a
/// reliable one.
#[test]
fn a_refused_invite_waits_for_repetitions_and_acknowledges_each() {
    let mut config = Config::new([3; 32]);
    config.t1 = 100;
    let usual = Config::new([3; 32]);
    for (reliable, config, wait) in
        [(false, config, 32_000), (false, usual.clone(), 32_000), (true, usual, 0)]
    {
        let mut b = Bench::with(config, limits());
        let (h, text) = b.client("INVITE", reliable);
        b.run(50);
        assert_eq!(
            b.receive_response(&response(&text, 486)),
            FromResponse::Response { tx: h, owner: OWNER }
        );
        let first = b.drain();
        if wait > 0 {
            b.run(50 + wait - 1);
            assert_eq!(b.receive_response(&response(&text, 486)), FromResponse::Absorbed);
            let again = b.drain();
            let text = |s: &[Seen]| match s {
                [Seen::Sent { text, .. }] => text.clone(),
                other => panic!("{other:?}"),
            };
            assert_eq!(text(&first), text(&again), "the same bytes");
        }
        b.run(50 + wait);
        b.assert_clean();
    }
}

/// RFC 6026 7.2: M is 64*T1 on every transport; each 2xx goes up.
#[test]
fn an_accepted_invite_passes_every_2xx_up_for_64_t1() {
    for reliable in [false, true] {
        let mut b = Bench::new();
        let (h, text) = b.client("INVITE", reliable);
        let up = FromResponse::Response { tx: h, owner: OWNER };
        assert_eq!(b.receive_response(&response(&text, 200)), up);
        b.drain();
        b.run(31_999);
        assert_eq!(b.receive_response(&response(&text, 200).replace("to1", "fork2")), up);
        assert_eq!(b.receive_response(&response(&text, 486)), FromResponse::Absorbed);
        assert!(b.run(32_000).is_empty());
        b.assert_clean();
        assert_eq!(b.receive_response(&response(&text, 200)), FromResponse::Stray);
    }
}

/// RFC 3261 17.2.1: G doubles from T1 up to T2, H is 64*T1: ten repetitions.
#[test]
fn a_refusal_is_repeated_until_the_ack_or_64_t1() {
    let mut b = Bench::new();
    let h = b.open(&peer_invite(), &Bench::path(false));
    b.respond(h, 486, &response(&peer_invite(), 486)).unwrap();
    let seen = b.run(100_000);
    let expected = [0, 500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500];
    assert_eq!(times(&seen), expected);
    assert_eq!(failed(&seen), [(32_000, Failure::NoAck)]);
    b.assert_clean();
}

/// RFC 3261 17.2.1: on a reliable transport the refusal is sent once; H runs all the same.
#[test]
fn a_refusal_over_a_connection_is_sent_once_and_waits_for_the_ack() {
    let mut b = Bench::new();
    let h = b.open(&peer_invite(), &Bench::path(true));
    b.respond(h, 486, &response(&peer_invite(), 486)).unwrap();
    let seen = b.run(100_000);
    assert_eq!(times(&seen), [0]);
    assert_eq!(failed(&seen), [(32_000, Failure::NoAck)]);
}

/// RFC 3261 17.2.1: I is T4 on an unreliable transport and 0 on a reliable one.
#[test]
fn the_ack_ends_the_repetitions_and_more_acks_are_absorbed() {
    for (reliable, wait) in [(false, 5_000), (true, 0)] {
        let mut b = Bench::new();
        let path = Bench::path(reliable);
        let h = b.open(&peer_invite(), &path);
        b.respond(h, 486, &response(&peer_invite(), 486)).unwrap();
        b.run(600);
        assert_eq!(b.receive_request(&ack(&peer_invite()), &path), FromRequest::Absorbed);
        assert_eq!(b.tx.state(h), Some(State::Confirmed));
        if wait > 0 {
            assert!(b.run(600 + wait - 1).is_empty());
            assert_eq!(b.receive_request(&ack(&peer_invite()), &path), FromRequest::Absorbed);
        }
        b.run(600 + wait);
        b.assert_clean();
    }
}

/// RFC 3261 17.2.2: J is 64*T1 on an unreliable transport and 0 on a reliable one.
#[test]
fn an_answered_request_repeats_its_answer_for_64_t1() {
    for (reliable, wait) in [(false, 32_000), (true, 0)] {
        let mut b = Bench::new();
        let (path, text) = (Bench::path(reliable), request("OPTIONS", "10.0.0.2", "z9hG4bKp"));
        let h = b.open(&text, &path);
        b.respond(h, 200, &response(&text, 200)).unwrap();
        b.drain();
        if wait > 0 {
            b.run(wait - 1);
            assert_eq!(b.receive_request(&text, &path), FromRequest::Repeated);
            assert_eq!(b.drain().len(), 1);
        }
        b.run(wait);
        b.assert_clean();
    }
}

/// RFC 6026 7.1: L is 64*T1 on every transport; the INVITE is absorbed, the ACK goes up.
#[test]
fn an_accepted_invite_absorbs_its_repetitions_for_64_t1() {
    for reliable in [false, true] {
        let mut b = Bench::new();
        let path = Bench::path(reliable);
        let h = b.open(&peer_invite(), &path);
        b.respond(h, 200, &response(&peer_invite(), 200)).unwrap();
        b.drain();
        b.run(31_999);
        assert_eq!(b.receive_request(&peer_invite(), &path), FromRequest::Repeated);
        assert_eq!(
            b.receive_request(&ack(&peer_invite()), &path),
            FromRequest::Ack { tx: h, owner: OWNER }
        );
        assert!(b.run(32_000).is_empty());
        b.assert_clean();
    }
}

/// RFC 3261 17.2.1: 100 after 200 ms, without a To tag; not if the user was faster.
#[test]
fn an_invite_without_response_is_answered_100_after_200_ms() {
    let mut b = Bench::new();
    let h = b.open(&peer_invite(), &Bench::path(false));
    let seen = b.run(10_000);
    assert_eq!(times(&seen), [200]);
    let Some((_, Seen::Sent { text, .. })) = seen.first() else { panic!() };
    assert!(
        text.starts_with("SIP/2.0 100 Trying\r\n")
            && text.contains("\r\nTo: Bob <sip:bob@example.com>\r\n"),
        "{text}"
    );
    assert_eq!(b.tx.status(h), Some(100));
    b.tx.end(&mut b.cx, h);
    b.assert_clean();

    let h = b.open(&peer_invite(), &Bench::path(false));
    b.respond(h, 180, &response(&peer_invite(), 180)).unwrap();
    assert_eq!(times(&b.run(20_000)), [10_000]);
}

/// RFC 4320 4.1: a 100 to another request when its client has reached T2, on every transport; 4.2:
/// what is not answered within 64*T1 never is.
#[test]
fn another_request_without_response_is_answered_100_after_3500_ms_and_expires() {
    for reliable in [false, true] {
        let mut b = Bench::new();
        b.open(&request("OPTIONS", "10.0.0.2", "z9hG4bKp"), &Bench::path(reliable));
        let seen = b.run(100_000);
        assert_eq!(times(&seen), [3_500]);
        assert_eq!(failed(&seen), [(32_000, Failure::Timeout)]);
        b.assert_clean();
    }
}

/// RFC 4320 4.1, 4.2.
#[test]
fn what_a_non_invite_request_is_never_answered() {
    let bad = Err(Error::Misuse(Misuse::BadStatus));
    let text = request("OPTIONS", "10.0.0.2", "z9hG4bKp");
    for (reliable, early) in [(false, bad), (true, Ok(()))] {
        let mut b = Bench::new();
        let h = b.open(&text, &Bench::path(reliable));
        for status in [180, 183, 199, 408] {
            assert_eq!(b.respond(h, status, &response(&text, status)), bad);
        }
        assert_eq!(b.respond(h, 100, &response(&text, 100)), early);
        b.drain();
        b.respond(h, 503, &response(&text, 503)).unwrap();
        b.run(40_000);
        b.assert_clean();
    }
    let mut b = Bench::new();
    let h = b.open(&peer_invite(), &Bench::path(false));
    for status in [99, 700] {
        assert_eq!(b.respond(h, status, &response(&text, 200)), bad);
    }
    assert_eq!(b.respond(h, 408, &response(&peer_invite(), 408)), Ok(()));
}

/// Copies are counted for each message by itself.
#[test]
fn the_first_ack_is_no_copy() {
    let mut b = Bench::new();
    let (_, text) = b.client("INVITE", false);
    b.run(600);
    for copy in [0, 1, 2] {
        b.receive_response(&response(&text, 486));
        let sent = b.drain();
        assert!(matches!(&sent[..], [Seen::Sent { copy: c, .. }] if *c == copy), "{sent:?}");
    }
}

/// RFC 3261 9.1: byte for byte from the INVITE, only after a provisional response, and the INVITE
/// is given up 64*T1 later.
#[test]
fn cancel_waits_for_a_provisional_response_and_then_runs_by_itself() {
    let mut b = Bench::new();
    let (h, text) = b.client("INVITE", false);
    b.drain();
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Ok(None));
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Ok(None), "asked twice, done once");
    assert_eq!(times(&b.run(600)), [500], "the INVITE alone");
    b.receive_response(&response(&text, 180));
    let sent = b.drain();
    let via = text.split("\r\n").find(|l| l.starts_with("Via:")).unwrap();
    let expected = std::format!(
        "CANCEL sip:bob@example.com;x=1 SIP/2.0\r\n{via}\r\nMax-Forwards: 70\r\n\
         Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n\
         Route: <sip:p3.example.com;lr>\r\n\
         From: \"A. \\\"lice\\\"\" <sip:alice@example.com>;tag=from1\r\n\
         To: Bob <sip:bob@example.com>\r\n\
         Call-ID: call-1@example.com\r\nCSeq: 314 CANCEL\r\nContent-Length: 0\r\n\r\n"
    );
    let [Seen::Sent { text: cancel, to, copy: 0 }] = &sent[..] else { panic!("{sent:?}") };
    assert_eq!((cancel, *to), (&expected, Bench::path(false).remote));
    // The CANCEL is repeated like any other request, and times out like one.
    let seen = b.run(100_000);
    assert_eq!(times(&seen).first(), Some(&1_100));
    assert_eq!(failed(&seen), [(32_600, Failure::Timeout), (32_600, Failure::Timeout)]);
    b.assert_clean();
}

/// RFC 3261 9.1.
#[test]
fn cancel_after_a_provisional_goes_out_at_once_and_never_after_a_final_response() {
    let mut b = Bench::new();
    let (h, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 180));
    let cancel = b.tx.cancel(&mut b.cx, h, OWNER).unwrap().unwrap();
    b.drain();
    let answer = response(&text, 200).replace("314 INVITE", "314 CANCEL");
    assert_eq!(
        b.receive_response(&answer),
        FromResponse::Response { tx: cancel, owner: OWNER },
        "the method of CSeq tells the two apart"
    );
    b.receive_response(&response(&text, 487));
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Err(Error::Late));
    let (other, _) = b.client("OPTIONS", false);
    assert_eq!(b.tx.cancel(&mut b.cx, other, OWNER), Err(Error::Misuse(Misuse::State)));
    let seen = b.run(100_000);
    assert!(failed(&seen).iter().all(|(at, _)| *at == 32_000), "only the OPTIONS: {seen:?}");
    b.assert_clean();
}

/// A final response without a provisional one makes the CANCEL needless.
#[test]
fn a_wanted_cancel_is_dropped_with_the_final_response() {
    for status in [200, 486] {
        let mut b = Bench::new();
        let (h, text) = b.client("INVITE", false);
        b.tx.cancel(&mut b.cx, h, OWNER).unwrap();
        b.receive_response(&response(&text, status));
        assert!(
            !b.drain()
                .iter()
                .any(|s| matches!(s, Seen::Sent { text, .. } if text.starts_with("CANCEL")))
        );
        b.run(40_000);
        b.assert_clean();
    }
}

/// DESIGN: hanging up never fails for lack of room; it is put off.
#[test]
fn a_cancel_without_room_is_put_off() {
    let mut b = Bench::with(Config::new([3; 32]), Limits { transactions: 1, ..limits() });
    let (h, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 180));
    b.drain();
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Ok(None), "no room for its transaction");
    assert!(b.run(2_000).is_empty());
    b.receive_response(&response(&text, 487));
    b.drain();
    assert_eq!(b.cx.timers.len(), 1, "timer D alone");
    assert!(b.run(40_000).is_empty());
    b.assert_clean();

    let mut b = Bench::with(Config::new([3; 32]), limits());
    let (h, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 180));
    b.drain();
    let filler = b.cx.pool.take(1).unwrap();
    while b.cx.out.room() > 0 {
        b.cx.transmit(filler, Bench::path(false), 0, 0).unwrap();
    }
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Ok(None), "no room in the ring");
    b.drain();
    b.cx.pool.release(filler);
    assert_eq!(times(&b.run(0)), [0], "sent as soon as there is");
}

/// A provisional response finds room for a CANCEL that was put off: it goes out once.
#[test]
fn a_cancel_that_was_put_off_goes_out_once() {
    let mut b = Bench::with(Config::new([3; 32]), Limits { transactions: 2, ..limits() });
    let (h, text) = b.client("INVITE", false);
    b.receive_response(&response(&text, 180));
    let (other, _) = b.client("OPTIONS", false);
    b.drain();
    assert_eq!(b.tx.cancel(&mut b.cx, h, OWNER), Ok(None));
    b.tx.end(&mut b.cx, other);
    b.receive_response(&response(&text, 183));
    assert_eq!(b.drain().len(), 1);
    assert_eq!(times(&b.run(1_000)), [500], "timer E of the CANCEL alone");
    assert_eq!(b.cx.timers.len(), 3, "E and F of the CANCEL, and the end of the INVITE");
    assert_eq!(failed(&b.run(40_000)).len(), 2);
    b.assert_clean();
}

/// A timer that finds no room in the ring is put off, not lost.
#[test]
fn a_repetition_without_room_is_put_off() {
    let mut b = Bench::new();
    b.client("INVITE", false);
    b.drain();
    let filler = b.cx.pool.take(1).unwrap();
    while b.cx.out.room() > 0 {
        b.cx.transmit(filler, Bench::path(false), 0, 0).unwrap();
    }
    b.cx.now = Instant(510);
    let (_, key) = b.cx.timers.due(b.cx.now).unwrap();
    assert_eq!(b.tx.on_timer(&mut b.cx, key), FromTimer::Nothing);
    assert_eq!(b.cx.timers.next(), Some(Instant(510)), "due again at once");
    b.drain();
    b.cx.pool.release(filler);
    assert_eq!(times(&b.run(3_000)), [510, 1_510]);
}

/// A timer whose time is long past acts once (DESIGN 3.5).
#[test]
fn after_a_jump_of_the_clock_a_timer_acts_once() {
    let mut b = Bench::new();
    b.client("INVITE", false);
    b.drain();
    b.cx.now = Instant(20_000);
    let seen = b.run(20_000);
    assert_eq!(times(&seen), [20_000]);
}

/// RFC 3261 17.1.4, 17.2.4, 18.4; the design's own rule for INVITE clients in Proceeding.
#[test]
fn a_closed_flow_ends_what_hangs_on_it_one_transaction_at_a_time() {
    let mut b = Bench::new();
    let path = Bench::path(true);
    let (calling, _) = b.client("INVITE", true);
    let (proceeding, text) = b.client("INVITE", true);
    b.receive_response(&response(&text, 180));
    let (trying, _) = b.client("OPTIONS", true);
    let server = b.open(&peer_invite(), &path);
    let (over_udp, _) = b.client("OPTIONS", false);
    let elsewhere = Path { flow: Some(FlowId(6)), ..path };
    let other = b.open(&request("OPTIONS", "10.0.0.2", "z9hG4bKo"), &elsewhere);
    b.drain();
    let mut from = 0;
    let mut told = Vec::new();
    while let Some((what, next)) = b.tx.flow_closed(&mut b.cx, FLOW, from) {
        from = next;
        if let FromTimer::Failed { tx, why, .. } = what {
            told.push((tx, why));
        }
        assert!(b.drain().is_empty(), "nothing is sent on a closed flow");
    }
    told.sort_by_key(|t| t.0);
    let mut expected = [
        (calling, Failure::Transport),
        (proceeding, Failure::Timeout),
        (trying, Failure::Transport),
        (server, Failure::Transport),
    ];
    expected.sort_by_key(|t| t.0);
    assert_eq!(told, expected);
    assert_eq!(from, 4);
    assert_eq!(b.tx.state(server), Some(State::Proceeding), "RFC 6026 8.8: it remains");
    assert_eq!(
        (b.tx.state(over_udp), b.tx.state(other)),
        (Some(State::Trying), Some(State::Trying))
    );
    assert_eq!(b.tx.flow_closed(&mut b.cx, FLOW, 0), None);
    for h in [server, over_udp, other] {
        b.tx.end(&mut b.cx, h);
    }
    b.assert_clean();
}

/// Whichever transaction of a flow ends first, the others are found.
#[test]
fn transactions_leave_the_list_of_their_flow_from_any_place() {
    for gone in 0..4 {
        let mut b = Bench::new();
        let mut all: Vec<_> = (0..4).map(|_| b.client("OPTIONS", true).0).collect();
        b.drain();
        b.tx.end(&mut b.cx, all.remove(gone));
        let mut told = Vec::new();
        while let Some((FromTimer::Failed { tx, .. }, _)) = b.tx.flow_closed(&mut b.cx, FLOW, 0) {
            told.push(tx);
        }
        told.sort();
        assert_eq!(told, all);
        b.assert_clean();
    }
}

/// The record of a transaction keeps small, and with it the tables.
#[test]
fn a_transaction_takes_at_most_200_bytes() {
    assert!(size_of::<super::Tx>() <= 200, "{}", size_of::<super::Tx>());
    assert_eq!(limits().timers(), Limits { transactions: 0, ..limits() }.timers() + 16);
}

/// An INVITE keeps its header fields after the first provisional response: ACK and CANCEL copy of
/// them. Its body is gone.
#[test]
fn an_invite_shrinks_after_the_first_provisional_response() {
    let mut b = Bench::new();
    let (h, text) = b.client("INVITE", false);
    b.drain();
    b.receive_response(&response(&text, 180));
    let kept = b.tx.request(&b.cx, h).unwrap();
    let kept = std::string::String::from_utf8(b.cx.pool.bytes_of(kept).to_vec()).unwrap();
    assert!(kept.starts_with("INVITE sip:bob@example.com;x=1 SIP/2.0\r\n"));
    assert!(kept.ends_with("\r\n\r\n") && text.starts_with(&kept) && kept.len() < text.len());
    assert_eq!(b.cx.pool.live(), 1);
    let branch = Transactions::new_branch(&mut b.cx);
    assert_eq!(branch.as_bytes().len(), super::Branch::LEN);
    assert!(
        text.contains("branch=z9hG4bK")
            && !text.contains(&std::str::from_utf8(branch.as_bytes()).unwrap().to_string())
    );
}
