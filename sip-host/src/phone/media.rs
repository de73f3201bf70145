//! The media that the phone says it has, and what was negotiated about it. It sends and hears none.

use std::net::{IpAddr, Ipv4Addr};

use sansip::Extras;
use sansip::sdp::{Agreed, AgreedStream, Codec, Direction, Kind, Media, Stream};
use serde_json::{Map, Value, json};

use crate::listen::Usage;

/// A codec that `--codec` knows: payload type, name, clock rate, parameters.
type Known = (u8, &'static str, u32, &'static str);

/// The codecs by name (RFC 3551 section 6; dynamic payload types are ours to choose).
const KNOWN: [Known; 7] = [
    (0, "PCMU", 8_000, ""),
    (8, "PCMA", 8_000, ""),
    (9, "G722", 8_000, ""),
    (18, "G729", 8_000, "annexb=no"),
    (3, "GSM", 8_000, ""),
    (96, "opus", 48_000, ""),
    (101, "telephone-event", 8_000, "0-16"),
];

/// What the phone has.
#[derive(Clone, Debug)]
pub struct OwnMedia {
    address: IpAddr,
    port: u16,
    codecs: Vec<Codec<'static>>,
}

impl Default for OwnMedia {
    fn default() -> Self {
        let codecs = ["PCMU", "PCMA", "telephone-event"].iter().filter_map(|n| codec(n)).collect();
        Self { address: Ipv4Addr::LOCALHOST.into(), port: 9, codecs }
    }
}

fn codec(name: &str) -> Option<Codec<'static>> {
    let found = KNOWN.iter().find(|(_, known, ..)| known.eq_ignore_ascii_case(name));
    let (payload, name, clock, fmtp) = *found?;
    // RFC 7587 section 7: opus is always named with two channels.
    let channels = if name == "opus" { 2 } else { 1 };
    Some(Codec { payload, name, clock, channels, fmtp })
}

impl OwnMedia {
    /// Media received at this address, with these codecs in order of preference; none: PCMU, PCMA
    /// and telephone-event.
    ///
    /// # Errors
    /// A codec that is not known.
    pub fn new(address: IpAddr, port: u16, codecs: &[String]) -> Result<Self, Usage> {
        let mut own = Self { address, port, ..Self::default() };
        let read = |name: &String| {
            codec(name).ok_or_else(|| {
                let known: Vec<&str> = KNOWN.iter().map(|(_, name, ..)| *name).collect();
                Usage::new("--codec", name, format!("not one of {}", known.join(", ")))
            })
        };
        if !codecs.is_empty() {
            own.codecs = codecs.iter().map(read).collect::<Result<_, _>>()?;
        }
        Ok(own)
    }

    /// Shows them as the engine wants them.
    pub fn lend<T>(&self, to: impl FnOnce(&Media<'_>) -> T) -> T {
        let stream = Stream {
            kind: Kind::Audio,
            port: self.port,
            transport: "",
            codecs: &self.codecs,
            direction: Direction::SendRecv,
            bandwidth: 0,
            ptime: 0,
            crypto: "",
        };
        to(&Media { address: self.address, streams: &[stream], bandwidth: 0 })
    }

    /// Gives them to a verb.
    pub fn extras<T>(&self, to: impl FnOnce(Extras<'_>) -> T) -> T {
        self.lend(|media| to(Extras { media: Some(media), ..Extras::default() }))
    }

    /// For people: `127.0.0.1:4000 PCMU PCMA`.
    #[must_use]
    pub fn text(&self) -> String {
        let names: Vec<&str> = self.codecs.iter().map(|c| c.name).collect();
        format!("{}: {}", place(self.address, self.port), names.join(", "))
    }
}

fn place(address: IpAddr, port: u16) -> String {
    std::net::SocketAddr::new(address, port).to_string()
}

/// What was negotiated for a call.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Negotiated {
    /// The direction of the first stream as we have it: `sendrecv` and so on; `none` if refused.
    pub direction: String,
    /// Its first codec.
    pub codec: String,
    /// All its codecs.
    pub codecs: String,
    /// Where its media goes.
    pub remote: String,
    /// Who holds: `no`, `local`, `remote` or `both`.
    pub held: &'static str,
    /// What follows, for people.
    pub text: String,
}

impl Negotiated {
    /// Reads both descriptions.
    #[must_use]
    pub fn of(agreed: &Agreed<'_>) -> Self {
        let streams: Vec<AgreedStream<'_>> = agreed.streams().collect();
        let text: Vec<String> = streams.iter().map(stream_text).collect();
        let Some(first) = streams.first() else {
            return Self {
                direction: "none".into(),
                held: "no",
                text: "no media".into(),
                ..Self::default()
            };
        };
        let names: Vec<&str> = first.codecs().map(|c| c.name).collect();
        Self {
            direction: if first.refused { "none" } else { first.direction.name() }.to_owned(),
            codec: names.first().copied().unwrap_or_default().to_owned(),
            codecs: names.join(" "),
            remote: first.remote.map_or(String::new(), |(a, port)| place(a, port)),
            held: held(first),
            text: text.join("; "),
        }
    }

