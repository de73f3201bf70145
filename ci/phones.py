#!/usr/bin/env python3
"""phones.py SANSIP [PHONE...]: real phones against `sansip proxy` and `sansip phone`.

baresip, PJSIP and linphone register with the proxy, call our phone and are called by it, hold,
resume and transfer. Each check is bounded in time; the table at the end says what passed, what
failed and, where that is known, whose fault it is. A phone that is not installed is left out.
"""

import os
import shutil
import sys
import tempfile
import time

from peers import PHONES, Scene
from sansip import Failure

# Seconds that one check may take.
BOUND = 12

# Seconds that all may take; a check is not begun after that.
SECONDS = float(os.environ.get("PHONES_SECONDS", 900))

# What is known to fail, by phone and check: whose fault it is and why. Such a check does not fail
# the run, but one that passes after all does: the entry is to be taken out then.
KNOWN = {}


def register(scene, peer):
    """The peer registers with the proxy; ours does too."""
    peer.registered()


def call_in(scene, peer):
    """The peer calls us; we answer; it hangs up."""
    peer.call("ours")
    scene.ours("wait incoming 1 within 10", "answer 1", "wait confirmed 1")
    peer.wait_established()
    peer.hangup()
    scene.ours("wait ended 1 why=remote_hangup")
    peer.wait_closed()


def call_out(scene, peer):
    """We call the peer; it answers; we hang up."""
    scene.ours(f"call {peer.user}", "wait progress 1 status=180 within 10")
    peer.answer()
    scene.ours("wait answered 1", "expect call 1 state=active")
    peer.wait_established()
    scene.ours("hangup", "wait ended 1 why=hangup")
    peer.wait_closed()


def cancel(scene, peer):
    """We call and give up while it rings; then the peer does."""
    scene.ours(f"call {peer.user}", "wait progress 1 status=180 within 10", "hangup 1",
               "wait ended 1 why=abandoned")
    peer.wait_closed()
    peer.call("ours")
    scene.ours("wait incoming 2 within 10")
    peer.wait_ringing()
    peer.hangup()
    scene.ours("wait ended 2 why=cancelled")


def refuse(scene, peer):
    """We refuse with 486, and the peer refuses ours."""
    peer.call("ours")
    scene.ours("wait incoming 1 within 10", "reject 1 486", "wait ended 1 why=rejected")
    peer.wait_closed()
    scene.ours(f"call {peer.user}", "wait progress 2 status=180 within 10")
    peer.refuse()
    scene.ours("wait ended 2 why=refused")


def established(scene, peer):
    scene.ours(f"call {peer.user}", "wait progress 1 status=180 within 10")
    peer.answer()
    scene.ours("wait answered 1")
    peer.wait_established()


def over(scene, peer):
    scene.ours("hangup", "wait ended 1 why=hangup")
    peer.wait_closed()


def hold_by_us(scene, peer):
    """We hold the peer and resume."""
    established(scene, peer)
    scene.ours("wait media 1 held=no direction=sendrecv", "hold", "wait media 1 held=local direction=sendonly",
               "resume", "wait media 1 held=no direction=sendrecv")
    over(scene, peer)


def hold_by_peer(scene, peer):
    """The peer holds us and resumes."""
    established(scene, peer)
    scene.ours("wait media 1 held=no")
    peer.hold()
    scene.ours("wait media 1 held=remote direction=recvonly")
    peer.resume()
    scene.ours("wait media 1 held=no direction=sendrecv")
    over(scene, peer)


def third_answers(third):
    third("wait incoming 1 within 10", "answer 1", "wait confirmed 1")


def transfer_by_us(scene, peer):
    """We transfer the peer to a third phone, blind."""
    third = scene.our_phone("third")
    established(scene, peer)
    scene.ours("transfer 1 third")
    third_answers(third)
    scene.ours("wait transfer 1 done=yes status=200", "wait ended 1")
    third("hangup", "wait ended 1")


def transfer_by_peer(scene, peer):
    """The peer transfers us to a third phone, blind."""
    third = scene.our_phone("third")
    established(scene, peer)
    peer.transfer("third")
    scene.ours("wait transfer_asked 1 target~third", "wait calling 2")
    third_answers(third)
    scene.ours("wait answered 2", "wait ended 1", "hangup 2", "wait ended 2")


def attended_by_us(scene, peer):
    """We transfer the peer to a third phone that we talk to."""
    third = scene.our_phone("third")
    established(scene, peer)
    scene.ours("hold 1", "wait media 1 held=local", "call third", "wait progress 2")
    third_answers(third)
    scene.ours("wait answered 2", "hold 2", "wait media 2 held=local", "transfer 1 2",
               "wait transfer 1 done=yes status=200", "wait ended 1", "wait ended 2")
    third("wait ended 1 why=replaced", "wait confirmed 2", "hangup 2", "wait ended 2")


