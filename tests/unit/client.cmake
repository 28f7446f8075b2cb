kvs_test(NAME client_library SOURCES unit/client_library_test.c ROOMS client protocol LABELS unit
    DEFINITIONS KVSTORE_VERSION="${PROJECT_VERSION}" LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=realloc)
kvs_test(NAME client_cli SOURCES unit/client_cli_test.c ROOMS protocol LABELS unit PROGRAMS kvstore_client
    LIBRARIES util DEFINITIONS KVSTORE_VERSION="${PROJECT_VERSION}")
