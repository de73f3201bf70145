//! A line and its registration (RFC 3261 10.2), and who a request is for.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use peer::{Bench, LOCAL};
use sansip::{Addr, Error, Event, Extras, LineChange, LineConfig, Misuse};

fn bench() -> Bench {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    Bench::new(config)
}

fn line_changes(b: &Bench) -> Vec<LineChange> {
    b.events
        .iter()
        .filter_map(|e| match e {
            Event::Line { change, .. } => Some(*change),
            _ => None,
        })
        .collect()
}

fn with_proxy(b: &mut Bench, aor: &str, display: &str) -> sansip::LineHandle {
    let line = LineConfig {
        aor,
        display,
        proxy: "sip:10.0.0.9:5070",
        local: Some(LOCAL),
        expires: 120,
        any: false,
        user: 1,
        ..LineConfig::default()
    };
    b.engine.add_line(b.at(), line).unwrap()
}

#[test]
fn a_registration_is_made_refreshed_and_ended() {
    let mut b = bench();
    let line = with_proxy(&mut b, "sip:bob@registrar.example.com;user=phone", "Bob \"B\" \\ Jones");
    let now = b.at();
    b.engine.register(now, line).unwrap();
    let first = b.drain().remove(0);
    assert_eq!(first.first_line(), "REGISTER sip:registrar.example.com SIP/2.0");
    assert_eq!(first.to, Addr::v4(10, 0, 0, 9, 5070));
    assert_eq!(first.header("Route"), "<sip:10.0.0.9:5070;lr>");
    assert!(first.header("From").starts_with(
        "\"Bob \\\"B\\\" \\\\ Jones\" <sip:bob@registrar.example.com;user=phone>;tag="
    ));
    assert_eq!(first.header("To"), "<sip:bob@registrar.example.com;user=phone>");
    assert_eq!(first.header("Contact"), "<sip:bob@10.0.0.1:5060>");
    assert_eq!(first.header("Expires"), "120");
    b.ask(&first.answer(
        "200 OK",
        "r",
        "Contact: <sip:bob@10.0.0.55>;expires=7000\r\nContact: <sip:bob@10.0.0.1:5060>;expires=100\r\n",
    ));
    assert_eq!(line_changes(&b), [LineChange::Registered { expires: 100 }]);
    // Our own binding's time counts; a quarter of it is left for the refresh.
    b.run(74_999);
    assert_eq!(b.sent.len(), 1);
    let second = b.run(1).remove(0);
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"), "RFC 3261 10.2");
    assert_eq!(second.header("CSeq"), "2 REGISTER");
    b.ask(&second.answer("200 OK", "r", "Contact: <sip:bob@10.0.0.1:5060>;expires=100\r\n"));
    let now = b.at();
    b.engine.unregister(now, line).unwrap();
    let last = b.drain().remove(0);
    assert_eq!(last.header("Expires"), "0");
    b.ask(&last.answer("200 OK", "r", ""));
    assert_eq!(line_changes(&b).last(), Some(&LineChange::Unregistered));
    b.finish();
}

// RFC 3261 10.2.8
#[test]
fn a_423_is_tried_again_with_the_time_it_asks_for() {
    let mut b = bench();
    let line = with_proxy(&mut b, "sip:bob@example.net", "");
    let now = b.at();
    b.engine.register(now, line).unwrap();
    let first = b.drain().remove(0);
    let again = b.ask(&first.answer("423 Interval Too Brief", "r", "Min-Expires: 900\r\n"));
    assert_eq!(again[0].header("Expires"), "900");
    // A registrar that asks for less than was offered is not followed for ever.
    b.ask(&again[0].answer("423 Interval Too Brief", "r", "Min-Expires: 900\r\n"));
    assert_eq!(line_changes(&b), [LineChange::Failed { status: 423 }]);
    b.finish();
}

#[test]
fn silence_and_refusals_are_told() {
    let mut b = bench();
    let line = with_proxy(&mut b, "sip:bob@example.net", "");
    let now = b.at();
    b.engine.register(now, line).unwrap();
    b.run(40_000);
    let now = b.at();
    b.engine.register(now, line).unwrap();
    let last = b.drain().remove(0);
    b.ask(&last.answer("403 Forbidden", "r", ""));
    assert_eq!(
        line_changes(&b),
        [LineChange::Failed { status: 408 }, LineChange::Failed { status: 403 }]
    );
    b.finish();
}