def attended_by_peer(scene, peer):
    """The peer transfers us to a third phone that it talks to."""
    third = scene.our_phone("third")
    established(scene, peer)
    peer.hold()
    scene.ours("wait media 1 held=remote")
    peer.call("third")
    third_answers(third)
    peer.wait_established()
    peer.command("attended")
    scene.ours("wait transfer_asked 1", "wait calling 2", "wait answered 2", "wait ended 1")
    third("wait ended 1 why=replaced", "wait confirmed 2", "hangup 2", "wait ended 2")
    scene.ours("wait ended 2")


def prack_in(scene, peer):
    """The peer demands reliable provisional responses (RFC 3262) of us."""
    peer = scene.start(type(peer), "reliable", prack=True)
    peer.call("ours")
    scene.ours("wait incoming 1 within 10")
    peer.wait_ringing()
    scene.ours("answer 1", "wait confirmed 1")
    peer.wait_established()
    over(scene, peer)
    used(scene, "pjsip-reliable.log", "PRACK sip:")


def prack_out(scene, peer):
    """We call one that demands them of itself."""
    peer = scene.start(type(peer), "reliable", prack=True)
    established(scene, peer)
    over(scene, peer)


def update(scene, peer):
    """The peer changes the session by UPDATE (RFC 3311)."""
    established(scene, peer)
    peer.command("update")
    used(scene, "pjsip-peer.log", "UPDATE sip:")
    over(scene, peer)


def timer(scene, peer):
    """A session timer (RFC 4028) is agreed and refreshed."""
    peer = scene.start(type(peer), "timed", timer=90)
    established(scene, peer)
    used(scene, "pjsip-timed.log", "Session-Expires:")
    over(scene, peer)


def used(scene, log, text):
    """A text stands in a log of the peer's."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        with open(os.path.join(scene.folder, log), errors="replace") as file:
            if text in file.read():
                return
        time.sleep(0.1)
    raise Failure(f"no '{text}' in {log}")


CHECKS = [register, call_in, call_out, cancel, refuse, hold_by_us, hold_by_peer, transfer_by_us,
          transfer_by_peer, attended_by_us, attended_by_peer, prack_in, prack_out, update, timer]


def run(sansip, phone, check):
    """Runs one check with a proxy, our phone and the peer of its own. The verdict and its reason."""
    with tempfile.TemporaryDirectory(prefix="sansip-phones-") as folder:
        scene = Scene(sansip, folder, BOUND, phone.ALGORITHMS)
        try:
            peer = scene.start(phone)
            check(scene, peer)
            scene.end()
        except Failure as failure:
            keep(scene, phone, check)
            return "failed", str(failure)
        finally:
            scene.kill()
    return "passed", ""


def keep(scene, phone, check):
    """Keeps what a failed check has written."""
    logs = os.environ.get("PHONES_LOG", "build/phones")
    target = os.path.join(logs, f"{phone.name}-{check.__name__}")
    shutil.rmtree(target, ignore_errors=True)

    def special(folder, names):
        paths = {name: os.path.join(folder, name) for name in names}
        return [n for n, p in paths.items() if not (os.path.isfile(p) or os.path.isdir(p))]

    shutil.copytree(scene.folder, target, ignore=special)


def main():
    sansip = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    only = [c for c in os.environ.get("PHONES_CHECKS", "").split() if c]
    table, bad = [], 0
    began = time.monotonic()
    for phone in PHONES:
        if wanted and phone.name not in wanted:
            continue
        why = phone.missing()
        if why:
            table.append((phone.name, "-", "left out", why, 0.0))
            bad += bool(os.environ.get("CI"))
            continue
        for check in CHECKS:
            if only and check.__name__ not in only:
                continue
            if check.__name__ not in phone.CAN:
                continue
            start = time.monotonic()
            if start - began > SECONDS:
                table.append((phone.name, check.__name__, "not run", "no time left", 0.0))
                continue
            verdict, reason = run(sansip, phone, check)
            if verdict == "failed":
                # Real phones have timers of their own: once may be the machine, twice is not.
                first = reason.splitlines()[0] if reason else ""
                verdict, reason = run(sansip, phone, check)
                if verdict == "passed":
                    reason = f"at the second try; the first: {first}"
            known = KNOWN.get((phone.name, check.__name__))
            if verdict == "failed" and known:
                verdict, reason = "known", known
            elif verdict == "failed":
                bad += 1
            elif known:
                verdict, reason, bad = "PASSED", "though known to fail: " + known, bad + 1
            table.append((phone.name, check.__name__, verdict, reason, time.monotonic() - start))
            print("{:<9} {:<10} {:<8} {}".format(*table[-1]), flush=True)
    print("\n==== phones")
    for name, check, verdict, reason, seconds in table:
        print(f"{name:<9} {check:<10} {verdict:<8} {seconds:5.1f} s  {reason.splitlines()[0] if reason else ''}")
    print("all as expected" if not bad else f"{bad} not as expected")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
