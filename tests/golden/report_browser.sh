# The report opens in a browser without a complaint, and draws something.
browser=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || {
    echo "chromium is not installed; scripts/deps.sh report"
    exit 77
}
"$SLUICE" synth lenet -o lenet.sluice -q >/dev/null
for _ in 1 2 3; do
    "$SLUICE" run lenet.sluice --policy bulk,linear,auto -q -o json >>results.jsonl
done
"$SLUICE" report results.jsonl -o report.html
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" \
    --window-size=400,800 --enable-logging=stderr --screenshot="$PWD/page.png" \
    "file://$PWD/report.html" 2>log || { echo "the browser does not start: $(tail -n 1 log)"; exit 77; }
grep CONSOLE log || echo "no complaint"
[ "$(wc -c <page.png)" -gt 10000 ] && echo "drawn"
# The browser's own reading of the page.
timeout 120 "$browser" --headless --no-sandbox --disable-gpu --user-data-dir="$PWD/profile" \
    --dump-dom "file://$PWD/report.html" 2>/dev/null | grep -q '<figure>' && echo figures
