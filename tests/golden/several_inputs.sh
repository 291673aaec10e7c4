# exit: 3
# One input after another; one that fails is the last, and what was finished before it is kept.
head -c 3136 /dev/zero >zeros.f32
echo no >short.f32
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
fields() { grep -o '"\(status\|input\|error\)": *"[^"]*"' | cut -d: -f2- | cut -c1-40; }
for limit in none 40M; do
    "$SLUICE" run lenet.sluice -i zeros.f32 -i short.f32 -i zeros.f32 -m $limit -o json 2>stderr | fields
    cat stderr
done
echo '# nothing was finished'
"$SLUICE" run lenet.sluice -i short.f32 -i zeros.f32 2>&1
echo "exit code $?"
"$SLUICE" run lenet.sluice -i zeros.f32 -i short.f32 2>/dev/null | grep -v "^ "
"$SLUICE" run lenet.sluice -i zeros.f32 -i short.f32 >/dev/null 2>&1
