#!/usr/bin/env bash
# run.sh [NAME...] -- plants each bug of this folder in a copy of the tree and sees that it is caught; NAME: a part of
# a patch's name. run.sh --check: only whether each patch still applies. run.sh --list: what there is.
#
# A patch says in its first lines what is wrong (What), which rule that breaks (Breaks), and what finds it (Caught-by):
#     sim [OPTION...]    kvstore_sim, within PLANTED_SECONDS
#     test NAME          that test of tests/unit
#     server SCRIPT ...  that script of tests/server, on the real server
# The copy and its build are build/planted; PLANTED_SECONDS (60) bounds each search, PLANTED_SEED (1) is the first seed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/build/planted
seconds=${PLANTED_SECONDS:-60}
seed=${PLANTED_SEED:-1}

die() {
    echo "planted: $*" >&2
    exit 1
}

# Apply a patch in the working folder: forward, reverse or check.
apply() {
    local how=$1 file=$2 options=()
    case $how in
    reverse) options=(-R) ;;
    check) options=(--dry-run) ;;
    esac
    if command -v patch >/dev/null; then
        patch -p1 --fuzz=0 --silent --batch --no-backup-if-mismatch "${options[@]}" <"$file"
    elif command -v git >/dev/null; then
        git apply "${options[@]/--dry-run/--check}" "$file"
    else
        echo "planted: neither patch nor git: skipped" >&2
        exit 77
    fi
}

field() {
    sed -n "s/^$1: //p" "$2" | head -n 1
}

name_of() {
    basename "$1" .patch
}

# The patches whose names have one of the arguments in them, or all.
select_patches() {
    local file part
    for file in "$here"/*.patch; do
        if [[ $# == 0 ]]; then
            echo "$file"
        fi
        for part in "$@"; do
            if [[ $(name_of "$file") == *"$part"* ]]; then
                echo "$file"
                break
            fi
        done
    done
}

check_patches() {
    local file status=0
    cd "$root"
    for file in "$@"; do
        if [[ -z $(field What "$file") || -z $(field Breaks "$file") || -z $(field Caught-by "$file") ]]; then
            echo "$(name_of "$file"): lacks What, Breaks or Caught-by"
            status=1
        fi
        apply check "$file" || {
            echo "$(name_of "$file") does not apply any more"
            status=1
        }
    done
    return "$status"
}

# A copy of the tree whose unchanged files keep their times, so that little is compiled again.
copy_tree() {
    mkdir -p "$work/tree"
    rm -rf "$work/fresh"
    mkdir "$work/fresh"
    tar -C "$root" --exclude=./build --exclude=./data --exclude=./.git --exclude=./shared -cf - . | tar -C "$work/fresh" -xf -
    rm -rf "$work/tree"
    mv "$work/fresh" "$work/tree"
    cmake -S "$work/tree" --preset release -B "$work/build" -DKVSTORE_LTO=OFF -DKVSTORE_WERROR=OFF -DKVSTORE_BENCH=OFF \
        >"$work/configure.log" 2>&1 || {
        cat "$work/configure.log" >&2
        die "could not configure $work/build"
    }
}

build() {
    cmake --build "$work/build" --target "$@" >"$work/build.log" 2>&1 || {
        tail -n 40 "$work/build.log" >&2
        die "could not build $*"
    }
}

# Run what should fail; what it says goes to a file. Returns whether it failed by finding something.
is_caught() {
    local log=$1 how=$2 status=0 wrong_call=0
    shift 2
    if [[ $how == sim ]]; then
        "$work/build/bin/kvstore_sim" --seed "$seed" --rounds 1000000 --seconds "$seconds" --no-shrink "$@" >"$log" 2>&1 || status=$?
        wrong_call=2
    elif [[ $how == server ]]; then
        KVS_BIN_DIR=$work/build/bin KVS_TEST_DIR=$work timeout "$seconds" python3 "$root/tests/server/$1" --seed "$seed" "${@:2}" >"$log" 2>&1 || status=$?
        grep -q AssertionError "$log" || status=$wrong_call
    else
        timeout "$seconds" "$work/build/tests/$1" >"$log" 2>&1 || status=$?
    fi
    [[ $status != 0 && $status != "$wrong_call" && $status != 124 ]]
}

now_ms() {
    date +%s%3N
}

# Print one line of the table.
run_patch() {
    local file=$1 name log how begun found="" status=0
    name=$(name_of "$file")
    log=$work/$name.log
    read -ra how <<<"$(field Caught-by "$file")"
    (cd "$work/tree" && apply forward "$file")
    if [[ ${how[0]} == sim ]]; then
        build kvstore_sim
    elif [[ ${how[0]} == server ]]; then
        build kvstore_server kvstore_tool
    else
        build "test_${how[1]}"
    fi
    begun=$(now_ms)
    { is_caught "$log" "${how[@]}" || status=1; } 2>/dev/null # bash tells of deaths by signal
    local elapsed_ms=$(($(now_ms) - begun))
    (cd "$work/tree" && apply reverse "$file")
    found=$(sed -n 's/^kvstore_sim: seed \([0-9]*\),.*/\1/p' "$log" | tail -n 1)
    printf '%-34s %-36s %8s %4d.%d s  %s\n' "$name" "${how[*]}" "${found:--}" $((elapsed_ms / 1000)) \
        $((elapsed_ms % 1000 / 100)) "$([[ $status == 0 ]] && echo caught || echo "NOT CAUGHT, see $log")"
    return "$status"
}

main() {
    local mode=run files status=0 file
    case ${1:-} in
    --check | --list)
        mode=${1#--}
        shift
        ;;
    esac
    mapfile -t files < <(select_patches "$@")
    if [[ ${#files[@]} == 0 ]]; then
        die "no patch has such a name"
    fi
    case $mode in
    check)
        check_patches "${files[@]}"
        return
        ;;
    list)
        for file in "${files[@]}"; do
            printf '%-34s %s\n' "$(name_of "$file")" "$(field What "$file")"
        done
        return
        ;;
    esac
    copy_tree
    for file in "${files[@]}"; do
        run_patch "$file" || status=1
    done
    return "$status"
}

main "$@"
