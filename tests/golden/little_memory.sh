# Limits and budgets that are too small: one line that says what would do. Exit 1 when no cell brought
# a result; else the others' results stand.
try() {
    "$SLUICE" "$@" >out 2>all
    code=$?
    grep -v '^sluice: hint: other processes ' all >err
    echo "-> $code $(wc -l <out) $(wc -l <err)"
    cat err
}
nm "$SLUICE" | grep -q __asan && { echo 'sanitizer build'; exit 77; }
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
try run lenet.sluice --budget 100K
try run lenet.sluice --memory 1M
"$SLUICE" synth squeezenet -o squeezenet.sluice >/dev/null
try run squeezenet.sluice --memory 4M --policy window
try run squeezenet.sluice --memory 4M,64M
cut -c 1-10 out
