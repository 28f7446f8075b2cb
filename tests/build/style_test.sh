#!/usr/bin/env bash
# style_test.sh -- each rule of style.pl finds what it is there for, at the right line, and accepts what is allowed.

set -euo pipefail

style=$KVS_SOURCE_DIR/tests/build/style.pl
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
mkdir -p engine/wal engine/io

# refuses FILE LINE TEXT: style.pl fails on FILE with exactly this finding.
refuses() {
    local found status=0
    found=$(perl "$style" "$1") || status=$?
    if [[ $status != 1 || $found != "$1:$2: $3" ]]; then
        echo "$1: expected line $2: $3; got status $status and: $found"
        exit 1
    fi
}

accepts() {
    if ! perl "$style" "$1"; then
        echo "$1: should have been accepted"
        exit 1
    fi
}

repeat() { # TEXT COUNT
    local i
    for ((i = 0; i < $2; i++)); do
        echo "$1"
    done
}

printf '#include "base/status.h"\n#include "../db/db.h"\n' >engine/wal/include.c
refuses engine/wal/include.c 2 "include with '..': name the room instead"
printf '#include "base/status.h"\n#include "base/a..b.h"\n' >engine/wal/include.c
accepts engine/wal/include.c

printf 'int f(void);\n\nint g(int fd)\n{\n    return fsync(fd);\n}\n' >engine/wal/call.c
refuses engine/wal/call.c 5 'fsync() outside engine/io'
cp engine/wal/call.c engine/io/call.c
accepts engine/io/call.c
printf '/* fsync(fd) */\nint f(void)\n{\n    say("write(2)");\n    return io->ops.open(io) + file->read(file);\n}\n' >engine/wal/call.c
accepts engine/wal/call.c

printf '/* TO''DO: later */\n' >engine/wal/mark.c
refuses engine/wal/mark.c 1 'TO''DO without an issue number'
printf '/* TO''DO (#12): later */\n' >engine/wal/mark.c
accepts engine/wal/mark.c

printf 'int a; \nint b;\n' >engine/wal/blank.c
refuses engine/wal/blank.c 1 'blanks at the end of the line'
printf 'int a;' >engine/wal/end.c
refuses engine/wal/end.c 1 'no newline at the end'

{ printf 'int f(void)\n{\n'; repeat '    g();' 69; printf '}\n'; } >engine/wal/long.c
refuses engine/wal/long.c 2 'function of 71 lines (at most 70)'
{ printf 'int f(void)\n{\n'; repeat '    g();' 68; printf '}\n'; } >engine/wal/long.c
accepts engine/wal/long.c

repeat 'int a;' 1001 >engine/wal/file.c
refuses engine/wal/file.c 1 '1001 lines (at most 1000)'
repeat 'int a;' 1000 >engine/wal/file.c
accepts engine/wal/file.c

echo "all rules hold"
