kvs_fuzz_target(NAME log_replay SOURCES log_replay_fuzz.c ROOMS wal)
