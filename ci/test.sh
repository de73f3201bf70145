#!/usr/bin/env bash
# Runs the steps named, one after the other, and ends with a table of what became of each.
# A failing step does not stop the others. In CI (CI=true) a skipped step counts as failed: every
# tool that a step needs can be installed on Debian as root.
set -uo pipefail
cd "$(dirname "$0")/.."
. ci/lib.sh

log=$BUILD/log
mkdir -p "$log"
table=()
failed=0

for step in "$@"; do
    echo "==== $step"
    start=$SECONDS
    ci/steps.sh "$step" </dev/null 2>&1 | tee "$log/$step.log"
    code=${PIPESTATUS[0]}
    case $code in
    0) outcome=passed ;;
    "$SKIPPED")
        outcome=$(tail -n 1 "$log/$step.log")
        if [ "${CI:-}" = true ]; then
            outcome="failed ($outcome)"
            failed=1
        fi
        ;;
    *)
        outcome="failed (exit status $code, see $log/$step.log)"
        failed=1
        ;;
    esac
    table+=("$(printf '%-14s %4ss  %s' "$step" $((SECONDS - start)) "$outcome")")
done

echo
echo "==== summary"
printf '%s\n' "${table[@]}"
exit "$failed"
