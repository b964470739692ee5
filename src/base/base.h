/* What every layer shares: forwarding of errors, checked sizes. Private to the library. */
#ifndef MN_BASE_H
#define MN_BASE_H

#include <stdlib.h>

#include "mightnt.h"

/* Forwards a failure to the caller. */
#define MN_TRY(call)                               \
    do {                                           \
        mn_status try_status_ = (call);            \
        if (try_status_ != MN_OK) return try_status_; \
    } while (0)

/* Purposes of the library's own random streams (mn_rng_split). */
enum {
    MN_STREAM_TOKEN = 1,   /* the symbols of an episode, one draw a sampled symbol */
    MN_STREAM_OPENING = 2, /* which transcript opens an episode */
    MN_STREAM_INIT = 3,    /* initial weights of the heads */
    MN_STREAM_SHUFFLE = 4, /* order of the samples in an update */
    MN_STREAM_PROJECT = 5, /* random projections of features */
    MN_STREAM_DEMONSTRATION = 7, /* the symbols of a drawn demonstration */
    MN_STREAM_SENTENCE = 8, /* which sentence says a move */
    MN_STREAM_USER = 1000
};

/* First i with p[0] + ... + p[i] > u sum p: never one of probability 0. p: [n]; u in [0,1). mn_sample of probabilities. */
size_t mn_draw(const double *p, size_t n, double u);

/* a * b, or false on overflow: sizes are checked before they are multiplied. */
static inline bool mn_mul_size(size_t *out, size_t a, size_t b)
{
    return !__builtin_mul_overflow(a, b, out);
}

/* calloc with a checked product; never returns NULL for 0 elements. Zeroed. */
static inline void *mn_alloc(size_t n, size_t size)
{
    return calloc(n ? n : 1, size);
}

#define MN_ALLOC_OR_FAIL(ptr, n, err)                                                                  \
    do {                                                                                               \
        (ptr) = mn_alloc((n), sizeof *(ptr));                                                          \
        if (!(ptr)) return mn_fail((err), MN_ERR_MEMORY, "out of memory (%zu x %zu bytes)", (size_t)(n), sizeof *(ptr)); \
    } while (0)

#endif
