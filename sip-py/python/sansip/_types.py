"""What goes into an engine and comes out of it: plain frozen values, made for `match`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, List, NewType, Optional, Tuple

from . import _native
from ._media import AgreedStream, Media, make_stream
from ._message import Message

CallHandle = NewType("CallHandle", int)
LineHandle = NewType("LineHandle", int)
RequestHandle = NewType("RequestHandle", int)
QueryId = NewType("QueryId", int)
SendId = NewType("SendId", int)
FlowId = NewType("FlowId", int)
"""A connection: the caller's own number, from 1, never used twice in an engine's life."""

Extras = Tuple[List[Tuple[str, str]], str, bytes, Optional[Media]]
"""What a verb adds to its message: header fields, Content-Type, body, media."""


@dataclass(frozen=True)
class Addr:
    """An IP address and a port."""

    host: str
    port: int
    scope: int = 0
    """The interface index of a link-local IPv6 address."""


@dataclass(frozen=True)
class Path:
    """The way a message came or goes."""

    remote: Addr
    local: int = 1
    """The identity at this end: a number given to `Engine.set_local`."""
    flow: Optional[FlowId] = None
    """The connection, for stream transports."""


@dataclass(frozen=True)
class Config:
    """How an engine behaves. Times ending in `_ms` are milliseconds, the others seconds."""

    seed: bytes
    """32 bytes: random, new at each start and for each engine. In a test the same seed gives the
    same bytes out."""
    cluster_key: bytes = bytes(32)
    unix_at_zero_ms: int = 0
    tag: int = 0
    shard: int = 0
    ua: bool = True
    proxy: bool = True
    registrar: bool = True
    t1_ms: int = 500
    t2_ms: int = 4_000
    t4_ms: int = 5_000
    paid: bool = True
    """Whether an unproven UDP source gets at most 3 times the bytes it sent. False: as the timers
    of RFC 3261 17 say, for closed networks and tests."""
    trusted: Tuple[Tuple[str, int], ...] = ()
    """Networks whose UDP sources need no proof: address and prefix length."""
    product: str = ""
    domains: Tuple[str, ...] = ()
    ring_ms: int = 180_000
    query_ms: int = 30_000
    timer_c_ms: int = 181_000
    timer_c_total_ms: int = 3_600_000
    fork_order: str = "mixed"
    """In what order the proxy tries targets: `parallel`, `serial` by q, or `mixed`: those of the highest
    q at once, then those of the next."""
    fork_ring_ms: int = 20_000
    """How long targets may ring before those that come after them are tried."""
    fork_recurse: bool = False
    """Whether the proxy tries the contacts of a 300, 301 or 302."""
    fork_redirect: bool = False
    """Whether the proxy tells the caller of the targets by a 302."""
    dispositions: bool = True
    """Whether what callers ask by Request-Disposition counts (RFC 3841)."""
    max_breadth: int = 60
    """The Max-Breadth of a request that has none (RFC 5393); 0 adds none."""
    fork_late_ms: int = 30_000
    """How long a request waits for late targets when nothing else is left to try."""
    record_route: bool = True
    datagram_max: int = 1_300
    """A longer request does not go by UDP where TCP is possible, in bytes; 0 for no bound."""
    ask_media: bool = True
    """Whether `MediaQuery` asks for the media of a call that no verb gave. False: session
    descriptions are the bodies that verbs bring."""
    hold: str = "sendonly"
    """How a call is put on hold: `sendonly` (we may send: music, say), `inactive`, or `zero`, which
    is `sendonly` with the address 0.0.0.0 that old peers expect."""
    dns: bool = True
    outbound: Optional[Addr] = None
    transferor_leaves: str = "on final notify"
    """When the transferor hangs up: `on final notify`, `on accepted` or `never`."""
    transfer_ringing: str = "wait"
    """What a transfer to a call does that still rings: `wait`, `replaces` or `blind`."""
    transfer_to_aor: bool = False
    """Whether an attended transfer names the target by its address of record."""
    refer_sub: bool = True
    """Whether our REFERs ask for NOTIFYs (RFC 4488)."""
    transfers: str = "ask"
    """What becomes of the peers' REFERs: `ask`, `accept` (those of a call's peer) or `refuse`."""
    min_expires: int = 60
    default_expires: int = 3_600
    max_expires: int = 7_200
    max_bindings: int = 10
    challenge: Optional[str] = None
    """Which requests the proxy and the registrar challenge: `None`, `calls` (REGISTER and INVITE) or
    `all` (but ACK and CANCEL). The secrets are asked for by `CredentialsQuery`."""
    realm: str = ""
    algorithms: Tuple[str, ...] = ("SHA-512-256", "SHA-256", "MD5")
    """Those that are offered, the strongest first."""
    integrity: bool = False
    """Whether a request's body may be protected too (`auth-int`)."""
    nonce_ms: int = 300_000
    """For how long a nonce holds."""
    path_use: str = "never"
    """Whether the proxy adds a Path to the REGISTERs that it forwards (RFC 3327): `never`,
    `supported` (by the device), `required` (else 421) or `always`."""
    nat: str = "detect"
    """Which devices are reached where their requests come from: `never` (only those of RFC 5626 and
    on WebSockets), `detect` or `always`."""
    trust: Tuple[Tuple[str, int], ...] = ()
    """The trust domain of RFC 3325: address and prefix length. Empty: P-Asserted-Identity passes
    like any other field."""
    service_route: str = ""
    """The Service-Route that registrations get (RFC 3608)."""
    gruu: bool = True
    """Whether the registrar gives GRUUs (RFC 5627)."""
    stateless: bool = False
    """Whether requests are forwarded without keeping anything of them, where that can be."""
    per_source: int = 0
    """The most server transactions that requests from one address may have open; 0: no bound."""

    session_expires: int = 1_800
    """How long a session lasts without a refresh, in seconds (RFC 4028); 0 asks for no timer."""
    min_se: int = 90
    reliable: str = "with body"
    """Which provisional responses are sent reliably (RFC 3262): never, with body, always, require."""

    def __post_init__(self) -> None:
        if self.challenge not in (None, "calls", "all"):
            raise ValueError("challenge is None, 'calls' or 'all'")
        if self.fork_order not in ("parallel", "serial", "mixed"):
            raise ValueError("fork_order is 'parallel', 'serial' or 'mixed'")
        if self.reliable not in ("never", "with body", "always", "require"):
            raise ValueError("reliable is 'never', 'with body', 'always' or 'require'")
        if len(self.seed) != 32 or len(self.cluster_key) != 32:
            raise ValueError("seed and cluster_key have 32 bytes")


