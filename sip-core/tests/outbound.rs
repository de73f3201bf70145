//! Devices that are reached by the connection they keep: RFC 5626, and those behind a NAT.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Routes, Sent, config, request, response};
use sansip::{Addr, FlowId, Limits, LocalId, Nat, PathUse, Transport};

const BOB: &str = "sip:bob@example.com";
/// What no connection leads to.
const HIDDEN: &str = "sip:bob@192.168.1.7:41000;transport=tcp";

fn contact(reg_id: u8) -> String {
    format!("Contact: <{HIDDEN}>;+sip.instance=\"<urn:uuid:1>\";reg-id={reg_id}\r\n")
}

const SUPPORTED: &str = "Supported: path, outbound\r\n";

fn register(n: u32, more: &str) -> String {
    let to = "To: <sip:bob@example.com>\r\nContent-Length: 0\r\n";
    request("REGISTER", "sip:example.com", 1, n, &format!("{to}{more}"))
        .replace("SIP/2.0/UDP", "SIP/2.0/TCP")
}

fn on_flow(hop: &mut Hop, flow: FlowId, message: &str) -> Sent {
    hop.receive_flow(flow, message);
    hop.only()
}

/// A proxy and registrar with a device on a connection.
fn home() -> (Hop, FlowId) {
    let mut hop = Hop::new();
    hop.tcp();
    let flow = hop.open(1, true);
    let ok = on_flow(&mut hop, flow, &register(1, &format!("{SUPPORTED}{}", contact(1))));
    assert_eq!((ok.start(), ok.one("Require")), ("200", "outbound"));
    // What only this engine has to know is not told.
    assert_eq!(ok.all("Path").len(), 0);
    (hop, flow)
}

/// The token in a stored path or in a Route value.
fn token(path: &str) -> &str {
    path.split("sip:").nth(1).unwrap().split('@').next().unwrap()
}

// 6, 7
#[test]
fn a_call_comes_by_the_connection_that_registered() {
    let (mut hop, flow) = home();
    hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let invite = hop.only();
    assert_eq!((invite.flow, invite.uri()), (Some(flow), HIDDEN));
    assert_eq!(invite.all("Route").len(), 0);
    // The caller's later requests follow the same way, whatever the Contact says.
    let recorded = invite.all("Record-Route");
    assert_eq!(recorded.len(), 2, "{recorded:?}");
    assert_eq!(token(recorded[0]), token(&hop.store[BOB].1[0].path));
    let ok =
        on_flow(&mut hop, flow, &response(&invite, 200, "t", &format!("Contact: <{HIDDEN}>\r\n")));
    assert_eq!((ok.to, ok.flow), (4, None));
    let dialog = "To: <sip:b@example.com>;tag=t\r\n";
    let routes = format!("{dialog}Route: {}, {}\r\n", recorded[1], recorded[0]);
    hop.receive(4, &request("ACK", HIDDEN, 4, 1, &routes).replace("x1\r", "xA\r"));
    let ack = hop.only();
    assert_eq!((ack.flow, ack.start(), ack.all("Route").len()), (Some(flow), "ACK", 0));
    hop.receive(4, &request("INFO", HIDDEN, 4, 2, &routes));
    let info = hop.only();
    assert_eq!((info.flow, info.uri()), (Some(flow), HIDDEN));
    on_flow(&mut hop, flow, &response(&info, 200, "", ""));
    // The device's own requests do not come back to it.
    let routes =
        format!("{dialog}Route: {}, {}\r\nContent-Length: 0\r\n", recorded[0], recorded[1]);
    let bye = request("BYE", "sip:a@10.0.0.4", 1, 1, &routes).replace("/UDP", "/TCP");
    let bye = on_flow(&mut hop, flow, &bye);
    assert_eq!((bye.to, bye.flow), (4, None));
    hop.receive(4, &response(&bye, 200, "", ""));
    // 5.3: the connection is gone.
    hop.take();
    hop.lose(flow);
    let routes = format!("{dialog}Route: {}, {}\r\n", recorded[1], recorded[0]);
    hop.receive(4, &request("INFO", HIDDEN, 4, 3, &routes));
    assert_eq!(hop.labels(), ["4 430"]);
    hop.receive(4, &request("ACK", HIDDEN, 4, 4, &routes));
    assert_eq!(hop.labels(), [""; 0], "an ACK has no answer");
    // 7: for a new call the device is not there.
    hop.receive(4, &request("INVITE", BOB, 4, 5, ""));
    hop.run(0);
    assert_eq!(hop.labels(), ["4 480"]);
    hop.finish();
}

