#include "report/episodes.h"

#include <string.h>

#include "base/json.h"

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static mn_status put_count(mn_buf *buf, const char *key, uint64_t n)
{
    if (n > INT64_MAX) return MN_ERR_NUM; /* more than JSON's readers take */
    return mn_buf_printf(buf, "\"%s\": %llu, ", key, (unsigned long long)n);
}

static mn_status put_number(mn_buf *buf, const char *key, double x)
{
    MN_TRY(mn_buf_printf(buf, "\"%s\": ", key));
    MN_TRY(mn_json_num(buf, x + 0.0)); /* -0 would come back as the integer 0 */
    return mn_buf_puts(buf, ", ");
}

static mn_status put_column(mn_buf *buf, const char *key, const double *x, size_t T)
{
    MN_TRY(mn_buf_printf(buf, "\"%s\": [", key));
    for (size_t t = 0; t < T; t++) {
        if (t) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(mn_json_num(buf, x[t] + 0.0));
    }
    return mn_buf_puts(buf, "], ");
}

static mn_status put_speakers(mn_buf *buf, const mn_episode *e, const char *const roles[2])
{
    MN_TRY(mn_buf_puts(buf, "\"speaker\": ["));
    for (size_t t = 0; t < e->T; t++) {
        if (t) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(mn_json_str(buf, roles[e->speaker[t]], strlen(roles[e->speaker[t]])));
    }
    return mn_buf_puts(buf, "], ");
}

static mn_status put_tokens(mn_buf *buf, const mn_episode *e)
{
    MN_TRY(mn_buf_puts(buf, "\"token\": ["));
    for (size_t t = 0; t < e->T; t++) MN_TRY(mn_buf_printf(buf, t ? ", %ld" : "%ld", (long)e->token[t]));
    MN_TRY(mn_buf_puts(buf, "], \"text\": ["));
    for (size_t t = 0; t < e->T; t++) {
        if (t) MN_TRY(mn_buf_puts(buf, ", "));
        MN_TRY(mn_json_str(buf, e->text.data + e->at[t], e->at[t + 1] - e->at[t]));
    }
    return mn_buf_puts(buf, "], ");
}

static mn_status put_rewards(mn_buf *buf, const mn_episode *e)
{
    MN_TRY(mn_buf_puts(buf, "\"rewards\": ["));
    for (size_t i = 0; i < e->n_rewards; i++) {
        const mn_reward_mark *mark = &e->rewards[i];
        MN_TRY(mn_buf_printf(buf, "%s{\"t\": %zu, \"text\": ", i ? ", " : "", mark->t));
        MN_TRY(mn_json_str(buf, mark->text, mark->len));
        MN_TRY(mn_buf_puts(buf, ", \"value\": "));
        MN_TRY(mn_json_num(buf, mark->value + 0.0));
        MN_TRY(mn_buf_puts(buf, "}"));
    }
    return mn_buf_puts(buf, "]}\n");
}

static mn_status put_episode(mn_buf *buf, const mn_episode *e, const char *const roles[2])
{
    MN_TRY(mn_buf_puts(buf, "{"));
    MN_TRY(put_count(buf, "episode", e->number));
    MN_TRY(put_count(buf, "step", e->step));
    MN_TRY(put_count(buf, "seed", e->seed));
    MN_TRY(put_count(buf, "opening", (uint64_t)e->opening));
    MN_TRY(put_number(buf, "budget_nats", e->budget_nats));
    MN_TRY(put_number(buf, "spent_nats", e->spent_nats));
    MN_TRY(put_number(buf, "return", e->value));
    MN_TRY(put_number(buf, "help", e->help));
    MN_TRY(put_speakers(buf, e, roles));
    MN_TRY(put_tokens(buf, e));
    MN_TRY(put_column(buf, "lp_policy", e->lp_policy, e->T));
    MN_TRY(put_column(buf, "lp_base", e->lp_base, e->T));
    MN_TRY(put_column(buf, "nats", e->nats, e->T));
    MN_TRY(put_column(buf, "help_mass", e->help_mass, e->T));
    return put_rewards(buf, e);
}

mn_status mn_episode_write(mn_buf *buf, const mn_episode *episode, const char *const roles[2])
{
    size_t len = buf->len;
    mn_status status = put_episode(buf, episode, roles);
    if (status != MN_OK && buf->data) buf->data[buf->len = len] = '\0';
    return status;
}

/* ---- reading ---------------------------------------------------------------------------------------------------- */

enum { SPEAKER, TOKEN, TEXT, LP_POLICY, LP_BASE, NATS, HELP_MASS, COLUMNS };
static const char *const column_names[COLUMNS] = {"speaker", "token", "text", "lp_policy", "lp_base", "nats", "help_mass"};
enum { KEYS = 8 + COLUMNS + 1 };

typedef struct reader {
    mn_episode *episode;
    const json_t *line;
    const json_t *columns[COLUMNS];
    const char *const *roles;
    const char *file;
    size_t number;
    mn_err *err;
} reader;

static mn_status expected(const reader *r, const char *key, const char *what)
{
    return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0, "\"%s\": expected %s", key, what);
}

static mn_status expected_at(const reader *r, const char *key, size_t i, const char *what)
{
    return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0, "\"%s\", entry %zu: expected %s", key, i, what);
}

static mn_status get_count(const reader *r, uint64_t *out, const char *key)
{
    const json_t *value = json_object_get(r->line, key);
    if (!json_is_integer(value) || json_integer_value(value) < 0) return expected(r, key, "a whole number, 0 or more");
    *out = (uint64_t)json_integer_value(value);
    return MN_OK;
}

