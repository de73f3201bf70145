//! The transaction layer by itself, two of them back to back.

use sansip::config::Config;
use sansip::error::{Error, Ignored, Limit, Misuse, Seen};
use sansip::limits::Limits;
use sansip::path::{Addr, FlowId, Local, LocalId, Path, Transport};
use sansip::time::Instant;
use sansip::tx::alone::{Output, TransactionLayer};
use sansip::tx::{Failure, Reply, TxHandle};

const FLOW: FlowId = FlowId(9);

/// An output, with what it lends copied.
#[derive(Debug, PartialEq)]
enum Out {
    Sent(Path, Vec<u8>),
    Request(TxHandle, String),
    Merged(TxHandle),
    Cancel(Option<TxHandle>, TxHandle),
    Response(TxHandle, u16),
    Ack(Option<TxHandle>),
    Failed(TxHandle, Failure),
}

fn layer(seed: u8, limits: &Limits) -> TransactionLayer {
    let mut layer = TransactionLayer::new(Config::new([seed; 32]), limits).unwrap();
    let bound = Addr::v4(10, 0, 0, seed, 5060);
    let host = format!("10.0.0.{seed}");
    for (id, transport) in [(0, Transport::Udp), (1, Transport::Tcp)] {
        let local = Local { transport, bound, host: &host, port: 0, network: 0 };
        layer.set_local(LocalId(id), &local).unwrap();
    }
    layer
}

fn to(seed: u8) -> Path {
    Path { local: LocalId(0), remote: Addr::v4(10, 0, 0, seed, 5060), flow: None }
}

fn over_tcp(seed: u8) -> Path {
    Path { local: LocalId(1), flow: Some(FLOW), ..to(seed) }
}

