# The load test: many records, many connections, little memory, and kills. KVS_LOAD_RECORDS makes it shorter.

kvs_room(NAME load DIR load SOURCES backlog.c latency.c link.c records.c run.c)
kvs_program(NAME kvstore_load SOURCES load/main.c ROOMS load)
kvs_program(NAME kvstore_compact_size SOURCES load/compact_size.c ROOMS kvstore)
kvs_test(NAME load_parts SOURCES load/load_parts_test.c ROOMS load LIBRARIES PkgConfig::zstd)

find_package(Python3 COMPONENTS Interpreter QUIET)
# Its bounds are for the program that users run.
if(Python3_EXECUTABLE AND NOT KVSTORE_SANITIZE AND NOT KVSTORE_COVERAGE)
    kvs_test(NAME server_load
        COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/load/load_test.py
        PROGRAMS kvstore_server kvstore_tool kvstore_load kvstore_compact_size
        LABELS slow
        PROPERTIES RUN_SERIAL ON)
endif()
