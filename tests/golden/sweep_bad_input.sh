# Mistakes in lists, flags and job files: one clear line each, and nothing is run.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
try() {
    "$SLUICE" sweep "$@" 2>&1 && echo "accepted: $*"
    echo "-> $?"
}
job() {
    cat >job.yaml
    "$SLUICE" sweep job.yaml 2>&1 && echo accepted
}
try lenet.sluice --policy bulk,liner
try lenet.sluice --depth 5-1
try lenet.sluice --depth 1-8*1
try lenet.sluice --depth 4,0M
try lenet.sluice --depth 4,2X
try lenet.sluice --memory 64M,,32M
try lenet.sluice --memory 64M,lots
try lenet.sluice --threads 1,many
try lenet.sluice --order shufled
try lenet.sluice --precision -1
try lenet.sluice --resume --overwrite
try lenet.sluice --results nowhere/results.jsonl
try lenet.sluice --results /dev/null
try lenet.sluice --depth 1-4000 --queue-depth 1-256
try missing.sluice
try lenet.sluice++lenet.sluice
try topology:lenett
try lenet.sluice+lenet.sluice -i a.f32 -i b.f32 -i c.f32
try one.yaml two.yaml
SLUICE_DEPTH=5-1 try lenet.sluice
echo '# job files'
printf 'networks: [lenet.sluice]\npolcy: all\n' | job
printf 'networks: [lenet.sluice]\npolicy: liner\n' | job
printf 'networks: [lenet.sluice]\npolicy:\n  bulk: true\n' | job
printf 'networks: [lenet.sluice]\ndepth: [1, deep]\n' | job
printf 'networks: [lenet.sluice]\ntimeout: [1s, 2s]\n' | job
printf 'networks: [lenet.sluice]\nmemory: []\n' | job
printf 'networks: [lenet.sluice]\nmemory: [[64M]]\n' | job
printf 'networks: [lenet.sluice]\nmemory:\n' | job
printf 'networks: [lenet.sluice]\ncold: yes\n' | job
printf 'networks: [lenet.sluice]\nruns: many\n' | job
printf 'networks: [lenet.sluice]\ndepth: 1\ndepth: 2\n' | job
printf 'networks: [lenet.sluice]\njobs:\n  one:\n    runs: 3\n' | job
printf 'networks: [lenet.sluice]\njobs:\n  one:\n    polcy: all\n' | job
printf 'networks: [lenet.sluice]\njobs: [one]\n' | job
printf 'networks:\n  - lenet.sluice\n  - missing.sluice\n' | job
printf 'networks:\n  - topology: lenett\n' | job
printf 'networks:\n  - topologie: lenet\n' | job
printf 'policy: all\n' | job
printf 'networks: [lenet.sluice\npolicy: all\n' | job
printf '? [a]\n: b\n' | job
printf -- '- lenet.sluice\n' | job
printf '\tnetworks: x\n' | job
printf '' | job
ls
