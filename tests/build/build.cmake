# Tests of the build itself: layering, style rules, and what is installed.

# Each room with its folder and the include roots that its sources are compiled with, for layering.sh.
get_property(rooms GLOBAL PROPERTY KVS_ALL_ROOMS)
set(lines "")
foreach(room IN LISTS rooms)
    get_target_property(folder kvs_room_${room} KVS_FOLDER)
    get_target_property(type kvs_room_${room} TYPE)
    file(RELATIVE_PATH folder ${PROJECT_SOURCE_DIR} ${folder})
    if(type STREQUAL "STATIC_LIBRARY" AND folder MATCHES "^(engine|server|client)/")
        string(APPEND lines "${room} ${folder} $<JOIN:$<TARGET_PROPERTY:kvs_room_${room},INCLUDE_DIRECTORIES>, >\n")
    endif()
endforeach()
file(GENERATE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/rooms.txt CONTENT "${lines}")

kvs_test(NAME build_layering
    COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/build/layering.sh ${CMAKE_C_COMPILER} ${CMAKE_CURRENT_BINARY_DIR}/rooms.txt)
kvs_test(NAME build_style COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/build/style_test.sh)
kvs_test(NAME build_map COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/build/map_test.sh)

kvs_test(NAME example_hello SOURCES ${PROJECT_SOURCE_DIR}/engine/examples/hello.c ROOMS kvstore
    PROPERTIES PASS_REGULAR_EXPRESSION "^GET hello: world\ndeleted hello\nhello not found after deletion\n$")

# Instrumented libraries are not for installing.
if(TARGET lib_kvstore AND NOT KVSTORE_SANITIZE AND NOT KVSTORE_COVERAGE)
    kvs_test(NAME build_install
        COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/build/install_test.sh ${CMAKE_COMMAND} ${PROJECT_BINARY_DIR})
endif()
