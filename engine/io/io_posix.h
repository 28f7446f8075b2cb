/* io_posix.h -- the real operating system behind the io seam. */
#ifndef KVS_IO_IO_POSIX_H
#define KVS_IO_IO_POSIX_H

#include "io/io.h"

/* The process's one posix implementation: stateless, never freed. */
struct io *io_posix(void);

#endif
