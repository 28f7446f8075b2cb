# The planted bugs are run by ./dev planted; here, that each still applies to the engine as it is.
kvs_test(NAME planted_apply COMMAND bash ${CMAKE_CURRENT_SOURCE_DIR}/planted/run.sh --check LABELS sim)
