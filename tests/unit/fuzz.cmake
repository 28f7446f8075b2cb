kvs_test(NAME fuzz_seeds SOURCES unit/fuzz_seeds_test.c ROOMS version LABELS unit golden)
