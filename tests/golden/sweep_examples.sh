# The jobs in examples/ run, in a reduced form: the command line wins over the file.
export XDG_CACHE_HOME="$PWD/cache"
mkdir cache
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
for job in "$SLUICE_SOURCE"/examples/*.yaml; do
    name=$(basename "$job" .yaml)
    "$SLUICE" sweep "$job" lenet.sluice --memory none --runs 1 --loader pread --read-rate 1G -q \
        -o csv >"$name.csv" || echo "$name: exit code $?"
    echo "$name: $(($(wc -l <"$name.csv") - 1)) cells, $(wc -l <"$name.jsonl") records"
done
echo '# a topology is made when it is asked for, once'
printf 'networks: {topology: lenet}\nruns: 1\n' >job.yaml
"$SLUICE" sweep job.yaml -o csv 2>&1 | grep -v "^sluice: hint" | sed 's,making .*/,making ,' | grep -v '^\[' | cut -d, -f2-4
"$SLUICE" sweep job.yaml -o csv --overwrite 2>&1 | grep -c making
echo '# but not for a mistake, nor to be refused then'
rm -r cache/sluice
"$SLUICE" sweep job.yaml --depth deep 2>&1
"$SLUICE" sweep job.yaml 2>&1
find cache
echo '# flag > environment > job > default'
printf 'networks: [lenet.sluice]\npolicy: bulk\nthreads: 1\nruns: 1\n' >job.yaml
sweep() { "$SLUICE" sweep job.yaml "$@" -q --overwrite -o csv | sed 1d | cut -d, -f3,5; }
sweep
SLUICE_POLICY=linear sweep
SLUICE_POLICY=linear sweep --policy window
