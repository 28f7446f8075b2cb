#include "session/delete_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct kvs_slice KEYS[] = {{"a", 1}, {"b", 1}};

/* Two clients would both be told that they deleted the key. */
static void session_delete_gate_ticket_before_removal_is_refused(void **state)
{
    (void)state;
    struct delete_gate gate;
    delete_gate_init(&gate);
    uint64_t one = delete_gate_ticket(&gate, KEYS, 1), both = delete_gate_ticket(&gate, KEYS, 2);
    assert_true(delete_gate_enter(&gate, one, KEYS, 1));
    delete_gate_leave(&gate, true, KEYS, 1);
    assert_false(delete_gate_enter(&gate, one, KEYS, 1));
    assert_false(delete_gate_enter(&gate, both, KEYS, 2));
    assert_true(delete_gate_enter(&gate, delete_gate_ticket(&gate, KEYS, 2), KEYS, 2));
    delete_gate_leave(&gate, true, KEYS, 2);
    delete_gate_fini(&gate);
}

/* A removal that the engine did not admit must not make others, or itself, start over. */
static void session_delete_gate_without_removal_keeps_tickets(void **state)
{
    (void)state;
    struct delete_gate gate;
    delete_gate_init(&gate);
    uint64_t ticket = delete_gate_ticket(&gate, KEYS, 2);
    for (int i = 0; i < 3; i++) {
        assert_true(delete_gate_enter(&gate, ticket, KEYS, 2));
        delete_gate_leave(&gate, false, KEYS, 2);
    }
    delete_gate_fini(&gate);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(session_delete_gate_ticket_before_removal_is_refused),
        cmocka_unit_test(session_delete_gate_without_removal_keeps_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
