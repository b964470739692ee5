#include "report/results.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "report/episodes.h"

static mn_status in_dir(char path[PATH_MAX], const char *dir, const char *name, mn_err *err)
{
    int n = snprintf(path, PATH_MAX, "%s/%s", dir, name);
    return n < 0 || n >= PATH_MAX ? mn_fail_at(err, MN_ERR_IO, dir, 0, 0, "the path is too long") : MN_OK;
}

/* ---- run.json --------------------------------------------------------------------------------------------------- */

static mn_status put_value(mn_buf *buf, const json_t *value)
{
    double x;
    if (json_is_boolean(value)) return mn_buf_puts(buf, json_is_true(value) ? "true" : "false");
    if (json_is_integer(value)) return mn_buf_printf(buf, "%lld", (long long)json_integer_value(value));
    if (json_is_string(value)) return mn_buf_put(buf, json_string_value(value), json_string_length(value));
    if (mn_json_number(&x, value) == MN_OK) return mn_json_num(buf, x);
    for (size_t i = 0; i < json_array_size(value); i++) {
        if (i) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(put_value(buf, json_array_get(value, i)));
    }
    return mn_buf_puts(buf, "");
}

/* Nested settings as one level of dotted names and texts. */
static mn_status flatten(json_t *out, json_t *config, const char *prefix)
{
    const char *key;
    json_t *value;
    mn_status status = MN_OK;
    json_object_foreach(config, key, value)
    {
        char name[128];
        mn_buf text = {0};
        snprintf(name, sizeof name, "%s%s%s", prefix, *prefix ? "." : "", key);
        if (json_is_object(value)) {
            status = flatten(out, value, name);
        } else {
            status = put_value(&text, value);
            if (status == MN_OK && json_object_set_new(out, name, json_stringn(text.data, text.len)) != 0)
                status = MN_ERR_MEMORY;
        }
        mn_buf_free(&text);
        if (status != MN_OK) break;
    }
    return status;
}

static mn_status read_roles(mn_result *r, const char *path, mn_err *err)
{
    const json_t *roles = json_object_get(r->run, "roles");
    for (size_t i = 0; i < 2; i++) r->roles[i] = json_string_value(json_array_get(roles, i));
    if (!r->roles[0] || !r->roles[1] || strcmp(r->roles[0], r->roles[1]) == 0)
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"roles\": expected two different names");
    return MN_OK;
}

static mn_status read_run(mn_result *r, const char *path, mn_err *err)
{
    json_t *config = json_object_get(r->run, "config");
    const json_t *seed = json_object_get(r->run, "seed"), *steps = json_object_get(config, "steps");
    if (!json_is_object(config)) return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"config\": expected an object");
    if (!json_is_integer(seed)) return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"seed\": expected a whole number");
    if (!json_is_integer(steps))
        return mn_fail_at(err, MN_ERR_INPUT, path, 0, 0, "\"config\": expected a whole number \"steps\"");
    r->seed = json_integer_value(seed);
    r->planned = json_integer_value(steps);
    MN_TRY(read_roles(r, path, err));
    if (!(r->settings = json_object()) || flatten(r->settings, config, "") != MN_OK)
        return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    json_object_del(r->settings, "seed");
    return MN_OK;
}

static mn_status open_run(mn_result *r, mn_err *err)
{
    char path[PATH_MAX];
    mn_buf buf = {0};
    MN_TRY(in_dir(path, r->dir, "run.json", err));
    if (!mn_file_exists(path)) return mn_fail_at(err, MN_ERR_IO, r->dir, 0, 0, "is not a run directory: it has no run.json");
    mn_status status = mn_file_read(&buf, path, err);
    if (status == MN_OK) status = mn_json_parse(&r->run, buf.data, buf.len, path, 0, err);
    mn_buf_free(&buf);
    return status == MN_OK ? read_run(r, path, err) : status;
}

/* ---- the logs --------------------------------------------------------------------------------------------------- */

typedef mn_status (*take_line)(mn_result *r, const char *line, size_t len, const mn_lines *at, mn_err *err);

static mn_status read_lines(mn_result *r, const char *name, take_line take, mn_err *err)
{
    char path[PATH_MAX], *line;
    mn_lines lines;
    size_t len;
    bool end = false;
    MN_TRY(in_dir(path, r->dir, name, err));
    MN_TRY(mn_lines_open(&lines, path, err));
    mn_status status = MN_OK;
    while (status == MN_OK && !end) {
        status = mn_lines_next(&lines, &line, &len, &end, err);
        if (status != MN_OK || end) break;
        status = take(r, line, len, &lines, err);
        if (status == MN_ERR_INPUT && feof(lines.file)) { /* the last line has no end */
            r->torn = end = true;
            status = MN_OK;
        }
    }
    mn_lines_close(&lines);
    return status;
}

static mn_status get_number(double *out, const json_t *line, const char *key, const mn_lines *at, mn_err *err)
{
    if (mn_json_number(out, json_object_get(line, key)) == MN_OK) return MN_OK;
    return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, 0, "\"%s\": expected a number, \"inf\" or \"-inf\"", key);
}

