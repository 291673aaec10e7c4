# The example of README.md and a C++ program against an installed tree, through pkg-config.
nm "$SLUICE" | grep -q __asan && { echo 'sanitizer build'; exit 77; }
make -s -C "$SLUICE_SOURCE" BUILD="$BUILD" install DESTDIR="$PWD/tree" PREFIX=/usr >/dev/null || exit 1
cat >program.cc <<'C'
#include <sluice.h>
#include <sluice/error.h>
#include <cstdio>
int main()
{
    sl_error error = {};
    sl_model *model = nullptr;
    std::printf("%s %d\n", sl_version(), sl_model_open("missing.sluice", &model, &error) < 0 && error.code < 0);
    return 0;
}
C
export PKG_CONFIG_PATH="$PWD/tree/usr/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$PWD/tree"
flags="$(pkg-config --cflags sluice) -L$PWD/tree/usr/lib -lsluice"
# shellcheck disable=SC2086
gcc -std=c11 -Wall -Wextra -Werror -pedantic "$SLUICE_SOURCE/docs/examples/classify.c" $flags -o c_program || exit 1
# shellcheck disable=SC2086
g++ -std=c++17 -Wall -Wextra -Werror program.cc $flags -o cc_program || exit 1
# shellcheck disable=SC2046
gcc "$SLUICE_SOURCE/docs/examples/classify.c" $(pkg-config --cflags sluice) "$PWD/tree/usr/lib/libsluice.a" \
    $(pkg-config --libs-only-l --static sluice | sed 's/-lsluice//') -o static_program || exit 1
"$SLUICE" synth lenet -o lenet.sluice >/dev/null
LD_LIBRARY_PATH=$PWD/tree/usr/lib ./c_program lenet.sluice
LD_LIBRARY_PATH=$PWD/tree/usr/lib ./cc_program
./static_program lenet.sluice
pkg-config --modversion sluice
nm -D --defined-only tree/usr/lib/libsluice.so | awk '$3 !~ /^sl_/ && $2 == "T"'
make -s -C "$SLUICE_SOURCE" BUILD="$BUILD" uninstall DESTDIR="$PWD/tree" PREFIX=/usr >/dev/null || exit 1
find tree -type f -o -type l
