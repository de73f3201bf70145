#!/usr/bin/env bash
# Links what a firmware takes of the core for a Cortex-M4 and prints its sizes: parser; parser and
# transactions; those with dialogs and user agent. The compiler is the distribution's, as in
# ci/bare-metal.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

target=thumbv7em-none-eabihf
export RUSTC_BOOTSTRAP=1 RUSTC=/usr/bin/rustc
unset RUSTC_WRAPPER RUSTFLAGS CARGO_ENCODED_RUSTFLAGS RUSTUP_TOOLCHAIN
have_std_source() {
    [ -x /usr/bin/cargo ] && [ -x "$RUSTC" ] &&
        [ -f "$("$RUSTC" --print sysroot)/lib/rustlib/src/rust/library/core/Cargo.toml" ]
}
have_std_source || apt_install rustc-web cargo-web rust-web-src || true
have_std_source || skip "no compiler with its std source in /usr/bin (Debian: rustc-web cargo-web rust-web-src)"
need arm-none-eabi-ld binutils-arm-none-eabi

weigh() {
    local features=$1 elf=$BUILD/size-$1.elf
    shift
    CARGO_PROFILE_FIRMWARE_OPT_LEVEL=$level /usr/bin/cargo build --quiet --manifest-path benches/size/Cargo.toml --profile firmware \
        --locked --features "$features" --target "$target" -Zbuild-std=core,alloc \
        -Zbuild-std-features=optimize_for_size --target-dir target/size
    arm-none-eabi-ld --gc-sections -e 0 "${@/#/--undefined=}" \
        --defsym=board_take=0x08000001 --defsym=board_sees=0x08000001 \
        "target/size/$target/firmware/libsansip_size.a" -o "$elf"
    echo "-- $features, opt-level $level"
    arm-none-eabi-size -A "$elf" | awk '$1 ~ /^\.(text|rodata|data|bss)$/ { print "   " $1 " " $2 }'
    # Name, then bytes of code, of what is not SIP.
    arm-none-eabi-nm -S -C --radix=d "$elf" | awk '
        NF > 3 && $3 ~ /[tT]/ {
            part = ""
            if ($0 ~ /chacha|rand_core/) part = "generator"
            else if ($0 ~ /siphasher/) part = "keyed hash"
            else if ($0 ~ /core::fmt/) part = "formatting"
            else if ($0 ~ /compiler_builtins/) part = "compiler builtins"
            if (part != "") sum[part] += $2
        }
        END { for (part in sum) printf "   of it %s: %d\n", part, sum[part] }'
}

for level in s z; do
    weigh parser root_parser
    weigh transactions root_layer root_transactions
    weigh phone root_engine root_phone
done
