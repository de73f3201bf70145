#!/usr/bin/env python3
"""bench_proxy.py SANSIP KAMAILIO MODULES: two stateful, record-routing UDP proxies under the same load.

The same calls by sipp, in turns, at the same rates, in the same run: CPU seconds a call (all threads
and processes, user and system), user instructions a call where `perf` can count them, calls lost, and
memory with OPEN calls ringing. One worker each; Kamailio with its fast allocator. Prints Markdown.
"""

import csv
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from sansip import Failure, Process, free_port, wait_bound

HERE = os.path.dirname(os.path.abspath(__file__))
HOST = "127.0.0.1"
RATES = [int(r) for r in os.environ.get("RATES", "1000 2000 4000").split()]
SECONDS = int(os.environ.get("SECONDS_EACH", 8))
ROUNDS = int(os.environ.get("ROUNDS", 3))
OPEN = int(os.environ.get("OPEN", 10_000))
# Requests that sansip makes room for: an INVITE that was answered keeps its place for 32 s (RFC 6026).
REQUESTS = int(os.environ.get("REQUESTS", 60_000))
OPEN_RATE = 500
TICK = os.sysconf("SC_CLK_TCK")


def descendants(pid):
    """A process and all below it."""
    found = [pid]
    for one in found:
        try:
            with open(f"/proc/{one}/task/{one}/children") as file:
                found += [int(p) for p in file.read().split()]
        except OSError:
            pass
    return found


class Proxy:
    """A proxy that runs, and what it has used."""

    def __init__(self, name, pid):
        self.name, self.pid = name, pid

    def cpu(self):
        """Seconds of CPU by the scheduler's own clock, and user and system seconds in ticks."""
        total = user = system = 0
        for pid in descendants(self.pid):
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/schedstat") as file:
                    total += int(file.read().split()[0])
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rsplit(")", 1)[1].split()
                user += int(fields[11])
                system += int(fields[12])
        return total / 1e9, user / TICK, system / TICK

    def memory(self):
        """Bytes of memory, what processes share counted once."""
        total = 0
        for pid in descendants(self.pid):
            with open(f"/proc/{pid}/smaps_rollup") as file:
                total += int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M)[1]) * 1024
        return total


class Sansip(Proxy):
    def __init__(self, binary, port, callee):
        self.port = port
        self.process = Process(
            binary, "proxy", "--listen", f"udp:{HOST}:{port}", "--route", f"*=sip:service@{HOST}:{callee}",
            "--requests", str(REQUESTS),
        )
        super().__init__("sansip", self.process.process.pid)

    def stop(self):
        self.process.process.send_signal(signal.SIGTERM)
        self.process.process.wait(20)


class Kamailio(Proxy):
    def __init__(self, binary, modules, folder, port, callee):
        self.port = port
        with open(os.path.join(HERE, "kamailio.cfg")) as file:
            text = file.read()
        values = {"@LISTEN@": f"{HOST}:{port}", "@MODULES@": modules, "@CALLEE@": f"{HOST}:{callee}"}
        for mark, value in values.items():
            text = text.replace(mark, value)
        config = os.path.join(folder, "kamailio.cfg")
        with open(config, "w") as file:
            file.write(text)
        self.log = open(os.path.join(folder, "kamailio.log"), "w+")
        # The fast allocator in shared and private memory: the default one costs twenty times as much.
        self.process = subprocess.Popen(
            [binary, "-DD", "-E", "-f", config, "-x", "fm", "-X", "fm", "-m", "1024", "-M", "16",
             "-L", modules, "-w", folder, "-P", f"{folder}/pid", "-Y", folder],
            stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )
        super().__init__("Kamailio", self.process.pid)

    def stop(self):
        self.process.terminate()
        self.process.wait(20)


class Sipp:
    """One sipp with a scenario of ours."""

    def __init__(self, folder, scenario, port, calls, pause, target=None, rate=0):
        self.stats = os.path.join(folder, f"{scenario}.csv")
        if os.path.exists(self.stats):
            os.remove(self.stats)
        command = [
            "sipp", "-sf", os.path.join(HERE, "sipp", f"{scenario}.xml"), "-i", HOST, "-p", str(port),
            "-mi", HOST, "-t", "u1", "-m", str(calls), "-d", str(pause), "-l", "200000", "-nostdin",
            "-buff_size", "4000000", "-trace_stat", "-stf", self.stats, "-fd", "1", "-timer_resol", "5",
        ]
        if target:
            command += ["-s", "service", "-r", str(rate), target]
        self.process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        if not target:
            import socket
            wait_bound(socket.SOCK_DGRAM, port, 10)

    def wait(self, seconds):
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.end()

    def end(self):
        self.process.kill()
        self.process.wait(10)

    def result(self):
        with open(self.stats) as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        number = lambda key: int(float(last[key]))
        return {
            "created": number("TotalCallCreated"), "well": number("SuccessfulCall(C)"),
            "failed": number("FailedCall(C)"), "again": number("Retransmissions(C)"),
            "rate": float(last["CallRate(C)"]),
        }


