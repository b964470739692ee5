/* Strings to numbers 0, 1, 2, ... in the order they were added. */
#ifndef MN_DICTIONARY_H
#define MN_DICTIONARY_H

#include "base/buf.h"

#define MN_ABSENT SIZE_MAX

typedef struct mn_dictionary_key {
    size_t at, len; /* in keys */
    uint32_t hash;
} mn_dictionary_key;

/* Start from {0}. Once filled, any number of threads may look things up. */
typedef struct mn_dictionary {
    mn_buf keys;
    mn_dictionary_key *items; /* [n] */
    uint32_t *slots;          /* [n_slots] item + 1, 0: free. Open addressing, a power of two, at most half full */
    size_t n, n_slots;
} mn_dictionary;

/* *index: the number of the key, which is added if it is new. Amortised O(len). MN_ERR_MEMORY leaves it as it was. */
MN_CHECKED mn_status mn_dictionary_add(mn_dictionary *dictionary, size_t *index, const char *key, size_t len);
/* The number of the key, MN_ABSENT if there is none. O(len). */
size_t mn_dictionary_find(const mn_dictionary *dictionary, const char *key, size_t len);
void mn_dictionary_free(mn_dictionary *dictionary);

#endif
