//! Media: what the caller gives, and what both sides have agreed on.

use std::ptr::null;

use sansip_core::sdp::{Agreed, AgreedStream, Codec, Direction, Hold, Kind, Media, Stream};
use sansip_core::{CallHandle, Error, Limits, LineHandle, Misuse};

use crate::abi::{
    SansipAddr, SansipCall, SansipLine, SansipStr, Sized32, array, item, read, str_of,
};
use crate::code::{ARGUMENT, Code};

/// Sound.
pub const SANSIP_KIND_AUDIO: u32 = 1;
/// Moving pictures.
pub const SANSIP_KIND_VIDEO: u32 = 2;
/// Text in real time (RFC 4103).
pub const SANSIP_KIND_TEXT: u32 = 3;
/// Data of an application.
pub const SANSIP_KIND_APPLICATION: u32 = 4;
/// Messages (RFC 4975).
pub const SANSIP_KIND_MESSAGE: u32 = 5;
/// Pictures, as of a fax (RFC 3362).
pub const SANSIP_KIND_IMAGE: u32 = 6;
/// A type that is none of these: in agreed streams alone, where you have made the description.
pub const SANSIP_KIND_OTHER: u32 = 7;

/// Both ways.
pub const SANSIP_SENDRECV: u32 = 1;
/// We send alone.
pub const SANSIP_SENDONLY: u32 = 2;
/// We receive alone.
pub const SANSIP_RECVONLY: u32 = 3;
/// Neither way.
pub const SANSIP_INACTIVE: u32 = 4;

/// A call is put on hold so that we may still send to the peer: music, say.
pub const SANSIP_HOLD_SENDONLY: u32 = 1;
/// Neither side sends to the other.
pub const SANSIP_HOLD_INACTIVE: u32 = 2;
/// As SANSIP_HOLD_SENDONLY, with the address 0.0.0.0 that old peers expect (RFC 2543 B.5).
pub const SANSIP_HOLD_ZERO: u32 = 3;

/// A format of a stream. telephone-event (RFC 4733) is a codec like any other.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipCodec {
    /// Encoding name, "PCMU"; where the transport is not RTP, the format as it stands in the m=
    /// line.
    pub name: SansipStr,
    /// Its parameters, what follows the format in a=fmtp; empty for none.
    pub fmtp: SansipStr,
    /// Clock rate in hertz, not 0; unused where the transport is not RTP.
    pub clock: u32,
    /// Payload type, 0 to 127; unused where the transport is not RTP.
    pub payload: u8,
    /// Channels; 0 and 1 are one.
    pub channels: u8,
    /// 0.
    pub reserved: u16,
}

/// A stream that a call can have on our side.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipStream {
    /// sizeof(sansip_stream).
    pub size: u32,
    /// SANSIP_KIND_...; 0: audio.
    pub kind: u32,
    /// SANSIP_SENDRECV and so on: what we want to do; 0: both ways.
    pub direction: u32,
    /// Kilobits a second, b=AS; 0: nothing is said.
    pub bandwidth: u32,
    /// Where we receive, not 0. It tells the stream from others of its kind as long as it lives.
    pub port: u16,
    /// Milliseconds of sound that we would like in a packet; 0: nothing is said.
    pub ptime_ms: u16,
    /// 0.
    pub reserved: u32,
    /// RTP/AVP, RTP/SAVP, udptl, TCP/MSRP or another; empty: RTP/AVP.
    pub transport: SansipStr,
    /// The value of an a=crypto attribute with our key (RFC 4568 9.1); empty for none. With RTP/SAVP
    /// the stream is always encrypted, with RTP/AVP where the peer can.
    pub crypto: SansipStr,
    /// What it can carry, in order of preference.
    pub codecs: *const SansipCodec,
    /// How many, 1 to 32; at most 256 in all streams together.
    pub n_codecs: usize,
}

