# Cells of several axes, each repeated; resumed, refused, overwritten.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" synth squeezenet -o squeezenet.sluice >/dev/null
sweep() {
    "$SLUICE" sweep "$@" 2>&1 | grep -v '^sluice: hint' | sed 's/[0-9.]* [mnu]*s\( left\|$\)/TIME\1/g; s/[0-9.]* [mnu]*s;/TIME;/'
}
# How many records there are, and how many different ones.
count() {
    grep -c . "$1"
    sed 's/.*"network":"\([^"]*\)".*"key":"\([^"]*\)","run":\([0-9]*\),"part":\([0-9]*\).*/\1 \2 \3 \4/' "$1" |
        sort -u | grep -c .
}
echo '# lists and ranges; the depth of bulk changes nothing'
sweep lenet.sluice --policy bulk,window --depth 1-4*2 --runs 1
sweep lenet.sluice --policy bulk,window --depth 1-4*2 --runs 2 --resume >/dev/null
count results.jsonl
echo '# a batch has a record per network'
"$SLUICE" sweep -q lenet.sluice lenet.sluice+squeezenet.sluice --threads 1,2 --runs 2 --order shuffled \
    --results batch.jsonl -o csv | cut -d, -f2,3,5,6,13
count batch.jsonl
echo '# results are not mixed'
sweep lenet.sluice --results batch.jsonl
echo '# nothing left to do'
sweep lenet.sluice --policy bulk,window --depth 1-4*2 --runs 2 --resume -o md | cut -d'|' -f1-6
echo '# torn, unreadable and foreign lines'
sed 's/"schema":1/"schema":7/' results.jsonl | head -n 1 >mixed.jsonl
echo 'what is this' >>mixed.jsonl
sed -n 2,3p results.jsonl >>mixed.jsonl
head -c 100 results.jsonl >>mixed.jsonl
sweep lenet.sluice --policy window --depth 1,2 --runs 1 --results mixed.jsonl --resume -o csv
tail -c 1 mixed.jsonl | od -An -c
echo '# stops when it is precise enough'
"$SLUICE" sweep -q lenet.sluice --precision 100% --results precise.jsonl >/dev/null
runs=$(grep -c . precise.jsonl)
[ "$runs" -ge 3 ] && [ "$runs" -lt 30 ] && echo "after 3 runs, before 30"
echo '# warm-ups leave no record'
"$SLUICE" sweep -q lenet.sluice --warmup 2 --runs 1 --requests 3 --overwrite >/dev/null
sed 's/.*"latency_ns":\[\([^]]*\)\].*/\1/' results.jsonl | tr ',' '\n' | grep -c .
count results.jsonl
