//! Forwarding without keeping anything: RFC 3261 16.11.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Sent, config, request, response};
use sansip::Limits;

const ROUTE: &str = "Route: <sip:10.0.0.100;lr>, <sip:10.0.0.3;lr>\r\n";
const FAR: &str = "sip:x@elsewhere.example";

fn proxy() -> Hop {
    let mut config = config();
    config.edge.stateless = true;
    Hop::with(config, &Limits::TESTER)
}

fn branch(sent: &Sent) -> String {
    let via = sent.all("Via")[0];
    via.split("branch=").nth(1).unwrap().split(';').next().unwrap().to_string()
}

fn holds_nothing(hop: &Hop) {
    assert!(hop.engine.is_quiescent(), "{:?}", hop.engine.stats());
    assert_eq!(hop.engine.stats().blocks, 0);
}

// Repetitions, CANCEL and the ACK of a refusal get the branch of the INVITE.
#[test]
fn a_call_goes_through_and_nothing_is_kept_of_it() {
    let mut hop = proxy();
    let invite = request("INVITE", FAR, 1, 1, ROUTE);
    hop.receive(1, &invite);
    let first = hop.only();
    holds_nothing(&hop);
    assert_eq!((first.to, first.start(), hop.trying.len()), (3, "INVITE", 0));
    assert_eq!(first.one("Record-Route"), "<sip:10.0.0.100:5060;lr>");
    assert_eq!((first.one("Max-Forwards"), first.all("Route")), ("69", vec!["<sip:10.0.0.3;lr>"]));
    hop.receive(1, &invite);
    assert_eq!(hop.only().text, first.text, "byte for byte");
    for status in [180, 486, 486] {
        hop.receive(3, &response(&first, status, "t", ""));
        let back = hop.only();
        assert_eq!((back.to, back.all("Via").len()), (1, 1), "each is passed on");
    }
    let cancel = request("CANCEL", FAR, 1, 1, ROUTE);
    hop.receive(1, &cancel);
    let cancel = hop.only();
    assert_eq!((cancel.to, cancel.start(), branch(&cancel)), (3, "CANCEL", branch(&first)));
    let ack = request("ACK", FAR, 1, 1, &format!("{ROUTE}To: <sip:b@example.com>;tag=t\r\n"));
    hop.receive(1, &ack);
    let ack = hop.only();
    assert_eq!((ack.to, ack.start(), branch(&ack)), (3, "ACK", branch(&first)));
    holds_nothing(&hop);
    // Another request has another.
    hop.receive(1, &request("MESSAGE", FAR, 1, 2, ROUTE));
    assert_ne!(branch(&hop.only()), branch(&first));
    holds_nothing(&hop);
    hop.finish();
}

// 18.2.2, RFC 3581: to where the request came from, whatever its sender calls itself.
#[test]
fn responses_find_a_sender_behind_a_nat() {
    let mut hop = proxy();
    let text = request("MESSAGE", FAR, 1, 1, ROUTE);
    hop.receive(1, &text.replace("UDP 10.0.0.1;", "UDP 192.168.1.7:9999;rport;"));
    let sent = hop.only();
    hop.receive(3, &response(&sent, 200, "t", ""));
    let back = hop.only();
    assert_eq!((back.to, back.local), (1, hop::UDP));
    assert!(
        back.one("Via").contains("rport=5060") && back.one("Via").contains("received=10.0.0.1")
    );
    hop.finish();
}

// S24: a response that nobody has asked for is not passed on.
#[test]
fn only_responses_to_what_was_forwarded_are_passed_on() {
    let mut hop = proxy();
    hop.receive(1, &request("MESSAGE", FAR, 1, 1, ROUTE));
    let sent = hop.only();
    let good = response(&sent, 200, "t", "");
    let own = branch(&sent);
    let other = own.replace(&own[7..9], if &own[7..9] == "aa" { "bb" } else { "aa" });
    for forged in [
        good.replace(&own, &other),
        good.replace("UDP 10.0.0.1;", "UDP 10.0.0.9;"),
        good.replace("UDP 10.0.0.1;", "UDP 10.0.0.1;received=10.0.0.9;"),
        good.replace("UDP 10.0.0.1;", "UDP 10.0.0.1:5062;"),
        good.replace("UDP 10.0.0.1;", "UDP 10.0.0.1;rport=9;"),
        good.replace("branch=z9hG4bK1x1", "branch=z9hG4bK1x2"),
    ] {
        assert_ne!(forged, good);
        hop.receive(3, &forged);
        assert_eq!(hop.take(), [], "{forged}");
    }
    hop.receive(3, &good);
    assert_eq!(hop.only().to, 1);
    hop.finish();
}

// What needs a question, a connection or credentials is worked on as ever.
#[test]
fn what_cannot_be_passed_on_at_once_is_kept() {
    let mut hop = proxy();
    hop.bind("sip:b@example.com", "sip:b@10.0.0.2");
    hop.receive(1, &request("INVITE", "sip:b@example.com", 1, 1, ""));
    assert_eq!(hop.trying.len(), 1);
    let invite = hop.only();
    hop.receive(2, &response(&invite, 486, "t", ""));
    hop.take();
    assert!(!hop.engine.is_quiescent());
    // A CANCEL for nothing.
    hop.receive(1, &request("CANCEL", "sip:c@example.com", 1, 7, ""));
    assert_eq!(hop.labels(), ["1 481"]);
    // 16.3 holds all the same.
    let spent = request("MESSAGE", FAR, 1, 2, ROUTE).replace("Forwards: 70", "Forwards: 0");
    hop.receive(1, &spent);
    assert_eq!(hop.labels(), ["1 483"]);
    hop.finish();
}
