#!/bin/sh
# Runs the golden tests of the command line: every tests/golden/<case>.sh with $SLUICE set, in an
# empty directory of its own. Its stdout must match <case>.stdout.glob, its stderr <case>.stderr.glob
# (when there is one), line by line; lines of the expectation are shell patterns, and a line "..."
# stands for any number of lines. The exit code must be that of the line "# exit: N" (default 0).
# A script that exits with 77 is skipped; its last line on stdout says why.
# usage: run.sh BUILD_DIRECTORY [CASE...]
set -u

build=$(cd "$1" && pwd)
shift
here=$(cd "$(dirname "$0")" && pwd)
SLUICE=$build/sluice
SLUICE_SOURCE=$(cd "$here/../.." && pwd)
SLUICE_MODELS=${SLUICE_MODELS:-$SLUICE_SOURCE/../shared/models}
BUILD=$build
export SLUICE SLUICE_SOURCE SLUICE_MODELS BUILD

# The user's settings must not change what is tested.
for name in $(env | sed -n 's/^\(SLUICE_[A-Z_]*\)=.*/\1/p'); do
    case $name in SLUICE_SOURCE | SLUICE_MODELS) ;; *) unset "$name" ;; esac
done

# matches EXPECTATION ACTUAL: prints the first difference.
matches() {
    awk '
        function regex(glob,    i, c, out) {
            out = ""
            for (i = 1; i <= length(glob); i++) {
                c = substr(glob, i, 1)
                if (c == "*") out = out ".*"
                else if (c == "?") out = out "."
                else if (c ~ /[][\\.^$+(){}|\/]/) out = out "\\" c
                else out = out c
            }
            return "^" out "$"
        }
        FNR == NR { want[++wants] = $0; next }
        { got[++gots] = $0 }
        END {
            w = 1; g = 1; skip = 0
            while (g <= gots) {
                if (w <= wants && want[w] == "...") { skip = 1; w++; continue }
                if (w <= wants && got[g] ~ regex(want[w])) { skip = 0; w++; g++; continue }
                if (skip) { g++; continue }
                print "  expected: " (w <= wants ? want[w] : "(end)") "\n  found:    " got[g]
                exit 1
            }
            while (w <= wants && want[w] == "...") w++
            if (w <= wants) { print "  expected: " want[w] "\n  found:    (end)"; exit 1 }
        }' "$1" "$2"
}

passed=0 failed=0 skipped=0
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd "$here" && ls ./*.sh | sed 's,^\./,,; s,\.sh$,,' | grep -vx run)
work=$(mktemp -d "$build/golden.XXXXXX")
# Nor must what this user has measured.
export XDG_CACHE_HOME="$work/cache"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

for case in "$@"; do
    mkdir "$work/$case"
    expected=$(sed -n 's/^# exit: //p' "$here/$case.sh")
    (cd "$work/$case" && sh "$here/$case.sh" >"$work/stdout" 2>"$work/stderr" </dev/null)
    status=$?
    if [ "$status" = 77 ]; then
        skipped=$((skipped + 1))
        echo "$case: skipped: $(tail -n 1 "$work/stdout")"
        continue
    fi
    faults=
    [ "$status" = "${expected:-0}" ] || faults="  exit code $status, expected ${expected:-0}
"
    for stream in stdout stderr; do
        if [ ! -f "$here/$case.$stream.glob" ]; then
            [ "$stream" = stderr ] || faults="$faults  there is no $case.stdout.glob
"
            continue
        fi
        if ! difference=$(matches "$here/$case.$stream.glob" "$work/$stream"); then
            faults="$faults  $stream differs:
$difference
"
        fi
    done
    if [ -z "$faults" ]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf '%s: FAILED\n%s' "$case" "$faults"
        sed 's/^/  stderr: /' "$work/stderr" | head -n 20
    fi
    rm -rf "${work:?}/$case"
done
echo "golden: $passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
