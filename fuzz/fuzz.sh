#!/usr/bin/env bash
# fuzz.sh -- runs the fuzz targets of a build; ./dev fuzz and ./dev corpus build them and call this, from the repository.
#
#   fuzz.sh run NAME SECONDS     libFuzzer, on build/fuzz
#   fuzz.sh all SECONDS          every target in turn, each its share of the time
#   fuzz.sh afl NAME SECONDS     AFL++, on build/afl, with the mutator of build/release where the target has one
#   fuzz.sh coverage             which lines of the parsers the committed inputs reach, on build/coverage
#   fuzz.sh merge                take into fuzz/corpus what runs have found and no committed input reaches
#
# fuzz/NAME.dict has words of the format, fuzz/NAME.options what libFuzzer is to be told, as OSS-Fuzz reads them.

set -euo pipefail

ARTIFACTS=build/fuzz/artifacts

# As for the tests: a kernel may randomise addresses more widely than the sanitizer's runtime expects.
LAUNCHER=()
if setarch -R true 2>/dev/null; then
    LAUNCHER=(setarch -R)
fi

names() {
    find build/fuzz/bin -name 'fuzz_*' -type f -perm -u+x -printf '%f\n' | sed 's/^fuzz_//' | sort
}

libfuzzer() { # NAME ARGUMENT...
    local name=$1 options=()
    shift
    if [[ -f fuzz/$name.dict ]]; then
        options+=("-dict=fuzz/$name.dict")
    fi
    if [[ -f fuzz/$name.options ]]; then
        mapfile -t -O "${#options[@]}" options < <(sed -n 's/^\([a-z_]*\) = \(.*\)/-\1=\2/p' "fuzz/$name.options")
    fi
    # As much of what was freed is kept from reuse; with the default, 256 MB, allocations are new pages all the time.
    ASAN_OPTIONS=quarantine_size_mb=32${ASAN_OPTIONS:+:$ASAN_OPTIONS} \
        "${LAUNCHER[@]}" "build/fuzz/bin/fuzz_$name" "${options[@]}" "$@"
}

run() { # NAME SECONDS
    local name=$1 seconds=$2 folder seeds=()
    local finds=build/fuzz/corpus/$name
    for folder in corpus regressions; do
        if [[ -d fuzz/$folder/$name ]]; then
            seeds+=("fuzz/$folder/$name")
        fi
    done
    mkdir -p "$finds" "$ARTIFACTS"
    echo "fuzz $name: $seconds s"
    libfuzzer "$name" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 \
        -artifact_prefix="$ARTIFACTS/$name-" "$finds" "${seeds[@]}"
}

all() { # SECONDS
    local list name share
    mapfile -t list < <(names)
    if [[ ${#list[@]} == 0 ]]; then
        echo "there are no fuzz targets" >&2
        exit 1
    fi
    share=$(($1 / ${#list[@]}))
    for name in "${list[@]}"; do
        run "$name" $((share > 0 ? share : 1))
    done
}

# A folder cannot be empty for AFL++, and it cannot read one that it writes.
afl() { # NAME SECONDS
    local name=$1 seconds=$2 options=()
    local out=build/afl/findings/$name in=build/afl/seeds/$name
    local mutator=build/release/lib/libfuzz_${name}_mutator.so
    rm -rf "$in"
    mkdir -p "$in" "$out"
    cp fuzz/corpus/"$name"/* "$in" 2>/dev/null || echo 0 >"$in/zero"
    if [[ -f fuzz/$name.dict ]]; then
        options=(-x "fuzz/$name.dict")
    fi
    if [[ -f $mutator ]]; then
        export AFL_CUSTOM_MUTATOR_LIBRARY=$PWD/$mutator
    fi
    export AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_NO_UI=1 AFL_AUTORESUME=1
    echo "afl $name: $seconds s; what it says goes to $out.log"
    "${LAUNCHER[@]}" afl-fuzz -i "$in" -o "$out" -V "$seconds" -t 5000+ "${options[@]}" -- "build/afl/bin/fuzz_$name" \
        >"$out.log" 2>&1 || { tail -20 "$out.log" >&2; exit 1; }
    grep -E '^(execs_done|execs_per_sec|corpus_count|saved_crashes|saved_hangs|edges_found|total_edges)' \
        "$out/default/fuzzer_stats"
    if compgen -G "$out/default/crashes/id*" >/dev/null; then
        echo "crashes are in $out/default/crashes" >&2
        exit 1
    fi
}

# gcov prints a name and a line of figures per source, headers of other rooms among them.
figures() { # SOURCE...
    local source
    for source in "$@"; do
        find build/coverage \( -path "*/${source%/*}/CMakeFiles/*/${source##*/}.gcda" -o -path "*/$source.gcda" \) -print0 |
            xargs -0 -r gcov -n 2>/dev/null |
            awk -v source="$source" '
                /^File / { mine = index($0, source) > 0 }
                /^Lines executed:/ && mine { split($0, part, /[:%]/); printf "%-40s %6.1f %% of %d\n", source, part[2], $NF; mine = 0 }'
    done
}

coverage() {
    local program
    find build/coverage -name '*.gcda' -delete
    for program in build/coverage/tests/fuzz_*; do
        local name=${program##*/fuzz_} folders=()
        for folder in corpus regressions; do
            if [[ -d fuzz/$folder/$name ]]; then
                folders+=("fuzz/$folder/$name")
            fi
        done
        "$program" "${folders[@]}" >/dev/null
    done
    figures engine/format/{batch,file_header,file_name,log_header,log_record,manifest_edit,manifest_edit_codec,segment_format}.c \
        engine/block/{block,block_iterator}.c engine/filter/filter.c \
        engine/wal/{listed_log,log_reader,log_replay,log_replay_proven,log_replay_refusal,log_replay_scan,log_replay_unproven}.c \
        engine/version/{manifest_current,manifest_replay,manifest_state}.c \
        engine/segment/{segment,segment_fences,segment_file,segment_iterator,segment_verify}.c \
        engine/db/{recovery,recovery_replay}.c \
        server/protocol/{quote,reply_reader,request}.c client/cli/{base64,record}.c
}

# Lines reached, and not how often: some dozens of inputs do.
merge() {
    local name
    for name in $(names); do
        mkdir -p "fuzz/corpus/$name" "build/fuzz/corpus/$name"
        libfuzzer "$name" -merge=1 -use_counters=0 "fuzz/corpus/$name" "build/fuzz/corpus/$name" 2>&1 |
            sed -n "s/^MERGE-OUTER: \([0-9]* new files\).*/$name: \1/p"
    done
}

task=$1
shift
"$task" "$@"
