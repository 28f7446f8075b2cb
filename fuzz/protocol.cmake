kvs_fuzz_target(NAME resp SOURCES ${CMAKE_CURRENT_LIST_DIR}/resp_fuzz.c ROOMS protocol)
kvs_fuzz_target(NAME text SOURCES ${CMAKE_CURRENT_LIST_DIR}/text_fuzz.c ROOMS protocol)
