# What the formats and the code assume of the machine. The same is asserted in the sources.

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
    message(FATAL_ERROR "kvstore runs on Linux only (this is ${CMAKE_SYSTEM_NAME})")
endif()
if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
    message(FATAL_ERROR "kvstore needs a 64-bit machine (pointers here have ${CMAKE_SIZEOF_VOID_P} bytes)")
endif()
if(NOT CMAKE_C_BYTE_ORDER STREQUAL "LITTLE_ENDIAN")
    message(FATAL_ERROR "kvstore needs a little-endian machine (this one is ${CMAKE_C_BYTE_ORDER})")
endif()
if(NOT CMAKE_C_COMPILER_ID MATCHES "^(GNU|Clang)$")
    message(FATAL_ERROR "kvstore is built with gcc or clang (found ${CMAKE_C_COMPILER_ID})")
endif()
