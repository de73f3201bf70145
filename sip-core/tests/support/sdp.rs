//! Descriptions in scenario tests: media made from a description, and what of a description counts.
#![allow(dead_code)]

use sansip::sdp::{
    Agreed, Codec, Description, Direction, Hold, Kind, Media, MediaSlot, Origin, Refusal,
    SdpLimits, Stream, answer, offer, profile, reoffer,
};
use std::net::{IpAddr, Ipv4Addr};

fn keep(bytes: &[u8]) -> &'static str {
    Box::leak(String::from_utf8(bytes.to_vec()).unwrap().into_boxed_str())
}

/// Media that an application would give to end up with this description: its streams with a port.
pub fn profile_of(description: &str) -> Vec<u8> {
    let mut slots = [MediaSlot::default(); 64];
    let limits = SdpLimits::default();
    let d = Description::parse(description.as_bytes(), &mut slots, &limits).unwrap();
    let mut streams = vec![];
    for m in d.media().filter(|m| m.line.port > 0) {
        let codecs: Vec<Codec<'static>> = m
            .line
            .formats
            .map(|format| {
                let payload: u8 = std::str::from_utf8(format).unwrap().parse().unwrap();
                let map = m.section.rtpmap(payload);
                let (name, clock, channels) = match (map, payload) {
                    (Some(map), _) => (keep(map.encoding), map.clock_rate, map.channels().unwrap()),
                    (None, 0) => ("PCMU", 8_000, 1),
                    (None, 4) => ("G723", 8_000, 1),
                    (None, 8) => ("PCMA", 8_000, 1),
                    (None, 31) => ("H261", 90_000, 1),
                    (None, other) => panic!("no map of {other}"),
                };
                let fmtp = m.section.fmtp(format).map_or("", |f| keep(f.params));
                Codec { payload, name, clock, channels, fmtp }
            })
            .collect();
        streams.push(Stream {
            kind: Kind::of(m.line.kind),
            port: m.line.port,
            transport: keep(m.line.proto),
            codecs: codecs.leak(),
            direction: d.direction(&m),
            bandwidth: 0,
            ptime: 0,
            crypto: m.section.crypto().next().map_or("", keep),
        });
    }
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    written(&Media { address, streams: &streams, bandwidth: 0 })
}

/// What an answerer has: `kind port transport direction codec,codec & ...`, a codec being
/// `number/name/clock` and what follows `?` its parameters, what follows `|` a key.
pub fn made_of(streams: &str) -> Vec<u8> {
    let mut text = String::from("v=0\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n");
    for stream in streams.split(" & ").filter(|s| !s.is_empty()) {
        let (stream, key) = stream.split_once('|').unwrap_or((stream, ""));
        let mut words = stream.split_whitespace();
        let mut word = || words.next().unwrap();
        let (kind, port, transport, direction) = (word(), word(), word(), word());
        let codecs: Vec<_> = word().split(',').map(|c| c.split_once('/').unwrap()).collect();
        let numbers: Vec<_> = codecs.iter().map(|c| c.0).collect();
        text += &format!("m={kind} {port} {transport} {}\r\n", numbers.join(" "));
        for (number, codec) in &codecs {
            let (codec, fmtp) = codec.split_once('?').unwrap_or((codec, ""));
            text += &format!("a=rtpmap:{number} {codec}\r\n");
            if !fmtp.is_empty() {
                text += &format!("a=fmtp:{number} {fmtp}\r\n");
            }
        }
        if !key.is_empty() {
            text += &format!("a=crypto:{key}\r\n");
        }
        text += &format!("a={direction}\r\n");
    }
    text.into_bytes()
}

/// The profile of what [`made_of`] describes.
pub fn profile_with(streams: &str) -> Vec<u8> {
    profile_of(std::str::from_utf8(&made_of(streams)).unwrap())
}

/// The profile of media.
pub fn written(media: &Media<'_>) -> Vec<u8> {
    let mut out = vec![0; 8192];
    let len = profile(media, &mut out).unwrap();
    out.truncate(len);
    out
}

/// What of a stream two equivalent descriptions have in common.
#[derive(Debug, PartialEq, Eq)]
pub struct Essence {
    pub kind: String,
    pub port: u16,
    pub transport: String,
    pub formats: Vec<String>,
    pub codecs: Vec<(u8, String, u32)>,
    pub direction: Direction,
}

/// The streams of a description; one with port 0 has no formats and no direction.
pub fn essence(description: &[u8]) -> Vec<Essence> {
    let mut slots = [MediaSlot::default(); 64];
    let d = Description::parse(description, &mut slots, &SdpLimits::default()).unwrap();
    let text = |b: &[u8]| String::from_utf8(b.to_vec()).unwrap();
    d.media()
        .map(|m| {
            let live = m.line.port > 0;
            let maps = m.section.rtpmaps().filter(|_| live);
            Essence {
                kind: text(m.line.kind),
                port: m.line.port,
                transport: text(m.line.proto),
                formats: m.line.formats.filter(|_| live).map(text).collect(),
                codecs: maps.map(|r| (r.payload, text(r.encoding), r.clock_rate)).collect(),
                direction: if live { d.direction(&m) } else { Direction::Inactive },
            }
        })
        .collect()
}

pub type Previous<'a> = Option<(&'a [u8], &'a [u8])>;

pub const ORIGIN: Origin = Origin { id: 7, version: 1 };

pub fn offered(profile: &[u8], previous: Previous<'_>, hold: Hold) -> Vec<u8> {
    let mut out = vec![0; 8192];
    let len = offer(profile, previous, ORIGIN, hold, &mut out).unwrap();
    out.truncate(len);
    out
}

pub fn reoffered(profile: &[u8], previous: (&[u8], &[u8]), hold: Hold) -> Vec<u8> {
    let mut out = vec![0; 8192];
    let len = reoffer(profile, previous, ORIGIN, hold, &mut out).unwrap();
    out.truncate(len);
    out
}

pub fn answered(
    profile: &[u8],
    offer: &[u8],
    previous: Previous<'_>,
    hold: Hold,
) -> Result<Vec<u8>, Refusal> {
    let mut out = vec![0; 8192];
    let len = answer(profile, offer, previous, ORIGIN, hold, &mut out)?;
    out.truncate(len);
    Ok(out)
}

/// What we do with each stream, and who holds it: the peer, we.
pub fn flows(local: &[u8], remote: &[u8]) -> Vec<(Direction, bool, bool)> {
    let streams = Agreed { local, remote }.streams();
    streams.map(|s| (s.direction, s.held_by_peer, s.held_by_us)).collect()
}
