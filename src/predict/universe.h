/* All programs up to a length, each behaviour once. Private to the library. */
#ifndef MN_UNIVERSE_H
#define MN_UNIVERSE_H

#include "predict/diagram.h"

/* Behaviours (diagrams), or events, and how many programs of one length have each. */
typedef struct mn_census {
    size_t n, room;
    uint32_t *node;  /* [n] */
    uint64_t *count; /* [n] */
} mn_census;

typedef struct mn_universe {
    size_t bits; /* the longest program; of one program its price */
    mn_diagrams d;
    size_t n;
    uint32_t *root;    /* [n] behaviours, in the order of their shortest programs */
    double *weight;    /* [n] sum of 2^-length over their programs: exact */
    uint8_t *shortest; /* [n] bits of the shortest program */
    uint64_t programs;
    mn_census *events /* [bits + 1] by length */, *policies /* [bits + 1] */;
} mn_universe;

enum { MN_UNIVERSE_BITS = 40 };

/* Counts by length, smaller parts first, so that no program is looked at by itself: O(distinct combinations). bits:
 * 1..MN_UNIVERSE_BITS. MN_ERR_LIMIT, MN_ERR_MEMORY; close it also after a failure. */
MN_CHECKED mn_status mn_universe_open(mn_universe *u, size_t A, size_t bits, mn_err *err);
/* Only the events, up to `bits`: then n is 0. */
MN_CHECKED mn_status mn_universe_events(mn_universe *u, size_t A, size_t bits, mn_err *err);
/* One program by itself. */
MN_CHECKED mn_status mn_universe_of(mn_universe *u, const mn_terms *terms, mn_err *err);
void mn_universe_close(mn_universe *u);

#endif
