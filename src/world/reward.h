/* What a turn of the other role is worth, in [0,1]: by a lexicon, by a model's judgement, by a command, or by a table of moves. A failure is a
 * failure with its cause, never a value. Private to the library. */
#ifndef MN_REWARD_H
#define MN_REWARD_H

#include "world/classroom.h"

typedef enum mn_reward_kind { MN_REWARD_LEXICON, MN_REWARD_JUDGE, MN_REWARD_COMMAND, MN_REWARD_MOVES } mn_reward_kind;

/* Strings and the judge are borrowed for as long as the reward lives. */
typedef struct mn_reward_opts {
    mn_reward_kind kind;
    const char *lexicon, *emoji; /* files as in lexicon.h; NULL: VADER's in the cache folder; emoji "": none */
    mn_model *judge;             /* and its question and answers, as in judge.h */
    const char *question, *yes, *no;
    double scale;
    const char *command; /* as in command.h */
    double timeout_s;
    const mn_classroom *classroom; /* whose answers are the turns, by name */
} mn_reward_opts;

/* A finished turn. */
typedef struct mn_turn {
    const char *text; /* without spaces around it */
    size_t len;
    const char *context; /* the conversation before it, labels included, its own too */
    size_t context_len;
    const char *role;
    size_t number; /* among the turns of its role in this episode, from 1; 0: it had none, and this is an empty text */
    uint64_t episode;
} mn_turn;

typedef struct mn_reward mn_reward;
typedef struct mn_scorer mn_scorer;

/* Opens and checks all that scorers share. Immutable afterwards, for any number of threads. MN_ERR_INPUT, MN_ERR_IO,
 * MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_reward_open(mn_reward **out, const mn_reward_opts *opts, mn_err *err);
void mn_reward_free(mn_reward *reward); /* after its scorers */

/* One thread's place: scratch memory, or the judge's worker, or the command's process. */
MN_CHECKED mn_status mn_scorer_new(mn_scorer **out, const mn_reward *reward, mn_err *err);
void mn_scorer_free(mn_scorer *scorer);

/* *value in [0,1]: for the lexicon (compound + 1)/2, so 1/2 for an empty text; else as judge.h and command.h have it. Does not
 * depend on what was scored before (a command's answer may). A move that the world does not have: MN_ERR_INPUT. On failure *value is untouched. */
MN_CHECKED mn_status mn_scorer_score(mn_scorer *scorer, double *value, const mn_turn *turn, mn_err *err);

#endif
