/* Names of symbols and their ids. Private to src/predict. */
#ifndef MN_NAMES_H
#define MN_NAMES_H

#include "base/buf.h"

enum { MN_NAMES_MOST = 65536 };

/* Start from {0}. Not changed by finding. */
typedef struct mn_names {
    mn_buf text;     /* the names end to end, a NUL after each */
    size_t *at;      /* [n + 1] where each begins in text */
    uint32_t *slots; /* [n_slots] id + 1 by hash, open addressing; 0: free. n_slots a power of two, at least 2n */
    size_t n, cap, n_slots;
} mn_names;

/* The id of a name, -1 where it has none. O(len). */
int32_t mn_names_find(const mn_names *names, const char *text, size_t len);
/* Adds a name that is not there, with the next id; text without NUL, n < MN_NAMES_MOST. MN_ERR_MEMORY, names as they were. */
MN_CHECKED mn_status mn_names_add(mn_names *names, const char *text, size_t len);
/* Numbers the names anew in byte order. MN_ERR_MEMORY, names as they were. */
MN_CHECKED mn_status mn_names_sort(mn_names *names);
void mn_names_free(mn_names *names);

static inline const char *mn_names_get(const mn_names *names, int32_t id)
{
    return names->text.data + names->at[id];
}

#endif
