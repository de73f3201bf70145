//! What two descriptions amount to.

use super::answer::numeric;
use super::attribute::Direction;
use super::description::{MediaSection, MediaSections, split};
use super::format::Formats;
use super::line::Connection;
use super::media::{Kind, is_rtp};
use super::section::Defaults;
use core::net::IpAddr;

/// The two descriptions of a session, whichever was the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed<'a> {
    /// Ours.
    pub local: &'a [u8],
    /// The other side's.
    pub remote: &'a [u8],
}

impl<'a> Agreed<'a> {
    /// The streams, in the order of the `m=` lines.
    #[must_use]
    pub fn streams(&self) -> AgreedStreams<'a> {
        let (local_session, local) = split(self.local);
        let (remote_session, remote) = split(self.remote);
        let (ours, theirs) = (Defaults::of(&local_session), Defaults::of(&remote_session));
        AgreedStreams { ours, local, theirs, remote }
    }
}

/// Iterates over the streams of a session.
#[derive(Clone, Copy, Debug)]
pub struct AgreedStreams<'a> {
    ours: Defaults<'a>,
    local: MediaSections<'a>,
    theirs: Defaults<'a>,
    remote: MediaSections<'a>,
}

impl<'a> Iterator for AgreedStreams<'a> {
    type Item = AgreedStream<'a>;

    fn next(&mut self) -> Option<AgreedStream<'a>> {
        let local = Side::of(self.local.next()?, &self.ours);
        let remote = Side::of(self.remote.next()?, &self.theirs);
        Some(AgreedStream::of(local, remote))
    }
}

/// One side of a stream.
#[derive(Clone, Copy)]
struct Side<'a> {
    media: MediaSection<'a>,
    connection: Option<Connection<'a>>,
    direction: Direction,
}

impl<'a> Side<'a> {
    fn of(media: MediaSection<'a>, defaults: &Defaults<'a>) -> Self {
        let (connection, direction) = (defaults.connection(&media), defaults.direction(&media));
        Self { media, connection, direction }
    }

    fn nowhere(&self) -> bool {
        self.connection.is_some_and(|c| c.is_unspecified())
    }

    /// Whether media sent to it arrives.
    fn receives(&self) -> bool {
        self.direction.receives() && !self.nowhere()
    }

    fn attribute(&self, name: &[u8]) -> &'a str {
        text(self.media.section.attribute(name).unwrap_or_default())
    }
}

fn text(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// One stream as both sides have it. Texts that are not UTF-8 are empty.
#[derive(Clone, Copy)]
pub struct AgreedStream<'a> {
    /// What it carries; ours, where the two differ.
    pub kind: Kind,
    /// Whether either side has port 0: nothing flows, and the rest means nothing.
    pub refused: bool,
    /// What we do now: we send where we may and they receive, and the other way round.
    pub direction: Direction,
    /// Whether the other side receives nothing from us: it says `sendonly` or `inactive` or has no
    /// address. Where both say `inactive`, the texts do not tell who began.
    pub held_by_peer: bool,
    /// Whether we receive nothing: the same seen from the other side.
    pub held_by_us: bool,
    /// Where we receive.
    pub local_port: u16,
    /// Where they receive; `None` for a name, or no address.
    pub remote: Option<(IpAddr, u16)>,
    /// Their address or name as they wrote it.
    pub remote_host: &'a str,
    /// Their port.
    pub remote_port: u16,
    /// The transport.
    pub transport: &'a str,
    /// Value of our `a=crypto`, with the key for what we send; empty where it is not encrypted.
    pub local_crypto: &'a str,
    /// Value of theirs, with the key for what they send; empty where it is not encrypted.
    pub remote_crypto: &'a str,
    /// Kilobits a second that they want at most, `b=AS` of the stream; 0 where nothing is said.
    pub remote_bandwidth: u32,
    /// Milliseconds of sound that they would like in a packet; 0 where nothing is said.
    pub remote_ptime: u16,
    local_side: Side<'a>,
    remote_side: Side<'a>,
}

