/* Every key of a plan's configuration: one table makes the parser, the resolved copy in plan.json and the reference
 * (docs/planning.md). */
#ifndef MN_PLAN_SETTINGS_H
#define MN_PLAN_SETTINGS_H

#include "base/config.h"

typedef struct mn_plan_settings {
    int64_t seed, demonstrations, demonstration_turns, depth, turns, max_states;
    char *world, *model, *transcripts;
    bool switching, hard;
    double alpha, leaf_alpha, grid_nats;
    int learn_from;  /* MN_LEARN_ALL, MN_LEARN_DEMONSTRATOR */
    int regularizer; /* mn_reg_kind */
    mn_num_list budgets;
} mn_plan_settings;

enum { MN_LEARN_ALL, MN_LEARN_DEMONSTRATOR };

extern const mn_key mn_plan_settings_keys[]; /* [mn_plan_settings_n] */
extern const size_t mn_plan_settings_n;

/* From the file (NULL: defaults) and sets[n_sets], with what the table cannot say checked too. MN_ERR_INPUT. Free by
 * mn_config_free. */
MN_CHECKED mn_status mn_plan_settings_load(mn_plan_settings *out, const char *path, const char *const *sets, size_t n_sets,
                                           mn_err *err);

#endif
