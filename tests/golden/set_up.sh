# scripts/deps.sh on machines that lack packages: stand-ins for dpkg-query, apt-get, id and sudo.
mkdir bin
stand_in() {
    printf '#!/bin/sh\n%s\n' "$2" >"bin/$1"
    chmod +x "bin/$1"
}
# shellcheck disable=SC2016
stand_in dpkg-query 'case "$*" in *gcc) exit 1 ;; *libcgroup-dev) printf config-files ;; *) printf installed ;; esac'
# shellcheck disable=SC2016
stand_in apt-get 'echo "apt-get $*"; [ -f listed ] || { [ "$1" = update ] && touch listed && exit 0; exit 100; }'
# shellcheck disable=SC2016
stand_in sudo 'echo "sudo $*"; exec "$@"'
# shellcheck disable=SC2016
stand_in id 'echo "${ID:-0}"'
deps() { PATH="$PWD/bin:$PATH" sh "$SLUICE_SOURCE/scripts/deps.sh" 2>&1; }
SLUICE_NO_INSTALL=1 deps
echo "-> $?"
deps
echo "-> $?"
ID=1000 deps
echo "-> $?"
stand_in dpkg-query 'printf installed'
deps
echo "-> $?"
