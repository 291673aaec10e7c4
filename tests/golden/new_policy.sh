# One new policy is one file and one line: the commands of CONTRIBUTING.md, on a copy of policies/,
# make the example a policy of the command, which computes what linear computes.
cp -r "$SLUICE_SOURCE/policies" "$SLUICE_SOURCE/docs" .
sed -n '/^To try it:/,/^make all/p' "$SLUICE_SOURCE/CONTRIBUTING.md" |
    grep -e '^cp ' -e '^sed ' >commands
wc -l <commands
sh -e commands || exit 1
diff -rq "$SLUICE_SOURCE/policies" policies
diff "$SLUICE_SOURCE/policies/policy_table.c" policies/policy_table.c | grep -c '^>'

flags=-fPIC
nm "$SLUICE" | grep -q __asan && flags='-fsanitize=address,undefined'
# shellcheck disable=SC2086
${CC:-cc} $flags -std=c11 -D_GNU_SOURCE -Wall -Wextra -Werror -I. -I"$SLUICE_SOURCE" -pthread \
    policies/pair.c policies/policy_table.c "$BUILD"/obj/runtime/cli/*.o \
    "$BUILD"/obj/runtime/report/*.o "$BUILD/obj/gen/scripts/devices.o" "$BUILD/libsluice.a" -lprotobuf-c -luring -lcgroup -ljansson \
    -lyaml -lm -ldl -o sluice || exit 1

./sluice list policies | grep pair
./sluice synth lenet -o lenet.sluice >/dev/null || exit 1
for policy in linear pair; do
    ./sluice run lenet.sluice --policy $policy --top 0 -q -o json |
        grep -o '"digest":"[^"]*"' >$policy || exit 1
done
cmp linear pair && echo "same digest"
