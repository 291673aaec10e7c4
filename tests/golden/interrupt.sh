# Ctrl-C: exit 130, finished results printed, nothing left behind.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
interrupted() {
    "$SLUICE" run lenet.sluice --runs 1000000 "$@" -o json >record 2>err &
    pid=$!
    sleep 1
    kill -INT "$pid"
    wait "$pid"
    echo "-> $?"
    grep -o '"status":"[a-z]*"' record
    cat err
}
# A shell without job control starts background commands with SIGINT ignored: ask with TERM too.
trap - INT
interrupted
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || exit 0
interrupted --memory 64M >limited
head -n 1 limited
# Groups are named sluice-<pid>-<serial>; those of others that still run are theirs.
find /sys/fs/cgroup -maxdepth 3 -name 'sluice-*' 2>/dev/null | while read -r group; do
    owner=$(basename "$group" | cut -d- -f2)
    kill -0 "$owner" 2>/dev/null || echo "left behind: $group"
done
