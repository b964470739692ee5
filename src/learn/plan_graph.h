/* The graph of what a base policy and a world can come to. */
#ifndef MN_PLAN_GRAPH_H
#define MN_PLAN_GRAPH_H

#include "learn/plan.h"
#include "world/classroom.h"

typedef struct mn_plan_problem {
    mn_model *base; /* over the world's symbols; what it gives to the agent's does not sum to 1: the rest is help */
    const mn_classroom *world;
    size_t T;                /* exchanges */
    size_t most;             /* states */
    bool learns;             /* the base learns from the agent's moves (a mixture), else it is frozen */
    bool learns_from_help;   /* only from those that the demonstrator made */
    bool helps;              /* help may be asked for: the base is a pessimist */
    bool (*stop)(void *arg); /* may be NULL */
    void *arg;
} mn_plan_problem;

/* Breadth first from the start. States with equal keys of base and world (mn_session_key, by a 128-bit hash) are one,
 * whatever their step. MN_ERR_LIMIT: more than `most`; MN_ERR_NUM: probabilities that do not sum to 1. O(S M O) predictions'
 * work, some hundred bytes a state. */
MN_CHECKED mn_status mn_plan_build(mn_plan_graph *out, const mn_plan_problem *problem, mn_err *err);

#endif
