//! The proxy's part of a call, message by message: RFC 3261 16.

#[path = "support/hop.rs"]
mod hop;

use hop::{Asked, Hop, Routes, Sent, request, response};
use sansip::{Ignored, Seen};

const CALLER: u8 = 1;
const CALLEE: u8 = 2;
const BOB: &str = "sip:b@example.com";

/// An INVITE for the one device of bob, as it arrives there.
fn invited(hop: &mut Hop) -> Sent {
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    let invite = hop.only();
    assert_eq!((invite.to, invite.start()), (CALLEE, "INVITE"));
    invite
}

#[test]
fn a_call_is_set_up_with_record_route_and_ends_through_the_proxy() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    assert_eq!(hop.asked, [Asked::Locate(BOB.into())]);
    assert_eq!(invite.uri(), "sip:b@10.0.0.2");
    assert_eq!(invite.one("Max-Forwards"), "69");
    let own = "<sip:10.0.0.100:5060;lr>";
    assert_eq!(invite.one("Record-Route"), own);
    let vias = invite.all("Via");
    assert!(vias[0].starts_with("SIP/2.0/UDP 10.0.0.100:5060;branch=z9hG4bK"), "{vias:?}");
    assert_eq!(vias[1], "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1x1");

    hop.receive(CALLEE, &response(&invite, 100, "", ""));
    assert_eq!((hop.take(), hop.trying.len()), (vec![], 1), "a 100 goes one hop only");
    let contact = "Contact: <sip:b@10.0.0.2>\r\n";
    hop.receive(CALLEE, &response(&invite, 180, "t", contact));
    let ringing = hop.only();
    assert_eq!((ringing.to, ringing.start()), (CALLER, "180"));
    let answer = response(&invite, 200, "t", contact);
    hop.receive(CALLEE, &answer);
    let ok = hop.only();
    assert_eq!((ok.to, ok.start(), ok.one("Record-Route")), (CALLER, "200", own));
    // All but our Via is as the callee wrote it.
    let (first, rest) = answer.split_once("\r\n").unwrap();
    let (_, rest) = rest.split_once("\r\n").unwrap();
    assert_eq!(ok.text, format!("{first}\r\n{rest}"));

    let to = format!("To: <{BOB}>;tag=t\r\n");
    let routed = format!("{to}Route: {own}\r\n");
    hop.receive(
        CALLER,
        &request("ACK", "sip:b@10.0.0.2", CALLER, 1, &routed).replace("x1\r", "xA\r"),
    );
    let ack = hop.only();
    assert_eq!((ack.to, ack.start(), ack.uri()), (CALLEE, "ACK", "sip:b@10.0.0.2"));
    assert_eq!(ack.all("Route"), [""; 0]);
    assert_eq!(ack.all("Via").len(), 2);

    // In the dialog, from either side, no question is asked.
    hop.asked.clear();
    hop.receive(CALLEE, &request("BYE", "sip:a@10.0.0.1", CALLEE, 7, &routed));
    let bye = hop.only();
    assert_eq!((bye.to, bye.start(), bye.uri()), (CALLER, "BYE", "sip:a@10.0.0.1"));
    hop.receive(CALLER, &response(&bye, 200, "", ""));
    let ok = hop.only();
    assert_eq!((ok.to, ok.start()), (CALLEE, "200"));
    assert_eq!(hop.asked, []);
    hop.finish();
}

#[test]
fn a_busy_callee_is_acknowledged_hop_by_hop() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    hop.receive(CALLEE, &response(&invite, 486, "t", "X-Why: busy\r\n"));
    let sent = hop.take();
    assert_eq!(sent.iter().map(Sent::label).collect::<Vec<_>>(), ["2 ACK", "1 486"]);
    assert_eq!((sent[0].one("To"), sent[0].all("Via").len()), ("<sip:b@example.com>;tag=t", 1));
    assert_eq!((sent[1].one("X-Why"), sent[1].one("To")), ("busy", "<sip:b@example.com>;tag=t"));
    let ack = request("ACK", BOB, CALLER, 1, "To: <sip:b@example.com>;tag=t\r\n");
    hop.receive(CALLER, &ack);
    assert_eq!(hop.take(), [], "the ACK of a refusal ends here");
    hop.finish();
}

