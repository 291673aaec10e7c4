# Flag, then environment, then default.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
policy() { grep -o '"policy":"[a-z]*"'; }
"$SLUICE" run lenet.sluice -o json | policy
SLUICE_POLICY=linear "$SLUICE" run lenet.sluice -o json | policy
SLUICE_POLICY=linear SLUICE_FORMAT=json "$SLUICE" run lenet.sluice --policy bulk | policy
SLUICE_POLICY=nonsense "$SLUICE" run lenet.sluice --policy bulk -o json | policy
