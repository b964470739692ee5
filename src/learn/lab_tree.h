/* The tree of all histories of a few turns, with what the programs of a class make of each: the laboratory's exact worlds.
 * Private to the library. */
#ifndef MN_LAB_TREE_H
#define MN_LAB_TREE_H

#include "learn/plan.h"
#include "predict/universe.h"

/* The world answers a move a by one of O symbols: says[a][k] with probability p[a][k] and reward[a][k]. */
typedef struct mn_lab_world {
    size_t A, O;
    double p[MN_PROGRAM_SYMBOLS][MN_PROGRAM_SYMBOLS], reward[MN_PROGRAM_SYMBOLS][MN_PROGRAM_SYMBOLS];
    uint8_t says[MN_PROGRAM_SYMBOLS][MN_PROGRAM_SYMBOLS];
} mn_lab_world;

/* The class and what transcripts have taught. Start from {0}; close it also after a failure. */
typedef struct mn_lab_class {
    mn_universe u;
    double *lw; /* [n] ln of prior times evidence */
} mn_lab_class;
MN_CHECKED mn_status mn_lab_class_open(mn_lab_class *c, size_t A, size_t bits, mn_err *err);
void mn_lab_class_close(mn_lab_class *c);
/* A program's or an event's diagram among the class's. */
MN_CHECKED mn_status mn_lab_class_root(mn_lab_class *c, uint32_t *root, size_t *bits, const char *text, bool policy,
                                       mn_err *err);
/* Back to the prior, then `transcripts` of `turns` turns each, drawn from the demonstrator: stream i for the i-th. */
MN_CHECKED mn_status mn_lab_class_learn(mn_lab_class *c, uint32_t mu, const mn_lab_world *world, size_t transcripts,
                                        size_t turns, uint64_t seed, mn_err *err);
/* The part of each behaviour's weight that comes from programs of at most `bits`: share: [n], zeroed. */
void mn_lab_class_share(double *share, const mn_lab_class *c, size_t bits, uint32_t *marks /* [nodes] zeroed scratch */);

/* What goes in, and after mn_lab_tree_grow the graph: the base is the mixture, or with alpha > 0 the pessimist over it,
 * whose help is a move. Where the class has nothing left, a mixture is uniform, and of a pessimist all is help. A state is a
 * history: t turns, each with B = A O (or 2 A O, where the demonstrator may have made the move) ways. */
typedef struct mn_lab_tree {
    const mn_lab_class *c;
    const mn_lab_world *world;
    size_t T, threads;
    uint32_t mu; /* the demonstrator */
    double alpha;
    bool learns;  /* from the agent's moves; from the demonstrator's always */
    bool no_help; /* alpha > 0, but help is no move: what is missing is missing */
    size_t shares;
    const double *share; /* [shares,n] for mass; NULL: not wanted */
    mn_plan_graph graph;
    double *mass; /* [shares,S] the posterior's share */
    bool *kept;   /* [S] alpha > 0: mu is among those kept */
} mn_lab_tree;
MN_CHECKED mn_status mn_lab_tree_grow(mn_lab_tree *tree, mn_err *err);
void mn_lab_tree_free(mn_lab_tree *tree);
/* Which leaf a diagram comes to after each history: leaf: [S]. Events: MN_TRUE or MN_FALSE. */
MN_CHECKED mn_status mn_lab_tree_ask(uint32_t *leaf, const mn_lab_tree *tree, uint32_t root, mn_err *err);
/* The history of state s: its turns. */
size_t mn_lab_tree_time(const mn_lab_tree *tree, size_t s);

/* kl: of every row, from pi and base; +INFINITY on lost support. */
void mn_lab_policy_kl(mn_plan_policy *policy, const mn_plan_graph *graph);

#endif
