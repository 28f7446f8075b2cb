/* io_machine.h -- what the engine asks about the machine itself. */
#ifndef KVS_IO_IO_MACHINE_H
#define KVS_IO_IO_MACHINE_H

#include <stdint.h>

/* Memory that this process may use, bytes: the machine's, or the limit of its control group where that is smaller. 0 if it cannot be told. */
uint64_t io_machine_memory_bytes(void);

#endif
