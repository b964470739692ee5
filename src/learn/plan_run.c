/* The verb: from a configuration to plans, one a budget. */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "learn/plan_graph.h"
#include "learn/plan_hard.h"
#include "learn/plan_models.h"
#include "learn/plan_sample.h"

typedef struct plan {
    const mn_plan_opts *opts;
    mn_plan_settings settings;
    mn_plan_models models;
    mn_plan_graph graph;
    mn_plan_policy policy;
    mn_plan_solver *solver;
    mn_plan_hard *hard;    /* in place of policy and solver */
    double *per_turn;      /* [T,4] */
    mn_plan_turn *turns;   /* [sampled,T] */
    mn_buf answers, episodes; /* what dir gets */
} plan;

/* ---- files ------------------------------------------------------------------------------------------------------- */

static mn_status put_number(mn_buf *out, const char *key, double x)
{
    MN_TRY(mn_buf_printf(out, "%s\"%s\": ", out->data && out->len && out->data[out->len - 1] != '{' ? ", " : "", key));
    return isnan(x) ? mn_buf_puts(out, "null") : mn_json_num(out, x);
}

static mn_status put_text(mn_buf *out, const char *key, const char *text)
{
    MN_TRY(mn_buf_printf(out, "%s\"%s\": ", out->data[out->len - 1] != '{' ? ", " : "", key));
    return mn_json_str(out, text, strlen(text));
}

static mn_status put_answer(mn_buf *out, const mn_plan_answer *a)
{
    MN_TRY(mn_buf_puts(out, out->len ? ",\n  {" : "\n  {"));
    MN_TRY(put_number(out, "budget", a->budget));
    MN_TRY(put_number(out, "value", a->value));
    MN_TRY(put_number(out, "value_above", a->value_above));
    MN_TRY(put_number(out, "eta", a->eta));
    MN_TRY(put_number(out, "kl_base_nats", a->kl_base_nats));
    MN_TRY(put_number(out, "kl_demonstrator_nats", a->kl_demonstrator_nats));
    MN_TRY(put_number(out, "worst_observation_kl_nats", a->worst_observation_kl_nats));
    MN_TRY(put_number(out, "help_per_episode", a->help_per_episode));
    MN_TRY(put_number(out, "help_slack_nats", a->help_slack_nats));
    MN_TRY(mn_buf_printf(out, ", \"states\": %zu, \"per_turn\": [", a->states));
    for (size_t t = 0; t < a->turns; t++) {
        if (t) MN_TRY(mn_buf_puts(out, ", "));
        MN_TRY(mn_json_nums(out, a->per_turn + 4 * t, 4));
    }
    return mn_buf_puts(out, "]}");
}

static mn_status put_turn(mn_buf *out, const mn_plan_answer *a, const mn_plan_turn *turn)
{
    MN_TRY(mn_buf_puts(out, "{"));
    MN_TRY(put_text(out, "role", a->roles[0]));
    MN_TRY(put_text(out, "move", turn->move));
    MN_TRY(put_text(out, "text", turn->sentence));
    MN_TRY(put_number(out, "nats", turn->nats));
    MN_TRY(mn_buf_printf(out, ", \"helped\": %s}, {", turn->helped ? "true" : "false"));
    MN_TRY(put_text(out, "role", a->roles[1]));
    MN_TRY(put_text(out, "move", turn->answer));
    MN_TRY(put_text(out, "text", turn->answer_sentence));
    MN_TRY(put_number(out, "reward", turn->reward));
    return mn_buf_puts(out, "}");
}

static mn_status put_episodes(mn_buf *out, const mn_plan_answer *a)
{
    for (size_t e = 0; e < a->sampled; e++) {
        MN_TRY(mn_buf_puts(out, "{\"budget\": "));
        MN_TRY(mn_json_num(out, a->budget));
        MN_TRY(mn_buf_printf(out, ", \"episode\": %zu, \"turns\": [", e));
        for (size_t t = 0; t < a->turns; t++) {
            if (t) MN_TRY(mn_buf_puts(out, ", "));
            MN_TRY(put_turn(out, a, a->episodes + e * a->turns + t));
        }
        MN_TRY(mn_buf_puts(out, "]}\n"));
    }
    return MN_OK;
}

