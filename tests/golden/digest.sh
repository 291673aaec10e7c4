# One digest for a network and an input: every policy, loader, shard size and thread count, and
# whether weights are stored as they are or lossless.
for pack in 16K:f32 256K:f32 1M:f32 16K:lossless 1M:lossless; do
    shard=${pack%:*} encoding=${pack#*:}
    "$SLUICE" synth lenet -o lenet.sluice --shard "$shard" --encode "$encoding" >/dev/null
    for policy in $("$SLUICE" list policies -o csv | sed 1d | cut -d, -f1); do
        for loader in $("$SLUICE" list loaders -o csv | sed 1d | cut -d, -f1); do
            case $loader in sim | fault) continue ;; esac
            for threads in 1 2; do
                "$SLUICE" run lenet.sluice --policy "$policy" --loader "$loader" \
                    --threads "$threads" -o json 2>stderr || {
                    grep -q 'io_uring' stderr && continue
                    cat stderr >&2
                    exit 1
                }
            done
        done
    done
done | grep -o '"digest":"[0-9a-f]*"' | sort | uniq -c | awk '{ print NR, "digest,", ($1 >= 40) }'