class Instructions:
    """User instructions of a proxy while it lasts, where perf can count them."""

    def __init__(self, proxy):
        self.process = None
        if shutil.which("perf"):
            pids = ",".join(str(p) for p in descendants(proxy.pid))
            self.process = subprocess.Popen(
                ["perf", "stat", "-x", ";", "-e", "instructions:u", "-p", pids],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            )
            time.sleep(0.3)

    def count(self):
        if not self.process:
            return None
        self.process.send_signal(signal.SIGINT)
        try:
            _, text = self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return None
        counted = re.search(r"^(\d+);;instructions:u", text, re.M)
        return int(counted[1]) if counted else None


def load(folder, proxy, callee, rate, calls):
    """Calls through a proxy at a rate; what they cost."""
    answering = Sipp(folder, "callee", callee, calls * 2, 0)
    counted = Instructions(proxy)
    before = proxy.cpu()
    calling = Sipp(folder, "caller", free_port(), calls, 0, f"{HOST}:{proxy.port}", rate)
    calling.wait(calls / rate * 3 + 40)
    after = proxy.cpu()
    instructions = counted.count()
    answering.end()
    result = calling.result()
    well = max(1, result["well"])
    cpu, user, system = ((a - b) / well for a, b in zip(after, before))
    whole = max(user + system, 1e-9)
    return {
        **result, "cpu": cpu, "user": cpu * user / whole, "system": cpu * system / whole,
        "instructions": instructions / well if instructions else None,
        "lost": result["created"] - result["well"], "offered": calls,
    }


def open_calls(folder, proxy, callee):
    """Memory before and with OPEN calls ringing."""
    before = proxy.memory()
    ringing_ms = OPEN // OPEN_RATE * 1000 + 6_000
    answering = Sipp(folder, "callee", callee, OPEN * 2, ringing_ms)
    calling = Sipp(folder, "caller", free_port(), OPEN, 0, f"{HOST}:{proxy.port}", OPEN_RATE)
    peak = before
    end = time.monotonic() + OPEN / OPEN_RATE + 5
    while time.monotonic() < end:
        time.sleep(0.5)
        peak = max(peak, proxy.memory())
    calling.wait(ringing_ms / 1000 + 60)
    answering.end()
    result = calling.result()
    return {"before": before, "peak": peak, "lost": result["created"] - result["well"], **result}


def middle(rows, key):
    values = [r[key] for r in rows if r[key] is not None]
    return statistics.median(values) if values else None


def shown(value, digits):
    return "-" if value is None else f"{value:,.{digits}f}"


def undisturbed(rows):
    """The rounds in which neither proxy lost a call: repetitions cost, too. All where there is none."""
    rounds = {r["round"] for r in rows if r["lost"] > 0}
    return [r for r in rows if r["round"] not in rounds] or rows


def table(rows):
    """Medians over the rounds that count; what was lost and repeated, over all."""
    print("| calls a second | proxy | CPU µs a call | of it user | system | user instructions | rounds | lost "
          "| of | repeated |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for rate in RATES:
        medians = {}
        counts = undisturbed([r for r in rows if r["offer"] == rate])
        for name in ("sansip", "Kamailio"):
            mine = [r for r in counts if r["name"] == name]
            medians[name] = middle(mine, "cpu")
            times = [shown(middle(mine, key) * 1e6, 1) for key in ("cpu", "user", "system")]
            every = [r for r in rows if (r["offer"], r["name"]) == (rate, name)]
            lost, offered, again = (sum(r[key] for r in every) for key in ("lost", "offered", "again"))
            print(f"| {rate:,} | {name} | {' | '.join(times)} | {shown(middle(mine, 'instructions'), 0)} "
                  f"| {len(mine)} of {ROUNDS} | {lost:,} | {offered:,} | {again:,} |")
        ratio = medians["sansip"] / max(medians["Kamailio"], 1e-12)
        print(f"| | ratio | **{ratio:.2f}** | | | | | | | |")


def main():
    sansip, kamailio, modules = sys.argv[1:4]
    with tempfile.TemporaryDirectory() as folder:
        callee = free_port()
        proxies = [Sansip(sansip, free_port(), callee)]
        try:
            proxies.append(Kamailio(kamailio, modules, folder, free_port(), callee))
            time.sleep(1)
            # At first, while neither has touched more than it needs.
            print(f"| {OPEN:,} calls ringing | memory before | at the most | bytes a call | lost |")
            print("|---|---|---|---|---|")
            for proxy in proxies:
                m = open_calls(folder, proxy, callee)
                grown = (m["peak"] - m["before"]) / OPEN
                print(f"| {proxy.name} | {m['before']:,} | {m['peak']:,} | {grown:,.0f} | {m['lost']:,} |")
            print()
            rows = []
            # What grows to its size in the first calls is not counted.
            for proxy in proxies:
                if load(folder, proxy, callee, 500, 500)["well"] < 450:
                    raise Failure(f"{proxy.name} does not carry calls")
            for turn in range(ROUNDS):
                for rate in RATES:
                    for proxy in proxies:
                        row = load(folder, proxy, callee, rate, rate * SECONDS)
                        rows.append({"round": turn, "offer": rate, "name": proxy.name, **row})
                        print(f"{proxy.name} {rate}/s: {row['cpu'] * 1e6:.1f} us, {row['lost']} lost",
                              file=sys.stderr)
            table(rows)
        finally:
            for proxy in proxies:
                proxy.stop()


if __name__ == "__main__":
    try:
        main()
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")
