/* A small world in which everything can be computed: the agent and the other make moves in turn, the agent first; T exchanges
 * are an episode. One table (mn_table_*) holds both speakers: after the other's move, and at the start, the demonstrator's
 * probabilities, after the agent's move the other's. The one built in is a teacher's classroom (docs/planning.md). */
#ifndef MN_CLASSROOM_H
#define MN_CLASSROOM_H

#include "base/base.h"

typedef struct mn_classroom {
    mn_model *table;
    size_t A, M, O;   /* symbols; moves of the agent; moves of the other */
    int32_t *moves;   /* [M] the agent's */
    int32_t *answers; /* [O] the other's */
    bool *agent;      /* [A] whose */
    double *reward;   /* [A] of each answer */
    int32_t start;    /* stands before an episode, never in it; -1: none */
    char *roles[2];   /* agent, other */
    char **sentences; /* [n_sentences] of all symbols; see mn_classroom_sentence */
    size_t n_sentences;
    size_t *first;    /* [A + 1] of a symbol's sentences */
} mn_classroom;

/* path "": the built-in one. Else a JSON file: a table ("symbols", "depth", "rows") with "agent": [symbols], "rewards":
 * {symbol: number} and, if wanted, "start": symbol, "roles": [agent, other], "sentences": {symbol: [texts]}. MN_ERR_INPUT,
 * MN_ERR_NUM naming file and key or row. */
MN_CHECKED mn_status mn_classroom_open(mn_classroom *out, const char *path, mn_err *err);
void mn_classroom_free(mn_classroom *classroom);
/* Whether a symbol is a move of the agent, or of the other. */
bool mn_classroom_has(const mn_classroom *classroom, int32_t symbol, bool agent);
const char *mn_classroom_name(const mn_classroom *classroom, int32_t symbol);
/* One of the symbol's sentences, or its name where it has none; u in [0,1) chooses. */
const char *mn_classroom_sentence(const mn_classroom *classroom, int32_t symbol, double u);
/* Draws a transcript of `exchanges` exchanges of demonstrator and other: ids [2 exchanges]. */
MN_CHECKED mn_status mn_classroom_draw(const mn_classroom *classroom, int32_t *ids, size_t exchanges, mn_rng *rng, mn_err *err);

#endif