/// All the media that a call can have on our side. The engine makes offers and answers of it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipMedia {
    /// sizeof(sansip_media).
    pub size: u32,
    /// Kilobits a second of the session, b=AS; 0: nothing is said.
    pub bandwidth: u32,
    /// Where we receive; its port does not matter.
    pub address: SansipAddr,
    /// The streams.
    pub streams: *const SansipStream,
    /// How many, at most 64. None is a call without media.
    pub n_streams: usize,
}

// SAFETY: integers, pointers and structs of them, the size first.
unsafe impl Sized32 for SansipStream {}
// SAFETY: integers, a pointer and a struct of integers, the size first.
unsafe impl Sized32 for SansipMedia {}

/// A codec that both sides have.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipAgreedCodec {
    /// Encoding name; where the transport is not RTP, the format.
    pub name: SansipStr,
    /// Their parameters; empty where they give none.
    pub fmtp: SansipStr,
    /// Clock rate in hertz.
    pub clock: u32,
    /// The payload type that we send: theirs.
    pub send_payload: u8,
    /// The payload type that we receive: ours.
    pub receive_payload: u8,
    /// Channels.
    pub channels: u8,
    /// 0.
    pub reserved: u8,
}

/// A stream as both sides have it.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipAgreedStream {
    /// SANSIP_KIND_...
    pub kind: u32,
    /// Not 0: one side has refused it. Nothing flows, and the rest means nothing.
    pub refused: u32,
    /// SANSIP_SENDRECV and so on: what we do now.
    pub direction: u32,
    /// Not 0: the peer receives nothing from us.
    pub held_by_peer: u32,
    /// Not 0: we receive nothing from the peer.
    pub held_by_us: u32,
    /// Kilobits a second that the peer wants at most; 0: nothing is said.
    pub bandwidth: u32,
    /// Where to send; family 0 where the peer gives a name (see remote_host), or no address.
    pub remote: SansipAddr,
    /// Where we receive.
    pub local_port: u16,
    /// The peer's port.
    pub remote_port: u16,
    /// Milliseconds of sound that the peer would like in a packet; 0: nothing is said.
    pub ptime_ms: u16,
    /// 0.
    pub reserved: u16,
    /// The peer's address or name as it was written.
    pub remote_host: SansipStr,
    /// The transport: RTP/AVP and so on.
    pub transport: SansipStr,
    /// The value of our a=crypto, with the key for what we send; empty: not encrypted.
    pub local_crypto: SansipStr,
    /// The value of the peer's, with the key for what it sends; empty: not encrypted.
    pub remote_crypto: SansipStr,
    /// The codecs that both have, in the peer's order, the first to be used for sending.
    pub codecs: *const SansipAgreedCodec,
    /// How many.
    pub n_codecs: usize,
}

/// The session of a call: what to send and hear from now on.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SansipAgreed {
    /// The call.
    pub call: SansipCall,
    /// Its line, 0 if there is none.
    pub line: SansipLine,
    /// Your own number of the call.
    pub user: u64,
    /// The streams, in the order of the m= lines.
    pub streams: *const SansipAgreedStream,
    /// How many: one for each 128 bytes of sansip_limits.message at most, and a codec for each 64.
    /// What is more than that is in the descriptions alone.
    pub n_streams: usize,
    /// Our session description.
    pub local: SansipStr,
    /// The peer's.
    pub remote: SansipStr,
}

const CODECS: usize = 256;
const STREAMS: usize = 64;

const UNUSABLE: Error = Error::Misuse(Misuse::Media);

fn kind(kind: u32) -> Result<Kind, Code> {
    Ok(match kind {
        0 | SANSIP_KIND_AUDIO => Kind::Audio,
        SANSIP_KIND_VIDEO => Kind::Video,
        SANSIP_KIND_TEXT => Kind::Text,
        SANSIP_KIND_APPLICATION => Kind::Application,
        SANSIP_KIND_MESSAGE => Kind::Message,
        SANSIP_KIND_IMAGE => Kind::Image,
        _ => return Err(ARGUMENT),
    })
}

