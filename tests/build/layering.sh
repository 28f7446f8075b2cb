#!/usr/bin/env bash
# layering.sh COMPILER ROOMS -- every include that the layering forbids must fail in the compiler, and every room must
# see its own headers. ROOMS has a line per room: its name, its folder, the include roots of its sources.
#
# The layers are written down here once more, on purpose: a room whose list of rooms grows past its place fails.

set -euo pipefail

compiler=$1
rooms_file=$2
source=$KVS_SOURCE_DIR

declare -A LAYER=([base]=0 [io]=1 [format]=2 [wal]=3 [memtable]=3 [block]=3 [filter]=3 [cache]=3 [segment]=4
    [version]=5 [merge]=6 [repair]=6 [compaction]=7 [db]=8)

declare -A folder roots
while read -r room path includes; do
    folder[$room]=$path
    roots[$room]=$includes
done <"$rooms_file"

failures=0
refused=0

# compile ROOM HEADER: compiles a source of ROOM that includes HEADER; errors go to errors.txt.
compile() {
    local flags=() root
    for root in ${roots[$1]}; do
        flags+=(-I "$root")
    done
    echo "#include \"$2\"" >snippet.c
    LC_ALL=C "$compiler" -std=gnu17 -D_GNU_SOURCE -fsyntax-only "${flags[@]}" snippet.c 2>errors.txt
}

must_compile() {
    if ! compile "$1" "$2"; then
        echo "$1 cannot include its own $2:"
        cat errors.txt
        failures=$((failures + 1))
    fi
}

must_not_compile() {
    if compile "$1" "$2"; then
        echo "$1 may not include $2, and it compiles"
        failures=$((failures + 1))
    elif ! grep -qF -e "$2: No such file or directory" -e "'$2' file not found" errors.txt; then
        echo "$1 including $2 fails, but not for the include:"
        cat errors.txt
        failures=$((failures + 1))
    else
        refused=$((refused + 1))
    fi
}

# may_include ROOM OTHER: by the layers alone.
may_include() {
    local from=${folder[$1]} to=${folder[$2]}
    case $from in
    engine/*) [[ $to == engine/* && (! -v LAYER[$1] || (-v LAYER[$2] && ${LAYER[$2]} -lt ${LAYER[$1]})) ]] ;;
    server/protocol) [[ $2 == base ]] ;;
    server/*) [[ $2 == base || $to == server/* ]] ;;
    client/*) [[ $2 == base || $2 == protocol || $to == client/* ]] ;;
    esac
}

may_include_kvstore_h() {
    case ${folder[$1]} in
    engine/*) [[ $1 == db || ! -v LAYER[$1] ]] ;;
    server/protocol | client/*) false ;;
    esac
}

# An installed kvstore.h is found by every source there is.
kvstore_h_installed=no
if echo '#include <kvstore.h>' | "$compiler" -fsyntax-only -x c - 2>/dev/null; then
    kvstore_h_installed=yes
    echo "kvstore.h is installed on this machine: not checked who may include it"
fi

for room in "${!folder[@]}"; do
    for other in "${!folder[@]}"; do
        header=$(find "$source/${folder[$other]}" -maxdepth 1 -name '*.h' ! -name 'kvstore*.h' -printf '%f\n' | sort | head -n 1)
        if [[ -z $header ]]; then
            continue
        elif [[ $room == "$other" ]]; then
            must_compile "$room" "$room/$header"
        elif ! may_include "$room" "$other"; then
            must_not_compile "$room" "$other/$header"
        fi
    done
    if [[ $kvstore_h_installed == no ]] && ! may_include_kvstore_h "$room"; then
        must_not_compile "$room" kvstore.h
    fi
done

echo "${#folder[@]} rooms, $refused includes refused by the compiler, $failures failures"
[[ $failures == 0 && $refused -gt 0 ]]
