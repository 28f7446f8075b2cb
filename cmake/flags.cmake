# Compiler and linker flags. All of them are ours: CMake's own per-type flags are emptied, because its release
# flags define NDEBUG and the assertions of kvstore stay on.
#
# KVSTORE_SANITIZE  "", "address,undefined", "thread" or "fuzzer,address,undefined"
# KVSTORE_COVERAGE  count executed lines (gcov)
# KVSTORE_LTO       optimise programs and libraries across files (gcc)
# KVSTORE_WERROR    warnings are errors

set(KVSTORE_SANITIZE "" CACHE STRING "Sanitizers, separated by commas")
option(KVSTORE_COVERAGE "Instrument for gcov" OFF)
option(KVSTORE_LTO "Link-time optimisation of programs and libraries" OFF)
option(KVSTORE_WERROR "Treat warnings as errors" ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release CACHE STRING "Release or Debug" FORCE)
endif()
set(CMAKE_C_FLAGS_RELEASE "")
set(CMAKE_C_FLAGS_DEBUG "")
set(CMAKE_CXX_FLAGS_RELEASE "")
set(CMAKE_CXX_FLAGS_DEBUG "")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib)
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

find_package(Threads REQUIRED)

add_compile_definitions(_GNU_SOURCE KVSTORE_VERSION="${PROJECT_VERSION}")
add_compile_options(
    -Wall -Wextra -Wshadow -Wformat=2 -Wundef -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
    $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes>
    $<$<BOOL:${KVSTORE_WERROR}>:-Werror>
    -fno-omit-frame-pointer
    # What is not marked KVS_API is not exported, and is called without a detour through the PLT.
    -fvisibility=hidden
    # Source names in messages and assertions are relative to the repository.
    "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/=")

set(KVSTORE_TEST_LAUNCHER "")
string(REPLACE "," ";" sanitizers "${KVSTORE_SANITIZE}")
if(sanitizers)
    set(compile_sanitizers ${KVSTORE_SANITIZE})
    string(REPLACE "fuzzer" "fuzzer-no-link" compile_sanitizers "${compile_sanitizers}")
    add_compile_options(-O1 -g -fsanitize=${compile_sanitizers} -fno-sanitize-recover=all)
    list(REMOVE_ITEM sanitizers fuzzer)
    list(JOIN sanitizers "," link_sanitizers)
    add_link_options(-fsanitize=${link_sanitizers})
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
        # Instrumented code defeats gcc's flow analysis; the other presets keep this warning.
        add_compile_options(-Wno-maybe-uninitialized)
    endif()
    # Kernels that randomise addresses more widely than these runtimes expect make programs fail at their start.
    find_program(SETARCH setarch)
    mark_as_advanced(SETARCH)
    if(SETARCH)
        execute_process(COMMAND ${SETARCH} -R true RESULT_VARIABLE setarch_failed OUTPUT_QUIET ERROR_QUIET)
        if(setarch_failed EQUAL 0)
            set(KVSTORE_TEST_LAUNCHER ${SETARCH} -R)
        endif()
    endif()
elseif(KVSTORE_COVERAGE)
    add_compile_options(-O0 -g --coverage -fprofile-update=atomic)
    add_link_options(--coverage)
elseif(KVSTORE_FUZZ_ENGINE)
    # The fuzzer's compiler, or the environment, brings the instrumentation.
    add_compile_options(-O1 -g)
elseif(CMAKE_BUILD_TYPE STREQUAL "Release")
    add_compile_options(-O2 -g1 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    add_link_options(-Wl,-z,relro,-z,now)
else()
    add_compile_options(-O0 -g)
endif()

# Room objects carry machine code beside the LTO form: programs and libraries are linked from the latter, the many
# tests from the former, which links each in a moment. clang would need an LLVM linker; it builds without.
set(KVSTORE_LTO_ON OFF)
set(KVSTORE_LTO_LINK_OPTIONS "")
if(KVSTORE_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU" AND NOT KVSTORE_SANITIZE AND NOT KVSTORE_COVERAGE)
    set(KVSTORE_LTO_ON ON)
    add_compile_options($<$<COMPILE_LANGUAGE:C>:-flto=auto> $<$<COMPILE_LANGUAGE:C>:-ffat-lto-objects>)
    set(KVSTORE_LTO_LINK_OPTIONS -flto=auto -O2)
endif()
