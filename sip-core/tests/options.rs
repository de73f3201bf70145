//! OPTIONS sent and answered (RFC 3261 11), and the way that a line's requests go.

#[path = "support/net.rs"]
mod net;
#[path = "support/peer.rs"]
mod peer;

use net::Net;
use peer::{Bench, LOCAL, Out};
use sansip::{
    Addr, Engine, Error, Event, Extras, Instant, Limits, LineConfig, Local, LocalId, Misuse,
    Output, Policy, Query, Transport,
};

fn config() -> sansip::Config {
    let mut config = net::config(9);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config
}

fn ask(b: &mut Bench, n: u32) -> Out {
    b.ask(&format!(
        "OPTIONS sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKo{n}\r\nMax-Forwards: 70\r\nFrom: <sip:alice@example.com>;tag=at\r\nTo: <sip:bob@example.com>\r\nCall-ID: o{n}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    ))
    .remove(0)
}

// RFC 3261 11.2
#[test]
fn options_is_answered_as_an_invite_would_be() {
    let mut b = Bench::new(config());
    let now = b.at();
    for (policy, status, contact) in [
        (Policy::default(), "200 OK", ""),
        (Policy { dnd: true, ..Policy::default() }, "480 Temporarily Unavailable", ""),
        (
            Policy { always: "sip:carol@example.net", ..Policy::default() },
            "302 Moved Temporarily",
            "<sip:carol@example.net>",
        ),
    ]
    .into_iter()
    .chain([(Policy { calls: 1, ..Policy::default() }, "486 Busy Here", "")])
    {
        b.engine.set_policy(now, b.line, policy).unwrap();
        if policy.calls > 0 {
            b.engine.invite(now, b.line, "sip:dan@10.0.0.9", 0, Extras::default()).unwrap();
            b.drain();
        }
        let answer = ask(&mut b, u32::from(policy.calls) + status.len() as u32);
        assert_eq!(answer.first_line(), format!("SIP/2.0 {status}"));
        assert_eq!(answer.header("Contact"), contact);
        for needed in ["Allow", "Accept", "Accept-Encoding"] {
            assert_ne!(answer.header(needed), "", "{status} {needed}");
        }
    }
}

fn answered(b: &Bench) -> Vec<(u64, u16)> {
    b.events
        .iter()
        .filter_map(|e| match e {
            Event::Answered { user, status } => Some((*user, *status)),
            _ => None,
        })
        .collect()
}

// RFC 3261 11.1
#[test]
fn options_is_sent_as_a_line_or_as_nobody_and_its_end_is_told() {
    let mut b = Bench::new(config());
    let now = b.at();
    let extras = Extras { headers: &[("Subject", "there?")], ..Extras::default() };
    b.engine.options(now, Some(b.line), "sip:alice@10.0.0.9", 5, extras).unwrap();
    let out = b.drain().remove(0);
    assert_eq!(out.first_line(), "OPTIONS sip:alice@10.0.0.9 SIP/2.0");
    assert!(out.header("From").starts_with("<sip:bob@example.com>;tag="));
    assert_eq!(out.header("To"), "<sip:alice@10.0.0.9>");
    assert_eq!(out.header("Contact"), "<sip:bob@10.0.0.1:5060>");
    assert_eq!(out.header("Max-Forwards"), "70");
    assert_eq!(out.header("Subject"), "there?");
    assert!(out.header("Accept").contains("application/sdp"));
    b.ask(&out.answer("100 Trying", "", ""));
    assert_eq!(answered(&b), []);
    b.ask(&out.answer("200 OK", "t", "Allow: INVITE\r\n"));
    b.engine.options(now, None, "sip:10.0.0.9", 6, Extras::default()).unwrap();
    let out = b.drain().remove(0);
    assert!(out.header("From").starts_with("<sip:10.0.0.1:5060>;tag="));
    b.run(32_000);
    assert_eq!(answered(&b), [(5, 200), (6, 408)]);
    b.finish();
    assert_eq!(b.engine.stats().blocks, b.engine.stats().lines);
}

#[test]
fn options_to_what_cannot_be_reached_is_told_or_misuse() {
    let mut b = Bench::new(config());
    let now = b.at();
    let none = Extras::default();
    let bad = Err(Error::Misuse(Misuse::BadUri));
    for uri in ["tel:1", "alice", "sip:a@b?X=y", "sip:a@b;method=BYE"] {
        assert_eq!(b.engine.options(now, None, uri, 0, none), bad, "{uri}");
    }
    b.engine.options(now, Some(b.line), "sips:alice@10.0.0.9", 7, none).unwrap();
    b.run(1);
    assert_eq!(answered(&b), [(7, 503)], "no TLS here");
    b.engine.remove_line(now, b.line).unwrap();
    assert_eq!(b.engine.options(now, Some(b.line), "sip:a@10.0.0.9", 0, none), Err(Error::Gone));
}

#[test]
fn two_engines_ask_each_other() {
    let mut net = Net::new();
    let (a, line) = net.phone("a");
    let (b, _) = net.phone("b");
    let now = net.at();
    net.engine(a).options(now, Some(line), "sip:b@10.0.0.2", 1, Extras::default()).unwrap();
    net.engine(b).options(now, None, "sip:10.0.0.1", 2, Extras::default()).unwrap();
    net.finish();
    let got = |n: usize| match net.nodes[n].said.last().map(|s| s.event) {
        Some(Event::Answered { user, status }) => (user, status),
        other => panic!("{other:?}"),
    };
    assert_eq!((got(a), got(b)), ((1, 200), (2, 200)));
}

/// Sends a REGISTER, an INVITE and an OPTIONS of a line; what they asked a connection for.
fn ways(aor: &str, target: &str, proxy: &str, tls: bool) -> Vec<Option<(Transport, Addr)>> {
    let mut e = Engine::new(config(), &Limits::TESTER).unwrap();
    let udp = Local {
        transport: Transport::Udp,
        bound: Addr::v4(10, 0, 0, 1, 5060),
        host: "10.0.0.1",
        port: 5060,
        network: 0,
    };
    let at = Instant(0);
    e.set_local(at, LOCAL, udp).unwrap();
    if tls {
        let bound = Addr::v4(10, 0, 0, 1, 5061);
        let tls = Local { transport: Transport::Tls, bound, port: 5061, ..udp };
        e.set_local(at, LocalId(2), tls).unwrap();
    }
    let line = e.add_line(at, LineConfig { aor, proxy, ..LineConfig::default() }).unwrap();
    e.register(at, line).unwrap();
    e.invite(at, line, target, 0, Extras::default()).unwrap();
    e.options(at, Some(line), target, 0, Extras::default()).unwrap();
    let mut ways = Vec::new();
    e.handle_timeout(Instant(1)).unwrap();
    while let Some(output) = e.poll() {
        match output {
            Output::Transmit(t) => ways.push(Some((Transport::Udp, t.path.remote))),
            Output::Query(_, Query::Connect { to, transport, .. }) => {
                ways.push(Some((transport, to)));
            }
            Output::Event(..) => ways.push(None),
            other => panic!("{other:?}"),
        }
    }
    ways
}

// RFC 3261 8.1.2, 26.2.2
#[test]
fn every_request_of_a_line_goes_by_its_proxy_and_a_secure_one_by_tls_alone() {
    let (sip, sips) = ("sip:bob@10.0.0.8", "sips:bob@10.0.0.8");
    let proxy = Addr::v4(10, 0, 0, 9, 5070);
    let udp = Some((Transport::Udp, proxy));
    let tls = Some((Transport::Tls, proxy));
    assert_eq!(ways(sip, sip, "sip:10.0.0.9:5070", true), [udp; 3]);
    assert_eq!(ways(sips, sips, "sip:10.0.0.9:5070", true), [tls; 3]);
    assert_eq!(ways(sips, sips, "sip:10.0.0.9:5070", false), [None; 3]);
    assert_eq!(ways(sips, sips, "sip:10.0.0.9:5070;transport=udp", true), [None; 3]);
    assert_eq!(ways(sip, sip, "sips:10.0.0.9:5070", true), [tls; 3]);
}

#[test]
fn the_route_of_a_secure_request_is_secure() {
    let mut b = Bench::new(config());
    let now = b.at();
    let tls = Local {
        transport: Transport::Tls,
        bound: Addr::v4(10, 0, 0, 1, 5061),
        host: "10.0.0.1",
        port: 5061,
        network: 0,
    };
    b.engine.set_local(now, LocalId(2), tls).unwrap();
    let flow = sansip::FlowInfo {
        local: LocalId(2),
        remote: Addr::v4(10, 0, 0, 9, 5061),
        transport: Transport::Tls,
        accepted: false,
        names: &["10.0.0.9"],
    };
    b.engine.flow_opened(now, sansip::FlowId(1), flow).unwrap();
    let line =
        LineConfig { aor: "sips:bob@example.com", proxy: "sip:10.0.0.9", ..LineConfig::default() };
    let line = b.engine.add_line(now, line).unwrap();
    b.engine.register(now, line).unwrap();
    assert_eq!(b.drain()[0].header("Route"), "<sips:10.0.0.9;lr>");
}

// RFC 3581 3 and 4: rport is asked for, and what it brings is told when it changes.
#[test]
fn the_address_that_the_registrar_sees_is_told() {
    let mut b = Bench::new(config());
    let line =
        LineConfig { proxy: "sip:10.0.0.9", aor: "sip:bob@example.com", ..LineConfig::default() };
    let now = b.at();
    let line = b.engine.add_line(now, line).unwrap();
    let seen = |b: &mut Bench, marks: &str| -> Option<Addr> {
        let now = b.at();
        b.engine.register(now, line).unwrap();
        let out = b.drain().remove(0);
        assert!(out.header("Via").ends_with(";rport"));
        let via = out.header("Via").replace(";rport", marks);
        b.events.clear();
        b.ask(&out.answer("200 OK", "r", "").replace(out.header("Via"), &via));
        b.events.iter().find_map(|e| match e {
            Event::Line { change: sansip::LineChange::Mapped { address }, .. } => Some(*address),
            _ => None,
        })
    };
    let nat = Addr::v4(192, 0, 2, 7, 40_000);
    assert_eq!(seen(&mut b, ""), None);
    assert_eq!(seen(&mut b, ";rport=5060"), None);
    assert_eq!(seen(&mut b, ";received=192.0.2.7;rport=40000"), Some(nat));
    assert_eq!(seen(&mut b, ";received=192.0.2.7;rport=40000"), None, "nothing new");
    assert_eq!(seen(&mut b, ";rport=41000"), Some(Addr::v4(10, 0, 0, 1, 41_000)));
    assert_eq!(seen(&mut b, ";rport=5060"), Some(Addr::v4(10, 0, 0, 1, 5060)), "none any more");
}
