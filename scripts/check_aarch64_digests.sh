#!/bin/sh
# Builds the command for aarch64 and compares, network by network, the packs that it makes and the
# digests that it computes under qemu's user mode emulation with those of the build for this machine.
# usage: check_aarch64_digests.sh SYSROOT BUILD_DIRECTORY [NETWORK...]
#   SYSROOT: libraries of aarch64, as from
#     mmdebstrap --arch=arm64 --variant=extract --include=libc6-dev,libprotobuf-c-dev,liburing-dev,\
#       libcgroup-dev,libjansson-dev,libyaml-dev,libxxhash-dev,libjpeg62-turbo-dev,libpng-dev \
#       bookworm SYSROOT
#   BUILD_DIRECTORY: of this machine's build; networks: topologies (default: four small ones)
# Debian: apt-get install gcc-aarch64-linux-gnu qemu-user-static mmdebstrap
set -eu

sysroot=$(cd "$1" && pwd)
native=$(cd "$2" && pwd)/sluice
shift 2
[ $# -gt 0 ] || set -- lenet squeezenet mobilenet googlenet
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT
cd "$(dirname "$0")/.."
make -j"$(nproc)" BUILD="$build" CC="aarch64-linux-gnu-gcc --sysroot=$sysroot" \
    AR=aarch64-linux-gnu-ar "$build/sluice" >"$build/log" 2>&1 || {
    tail "$build/log" >&2
    exit 1
}
failed=0
for network in "$@"; do
    "$native" synth "$network" -o "$build/here" >/dev/null
    qemu-aarch64-static -L "$sysroot" "$build/sluice" synth "$network" -o "$build/there" >/dev/null
    cmp "$build/here" "$build/there" || failed=1
    here=$("$native" run "$build/here" | grep digest)
    there=$(qemu-aarch64-static -L "$sysroot" "$build/sluice" run "$build/here" | grep digest)
    if [ "$here" = "$there" ]; then
        echo "$network: the same$here"
    else
        echo "$network:$here here,$there on aarch64"
        failed=1
    fi
done
exit $failed
