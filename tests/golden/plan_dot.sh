# The task graph of a plan; graphviz, where there is one, takes it.
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
"$SLUICE" plan lenet.sluice --policy linear --estimate --dot graph.dot 2>/dev/null || exit 1
sed -n '1p; $p; s/ [0-9.]* [um]s.*//; /label="policy/p' graph.dot
grep -c 'label="load' graph.dot
grep -c 'label="run' graph.dot
grep -c 'label="drop' graph.dot
grep -c 'style=dashed\];' graph.dot
! command -v dot >/dev/null || dot -Tsvg graph.dot -o graph.svg || echo "dot refuses it"
"$SLUICE" synth vgg16 -o large.sluice >/dev/null
"$SLUICE" plan large.sluice --policy auto --memory 100M --estimate --dot - 2>/dev/null | grep 'label="policy'
"$SLUICE" plan lenet.sluice --policy all --dot - 2>&1
"$SLUICE" plan large.sluice --policy auto --memory 4M --estimate --dot - 2>&1 | tail -n 1
"$SLUICE" plan lenet.sluice --policy window --dot - 2>&1 >/dev/full | grep -v note
"$SLUICE" plan lenet.sluice --policy window --dot /dev/full 2>&1 | grep -v note
