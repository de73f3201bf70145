#!/usr/bin/env bash
# One step of `make test`. Exit status: 0 passed, 77 skipped (the last line says why), else failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

step_fmt() {
    cargo fmt --version >/dev/null 2>&1 || skip "the Rust toolchain has no rustfmt"
    cargo fmt --all --check
    cargo fmt --manifest-path fuzz/Cargo.toml --all --check
}

step_clippy() {
    cargo clippy --version >/dev/null 2>&1 || skip "the Rust toolchain has no clippy"
    cargo clippy --locked --workspace --all-targets -- -D warnings
    cargo clippy --locked -p sansip --no-default-features -- -D warnings
    cargo clippy --locked --manifest-path fuzz/Cargo.toml -p sansip-fuzz-targets -- -D warnings
}

# The tests of bindings in Redis are skipped without redis-server, but not in CI.
step_rust_tests() {
    have redis-server || apt_install redis-server || true
    if [ -n "${CI:-}" ]; then export SANSIP_NEEDS_REDIS=1; fi
    cargo test --locked --no-fail-fast 2>&1 | tee "$BUILD/rust_tests.txt"
    python3 ci/conformance.py "$BUILD/rust_tests.txt"
}

step_docs() {
    RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps
    python3 ci/check_docs.py
}

step_bare_metal() {
    ci/bare-metal.sh
}

step_header_check() {
    ci/c.sh header
}

step_c_tests() {
    ci/c.sh tests
}

step_python_tests() {
    ci/python.sh
}

step_demo_check() {
    have_binary || skip "no sansip binary"
    ci/netns.sh ci/demo.sh
}

step_interop() {
    have_binary || skip "no sansip binary"
    need sipp sip-tester
    local sansip
    sansip=$(sansip_binary)
    N_UDP=${N_UDP:-200} N_TCP=${N_TCP:-100} N_PHONE=${N_PHONE:-50} ci/netns.sh python3 ci/interop.py "$sansip"
}

# Phones of others. One that cannot be had is left out, which counts as failed in CI.
step_phones() {
    have_binary || skip "no sansip binary"
    have baresip || apt_install baresip-core || true
    have linphone-daemon || apt_install linphone-cli || true
    local sansip venv=$BUILD/venv-phones
    if ! "$venv/bin/python" -c 'import pjsua2' 2>/dev/null; then
        python3 -m venv "$venv" && "$venv/bin/python" -m pip --disable-pip-version-check -q install pjsua2-python || true
    fi
    sansip=$(sansip_binary)
    export PHONES_LOG=$PWD/$BUILD/phones PJSIP_PYTHON=$PWD/$venv/bin/python PHONES_SECONDS=${PHONES_SECONDS:-120}
    local failed=0
    ci/netns.sh python3 ci/phones.py "$sansip" || failed=1
    ci/netns.sh python3 ci/phones_proxy.py "$sansip" || failed=1
    return "$failed"
}

step_interop_full() {
    N_UDP=2000 N_TCP=500 N_PHONE=200 step_interop
    PHONES_SECONDS=900 step_phones
}

step_torture_wire() {
    have_binary || skip "no sansip binary"
    local sansip
    sansip=$(sansip_binary)
    # Some messages name their next hop; there is no name server in a network namespace.
    export SANSIP_HOSTS=$PWD/$BUILD/torture_hosts
    python3 ci/torture_wire.py --hosts "$sansip" >"$SANSIP_HOSTS"
    ci/netns.sh python3 ci/torture_wire.py "$sansip"
}

step_bench() {
    ci/bench.sh
}

step_bench_proxy() {
    have_binary || skip "no sansip binary"
    need sipp sip-tester
    local kamailio=$BUILD/kamailio
    # Unpacked and not installed: the package's own service is not wanted.
    if [ ! -x "$kamailio/usr/sbin/kamailio" ]; then
        have apt-get && have dpkg || skip "no Debian here to take Kamailio from"
        mkdir -p "$kamailio"
        (cd "$kamailio" && apt-get -qq download kamailio >/dev/null 2>&1 && dpkg -x kamailio_*.deb .) ||
            skip "no Kamailio package to be had (apt-get download kamailio)"
    fi
    "$kamailio/usr/sbin/kamailio" -v >/dev/null 2>&1 || skip "Kamailio lacks a library here"
    local sansip modules
    sansip=$(sansip_binary)
    modules=$(echo "$PWD/$kamailio"/usr/lib/*/kamailio/modules)
    python3 ci/bench_proxy.py "$sansip" "$kamailio/usr/sbin/kamailio" "$modules"
}

step_size() {
    ci/size.sh
}

step_fuzz_short() {
    FUZZ_SECONDS=${FUZZ_SECONDS:-30} ci/fuzz.sh
}

step_fuzz_long() {
    FUZZ_SECONDS=${FUZZ_SECONDS:-1800} ci/fuzz.sh
}

step_deny() {
    cargo deny --version >/dev/null 2>&1 || skip "no cargo-deny (cargo install --locked cargo-deny)"
    # Advisories are fetched from a Git host: run `cargo deny check` where that can be reached.
    cargo deny --locked check bans licenses sources
}

"step_${1//-/_}"
