"""The parser on clean and on broken messages."""

from __future__ import annotations

import doctest

import pytest
import sansip
import sansip._message
from sansip import Message

CLEAN = (
    b"INVITE sip:bob@example.com SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKone\r\n"
    b"v: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKtwo\r\n"
    b'From: "Zo\xc3\xab" <sip:zoe@example.com>;tag=1\r\n'
    b"To: <sip:bob@example.com>\r\n"
    b"Call-ID: 1@10.0.0.1\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Max-Forwards: 70\r\n"
    b"Contact: <sip:zoe@10.0.0.1>\r\n"
    b"X-Latin: caf\xe9\r\n"
    b"Content-Type: text/plain\r\n"
    b"Content-Length: 5\r\n"
    b"\r\n"
    b"hello"
)


def test_a_clean_message() -> None:
    m = Message.parse(CLEAN)
    assert (m.method, m.uri, m.status, m.reason) == ("INVITE", "sip:bob@example.com", None, None)
    assert m.body == b"hello" and m.raw == CLEAN and m.defects == ()
    assert m.headers["From"] == '"Zoë" <sip:zoe@example.com>;tag=1'
    assert len(m.headers.get_all("VIA")) == 2
    assert m.headers["i"] == "1@10.0.0.1"
    assert m.headers.get("Route") is None and "Route" not in m.headers
    assert m.raw_headers[1] == (b"v", b"SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKtwo")
    assert m.headers["x-latin"].encode("utf-8", "surrogateescape") == b"caf\xe9"
    assert [n for n, _ in m.headers.pairs()][:3] == ["Via", "v", "From"]


def test_a_response() -> None:
    m = Message.parse(bytearray(b"SIP/2.0 404 Not Here\r\n\r\n"))
    assert (m.method, m.uri, m.status, m.reason) == (None, None, 404, "Not Here")
    assert not m.is_request


def test_a_broken_message_says_what_is_wrong_and_where() -> None:
    m = Message.parse(b"BYE sip:bob@example.com SIP/2.0\r\nno header\r\nl: 9\r\n\r\nhello")
    assert m.body == b"hello"
    by_text = {d.text: d for d in m.defects}
    line = by_text["line is no header field"]
    assert m.raw[line.at : line.at + line.length] == b"no header"
    assert (line.status, line.clause) == (400, "RFC 3261 7.3.1")
    assert by_text["body is shorter than Content-Length"].clause == "RFC 3261 18.3"


def test_a_stream_ends_a_message_by_its_length() -> None:
    two = b"\r\nOPTIONS sip:a SIP/2.0\r\nl: 2\r\n\r\nhiBYE sip:a SIP/2.0\r\nl: 0\r\n\r\n"
    first = Message.parse(two, stream=True)
    assert (first.method, first.body) == ("OPTIONS", b"hi")
    second = Message.parse(two[first.consumed :], stream=True)
    assert (second.method, second.body) == ("BYE", b"")


@pytest.mark.parametrize("data", [b"", b"\r\n", b"hello", b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n"])
def test_what_is_no_sip_message_is_the_peers_fault(data: bytes) -> None:
    with pytest.raises(sansip.RemoteProtocolError):
        Message.parse(data)


def test_the_docstrings_examples_run() -> None:
    assert doctest.testmod(sansip._message).failed == 0