@dataclass(frozen=True)
class Limits:
    """The room of every table, reserved when the engine is made. Take a preset and change it with
    `dataclasses.replace`."""

    lines: int
    calls: int
    calls_in: int
    dialogs: int
    transactions: int
    attempts: int
    forks: int
    branches: int
    flows: int
    locals: int
    queries: int
    outputs: int
    pool: int
    sources: int
    credentials: int
    """Challenges that lines have answered and remember."""
    nonces: int
    """Nonces of ours whose use is remembered; needed where others are challenged."""
    message: int
    header_section: int
    fields: int
    value: int
    list: int
    params: int
    uri: int
    defects: int

    @classmethod
    def preset(cls, name: str) -> Limits:
        """`tiny`, `phone`, `server` or `tester`."""
        return cls(**dict(_native.preset(name)))

    @property
    def footprint(self) -> int:
        """The bytes that an engine with these limits reserves."""
        return _native.footprint(self)


@dataclass(frozen=True)
class Line:
    """An address of record that the user agent serves."""

    aor: str
    display: str = ""
    proxy: str = ""
    """Where its requests outside dialogs go: a URI; empty sends them by their Request-URI."""
    local: Optional[int] = None
    expires: int = 0
    any: bool = False
    """Whether it takes requests whose Request-URI no line has."""
    user: int = 0
    auth_user: str = ""
    """The user name that challenges are answered with; empty: that of the address of record."""
    auth_realm: str = ""
    """The only realm whose challenges are answered; empty: any that has an answer."""
    auth_peers: bool = False
    """Whether a challenge in a dialog is answered whoever sends it."""
    instance: str = ""
    """The device that it is on, as a URN: `urn:uuid:...`. With it the line registers as that
    instance, and a public GRUU that it gets is its Contact in dialogs (RFC 5627)."""


