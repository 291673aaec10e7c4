# What a limit or the clock ends is a result, and the exit code is 3; one sweep at a time per file.
"$SLUICE" doctor | grep -q 'cgroup .*memory yes' || { echo 'no right to limit memory'; exit 77; }
"$SLUICE" synth gendernet -o net.sluice >/dev/null
limit=24M # a process under the address sanitizer is larger; the weights are 43 MiB
nm "$SLUICE" | grep -q __asan && limit=38M
"$SLUICE" sweep net.sluice --policy bulk,window --memory none,$limit --swap 0 --runs 2 -q -o csv >table
echo "-> $?"
cut -d, -f2-3,6,13 table
grep -o '"status":"[a-z]*"' results.jsonl | sort | uniq -c | sed 's/^ *//'
"$SLUICE" sweep net.sluice --policy linear --requests 100000 --timeout 300ms --runs 1 -q \
    --results slow.jsonl -o csv | cut -d, -f2-3,13
echo '# the whole file is there again, with nothing to do'
"$SLUICE" sweep net.sluice --policy bulk,window --memory none,$limit --swap 0 --runs 2 -q -o csv --resume |
    cmp - table && echo 'the same table'
echo '# two sweeps'
(exec "$SLUICE" sweep net.sluice --policy linear --requests 100000 --runs 1 --results slow.jsonl -q \
    --overwrite >/dev/null 2>&1) &
pid=$!
for _ in $(seq 200); do
    pgrep -P $pid >/dev/null && break
    sleep 0.05
done
"$SLUICE" sweep net.sluice --results slow.jsonl --resume 2>&1
echo "-> $?"
kill -KILL $pid
wait $pid 2>/dev/null
"$SLUICE" sweep net.sluice --results slow.jsonl --resume -q -o csv | cut -d, -f2-3
echo '# why a cell ended in error'
{ "$SLUICE" sweep net.sluice --policy auto --budget 1M --runs 2 --results small.jsonl -q \
    >/dev/null; } 2>&1
echo "-> $?"