// 6: the flow names the binding, not the URI.
#[test]
fn a_flow_registers_once_more_in_the_place_of_itself() {
    let (mut hop, flow) = home();
    let again = contact(1).replace("41000", "41001");
    let ok = on_flow(&mut hop, flow, &register(2, &format!("{SUPPORTED}{again}")));
    assert!(ok.one("Contact").contains("41001") && !ok.one("Contact").contains("41000"));
    // A second flow of that device.
    let flow2 = hop.open(1, true);
    let ok = on_flow(&mut hop, flow2, &register(3, &format!("{SUPPORTED}{}", contact(2))));
    assert_eq!(ok.one("Contact").matches("<sip:").count(), 2);
    assert_ne!(hop.store[BOB].1[0].path, hop.store[BOB].1[1].path);
    let gone = format!("{SUPPORTED}Expires: 0\r\n{}", contact(1));
    let ok = on_flow(&mut hop, flow2, &register(4, &gone));
    assert!(ok.one("Contact").contains("reg-id=2") && !ok.one("Contact").contains("reg-id=1"));
    hop.finish();
}

// 6
#[test]
fn what_cannot_be_kept_is_refused() {
    let mut hop = Hop::new();
    hop.tcp();
    let flow = hop.open(1, true);
    // A flow has one Contact.
    let two = format!("{SUPPORTED}{}Contact: <sip:bob@10.0.0.9>\r\n", contact(1));
    assert_eq!(on_flow(&mut hop, flow, &register(1, &two)).start(), "400");
    // Through a proxy that does not keep the connection.
    let via = "Via: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKe\r\n";
    let far = |path: &str| format!("{via}{SUPPORTED}{}{path}", contact(1));
    for (n, path, status) in [
        (2, "", "439"),
        (3, "Path: <sip:10.0.0.9;lr>\r\n", "439"),
        (4, "Path: <sip:10.0.0.8;lr;ob>, <sip:10.0.0.9;lr>\r\n", "439"),
        (5, "Path: <sip:10.0.0.8;lr>, <sip:x@10.0.0.9;lr;ob>\r\n", "200"),
    ] {
        assert_eq!(on_flow(&mut hop, flow, &register(n, &far(path))).start(), status, "{path}");
    }
    assert_eq!(hop.store[BOB].1[0].path, "<sip:10.0.0.8;lr>, <sip:x@10.0.0.9;lr;ob>");
    hop.finish();
}

// 4.2: who does not ask for it is reached where its Contact says.
#[test]
fn a_number_of_a_flow_alone_means_nothing() {
    let mut hop = Hop::new();
    let more = format!("Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKe\r\n{}", contact(1));
    hop.receive(1, &register(1, &more).replace("/TCP", "/UDP"));
    let ok = hop.only();
    assert_eq!((ok.start(), ok.all("Require").len()), ("200", 0));
    assert!(!ok.one("Contact").contains("reg-id"), "{}", ok.text);
    assert_eq!(hop.store[BOB].1[0].path, "");
    hop.finish();
}

// 5.1, 5.3
#[test]
fn an_edge_proxy_leads_to_its_connections() {
    let mut config = config();
    config.domains.clear();
    config.edge.path = PathUse::Supported;
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.tcp();
    hop.routes = Routes::To(vec![(String::new(), "sip:10.0.0.5".into(), 1000)]);
    let flow = hop.open(1, true);
    let sent = on_flow(&mut hop, flow, &register(1, &format!("{SUPPORTED}{}", contact(1))));
    let path = sent.one("Path").to_string();
    assert!(path.ends_with("@10.0.0.100:5060;transport=tcp;lr;ob>"), "{path}");
    hop.receive(5, &response(&sent, 200, "t", ""));
    hop.take();

    let call = |n: u32, path: &str| request("INVITE", HIDDEN, 5, n, &format!("Route: {path}\r\n"));
    hop.receive(5, &call(1, &path));
    let invite = hop.only();
    assert_eq!((invite.flow, invite.uri()), (Some(flow), HIDDEN));
    hop.receive_flow(flow, &response(&invite, 486, "t", ""));
    hop.take();
    // A token that nobody of us has made leads nowhere.
    let token = token(&path).to_string();
    let flip = |c: char| if c == 'a' { 'b' } else { 'a' };
    for at in [5, 20, token.len() - 3] {
        let mut forged: Vec<char> = token.chars().collect();
        forged[at] = flip(forged[at]);
        let forged: String = forged.into_iter().collect();
        hop.receive(5, &call(2 + at as u32, &path.replace(&token, &forged)));
        assert_eq!(hop.only().start(), "403");
    }
    // After the connection nothing is sent to whoever may have its address.
    hop.lose(flow);
    hop.receive(5, &call(90, &path));
    assert_eq!(hop.labels(), ["5 430"]);
    hop.finish();
}

