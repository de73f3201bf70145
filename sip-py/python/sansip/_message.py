"""A SIP message: its bytes, and what is in them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Iterator, Mapping, Optional, Tuple, Union

from . import _native
from ._errors import RemoteProtocolError

Buffer = Union[bytes, bytearray, memoryview]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Defect:
    """What is wrong with a message."""

    kind: int
    """A stable number, 1 being the weightiest kind."""
    status: int
    """The status that a request earns by it where it is refused."""
    clause: str
    """The clause that it breaks."""
    text: str
    """What it is, in words."""
    field: str
    """The header field it is in; empty for the start line, the body and unknown fields."""
    at: int
    """Where in `Message.raw`."""
    length: int
    """How many bytes from there."""


class Headers(Mapping[str, str]):
    """The header fields of a message, in their order. Names are found in full or compact form and
    without regard to case; `headers["Via"]` is the first value, `get_all("Via")` has them all."""

    def __init__(self, fields: Tuple[Tuple[bytes, bytes], ...]) -> None:
        self._fields = fields
        self._keys = tuple(_native.header_key(name) for name, _ in fields)

    def __getitem__(self, name: str) -> str:
        key = _native.header_key(name.encode())
        for i, this in enumerate(self._keys):
            if this == key:
                return _text(self._fields[i][1])
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        """The names as they are written, each field once."""
        return (_text(name) for name, _ in self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def get_all(self, name: str) -> list[str]:
        """The values of all fields of this name."""
        key = _native.header_key(name.encode())
        return [_text(v) for k, (_, v) in zip(self._keys, self._fields) if k == key]

    def pairs(self) -> list[tuple[str, str]]:
        """Every field as name and value, in order."""
        return [(_text(name), _text(value)) for name, value in self._fields]

    def __repr__(self) -> str:
        return f"Headers({self.pairs()!r})"


@dataclass(frozen=True)
class Message:
    """A SIP message. Make one with `Message.parse`.

    >>> m = Message.parse(b"OPTIONS sip:bob@example.com SIP/2.0\\r\\ni: 4711\\r\\n\\r\\n")
    >>> m.method, m.headers["Call-ID"]
    ('OPTIONS', '4711')
    >>> m.defects[0].text
    'no Via'
    """

    raw: bytes
    """The message, from its start line to the end of its body."""
    method: Optional[str]
    """The method; None for a response."""
    uri: Optional[str]
    """The request URI; None for a response."""
    status: Optional[int]
    """The status; None for a request, 0 where it is no number of 100 to 699."""
    reason: Optional[str]
    """The reason phrase; None for a request."""
    raw_headers: Tuple[Tuple[bytes, bytes], ...] = field(repr=False)
    """The header fields as name and value, as they are written."""
    body: bytes
    """The body."""
    defects: Tuple[Defect, ...]
    """What departs from the RFCs. Parsing refuses no content."""
    consumed: int = field(repr=False, compare=False, default=0)
    """How many of the bytes given belong to the message, empty lines before it included."""

    @classmethod
    def parse(cls, data: Buffer, *, stream: bool = False) -> Message:
        """Parses a datagram, or with `stream` the front of a stream, where Content-Length alone
        tells where the body ends. `RemoteProtocolError` if it is no SIP message at all."""
        parts = _native.parse(bytes(data), stream)
        if isinstance(parts, str):
            raise RemoteProtocolError(parts)
        return cls(
            raw=parts["raw"],
            method=None if parts["method"] is None else _text(parts["method"]),
            uri=None if parts["uri"] is None else _text(parts["uri"]),
            status=parts["status"],
            reason=None if parts["reason"] is None else _text(parts["reason"]),
            raw_headers=tuple(parts["fields"]),
            body=parts["body"],
            defects=tuple(Defect(*d) for d in parts["defects"]),
            consumed=parts["consumed"],
        )

    @cached_property
    def headers(self) -> Headers:
        """The header fields as text: UTF-8, with surrogateescape for what is not."""
        return Headers(self.raw_headers)

    @property
    def is_request(self) -> bool:
        """Whether it is a request."""
        return self.method is not None

    def __str__(self) -> str:
        return _text(self.raw)
