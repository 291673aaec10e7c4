#!/bin/sh
# Writes files that ship inside the program as a C table, with <NAME>_at and <NAME>_find:
#   embed_texts.sh NAME HEADER FILE... > texts.c
# HEADER declares struct NAME {name, description, text} and both functions. A file's name without
# its extension is the name; its line "description: ..." or else its first line, "# ...", is the
# description.
set -eu

name=$1
header=$2
shift 2

# C string literals, one for each line of standard input.
quote_lines() {
    sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/^/    "/' -e 's/$/\\n"/'
}

cat <<EOT
/* Made by scripts/embed_texts.sh. */
#include <stddef.h>
#include <string.h>

#include "$header"

static const struct $name texts[] = {
EOT

for file in "$@"; do
    description=$(sed -n 's/^description: *//p' "$file")
    [ -n "$description" ] || description=$(sed -n '1s/^# *//p' "$file")
    if [ -z "$description" ]; then
        echo "$file: no description: a line 'description: ...', or a first line '# ...'" >&2
        exit 1
    fi
    base=$(basename "$file")
    printf '    {"%s",\n' "${base%.*}"
    printf '%s\n' "$description" | sed -e 's/\\/\\\\/g' -e 's/"/\\"/g' -e 's/.*/    "&",/'
    quote_lines <"$file"
    echo '    },'
done

cat <<EOT
};

#define TEXTS ((int)(sizeof(texts) / sizeof(texts[0])))

const struct $name *${name}_at(int index)
{
    return index >= 0 && index < TEXTS ? &texts[index] : NULL;
}

const struct $name *${name}_find(const char *name)
{
    for (int i = 0; i < TEXTS; i++)
        if (!strcmp(texts[i].name, name))
            return &texts[i];
    return NULL;
}
EOT
