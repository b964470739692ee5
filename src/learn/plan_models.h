/* What a plan's settings name: the world, the demonstrations, the imitator learnt from them, and what is made of it. */
#ifndef MN_PLAN_MODELS_H
#define MN_PLAN_MODELS_H

#include "learn/plan_settings.h"
#include "world/classroom.h"

/* Sequences of symbols end to end. */
typedef struct mn_demonstrations {
    int32_t *ids;
    size_t *ends; /* [n] where each ends in ids */
    size_t n;
} mn_demonstrations;

typedef struct mn_plan_models {
    mn_classroom world;
    mn_demonstrations demonstrations;
    mn_model *imitator;  /* learnt or opened; all symbols */
    mn_model *confined;  /* to the agent's, or closed under switching */
    mn_model *pessimist; /* NULL: none */
    mn_model *base;      /* the last of these; not owned */
} mn_plan_models;

/* MN_ERR_INPUT, MN_ERR_NUM with file and position where there is one; MN_ERR_IO, MN_ERR_MEMORY. Free it also after a failure.
 * */
MN_CHECKED mn_status mn_plan_models_open(mn_plan_models *out, const mn_plan_settings *settings, mn_err *err);
void mn_plan_models_free(mn_plan_models *models);

#endif
