kvs_test(NAME segment SOURCES unit/segment_test.c ROOMS segment LABELS unit golden)
kvs_test(NAME segment_allocation SOURCES unit/segment_allocation_test.c ROOMS segment LABELS unit)
kvs_fail_allocations(test_segment_allocation OWN)
kvs_test(NAME segment_threads SOURCES unit/segment_threads_test.c ROOMS segment LABELS unit)
