# A limit is a result, not a failure of the tool; nothing is left behind.
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
"$SLUICE" synth gendernet -o net.sluice >/dev/null
# Notes the process, after which groups are called.
run() {
    "$SLUICE" run "$@" &
    echo $! >>pids
    wait $!
}
field() { grep -o "\"$1\":[^,]*" record | head -n 1; }
run net.sluice --policy bulk --memory 24M --swap 0 -o json >record
echo "-> $?"
field status && field memory_limit && field swap_limit
run net.sluice --policy linear --memory 150% --swap 0 -o json >record
echo "-> $?"
field status && field swap_in_bytes && field peak_source
limit=$(field memory_limit | cut -d: -f2) peak=$(field peak_bytes | cut -d: -f2)
[ "$peak" -le "$limit" ] && echo "peak within the limit"
field digest >limited
run net.sluice -o json >record && field digest | cmp - limited && echo "same bits"
run net.sluice --read-rate 1M --timeout 1s -o json >record
echo "-> $?"
field status
run net.sluice --policy linear,bulk --memory none,24M --swap 0
# No storage here has room for that: it is the machine that is unfit, whichever command finds out.
run net.sluice --policy bulk --memory 64M --swap 8T 2>&1
echo "-> $?"
"$SLUICE" sweep net.sluice --policy bulk --memory 64M --swap 8T --runs 1 -q 2>&1
echo "-> $?"
# Groups are named sluice-<pid>-<serial>.
while read -r pid; do
    find /sys/fs/cgroup -maxdepth 3 -name "sluice-$pid-*" 2>/dev/null
done <pids
wc -l <pids
