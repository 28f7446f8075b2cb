kvs_test(NAME repair_log_survey SOURCES unit/repair_log_survey_test.c unit/wal_support.c ROOMS repair)
kvs_test(NAME repair_segment_salvage SOURCES unit/repair_segment_salvage_test.c ROOMS repair)
kvs_test(NAME repair_manifest_survey SOURCES unit/repair_manifest_survey_test.c ROOMS repair)
