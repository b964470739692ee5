/* The audit of a run: every logged episode is played again from its log, and must come out as logged. */
#include <math.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/stats.h"
#include "learn/checkpoint.h"
#include "report/episodes.h"
#include "report/run.h"

/* Another processor or build rounds otherwise: half-precision weights and sums in another order. */
#define OTHER_MACHINE_NATS 1e-2
#define Z_LIMIT 5.0

/* The logged episodes of one step. */
typedef struct group {
    size_t step, n, cap;
    mn_episode *logged, *played; /* [cap] */
    char **lines;                /* [n] as they stand in the file */
    size_t *numbers;             /* [n] line numbers */
    int32_t **drawn;             /* [n], each [T] */
} group;

typedef struct audit {
    const mn_audit_opts *opts;
    mn_audit *out;
    mn_settings settings;
    mn_setup setup;
    mn_crew *crew;
    mn_heads heads;
    json_t *steps; /* array of the lines of steps.jsonl */
    const char *roles[2];
    size_t expected;  /* episodes in the log of a whole run, for progress */
    bool heads_known; /* of the step at hand */
    bool crew_scores; /* rewards can be computed again */
    group group;
    mn_stats gap, ratio, nats; /* over decisions: lp_policy - lp_base - nats; its two parts */
} audit;

static void found(audit *a, const char *format, ...) MN_PRINTF(2, 3);
static void found(audit *a, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    a->out->differences++;
    if (a->opts->found) a->opts->found(a->opts->arg, line);
}

/* ---- comparing ---------------------------------------------------------------------------------------------------- */

static bool agree(audit *a, double logged, double replayed)
{
    if (logged == replayed || (isnan(logged) && isnan(replayed))) return true;
    double gap = fabs(logged - replayed);
    if (isfinite(gap) && gap > a->out->worst) a->out->worst = gap;
    return gap <= a->out->tolerance; /* false for NaN */
}

static void compare_number(audit *a, const mn_episode *e, const char *key, double logged, double replayed)
{
    if (!agree(a, logged, replayed))
        found(a, "episode %llu: %s is %.17g, replayed %.17g", (unsigned long long)e->number, key, logged, replayed);
}

static void compare_token(audit *a, const mn_episode *logged, const mn_episode *played, const int32_t *drawn, size_t t)
{
    unsigned long long number = logged->number;
    const struct {
        const char *key;
        double logged, played;
        bool policy; /* depends on the heads */
    } values[] = {{"lp_base", logged->lp_base[t], played->lp_base[t], false},
                  {"lp_policy", logged->lp_policy[t], played->lp_policy[t], true},
                  {"nats", logged->nats[t], played->nats[t], true},
                  {"help_mass", logged->help_mass[t], played->help_mass[t], false}};
    if (logged->speaker[t] != played->speaker[t])
        found(a, "episode %llu, token %zu: speaker is %s, replayed %s", number, t, a->roles[logged->speaker[t]],
              a->roles[played->speaker[t]]);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        if (values[i].policy && !a->heads_known) continue;
        if (!agree(a, values[i].logged, values[i].played))
            found(a, "episode %llu, token %zu: %s is %.17g, replayed %.17g", number, t, values[i].key, values[i].logged,
                  values[i].played);
    }
    if (a->out->same_machine && (a->heads_known || logged->speaker[t] != MN_AGENT) && drawn[t] != logged->token[t])
        found(a, "episode %llu, token %zu: token is %d, but its random stream draws %d", number, t, logged->token[t], drawn[t]);
}

static void compare_rewards(audit *a, const mn_episode *logged, const mn_episode *played)
{
    size_t n = logged->n_rewards < played->n_rewards ? logged->n_rewards : played->n_rewards;
    if (logged->n_rewards != played->n_rewards)
        found(a, "episode %llu: %zu rewards, replayed %zu", (unsigned long long)logged->number, logged->n_rewards,
              played->n_rewards);
    for (size_t i = 0; i < n; i++)
        if (logged->rewards[i].t != played->rewards[i].t || !agree(a, logged->rewards[i].value, played->rewards[i].value))
            found(a, "episode %llu: reward %zu is %.17g at token %zu, replayed %.17g at token %zu",
                  (unsigned long long)logged->number, i, logged->rewards[i].value, logged->rewards[i].t,
                  played->rewards[i].value, played->rewards[i].t);
}

