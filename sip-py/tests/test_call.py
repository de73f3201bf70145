"""Whole calls between engines of one process, on a virtual clock."""

from __future__ import annotations

import pytest
import sansip
from net import Net, label
from sansip import Answered, Confirmed, Ended, Incoming, Progress

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"


def test_a_basic_call() -> None:
    net = Net()
    (a, line), (b, _) = net.phone("a"), net.phone("b")
    headers = [("Subject", "a call from Python")]
    call = a.invite(
        net.now, line, "sip:b@10.0.0.2", user=42, headers=headers,
        content_type="application/sdp", body=SDP,
    )
    assert a.next_timeout() == net.now
    net.run(100)
    (incoming,) = net.events["b"]
    assert isinstance(incoming, Incoming) and incoming.user == 0
    assert incoming.message is not None
    assert incoming.message.body == SDP
    assert incoming.message.headers["s"] == "a call from Python"

    b.ring(net.now, incoming.call)
    net.run(1_000)
    b.answer_call(net.now, incoming.call, content_type="application/sdp", body=SDP)
    net.settle()
    assert (a.stats.calls, a.stats.dialogs, b.stats.dialogs) == (1, 1, 1)
    net.run(5_000)
    b.hangup(net.now, incoming.call)
    net.settle()

    assert net.ladder() == [
        "0 a>b INVITE",
        "100 b>a 180 INVITE",
        "1100 b>a 200 INVITE",
        "1100 a>b ACK",
        "6100 b>a BYE",
        "6100 a>b 200 BYE",
    ]
    seen = []
    for event in net.events["a"]:
        assert isinstance(event, sansip.CallEvent) and (event.call, event.user) == (call, 42)
        if isinstance(event, (Progress, Answered)):
            seen.append((type(event).__name__, event.status))
        elif isinstance(event, Ended):
            seen.append((event.why, event.status))
    assert seen == [("Progress", 180), ("Answered", 200), ("remote hangup", 0)]
    assert [type(e) for e in net.events["b"]] == [Incoming, Confirmed, Ended]

    net.run(60_000)
    assert a.is_quiescent and b.is_quiescent
    assert a.next_timeout() is None


def test_a_caller_whom_nobody_hears_gives_up_after_32_seconds() -> None:
    net = Net()
    (a, line), _ = net.phone("a"), net.phone("b")
    net.drop = lambda m: True
    a.invite(net.now, line, "sip:b@10.0.0.2")
    net.run(40_000)
    assert [at - 1_000 for at, *_ in net.trace] == [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500]
    (end,) = net.events["a"]
    assert isinstance(end, Ended) and (end.why, end.status) == ("timeout", 408)


def test_the_same_seed_gives_the_same_bytes() -> None:
    def play() -> list[bytes]:
        net = Net()
        (a, line), (b, _) = net.phone("a"), net.phone("b")
        a.invite(net.now, line, "sip:b@10.0.0.2")
        net.settle()
        b.reject(net.now, net.events["b"][0].call, 486)  # type: ignore[attr-defined]
        net.settle()
        assert [label(m) for *_, m in net.trace] == ["INVITE", "486 INVITE", "ACK"]
        return [m.raw for *_, m in net.trace]

    assert play() == play()


def test_a_proxy_registers_and_routes() -> None:
    net = Net()
    a, a_line = net.phone("a")
    proxy = net.add("p", domains=("example.com",))
    b = net.add("b", proxy=False, registrar=False)
    line = sansip.Line("sip:bob@example.com", proxy="sip:10.0.0.2")
    b_line = b.add_line(net.now, line)
    stored: dict[str, tuple[int, tuple[sansip.Binding, ...]]] = {}
    original = proxy.outputs

    def outputs():  # type: ignore[no-untyped-def]
        for o in original():
            if isinstance(o, sansip.LocateQuery):
                proxy.answer_located(net.now, o.id, *stored.get(o.aor, (0, ())))
            elif isinstance(o, sansip.StoreQuery):
                assert o.version == stored.get(o.aor, (0,))[0]
                stored[o.aor] = (o.version + 1, o.bindings)
                proxy.answer_stored(net.now, o.id)
            elif isinstance(o, sansip.RouteQuery):
                request = proxy.message(o.request)
                assert request is not None and request.uri == o.uri
                proxy.answer_reject(net.now, o.id, 404)
            else:
                yield o

    proxy.outputs = outputs  # type: ignore[method-assign]
    b.register(net.now, b_line)
    net.settle()
    assert isinstance(net.events["b"][-1], sansip.Registered)
    version, (binding,) = stored["sip:bob@example.com"]
    assert version == 1 and "10.0.0.3" in binding.uri and binding.q == 1000

    caller = a.add_line(net.now, sansip.Line("sip:a@10.0.0.1", proxy="sip:10.0.0.2"))
    a.invite(net.now, caller, "sip:bob@example.com")
    net.settle()
    incoming = net.events["b"][-1]
    assert isinstance(incoming, Incoming) and incoming.message is not None
    assert len(incoming.message.headers.get_all("Via")) == 2
    b.answer_call(net.now, incoming.call)
    net.settle()
    assert isinstance(net.events["a"][-1], Answered)

    a.invite(net.now, caller, "sip:nobody@example.com")
    net.settle()
    end = net.events["a"][-1]
    assert isinstance(end, Ended) and (end.why, end.status) == ("refused", 404)
    assert a_line != caller


def test_targets_are_added_while_a_call_is_forwarded() -> None:
    net = Net()
    a, _ = net.phone("a")
    proxy = net.add("p", ua=False, fork_order="serial", fork_ring_ms=5_000, max_breadth=20)
    b, _ = net.phone("b")
    c, _ = net.phone("c")
    original = proxy.outputs
    routes: list[sansip.RouteQuery] = []

    def outputs():  # type: ignore[no-untyped-def]
        for o in original():
            if isinstance(o, sansip.RouteQuery):
                routes.append(o)
                proxy.add_targets(net.now, o.request, more=True)
                proxy.answer_route(net.now, o.id, [])
            else:
                yield o

    proxy.outputs = outputs  # type: ignore[method-assign]
    line = a.add_line(net.now, sansip.Line("sip:a@10.0.0.1", proxy="sip:10.0.0.2"))
    a.invite(net.now, line, "sip:team@far.example")
    net.settle()
    (route,) = routes
    assert net.events["p"] == [sansip.Exhausted(route.request, 404)]
    late = [sansip.Target("sip:b@10.0.0.3", params=";audio"), sansip.Target("sip:c@10.0.0.4")]
    proxy.add_targets(net.now, route.request, late, more=True)
    net.run(4_000)
    assert isinstance(net.events["b"][-1], Incoming) and net.events["c"] == []
    net.run(2_000)
    with pytest.raises(sansip.LocalProtocolError, match="URI"):
        proxy.add_targets(net.now, route.request, [sansip.Target("no uri")])
    ringing = net.events["c"][-1]
    assert isinstance(ringing, Incoming) and isinstance(net.events["b"][-1], Ended)
    c.answer_call(net.now, ringing.call)
    net.settle()
    assert isinstance(net.events["a"][-1], Answered)
    with pytest.raises(sansip.Late):
        proxy.add_targets(net.now, route.request, [sansip.Target("sip:d@10.0.0.5")])
    with pytest.raises(ValueError):
        sansip.Config(seed=b"1" * 32, fork_order="any")
