//! Where room ends: back-pressure, 503, deferred work and the bound on unproven sources.

#[path = "support/net.rs"]
mod net;

use net::{LOCAL, config, label};
use sansip::{
    Addr, Answer, Config, Engine, Error, Event, Extras, FlowEnd, FlowId, FlowInfo, Ignored,
    Instant, Limit, Limits, LineConfig, LineHandle, Local, Output, Path, Query, Retransmit, Seen,
    Stats, Transport,
};

const PEER: Addr = Addr::v4(10, 0, 0, 9, 5060);

fn phone(config: Config, limits: &Limits, transport: Transport) -> (Engine, LineHandle) {
    let mut engine = Engine::new(config, limits).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let local = Local { transport, bound, host: "10.0.0.1", port: 5060, network: 0 };
    engine.set_local(Instant(0), LOCAL, local).unwrap();
    let line = LineConfig {
        aor: "sip:bob@10.0.0.1",
        display: "",
        proxy: "",
        local: None,
        expires: 0,
        any: true,
        user: 0,
        ..LineConfig::default()
    };
    let line = engine.add_line(Instant(0), line).unwrap();
    (engine, line)
}

fn ua(retransmit: Retransmit) -> Config {
    let mut config = config(3);
    config.roles.proxy = false;
    config.roles.registrar = false;
    config.retransmit = retransmit;
    config
}

fn udp() -> Path {
    Path { local: LOCAL, remote: PEER, flow: None }
}

