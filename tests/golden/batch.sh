# Several packs are one batch: one record for each network, one makespan.
"$SLUICE" synth lenet -o a.sluice >/dev/null
"$SLUICE" synth lenet --seed 7 -o b.sluice >/dev/null
"$SLUICE" run a.sluice b.sluice --policy deepeye -o json >records || exit 1
wc -l <records
grep -o '"makespan_ns":[0-9]*' records | sort -u | wc -l
"$SLUICE" run a.sluice -o json | grep -o '"digest":"[^"]*"' >alone
"$SLUICE" run b.sluice -o json | grep -o '"digest":"[^"]*"' >>alone
grep -o '"digest":"[^"]*"' records | cmp - alone && echo "same bits as alone"
sort -u alone | wc -l
"$SLUICE" run a.sluice b.sluice --policy all -o md | cut -d '|' -f 2,3,14
"$SLUICE" run a.sluice b.sluice --output out && find out -type f | sort
