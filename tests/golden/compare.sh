# Matched cells of two results files: regressions first, exit 4, and what is wrong with a file.
record() { # POLICY LIMIT LATENCIES [MORE]
    echo "{\"schema\":1,\"status\":\"ok\",\"network\":\"Net\",\"policy\":\"$1\",\"memory_limit\":$2,\"latency_ns\":[$3],\"context\":{\"commit\":\"${commit:-a}\",\"cpu\":\"x\"}}"
}
died() {
    echo "{\"schema\":1,\"status\":\"oom\",\"network\":\"Net\",\"policy\":\"$1\",\"memory_limit\":$2,\"context\":{}}"
}
one=1000000,1010000,1020000,1030000,1040000
{
    record bulk null $one
    record linear null $one
    record auto null $one
    record partial 67108864 $one
    record window null $one
} >before.jsonl
{
    commit=b
    record auto null 500000,505000,510000,515000,520000
    record linear null 2000000,2010000,2020000,2030000,2040000
    record bulk null $one
    died partial 67108864
    record masa null $one
} >after.jsonl
compare() {
    "$SLUICE" compare "$@" 2>&1
    echo "-> $?"
}
compare before.jsonl after.jsonl
compare before.jsonl after.jsonl --fail-above 5% -q -o csv
compare before.jsonl after.jsonl --fail-above 150% -q -o md
compare before.jsonl before.jsonl --fail-above 0% -q
compare before.jsonl after.jsonl -q -o json
{ head -n 2 before.jsonl; echo '{"schema":99}'; echo '[1]'; tail -n 1 before.jsonl | cut -c1-40 | tr -d '\n'; } >torn.jsonl
compare torn.jsonl before.jsonl -q
: >empty.jsonl
mkdir folder
compare empty.jsonl before.jsonl
compare missing.jsonl before.jsonl
compare folder before.jsonl
compare before.jsonl after.jsonl --metric latenzy
compare before.jsonl after.jsonl --fail-above lots
record other null $one >other.jsonl
compare before.jsonl other.jsonl -q | tail -n 2
record bulk null 1,2 >few.jsonl
compare few.jsonl few.jsonl
compare few.jsonl few.jsonl -q | grep hint || echo "quiet: no hint"
