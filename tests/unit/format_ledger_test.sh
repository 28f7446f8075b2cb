#!/usr/bin/env bash
# format_ledger_test.sh -- the durability ledger names every sync: its rows are the tags of io.h, and each tag is used.
#
# What would break for a user: a sync that nobody wrote down is one whose crash story nobody thought through.

set -euo pipefail
cd "${KVS_SOURCE_DIR:?}"

fail() {
    echo "format_ledger: $*" >&2
    exit 1
}

tags=$(sed -n 's/^ *\(SYNC_[A-Z_]*\) = \([0-9]*\),.*/SYNC-\2 \1/p' engine/io/io.h)
# shellcheck disable=SC2016 # the backquotes are those of the table
rows=$(sed -n 's/^| \(SYNC-[0-9]*\) | `\(SYNC_[A-Z_]*\)` |.*/\1 \2/p' engine/format/README.md)
[[ -n $tags ]] || fail "no tags found in engine/io/io.h"
diff <(echo "$tags") <(echo "$rows") || fail "tags of io.h (left) and rows of the ledger (right) differ"

while read -r number name; do
    if ! find engine -name '*.c' -not -path 'engine/io/*' -exec grep -lw "$name" {} + | grep -q .; then
        fail "$number $name is in the ledger, but no call carries it"
    fi
done <<<"$tags"
echo "$(echo "$tags" | wc -l) rows"
