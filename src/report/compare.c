/* Runs in groups of seeds, and what each group came to. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "report/results.h"

enum { LABEL = 160 };

/* ---- estimates -------------------------------------------------------------------------------------------------- */

/* Over the runs; of one run alone, with the error that it gives itself. */
static mn_estimate over_runs(const mn_group *g, mn_estimate (*of)(const mn_result *run, size_t x), size_t x)
{
    mn_stats stats = {0};
    if (g->n == 1) return of(g->runs[0], x);
    for (size_t i = 0; i < g->n; i++) mn_stats_add(&stats, of(g->runs[i], x).mean);
    return (mn_estimate){stats.mean, mn_stats_error(&stats)};
}

static mn_estimate return_at(const mn_result *run, size_t step)
{
    return (mn_estimate){run->steps[step].value, run->steps[step].value_se};
}

static mn_estimate nats_at(const mn_result *run, size_t step)
{
    return (mn_estimate){run->steps[step].nats, 0};
}

mn_estimate mn_group_return(const mn_group *group, size_t step)
{
    return over_runs(group, return_at, step);
}

mn_estimate mn_group_nats(const mn_group *group, size_t step)
{
    return over_runs(group, nats_at, step);
}

/* Each step's episodes are drawn anew, so given the heads that played them the errors of the steps are independent. */
static mn_estimate over_tail(const mn_result *run, size_t tail, mn_estimate (*at)(const mn_result *run, size_t step))
{
    double sum = 0, squares = 0;
    for (size_t step = run->n - tail; step < run->n; step++) {
        mn_estimate x = at(run, step);
        sum += x.mean;
        squares += x.error * x.error;
    }
    return (mn_estimate){sum / (double)tail, sqrt(squares) / (double)tail};
}

mn_estimate mn_result_after(const mn_result *run, size_t tail)
{
    return over_tail(run, tail, return_at);
}

mn_estimate mn_result_nats(const mn_result *run, size_t tail)
{
    return over_tail(run, tail, nats_at);
}

static mn_estimate gain(const mn_result *run, size_t tail)
{
    mn_estimate before = return_at(run, 0), after = mn_result_after(run, tail);
    return (mn_estimate){after.mean - before.mean, hypot(before.error, after.error)};
}

static void estimate(mn_group *g)
{
    double tokens = 0, seconds = 0;
    g->steps = g->runs[0]->n;
    for (size_t i = 0; i < g->n; i++) {
        const mn_result *run = g->runs[i];
        if (run->n < g->steps) g->steps = run->n;
        for (size_t step = 0; step < run->n; step++) {
            g->most_nats = fmax(g->most_nats, run->steps[step].nats_max);
            if (run->steps[step].nats_max > run->steps[step].budget_nats) g->overspent = true;
        }
        tokens += run->tokens;
        seconds += run->seconds;
    }
    g->tail = (g->steps - 1 + 9) / 10;
    g->before = mn_group_return(g, 0);
    g->after = over_runs(g, mn_result_after, g->tail);
    g->gain = over_runs(g, gain, g->tail);
    g->nats = over_runs(g, mn_result_nats, g->tail);
    g->budget_nats = g->runs[0]->steps[g->runs[0]->n - 1].budget_nats;
    g->tokens_per_s = seconds > 0 ? tokens / seconds : 0;
}

/* ---- labels ----------------------------------------------------------------------------------------------------- */

static bool is(const char *a, const char *b)
{
    return strcmp(a, b) == 0;
}

static bool is_part_of(const char *key, const char *const *sections, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strncmp(key, sections[i], strlen(sections[i])) == 0) return true;
    return false;
}

/* The settings of the regulariser, in words. */
static void put_regulariser(char out[LABEL], const mn_result *run)
{
    const char *type = mn_result_setting(run, "regularizer.type"), *target = mn_result_setting(run, "regularizer.target_nats");
    const char *budget = mn_result_setting(run, "regularizer.budget_nats");
    if (is(type, "budget"))
        snprintf(out, LABEL, is(budget, "inf") ? "no limit" : "%.40s nats", budget);
    else if (is(type, "penalty") && *target && !is(target, "0"))
        snprintf(out, LABEL, "penalty for %.40s nats", target);
    else if (is(type, "penalty"))
        snprintf(out, LABEL, "penalty of %.40s a nat", mn_result_setting(run, "regularizer.coefficient"));
    else if (is(type, "tvd") || is(type, "chi2"))
        snprintf(out, LABEL, "%s up to %.40s a token", type, mn_result_setting(run, "regularizer.limit"));
    else
        snprintf(out, LABEL, "no regulariser");
}

