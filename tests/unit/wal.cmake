kvs_test(NAME wal_writer SOURCES unit/wal_writer_test.c unit/wal_support.c ROOMS wal LABELS unit)
kvs_test(NAME wal_replay SOURCES unit/wal_replay_test.c unit/wal_support.c ROOMS wal LABELS unit)
kvs_test(NAME wal_unproven SOURCES unit/wal_unproven_test.c unit/wal_support.c ROOMS wal LABELS unit)
kvs_test(NAME wal_damage SOURCES unit/wal_damage_test.c unit/wal_support.c ROOMS wal LABELS unit
    LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
kvs_test(NAME wal_model SOURCES unit/wal_model_test.c unit/wal_support.c ROOMS wal LABELS unit)
kvs_test(NAME wal_corpus SOURCES unit/wal_corpus_test.c unit/wal_support.c ROOMS wal LABELS unit golden)
