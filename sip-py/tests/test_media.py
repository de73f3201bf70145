"""Media given with a call and asked for, and what both sides are told to send."""

from __future__ import annotations

import pytest
import sansip
from net import Net
from sansip import AgreedCodec, AgreedStream, Codec, Media, Stream

KEY = "1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
TONES = Codec("telephone-event", 97, fmtp="0-15")
ALICE = Media(
    "10.0.0.1",
    [
        Stream(4000, [Codec("opus", 96, 48_000, 2), Codec("PCMU"), TONES], bandwidth=64, ptime=20,
               crypto=KEY),
        Stream(4002, [Codec("H264", 98, 90_000)], kind="video"),
    ],
)
BOB = Media("10.0.0.2", [Stream(5000, [Codec("PCMA", 8), Codec("PCMU"), TONES], crypto=KEY)])


def answered(net: Net) -> sansip.CallHandle:
    """Alice calls with media of her own; Bob, who is asked for his, answers."""
    a, b = net.engines["a"], net.engines["b"]
    line = a.add_line(net.now, sansip.Line("sip:caller@10.0.0.1"))
    call = a.invite(net.now, line, "sip:b@10.0.0.2", user=42, media=ALICE)
    net.settle()
    (incoming,) = net.events["b"]
    assert isinstance(incoming, sansip.Incoming)
    b.answer_call(net.now, incoming.call)
    net.settle()
    return call


def test_media_is_given_and_asked_for() -> None:
    net = Net()
    net.phone("a"), net.phone("b", BOB)
    call = answered(net)
    ((name, query),) = net.asked
    assert name == "b" and query.call == net.events["b"][0].call  # type: ignore[attr-defined]
    assert "m=video 4002 RTP/AVP 98\r\n" in query.offer
    (told,) = net.agreed["a"]
    assert (told.call, told.user) == (call, 42)
    sound = AgreedStream(
        kind="audio", refused=False, direction="sendrecv", held_by_peer=False, held_by_us=False,
        local_port=4000, remote=("10.0.0.2", 5000), remote_host="10.0.0.2", remote_port=5000,
        bandwidth=0, ptime=0, transport="RTP/AVP", local_crypto=KEY, remote_crypto=KEY,
        codecs=(
            AgreedCodec("PCMU", 8_000, 1, 0, 0, ""),
            AgreedCodec("telephone-event", 8_000, 1, 97, 97, "0-15"),
        ),
    )
    assert told.streams[0] == sound and told.streams[1].refused
    assert told.streams[1].kind == "video"
    assert told.local.startswith(b"v=0\r\n") and b"10.0.0.2" in told.remote
    heard = net.agreed["b"][0].streams[0]
    assert (heard.remote, heard.bandwidth, heard.ptime) == (("10.0.0.1", 4000), 64, 20)
    for shown in (told, sound, query, ALICE):
        assert "inline" not in repr(shown)


@pytest.mark.parametrize(
    "hold, ours, theirs",
    [
        ("sendonly", "sendonly", "recvonly"),
        ("inactive", "inactive", "inactive"),
        ("zero", "sendonly", "recvonly"),
    ],
)
def test_hold_and_resume(hold: str, ours: str, theirs: str) -> None:
    net = Net()
    (a, _), _ = net.phone("a", hold=hold), net.phone("b", BOB)
    call = answered(net)
    a.hold(net.now, call)
    net.settle()
    mine, peers = net.agreed["a"][-1].streams[0], net.agreed["b"][-1].streams[0]
    assert mine.held_by_us and peers.held_by_peer
    assert (mine.direction, peers.direction) == (ours, theirs)
    assert (peers.remote is None) == (hold == "zero")
    a.resume(net.now, call)
    net.settle()
    for name in "ab":
        now = net.agreed[name][-1].streams[0]
        assert now.direction == "sendrecv" and not (now.held_by_us or now.held_by_peer)


def test_a_description_of_ones_own() -> None:
    net = Net()
    _, (b, _) = net.phone("a"), net.phone("b", BOB)
    mine = (
        "v=0\r\no=- 7 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\n"
        "m=audio 7000 RTP/AVP 0\r\nm=video 0 RTP/AVP 98\r\n"
    )
    b.answer_media = lambda now, query, _: b.answer_description(now, query, mine)  # type: ignore
    answered(net)
    assert net.agreed["a"][0].streams[0].remote == ("10.0.0.2", 7000)
    assert net.agreed["b"][0].local == mine.encode()


def test_media_that_cannot_be() -> None:
    net = Net()
    a, line = net.phone("a")

    def call(*streams: Stream, address: str = "10.0.0.1", **more: object) -> None:
        a.invite(net.now, line, "sip:b@10.0.0.2", media=Media(address, streams), **more)  # type: ignore

    for wrong in (Stream(0, [Codec("PCMU")]), Stream(4000, []), Stream(4000, [Codec("PCMU", 8)])):
        with pytest.raises(sansip.LocalProtocolError) as refused:
            call(wrong)
        assert refused.value.code == -212
    with pytest.raises(sansip.LocalProtocolError):
        call(body=b"hi", content_type="text/plain")
    for wrong in (Stream(4000, [TONES], kind="smell"), Stream(4000, [TONES], direction="up")):
        with pytest.raises(ValueError):
            call(wrong)
    with pytest.raises(TypeError):
        call(address="example.com")
    with pytest.raises(TypeError):
        call(Stream(70_000, [TONES]))
    assert a.is_quiescent
