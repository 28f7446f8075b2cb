# Fault loops: the Nth call of the disk, or the Nth allocation, fails, for every N.
kvs_program(NAME fault_io
    SOURCES fault/fault_io.c fault/fault_case.c fault/fault_history.c fault/fault_scenarios.c fault/fault_steps.c
    ROOMS db)
if(KVSTORE_SANITIZE OR NOT CMAKE_BUILD_TYPE STREQUAL "Release")
    set(fault_every 5)
else()
    set(fault_every 2)
endif()
kvs_test(NAME fault_io COMMAND $<TARGET_FILE:fault_io> --every ${fault_every} PROGRAMS fault_io LABELS sim)
kvs_test(NAME fault_io_all COMMAND $<TARGET_FILE:fault_io> --all --table PROGRAMS fault_io LABELS sim slow)
