#!/usr/bin/env python3
"""torture_wire.py SANSIP [--corpus own|rfc]: the messages of RFC 4475 on the wire.

Each of the 49 messages goes to `sansip phone`, to `sansip proxy`, and to `sansip proxy` with the
domain of the messages, which makes it their registrar; over UDP and TCP, each to a process of its
own and all to one. What comes back, and what reaches the next hop, is held against
torture_expected.tsv. The messages are the repository's own (sip-core/tests/torture), and the
RFC's where the folder of reference vectors is there (SANSIP_VECTORS).
"""

import argparse
import os
import pathlib
import re
import sys
import time

from sansip import Failure, Process, free_port
from torture_net import HOSTS, NEXT_HOP, TESTER, Message, Net, answer

HERE = pathlib.Path(__file__).resolve().parent
OWN = HERE.parent / "sip-core" / "tests" / "torture"
VECTORS = pathlib.Path(os.environ.get("SANSIP_VECTORS", HERE.parent.parent / "shared/reference/vectors"))
COUNT = 49
ROLES = ("phone", "proxy", "registrar")
# The domain that the REGISTERs of the corpus are for.
DOMAINS = {"own": "r.example", "rfc": "example.com"}
# Time for an answer that has to come, for one that must not, and for a connection to be closed.
ANSWER, SILENCE, CLOSING = 3.0, 0.4, 3.0
# Until a server transaction over UDP is gone (RFC 3261 17.2.2, timer J), and a little more.
TRANSACTION = 33.0


def expectations():
    """name -> {(role, transport): alternatives}"""
    table = {}
    for line in (HERE / "torture_expected.tsv").read_text().splitlines():
        if line and not line.startswith("#"):
            name, *cells = line.split("\t")
            keys = [(r, t) for r in ROLES for t in ("udp", "tcp")]
            table[name] = {key: cell.split("|") for key, cell in zip(keys, cells, strict=True)}
    if len(table) != COUNT:
        raise Failure(f"{len(table)} rows in torture_expected.tsv, not {COUNT}")
    return table


def corpora(only):
    found = []
    for label, folder in (("own", OWN), ("rfc", VECTORS / "rfc4475")):
        if only in (None, label):
            if folder.is_dir():
                found.append((label, folder))
            else:
                print(f"{label} messages: {folder} is not there, skipped")
    return found


