# Damaged and hostile files: one line with the cure, exit 1, nothing left behind. A
# blob that there is none of is a mistake in the command line, exit 2.
try() {
    timeout 60 "$SLUICE" "$@" >out 2>err
    echo "-> $? $(wc -l <err)"
    cat out err
}
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
try run missing.sluice
head -c 3000 lenet.sluice >short.sluice
try run short.sluice
head -c 300000 lenet.sluice >cut.sluice
try run cut.sluice
{ head -c 600000 lenet.sluice; printf x; tail -c +600002 lenet.sluice; } >flipped.sluice
try run flipped.sluice
head -c 5000 /dev/zero >zero.sluice
try run zero.sluice
try run lenet.sluice --input lenet.sluice
printf '\377\330\377\340\000\020JFIF' >cut.jpg
try run lenet.sluice --input cut.jpg
printf '\211PNG\r\n\032\n\000\000\000\015IHDR' >cut.png
try run lenet.sluice --input cut.png
printf '\223NUMPY\001\000\377\377{"descr"' >cut.npy
try run lenet.sluice --input cut.npy
echo text >not.jpg
try run lenet.sluice --input not.jpg
try run lenet.sluice --input dtaa=cut.jpg
try run lenet.sluice --input data=cut.jpg --input data=cut.png
try run lenet.sluice --input .
mkfifo pipe
try run lenet.sluice --input pipe
try run pipe
try import pipe lenet.sluice -o x.sluice
try import pipe -o x.sluice
try run lenet.sluice --labels missing.txt
echo 'layer { name: "a" typ: "Input" }' >bad.prototxt
try synth --prototxt bad.prototxt -o bad.sluice
try synth lenet -o missing/dir.sluice
try import lenet.sluice lenet.sluice -o x.sluice
ls
