//! What an application says about its media, and the profile made of it.

use super::attribute::Direction;
use super::crypto::Crypto;
use super::error::SdpError;
use super::format::{Format, MAX_CODECS, static_codec};
use super::write::{SdpWriteError, SdpWriter};
use core::fmt::Write as _;
use core::net::IpAddr;

/// Streams of one session: as many as [`SdpLimits`](super::SdpLimits) lets a description have.
pub(super) const MAX_STREAMS: usize = 64;

/// What a stream carries (RFC 8866 section 5.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// Text in real time (RFC 4103).
    Text,
    /// Data of an application.
    Application,
    /// Messages (RFC 4975).
    Message,
    /// Pictures, as of a fax (RFC 3362).
    Image,
    /// A type that is none of these. Found in descriptions of others; nothing of ours has it.
    Other,
}

impl Kind {
    const ALL: [Self; 6] =
        [Self::Audio, Self::Video, Self::Text, Self::Application, Self::Message, Self::Image];

    /// The name in an `m=` line; `other` for [`Kind::Other`].
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Text => "text",
            Self::Application => "application",
            Self::Message => "message",
            Self::Image => "image",
            Self::Other => "other",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        let found = Self::ALL.into_iter().find(|k| k.name().as_bytes().eq_ignore_ascii_case(name));
        found.unwrap_or(Self::Other)
    }
}

/// How we hold the other side (RFC 3264 section 8.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Hold {
    /// Not at all.
    #[default]
    No,
    /// We may send (music, say) and do not receive; `inactive` while the other side holds us too.
    SendOnly,
    /// Neither way.
    Inactive,
    /// As [`Hold::SendOnly`], and with the address `0.0.0.0` (`::` for IPv6) that old peers expect
    /// (RFC 2543 section B.5).
    Zero,
}

/// The numbers of an `o=` line (RFC 8866 section 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// Session id: stays the same for the session.
    pub id: u64,
    /// Session version: one more with each changed description (RFC 3264 section 8).
    pub version: u64,
}

/// All the media that a call can have on our side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media<'a> {
    /// Where we receive.
    pub address: IpAddr,
    /// The streams, at most 64. None is a call without media.
    pub streams: &'a [Stream<'a>],
    /// `b=AS` of the session in kilobits a second; 0 writes none.
    pub bandwidth: u32,
}

/// One stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stream<'a> {
    /// What it carries.
    pub kind: Kind,
    /// Where we receive, not 0. Its number tells the stream from others of its kind as long as it
    /// lives.
    pub port: u16,
    /// `RTP/AVP`, `RTP/SAVP`, `udptl`, `TCP/MSRP` or another; empty for `RTP/AVP`.
    pub transport: &'a str,
    /// What it can carry, in order of preference; 1 to 32.
    pub codecs: &'a [Codec<'a>],
    /// What we want to do with it.
    pub direction: Direction,
    /// `b=AS` in kilobits a second; 0 writes none.
    pub bandwidth: u32,
    /// Milliseconds of sound that we would like in a packet; 0 writes none.
    pub ptime: u16,
    /// The value of an `a=crypto` attribute with our key (RFC 4568 section 9.1); empty for none.
    ///
    /// With a transport of `RTP/SAVP` the stream is always encrypted. With `RTP/AVP` it is where
    /// the other side can: the key is offered, and `RTP/SAVP` is answered.
    pub crypto: &'a str,
}

impl core::fmt::Debug for Stream<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stream")
            .field("kind", &self.kind)
            .field("port", &self.port)
            .field("transport", &self.transport)
            .field("codecs", &self.codecs)
            .field("direction", &self.direction)
            .field("bandwidth", &self.bandwidth)
            .field("ptime", &self.ptime)
            .field("crypto", &if self.crypto.is_empty() { "none" } else { "not shown" })
            .finish()
    }
}

/// One format of a stream. `telephone-event` (RFC 4733) is a codec like any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Codec<'a> {
    /// Payload type, 0 to 127; unused where the transport is not RTP.
    pub payload: u8,
    /// Encoding name; where the transport is not RTP, the format as it stands in the `m=` line.
    pub name: &'a str,
    /// Clock rate in hertz; unused where the transport is not RTP.
    pub clock: u32,
    /// Channels; 0 and 1 write none.
    pub channels: u8,
    /// Its parameters, the value of `a=fmtp` after the format; empty writes none.
    pub fmtp: &'a str,
}

