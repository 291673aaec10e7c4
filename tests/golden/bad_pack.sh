# Damaged packs: one line that names the file, the place and the cure.
# With one cell, or when no cell brought a result, exit 1; else the others' results stand.
# How busy the machine is, is no part of it.
try() {
    "$SLUICE" "$@" >out 2>all
    code=$?
    grep -v '^sluice: hint: other processes ' all >err
    echo "-> $code $(wc -l <out) $(wc -l <err)"
    cat err
}
# poke BYTE: a copy of the pack with one byte changed.
poke() {
    cp lenet.sluice poked.sluice
    byte=$(dd if=lenet.sluice bs=1 skip="$1" count=1 2>/dev/null | od -An -tu1)
    # shellcheck disable=SC2059
    printf "\\$(printf %o $((byte ^ 255)))" | dd of=poked.sluice bs=1 seek="$1" conv=notrunc 2>/dev/null
}
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
for byte in 0 8 100; do
    poke $byte
    try inspect poked.sluice
done
echo "# index"
poke 4200
try inspect poked.sluice
for bytes in 0 100 4096 4200 100000; do
    head -c $bytes lenet.sluice >poked.sluice
    try inspect poked.sluice
done
{ cat lenet.sluice; echo more; } >poked.sluice
try run poked.sluice
echo "# shard"
poke 600000
for loader in $("$SLUICE" list loaders -o csv | sed 1d | cut -d, -f1); do
    case $loader in sim | fault) continue ;; esac
    "$SLUICE" run lenet.sluice --loader "$loader" >/dev/null 2>&1 || continue
    try run poked.sluice --loader "$loader"
done | sort | uniq | sort -r
try run poked.sluice --policy bulk,linear,partial,deepeye,masa,window,auto
try run poked.sluice lenet.sluice --output outputs
[ ! -d outputs ] || ls outputs