// RFC 3261 16.10
#[test]
fn a_caller_that_gives_up_cancels_the_callee() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    hop.receive(CALLEE, &response(&invite, 180, "t", ""));
    hop.take();
    hop.receive(CALLER, &request("CANCEL", BOB, CALLER, 1, ""));
    let sent = hop.take();
    assert_eq!(sent.iter().map(Sent::label).collect::<Vec<_>>(), ["1 200", "2 CANCEL"]);
    assert_eq!(sent[1].one("Via"), invite.all("Via")[0], "the branch of the INVITE");
    assert_eq!(sent[1].uri(), "sip:b@10.0.0.2");
    hop.receive(CALLEE, &response(&sent[1], 200, "t", ""));
    assert_eq!(hop.take(), []);
    hop.receive(CALLEE, &response(&invite, 487, "t", ""));
    assert_eq!(hop.labels(), ["2 ACK", "1 487"]);
    hop.receive(CALLER, &request("ACK", BOB, CALLER, 1, "To: <sip:b@example.com>;tag=t\r\n"));
    hop.finish();
}

#[test]
fn a_cancel_before_any_response_waits_and_one_before_any_target_ends_at_once() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    hop.receive(CALLER, &request("CANCEL", BOB, CALLER, 1, ""));
    assert_eq!(hop.labels(), ["1 200"], "RFC 3261 9.1");
    hop.receive(CALLEE, &response(&invite, 100, "", ""));
    assert_eq!(hop.labels(), ["2 CANCEL"]);
    // The callee says nothing any more: the caller still learns that its call has ended.
    hop.run(64 * 500);
    assert!(hop.labels().contains(&"1 487".to_string()));
    hop.finish();

    let mut hop = Hop::new();
    hop.hold = true;
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    hop.receive(CALLER, &request("CANCEL", BOB, CALLER, 1, ""));
    assert_eq!(hop.labels(), ["1 200", "1 487"]);
    assert_eq!(hop.held.len(), 0, "the question is forgotten");
    hop.finish();
}

// RFC 3261 16.6 step 7, 16.7 step 6, 16.9
#[test]
fn nobody_there_is_408_and_no_way_is_500() {
    let mut hop = Hop::new();
    invited(&mut hop);
    assert_eq!((hop.trying.len(), hop.trying[0].to), (1, CALLER), "RFC 3261 17.2.1");
    assert!(!hop.trying[0].one("To").contains("tag="));
    hop.run(64 * 500);
    let labels = hop.labels();
    assert_eq!(labels.iter().filter(|l| *l == "2 INVITE").count(), 6, "{labels:?}");
    assert!(labels.contains(&"1 408".to_string()));
    hop.finish();

    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@nowhere.example");
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 1, ""));
    hop.run(0);
    assert_eq!(hop.asked.last(), Some(&Asked::Dns("nowhere.example".into())));
    assert_eq!(hop.labels(), ["1 500"]);
    hop.finish();

    // RFC 4320 4.2: no 408 for another request than INVITE.
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("MESSAGE", BOB, CALLER, 1, ""));
    hop.run(100_000);
    assert!(hop.labels().iter().all(|l| l == "2 MESSAGE"));
    hop.finish();
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(CALLER, &request("MESSAGE", BOB, CALLER, 1, ""));
    let message = hop.only();
    hop.receive(CALLEE, &response(&message, 408, "t", ""));
    hop.receive(CALLER, &request("MESSAGE", BOB, CALLER, 1, ""));
    assert_eq!(hop.take(), [], "a repetition is not a new request");
    hop.finish();
}