static mn_status write_file(const plan *p, const char *name, const mn_buf *text, mn_err *err)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", p->opts->dir, name);
    if (n < 0 || (size_t)n >= sizeof path) return mn_fail_at(err, MN_ERR_IO, p->opts->dir, 0, 0, "the path is too long");
    return mn_file_write_atomic(path, text->data ? text->data : "", text->len, err);
}

static mn_status put_plan(mn_buf *out, const plan *p)
{
    MN_TRY(mn_buf_printf(out, "{\"version\": \"%s\",\n \"config\": ", MN_VERSION));
    MN_TRY(mn_config_json(out, &p->settings, mn_plan_settings_keys, mn_plan_settings_n));
    MN_TRY(mn_buf_puts(out, ",\n \"plans\": ["));
    MN_TRY(mn_buf_put(out, p->answers.data, p->answers.len));
    return mn_buf_puts(out, "]}\n");
}

static mn_status write_plan(const plan *p, mn_err *err)
{
    mn_buf text = {0};
    if (!p->opts->dir) return MN_OK;
    mn_status status = put_plan(&text, p);
    status = status == MN_OK ? write_file(p, "plan.json", &text, err) : mn_fail(err, status, "out of memory");
    mn_buf_free(&text);
    if (status == MN_OK && p->opts->sampled) status = write_file(p, "transcripts.jsonl", &p->episodes, err);
    return status;
}

static mn_status make_dir(const mn_plan_opts *opts, mn_err *err)
{
    if (!opts->dir || mkdir(opts->dir, 0777) == 0 || errno == EEXIST) return MN_OK;
    return mn_fail_at(err, MN_ERR_IO, opts->dir, 0, 0, "cannot be made: %s", strerror(errno));
}

/* ---- one budget ----------------------------------------------------------------------------------------------------- */

static mn_status solve(plan *p, double budget, double *eta, mn_err *err)
{
    mn_reg_kind kind = (mn_reg_kind)p->settings.regularizer;
    double lambda;
    size_t sweeps;
    *eta = NAN;
    if (kind == MN_REG_TVD || kind == MN_REG_CHI2 || kind == MN_REG_NONE)
        return mn_plan_limited(p->solver, &p->policy, kind, budget, err);
    if (kind == MN_REG_PENALTY)
        MN_TRY(mn_plan_penalty(p->solver, &p->policy, *eta = budget, err));
    else {
        MN_TRY(mn_plan_budget(p->solver, &p->policy, budget, &lambda, &sweeps, err));
        *eta = 1 / lambda;
    }
    return MN_OK;
}

static mn_status tell(plan *p, mn_plan_answer *a, const mn_plan_graph *graph, const mn_plan_policy *policy, mn_err *err)
{
    mn_plan_figures f;
    size_t T = graph->T;
    MN_TRY(mn_plan_measure(&f, p->per_turn, graph, policy, err));
    for (size_t t = 0; t < T; t++) p->per_turn[4 * t + 2] *= (double)T;
    for (size_t e = 0; e < p->opts->sampled; e++)
        mn_plan_sample(p->turns + e * T, graph, policy, &p->models.world, (uint64_t)p->settings.seed, e);
    a->value = f.value;
    a->value_above = fmax(a->value_above, f.value);
    a->kl_base_nats = f.kl_base;
    a->kl_demonstrator_nats = f.kl_demonstrator;
    a->worst_observation_kl_nats = f.worst;
    a->help_per_episode = f.help;
    a->help_slack_nats = f.slack;
    a->states = graph->S;
    a->turns = T;
    a->per_turn = p->per_turn;
    a->roles[0] = p->models.world.roles[0];
    a->roles[1] = p->models.world.roles[1];
    a->episodes = p->turns;
    a->sampled = p->opts->sampled;
    if (p->opts->dir && (put_answer(&p->answers, a) != MN_OK || put_episodes(&p->episodes, a) != MN_OK))
        return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (p->opts->answer) p->opts->answer(p->opts->arg, a);
    return MN_OK;
}

static mn_status solve_budget(plan *p, mn_plan_answer *a, mn_err *err)
{
    MN_TRY(solve(p, a->budget, &a->eta, err));
    return tell(p, a, &p->graph, &p->policy, err);
}

