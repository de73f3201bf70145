#!/usr/bin/env bash
# Runs every fuzz target for FUZZ_SECONDS (30), with overflow checks and debug assertions: under
# libFuzzer where a nightly compiler, a C++ compiler and cargo-fuzz are there, else under the runner
# that any compiler builds. FUZZ_ENGINE=libfuzzer or FUZZ_ENGINE=runner asks for one of them;
# FUZZ_TARGETS="parse framer" for some of the targets.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

seconds=${FUZZ_SECONDS:-30}
engine=${FUZZ_ENGINE:-}
export PATH="$PWD/$BUILD/tools/bin:$PATH"

can_libfuzzer() {
    have rustup && rustup toolchain list 2>/dev/null | grep -q '^nightly' && have c++ || return 1
    cargo +nightly fuzz --version >/dev/null 2>&1 && return
    echo "installing cargo-fuzz into $BUILD/tools"
    cargo install --quiet --locked --root "$BUILD/tools" cargo-fuzz &&
        cargo +nightly fuzz --version >/dev/null 2>&1
}

if [ -z "$engine" ]; then
    engine=runner
    can_libfuzzer && engine=libfuzzer
elif [ "$engine" = libfuzzer ]; then
    can_libfuzzer || skip "libFuzzer needs a nightly compiler, a C++ compiler and cargo-fuzz"
fi

cargo build --locked --release --manifest-path fuzz/Cargo.toml -p sansip-fuzz-targets --bin fuzz-runner
runner=fuzz/target/release/fuzz-runner
mapfile -t targets < <(if [ -n "${FUZZ_TARGETS:-}" ]; then printf '%s\n' $FUZZ_TARGETS; else "$runner" --list; fi)

# Programs of input bytes have seeds of their own; what reads messages starts from messages.
seeds_of() {
    if [ -d "fuzz/seeds/$1" ]; then
        echo "fuzz/seeds/$1"
        return
    fi
    local folder
    for folder in fuzz/seeds/messages sip-core/tests/torture benches/messages \
        "${SANSIP_VECTORS:-../shared/reference/vectors}"/{rfc4475,rfc3261,rfc3665}; do
        if [ -d "$folder" ]; then echo "$folder"; fi
    done
}

if [ "$engine" = libfuzzer ]; then
    echo "engine: libFuzzer, $seconds s a target"
    cargo +nightly fuzz build
else
    echo "engine: fuzz-runner (no nightly compiler, C++ compiler or cargo-fuzz), $seconds s a target"
fi

for target in "${targets[@]}"; do
    mapfile -t seeds < <(seeds_of "$target")
    echo "-- $target"
    # Every input that once found something, by the name of what it found.
    if [ -d "fuzz/findings/$target" ]; then
        "$runner" "$target" --replay "fuzz/findings/$target"/*
    fi
    if [ "$engine" = libfuzzer ]; then
        mkdir -p "fuzz/corpus/$target"
        cargo +nightly fuzz run "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
            -max_total_time="$seconds" -timeout=10 -max_len=70000 -dict=fuzz/sip.dict -seed=1 \
            -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
    else
        timeout $((seconds + 60)) "$runner" "$target" --seconds "$seconds" "${seeds[@]}"
    fi
done
echo "no finding in: ${targets[*]}"
