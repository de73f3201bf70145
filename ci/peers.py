"""Phones of others, driven without a sound card, and the scene that they act in."""

import hashlib
import json
import os
import queue
import re
import select
import shutil
import socket
import subprocess
import sys
import threading
import time

from sansip import Failure, Process, free_port, wait_bound

HOST = "127.0.0.1"
DOMAIN = "example.com"
USERS = ("ours", "third", "peer", "reliable", "timed", "alice", "bob")


def password(user):
    return f"secret of {user}".replace(" ", "-")


def write_users(path, algorithms):
    """The proxy's users: HA1 by each of these algorithms."""
    with open(path, "w") as file:
        for user in USERS:
            text = f"{user}:{DOMAIN}:{password(user)}".encode()
            for name in algorithms:
                ha1 = hashlib.new(name.replace("-", ""), text).hexdigest()
                file.write(f"{user}:{DOMAIN}:{name}:{ha1}\n")
    return path


class Ours:
    """`sansip phone --script -`: each call sends lines and waits until they are done."""

    def __init__(self, sansip, folder, user, proxy, bound, *more):
        self.user, self.bound = user, bound
        self.marks = 0
        # What came and went, oldest first: (milliseconds, "in" or "out", message).
        self.trace = []
        self.log = open(os.path.join(folder, f"{user}.log"), "w+")
        self.port = free_port()
        self.process = subprocess.Popen(
            [sansip, "phone", "--listen", f"udp:{HOST}:{self.port}", "--aor", f"sip:{user}@{DOMAIN}",
             "--proxy", f"sip:{HOST}:{proxy}", "--register", "--script", "-", "--json", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            env={**os.environ, "SANSIP_PASSWORD": password(user)},
        )
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self("trace full", "wait registered within 10")

    def _read(self):
        for line in self.process.stdout:
            self.log.write(line)
            self.log.flush()
            value = json.loads(line) if line.startswith("{") else {}
            if value.get("event") == "trace":
                self.trace.append((value["at"], value["direction"], value["message"]))
                continue
            self.lines.put(line)
        self.lines.put(None)

    def __call__(self, *lines):
        """Gives lines of a script; a Failure when one fails."""
        self.marks += 1
        mark = f"mark {self.marks}"
        try:
            for line in (*lines, f"say {mark}"):
                self.log.write(f"> {line}\n")
                self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError:
            pass
        end = time.monotonic() + self.bound
        last = ""
        while True:
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise Failure(f"our {self.user}: still at {lines} after {self.bound} s") from None
            if line is None:
                raise Failure(f"our {self.user}: {last.strip()}")
            last = line
            if line.startswith("{") and json.loads(line).get("text") == mark:
                return

    def saw(self, direction, start, *parts, after=0, seconds=5):
        """The first message that went this way, begins so and has all of these parts, among those
        that came later than `after` milliseconds; its time and its text."""
        end = time.monotonic() + seconds
        while True:
            for at, way, text in list(self.trace):
                fits = way == direction and text.startswith(start) and at >= after
                if fits and all(part in text for part in parts):
                    return at, text
            if time.monotonic() > end or self.process.poll() is not None:
                way = "received" if direction == "in" else "sent"
                raise Failure(f"our {self.user} has not {way} '{start}' with {parts}")
            time.sleep(0.1)

    def end(self):
        """The script ends: it hangs up, unregisters and leaves."""
        self.process.stdin.close()
        try:
            code = self.process.wait(10)
        except subprocess.TimeoutExpired:
            raise Failure(f"our {self.user}: does not end") from None
        if code != 0:
            raise Failure(f"our {self.user}: exit status {code}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


class Scene:
    """A proxy, our phone and those of others."""

    def __init__(self, sansip, folder, bound, algorithms):
        self.sansip, self.folder, self.bound = sansip, folder, bound
        self.proxy_port = free_port()
        self.proxy = Process(sansip, "proxy", "--domain", DOMAIN, "--listen",
                             f"udp:{HOST}:{self.proxy_port}", "--users",
                             write_users(os.path.join(folder, "users"), algorithms))
        self.parties, self.peers = [], []
        self.ours = self.our_phone("ours")

    def our_phone(self, user, *more):
        party = Ours(self.sansip, self.folder, user, self.proxy_port, self.bound, *more)
        self.parties.append(party)
        return party

    def start(self, phone, user="peer", **more):
        peer = phone(self.folder, user, self.proxy_port, self.bound, **more)
        self.peers.append(peer)
        peer.registered()
        return peer

    def end(self):
        for party in self.parties:
            party.end()

    def kill(self):
        for one in [*self.peers, *self.parties, self.proxy]:
            try:
                one.kill()
            except (OSError, subprocess.SubprocessError):
                pass


class Peer:
    """What every phone has. Waits end with a Failure after `bound` seconds."""

    name = ""
    CAN = ()
    ALGORITHMS = ("MD5", "SHA-256")

    @classmethod
    def missing(cls):
        """Why it cannot run here; empty if it can."""
        return "" if shutil.which(cls.name) else f"no {cls.name} on this machine"

    def uri(self, user):
        return user if user.startswith("sip:") else f"sip:{user}@{DOMAIN}"

    def fail(self, what):
        raise Failure(f"{self.name}: {what}")

    def answer(self):
        """Waits for a call and takes it."""
        self.incoming()
        self.accept()


class Baresip(Peer):
    """baresip 1.0, over its control socket: netstrings of JSON."""

    name = "baresip"
    # It gives up at a challenge by SHA-256 though one by MD5 follows (against RFC 8760 2.4).
    ALGORITHMS = ("MD5",)
    CAN = ("register", "call_in", "call_out", "cancel", "refuse", "hold_by_us", "hold_by_peer",
           "transfer_by_us", "transfer_by_peer")

    def __init__(self, folder, user, proxy, bound, transport="udp", issuer="", **_):
        self.user, self.bound = user, bound
        self.port, control = free_port(), free_port()
        home = os.path.join(folder, f"baresip-{user}")
        os.makedirs(home)
        modules = next(d for d in ("/usr/lib/baresip/modules", "/usr/local/lib/baresip/modules")
                       if os.path.isdir(d))
        rtp = free_port() & ~1
        with open(os.path.join(home, "config"), "w") as file:
            file.write(
                f"poll_method epoll\nnet_interface {HOST}\nsip_listen {HOST}:{self.port}\n"
                f"audio_source aubridge,{user}\naudio_player aubridge,{user}\n"
                f"audio_alert aubridge,alert\nrtp_ports {rtp}-{rtp + 20}\nmodule_path {modules}\n"
                "module g711.so\nmodule aubridge.so\nmodule_tmp account.so\n"
                f"module_app ctrl_tcp.so\nmodule_app menu.so\nctrl_tcp_listen {HOST}:{control}\n"
                + (f"sip_cafile {issuer}\n" if issuer else ""))
        with open(os.path.join(home, "accounts"), "w") as file:
            file.write(f"<sip:{user}@{DOMAIN};transport={transport}>;"
                       f"outbound=\"sip:{HOST}:{proxy};transport={transport}\";"
                       f"auth_user={user};auth_pass={password(user)};regint=600;answermode=manual\n")
        open(os.path.join(home, "contacts"), "w").close()
        self.log = open(os.path.join(folder, f"baresip-{user}.log"), "w")
        self.process = subprocess.Popen(
            ["baresip", "-f", home, "-t", "90", "-s"], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=subprocess.STDOUT, cwd=home)
        wait_bound(socket.SOCK_STREAM, control, 10)
        self.socket = socket.create_connection((HOST, control), 5)
        self.buffer, self.events, self.answers = b"", [], []

    def _take(self, seconds):
        """Reads what has come, waiting at most so long for something."""
        if select.select([self.socket], [], [], seconds)[0]:
            data = self.socket.recv(65_536)
            if not data:
                self.fail("has ended")
            self.buffer += data
        while match := re.match(rb"(\d+):", self.buffer):
            end = match.end() + int(match[1])
            if len(self.buffer) < end + 1:
                return
            value = json.loads(self.buffer[match.end():end])
            if value.get("event"):
                self.log.write(f"[control] {value}\n")
            (self.events if value.get("event") else self.answers).append(value)
            self.buffer = self.buffer[end + 1:]

    def command(self, name, params=""):
        self.answers.clear()
        text = json.dumps({"command": name, "params": params, "token": "t"})
        self.socket.sendall(f"{len(text)}:{text},".encode())
        end = time.monotonic() + 5
        while not self.answers:
            if time.monotonic() > end:
                self.fail(f"no answer to '{name}'")
            self._take(0.1)
        answer = self.answers[0]
        if not answer.get("ok", True):
            self.fail(f"'{name} {params}': {answer}")
        return answer.get("data", "")

    def wait(self, *types):
        """Waits for the next event of one of these types."""
        end = time.monotonic() + self.bound
        while True:
            for at, event in enumerate(self.events):
                if event.get("type") in types:
                    del self.events[:at + 1]
                    return event
            if time.monotonic() > end:
                self.fail(f"no {' or '.join(types)} within {self.bound} s")
            self._take(0.1)

    def registered(self):
        end = time.monotonic() + self.bound
        while "OK" not in self.command("reginfo"):
            if time.monotonic() > end:
                self.fail("did not register")
            time.sleep(0.1)

    def call(self, user):
        self.command("dial", self.uri(user))

    def incoming(self):
        self.wait("CALL_INCOMING")

    def accept(self):
        self.command("accept")

    def wait_ringing(self):
        self.wait("CALL_RINGING")

    def wait_established(self):
        self.wait("CALL_ESTABLISHED")

    def wait_closed(self):
        self.wait("CALL_CLOSED")

    def hangup(self):
        self.command("hangup")

    def refuse(self):
        self.incoming()
        self.hangup()

    def hold(self):
        self.command("hold")

    def resume(self):
        self.command("resume")

    def transfer(self, user):
        self.command("transfer", self.uri(user))

    def kill(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Pjsip(Peer):
    """PJSIP by its Python binding, in a process of its own."""

    name = "pjsip"
    CAN = ("register", "call_in", "call_out", "cancel", "refuse", "hold_by_us", "hold_by_peer",
           "transfer_by_us", "transfer_by_peer", "attended_by_us", "attended_by_peer", "prack_in",
           "prack_out", "update", "timer", "refresh")
    PYTHON = os.environ.get("PJSIP_PYTHON", sys.executable)

    @classmethod
    def missing(cls):
        found = subprocess.run([cls.PYTHON, "-c", "import pjsua2"], capture_output=True, check=False)
        return "" if found.returncode == 0 else "no pjsua2 for Python (PyPI: pjsua2-python)"

    def __init__(self, folder, user, proxy, bound, **more):
        self.user, self.bound = user, bound
        options = {"user": user, "domain": DOMAIN, "host": HOST, "port": free_port(), "proxy": proxy,
                   "password": password(user),
                   "log": os.path.join(folder, f"pjsip-{user}.log"), **more}
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pjsip_phone.py")
        self.log = open(os.path.join(folder, f"pjsip-{user}.events"), "w")
        self.errors = open(os.path.join(folder, f"pjsip-{user}.errors"), "w")
        self.process = subprocess.Popen(
            [self.PYTHON, program, json.dumps(options)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.lines, self.events = queue.Queue(), []
        self.is_registered = False
        threading.Thread(target=self._read, daemon=True).start()
        self.wait("ready")

    def _read(self):
        for line in self.process.stdout:
            self.log.write(line)
            self.log.flush()
            # The library writes a little of its own before it has its log.
            if line.startswith("{"):
                self.lines.put(line)
        self.lines.put(None)

    def wait(self, event, **fields):
        """Takes the first event that fits; it may have come before."""
        end = time.monotonic() + self.bound
        while True:
            for at, one in enumerate(self.events):
                if one["event"] == event and all(one.get(k) == v for k, v in fields.items()):
                    return self.events.pop(at)
            try:
                line = self.lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                self.fail(f"no {event} {fields or ''} within {self.bound} s; last: {self.events[-3:]}")
            if line is None:
                self.fail(f"has ended with {self.process.wait(5)}")
            self.events.append(json.loads(line))

    def command(self, line):
        self.log.write(f"> {line}\n")
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        end = time.monotonic() + self.bound
        while time.monotonic() < end:
            for at, one in enumerate(self.events):
                if one["event"] in ("done", "error") and one["line"] == line:
                    del self.events[at]
                    if one["event"] == "error":
                        self.fail(f"'{line}': {one['why']}")
                    return
            try:
                text = self.lines.get(timeout=0.5)
            except queue.Empty:
                continue
            if text is None:
                self.fail(f"has ended with {self.process.wait(5)}")
            self.events.append(json.loads(text))
        self.fail(f"'{line}' is not done after {self.bound} s")

    def registered(self):
        if not self.is_registered:
            self.wait("register", status=200)
            self.is_registered = True

    def call(self, user):
        self.command(f"call {self.uri(user)}")

    def incoming(self):
        self.wait("incoming")

    def accept(self):
        self.command("answer")

    def wait_ringing(self):
        self.wait("state", state="EARLY")

    def wait_established(self):
        self.wait("state", state="CONFIRMED")

    def wait_closed(self):
        self.wait("state", state="DISCONNECTED")

    def hangup(self):
        self.command("hangup")

    def refuse(self):
        self.incoming()
        self.command("hangup 486")

    def hold(self):
        self.command("hold")

    def resume(self):
        self.command("resume")

    def transfer(self, user):
        self.command(f"transfer {self.uri(user)}")

    def kill(self):
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(2)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)


class Linphone(Peer):
    """linphone's daemon, over its standard input and output."""

    name = "linphone"
    CAN = ("register", "call_in", "call_out", "cancel", "refuse", "hold_by_us", "hold_by_peer",
           "transfer_by_us", "transfer_by_peer")

    @classmethod
    def missing(cls):
        return "" if shutil.which("linphone-daemon") else "no linphone-daemon on this machine"

    def __init__(self, folder, user, proxy, bound, transport="udp", **_):
        self.user, self.bound, self.at = user, bound, 0
        ports = {"udp": 0, "tcp": 0, "tls": 0}
        ports[transport] = free_port()
        hop = f"sip:{HOST}:{proxy};transport={transport}"
        home = os.path.join(folder, f"linphone-{user}")
        os.makedirs(os.path.join(home, ".local/share/linphone"))
        with open(os.path.join(home, "rc"), "w") as file:
            file.write(f"[sip]\ndefault_proxy=0\nsip_port={ports['udp']}\nsip_tcp_port={ports['tcp']}\n"
                       f"sip_tls_port={ports['tls']}\nverify_server_certs=0\nverify_server_cn=0\n"
                       f"bind_address={HOST}\nmedia_encryption=none\n"
                       f"[rtp]\naudio_rtp_port={free_port()}\n[net]\nmtu=0\nfirewall_policy=0\n"
                       f"[proxy_0]\nreg_proxy=<{hop}>\nreg_route=<{hop};lr>\n"
                       f"reg_identity=sip:{user}@{DOMAIN}\nreg_expires=600\nreg_sendregister=1\n"
                       f"[auth_info_0]\nusername={user}\npasswd={password(user)}\nrealm={DOMAIN}\n")
        self.log = open(os.path.join(folder, f"linphone-{user}.log"), "w")
        self.process = subprocess.Popen(
            ["linphone-daemon", "--config", "rc", "--log", "messages"], cwd=home,
            env={**os.environ, "HOME": home}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT)
        self.text = ""

    def command(self, line):
        """Gives one command; what it answers."""
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        self.text = ""
        end = time.monotonic() + 5
        while not re.search(r"Status: (Ok\n.*\n\n|Error\nReason: .*\n)", self.text, re.S):
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 65_536)
                if not data:
                    self.fail(f"has ended with {self.process.wait(5)}")
                self.text += data.decode(errors="replace").replace("\r", "")
                self.log.write(data.decode(errors="replace"))
                self.log.flush()
            elif time.monotonic() > end:
                break
        return self.text

    def until(self, command, wanted):
        end = time.monotonic() + self.bound
        while not re.search(wanted, answer := self.command(command)):
            if time.monotonic() > end:
                self.fail(f"'{command}' is not {wanted} within {self.bound} s: {answer!r}")
            time.sleep(0.1)

    def state(self, wanted):
        """Waits for a state of the newest call."""
        self.until(f"call-status {self.at}", wanted)

    def registered(self):
        self.until("register-status ALL", "LinphoneRegistrationOk")

    def call(self, user):
        self.at += 1
        self.command(f"call {self.uri(user)}")

    def incoming(self):
        self.at += 1
        self.state("IncomingReceived")

    def accept(self):
        self.command(f"answer {self.at}")

    def wait_ringing(self):
        self.state("OutgoingRinging|OutgoingEarlyMedia")

    def wait_established(self):
        self.state("StreamsRunning")

    def wait_closed(self):
        if self.at == 0:
            self.at = 1
        self.state("Released|End|No call with such id|Error")

    def hangup(self):
        self.command(f"terminate {self.at}")

    def refuse(self):
        self.incoming()
        self.hangup()

    def hold(self):
        self.command(f"call-pause {self.at}")

    def resume(self):
        self.state("Paused$|Paused\n")
        self.command(f"call-resume {self.at}")

    def transfer(self, user):
        self.command(f"call-transfer {self.at} {self.uri(user)}")

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


PHONES = [Baresip, Pjsip, Linphone]
