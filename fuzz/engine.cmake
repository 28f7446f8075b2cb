set(here ${CMAKE_CURRENT_LIST_DIR})
set(block ${here}/block_mend.c ${here}/block_plain.c)

kvs_fuzz_target(NAME block SOURCES ${here}/block_fuzz.c ${block} ROOMS block MENDS)
kvs_fuzz_target(NAME filter SOURCES ${here}/filter_fuzz.c ROOMS filter)
kvs_fuzz_target(NAME format SOURCES ${here}/format_fuzz.c ROOMS format MENDS)
kvs_fuzz_target(NAME log_replay SOURCES ${here}/log_replay_fuzz.c ROOMS wal)
kvs_fuzz_target(NAME segment SOURCES ${here}/segment_fuzz.c ${here}/segment_make.c ${here}/segment_mend.c ${block}
    ROOMS segment MENDS)
kvs_fuzz_target(NAME manifest SOURCES ${here}/manifest_fuzz.c ${here}/manifest_plain.c ROOMS version MENDS)
kvs_fuzz_target(NAME log_round_trip SOURCES ${here}/log_round_trip_fuzz.c ROOMS wal)
kvs_fuzz_target(NAME stateful SOURCES ${here}/stateful_fuzz.c ${here}/stateful_model.c ROOMS db)