static mn_status get_number(const reader *r, double *out, const char *key)
{
    if (mn_json_number(out, json_object_get(r->line, key)) == MN_OK) return MN_OK;
    return expected(r, key, "a number, \"inf\" or \"-inf\"");
}

static mn_status get_column(reader *r, int column)
{
    const char *key = column_names[column];
    r->columns[column] = json_object_get(r->line, key);
    if (!json_is_array(r->columns[column])) return expected(r, key, "a list");
    size_t n = json_array_size(r->columns[column]), T = json_array_size(r->columns[SPEAKER]);
    if (n != T)
        return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0,
                          "\"%s\": expected %zu entries, as \"speaker\" has, got %zu", key, T, n);
    return MN_OK;
}

static mn_status get_entry(const reader *r, double *out, int column, size_t t)
{
    if (mn_json_number(out, json_array_get(r->columns[column], t)) == MN_OK) return MN_OK;
    return expected_at(r, column_names[column], t, "a number, \"inf\" or \"-inf\"");
}

static mn_status get_speaker(const reader *r, int *out, size_t t)
{
    const char *name = json_string_value(json_array_get(r->columns[SPEAKER], t));
    for (int i = 0; name && i < 2; i++)
        if (strcmp(name, r->roles[i]) == 0) return *out = i, MN_OK;
    return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0, "\"speaker\", entry %zu: expected \"%s\" or \"%s\"", t,
                      r->roles[0], r->roles[1]);
}

static mn_status get_token(const reader *r, size_t t)
{
    const json_t *token = json_array_get(r->columns[TOKEN], t), *text = json_array_get(r->columns[TEXT], t);
    double lp_policy, lp_base, nats, help_mass;
    int speaker = 0;
    MN_TRY(get_speaker(r, &speaker, t));
    if (!json_is_integer(token) || json_integer_value(token) < 0 || json_integer_value(token) > INT32_MAX)
        return expected_at(r, "token", t, "a token's id");
    if (!json_is_string(text)) return expected_at(r, "text", t, "a string");
    MN_TRY(get_entry(r, &lp_policy, LP_POLICY, t));
    MN_TRY(get_entry(r, &lp_base, LP_BASE, t));
    MN_TRY(get_entry(r, &nats, NATS, t));
    MN_TRY(get_entry(r, &help_mass, HELP_MASS, t));
    return mn_episode_token(r->episode, speaker, (int32_t)json_integer_value(token), json_string_value(text),
                            json_string_length(text), lp_policy, lp_base, nats, help_mass, r->err);
}

static mn_status get_reward(const reader *r, const json_t *mark, size_t i)
{
    const json_t *t = json_object_get(mark, "t"), *text = json_object_get(mark, "text");
    size_t least = i ? r->episode->rewards[i - 1].t + 1 : 0;
    double value;
    if (!json_is_object(mark) || json_object_size(mark) != 3)
        return expected_at(r, "rewards", i, "{\"t\", \"text\", \"value\"}");
    if (!json_is_integer(t) || json_integer_value(t) < (json_int_t)least || (uint64_t)json_integer_value(t) >= r->episode->T)
        return expected_at(r, "rewards", i, "\"t\", a token of the episode after the last reward's");
    if (!json_is_string(text)) return expected_at(r, "rewards", i, "\"text\", a string");
    if (mn_json_number(&value, json_object_get(mark, "value")) != MN_OK)
        return expected_at(r, "rewards", i, "\"value\", a number");
    return mn_episode_reward(r->episode, (size_t)json_integer_value(t), value, json_string_value(text),
                             json_string_length(text), r->err);
}

static mn_status get_rewards(const reader *r)
{
    const json_t *rewards = json_object_get(r->line, "rewards");
    if (!json_is_array(rewards)) return expected(r, "rewards", "a list");
    for (size_t i = 0; i < json_array_size(rewards); i++) MN_TRY(get_reward(r, json_array_get(rewards, i), i));
    return MN_OK;
}

static mn_status get_episode(reader *r)
{
    uint64_t number, step, seed, opening;
    double budget_nats;
    mn_episode *e = r->episode;
    if (!json_is_object(r->line))
        return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0, "expected an object, an episode");
    MN_TRY(get_count(r, &number, "episode"));
    MN_TRY(get_count(r, &step, "step"));
    MN_TRY(get_count(r, &seed, "seed"));
    MN_TRY(get_count(r, &opening, "opening"));
    MN_TRY(get_number(r, &budget_nats, "budget_nats"));
    MN_TRY(mn_episode_begin(e, number, (size_t)step, seed, (int64_t)opening, budget_nats, r->err));
    MN_TRY(get_number(r, &e->spent_nats, "spent_nats"));
    MN_TRY(get_number(r, &e->value, "return"));
    MN_TRY(get_number(r, &e->help, "help"));
    for (int i = 0; i < COLUMNS; i++) MN_TRY(get_column(r, i));
    for (size_t t = 0; t < json_array_size(r->columns[SPEAKER]); t++) MN_TRY(get_token(r, t));
    MN_TRY(get_rewards(r));
    if (json_object_size(r->line) != KEYS)
        return mn_fail_at(r->err, MN_ERR_INPUT, r->file, r->number, 0, "expected the %d keys of an episode, got %zu", KEYS,
                          json_object_size(r->line));
    return MN_OK;
}

mn_status mn_episode_read(mn_episode *episode, const char *line, size_t len, const char *const roles[2], const char *file,
                          size_t number, mn_err *err)
{
    json_t *json;
    MN_TRY(mn_json_parse(&json, line, len, file, number, err));
    reader r = {.episode = episode, .line = json, .roles = roles, .file = file, .number = number, .err = err};
    mn_status status = get_episode(&r);
    json_decref(json);
    return status;
}