@dataclass(frozen=True)
class Policy:
    """What a line does with calls before a person does, and how its own go on when they are
    redirected. Of several that apply to a call the first of this order acts: refusing anonymous
    calls, `always`, do-not-disturb, being busy, answering, `no_answer`. Times are seconds."""

    always: str = ""
    """Where every call is forwarded to by a 302: a URI; empty for nowhere."""
    busy: str = ""
    """Where calls are forwarded to while the line is busy; empty for nowhere (486)."""
    no_answer: str = ""
    """Where calls are forwarded to that nobody answers; empty for nowhere."""
    no_answer_after: int = 20
    dnd: bool = False
    """Do not disturb: calls are refused, or forwarded to `dnd_to`."""
    dnd_status: int = 480
    dnd_to: str = ""
    refuse_status: int = 486
    """The status of an `Engine.reject` that names none."""
    no_waiting: bool = False
    """The line is busy while it has a call."""
    calls: int = 0
    """The line is busy while it has so many calls; 0 for no bound."""
    ring: bool = False
    """The engine itself answers 180."""
    auto_answer: str = "never"
    """Which calls the engine answers by itself: `never` one, those whose caller has `asked` for it
    (Answer-Mode, Alert-Info, Call-Info), or `always`."""
    refuse_anonymous: bool = False
    """Calls without the caller's identity are refused with 433 (RFC 5079)."""
    anonymous: bool = False
    """The line's own calls keep its identity back; a call's own Privacy comes first."""
    history: bool = False
    """The line's own calls tell where they have been (History-Info, RFC 7044)."""
    follow: str = "never"
    """What becomes of a call of the line that is redirected: `never` ends it, `ask` waits for
    `Engine.follow`, `follow` goes on by itself (RFC 3261 8.1.3.4)."""
    targets: int = 5
    """To how many targets such a call goes on at most, up to 16."""
    depth: int = 5
    """How many redirections may follow one another."""


@dataclass(frozen=True)
class Target:
    """A target of a request that the proxy forwards."""

    uri: str = ""
    """The new Request-URI; empty keeps the one that came."""
    next_hop: str = ""
    """Where to send it in spite of its Request-URI: a URI."""
    q: int = 1000
    path: str = ""
    """Routes that the request gets before its own, as one Route field lists them (RFC 3327)."""
    params: str = ""
    """What is known of the device, as parameters of a Contact."""


@dataclass(frozen=True)
class Binding:
    """A contact of an address of record."""

    uri: str
    params: str
    q: int
    expires: int
    """Seconds from now."""
    call_id: str
    cseq: int
    path: str = ""
    """The routes to it (RFC 3327). Keep it as it is."""


@dataclass(frozen=True)
class Ignored:
    """Why a received message was ignored."""

    reason: str
    clause: str
    """The clause that allows it."""


@dataclass(frozen=True)
class Output:
    """One thing that the engine wants done or known."""


@dataclass(frozen=True)
class Transmit(Output):
    """Send these bytes: with `path.flow` to that connection, else as a datagram."""

    path: Path
    data: bytes
    send: SendId
    """Which object sends: the same for a message and its repetitions."""
    copy: int
    """0 for the first time, then counting the repetitions."""


@dataclass(frozen=True)
class Close(Output):
    """Write what was given for this flow before, close it, report `flow_closed`."""

    flow: FlowId


@dataclass(frozen=True)
class Query(Output):
    """A question: answer it with an `Engine.answer_...`, now or later, once."""

    id: QueryId


@dataclass(frozen=True)
class DnsQuery(Query):
    """The addresses of a name: `answer_addresses`, `answer_not_found`."""

    name: str
    transport: str


@dataclass(frozen=True)
class ConnectQuery(Query):
    """A connection: `flow_opened`, then `answer_connected`."""

    to: Addr
    transport: str
    name: str
    """The name that TLS has to verify."""


@dataclass(frozen=True)
class RouteQuery(Query):
    """Where to send a request: `answer_route`, `answer_reject`."""

    request: RequestHandle
    uri: str
    ours: bool
    """Whether the Request-URI's host is one of our domains or identities."""


@dataclass(frozen=True)
class MediaQuery(Query):
    """The media of a call that no verb gave: `answer_media`, `answer_description`.
    `answer_not_found` calls without, and refuses a call that came in with 488."""

    call: CallHandle
    offer: str = field(repr=False)
    """The peer's offer; empty where it has made none."""


@dataclass(frozen=True)
class LocateQuery(Query):
    """The bindings of an address of record: `answer_located`, `answer_not_found`."""

    aor: str
    request: Optional[RequestHandle] = None
    """The request that is to be routed; `None` to register."""


@dataclass(frozen=True)
class StoreQuery(Query):
    """Store these bindings in place of all that the address of record has, if its version is still
    this: `answer_stored`, `answer_conflict`."""

    aor: str
    version: int
    bindings: Tuple[Binding, ...]


