# Rooms, programs, tests and fuzz targets: the four things that the folders declare.
#
# A room is a folder of sources and headers that becomes one static library, kvs_room_<name>. Its include root is a
# folder of the build tree that holds nothing but a link, <name>, to the room, so "wal/log_writer.h" is found only by
# those that link kvs_room_wal: an include against the layering fails in the compiler.
#
#   kvs_room(NAME wal SOURCES log_writer.c log_replay.c ROOMS base io format LIBRARIES PkgConfig::zstd)
#   kvs_program(NAME kvstore_server SOURCES main.c ROOMS kvstore protocol base LIBRARIES PkgConfig::uv)
#   kvs_test(NAME wal_writer SOURCES unit/wal_writer_test.c ROOMS wal LABELS unit)
#   kvs_fuzz_target(NAME resp SOURCES resp_fuzz.c ROOMS protocol)
#
# A library for others is made of a room and all below it by kvs_library (libraries.cmake); its public header, which
# lies outside the include roots of rooms, is seen through kvs_public_header. KVSTORE_VERSION is defined everywhere.
#
# Two names stand for public headers: ROOMS kvstore is kvstore.h with the engine behind it (and none of the engine's
# own headers); kvstore_types.h comes with base.
# A target whose rooms, packages or sources are missing is left out, and a line of the configure output says why.

include_guard(GLOBAL)

# Folders that will declare a room later in this configuration; a room may list them already.
set_property(GLOBAL PROPERTY KVS_ROOMS_PENDING "")

# kvs_header_root(OUT NAME PATH): an include root in which PATH, a file or a folder, is seen as NAME.
function(kvs_header_root out name path)
    get_filename_component(target ${path} ABSOLUTE)
    get_filename_component(stem ${name} NAME_WE)
    set(root ${PROJECT_BINARY_DIR}/include/${stem})
    file(MAKE_DIRECTORY ${root})
    file(CREATE_LINK ${target} ${root}/${name} SYMBOLIC)
    set(${out} ${root} PARENT_SCOPE)
endfunction()

# kvs_missing(OUT [ROOMS] [LIBRARIES] [PROGRAMS] [FILES]): which of these there are not.
function(kvs_missing out)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "ROOMS;LIBRARIES;PROGRAMS;FILES")
    get_property(pending GLOBAL PROPERTY KVS_ROOMS_PENDING)
    set(missing "")
    foreach(room IN LISTS arg_ROOMS)
        if(NOT TARGET kvs_room_${room} AND NOT room IN_LIST pending)
            list(APPEND missing "room ${room}")
        endif()
    endforeach()
    foreach(library IN LISTS arg_LIBRARIES)
        if(library MATCHES "::" AND NOT TARGET ${library})
            list(APPEND missing ${library})
        endif()
    endforeach()
    foreach(program IN LISTS arg_PROGRAMS)
        if(NOT TARGET ${program})
            list(APPEND missing "program ${program}")
        endif()
    endforeach()
    foreach(file IN LISTS arg_FILES)
        get_filename_component(path ${file} ABSOLUTE)
        if(NOT EXISTS ${path})
            # The search is repeated at each build, so that a file that appears is noticed.
            file(GLOB ignored CONFIGURE_DEPENDS ${path})
            file(RELATIVE_PATH path ${PROJECT_SOURCE_DIR} ${path})
            list(APPEND missing "file ${path}")
        endif()
    endforeach()
    list(JOIN missing ", " missing)
    set(${out} "${missing}" PARENT_SCOPE)
endfunction()

# kvs_check_arguments(FUNCTION NAME UNPARSED): a misspelt keyword is an error, not a source file.
function(kvs_check_arguments function name unparsed)
    if(NOT name)
        message(FATAL_ERROR "${function}: NAME is missing")
    endif()
    if(unparsed)
        message(FATAL_ERROR "${function}(${name}): unknown arguments: ${unparsed}")
    endif()
endfunction()

# kvs_public_header(TARGET PATH): a target through which this one header, and nothing beside it, is seen.
function(kvs_public_header target path)
    get_filename_component(name ${path} NAME)
    kvs_header_root(root ${name} ${path})
    add_library(${target} INTERFACE)
    target_include_directories(${target} INTERFACE ${root})
endfunction()

function(kvs_room_targets out)
    list(TRANSFORM ARGN PREPEND kvs_room_)
    set(${out} ${ARGN} PARENT_SCOPE)
endfunction()

