#!/bin/bash
# Runs gcc's analyser (-fanalyzer) over engine, server and client: analyze.sh BUILD_FOLDER. What it says and the list of exceptions has not is an error; so is
# an exception that it has no need of any more.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
tree=$1
exceptions=tests/build/fanalyzer.exceptions
log=$tree/analyzer.log
mkdir -p "$tree"

# Without ccache, which keeps objects and not what was said of them.
if ! CCACHE_DISABLE=1 cmake --preset debug -B "$tree" -DCMAKE_C_COMPILER=gcc -DCMAKE_C_COMPILER_LAUNCHER= \
    -DCMAKE_C_FLAGS=-fanalyzer -DKVSTORE_WERROR=OFF -DKVSTORE_TESTS=OFF -DKVSTORE_BENCH=OFF >"$log" 2>&1 ||
    ! cmake --build "$tree" --clean-first --target kvstore_server kvstore_client kvstore_tool >"$log" 2>&1; then
    cat "$log"
    exit 1
fi

# "FILE WARNING", with files as they stand in a room: as the sources and as the copies of headers are named.
found=$(sed -nE 's,^([^ ]+/)?([a-z_]+/[a-z_]+\.[ch]):[0-9]+:[0-9]+: warning: .*\[(-Wanalyzer[a-z-]+)\]$,\2 \3,p' "$log" | sort -u)
allowed=$(awk '!/^#/ && NF { print $1, $2 }' "$exceptions" | sort -u)
status=0
while read -r file warning; do
    if [[ -n $file ]]; then
        echo "gcc -fanalyzer: $file: $warning"
        grep -A 20 "$file:.*\[$warning\]" "$log" | head -60
        status=1
    fi
done < <(comm -23 <(echo "$found") <(echo "$allowed"))
while read -r file warning; do
    if [[ -n $file ]]; then
        echo "$exceptions: $file $warning is not said any more: remove it"
        status=1
    fi
done < <(comm -13 <(echo "$found") <(echo "$allowed"))
exit "$status"