#[test]
fn what_a_line_may_not_be_is_misuse() {
    let mut b = bench();
    let mut line = LineConfig {
        aor: "tel:123",
        display: "",
        proxy: "",
        local: None,
        expires: 0,
        any: false,
        user: 0,
        ..LineConfig::default()
    };
    let now = b.at();
    assert_eq!(b.engine.add_line(now, line), Err(Error::Misuse(Misuse::BadUri)));
    line.aor = "sip:a@b";
    line.display = "x\r\nRoute: <sip:evil>";
    assert_eq!(b.engine.add_line(now, line), Err(Error::Misuse(Misuse::BadHeader)));
    line.display = "";
    line.proxy = "http://x";
    assert_eq!(b.engine.add_line(now, line), Err(Error::Misuse(Misuse::BadUri)));
    let evil = Extras { headers: &[("Subject", "x\r\nRoute: <sip:evil>")], ..Extras::default() };
    let before = b.engine.stats();
    let refused = b.engine.invite(now, b.line, "sip:a@10.0.0.9", 0, evil);
    assert_eq!(refused, Err(Error::Misuse(Misuse::BadHeader)));
    assert_eq!(b.engine.stats(), before, "nothing has changed");
    assert!(b.drain().is_empty());
}

#[test]
fn a_request_finds_its_line_by_user_and_identity_or_by_address_of_record() {
    let mut b = bench();
    let invite = |uri: &str, n: u32| {
        format!(
            "INVITE {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=x\r\nTo: <{uri}>\r\nCall-ID: i{n}\r\nCSeq: 1 INVITE\r\nContact: <sip:a@10.0.0.9>\r\nContent-Length: 0\r\n\r\n"
        )
    };
    for (n, (uri, taken)) in [
        ("sip:bob@10.0.0.1", true),
        ("sip:bob@10.0.0.1:5060;transport=udp", true),
        ("sip:b%6Fb@example.com", true),
        ("sip:bob@EXAMPLE.com", true),
        ("sip:Bob@example.com", false),
        ("sip:bob@10.0.0.1:5999", false),
        ("sip:bob@elsewhere.org", false),
    ]
    .into_iter()
    .enumerate()
    {
        let out = b.ask(&invite(uri, n as u32));
        let refused = out.iter().any(|o| o.first_line().starts_with("SIP/2.0 404"));
        assert_eq!(!refused, taken, "{uri}");
    }
}

// RFC 3261 10.2: no new REGISTER before the final response to the one before.
#[test]
fn a_registration_is_not_changed_while_a_register_is_open() {
    let mut b = bench();
    let line = with_proxy(&mut b, "sip:bob@example.net", "");
    let now = b.at();
    b.engine.register(now, line).unwrap();
    let first = b.drain().remove(0);
    b.engine.register(now, line).unwrap();
    b.engine.unregister(now, line).unwrap();
    assert!(b.drain().is_empty());
    let last = b.ask(&first.answer("200 OK", "r", "")).remove(0);
    assert_eq!((last.header("CSeq"), last.header("Expires")), ("2 REGISTER", "0"));
    // RFC 3261 10.2.8 is about registering: an end is not made a beginning by it.
    assert!(b.ask(&last.answer("423 Interval Too Brief", "r", "Min-Expires: 900\r\n")).is_empty());
    assert_eq!(line_changes(&b), [LineChange::Failed { status: 423 }]);
    b.finish();
}

#[test]
fn a_register_that_finds_no_room_leaves_the_refresh_as_it_was() {
    let mut b = bench();
    let line = with_proxy(&mut b, "sip:bob@example.net", "");
    let now = b.at();
    b.engine.register(now, line).unwrap();
    let first = b.drain().remove(0);
    b.ask(&first.answer("200 OK", "r", "Contact: <sip:bob@10.0.0.1:5060>;expires=100\r\n"));
    let path = sansip::Path { local: LOCAL, remote: peer::PEER, flow: None };
    let mut len = 60_000;
    while len > 10 {
        if b.engine.send(now, path, &vec![b'x'; len]).is_err() {
            len /= 2;
        }
    }
    let before = b.engine.stats();
    assert!(matches!(b.engine.register(now, line), Err(Error::Full(_))));
    assert!(matches!(b.engine.unregister(now, line), Err(Error::Full(_))));
    assert_eq!(b.engine.stats(), before);
    b.drain();
    let second = b.run(75_000).remove(0);
    assert_eq!((second.header("CSeq"), second.header("Expires")), ("2 REGISTER", "120"));
}

