"""What an engine says of wrong use, of ignored messages, and of connections."""

from __future__ import annotations

import dataclasses

import pytest
import sansip
from net import Net
from sansip import Addr, Config, Engine, FlowId, Limits, Line, Path, QueryId

PEER = Path(Addr("10.0.0.9", 5060))
OPTIONS = (
    b"OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.0.9;branch=z9hG4bKo\r\n"
    b"From: <sip:x@10.0.0.9>;tag=1\r\nTo: <sip:a@10.0.0.1>\r\nCall-ID: o\r\nCSeq: 1 OPTIONS\r\n"
    b"Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
)


def test_errors_say_whose_fault_it_is() -> None:
    net = Net()
    a, line = net.phone("a")
    with pytest.raises(sansip.LocalProtocolError, match="URI") as bad:
        a.invite(net.now, line, "mailto:x")
    assert bad.value.code == -203
    with pytest.raises(sansip.Gone):
        a.hangup(net.now, sansip.CallHandle(12345))
    with pytest.raises(sansip.LocalProtocolError, match="seed"):
        Engine(Config(seed=bytes(32)))
    with pytest.raises(ValueError):
        Engine(Config(seed=b"short"))
    with pytest.raises(sansip.LocalProtocolError, match="header"):
        a.invite(net.now, line, "sip:b@10.0.0.2", headers=[("Subject", "x\r\nEvil: yes")])
    a.answer_failed(net.now, QueryId(99))  # a late answer is harmless
    one = Engine(Config(seed=b"1" * 32), dataclasses.replace(Limits.preset("tiny"), lines=1))
    one.add_line(0, Line("sip:a@10.0.0.1"))
    with pytest.raises(sansip.Full, match="lines"):
        one.add_line(0, Line("sip:b@10.0.0.1"))


def test_an_ignored_message_names_its_clause() -> None:
    a, _ = Net().phone("a")
    ignored = a.receive(0, PEER, b"hello")
    assert ignored is not None and ignored.clause == "RFC 3261 7"
    with pytest.raises(sansip.LocalProtocolError, match="identity"):
        a.receive(0, Path(PEER.remote, local=5), b"hello")


def test_a_stream_is_framed_and_answered_on_its_flow() -> None:
    a, _ = Net().phone("a")
    a.set_local(0, 2, Addr("10.0.0.1", 5060), transport="TCP")
    flow = FlowId(1)
    a.flow_opened(0, flow, Addr("10.0.0.9", 40_000), local=2, accepted=True)
    assert a.receive_stream(0, flow, OPTIONS[:50]) == 0
    assert a.receive_stream(0, flow, OPTIONS + OPTIONS[:10]) == len(OPTIONS)
    (answer,) = a.outputs()
    assert isinstance(answer, sansip.Transmit) and answer.path.flow == flow
    assert sansip.Message.parse(answer.data).status == 200
    a.flow_closed(0, flow)
    with pytest.raises(sansip.LocalProtocolError, match="flow"):
        a.receive_stream(0, flow, OPTIONS)


def test_a_connection_is_asked_for() -> None:
    net = Net()
    a, line = net.phone("a")
    a.set_local(0, 2, Addr("10.0.0.1", 5060), transport="TCP")
    a.invite(0, line, "sip:b@10.0.0.2;transport=tcp")
    (query,) = a.outputs()
    assert isinstance(query, sansip.ConnectQuery)
    assert (query.to, query.transport) == (Addr("10.0.0.2", 5060), "TCP")
    flow = FlowId(7)
    a.flow_opened(0, flow, query.to, local=2)
    a.answer_connected(0, query.id, flow)
    (sent,) = a.outputs()
    assert isinstance(sent, sansip.Transmit) and sent.path.flow == flow
    a.flow_closed(0, flow, "reset")
    a.handle_timeout(0)
    ends = [o for o in a.outputs() if isinstance(o, sansip.Ended)]
    assert len(ends) == 1


def test_limits_know_their_footprint() -> None:
    tiny, phone = Limits.preset("tiny"), Limits.preset("phone")
    assert 0 < tiny.footprint < 24 * 1024 < phone.footprint
    with pytest.raises(ValueError):
        Limits.preset("huge")
