"""Errors that say whose fault it is. What a peer does wrong is never an exception of the engine:
`Engine.receive` returns an `Ignored`."""

from __future__ import annotations


class Error(Exception):
    """Any error of sansip. Nothing has changed when one is raised. `code` is the C API's number."""

    def __init__(self, text: str, code: int = 0) -> None:
        super().__init__(text)
        self.code = code


class Full(Error):
    """There is no room: a limit of this side. For a datagram it is packet loss; for a stream, poll
    and present the bytes again."""


class Gone(Error):
    """The handle's object has ended, or belongs to another engine."""


class Late(Error):
    """The call was right in the state last shown by `poll`, but the object has moved on: a CANCEL
    or a timer was first."""


class LocalProtocolError(Error):
    """Our own fault: the call can never be right."""


class RemoteProtocolError(Error):
    """The peer's fault: the bytes are no SIP message."""


def of_code(code: int, text: str) -> Error:
    """The exception for a number of the core."""
    if code == -1:
        return Gone(text, code)
    if code == -2:
        return Late(text, code)
    if -200 < code <= -100:
        return Full(text, code)
    return LocalProtocolError(text, code)
