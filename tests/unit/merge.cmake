kvs_test(NAME merge_iterator SOURCES unit/merge_iterator_test.c ROOMS merge LABELS unit)
kvs_test(NAME merge_visible SOURCES unit/merge_visible_test.c ROOMS merge LABELS unit)
kvs_test(NAME merge_retention SOURCES unit/merge_retention_test.c ROOMS merge LABELS unit)
