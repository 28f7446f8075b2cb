#!/bin/bash -eu
# build.sh -- the fuzz targets as OSS-Fuzz wants them: programs, words, options and zipped inputs in $OUT.
#
# Takes $CC, $CXX, $CFLAGS, $LIB_FUZZING_ENGINE, $SRC (the sources are $SRC/kvstore), $WORK and $OUT from the environment. README.md of
# fuzz/ says how to try it without their image.

sources=$SRC/kvstore

# shellcheck disable=SC2016 # the loader expands it
cmake -S "$sources" -B "$WORK/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DKVSTORE_FUZZ_ENGINE="$LIB_FUZZING_ENGINE" \
    -DKVSTORE_FUZZ_LANGUAGE=CXX -DKVSTORE_WERROR=OFF -DKVSTORE_TESTS=OFF -DKVSTORE_BENCH=OFF \
    -DCMAKE_BUILD_RPATH='$ORIGIN/lib'
cmake --build "$WORK/build" --target fuzz_targets

# The image that runs them has none of the libraries.
mkdir -p "$OUT/lib"
for program in "$WORK"/build/bin/fuzz_*; do
    cp "$program" "$OUT"
    ldd "$program" | awk '$1 ~ /^lib(zstd|xxhash|urcu|jansson)/ { print $3 }' | xargs -r cp -t "$OUT/lib"
    name=${program##*/fuzz_}
    for kind in dict options; do
        if [[ -f $sources/fuzz/$name.$kind ]]; then
            cp "$sources/fuzz/$name.$kind" "$OUT/fuzz_$name.$kind"
        fi
    done
    inputs=()
    for folder in corpus regressions; do
        if [[ -d $sources/fuzz/$folder/$name ]]; then
            inputs+=("$sources/fuzz/$folder/$name"/*)
        fi
    done
    zip -qj "$OUT/fuzz_${name}_seed_corpus.zip" "${inputs[@]}"
done