// RFC 3261 16.8
#[test]
fn timer_c_cancels_a_callee_that_rings_for_ever() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    hop.receive(CALLEE, &response(&invite, 180, "t", ""));
    hop.run(180_000);
    assert_eq!(hop.labels(), ["1 180"]);
    // 16.7 step 2: each provisional response over 100 starts it again.
    hop.receive(CALLEE, &response(&invite, 183, "t", ""));
    hop.run(180_000);
    assert_eq!(hop.labels(), ["1 183"]);
    hop.receive(CALLEE, &response(&invite, 100, "", ""));
    hop.run(2_000);
    let cancel = hop.take();
    assert_eq!(cancel[0].label(), "2 CANCEL");
    hop.receive(CALLEE, &response(&cancel[0], 200, "t", ""));
    hop.receive(CALLEE, &response(&invite, 487, "t", ""));
    assert!(hop.labels().contains(&"1 487".to_string()));
    hop.finish();
}

#[test]
fn provisional_responses_do_not_hold_a_context_for_ever() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    let mut minutes = 0;
    while !hop.labels().contains(&"2 CANCEL".to_string()) {
        hop.receive(CALLEE, &response(&invite, 183, "t", ""));
        hop.run(60_000);
        minutes += 1;
        assert!(minutes <= 61);
    }
    assert_eq!(minutes, 60, "Config::timer_c_total");
    hop.finish();
}

// RFC 3261 16.3
#[test]
fn what_may_not_be_forwarded_is_refused_without_state() {
    let cases: [(&str, &str, &str); 5] = [
        ("OPTIONS sip:b@example.com", "Max-Forwards: 0\r\n", "483"),
        ("INVITE sip:b@example.com", "Max-Forwards: 0\r\n", "483"),
        ("INVITE foo:bar", "Max-Forwards: 9\r\n", "416"),
        ("INVITE sips:b@example.com", "Max-Forwards: 9\r\n", "416"),
        (
            "INVITE sip:b@example.com",
            "Max-Forwards: 9\r\nProxy-Require: one, two\r\nProxy-Require: three\r\n",
            "420",
        ),
    ];
    for (start, fields, status) in cases {
        let mut hop = Hop::new();
        hop.bind(BOB, "sip:b@10.0.0.2");
        let (method, uri) = start.split_once(' ').unwrap();
        let text = request(method, uri, CALLER, 1, "").replace("Max-Forwards: 70\r\n", fields);
        hop.receive(CALLER, &text);
        let sent = hop.only();
        assert_eq!((sent.to, sent.start()), (CALLER, status), "{start}");
        if status == "420" {
            assert_eq!(sent.all("Unsupported"), ["one", "two", "three"]);
        }
        assert_eq!(hop.engine.stats().transactions, 0);
        // The ACK of a refusal that left no state is absorbed.
        hop.receive(
            CALLER,
            &request("ACK", uri, CALLER, 1, "To: <sip:b@example.com>;tag=x\r\n")
                .replace("Max-Forwards: 70\r\n", fields),
        );
        hop.finish();
    }
}

