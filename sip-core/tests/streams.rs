//! Messages on streams: cut, glued, lying and slow (RFC 3261 18.3, RFC 5626 4.4.1).

#[path = "support/net.rs"]
mod net;

use net::{LOCAL, config, label};
use sansip::{
    Addr, Engine, Error, Event, Extras, FlowEnd, FlowId, FlowInfo, Instant, Limits, LineConfig,
    Local, LocalId, Misuse, Output, Path, Query, Transport,
};

const FLOW: FlowId = FlowId(3);

fn phone() -> Engine {
    let mut config = config(3);
    config.roles.proxy = false;
    config.roles.registrar = false;
    let mut engine = Engine::new(config, &Limits::PHONE).unwrap();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let local =
        Local { transport: Transport::Tcp, bound, host: "10.0.0.1", port: 5060, network: 0 };
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
    engine.add_line(Instant(0), line).unwrap();
    open(&mut engine, FLOW).unwrap();
    engine
}

fn open(engine: &mut Engine, flow: FlowId) -> Result<(), Error> {
    let remote = Addr::v4(10, 0, 0, 9, 40_000);
    let info =
        FlowInfo { local: LOCAL, remote, transport: Transport::Tcp, accepted: true, names: &[] };
    engine.flow_opened(Instant(0), flow, info)
}

fn options(n: usize, length: &str) -> String {
    format!(
        "OPTIONS sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bK{n}\r\nMax-Forwards: 70\r\nFrom: <sip:a@example.com>;tag=x\r\nTo: <sip:bob@10.0.0.1>\r\nCall-ID: o{n}\r\nCSeq: {n} OPTIONS\r\n{length}\r\n"
    )
}

/// What the engine sends, and whether it closes the flow.
fn drain(engine: &mut Engine) -> (Vec<String>, bool) {
    let (mut sent, mut closed) = (Vec::new(), false);
    while let Some(output) = engine.poll() {
        match output {
            Output::Transmit(t) => {
                assert_eq!(t.path.flow, Some(FLOW));
                sent.push(if t.bytes == b"\r\n" { "pong".into() } else { label(t.bytes) });
            }
            Output::Close(flow) => {
                assert_eq!(flow, FLOW);
                closed = true;
            }
            other => panic!("{other:?}"),
        }
    }
    (sent, closed)
}

/// Feeds bytes as a host does: what is not taken is presented again with more.
fn feed(engine: &mut Engine, chunks: &[&[u8]]) -> (Vec<String>, bool) {
    let (mut sent, mut closed, mut kept) = (Vec::new(), false, Vec::new());
    for chunk in chunks {
        kept.extend_from_slice(chunk);
        loop {
            let taken = engine.receive_stream(Instant(1), FLOW, &kept).unwrap();
            kept.drain(..taken);
            let (more, close) = drain(engine);
            let idle = more.is_empty() && taken == 0;
            sent.extend(more);
            closed |= close;
            if idle || kept.is_empty() {
                break;
            }
        }
    }
    (sent, closed)
}

#[test]
fn cut_at_any_byte_the_same_messages_come_out() {
    let stream: String = (1..=3)
        .map(|n| format!("{}\r\n\r\n", options(n, "Content-Length: 2\r\n") + "hi"))
        .collect();
    let whole = feed(&mut phone(), &[stream.as_bytes()]);
    assert_eq!(whole.0.iter().filter(|l| *l == "200 OPTIONS").count(), 3);
    assert!(!whole.1);
    for cut in 1..stream.len() {
        let (a, b) = stream.as_bytes().split_at(cut);
        assert_eq!(feed(&mut phone(), &[a, b]), whole, "cut at {cut}");
    }
    let bytes: Vec<&[u8]> = stream.as_bytes().chunks(1).collect();
    assert_eq!(feed(&mut phone(), &bytes), whole, "byte by byte");
}

#[test]
fn a_ping_is_answered_by_a_pong() {
    assert_eq!(feed(&mut phone(), &[b"\r\n\r\n"]), (vec!["pong".into()], false));
}

// S29: a length that lies ends the connection, and nothing after it is parsed.
#[test]
fn a_content_length_that_lies_is_answered_and_the_connection_closed() {
    let good = options(9, "Content-Length: 0\r\n");
    for length in [
        "",
        "Content-Length: -1\r\n",
        "Content-Length: many\r\n",
        "Content-Length: 0\r\nContent-Length: 5\r\n",
        "Content-Length: 99999999999999999999\r\n",
        "Content-Length: 70000\r\n",
    ] {
        let mut engine = phone();
        let bytes = options(1, length) + &good;
        let (sent, closed) = feed(&mut engine, &[bytes.as_bytes()]);
        assert_eq!(sent.len(), 1, "{length}: {sent:?}");
        assert!(sent[0].starts_with("400") || sent[0].starts_with("513"), "{length}: {sent:?}");
        assert!(closed, "{length}");
        assert_eq!(engine.receive_stream(Instant(2), FLOW, good.as_bytes()), Ok(good.len()));
        assert!(drain(&mut engine).0.is_empty(), "nothing is taken from a flow that closes");
    }
}