/* Cuts text at 24 bytes or less, between characters. */
static int short_length(const char *text)
{
    size_t len = strlen(text);
    if (len <= 24) return (int)len;
    len = 24;
    while (len && (text[len] & 0xC0) == 0x80) len--;
    return (int)len;
}

/* Whether some run has another value than the first. */
static bool differs(const mn_comparison *c, const char *key)
{
    const char *first = mn_result_setting(c->groups[0].runs[0], key);
    for (size_t i = 1; i < c->n; i++)
        if (!is(mn_result_setting(c->groups[i].runs[0], key), first)) return true;
    return false;
}

static mn_status put_label(const mn_comparison *c, mn_group *g, mn_err *err)
{
    static const char *const in_words[] = {"regularizer.type", "regularizer.budget_nats", "regularizer.target_nats",
                                           "regularizer.coefficient", "regularizer.limit"};
    char words[LABEL];
    mn_buf label = {0};
    const char *key;
    json_t *value;
    put_regulariser(words, g->runs[0]);
    mn_status status = mn_buf_puts(&label, words);
    json_object_foreach(g->runs[0]->settings, key, value)
    {
        const char *text = json_string_value(value);
        if (status != MN_OK || is_part_of(key, in_words, 5) || !differs(c, key)) continue;
        int len = short_length(text);
        status = mn_buf_printf(&label, ", %s %.*s%s", key, len, text, text[len] ? "..." : "");
    }
    g->label = label.data;
    return status == MN_OK ? MN_OK : mn_fail(err, status, "out of memory");
}

/* ---- groups ----------------------------------------------------------------------------------------------------- */

static mn_status join(mn_comparison *c, const mn_result *run, size_t most, mn_err *err)
{
    size_t i = 0;
    while (i < c->n && !json_equal(c->groups[i].runs[0]->settings, run->settings)) i++;
    mn_group *g = &c->groups[i];
    if (i == c->n) {
        MN_ALLOC_OR_FAIL(g->runs, most, err);
        c->n++;
    }
    g->runs[g->n++] = run;
    return MN_OK;
}

static void sort_by_budget(mn_comparison *c)
{
    for (size_t i = 1; i < c->n; i++)
        for (size_t k = i; k > 0 && c->groups[k].budget_nats < c->groups[k - 1].budget_nats; k--) {
            mn_group other = c->groups[k];
            c->groups[k] = c->groups[k - 1];
            c->groups[k - 1] = other;
        }
}

static bool same_world(const mn_comparison *c)
{
    static const char *const sections[] = {"model.", "speaker.", "world.", "reward."};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < c->n; i++)
        json_object_foreach(c->groups[i].runs[0]->settings, key,
                            value) if (is_part_of(key, sections, 4) && differs(c, key)) return false;
    return true;
}

static mn_estimate base_of(const mn_result *runs, size_t n)
{
    mn_stats stats = {0};
    for (size_t i = 0; i < n; i++) mn_stats_add(&stats, runs[i].steps[0].value);
    return (mn_estimate){stats.mean, n > 1 ? mn_stats_error(&stats) : runs[0].steps[0].value_se};
}

mn_status mn_compare(mn_comparison *c, const mn_result *runs, size_t n, mn_err *err)
{
    *c = (mn_comparison){.all_budgets = true};
    MN_ALLOC_OR_FAIL(c->groups, n, err);
    for (size_t i = 0; i < n; i++) MN_TRY(join(c, &runs[i], n, err));
    for (size_t i = 0; i < c->n; i++) {
        estimate(&c->groups[i]);
        MN_TRY(put_label(c, &c->groups[i], err));
        if (!is(mn_result_setting(c->groups[i].runs[0], "regularizer.type"), "budget")) c->all_budgets = false;
    }
    if (c->all_budgets) sort_by_budget(c);
    c->same_world = same_world(c);
    c->base = base_of(runs, n);
    return MN_OK;
}

void mn_comparison_free(mn_comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        free(c->groups[i].runs);
        free(c->groups[i].label);
    }
    free(c->groups);
    *c = (mn_comparison){0};
}