const fn kind_code(kind: Kind) -> u32 {
    match kind {
        Kind::Audio => SANSIP_KIND_AUDIO,
        Kind::Video => SANSIP_KIND_VIDEO,
        Kind::Text => SANSIP_KIND_TEXT,
        Kind::Application => SANSIP_KIND_APPLICATION,
        Kind::Message => SANSIP_KIND_MESSAGE,
        Kind::Image => SANSIP_KIND_IMAGE,
        Kind::Other => SANSIP_KIND_OTHER,
    }
}

fn direction(direction: u32) -> Result<Direction, Code> {
    Ok(match direction {
        0 | SANSIP_SENDRECV => Direction::SendRecv,
        SANSIP_SENDONLY => Direction::SendOnly,
        SANSIP_RECVONLY => Direction::RecvOnly,
        SANSIP_INACTIVE => Direction::Inactive,
        _ => return Err(ARGUMENT),
    })
}

const fn direction_code(direction: Direction) -> u32 {
    match direction {
        Direction::SendRecv => SANSIP_SENDRECV,
        Direction::SendOnly => SANSIP_SENDONLY,
        Direction::RecvOnly => SANSIP_RECVONLY,
        Direction::Inactive => SANSIP_INACTIVE,
    }
}

pub(crate) fn hold(hold: u32) -> Result<Hold, Code> {
    Ok(match hold {
        0 | SANSIP_HOLD_SENDONLY => Hold::SendOnly,
        SANSIP_HOLD_INACTIVE => Hold::Inactive,
        SANSIP_HOLD_ZERO => Hold::Zero,
        _ => return Err(ARGUMENT),
    })
}

