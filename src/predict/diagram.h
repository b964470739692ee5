/* What programs do: reduced ordered decision diagrams, each behaviour once. Two programs with the same diagram predict alike
 * after every history. Private to the library. */
#ifndef MN_DIAGRAM_H
#define MN_DIAGRAM_H

#include "predict/program.h"

enum { MN_DIAGRAM_KIDS = MN_PROGRAM_SYMBOLS + 1, MN_FALSE = 0, MN_TRUE = 1 };
#define MN_TERMINAL UINT32_MAX

/* What a node asks of a history, in the order in which diagrams ask it. Answers are 0 or 1; of MN_ASK_LAST 0 (nothing was
 * said) or the last symbol + 1. All but MN_ASK_LAST turn from 0 to 1 once, for ever. */
typedef enum mn_ask {
    MN_ASK_LAST,
    MN_ASK_TIMES, /* x has occurred n times or more */
    MN_ASK_PAIR,  /* x, and y right after it */
    MN_ASK_TIME,  /* n turns or more are past */
    MN_ASK_ONCE   /* at some turn so far the event of diagram n held */
} mn_ask;

typedef struct mn_atom {
    mn_ask ask;
    uint8_t x, y;
    uint32_t n;
} mn_atom;

/* A terminal node stands for leaf kid[0]. */
typedef struct mn_node {
    uint32_t atom;                 /* MN_TERMINAL: none */
    uint32_t kid[MN_DIAGRAM_KIDS]; /* by the answer; older nodes */
} mn_node;

/* Leaves 0 and 1 are those of events, false and true. count > 0: (t mod count) mod A; else weights/G. */
typedef struct mn_leaf {
    uint32_t count;
    uint8_t weights[MN_PROGRAM_SYMBOLS];
} mn_leaf;

typedef struct mn_choice {
    uint32_t e, p, q, result;
} mn_choice;

/* Start from {0} and open. */
typedef struct mn_diagrams {
    size_t A;
    size_t n_nodes, room_nodes, n_atoms, room_atoms, n_leaves, room_leaves;
    mn_node *nodes;
    mn_atom *atoms;
    mn_leaf *leaves;
    size_t slots;    /* a power of two */
    uint32_t *slot;  /* [slots] nodes by hash, + 1 */
    mn_choice *memo; /* [MEMO] what was computed last */
} mn_diagrams;

/* All: MN_ERR_MEMORY; MN_ERR_LIMIT: too many nodes. Close also after a failure. */
MN_CHECKED mn_status mn_diagrams_open(mn_diagrams *d, size_t A, mn_err *err);
void mn_diagrams_close(mn_diagrams *d);
/* The diagram of one term without parts. */
MN_CHECKED mn_status mn_diagram_of(mn_diagrams *d, uint32_t *out, const mn_term *term, mn_err *err);
/* p where the event e holds, else q: policies, or events (not e: FALSE, TRUE; e and f: f, FALSE). */
MN_CHECKED mn_status mn_diagram_choose(mn_diagrams *d, uint32_t *out, uint32_t e, uint32_t p, uint32_t q, mn_err *err);
/* That the event e has held at some turn so far: e itself where it cannot end, true where it holds at the first turn. */
MN_CHECKED mn_status mn_diagram_once(mn_diagrams *d, uint32_t *out, uint32_t e, mn_err *err);
/* The diagram of a whole program or event. */
MN_CHECKED mn_status mn_diagram_build(mn_diagrams *d, uint32_t *out, const mn_terms *terms, mn_err *err);

/* ---- histories ---- */

/* What programs can see of a history; n symbols of it are of both. Start from {0}. Plain data. */
typedef struct mn_past {
    uint32_t n, last; /* last symbol + 1; 0: none */
    uint32_t counts[MN_PROGRAM_SYMBOLS];
    uint8_t pairs[MN_PROGRAM_SYMBOLS][MN_PROGRAM_SYMBOLS];
} mn_past;

static inline bool mn_past_is_turn(const mn_past *past)
{
    return past->n % 2 == 0;
}
void mn_past_add(mn_past *past, int32_t symbol);
/* Brings answers: [n_atoms] up to date, at a turn. Before the first turn they are all 0; MN_ASK_ONCE needs every turn. */
void mn_diagram_answer(uint8_t *answers, const mn_diagrams *d, const mn_past *past);
/* Probabilities of leaf l at a turn: p: [A]. */
void mn_leaf_say(double *p, const mn_diagrams *d, size_t l, const mn_past *past);

static inline uint32_t mn_diagram_leaf(const mn_diagrams *d, const uint8_t *answers, uint32_t node)
{
    while (d->nodes[node].atom != MN_TERMINAL) node = d->nodes[node].kid[answers[d->nodes[node].atom]];
    return d->nodes[node].kid[0];
}

#endif
