#!/usr/bin/env bash
# Builds the core for bare-metal Arm, with and without its default features. thumbv6m has no
# compare-and-swap and no floating point, so it also shows that the core needs neither.
#
# Neither target nor std source comes with rustup's toolchains and neither may be downloaded, so the
# compiler is the distribution's, which ships its std source (Debian: rustc-web).
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

targets=${BARE_TARGETS:-"thumbv7em-none-eabihf thumbv6m-none-eabi"}

# RUSTC must be named: a rustup shim earlier on PATH would be taken otherwise.
export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
unset RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN

have_std_source() {
    [ -x /usr/bin/cargo ] && [ -x "$RUSTC" ] &&
        [ -f "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/core/Cargo.toml" ]
}

have_std_source || apt_install rustc-web cargo-web rust-web-src || true
have_std_source ||
    skip "no compiler with its std source in /usr/bin (Debian: rustc-web cargo-web rust-web-src)"

"$RUSTC" --version
for target in $targets; do
    for features in "" "--no-default-features"; do
        echo "-- $target ${features:-(default features)}"
        # shellcheck disable=SC2086 # an empty $features is no argument
        /usr/bin/cargo build --locked --profile firmware -p sansip $features \
            --target "$target" -Zbuild-std=core,alloc --target-dir target/bare
    done
done
echo "the core builds for: $targets"