# kvs_room(NAME SOURCES [ROOMS] [LIBRARIES] [DIR]): a room in DIR, by default this folder. ROOMS and LIBRARIES are
# passed on to whoever links it. Without SOURCES it is a room of headers.
function(kvs_room)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;DIR" "SOURCES;ROOMS;LIBRARIES")
    kvs_check_arguments(kvs_room "${arg_NAME}" "${arg_UNPARSED_ARGUMENTS}")
    set(target kvs_room_${arg_NAME})
    if(NOT arg_DIR)
        set(arg_DIR .)
    endif()
    get_filename_component(dir ${arg_DIR} ABSOLUTE)
    list(TRANSFORM arg_SOURCES PREPEND ${dir}/)
    kvs_missing(missing ROOMS ${arg_ROOMS} LIBRARIES ${arg_LIBRARIES} FILES ${arg_SOURCES})
    if(missing)
        message(STATUS "Room ${arg_NAME} left out: no ${missing}")
        return()
    endif()
    kvs_room_targets(rooms ${arg_ROOMS})
    kvs_header_root(root ${arg_NAME} ${dir})
    if(arg_SOURCES)
        add_library(${target} STATIC ${arg_SOURCES})
        set(scope PUBLIC)
    else()
        add_library(${target} INTERFACE)
        set(scope INTERFACE)
    endif()
    set_target_properties(${target} PROPERTIES
        ARCHIVE_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/rooms
        KVS_ROOMS "${arg_ROOMS}"
        KVS_LIBRARIES "${arg_LIBRARIES}"
        KVS_FOLDER ${dir})
    set_property(GLOBAL APPEND PROPERTY KVS_ALL_ROOMS ${arg_NAME})
    target_include_directories(${target} ${scope} ${root})
    target_link_libraries(${target} ${scope} ${rooms} ${arg_LIBRARIES} Threads::Threads)
endfunction()

# kvs_program(NAME SOURCES [ROOMS] [LIBRARIES]): an executable in bin/.
function(kvs_program)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME" "SOURCES;ROOMS;LIBRARIES")
    kvs_check_arguments(kvs_program "${arg_NAME}" "${arg_UNPARSED_ARGUMENTS}")
    kvs_missing(missing ROOMS ${arg_ROOMS} LIBRARIES ${arg_LIBRARIES} FILES ${arg_SOURCES})
    if(missing)
        message(STATUS "Program ${arg_NAME} left out: no ${missing}")
        return()
    endif()
    kvs_room_targets(rooms ${arg_ROOMS})
    add_executable(${arg_NAME} ${arg_SOURCES})
    target_link_libraries(${arg_NAME} PRIVATE ${rooms} ${arg_LIBRARIES} Threads::Threads)
    target_link_options(${arg_NAME} PRIVATE ${KVSTORE_LTO_LINK_OPTIONS})
endfunction()