@dataclass(frozen=True)
class CredentialsQuery(Query):
    """The secret of a user: `answer_password`, `answer_ha1`, `answer_not_found`."""

    line: Optional[LineHandle]
    """The line whose request is challenged; `None` to check somebody else's credentials."""
    realm: str
    algorithm: str
    """`MD5`, `SHA-256` or `SHA-512-256`."""
    user: str


@dataclass(frozen=True)
class UnknownQuery(Query):
    """A question that this version does not know: `answer_failed`."""


@dataclass(frozen=True)
class Forget(Output):
    """The asker of that question has ended; a late answer is harmless."""

    id: QueryId


@dataclass(frozen=True)
class Event(Output):
    """Something happened."""


@dataclass(frozen=True)
class CallEvent(Event):
    """A call changed."""

    call: CallHandle
    line: Optional[LineHandle]
    user: int
    """The caller's own number of the call."""
    message: Optional[Message] = field(repr=False)
    """The message that caused it."""


@dataclass(frozen=True)
class Incoming(CallEvent):
    """A call came in: ring, answer, reject or redirect it."""


@dataclass(frozen=True)
class Progress(CallEvent):
    """A provisional response came, 101 to 199."""

    status: int


@dataclass(frozen=True)
class Answered(CallEvent):
    """The peer answered; the ACK is on its way."""

    status: int


@dataclass(frozen=True)
class Confirmed(CallEvent):
    """The peer has our answer."""


@dataclass(frozen=True)
class Reinvite(CallEvent):
    """The peer wants to change the session: answer or reject it."""


@dataclass(frozen=True)
class Reinvited(CallEvent):
    """Our re-INVITE was answered."""

    status: int


@dataclass(frozen=True)
class Updated(CallEvent):
    """Our UPDATE was answered."""

    status: int


@dataclass(frozen=True)
class IdentityChanged(CallEvent):
    """The peer is somebody else now: the message's From (RFC 4916)."""


@dataclass(frozen=True)
class PolicyActed(CallEvent):
    """The line's policy was first; a person's verb comes too late now."""

    what: str
    """forward always, forward busy, forward no answer, forward dnd, dnd, busy, anonymous, auto
    answer or answer mode."""


@dataclass(frozen=True)
class Redirected(CallEvent):
    """Our INVITE was redirected, and the call goes on: by itself, or when `Engine.follow` says so,
    as the line's policy has it."""

    status: int


@dataclass(frozen=True)
class Transfer(CallEvent):
    """The transfer that we asked for goes on: what the peer answered to our REFER, or what its
    NOTIFY says of the new call."""

    status: int
    """408 where nothing came, 503 where there was no way."""
    done: bool
    """It is over: with 2xx it worked, else the call is the person's again."""


@dataclass(frozen=True)
class Referred(CallEvent):
    """The engine has placed this call because a peer asked for it by REFER."""


@dataclass(frozen=True)
class Ended(CallEvent):
    """The call has ended; its handle is stale."""

    why: str
    """hangup, remote hangup, refused, rejected, abandoned, cancelled, timeout, unreachable, no ack,
    bad media, session expired, replaced or transferred."""
    status: int
    """The status that ended it, 0 where there is none."""


@dataclass(frozen=True)
class LineEvent(Event):
    """A line changed."""

    line: LineHandle
    user: int
    message: Optional[Message] = field(repr=False)


@dataclass(frozen=True)
class Registered(LineEvent):
    """The line is registered for so many seconds, and will be refreshed in time."""

    expires: int


@dataclass(frozen=True)
class Unregistered(LineEvent):
    """The line is not registered any more, as asked."""


@dataclass(frozen=True)
class Mapped(LineEvent):
    """The registrar sees another address than we tell, or no longer does (RFC 3581):
    `Engine.set_local` can take it."""

    address: Addr


@dataclass(frozen=True)
class RegisterFailed(LineEvent):
    """The line could not be registered."""

    status: int


@dataclass(frozen=True)
class Request(Event):
    """A request that the engine leaves to the application: `Engine.respond`."""

    request: RequestHandle
    line: Optional[LineHandle]
    call: Optional[CallHandle]
    """The call that it came in, if any."""
    message: Optional[Message] = field(repr=False)


@dataclass(frozen=True)
class TransferRequest(Event):
    """A peer asks by REFER for a call: `Engine.accept_transfer` or `Engine.reject_transfer`."""

    request: RequestHandle
    call: Optional[CallHandle]
    """The call that it came in or names."""
    line: Optional[LineHandle]
    message: Optional[Message] = field(repr=False)


@dataclass(frozen=True)
class RequestAnswered(Event):
    """A request of ours outside calls was answered; 408 where nothing came, 503 where there was no
    way."""

    user: int
    """The caller's own number of the request."""
    status: int
    message: Optional[Message] = field(repr=False)


