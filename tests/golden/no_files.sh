# FIFOs and devices given as files: one line, nothing hangs. Pipes of a shell are read as files are.
try() {
    echo "$1 $2"
    timeout 60 "$SLUICE" "$@" >out 2>err
    echo "-> $? $(wc -l <out)"
    grep -v hint err
}
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" run lenet.sluice -o json >run.jsonl
mkfifo fifo
ln -s fifo profile.yaml
try compare fifo run.jsonl
try compare /dev/zero run.jsonl
try report fifo -o report.html
try run lenet.sluice --device ./profile.yaml
try run lenet.sluice --device /dev/zero
try sweep profile.yaml
try sweep lenet.sluice --results fifo
try run lenet.sluice --trace fifo
timeout 60 "$SLUICE" run lenet.sluice --trace /dev/stdout 2>&1 | cat
try plan lenet.sluice --policy window --dot fifo
echo '# what is read and written as before'
timeout 60 "$SLUICE" compare run.jsonl /dev/stdin <run.jsonl 2>/dev/null | wc -l
cat run.jsonl | timeout 60 "$SLUICE" compare run.jsonl /dev/stdin 2>/dev/null | wc -l
echo 'memory: 64M' | timeout 60 "$SLUICE" run lenet.sluice --device /dev/stdin --policy bluk 2>&1 | head -n 1
timeout 60 "$SLUICE" run lenet.sluice --trace /dev/null | head -n 1
timeout 60 "$SLUICE" plan lenet.sluice --policy window --dot /dev/stdout | head -n 1
cat fifo >graph &
for i in 1 2 3 4 5 6 7 8 9 10; do
    timeout 60 "$SLUICE" plan lenet.sluice --policy window --dot fifo 2>/dev/null && break
    sleep "0.$i"
done
wait
head -n 1 graph
ls