fn nat(nat: Nat) -> Hop {
    let mut config = config();
    config.edge.nat = nat;
    Hop::with(config, &Limits::TESTER)
}

/// A REGISTER by UDP from peer 1 with these addresses in Via and Contact.
fn by_udp(hop: &mut Hop, via: &str, contact: &str) -> Sent {
    let to = "To: <sip:bob@example.com>\r\n";
    let more = format!("{to}Contact: <sip:bob@{contact}>\r\n");
    let text = request("REGISTER", "sip:example.com", 1, 1, &more);
    hop.receive(1, &text.replace("UDP 10.0.0.1;", &format!("UDP {via};rport;")));
    hop.only()
}

#[test]
fn a_device_behind_a_nat_is_reached_where_it_came_from() {
    for (setting, via, contact, to) in [
        (Nat::Detect, "192.168.1.7:5062", "192.168.1.7:5062", 1),
        // Its word agrees with its packets, or it speaks for another.
        (Nat::Detect, "10.0.0.1", "10.0.0.1", 1),
        (Nat::Detect, "10.0.0.1", "10.0.0.3", 3),
        (Nat::Detect, "192.168.1.7:5062", "10.0.0.3", 3),
        (Nat::Never, "10.0.0.3:5062", "10.0.0.3", 3),
        (Nat::Detect, "10.0.0.3:5062", "10.0.0.3", 1),
        (Nat::Always, "10.0.0.1", "10.0.0.3", 1),
    ] {
        let mut hop = nat(setting);
        assert_eq!(by_udp(&mut hop, via, contact).start(), "200");
        hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
        let invite = hop.only();
        let uri = format!("sip:bob@{contact}");
        assert_eq!((invite.to, invite.uri()), (to, uri.as_str()), "{setting:?} {via} {contact}");
        hop.receive(to, &response(&invite, 486, "t", ""));
        hop.take();
        hop.finish();
    }
}

#[test]
fn a_caller_behind_a_nat_is_found_again() {
    let mut hop = Hop::new();
    hop.bind(BOB, "sip:bob@10.0.0.2");
    let contact = "Contact: <sip:a@192.168.1.7:5062>\r\n";
    let invite = request("INVITE", BOB, 1, 1, contact);
    hop.receive(1, &invite.replace("UDP 10.0.0.1;", "UDP 192.168.1.7:5062;rport;"));
    let invite = hop.only();
    let route = invite.one("Record-Route").to_string();
    hop.receive(2, &response(&invite, 200, "t", "Contact: <sip:bob@10.0.0.2>\r\n"));
    hop.take();
    let dialog = format!("To: <sip:b@example.com>;tag=t\r\nRoute: {route}\r\n");
    let bye = request("BYE", "sip:a@192.168.1.7:5062", 2, 1, &dialog);
    hop.receive(2, &bye);
    let bye = hop.only();
    assert_eq!((bye.to, bye.uri()), (1, "sip:a@192.168.1.7:5062"));
    hop.receive(1, &response(&bye, 200, "", ""));
    hop.take();
    // The caller's own requests go on to the callee.
    hop.receive(1, &request("INFO", "sip:bob@10.0.0.2", 1, 2, &dialog));
    assert_eq!(hop.only().to, 2);
    hop.finish();
}

