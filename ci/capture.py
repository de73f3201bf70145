"""What `sansip proxy --capture` wrote: the SIP messages of a pcap of raw IPv4 packets."""

import re
import struct

UDP = 17


class Message:
    """One message: when (seconds since 1970), whence and whither (ports), its text."""

    def __init__(self, at, source, target, text):
        self.at, self.source, self.target, self.text = at, source, target, text
        self.line = text.split("\r\n", 1)[0]
        self.method = "" if self.line.startswith("SIP/2.0") else self.line.split(" ", 1)[0]
        self.status = int(self.line.split(" ")[1]) if not self.method else 0

    def field(self, name, compact="-"):
        """The value of a header field, empty without one."""
        head = self.text.split("\r\n\r\n", 1)[0]
        found = re.search(rf"^(?:{name}|{compact})[ \t]*:[ \t]*(.*)$", head, re.I | re.M)
        return found[1].strip() if found else ""

    @property
    def call(self):
        return self.field("Call-ID", "i")

    @property
    def of(self):
        """The method that it is of, a response's too."""
        return (self.field("CSeq").split() or [""])[-1]

    def __str__(self):
        return f"{self.source}->{self.target} {self.line} ({self.of})"


def read(path):
    """All whole messages of a capture, in their order."""
    with open(path, "rb") as file:
        data = file.read()
    messages, streams, at = [], {}, 24
    while len(data) >= at + 16:
        seconds, micros, length, _ = struct.unpack_from("<IIII", data, at)
        packet = data[at + 16:at + 16 + length]
        at += 16 + length
        if len(packet) < length:
            break
        payload = packet[(packet[0] & 15) * 4:]
        source, target = struct.unpack_from(">HH", payload)
        when = seconds + micros / 1e6
        if packet[9] == UDP:
            messages += taken(bytearray(payload[8:]), when, source, target)
            continue
        stream = streams.setdefault((source, target), bytearray())
        stream += payload[(payload[12] >> 4) * 4:]
        messages += taken(stream, when, source, target)
    return messages


def taken(stream, when, source, target):
    """Takes the whole messages off the beginning of a stream."""
    found = []
    while True:
        # RFC 3261 7.5, RFC 5626 4.4.1: empty lines between messages.
        while stream[:1] in (b"\r", b"\n", b"\0"):
            del stream[:1]
        end = stream.find(b"\r\n\r\n")
        if end < 0:
            return found
        length = re.search(rb"^(?:Content-Length|l)[ \t]*:[ \t]*(\d+)", stream[:end], re.I | re.M)
        end += 4 + (int(length[1]) if length else 0)
        if len(stream) < end:
            return found
        text = bytes(stream[:end]).decode(errors="replace")
        del stream[:end]
        found.append(Message(when, source, target, text))
