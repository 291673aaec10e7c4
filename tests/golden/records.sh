# Every field of a real record is named in docs/records.md.
"$SLUICE" synth lenet -o net.sluice >/dev/null
# The names of a record's own fields and of the objects in it; of arrays in it, none.
fields() {
    awk '{
        arrays = 0; text = 0; word = ""
        for (i = 1; i <= length($0); i++) {
            c = substr($0, i, 1)
            if (text) {
                if (c == "\\") { word = word c substr($0, ++i, 1) }
                else if (c != "\"") { word = word c }
                else {
                    text = 0
                    if (!arrays && substr($0, i + 1, 1) == ":") print word
                }
            }
            else if (c == "\"") { text = 1; word = "" }
            else if (c == "[") arrays++
            else if (c == "]") arrays--
        }
    }' "$1" | sort -u
}
told() {
    for field in $(fields "$1"); do
        grep -qF "\`$field\`" "$SLUICE_SOURCE/docs/records.md" || echo "docs/records.md lacks $field"
    done
    fields "$1" | grep -cx 'latency_ns\|context\|kernel'
}
"$SLUICE" run net.sluice -o json >run.jsonl
told run.jsonl
"$SLUICE" run net.sluice --profile --policy bulk,window -o json >profile.jsonl
told profile.jsonl
grep -c '"profile":{' profile.jsonl
"$SLUICE" inspect net.sluice --memory 40M -o json >inspect.jsonl
told inspect.jsonl
fields inspect.jsonl | grep -x 'fits\|folded'
"$SLUICE" sweep net.sluice --runs 2 --profile --results sweep.jsonl -q >/dev/null
told sweep.jsonl
fields sweep.jsonl | grep -x 'key\|run\|part\|parts\|profile'