/* What the log alone must satisfy: the charges sum to what was spent, and that is within the budget. */
static void check_sums(audit *a, const mn_episode *e)
{
    long double sum = 0;
    for (size_t t = 0; t < e->T; t++) {
        sum += e->nats[t];
        if (e->speaker[t] == MN_OTHER && e->nats[t] != 0)
            found(a, "episode %llu, token %zu: nats is %.17g in the world's turn", (unsigned long long)e->number, t,
                  e->nats[t]);
    }
    if (!(fabsl(sum - e->spent_nats) <= 1e-9))
        found(a, "episode %llu: the nats sum to %.17g, spent_nats is %.17g", (unsigned long long)e->number, (double)sum,
              e->spent_nats);
    if (!(e->spent_nats <= e->budget_nats))
        found(a, "episode %llu: spent_nats %.17g is over the budget %.17g", (unsigned long long)e->number, e->spent_nats,
              e->budget_nats);
    if (isfinite(e->budget_nats) && e->budget_nats > 0 && e->spent_nats / e->budget_nats > a->out->worst_spent_share)
        a->out->worst_spent_share = e->spent_nats / e->budget_nats;
}

static void count(audit *a, const mn_episode *e)
{
    a->out->episodes++;
    a->out->tokens += e->T;
    if (!a->crew_scores) a->out->unchecked_rewards += e->n_rewards;
    for (size_t t = 0; t < e->T; t++) {
        if (e->speaker[t] != MN_AGENT) continue;
        double ratio = e->lp_policy[t] - e->lp_base[t];
        a->out->decisions++;
        if (!a->heads_known) a->out->unchecked_policy++;
        mn_stats_add(&a->ratio, ratio);
        mn_stats_add(&a->nats, e->nats[t]);
        mn_stats_add(&a->gap, ratio - e->nats[t]);
    }
}

/* On the same machine the very line must come out. */
static mn_status compare_line(audit *a, size_t i, size_t before, mn_err *err)
{
    const group *g = &a->group;
    mn_buf line = {0};
    mn_status status = mn_episode_write(&line, &g->played[i], a->roles);
    if (status == MN_OK && a->out->differences == before && a->heads_known && a->out->same_machine) {
        size_t at = 0;
        while (at < line.len && line.data[at] == g->lines[i][at] && line.data[at] != '\n') at++;
        if (line.data[at] != '\n' || g->lines[i][at])
            found(a, "episode %llu: line %zu differs from the replay at column %zu", (unsigned long long)g->logged[i].number,
                  g->numbers[i], at + 1);
    }
    mn_buf_free(&line);
    return status == MN_OK ? MN_OK : mn_fail(err, status, "out of memory");
}

static mn_status compare(audit *a, size_t i, mn_err *err)
{
    const mn_episode *logged = &a->group.logged[i], *played = &a->group.played[i];
    size_t n = logged->T < played->T ? logged->T : played->T, before = a->out->differences;
    for (size_t t = 0; t < n; t++) compare_token(a, logged, played, a->group.drawn[i], t);
    if (logged->T != played->T)
        found(a, "episode %llu, token %zu: the log has %zu tokens, the replay ends after %zu",
              (unsigned long long)logged->number, n, logged->T, played->T);
    compare_rewards(a, logged, played);
    check_sums(a, logged);
    compare_number(a, logged, "return", logged->value, played->value);
    compare_number(a, logged, "help", logged->help, played->help);
    if (a->heads_known) compare_number(a, logged, "spent_nats", logged->spent_nats, played->spent_nats);
    if (logged->opening != played->opening)
        found(a, "episode %llu: opening is %lld, replayed %lld", (unsigned long long)logged->number, (long long)logged->opening,
              (long long)played->opening);
    if (logged->seed != played->seed)
        found(a, "episode %llu: seed is %llu, the run's is %llu", (unsigned long long)logged->number,
              (unsigned long long)logged->seed, (unsigned long long)played->seed);
    count(a, logged);
    return compare_line(a, i, before, err);
}

