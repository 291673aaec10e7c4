# Flag, then environment, then default.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
policy() { grep -o '"policy":"[a-z]*"'; }
"$SLUICE" run lenet.sluice -o json | policy
SLUICE_POLICY=linear "$SLUICE" run lenet.sluice -o json | policy
SLUICE_POLICY=linear SLUICE_FORMAT=json "$SLUICE" run lenet.sluice --policy bulk | policy
SLUICE_POLICY=nonsense "$SLUICE" run lenet.sluice --policy bulk -o json | policy
# A flag that is switched off is not on.
for value in 1 true 0 false '' maybe; do
    SLUICE_COLD=$value SLUICE_FORMAT=json "$SLUICE" run lenet.sluice 2>&1 |
        grep -o '"cold":[a-z]*\|^sluice: .*'
done