// RFC 3261 16.4, 16.12
#[test]
fn routes_of_ours_go_and_those_of_others_lead_the_way() {
    let mut hop = Hop::new();
    let routes = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.3;lr>\r\nRoute: <sip:10.0.0.4;lr>\r\n";
    hop.receive(CALLER, &request("MESSAGE", "sip:x@elsewhere.example", CALLER, 1, routes));
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (3, "sip:x@elsewhere.example"));
    assert_eq!(sent.all("Route"), ["<sip:10.0.0.3;lr>", "<sip:10.0.0.4;lr>"]);
    assert_eq!(hop.asked, []);

    // A strict router comes next: it finds itself in the Request-URI.
    let routes = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.3>, <sip:10.0.0.4;lr>\r\n";
    hop.receive(CALLER, &request("MESSAGE", "sip:x@elsewhere.example", CALLER, 2, routes));
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (3, "sip:10.0.0.3"));
    assert_eq!(sent.all("Route"), ["<sip:10.0.0.4;lr>, <sip:x@elsewhere.example>"]);

    // A strict router was before us: our Record-Route is the Request-URI.
    let routes = "Route: <sip:10.0.0.4;lr>, <sip:x@10.0.0.5>\r\n";
    hop.receive(CALLER, &request("MESSAGE", "sip:10.0.0.100:5060;lr", CALLER, 3, routes));
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (4, "sip:x@10.0.0.5"));
    assert_eq!(sent.all("Route"), ["<sip:10.0.0.4;lr>"]);
    hop.receive(
        CALLER,
        &request(
            "MESSAGE",
            "sip:10.0.0.100:5060;lr",
            CALLER,
            4,
            "To: x:y;tag=1\r\nRoute: <sip:x@10.0.0.5>\r\n",
        ),
    );
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (5, "sip:x@10.0.0.5"));
    assert_eq!(sent.all("Route"), [""; 0]);

    // maddr is ours: it goes, with the port.
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.receive(
        CALLER,
        &request("MESSAGE", "sip:b@example.com:5060;maddr=10.0.0.100;x=y", CALLER, 5, ""),
    );
    assert_eq!(hop.only().to, 2);
    hop.finish();
}

// RFC 3261 16.5
#[test]
fn targets_come_from_bindings_then_from_the_application() {
    let mut hop = Hop::new();
    // Ours, unknown.
    hop.receive(CALLER, &request("MESSAGE", "sip:no@example.com", CALLER, 1, ""));
    assert_eq!(hop.labels(), ["1 404"]);
    let asked = [
        Asked::Locate("sip:no@example.com".into()),
        Asked::Route { uri: "sip:no@example.com".into(), ours: true },
    ];
    assert_eq!(hop.asked, asked);
    // Ours, known, but nowhere to be reached now.
    hop.store.insert(BOB.into(), (3, Vec::new()));
    hop.receive(CALLER, &request("MESSAGE", BOB, CALLER, 2, ""));
    assert_eq!(hop.labels(), ["1 480"].map(String::from));
    // Somebody else's.
    hop.receive(CALLER, &request("MESSAGE", "sip:x@other.example", CALLER, 3, ""));
    assert_eq!(hop.labels(), ["1 404"]);
    assert_eq!(
        hop.asked.last(),
        Some(&Asked::Route { uri: "sip:x@other.example".into(), ours: false })
    );
    // The application names another hop, another target, or the Request-URI itself.
    for (n, target, to, uri) in [
        (4, ("", "sip:10.0.0.8"), 8, "sip:x@10.0.0.9"),
        (5, ("sip:y@10.0.0.7", ""), 7, "sip:y@10.0.0.7"),
        (6, ("", ""), 9, "sip:x@10.0.0.9"),
    ] {
        hop.routes = Routes::To(vec![(target.0.into(), target.1.into(), 0)]);
        hop.receive(CALLER, &request("MESSAGE", "sip:x@10.0.0.9", CALLER, n, ""));
        let sent = hop.only();
        assert_eq!((sent.to, sent.uri()), (to, uri));
    }
    hop.routes = Routes::Reject(403);
    hop.receive(CALLER, &request("MESSAGE", "sip:x@10.0.0.9", CALLER, 7, ""));
    assert_eq!(hop.labels(), ["1 403"]);
    hop.routes = Routes::Failed;
    hop.receive(CALLER, &request("MESSAGE", "sip:x@10.0.0.9", CALLER, 8, ""));
    assert_eq!(hop.labels(), ["1 500"]);
    hop.finish();
}

