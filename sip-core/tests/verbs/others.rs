//! The inputs of connections, identities and the engine's life.

use crate::name_of;
use crate::peer::{Bench, LOCAL, PEER};
use sansip::{
    Addr, Config, Done, Error, Extras, FlowEnd, FlowId, FlowInfo, Input, Instant, Limit, Local,
    LocalId, Misuse, Path, SendEnd, SendId, Transport,
};

const TCP: LocalId = LocalId(2);
const FLOW: FlowId = FlowId(5);
const REMOTE: Addr = Addr::v4(10, 0, 0, 9, 40_000);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum S {
    /// Nobody has told of it.
    New,
    Open,
    /// The engine has asked for its end.
    Closing,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum V {
    Opened,
    Closed,
    Stream,
    Receive,
    Send,
}

const VERBS: [V; 5] = [V::Opened, V::Closed, V::Stream, V::Receive, V::Send];

const OPTIONS: &[u8] = b"OPTIONS sip:bob@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKo\r\nMax-Forwards: 70\r\nFrom: <sip:p@example.com>;tag=pt\r\nTo: <sip:bob@example.com>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";

fn info() -> FlowInfo<'static> {
    FlowInfo { local: TCP, remote: REMOTE, transport: Transport::Tcp, accepted: true, names: &[] }
}

fn input(verb: V) -> Input<'static> {
    let path = Path { local: TCP, remote: REMOTE, flow: Some(FLOW) };
    match verb {
        V::Opened => Input::FlowOpened { flow: FLOW, info: info() },
        V::Closed => Input::FlowClosed { flow: FLOW, why: FlowEnd::Closed },
        V::Stream => Input::ReceiveStream { flow: FLOW, bytes: OPTIONS },
        V::Receive => Input::Receive { path, message: OPTIONS },
        V::Send => Input::Send { path, bytes: b"raw" },
    }
}

fn local(host: &str) -> Local<'_> {
    let bound = Addr::v4(10, 0, 0, 1, 5060);
    Local { transport: Transport::Tcp, bound, host, port: 5060, network: 0 }
}

/// The inputs that have a row here.
pub fn rows() -> Vec<String> {
    let lives = [
        Input::SetLocal { local: TCP, entry: local("x") },
        Input::SendFailed { send: SendId(0), why: SendEnd::Other },
        Input::HandleTimeout,
        Input::Drain,
        Input::Shutdown,
    ];
    let flows = VERBS.map(input);
    flows.iter().chain(&lives).map(name_of).collect()
}

fn world(state: S) -> Bench {
    let mut config = Config::new([9; 32]);
    config.ask_media = false;
    let mut bench = Bench::new(config);
    let now = bench.at();
    bench.engine.set_local(now, TCP, local("10.0.0.1")).unwrap();
    if state != S::New {
        bench.engine.flow_opened(now, FLOW, info()).unwrap();
    }
    if state == S::Closing {
        // RFC 3261 18.3: without Content-Length nobody knows where the next message begins.
        let bytes = b"OPTIONS sip:x SIP/2.0\r\nContent-Length: x\r\n\r\n";
        bench.engine.receive_stream(now, FLOW, bytes).unwrap();
        let mut closed = false;
        while let Some(output) = bench.engine.poll() {
            closed |= matches!(output, sansip::Output::Close(FLOW));
        }
        assert!(closed, "no Close");
    }
    if state == S::Closed {
        bench.engine.flow_closed(now, FLOW, FlowEnd::Closed).unwrap();
        bench.run(1_000);
    }
    bench
}

fn expected(verb: V, state: S) -> Result<(), Error> {
    let flow = Err(Error::Misuse(Misuse::Flow));
    match (verb, state) {
        (V::Opened, S::New) => Ok(()),
        (V::Opened, _) => flow,
        (_, S::Open | S::Closing) => Ok(()),
        (V::Closed, _) => Err(Error::Gone),
        _ => flow,
    }
}