impl core::fmt::Debug for AgreedStream<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("AgreedStream")
            .field("kind", &self.kind)
            .field("refused", &self.refused)
            .field("direction", &self.direction)
            .field("held_by_peer", &self.held_by_peer)
            .field("held_by_us", &self.held_by_us)
            .field("local_port", &self.local_port)
            .field("remote_host", &self.remote_host)
            .field("remote_port", &self.remote_port)
            .field("transport", &self.transport)
            .field("encrypted", &!self.local_crypto.is_empty())
            .finish_non_exhaustive()
    }
}

impl<'a> AgreedStream<'a> {
    fn of(local: Side<'a>, remote: Side<'a>) -> Self {
        let (ours, theirs) = (local.media.line, remote.media.line);
        let refused = ours.port == 0 || theirs.port == 0;
        let sends = !refused && local.direction.sends() && remote.receives();
        let receives = !refused && remote.direction.sends() && local.receives();
        let keyed = is_rtp(theirs.proto)
            && [&local, &remote].iter().all(|s| s.media.section.crypto().next().is_some());
        let crypto = |side: &Side<'a>| if keyed { side.attribute(b"crypto") } else { "" };
        let host = remote.connection.map_or(&[][..], |c| c.address);
        let address = remote.connection.filter(|c| !c.is_unspecified()).and_then(|c| numeric(&c));
        let bandwidth = remote.media.section.bandwidths().find(|b| b.modifier == b"AS");
        let ptime = remote.media.section.ptime_us().map_or(0, |us| us / 1_000);
        Self {
            kind: Kind::of(ours.kind),
            refused,
            direction: Direction::flow(sends, receives),
            held_by_peer: !refused && !remote.receives(),
            held_by_us: !refused && !local.receives(),
            local_port: ours.port,
            remote: address.filter(|_| theirs.port > 0).map(|a| (a, theirs.port)),
            remote_host: text(host),
            remote_port: theirs.port,
            transport: text(theirs.proto),
            local_crypto: crypto(&local),
            remote_crypto: crypto(&remote),
            remote_bandwidth: bandwidth.map_or(0, |b| u32::try_from(b.value).unwrap_or(u32::MAX)),
            remote_ptime: u16::try_from(ptime).unwrap_or(u16::MAX),
            local_side: local,
            remote_side: remote,
        }
    }

    /// Whether media is encrypted with keys from the descriptions (RFC 4568).
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        !self.local_crypto.is_empty()
    }

    /// The codecs that both sides have, in the order of the other side, the first to be used for
    /// sending (RFC 3264 sections 6.1 and 7). None where the stream is refused.
    #[must_use]
    pub fn codecs(&self) -> AgreedCodecs<'a> {
        AgreedCodecs {
            local: Formats::of(&self.local_side.media),
            remote: Formats::of(&self.remote_side.media),
            next: if self.refused { usize::MAX } else { 0 },
        }
    }
}

/// A codec that both sides have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AgreedCodec<'a> {
    /// Encoding name, or the format itself where the transport is not RTP.
    pub name: &'a str,
    /// Clock rate in hertz.
    pub clock: u32,
    /// Channels.
    pub channels: u8,
    /// The payload type that we send: theirs.
    pub send_payload: u8,
    /// The payload type that we receive: ours.
    pub receive_payload: u8,
    /// Their parameters; empty where they give none.
    pub fmtp_remote: &'a str,
}

/// Iterates over the codecs of a stream.
#[derive(Clone, Copy)]
pub struct AgreedCodecs<'a> {
    local: Formats<'a>,
    remote: Formats<'a>,
    next: usize,
}

impl<'a> Iterator for AgreedCodecs<'a> {
    type Item = AgreedCodec<'a>;

    fn next(&mut self) -> Option<AgreedCodec<'a>> {
        let mut formats = self.remote.iter().enumerate().skip(self.next);
        let (at, theirs, ours) = formats.find_map(|(at, f)| Some((at, f, self.local.find(&f)?)))?;
        self.next = at.saturating_add(1);
        Some(AgreedCodec {
            name: text(theirs.name),
            clock: theirs.clock,
            channels: theirs.channels,
            send_payload: theirs.payload,
            receive_payload: ours.payload,
            fmtp_remote: text(theirs.fmtp),
        })
    }
}