class Subject:
    """The process under test."""

    def __init__(self, sansip, label, role, *more):
        self.role = role
        self.port = free_port()
        listen = [f"{t}:127.0.0.1:{self.port}" for t in ("udp", "tcp")]
        command = "phone" if role == "phone" else "proxy"
        arguments = [command, "--listen", listen[0], "--listen", listen[1]]
        if role == "phone":
            arguments += ["--aor", "sip:user@example.com", "--answer", "200", *more]
        else:
            arguments += ["--route", f"*=sip:{NEXT_HOP[0]}:{NEXT_HOP[1]}", *more]
        if role == "registrar":
            arguments += ["--domain", DOMAINS[label]]
        self.process = Process(sansip, *arguments)

    def check_alive(self, net, number):
        """It answers an OPTIONS that asks nothing of anybody else."""
        call = b"ping-%d-%d" % (self.port, number)
        ping = (
            b"OPTIONS sip:ping@127.0.0.1:%d SIP/2.0\r\n"
            b"Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s;rport\r\nMax-Forwards: 0\r\n"
            b"From: <sip:tester@%s>;tag=p\r\nTo: <sip:ping@127.0.0.1>\r\nCall-ID: %s\r\n"
            b"CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        ) % (self.port, TESTER.encode(), call, TESTER.encode(), call)
        net.asked.add(call)
        net.send(ping, self.port)
        answered = net.run(
            ANSWER, lambda: any(a.message.first(b"call-id") == call for a in net.tester)
        )
        if not self.process.alive():
            raise Failure(f"the process has ended: {self.process.errors()}")
        if not answered:
            raise Failure("alive, but it answers no OPTIONS any more")


class Came:
    """What came of one message."""

    def __init__(self):
        self.final = None
        self.closed = False
        self.forwarded = []

    def __str__(self):
        parts = []
        if self.final:
            parts.append(self.final.start.decode(errors="replace"))
        if self.forwarded:
            parts.append("forwarded")
        if self.closed:
            parts.append("connection closed")
        return ", ".join(parts) or "nothing"


def exchange(net, subject, data, transport, allowed):
    """Sends one message and gathers what comes of it."""
    message, came = Message(data), Came()
    calls = message.all(b"call-id") or [None]
    tester, hop = len(net.tester), len(net.hop)
    before, net.asked = set(net.asked), net.asked | set(calls)
    connection = net.connect(subject.port) if transport == "tcp" else None
    mark = b":%d" % subject.port

    def look():
        for arrival in net.tester[tester:]:
            ours = arrival.connection is connection and arrival.source[1] == subject.port
            call = arrival.message.first(b"call-id")
            # What is not whole may be answered without its Call-ID; a repeated answer to what was
            # sent before has that one's.
            if ours and (call in calls or (not message.whole and call not in before)):
                if (arrival.message.status or 0) >= 200:
                    came.final = came.final or arrival.message
        came.forwarded = [
            a.message for a in net.hop[hop:]
            if a.message.first(b"call-id") in calls and mark in (a.message.first(b"via") or b"")
        ]
        came.closed = connection in net.closed
        closing = "close" in allowed
        return came.closed if closing else bool(came.final)

    if connection:
        connection.sendall(data)
    else:
        net.send(data, subject.port)
    quiet = set(allowed) <= {"none", "wait"}
    net.run(SILENCE if quiet else CLOSING if "close" in allowed else ANSWER, look)
    look()
    if connection:
        net.hang_up(connection)
    return came


def fits(came, one, data):
    """Why what came is not this alternative; empty when it is."""
    if one == "none":
        quiet = not came.final and not came.forwarded
        return "" if quiet else "something came"
    if one == "wait":
        good = not came.forwarded and (not came.final or came.final.status >= 400)
        return "" if good else "it was processed"
    if one == "close":
        good = came.closed and not came.forwarded and (not came.final or came.final.status >= 400)
        return "" if good else "the connection is not closed"
    if one == "forward":
        if not came.forwarded:
            return "not forwarded"
        return "; ".join(changed(Message(data), came.forwarded[0]))
    wanted, _, header = one.partition("+")
    if not came.final:
        return "no final response"
    if not re.fullmatch(wanted.replace("x", r"\d"), str(came.final.status)):
        return f"not {wanted}"
    if came.forwarded:
        return "forwarded as well"
    name, _, tokens = header.partition("=")
    value = b",".join(came.final.all(name.lower().encode())).decode(errors="replace")
    missing = [t for t in tokens.split(",") if t and t not in re.split(r"[\s,]+", value)]
    return f"{name} '{value}' lacks {', '.join(missing)}" if missing else ""


# What a proxy may change of a request (RFC 3261 16.6, RFC 5393 5.3).
HOP_FIELDS = (
    b"via", b"max-forwards", b"max-breadth", b"route", b"record-route", b"content-length"
)


def changed(sent, came):
    """What a proxy changed in a message that it must not."""
    wrong = []
    first_route = sent.first(b"route")
    strict = first_route is not None and not re.search(rb";\s*lr\b", first_route.split(b">")[0])
    uri = re.sub(rb"^\S+\s+(.*?)\s+SIP/2\.0\s*$", rb"\1", sent.start)
    # ltgtruri and escruri: what is forwarded has lost its brackets, or its header fields.
    # A question mark in the user part is none of its business.
    uri = re.sub(rb"(@[^?]*)\?.*$", rb"\1", uri.strip(b"<>"))
    if not strict and came.start != b"%s %s SIP/2.0" % (sent.method, uri):
        wrong.append(f"start line {came.start!r}")
    kept = [[f for f in m.fields if f[0] not in HOP_FIELDS] for m in (sent, came)]
    if [f[2] for f in kept[0]] != [f[2] for f in kept[1]]:
        odd = [f[2] for f in kept[0] if f[2] not in [g[2] for g in kept[1]]]
        wrong.append(f"header fields changed: {odd or 'their order, or some were added'}")
    if came.body != sent.body:
        wrong.append("body changed")
    vias = came.all(b"via")
    if not vias or b"z9hG4bK" not in vias[0] or b"127.0.0.1" not in vias[0]:
        wrong.append(f"top Via {vias[:1]}")
    text = b",".join(vias[1:])
    for value in b",".join(sent.all(b"via")).split(b","):
        if value.strip() and value.strip() not in text:
            wrong.append(f"Via lost: {value.strip()!r}")
    hops, was = came.first(b"max-forwards"), sent.first(b"max-forwards")
    if hops is None or (was and was.isdigit() and int(was) <= 255 and int(hops) != int(was) - 1):
        wrong.append(f"Max-Forwards {was!r} became {hops!r}")
    return wrong


def transaction(data):
    """What makes two requests one transaction (RFC 3261 17.2.3)."""
    message = Message(data)
    via = re.sub(rb"\s+", b"", (message.first(b"via") or b"").split(b",")[0])
    branch = re.search(rb"branch=(z9hG4bK[^;,]+)", via)
    sent_by = re.match(rb"[^/]+/[^/]+/[A-Za-z]+([^;]+)", via)
    return branch and sent_by and (message.method, sent_by[1], branch[1])


class Run:
    """One of the runs: a role, a transport, one process or many."""

    def __init__(self, net, sansip, table, messages, label, role, transport):
        self.net, self.sansip, self.table, self.messages = net, sansip, table, messages
        self.role, self.transport = role, transport
        self.label = label
        self.misses = []
        self.count = 0

    def one(self, subject, name):
        data = self.messages[name]
        if self.transport == "tcp" and b"\r\n\r\n" not in data:
            data += b"\r\n"
        allowed = self.table[name][self.role, self.transport]
        self.count += 1
        try:
            came = exchange(self.net, subject, data, self.transport, allowed)
            whys = {one: fits(came, one, data) for one in allowed}
            if all(whys.values()):
                why = "; ".join(f"{one}: {why}" for one, why in whys.items())
                self.misses.append(f"{name}: expected {' or '.join(allowed)}, came {came} ({why})")
                return
            subject.check_alive(self.net, self.count)
        except (Failure, OSError) as failure:
            self.misses.append(f"{name}: expected {' or '.join(allowed)}: {failure}")

    def fresh(self):
        for name in self.messages:
            subject = Subject(self.sansip, self.label, self.role)
            try:
                self.one(subject, name)
            finally:
                subject.process.kill()
        self.told("each to its own process")

    def together(self, meanwhile=lambda: None):
        """All to one process. Over UDP a second message of one transaction would be a repetition,
        so it waits until the first one's transaction is gone."""
        subject = Subject(self.sansip, self.label, self.role)
        try:
            seen, later = set(), []
            for name, data in self.messages.items():
                key = transaction(data)
                if self.transport == "udp" and key and key in seen:
                    later.append(name)
                    continue
                seen.add(key)
                self.one(subject, name)
            end = time.monotonic() + TRANSACTION
            meanwhile()
            if later:
                self.net.run(max(0.0, end - time.monotonic()))
                for name in later:
                    self.one(subject, name)
            subject.process.interrupt(20)
        except Failure as failure:
            self.misses.append(f"at the end: {failure}")
        finally:
            subject.process.kill()
        self.told("all to one process")

    def told(self, how):
        good = COUNT - len({miss.split(":")[0] for miss in self.misses})
        print(f"{self.label}, {self.role}, {self.transport}, {how}: {good} of {COUNT}")
        for miss in self.misses:
            print(f"    {miss}")
        sys.stdout.flush()


# The responses of RFC 4475, as answers to a request that was sent.
RESPONSES = ("unreason", "noreason", "scalarlg", "bigcode")


def graft(response, request):
    """The response of the corpus as an answer to this request: its start line, its own fields and
    body, and the fields that make it an answer."""
    lines = [response.start]
    mine = (b"via", b"from", b"to", b"call-id", b"cseq", b"contact")
    number = (response.first(b"cseq") or b"1").split()[0]
    sequence = request.first(b"cseq")
    if int(number) > 2**32:
        sequence = number + b" INVITE"
    for key, value, line in request.fields:
        if key in (b"via", b"from", b"call-id"):
            lines.append(line)
        elif key == b"to":
            lines.append(line + b";tag=hop")
    lines.append(b"CSeq: " + sequence)
    lines.append(b"Contact: <sip:hop@%s:%d>" % (NEXT_HOP[0].encode(), NEXT_HOP[1]))
    lines += [line for key, _, line in response.fields if key not in mine]
    return b"\r\n".join(lines) + b"\r\n\r\n" + response.body


def answers(net, sansip, messages, label, role):
    """The four responses as answers: to a call of the phone's, to a call through the proxy."""
    misses = []
    net.hold = True
    for number, name in enumerate(RESPONSES):
        start, subject = len(net.hop), None
        try:
            if role == "phone":
                target = f"sip:hop@{NEXT_HOP[0]}:{NEXT_HOP[1]}"
                subject = Subject(sansip, label, role, "--call", target)
            else:
                subject = Subject(sansip, label, role)
                net.send(invite(subject.port, b"graft-%d-%d" % (subject.port, number)), subject.port)
            found = first_invite(net, start)
            wrong = check_answer(net, role, name, Message(messages[name]), found)
            misses += [f"{name}: {w}" for w in wrong]
        except Failure as failure:
            misses.append(f"{name}: {failure}")
        finally:
            if subject:
                subject.process.kill()
    net.hold = False
    good = len(RESPONSES) - len({miss.split(":")[0] for miss in misses})
    print(f"{label}, {role}, responses as answers to a call: {good} of {len(RESPONSES)}")
    for miss in misses:
        print(f"    {miss}")
    return misses


def invite(port, call):
    return (
        b"INVITE sip:hop@example.net SIP/2.0\r\n"
        b"Via: SIP/2.0/UDP %s:5060;branch=z9hG4bK%s;rport\r\nMax-Forwards: 70\r\n"
        b"From: <sip:tester@%s>;tag=g\r\nTo: <sip:hop@example.net>\r\nCall-ID: %s\r\n"
        b"CSeq: 1 INVITE\r\nContact: <sip:tester@%s:5060>\r\nContent-Length: 0\r\n\r\n"
    ) % (TESTER.encode(), call, TESTER.encode(), call, TESTER.encode())


def first_invite(net, start):
    def arrived():
        return next((a for a in net.hop[start:] if a.message.method == b"INVITE"), None)

    if not net.run(ANSWER, arrived):
        raise Failure("no INVITE came to the next hop")
    return arrived()


def check_answer(net, role, name, response, found):
    """Sends the response as an answer and yields what is wrong with what comes of it."""
    request, hop = found.message, net.hop_udp
    call = request.first(b"call-id")
    heard, tested = len(net.hop), len(net.tester)
    hop.sendto(graft(response, request), found.source)
    net.run(1.3)
    again = [a.message for a in net.hop[heard:] if a.message.first(b"call-id") == call]
    methods = [m.method for m in again]
    passed = [a.message for a in net.tester[tested:] if a.message.first(b"call-id") == call]
    if role == "phone":
        if name == "unreason" and b"ACK" not in methods:
            yield f"a 2xx was not acknowledged: {methods}"
        if name == "noreason" and b"INVITE" in methods:
            yield "the INVITE was repeated after a 100"
        if name in ("scalarlg", "bigcode") and (b"INVITE" not in methods or b"ACK" in methods):
            yield f"not discarded: {methods}"
    else:
        starts = [m.start for m in passed]
        if name == "unreason" and response.start not in starts:
            yield f"the status line was not forwarded as it was: {starts}"
        if name == "noreason" and any(b"tag=hop" in (m.first(b"to") or b"") for m in passed):
            yield "the 100 was forwarded"
        if name in ("scalarlg", "bigcode") and any((m.status or 200) >= 200 for m in passed):
            yield f"not discarded: {starts}"
    if name != "unreason":
        hop.sendto(answer(request, b"SIP/2.0 486 Busy Here"), found.source)
        acknowledged = net.run(
            ANSWER,
            lambda: any(a.message.method == b"ACK" and a.message.first(b"call-id") == call
                        for a in net.hop[heard:]),
        )
        if not acknowledged:
            yield "the 486 that followed was not acknowledged"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("sansip")
    parser.add_argument("--corpus", choices=("own", "rfc"))
    parser.add_argument("--role", choices=ROLES)
    parser.add_argument("--transport", choices=("udp", "tcp"))
    parser.add_argument("--hosts", action="store_true", help="print the names it needs, and end")
    options = parser.parse_args()
    if options.hosts:
        print(HOSTS, end="")
        return 0
    sansip = os.path.abspath(options.sansip)
    table, net, misses = expectations(), Net(), []
    found = corpora(options.corpus)
    for label, folder in found:
        messages = {name: (folder / f"{name}.dat").read_bytes() for name in table}
        for role in ROLES:
            if options.role not in (None, role):
                continue
            for transport in ("udp", "tcp"):
                if options.transport not in (None, transport):
                    continue
                together, fresh = (
                    Run(net, sansip, table, messages, label, role, transport) for _ in range(2)
                )
                together.together(fresh.fresh)
                misses += together.misses + fresh.misses
            misses += answers(net, sansip, messages, label, role)
    print("every message was taken as RFC 4475 asks" if found and not misses else f"{len(misses)} misses")
    return 1 if misses or not found else 0


if __name__ == "__main__":
    sys.exit(main())
