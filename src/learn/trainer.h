/* Training, a step at a time: step 0 measures the base policy and fits the standardisation of features; every later step plays
 * episodes, and learns from them by PPO. */
#ifndef MN_TRAINER_H
#define MN_TRAINER_H

#include "base/stats.h"
#include "learn/ppo.h"
#include "learn/rollout.h"

/* What steps.jsonl says of a step. */
typedef struct mn_step_stats {
    size_t step, episodes, tokens, turns; /* tokens: sampled, both roles; turns: rewarded */
    size_t decoded;                       /* symbols computed, labels and openings included */
    double value, value_se;               /* return: mean over episodes and its standard error */
    double nats, nats_max, budget_nats;   /* spent: mean, most; allowed */
    double lambda, share;                 /* mean over decisions */
    double coefficient;                   /* penalty: in force in this step */
    mn_ppo_stats ppo;                     /* not in step 0 */
} mn_step_stats;

typedef struct mn_trainer {
    const mn_settings *settings;
    mn_setup setup;
    mn_crew *crew;
    mn_heads heads;
    mn_adam adam;
    float *played;            /* [parameters] of the heads that played the last step */
    size_t step;              /* the next one */
    double coefficient;       /* penalty */
    size_t threads;
    mn_episode *episodes;     /* [n] of the last step */
    mn_decisions *decisions;  /* [n] */
    size_t n, cap;
    mn_step_stats stats;      /* of the last step */
} mn_trainer;

/* Opens models and everything else. settings is borrowed. Free it also after a failure. */
MN_CHECKED mn_status mn_trainer_new(mn_trainer *trainer, const mn_settings *settings, size_t threads, mn_err *err);
void mn_trainer_free(mn_trainer *trainer);
/* Does step trainer->step. After a failure (MN_ERR_INTERRUPTED among them) free the trainer, and go on from a checkpoint. */
MN_CHECKED mn_status mn_trainer_step(mn_trainer *trainer, bool (*stop)(void *), void *stop_arg, mn_err *err);
/* Numbers of the episodes of a step: *first and how many. */
size_t mn_trainer_episodes(const mn_settings *settings, size_t step, uint64_t *first);
/* Nats an episode of this step may spend. */
double mn_trainer_budget(const mn_settings *settings, size_t step);

#endif
