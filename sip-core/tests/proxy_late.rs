//! Targets that arrive late (RFC 3261 16.5), in every state of a request; what happens to them is in
//! `fork_table`.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Routes, config, request, response};
use sansip::{Error, Event, Instant, Limit, Limits, Misuse, RequestHandle, Roles, Target};

const CALLER: u8 = 1;
const BOB: &str = "sip:b@example.com";

fn target(uri: &str) -> Target<'_> {
    Target { uri, q: 1_000, ..Target::default() }
}

fn add(hop: &mut Hop, uri: &str, more: bool) -> Result<(), Error> {
    let (now, request) = (Instant(hop.now), hop.routing.unwrap());
    let done = hop.engine.add_targets(now, request, &[target(uri)], more);
    hop.drain();
    done
}

/// An INVITE for the one device of bob, which has said this.
fn called(statuses: &[u16]) -> Hop {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    let invite = hop.only();
    for status in statuses {
        hop.receive(2, &response(&invite, *status, "t", "Contact: <sip:b@10.0.0.2>\r\n"));
    }
    hop.take();
    hop
}

#[test]
fn each_state_takes_late_targets_or_says_why_not() {
    const LATER: &str = "sip:b@10.0.0.3";
    for (statuses, want) in [
        (&[][..], Ok(())),
        (&[100], Ok(())),
        (&[180], Ok(())),
        (&[180, 200], Err(Error::Late)),
        (&[486], Err(Error::Late)),
        (&[603], Err(Error::Late)),
    ] {
        let mut hop = called(statuses);
        assert_eq!(add(&mut hop, LATER, false), want, "{statuses:?}");
        let sent = hop.labels();
        assert_eq!(sent.contains(&"3 INVITE".to_string()), want.is_ok(), "{statuses:?}");
        hop.finish();
        assert_eq!(add(&mut hop, LATER, false), Err(Error::Gone), "{statuses:?}");
    }
    let mut hop = called(&[180]);
    hop.receive(CALLER, &request("CANCEL", BOB, CALLER, 1, ""));
    assert_eq!(add(&mut hop, LATER, false), Err(Error::Late));
    hop.finish();
}

#[test]
fn before_the_question_is_answered_they_wait_for_the_answer() {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.hold = true;
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    assert_eq!(add(&mut hop, "sip:b@10.0.0.3", false), Ok(()));
    assert_eq!(hop.take(), []);
    hop.release();
    let mut labels = hop.labels();
    labels.sort();
    assert_eq!(labels, ["2 INVITE", "3 INVITE"]);
    hop.finish();
}

#[test]
fn where_the_answer_has_none_they_are_tried() {
    let mut hop = Hop::new();
    hop.hold = true;
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    assert_eq!(add(&mut hop, "sip:b@10.0.0.3", false), Ok(()));
    hop.release();
    assert_eq!(hop.labels(), ["3 INVITE"]);
    hop.finish();
}

#[test]
fn a_wrong_target_or_request_changes_nothing() {
    let mut hop = called(&[180]);
    let before = hop.engine.stats();
    for uri in ["no uri", "sip:", "<sip:b@10.0.0.3>"] {
        assert_eq!(add(&mut hop, uri, true), Err(Error::Misuse(Misuse::BadUri)), "{uri}");
    }
    let two = [target("sip:b@10.0.0.3"), target("no uri")];
    let (now, bob) = (Instant(hop.now), hop.routing.unwrap());
    let done = hop.engine.add_targets(now, bob, &two, true);
    assert_eq!(done, Err(Error::Misuse(Misuse::BadUri)), "all or nothing");
    let other = RequestHandle::from_raw(!bob.raw());
    assert_eq!(hop.engine.add_targets(now, other, &two[..1], true), Err(Error::Gone));
    hop.drain();
    assert_eq!(hop.take(), []);
    assert_eq!(hop.engine.stats(), before);
    hop.finish();
}

// 16.5: who is asked for nothing adds nothing.
#[test]
fn a_request_that_says_itself_where_it_goes_takes_none() {
    let mut hop = called(&[180]);
    let route = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.7;lr>\r\n";
    hop.receive(CALLER, &request("INVITE", "sip:x@other.example", CALLER, 2, route));
    assert_eq!(hop.labels(), ["7 INVITE"]);
    let last = hop.routing.unwrap();
    // Its handle was never told: it is the next.
    for raw in 1..200u64 {
        let guess = RequestHandle::from_raw(last.raw() ^ raw);
        let now = Instant(hop.now);
        let done = hop.engine.add_targets(now, guess, &[target("sip:b@10.0.0.8")], false);
        assert!(matches!(done, Err(Error::Gone | Error::Misuse(Misuse::State) | Error::Late)));
    }
    hop.drain();
    assert_eq!(hop.take(), []);
    hop.finish();
}

#[test]
fn without_room_nothing_changes_and_a_later_try_works() {
    let mut hop = Hop::with(config(), &Limits { outputs: 8, ..Limits::TESTER });
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    hop.take();
    let (now, bob) = (Instant(hop.now), hop.routing.unwrap());
    // Nobody polls: the ring fills up.
    let mut n = 0;
    while hop.engine.send(now, path(), b"x").is_ok() {
        n += 1;
        assert!(n < 20);
    }
    let done = hop.engine.add_targets(now, bob, &[target("sip:b@10.0.0.3")], false);
    assert_eq!(done, Err(Error::Full(Limit::Outputs)));
    hop.drain();
    hop.take();
    assert_eq!(add(&mut hop, "sip:b@10.0.0.3", false), Ok(()));
    assert_eq!(hop.labels(), ["3 INVITE"]);
    hop.finish();
}

fn path() -> sansip::Path {
    sansip::Path { local: hop::UDP, remote: hop::peer(9), flow: None }
}

#[test]
fn a_proxy_that_is_none_takes_none() {
    let mut config = config();
    config.roles = Roles { ua: true, proxy: false, registrar: false };
    let mut hop = Hop::with(config, &Limits::TESTER);
    let guess = RequestHandle::from_raw(1 << 32);
    let done = hop.engine.add_targets(Instant(0), guess, &[target("sip:b@10.0.0.3")], false);
    assert_eq!(done, Err(Error::Gone));
}

// The application may hold a request open for ever, one step after the other, but each is bounded.
#[test]
fn an_open_request_ends_without_the_application() {
    let mut hop = Hop::new();
    hop.routes = Routes::To(Vec::new());
    hop.hold = true;
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    let (now, bob) = (Instant(hop.now), hop.routing.unwrap());
    hop.engine.add_targets(now, bob, &[], true).unwrap();
    hop.release();
    hop.run(0);
    assert_eq!(hop.events, [Event::Exhausted { request: bob, status: 404 }]);
    hop.run(29_999);
    assert_eq!(hop.take(), []);
    hop.run(1);
    assert_eq!(hop.labels(), ["1 404"]);
    hop.finish();
}
