"$SLUICE" synth lenet -o lenet.sluice
"$SLUICE" inspect lenet.sluice
"$SLUICE" inspect lenet.sluice -o json | grep -o '"weights_bytes":[0-9]*,"file'
"$SLUICE" run lenet.sluice --top 1
"$SLUICE" run lenet.sluice --top 1 --runs 3 -o json | grep -o '"latency_ns":\[[0-9]*,[0-9]*,[0-9]*\]'
"$SLUICE" inspect lenet.sluice --memory 32M --policy window | tail -n 2
"$SLUICE" run lenet.sluice --policy bulk -o json | grep -o '"breakdown":{[^}]*}'
