//! The proxy between transports, and what becomes of calls whose connection is lost.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Sent, request, response};

const BOB: &str = "sip:b@example.com";
const ON_UDP: &str = "<sip:10.0.0.100:5060;lr>";
const ON_TCP: &str = "<sip:10.0.0.100:5060;transport=tcp;lr>";

/// A call from peer 1 by UDP to peer 2 by TCP, as it arrives there.
fn crossing() -> (Hop, Sent) {
    let mut hop = Hop::new();
    hop.tcp();
    hop.bind(BOB, "sip:b@10.0.0.2;transport=tcp");
    hop.receive(1, &request("INVITE", BOB, 1, 1, ""));
    let invite = hop.only();
    (hop, invite)
}

// RFC 5658: a value for each side, the outgoing one on top; each side's requests come by its own.
#[test]
fn a_call_that_changes_the_transport_is_recorded_for_both_sides() {
    let (mut hop, invite) = crossing();
    let flow = hop.flows[0].0;
    assert_eq!((invite.flow, invite.uri()), (Some(flow), "sip:b@10.0.0.2;transport=tcp"));
    assert_eq!(invite.all("Record-Route"), [ON_TCP, ON_UDP]);
    assert!(invite.all("Via")[0].starts_with("SIP/2.0/TCP 10.0.0.100:5060;branch="));
    // RFC 3261 16.6 step 9, 20.14
    assert_eq!(invite.one("Content-Length"), "0");
    hop.receive_flow(
        flow,
        &response(&invite, 200, "t", "Contact: <sip:b@10.0.0.2;transport=tcp>\r\n"),
    );
    let ok = hop.only();
    assert_eq!((ok.to, ok.flow, ok.start()), (1, None, "200"));

    let to = "To: <sip:b@example.com>;tag=t\r\n";
    let routes = format!("{to}Route: {ON_UDP}, {ON_TCP}\r\n");
    let ack = request("ACK", "sip:b@10.0.0.2;transport=tcp", 1, 1, &routes);
    hop.receive(1, &ack.replace("x1\r", "xA\r"));
    let ack = hop.only();
    assert_eq!((ack.flow, ack.start(), ack.all("Route").len()), (Some(flow), "ACK", 0));
    let routes = format!("{to}Route: {ON_TCP}\r\nRoute: {ON_UDP}\r\nContent-Length: 0\r\n");
    hop.receive_flow(
        flow,
        &request("BYE", "sip:a@10.0.0.1", 2, 1, &routes).replace("/UDP", "/TCP"),
    );
    let bye = hop.only();
    assert_eq!((bye.to, bye.flow, bye.start()), (1, None, "BYE"));
    assert_eq!(bye.all("Route").len(), 0);
    hop.receive(1, &response(&bye, 200, "", ""));
    let ok = hop.only();
    assert_eq!((ok.flow, ok.start()), (Some(flow), "200"));
    hop.finish();
}

// RFC 3261 18.2.2, 16.9
#[test]
fn a_callee_whose_connection_is_lost_ends_the_call() {
    let (mut hop, _) = crossing();
    let flow = hop.flows[0].0;
    hop.lose(flow);
    assert_eq!(hop.labels(), ["1 500"], "as good as a 503, which is not passed on");
    hop.finish();

    let (mut hop, invite) = crossing();
    let flow = hop.flows[0].0;
    hop.receive_flow(flow, &response(&invite, 180, "t", ""));
    hop.take();
    hop.lose(flow);
    assert_eq!(hop.labels(), ["1 408"], "nothing can come any more");
    hop.finish();
}

// RFC 3261 16.9: the response is dropped, the branches go on.
#[test]
fn a_caller_whose_connection_is_lost_leaves_nothing_behind() {
    let mut hop = Hop::new();
    hop.tcp();
    hop.bind(BOB, "sip:b@10.0.0.2");
    let flow = hop.open(1, true);
    let invite = request("INVITE", BOB, 1, 1, "Content-Length: 0\r\n").replace("/UDP", "/TCP");
    hop.receive_flow(flow, &invite);
    let invite = hop.only();
    hop.receive(2, &response(&invite, 180, "t", ""));
    hop.take();
    hop.lose(flow);
    assert_eq!(hop.take(), []);
    hop.receive(2, &response(&invite, 486, "t", ""));
    assert_eq!(hop.take().iter().filter(|s| s.to == 2).count(), 1, "the ACK");
    hop.finish();
}

#[test]
fn no_connection_to_the_callee_is_no_way() {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2;transport=tcp");
    hop.receive(1, &request("INVITE", BOB, 1, 1, ""));
    hop.run(0);
    assert_eq!(hop.labels(), ["1 500"], "there is no identity on TCP");
    hop.finish();
}
