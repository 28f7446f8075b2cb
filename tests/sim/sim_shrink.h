/* sim_shrink.h -- making a failing round small: fewer kinds of users, fewer generations, and of their operations only those without which it does not fail.
 *
 * Role      Each operation draws from a seed of its own, so one can be left out without changing what the others are; each try is a process of its own.
 * Threads   One, between rounds; sim_shrink_skips inside them.
 */
#ifndef KVS_TESTS_SIM_SIM_SHRINK_H
#define KVS_TESTS_SIM_SIM_SHRINK_H

#include <stdbool.h>
#include <stdint.h>

struct sim_config;
struct sim_user;

/* Find a small run of config->seed that fails, and run it, which prints it. Returns the exit status: 1, or 0 if the seed does not fail. */
int sim_shrink(struct sim_config *config);

/* Whether an operation of a user is left out in this run. */
bool sim_shrink_skips(const struct sim_user *user, uint64_t operation);

#endif