/* ---- a step --------------------------------------------------------------------------------------------------------------- */

static void compare_step_number(audit *a, const json_t *line, const char *key, double replayed)
{
    double logged;
    if (mn_json_number(&logged, json_object_get(line, key)) != MN_OK)
        found(a, "steps.jsonl: step %zu has no number \"%s\"", a->group.step, key);
    else if (!agree(a, logged, replayed))
        found(a, "steps.jsonl: step %zu: %s is %.17g, from the episodes %.17g", a->group.step, key, logged, replayed);
}

static void compare_step(audit *a)
{
    const group *g = &a->group;
    uint64_t first;
    mn_stats value = {0}, nats = {0};
    double most = 0;
    size_t expected = mn_trainer_episodes(&a->settings, g->step, &first);
    const json_t *line = json_array_get(a->steps, g->step);
    if (g->n != expected) found(a, "step %zu: %zu episodes are logged, it played %zu", g->step, g->n, expected);
    for (size_t i = 0; i < g->n; i++) {
        double budget = mn_trainer_budget(&a->settings, g->step);
        if (g->logged[i].number != first + i)
            found(a, "step %zu: expected episode %llu, found %llu", g->step, (unsigned long long)(first + i),
                  (unsigned long long)g->logged[i].number);
        if (g->logged[i].budget_nats != budget)
            found(a, "episode %llu: budget_nats is %.17g, the run's %.17g", (unsigned long long)g->logged[i].number,
                  g->logged[i].budget_nats, budget);
        mn_stats_add(&value, g->logged[i].value);
        mn_stats_add(&nats, g->logged[i].spent_nats);
        most = fmax(most, g->logged[i].spent_nats);
    }
    if (!line) {
        found(a, "steps.jsonl: step %zu is missing", g->step);
        return;
    }
    compare_step_number(a, line, "step", (double)g->step);
    compare_step_number(a, line, "return", value.mean);
    compare_step_number(a, line, "return_se", mn_stats_error(&value));
    compare_step_number(a, line, "nats", nats.mean);
    compare_step_number(a, line, "nats_max", most);
}

static mn_status load_heads(audit *a, mn_err *err)
{
    char path[PATH_MAX], name[64];
    snprintf(name, sizeof name, "heads.%06zu", a->group.step);
    MN_TRY(mn_run_path(path, sizeof path, a->opts->dir, name, err));
    a->heads_known = mn_file_exists(path);
    return a->heads_known ? mn_checkpoint_load_played(&a->heads, &a->setup.features, path, err) : MN_OK;
}

