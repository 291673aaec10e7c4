# Encoded packs: smaller, what changes is printed, inspected, run; nothing else is left behind.
for encoding in f16 bf16 i8 lossless; do
    "$SLUICE" synth lenet -o $encoding.sluice --encode $encoding
done
ls -A | sort
"$SLUICE" inspect i8.sluice
"$SLUICE" inspect lossless.sluice
"$SLUICE" run f16.sluice --top 1
"$SLUICE" synth lenet -o f32.sluice
for pack in f32 lossless; do
    "$SLUICE" run $pack.sluice | grep digest
done
"$SLUICE" synth lenet -o x.sluice --encode f17 2>&1
"$SLUICE" synth lenet -o x.sluice --input cat.jpg 2>&1
"$SLUICE" synth lenet -o x.sluice --encode f16 --input none.npy 2>&1 | tail -n 1
echo '# what stands before = is a blob, even where a file has the whole name'
head -c 3136 /dev/zero >in.f32
: >data=in.f32
"$SLUICE" synth lenet -o x.sluice --encode f16 --input data=in.f32 2>&1 | grep -o 'f16 against f32 on [^:]*'
: >other=in.f32
"$SLUICE" synth lenet -o x.sluice --encode f16 --input other=in.f32 2>&1 | tail -n 1
"$SLUICE" synth lenet -o x.sluice --encode f16 --input dta=in.f32 2>&1 | tail -n 1
echo '# the float32 weights that an encoding is compared with have no name at any time'
"$SLUICE" synth squeezenet -o big.sluice --encode f16 >out 2>&1 &
pid=$!
while kill -0 $pid 2>/dev/null; do
    for file in big.sluice?*; do [ ! -e "$file" ] || echo "$file"; done
done
wait $pid
echo "-> $?"
