#include "bench/failure.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char text[FAILURE_TEXT_BYTES]; /* under mutex */
static atomic_bool is_set;

void failure_set(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&mutex);
    if (!atomic_load(&is_set)) {
        vsnprintf(text, sizeof text, format, arguments);
        atomic_store(&is_set, true);
    }
    pthread_mutex_unlock(&mutex);
    va_end(arguments);
}

bool failure_is_set(void)
{
    return atomic_load_explicit(&is_set, memory_order_relaxed);
}

const char *failure_text(void)
{
    return text;
}
