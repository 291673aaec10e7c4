# What a worker had finished when its time was up is told, input by input; the table says how it ended.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
inputs=
for i in 1 2 3 4 5 6 7 8 9; do
    head -c 3136 /dev/zero >$i.f32
    inputs="$inputs -i $i.f32"
done
# However fast this machine is, some count runs out of time behind the first input.
for runs in 30 100 300 1000 3000 10000 30000 100000; do
    # shellcheck disable=SC2086 # a list
    "$SLUICE" run lenet.sluice $inputs --runs $runs --timeout 1s -o json >records
    code=$?
    head -n 1 records | grep -q '"status":"ok"' && [ $code = 3 ] && break
done
echo "-> $code"
grep -o '"status":"[a-z]*"' records | uniq
"$SLUICE" run lenet.sluice --runs 1000000 --timeout 500ms -o md | tail -n 1 | sed 's/[0-9.]* [mu]s/TIME/'
# Of a sweep that is how the whole repetition ended, also when it is read again.
for again in --overwrite --resume; do
    # shellcheck disable=SC2086
    "$SLUICE" sweep lenet.sluice $inputs --requests $runs --timeout 1s --runs 1 --results r.jsonl $again \
        -q -o csv | sed 's/.*,//'
done
