# --batch: as many records, each with the digest that it has alone; fewer bytes read per request.
"$SLUICE" synth lenet -o lenet.sluice
for i in 1 2 3 4 5; do
    head -c 3136 /dev/zero | tr '\0' "\\06$i" >"$i.f32"
done
inputs='--input 1.f32 --input 2.f32 --input 3.f32 --input 4.f32 --input 5.f32'
digests() {
    # shellcheck disable=SC2086
    "$SLUICE" run lenet.sluice $inputs --policy linear -o json "$@" | tee records |
        grep -o '"input":"[^"]*"\|"digest":"[0-9a-f]*"'
}
digests >alone
for batch in 2 4 5 9; do
    digests --batch "$batch" | cmp - alone && echo "batch $batch: the same"
    grep -o '"batch":[0-9]*' records | tr '\n' ' '
    echo
done
digests --batch 2 --runs 3 --warmup 1 | cmp - alone && echo "three runs each: the same"
"$SLUICE" run lenet.sluice --runs 4 --batch 3 --policy linear -o json |
    grep -o '"\(batch\|batch_read_bytes\|flops\|batch_flops\)":[0-9.]*'
"$SLUICE" run lenet.sluice --runs 4 --batch 4 --policy linear --top 1
"$SLUICE" run lenet.sluice --batch 0 2>&1 | head -n 1
