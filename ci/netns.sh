#!/usr/bin/env bash
# netns.sh CMD...: runs CMD in a network namespace of its own with the loopback up, where that is
# allowed: fixed ports, and no traffic but the test's. Elsewhere CMD runs in the machine's own network,
# where it must choose free ports. SANSIP_NETNS tells CMD which of the two it is (1 or 0). With
# SANSIP_HOSTS=FILE that file stands in for /etc/hosts, for CMD alone.
set -euo pipefail

# lo is brought up by ioctl (SIOCGIFFLAGS, SIOCSIFFLAGS | IFF_UP): a small image has no `ip`.
inside='
import fcntl, os, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
    flags = struct.unpack("16sH14x", fcntl.ioctl(s, 0x8913, struct.pack("16sH14x", b"lo", 0)))[1]
    fcntl.ioctl(s, 0x8914, struct.pack("16sH14x", b"lo", flags | 1))
os.environ["SANSIP_NETNS"] = "1"
os.execvp(sys.argv[1], sys.argv[1:])
'

if [ -n "${SANSIP_HOSTS:-}" ]; then
    inside="
import os, subprocess
subprocess.run(['mount', '--bind', os.environ['SANSIP_HOSTS'], '/etc/hosts'], check=True)
$inside"
fi

for unshare in "unshare -m -n" "unshare -r -m -n"; do
    if $unshare python3 -c "$inside" true 2>/dev/null; then
        exec $unshare python3 -c "$inside" "$@"
    fi
done
echo "no network namespace allowed here: running on free ports" >&2
SANSIP_NETNS=0 exec "$@"
