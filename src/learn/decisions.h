/* The agent's decisions as rollout takes them and PPO learns from them. */
#ifndef MN_DECISIONS_H
#define MN_DECISIONS_H

#include "base/base.h"

/* What PPO needs of the agent's decisions of one episode, in order. F inputs of the heads, M listed cells, V = M + 1.
 * Start from {.F, .M}. */
typedef struct mn_decisions {
    size_t n, cap, F, M;
    float *x;           /* [n,F] */
    int32_t *ids;       /* [n,M] */
    float *lp_cells;    /* [n,V] of the base */
    double *remaining;  /* [n] nats that were left; INFINITY where there is no budget */
    float *logit;       /* [n] of the share */
    float *offset;      /* [n] of the logit from the actor's output */
    int32_t *chosen;    /* [n] cell */
    float *lp_old;      /* [n] ln of the policy's probability of that cell */
    float *slope;       /* [n] mn_ppo_slope of what was chosen; 0 where there is no budget */
    float *nats;        /* [n] */
    float *lambda, *share; /* [n] */
    size_t *t;          /* [n] which token of the episode */
} mn_decisions;
/* Room for one more. MN_ERR_MEMORY leaves them as they were. */
MN_CHECKED mn_status mn_decisions_reserve(mn_decisions *decisions, mn_err *err);
void mn_decisions_free(mn_decisions *decisions);

#endif
