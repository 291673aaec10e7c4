# A limit of the size of files: one line, and nothing that was begun is left.
try() {
    # As a pipe: the shell's own files are limited, too.
    (ulimit -f 1; timeout 60 "$SLUICE" "$@" 2>&1; echo "-> $?") | cat
}
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" plan lenet.sluice >/dev/null
try synth lenet -o cut.sluice
try repack lenet.sluice -o cut.sluice
try synth lenet -o whole.sluice --caffemodel cut.caffemodel
try plan lenet.sluice --policy window --dot graph.dot
try sweep lenet.sluice --results results.jsonl --policy window --runs 1 -q | grep -v '^network\|^LeNet'
(ulimit -f 0; "$SLUICE" run lenet.sluice --trace trace.json 2>&1) | cat
(ulimit -f 0; "$SLUICE" run lenet.sluice --output out 2>&1) | cat
(ulimit -f 1; "$SLUICE" run lenet.sluice -o json 2>&1 >record; echo "-> $?") | cat
ls -A . out
wc -c <results.jsonl
