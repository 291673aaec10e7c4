# Too few open files are told as that, with what helps, wherever they end.
nm "$SLUICE" | grep -q __asan && { echo 'sanitizer build'; exit 77; }
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
for most in 10 12 16; do
    # shellcheck disable=SC3045
    (ulimit -n "$most"; exec "$SLUICE" run lenet.sluice --memory 64M -q) >out 2>err
    echo "-> $? $(wc -l <out)"
    grep -c "Too many open files; raise the limit of open files (ulimit -n)" err
    grep -v 'Too many open files' err
done
# shellcheck disable=SC3045
(ulimit -n 5; exec "$SLUICE" run lenet.sluice) 2>&1
true
