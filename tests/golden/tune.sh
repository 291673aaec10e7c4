# tune on a network of milliseconds: which setting wins varies, what is printed and left does not.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
tune() {
    "$SLUICE" tune "$@" 2>&1 | sed 's/[0-9.]* [mnu]*s\>/TIME/g; s/[0-9.]* MiB/SIZE/g; s/  */ /g'
}
echo '# nothing to choose'
tune lenet.sluice --policy linear --loader pread --queue-depth 8 --shard none --memory none
echo '# the command line runs; the packs that were compared are gone'
"$SLUICE" tune lenet.sluice --policy auto,linear --loader pread --shard 64K --memory none -q >out
grep -c 'front, recommended' out
PATH=$(dirname "$SLUICE"):$PATH
sed -n 's/^  sluice/sluice/p' out >line
sh line | grep -m 1 LeNet
find . -mindepth 1 -maxdepth 1 ! -name 'lenet.sluice*' ! -name 'lenet-64K.sluice*' | sort
echo '# packs are found where they are, and their names are quoted'
mkdir "a b" && mv lenet.sluice "a b" && rm -f lenet*
"$SLUICE" tune "a b/lenet.sluice" --policy linear --loader pread --queue-depth 8 --shard 64K \
    --memory none -q | grep -o "'a b/lenet.*sluice'" | sort -u | tail -n 1
mv "a b/lenet.sluice" . && rm -r "a b"
echo '# every measurement, and every record'
"$SLUICE" tune lenet.sluice --policy linear,bulk --loader pread --queue-depth 8 --shard none --memory none \
    --objective later --requests 3 --results tune.jsonl -q -o json >json
grep -o '"objective":"[a-z]*","requests":[0-9]*' json
runs=$(grep -o '"runs":[0-9]*' json | tail -n 1 | cut -d: -f2)
[ "$(grep -c '"key":"[0-9a-f]*","run":[0-9]*,"part":0,"parts":1' tune.jsonl)" = "$runs" ] && echo "as many as runs"
echo '# a device that is not known'
"$SLUICE" tune lenet.sluice --device pi4-sdd 2>&1; echo "-> $?"
echo '# CSV and Markdown are the curve alone'
"$SLUICE" tune lenet.sluice --policy linear --loader pread --queue-depth 8 --shard none --memory none -q -o csv
"$SLUICE" tune lenet.sluice --policy linear --loader pread --queue-depth 8 --shard none --memory none -q -o md
echo '# auto, wherever it is said, and over what is said elsewhere'
shortly() {
    "$SLUICE" tune lenet.sluice --policy linear --loader pread --queue-depth 8 --shard none \
        --time-limit 0.001ms -o csv -q "$@" 2>/dev/null | sed 1d
}
SLUICE_MEMORY=auto shortly | cut -d, -f7
SLUICE_MEMORY=64M shortly --memory auto | grep -c 67108864
echo '# the time is up'
tune lenet.sluice --policy linear,bulk --loader pread --queue-depth 8 --shard none --memory none \
    --time-limit 0.001ms -o csv
echo '# Ctrl-C: the best so far, nothing left'
: >err
"$SLUICE" tune lenet.sluice --memory none --objective later --requests 3000 --shard 64K >out 2>err &
pid=$!
until grep -q 'run 2' err; do sleep 0.1; done
kill -INT "$pid"
wait "$pid"
echo "-> $?"
grep -c 'not finished' out
tail -n 1 err
find . -name '.sluice-tune*'
echo '# mistakes'
try() {
    "$SLUICE" tune "$@" 2>&1
    echo "-> $?"
}
try
try nowhere.sluice
try lenet.sluice --objective lates
try lenet.sluice --objective later --requests 1
try lenet.sluice --objective later --requests 4 --batch 4
try lenet.sluice --read-rate 4M,5M
try lenet.sluice --shard 1K
try lenet.sluice --memory 25
try lenet.sluice --policy liner
try lenet.sluice --results tune.jsonl --memory none
