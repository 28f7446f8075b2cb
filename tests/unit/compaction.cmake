kvs_test(NAME compaction_pick SOURCES unit/compaction_pick_test.c ROOMS compaction LABELS unit)
kvs_test(NAME compaction_run SOURCES unit/compaction_run_test.c ROOMS compaction LABELS unit
    LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
