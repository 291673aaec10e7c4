# Reports of results: tables need nothing; figures need gnuplot.
at() { # POLICY LIMIT LATENCY
    echo "{\"schema\":1,\"status\":\"ok\",\"network\":\"<b>&'Net\\\"\",\"policy\":\"$1\",\"memory_limit\":$2,\"latency_ns\":[$3],\"latency_p50_ns\":$3,\"peak_bytes\":1048576,\"swap_in_bytes\":0,\"swap_out_bytes\":3145728,\"makespan_ns\":$3,\"bound_ns\":500000,\"layers\":[{\"name\":\"a'\`b\$\",\"start_ns\":5,\"end_ns\":11,\"load_start_ns\":0,\"load_ns\":5,\"run_ns\":6,\"stall_ns\":7}],\"memory_samples\":{\"time_ns\":[0,1000,2000],\"memory_bytes\":[0,4096,8192]},\"context\":{\"cpu\":\"<x>\"}}"
}
{
    at bulk null 1000000
    at bulk null 3000000
    at linear null 2000000
    at linear 67108864 2500000
    echo '{"schema":1,"status":"oom","network":"<b>&'"'"'Net\"","policy":"bulk","memory_limit":67108864}'
    echo '{"schema":1,"status"'
} >results.jsonl
report() {
    "$SLUICE" report "$@" 2>&1
    echo "-> $?"
}
report results.jsonl -f md
report results.jsonl -f latex
report results.jsonl -f csv | cut -c1-60
report results.jsonl -o table.md -q && head -n 1 table.md
report results.jsonl -o report.html -q
grep -c '<svg role="img"' report.html
grep -c '<b>&' report.html
grep -c '<script' report.html
grep -oE '(href|src)="[a-z]*:' report.html | sort -u
report results.jsonl -f svg -o figures -q
ls figures
report results.jsonl -f png -o figures -q
head -c 4 figures/001-*.png | tail -c 3
echo
mkdir empty
PATH=$PWD/empty "$SLUICE" report results.jsonl -o none.html -q 2>&1
echo "-> $?"
PATH=$PWD/empty "$SLUICE" report results.jsonl -f md -q 2>/dev/null | head -n 1
report results.jsonl -f html
report results.jsonl -f pdf
report results.jsonl -o missing/report.html
report results.jsonl -o figures/
report empty -o x.html
: >nothing.jsonl
report nothing.jsonl -o x.html
ln -s results.jsonl link.jsonl
report results.jsonl -f csv -o link.jsonl
echo "$(grep -c schema results.jsonl) lines of results are left"
ls x.html none.html 2>/dev/null || echo "nothing left"
