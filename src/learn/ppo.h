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
    double *remaining; /* [N] nats that were left, of which the decision could spend its share; INFINITY where there is no budget */
    float *logit;      /* [N] of the share as it was */
    float *offset;     /* [N] of the logit from the actor's output */
    float *price;      /* [N] of a nat: by how much one nat less lowers the value of what follows */
    int32_t *chosen;   /* [N] cell */
    float *lp_old;     /* [N] ln of the probability that the policy gave the cell when it was chosen */
    float *advantage;  /* [N] */
    float *target;     /* [N,MN_ESTIMATES] of the critic */
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
 *     -min(r a, clip(r, 1 - clip, 1 + clip) a) + value_coefficient sum (estimate - target)^2/2 + kl_coefficient KL,  r = exp(lp - lp_old),
 * with the policy lp by mn_regularize over the cells, and gradients through the operator into the scores. Where the kind is budget and
 * what remains finite, the limit b = share * remaining has the gradient dloss/dlp mn_ppo_slope + price, prices being measured like
 * advantages: a nat is spent where it brings more than it would later; a share whose logit has moved by more than clip is not pushed
 * further. The same bits for any number of threads. N >= 1, epochs >= 1,
 * minibatch >= 1; ids and cells in range.
 * Penalty and none work in float (their policy is a plain softmax), the others in double; the float base is normalised first.
 * MN_ERR_NUM when a loss or gradient is not finite (heads and adam are then spoilt), MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_ppo_update(mn_ppo_stats *stats, mn_heads *heads, mn_adam *adam, const mn_ppo_samples *samples, const mn_ppo_opts *opts,
                                   mn_rng *rng, mn_err *err);

/* d ln policy[cell] / db of a decision that tilts by lambda within b nats: (z - E z) / (lambda Var z), by db = lambda Var z dlambda. Decisions
 * that hardly tilt would give wild estimates: it is damped to lambda (z - E z) / (lambda^2 Var z + .01); and at lambda = 1, where b does
 * not bind, it says what a further tilt would bring. lp_policy, scores: [V]. */
double mn_ppo_slope(const double *lp_policy, const double *scores, size_t V, double lambda, size_t cell);

/* Generalised advantage estimates of one episode's n decisions, and the critic's targets (Schulman et al. 2016, eq. 16):
 * advantage_t = d_t + gamma lambda advantage_(t+1), d_t = reward_t + gamma value_(t+1) - value_t, value_n = 0; target = advantage + value. */
void mn_gae(double *advantage, double *target, const double *rewards, const double *values, size_t n, double gamma, double lambda);

/* What a nat more at each of n decisions of one episode would have added to its value: the decision may spend its share, the rest is
 * left. worth_t = share_t advantage_t slope_t + (1 - share_t) worth_(t+1), worth_n = 0. The mean over episodes is the price of a nat. */
void mn_worth(double *worth, const double *advantage, const float *share, const float *slope, size_t n);

#endif
