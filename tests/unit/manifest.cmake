kvs_test(NAME manifest_edit SOURCES unit/manifest_edit_test.c ROOMS format LABELS unit golden)
kvs_test(NAME manifest_file SOURCES unit/manifest_file_test.c ROOMS version LABELS unit golden)
