# Damaged databases: each change of a file is followed by opening and reading everything.
if(KVSTORE_SANITIZE MATCHES "thread")
    set(damage_stride 397) # each open starts threads, which cost its runtime most
    set(repair_every 7)
elseif(KVSTORE_SANITIZE)
    set(damage_stride 11)
    set(repair_every 3)
else()
    set(damage_stride 1)
    set(repair_every 1)
endif()
kvs_test(NAME damage_small
    SOURCES damage/small_test.c damage/damage.c damage/oracle.c
    ROOMS db DEFINITIONS KVS_DAMAGE_STRIDE=${damage_stride} TIMEOUT 300)
kvs_test(NAME damage_exchange SOURCES damage/exchange_test.c damage/damage.c damage/oracle.c ROOMS db)
kvs_test(NAME damage_rules SOURCES damage/rules_test.c damage/damage.c damage/oracle.c ROOMS db)
kvs_test(NAME damage_repair SOURCES damage/repair_test.c damage/damage.c
    ROOMS db repair DEFINITIONS KVS_DAMAGE_STRIDE=${damage_stride} TIMEOUT 300)
kvs_test(NAME damage_repair_memory SOURCES damage/repair_memory_test.c damage/damage.c
    ROOMS db repair DEFINITIONS KVS_REPAIR_EVERY=${repair_every} TIMEOUT 300)
kvs_fail_allocations(test_damage_repair_memory)
kvs_test(NAME damage_large SOURCES damage/large_test.c ROOMS db repair TIMEOUT 300)
kvs_test(NAME damage_large_long
    COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/damage/long_test.sh $<TARGET_FILE:test_damage_large> LABELS slow)
