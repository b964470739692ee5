/* Proximal policy optimisation of the heads (Schulman et al. 2017) through a regulariser. */
#ifndef MN_PPO_H
#define MN_PPO_H

#include "learn/heads.h"

/* Decisions to learn from. F inputs of the heads, M listed symbols, V = M + 1 cells. All arrays in one allocation each, owned. */
typedef struct mn_ppo_samples {
    size_t N, F, M;
    float *x;          /* [N,F] */
    int32_t *ids;      /* [N,M] listed symbols, rising in a row */
    float *lp_cells;   /* [N,V] of the base, the rest last */
    double *limit;     /* [N] nats the decision could spend: share * what remained; INFINITY where there is no budget */
    float *logit;      /* [N] of the share, as it was drawn */
    float *offset;     /* [N] of its mean */
    int32_t *chosen;   /* [N] cell */
    float *lp_old;     /* [N] ln of the probability that the policy gave the cell when it was chosen, plus mn_share_lp of the logit
                        * where there is a budget */
    float *advantage;  /* [N] */
    float *target;     /* [N] of the critic */
} mn_ppo_samples;
/* MN_ERR_LIMIT on sizes whose products overflow, MN_ERR_MEMORY; nothing is left to free then. */
MN_CHECKED mn_status mn_ppo_samples_new(mn_ppo_samples *samples, size_t N, size_t F, size_t M, mn_err *err);
void mn_ppo_samples_free(mn_ppo_samples *samples);

typedef struct mn_ppo_opts {
    mn_reg_kind kind;
    double limit;             /* tvd and chi2: of every decision */
    const float *embeddings;  /* [A,E], E = O - 2; NULL: u is a score a symbol, E = A */
    double clip;              /* of the probability ratio: 1 - clip .. 1 + clip */
    size_t epochs, minibatch;
    double learning_rate;
    double value_coefficient;
    double share_deviation;   /* of the logits that were drawn; > 0 where the kind is budget */
    double kl_coefficient;    /* times KL(policy || base) of each decision, in the loss */
    double max_grad_norm;     /* gradients are scaled down to this norm; 0 or INFINITY: never */
    bool normalise_advantage; /* over all samples: mean 0, deviation 1 */
    size_t threads;           /* never changes what comes out */
} mn_ppo_opts;

/* Means over all epochs and samples, if nothing else is said. */
typedef struct mn_ppo_stats {
    double policy_loss;        /* clipped surrogate */
    double value_loss;         /* (value - target)^2 / 2, without its coefficient */
    double clip_fraction;      /* of ratios outside the clip range */
    double approx_kl;          /* of old to new policy: mean of r - 1 - ln r */
    double nats, lambda;       /* of the new policies: KL to the base, and how far they tilt */
    double grad_norm;          /* before it is cut; mean over Adam steps */
    double explained_variance; /* 1 - Var(target - value)/Var(target) in the first epoch; 0 where targets do not vary */
} mn_ppo_stats;

/* epochs times over the samples in minibatches shuffled by rng (the last of an epoch may be smaller), one Adam step each, for the
 * mean over a minibatch of
 *     -min(r a, clip(r, 1 - clip, 1 + clip) a) + value_coefficient (v - target)^2/2 + kl_coefficient KL,  r = exp(lp - lp_old),
 * with the policy lp by mn_regularize over the cells; where the kind is budget and the limit finite, mn_share_lp of the drawn logit
 * belongs to lp. Gradients go through the operator into the scores. The same bits for any number of threads. N >= 1, epochs >= 1,
 * minibatch >= 1; ids and cells in range.
 * Penalty and none work in float (their policy is a plain softmax), the others in double; the float base is normalised first.
 * MN_ERR_NUM when a loss or gradient is not finite (heads and adam are then spoilt), MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_ppo_update(mn_ppo_stats *stats, mn_heads *heads, mn_adam *adam, const mn_ppo_samples *samples, const mn_ppo_opts *opts,
                                   mn_rng *rng, mn_err *err);

/* Generalised advantage estimates of one episode's n decisions, and the critic's targets (Schulman et al. 2016, eq. 16):
 * advantage_t = d_t + gamma lambda advantage_(t+1), d_t = reward_t + gamma value_(t+1) - value_t, value_n = 0; target = advantage + value. */
void mn_gae(double *advantage, double *target, const double *rewards, const double *values, size_t n, double gamma, double lambda);

#endif
