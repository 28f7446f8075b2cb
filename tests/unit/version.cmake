kvs_test(NAME version SOURCES unit/version_test.c ROOMS version LABELS unit)
kvs_test(NAME version_set SOURCES unit/version_set_test.c ROOMS version LABELS unit)
kvs_fail_allocations(test_version_set OWN)
kvs_test(NAME version_threads SOURCES unit/version_threads_test.c ROOMS version LABELS unit)