// RFC 3261 8.1.2
#[test]
fn requests_outside_dialogs_go_to_the_outbound_proxy() {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.outbound = Some(Addr::v4(10, 0, 0, 200, 5062));
    let mut b = Bench::new(config);
    let now = b.at();
    b.engine.register(now, b.line).unwrap();
    b.engine.invite(now, b.line, "sip:alice@example.org", 0, Extras::default()).unwrap();
    let proxied = with_proxy(&mut b, "sip:bob@example.net", "");
    b.engine.register(now, proxied).unwrap();
    let sent = b.drain();
    let to: Vec<Addr> = sent.iter().map(|o| o.to).collect();
    let outbound = Addr::v4(10, 0, 0, 200, 5062);
    assert_eq!(to, [outbound, outbound, Addr::v4(10, 0, 0, 9, 5070)]);
}

// RFC 3608 6.1
#[test]
fn the_route_that_the_registrar_gives_leads_the_calls() {
    for (proxy, to) in [("sip:10.0.0.9:5070", 9), ("", 7)] {
        let mut b = bench();
        let line = LineConfig { aor: "sip:bob@10.0.0.8", proxy, ..LineConfig::default() };
        let now = b.at();
        let line = b.engine.add_line(now, line).unwrap();
        let routes = "<sip:10.0.0.7;lr>, <sip:10.0.0.6;lr;x>";
        for (given, used) in [
            ("Service-Route: <sip:10.0.0.7;lr>\r\nService-Route: <sip:10.0.0.6;lr;x>\r\n", true),
            // A strict router is none that a request can be sent through.
            ("Service-Route: <sip:10.0.0.7>\r\n", false),
            ("", false),
        ] {
            let now = b.at();
            b.engine.register(now, line).unwrap();
            let register = b.drain().remove(0);
            assert!(!register.text.contains("10.0.0.7"), "REGISTER goes its own way");
            let contact = "Contact: <sip:bob@10.0.0.1:5060>;expires=60\r\n";
            b.ask(&register.answer("200 OK", "r", &format!("{contact}{given}")));
            b.drain();
            let now = b.at();
            let call = b.engine.invite(now, line, "sip:al@10.0.0.5", 1, Extras::default()).unwrap();
            let invite = b.drain().remove(0);
            if used {
                assert_eq!(invite.header("Route"), routes);
                assert_eq!(invite.to.ip, Addr::v4(10, 0, 0, to, 0).ip);
            } else {
                assert!(!invite.text.contains("10.0.0.7"), "{}", invite.text);
            }
            assert_eq!(invite.first_line(), "INVITE sip:al@10.0.0.5 SIP/2.0");
            b.ask(&invite.answer("486 Busy Here", "t", ""));
            b.drain();
            let _ = call;
        }
    }
}

// RFC 5627 4.2 to 4.4
#[test]
fn a_line_registers_its_device_and_is_reached_by_the_uri_that_it_gets() {
    let mut b = bench();
    let now = b.at();
    let aor = "sip:bob@10.0.0.8";
    for bad in ["urn:a b", "urn:<a>", "urn:\"", "urn:\r\n"] {
        let line = LineConfig { aor, instance: bad, ..LineConfig::default() };
        assert_eq!(b.engine.add_line(now, line), Err(Error::Misuse(Misuse::BadHeader)), "{bad}");
    }
    let line = LineConfig { aor, instance: "urn:uuid:1", ..LineConfig::default() };
    let line = b.engine.add_line(now, line).unwrap();
    let own = "<sip:bob@10.0.0.1:5060>";
    let gruu = "sip:bob@10.0.0.8;gr=urn:uuid:1";
    for (given, used) in [
        (format!("{own};+sip.instance=\"<urn:uuid:1>\";pub-gruu=\"{gruu}\""), gruu),
        // That of another device, and none.
        (
            format!("{own};+sip.instance=\"<urn:uuid:2>\";pub-gruu=\"{gruu}2\""),
            &own[1..own.len() - 1],
        ),
        (own.to_string(), &own[1..own.len() - 1]),
    ] {
        let now = b.at();
        b.engine.register(now, line).unwrap();
        let register = b.drain().remove(0);
        assert_eq!(register.header("Contact"), format!("{own};+sip.instance=\"<urn:uuid:1>\""));
        assert_eq!(register.header("Supported"), "path, gruu");
        b.ask(&register.answer("200 OK", "r", &format!("Contact: {given};expires=60\r\n")));
        b.drain();
        let now = b.at();
        b.engine.invite(now, line, "sip:al@10.0.0.5", 1, Extras::default()).unwrap();
        let invite = b.drain().remove(0);
        assert_eq!(invite.header("Contact"), format!("<{used}>"));
        b.ask(&invite.answer("486 Busy Here", "t", ""));
        b.drain();
    }
}
