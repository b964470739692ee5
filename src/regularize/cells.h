/* A row over a large vocabulary as M listed symbols and one cell for the rest: what the policy can tell apart. Within the rest
 * the policy follows the base, so by the chain rule the KL over the M + 1 cells is that over the whole vocabulary. */
#ifndef MN_CELLS_H
#define MN_CELLS_H

#include "base/base.h"

/* Lists all of `always` (rising, no two equal, n_always <= M) and the likeliest others, M <= A in all, ids rising; among
 * equals the lowest ids. lp: [A], normalised (its sum is kept as it is). lp_cells: [M+1], last the rest, summed over the rest
 * itself so that it is accurate however small; -INFINITY where M = A. MN_ERR_NUM on NaN. One exp an entry and about three
 * passes; the same bits on any processor. No allocation. */
MN_CHECKED mn_status mn_cells_select(int32_t *ids /* [M] */, double *lp_cells /* [M+1] */, const double *lp, size_t A, size_t M,
                                     const int32_t *always, size_t n_always, mn_err *err);

typedef struct mn_sampled {
    int32_t id, cell;         /* the symbol, and which of the M + 1 cells it is in */
    double lp_policy, lp_base; /* of the symbol */
} mn_sampled;

/* A symbol drawn from the policy over the cells: u in [0,1) chooses the cell, v in [0,1) the symbol where that is the rest.
 * lp_policy, lp_cells: [M+1]; ids: [M] rising; lp: [A]. Never a symbol of probability 0. O(M), O(A) for the rest. */
void mn_cells_sample(mn_sampled *out, const double *lp_policy, const double *lp_cells, const int32_t *ids, size_t M,
                     const double *lp, size_t A, double u, double v);
/* The same for a given symbol, to the same bits. O(log M). */
void mn_cells_find(mn_sampled *out, int32_t id, const double *lp_policy, const double *lp_cells, const int32_t *ids, size_t M,
                   const double *lp);

#endif
