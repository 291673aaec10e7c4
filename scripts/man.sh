#!/bin/sh
# Writes the man pages from the command tables.
# usage: man.sh SLUICE DIRECTORY
set -eu

sluice=$1
directory=$2
mkdir -p "$directory"
"$sluice" man >"$directory/sluice.1"
for command in $("$sluice" --help | awk '/^Commands:/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'); do
    "$sluice" man "$command" >"$directory/sluice-$command.1"
done
"$sluice" man job >"$directory/sluice-job.5"
