"""Runs the sansip binary for the tests of this folder, and chooses ports.

Every process is stopped by the id that it was started with, and every wait has an end.
"""

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time


class Failure(Exception):
    """Something that was expected did not happen."""


class Process:
    """One `sansip` command. Its standard output is one JSON line an event."""

    def __init__(self, binary, *arguments):
        self.arguments = [str(a) for a in arguments]
        self.events = []
        self._lines = queue.Queue()
        self._errors = []
        self.process = subprocess.Popen(
            [binary, *self.arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        self.wait_for("listening", 10)

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _read_errors(self):
        for line in self.process.stderr:
            self._errors.append(line)

    def wait_for(self, event, seconds):
        """The next line of this event; a Failure when it does not come or the process ends."""
        end = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise Failure(f"{self}: no '{event}' within {seconds} s") from None
            if line is None:
                raise Failure(f"{self}: ended without '{event}': {self.errors()}")
            try:
                value = json.loads(line)
            except ValueError:
                raise Failure(f"{self}: not JSON: {line!r}") from None
            self.events.append(value)
            if value.get("event") == event:
                return value

    def errors(self):
        """What it wrote to standard error so far."""
        return "".join(self._errors).strip()

    def alive(self):
        return self.process.poll() is None

    def wait(self, seconds):
        """Waits for its end; its exit status."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failure(f"{self}: still running after {seconds} s") from None
        for reader in self._readers:
            reader.join(5)
        if "panicked" in self.errors() or code < 0:
            raise Failure(f"{self}: exit status {code}: {self.errors()}")
        return code

    def interrupt(self, seconds):
        """Ctrl-C; the line with its final counts and its exit status."""
        self.process.send_signal(signal.SIGINT)
        stopped = self.wait_for("stopped", seconds)
        return stopped, self.wait(seconds)

    def kill(self):
        if self.alive():
            self.process.kill()
            self.process.wait(10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def __str__(self):
        return "sansip " + " ".join(self.arguments)


# What a run must have left nothing of.
COUNTS = ("calls", "dialogs", "transactions", "attempts", "forks", "timers", "queries", "outputs", "blocks")


def left_over(stopped):
    """Of the counts in a `stopped` line, those that are not 0. A count that is missing is one too."""
    return {name: stopped.get(name) for name in COUNTS if stopped.get(name) != 0}


def free_port(host="127.0.0.1"):
    """A port that is free for UDP and TCP."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            udp.bind((host, 0))
            port = udp.getsockname()[1]
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp:
                try:
                    tcp.bind((host, port))
                except OSError:
                    continue
                return port
    raise Failure("no port is free")


def wait_bound(kind, port, seconds, host="127.0.0.1"):
    """Waits until someone listens at the port."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return
        time.sleep(0.05)
    raise Failure(f"nobody listens at port {port}")


def in_namespace():
    return os.environ.get("SANSIP_NETNS") == "1"