    /// Its fields by name.
    #[must_use]
    pub fn fields(&self) -> Map<String, Value> {
        let list = [
            ("direction", json!(self.direction)),
            ("codec", json!(self.codec)),
            ("codecs", json!(self.codecs)),
            ("remote", json!(self.remote)),
            ("held", json!(self.held)),
        ];
        list.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn held(stream: &AgreedStream<'_>) -> &'static str {
    match (stream.held_by_us, stream.held_by_peer) {
        (false, false) => "no",
        (true, false) => "local",
        (false, true) => "remote",
        (true, true) => "both",
    }
}

/// `audio PCMU, both ways, to 127.0.0.1:6080`.
fn stream_text(stream: &AgreedStream<'_>) -> String {
    let kind = stream.kind.name();
    if stream.refused {
        return format!("{kind} refused");
    }
    let codecs: Vec<&str> = stream.codecs().map(|c| c.name).collect();
    let way = match (held(stream), stream.direction) {
        ("local", _) => "held by you",
        ("remote", _) => "held by them",
        ("both", _) => "held by both",
        (_, Direction::SendRecv) => "both ways",
        (_, Direction::SendOnly) => "only sending",
        (_, Direction::RecvOnly) => "only receiving",
        (_, Direction::Inactive) => "neither way",
    };
    let locked = if stream.is_encrypted() { ", encrypted" } else { "" };
    let to = stream.remote.map_or(String::new(), |(a, port)| format!(", to {}", place(a, port)));
    format!("{kind} {}, {way}{to}{locked}", codecs.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sdp(direction: &str, payloads: &str) -> Vec<u8> {
        format!(
            "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
             m=audio 4000 RTP/AVP {payloads}\r\na={direction}\r\n"
        )
        .into_bytes()
    }

    fn of(local: &str, remote: &str) -> Negotiated {
        let (local, remote) = (sdp(local, "0 8"), sdp(remote, "8 3"));
        Negotiated::of(&Agreed { local: &local, remote: &remote })
    }

    #[test]
    fn what_was_negotiated_is_said_from_our_side() {
        let n = of("sendrecv", "sendrecv");
        assert_eq!((n.codec.as_str(), n.direction.as_str(), n.held), ("PCMA", "sendrecv", "no"));
        assert_eq!(n.text, "audio PCMA, both ways, to 127.0.0.2:4000");
        let n = of("sendonly", "recvonly");
        assert_eq!((n.direction.as_str(), n.held), ("sendonly", "local"));
        let n = of("recvonly", "sendonly");
        assert_eq!((n.direction.as_str(), n.held), ("recvonly", "remote"));
        assert!(n.text.contains("held by them"), "{}", n.text);
        assert_eq!(of("inactive", "inactive").held, "both");
    }

    #[test]
    fn a_codec_is_known_by_its_name() {
        let at = "127.0.0.1".parse().unwrap();
        let own = OwnMedia::new(at, 4_000, &["pcma".into(), "OPUS".into()]).unwrap();
        assert_eq!(own.text(), "127.0.0.1:4000: PCMA, opus");
        let wrong = OwnMedia::new(at, 4_000, &["mp3".into()]).unwrap_err().to_string();
        assert!(wrong.starts_with("--codec mp3: not one of PCMU, PCMA"), "{wrong}");
        let mut out = [0; 1_000];
        assert!(own.lend(|media| sansip::sdp::profile(media, &mut out)).is_ok());
    }
}