fn request(method: &str, n: usize) -> Vec<u8> {
    format!(
        "{method} sip:bob@10.0.0.1 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK-{n}\r\n\
         Max-Forwards: 70\r\n\
         From: <sip:eve@example.com>;tag=e{n}\r\n\
         To: <sip:bob@10.0.0.1>\r\n\
         Call-ID: call-{n}\r\n\
         CSeq: 1 {method}\r\n\
         Contact: <sip:eve@10.0.0.9>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// All that the engine has to say: what it sends, and its events.
fn drain(engine: &mut Engine) -> (Vec<Vec<u8>>, Vec<Event>) {
    let (mut sent, mut events) = (Vec::new(), Vec::new());
    while let Some(output) = engine.poll() {
        match output {
            Output::Transmit(t) => sent.push(t.bytes.to_vec()),
            Output::Event(event, _) => events.push(event),
            other => panic!("{other:?}"),
        }
    }
    (sent, events)
}

#[test]
fn a_ring_of_8_works_off_a_lost_flow_with_1000_transactions() {
    let limits = Limits {
        calls: 1_000,
        calls_in: 1_000,
        dialogs: 1_000,
        transactions: 1_000,
        attempts: 1_000,
        outputs: 8,
        pool: 8 << 20,
        ..Limits::PHONE
    };
    let (mut engine, line) = phone(ua(Retransmit::Rfc), &limits, Transport::Tcp);
    let now = Instant(5);
    for _ in 0..1_000 {
        engine.invite(now, line, "sip:x@10.0.0.9;transport=tcp", 0, Extras::default()).unwrap();
        let mut asked = None;
        while let Some(output) = engine.poll() {
            if let Output::Query(id, Query::Connect { .. }) = output {
                asked = Some(id);
            }
        }
        if let Some(id) = asked {
            let info = FlowInfo {
                local: LOCAL,
                remote: PEER,
                transport: Transport::Tcp,
                accepted: false,
                names: &[],
            };
            engine.flow_opened(now, FlowId(1), info).unwrap();
            engine.answer(now, id, Answer::Connected(FlowId(1))).unwrap();
            drain(&mut engine);
        }
    }
    assert_eq!(engine.stats().transactions, 1_000);
    engine.flow_closed(now, FlowId(1), FlowEnd::Reset).unwrap();
    let mut ended = 0;
    for _turn in 0..10_000 {
        assert!(engine.stats().outputs <= 8);
        ended += drain(&mut engine).1.len();
        match engine.next_timeout() {
            Some(at) if at <= now => engine.handle_timeout(now).unwrap(),
            _ => break,
        }
    }
    assert_eq!(ended, 1_000, "every call was told, and the clock has not moved");
    assert!(engine.is_quiescent(), "{:?}", engine.stats());
}

#[test]
fn a_table_full_of_working_transactions_answers_503_and_nothing_else_changes() {
    let limits = Limits { transactions: 12, calls: 8, calls_in: 8, dialogs: 8, ..Limits::TESTER };
    let (mut engine, _) = phone(ua(Retransmit::Rfc), &limits, Transport::Udp);
    let now = Instant(5);
    // Each admitted call keeps a place for its BYE.
    let mut admitted = 0;
    let mut told = 0;
    let full = |e: &Event| *e == Event::Limited(Limit::Transactions);
    for n in 0..20 {
        engine.receive(now, udp(), &request("INVITE", n)).unwrap();
        let (sent, events) = drain(&mut engine);
        told += events.iter().filter(|e| full(e)).count();
        let calls = events.iter().filter(|e| !full(e)).count();
        admitted += calls;
        if calls == 0 {
            assert_eq!(sent.len(), 1);
            assert_eq!(label(&sent[0]), "503 INVITE");
            assert!(String::from_utf8_lossy(&sent[0]).contains("\r\nRetry-After: "));
        }
    }
    assert_eq!(admitted, 6);
    let counted = |s: Stats| (s.calls, s.dialogs, s.transactions, s.timers, s.blocks, s.pool_bytes);
    let before = counted(engine.stats());
    for n in 100..200 {
        engine.receive(now, udp(), &request("INVITE", n)).unwrap();
        assert_eq!(label(&drain(&mut engine).0[0]), "503 INVITE");
    }
    assert_eq!(counted(engine.stats()), before);
    // The application is told once a second, however many there are.
    assert_eq!(told, 1);
    for (at, wanted) in [(1_004, 0), (1_005, 1), (1_900, 0), (2_100, 1)] {
        engine.receive(Instant(at), udp(), &request("INVITE", 200 + at as usize)).unwrap();
        assert_eq!(drain(&mut engine).1.iter().filter(|e| full(e)).count(), wanted, "{at}");
    }
}

#[test]
fn a_full_ring_refuses_a_datagram_before_anything_is_touched() {
    let limits = Limits { outputs: 8, ..Limits::TESTER };
    let (mut engine, _) = phone(ua(Retransmit::Rfc), &limits, Transport::Udp);
    let now = Instant(5);
    let mut taken = 0;
    loop {
        match engine.receive(now, udp(), &request("INVITE", taken)) {
            Ok(_) => taken += 1,
            Err(e) => {
                assert_eq!(e, Error::Full(Limit::Outputs));
                break;
            }
        }
    }
    let before = engine.stats();
    assert_eq!(engine.receive(now, udp(), &request("BYE", 50)), Err(Error::Full(Limit::Outputs)));
    assert_eq!(engine.stats(), before);
    assert_eq!(engine.next_timeout(), Some(now), "while output waits, the deadline is now");
}

/// Bytes in and out for one request of `method` over 64*T1, repeated like a client would.
fn exchange(method: &str, mut act: impl FnMut(&mut Engine, Instant, &Event)) -> (usize, usize) {
    let (mut engine, _) = phone(ua(Retransmit::Paid), &Limits::TESTER, Transport::Udp);
    let (mut paid, mut got) = (0, 0);
    let bytes = request(method, 1);
    for ms in 0..40_000 {
        let now = Instant(ms);
        if ms == 0 || ms == 500 {
            paid += bytes.len();
            engine.receive(now, udp(), &bytes).unwrap();
        }
        if engine.next_timeout().is_some_and(|t| t <= now) {
            engine.handle_timeout(now).unwrap();
        }
        loop {
            let (sent, events) = drain(&mut engine);
            if sent.is_empty() && events.is_empty() {
                break;
            }
            got += sent.iter().map(Vec::len).sum::<usize>();
            events.iter().for_each(|e| act(&mut engine, now, e));
        }
    }
    (paid, got)
}

#[test]
fn an_unproven_source_gets_at_most_3_times_what_it_sent() {
    let body = [b'v'; 300];
    let sdp = Extras { headers: &[], content_type: "application/sdp", body: &body, media: None };
    type Act<'a> = &'a dyn Fn(&mut Engine, Instant, &Event);
    let ring_for_ever: Act<'_> = &|e, now, event| {
        if let Event::Call { call, change: sansip::CallChange::Incoming, .. } = event {
            e.ring(now, *call, 180, sdp).unwrap();
        }
    };
    let answer: Act<'_> = &|e, now, event| match event {
        Event::Call { call, change: sansip::CallChange::Incoming, .. } => {
            e.ring(now, *call, 180, Extras::default()).unwrap();
            e.answer_call(now, *call, sdp).unwrap();
        }
        Event::Request { request, .. } => e.respond(now, *request, 200, sdp).unwrap(),
        _ => {}
    };
    let refuse: Act<'_> = &|e, now, event| match event {
        Event::Call { call, change: sansip::CallChange::Incoming, .. } => {
            e.reject(now, *call, 486, sdp).unwrap();
        }
        Event::Request { request, .. } => e.respond(now, *request, 488, sdp).unwrap(),
        _ => {}
    };
    for method in [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "INFO",
        "REFER",
        "MESSAGE",
        "UPDATE",
        "FOO",
    ] {
        for (name, act) in [("ring", ring_for_ever), ("answer", answer), ("refuse", refuse)] {
            let (paid, got) = exchange(method, act);
            assert!(got <= 3 * paid, "{method} {name}: {got} bytes for {paid}");
        }
    }
    // The bound is felt: without it, an unacknowledged 2xx is sent eleven times.
    let (paid, got) = exchange("INVITE", answer);
    assert!(got > paid, "a call still earns its 180 and 200: {got} bytes for {paid}");
}

