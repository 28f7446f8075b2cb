kvs_test(NAME filter SOURCES unit/filter_test.c ROOMS filter LABELS unit golden)
