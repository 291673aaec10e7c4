#!/bin/sh
# Builds the kernels and their tests for aarch64 and runs them under qemu's user mode emulation.
# Debian: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static
# CROSS_CC and RUNNER choose other tools: CROSS_CC=gcc RUNNER= checks the same here, without
# Criterion; CROSS_FLAGS adds compiler flags.
set -eu

cc=${CROSS_CC-aarch64-linux-gnu-gcc}
runner=${RUNNER-qemu-aarch64-static}
build=${BUILD:-build}/cross-$("$cc" -dumpmachine)
for tool in "$cc" $runner; do
    if ! command -v "$tool" >/dev/null; then
        echo "skipped: no $tool; apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross" \
            "qemu-user-static" >&2
        exit 77
    fi
done

mkdir -p "$build"
flags="-std=c11 -D_GNU_SOURCE -O3 -ffunction-sections -fdata-sections -Wall -Wextra -Werror -ffp-contract=off -fno-math-errno
       -fno-trapping-math -pthread -I. -Itests/cross -Itests/unit ${CROSS_FLAGS:-}"
# What the tests do not reach need not be linked.
objects=
for source in kernels/*.c runtime/base/error.c runtime/base/thread.c models/shape.c models/encoding.c models/lossless.c \
    tests/cross/run.c tests/unit/test_lossless.c \
    tests/unit/kernel_case.c tests/unit/test_threads.c tests/unit/test_gemm.c \
    tests/unit/test_inner_product.c tests/unit/test_convolution.c; do
    more=
    case $source in
    *_avx2.c | *_avx512.c)
        case $("$cc" -dumpmachine) in x86_64-*) ;; *) continue ;; esac
        ;;
    esac
    case $source in
    *_avx2.c) more="-mavx2 -mfma" ;;
    *_avx512.c) more="-mavx512f -mavx512dq -mavx512bw -mavx512vl -mfma" ;;
    esac
    object=$build/$(basename "$source" .c).o
    # shellcheck disable=SC2086
    "$cc" $flags $more -c "$source" -o "$object"
    objects="$objects $object"
done
# The emulator has no libraries of the other processor.
static=${runner:+-static}
# shellcheck disable=SC2086
"$cc" $static -pthread -Wl,--gc-sections $objects -lm -ldl -o "$build/kernel_tests"
# shellcheck disable=SC2086
$runner "$build/kernel_tests"
