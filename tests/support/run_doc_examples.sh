#!/bin/sh
# Runs the examples of the documentation: every command of a ```console block and every ```sh block
# of README.md, CONTRIBUTING.md and docs/*.md, every ```yaml block and the job of sluice-job(5), and
# the examples in the help of every command, which man pages repeat. Each runs in a folder of its own
# with small packs, networks, records and a picture under the names that examples use; `sluice` and
# `build/sluice` there are a script that shortens a few values (below: all of them) and keeps the exit
# codes. An example fails when sluice refuses it: 0 and 3 (a limit ended a cell) are right, and 4 of
# `compare --fail-above`.
# usage: run_doc_examples.sh free|limited   those that need no rights, or those that limit memory,
#                                           rates or processors
# SLUICE, SLUICE_SOURCE: the command and the source tree. Prints what failed, then the count.
set -u

kind=$1
top=$PWD
mkdir examples stand-ins bin bin/build
PATH=$top/bin:$PATH
# What `doctor --bench` finds out is not for other tests.
export XDG_CACHE_HOME="$top/cache"
mkdir cache

# Not run, and why:
excluded() {
    case $1 in
    *'make demo'* | *'make lint'*) ;;  # install packages, or are the CI itself
    *'make published'* | *'make paper'*) ;; # take minutes to hours; their pieces are sweeps
    *'cp docs/examples/policy_pair.c'*) ;;  # run by tests/golden/new_policy.sh
    *'make install'*) ;;  # run by tests/golden/install.sh
    *) return 1 ;;
    esac
}

limits() {
    case $1 in
    *--memory* | *--swap* | *--device* | *-rate* | *--cpus* | *--cores* | *tune* | *profile.yaml* | *job.yaml*) ;;
    *) return 1 ;;
    esac
}

cat >bin/sluice <<'SCRIPT'
#!/bin/sh
# Shortens what takes long, runs it, and keeps how it ended.
command=$1 last= count=$#
while [ "$count" -gt 0 ]; do
    word=$1
    shift
    case $last:$word in
    synth:facenet | synth:vgg16) word=mobilenet ;;
    *:topology:squeezenet) word=topology:lenet ;;
    --runs:*) [ "$command" != sweep ] || word=1 ;;
    --depth:*) word=1,4 ;;
    --policy:all) word=bulk,auto ;;
    --batch:4) word=2 ;;
    --memory:*25%*) word=${word%25%*}70%${word#*25%} ;;
    --swap:1G) word=256M ;;
    doctor:/data) word=. ;;
    --time-limit:2m) word=1s ;;
    esac
    set -- "$@" "$word"
    case $word in --bench) set -- "$@" --seconds 0.5 ;; esac
    last=$word
    count=$((count - 1))
done
case $* in tune*--time-limit* | tune*--help*) ;; tune*) set -- "$@" --time-limit 1s ;; esac
# Run times are measured of every shard size.
case $* in tune*--shard* | tune*--help*) ;; tune*) set -- "$@" --shard none ;; esac
"$SLUICE" "$@" 2>stderr
status=$?
echo "$status $*" >>"$LOG"
[ $status = 0 ] || sed 's/^/    /' stderr >>"$LOG.stderr"
exit $status
SCRIPT
# Programs that examples pipe into.
for program in jq dot; do
    command -v $program >/dev/null || printf '#!/bin/sh\ncat >/dev/null\n' >bin/$program
