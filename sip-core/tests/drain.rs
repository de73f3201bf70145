//! An engine that takes nothing new, and one that gets another configuration.

use sansip::{
    Addr, Answer, Challenge, Challenged, Config, Engine, Error, Instant, Limits, Local, LocalId,
    Misuse, Output, Path, Query, QueryId, Roles, Target, Transport,
};

const NOW: Instant = Instant(1_000);

fn config(domain: &str) -> Config {
    Config {
        roles: Roles { ua: false, proxy: true, registrar: true },
        domains: vec![domain.to_owned()],
        ..Config::new([1; 32])
    }
}

fn proxy(domain: &str) -> Engine {
    let mut engine = Engine::new(config(domain), &Limits::TESTER).unwrap();
    let entry = Local {
        transport: Transport::Udp,
        bound: Addr::v4(10, 0, 0, 1, 5060),
        host: "10.0.0.1",
        port: 5060,
        network: 0,
    };
    engine.set_local(NOW, LocalId(0), entry).unwrap();
    engine
}

fn request(method: &str, uri: &str, to_tag: &str, more: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{method}{to_tag}\r\n\
         Max-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=1\r\nTo: <{uri}>{to_tag}\r\n\
         Call-ID: c{method}\r\nCSeq: 1 {method}\r\n{more}Content-Length: 0\r\n\r\n"
    )
}

fn receive(engine: &mut Engine, message: &str) {
    let path = Path { local: LocalId(0), remote: Addr::v4(10, 0, 0, 9, 5060), flow: None };
    engine.receive(NOW, path, message.as_bytes()).unwrap();
}

/// What it sends, its questions for bindings and for routes apart.
fn outputs(engine: &mut Engine) -> (Vec<String>, Vec<String>, Option<QueryId>) {
    let (mut sent, mut located, mut route) = (Vec::new(), Vec::new(), None);
    while let Some(output) = engine.poll() {
        match output {
            Output::Transmit(t) => sent.push(String::from_utf8_lossy(t.bytes).into_owned()),
            Output::Query(_, Query::Locate { aor, .. }) => located.push(aor.to_owned()),
            Output::Query(id, Query::Route { .. }) => route = Some(id),
            _ => {}
        }
    }
    (sent, located, route)
}

#[test]
fn who_drains_refuses_what_is_new_and_lets_the_rest_pass() {
    let mut engine = proxy("example.com");
    let invite = request("INVITE", "sip:b@10.0.0.2", "", "");
    receive(&mut engine, &invite);
    let (_, _, route) = outputs(&mut engine);
    let target = Target { q: 1_000, ..Target::default() };
    engine.answer(NOW, route.unwrap(), Answer::Route(&[target])).unwrap();
    outputs(&mut engine);
    engine.drain(NOW).unwrap();
    assert!(!engine.is_quiescent());

    for method in ["INVITE", "REGISTER", "OPTIONS", "SUBSCRIBE"] {
        let again =
            request(method, "sip:b@example.com", "", "").replace("Call-ID: c", "Call-ID: n");
        receive(&mut engine, &again.replace("branch=z9hG4bK", "branch=z9hG4bKnew"));
        let (sent, located, route) = outputs(&mut engine);
        assert!(sent[0].starts_with("SIP/2.0 503 "), "{method}: {sent:?}");
        assert!(sent[0].contains("\r\nRetry-After: "), "{}", sent[0]);
        assert!(located.is_empty() && route.is_none());
    }
    // RFC 3261 12: a To tag means that there is a dialog.
    let route = "Route: <sip:10.0.0.1;lr>\r\n";
    receive(&mut engine, &request("BYE", "sip:b@10.0.0.2", ";tag=2", route));
    let (sent, ..) = outputs(&mut engine);
    assert!(sent.iter().any(|m| m.starts_with("BYE sip:b@10.0.0.2 ")), "{sent:?}");
    // The CANCEL of what was taken before.
    receive(
        &mut engine,
        &request("CANCEL", "sip:b@10.0.0.2", "", "")
            .replace("z9hG4bKCANCEL", "z9hG4bKINVITE")
            .replace("cCANCEL", "cINVITE"),
    );
    let (sent, ..) = outputs(&mut engine);
    assert!(sent[0].starts_with("SIP/2.0 200 "), "{sent:?}");
}

#[test]
fn another_configuration_applies_to_what_comes_from_then_on() {
    let mut engine = proxy("old.example");
    engine.set_config(NOW, config("new.example")).unwrap();
    receive(&mut engine, &request("OPTIONS", "sip:b@new.example", "", ""));
    assert_eq!(outputs(&mut engine).1, ["sip:b@new.example"]);
    receive(&mut engine, &request("MESSAGE", "sip:b@old.example", "", ""));
    assert!(outputs(&mut engine).1.is_empty());
}

#[test]
fn a_configuration_that_cannot_be_followed_leaves_the_present_one() {
    let mut engine = proxy("old.example");
    let challenge = Challenge { methods: Challenged::All, ..Challenge::default() };
    let bad = Config { challenge, ..config("new.example") };
    assert_eq!(engine.set_config(NOW, bad), Err(Error::Misuse(Misuse::BadHeader)));
    receive(&mut engine, &request("OPTIONS", "sip:b@old.example", "", ""));
    assert_eq!(outputs(&mut engine).1, ["sip:b@old.example"]);
}

#[test]
fn what_an_engine_is_from_its_birth_stays() {
    let mut engine = proxy("example.com");
    let roles = Roles { ua: true, proxy: false, registrar: false };
    let other = Config { seed: [0; 32], roles, ..config("example.com") };
    engine.set_config(NOW, other).unwrap();
    receive(&mut engine, &request("MESSAGE", "sip:b@example.com", "", ""));
    assert_eq!(outputs(&mut engine).1, ["sip:b@example.com"], "it is a proxy still");
}
