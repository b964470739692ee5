/* Episodes drawn from a plan, in words. */
#ifndef MN_PLAN_SAMPLE_H
#define MN_PLAN_SAMPLE_H

#include "learn/plan.h"
#include "world/classroom.h"

/* Episode number `episode` into turns: [T]. The same draws for every policy: streams of (seed, episode). */
void mn_plan_sample(mn_plan_turn *turns, const mn_plan_graph *graph, const mn_plan_policy *policy, const mn_classroom *world,
                    uint64_t seed, uint64_t episode);

#endif