static mn_status replay(audit *a, mn_err *err)
{
    group *g = &a->group;
    MN_TRY(load_heads(a, err));
    mn_rollout job = {.heads = a->heads_known ? &a->heads : NULL,
                      .n = g->n,
                      .step = g->step,
                      .script = g->logged,
                      .episodes = g->played,
                      .drawn = g->drawn,
                      .stop = a->opts->stop,
                      .stop_arg = a->opts->arg};
    MN_TRY(mn_rollout_play(a->crew, &job, err));
    for (size_t i = 0; i < g->n; i++) MN_TRY(compare(a, i, err));
    compare_step(a);
    a->out->steps++;
    if (a->opts->progress) a->opts->progress(a->opts->arg, a->out->episodes, a->expected);
    return MN_OK;
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

static void clear_group(group *g)
{
    for (size_t i = 0; i < g->n; i++) {
        free(g->lines[i]);
        free(g->drawn[i]);
        g->lines[i] = NULL;
        g->drawn[i] = NULL;
    }
    g->n = 0;
}

static void free_group(group *g)
{
    clear_group(g);
    for (size_t i = 0; i < g->cap; i++) {
        mn_episode_free(&g->logged[i]);
        mn_episode_free(&g->played[i]);
    }
    free(g->logged);
    free(g->played);
    free(g->lines);
    free(g->numbers);
    free(g->drawn);
    *g = (group){0};
}

static mn_status open_group(group *g, size_t cap, mn_err *err)
{
    MN_ALLOC_OR_FAIL(g->logged, cap, err);
    MN_ALLOC_OR_FAIL(g->played, cap, err);
    g->cap = cap;
    MN_ALLOC_OR_FAIL(g->lines, cap, err);
    MN_ALLOC_OR_FAIL(g->numbers, cap, err);
    MN_ALLOC_OR_FAIL(g->drawn, cap, err);
    return MN_OK;
}

/* The episode at hand, read into logged[n], joins the group. */
static mn_status join_group(audit *a, const char *line, size_t number, mn_err *err)
{
    group *g = &a->group;
    size_t tokens = a->setup.rules.tokens;
    if (!(g->lines[g->n] = strdup(line))) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    g->numbers[g->n] = number;
    g->drawn[g->n] = mn_alloc(tokens, sizeof(int32_t));
    if (!g->drawn[g->n]) return free(g->lines[g->n]), mn_fail(err, MN_ERR_MEMORY, "out of memory");
    g->step = g->logged[g->n].step;
    g->n++;
    return MN_OK;
}

static mn_status read_group_line(audit *a, const char *line, size_t len, const mn_lines *lines, mn_err *err)
{
    group *g = &a->group;
    mn_episode *e = &g->logged[g->n];
    MN_TRY(mn_episode_read(e, line, len, a->roles, lines->name, lines->number, err));
    if (g->n && e->step != g->step) {
        MN_TRY(replay(a, err));
        mn_episode kept = g->logged[g->n];
        g->logged[g->n] = g->logged[0];
        g->logged[0] = kept;
        clear_group(g);
    }
    if (g->n + 1 >= g->cap) {
        found(a, "step %zu: more than the %zu episodes it played are logged", g->step, g->cap - 1);
        return mn_fail_at(err, MN_ERR_CHECK, lines->name, lines->number, 0, "step %zu has too many episodes", g->step);
    }
    return join_group(a, line, lines->number, err);
}

static mn_status read_episodes(audit *a, mn_err *err)
{
    char path[PATH_MAX], *line;
    mn_lines lines;
    size_t len;
    bool end = false;
    MN_TRY(mn_run_path(path, sizeof path, a->opts->dir, "episodes.jsonl", err));
    MN_TRY(mn_lines_open(&lines, path, err));
    mn_status status = MN_OK;
    while (status == MN_OK) {
        status = mn_lines_next(&lines, &line, &len, &end, err);
        if (status != MN_OK || end) break;
        status = read_group_line(a, line, len, &lines, err);
    }
    if (status == MN_OK && a->group.n) status = replay(a, err);
    if (status == MN_OK && !a->out->episodes) status = mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "holds no episodes to audit");
    mn_lines_close(&lines);
    return status;
}

static void count_expected(audit *a)
{
    size_t steps = json_array_size(a->steps), every = (size_t)a->settings.log_every, last = (size_t)a->settings.steps;
    if (steps) a->expected = (size_t)a->settings.base_episodes;
    for (size_t step = 1; step < steps; step++)
        if (step % every == 0 || step == last) a->expected += (size_t)a->settings.episodes;
}

static mn_status read_steps(audit *a, mn_err *err)
{
    char path[PATH_MAX], *line;
    mn_lines lines;
    size_t len;
    bool end = false;
    json_t *record;
    if (!(a->steps = json_array())) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    MN_TRY(mn_run_path(path, sizeof path, a->opts->dir, "steps.jsonl", err));
    MN_TRY(mn_lines_open(&lines, path, err));
    mn_status status = MN_OK;
    while (status == MN_OK) {
        status = mn_lines_next(&lines, &line, &len, &end, err);
        if (status != MN_OK || end) break;
        status = mn_json_parse(&record, line, len, lines.name, lines.number, err);
        if (status == MN_OK && json_array_append_new(a->steps, record) != 0)
            status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    }
    mn_lines_close(&lines);
    count_expected(a);
    return status;
}