static mn_status solve_hard(plan *p, mn_plan_answer *a, mn_err *err)
{
    mn_plan_graph graph;
    mn_plan_policy policy;
    a->eta = NAN;
    MN_TRY(mn_plan_hard_policy(p->hard, a->budget, &graph, &policy, &a->value_above, err));
    mn_status status = tell(p, a, &graph, &policy, err);
    mn_plan_policy_free(&policy);
    mn_plan_graph_free(&graph);
    return status;
}

static mn_status prepare(plan *p, size_t threads, mn_err *err)
{
    const mn_plan_settings *s = &p->settings;
    double most = 0;
    for (size_t i = 0; i < s->budgets.n; i++) most = fmax(most, s->budgets.items[i]);
    if (s->hard) return mn_plan_hard_new(&p->hard, &p->graph, s->grid_nats, most, threads, p->opts->stop, p->opts->arg, err);
    MN_TRY(mn_plan_policy_new(&p->policy, &p->graph, err));
    return mn_plan_solver_new(&p->solver, &p->graph, threads, err);
}

static mn_status solve_all(plan *p, mn_err *err)
{
    const mn_num_list *budgets = &p->settings.budgets;
    MN_TRY(prepare(p, p->opts->threads ? p->opts->threads : (size_t)sysconf(_SC_NPROCESSORS_ONLN), err));
    for (size_t i = 0; i < budgets->n; i++) {
        mn_plan_answer answer = {.budget = budgets->items[i], .value_above = -INFINITY};
        if (p->opts->stop && p->opts->stop(p->opts->arg)) return mn_fail(err, MN_ERR_INTERRUPTED, "interrupted");
        MN_TRY(p->hard ? solve_hard(p, &answer, err) : solve_budget(p, &answer, err));
    }
    return MN_OK;
}

/* ---- all ---------------------------------------------------------------------------------------------------------------- */

static mn_status run(plan *p, mn_err *err)
{
    const mn_plan_settings *s = &p->settings;
    size_t T = (size_t)s->turns, turns;
    MN_TRY(mn_plan_models_open(&p->models, s, err));
    mn_plan_problem problem = {.base = p->models.base,
                               .world = &p->models.world,
                               .T = T,
                               .most = (size_t)s->max_states,
                               .learns = s->switching,
                               .learns_from_help = s->learn_from == MN_LEARN_DEMONSTRATOR,
                               .helps = p->models.pessimist != NULL,
                               .stop = p->opts->stop,
                               .arg = p->opts->arg};
    MN_TRY(mn_plan_build(&p->graph, &problem, err));
    MN_TRY(make_dir(p->opts, err));
    MN_ALLOC_OR_FAIL(p->per_turn, 4 * T, err);
    if (!mn_mul_size(&turns, p->opts->sampled, T)) return mn_fail(err, MN_ERR_LIMIT, "%zu transcripts are too many", p->opts->sampled);
    MN_ALLOC_OR_FAIL(p->turns, turns, err);
    MN_TRY(solve_all(p, err));
    return write_plan(p, err);
}

mn_status mn_plan(const mn_plan_opts *opts, mn_err *err)
{
    plan p = {.opts = opts};
    MN_TRY(mn_plan_settings_load(&p.settings, opts->config, opts->sets, opts->n_sets, err));
    mn_status status = run(&p, err);
    mn_plan_solver_free(p.solver);
    mn_plan_hard_free(p.hard);
    mn_plan_policy_free(&p.policy);
    mn_plan_graph_free(&p.graph);
    mn_plan_models_free(&p.models);
    free(p.per_turn);
    free(p.turns);
    mn_buf_free(&p.answers);
    mn_buf_free(&p.episodes);
    mn_config_free(&p.settings, mn_plan_settings_keys, mn_plan_settings_n);
    return status;
}

mn_status mn_plan_keys(char **out, mn_err *err)
{
    mn_buf buf = {0};
    mn_status status = mn_config_doc(&buf, mn_plan_settings_keys, mn_plan_settings_n);
    if (status != MN_OK) return mn_buf_free(&buf), mn_fail(err, status, "out of memory");
    *out = buf.data;
    return MN_OK;
}
