kvs_test(NAME protocol_byte_buffer SOURCES unit/protocol_byte_buffer_test.c ROOMS protocol LABELS unit
    LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=realloc)
kvs_test(NAME protocol_quote SOURCES unit/protocol_quote_test.c ROOMS protocol LABELS unit)
kvs_test(NAME protocol_request SOURCES unit/protocol_request_test.c ROOMS protocol LABELS unit
    LINK_OPTIONS -Wl,--wrap=realloc)
kvs_test(NAME protocol_reply SOURCES unit/protocol_reply_test.c ROOMS protocol LABELS unit
    LINK_OPTIONS -Wl,--wrap=malloc -Wl,--wrap=realloc)
kvs_test(NAME protocol_reply_reader SOURCES unit/protocol_reply_reader_test.c ROOMS protocol LABELS unit
    LINK_OPTIONS -Wl,--wrap=realloc)
