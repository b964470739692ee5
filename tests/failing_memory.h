/* Allocations that fail on demand. tests/CMakeLists.txt routes those of a test that includes this through these functions. */
#ifndef MN_FAILING_MEMORY_H
#define MN_FAILING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static size_t until_failure = SIZE_MAX; /* so many succeed, the next one fails, and all after it; SIZE_MAX: all succeed */
static bool denied;                     /* one has failed */

static bool granted(void)
{
    if (until_failure == SIZE_MAX) return true;
    denied |= !until_failure;
    return until_failure && until_failure--;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_reallocarray(void *old, size_t n, size_t size);
char *__real_strdup(const char *text);
char *__real_strndup(const char *text, size_t n);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_reallocarray(void *old, size_t n, size_t size);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t n);

void *__wrap_malloc(size_t size)
{
    return granted() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t n, size_t size)
{
    return granted() ? __real_calloc(n, size) : NULL;
}

void *__wrap_realloc(void *old, size_t size)
{
    return granted() ? __real_realloc(old, size) : NULL;
}

void *__wrap_reallocarray(void *old, size_t n, size_t size)
{
    return granted() ? __real_reallocarray(old, n, size) : NULL;
}

char *__wrap_strdup(const char *text)
{
    return granted() ? __real_strdup(text) : NULL;
}

char *__wrap_strndup(const char *text, size_t n)
{
    return granted() ? __real_strndup(text, n) : NULL;
}

#endif
