/* All that a run opens before it begins, and that does not change while it goes on: models, conversation, reward, and how
 * decisions are presented to the heads. Shared by training and audit. */
#ifndef MN_SETUP_H
#define MN_SETUP_H

#include "learn/features.h"
#include "learn/plan_models.h"
#include "learn/settings.h"
#include "world/openings.h"
#include "world/reward.h"

typedef struct mn_setup {
    const mn_settings *settings; /* borrowed */
    mn_plan_settings plan;       /* and what they name, where world.plan is given */
    mn_plan_models planned;
    char plan_sha256[65];        /* of both; "" where it is not */
    bool plan_open;              /* it is: base, speaker and reward are the plan's */
    bool learns;                 /* the base learns what it is told */
    mn_model *base, *speaker;    /* the same where one model speaks both roles */
    mn_model *judge;             /* NULL, the base, or its own */
    mn_chat_rules rules;
    const char *prompt;          /* "" in a plan's world */
    mn_openings openings;
    mn_reward *reward;
    mn_features features;        /* frozen by the trainer after step 0 */
    float *embeddings;           /* [A,E], NULL: a score a symbol */
    size_t E;                    /* A where embeddings is NULL */
    int32_t *ends[2];            /* [n_ends]: symbols that end a turn, rising, of base and speaker */
    size_t n_ends[2];
    size_t M[2];                 /* listed cells of base and speaker; M + 1 with the rest */
    size_t positions;            /* symbols a session holds */
    size_t room;                 /* of them kept free for the end of a turn: a label, and the rest of a piece */
} mn_setup;

/* Opens everything. *err says what is missing or wrong. Free it also after a failure. */
MN_CHECKED mn_status mn_setup_open(mn_setup *setup, const mn_settings *settings, mn_err *err);
void mn_setup_free(mn_setup *setup);
/* The model that speaks a role: base for MN_AGENT. Its index 0 or 1 (0 for both where it is one model). */
size_t mn_setup_lane(const mn_setup *setup, int role);
/* The opening of an episode, drawn by the episode's own stream. */
const mn_opening *mn_setup_opening(const mn_setup *setup, uint64_t episode);

#endif
