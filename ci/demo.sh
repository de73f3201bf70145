#!/usr/bin/env bash
# The documented call flows between real UDP sockets on 127.0.0.1. Exit status: 0 if each ran
# as documented, or as the RFCs require where the documentation differs.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

sansip=$(sansip_binary)
exec "$sansip" flows
