#!/bin/sh
# Holds the tree to its rules: includes point one way, file names are unique, files stay short, and
# every public function says what it does.
set -eu

failed=0
fault() {
    echo "$*"
    failed=1
}

# folder: what its files may include. runtime/sluice.h belongs to runtime.
allowed() {
    case $1 in
    runtime/base) echo 'runtime/base' ;;
    models | models/layers) echo 'models models/layers runtime/base' ;;
    iouring | cgroups) echo "$1 runtime/base" ;;
    kernels) echo 'kernels models runtime/base' ;;
    policies) echo 'policies runtime/base' ;;
    runtime/engine) echo 'runtime/engine policies kernels models iouring cgroups runtime/base' ;;
    runtime/input) echo 'runtime/input models runtime/base' ;;
    runtime) echo 'runtime runtime/engine runtime/input policies kernels models iouring cgroups runtime/base' ;;
    runtime/report) echo 'runtime/report runtime runtime/base' ;;
    runtime/cli) echo 'runtime/cli runtime/report runtime runtime/base' ;;
    *) echo '' ;;
    esac
}

sources=$(git ls-files 'runtime/*.[ch]' 'iouring/*.[ch]' 'cgroups/*.[ch]' 'kernels/*.[ch]' \
    'policies/*.[ch]' 'models/*.[ch]')
for file in $sources; do
    folder=$(dirname "$file")
    may=$(allowed "$folder")
    [ -n "$may" ] || fault "$file: folder $folder has no rule in scripts/check_dependencies.sh"
    for header in $(sed -n 's/^#include "\([^"]*\)".*/\1/p' "$file"); do
        case $header in *.pb-c.h) continue ;; esac
        [ -f "$header" ] || { fault "$file: includes $header, which is not there"; continue; }
        case " $may " in
        *" $(dirname "$header") "*) ;;
        *) fault "$file: may not include $header (allowed: $may)" ;;
        esac
    done
done

# The command line stands on the public API alone.
for file in runtime/cli/*.[ch] runtime/report/*.[ch]; do
    grep -n '#include "runtime/[a-z_]*\.h"' "$file" | grep -v 'runtime/sluice\.h' &&
        fault "$file: of runtime/ only sluice.h is public"
done

git ls-files '*.c' '*.h' '*.py' '*.sh' | while read -r path; do basename "$path"; done | sort |
    uniq -d | while read -r name; do echo "$name: this file name is used more than once"; done |
    grep . && failed=1

for file in $(git ls-files '*.c' '*.h'); do
    lines=$(wc -l <"$file")
    [ "$lines" -le 800 ] || fault "$file: $lines lines, at most 800"
done

# A declaration at the start of a line in a header needs a comment above it or above its group.
for file in $(git ls-files 'runtime/*.h' 'iouring/*.h' 'cgroups/*.h' 'kernels/*.h' 'policies/*.h' \
    'models/*.h'); do
    awk -v file="$file" '
        /^(\/\*| \*)/ { documented = 1; next }
        /^$/ { documented = 0; next }
        /^(SL_API |const |static inline |struct [a-z_]+ \*?|int |bool |void |u?int[0-9]+_t |size_t |float |double )[^;={]*sl_[a-z0-9_]+\(/ {
            if (!documented) { print file ":" FNR ": undocumented: " $0; bad = 1 }
        }
        END { exit bad }' "$file" || failed=1
done
exit $failed