#[test]
fn every_input_of_a_connection_works_or_says_whose_fault_it_is() {
    for state in [S::New, S::Open, S::Closing, S::Closed] {
        for verb in VERBS {
            let mut bench = world(state);
            let (now, before) = (bench.at(), bench.engine.stats());
            let got = bench.engine.apply(now, &input(verb));
            assert_eq!(got.map(drop), expected(verb, state), "{verb:?} of {state:?}");
            if got.is_err() {
                assert_eq!(before, bench.engine.stats(), "{verb:?} of {state:?}");
            }
            if (verb, state) == (V::Stream, S::Closing) {
                assert_eq!(got, Ok(Done::Taken(OPTIONS.len())), "what is closed is not read");
                assert!(bench.drain().is_empty());
            }
        }
    }
}

/// RFC 3261 21.5.4: what is new is refused, what goes on is not, and our own requests may be sent.
#[test]
fn an_engine_that_drains_refuses_what_is_new_once_and_again() {
    let mut bench = world(S::Open);
    let (now, line) = (bench.at(), bench.line);
    for _ in 0..2 {
        let before = bench.engine.stats();
        assert_eq!(bench.engine.apply(now, &Input::Drain), Ok(Done::Nothing));
        assert_eq!(before, bench.engine.stats(), "it queues nothing");
    }
    let options = String::from_utf8(OPTIONS.to_vec()).unwrap();
    assert!(bench.ask(&options)[0].first_line().starts_with("SIP/2.0 503 "));
    bench.engine.invite(now, line, "sip:p@10.0.0.9", 0, Extras::default()).unwrap();
    assert_eq!(bench.engine.apply(now, &Input::Shutdown), Ok(Done::Nothing));
    bench.finish();
}

#[test]
fn an_identity_is_set_if_it_is_usable_and_there_is_room() {
    let mut bench = world(S::New);
    let now = bench.at();
    let mut set = |local, entry| bench.engine.set_local(now, LocalId(local), entry);
    assert_eq!(set(2, local("[2001:db8::1]")), Ok(()), "in place of the old one");
    for host in ["", "a b", "2001:db8::1", "a\r\nb"] {
        assert_eq!(set(2, local(host)), Err(Error::Misuse(Misuse::Local)), "{host}");
    }
    let full = (10..100).find_map(|n| set(n, local("x")).err());
    assert_eq!(full, Some(Error::Full(Limit::Locals)));
}

#[test]
fn what_names_no_identity_is_misuse() {
    let mut bench = world(S::Open);
    let (now, before) = (bench.at(), bench.engine.stats());
    let path = Path { local: LocalId(9), remote: PEER, flow: None };
    let misuse = Err(Error::Misuse(Misuse::Local));
    assert_eq!(bench.engine.receive(now, path, OPTIONS).map(drop), misuse);
    assert_eq!(bench.engine.send(now, path, b"raw"), misuse);
    let info = FlowInfo { local: LOCAL, ..info() };
    assert_eq!(bench.engine.flow_opened(now, FlowId(6), info), misuse, "of another transport");
    assert_eq!(before, bench.engine.stats());
}

#[test]
fn a_send_that_nobody_knows_a_clock_that_stands_and_a_second_shutdown_are_harmless() {
    let mut bench = world(S::Open);
    let before = bench.engine.stats();
    for raw in [0, 5, u64::MAX] {
        let failed = Input::SendFailed { send: SendId(raw), why: SendEnd::Unreachable };
        assert_eq!(bench.engine.apply(Instant(0), &failed), Ok(Done::Nothing));
    }
    for at in [0, 50, 10, u64::MAX] {
        assert_eq!(bench.engine.apply(Instant(at), &Input::HandleTimeout), Ok(Done::Nothing));
    }
    assert_eq!(before, bench.engine.stats());
    let mut bench = world(S::Open);
    let (now, line) = (bench.at(), bench.line);
    for target in ["sip:a@10.0.0.9", "sip:b@10.0.0.9"] {
        bench.engine.invite(now, line, target, 0, Extras::default()).unwrap();
    }
    for _ in 0..3 {
        assert_eq!(bench.engine.apply(now, &Input::Shutdown), Ok(Done::Nothing));
    }
    bench.run(400_000);
    let stats = bench.engine.stats();
    assert_eq!((stats.calls, stats.transactions), (0, 0));
    assert_eq!(bench.engine.apply(now, &Input::Shutdown), Ok(Done::Nothing));
    assert!(bench.engine.is_quiescent());
}
