//! Which way a request goes through the proxy: addresses, secure hops, telephone numbers.

#[path = "support/hop.rs"]
mod hop;

use hop::{Asked, Hop, Routes, Sent, peer, request, response};
use sansip::{Addr, Answer, FlowId, Instant, LocalId, Transport};

const BOB: &str = "sip:b@example.com";
const SIPS: &str = "sips:b@example.com";
const V6: LocalId = LocalId(6);
const TLS: LocalId = LocalId(7);

fn v6(last: u8) -> Addr {
    Addr::new(format!("2001:db8::{last:x}").parse().unwrap(), 5060)
}

// RFC 5658: the addresses of both sides, each by its own.
#[test]
fn a_call_that_changes_the_address_family_is_recorded_for_both_sides() {
    let mut hop = Hop::new();
    hop.listen(V6, Transport::Udp, v6(100), "[2001:db8::64]");
    hop.bind(BOB, "sip:b@[2001:db8::2]");
    hop.receive(1, &request("INVITE", BOB, 1, 1, ""));
    let invite = hop.only();
    assert_eq!((invite.to, invite.local), (2, V6));
    let routes = ["<sip:[2001:db8::64]:5060;lr>", "<sip:10.0.0.100:5060;lr>"];
    assert_eq!(invite.all("Record-Route"), routes);
    assert!(invite.all("Via")[0].starts_with("SIP/2.0/UDP [2001:db8::64]:5060;"));
    hop.receive_at(V6, v6(2), &response(&invite, 200, "t", "Contact: <sip:b@[2001:db8::2]>\r\n"));
    hop.take();
    let to = "To: <sip:b@example.com>;tag=t\r\n";
    let more = format!("{to}Route: {}\r\nRoute: {}\r\n", routes[1], routes[0]);
    hop.receive(1, &request("BYE", "sip:b@[2001:db8::2]", 1, 2, &more));
    let bye = hop.only();
    assert_eq!((bye.to, bye.local, bye.all("Route").len()), (2, V6, 0));
    hop.receive_at(V6, v6(2), &response(&bye, 200, "", ""));
    assert_eq!(hop.only().to, 1);
    hop.finish();
}

// S24: what would answer to nobody, to all, or to ourselves is not even taken in.
#[test]
fn a_via_that_leads_nowhere_earns_no_byte() {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:b@10.0.0.2");
    for maddr in ["255.255.255.255", "224.0.0.1", "0.0.0.0", "[ff02::1]", "[::]", "10.0.0.100"] {
        for method in ["INVITE", "MESSAGE", "OPTIONS", "REGISTER"] {
            let text = request(method, BOB, 1, 1, "");
            hop.receive(1, &text.replace(";branch", &format!(";maddr={maddr};branch")));
            hop.run(40_000);
            assert_eq!(hop.take(), [], "{method} {maddr}");
        }
    }
    // A response with such a second Via goes where its request came from, or nowhere.
    let via = "Via: SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKx\r\n";
    let stray = format!(
        "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.100:5060;branch=z9hG4bKy\r\n{via}\
         From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>;tag=2\r\nCall-ID: c\r\nCSeq: 1 INVITE\r\n\r\n"
    );
    hop.receive(2, &stray);
    assert_eq!(hop.take(), []);
    hop.finish();
}

/// A proxy with TLS.
fn secure() -> Hop {
    let mut hop = Hop::new();
    let bound = Addr::v4(10, 0, 0, 100, 5061);
    hop.listen(TLS, Transport::Tls, bound, "proxy.example.com");
    hop
}

fn caller(hop: &mut Hop) -> FlowId {
    hop.open_at(TLS, Transport::Tls, Addr { port: 40_000, ..peer(1) }, &[])
}

fn by_tls(method: &str, uri: &str, n: u32, more: &str) -> String {
    request(method, uri, 1, n, &format!("Content-Length: 0\r\n{more}")).replace("/UDP", "/TLS")
}

