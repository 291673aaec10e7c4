#!/bin/sh
# Runs a suite of tests in a temporary folder of its own ($TMPDIR), which is removed afterwards.
# Suites print "<test>: skipped: <why>" for what they leave out. In CI a skip is a failure, unless
# `sluice doctor` or the lack of models says that this machine cannot run it.
# usage: run_tests.sh BUILD_DIRECTORY PROGRAM [ARGUMENT...]
# CI=true         hold skips to that rule
# SLUICE_TALLY=F  append a line "<passed> <failed> <skipped>" to F
set -u

build=$1
shift
work=$(mktemp -d "${TMPDIR:-/var/tmp}/sluice-tests.XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
mkdir "$work/files"
# Some tests become an ordinary user.
chmod 755 "$work"

{
    TMPDIR=$work/files "$@"
    echo $? >"$work/status"
} 2>&1 | tee "$work/output"
status=$(cat "$work/status")

# Criterion's closing line, or that of tests/golden/run.sh.
counts=$(sed -n -e 's/.*Tested: [0-9]* | Passing: \([0-9]*\) | Failing: \([0-9]*\) | .*/\1 \2/p' \
    -e 's/.*: \([0-9]*\) passed, \([0-9]*\) failed, .*/\1 \2/p' "$work/output" | tail -n 1)
grep ': skipped: ' "$work/output" >"$work/skips"
skipped=$(wc -l <"$work/skips")

# Why a test may be skipped here, as an expression for its reason.
excuses() {
    printf 'sanitizer build|baseline x86-64'
    [ "$(id -u)" = 0 ] || printf '|root|right|ordinary user|mounted'
    [ -d "${SLUICE_MODELS:-../shared/models}" ] || printf '|SLUICE_MODELS'
    doctor=$("$build/sluice" doctor 2>/dev/null)
    echo "$doctor" | grep -q '^ok *io_uring' || printf '|uring'
    echo "$doctor" | grep -q '^ok *storage' || printf '|O_DIRECT|file system'
    case $doctor in
    *'memory yes, swap yes, read rate yes, cpu yes'*) ;;
    *) printf '|cgroup|controller|limit|swap' ;;
    esac
}

if [ "${CI:-false}" != false ] && grep -v -E "skipped: .*($(excuses))" "$work/skips"; then
    echo "tests: skipped, though this machine can run them (see above)"
    [ "$status" != 0 ] || status=1
    counts="${counts% *} $((${counts#* } + 1))"
fi
[ -z "${SLUICE_TALLY:-}" ] || echo "${counts:-0 1} $skipped" >>"$SLUICE_TALLY"
exit "$status"
