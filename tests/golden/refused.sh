# exit: 1
# A cell that is refused before its first read has a record, whether in this process or in a worker.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" synth lenet -o other.sluice >/dev/null
fields() { grep -o '"\(schema\|status\|pack\|policy\|budget_given\|error\)": *\("[^"]*"\|[0-9]*\)' | cut -c1-60; }
try() {
    "$SLUICE" run lenet.sluice --budget 100K "$@" >out 2>err
    echo "-> $? $(wc -l <err)"
}
try -o json
fields <out
cat err
try -o json --timeout 1m
fields <out
echo '# every network of a batch'
"$SLUICE" run lenet.sluice other.sluice --budget 100K -o json 2>err | grep -c '"status":"error"'
wc -l <err
echo '# other formats'
try -o csv
wc -l <out
try
cat out
"$SLUICE" run lenet.sluice --budget 100K -o json 2>/dev/null >/dev/null