fn request(method: &str, call_id: u32) -> Vec<u8> {
    format!(
        "{method} sip:bob@10.0.0.2 SIP/2.0\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@10.0.0.1>;tag=a\r\nTo: <sip:bob@10.0.0.2>\r\n\
         Call-ID: {call_id}\r\nCSeq: 1 {method}\r\nContact: <sip:alice@10.0.0.1>\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn poll(layer: &mut TransactionLayer) -> Vec<Out> {
    let mut all = Vec::new();
    while let Some(output) = layer.poll() {
        all.push(match output {
            Output::Transmit(t) => Out::Sent(t.path, t.bytes.to_vec()),
            Output::Request(tx, m) => {
                Out::Request(tx, String::from_utf8(m.method_text().to_vec()).unwrap())
            }
            Output::Merged(tx, _) => Out::Merged(tx),
            Output::Cancel { tx, invite, .. } => Out::Cancel(invite, tx),
            Output::Response(tx, m) => Out::Response(tx, m.status()),
            Output::Ack(tx, _) => Out::Ack(tx),
            Output::Failed(tx, why) => Out::Failed(tx, why),
            other => panic!("{other:?}"),
        });
    }
    all
}

/// Carries everything between the two until nothing moves, and returns what their users saw.
fn carry(now: Instant, a: &mut TransactionLayer, b: &mut TransactionLayer) -> [Vec<Out>; 2] {
    let mut seen = [Vec::new(), Vec::new()];
    loop {
        let mut moved = false;
        for side in 0..2 {
            let (from, other) = if side == 0 { (&mut *a, &mut *b) } else { (&mut *b, &mut *a) };
            for out in poll(from) {
                if let Out::Sent(_, bytes) = &out {
                    other.receive(now, &to(side + 1), bytes).unwrap();
                    moved = true;
                } else {
                    seen[usize::from(side)].push(out);
                }
            }
        }
        if !moved {
            return seen;
        }
    }
}

fn assert_quiet(layer: &mut TransactionLayer) {
    assert_eq!(layer.transactions().len(), 0);
    assert!(poll(layer).is_empty());
    assert_eq!(layer.next_timeout(), None);
}

fn sleep(mut now: Instant, layers: [&mut TransactionLayer; 2]) -> Instant {
    for layer in layers {
        while let Some(at) = layer.next_timeout() {
            now = now.max(at);
            layer.handle_timeout(now).unwrap();
            poll(layer);
        }
    }
    now
}

/// RFC 3261 17.1.1, 17.2.1: refused, acknowledged by the layer, and forgotten.
#[test]
fn a_refused_invite() {
    let (mut a, mut b) = (layer(1, &Limits::PHONE), layer(2, &Limits::PHONE));
    let now = Instant(0);
    let tx = a.send_request(now, &to(2), &request("INVITE", 1)).unwrap();
    let [_, seen] = carry(now, &mut a, &mut b);
    let [Out::Request(asked, method)] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(method, "INVITE");
    b.reply(now, *asked, 180, &Reply::default()).unwrap();
    b.reply(now, *asked, 486, &Reply::default()).unwrap();
    let [seen, acks] = carry(now, &mut a, &mut b);
    assert_eq!(seen, [Out::Response(tx, 180), Out::Response(tx, 486)]);
    assert!(acks.is_empty(), "the ACK ends in the layer");
    assert_eq!(b.reply(now, *asked, 200, &Reply::default()), Err(Error::Late));
    assert_eq!(sleep(now, [&mut a, &mut b]), Instant(32_000));
    assert_quiet(&mut a);
    assert_quiet(&mut b);
}

/// RFC 6026: accepted; the ACK has a branch of its own and belongs to no transaction.
#[test]
fn an_accepted_invite() {
    let (mut a, mut b) = (layer(1, &Limits::PHONE), layer(2, &Limits::PHONE));
    let now = Instant(0);
    let tx = a.send_request(now, &to(2), &request("INVITE", 1)).unwrap();
    let [_, seen] = carry(now, &mut a, &mut b);
    let [Out::Request(asked, _)] = &seen[..] else { panic!("{seen:?}") };
    b.reply(now, *asked, 200, &Reply::default()).unwrap();
    let [seen, _] = carry(now, &mut a, &mut b);
    assert_eq!(seen, [Out::Response(tx, 200)]);
    let ack = String::from_utf8(request("ACK", 1)).unwrap();
    let ack = ack.replace("Max-", "Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKown\r\nMax-");
    assert_eq!(
        a.send_request(now, &to(2), ack.as_bytes()),
        Err(Error::Misuse(Misuse::State)),
        "an ACK has no transaction"
    );
    a.send(now, &to(2), ack.as_bytes()).unwrap();
    let [_, seen] = carry(now, &mut a, &mut b);
    assert_eq!(seen, [Out::Ack(None)]);
    sleep(now, [&mut a, &mut b]);
    assert_quiet(&mut a);
    assert_quiet(&mut b);
}

/// RFC 3261 9.
#[test]
fn a_cancelled_invite() {
    let (mut a, mut b) = (layer(1, &Limits::PHONE), layer(2, &Limits::PHONE));
    let now = Instant(0);
    let tx = a.send_request(now, &to(2), &request("INVITE", 1)).unwrap();
    let [_, seen] = carry(now, &mut a, &mut b);
    let [Out::Request(asked, _)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!(a.cancel(now, tx), Ok(None), "not before a provisional response");
    b.reply(now, asked, 180, &Reply::default()).unwrap();
    let [_, seen] = carry(now, &mut a, &mut b);
    let [Out::Cancel(Some(invite), cancel)] = seen[..] else { panic!("{seen:?}") };
    assert_eq!(invite, asked);
    b.reply(now, cancel, 200, &Reply::default()).unwrap();
    b.reply(now, invite, 487, &Reply::default()).unwrap();
    let [seen, _] = carry(now, &mut a, &mut b);
    assert!(seen.contains(&Out::Response(tx, 487)), "{seen:?}");
    assert_eq!(a.cancel(now, tx), Err(Error::Late));
    sleep(now, [&mut a, &mut b]);
    assert_quiet(&mut a);
    assert_quiet(&mut b);
}

/// RFC 3261 8.2.2.2.
#[test]
fn a_merged_request_is_told_apart() {
    let mut b = layer(2, &Limits::PHONE);
    let text = String::from_utf8(request("INVITE", 1)).unwrap();
    let by = |branch: &str| {
        text.replace("Max-", &format!("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{branch}\r\nMax-"))
    };
    b.receive(Instant(0), &to(1), by("one").as_bytes()).unwrap();
    b.receive(Instant(0), &to(1), by("two").as_bytes()).unwrap();
    let again = b.receive(Instant(0), &to(1), by("two").as_bytes());
    assert_eq!(again, Ok(Seen::Ignored(Ignored::Repeated)));
    let seen = poll(&mut b);
    assert!(matches!(seen[..], [Out::Request(..), Out::Merged(_)]), "{seen:?}");
}

/// A lost connection with far more transactions than the ring has places is worked off while the
/// caller polls, and nothing is forgotten.
#[test]
fn a_lost_flow_is_worked_off_through_a_ring_of_8() {
    let limits = Limits { transactions: 1_000, outputs: 8, ..Limits::TESTER };
    let mut a = layer(1, &limits);
    let now = Instant(0);
    for i in 0..1_000 {
        let method = if i % 2 == 0 { "INVITE" } else { "OPTIONS" };
        a.send_request(now, &over_tcp(2), &request(method, i)).unwrap();
        poll(&mut a);
    }
    assert_eq!(
        a.send_request(now, &over_tcp(2), &request("BYE", 0)),
        Err(Error::Full(Limit::Transactions))
    );
    let now = Instant(5);
    a.flow_closed(now, FLOW).unwrap();
    let mut told = Vec::new();
    while let Some(at) = a.next_timeout() {
        assert!(at <= now, "due at once, whatever the ring holds");
        let seen = poll(&mut a);
        assert!(seen.len() <= 8);
        told.extend(seen);
        a.handle_timeout(now).unwrap();
    }
    assert_eq!(told.len(), 1_000);
    assert!(told.iter().all(|o| matches!(o, Out::Failed(_, Failure::Transport))));
    assert_quiet(&mut a);
}

/// RFC 3261 21.5.4: a table full of transactions that still work refuses, and nothing else changes.
#[test]
fn a_full_table_answers_503() {
    let mut b = layer(2, &Limits { transactions: 2, ..Limits::PHONE });
    let now = Instant(0);
    for i in 0..3 {
        let text = String::from_utf8(request("INVITE", i)).unwrap();
        let via = format!("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{i}\r\nMax-");
        b.receive(now, &to(1), text.replace("Max-", &via).as_bytes()).unwrap();
    }
    let seen = poll(&mut b);
    let [Out::Request(..), Out::Request(..), Out::Sent(path, bytes)] = &seen[..] else {
        panic!("{seen:?}")
    };
    assert_eq!(*path, to(1));
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.starts_with("SIP/2.0 503 ") && text.contains("\r\nRetry-After: "), "{text}");
    assert_eq!(b.transactions().len(), 2);
}

/// What is no use is told with its reason, and leaves nothing.
#[test]
fn bad_input_is_named() {
    let mut b = layer(2, &Limits::PHONE);
    let now = Instant(0);
    let ok = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKno\r\nFrom: <sip:a@b>;tag=1\r\n\
        To: <sip:a@b>;tag=2\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n";
    for (bytes, why) in [
        (&b""[..], Ignored::KeepAlive),
        (b"\r\n\r\n", Ignored::KeepAlive),
        (&[0; 2_000], Ignored::NotSip),
        (ok.as_bytes(), Ignored::StrayResponse),
        (ok.replace("Via", "Vio").as_bytes(), Ignored::BadResponse),
        (b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", Ignored::Unanswerable),
    ] {
        assert_eq!(b.receive(now, &to(1), bytes), Ok(Seen::Ignored(why)));
    }
    assert_quiet(&mut b);
}

/// A full ring is back-pressure: nothing changes, and the same message is taken later.
#[test]
fn a_full_ring_refuses_until_it_is_polled() {
    let mut b = layer(2, &Limits { outputs: 8, ..Limits::PHONE });
    let now = Instant(0);
    let message = |i: u32| {
        let text = String::from_utf8(request("OPTIONS", i)).unwrap();
        let via = format!("Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK{i}\r\nMax-");
        text.replace("Max-", &via).into_bytes()
    };
    let mut i = 0;
    while b.receive(now, &to(1), &message(i)).is_ok() {
        i += 1;
    }
    let before = b.transactions().len();
    assert_eq!(b.receive(now, &to(1), &message(i)), Err(Error::Full(Limit::Outputs)));
    assert_eq!(b.transactions().len(), before);
    assert_eq!(b.next_timeout(), Some(now), "outputs wait");
    poll(&mut b);
    assert_eq!(b.receive(now, &to(1), &message(i)), Ok(Seen::Used));
}
