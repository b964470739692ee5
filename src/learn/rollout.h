/* Playing episodes: the one feedback loop (act, observe, charge). */
#ifndef MN_ROLLOUT_H
#define MN_ROLLOUT_H

#include "learn/decisions.h"
#include "learn/episode.h"
#include "learn/heads.h"
#include "learn/setup.h"

/* Sums over the agent's contexts of one episode's raw features, [F] each; for standardisation. */
typedef struct mn_moments {
    size_t n;
    double *sum, *square;
} mn_moments;

/* A crew of workers, each with its own place on every model, its scorer and its slots. Reused from step to step. */
typedef struct mn_crew mn_crew;
/* scores: false leaves the rewards to the scripts (a reward that cannot be computed twice). */
MN_CHECKED mn_status mn_crew_new(mn_crew **out, const mn_setup *setup, size_t threads, size_t episodes, bool scores, mn_err *err);
void mn_crew_free(mn_crew *crew);
/* Symbols computed in the last play, labels and openings included. */
size_t mn_crew_decoded(const mn_crew *crew);

typedef struct mn_rollout {
    const mn_heads *heads;   /* NULL: the base itself */
    double budget_nats;      /* of each episode; INFINITY where the regulariser has none */
    uint64_t first;          /* number of the first episode; the others follow */
    size_t n, step;
    const mn_episode *script;/* [n] or NULL: logged episodes whose tokens are followed in place of what is drawn;
                              * an episode ends where its script does, or has a symbol that there is not,
                              * or a move that is not the speaker's */
    mn_episode *episodes;    /* [n] out */
    mn_decisions *decisions; /* [n] out, or NULL */
    mn_moments *moments;     /* [n] out (sum and square allocated by the caller), or NULL */
    int32_t **drawn;         /* [n] out, each [T]: what the episode's stream draws at each token; or NULL */
    bool (*stop)(void *);    /* asked before every decode; NULL: never */
    void *stop_arg;
} mn_rollout;

/* Plays n episodes. Everything that comes out depends on setup, heads, budget and numbers alone, not on threads or slots.
 * Any failure (also of a reward) ends it with its cause; MN_ERR_INTERRUPTED when stop said so. */
MN_CHECKED mn_status mn_rollout_play(mn_crew *crew, const mn_rollout *job, mn_err *err);

#endif
