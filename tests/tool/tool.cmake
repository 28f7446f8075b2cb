find_package(Python3 COMPONENTS Interpreter QUIET)
if(Python3_EXECUTABLE)
    kvs_test(NAME tool COMMAND ${Python3_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/tool/tool_test.py
        PROGRAMS kvstore_server kvstore_client kvstore_tool LABELS server)
endif()
