#!/usr/bin/env bash
# The C side. `ci/c.sh header`: the header is what the source says, and clean in C99 and C++11.
# `ci/c.sh tests`: the C programs and examples, built without a warning and run, under valgrind too.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

CFLAGS=(-std=c99 -Wall -Wextra -Wpedantic -Wconversion -Werror -g -O1 -Iinclude)
out=$BUILD/c
mkdir -p "$out"
CC=${CC:-cc}
have "$CC" || skip "no C compiler"

header() {
    cargo test -q --locked -p sansip-ffi --test header
    local includes
    includes=$(grep -n '#include' include/sansip.h | grep -v -e '<stddef.h>' -e '<stdint.h>' || true)
    [ -z "$includes" ] || { echo "include/sansip.h includes more than it may: $includes"; exit 1; }
    echo '#include "sansip.h"' >"$out/only.c"
    cp "$out/only.c" "$out/only.cc"
    for cc in "$CC" gcc clang; do
        ! have "$cc" || "$cc" "${CFLAGS[@]}" -Wno-empty-translation-unit -fsyntax-only "$out/only.c" 2>/dev/null ||
            "$cc" "${CFLAGS[@]}" -fsyntax-only "$out/only.c"
    done
    for cxx in g++ clang++; do
        ! have "$cxx" || "$cxx" -std=c++11 -Wall -Wextra -Wpedantic -Werror -Iinclude -fsyntax-only "$out/only.cc"
    done
    echo "header: ok"
}

checked() {
    if have valgrind; then
        valgrind -q --error-exitcode=9 --leak-check=full --show-leak-kinds=all "$@"
    fi
}

tests() {
    cargo build -q --locked -p sansip-ffi
    local lib="${CARGO_TARGET_DIR:-target}/debug/libsansip.a" name
    have valgrind || echo "no valgrind: memory is not checked"
    for name in call media parse serve misuse lent; do
        "$CC" "${CFLAGS[@]}" "sip-ffi/tests/c/$name.c" sip-ffi/tests/c/net.c "$lib" -o "$out/$name" -lpthread -ldl -lm
        "$out/$name"
    done
    for name in call media parse serve lent; do checked "$out/$name" >/dev/null; done
    checked "$out/misuse" 97 >/dev/null
    for name in parse phone; do
        "$CC" "${CFLAGS[@]}" "examples/c/$name.c" "$lib" -o "$out/example_$name" -lpthread -ldl -lm
    done
    [ "$("$out/example_parse")" = "Call-ID: 4711@pc33" ] || { echo "examples/c/parse.c prints no Call-ID"; exit 1; }
    python3 sip-ffi/tests/c/phones.py "$out/example_phone"
    symbols "${lib%.a}.so"
    echo "C tests: ok"
}

# Nothing without the prefix leaves the shared library.
symbols() {
    have nm || return 0
    local foreign
    foreign=$(nm -D --defined-only "$1" | awk '{print $3}' | grep -v '^sansip_' || true)
    [ -z "$foreign" ] || { echo "exported without the prefix: $foreign"; exit 1; }
}

case "${1:-}" in
header) header ;;
tests) tests ;;
*) echo "usage: ci/c.sh header|tests" >&2; exit 2 ;;
esac
