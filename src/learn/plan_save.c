#include "learn/plan_save.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/json.h"

/* ---- records -------------------------------------------------------------------------------------------------------- */

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

static mn_status put_episode(mn_buf *out, const mn_plan_answer *a, size_t episode)
{
    MN_TRY(mn_buf_puts(out, "{\"budget\": "));
    MN_TRY(mn_json_num(out, a->budget));
    MN_TRY(mn_buf_printf(out, ", \"episode\": %zu, \"turns\": [", episode));
    for (size_t t = 0; t < a->turns; t++) {
        if (t) MN_TRY(mn_buf_puts(out, ", "));
        MN_TRY(put_turn(out, a, a->episodes + episode * a->turns + t));
    }
    return mn_buf_puts(out, "]}\n");
}

static mn_status put_next(mn_buf *out, const char *key, const mn_plan_graph *g, const uint32_t *edges)
{
    MN_TRY(mn_buf_printf(out, ", \"%s\": [", key));
    for (size_t a = 0; a < g->M; a++)
        for (size_t o = 0; o < g->O; o++)
            MN_TRY(mn_buf_printf(out, "%s%u", o ? ", " : a ? "], [" : "[", g->next[edges[a] * g->O + o]));
    return mn_buf_puts(out, "]]");
}

/* A row of the policy: move, or with help the last, by move. */
static mn_status put_state(mn_buf *out, double budget, size_t step, size_t s, double reached, const mn_plan_graph *g,
                           const double *pi)
{
    MN_TRY(mn_buf_puts(out, "{\"budget\": "));
    MN_TRY(mn_json_num(out, budget));
    MN_TRY(mn_buf_printf(out, ", \"step\": %zu, \"state\": %zu, \"reached\": ", step, s));
    MN_TRY(mn_json_num(out, reached));
    MN_TRY(mn_buf_puts(out, ", \"base\": ["));
    for (size_t a = 0; a <= g->M; a++) {
        if (a) MN_TRY(mn_buf_puts(out, ", "));
        MN_TRY(mn_json_num(out, exp(g->lp_base[s * g->W + a])));
    }
    MN_TRY(mn_buf_puts(out, "], \"policy\": "));
    MN_TRY(mn_json_nums(out, pi, g->M + 1));
    if (step + 1 < g->T) MN_TRY(put_next(out, "next", g, g->edge + s * g->M));
    if (step + 1 < g->T && g->helped != g->edge) MN_TRY(put_next(out, "next_helped", g, g->helped + s * g->M));
    return mn_buf_puts(out, "}\n");
}

static mn_status put_names(mn_buf *out, const char *key, const mn_classroom *world, const int32_t *symbols, size_t n)
{
    MN_TRY(mn_buf_printf(out, ",\n \"%s\": [", key));
    for (size_t i = 0; i < n; i++) {
        const char *name = mn_classroom_name(world, symbols[i]);
        if (i) MN_TRY(mn_buf_puts(out, ", "));
        MN_TRY(mn_json_str(out, name, strlen(name)));
    }
    return mn_buf_puts(out, "]");
}

static mn_status put_plan(mn_buf *out, const mn_buf *answers, const mn_plan_settings *settings, const mn_classroom *world)
{
    MN_TRY(mn_buf_printf(out, "{\"version\": \"%s\",\n \"config\": ", MN_VERSION));
    MN_TRY(mn_config_json(out, settings, mn_plan_settings_keys, mn_plan_settings_n));
    MN_TRY(put_names(out, "moves", world, world->moves, world->M));
    MN_TRY(put_names(out, "answers", world, world->answers, world->O));
    MN_TRY(mn_buf_puts(out, ",\n \"plans\": ["));
    MN_TRY(mn_buf_put(out, answers->data, answers->len));
    return mn_buf_puts(out, "]}\n");
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

static mn_status path_of(char out[PATH_MAX], const char *dir, const char *name, mn_err *err)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= PATH_MAX ? mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "the path is too long") : MN_OK;
}

static mn_status open_file(FILE **out, const char *dir, const char *name, mn_err *err)
{
    char path[PATH_MAX];
    MN_TRY(path_of(path, dir, name, err));
    *out = fopen(path, "wb");
    return *out ? MN_OK : mn_fail_at(err, MN_ERR_IO, path, 0, 0, "cannot be written: %s", strerror(errno));
}

mn_status mn_plan_save_open(mn_plan_save *save, const char *dir, mn_err *err)
{
    char path[PATH_MAX];
    save->dir = dir;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "cannot be made: %s", strerror(errno));
    MN_TRY(path_of(path, dir, "plan.json", err));
    remove(path);
    MN_TRY(open_file(&save->policies, dir, "policy.jsonl", err));
    return open_file(&save->transcripts, dir, "transcripts.jsonl", err);
}

/* The line goes to the file and is emptied; status: of making it. */
static mn_status write_line(mn_plan_save *save, FILE *file, mn_status status, mn_err *err)
{
    if (status != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    bool whole = fwrite(save->line.data, 1, save->line.len, file) == save->line.len;
    mn_buf_clear(&save->line);
    return whole ? MN_OK : mn_fail_at(err, MN_ERR_IO, save->dir, 0, 0, "cannot be written: %s", strerror(errno));
}

static mn_status add_policy(mn_plan_save *save, double budget, const mn_plan_graph *g, const mn_plan_policy *policy,
                            const double *reached, mn_err *err)
{
    for (size_t t = 0; t < g->T; t++)
        for (size_t s = g->from[t]; s < g->to[t]; s++) {
            size_t at = policy->first[t] + s - g->from[t];
            if (!(reached[at] > 0)) continue;
            mn_status status = put_state(&save->line, budget, t, s, reached[at], g, policy->pi + at * g->W);
            MN_TRY(write_line(save, save->policies, status, err));
        }
    return MN_OK;
}

mn_status mn_plan_save_add(mn_plan_save *save, const mn_plan_answer *answer, const mn_plan_graph *graph,
                           const mn_plan_policy *policy, mn_err *err)
{
    mn_plan_figures figures;
    double *reached;
    if (put_answer(&save->answers, answer) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    for (size_t e = 0; e < answer->sampled; e++) {
        mn_status status = put_episode(&save->line, answer, e);
        MN_TRY(write_line(save, save->transcripts, status, err));
    }
    MN_ALLOC_OR_FAIL(reached, policy->N, err);
    mn_status status = mn_plan_measure(&figures, NULL, reached, graph, policy, err);
    if (status == MN_OK) status = add_policy(save, answer->budget, graph, policy, reached, err);
    free(reached);
    return status;
}

static mn_status close_file(FILE **file, const char *dir, mn_err *err)
{
    int failed = fclose(*file);
    *file = NULL;
    return failed ? mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "cannot be written: %s", strerror(errno)) : MN_OK;
}

mn_status mn_plan_save_finish(mn_plan_save *save, const mn_plan_settings *settings, const mn_classroom *world, mn_err *err)
{
    char path[PATH_MAX];
    MN_TRY(close_file(&save->policies, save->dir, err));
    MN_TRY(close_file(&save->transcripts, save->dir, err));
    MN_TRY(path_of(path, save->dir, "plan.json", err));
    if (put_plan(&save->line, &save->answers, settings, world) != MN_OK) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    return mn_file_write_atomic(path, save->line.data, save->line.len, err);
}

void mn_plan_save_close(mn_plan_save *save)
{
    if (save->policies) fclose(save->policies);
    if (save->transcripts) fclose(save->transcripts);
    mn_buf_free(&save->answers);
    mn_buf_free(&save->line);
    *save = (mn_plan_save){0};
}
