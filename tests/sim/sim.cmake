# The simulator of the whole engine on crashing, failing and full disks, and its tests.
kvs_program(NAME kvstore_sim
    SOURCES
        sim/sim_caretaker.c sim/sim_check.c sim/sim_data.c sim/sim_draw.c sim/sim_ends.c sim/sim_exhaust.c
        sim/sim_look.c sim/sim_lost.c
        sim/sim_main.c sim/sim_model.c sim/sim_oracle.c sim/sim_reader.c sim/sim_report.c sim/sim_round.c sim/sim_scan.c
        sim/sim_shrink.c sim/sim_tap.c sim/sim_writer.c
    ROOMS db)
kvs_keep_zstd_contexts(kvstore_sim)

if(KVSTORE_SANITIZE)
    set(sim_rounds 300)
    set(sim_length 1)
else()
    set(sim_rounds 1000)
    set(sim_length 2)
endif()
kvs_test(NAME sim_short COMMAND $<TARGET_FILE:kvstore_sim> --seed 1 --rounds ${sim_rounds} --seconds 30
    PROGRAMS kvstore_sim LABELS sim)
kvs_test(NAME sim_determinism COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/sim/determinism_test.sh $<TARGET_FILE:kvstore_sim>
    PROGRAMS kvstore_sim LABELS sim)
if(NOT KVSTORE_SANITIZE MATCHES "thread") # one thread is all there is: rounds are enough there
    kvs_test(NAME sim_teeth COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/sim/teeth_test.sh $<TARGET_FILE:kvstore_sim>
        PROGRAMS kvstore_sim LABELS sim)
endif()
kvs_test(NAME sim_long COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/sim/long_test.sh $<TARGET_FILE:kvstore_sim>
    PROGRAMS kvstore_sim LABELS sim slow)
kvs_test(NAME sim_exhaustive COMMAND $<TARGET_FILE:kvstore_sim> --exhaustive ${sim_length} PROGRAMS kvstore_sim LABELS sim)
if(NOT KVSTORE_SANITIZE AND CMAKE_BUILD_TYPE STREQUAL "Release") # 15 s of processor time there
    kvs_test(NAME sim_exhaustive_again COMMAND $<TARGET_FILE:kvstore_sim> --exhaustive 1 --crash-again PROGRAMS kvstore_sim LABELS sim)
endif()
kvs_test(NAME sim_exhaustive_all COMMAND $<TARGET_FILE:kvstore_sim> --exhaustive 3 PROGRAMS kvstore_sim LABELS sim slow)
kvs_test(NAME sim_exhaustive_again_all COMMAND $<TARGET_FILE:kvstore_sim> --exhaustive 2 --crash-again PROGRAMS kvstore_sim LABELS sim slow)
