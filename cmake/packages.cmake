# Packages, all from the system; nothing is downloaded.
#
# Each becomes the target PkgConfig::<name>. Only what the engine needs is required: a room, test or benchmark
# that lists a missing one is left out, with a line that says so.
#
# KVSTORE_TESTS, KVSTORE_BENCH   ON, OFF, or AUTO: where the packages are present

find_package(PkgConfig REQUIRED)

pkg_check_modules(zstd REQUIRED IMPORTED_TARGET GLOBAL libzstd)
pkg_check_modules(xxhash REQUIRED IMPORTED_TARGET GLOBAL libxxhash)
pkg_check_modules(urcu REQUIRED IMPORTED_TARGET GLOBAL liburcu-bp)

# kvs_optional_package(name module): by pkg-config.
macro(kvs_optional_package name module)
    pkg_check_modules(${name} QUIET IMPORTED_TARGET GLOBAL ${module})
    list(APPEND KVSTORE_OPTIONAL_PACKAGES ${name})
endmacro()

# kvs_optional_library(name header library): for packages without a pkg-config file.
function(kvs_optional_library name header library)
    set(KVSTORE_OPTIONAL_PACKAGES ${KVSTORE_OPTIONAL_PACKAGES} ${name} PARENT_SCOPE)
    find_path(KVSTORE_${name}_INCLUDE ${header})
    find_library(KVSTORE_${name}_LIBRARY ${library})
    mark_as_advanced(KVSTORE_${name}_INCLUDE KVSTORE_${name}_LIBRARY)
    if(KVSTORE_${name}_INCLUDE AND KVSTORE_${name}_LIBRARY AND NOT TARGET PkgConfig::${name})
        add_library(PkgConfig::${name} INTERFACE IMPORTED GLOBAL)
        target_include_directories(PkgConfig::${name} INTERFACE ${KVSTORE_${name}_INCLUDE})
        target_link_libraries(PkgConfig::${name} INTERFACE ${KVSTORE_${name}_LIBRARY})
    endif()
endfunction()

set(KVSTORE_OPTIONAL_PACKAGES "")
kvs_optional_package(uv libuv)
kvs_optional_package(edit libedit)
kvs_optional_package(jansson jansson)
kvs_optional_package(jemalloc jemalloc)
kvs_optional_package(cmocka cmocka)
kvs_optional_package(hiredis hiredis)
kvs_optional_package(benchmark benchmark)
kvs_optional_package(rocksdb rocksdb)
kvs_optional_library(leveldb leveldb/c.h leveldb)
kvs_optional_library(lmdb lmdb.h lmdb)

# Google Benchmark is C++; nothing else is.
if(TARGET PkgConfig::benchmark)
    include(CheckLanguage)
    check_language(CXX)
    if(CMAKE_CXX_COMPILER)
        enable_language(CXX)
    endif()
endif()

set(KVSTORE_TESTS AUTO CACHE STRING "Build the tests: ON, OFF or AUTO")
set(KVSTORE_BENCH AUTO CACHE STRING "Build the benchmarks: ON, OFF or AUTO")

# kvs_decide(NAME): sets NAME_ON from NAME and the packages that follow.
function(kvs_decide name)
    set(missing "")
    foreach(package IN LISTS ARGN)
        if(NOT TARGET PkgConfig::${package})
            list(APPEND missing ${package})
        endif()
    endforeach()
    if("${${name}}" STREQUAL "AUTO")
        if(missing)
            set(${name}_ON OFF PARENT_SCOPE)
        else()
            set(${name}_ON ON PARENT_SCOPE)
        endif()
    elseif(${${name}} AND missing)
        message(FATAL_ERROR "${name} is ON, but these packages are missing: ${missing}")
    else()
        set(${name}_ON ${${name}} PARENT_SCOPE)
    endif()
endfunction()

kvs_decide(KVSTORE_TESTS cmocka)
kvs_decide(KVSTORE_BENCH benchmark)
if(KVSTORE_BENCH_ON AND NOT CMAKE_CXX_COMPILER)
    set(KVSTORE_BENCH_ON OFF)
endif()
