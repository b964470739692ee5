/* One played episode, token by token: what rollout fills, episodes.jsonl holds, and audit and report read. */
#ifndef MN_EPISODE_H
#define MN_EPISODE_H

#include "base/buf.h"

/* The reward of one finished turn: after token t, for text of len bytes (owned, then a NUL). */
typedef struct mn_reward_mark {
    size_t t;
    double value;
    char *text;
    size_t len;
} mn_reward_mark;

/* Start from {0}; begin and read use its memory again. */
typedef struct mn_episode {
    uint64_t number;
    size_t step;
    uint64_t seed;
    int64_t opening;                /* line of the transcripts file whose turns open it; 0: the prompt alone */
    double budget_nats, spent_nats; /* allowed, INFINITY where nothing limits it; charged */
    double value, help;             /* the return; help mass met, all tokens together */
    size_t T, cap;                  /* tokens */
    uint8_t *speaker;               /* [T] 0 the agent, 1 the world */
    int32_t *token;                 /* [T] */
    double *lp_policy, *lp_base;    /* [T] of the token */
    double *nats;                   /* [T] charged for the token's distribution; 0 in the world's turns */
    double *help_mass;              /* [T] left over by the base's distribution */
    size_t *at;                     /* [T + 1] piece t is text.data[at[t] .. at[t+1]) */
    mn_buf text;                    /* the bytes of all pieces, not necessarily UTF-8 */
    mn_reward_mark *rewards;        /* [n_rewards] in the order of t */
    size_t n_rewards, rewards_cap;
} mn_episode;

/* Empties the episode and names it; spent_nats, value and help are 0 until the caller sets them. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_episode_begin(mn_episode *episode, uint64_t number, size_t step, uint64_t seed, int64_t opening,
                                      double budget_nats, mn_err *err);
/* Appends a token; piece [len] is copied, a NUL in it as the byte FF (no text of a log can hold a NUL). The sums are the
 * caller's. MN_ERR_MEMORY leaves the episode as it was. Amortised O(len). */
MN_CHECKED mn_status mn_episode_token(mn_episode *episode, int speaker, int32_t token, const char *piece, size_t len,
                                      double lp_policy, double lp_base, double nats, double help_mass, mn_err *err);
/* Appends the reward of the turn that token t ended; text [len] is copied like a piece. MN_ERR_MEMORY leaves the episode as it
 * was. */
MN_CHECKED mn_status mn_episode_reward(mn_episode *episode, size_t t, double value, const char *text, size_t len, mn_err *err);
/* Releases what it owns; it may be used again. */
void mn_episode_free(mn_episode *episode);

#endif
