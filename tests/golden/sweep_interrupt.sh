# The first Ctrl-C ends after the cell that runs, the second kills it; both keep what is finished. A
# full disk does, too.
"$SLUICE" synth gendernet -o net.sluice >/dev/null
sweep() { "$SLUICE" sweep net.sluice --policy window --depth 1,2 --runs 2 "$@" 2>errors >table; }
wait_for() {
    for _ in $(seq 600); do
        "$@" && return
        sleep 0.05
    done
    echo "never: $*"
}
# Not of neighbours on this machine.
messages() { grep '^sluice' errors | grep -v '^sluice: hint: other processes'; }
has_records() { [ -f results.jsonl ] && [ "$(wc -l <results.jsonl)" -ge "$1" ]; }
# exec: the signal is for sluice, not for a shell around it.
(exec "$SLUICE" sweep net.sluice --policy window --depth 1,2 --requests 30 --runs 50 2>errors >table) &
pid=$!
wait_for has_records 1
kill -INT $pid
wait $pid
echo "first: $?"
grep -v '^\[' errors
echo "$(wc -l <results.jsonl) records" | sed 's/^[1-9][0-9]*/some/'
tail -c 1 results.jsonl | od -An -c
before=$(wc -l <results.jsonl)
(exec "$SLUICE" sweep net.sluice --policy window --depth 1,2 --requests 100000 --runs 50 --resume \
    2>errors >table) &
pid=$!
wait_for grep -q '0 of 100 repetitions' errors
sleep 0.5
kill -INT $pid
wait_for grep -q 'Ctrl-C again' errors
kill -INT $pid
wait $pid
echo "second: $?"
[ "$(wc -l <results.jsonl)" = "$before" ] && echo 'the cell that was killed has no record'
pgrep -P $pid || echo 'no worker is left'
echo '# a terminal that hangs up does as Ctrl-C does, and never kills; under nohup it does nothing'
rm results.jsonl
# The tests themselves may run under nohup.
(exec env --default-signal=HUP "$SLUICE" sweep net.sluice --policy window --depth 1,2 --requests 30 \
    --runs 50 2>errors >table) &
pid=$!
wait_for has_records 1
for _ in 1 2 3 4; do kill -HUP $pid 2>/dev/null; done
wait $pid
echo "hung up: $?"
messages
rm results.jsonl
(trap '' HUP && exec "$SLUICE" sweep net.sluice --policy window -q 2>errors >table) &
pid=$!
wait_for has_records 1
kill -HUP $pid
wait $pid
echo "nohup: $?"
cat errors
echo '# a write that fails, as on a full disk'
rm results.jsonl
(
    trap '' XFSZ
    ulimit -f 20
    sweep
    echo "full: $?"
)
messages
tail -c 1 results.jsonl | od -An -c
sweep --resume -q
echo "resumed: $?"
echo "$(wc -l <results.jsonl) records"
