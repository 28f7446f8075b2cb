kvs_test(NAME block SOURCES unit/block_test.c ROOMS block LABELS unit golden)
