//! Proxies between a device and its registrar: RFC 3327.

#[path = "support/hop.rs"]
mod hop;

use hop::{Hop, Routes, Sent, config, request, response};
use sansip::{Limits, PathUse};

const BOB: &str = "sip:bob@example.com";
const ME: &str = "<sip:10.0.0.100:5060;lr>";

/// A proxy that serves no domain and sends everything to peer 5.
fn edge(path: PathUse) -> Hop {
    let mut config = config();
    config.domains.clear();
    config.edge.path = path;
    let mut hop = Hop::with(config, &Limits::TESTER);
    hop.routes = Routes::To(vec![(String::new(), "sip:10.0.0.5".into(), 1000)]);
    hop
}

fn register(n: u32, more: &str) -> String {
    let to = "To: <sip:bob@example.com>\r\n";
    request("REGISTER", "sip:example.com", 1, n, &format!("{to}{more}"))
}

fn registered(hop: &mut Hop, n: u32, more: &str) -> Sent {
    hop.receive(1, &register(n, more));
    hop.only()
}

// 5.2
#[test]
fn an_edge_proxy_puts_itself_in_the_path_where_the_device_knows_what_that_is() {
    let contact = "Contact: <sip:bob@10.0.0.1>\r\n";
    let with = format!("{contact}Supported: x, path\r\n");
    for (path, supported, unsupported) in [
        (PathUse::Never, &[][..], Some(&[][..])),
        (PathUse::Supported, &[ME][..], Some(&[][..])),
        (PathUse::Required, &[ME][..], None),
        (PathUse::Always, &[ME][..], Some(&[ME][..])),
    ] {
        let mut hop = edge(path);
        let sent = registered(&mut hop, 1, &with);
        assert_eq!((sent.to, sent.start()), (5, "REGISTER"));
        assert_eq!(sent.all("Path"), supported, "{path:?}");
        assert_eq!(sent.all("Record-Route"), [""; 0]);
        hop.receive(5, &response(&sent, 200, "t", ""));
        hop.take();
        let sent = registered(&mut hop, 2, contact);
        match unsupported {
            Some(values) => {
                assert_eq!((sent.to, sent.start()), (5, "REGISTER"));
                assert_eq!(sent.all("Path"), values, "{path:?}");
                hop.receive(5, &response(&sent, 200, "t", ""));
            }
            None => assert_eq!(
                (sent.to, sent.start(), sent.one("Require")),
                (1, "421", "path"),
                "{path:?}"
            ),
        }
        hop.finish();
    }
    // Only REGISTER has one, and the proxy nearest to the registrar is on top.
    let mut hop = edge(PathUse::Always);
    let sent = registered(&mut hop, 1, "Path: <sip:10.0.0.4;lr>\r\n");
    assert_eq!(sent.all("Path"), [ME, "<sip:10.0.0.4;lr>"]);
    hop.take();
    hop.receive(1, &request("MESSAGE", BOB, 1, 9, ""));
    assert_eq!(hop.only().all("Path"), [""; 0]);
    hop.finish();
}

// 5.3
#[test]
fn the_path_of_a_registration_is_the_route_to_the_device() {
    let mut hop = Hop::new();
    let path = "Path: <sip:10.0.0.5;lr>,<sip:e@10.0.0.6:5070;lr;x>\r\nPath: <sip:10.0.0.7;lr>\r\n";
    let all = "<sip:10.0.0.5;lr>, <sip:e@10.0.0.6:5070;lr;x>, <sip:10.0.0.7;lr>";
    let more = format!("Contact: <sip:bob@192.0.2.9:5072>\r\n{path}");
    // Who does not know of it is not told.
    let ok = registered(&mut hop, 1, &more);
    assert_eq!((ok.start(), ok.all("Path").len()), ("200", 0));
    let ok = registered(&mut hop, 2, &format!("{more}Supported: path\r\n"));
    assert_eq!((ok.start(), ok.one("Path")), ("200", all));
    assert_eq!(hop.store[BOB].1[0].path, all);

    // Before what route the request brings itself.
    let route = "Route: <sip:10.0.0.100;lr>\r\n";
    hop.receive(4, &request("INVITE", BOB, 4, 1, route));
    let invite = hop.only();
    assert_eq!((invite.to, invite.uri()), (5, "sip:bob@192.0.2.9:5072"));
    assert_eq!(invite.all("Route"), [all]);
    hop.receive(5, &response(&invite, 486, "t", ""));
    hop.take();

    // Another device has none, and both ring.
    hop.bind(BOB, "sip:bob@10.0.0.3");
    hop.receive(4, &request("MESSAGE", BOB, 4, 2, ""));
    let mut sent: Vec<(u8, usize)> =
        hop.take().iter().map(|s| (s.to, s.all("Route").len())).collect();
    sent.sort_unstable();
    assert_eq!(sent, [(3, 0), (5, 1)]);
    hop.finish();
}

// RFC 3261 16.6 step 6
#[test]
fn a_strict_router_in_the_path_finds_itself_in_the_request_uri() {
    let mut hop = Hop::new();
    let path = "Path: <sip:10.0.0.5>, <sip:10.0.0.6;lr>\r\n";
    registered(&mut hop, 1, &format!("Contact: <sip:bob@192.0.2.9>\r\n{path}"));
    hop.receive(4, &request("MESSAGE", BOB, 4, 1, ""));
    let sent = hop.only();
    assert_eq!((sent.to, sent.uri()), (5, "sip:10.0.0.5"));
    assert_eq!(sent.all("Route"), ["<sip:10.0.0.6;lr>", "<sip:bob@192.0.2.9>"]);
    hop.finish();
}

#[test]
fn a_path_that_cannot_be_a_route_is_refused() {
    for bad in ["nothing", "<sip:10.0.0.5", "<sip:10.0.0.5;lr> x"] {
        let mut hop = Hop::new();
        let more = format!("Contact: <sip:bob@10.0.0.1>\r\nPath: {bad}\r\n");
        assert_eq!(registered(&mut hop, 1, &more).start(), "400", "{bad}");
        assert!(hop.store.is_empty());
        hop.finish();
    }
}

// 10.3 step 2: what the registrar knows may be required of it.
#[test]
fn the_extensions_of_a_registrar_may_be_required() {
    let mut hop = Hop::new();
    let more = "Contact: <sip:bob@10.0.0.1>\r\nRequire: path, gruu, outbound\r\n";
    assert_eq!(registered(&mut hop, 1, more).start(), "200");
    let more = "Contact: <sip:bob@10.0.0.1>\r\nRequire: path, other\r\n";
    let sent = registered(&mut hop, 2, more);
    assert_eq!((sent.start(), sent.one("Unsupported")), ("420", "other"));
    hop.finish();
}

// RFC 3608 5
#[test]
fn a_registration_gets_the_service_route() {
    let mut config = config();
    config.edge.service_route = "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>".into();
    let mut hop = Hop::with(config, &Limits::TESTER);
    let ok = registered(&mut hop, 1, "Contact: <sip:bob@10.0.0.1>\r\n");
    assert_eq!(ok.one("Service-Route"), "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>");
    let refused = registered(&mut hop, 2, "Contact: <sip:bob@10.0.0.1>;expires=1\r\n");
    assert_eq!((refused.start(), refused.all("Service-Route").len()), ("423", 0));
    hop.finish();
}