/// What is wrong with media, or with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MediaError {
    /// A description cannot be read.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// The buffer is too short.
    #[error("no room for the description (local limit)")]
    NoRoom,
    /// A text holds NUL, CR, LF, or a space or nothing where a word is meant.
    #[error("not a value of its own (RFC 8866 9)")]
    BadValue,
    /// More than 64 streams.
    #[error("too many streams (local limit)")]
    TooManyStreams,
    /// A stream without a codec, or with more than 32.
    #[error("no codec, or too many (RFC 8866 5.14)")]
    Codecs,
    /// A stream of [`Kind::Other`].
    #[error("no media type (RFC 8866 5.14)")]
    BadKind,
    /// Port 0.
    #[error("port 0 is a refused stream (RFC 3264 5.1)")]
    BadPort,
    /// A payload type above 127, used twice in a stream, a static one for another codec, or one
    /// that parameters speak of and no codec has.
    #[error("payload type out of range or of another codec (RFC 3551 6)")]
    BadPayload,
    /// A clock rate of 0.
    #[error("no clock rate (RFC 8866 6.6)")]
    BadClock,
    /// A crypto value without tag, suite and key, or on a transport that is not RTP.
    #[error("malformed crypto (RFC 4568 9.1)")]
    BadCrypto,
    /// An answer with more or fewer `m=` lines than the offer.
    #[error("an answer has the m= lines of the offer (RFC 3264 6)")]
    AnswerCount,
    /// An answer with another media type.
    #[error("an answer has the media types of the offer (RFC 3264 6.1)")]
    AnswerKind,
    /// An answer with another transport.
    #[error("an answer has the transports of the offer (RFC 3264 6)")]
    AnswerTransport,
    /// An answer that takes a stream that was offered with port 0.
    #[error("a stream offered with port 0 stays so (RFC 3264 8.2)")]
    AnswerPort,
    /// An answer for a stream with none of the formats that were offered.
    #[error("an answer has a format of the offer (RFC 3264 6.1)")]
    AnswerFormats,
    /// An answer that takes a stream without saying where it is received, or with a multicast
    /// address for a unicast stream.
    #[error("an answer has a unicast address (RFC 3264 6.1)")]
    AnswerAddress,
    /// An answer to `RTP/SAVP` without one of the offered keys' tag and suite.
    #[error("an answer takes one crypto attribute of the offer (RFC 4568 5.1.2)")]
    AnswerCrypto,
}

impl From<SdpWriteError> for MediaError {
    fn from(error: SdpWriteError) -> Self {
        match error {
            SdpWriteError::NoRoom => Self::NoRoom,
            SdpWriteError::ControlByte | SdpWriteError::BadField => Self::BadValue,
        }
    }
}

/// Whether a transport is a profile of RTP, whose formats are payload types.
pub(super) fn is_rtp(transport: &[u8]) -> bool {
    transport.windows(4).any(|w| w.eq_ignore_ascii_case(b"RTP/"))
}

/// An address as text.
pub(super) struct AddressText {
    bytes: [u8; 48],
    len: usize,
}

