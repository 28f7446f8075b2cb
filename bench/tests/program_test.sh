#!/usr/bin/env bash
# The program as a whole: all workloads on all engines of this build with few records, the files that it writes, and
# what it says to a wrong command line.

set -euo pipefail

bench=$KVS_BIN_DIR/kvstore_bench
work=$(mktemp -d "$PWD/bench-XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
    echo "program_test: $*" >&2
    cat "$work"/*.txt >&2 || true
    exit 1
}

# A report without a workload or engine, or with a run that failed.
"$bench" --num 2000 --rounds 2 --sync-num 3 --memory 16M --dir "$work/data" --json "$work/report.json" \
    --markdown "$work/report.md" >"$work/out.txt" 2>"$work/err.txt" || fail "status $?"
if grep -q FAILED "$work/out.txt" "$work/err.txt"; then
    fail "a run failed"
fi
engines=$(grep -c '"type":"engine"' "$work/report.json")
for workload in fillseq fillrandom readrandom readmissing readseq readreverse seekrandom overwrite fillsync fillsync8; do
    runs=$(grep -c "\"type\":\"run\".*\"workload\":\"$workload\"" "$work/report.json")
    [[ $runs == $((2 * engines)) ]] || fail "$runs runs of $workload on $engines engines"
    grep -q "^| $workload " "$work/report.md" || fail "no $workload in the Markdown"
done

# Databases that stay behind.
[[ -z $(ls -A "$work/data") ]] || fail "left in the folder: $(ls -A "$work/data")"

# A misspelt flag that is taken for a default.
for flag in --num=0 --num=x --engines=none --workloads=none --memory=1T --compression=some --key-bytes=4 argument; do
    if "$bench" "$flag" >"$work/flag.txt" 2>&1; then
        fail "$flag was accepted"
    fi
    grep -q "bench" "$work/flag.txt" || fail "$flag: no message"
done
