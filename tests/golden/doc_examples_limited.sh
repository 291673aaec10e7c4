# The examples of the documentation that limit memory, rates or processors.
[ "$(id -u)" = 0 ] || { echo 'swap files need root'; exit 77; }
nm "$SLUICE" | grep -q __asan && { echo 'sanitizer build'; exit 77; }
"$SLUICE" doctor | grep -q 'cgroup .*memory yes, swap yes, read rate yes, cpu yes' ||
    { echo 'no right to limit memory, swap, read rate or cpu'; exit 77; }
sh "$SLUICE_SOURCE/tests/support/run_doc_examples.sh" limited