/// Runs `f` with the caller's media, if there is any.
///
/// # Safety
/// `p` is null, or it and its pointers are valid.
pub(crate) unsafe fn with_media<R>(
    p: *const SansipMedia,
    f: impl FnOnce(Option<&Media<'_>>) -> Result<R, Code>,
) -> Result<R, Code> {
    if p.is_null() {
        return f(None);
    }
    // SAFETY: passed on.
    unsafe { with_some(p, |media| f(Some(media))) }
}

/// Apart, so that only calls with media have its room on their stack.
///
/// # Safety
/// `p` and its pointers are valid.
#[inline(never)]
unsafe fn with_some<R>(
    p: *const SansipMedia,
    f: impl FnOnce(&Media<'_>) -> Result<R, Code>,
) -> Result<R, Code> {
    // SAFETY: passed on.
    let from = unsafe { read(p) }?;
    let n = array(from.streams, from.n_streams, usize::MAX)?;
    let mut streams = [NO_STREAM; STREAMS];
    let mut codecs = [NO_CODEC; CODECS];
    let mut free = &mut codecs[..];
    let streams = streams.get_mut(..n).ok_or(UNUSABLE)?;
    let mut next = from.streams;
    for stream in streams.iter_mut() {
        // SAFETY: `n` are there, each as long as it says.
        unsafe {
            let one = read(next)?;
            let n = array(one.codecs, one.n_codecs, usize::MAX)?;
            let (own, rest) = free.split_at_mut_checked(n).ok_or(UNUSABLE)?;
            free = rest;
            for (i, codec) in own.iter_mut().enumerate() {
                *codec = item(one.codecs, i).get()?;
            }
            *stream = one.get(own)?;
            let size = next.cast::<u32>().read_unaligned();
            next = next.byte_add(size as usize);
        }
    }
    f(&Media { address: from.address.ip()?, streams, bandwidth: from.bandwidth })
}

const NO_CODEC: Codec<'_> = Codec { payload: 0, name: "", clock: 0, channels: 0, fmtp: "" };
const NO_STREAM: Stream<'_> = Stream {
    kind: Kind::Audio,
    port: 0,
    transport: "",
    codecs: &[],
    direction: Direction::SendRecv,
    bandwidth: 0,
    ptime: 0,
    crypto: "",
};

impl SansipCodec {
    /// # Safety
    /// Its texts are valid.
    unsafe fn get<'a>(&self) -> Result<Codec<'a>, Code> {
        // SAFETY: passed on.
        let (name, fmtp) = unsafe { (self.name.text()?, self.fmtp.text()?) };
        Ok(Codec { payload: self.payload, name, clock: self.clock, channels: self.channels, fmtp })
    }
}

impl SansipStream {
    /// # Safety
    /// Its texts are valid.
    unsafe fn get<'a>(&self, codecs: &'a [Codec<'a>]) -> Result<Stream<'a>, Code> {
        // SAFETY: passed on.
        let (transport, crypto) = unsafe { (self.transport.text()?, self.crypto.text()?) };
        Ok(Stream {
            kind: kind(self.kind)?,
            port: self.port,
            transport,
            codecs,
            direction: direction(self.direction)?,
            bandwidth: self.bandwidth,
            ptime: self.ptime_ms,
            crypto,
        })
    }
}

/// The streams that are lent, and their codecs.
pub(crate) struct LentMedia {
    streams: Vec<SansipAgreedStream>,
    codecs: Vec<SansipAgreedCodec>,
}

fn streams_of(limits: &Limits) -> usize {
    (usize::from(limits.wire.message) / 128).clamp(1, STREAMS)
}

fn codecs_of(limits: &Limits) -> usize {
    (usize::from(limits.wire.message) / 64).max(1)
}

impl LentMedia {
    pub(crate) fn bytes(limits: &Limits) -> usize {
        streams_of(limits) * size_of::<SansipAgreedStream>()
            + codecs_of(limits) * size_of::<SansipAgreedCodec>()
    }

    pub(crate) fn new(limits: &Limits) -> Option<Self> {
        let (mut streams, mut codecs) = (Vec::new(), Vec::new());
        streams.try_reserve_exact(streams_of(limits)).ok()?;
        codecs.try_reserve_exact(codecs_of(limits)).ok()?;
        Some(Self { streams, codecs })
    }

    /// What both sides agreed on. The texts must stay where they are as long as it is lent.
    pub(crate) fn set(
        &mut self,
        (call, line, user): (CallHandle, Option<LineHandle>, u64),
        media: &Agreed<'_>,
    ) -> SansipAgreed {
        self.streams.clear();
        self.codecs.clear();
        for stream in media.streams().take(self.streams.capacity()) {
            let stream = self.stream(&stream);
            self.streams.push(stream);
        }
        SansipAgreed {
            call: SansipCall { v: call.raw() },
            line: SansipLine { v: line.map_or(0, LineHandle::raw) },
            user,
            streams: self.streams.as_ptr(),
            n_streams: self.streams.len(),
            local: str_of(media.local),
            remote: str_of(media.remote),
        }
    }

    fn stream(&mut self, stream: &AgreedStream<'_>) -> SansipAgreedStream {
        let at = self.codecs.len();
        for codec in stream.codecs().take(self.codecs.capacity() - at) {
            self.codecs.push(SansipAgreedCodec {
                name: str_of(codec.name.as_bytes()),
                fmtp: str_of(codec.fmtp_remote.as_bytes()),
                clock: codec.clock,
                send_payload: codec.send_payload,
                receive_payload: codec.receive_payload,
                channels: codec.channels,
                reserved: 0,
            });
        }
        let codecs = &self.codecs[at..];
        let remote = stream.remote.map(|(ip, port)| sansip_core::Addr::new(ip, port));
        SansipAgreedStream {
            kind: kind_code(stream.kind),
            refused: stream.refused.into(),
            direction: direction_code(stream.direction),
            held_by_peer: stream.held_by_peer.into(),
            held_by_us: stream.held_by_us.into(),
            bandwidth: stream.remote_bandwidth,
            remote: remote.map_or(SansipAddr::NONE, SansipAddr::from),
            local_port: stream.local_port,
            remote_port: stream.remote_port,
            ptime_ms: stream.remote_ptime,
            reserved: 0,
            remote_host: str_of(stream.remote_host.as_bytes()),
            transport: str_of(stream.transport.as_bytes()),
            local_crypto: str_of(stream.local_crypto.as_bytes()),
            remote_crypto: str_of(stream.remote_crypto.as_bytes()),
            codecs: if codecs.is_empty() { null() } else { codecs.as_ptr() },
            n_codecs: codecs.len(),
        }
    }
}