# kvs_register_test(NAME LABELS TIMEOUT COMMAND...): a ctest that finds the sources and the programs through
# KVS_SOURCE_DIR and KVS_BIN_DIR, and works in a folder of its own.
function(kvs_register_test name labels timeout_s)
    set(work ${PROJECT_BINARY_DIR}/tests/work/${name})
    file(MAKE_DIRECTORY ${work})
    add_test(NAME ${name} COMMAND ${KVSTORE_TEST_LAUNCHER} ${ARGN} WORKING_DIRECTORY ${work})
    set_tests_properties(${name} PROPERTIES
        LABELS "${labels}"
        TIMEOUT ${timeout_s}
        SKIP_RETURN_CODE 77
        ENVIRONMENT "KVS_SOURCE_DIR=${PROJECT_SOURCE_DIR};KVS_BIN_DIR=${PROJECT_BINARY_DIR}/bin;\
ASAN_OPTIONS=abort_on_error=0:detect_stack_use_after_return=1;UBSAN_OPTIONS=print_stacktrace=1;\
TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
endfunction()

# kvs_test(NAME {SOURCES [ROOMS] [LIBRARIES] [DEFINITIONS] [LINK_OPTIONS] [ARGS] | COMMAND} [PROGRAMS] [LABELS]
#          [TIMEOUT] [PROPERTIES]): a cmocka executable, tests/<name> of the build tree, or a COMMAND of any kind.
# PROGRAMS must exist for the test to make sense and are built before it; LABELS default to unit, TIMEOUT to 120 s
# (four hours with the label slow; KVS_SOAK_MINUTES tells such a test how long to work).
# A test that exits with 77 counts as skipped. PROPERTIES are more test properties, such as RUN_SERIAL ON.
function(kvs_test)
    cmake_parse_arguments(PARSE_ARGV 0 arg "" "NAME;TIMEOUT"
        "SOURCES;ROOMS;LIBRARIES;DEFINITIONS;LINK_OPTIONS;ARGS;COMMAND;PROGRAMS;LABELS;PROPERTIES")
    kvs_check_arguments(kvs_test "${arg_NAME}" "${arg_UNPARSED_ARGUMENTS}")
    kvs_missing(missing ROOMS ${arg_ROOMS} LIBRARIES ${arg_LIBRARIES} PROGRAMS ${arg_PROGRAMS}
        FILES ${arg_SOURCES})
    if(missing)
        message(STATUS "Test ${arg_NAME} left out: no ${missing}")
        return()
    endif()
    if(NOT arg_LABELS)
        set(arg_LABELS unit)
    endif()
    if(NOT arg_TIMEOUT)
        set(arg_TIMEOUT 120)
        if("slow" IN_LIST arg_LABELS)
            set(arg_TIMEOUT 14400)
        endif()
    endif()
    if(arg_SOURCES)
        set(target test_${arg_NAME})
        kvs_room_targets(rooms ${arg_ROOMS})
        add_executable(${target} ${arg_SOURCES})
        set_target_properties(${target} PROPERTIES OUTPUT_NAME ${arg_NAME}
            RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        target_compile_definitions(${target} PRIVATE ${arg_DEFINITIONS})
        target_link_libraries(${target} PRIVATE ${rooms} ${arg_LIBRARIES} PkgConfig::cmocka Threads::Threads)
        target_link_options(${target} PRIVATE ${arg_LINK_OPTIONS} $<$<BOOL:${KVSTORE_LTO_ON}>:-fno-lto>)
        if(arg_PROGRAMS)
            add_dependencies(${target} ${arg_PROGRAMS})
        endif()
        set(arg_COMMAND $<TARGET_FILE:${target}> ${arg_ARGS})
    endif()
    kvs_register_test(${arg_NAME} "${arg_LABELS}" ${arg_TIMEOUT} ${arg_COMMAND})
    if(arg_PROPERTIES)
        set_tests_properties(${arg_NAME} PROPERTIES ${arg_PROPERTIES})
    endif()
endfunction()

# What links a fuzzer into a target; empty: programs that run files once.
set(KVSTORE_FUZZ_ENGINE "" CACHE STRING "Linker option or library of a fuzzing engine; default -fsanitize=fuzzer with that sanitizer")
if(NOT KVSTORE_FUZZ_ENGINE AND KVSTORE_SANITIZE MATCHES "fuzzer")
    set(KVSTORE_FUZZ_ENGINE -fsanitize=fuzzer)
endif()
set(KVSTORE_FUZZ_LANGUAGE C CACHE STRING "C or CXX: whose compiler links the targets, for an engine may be C++")
if(KVSTORE_FUZZ_LANGUAGE STREQUAL "CXX")
    enable_language(CXX)
endif()
add_custom_target(fuzz_targets)

# kvs_fuzz_main(TARGET MENDS): where its main comes from. ONCE: out, what makes it run inputs once.
function(kvs_fuzz_main target mends)
    if(KVSTORE_FUZZ_ENGINE)
        target_link_libraries(${target} PRIVATE ${KVSTORE_FUZZ_ENGINE})
        set_target_properties(${target} PROPERTIES LINKER_LANGUAGE ${KVSTORE_FUZZ_LANGUAGE})
        if(mends)
            target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/mutator.c)
        endif()
        set(ONCE -runs=0 PARENT_SCOPE)
    else()
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/fuzz/replay_main.c)
        target_link_options(${target} PRIVATE $<$<BOOL:${KVSTORE_LTO_ON}>:-fno-lto>)
        set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
        set(ONCE "" PARENT_SCOPE)
    endif()
endfunction()