// RFC 5626 1
#[test]
fn a_phone_without_a_certificate_is_reached_by_its_tls_connection() {
    let tls = LocalId(7);
    for (setting, contact, by_flow) in [
        (Nat::Detect, "10.0.0.1:5061;transport=tls", true),
        (Nat::Never, "10.0.0.1:5061;transport=tls", false),
        // It can be connected to, or have a certificate for its name, or it speaks for another.
        (Nat::Detect, "10.0.0.1:5061;transport=tcp", false),
        (Nat::Detect, "phone.example.com;transport=tls", false),
        (Nat::Detect, "10.0.0.3:5061;transport=tls", false),
    ] {
        let mut hop = nat(setting);
        hop.listen(tls, Transport::Tls, Addr::v4(10, 0, 0, 100, 5061), "10.0.0.100");
        let flow = hop.open_at(tls, Transport::Tls, Addr { port: 40_000, ..hop::peer(1) }, &[]);
        let uri = format!("sip:bob@{contact}");
        let more =
            format!("To: <sip:bob@example.com>\r\nContact: <{uri}>\r\nContent-Length: 0\r\n");
        let register = request("REGISTER", "sip:example.com", 1, 1, &more).replace("/UDP", "/TLS");
        hop.receive_flow(flow, &register);
        assert_eq!(hop.only().start(), "200");
        hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
        let sent = hop.take();
        let there: Vec<_> = sent.iter().filter(|s| s.start() == "INVITE").collect();
        assert_eq!(there.len(), usize::from(by_flow), "{setting:?} {contact}");
        if let [invite] = there[..] {
            assert_eq!((invite.flow, invite.uri()), (Some(flow), uri.as_str()));
            hop.receive_flow(flow, &response(invite, 486, "t", "Content-Length: 0\r\n"));
            hop.take();
        }
    }
}

/// A device with two flows to us, the second one newer.
fn two_flows() -> (Hop, FlowId, FlowId) {
    let (mut hop, one) = home();
    let two = hop.open(1, true);
    on_flow(&mut hop, two, &register(2, &format!("{SUPPORTED}{}", contact(2))));
    (hop, one, two)
}

// 7
#[test]
fn of_a_devices_flows_one_is_used_and_the_next_only_where_it_leads_nowhere() {
    // Who answers has been reached.
    let (mut hop, _, two) = two_flows();
    hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let invite = hop.only();
    assert_eq!(invite.flow, Some(two), "the newest alone");
    hop.receive_flow(two, &response(&invite, 180, "t", ""));
    hop.run(60_000);
    hop.receive_flow(two, &response(&invite, 486, "t", ""));
    assert_eq!(hop.labels(), ["4 180", "1 ACK", "4 486"]);
    // An edge proxy has lost it.
    hop.receive(4, &request("INVITE", BOB, 4, 2, ""));
    let invite = hop.only();
    hop.receive_flow(two, &response(&invite, 430, "t", ""));
    let sent = hop.take();
    assert_eq!(sent.iter().map(Sent::label).collect::<Vec<_>>(), ["1 ACK", "1 INVITE"]);
    assert_ne!(sent[1].flow, Some(two));
    let one = sent[1].flow.unwrap();
    hop.receive_flow(one, &response(&sent[1], 486, "t", ""));
    assert_eq!(hop.labels(), ["1 ACK", "4 486"]);
    hop.finish();

    // We have lost it.
    let (mut hop, one, two) = two_flows();
    hop.lose(two);
    hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let invite = hop.only();
    assert_eq!(invite.flow, Some(one));
    hop.receive_flow(one, &response(&invite, 486, "t", ""));
    hop.take();
    hop.lose(one);
    hop.receive(4, &request("INVITE", BOB, 4, 2, ""));
    hop.run(0);
    assert_eq!(hop.labels(), ["4 480"]);
    hop.finish();
}

#[test]
fn another_device_rings_beside() {
    let (mut hop, _, two) = two_flows();
    hop.bind(BOB, "sip:bob@10.0.0.3");
    hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let sent = hop.take();
    let mut flows: Vec<(u8, Option<FlowId>)> = sent.iter().map(|s| (s.to, s.flow)).collect();
    flows.sort();
    assert_eq!(flows, [(1, Some(two)), (3, None)]);
    for s in &sent {
        match s.flow {
            Some(flow) => hop.receive_flow(flow, &response(s, 486, "t", "")),
            None => drop(hop.receive(3, &response(s, 486, "u", ""))),
        }
    }
    assert_eq!(hop.labels().iter().filter(|l| *l == "4 486").count(), 1);
    hop.finish();
}

/// One of two engines that share a name and a store, at 10.0.0.`last`.
fn of_two(last: u8, key: u8) -> Hop {
    let mut config = config();
    config.seed = [last; 32];
    config.cluster_key = [key; 32];
    config.edge.trust = vec![sansip::Network { ip: "10.0.0.100".parse().unwrap(), prefix: 31 }];
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.tcp();
    let bound = Addr::v4(10, 0, 0, last, 5060);
    hop.listen(hop::UDP, Transport::Udp, bound, "proxy.example.com");
    hop.listen(hop::TCP, Transport::Tcp, bound, "proxy.example.com");
    hop
}

