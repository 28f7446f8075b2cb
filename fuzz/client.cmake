# What the client's import and export are made of is no room: its sources are compiled into the target.
set(cli ${PROJECT_SOURCE_DIR}/client/cli)
kvs_fuzz_target(NAME import SOURCES ${CMAKE_CURRENT_LIST_DIR}/import_fuzz.c ${cli}/record.c ${cli}/base64.c
    ROOMS protocol LIBRARIES PkgConfig::jansson INCLUDES ${cli})