# kvs_fuzz_target(NAME SOURCES [ROOMS] [LIBRARIES] [INCLUDES] [MENDS]): with a fuzzing engine a fuzzer, bin/fuzz_<name>;
# otherwise a program that runs files once. Either way the files of fuzz/corpus/<name> and fuzz/regressions/<name> are
# a test. MENDS: it defines fuzz_mend (fuzz/mend.h), which its mutator calls; fuzz_<name>_mutator is that for AFL++.
function(kvs_fuzz_target)
    cmake_parse_arguments(PARSE_ARGV 0 arg "MENDS" "NAME" "SOURCES;ROOMS;LIBRARIES;INCLUDES")
    kvs_check_arguments(kvs_fuzz_target "${arg_NAME}" "${arg_UNPARSED_ARGUMENTS}")
    kvs_missing(missing ROOMS ${arg_ROOMS} LIBRARIES ${arg_LIBRARIES} FILES ${arg_SOURCES})
    if(missing)
        message(STATUS "Fuzz target ${arg_NAME} left out: no ${missing}")
        return()
    endif()
    set(target fuzz_${arg_NAME})
    kvs_room_targets(rooms ${arg_ROOMS})
    add_executable(${target} ${arg_SOURCES})
    target_link_libraries(${target} PRIVATE ${rooms} ${arg_LIBRARIES} Threads::Threads)
    target_include_directories(${target} PRIVATE ${arg_INCLUDES})
    add_dependencies(fuzz_targets ${target})
    kvs_fuzz_main(${target} "${arg_MENDS}")
    if(arg_MENDS)
        add_library(${target}_mutator MODULE EXCLUDE_FROM_ALL ${arg_SOURCES} ${PROJECT_SOURCE_DIR}/fuzz/mutator.c)
        target_compile_definitions(${target}_mutator PRIVATE KVS_FUZZ_AFL)
        # What afl-fuzz calls has to be found in it.
        target_compile_options(${target}_mutator PRIVATE -fvisibility=default)
        target_link_libraries(${target}_mutator PRIVATE ${rooms} ${arg_LIBRARIES} Threads::Threads)
        target_link_options(${target}_mutator PRIVATE $<$<BOOL:${KVSTORE_LTO_ON}>:-fno-lto>)
    endif()
    # The search is repeated at each build, so that a folder's first file is noticed.
    set(folders "")
    foreach(folder IN ITEMS corpus regressions)
        file(GLOB inputs CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/fuzz/${folder}/${arg_NAME}/*)
        if(inputs)
            list(APPEND folders ${PROJECT_SOURCE_DIR}/fuzz/${folder}/${arg_NAME})
        endif()
    endforeach()
    if(folders)
        kvs_register_test(fuzz_${arg_NAME}_corpus unit 120 $<TARGET_FILE:${target}> ${ONCE} ${folders})
    else()
        message(STATUS "Fuzz target ${arg_NAME} has no corpus: no test")
    endif()
endfunction()

# kvs_keep_zstd_contexts(TARGET): the contexts of zstd that it frees serve again (tests/zstd_contexts.h).
function(kvs_keep_zstd_contexts target)
    if(TARGET ${target})
        target_sources(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests/zstd_contexts.c)
        target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
        target_link_options(${target} PRIVATE
            -Wl,--wrap=ZSTD_createCCtx,--wrap=ZSTD_freeCCtx,--wrap=ZSTD_createDCtx,--wrap=ZSTD_freeDCtx)
    endif()
endfunction()

# kvs_list_folders(OUT): the sub-folders of this one that have a CMakeLists.txt.
function(kvs_list_folders out)
    file(GLOB folders CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR}/*/CMakeLists.txt)
    list(TRANSFORM folders REPLACE "/CMakeLists.txt$" "")
    set(${out} ${folders} PARENT_SCOPE)
endfunction()

# kvs_add_folders(FOLDER...): those that have a CMakeLists.txt, in this order; without arguments, all that were not
# added before. Within one call a room may list rooms of folders that follow.
function(kvs_add_folders)
    kvs_list_folders(folders)
    get_property(done DIRECTORY PROPERTY KVS_FOLDERS_DONE)
    if(ARGN)
        set(wanted ${ARGN})
    else()
        set(wanted ${folders})
    endif()
    set(pending "")
    foreach(folder IN LISTS wanted)
        if(folder IN_LIST folders AND NOT folder IN_LIST done)
            list(APPEND pending ${folder})
        endif()
    endforeach()
    set_property(DIRECTORY APPEND PROPERTY KVS_FOLDERS_DONE ${pending})
    foreach(folder IN LISTS pending)
        list(POP_FRONT pending)
        set_property(GLOBAL PROPERTY KVS_ROOMS_PENDING "${pending}")
        add_subdirectory(${folder})
    endforeach()
endfunction()

# kvs_include_lists(PATTERN...): the *.cmake files that match.
macro(kvs_include_lists)
    file(GLOB kvs_lists CONFIGURE_DEPENDS ${ARGN})
    foreach(kvs_list IN LISTS kvs_lists)
        include(${kvs_list})
    endforeach()
endmacro()
