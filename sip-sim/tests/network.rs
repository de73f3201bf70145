//! What a link does to packets, and that one seed decides all of it.

use sansip::{Addr, Transport};
use sansip_sim::network::{Cut, Delivery, Link, Network, NodeId, StreamId};
use sansip_sim::trace::{Fate, Loss};

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);

const fn at(n: u8) -> Addr {
    Addr::v4(10, 0, 0, n, 5060)
}

fn net(link: Link) -> Network {
    let mut net = Network::new(3);
    net.bind(A, at(1));
    net.bind(B, at(2));
    net.set_default(link);
    net
}

/// Sends 10,000 datagrams, one a millisecond, that hold their number; gives back the numbers and
/// times in the order of their arrival.
fn send_many(net: &mut Network) -> Vec<(u64, u64)> {
    let mut arrived = Vec::new();
    for now in 0..20_000_u64 {
        if now < 10_000 {
            net.send(now, A, at(1), at(2), &now.to_be_bytes(), 0);
        }
        while let Some(delivery) = net.pop(now) {
            let Delivery::Datagram { node, bytes, from, to } = delivery else { panic!() };
            assert_eq!((node, from, to), (B, at(1), at(2)));
            arrived.push((u64::from_be_bytes(bytes[..].try_into().unwrap()), now));
        }
    }
    assert_eq!(net.flying(), 0);
    arrived
}

#[test]
fn a_perfect_link_delivers_everything_at_once_and_in_order() {
    let arrived = send_many(&mut net(Link::default()));
    assert_eq!(arrived, (0..10_000).map(|n| (n, n)).collect::<Vec<_>>());
}

#[test]
fn loss_and_duplication_keep_their_rates() {
    let mut net = net(Link { loss: 0.3, duplicate: 0.1, ..Link::default() });
    let mut arrived = send_many(&mut net);
    let all = arrived.len();
    arrived.dedup();
    let unique = arrived.len();
    // 10,000 * 0.7 and a tenth of those again, within 5 sigma.
    assert!((6_770..7_230).contains(&unique), "{unique}");
    assert!((560..840).contains(&(all - unique)), "{}", all - unique);
}

#[test]
fn jitter_reorders_within_its_bound() {
    let arrived = send_many(&mut net(Link { delay: 20, jitter: 50, ..Link::default() }));
    assert_eq!(arrived.len(), 10_000);
    assert!(arrived.iter().all(|(n, at)| (20..=70).contains(&(at - n))));
    assert!(arrived.windows(2).any(|w| w[0].0 > w[1].0), "nothing overtook anything");
}

#[test]
fn what_is_too_large_or_sent_in_the_dark_or_too_much_is_lost_and_recorded() {
    let mut net =
        net(Link { mtu: 100, blackouts: vec![10..15, 15..20], delay: 5, ..Link::default() });
    net.set_capacity(2);
    net.send(0, A, at(1), at(2), &[0; 101], 0);
    for now in [9, 10, 19] {
        net.send(now, A, at(1), at(2), &[0; 100], 0);
    }
    net.send(20, A, at(1), at(2), &[0; 100], 0);
    net.send(20, A, at(1), at(2), &[0; 100], 0);
    net.send(20, A, at(1), at(9), &[0; 100], 0);
    while net.pop(100).is_some() {}
    net.send(100, A, at(1), at(9), &[0; 100], 0);
    while net.pop(200).is_some() {}
    let fates: Vec<_> = net.trace.packets().map(|p| p.fate).collect();
    let lost = Fate::Lost;
    assert_eq!(
        fates,
        [
            lost(Loss::TooLarge),
            Fate::Delivered(14),
            lost(Loss::Blackout),
            lost(Loss::Blackout),
            Fate::Delivered(25),
            lost(Loss::Overflow),
            lost(Loss::Overflow),
            lost(Loss::Nobody),
        ]
    );
}

#[test]
fn a_sender_hears_that_nobody_is_there_if_the_network_tells() {
    let mut net = net(Link::default());
    net.set_icmp(true);
    net.send(0, A, at(1), at(9), b"x", 77);
    let told = net.pop(0);
    assert!(matches!(told, Some(Delivery::Unreachable { node: A, tag: 77 })), "{told:?}");
}

