#!/usr/bin/env bash
# map_test.sh -- engine/README.md names every file of the engine, room by room, and no other; and paths elsewhere in it are those of files.
#
# What would break for a user: who reads the engine by its map looks for what is gone, and does not find what is new.

set -euo pipefail
cd "${KVS_SOURCE_DIR:?}/engine"

named() {
    sed -n '/^## Files$/,/^## /p' README.md | awk '
        /^## / { room = "" }
        /^- \*\*/ { room = $2; gsub(/[*:]/, "", room) }
        room != "" { rest = $0; while (match(rest, /`[a-z_0-9]+`/)) {
            print room "/" substr(rest, RSTART + 1, RLENGTH - 2); rest = substr(rest, RSTART + RLENGTH) } }' | sort
}

there() {
    find . -mindepth 2 -maxdepth 2 -name '*.[ch]' | sed 's|^[.]/||; s|[.][ch]$||' | sort -u
}

diff <(named) <(there) || {
    echo "map_test: files that engine/README.md names (left) and that there are (right) differ" >&2
    exit 1
}
# shellcheck disable=SC2016 # the backquotes are those of the page
paths=$(grep -o '`[a-z_]*/[a-z_]*[.][ch]`' README.md | tr -d '`')
while read -r path; do
    [[ -e $path ]] || {
        echo "map_test: engine/README.md names $path, which is not there" >&2
        exit 1
    }
done <<<"$paths"
echo "$(there | wc -l) files"
