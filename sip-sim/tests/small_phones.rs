//! The documented flows with each phone in an engine as small as the presets are: 24 KB with one
//! line and two calls, and 64 KB.

#[path = "support/cast.rs"]
mod cast;
#[path = "support/mod.rs"]
mod support;

use std::net::{IpAddr, Ipv4Addr};

use sansip::sdp::{Codec, Direction, Kind, Media, Stream};
use sansip::{Limits, footprint};
use sansip_sim::flow::{FLOWS, Flow, Role};
use sansip_sim::judge::Recorded;
use sansip_sim::network::{Link, NodeId};
use sansip_sim::world::World;

const fn codec(payload: u8, name: &'static str, fmtp: &'static str) -> Codec<'static> {
    Codec { payload, name, clock: 8_000, channels: 1, fmtp }
}

const AUDIO: Stream<'static> = Stream {
    kind: Kind::Audio,
    port: 4_000,
    transport: "",
    codecs: &[
        codec(8, "PCMA", ""),
        codec(0, "PCMU", ""),
        codec(9, "G722", ""),
        codec(101, "telephone-event", "0-15"),
    ],
    direction: Direction::SendRecv,
    bandwidth: 0,
    ptime: 20,
    crypto: "",
};

/// What a desk phone offers.
const DESK: Media<'static> =
    Media { address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), streams: &[AUDIO], bandwidth: 0 };

/// Two streams, and a key for the first.
const KEYED: Media<'static> = Media {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    streams: &[
        Stream {
            transport: "RTP/SAVP",
            crypto: "1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            ..AUDIO
        },
        Stream {
            kind: Kind::Video,
            port: 4_002,
            codecs: &[Codec {
                payload: 97,
                name: "H264",
                clock: 90_000,
                channels: 1,
                fmtp: "profile-level-id=42e01f;packetization-mode=1",
            }],
            ptime: 0,
            ..AUDIO
        },
    ],
    bandwidth: 0,
};

fn judge(flow: &Flow, w: &World, cast: &[(Role, NodeId)]) {
    let role = |node: NodeId| cast.iter().find(|(_, n)| *n == node).unwrap().0;
    let begin = w.net.trace.packets().next().map_or(0, |p| p.sent);
    let record: Vec<_> = w
        .net
        .trace
        .packets()
        .map(|p| Recorded {
            time_ms: p.sent - begin,
            from: role(p.from_node),
            to: role(p.to_node.unwrap()),
            bytes: &p.bytes,
        })
        .collect();
    let judgement = flow.judge(&record);
    assert!(judgement.passed(), "{judgement}\n{}", w.ladder());
}

/// Everybody hangs up: nothing is left, and there was room for whatever came.
fn end(w: &mut World, flow: &Flow, cast: &[(Role, NodeId)]) {
    for (_, node) in cast.iter().filter(|(role, _)| *role != Role::P) {
        for call in ["1", "2", "3"] {
            let _ = w.act(*node, |app, io| app.on_verb(io, &["hangup", call]));
            w.run_for(100);
        }
    }
    w.run_for(240_000);
    cast.iter().for_each(|(role, node)| cast::is_bare(w, flow, *role, *node));
}

fn run_all(limits: &Limits, media: &'static Media<'static>) {
    for flow in FLOWS {
        let mut w = World::new(11);
        w.net.set_default(Link::slow(3));
        let cast = cast::add_sized(&mut w, flow, |_| true, limits, Some(media));
        cast::play(&mut w, flow, &cast, 500);
        let cast: Vec<_> = cast.iter().map(|c| (c.0, c.1)).collect();
        if flow.name == "conference" {
            w.act(cast[1].1, |app, io| app.on_verb(io, &["resume", "1"])).unwrap();
            w.run_for(500);
        }
        judge(flow, &w, &cast);
        end(&mut w, flow, &cast);
    }
}

#[test]
fn every_flow_runs_in_24_kb() {
    assert!(footprint(&Limits::TINY) <= 24 * 1024, "{}", footprint(&Limits::TINY));
    assert_eq!((Limits::TINY.lines, Limits::TINY.calls), (1, 2));
    run_all(&Limits::TINY, &DESK);
}

#[test]
fn every_flow_runs_in_64_kb() {
    assert!(footprint(&Limits::PHONE) <= 64 * 1024, "{}", footprint(&Limits::PHONE));
    run_all(&Limits::PHONE, &DESK);
}

#[test]
fn every_flow_runs_in_64_kb_with_two_streams_and_a_key() {
    run_all(&Limits::PHONE, &KEYED);
}

#[test]
fn every_flow_runs_in_24_kb_with_two_streams_and_a_key() {
    run_all(&Limits::TINY, &KEYED);
}

/// At once, while what lingers of the ones before it fills the tables, and after that has gone.
#[test]
fn a_call_is_held_and_resumed_in_24_kb() {
    for media in [&DESK, &KEYED] {
        for (pause, times) in [(50, 50), (500, 50), (8_000, 9), (40_000, 9)] {
            let flow = FLOWS.iter().find(|f| f.name == "hold").unwrap();
            let mut w = World::new(11);
            w.net.set_default(Link::slow(3));
            let cast = cast::add_sized(&mut w, flow, |_| true, &Limits::TINY, Some(media));
            cast::play(&mut w, flow, &cast, 500);
            let cast: Vec<_> = cast.iter().map(|c| (c.0, c.1)).collect();
            for verb in ["resume", "hold"].iter().cycle().take(times) {
                w.run_for(pause);
                w.act(cast[1].1, |app, io| app.on_verb(io, &[verb])).unwrap();
            }
            w.run_for(pause);
            end(&mut w, flow, &cast);
        }
    }
}
