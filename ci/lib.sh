# shellcheck shell=bash
# Shared by the scripts of this folder; sourced from the repository's root, not run.

# No step may download a toolchain: what the machine has is what is used.
export RUSTUP_DIST_SERVER=http://127.0.0.1:9 RUSTUP_AUTO_INSTALL=0
if command -v rustup >/dev/null && ! rustup toolchain list 2>/dev/null | grep -q '^stable'; then
    # rust-toolchain.toml asks for a channel that is not installed: take the machine's default.
    RUSTUP_TOOLCHAIN=$(rustup default 2>/dev/null | cut -d' ' -f1)
    export RUSTUP_TOOLCHAIN
fi

BUILD=build
SKIPPED=77
mkdir -p "$BUILD"

# skip REASON: ends the script as skipped. The reason is the last line of its output.
skip() {
    echo "skipped: $*"
    exit "$SKIPPED"
}

have() {
    command -v "$1" >/dev/null 2>&1
}

# as_root CMD...: runs CMD as root; fails where that would need a password.
as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif have sudo && sudo -n true 2>/dev/null; then
        sudo -n "$@"
    else
        return 1
    fi
}

# apt_install PACKAGE...: fails where there is no apt or no right to use it.
apt_install() {
    have apt-get || return 1
    as_root true || return 1
    echo "installing with apt-get: $*"
    local get=(env DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=120)
    if ! as_root "${get[@]}" install -y --no-install-recommends "$@" >"$BUILD/apt.log" 2>&1; then
        as_root "${get[@]}" update >"$BUILD/apt.log" 2>&1 || true
        as_root "${get[@]}" install -y --no-install-recommends "$@" >>"$BUILD/apt.log" 2>&1 || {
            tail -n 5 "$BUILD/apt.log"
            return 1
        }
    fi
}

# need COMMAND PACKAGE...: the command, installed from these packages if it is missing, else a skip.
need() {
    local command=$1
    shift
    have "$command" || apt_install "$@" || true
    have "$command" || skip "no $command on this machine (Debian: $*)"
}

# sansip_binary: builds the host binary once and prints its path.
sansip_binary() {
    cargo build --locked --release -p sansip-host --bin sansip >&2
    echo "${CARGO_TARGET_DIR:-target}/release/sansip"
}

# have_binary: whether sip-host has a binary yet.
have_binary() {
    [ -f sip-host/src/main.rs ] || [ -f sip-host/src/bin/sansip.rs ]
}