static mn_status get_finite(double *out, const json_t *line, const char *key, const mn_lines *at, mn_err *err)
{
    double x;
    if (mn_json_number(&x, json_object_get(line, key)) == MN_OK && isfinite(x)) return *out = x, MN_OK;
    return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, 0, "\"%s\": expected a finite number", key);
}

static mn_status read_step(mn_step_line *out, const json_t *line, size_t step, const mn_lines *at, mn_err *err)
{
    double number, episodes;
    MN_TRY(get_finite(&number, line, "step", at, err));
    if (number != (double)step)
        return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, 0, "\"step\": expected %zu, the next, got %g", step, number);
    MN_TRY(get_finite(&out->value, line, "return", at, err));
    MN_TRY(get_finite(&out->value_se, line, "return_se", at, err));
    MN_TRY(get_finite(&out->nats, line, "nats", at, err));
    MN_TRY(get_finite(&out->nats_max, line, "nats_max", at, err));
    MN_TRY(get_number(&out->budget_nats, line, "budget_nats", at, err));
    MN_TRY(get_finite(&episodes, line, "episodes", at, err));
    if (!(episodes >= 0 && episodes <= 1e15))
        return mn_fail_at(err, MN_ERR_INPUT, at->name, at->number, 0, "\"episodes\": expected a count");
    out->episodes = (size_t)episodes;
    return MN_OK;
}

static mn_status take_step(mn_result *r, const char *text, size_t len, const mn_lines *at, mn_err *err)
{
    json_t *line;
    if (r->n == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 64;
        mn_step_line *steps = reallocarray(r->steps, cap, sizeof *steps);
        if (!steps) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        r->steps = steps;
        r->cap = cap;
    }
    MN_TRY(mn_json_parse(&line, text, len, at->name, at->number, err));
    mn_status status = read_step(&r->steps[r->n], line, r->n, at, err);
    json_decref(line);
    if (status == MN_OK) r->n++;
    return status;
}

static mn_status take_time(mn_result *r, const char *text, size_t len, const mn_lines *at, mn_err *err)
{
    json_t *line;
    double seconds, speed;
    MN_TRY(mn_json_parse(&line, text, len, at->name, at->number, err));
    mn_status status = get_finite(&seconds, line, "seconds", at, err);
    if (status == MN_OK) status = get_finite(&speed, line, "tokens_per_s", at, err);
    json_decref(line);
    if (status != MN_OK) return status;
    r->seconds += seconds;
    r->tokens += seconds * speed;
    return MN_OK;
}

static mn_status add_positions(mn_result *r, const mn_episode *e, mn_err *err)
{
    if (e->T > r->position_cap) {
        double *position = reallocarray(r->position, e->T, sizeof *position);
        if (!position) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
        r->position = position;
        r->position_cap = e->T;
    }
    while (r->T < e->T) r->position[r->T++] = 0;
    for (size_t t = 0; t < e->T; t++) r->position[t] += e->nats[t];
    r->n_position++;
    return MN_OK;
}

/* Read into the spare one, which changes places with the next of those shown. */
static mn_status take_episode(mn_result *r, const char *text, size_t len, const mn_lines *at, mn_err *err)
{
    mn_episode *e = &r->spare;
    MN_TRY(mn_episode_read(e, text, len, r->roles, at->name, at->number, err));
    int which = e->step > 0;
    if (which && e->step != r->logged_step) {
        r->logged_step = e->step;
        r->n_shown[1] = r->n_position = r->T = 0;
    }
    if (which) MN_TRY(add_positions(r, e, err));
    if (r->n_shown[which] == MN_SHOWN) return MN_OK;
    mn_episode *place = &r->shown[which][r->n_shown[which]++], kept = *place;
    *place = *e;
    *e = kept;
    return MN_OK;
}

mn_status mn_result_open(mn_result *r, const char *dir, mn_err *err)
{
    char path[PATH_MAX];
    *r = (mn_result){0};
    if (!(r->dir = strdup(dir))) return mn_fail(err, MN_ERR_MEMORY, "out of memory");
    MN_TRY(open_run(r, err));
    MN_TRY(read_lines(r, "steps.jsonl", take_step, err));
    if (r->n < 2) return mn_fail_at(err, MN_ERR_INPUT, dir, 0, 0, "has no trained step yet: nothing to report");
    MN_TRY(read_lines(r, "episodes.jsonl", take_episode, err));
    for (size_t t = 0; t < r->T; t++) r->position[t] /= (double)r->n_position;
    MN_TRY(in_dir(path, dir, "timing.jsonl", err));
    return mn_file_exists(path) ? read_lines(r, "timing.jsonl", take_time, err) : MN_OK;
}

void mn_result_free(mn_result *r)
{
    for (size_t i = 0; i < MN_SHOWN; i++) {
        mn_episode_free(&r->shown[0][i]);
        mn_episode_free(&r->shown[1][i]);
    }
    mn_episode_free(&r->spare);
    json_decref(r->settings);
    json_decref(r->run);
    free(r->steps);
    free(r->position);
    free(r->dir);
    *r = (mn_result){0};
}

const char *mn_result_setting(const mn_result *r, const char *key)
{
    const char *text = json_string_value(json_object_get(r->settings, key));
    return text ? text : "";
}
