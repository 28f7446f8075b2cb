kvs_test(NAME memtable SOURCES unit/memtable_test.c ROOMS memtable LABELS unit)
kvs_test(NAME memtable_model SOURCES unit/memtable_model_test.c ROOMS memtable LABELS unit)
kvs_test(NAME memtable_threads SOURCES unit/memtable_threads_test.c ROOMS memtable LABELS unit)
