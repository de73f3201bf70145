"""Two instances of examples/c/phone.c call each other on 127.0.0.1. Usage: phones.py PROGRAM"""

import subprocess
import sys

program = sys.argv[1]
media = "media: PCMU as payload 0 to 127.0.0.1:40000"
callee = subprocess.Popen([program, "0"], stdout=subprocess.PIPE, text=True)
try:
    port = callee.stdout.readline().rsplit(":", 1)[1].strip()
    caller = subprocess.run(
        [program, "0", f"sip:bob@127.0.0.1:{port}"], capture_output=True, text=True, timeout=20
    )
    heard = caller.stdout.splitlines()[1:]
    assert caller.returncode == 0, (caller.returncode, caller.stdout, caller.stderr)
    assert heard == ["progress 180", "answered", media, "ended, why 2, status 0"], heard
    said = callee.communicate(timeout=20)[0].splitlines()
    assert said[0].startswith('call from <sip:phone@127.0.0.1>;tag='), said
    assert said[1:] == [media, "confirmed", "ended, why 1, status 0"], said
    assert callee.returncode == 0, callee.returncode
finally:
    callee.kill()
print("phone.c: called itself")
