"""The engine."""

from __future__ import annotations

from typing import Iterable, Iterator, Optional, Sequence, Tuple

from . import _native
from ._media import Media
from ._message import Buffer, Message
from ._types import (
    Addr,
    Binding,
    CallHandle,
    CallInfo,
    Config,
    Extras,
    FlowId,
    Ignored,
    Limits,
    Line,
    LineHandle,
    Output,
    Path,
    Policy,
    QueryId,
    RequestHandle,
    SendId,
    Stats,
    Target,
    make_call_info,
    make_output,
)

Headers = Iterable[Tuple[str, str]]


def _extras(headers: Headers, content_type: str, body: Buffer, media: Optional[Media]) -> Extras:
    return (list(headers), content_type, bytes(body), media)


class Engine:
    """A SIP engine that does no I/O: bytes and the time go in; bytes to send, questions and events
    come out. After every input call `poll` until it returns None, do what it says, and sleep until
    `next_timeout`.

    `now_ms` is a time in milliseconds since an epoch of your choice; a lower one counts as the last.
    An engine is used from one thread at a time.
    """

    def __init__(self, config: Config, limits: Optional[Limits] = None) -> None:
        self._core = _native.Engine(config, limits or Limits.preset("tester"))

    # What goes in.

    def set_local(
        self,
        now_ms: int,
        local: int,
        bound: Addr,
        *,
        transport: str = "UDP",
        host: str = "",
        port: Optional[int] = None,
        network: int = 0,
    ) -> None:
        """Sets the identity `local` of this side: where its socket is bound, and the host and port
        that Via and Contact carry (those of `bound`, if not given; port 0 leaves it out)."""
        if not host:
            host = f"[{bound.host}]" if ":" in bound.host else bound.host
        port = bound.port if port is None else port
        self._core.set_local(now_ms, local, (transport, bound, host, port, network))

    def receive(self, now_ms: int, path: Path, data: Buffer) -> Optional[Ignored]:
        """A whole message. None if it was used, else why it was ignored."""
        ignored = self._core.receive(now_ms, path, bytes(data))
        return None if ignored is None else Ignored(*ignored)

    def receive_stream(self, now_ms: int, flow: FlowId, data: Buffer) -> int:
        """Bytes of a stream; how many were taken. Keep the rest and present it again with more."""
        return self._core.receive_stream(now_ms, flow, bytes(data))

    def flow_opened(
        self,
        now_ms: int,
        flow: FlowId,
        remote: Addr,
        *,
        transport: str = "TCP",
        local: int = 1,
        accepted: bool = False,
        names: Sequence[str] = (),
    ) -> None:
        """A connection has opened, with the names that TLS verified."""
        self._core.flow_opened(now_ms, flow, (local, remote, transport, accepted, list(names)))

    def flow_closed(self, now_ms: int, flow: FlowId, why: str = "closed") -> None:
        """A connection has ended: `closed`, `reset`, or `asked` (by `Close`)."""
        self._core.flow_closed(now_ms, flow, why)

    def send_failed(self, now_ms: int, send: SendId, why: str = "other") -> None:
        """What was to be sent could not be: `unreachable`, `too large` or `other`."""
        self._core.send_failed(now_ms, send, why)

    def handle_timeout(self, now_ms: int) -> None:
        """The clock has come to `next_timeout`."""
        self._core.handle_timeout(now_ms)

    # What comes out.

    def poll(self) -> Optional[Output]:
        """The next output, or None."""
        made = self._core.poll()
        return None if made is None else make_output(*made)

    def outputs(self) -> Iterator[Output]:
        """Polls until there is nothing left."""
        while (output := self.poll()) is not None:
            yield output

    def next_timeout(self) -> Optional[int]:
        """When `handle_timeout` is due: now while output waits, None if nothing is pending."""
        return self._core.next_timeout()

    def message(self, request: RequestHandle) -> Optional[Message]:
        """The request that waits for its answer, as it came. None once it is answered or gone."""
        raw = self._core.message(request)
        return None if raw is None else Message.parse(raw)

    @property
    def stats(self) -> Stats:
        """Live counts and totals."""
        return Stats(**dict(self._core.stats()))

    @property
    def is_quiescent(self) -> bool:
        """Whether nothing lives: no call, dialog, transaction, timer, question or output."""
        return self._core.is_quiescent()

    # Answers to questions.

    def answer_failed(self, now_ms: int, query: QueryId) -> None:
        """To any question: it could not be done."""
        self._core.answer_plain(now_ms, query, "failed")

    def answer_not_found(self, now_ms: int, query: QueryId) -> None:
        """To `DnsQuery`, `LocateQuery`, `MediaQuery` and `CredentialsQuery`: there is none."""
        self._core.answer_plain(now_ms, query, "not found")

    def answer_addresses(
        self, now_ms: int, query: QueryId, addresses: Sequence[str], ttl: int = 60
    ) -> None:
        """To `DnsQuery`: the IP addresses, best first, and for how many seconds they hold."""
        self._core.answer_addresses(now_ms, query, list(addresses), ttl)

    def answer_connected(self, now_ms: int, query: QueryId, flow: FlowId) -> None:
        """To `ConnectQuery`: this flow, reported by `flow_opened` before."""
        self._core.answer_connected(now_ms, query, flow)

    def answer_route(self, now_ms: int, query: QueryId, targets: Sequence[Target]) -> None:
        """To `RouteQuery`: try these; none is 404."""
        self._core.answer_route(now_ms, query, list(targets))

    def answer_reject(self, now_ms: int, query: QueryId, status: int) -> None:
        """To `RouteQuery`: refuse the request."""
        self._core.answer_reject(now_ms, query, status)

    def answer_located(
        self, now_ms: int, query: QueryId, version: int, bindings: Sequence[Binding]
    ) -> None:
        """To `LocateQuery`: the bindings and their version, which `StoreQuery` will name."""
        self._core.answer_located(now_ms, query, version, list(bindings))

    def answer_stored(self, now_ms: int, query: QueryId) -> None:
        """To `StoreQuery`: done."""
        self._core.answer_plain(now_ms, query, "stored")

    def answer_conflict(self, now_ms: int, query: QueryId) -> None:
        """To `StoreQuery`: the version is another; the engine asks again."""
        self._core.answer_plain(now_ms, query, "conflict")

    def answer_media(self, now_ms: int, query: QueryId, media: Media) -> None:
        """To `MediaQuery`: all that the call can have on our side; kept for all its offers and
        answers."""
        self._core.answer_media(now_ms, query, media)

    def answer_description(self, now_ms: int, query: QueryId, description: str) -> None:
        """To `MediaQuery`: a session description of your own, an offer or the answer to the
        peer's."""
        self._core.answer_description(now_ms, query, description)

    def answer_password(self, now_ms: int, query: QueryId, password: str) -> None:
        """To `CredentialsQuery`: the password."""
        self._core.answer_password(now_ms, query, password)

    def answer_ha1(self, now_ms: int, query: QueryId, ha1: str) -> None:
        """To `CredentialsQuery`: the hash of `user:realm:password` in hexadecimal, by the algorithm
        that was asked for."""
        self._core.answer_ha1(now_ms, query, ha1)

    # Verbs. Those that send take extra header fields and a body, or in its place the call's media,
    # which is kept for all its offers and answers. All may queue output.

    def add_line(self, now_ms: int, line: Line) -> LineHandle:
        """Adds a line."""
        return LineHandle(self._core.add_line(now_ms, line))

    def remove_line(self, now_ms: int, line: LineHandle) -> None:
        """Takes a line out; its calls go on."""
        self._core.remove_line(now_ms, line)

    def set_policy(self, now_ms: int, line: LineHandle, policy: Policy) -> None:
        """Sets what a line does with calls that begin from now on, in place of what was set
        before."""
        self._core.set_policy(now_ms, line, policy)

    def follow(self, now_ms: int, call: CallHandle, target: str = "") -> None:
        """Lets a call go on that `Redirected` tells of and whose line's policy asks: to this
        Contact of the response, or to the best."""
        self._core.follow(now_ms, call, target)

    def register(self, now_ms: int, line: LineHandle) -> None:
        """Registers a line and keeps it registered."""
        self._core.register(now_ms, line)

    def unregister(self, now_ms: int, line: LineHandle) -> None:
        """Ends a line's registration."""
        self._core.unregister(now_ms, line)

    def invite(
        self,
        now_ms: int,
        line: LineHandle,
        target: str,
        *,
        user: int = 0,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> CallHandle:
        """Calls a `sip:` or `sips:` URI. `user` comes back in the call's events."""
        extras = _extras(headers, content_type, body, media)
        return CallHandle(self._core.invite(now_ms, line, target, user, extras))

    def ring(
        self,
        now_ms: int,
        call: CallHandle,
        status: int = 180,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Sends a provisional response to an incoming call, 101 to 199."""
        self._core.ring(now_ms, call, status, _extras(headers, content_type, body, media))

    def answer_call(
        self,
        now_ms: int,
        call: CallHandle,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Answers a call or a re-INVITE with 200."""
        self._core.answer_call(now_ms, call, _extras(headers, content_type, body, media))

    def reject(
        self,
        now_ms: int,
        call: CallHandle,
        status: int = 0,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Refuses a call or a re-INVITE, 300 to 699; 0 as the line's policy says, else 486."""
        self._core.reject(now_ms, call, status, _extras(headers, content_type, body, media))

    def redirect(
        self,
        now_ms: int,
        call: CallHandle,
        contact: str,
        status: int = 302,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Sends the caller elsewhere."""
        extras = _extras(headers, content_type, body, media)
        self._core.redirect(now_ms, call, (status, contact), extras)

    def hangup(self, now_ms: int, call: CallHandle) -> None:
        """Hangs up: CANCEL, BYE or a refusal, whatever the call's state asks for. Never `Full`."""
        self._core.hangup(now_ms, call)

    def reinvite(
        self,
        now_ms: int,
        call: CallHandle,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Changes the session by a re-INVITE."""
        self._core.reinvite(now_ms, call, _extras(headers, content_type, body, media))

    def update(
        self,
        now_ms: int,
        call: CallHandle,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Sends an UPDATE, before the call is answered too. A From among the headers becomes our
        identity in the call, if the peer supports that."""
        self._core.update(now_ms, call, _extras(headers, content_type, body, media))

    def transfer(
        self,
        now_ms: int,
        call: CallHandle,
        target: str,
        *,
        keep: bool = False,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Asks the peer to call a URI in our place: a blind transfer. With `keep` the call stays:
        so the focus of a conference is asked to invite somebody."""
        extras = _extras(headers, content_type, body, media)
        self._core.transfer(now_ms, call, (target, keep), extras)

    def transfer_to(
        self,
        now_ms: int,
        call: CallHandle,
        other: CallHandle,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Asks the peer of `call` to take our place in `other`: an attended transfer."""
        self._core.transfer_to(now_ms, call, other, _extras(headers, content_type, body, media))

    def accept_transfer(
        self,
        now_ms: int,
        request: RequestHandle,
        *,
        user: int = 0,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> CallHandle:
        """Places the call that a `TransferRequest` asks for, and tells the peer how it goes."""
        extras = _extras(headers, content_type, body, media)
        return CallHandle(self._core.accept_transfer(now_ms, request, user, extras))

    def reject_transfer(self, now_ms: int, request: RequestHandle, status: int = 603) -> None:
        """Refuses what a `TransferRequest` asks for, 300 to 699."""
        self._core.reject_transfer(now_ms, request, status)

    def call_info(self, call: CallHandle) -> Optional[CallInfo]:
        """What a call has to do with others. None once it has ended."""
        info = self._core.call_info(call)
        return None if info is None else make_call_info(*info)

    def hold(self, now_ms: int, call: CallHandle) -> None:
        """Puts the peer of an answered call on hold (RFC 3264 8.4)."""
        self._core.hold(now_ms, call)

    def resume(self, now_ms: int, call: CallHandle) -> None:
        """Ends the hold of a call (RFC 3264 8.4)."""
        self._core.resume(now_ms, call)

    def refer(
        self,
        now_ms: int,
        line: LineHandle,
        target: str,
        to: str,
        *,
        user: int = 0,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Asks a `sip:` or `sips:` URI to call `to`, in a REFER outside calls (RFC 3515 2.4).
        `ReferProgress` tells how it goes and gives `user` back."""
        extras = _extras(headers, content_type, body, media)
        self._core.refer(now_ms, line, (target, to, user), extras)

    def options(
        self,
        now_ms: int,
        target: str,
        *,
        line: Optional[LineHandle] = None,
        user: int = 0,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Asks a `sip:` or `sips:` URI what it can do, as a line or as the engine itself (RFC 3261
        11.1). `RequestAnswered` tells the answer and gives `user` back."""
        extras = _extras(headers, content_type, body, media)
        self._core.options(now_ms, line, (target, user), extras)

    def respond(
        self,
        now_ms: int,
        request: RequestHandle,
        status: int,
        *,
        headers: Headers = (),
        content_type: str = "",
        body: Buffer = b"",
        media: Optional[Media] = None,
    ) -> None:
        """Answers a request that a `Request` event brought."""
        self._core.respond(now_ms, request, status, _extras(headers, content_type, body, media))

    def add_targets(
        self,
        now_ms: int,
        request: RequestHandle,
        targets: Sequence[Target] = (),
        *,
        more: bool = False,
    ) -> None:
        """Adds targets to a request that the proxy is forwarding, which `RouteQuery` or `LocateQuery`
        has asked about. With `more` it stays open: when nothing is left to try, `Exhausted` tells so
        and it waits for others; say it before the question is answered, without targets, where that
        may be so from the start."""
        self._core.add_targets(now_ms, request, list(targets), more)

    def send(self, now_ms: int, path: Path, data: Buffer) -> None:
        """Sends these bytes, whatever they are."""
        self._core.send(now_ms, path, bytes(data))

    def drain(self, now_ms: int) -> None:
        """Lets what goes on come to its end, and refuses what is new with 503."""
        self._core.drain(now_ms)

    def set_config(self, now_ms: int, config: Config) -> None:
        """Puts this configuration in place of the present one; its seed, keys, tag, shard and roles
        stay as they are."""
        self._core.set_config(now_ms, config)

    def shutdown(self, now_ms: int) -> None:
        """Ends all calls and registrations; go on until `is_quiescent`."""
        self._core.shutdown(now_ms)
