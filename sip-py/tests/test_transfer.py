"""Transfers between engines of one process, on a virtual clock."""

from __future__ import annotations

from typing import List, Type, TypeVar

import pytest
import sansip
from net import Net
from sansip import Answered, Ended, Event, Incoming, Transfer, TransferRequest

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
E = TypeVar("E", bound=Event)


def last(events: List[Event], kind: Type[E]) -> E:
    found = [e for e in events if isinstance(e, kind)]
    return found[-1]


def talk(net: Net, a: sansip.Engine, line: sansip.LineHandle, to: str) -> sansip.CallHandle:
    call = a.invite(
        net.now, line, f"sip:{to}", content_type="application/sdp", body=SDP,
    )
    net.settle()
    return call


def test_a_blind_transfer_and_one_that_is_refused() -> None:
    net = Net()
    (a, line), (b, _), (c, _) = net.phone("a"), net.phone("b"), net.phone("c")
    call = talk(net, a, line, "b@10.0.0.2")
    peer = last(net.events["b"], Incoming).call
    b.answer_call(net.now, peer, content_type="application/sdp", body=SDP)
    net.settle()

    b.transfer(net.now, peer, "sip:c@10.0.0.3")
    net.settle()
    asked = last(net.events["a"], TransferRequest)
    assert asked.call == call and asked.message is not None
    assert asked.message.headers["Refer-To"] == "<sip:c@10.0.0.3>"
    a.reject_transfer(net.now, asked.request)
    net.settle()
    told = last(net.events["b"], Transfer)
    assert (told.status, told.done) == (603, True)
    with pytest.raises(sansip.Gone):
        a.accept_transfer(net.now, asked.request)

    b.transfer(net.now, peer, "sip:c@10.0.0.3", headers=[("Subject", "x")])
    net.settle()
    asked = last(net.events["a"], TransferRequest)
    new = a.accept_transfer(
        net.now, asked.request, user=9, content_type="application/sdp", body=SDP,
    )
    net.run(10)
    incoming = last(net.events["c"], Incoming)
    c.answer_call(net.now, incoming.call, content_type="application/sdp", body=SDP)
    net.run(10)
    answered = last(net.events["a"], Answered)
    assert (answered.call, answered.user) == (new, 9)
    told = last(net.events["b"], Transfer)
    assert (told.status, told.done) == (200, True)
    assert last(net.events["b"], Ended).why == "transferred"
    assert last(net.events["a"], Ended).why == "remote hangup"
    info = a.call_info(new)
    assert info is not None and not info.focus and info.replaces is None and info.user == 9
    assert a.call_info(call) is None
    a.hangup(net.now, new)
    net.run(60_000)
    assert a.is_quiescent and b.is_quiescent and c.is_quiescent


def test_an_attended_transfer() -> None:
    net = Net()
    (a, line), (b, lines_b), (c, _) = net.phone("a"), net.phone("b"), net.phone("c")
    talk(net, a, line, "b@10.0.0.2")
    peer = last(net.events["b"], Incoming).call
    b.answer_call(net.now, peer, content_type="application/sdp", body=SDP)
    net.settle()
    consult = talk(net, b, lines_b, "c@10.0.0.3")
    old = last(net.events["c"], Incoming).call
    c.answer_call(net.now, old, content_type="application/sdp", body=SDP)
    net.settle()

    b.transfer_to(net.now, peer, consult)
    net.settle()
    asked = last(net.events["a"], TransferRequest)
    a.accept_transfer(net.now, asked.request, content_type="application/sdp", body=SDP)
    net.run(10)
    new = last(net.events["c"], Incoming).call
    info = c.call_info(new)
    assert info is not None and info.replaces == old
    c.answer_call(net.now, new, content_type="application/sdp", body=SDP)
    net.run(10)
    ends = [e for e in net.events["c"] if isinstance(e, Ended)]
    assert [(e.call, e.why) for e in ends] == [(old, "replaced")]
    assert b.stats.calls == 0
    a.shutdown(net.now)
    net.run(60_000)
    assert a.is_quiescent and b.is_quiescent and c.is_quiescent


def test_a_config_that_names_no_policy_is_refused() -> None:
    config = sansip.Config(bytes([1]) * 32, transfers="always")
    with pytest.raises(ValueError):
        sansip.Engine(config, sansip.Limits.preset("tiny"))
