#!/usr/bin/env python3
"""interop.py SANSIP: sipp's own caller and callee against the sansip binary.

Calls through `sansip proxy` over UDP (N_UDP) and TCP (N_TCP), and to and from `sansip phone`
(N_PHONE each way): no call may fail, and the proxy must end with nothing left over.
"""

import csv
import os
import socket
import subprocess
import sys
import tempfile
import time

from sansip import Failure, Process, free_port, left_over, wait_bound

HOST = "127.0.0.1"
N_UDP = int(os.environ.get("N_UDP", 200))
N_TCP = int(os.environ.get("N_TCP", 100))
N_PHONE = int(os.environ.get("N_PHONE", 50))
RATE = int(os.environ.get("SIPP_RATE", 100))
KIND = {"udp": socket.SOCK_DGRAM, "tcp": socket.SOCK_STREAM}
# The proxy keeps transactions for 64*T1 (RFC 3261 17) after the last call; then nothing may be left.
DRAIN_MS = 60_000


class Sipp:
    """One sipp, ended after `calls` calls or when its time is over."""

    def __init__(self, folder, scenario, calls, transport, port, target=None, more=()):
        self.name = f"sipp {scenario} over {transport}"
        self.calls = calls
        self.stats = os.path.join(folder, f"{scenario}_{port}.csv")
        self.errors = os.path.join(folder, f"{scenario}_{port}_errors.log")
        self.seconds = 60 + calls // 10
        command = ["sipp", "-sn", scenario, "-i", HOST, "-p", str(port), "-mi", HOST]
        command += ["-t", "t1" if transport == "tcp" else "u1", "-m", str(calls), "-nostdin"]
        command += ["-timeout", str(self.seconds), "-timeout_error"]
        command += ["-trace_stat", "-stf", self.stats, "-fd", "1"]
        command += ["-trace_err", "-error_file", self.errors, *more]
        if transport == "tcp":
            # A call waits 4 s after its BYE; a peer that has ended and closed by then is no failure.
            command += ["-reconnect_close", "false"]
        if target:
            command.append(target)
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace",
        )
        if not target:
            wait_bound(KIND[transport], port, 10)

    def finish(self):
        """Waits for its end and checks that all its calls went well."""
        try:
            _, errors = self.process.communicate(timeout=self.seconds + 20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failure(f"{self.name}: still running after {self.seconds + 20} s") from None
        if os.path.exists(self.errors):
            with open(self.errors, errors="replace") as file:
                errors += file.read(2_000)
        if self.process.returncode != 0:
            raise Failure(f"{self.name}: exit status {self.process.returncode}\n{errors}")
        with open(self.stats, newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        good, bad = int(last["SuccessfulCall(C)"]), int(last["FailedCall(C)"])
        if good != self.calls or bad != 0:
            raise Failure(f"{self.name}: {good} of {self.calls} calls, {bad} failed\n{errors}")
        return int(last["Retransmissions(C)"])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(10)


def through_proxy(sansip, folder, transport, calls):
    proxy_port, callee_port, caller_port = free_port(), free_port(), free_port()
    parameter = ";transport=tcp" if transport == "tcp" else ""
    route = f"*=sip:{HOST}:{callee_port}{parameter}"
    listen = ["--listen", f"{transport}:{HOST}:{proxy_port}"]
    target = f"{HOST}:{proxy_port}"
    with Process(sansip, "proxy", *listen, "--route", route, "--drain", DRAIN_MS) as proxy, \
            Sipp(folder, "uas", calls, transport, callee_port) as callee, \
            Sipp(folder, "uac", calls, transport, caller_port, target,
                 ["-r", str(RATE), "-d", "100"]) as caller:
        sent_again = caller.finish() + callee.finish()
        stopped, code = proxy.interrupt(DRAIN_MS / 1_000 + 10)
        if left := left_over(stopped):
            raise Failure(f"left over in the proxy: {left}\n{stopped}")
        if code != 0:
            raise Failure(f"the proxy ended with {code}: {proxy.errors()}")
        if stopped.get("refused_full"):
            raise Failure(f"the proxy refused requests: {stopped}")
        return f"{sent_again} retransmissions, the proxy took {stopped.get('received')} messages"


def to_phone(sansip, folder, transport, calls):
    port, caller_port = free_port(), free_port()
    listen = ["--listen", f"{transport}:{HOST}:{port}"]
    with Process(sansip, "phone", *listen, "--aor", f"sip:bob@{HOST}", "--calls", calls) as phone, \
            Sipp(folder, "uac", calls, transport, caller_port, f"{HOST}:{port}",
                 ["-s", "bob", "-r", str(RATE), "-d", "100"]) as caller:
        sent_again = caller.finish()
        code = phone.wait(60)
        if code != 0:
            raise Failure(f"the phone ended with {code}: {phone.errors()}")
        return f"{sent_again} retransmissions"


def from_phone(sansip, folder, transport, calls):
    port, callee_port = free_port(), free_port()
    parameter = ";transport=tcp" if transport == "tcp" else ""
    with Sipp(folder, "uas", calls, transport, callee_port) as callee, \
            Process(sansip, "phone", "--listen", f"{transport}:{HOST}:{port}",
                    "--aor", f"sip:alice@{HOST}", "--calls", calls, "--rate", RATE,
                    "--hangup-after", 100,
                    "--call", f"sip:bob@{HOST}:{callee_port}{parameter}") as phone:
        code = phone.wait(60 + calls // 10)
        sent_again = callee.finish()
        if code != 0:
            raise Failure(f"the phone ended with {code}: {phone.errors()}")
        return f"{sent_again} retransmissions"


def main():
    sansip = os.path.abspath(sys.argv[1])
    failed = 0
    for what, run, transport, calls in [
        ("proxy", through_proxy, "udp", N_UDP),
        ("proxy", through_proxy, "tcp", N_TCP),
        ("phone answers", to_phone, "udp", N_PHONE),
        ("phone calls", from_phone, "udp", N_PHONE),
        ("phone answers", to_phone, "tcp", N_PHONE),
        ("phone calls", from_phone, "tcp", N_PHONE),
    ]:
        start = time.monotonic()
        label = f"{what}, {transport}, {calls} calls"
        with tempfile.TemporaryDirectory(prefix="sansip-interop-") as folder:
            try:
                told = run(sansip, folder, transport, calls)
                print(f"ok    {label}: {told}, {time.monotonic() - start:.1f} s", flush=True)
            except Failure as failure:
                failed += 1
                print(f"FAIL  {label}: {failure}", flush=True)
    print("all calls went well" if not failed else f"{failed} of 6 runs failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
