"$SLUICE" --help
"$SLUICE" --version
for command in import pack synth repack inspect run sweep tune report compare plan list doctor; do
    "$SLUICE" help "$command" >help.txt || exit 1
    "$SLUICE" "$command" --help | cmp - help.txt || exit 1
    head -n 1 help.txt
done
