#include "base_test_support.h"

#include "base/assert.h"
#include "base/status.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* A full disk would be treated as a broken one, and the other way round. */
static void status_errno_maps_to_code(void **state)
{
    (void)state;
    assert_int_equal(status_code_of_errno(ENOSPC), KVS_NO_SPACE);
    assert_int_equal(status_code_of_errno(EDQUOT), KVS_NO_SPACE);
    assert_int_equal(status_code_of_errno(ENOMEM), KVS_NO_MEMORY);
    assert_int_equal(status_code_of_errno(ENOENT), KVS_NOT_FOUND);
    assert_int_equal(status_code_of_errno(EIO), KVS_IO);
    assert_int_equal(status_code_of_errno(EEXIST), KVS_IO);
}

/* An error would not say which file it met, or where in the source it was born. */
static void status_text_has_sentence_and_birth(void **state)
{
    (void)state;
    errno = EAGAIN;
    struct kvs_status status = STATUS_ERRNO(EIO, "cannot read %d bytes of %s", 7, "a.log");
    assert_int_equal(errno, EAGAIN);
    assert_int_equal(status.code, KVS_IO);
    assert_int_equal(status.sys_errno, EIO);
    assert_string_equal(status_text(status), "cannot read 7 bytes of a.log: Input/output error");
    assert_non_null(strstr(status.file, "base_status_test.c"));
    assert_true(status.line > 0);
    status = STATUS(KVS_CORRUPT, "bad");
    assert_string_equal(status_text(status), "bad");
    assert_int_equal(status.sys_errno, 0);
}

/* The sentence of another error would be shown for this one. */
static void status_text_after_later_failure_is_code_name(void **state)
{
    (void)state;
    struct kvs_status first = STATUS(KVS_BUSY, "first");
    struct kvs_status second = STATUS(KVS_LOCKED, "second");
    assert_string_equal(status_text(first), "BUSY");
    assert_string_equal(status_text(second), "second");
    assert_string_equal(status_text(status_ok()), "OK");
}

/* The sentence of an error that was met on the way to another would be garbled in it. */
static void status_sentence_holds_the_one_before(void **state)
{
    (void)state;
    struct kvs_status first = STATUS_ERRNO(ENOSPC, "cannot write a.seg");
    struct kvs_status second = STATUS(KVS_NO_SPACE, "the flush has to wait: %s", status_text(first));
    assert_string_equal(status_text(second), "the flush has to wait: cannot write a.seg: No space left on device");
}

static void *fail_elsewhere(void *argument)
{
    struct kvs_status *status = argument;
    *status = STATUS(KVS_POISONED, "elsewhere");
    return NULL;
}

/* A failure on one thread would change the sentence of another's; a saved one could not be shown later. */
static void status_sentence_is_of_its_thread_and_can_be_saved(void **state)
{
    (void)state;
    char saved[STATUS_TEXT_BYTES];
    pthread_t thread;
    struct kvs_status other, mine = STATUS(KVS_INVALID, "mine");
    assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_string_equal(status_text(mine), "mine");
    assert_string_equal(status_text(other), "POISONED");
    status_save_text(mine, saved);
    other = STATUS(KVS_BUSY, "later");
    assert_string_equal(status_text(mine), "INVALID");
    mine = status_restore_text(mine, saved);
    assert_string_equal(status_text(mine), "mine");
}

/* A long path would overrun the buffer of the sentence. */
static void status_long_sentence_is_cut(void **state)
{
    (void)state;
    char path[2 * STATUS_TEXT_BYTES];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct kvs_status status = STATUS_ERRNO(EIO, "cannot read %s", path);
    assert_int_equal(strlen(status_text(status)), STATUS_TEXT_BYTES - 1);
}

/* A code would be printed as a number, or as another one. */
static void status_every_code_has_its_name(void **state)
{
    (void)state;
    for (int code = 0; code < KVS_CODE_COUNT; code++) {
        for (int other = 0; other < code; other++)
            assert_string_not_equal(status_code_name((enum kvs_code)code), status_code_name((enum kvs_code)other));
    }
    assert_string_equal(status_code_name(KVS_CORRUPT), "CORRUPT");
    assert_string_equal(status_code_name((enum kvs_code)99), "?");
}

/* A broken invariant would be run past, or not say which it was. */
static void assert_failure_names_condition_and_aborts(void **state)
{
    (void)state;
    int said[2], status;
    char text[256] = "";
    assert_int_equal(pipe(said), 0);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(said[1], STDERR_FILENO);
        KVS_ASSERT(said[0] < 0);
        _exit(0);
    }
    close(said[1]);
    assert_true(read(said[0], text, sizeof text - 1) > 0);
    close(said[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "said[0] < 0"));
    assert_non_null(strstr(text, "base_status_test.c"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(status_errno_maps_to_code),
        cmocka_unit_test(status_text_has_sentence_and_birth),
        cmocka_unit_test(status_text_after_later_failure_is_code_name),
        cmocka_unit_test(status_sentence_holds_the_one_before),
        cmocka_unit_test(status_sentence_is_of_its_thread_and_can_be_saved),
        cmocka_unit_test(status_long_sentence_is_cut),
        cmocka_unit_test(status_every_code_has_its_name),
        cmocka_unit_test(assert_failure_names_condition_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
