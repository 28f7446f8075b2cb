#!/bin/bash
# The same seed gives the same run, call by call, also in another process with other addresses: without that no failure could be repeated.
set -eu
sim=$1
for run in a b; do
    "$sim" --seed 100 --rounds 20 --trace "trace_$run.txt" > /dev/null
done
lines=$(wc -l < trace_a.txt)
if [ "$lines" -lt 1000 ]; then
    echo "the trace has $lines lines only"
    exit 1
fi
cmp trace_a.txt trace_b.txt
rm trace_a.txt trace_b.txt
