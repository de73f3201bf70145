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
import threading
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
    # RFC 3262 3: ours has a number, and it is acknowledged before the call is answered.
    ours = scene.ours
    _, ringing = ours.saw("out", "SIP/2.0 180", "Require: 100rel", "RSeq: ")
    at, prack = ours.saw("in", "PRACK sip:")
    acknowledged(ringing, prack)
    ours.saw("out", "SIP/2.0 200", cseq(prack), after=at)
    scene.ours("answer 1", "wait confirmed 1")
    peer.wait_established()
    over(scene, peer)
    used(scene, "pjsip-reliable.log", "PRACK sip:")


def prack_out(scene, peer):
    """We call one that demands them of itself."""
    peer = scene.start(type(peer), "reliable", prack=True)
    scene.ours(f"call {peer.user}", "wait progress 1 status=180 within 10")
    at, ringing = scene.ours.saw("in", "SIP/2.0 180", "RSeq: ")
    at, prack = scene.ours.saw("out", "PRACK sip:", after=at)
    acknowledged(ringing, prack)
    scene.ours.saw("in", "SIP/2.0 200", cseq(prack), after=at)
    peer.answer()
    scene.ours("wait answered 1")
    peer.wait_established()
    over(scene, peer)


def update(scene, peer):
    """The peer changes the session by UPDATE (RFC 3311)."""
    established(scene, peer)
    peer.command("update")
    used(scene, "pjsip-peer.log", "UPDATE sip:")
    # RFC 3311 5.2: its offer is answered in the 200, which renews our Contact.
    at, offer = scene.ours.saw("in", "UPDATE sip:", "application/sdp", "m=audio")
    scene.ours.saw("out", "SIP/2.0 200", cseq(offer), "Contact: <sip:ours@", "m=audio", after=at)
    scene.ours("expect call 1 state=active")
    over(scene, peer)


def timed(scene, peer):
    """The peer calls with a session timer of 90 s; whether we refresh, by what was agreed on."""
    peer = scene.start(type(peer), "timed", timer=90)
    ours = scene.ours
    peer.call("ours")
    ours("wait incoming 1 within 10", "answer 1", "wait confirmed 1")
    ours.saw("in", "INVITE sip:", "Session-Expires: 90")
    _, ok = ours.saw("out", "SIP/2.0 200", " INVITE", "Require: timer")
    used(scene, "pjsip-timed.log", "Session-Expires: 90;refresher=")
    # RFC 4028 9: the answer names the time and who refreshes.
    agreed = field(ok, "Session-Expires")
    if agreed not in ("90;refresher=uas", "90;refresher=uac"):
        raise Failure(f"Session-Expires: {agreed}")
    return peer, agreed.endswith("uas")


def timer(scene, peer):
    """A session timer (RFC 4028) is agreed on in the peer's call, and in ours."""
    peer, _ = timed(scene, peer)
    over(scene, peer)
    scene.ours(f"call {peer.user}", "wait progress 2 status=180 within 10")
    peer.answer()
    scene.ours("wait answered 2")
    # RFC 4028 7.1, 7.2
    at, _ = scene.ours.saw("out", "INVITE sip:", "Session-Expires: ", "timer")
    scene.ours.saw("in", "SIP/2.0 200", " INVITE", "Session-Expires: ", after=at)
    scene.ours("hangup 2", "wait ended 2 why=hangup")


def refresh(scene, peer):
    """A session timer is agreed on, and the session refreshed in time."""
    peer, by_us = timed(scene, peer)
    ours = scene.ours
    began, _ = ours.saw("in", "ACK sip:")
    # RFC 4028 10: after half of the interval.
    way, back = ("out", "in") if by_us else ("in", "out")
    end = time.monotonic() + 60
    while time.monotonic() < end:
        again = [(at, text) for at, direction, text in list(ours.trace)
                 if direction == way and at > began + 1_000 and text.startswith(("UPDATE", "INVITE"))]
        if again:
            break
        time.sleep(0.2)
    else:
        raise Failure("no refresh within 60 s")
    at, request = again[0]
    if not 30_000 <= at - began <= 50_000:
        raise Failure(f"refreshed after {at - began} ms")
    ours.saw(back, "SIP/2.0 200", cseq(request), "Session-Expires: 90", after=at)
    ours("expect call 1 state=active")
    over(scene, peer)


def field(message, name):
    """The value of a header field of a message."""
    for line in message.splitlines():
        if line.lower().startswith(name.lower() + ":"):
            return line.split(":", 1)[1].strip()
    raise Failure(f"no {name} in {message.splitlines()[0]}")


def cseq(request):
    return f"CSeq: {field(request, 'CSeq')}"


def acknowledged(response, prack):
    """RFC 3262 7.2: the PRACK names that response."""
    wanted = f"{field(response, 'RSeq')} {field(response, 'CSeq')}"
    if field(prack, "RAck") != wanted:
        raise Failure(f"RAck: {field(prack, 'RAck')}, not {wanted}")


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

# Those that mostly wait: they run while the others do.
SLOW = [refresh]


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


def judged(sansip, phone, check):
    """One row of the table: runs a check, and again if it fails."""
    start = time.monotonic()
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
    elif known:
        verdict, reason = "PASSED", "though known to fail: " + known
    row = (phone.name, check.__name__, verdict, reason, time.monotonic() - start)
    print("{:<9} {:<10} {:<8} {}".format(*row), flush=True)
    return row


def main():
    sansip = os.path.abspath(sys.argv[1])
    wanted = sys.argv[2:]
    only = [c for c in os.environ.get("PHONES_CHECKS", "").split() if c]
    table = []
    began = time.monotonic()

    def chosen(phone, checks):
        can = [c for c in checks if c.__name__ in phone.CAN]
        return [c for c in can if not only or c.__name__ in only]

    slow = []
    for phone in PHONES:
        if wanted and phone.name not in wanted:
            continue
        why = phone.missing()
        if why:
            table.append((phone.name, "-", "left out", why, 0.0))
            continue
        for check in chosen(phone, SLOW):
            thread = threading.Thread(
                target=lambda p=phone, c=check: table.append(judged(sansip, p, c)))
            thread.start()
            slow.append(thread)
    for phone in PHONES:
        if (wanted and phone.name not in wanted) or phone.missing():
            continue
        for check in chosen(phone, CHECKS):
            if time.monotonic() - began > SECONDS:
                table.append((phone.name, check.__name__, "not run", "no time left", 0.0))
                continue
            table.append(judged(sansip, phone, check))
    for thread in slow:
        thread.join()
    bad = sum(row[2] in ("failed", "PASSED") for row in table)
    bad += sum(row[2] == "left out" for row in table) if os.environ.get("CI") else 0
    print("\n==== phones")
    for name, check, verdict, reason, seconds in table:
        print(f"{name:<9} {check:<10} {verdict:<8} {seconds:5.1f} s  {reason.splitlines()[0] if reason else ''}")
    print("all as expected" if not bad else f"{bad} not as expected")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
