# What there is to emulate, profiles with mistakes, and what no machine can hold.
try() {
    "$SLUICE" "$@" 2>&1 && echo "accepted: $*"
    echo "-> $?"
}
"$SLUICE" list devices
"$SLUICE" list devices -o csv | sed -n '1p; /^cloud/p'
"$SLUICE" list devices -o json | grep pi-zero2
ls "$SLUICE_SOURCE"/scripts/devices | sed 's/\.yaml$//' >files
"$SLUICE" list devices -o json | sed 's/.*"name":"\([^"]*\)".*/\1/' | cmp - files && echo "each file"
"$SLUICE" completion bash | grep -c -- '--device ) words=.cloud-1g.* usb3-ssd'
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
printf 'memory: 64M\nreed-rate: 5M\n' >typo.yaml
printf 'memory: 64M\n  cpus: 2\n' >shape.yaml
printf 'memory: 64M\nswap: lots\n' >size.yaml
printf 'description: too large\nmemory: 900T\n' >large.yaml
printf 'cores: 1000\n' >wide.yaml
compute() {
    "$SLUICE" plan lenet.sluice --estimate --threads 1 --policy linear -o json "$@" 2>/dev/null |
        sed 's/.*"compute_ns":\([0-9]*\).*/\1/'
}
awk -v whole="$(compute)" -v half="$(compute --cpus 0.5)" 'BEGIN { printf "%.2f x\n", half / whole }'
"$SLUICE" plan lenet.sluice --estimate --policy linear --device pi4-sd -o json 2>/dev/null |
    grep -o '"device":.*}'
try run lenet.sluice --device pi4-ssd
try run lenet.sluice --device typo.yaml
try run lenet.sluice --device shape.yaml
try run lenet.sluice --device ./size.yaml
try run lenet.sluice --device nowhere.yaml
try plan lenet.sluice --device size.yaml
try run lenet.sluice --device large.yaml
try run lenet.sluice --device wide.yaml
try run lenet.sluice --swap-place zram
try run lenet.sluice --cores none
try run lenet.sluice --read-rate 1000
try plan lenet.sluice --read-rate 10
exit 0
