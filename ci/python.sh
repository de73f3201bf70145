#!/usr/bin/env bash
# The Python package in a fresh virtual environment: installed by pip alone, its tests, its examples,
# and its types. PYTHON=... chooses the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

# prints LINE CMD...: CMD succeeds, and this is one of the lines that it prints.
prints() {
    local wanted=$1 said
    shift
    said=$("$@")
    grep -qxF -- "$wanted" <<<"$said" || { echo "$* did not print '$wanted' but: $said"; exit 1; }
}

PYTHON=${PYTHON:-python3}
have cargo || skip "no cargo: building the package needs Rust"
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null || skip "no Python 3.9 or later"
"$PYTHON" -c 'import venv, ensurepip' 2>/dev/null || apt_install python3-venv || skip "no venv module"

venv=$BUILD/venv-python
rm -rf "$venv"
"$PYTHON" -m venv "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check -q)
"${pip[@]}" install ./sip-py pytest mypy
(cd sip-py && "../$venv/bin/python" -m pytest -q)
prints 'no Via (RFC 3261 8.1.1)' "$venv/bin/python" examples/python/parse.py
prints 'answered with 200' timeout 20 "$venv/bin/python" examples/python/phone.py
"$venv/bin/python" -m mypy --strict --python-executable "$venv/bin/python" -p sansip
"$venv/bin/python" -m mypy.stubtest sansip._native
echo "Python tests: ok"
