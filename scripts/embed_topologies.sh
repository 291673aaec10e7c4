#!/bin/sh
# Writes the C table of the topologies that ship with sluice (sl_topology_at, sl_topology_find):
#   embed_topologies.sh FILE.prototxt... > topologies.c
# A file's name is the topology's name; its first line, "# ...", is the description.
set -eu

# C string literals, one for each line of standard input.
quote_lines() {
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/'
}

cat <<'EOF'
/* Made by scripts/embed_topologies.sh from models/topologies. */
#include <stddef.h>
#include <string.h>

#include "models/import.h"

static const struct sl_topology topologies[] = {
EOF

for file in "$@"; do
    first=$(sed -n '1s/^# *//p' "$file")
    if [ -z "$first" ]; then
        echo "$file: the first line must be a description, '# ...'" >&2
        exit 1
    fi
    printf '    {"%s",\n' "$(basename "$file" .prototxt)"
    printf '%s\n' "$first" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&",/'
    quote_lines <"$file"
    echo '    },'
done

cat <<'EOF'
};

#define TOPOLOGIES ((int)(sizeof(topologies) / sizeof(topologies[0])))

const struct sl_topology *sl_topology_at(int index)
{
    return index >= 0 && index < TOPOLOGIES ? &topologies[index] : NULL;
}

const struct sl_topology *sl_topology_find(const char *name)
{
    for (int i = 0; i < TOPOLOGIES; i++)
        if (!strcmp(topologies[i].name, name))
            return &topologies[i];
    return NULL;
}
EOF
