#!/usr/bin/env bash
# Counts the instructions and allocations of every work of docs/performance.md under callgrind, and
# fails over a gate.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

need valgrind valgrind libc6-dbg
cargo build --locked --profile bench -p sansip-benches --bin measure
exec "${CARGO_TARGET_DIR:-target}/release/measure" report
