kvs_test(NAME io_posix SOURCES unit/io_posix_test.c ROOMS io
    LINK_OPTIONS -Wl,--wrap=pread,--wrap=pwrite,--wrap=fdatasync,--wrap=fallocate)
kvs_test(NAME io_thread SOURCES unit/io_thread_test.c ROOMS io)
kvs_test(NAME io_fiber SOURCES unit/io_fiber_test.c ROOMS io)
kvs_test(NAME io_mem SOURCES unit/io_mem_test.c ROOMS io)
kvs_test(NAME io_mem_cut SOURCES unit/io_mem_cut_test.c ROOMS io)
kvs_test(NAME io_fault SOURCES unit/io_fault_test.c ROOMS io)
kvs_test(NAME io_trace SOURCES unit/io_trace_test.c ROOMS io)
kvs_test(NAME io_memory SOURCES unit/io_memory_test.c ROOMS io
    LINK_OPTIONS -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup)
