/* Trees as members of a session: the k likeliest ones of the model, weighed with what the session has learnt. Private to
 * src/predict. */
#ifndef MN_BCT_MEMBERS_H
#define MN_BCT_MEMBERS_H

#include "predict/bct.h"

typedef struct mn_bct_members {
    size_t n;
    mn_tree *trees;     /* [n] */
    size_t **offsets;   /* [n] where their leaves' contexts begin */
    double *lp_weights; /* [n], scratch as what follows */
    size_t *order;      /* [n] */
    uint64_t *counts;   /* [A] */
} mn_bct_members;

/* Of a model that learns no more: its `members` likeliest trees, none for 0. Free it also after a failure. Cost as
 * mn_bct_best. */
MN_CHECKED mn_status mn_bct_members_open(mn_bct_members *out, const mn_bct *bct, mn_err *err);
void mn_bct_members_free(mn_bct_members *members);

/* As mn_session_floors, in the context [length]; own: what a session has learnt beside the model, NULL: nothing. A tree's
 * weight is ln of its posterior given the model's data and the session's (so the weights sum to 1 or less); it says
 * Dirichlet(1/2) at its leaf, or at the deepest context there is where that is above the leaf, or the credible floor of
 * that. O(members (nodes of own + D log leaves + A)). */
void mn_bct_members_say(mn_bct_members *members, const mn_bct *bct, const mn_bct_store *own, const int32_t *context,
                        size_t length, double leaf_alpha, double *lp_weights, double *lp, size_t cap, size_t *n);

#endif
