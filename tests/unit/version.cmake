kvs_test(NAME version SOURCES unit/version_test.c ROOMS version LABELS unit)
kvs_test(NAME version_set SOURCES unit/version_set_test.c ROOMS version LABELS unit
    LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=calloc -Wl,--wrap=realloc)
kvs_test(NAME version_threads SOURCES unit/version_threads_test.c ROOMS version LABELS unit)