#[test]
fn one_seed_decides_everything() {
    let run = |seed| {
        let mut net = Network::new(seed);
        net.bind(B, at(2));
        net.set_default(Link { loss: 0.2, duplicate: 0.1, jitter: 30, ..Link::default() });
        send_many(&mut net);
        net.trace.hash()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn the_hash_sees_every_byte_time_and_fate_even_when_nothing_is_kept() {
    let hash = |bytes: &[u8], now, link: Link| {
        let mut net = net(link);
        net.trace.keep(0);
        net.send(now, A, at(1), at(2), bytes, 0);
        while net.pop(1_000).is_some() {}
        net.trace.hash()
    };
    let same = hash(b"abc", 1, Link::default());
    assert_eq!(same, hash(b"abc", 1, Link::default()));
    assert_ne!(same, hash(b"abd", 1, Link::default()));
    assert_ne!(same, hash(b"abc", 2, Link::default()));
    assert_ne!(same, hash(b"abc", 1, Link::slow(1)));
    assert_ne!(same, hash(b"abc", 1, Link::lossy(1.0)));
}

fn connected(net: &mut Network) -> StreamId {
    let stream = net.connect(0, A, Addr { port: 0, ..at(1) }, at(2), Transport::Tcp);
    let first = net.pop(1_000);
    assert!(matches!(first, Some(Delivery::Accepted { node: B, .. })), "{first:?}");
    let second = net.pop(1_000);
    assert!(matches!(second, Some(Delivery::Connected { node: A, .. })), "{second:?}");
    stream
}

/// All bytes that arrive at `node`, and how many pieces they came in.
fn drain(net: &mut Network, node: NodeId) -> (Vec<u8>, usize) {
    let (mut all, mut pieces) = (Vec::new(), 0);
    while let Some(delivery) = net.pop(u64::MAX / 2) {
        if let Delivery::Bytes { node: n, bytes, .. } = delivery {
            assert_eq!(n, node);
            all.extend_from_slice(&bytes);
            pieces += 1;
        }
    }
    (all, pieces)
}

#[test]
fn a_stream_keeps_order_whatever_the_link_does_and_however_it_is_cut() {
    for (cut, least) in [(Cut::Whole, 50), (Cut::Every(7), 700), (Cut::Random, 60)] {
        let mut net =
            net(Link { loss: 0.3, delay: 10, jitter: 400, cut, duplicate: 0.5, ..Link::default() });
        let stream = connected(&mut net);
        let mut sent = Vec::new();
        for i in 0..50_u8 {
            let write = vec![i; 100];
            net.write(1_000 + u64::from(i), A, stream, &write);
            sent.extend_from_slice(&write);
        }
        let (got, pieces) = drain(&mut net, B);
        assert_eq!(got, sent);
        assert!(pieces >= least, "{cut:?}: {pieces}");
        assert!(net.trace.packets().all(|p| matches!(p.fate, Fate::Delivered(_))));
    }
}

#[test]
fn a_stream_ends_after_its_last_byte_or_at_once_by_a_reset() {
    let ended = |net: &mut Network| loop {
        match net.pop(u64::MAX / 2) {
            Some(Delivery::Ended { node: B, reset, .. }) => break Some(reset),
            Some(Delivery::Bytes { .. }) => {}
            other => panic!("{other:?}"),
        }
    };
    let mut gentle = net(Link::slow(10));
    let stream = connected(&mut gentle);
    gentle.write(1_000, A, stream, b"last words");
    gentle.end(1_000, A, stream, false);
    gentle.write(1_001, A, stream, b"too late");
    assert_eq!(ended(&mut gentle), Some(false));
    let fates: Vec<_> = gentle.trace.packets().map(|p| p.fate).collect();
    assert_eq!(fates, [Fate::Delivered(1_010), Fate::Lost(Loss::Ended)]);

    let mut harsh = net(Link::slow(10));
    let stream = connected(&mut harsh);
    harsh.write(1_000, A, stream, b"last words");
    harsh.end(1_000, A, stream, true);
    assert_eq!(ended(&mut harsh), Some(true));
    let fates: Vec<_> = harsh.trace.packets().map(|p| p.fate).collect();
    assert_eq!(fates, [Fate::Lost(Loss::Ended)]);
}

#[test]
fn a_stream_to_nobody_is_refused_and_a_killed_node_resets_its_streams() {
    let mut net = net(Link::default());
    net.connect(0, A, at(1), at(9), Transport::Tcp);
    assert!(matches!(net.pop(0), Some(Delivery::Refused { node: A, .. })));
    let stream = connected(&mut net);
    net.kill(2_000, B);
    let told = net.pop(2_000);
    assert!(
        matches!(told, Some(Delivery::Ended { node: A, stream: s, reset: true }) if s == stream),
        "{told:?}"
    );
    assert!(net.home(at(2)).is_none());
}
