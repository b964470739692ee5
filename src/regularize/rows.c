/* Rows of the budget operator as JSON lines. */
#include <math.h>
#include <string.h>

#include "base/json.h"

typedef struct place {
    const char *file;
    size_t line;
} place;

/* Numbers of the row in hand, grown as needed: base and policy as probabilities too. */
typedef struct room {
    double *lp, *scores, *lp_policy, *base, *policy; /* [cap] */
    size_t cap;
} room;

static mn_status grow(room *r, size_t n, mn_err *err)
{
    double **all[] = {&r->lp, &r->scores, &r->lp_policy, &r->base, &r->policy};
    if (n <= r->cap) return MN_OK;
    r->cap = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        free(*all[i]);
        *all[i] = NULL;
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) MN_ALLOC_OR_FAIL(*all[i], n, err);
    r->cap = n;
    return MN_OK;
}

static void release(room *r)
{
    free(r->lp), free(r->scores), free(r->lp_policy), free(r->base), free(r->policy);
}

static mn_status keys(const json_t *row, place at, mn_err *err)
{
    static const char *const known[] = {"base", "lp_base", "scores", "budget_nats", "help"};
    const char *key;
    json_t *value;
    if (!json_is_object(row))
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "expected an object with base and scores");
    json_object_foreach((json_t *)row, key, value)
    {
        size_t i = 0;
        while (i < 5 && strcmp(key, known[i])) i++;
        if (i == 5) return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "unknown key %s", key);
    }
    if (!json_object_get(row, "base") == !json_object_get(row, "lp_base"))
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "expected either base or lp_base");
    return MN_OK;
}

/* An optional number. */
static mn_status number(double *out, const json_t *row, const char *key, double otherwise, place at, mn_err *err)
{
    const json_t *value = json_object_get(row, key);
    *out = otherwise;
    if (value && mn_json_number(out, value) != MN_OK)
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "%s: expected a number", key);
    return MN_OK;
}

static mn_status list(double *out, const json_t *values, const char *key, place at, mn_err *err)
{
    for (size_t i = 0; i < json_array_size(values); i++)
        if (mn_json_number(&out[i], json_array_get(values, i)) != MN_OK)
            return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "%s, entry %zu: expected a number", key, i);
    return MN_OK;
}

/* Base and help, as probabilities and as logarithms, into r. */
static mn_status read_base(room *r, const json_t *values, bool logarithms, bool help, double mass, place at, mn_err *err)
{
    size_t n = json_array_size(values);
    const char *key = logarithms ? "lp_base" : "base";
    double *given = logarithms ? r->lp : r->base;
    MN_TRY(list(given, values, key, at, err));
    for (size_t i = 0; i < n; i++) {
        if (!logarithms && !(given[i] >= 0 && given[i] <= 1))
            return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "base, entry %zu: %g is not a probability", i, given[i]);
        if (logarithms) r->base[i] = exp(given[i]);
        else r->lp[i] = log(given[i]);
    }
    if (!help) return MN_OK;
    if (!(mass >= 0 && mass <= 1))
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "help: %g is not a probability", mass);
    r->base[n] = mass, r->lp[n] = log(mass);
    return MN_OK;
}

static mn_status read_row(room *r, mn_budget_answer *out, const json_t *row, double limit, place at, mn_err *err)
{
    double mass;
    MN_TRY(keys(row, at, err));
    const json_t *logarithms = json_object_get(row, "lp_base"), *base = logarithms ? logarithms : json_object_get(row, "base");
    const json_t *scores = json_object_get(row, "scores");
    if (!json_is_array(base) || !json_is_array(scores))
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "%s: expected a list of numbers",
                          json_is_array(base) ? "scores" : logarithms ? "lp_base" : "base");
    *out = (mn_budget_answer){.line = at.line, .help = json_object_get(row, "help"), .V = json_array_size(base)};
    out->V += out->help;
    if (!json_array_size(base)) return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "the base has no entries");
    if (json_array_size(scores) != out->V)
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0,
                          "scores: expected %zu (one for each entry of the base%s), got %zu", out->V,
                          out->help ? ", and help" : "", json_array_size(scores));
    MN_TRY(number(&mass, row, "help", 0, at, err));
    MN_TRY(number(&out->limit, row, "budget_nats", limit, at, err));
    if (!json_object_get(row, "budget_nats") && limit < 0)
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "no budget_nats, and no limit for rows without one");
    if (out->limit < 0)
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "budget_nats: expected at least 0, got %g", out->limit);
    MN_TRY(grow(r, out->V, err));
    MN_TRY(read_base(r, base, logarithms, out->help, mass, at, err));
    return list(r->scores, scores, "scores", at, err);
}

static mn_status solve(room *r, mn_budget_answer *out, place at, mn_err *err)
{
    mn_err why = {0};
    if (mn_regularize(MN_REG_BUDGET, r->lp_policy, &out->lambda, &out->nats, r->lp, r->scores, &out->limit, 1, out->V, &why) !=
        MN_OK)
        return mn_fail_at(err, MN_ERR_INPUT, at.file, at.line, 0, "%s", why.message + strlen("row 0, "));
    for (size_t i = 0; i < out->V; i++) r->policy[i] = out->lambda > 0 ? exp(r->lp_policy[i]) : r->base[i];
    out->base = r->base, out->policy = r->policy;
    return MN_OK;
}

static mn_status answer_line(room *r, mn_budget_answer *out, const char *text, size_t len, double limit, place at, mn_err *err)
{
    json_t *row;
    MN_TRY(mn_json_parse(&row, text, len, at.file, at.line, err));
    mn_status status = read_row(r, out, row, limit, at, err);
    if (status == MN_OK) status = solve(r, out, at, err);
    json_decref(row);
    return status;
}

mn_status mn_budget_file(const char *path, double limit, void (*answer)(void *arg, const mn_budget_answer *answer), void *arg,
                         mn_err *err)
{
    mn_lines lines;
    room r = {0};
    mn_budget_answer out;
    char *line;
    size_t len;
    bool end = false;
    MN_TRY(mn_lines_open(&lines, path, err));
    mn_status status;
    while ((status = mn_lines_next(&lines, &line, &len, &end, err)) == MN_OK && !end) {
        if (!line[strspn(line, " \t")]) continue;
        status = answer_line(&r, &out, line, len, limit, (place){lines.name, lines.number}, err);
        if (status != MN_OK) break;
        answer(arg, &out);
    }
    mn_lines_close(&lines);
    release(&r);
    return status;
}
