# Ctrl-C: exit 130, finished results printed. (A shell without job control starts background commands
# with SIGINT ignored; sluice handles it all the same.)
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" run lenet.sluice --runs 1000000 -o json >record 2>err &
pid=$!
sleep 1
kill -INT "$pid"
wait "$pid"
echo "-> $?"
grep -o '"status":"[a-z]*"' record
grep -c '"digest":"[0-9a-f]*"' record
cat err
