# Ctrl-C while a limited worker runs: exit 130, finished results printed, no group left behind.
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" run lenet.sluice --runs 1000000 --memory 64M -o json >record 2>err &
pid=$!
sleep 1
kill -TERM "$pid"
wait "$pid"
echo "-> $?"
grep -o '"status":"[a-z]*"' record
grep -c '"digest":"[0-9a-f]*"' record
cat err
find /sys/fs/cgroup -maxdepth 3 -name "sluice-$pid-*" 2>/dev/null
exit 0