// A caller that keeps no route set (sipp's own scenarios) sends everything to our address.
#[test]
fn an_ack_without_a_route_goes_the_way_of_its_invite() {
    let mut hop = Hop::new();
    hop.routes = Routes::To(vec![("".into(), "sip:10.0.0.2".into(), 0)]);
    let uri = "sip:service@10.0.0.100:5060";
    hop.receive(CALLER, &request("INVITE", uri, CALLER, 1, ""));
    let invite = hop.only();
    assert_eq!((invite.to, invite.uri()), (CALLEE, uri));
    hop.receive(CALLEE, &response(&invite, 200, "t", "Contact: <sip:10.0.0.2>\r\n"));
    assert_eq!(hop.labels(), ["1 200"]);
    let to = "To: <sip:b@example.com>;tag=t\r\n";
    hop.receive(CALLER, &request("ACK", uri, CALLER, 1, to).replace("x1\r", "xA\r"));
    let ack = hop.only();
    assert_eq!((ack.to, ack.start(), ack.uri()), (CALLEE, "ACK", uri));
    hop.receive(CALLER, &request("BYE", uri, CALLER, 2, to));
    let bye = hop.only();
    assert_eq!((bye.to, bye.start()), (CALLEE, "BYE"));
    hop.receive(CALLEE, &response(&bye, 200, "t", ""));
    assert_eq!(hop.labels(), ["1 200"]);
    hop.finish();
}

// RFC 3261 16.11: what leaves without a transaction goes one way.
#[test]
fn an_ack_for_an_address_of_record_goes_to_one_device() {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.bind(BOB, "sip:b@10.0.0.3");
    hop.receive(CALLER, &request("ACK", BOB, CALLER, 1, "To: <sip:b@example.com>;tag=t\r\n"));
    assert_eq!(hop.labels(), ["2 ACK"]);
    // One that leads nowhere is never answered.
    hop.receive(CALLER, &request("ACK", "sip:no@example.com", CALLER, 2, ""));
    hop.receive(CALLER, &request("ACK", "sip:no@nowhere.example", CALLER, 3, "To: x:y;tag=1\r\n"));
    hop.run(0);
    assert_eq!(hop.take(), []);
    hop.finish();
}

#[test]
fn a_2xx_that_is_repeated_is_relayed_each_time() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    let ok = response(&invite, 200, "t", "Contact: <sip:b@10.0.0.2>\r\n");
    for _ in 0..3 {
        hop.receive(CALLEE, &ok);
        assert_eq!(hop.labels(), ["1 200"]);
        assert_eq!(hop.engine.stats().forks, 0, "the context is gone");
        hop.run(500);
    }
    hop.run(64 * 500);
    // RFC 6026 7.1: without a transaction it is dropped.
    assert_eq!(hop.receive(CALLEE, &ok), Seen::Ignored(Ignored::StrayResponse));
    assert_eq!(hop.take(), []);
    hop.finish();
}

// RFC 3261 16.7 step 3
#[test]
fn a_response_with_no_via_but_ours_is_not_forwarded() {
    let mut hop = Hop::new();
    let invite = invited(&mut hop);
    let ours = invite.all("Via")[0].to_string();
    let alone = response(&invite, 180, "t", "").replace(invite.all("Via")[1], "");
    let alone = alone.replace("Via: \r\n", "");
    assert!(alone.contains(&ours));
    hop.receive(CALLEE, &alone);
    assert_eq!(hop.take(), []);
    hop.receive(CALLEE, &response(&invite, 486, "t", ""));
    assert_eq!(hop.labels(), ["2 ACK", "1 486"]);
    hop.finish();
}

#[test]
fn a_full_table_answers_503_and_keeps_nothing() {
    let limits = sansip::Limits { forks: 2, ..sansip::Limits::TESTER };
    let mut hop = Hop::with(hop::config(), &limits);
    hop.bind(BOB, "sip:b@10.0.0.2");
    for n in 1..=2 {
        hop.receive(CALLER, &request("INVITE", BOB, CALLER, n, ""));
        assert_eq!(hop.labels(), ["2 INVITE"]);
    }
    let before = hop.engine.stats();
    hop.receive(CALLER, &request("INVITE", BOB, CALLER, 3, ""));
    let sent = hop.only();
    assert_eq!((sent.start(), sent.one("Retry-After")), ("503", "10"));
    let after = hop.engine.stats();
    assert_eq!(
        (before.transactions, before.blocks, before.timers),
        (after.transactions, after.blocks, after.timers)
    );
    hop.finish();
}
