# Programs get numbers without units, and nothing where nothing is predicted; people get a dash.
"$SLUICE" synth gendernet -o net.sluice >/dev/null
plan() { "$SLUICE" plan net.sluice --estimate --memory 5M --policy auto,linear "$@" 2>/dev/null; }
plan
plan -o csv
plan -o json | grep -o '"memory_limit":[^,}]*\|"[a-z_]*latency_ns":[0-9a-z]*\|"[a-z_]*reads_bind":[0-9a-z]*'