#[test]
fn what_is_ignored_says_why_and_leaves_nothing() {
    let (mut engine, _) = phone(ua(Retransmit::Paid), &Limits::TESTER, Transport::Udp);
    let before = engine.stats();
    let zeros = vec![0u8; 65_507];
    let no_via = b"SIP/2.0 200 OK\r\nCall-ID: a\r\nCSeq: 1 INVITE\r\nContent-Length: 0\r\n\r\n";
    let cases: [(&[u8], Ignored); 5] = [
        (b"", Ignored::KeepAlive),
        (b"\r\n\r\n", Ignored::KeepAlive),
        (&zeros, Ignored::NotSip),
        (b"hello", Ignored::NotSip),
        (no_via, Ignored::BadResponse),
    ];
    for (bytes, why) in cases {
        let seen = engine.receive(Instant(1), udp(), bytes).unwrap();
        assert_eq!(
            seen,
            Seen::Ignored(why),
            "{:?}",
            String::from_utf8_lossy(&bytes[..bytes.len().min(20)])
        );
        assert!(!why.clause().is_empty());
        assert!(engine.poll().is_none());
    }
    // S32: an ACK is never answered, and a flood of them leaves nothing.
    for n in 0..1_000 {
        let seen = engine.receive(Instant(1), udp(), &request("ACK", n)).unwrap();
        assert_eq!(seen, Seen::Ignored(Ignored::StrayAck));
    }
    assert!(engine.poll().is_none());
    let after = engine.stats();
    assert_eq!((before.blocks, before.timers), (after.blocks, after.timers));
    assert!(engine.is_quiescent());
    engine.receive(Instant(2), udp(), &request("OPTIONS", 7)).unwrap();
    assert_eq!(label(&drain(&mut engine).0[0]), "200 OPTIONS");
}

