/* The verb: from a configuration to plans, one a budget. */
#include <unistd.h>

#include "learn/plan_graph.h"
#include "learn/plan_hard.h"
#include "learn/plan_models.h"
#include "learn/plan_sample.h"
#include "learn/plan_save.h"

typedef struct plan {
    const mn_plan_opts *opts;
    mn_plan_settings settings;
    mn_plan_models models;
    mn_plan_graph graph;
    mn_plan_policy policy;
    mn_plan_solver *solver;
    mn_plan_hard *hard;  /* in place of policy and solver */
    double *per_turn;    /* [T,4] */
    mn_plan_turn *turns; /* [sampled,T] */
    mn_plan_save save;   /* where opts->dir is given */
} plan;

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
    MN_TRY(mn_plan_measure(&f, p->per_turn, NULL, graph, policy, err));
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
    if (p->opts->dir) MN_TRY(mn_plan_save_add(&p->save, a, graph, policy, err));
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
    if (p->opts->dir) MN_TRY(mn_plan_save_open(&p->save, p->opts->dir, err));
    MN_ALLOC_OR_FAIL(p->per_turn, 4 * T, err);
    if (!mn_mul_size(&turns, p->opts->sampled, T))
        return mn_fail(err, MN_ERR_LIMIT, "%zu transcripts are too many", p->opts->sampled);
    MN_ALLOC_OR_FAIL(p->turns, turns, err);
    MN_TRY(solve_all(p, err));
    return p->opts->dir ? mn_plan_save_finish(&p->save, s, &p->models.world, err) : MN_OK;
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
    mn_plan_save_close(&p.save);
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
