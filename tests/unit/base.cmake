kvs_test(NAME base_status SOURCES unit/base_status_test.c ROOMS base)
kvs_test(NAME base_coding SOURCES unit/base_coding_test.c ROOMS base)
kvs_test(NAME base_key SOURCES unit/base_key_test.c ROOMS base)
kvs_test(NAME base_arena SOURCES unit/base_arena_test.c ROOMS base)
