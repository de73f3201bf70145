"""sansip: a SIP protocol engine that does no I/O.

`Message.parse` reads any message and says what is wrong with it. `Engine` is a phone, a proxy and a
registrar: bytes and the time go in; bytes to send, questions and events come out.
"""

from ._engine import Engine
from ._errors import Error, Full, Gone, Late, LocalProtocolError, RemoteProtocolError
from ._media import AgreedCodec, AgreedStream, Codec, Media, Stream
from ._message import Defect, Headers, Message
from ._types import (
    Addr,
    Agreed,
    Answered,
    Binding,
    CallEvent,
    CallHandle,
    CallInfo,
    Close,
    Config,
    Confirmed,
    ConnectQuery,
    CredentialsQuery,
    DnsQuery,
    Ended,
    Event,
    Exhausted,
    FlowId,
    Forget,
    Ignored,
    IdentityChanged,
    Incoming,
    Limited,
    Limits,
    Line,
    LineEvent,
    LineHandle,
    LocateQuery,
    Mapped,
    MediaQuery,
    Output,
    Path,
    Policy,
    PolicyActed,
    Progress,
    Query,
    QueryId,
    Redirected,
    Registered,
    RegisterFailed,
    ReferProgress,
    Referred,
    Reinvite,
    Reinvited,
    Request,
    RequestAnswered,
    RequestHandle,
    RouteQuery,
    SendId,
    Stats,
    StoreQuery,
    Target,
    Transfer,
    TransferRequest,
    Transmit,
    Unknown,
    UnknownQuery,
    Unregistered,
    Updated,
)

__all__ = [name for name in dir() if not name.startswith("_")]
