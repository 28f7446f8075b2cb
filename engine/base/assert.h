/* assert.h -- assertions for our own mistakes, on in every build.
 *
 * Role      KVS_ASSERT states what must hold whatever the input; never used on bytes from disk or network.
 * Failure   Prints the condition and its place to stderr and aborts.
 */
#ifndef KVS_BASE_ASSERT_H
#define KVS_BASE_ASSERT_H

_Noreturn void assert_failed(const char *condition, const char *file, int line);

#define KVS_ASSERT(condition) \
    (__builtin_expect(!(condition), 0) ? assert_failed(#condition, __FILE__, __LINE__) : (void)0)

#endif
