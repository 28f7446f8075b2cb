/* sim_tap.h -- an io that passes every call on and reads along what is written to logs.
 *
 * Role      Tells the oracle each batch with its sequence number before it can be anywhere else than in memory, and so the commit order.
 * Threads   Those of the io below.
 * Failure   A write to a log that is not whole records, or a record that is nobody's batch, fails the round.
 */
#ifndef KVS_TESTS_SIM_SIM_TAP_H
#define KVS_TESTS_SIM_SIM_TAP_H

#include "io/io.h"

struct sim;
struct sim_tap;

/* Wrap inner, which is borrowed. The caller frees it when its files and locks are closed. */
struct sim_tap *sim_tap_new(struct sim *sim, struct io *inner);
void sim_tap_free(struct sim_tap *tap);

struct io *sim_tap_as_io(struct sim_tap *tap);

#endif