impl AddressText {
    pub(super) fn of(address: IpAddr) -> Self {
        let mut text = Self { bytes: [0; 48], len: 0 };
        // No address is longer than 45 characters.
        let _ = write!(text, "{address}");
        text
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl core::fmt::Write for AddressText {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len.checked_add(s.len()).ok_or(core::fmt::Error)?;
        let room = self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Checks what the application gave and writes it as one description that holds all of it: what
/// [`offer`](super::offer) and [`answer`](super::answer) choose from. Gives its length.
///
/// They choose from any other description as well, of which they then use the addresses, ports,
/// formats, bandwidths, packet times, keys and directions.
///
/// # Errors
/// [`MediaError`] for media that no description can hold; `NoRoom`.
pub fn profile(media: &Media<'_>, out: &mut [u8]) -> Result<usize, MediaError> {
    if media.streams.len() > MAX_STREAMS {
        return Err(MediaError::TooManyStreams);
    }
    for stream in media.streams {
        check(stream)?;
    }
    let mut w = SdpWriter::new(out);
    let address = AddressText::of(media.address);
    let kind: &[u8] = if media.address.is_ipv6() { b"IP6" } else { b"IP4" };
    w.version()?;
    w.whole_line(b'o', |w| w.fields(&[b"-", b"0", b"0", b"IN", kind, address.as_bytes()]))?;
    w.line(b's', b"-")?;
    w.whole_line(b'c', |w| w.fields(&[b"IN", kind, address.as_bytes()]))?;
    bandwidth(&mut w, media.bandwidth)?;
    w.line(b't', b"0 0")?;
    for stream in media.streams {
        write_stream(&mut w, stream)?;
    }
    Ok(w.written().len())
}

fn check(stream: &Stream<'_>) -> Result<(), MediaError> {
    if stream.kind == Kind::Other {
        return Err(MediaError::BadKind);
    }
    if stream.port == 0 {
        return Err(MediaError::BadPort);
    }
    if stream.codecs.is_empty() || stream.codecs.len() > MAX_CODECS {
        return Err(MediaError::Codecs);
    }
    let rtp = stream.transport.is_empty() || is_rtp(stream.transport.as_bytes());
    let keyed = rtp && Crypto::parse(stream.crypto.as_bytes()).is_some();
    if !stream.crypto.is_empty() && !keyed {
        return Err(MediaError::BadCrypto);
    }
    let mut seen = 0_u128;
    for codec in stream.codecs.iter().filter(|_| rtp) {
        if codec.clock == 0 {
            return Err(MediaError::BadClock);
        }
        if codec.name.contains('/') {
            return Err(MediaError::BadValue);
        }
        let bit = 1_u128.checked_shl(u32::from(codec.payload)).ok_or(MediaError::BadPayload)?;
        let other = static_codec(codec.payload).is_some_and(|(name, clock, channels)| {
            !name.eq_ignore_ascii_case(codec.name)
                || (clock, channels) != (codec.clock, codec.channels.max(1))
        });
        if seen & bit != 0 || other {
            return Err(MediaError::BadPayload);
        }
        seen |= bit;
    }
    let named = |payload: Option<u8>| {
        payload.is_some_and(|p| stream.codecs.iter().any(|codec| codec.payload == p))
    };
    for codec in stream.codecs.iter().filter(|_| rtp) {
        let (name, fmtp) = (codec.name.as_bytes(), codec.fmtp.as_bytes());
        let format = Format { payload: codec.payload, name, clock: 0, channels: 1, fmtp };
        if !format.references().all(named) {
            return Err(MediaError::BadPayload);
        }
    }
    Ok(())
}

fn bandwidth(w: &mut SdpWriter<'_>, kilobits: u32) -> Result<(), SdpWriteError> {
    if kilobits == 0 {
        return Ok(());
    }
    w.whole_line(b'b', |w| w.suffix(b"AS:", Some(u64::from(kilobits))))
}

fn write_stream(w: &mut SdpWriter<'_>, stream: &Stream<'_>) -> Result<(), SdpWriteError> {
    let transport = if stream.transport.is_empty() { "RTP/AVP" } else { stream.transport };
    let rtp = is_rtp(transport.as_bytes());
    w.whole_line(b'm', |w| {
        w.field(stream.kind.name().as_bytes())?;
        w.suffix(b" ", Some(u64::from(stream.port)))?;
        w.put(b" ")?;
        w.field(transport.as_bytes())?;
        for codec in stream.codecs {
            w.put(b" ")?;
            if rtp { w.number(u64::from(codec.payload))? } else { w.field(codec.name.as_bytes())? }
        }
        Ok(())
    })?;
    bandwidth(w, stream.bandwidth)?;
    for codec in stream.codecs {
        if rtp {
            write_rtpmap(
                w,
                codec.payload,
                (codec.name.as_bytes(), codec.clock, codec.channels.max(1)),
            )?;
        }
        if !codec.fmtp.is_empty() {
            w.whole_line(b'a', |w| {
                w.put(b"fmtp:")?;
                if rtp {
                    w.number(u64::from(codec.payload))?;
                } else {
                    w.field(codec.name.as_bytes())?;
                }
                w.put(b" ")?;
                w.text(codec.fmtp.as_bytes())
            })?;
        }
    }
    if stream.ptime > 0 {
        w.whole_line(b'a', |w| w.suffix(b"ptime:", Some(u64::from(stream.ptime))))?;
    }
    if !stream.crypto.is_empty() {
        w.attribute(b"crypto", Some(stream.crypto.as_bytes()))?;
    }
    w.direction(stream.direction)
}

pub(super) fn write_rtpmap(
    w: &mut SdpWriter<'_>,
    payload: u8,
    (name, clock, channels): (&[u8], u32, u8),
) -> Result<(), SdpWriteError> {
    w.whole_line(b'a', |w| {
        w.suffix(b"rtpmap:", Some(u64::from(payload)))?;
        w.put(b" ")?;
        w.field(name)?;
        w.suffix(b"/", Some(u64::from(clock)))?;
        w.suffix(b"/", (channels > 1).then_some(u64::from(channels)))
    })
}
