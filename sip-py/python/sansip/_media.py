"""What a call's media is on our side, and what both sides have agreed on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional, Sequence, Tuple


@dataclass(frozen=True)
class Codec:
    """A format of a stream. `telephone-event` (RFC 4733) is a codec like any other."""

    name: str
    """The encoding name; where the transport is not RTP, the format as it stands in the `m=`
    line."""
    payload: int = 0
    """The payload type, 0 to 127; unused where the transport is not RTP."""
    clock: int = 8_000
    """The clock rate in hertz; unused where the transport is not RTP."""
    channels: int = 1
    fmtp: str = ""
    """Its parameters, what follows the format in `a=fmtp`."""


@dataclass(frozen=True)
class Stream:
    """A stream that a call can have on our side."""

    port: int
    """Where we receive, not 0. It tells the stream from others of its kind as long as it lives."""
    codecs: Sequence[Codec]
    """What it can carry, in order of preference; 1 to 32."""
    kind: str = "audio"
    """`audio`, `video`, `text`, `application`, `message` or `image`."""
    direction: str = "sendrecv"
    """`sendrecv`, `sendonly`, `recvonly` or `inactive`: what we want to do."""
    transport: str = "RTP/AVP"
    """`RTP/AVP`, `RTP/SAVP`, `udptl`, `TCP/MSRP` or another."""
    bandwidth: int = 0
    """Kilobits a second, `b=AS`; 0 says nothing."""
    ptime: int = 0
    """Milliseconds of sound that we would like in a packet; 0 says nothing."""
    crypto: str = field(default="", repr=False)
    """The value of an `a=crypto` attribute with our key (RFC 4568 9.1). With `RTP/SAVP` the stream
    is always encrypted, with `RTP/AVP` where the peer can."""


@dataclass(frozen=True)
class Media:
    """All the media that a call can have on our side. The engine makes offers and answers of it."""

    address: str
    """The IP address where we receive."""
    streams: Sequence[Stream] = ()
    """At most 64. None is a call without media."""
    bandwidth: int = 0
    """Kilobits a second of the session, `b=AS`; 0 says nothing."""


@dataclass(frozen=True)
class AgreedCodec:
    """A codec that both sides have."""

    name: str
    clock: int
    channels: int
    send_payload: int
    """The payload type that we send: theirs."""
    receive_payload: int
    """The payload type that we receive: ours."""
    fmtp: str
    """Their parameters."""


@dataclass(frozen=True)
class AgreedStream:
    """A stream as both sides have it."""

    kind: str
    """`audio`, `video`, `text`, `application`, `message`, `image` or `other`."""
    refused: bool
    """One side has refused it: nothing flows, and the rest means nothing."""
    direction: str
    """`sendrecv`, `sendonly`, `recvonly` or `inactive`: what we do now."""
    held_by_peer: bool
    """The peer receives nothing from us."""
    held_by_us: bool
    """We receive nothing from the peer."""
    local_port: int
    """Where we receive."""
    remote: Optional[Tuple[str, int]]
    """The IP address and port to send to. None where the peer gives a name, or no address."""
    remote_host: str
    """The peer's address or name as it was written."""
    remote_port: int
    bandwidth: int
    """Kilobits a second that the peer wants at most; 0 where nothing is said."""
    ptime: int
    """Milliseconds of sound that the peer would like in a packet; 0 where nothing is said."""
    transport: str
    local_crypto: str = field(repr=False)
    """The value of our `a=crypto`, with the key for what we send; empty: not encrypted."""
    remote_crypto: str = field(repr=False)
    """The value of the peer's, with the key for what it sends; empty: not encrypted."""
    codecs: Tuple[AgreedCodec, ...]
    """The codecs that both have, in the peer's order, the first to be used for sending."""


def make_stream(
    kind: str,
    states: Tuple[bool, str, bool, bool],
    port: int,
    there: Tuple[Optional[Tuple[str, int]], str, int, int, int],
    keys: Tuple[str, str, str],
    codecs: Sequence[Tuple[Any, ...]],
) -> AgreedStream:
    """The value that a tuple of the compiled half stands for."""
    agreed = tuple(AgreedCodec(*codec) for codec in codecs)
    refused, direction, held_by_peer, held_by_us = states
    return AgreedStream(
        kind, refused, direction, held_by_peer, held_by_us, port, *there, *keys, agreed
    )
