/* What finished or unfinished runs left in their directories, read for the page; and what it amounts to. */
#ifndef MN_RESULTS_H
#define MN_RESULTS_H

#include <jansson.h>

#include "base/stats.h"
#include "learn/episode.h"

enum { MN_SHOWN = 16 }; /* transcripts kept of each of two steps */

/* A line of steps.jsonl. */
typedef struct mn_step_line {
    double value, value_se, nats, nats_max, budget_nats;
    size_t episodes;
} mn_step_line;

/* One run. Step 0 is the base policy itself, so there are n - 1 trained steps. */
typedef struct mn_result {
    char *dir;
    json_t *run;           /* run.json */
    json_t *settings;      /* its configuration without the seed: {"ppo.clip": "0.2", ...}, all values as text */
    const char *roles[2];  /* the agent's and the world's */
    int64_t seed, planned; /* planned: trained steps, config.steps */
    mn_step_line *steps;   /* [n] */
    size_t n, cap;
    mn_episode shown[2][MN_SHOWN];  /* the first episodes of step 0, and of the last step that was logged */
    size_t n_shown[2], logged_step; /* logged_step: that last step; 0: none */
    mn_episode spare;               /* memory to read the others into */
    double *position;               /* [T] nats charged at each token, mean over the episodes of that step */
    size_t T, position_cap, n_position;
    double tokens, seconds; /* from timing.jsonl; 0 where there is none */
    bool torn;              /* a log ends in the middle of a line */
} mn_result;

/* Reads the run in dir. Free the result also after a failure. MN_ERR_IO, MN_ERR_INPUT (with file and line), MN_ERR_MEMORY. A
 * last line without its end, as a kill leaves it, is passed over if it is not whole. */
MN_CHECKED mn_status mn_result_open(mn_result *out, const char *dir, mn_err *err);
void mn_result_free(mn_result *result);
/* A setting as text, "" where there is none. */
const char *mn_result_setting(const mn_result *result, const char *key);

typedef struct mn_estimate {
    double mean, error; /* error: one standard error */
} mn_estimate;

/* Runs that differ in nothing but the seed. Estimates: over the runs; of a single run, over its episodes. "After" and "nats"
 * are of the last tenth of the trained steps (at least one). */
typedef struct mn_group {
    const mn_result **runs; /* [n] */
    size_t n;
    size_t steps; /* lines that all its runs have */
    size_t tail;  /* steps of the last tenth */
    char *label;  /* "10 nats" */
    mn_estimate before, after, gain, nats;
    double budget_nats, most_nats, tokens_per_s; /* allowed at the end; the most that any episode spent; 0: not known */
    bool overspent;                              /* some step has an episode over its budget */
} mn_group;

typedef struct mn_comparison {
    mn_group *groups; /* [n], by budget where all have one, else in the order of the runs */
    size_t n;
    bool same_world;  /* model, speaker, world and reward are the same in all runs: so is the base policy's return */
    bool all_budgets; /* all are limited by a budget */
    mn_estimate base; /* of all runs together, as before */
} mn_comparison;

/* Compares runs [n], which it borrows. Free it also after a failure. MN_ERR_MEMORY. */
MN_CHECKED mn_status mn_compare(mn_comparison *out, const mn_result *runs, size_t n, mn_err *err);
void mn_comparison_free(mn_comparison *comparison);
/* Mean over a run's last tenth of steps, as in the group. */
mn_estimate mn_result_after(const mn_result *run, size_t tail);
mn_estimate mn_result_nats(const mn_result *run, size_t tail);
/* The group's return, or nats, at a step (below group->steps). */
mn_estimate mn_group_return(const mn_group *group, size_t step);
mn_estimate mn_group_nats(const mn_group *group, size_t step);

#endif