/// Bytes in, and bytes out to the source, for one request through a proxy and registrar.
fn proxied(method: &str, uri: &str, route: Option<&str>) -> (usize, usize) {
    let mut config = config(4);
    config.retransmit = Retransmit::Paid;
    config.roles = sansip::Roles { ua: false, proxy: true, registrar: true };
    config.domains = vec!["example.com".into()];
    let mut engine = Engine::new(config, &Limits::TESTER).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let local =
        Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 5060, network: 0 };
    engine.set_local(Instant(0), LOCAL, local).unwrap();
    let (mut paid, mut got) = (0, 0);
    let bytes = String::from_utf8(request(method, 1)).unwrap();
    let bytes = bytes.replace("sip:bob@10.0.0.1 SIP", &format!("{uri} SIP"));
    for ms in 0..240_000 {
        let now = Instant(ms);
        if ms == 0 || ms == 500 {
            paid += bytes.len();
            engine.receive(now, udp(), bytes.as_bytes()).unwrap();
        }
        if engine.next_timeout().is_some_and(|t| t <= now) {
            engine.handle_timeout(now).unwrap();
        }
        let mut asked = Vec::new();
        loop {
            while let Some(output) = engine.poll() {
                match output {
                    Output::Transmit(t) if t.path.remote == PEER => got += t.bytes.len(),
                    Output::Query(id, Query::Locate { .. }) => asked.push((id, Answer::NotFound)),
                    Output::Query(id, Query::Store { .. }) => asked.push((id, Answer::Stored)),
                    Output::Query(id, Query::Route { .. }) => match route {
                        Some(_) => asked.push((id, Answer::Failed)),
                        None => asked.push((id, Answer::NotFound)),
                    },
                    _ => {}
                }
            }
            if asked.is_empty() {
                break;
            }
            for (id, answer) in asked.drain(..) {
                let target = route.map(|next_hop| sansip::Target {
                    next_hop,
                    q: 1000,
                    ..Default::default()
                });
                let targets: Vec<_> = target.into_iter().collect();
                let routed = matches!(answer, Answer::Failed);
                let answer = if routed { Answer::Route(&targets) } else { answer };
                engine.answer(now, id, answer).unwrap();
            }
        }
    }
    assert!(engine.is_quiescent(), "{method}: {:?}", engine.stats());
    (paid, got)
}

#[test]
fn a_proxy_and_registrar_send_an_unproven_source_at_most_3_times_what_it_sent() {
    for method in [
        "INVITE",
        "ACK",
        "BYE",
        "CANCEL",
        "OPTIONS",
        "REGISTER",
        "PRACK",
        "SUBSCRIBE",
        "NOTIFY",
        "PUBLISH",
        "INFO",
        "REFER",
        "MESSAGE",
        "UPDATE",
        "FOO",
    ] {
        for (uri, route) in [
            ("sip:bob@example.com", None),
            // A next hop that never answers.
            ("sip:bob@example.com", Some("sip:10.0.0.77")),
            ("sip:bob@10.0.0.77", Some("")),
            ("sip:example.com", None),
        ] {
            let (paid, got) = proxied(method, uri, route);
            assert!(got <= 3 * paid, "{method} {uri} {route:?}: {got} bytes for {paid}");
        }
    }
}

// RFC 3261 17.2.2: a finished transaction still answers repetitions. It gives way to a request that
// is admitted, not to one that is refused all the same.
#[test]
fn a_refusal_for_want_of_room_takes_nothing_from_finished_transactions() {
    let limits = Limits { transactions: 12, calls: 8, calls_in: 8, dialogs: 8, ..Limits::TESTER };
    let (mut engine, _) = phone(ua(Retransmit::Rfc), &limits, Transport::Udp);
    let now = Instant(5);
    for n in 0..2 {
        engine.receive(now, udp(), &request("MESSAGE", 100 + n)).unwrap();
        let (_, events) = drain(&mut engine);
        let Some(Event::Request { request, .. }) = events.first().copied() else { panic!() };
        engine.respond(now, request, 200, Extras::default()).unwrap();
        drain(&mut engine);
    }
    let mut refused = 0;
    for n in 0..8 {
        engine.receive(now, udp(), &request("INVITE", n)).unwrap();
        refused += usize::from(drain(&mut engine).0.iter().any(|s| label(s) == "503 INVITE"));
    }
    assert!(refused > 0);
    assert_eq!(engine.stats().refused_full, refused as u64);
    assert_eq!(engine.stats().transactions, 8);
    engine.receive(now, udp(), &request("MESSAGE", 100)).unwrap();
    assert_eq!(label(&drain(&mut engine).0[0]), "200 MESSAGE");
}
