"""Two SIP phones on UDP sockets of 127.0.0.1: one calls, the other answers. They send no sound, but
say where it would go."""

import os
import select
import socket
import time

import sansip
from sansip import Addr, Codec, Media, Path, Stream


def now_ms() -> int:
    return time.monotonic_ns() // 1_000_000


class Phone:
    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.addr = Addr(*self.socket.getsockname())
        self.engine = sansip.Engine(sansip.Config(seed=os.urandom(32), proxy=False, registrar=False))
        self.engine.set_local(now_ms(), 1, self.addr)
        self.uri = f"sip:{name}@127.0.0.1:{self.addr.port}"
        self.line = self.engine.add_line(now_ms(), sansip.Line(self.uri))
        self.ended = False

    def receive(self) -> None:
        data, (host, port) = self.socket.recvfrom(65_536)
        self.engine.receive(now_ms(), Path(Addr(host, port)), data)

    def work(self) -> None:
        """Does what the engine says until it says no more. From Python 3.10 on a `match` reads
        better; the outputs are made for it."""
        self.engine.handle_timeout(now_ms())
        for output in self.engine.outputs():
            if isinstance(output, sansip.Transmit):
                to = output.path.remote
                self.socket.sendto(output.data, (to.host, to.port))
            elif isinstance(output, sansip.MediaQuery):
                media = Media("127.0.0.1", [Stream(self.addr.port + 2, [Codec("PCMU")])])
                self.engine.answer_media(now_ms(), output.id, media)
            elif isinstance(output, sansip.Agreed):
                for stream in output.streams:
                    print(f"{stream.direction} {stream.codecs[0].name} to port {stream.remote_port}")
            elif isinstance(output, sansip.Query):
                self.engine.answer_failed(now_ms(), output.id)
            elif isinstance(output, sansip.Incoming):
                print("call from", output.message.headers["From"])
                self.engine.answer_call(now_ms(), output.call)
            elif isinstance(output, sansip.Answered):
                print("answered with", output.status)
                self.engine.hangup(now_ms(), output.call)
            elif isinstance(output, sansip.Ended):
                print("ended:", output.why)
                self.ended = True


alice, bob = Phone("alice"), Phone("bob")
phones = [alice, bob]
alice.engine.invite(now_ms(), alice.line, bob.uri)
while not all(phone.ended for phone in phones):
    for phone in phones:
        phone.work()
    due = [t for phone in phones if (t := phone.engine.next_timeout()) is not None]
    wait = max(0, min(due, default=now_ms()) - now_ms()) / 1_000
    ready, _, _ = select.select([phone.socket for phone in phones], [], [], wait)
    for phone in phones:
        if phone.socket in ready:
            phone.receive()