/* Whether run.json names this machine and build. */
static mn_status find_machine(audit *a, mn_err *err)
{
    char path[PATH_MAX];
    mn_buf file = {0}, here = {0};
    json_t *all = NULL, *now = NULL;
    MN_TRY(mn_run_path(path, sizeof path, a->opts->dir, "run.json", err));
    mn_status status = mn_file_read(&file, path, err);
    if (status == MN_OK) status = mn_json_parse(&all, file.data, file.len, path, 0, err);
    if (status == MN_OK && mn_run_machine(&here) != MN_OK) status = mn_fail(err, MN_ERR_MEMORY, "out of memory");
    if (status == MN_OK) status = mn_json_parse(&now, here.data, here.len, "", 1, err);
    a->out->same_machine = status == MN_OK && json_equal(json_object_get(all, "machine"), now);
    a->out->tolerance = a->out->same_machine ? 0 : OTHER_MACHINE_NATS;
    json_decref(all);
    json_decref(now);
    mn_buf_free(&file);
    mn_buf_free(&here);
    return status;
}

/* ---- all of it ------------------------------------------------------------------------------------------------------------- */

static mn_status open_audit(audit *a, mn_err *err)
{
    const mn_audit_opts *o = a->opts;
    size_t threads = o->threads ? o->threads : (size_t)sysconf(_SC_NPROCESSORS_ONLN);
    MN_TRY(mn_run_settings(&a->settings, o->dir, err));
    MN_TRY(find_machine(a, err));
    MN_TRY(mn_setup_open(&a->setup, &a->settings, err));
    MN_TRY(mn_run_same_models(&a->setup, o->dir, err));
    a->roles[MN_AGENT] = a->setup.rules.role[MN_AGENT];
    a->roles[MN_OTHER] = a->setup.rules.role[MN_OTHER];
    a->crew_scores = *a->settings.world.plan || a->settings.reward.type != MN_REWARD_COMMAND;
    MN_TRY(mn_heads_new(&a->heads, mn_features_width(&a->setup.features), (size_t)a->settings.ppo.hidden, a->setup.E + 2, err));
    size_t most = (size_t)(a->settings.episodes > a->settings.base_episodes ? a->settings.episodes : a->settings.base_episodes);
    MN_TRY(open_group(&a->group, most + 2, err));
    MN_TRY(mn_crew_new(&a->crew, &a->setup, threads, (size_t)a->settings.episodes, a->crew_scores, err));
    return read_steps(a, err);
}

static void close_audit(audit *a)
{
    mn_crew_free(a->crew);
    free_group(&a->group);
    mn_heads_free(&a->heads);
    mn_setup_free(&a->setup);
    mn_config_free(&a->settings, mn_settings_keys, mn_settings_n);
    json_decref(a->steps);
}

static void conclude(audit *a)
{
    mn_audit *out = a->out;
    out->mean_log_ratio = a->ratio.mean;
    out->mean_nats = a->nats.mean;
    out->z = mn_z_score(a->ratio.mean, a->nats.mean, mn_stats_error(&a->gap));
    if (fabs(out->z) > Z_LIMIT)
        found(a, "the mean of lp_policy - lp_base, %.6g, is %.1f standard errors from that of nats, %.6g", out->mean_log_ratio,
              out->z, out->mean_nats);
}

mn_status mn_audit_run(mn_audit *out, const mn_audit_opts *opts, mn_err *err)
{
    audit a = {.opts = opts, .out = out};
    *out = (mn_audit){0};
    mn_status status = open_audit(&a, err);
    if (status == MN_OK) status = read_episodes(&a, err);
    if (status == MN_OK) conclude(&a);
    if (status == MN_OK && out->differences)
        status = mn_fail_at(err, MN_ERR_CHECK, opts->dir, 0, 0, "%zu differences between the log and its replay",
                            out->differences);
    close_audit(&a);
    return status;
}