@dataclass(frozen=True)
class ReferProgress(Event):
    """A REFER of ours outside calls goes on: what was answered to it, or what a NOTIFY says of the new
    call (RFC 3515 2.4.5); 408 where nothing came, 503 where there was no way."""

    user: int
    """The caller's own number of the REFER."""
    status: int
    done: bool
    """It is over: with 2xx it worked."""
    message: Optional[Message] = field(repr=False)


@dataclass(frozen=True)
class Exhausted(Event):
    """Everything has failed that was to be tried for a request which waits for late targets:
    `add_targets` adds some, or says that no more come."""

    request: RequestHandle
    status: int
    """What goes back when no more come."""


@dataclass(frozen=True)
class Limited(Event):
    """A limit was reached, and something was refused because of it."""

    limit: str


@dataclass(frozen=True)
class Agreed(Output):
    """The session of a call has changed: what to send and hear from now on (RFC 3264)."""

    call: CallHandle
    line: Optional[LineHandle]
    user: int
    """The caller's own number of the call."""
    streams: Tuple[AgreedStream, ...]
    """In the order of the `m=` lines."""
    local: bytes = field(repr=False)
    """Our session description."""
    remote: bytes = field(repr=False)
    """The peer's."""


@dataclass(frozen=True)
class Unknown(Output):
    """An output that this version does not know: skip it."""


@dataclass(frozen=True)
class CallInfo:
    """What a call has to do with others."""

    line: Optional[LineHandle]
    user: int
    """The caller's own number of the call."""
    replaces: Optional[CallHandle]
    """The call whose place it takes once it is answered (RFC 3891)."""
    joins: Optional[CallHandle]
    """The call that it wants to be mixed with (RFC 3911)."""
    focus: bool
    """The peer is the focus of a conference (RFC 4579)."""


@dataclass(frozen=True)
class Stats:
    """What an engine holds now, and what it has seen."""

    calls: int
    lines: int
    dialogs: int
    transactions: int
    attempts: int
    forks: int
    transfers: int
    timers: int
    queries: int
    flows: int
    outputs: int
    blocks: int
    pool_bytes: int
    received: int
    ignored: int
    refused_full: int


def _message(data: Optional[bytes]) -> Optional[Message]:
    return None if data is None else Message.parse(data)


def make_call_info(
    line: Optional[int], user: int, replaces: Optional[int], joins: Optional[int], focus: bool
) -> CallInfo:
    """The value that a tuple of the compiled half stands for."""

    def call(raw: Optional[int]) -> Optional[CallHandle]:
        return None if raw is None else CallHandle(raw)

    of = None if line is None else LineHandle(line)
    return CallInfo(of, user, call(replaces), call(joins), focus)


def make_output(kind: str, *parts: Any) -> Output:
    """The value that a tuple of the compiled half stands for."""
    make: Any = globals()[kind]
    made: Output
    if issubclass(make, CallEvent):
        call, line, user, message = parts[0]
        made = make(call, line, user, _message(message), *parts[1:])
    elif make is Mapped:
        line, user, message = parts[0]
        made = Mapped(line, user, _message(message), Addr(*parts[1]))
    elif issubclass(make, LineEvent):
        line, user, message = parts[0]
        made = make(line, user, _message(message), *parts[1:])
    elif make is Transmit:
        local, remote, flow = parts[0]
        made = Transmit(Path(Addr(*remote), local, flow), *parts[1:])
    elif make is Agreed:
        (call, line, user), streams, (local, remote) = parts
        agreed = tuple(make_stream(*stream) for stream in streams)
        made = Agreed(call, line, user, agreed, local, remote)
    elif make is ConnectQuery:
        made = ConnectQuery(parts[0], Addr(*parts[1]), *parts[2:])
    elif make is StoreQuery:
        query, aor, version, bindings = parts
        made = StoreQuery(query, aor, version, tuple(Binding(*b) for b in bindings))
    elif make is RequestAnswered:
        user, status, message = parts
        made = RequestAnswered(user, status, _message(message))
    elif make is ReferProgress:
        user, status, done, message = parts
        made = ReferProgress(user, status, done, _message(message))
    elif make is Request:
        request, line, call, message = parts
        made = Request(request, line, call, _message(message))
    elif make is TransferRequest:
        request, call, line, message = parts
        made = TransferRequest(request, call, line, _message(message))
    else:
        made = make(*parts)
    return made
