/* rcu.h -- read-side sections and grace periods (liburcu, flavour bp: callers need not register their threads).
 *
 * Role      The one place that touches liburcu. A reader between rcu_enter and rcu_leave may use what it found through rcu-published
 *           pointers; who unpublished something waits rcu_wait before letting go of it.
 * Threads   Sections nest, never block, never contain I/O and never outlive a call. rcu_wait must not be called inside one.
 *           Not usable in a forked child.
 * Tools     ThreadSanitizer is told of the order that a grace period gives, so that no suppression file is needed.
 */
#ifndef KVS_BASE_RCU_H
#define KVS_BASE_RCU_H

/* Sections are compiled into their callers, save for tools: liburcu's reader records are not aligned as its header says. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang_analyzer__)
#define RCU_OUT_OF_LINE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define RCU_OUT_OF_LINE 1
#endif
#endif
#ifndef RCU_OUT_OF_LINE
#define _LGPL_SOURCE
#endif
#include <urcu-bp.h>

#if defined(__SANITIZE_THREAD__)
#define RCU_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RCU_TSAN 1
#endif
#endif

#ifdef RCU_TSAN
void __tsan_acquire(void *address);
void __tsan_release(void *address);
extern char rcu_tsan_grace;
#endif

static inline void rcu_enter(void)
{
    urcu_bp_read_lock();
}

static inline void rcu_leave(void)
{
#ifdef RCU_TSAN
    __tsan_release(&rcu_tsan_grace);
#endif
    urcu_bp_read_unlock();
}

/* Wait until every section that was open at the call has been left. Microseconds to milliseconds. */
void rcu_wait(void);

#endif
