foreach(name IN ITEMS reply resp text)
    kvs_fuzz_target(NAME ${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/${name}_fuzz.c ROOMS protocol)
endforeach()
