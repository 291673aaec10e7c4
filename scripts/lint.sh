#!/bin/sh
# Formatting, static analysis and the rules of the tree. Every check runs, whatever the others say.
# usage: lint.sh BUILD_DIRECTORY [CHECK...]   (format rules shell cppcheck tidy)
# BUILD_DIRECTORY/gen must hold the generated headers.
set -u

build=$1
shift
[ $# -gt 0 ] || set -- format rules shell cppcheck tidy
jobs=$(nproc)

folders='runtime iouring cgroups kernels policies models'

check_format() {
    git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror
}

check_rules() {
    sh scripts/check_dependencies.sh
}

check_shell() {
    git ls-files '*.sh' .ci/run | xargs shellcheck -s sh -S warning
}

# One configuration, the usual one: the others differ by instruction sets and by what cppcheck does
# not see anyway.
check_cppcheck() {
    # shellcheck disable=SC2086
    cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j"$jobs" -I. -I"$build/gen" \
        --library=scripts/cppcheck.cfg --enable=warning,performance,portability \
        --suppress=missingIncludeSystem --suppressions-list=scripts/cppcheck.txt \
        -D_GNU_SOURCE -D__x86_64__ -DSL_VERSION='""' -DPROTOBUF_C_VERSION_NUMBER=1004001 $folders
}

# One process for each file: clang-tidy 14 loses track of va_start across the files of one run.
# Files for other instruction sets than the machine's basic one are the basic one's with other flags.
check_tidy() {
    # shellcheck disable=SC2086,SC2016
    git ls-files $folders | grep '\.c$' | grep -v -e '_avx' -e '\.inc\.c$' |
        xargs -P"$jobs" -I'{}' sh -c 'found=$(clang-tidy --quiet "$1" -- -std=c11 -I. -I"$2/gen" \
            -include scripts/analysis.h -D"SL_FILE_$(basename "$1" .c)" -D_GNU_SOURCE \
            -DSL_VERSION="\"\"" 2>/dev/null) || { printf "%s\n" "$found"; exit 1; }' \
            clang-tidy '{}' "$build"
}

passed=0 failed=0
for check in "$@"; do
    if "check_$check"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "lint: $check: FAILED"
    fi
done
[ -z "${SLUICE_TALLY:-}" ] || echo "$passed $failed 0" >>"$SLUICE_TALLY"
echo "lint: $passed passed, $failed failed"
[ "$failed" = 0 ]
