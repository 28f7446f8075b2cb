kvs_test(NAME compaction_pick SOURCES unit/compaction_pick_test.c ROOMS compaction LABELS unit)
kvs_test(NAME compaction_run SOURCES unit/compaction_run_test.c ROOMS compaction LABELS unit)
kvs_fail_allocations(test_compaction_run OWN)
