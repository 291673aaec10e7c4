# The profile's table and line; the trace of two cells. Without a limit no rights are needed.
"$SLUICE" synth lenet -o net.sluice >/dev/null
"$SLUICE" run net.sluice --policy linear --runs 3 --warmup 1 --profile --top 0
"$SLUICE" run net.sluice --policy linear,bulk --profile --trace out.json -o md | grep -c '^| serving'
[ "$(head -n 1 out.json)$(tail -n 1 out.json)" = "[]" ] && echo "an array"
grep -o '"name":"LeNet, [a-z]*, no limit"' out.json
"$SLUICE" run net.sluice --profile -o json >record
for field in requests request_ns serving_ns other_networks_ns layers all_swap_in_bytes lost_events; do
    grep -q "\"$field\":" record || echo "the record lacks $field"
done
grep -o '"faulting_ns":0,"computing_ns":' record | head -n 1
grep -o '"other_networks_ns":[0-9]*' record
"$SLUICE" run net.sluice -o json | grep -c '"profile"'
"$SLUICE" run net.sluice --trace missing/out.json
echo "-> $?"
