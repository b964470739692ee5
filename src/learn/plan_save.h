/* What a plan leaves in its folder: plan.json (configuration and answers), policy.jsonl (a line a reached state) and
 * transcripts.jsonl (sampled episodes in words). docs/planning.md has the formats. */
#ifndef MN_PLAN_SAVE_H
#define MN_PLAN_SAVE_H

#include <stdio.h>

#include "base/buf.h"
#include "learn/plan.h"
#include "learn/plan_settings.h"
#include "world/classroom.h"

/* Start from {0}. */
typedef struct mn_plan_save {
    const char *dir; /* borrowed */
    FILE *policies, *transcripts;
    mn_buf answers, line;
} mn_plan_save;

/* Makes the folder if need be. Close it also after a failure. */
MN_CHECKED mn_status mn_plan_save_open(mn_plan_save *save, const char *dir, mn_err *err);
MN_CHECKED mn_status mn_plan_save_add(mn_plan_save *save, const mn_plan_answer *answer, const mn_plan_graph *graph,
                                      const mn_plan_policy *policy, mn_err *err);
/* Writes plan.json, last: where it is, the others are whole. */
MN_CHECKED mn_status mn_plan_save_finish(mn_plan_save *save, const mn_plan_settings *settings, const mn_classroom *world,
                                         mn_err *err);
void mn_plan_save_close(mn_plan_save *save);

#endif
