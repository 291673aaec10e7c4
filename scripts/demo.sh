#!/bin/sh
# The published loading policies on a FaceNet-class network, with and without enough memory.
# usage: demo.sh BUILD_DIRECTORY
set -eu

sluice=$1/sluice
work=$1/demo
mkdir -p "$work"
pack=$work/facenet.sluice
[ -f "$pack" ] || "$sluice" synth facenet -o "$pack"

"$sluice" doctor "$work" >"$work/doctor.txt" || true
cgroup=$(grep -E '^(ok|warn|fail) +cgroup' "$work/doctor.txt" || true)
echo
case $cgroup in
*'memory yes'*)
    limits=none,75%,50%
    echo "FaceNet without a limit, and with 75 % and 50 % of the memory of its weights"
    ;;
*)
    limits=none
    echo "FaceNet without a limit. Memory limits are missing here:"
    sed -n "/^[a-z]* *cgroup/,/->/p" "$work/doctor.txt"
    echo "(as root, \`sudo make demo\` shows the limited runs too)"
    ;;
esac

# A swap file of one run: only root can make it.
swap=
if [ "$limits" != none ]; then
    if [ "$(id -u)" = 0 ]; then
        swap='--swap 1G'
        echo "with a temporary swap file of 1 GB."
    else
        echo "with the swap that this machine has (a swap file needs root)."
    fi
fi
echo
status=0
# shellcheck disable=SC2086
"$sluice" run "$pack" --policy bulk,deepeye,linear,partial --memory "$limits" $swap || status=$?
# 3: some cell was killed by its limit. That is a result.
[ "$status" = 0 ] || [ "$status" = 3 ] || exit "$status"
echo
echo "Next: $sluice run $pack --memory 50% --swap 0 --policy all"
echo "      $sluice --help"
