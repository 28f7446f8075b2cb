# Fault loops: the Nth call of the disk, or the Nth allocation, fails, for every N.
set(fault_sources fault/fault_case.c fault/fault_history.c fault/fault_scenarios.c fault/fault_steps.c)
kvs_program(NAME fault_io SOURCES fault/fault_io.c ${fault_sources} ROOMS db)
kvs_program(NAME fault_memory SOURCES fault/fault_memory.c ${fault_sources} ROOMS db)
kvs_fail_allocations(fault_memory)

# The usual form takes one of so many cases; the long one takes them all.
set(fault_every 5)
set(fault_memory_every 20)
if(KVSTORE_SANITIZE MATCHES "thread")
    set(fault_every 300) # one thread, whose switches between fibers cost its runtime most
    set(fault_memory_every 100)
elseif(KVSTORE_SANITIZE)
    set(fault_every 15)
    set(fault_memory_every 100)
elseif(NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    set(fault_memory_every 40)
endif()
kvs_test(NAME fault_io COMMAND $<TARGET_FILE:fault_io> --every ${fault_every} PROGRAMS fault_io LABELS sim)
kvs_test(NAME fault_io_all COMMAND $<TARGET_FILE:fault_io> --all --table PROGRAMS fault_io LABELS sim slow)
kvs_test(NAME fault_memory COMMAND $<TARGET_FILE:fault_memory> --every ${fault_memory_every} PROGRAMS fault_memory LABELS sim)
kvs_test(NAME fault_memory_all COMMAND $<TARGET_FILE:fault_memory> PROGRAMS fault_memory LABELS sim slow)
kvs_test(NAME fault_rescue SOURCES fault/fault_rescue_test.c ROOMS db)
kvs_test(NAME fault_full_disk SOURCES fault/fault_full_disk_test.c ROOMS db)