done
chmod +x bin/*

# One file for each example, with its place as the first line.
extract='
    function begin() { close(file); file = sprintf("examples/%03d", ++count); name = FILENAME
                       sub(/.*\/(docs\/)?/, "", name); print "# " name ":" FNR >file }
    BEGIN { count = start }
    FNR == 1 { block = "" }
    /^ *```/ { block = block ? "" : substr($1, 4)
               if (block == "sh" || block == "yaml") begin()
               if (block == "yaml") print "#yaml" >file
               next }
    block == "sh" || block == "yaml" { print >file }
    block == "console" && (/^\$ / || more) { if (!more) begin()
                          sub(/^\$ /, ""); print >file; more = /\\$/ }
    END { print count }'
count=$(awk -v start=0 "$extract" "$SLUICE_SOURCE"/README.md "$SLUICE_SOURCE"/CONTRIBUTING.md \
    "$SLUICE_SOURCE"/docs/*.md)
for command in '' $("$SLUICE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p'); do
    # shellcheck disable=SC2086 # no word for the overview
    "$SLUICE" $command --help | sed -n '/^\(Examples\|Try\):/,$s/^  \(sluice .*\)/\1/p' >help
    while read -r line; do
        count=$((count + 1))
        printf '# help %s\n%s\n' "$command" "$line" >"examples/$(printf %03d "$count")"
    done <help
done
{
    printf '# sluice-job.5\n#yaml\n'
    sed -n '/^\.nf/,/^\.fi/{/^\./!s/\\-/-/g;/^\./!p}' "$SLUICE_SOURCE/docs/man/sluice-job.5"
} >"examples/$(printf %03d $((count + 1)))"

# What examples take for granted.
(
    cd stand-ins || exit 1
    make_pack() { "$SLUICE" synth "$@" -q >/dev/null || echo "no stand-in: $*"; }
    for name in facenet vgg16 net; do make_pack mobilenet -o $name.sluice; done
    # What plan and tune would measure again in every example.
    "$SLUICE" plan net.sluice -q >/dev/null
    [ "$kind" = free ] || "$SLUICE" plan net.sluice --device pi4-sd -q >/dev/null
    for name in facenet vgg16; do cp net.sluice.times $name.sluice.times; done
    make_pack agenet -o age.sluice
    make_pack gendernet -o gender.sluice
    make_pack lenet -o a.sluice
    make_pack lenet --seed 2 -o b.sluice
    topologies=$SLUICE_SOURCE/models/topologies
    make_pack squeezenet -o squeezenet.sluice --caffemodel squeezenet.caffemodel
    make_pack lenet -o lenet.sluice --caffemodel lenet.caffemodel
    cp squeezenet.caffemodel net.caffemodel
    cp "$topologies/squeezenet.prototxt" deploy.prototxt
    cp "$topologies/lenet.prototxt" lenet.prototxt
    cp "$topologies/lenet.prototxt" my.prototxt
    # What a file holds counts, not its name.
    cp "$SLUICE_SOURCE/docs/images/time-against-limit.png" eagle.jpg
    cp eagle.jpg cat.jpg
    seq 1000 >synset.txt
    for name in results monday tuesday before after cells; do
        "$SLUICE" run lenet.sluice --policy bulk,linear -q -o json >$name.jsonl
    done
    printf 'networks: lenet.sluice\n' >job.yaml
)

ran=0 failed=0
fail() {
    failed=$((failed + 1))
    echo "$(head -n 1 "$example" | cut -c3-): $1"
    sed -n '2,5s/^/  /p' "$example"
    [ ! -f "$LOG.stderr" ] || head -n 4 "$LOG.stderr"
}

LOG=$top/log
export LOG
for example in "$top"/examples/*; do
    yaml=
    ! grep -q '^#yaml' "$example" || yaml=yes
    text=$(grep -v '^ *#' "$example")
    if [ $yaml ]; then
        case $text in *networks:*) text='sluice sweep job.yaml' ;; *) text='sluice run a.sluice --device ./profile.yaml' ;; esac
    fi
    excluded "$text" && continue
    if limits "$text"; then [ "$kind" = limited ]; else [ "$kind" = free ]; fi || continue
    ran=$((ran + 1))
    mkdir here
    cd here || exit 1
    rm -f "$LOG" "$LOG.stderr"
    ln "$top"/stand-ins/* .
    ln -s ../bin build
    # A sweep does not add to results that it finds.
    case $text in *sweep*--resume* | *sweep*job.yaml*) ;; *sweep* | *'>>'*) rm results.jsonl ;; esac
    if [ $yaml ]; then
        file=profile.yaml
        case $text in *sweep*) file=job.yaml ;; esac
        rm -f $file results.jsonl
        sed '1,2d; s/topology: [a-z0-9]*/topology: mobilenet/; s/^runs: .*/runs: 1/
             s/^policy: all/policy: bulk,auto/; s/read-rate: 45M/read-rate: 300M/' "$example" >$file
    fi
    unset SLUICE_RUNS
    case $text in *sweep*--runs* | *sweep*--precision*) ;; *sweep*) SLUICE_RUNS=1; export SLUICE_RUNS ;; esac
    printf '%s\n' "$text" | sed 's/for i in 1 2 3 4 5/for i in 1/' >script
    sh ./script >output 2>&1 </dev/null
    status=$?
    case $status in 0 | 3 | 4) ;; *) fail "the shell ended with $status: $(tail -n 1 output)" ;; esac
    if [ ! -f "$LOG" ]; then
        fail "it ran no sluice"
    elif grep -v -e '^[03] ' -e '^4 compare .*--fail-above' "$LOG" >bad; then
        fail "exit code $(head -n 1 bad)"
    fi
    cd "$top" || exit 1
    rm -rf here
done
echo "$ran examples ran, $failed failed"