// S30: half a message may wait for 32 s, however slowly it drips.
#[test]
fn half_a_message_is_given_up_after_32_seconds() {
    let mut engine = phone();
    let bytes = options(1, "Content-Length: 9999\r\n");
    for (i, end) in (1..=bytes.len()).step_by(40).enumerate() {
        let now = Instant(i as u64 * 1_000);
        assert_eq!(engine.receive_stream(now, FLOW, &bytes.as_bytes()[..end]), Ok(0));
    }
    assert_eq!(engine.next_timeout(), Some(Instant(32_000)));
    engine.handle_timeout(Instant(31_999)).unwrap();
    assert!(!drain(&mut engine).1);
    engine.handle_timeout(Instant(32_000)).unwrap();
    assert!(drain(&mut engine).1);
    engine.flow_closed(Instant(32_001), FLOW, FlowEnd::Asked).unwrap();
    engine.handle_timeout(Instant(32_001)).unwrap();
    assert!(engine.is_quiescent(), "{:?}", engine.stats());
}

#[test]
fn flows_that_are_not_open_are_misuse() {
    let mut engine = phone();
    assert_eq!(open(&mut engine, FLOW), Err(Error::Misuse(Misuse::Flow)));
    assert_eq!(open(&mut engine, FlowId(0)), Err(Error::Misuse(Misuse::Flow)));
    let unknown = engine.receive_stream(Instant(1), FlowId(99), b"x");
    assert_eq!(unknown, Err(Error::Misuse(Misuse::Flow)));
    assert_eq!(engine.flow_closed(Instant(1), FlowId(99), FlowEnd::Closed), Err(Error::Gone));
    engine.flow_closed(Instant(1), FLOW, FlowEnd::Closed).unwrap();
    assert_eq!(engine.flow_closed(Instant(1), FLOW, FlowEnd::Closed), Err(Error::Gone));
    // A number is never used twice in an engine's life.
    assert_eq!(open(&mut engine, FLOW), Err(Error::Misuse(Misuse::Flow)));
}

// A connection's Via comes from its identity, and bytes go only to connections that are open.
#[test]
fn a_connection_that_does_not_fit_is_misuse() {
    let mut engine = phone();
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    let entry = Local { transport: Transport::Udp, bound, host: "10.0.0.1", port: 0, network: 0 };
    engine.set_local(Instant(0), LocalId(9), entry).unwrap();
    let info = FlowInfo {
        local: LocalId(9),
        remote: Addr::v4(10, 0, 0, 9, 5060),
        transport: Transport::Tcp,
        accepted: true,
        names: &[],
    };
    let opened = engine.flow_opened(Instant(0), FlowId(11), info);
    assert_eq!(opened, Err(Error::Misuse(Misuse::Local)));
    let path = Path { flow: Some(FlowId(11)), ..Path::default() };
    let path = Path { local: LocalId(9), ..path };
    let sent = engine.send(Instant(0), path, b"x");
    assert_eq!(sent, Err(Error::Misuse(Misuse::Flow)));
}

/// The To of a message.
fn to(text: &str) -> String {
    text.split("To: ").nth(1).unwrap().lines().next().unwrap().to_string()
}

// RFC 3261 12.2.1.1: the next request goes to the first route, else to the target, whatever
// connection the call came by; over that connection if it leads there.
#[test]
fn a_bye_goes_to_the_target_and_not_back_to_a_proxy_that_left_the_path() {
    for routes in ["", "Record-Route: <sip:10.0.0.9;transport=tcp;lr>\r\n"] {
        let mut engine = phone();
        let now = Instant(1);
        let contact = "Contact: <sip:alice@10.0.0.66;transport=tcp>\r\nContent-Length: 0\r\n";
        let invite = options(1, &format!("{routes}{contact}")).replace("OPTIONS", "INVITE");
        engine.receive_stream(now, FLOW, invite.as_bytes()).unwrap();
        let Some(Output::Event(Event::Call { call, .. }, _)) = engine.poll() else { panic!() };
        engine.answer_call(now, call, Extras::default()).unwrap();
        let Some(Output::Transmit(ok)) = engine.poll() else { panic!() };
        let ours = to(&String::from_utf8_lossy(ok.bytes));
        let ack = invite.replace("INVITE", "ACK").replace(&to(&invite), &ours);
        engine.receive_stream(now, FLOW, ack.as_bytes()).unwrap();
        while engine.poll().is_some() {}
        engine.hangup(now, call).unwrap();
        match engine.poll() {
            Some(Output::Query(_, Query::Connect { to, .. })) if routes.is_empty() => {
                assert_eq!(to, Addr::v4(10, 0, 0, 66, 5060));
            }
            Some(Output::Transmit(t)) if !routes.is_empty() => assert_eq!(t.path.flow, Some(FLOW)),
            other => panic!("{routes}: {other:?}"),
        }
    }
}