// S19, RFC 3261 16.6 step 7, 26.2.2, RFC 5922 7, RFC 5630 3.3
#[test]
fn a_sips_uri_is_reached_by_verified_connections_alone() {
    let mut hop = secure();
    let flow = caller(&mut hop);
    hop.bind(BOB, "sips:b@10.0.0.2");
    hop.hold = true;
    hop.receive_flow(flow, &by_tls("INVITE", SIPS, 1, ""));
    hop.answer_held();
    assert_eq!(hop.held.iter().map(|h| &h.1).collect::<Vec<_>>(), [&Asked::Connect(2)]);
    let (id, _) = hop.held.remove(0);
    // Somebody else is at that address.
    let other = hop.open_at(TLS, Transport::Tls, Addr { port: 5061, ..peer(2) }, &["10.0.0.3"]);
    hop.engine.answer(Instant(hop.now), id, Answer::Connected(other)).unwrap();
    hop.run(0);
    assert_eq!(hop.take().iter().filter(|s| s.flow != Some(flow)).count(), 0);

    // The one that is meant.
    hop.receive_flow(flow, &by_tls("INVITE", SIPS, 2, ""));
    hop.answer_held();
    let (id, asked) = hop.held.remove(0);
    assert_eq!(asked, Asked::Connect(2), "the other connection is not used either");
    let right = hop.open_at(TLS, Transport::Tls, Addr { port: 5061, ..peer(2) }, &["10.0.0.2"]);
    hop.engine.answer(Instant(hop.now), id, Answer::Connected(right)).unwrap();
    hop.drain();
    let invite = hop.only();
    assert_eq!((invite.flow, invite.uri()), (Some(right), "sips:b@10.0.0.2"));
    assert_eq!(invite.all("Record-Route"), ["<sips:proxy.example.com:5061;lr>"]);
    hop.receive_flow(right, &response(&invite, 486, "t", ""));
    hop.take();
    hop.finish();
}

// S19: a target, a next hop or a Route that is not secure gets no byte.
#[test]
fn what_was_asked_for_by_a_sips_uri_is_never_sent_in_the_clear() {
    let insecure = |hop: &mut Hop, flow: FlowId, n: u32, uri: &str, more: &str| -> Vec<String> {
        hop.receive_flow(flow, &by_tls("INVITE", uri, n, more));
        hop.run(0);
        let sent = hop.take();
        assert!(sent.iter().all(|s| s.flow == Some(flow)), "{sent:?}");
        sent.iter().map(Sent::label).collect()
    };
    let mut hop = secure();
    hop.tcp();
    let flow = caller(&mut hop);
    hop.bind(BOB, "sip:b@10.0.0.2");
    hop.bind(BOB, "sip:b@10.0.0.3;transport=tcp");
    assert_eq!(insecure(&mut hop, flow, 1, SIPS, ""), ["1 480"]);
    let route = |target: &str, hop: &str| Routes::To(vec![(target.into(), hop.into(), 1000)]);
    hop.routes = route("sip:x@10.0.0.2", "");
    assert_eq!(insecure(&mut hop, flow, 2, "sips:b@elsewhere.example", ""), ["1 480"]);
    // The hop to a proxy becomes a secure one, which does not open here.
    hop.hold = true;
    hop.routes = route("", "sip:10.0.0.2");
    insecure(&mut hop, flow, 3, "sips:b@elsewhere.example", "");
    hop.answer_held();
    assert_eq!(hop.held.last().map(|h| &h.1), Some(&Asked::Connect(2)));
    insecure(&mut hop, flow, 4, "sips:b@elsewhere.example", "Route: <sip:10.0.0.4;lr>\r\n");
    assert_eq!(hop.held.last().map(|h| &h.1), Some(&Asked::Connect(4)));
    insecure(&mut hop, flow, 5, "sip:b@elsewhere.example", "Route: <sips:10.0.0.5;lr>\r\n");
    assert_eq!(hop.held.last().map(|h| &h.1), Some(&Asked::Connect(5)));
    hop.finish();
    // A side without TLS does not understand it (RFC 3261 16.3 step 2).
    let mut hop = Hop::new();
    hop.receive(1, &request("INVITE", SIPS, 1, 1, ""));
    assert_eq!(hop.labels(), ["1 416"]);
    hop.finish();
}

// RFC 3261 16.5, RFC 3966
#[test]
fn the_application_says_where_a_telephone_number_is() {
    let mut hop = Hop::new();
    let number = "tel:+1-201-555-0123;phone-context=x";
    hop.receive(1, &request("INVITE", number, 1, 1, ""));
    assert_eq!(hop.asked, [Asked::Route { uri: number.into(), ours: true }]);
    assert_eq!(hop.labels(), ["1 404"]);
    hop.routes =
        Routes::To(vec![("sip:+12015550123@10.0.0.2;user=phone".into(), String::new(), 9)]);
    hop.receive(1, &request("INVITE", number, 1, 2, ""));
    let invite = hop.only();
    assert_eq!((invite.to, invite.uri()), (2, "sip:+12015550123@10.0.0.2;user=phone"));
    hop.receive(2, &response(&invite, 486, "t", ""));
    hop.take();
    // To a gateway the number goes as it is.
    hop.routes = Routes::To(vec![(String::new(), "sip:10.0.0.3".into(), 9)]);
    hop.receive(1, &request("MESSAGE", number, 1, 3, ""));
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (3, number));
    hop.finish();
}
