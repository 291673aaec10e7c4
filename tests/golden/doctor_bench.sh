# What storage and processor give, and results beside it. Nothing is left of a bench, however it ends.
export XDG_CACHE_HOME="$PWD/cache"
mkdir data
"$SLUICE" doctor data | grep -q "^ok *storage .* takes O_DIRECT" ||
    { echo "no O_DIRECT here"; exit 77; }
"$SLUICE" doctor data --bench --seconds 0.5 | sed -n '/^[a-z]* *reads /,$p'
"$SLUICE" doctor data --bench --seconds 0.5 -o json >lines || exit 1
sed -n 's/.*"measured":"\([a-z]*\)".*/\1/p' lines | sort | uniq -c
usual=$("$SLUICE" doctor data -o json | grep -c '"check":')
echo "$(($(grep -c '"check":' lines) - usual)) checks beside the usual ones"
grep '"depth":32' lines | head -n 1
grep '"measured":"compute"' lines
ls -A data
"$SLUICE" doctor data --bench --seconds 60 >/dev/null 2>&1 &
sleep 0.5
kill -KILL $!
wait $! 2>/dev/null
ls -A data
echo "nothing left"
"$SLUICE" synth facenet -o facenet.sluice >/dev/null
"$SLUICE" run facenet.sluice --top 0 | grep ceiling
"$SLUICE" run facenet.sluice --top 0 --no-verify -o json |
    grep -o '"[a-z]*_ceiling_share":[0-9]' | cut -d : -f 1
export XDG_CACHE_HOME="$PWD/empty"
"$SLUICE" run facenet.sluice --top 0 | grep -c ceiling
"$SLUICE" run facenet.sluice --top 0 -o json | grep -o '"[a-z]*_ceiling_share":null'
"$SLUICE" doctor --bench --seconds 0 2>&1
"$SLUICE" doctor /proc --bench 2>&1 | tail -n 1
exit 0
