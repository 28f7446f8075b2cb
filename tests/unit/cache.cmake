kvs_test(NAME cache SOURCES unit/cache_test.c ROOMS cache LABELS unit)