// A device that is connected to one engine of a service is reached through the other.
#[test]
fn the_engine_that_has_the_connection_is_told_to_the_others() {
    let (mut a, mut b) = (of_two(100, 7), of_two(101, 7));
    let flow = a.open(1, true);
    on_flow(&mut a, flow, &register(1, &format!("{SUPPORTED}{}", contact(1))));
    b.store = a.store.clone();
    b.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let there = b.only();
    assert_eq!((there.to, there.uri()), (100, HIDDEN));
    let on_tcp = b.flows[0].0;
    assert_eq!(there.flow, Some(on_tcp), "as the device's own transport");
    let from_b = a.open_at(hop::TCP, Transport::Tcp, Addr::v4(10, 0, 0, 101, 40_000), &[]);
    a.receive_flow(from_b, &there.text);
    let invite = a.only();
    assert_eq!((invite.flow, invite.uri()), (Some(flow), HIDDEN));
    a.receive_flow(flow, &response(&invite, 486, "t", ""));
    let refused = a.take().into_iter().find(|s| s.start() == "486").unwrap();
    assert_eq!(refused.flow, Some(from_b));
    b.receive_flow(on_tcp, &refused.text);
    assert!(b.labels().contains(&"4 486".to_string()));
    // Another service's token is worth nothing, nor is one of a connection that was before.
    let mut other = of_two(100, 8);
    let flow = other.open(101, true);
    other.receive_flow(flow, &there.text);
    assert_eq!(other.only().start(), "403");
    let mut again = of_two(100, 7);
    let flow = again.open(101, true);
    again.receive_flow(flow, &there.text);
    assert_eq!(again.only().start(), "430");
    for mut hop in [a, b, other, again] {
        hop.finish();
    }
}

// RFC 7118 5: a browser has no address; its connection is all there is.
#[test]
fn a_browser_is_reached_by_its_websocket() {
    const WS: LocalId = LocalId(9);
    let mut hop = nat(Nat::Never);
    hop.listen(WS, Transport::Ws, Addr::v4(10, 0, 0, 100, 8080), "10.0.0.100");
    let remote = Addr::v4(10, 0, 0, 1, 50_000);
    let flow = hop.open_at(WS, Transport::Ws, remote, &[]);
    let send = |hop: &mut Hop, text: &str| {
        let text = text.replace("Max-Forwards", "Content-Length: 0\r\nMax-Forwards");
        let path = sansip::Path { local: WS, remote, flow: Some(flow) };
        hop.engine.receive(sansip::Instant(hop.now), path, text.as_bytes()).unwrap();
        hop.drain();
    };
    let host = "df7jal23ls0d.invalid";
    let to = format!("To: <sip:bob@example.com>\r\nContact: <sip:bob@{host};transport=ws>\r\n");
    let text = request("REGISTER", "sip:example.com", 1, 1, &to);
    send(&mut hop, &text.replace("UDP 10.0.0.1;", &format!("WS {host};")));
    assert_eq!(hop.only().start(), "200");
    hop.receive(4, &request("INVITE", BOB, 4, 1, ""));
    let invite = hop.only();
    assert_eq!(invite.flow, Some(flow));
    assert_eq!(invite.uri(), format!("sip:bob@{host};transport=ws"));
    let recorded = invite.all("Record-Route");
    assert!(recorded[0].contains(";transport=ws;lr") && !recorded[1].contains("transport"));
    send(&mut hop, &response(&invite, 486, "t", ""));
    hop.take();
    // Its own calls are answered, and followed, by that connection too.
    hop.bind("sip:al@example.com", "sip:al@10.0.0.2");
    let more = format!("Contact: <sip:bob@{host};transport=ws>\r\n");
    let text = request("INVITE", "sip:al@example.com", 1, 2, &more);
    send(&mut hop, &text.replace("UDP 10.0.0.1;", &format!("WS {host};")));
    let invite = hop.only();
    let routes = invite.all("Record-Route").join(", ");
    hop.receive(2, &response(&invite, 200, "t", "Contact: <sip:al@10.0.0.2>\r\n"));
    assert_eq!(hop.only().flow, Some(flow));
    let dialog = format!("To: <sip:bob@example.com>;tag=f1\r\nRoute: {routes}\r\n");
    hop.receive(2, &request("BYE", &format!("sip:bob@{host};transport=ws"), 2, 1, &dialog));
    let bye = hop.only();
    assert_eq!((bye.flow, bye.start()), (Some(flow), "BYE"));
    send(&mut hop, &response(&bye, 200, "", ""));
    assert_eq!(hop.only().to, 2);
    hop.finish();
}
