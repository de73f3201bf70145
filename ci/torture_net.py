"""The two sides of the torture test: who sends the messages, and the next hop of a proxy.

One thread, one selector. Everything that arrives is noted with where it came from; the next hop
answers each request with 480, so that a forwarded request ends.
"""

import re
import selectors
import socket
import time

from sansip import Failure

TESTER = "127.0.0.2"
# Where responses may go by the Vias of RFC 4475: their ports and the default ones.
TESTER_PORTS = (5060, 5061, 5050, 5070)
# The next hop: the proxy's route, and the address that the Route of one message names.
NEXT_HOP = ("127.0.0.1", 5080)
# The address of the names in Route header fields, of the contacts that are registered, and of the
# Request-URI that a Route to the registrar itself leads on to (see HOSTS).
NAMED_HOP = ("127.0.0.3", 5060)
HOSTS = f"""127.0.0.1 localhost
{NAMED_HOP[0]} services.example.com r.example example.com far.example
"""

COMPACT = {
    b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id", b"m": b"contact",
    b"l": b"content-length", b"c": b"content-type", b"s": b"subject", b"k": b"supported",
}


class Message:
    """A SIP message as far as a test needs it: its start line, its fields as they are, its body."""

    def __init__(self, data):
        self.data = data
        head, mark, self.body = data.partition(b"\r\n\r\n")
        lines = re.split(rb"\r\n(?![ \t])", head)
        self.start = lines[0]
        self.whole = bool(mark)
        self.fields = []
        for line in lines[1:]:
            name, colon, value = line.partition(b":")
            key = name.strip().lower()
            self.fields.append((COMPACT.get(key, key), value.strip() if colon else line, line))
        length = self.first(b"content-length")
        if length is not None and length.isdigit():
            self.body = self.body[: int(length)]

    def first(self, name):
        return next((value for key, value, _ in self.fields if key == name), None)

    def all(self, name):
        return [value for key, value, _ in self.fields if key == name]

    @property
    def status(self):
        match = re.match(rb"SIP/2\.0 (\d{3})( |$)", self.start)
        return int(match[1]) if match else None

    @property
    def method(self):
        return self.start.split(b" ", 1)[0]


def frame(buffer):
    """The first message in the bytes of a stream and what follows it; None until it is whole."""
    buffer = buffer.lstrip(b"\r\n")
    head, mark, rest = buffer.partition(b"\r\n\r\n")
    if not mark:
        return None
    length = Message(head + mark).first(b"content-length")
    need = int(length) if length and length.isdigit() else 0
    if len(rest) < need:
        return None
    end = len(head) + len(mark) + need
    return buffer[:end], buffer[end:]


def answer(request, start):
    """A response with this start line to a request of the proxy's."""
    lines = [start]
    for key, value, line in request.fields:
        if key in (b"via", b"from", b"call-id", b"cseq"):
            lines.append(line)
        if key == b"to":
            tagged = re.search(rb";\s*tag\s*=", value)
            lines.append(line if tagged else line + b";tag=hop")
    return b"\r\n".join(lines) + b"\r\nContent-Length: 0\r\n\r\n"


class Arrival:
    """A message that came: where to, from where, when."""

    def __init__(self, message, to, source, connection=None):
        self.message = message
        self.to = to
        self.source = source
        self.connection = connection
        self.at = time.monotonic()


class Net:
    """The sockets of both sides."""

    def __init__(self):
        self.selector = selectors.DefaultSelector()
        self.tester = []
        # The Call-IDs of what was sent so far.
        self.asked = set()
        self.hop = []
        # Whether the next hop leaves requests for the test to answer.
        self.hold = False
        self.buffers = {}
        self.closed = set()
        self.udp = {port: self._udp((TESTER, port), self.tester) for port in TESTER_PORTS}
        self.hop_udp = self._udp(NEXT_HOP, self.hop)
        self._udp(NAMED_HOP, self.hop)
        for address in (NEXT_HOP, NAMED_HOP):
            self._listen(address)

    def _bind(self, kind, address):
        opened = socket.socket(socket.AF_INET, kind)
        if kind == socket.SOCK_STREAM:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            opened.bind(address)
        except OSError as why:
            raise Failure(
                f"{address[0]}:{address[1]} is taken ({why}); the messages name fixed ports:"
                " run this in a network namespace (ci/netns.sh)"
            ) from None
        opened.setblocking(False)
        return opened

    def _udp(self, address, where):
        opened = self._bind(socket.SOCK_DGRAM, address)
        self.selector.register(
            opened, selectors.EVENT_READ, lambda: self._datagram(opened, address, where)
        )
        return opened

    def _datagram(self, opened, address, where):
        try:
            data, source = opened.recvfrom(65_535)
        except OSError:
            return  # an ICMP error of an earlier datagram
        arrival = Arrival(Message(data), address, source)
        where.append(arrival)
        if where is self.hop:
            self._answer(arrival, lambda reply: opened.sendto(reply, source))

    def _listen(self, address):
        opened = self._bind(socket.SOCK_STREAM, address)
        opened.listen()

        def accept():
            connection, source = opened.accept()
            self._stream(connection, address, source, self.hop)

        self.selector.register(opened, selectors.EVENT_READ, accept)

    def _stream(self, connection, address, source, where):
        connection.setblocking(False)
        self.buffers[connection] = b""

        def read():
            try:
                data = connection.recv(65_535)
            except OSError:
                data = b""
            if not data:
                self.closed.add(connection)
                self.selector.unregister(connection)
                return
            self.buffers[connection] += data
            while framed := frame(self.buffers[connection]):
                data, self.buffers[connection] = framed
                arrival = Arrival(Message(data), address, source, connection)
                where.append(arrival)
                if where is self.hop:
                    self._answer(arrival, connection.sendall)

        self.selector.register(connection, selectors.EVENT_READ, read)

    def _answer(self, arrival, send):
        request = arrival.message
        if self.hold or request.status or request.method == b"ACK":
            return
        send(answer(request, b"SIP/2.0 480 Temporarily Unavailable"))

    def connect(self, port):
        """A connection of the tester's to the process under test."""
        connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        connection.bind((TESTER, 0))
        connection.connect(("127.0.0.1", port))
        self._stream(connection, (TESTER, 0), ("127.0.0.1", port), self.tester)
        return connection

    def hang_up(self, connection):
        if connection not in self.closed:
            self.selector.unregister(connection)
        self.buffers.pop(connection, None)
        self.closed.discard(connection)
        connection.close()

    def send(self, data, port):
        self.udp[5060].sendto(data, ("127.0.0.1", port))

    def run(self, seconds, until=lambda: False):
        """Takes what comes until `until` holds or the time is over; whether it held."""
        end = time.monotonic() + seconds
        while not until():
            left = end - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self.selector.select(left):
                key.data()
        return True
