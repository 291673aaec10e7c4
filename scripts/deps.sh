#!/bin/sh
# Names, and installs, the Debian packages that building and testing need.
# usage: deps.sh [lint|report]
#   (nothing)  what `make` and `make test` need;  lint: what `make lint` needs besides;
#   report: a browser, for the test that opens a report in it
# SLUICE_NO_INSTALL=1  install nothing: name what is missing and exit 1
set -eu

build='gcc g++ libc6-dev make pkg-config protobuf-c-compiler libprotobuf-c-dev liburing-dev
libcgroup-dev libopenblas0 libjansson-dev libyaml-dev libxxhash-dev libjpeg62-turbo-dev libpng-dev libcriterion-dev
gnuplot-nox'
report=chromium
lint='clang-format clang-tidy cppcheck shellcheck'

wanted=$build
[ "${1:-}" = lint ] && wanted="$build $lint"
[ "${1:-}" = report ] && wanted="$build $report"

if ! command -v dpkg-query >/dev/null 2>&1; then
    echo "deps: not a Debian system; install the equivalents of:" $wanted >&2
    exit 0
fi

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "${SLUICE_NO_INSTALL:-0}" != 0 ]; then
    echo "deps: missing packages:$missing" >&2
    echo "deps: install them with: apt-get install --no-install-recommends$missing" >&2
    exit 1
fi

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "deps: missing packages:$missing" >&2
        echo "deps: neither root nor sudo; as root: apt-get install --no-install-recommends$missing" >&2
        exit 1
    fi
    as_root=sudo
fi
echo "deps: installing:$missing"
export DEBIAN_FRONTEND=noninteractive
# A machine that never listed packages cannot find any: list them on the first failure.
# shellcheck disable=SC2086
$as_root apt-get install -y --no-install-recommends $missing && exit 0
$as_root apt-get update
# shellcheck disable=SC2086
$as_root apt-get install -y --no-install-recommends $missing
