#include "base/rcu.h"

#ifdef RCU_TSAN
char rcu_tsan_grace;
#endif

void rcu_wait(void)
{
    urcu_bp_synchronize_rcu();
#ifdef RCU_TSAN
    __tsan_acquire(&rcu_tsan_grace);
#endif
}
