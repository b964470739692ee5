#include "learn/plan_settings.h"

#include <math.h>
#include <string.h>

#include "base/json.h"

#define AT(member) offsetof(mn_plan_settings, member)

const mn_key mn_plan_settings_keys[] = {
    {"seed", MN_KEY_INT, AT(seed), "1", 0, 1e15, NULL, "all randomness comes from it: demonstrations and sampled transcripts"},
    {"world", MN_KEY_PATH, AT(world), "", 0, 0, NULL,
     "JSON table of demonstrator and world (docs/planning.md); empty: the classroom"},
    {"model", MN_KEY_PATH, AT(model), "", 0, 0, NULL,
     "the imitator: a saved context tree, or a table where the name ends in .json; empty: learnt from the demonstrations"},
    {"transcripts", MN_KEY_PATH, AT(transcripts), "", 0, 0, NULL,
     "demonstrations, JSON lines; empty: drawn from the demonstrator"},
    {"demonstrations", MN_KEY_INT, AT(demonstrations), "200", 0, 1e7, NULL,
     "how many are drawn where no transcripts are given"},
    {"demonstration_turns", MN_KEY_INT, AT(demonstration_turns), "16", 1, 30000, NULL, "exchanges of each that is drawn"},
    {"depth", MN_KEY_INT, AT(depth), "2", 0, 64, NULL, "symbols of context that the imitator's trees may use"},
    {"turns", MN_KEY_INT, AT(turns), "20", 1, 30000, NULL, "T: exchanges of an episode"},
    {"switch", MN_KEY_BOOL, AT(switching), "false", 0, 0, NULL,
     "closes the imitator under \"from the agent's n-th turn on always a\""},
    {"alpha", MN_KEY_NUM, AT(alpha), "1", 1e-300, 1, NULL,
     "pessimism: models are kept while their weight is at least alpha times that of all "
     "likelier ones and their own; 1: none"},
    {"leaf_alpha", MN_KEY_NUM, AT(leaf_alpha), "1", 1e-300, 1, NULL,
     "the imitator speaks with its credible floor at this level; 1: as it predicts"},
    {"learn_from", MN_KEY_CHOICE, AT(learn_from), "all", 0, 0, "all|demonstrator",
     "whose moves move the weights of a mixture in an episode"},
    {"regularizer", MN_KEY_CHOICE, AT(regularizer), "budget", 0, 0, "budget|penalty|tvd|chi2|none",
     "budget: nats an episode; penalty: value lost a nat; tvd, chi2: limit of each move's divergence; none: nothing binds"},
    {"hard", MN_KEY_BOOL, AT(hard), "false", 0, 0, NULL, "budget: no path may exceed it, in place of the expectation"},
    {"grid_nats", MN_KEY_NUM, AT(grid_nats), "0.025", 1e-6, 1e6, NULL, "hard: what is spent are multiples of this"},
    {"budgets", MN_KEY_NUMS, AT(budgets), "[0, 1, 2, 5, 10, 20]", 0, INFINITY, NULL,
     "the regularizer's budgets, penalties or limits, one plan each"},
    {"max_states", MN_KEY_INT, AT(max_states), "5000000", 1, 2e9, NULL, "more merged states than this are an error"},
};
const size_t mn_plan_settings_n = sizeof mn_plan_settings_keys / sizeof *mn_plan_settings_keys;

/* The line of the file that begins with the key; 0: none does, it was set elsewhere. */
static size_t line_of(const char *path, const char *key)
{
    mn_lines lines = {0};
    size_t length, found = 0;
    char *line;
    bool end = false;
    if (!path || mn_lines_open(&lines, path, NULL) != MN_OK) return 0;
    while (!found && mn_lines_next(&lines, &line, &length, &end, NULL) == MN_OK && !end)
        if (strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ':') found = lines.number;
    mn_lines_close(&lines);
    return found;
}

static mn_status refuse(const char *path, const char *key, const char *what, mn_err *err)
{
    size_t line = line_of(path, key);
    return mn_fail_at(err, MN_ERR_INPUT, line ? path : NULL, line, line ? 1 : 0, "%s %s", key, what);
}

static mn_status check(const mn_plan_settings *s, const char *path, mn_err *err)
{
    if (s->leaf_alpha < 1 && s->alpha == 1) return refuse(path, "leaf_alpha", "is given: expected alpha too", err);
    if (s->hard && s->regularizer != MN_REG_BUDGET) return refuse(path, "hard", "is true: expected the regularizer budget", err);
    if (!s->budgets.n) return refuse(path, "budgets", "is empty: expected at least one number", err);
    return MN_OK;
}

mn_status mn_plan_settings_load(mn_plan_settings *out, const char *path, const char *const *sets, size_t n_sets, mn_err *err)
{
    MN_TRY(mn_config_load(out, mn_plan_settings_keys, mn_plan_settings_n, path, NULL, sets, n_sets, err));
    mn_status status = check(out, path, err);
    if (status != MN_OK) mn_config_free(out, mn_plan_settings_keys, mn_plan_settings_n);
    return status;
}
