#!/usr/bin/env bash
# install_test.sh CMAKE BUILD -- what is installed can be compiled and linked against, by each compiler that is here,
# through pkg-config and through the CMake package; and the libraries export nothing but the public API.

set -euo pipefail

cmake=$1
build=$2
hello=$KVS_SOURCE_DIR/engine/examples/hello.c
expected=$'GET hello: world\ndeleted hello\nhello not found after deletion'

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

fail() {
    echo "$*"
    exit 1
}

check_hello() { # PROGRAM
    local output
    output=$(LD_LIBRARY_PATH=$libdir "$1" "$1.db") || fail "$1 failed: $output"
    [[ $output == "$expected" ]] || fail "$1 printed: $output"
}

check_programs() {
    local program
    for program in kvstore_server kvstore_client kvstore_tool; do
        if [[ -x $build/bin/$program && ! -x prefix/bin/$program ]]; then
            fail "$program is not installed"
        fi
    done
}

check_library() { # NAME PREFIX
    local shared=$libdir/lib$1.so.0.1.0 archive=$libdir/lib$1.a others
    [[ $(readelf -d "$shared" | sed -n 's/.*soname: \[\(.*\)\]/\1/p') == "lib$1.so.0" ]] || fail "wrong soname: $shared"
    nm -D --defined-only "$shared" | grep -q " T $2" || fail "$shared exports nothing"
    nm -g --defined-only "$archive" | grep -q " T $2" || fail "$archive has nothing global"
    others=$(nm -D --defined-only "$shared" | awk -v prefix="^$2" '$3 !~ prefix')
    [[ -z $others ]] || fail "$shared exports $others"
    others=$(nm -g --defined-only "$archive" | awk -v prefix="^$2" 'NF == 3 && $3 !~ prefix')
    [[ -z $others ]] || fail "global in $archive: $others"
    if readelf -SW "$archive" | grep -F .gnu.lto; then
        fail "LTO bytecode in $archive"
    fi
    if readelf -lW "$shared" | grep 'GNU_STACK.* RWE '; then
        fail "executable stack: $shared"
    fi
}

# The archive is named by file where the shared library lies beside it.
compile_and_run() { # COMPILER
    local shared_flags static_flags warnings=(-std=c11 -Wall -Wextra -Werror)
    read -ra shared_flags <<<"$(pkg-config --cflags --libs kvstore)"
    read -ra static_flags <<<"$(pkg-config --cflags --libs --static kvstore | sed 's/-lkvstore\b/-l:libkvstore.a/')"
    "$1" "${warnings[@]}" "$hello" "${shared_flags[@]}" -o "shared_$1"
    check_hello "./shared_$1"
    "$1" "${warnings[@]}" "$hello" "${static_flags[@]}" -o "static_$1"
    if readelf -d "static_$1" | grep -q 'NEEDED.*libkvstore'; then
        fail "static_$1 needs the shared library"
    fi
    check_hello "./static_$1"
}

check_cmake_package() {
    "$cmake" -G Ninja -S "$KVS_SOURCE_DIR/tests/build/package" -B package -DCMAKE_PREFIX_PATH="$work/prefix" -DHELLO="$hello" \
        >package.log 2>&1 || fail "$(cat package.log)"
    "$cmake" --build package >package.log 2>&1 || fail "$(cat package.log)"
    check_hello package/hello_shared
    check_hello package/hello_static
}

"$cmake" --install "$build" --prefix "$work/prefix" >install.log || fail "$(cat install.log)"
libdir=$(dirname "$(find "$work/prefix" -name libkvstore.a)")
export PKG_CONFIG_PATH=$libdir/pkgconfig

check_programs
check_library kvstore kvs_
if [[ -e $libdir/libkvstore_client.a ]]; then
    check_library kvstore_client kvc_
fi
for compiler in gcc clang; do
    if command -v "$compiler" >/dev/null; then
        compile_and_run "$compiler"
        echo "$compiler: shared and static"
    else
        echo "$compiler is not installed: left out"
    fi
done
if command -v g++ >/dev/null; then
    echo '#include <kvstore.h>' >header.cc
    g++ -std=c++17 -Wall -Wextra -Werror -fsyntax-only -I "$work/prefix/include" header.cc
    echo "g++: header"
fi
check_cmake_package
echo "CMake package: shared and static"
