kvs_test(NAME format_file SOURCES unit/format_file_test.c ROOMS format LABELS unit golden)
kvs_test(NAME format_log SOURCES unit/format_log_test.c ROOMS format LABELS unit golden)
kvs_test(NAME format_ledger COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/unit/format_ledger_test.sh LABELS unit)
